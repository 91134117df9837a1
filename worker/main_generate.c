/* SPDX-License-Identifier: Apache-2.0 */
/* drover-generate - continue a prompt with a model, along any path through its layers. */
#include <argp.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/manual.h"
#include "common/base/mem.h"
#include "worker/model/generate.h"
#include "worker/search/search.h"
#include "worker/tokenizer/chat.h"
#include "worker/tokenizer/tokenizer.h"

enum {
    FAILED = 1,
    USAGE = 2,
    INTERRUPTED = 130,
    THREADS_MAX = 256,
    NEW_MAX = 1 << 20,
    STOPS_MAX = 64,
    STDIN_MAX = 64 << 20, /* more than any context takes */
};

struct options {
    const char *model, *tokenizer, *pre, *prompt, *routing, *path, *skip, *repeat, *system;
    const char *stop[STOPS_MAX];
    size_t stops_len;
    struct sampling sampling;
    long max_new, threads;
    bool chat, json;
};

const char *argp_program_version = "drover-generate " DROVER_VERSION;

static const char doc[] =
    "Continue a text with a Llama or Qwen2 model.\v"
    "The model is a Hugging Face folder (config.json and safetensors), a GGUF file, or a llama2.c "
    "checkpoint (.bin). PROMPT is the text; \"-\" reads it from the standard input; without one "
    "the "
    "model begins by itself.\n\n"
    "Each layer can be skipped (0), executed (1) or executed twice (2). --path and --routing say "
    "it "
    "for every layer, --skip and --repeat for those named; layers count from 0, and ranges are "
    "written 5-7. Without any, every layer is executed once. The text is the same for any number "
    "of threads and on every CPU; with a temperature it is a function of --seed.\n\n"
    "Example:\n"
    "  drover generate --model Llama-3.2-1B \"The capital of France is\"\n"
    "  drover generate --model Qwen2.5-0.5B-Instruct --chat --skip 5,6 --repeat 20 \"Hello\"\n"
    "  drover generate --model stories260K.bin --tokenizer tok512.bin --path 1,1,0,2,1\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted (the text so far is printed).";

enum {
    KEY_PATH = 256,
    KEY_SKIP,
    KEY_REPEAT,
    KEY_TEMPERATURE,
    KEY_TOP_K,
    KEY_TOP_P,
    KEY_SEED,
    KEY_STOP,
    KEY_CHAT,
    KEY_SYSTEM,
    KEY_JSON,
    KEY_PRE
};

static const struct argp_option option_table[] = {
    { "model", 'm', "PATH", 0, "model folder or file (required)", 0 },
    { "tokenizer", 't', "PATH", 0, "tokenizer folder or file (default: the model's own)", 0 },
    { "pre-tokenizer", KEY_PRE, "NAME", 0,
      "gpt2, llama3 or qwen2, for vocabularies that do not say it", 0 },
    { "prompt", 'p', "TEXT", 0, "the same as PROMPT", 0 },
    { "max-new", 'n', "N", 0, "tokens to generate at most (default: 200)", 0 },
    { "path", KEY_PATH, "0,1,2,..", 0, "what to do with each layer", 1 },
    { "routing", 'r', "DIGITS", 0, "the same without commas", 1 },
    { "skip", KEY_SKIP, "LAYERS", 0, "layers to skip: 5,6 or 5-6, counted from 0", 1 },
    { "repeat", KEY_REPEAT, "LAYERS", 0, "layers to execute twice", 1 },
    { "temperature", KEY_TEMPERATURE, "T", 0, "0 takes the likeliest token (default)", 2 },
    { "top-k", KEY_TOP_K, "K", 0, "draw from the K likeliest tokens (default 0: all)", 2 },
    { "top-p", KEY_TOP_P, "P", 0, "draw from the likeliest that reach P together (default 1)", 2 },
    { "seed", KEY_SEED, "N", 0, "another seed is another text (default 0)", 2 },
    { "stop", KEY_STOP, "TEXT", 0, "end in front of TEXT; may be given several times", 2 },
    { "chat", KEY_CHAT, NULL, 0, "wrap the prompt as a user's turn, as the model was tuned", 3 },
    { "system", KEY_SYSTEM, "TEXT", 0, "the system's message (with --chat)", 3 },
    { "json", KEY_JSON, NULL, 0, "print one JSON object in the end", 3 },
    { "threads", 'j', "N", 0, "threads (default: the CPUs that this process may use)", 3 },
    { 0 },
};

static long number(struct argp_state *state, const char *name, const char *text, long min, long max)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        argp_error(state, "--%s takes a number from %ld to %ld, not '%s'", name, min, max, text);
    return v;
}

static double real(struct argp_state *state, const char *name, const char *text)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end)
        argp_error(state, "--%s takes a number, not '%s'", name, text);
    return v;
}

static void set_prompt(struct argp_state *state, struct options *o, const char *text)
{
    if (o->prompt)
        argp_error(state, "more than one prompt: '%s'; quote a text with blanks", text);
    o->prompt = text;
}

static error_t parse_sampling(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_TEMPERATURE:
        o->sampling.temperature = real(state, "temperature", arg);
        return 0;
    case KEY_TOP_K:
        o->sampling.top_k = (size_t)number(state, "top-k", arg, 0, MODEL_VOCAB_MAX);
        return 0;
    case KEY_TOP_P:
        o->sampling.top_p = real(state, "top-p", arg);
        return 0;
    case KEY_SEED:
        o->sampling.seed = (uint64_t)number(state, "seed", arg, 0, LONG_MAX);
        return 0;
    case KEY_STOP:
        if (o->stops_len == STOPS_MAX)
            argp_error(state, "at most %d stop strings", STOPS_MAX);
        o->stop[o->stops_len++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    const struct {
        int key;
        const char **to;
    } texts[] = { { 'm', &o->model },         { 't', &o->tokenizer }, { 'r', &o->routing },
                  { KEY_PATH, &o->path },     { KEY_SKIP, &o->skip }, { KEY_REPEAT, &o->repeat },
                  { KEY_SYSTEM, &o->system }, { KEY_PRE, &o->pre } };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].key == key) {
            *texts[i].to = arg;
            return 0;
        }
    switch (key) {
    case 'p':
    case ARGP_KEY_ARG:
        set_prompt(state, o, arg);
        return 0;
    case 'n':
        o->max_new = number(state, "max-new", arg, 1, NEW_MAX);
        return 0;
    case 'j':
        o->threads = number(state, "threads", arg, 1, THREADS_MAX);
        return 0;
    case KEY_CHAT:
        o->chat = true;
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->model)
            argp_error(state, "--model PATH is missing");
        if (o->system && !o->chat)
            argp_error(state, "--system is for conversations: add --chat");
        if (!!o->routing + !!o->path + (o->skip || o->repeat) > 1)
            argp_error(state, "say the path once: --path, --routing, or --skip and --repeat");
        return 0;
    default:
        return parse_sampling(key, arg, state);
    }
}

static struct progress progress; /* what a signal stops */

static void on_signal(int signal)
{
    (void)signal;
    atomic_store(&progress.stop, true);
}

/* "5,6,9-11": each of these layers becomes DO in ROUTING. */
static int mark_layers(const char *option, const char *list, uint8_t mark, size_t layers,
                       uint8_t *routing, struct err *err)
{
    for (const char *at = list; list && *at;) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        bool right = *at >= '0' && *at <= '9';

        if (right && *end == '-') {
            at = end + 1;
            right = *at >= '0' && *at <= '9';
            last = strtoul(at, &end, 10);
        }
        if (!right || (*end && *end != ',') || last < first)
            return err_set(err, ERR_INVALID, "--%s %s: give layers as 5,6 or 5-7, counted from 0",
                           option, list);
        if (last >= layers)
            return err_set(err, ERR_INVALID, "--%s %s: the model has layers 0 to %zu", option, list,
                           layers - 1);
        for (; first <= last; first++) {
            if (routing[first] != ROUTING_EXECUTE && routing[first] != mark)
                return err_set(err, ERR_INVALID, "layer %lu cannot be both skipped and repeated",
                               first);
            routing[first] = mark;
        }
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int parse_routing(const struct options *o, size_t layers, uint8_t *routing, struct err *err)
{
    CLEANUP(buf_release) struct buf digits = { 0 };
    int rc;

    memset(routing, ROUTING_EXECUTE, layers);
    for (const char *at = o->path; at && *at; at++)
        if (*at != ',' && *at != ' ')
            buf_addc(&digits, *at);
    if (o->path || o->routing)
        return routing_parse(o->path ? buf_str(&digits) : o->routing, layers, routing, err);
    rc = mark_layers("skip", o->skip, ROUTING_SKIP, layers, routing, err);
    return rc ? rc : mark_layers("repeat", o->repeat, ROUTING_REPEAT, layers, routing, err);
}

static int read_stdin(struct buf *out, struct err *err)
{
    char block[1 << 16];
    size_t n;

    while ((n = fread(block, 1, sizeof(block), stdin)) > 0) {
        buf_add(out, block, n);
        if (out->len > STDIN_MAX)
            return err_set(err, ERR_LIMIT, "the prompt has more than %d bytes", STDIN_MAX);
    }
    if (progress_stopped(&progress))
        return err_set(err, ERR_CANCELLED, "interrupted");
    return ferror(stdin) ? err_errno(err, errno, "read the prompt") : 0;
}

/* The prompt's ids, its text in TEXT. */
static int read_prompt(const struct options *o, const struct model *m, struct buf *text,
                       uint32_t **ret, size_t *ret_len, struct err *err)
{
    CLEANUP(buf_release) struct buf chat = { 0 };
    struct chat_message message[] = { { "system", o->system }, { "user", NULL } };
    size_t first = o->system ? 0 : 1;
    unsigned flags = TOKENIZER_SPECIAL | (o->chat ? 0 : TOKENIZER_BOS);
    enum chat_family family = chat_family_of(m->tok);
    int rc = 0;

    if (o->prompt && !strcmp(o->prompt, "-"))
        rc = read_stdin(text, err);
    else
        buf_adds(text, o->prompt ? o->prompt : "");
    if (!rc && o->chat && family == CHAT_NONE)
        rc = err_set(err, ERR_INVALID,
                     "the vocabulary of %s has no marks for conversations (those of Llama 3 or "
                     "Qwen2.5): leave out --chat",
                     o->model);
    message[1].content = buf_str(text);
    if (!rc && o->chat)
        rc = chat_render(family, message + first, ARRAY_LEN(message) - first, NULL, &chat, err);
    if (!rc)
        rc = tokenizer_encode(m->tok, o->chat ? buf_str(&chat) : buf_str(text),
                              o->chat ? chat.len : text->len, flags, ret, ret_len, err);
    if (rc)
        return err_wrap(err, rc, "prompt");
    if (!*ret_len)
        return err_set(err, ERR_INVALID,
                       "the prompt is empty, and this model has no token that begins a text: give "
                       "a PROMPT");
    if (*ret_len >= m->conf.positions)
        return err_set(err, ERR_LIMIT,
                       "the prompt has %zu tokens; the model has %zu positions: shorten it",
                       *ret_len, m->conf.positions);
    return 0;
}

/* Text as it comes; true when nobody reads it or a signal came. */
static bool print_text(void *arg, const char *text, size_t len)
{
    size_t *shown = arg;

    if (fwrite(text, 1, len, stdout) != len || fflush(stdout))
        return true;
    *shown += len;
    return atomic_load(&progress.stop);
}

static void print_json(const struct options *o, const char *prompt, const struct model *m,
                       const struct generation *g, bool interrupted, double seconds)
{
    struct json *root = json_new_object(), *ids = json_new_array(), *path = json_new_array();
    CLEANUP(mem_cleanup) char *text = NULL;

    for (size_t i = 0; i < g->ids_len; i++)
        json_push(ids, json_new_integer(g->ids[i]));
    for (size_t l = 0; l < m->conf.layers; l++)
        json_push(path, json_new_integer(g->routing[l]));
    json_set(root, "model", json_new_text(o->model));
    json_set(root, "path", path);
    json_set(root, "prompt", json_new_text(prompt));
    json_set(root, "prompt_tokens", json_new_integer((int64_t)g->prompt_len));
    json_set(root, "text", json_new_text(buf_str(&g->text)));
    json_set(root, "tokens", json_new_integer((int64_t)g->ids_len));
    json_set(root, "ids", ids);
    json_set(root, "finish", json_new_text(interrupted ? "interrupted" : finish_name(g->finish)));
    json_set(root, "seconds", json_new_number(seconds));
    text = json_dump(root, 0);
    printf("%s\n", text);
    json_free(root);
}

/* The rest of the text, the line that ends it, and how fast it was. */
static int finish(const struct options *o, const char *prompt, const struct model *m,
                  const struct generation *g, size_t shown, uint64_t start, struct err *err)
{
    double seconds = (double)(clock_ns() - start) / 1e9;
    bool stopped = atomic_load(&progress.stop);

    if (o->json)
        print_json(o, prompt, m, g, stopped, seconds);
    else if (shown < g->text.len)
        (void)!fwrite(g->text.data + shown, 1, g->text.len - shown, stdout); /* fflush tells */
    /* A terminal wants its line ended; a pipe gets the text and nothing else. */
    if (!o->json && isatty(STDOUT_FILENO))
        putchar('\n');
    if (fflush(stdout) || ferror(stdout))
        return err_errno(err, errno, "write the text");
    fprintf(stderr, "%zu tokens in, %zu out (%s), %.1f per second (%s kernels)\n", g->prompt_len,
            g->ids_len, stopped ? "interrupted" : finish_name(g->finish),
            (double)g->ids_len / (seconds + 1e-9), m->kern->name);
    return 0;
}

static int generate(const struct options *o, const struct model *m, struct pool *pool,
                    struct err *err)
{
    CLEANUP(mem_cleanup) uint32_t *prompt = NULL;
    CLEANUP(buf_release) struct buf text = { 0 };
    uint8_t routing[MODEL_LAYERS_MAX];
    size_t shown = 0;
    struct generation g = { .routing = routing,
                            .max_new = (size_t)o->max_new,
                            .stop = o->stop,
                            .stops_len = o->stops_len,
                            .sampling = o->sampling,
                            .on_text = o->json ? NULL : print_text,
                            .arg = &shown };
    struct sweep *sweep;
    uint64_t start;
    int rc = parse_routing(o, m->conf.layers, routing, err);

    rc = rc ? rc : read_prompt(o, m, &text, &prompt, &g.prompt_len, err);
    if (rc)
        return rc;
    g.prompt = prompt;
    sweep = sweep_new(m, pool);
    if (!o->json && !o->chat)
        (void)!fwrite(text.data, 1, text.len, stdout); /* finish() tells */
    start = clock_ns();
    rc = generate_run(sweep, &g, 1, 1, &progress, err);
    if (!rc || rc == ERR_CANCELLED)
        rc = finish(o, buf_str(&text), m, &g, shown, start, err);
    generation_release(&g);
    sweep_free(sweep);
    return rc;
}

static size_t cpus(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (size_t)MIN(MAX(CPU_COUNT(&set), 1), (int)THREADS_MAX);
}

static int run(const struct options *o, struct err *err)
{
    size_t threads = o->threads ? (size_t)o->threads : cpus();
    struct pool *pool = threads > 1 ? pool_new(threads) : NULL;
    struct model_options open = {
        .tokenizer = o->tokenizer, .pre = o->pre, .pool = pool, .progress = &progress
    };
    struct model *m = NULL;
    int rc = sampling_check(&o->sampling, err);

    rc = rc ? rc : model_open_with(&m, o->model, &open, err);
    if (!rc && !m->tok)
        rc = err_set(err, ERR_INVALID, "%s has no tokenizer; name one with --tokenizer", o->model);
    rc = rc ? rc : generate(o, m, pool, err);
    model_free(m);
    pool_free(pool);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        option_table, parse_option, "[PROMPT]", doc, NULL, NULL, NULL
    };
    struct options o = { .max_new = 200, .sampling = { .top_p = 1.0 } };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    struct err err = { 0 };
    int rc;

    argp_err_exit_status = USAGE;
    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-generate", "continue a text with a model",
                                       DROVER_VERSION, "drover(1), drover-model(1)", &argp }))
        return EXIT_SUCCESS;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL); /* a second one ends the process at once */
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of writing */
    rc = run(&o, &err);
    if (atomic_load(&progress.stop) && (!rc || rc == ERR_CANCELLED))
        return INTERRUPTED;
    if (!rc)
        return EXIT_SUCCESS;
    fprintf(stderr, "drover-generate: %s\n", err.text);
    return FAILED;
}
