/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/settings.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"

static const char doc[] =
    "Joins the coordinator at ENDPOINT and runs its jobs until SIGTERM.\v"
    "A worker offers SLOTS places for jobs; each has THREADS threads. Results do not depend on "
    "either "
    "number, nor on how many workers there are. Inputs are fetched once per computer into the "
    "cache; a "
    "model that lies at the path that the recipe names, or under --models, is used where it is.\n\n"
    "When the coordinator cannot be reached the worker goes on computing and connects again when "
    "it is "
    "back; nothing is lost. SIGTERM (or Ctrl-C, SIGUSR1, SIGUSR2) drains: what has not begun goes "
    "back at once, running jobs stop at their next example or "
    "step "
    "and go back to the queue; a second one shortens the wait to 3 seconds. SIGKILL costs at most "
    "one search, or one batch of evaluations, per slot.\n\n"
    "Examples:\n"
    "  drover-worker --coordinator tcp://10.0.0.5:7077\n"
    "  drover-worker -c tcp://10.0.0.5:7077 --slots 4 --threads 2 --models /data/models\n"
    "  drover-worker --connect cluster.connect --idle-exit 300\n\n"
    "Exit status: 0 drained, 75 drained with work cut off (it runs again, from its checkpoints), 1 "
    "failed (refused by the coordinator, say), 2 wrong usage.";

enum {
    OPT_CACHE_BYTES = 256,
    OPT_MODELS,
    OPT_NAME,
    OPT_LOG_LEVEL,
    OPT_CLASSES,
    OPT_PARENT_FD,
    OPT_DRAIN_MS,
    OPT_PIN,
    OPT_ALLOW_EXEC,
    OPT_ALLOW_PROGRAM,
    OPT_ALLOW_ENV,
    OPT_QUEUE,
    OPT_LABEL,
    OPT_MEMORY,
    OPT_KEY,
    OPT_SERVER_KEY,
    OPT_STORE,
    OPT_INSECURE,
    OPT_CONNECT,
    OPT_IDLE,
    OPT_GRACE,
    OPT_END
};

enum { QUEUE_DEFAULT = 1024 }; /* 40 ms of jobs of 40 us: large groups cost less each */

static const struct argp_option options[] = {
    { "coordinator", 'c', "ENDPOINT", 0,
      "tcp://HOST:PORT or ipc://PATH; default: $DROVER_COORDINATOR", 1 },
    { "key", OPT_KEY, "FILE", 0,
      "The key of this worker, which has the role work there (default: $DROVER_KEY, else "
      "~/.config/drover/key)",
      1 },
    { "server-key", OPT_SERVER_KEY, "LINE|FILE", 0,
      "The coordinator's key (default: $DROVER_SERVER_KEY, else ~/.config/drover/coordinator.pub)",
      1 },
    { "store", OPT_STORE, "FILE", 0,
      "Take both from this store's FILE-keys: its coordinator runs on this computer, as this user "
      "(default: results.db, if that has any)",
      1 },
    { "connect", OPT_CONNECT, "FILE", 0,
      "Take all three from this connection file, which drover connect wrote (default: "
      "$DROVER_CONNECT)",
      1 },
    { "insecure", OPT_INSECURE, NULL, 0,
      "Plaintext, to a coordinator that was started with --insecure: for networks you trust", 1 },
    { "slots", 's', "N", 0, "Jobs at a time, 1 to 128 (default 1)", 2 },
    { "threads", 't', "N", 0,
      "Threads of each slot (default: cores, or a control group's limit, / slots)", 2 },
    { "queue", OPT_QUEUE, "N", 0,
      "Short jobs that may wait here for a free slot, 0 to 1024 (default): so that jobs of "
      "less than a millisecond need no round trip each. Longer ones are never sent ahead",
      2 },
    { "memory", OPT_MEMORY, "SIZE", 0,
      "Memory that all its jobs together may use, as steps ask for it (memory = \"8G\"); K, M, G "
      "or T for powers of 1024 (default: the computer's, or its control group's limit)",
      2 },
    { "label", OPT_LABEL, "NAME", 0,
      "Something that this worker has and a step may ask for (labels = [\"gpu\"]). May be given "
      "again",
      2 },
    { "pin", OPT_PIN, "WHEN", 0,
      "Bind threads to cores of their own: auto (default; when the slots' threads are as many as "
      "the cores, and no other worker is bound to one of them), on (to cores that no other worker "
      "is bound to) or off. Changes no result",
      2 },
    { "cache", 'd', "DIR", 0,
      "Folder for fetched inputs, which workers of one user share (default: "
      "$XDG_CACHE_HOME/drover)",
      3 },
    { "cache-bytes", OPT_CACHE_BYTES, "N", 0,
      "The most that it holds, with K, M, G or T for powers of 1024 (default 10G)", 3 },
    { "models", OPT_MODELS, "DIR", 0,
      "Folder with models of your own, found by name and used when their digests match", 3 },
    { "allow-exec", OPT_ALLOW_EXEC, NULL, 0,
      "Run programs, for steps with job = \"exec\", as this user: those of --allow-program", 4 },
    { "allow-program", OPT_ALLOW_PROGRAM, "LIST|FILE", 0,
      "Programs that may be run, parted by commas: names, which are looked up in PATH, and "
      "absolute "
      "paths; or a file with one per line. May be given again",
      4 },
    { "allow-env", OPT_ALLOW_ENV, "LIST", 0,
      "Variables of the worker that its programs see besides PATH, HOME, LANG, CUDA_* and the "
      "like; "
      "a last * stands for anything (SLURM_*)",
      4 },
    { "name", OPT_NAME, "TEXT", 0, "What status lists call this worker (default: HOST:PID)", 4 },
    { "log-level", OPT_LOG_LEVEL, "LEVEL", 0, "error, warn, info (default) or debug", 4 },
    { "grace", OPT_GRACE, "SECONDS", 0,
      "How long a drain may take, as the cluster grants it (default: $DROVER_GRACE_S, else 10 "
      "under "
      "Slurm and Kubernetes, else 60)",
      4 },
    { "drain-ms", OPT_DRAIN_MS, "N", 0, "The same in milliseconds", 4 },
    { "end-time", OPT_END, "TIME", 0,
      "When its allocation ends, seconds since 1970: it leaves its grace earlier, and takes no job "
      "that is known to last longer and cannot go on elsewhere from where it was cut off (default: "
      "$DROVER_END_TIME, else $SLURM_JOB_END_TIME)",
      4 },
    { "idle-exit", OPT_IDLE, "SECONDS", 0, "Leave after so long without work (default: never)", 4 },
    { "parent-fd", OPT_PARENT_FD, "FD", 0, "Drain when this pipe is closed on its other side", 4 },
    { "classes", OPT_CLASSES, NULL, 0,
      "Print the numeric classes that this computer offers, one per line, and exit", 5 },
    { 0 },
};

/* A whole number from MIN to MAX with, if SUFFIX, a K, M, G or T. Ends the program otherwise. */
static uint64_t number(struct argp_state *state, const char *option, const char *arg, uint64_t min,
                       uint64_t max, bool suffix)
{
    static const char letters[] = "KMGT";
    char *end = NULL;

    errno = 0;
    uint64_t v = strtoull(arg, &end, 10);
    bool good = errno == 0 && end != arg && arg[0] >= '0' && arg[0] <= '9';
    const char *letter = suffix && good && *end != '\0' ? strchr(letters, *end) : NULL;
    if (letter != NULL) {
        unsigned shift = 10u * (unsigned)(letter - letters + 1);
        good = v <= UINT64_MAX >> shift;
        v <<= shift;
        end++;
    }
    if (!good || *end != '\0' || v < min || v > max)
        argp_error(state, "--%s %s: a whole number from %llu to %llu is needed", option, arg,
                   (unsigned long long)min, (unsigned long long)max);
    return v;
}

static enum log_level log_level_of(struct argp_state *state, const char *arg)
{
    enum log_level level = LOG_INFO;

    if (!log_level_parse(arg, &level))
        argp_error(state, "--log-level %s: error, warn, info or debug is needed", arg);
    return level;
}

static enum pin_mode pin_mode_of(struct argp_state *state, const char *arg)
{
    static const char *const name[] = { "auto", "on", "off" };
    for (int i = 0; i < (int)ARRAY_LEN(name); i++)
        if (strcmp(arg, name[i]) == 0)
            return (enum pin_mode)i;
    argp_error(state, "--pin %s: auto, on or off is needed", arg);
    return PIN_AUTO;
}

/* A label is a word: letters, digits, _ - . and at most 63 of them, as recipes may say it. */
static void add_label(struct argp_state *state, struct settings *s, const char *arg)
{
    const size_t len = strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_-.");

    if (len == 0 || len > 63 || arg[len] != '\0')
        argp_error(state, "--label \"%s\": letters, digits, _ - . are needed, at most 63", arg);
    for (size_t i = 0; i < s->conf.labels_len; i++)
        if (strcmp(s->label[i], arg) == 0)
            return;
    if (s->conf.labels_len == WIRE_LABELS_MAX)
        argp_error(state, "--label %s: at most %d labels", arg, WIRE_LABELS_MAX);
    s->label[s->conf.labels_len++] = arg;
    s->conf.label = s->label;
}

/* What it offers besides slots. */
static error_t parse_resources(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case OPT_QUEUE:
        s->conf.queue = number(state, "queue", arg, 0, AGENT_QUEUE_MAX, false);
        return 0;
    case OPT_MEMORY:
        s->conf.memory_mib = number(state, "memory", arg, 1 << 20, INT64_MAX, true) >> 20;
        return 0;
    case OPT_LABEL:
        add_label(state, s, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Whom it believes, and who it is. */
static error_t parse_identity(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case OPT_KEY:
        s->identity.key = arg;
        return 0;
    case OPT_SERVER_KEY:
        s->identity.server_key = arg;
        return 0;
    case OPT_STORE:
        s->identity.store = arg;
        return 0;
    case OPT_INSECURE:
        s->identity.insecure = true;
        return 0;
    case OPT_CONNECT:
        s->connect = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* When it leaves. */
static error_t parse_times(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case OPT_DRAIN_MS:
        s->drain_ms = number(state, "drain-ms", arg, 1, 86400000, false);
        return 0;
    case OPT_GRACE:
        s->drain_ms = number(state, "grace", arg, 1, 86400, false) * 1000;
        return 0;
    case OPT_END:
        s->end_s = number(state, "end-time", arg, 1, 4102444800, false);
        return 0;
    case OPT_IDLE:
        s->conf.times.idle_ms = number(state, "idle-exit", arg, 1, 86400 * 30, false) * 1000;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Options on other people's programs. */
static error_t parse_policy(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;
    struct err err = { 0 };

    switch (key) {
    case OPT_ALLOW_EXEC:
        s->allow_exec = true;
        break;
    case OPT_ALLOW_PROGRAM:
        if (policy_allow(&s->policy, arg, &err) != 0)
            argp_error(state, "--allow-program %s: %s", arg, err.text);
        break;
    case OPT_ALLOW_ENV:
        if (policy_pass(&s->policy, arg, &err) != 0)
            argp_error(state, "--allow-env %s: %s", arg, err.text);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void check_policy(const struct settings *s, struct argp_state *state)
{
    if (s->allow_exec && s->policy.programs_len == 0)
        argp_error(state, "--allow-exec runs nothing without a list of programs; say "
                          "--allow-program python3,/opt/tools/train, for example");
    if (!s->allow_exec && s->policy.programs_len > 0)
        argp_error(state, "--allow-program needs --allow-exec");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case 'c':
        s->conf.coordinator = arg;
        s->connect = NULL; /* goes before the surroundings' */
        break;
    case 's':
        s->slots = number(state, "slots", arg, 1, AGENT_SLOTS_MAX, false);
        break;
    case 't':
        s->threads = number(state, "threads", arg, 1, 256, false);
        break;
    case 'd':
        s->conf.cache = arg;
        break;
    case OPT_CACHE_BYTES:
        s->conf.cache_bytes = number(state, "cache-bytes", arg, 1 << 20, INT64_MAX, true);
        break;
    case OPT_MODELS:
        s->conf.models = arg;
        break;
    case OPT_NAME:
        s->conf.name = arg;
        break;
    case OPT_LOG_LEVEL:
        s->log_level = log_level_of(state, arg);
        break;
    case OPT_PARENT_FD:
        s->conf.parent_fd = (int)number(state, "parent-fd", arg, 0, 65535, false);
        break;
    case OPT_PIN:
        s->conf.pin = pin_mode_of(state, arg);
        break;
    case OPT_CLASSES:
        s->classes = true;
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        break;
    case ARGP_KEY_END:
        if (s->conf.coordinator == NULL && s->connect == NULL && !s->classes)
            argp_error(state,
                       "--coordinator ENDPOINT is needed, for example tcp://127.0.0.1:7077, or "
                       "--connect FILE");
        check_policy(s, state);
        break;
    default:
        if (parse_resources(key, arg, state) == 0 || parse_identity(key, arg, state) == 0 ||
            parse_times(key, arg, state) == 0)
            return 0;
        return parse_policy(key, arg, state);
    }
    return 0;
}

void settings_default(struct settings *s)
{
    *s = (struct settings){
        .log_level = LOG_INFO,
        .connect = getenv("DROVER_CONNECT"),
        .conf = { .coordinator = getenv("DROVER_COORDINATOR"),
                  .cache_bytes = (uint64_t)10 << 30,
                  .parent_fd = -1,
                  .queue = QUEUE_DEFAULT,
                  .times = agent_times_default() },
    };
}

const struct argp settings_argp = { .options = options, .parser = parse_option, .doc = doc };
