/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - drover-coordinator. Exit codes: 0 stopped by a signal, 1 failed, 2 wrong usage. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/macros.h"
#include "common/base/manual.h"
#include "common/net/transport.h"
#include "coordinator/server.h"

const char *argp_program_version = "drover-coordinator " DROVER_VERSION;

enum {
    OPT_LEASE = 256,
    OPT_RENEW,
    OPT_HEARTBEAT,
    OPT_REATTACH,
    OPT_READY,
    OPT_LOG,
    OPT_PARENT,
    OPT_INSECURE,
    OPT_METRICS
};

static const struct argp_option options[] = {
    { "store", 's', "FILE", 0, "Results database (default: results.db)", 0 },
    { "listen", 'l', "ENDPOINT", 0,
      "Where workers and clients connect, tcp://ADDRESS:PORT or ipc://PATH; port * takes a free "
      "one "
      "(default: " SERVER_LISTEN_DEFAULT ")",
      0 },
    { "lease-ms", OPT_LEASE, "MS", 0, "A job without progress for so long is taken back (30000)",
      0 },
    { "renew-ms", OPT_RENEW, "MS", 0, "Workers tell progress so often (5000)", 0 },
    { "heartbeat-ms", OPT_HEARTBEAT, "MS", 0, "Workers say that they live so often (1000)", 0 },
    { "reattach-ms", OPT_REATTACH, "MS", 0,
      "After a restart, running jobs wait so long for their workers (60000)", 0 },
    { "ready-file", OPT_READY, "FILE", 0, "Write the real endpoint there when ready", 0 },
    { "parent-fd", OPT_PARENT, "FD", OPTION_HIDDEN,
      "End when this pipe is closed on its other side", 0 },
    { "insecure", OPT_INSECURE, NULL, 0,
      "Plaintext over tcp, and no keys: whoever reaches the port may do everything. Workers and "
      "commands must say it, too",
      0 },
    { "metrics", OPT_METRICS, "ADDRESS", 0,
      "Serve counters for Prometheus at http://ADDRESS/metrics: PORT (on loopback) or "
      "ADDRESS:PORT, e.g. 9420. Whoever reaches it can read them",
      0 },
    { "log-level", OPT_LOG, "LEVEL", 0, "error, warn, info or debug (info)", 0 },
    { 0 },
};

struct arguments {
    struct server_options server;
    enum log_level level;
};

static uint32_t parse_ms(const char *text, struct argp_state *state)
{
    char *end;
    unsigned long v;

    errno = 0;
    v = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || v == 0 || v > INT32_MAX)
        argp_error(state, "\"%s\" is no number of milliseconds", text);
    return (uint32_t)v;
}

static enum log_level parse_level(const char *text, struct argp_state *state)
{
    enum log_level level = LOG_INFO;

    if (!log_level_parse(text, &level))
        argp_error(state, "\"%s\" is no log level; choose error, warn, info or debug", text);
    return level;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 's':
        a->server.store_path = arg;
        return 0;
    case 'l':
        a->server.listen = arg;
        return 0;
    case OPT_LEASE:
        a->server.lease_ms = parse_ms(arg, state);
        return 0;
    case OPT_RENEW:
        a->server.renew_ms = parse_ms(arg, state);
        return 0;
    case OPT_HEARTBEAT:
        a->server.heartbeat_ms = parse_ms(arg, state);
        return 0;
    case OPT_REATTACH:
        a->server.reattach_ms = parse_ms(arg, state);
        return 0;
    case OPT_READY:
        a->server.ready_file = arg;
        return 0;
    case OPT_PARENT:
        a->server.parent_fd = (int)parse_ms(arg, state); /* 0 is standard input */
        return 0;
    case OPT_INSECURE:
        a->server.insecure = true;
        return 0;
    case OPT_METRICS:
        a->server.metrics = arg;
        return 0;
    case OPT_LOG:
        a->level = parse_level(arg, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Give out the jobs of submitted plans to workers and keep their results in one SQLite file."
        "\vStop it with SIGTERM or Ctrl-C. Killed at any moment and started again on the same "
        "store it goes on "
        "where it was: what it has acknowledged is on the disk, and running workers come back by "
        "themselves.\n\n"
        "Example:\n"
        "  drover coordinator --store results.db --listen tcp://0.0.0.0:7077\n"
        "  drover worker --coordinator tcp://HOST:7077        (on every machine)\n\n"
        "Everything over tcp is encrypted, and who may do what is decided by keys (drover key): "
        "the store's lie in FILE-keys/, made at the first start. On this machine commands and "
        "workers of the same user find them by --store.\n\n"
        "Exit status: 0 stopped by a signal, 1 failed, 2 wrong usage.",
};

static int fail(int code, const char *text)
{
    (void)fprintf(stderr, "drover-coordinator: %s\n", text);
    return code == ERR_INVALID ? 2 : 1;
}

static void warn_insecure(void)
{
    static const char text[] = "nothing is encrypted and nobody is asked for a key: whoever "
                               "reaches the port may do everything (--insecure)";

    log_warn("insecure", "text=\"%s\"", text);
    (void)fprintf(stderr, "drover-coordinator: WARNING: %s\n", text);
}

int main(int argc, char **argv)
{
    struct arguments a = { .server = server_options_default(), .level = LOG_INFO };
    struct server *s = NULL;
    struct err err = { 0 };
    int rc;

    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-coordinator", "give out jobs and keep results",
                                       DROVER_VERSION, "drover(1), drover-worker(1)", &argp }))
        return 0;
    a.server.store_path = "results.db";
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0)
        return 2;
    log_init("coordinator", a.level);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file too large is told, as a full disk is */
    transport_raise_limits();
    if (a.server.insecure)
        warn_insecure();
    rc = server_options_check(&a.server, &err);
    if (rc == 0)
        rc = server_new(&s, &a.server, &err);
    if (rc < 0)
        return fail(rc, err.text);
    log_info("listening", "endpoint=%s store=%s", server_endpoint(s), a.server.store_path);
    rc = server_run(s, &err);
    server_free(s);
    return rc < 0 ? fail(ERR_IO, err.text) : 0;
}
