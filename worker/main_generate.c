/* SPDX-License-Identifier: Apache-2.0 */
/* drover-generate - continue a prompt with a model, along any path through its layers. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/model/sweep.h"
#include "worker/model/tokenizer.h"
#include "worker/search/search.h"

enum { FAILED = 1, USAGE = 2, THREADS_MAX = 256, NEW_MAX = 1 << 20 };

struct options {
    const char *model, *tokenizer, *prompt, *routing;
    long max_new, threads;
};

const char *argp_program_version = "drover-generate " DROVER_VERSION;

static const char doc[] =
    "Continue a prompt greedily with a Llama model.\v"
    "PATH is a Hugging Face folder (config.json + model.safetensors) or a llama2.c checkpoint "
    "(.bin; its "
    "tokenizer.bin is looked for beside it). A routing has one digit per layer: 0 skips the layer, "
    "1 executes "
    "it, 2 executes it twice; without one every layer is executed once. The text is the same for "
    "any number of "
    "threads and on every CPU.\n\n"
    "  drover-generate --model stories260K.bin --tokenizer tok512.bin --max-new 200\n"
    "  drover-generate --model stories260K.bin --tokenizer tok512.bin --prompt \"Lily\" --routing "
    "11021\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

static const struct argp_option option_table[] = {
    { "model", 'm', "PATH", 0, "model folder or checkpoint (required)", 0 },
    { "tokenizer", 't', "PATH", 0, "tokenizer.json or tokenizer.bin (default: the model's own)",
      0 },
    { "prompt", 'p', "TEXT", 0, "text to continue (default: empty)", 0 },
    { "max-new", 'n', "N", 0, "tokens to generate at most (default: 200)", 0 },
    { "routing", 'r', "DIGITS", 0, "0 skip, 1 execute, 2 repeat, one per layer (default: all 1)",
      0 },
    { "threads", 'j', "N", 0, "threads (default: 1)", 0 },
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

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'm':
        o->model = arg;
        return 0;
    case 't':
        o->tokenizer = arg;
        return 0;
    case 'p':
        o->prompt = arg;
        return 0;
    case 'r':
        o->routing = arg;
        return 0;
    case 'n':
        o->max_new = number(state, "max-new", arg, 1, NEW_MAX);
        return 0;
    case 'j':
        o->threads = number(state, "threads", arg, 1, THREADS_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option; a text to continue is given with --prompt", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->model)
            argp_error(state, "--model PATH is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct stream {
    const struct tokenizer *tok;
    uint32_t previous;
    size_t len;
    struct buf piece;
};

static int print_token(void *arg, uint32_t id)
{
    struct stream *s = arg;

    buf_clear(&s->piece);
    tokenizer_decode(s->tok, s->previous, id, &s->piece);
    s->previous = id;
    s->len++;
    if (s->piece.len && fwrite(s->piece.data, 1, s->piece.len, stdout) != s->piece.len)
        return 1;
    return fflush(stdout) != 0;
}

static int generate(const struct options *o, const struct model *m, const uint8_t *routing,
                    struct err *err)
{
    struct stream stream = { .tok = m->tok };
    CLEANUP(mem_cleanup) uint32_t *prompt = NULL;
    struct pool *pool;
    struct sweep *sweep;
    uint64_t start;
    size_t len;
    int rc = tokenizer_encode(m->tok, o->prompt, true, &prompt, &len, err);

    if (rc)
        return err_wrap(err, rc, "prompt");
    if (!len)
        return err_set(err, ERR_INVALID, "this model has no begin token; give a --prompt");
    if (len >= m->conf.positions)
        return err_set(err, ERR_LIMIT, "the prompt has %zu tokens; the model has %zu positions",
                       len, m->conf.positions);
    pool = o->threads > 1 ? pool_new((size_t)o->threads) : NULL;
    sweep = sweep_new(m, pool);
    stream.previous = prompt[len - 1];
    fputs(o->prompt, stdout);
    start = clock_ns();
    rc = generate_each(sweep, prompt, len, routing, (size_t)o->max_new, print_token, &stream, NULL,
                       err);
    /* A terminal wants its line ended; a pipe gets the text and nothing else. */
    if (!rc && ((isatty(STDOUT_FILENO) && putchar('\n') == EOF) || fflush(stdout)))
        rc = err_errno(err, errno, "write the text");
    if (!rc)
        fprintf(stderr, "%zu tokens, %.0f per second (%s kernels)\n", stream.len,
                (double)stream.len * 1e9 / (double)(clock_ns() - start + 1), m->kern->name);
    buf_release(&stream.piece);
    sweep_free(sweep);
    pool_free(pool);
    return rc;
}

static int run(const struct options *o, struct err *err)
{
    uint8_t routing[MODEL_LAYERS_MAX];
    struct model *m = NULL;
    int rc = model_open(&m, o->model, o->tokenizer, NULL, err);

    if (rc)
        return rc;
    memset(routing, ROUTING_EXECUTE, sizeof(routing));
    if (o->routing)
        rc = routing_parse(o->routing, m->conf.layers, routing, err);
    if (!rc && !m->tok)
        rc = err_set(err, ERR_INVALID, "%s has no tokenizer; name one with --tokenizer", o->model);
    if (!rc)
        rc = generate(o, m, routing, err);
    model_free(m);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct argp argp = { option_table, parse_option, NULL, doc, NULL, NULL, NULL };
    struct options o = { .prompt = "", .max_new = 200, .threads = 1 };
    struct err err = { 0 };

    argp_err_exit_status = USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!run(&o, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "drover-generate: %s\n", err.text);
    return FAILED;
}
