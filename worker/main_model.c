/* SPDX-License-Identifier: Apache-2.0 */
/* drover-model - what a checkpoint is (show), and whether it is whole (verify). */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/json.h"
#include "common/base/manual.h"
#include "common/base/mem.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/kernels/kernels.h"
#include "worker/manifest.h"
#include "worker/tokenizer/chat.h"
#include "worker/tokenizer/tokenizer.h"

enum { FAILED = 1, USAGE = 2, BLOCK = 1 << 20 /* elements looked at between two ticks */ };

struct options {
    const char *command, *path, *tokenizer;
    bool json;
};

const char *argp_program_version = "drover-model " DROVER_VERSION;

static const char doc[] =
    "Show what a model is, or verify every tensor of it.\v"
    "PATH is a Hugging Face folder (config.json and safetensors), a GGUF file, or a llama2.c "
    "checkpoint (.bin).\n\n"
    "show prints architecture, sizes, memory, tokenizer and the digest that is the model's "
    "identity in experiments. verify reads all: one line per tensor with type, shape and digest, "
    "and counts numbers that are not finite.\n\n"
    "Example:\n"
    "  drover model show Llama-3.2-1B\n"
    "  drover model verify model.gguf\n\n"
    "Exit status: 0 done (verify: the model is whole), 1 failed or a problem was found, 2 wrong "
    "usage.";

static const struct argp_option option_table[] = {
    { "tokenizer", 't', "PATH", 0, "tokenizer folder or file (default: the model's own)", 0 },
    { "json", 'J', NULL, 0, "print one JSON object", 0 },
    { 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 't':
        o->tokenizer = arg;
        return 0;
    case 'J':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!o->command)
            o->command = arg;
        else if (!o->path)
            o->path = arg;
        else
            argp_error(state, "one model at a time, not '%s' too", arg);
        return 0;
    case ARGP_KEY_END:
        if (!o->command || (strcmp(o->command, "show") && strcmp(o->command, "verify")))
            argp_error(state, "say what to do: show PATH, or verify PATH");
        if (!o->path)
            argp_error(state, "which model? %s PATH", o->command);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A line on a terminal while something takes long. */
struct watch {
    pthread_t thread;
    const char *what;
    atomic_bool over;
    bool running;
};

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    uint64_t start = clock_ms();
    bool shown = false;

    while (!atomic_load(&w->over)) {
        clock_sleep_ms(50);
        if (clock_ms() - start < 1000)
            continue;
        fprintf(stderr, "\r%s ... %" PRIu64 " s", w->what, (clock_ms() - start) / 1000);
        shown = true;
    }
    if (shown)
        fputs("\r\033[K", stderr);
    return NULL;
}

static void watch_begin(struct watch *w, const char *what)
{
    *w = (struct watch){ .what = what };
    w->running = isatty(STDERR_FILENO) && !pthread_create(&w->thread, NULL, watch_main, w);
}

static void watch_end(struct watch *w)
{
    atomic_store(&w->over, true);
    if (w->running)
        pthread_join(w->thread, NULL);
}

/* What both commands have found. */
struct found {
    struct checkpoint *files;
    struct tokenizer *tok;
    uint64_t type_tensors[WEIGHT_TYPES], memory_bytes, file_bytes;
    struct digest digest;
};

/* Packed, a matrix is widened to whole panels; norms and biases become floats. */
static int count_tensor(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    struct found *f = arg;
    size_t rows = (v->rows + KERNELS_PANEL - 1) / KERNELS_PANEL * KERNELS_PANEL;
    bool embed = v->data == f->files->embed[0].data;

    f->type_tensors[v->type]++;
    if (t->vector)
        f->memory_bytes += v->cols * sizeof(float);
    else if (!embed || f->files->conf.tied) /* else it stays in the file */
        f->memory_bytes += (uint64_t)rows * v->cols * weight_type_bytes(v->type);
    return 0;
}

/* The model's identity: the digest of its manifest, as in plans: a file alone is called model.bin.
 */
static int identify(const struct options *o, struct found *f, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    struct manifest m = { 0 };
    char hex[DIGEST_HEX];
    struct stat st;
    int rc;

    if (stat(o->path, &st) < 0)
        return err_errno(err, errno, "open %s", o->path);
    if (S_ISDIR(st.st_mode)) {
        rc = manifest_of_folder(&m, o->path, NULL, err);
        for (size_t i = 0; i < m.len && !rc; i++)
            f->file_bytes += m.file[i].size_bytes;
        if (!rc)
            manifest_print(&m, &text);
        manifest_release(&m);
    } else {
        rc = digest_file(o->path, &f->digest, &f->file_bytes, err);
        buf_printf(&text, "model.bin %" PRIu64 " %s\n", f->file_bytes, digest_hex(&f->digest, hex));
    }
    if (!rc)
        f->digest = digest_of(text.data, text.len);
    return rc;
}

static int open_all(const struct options *o, struct found *f, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    const char *tokenizer = o->tokenizer;
    int rc = checkpoint_open(&f->files, o->path, err);

    if (!rc && !tokenizer) {
        rc = checkpoint_tokenizer(o->path, &path, err);
        tokenizer = path.len ? buf_str(&path) : NULL;
    }
    if (!rc && tokenizer)
        rc = tokenizer_open(&f->tok, tokenizer, f->files->conf.vocab, NULL, err);
    if (!rc)
        (void)checkpoint_each(f->files, count_tensor, f);
    return rc;
}

static const char *scaling_text(const struct rope_scaling *s, char out[128])
{
    switch (s->kind) {
    case ROPE_PLAIN:
        return "none";
    case ROPE_LINEAR:
        snprintf(out, 128, "linear, factor %g", (double)s->factor);
        return out;
    case ROPE_LLAMA3:
        snprintf(out, 128, "llama3, factor %g, frequencies %g to %g, from %zu positions",
                 (double)s->factor, (double)s->low_freq, (double)s->high_freq, s->original);
        return out;
    case ROPE_TABLE:
        return "a table of the file";
    }
    return "unknown";
}

/* "q, k, v" ...; "none". */
static const char *bias_text(const struct model_conf *c, char out[128])
{
    if (!c->qkv_bias && !c->o_bias && !c->mlp_bias)
        return "none";
    snprintf(out, 128, "%s%s%s", c->qkv_bias ? "q k v " : "", c->o_bias ? "o " : "",
             c->mlp_bias ? "mlp" : "");
    if (out[strlen(out) - 1] == ' ')
        out[strlen(out) - 1] = 0;
    return out;
}

static const char *type_text(const struct found *f, char out[128])
{
    size_t n = 0;

    out[0] = 0;
    for (int t = 0; t < WEIGHT_TYPES; t++)
        if (f->type_tensors[t])
            n += (size_t)snprintf(out + n, 128 - n, "%s%s (%" PRIu64 " tensors)", n ? ", " : "",
                                  weight_type_name((enum weight_type)t), f->type_tensors[t]);
    return out;
}

static void print_id(const struct tokenizer *tok, const char *name, uint32_t id)
{
    CLEANUP(buf_release) struct buf text = { 0 };

    if (id == UINT32_MAX) {
        printf("%-12s none\n", name);
        return;
    }
    if (tok && id < tokenizer_vocab(tok))
        tokenizer_decode(tok, &id, 1, true, &text);
    printf("%-12s %" PRIu32 "  %s\n", name, id, buf_str(&text));
}

static void show_text(const struct options *o, const struct found *f)
{
    const struct model_conf *c = &f->files->conf;
    char text[128], hex[DIGEST_HEX];

    printf("%-12s %s (%s)\n", "model", o->path, f->files->format);
    printf("%-12s %zu\n%-12s %zu\n%-12s %zu of %zu, %zu for keys and values\n", "layers", c->layers,
           "width", c->dim, "heads", c->heads, c->head_dim, c->kv_heads);
    printf("%-12s %zu\n%-12s %zu%s\n%-12s %zu\n", "hidden", c->hidden, "vocabulary", c->vocab,
           c->tied ? ", head tied to the embedding" : "", "positions", c->positions);
    printf("%-12s theta %g, scaling: %s\n", "rotary", (double)c->rope_theta,
           scaling_text(&c->rope_scaling, text));
    printf("%-12s %s\n", "biases", bias_text(c, text));
    printf("%-12s %g\n", "norm eps", (double)c->rms_eps);
    print_id(f->tok, "begins", c->bos);
    for (size_t i = 0; i < c->eos_len; i++)
        print_id(f->tok, i ? "or" : "ends", c->eos[i]);
    printf("%-12s %" PRIu64 " (%.4g million)\n", "parameters", f->files->parameters,
           (double)f->files->parameters / 1e6);
    printf("%-12s %s\n", "types", type_text(f, text));
    printf("%-12s %.1f MiB of files, %.1f MiB in memory\n", "size",
           (double)f->file_bytes / 1048576.0, (double)f->memory_bytes / 1048576.0);
    if (f->tok)
        printf("%-12s %s, %zu tokens, chat: %s\n", "tokenizer", tokenizer_kind(f->tok),
               tokenizer_vocab(f->tok), chat_family_name(chat_family_of(f->tok)));
    else
        printf("%-12s none found; name one with --tokenizer\n", "tokenizer");
    printf("%-12s %s\n", "digest", digest_hex(&f->digest, hex));
}

static void set_size(struct json *o, const char *key, uint64_t v)
{
    json_set(o, key, json_new_integer((int64_t)v));
}

static void print_and_free(struct json *root)
{
    char *text = json_dump(root, 0);

    printf("%s\n", text);
    free(text);
    json_free(root);
}

static struct json *tokenizer_json(const struct tokenizer *tok)
{
    struct json *t;

    if (!tok)
        return json_new_null();
    t = json_new_object();
    json_set(t, "kind", json_new_text(tokenizer_kind(tok)));
    set_size(t, "vocab", tokenizer_vocab(tok));
    json_set(t, "chat", json_new_text(chat_family_name(chat_family_of(tok))));
    return t;
}

static void show_json(const struct options *o, const struct found *f)
{
    const struct model_conf *c = &f->files->conf;
    struct json *root = json_new_object(), *types = json_new_object(), *eos = json_new_array();
    const struct {
        const char *key;
        uint64_t v;
    } sizes[] = {
        { "layers", c->layers },
        { "dim", c->dim },
        { "heads", c->heads },
        { "kv_heads", c->kv_heads },
        { "head_dim", c->head_dim },
        { "hidden", c->hidden },
        { "vocab", c->vocab },
        { "positions", c->positions },
        { "tensors", f->files->tensors },
        { "parameters", f->files->parameters },
        { "file_bytes", f->file_bytes },
        { "memory_bytes", f->memory_bytes },
    };
    char text[128], hex[DIGEST_HEX];

    json_set(root, "path", json_new_text(o->path));
    json_set(root, "format", json_new_text(f->files->format));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        set_size(root, sizes[i].key, sizes[i].v);
    json_set(root, "tied", json_new_bool(c->tied));
    json_set(root, "rope_theta", json_new_number((double)c->rope_theta));
    json_set(root, "rope_scaling", json_new_text(scaling_text(&c->rope_scaling, text)));
    json_set(root, "biases", json_new_text(bias_text(c, text)));
    json_set(root, "rms_eps", json_new_number((double)c->rms_eps));
    json_set(root, "bos", c->bos == UINT32_MAX ? json_new_null() : json_new_integer(c->bos));
    for (size_t i = 0; i < c->eos_len; i++)
        json_push(eos, json_new_integer(c->eos[i]));
    json_set(root, "eos", eos);
    for (int t = 0; t < WEIGHT_TYPES; t++)
        if (f->type_tensors[t])
            set_size(types, weight_type_name((enum weight_type)t), f->type_tensors[t]);
    json_set(root, "types", types);
    json_set(root, "tokenizer", tokenizer_json(f->tok));
    json_set(root, "digest", json_new_text(digest_hex(&f->digest, hex)));
    print_and_free(root);
}

/* Elements of V that are NaN or infinite: their exponent is all ones. */
static uint64_t count_bad(const void *data, enum weight_type type, size_t n)
{
    uint32_t mask = type == WEIGHT_F16 ? 0x7c00u : 0x7f80u;
    const unsigned char *p = data;
    uint64_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        if (type == WEIGHT_F32) { /* its upper half is laid out as a BF16 */
            uint32_t top = (uint32_t)p[4 * i + 2] | (uint32_t)p[4 * i + 3] << 8;

            bad += (top & 0x7f80u) == 0x7f80u;
        } else {
            uint32_t x = (uint32_t)p[2 * i] | (uint32_t)p[2 * i + 1] << 8;

            bad += (x & mask) == mask;
        }
    }
    return bad;
}

struct verify {
    const struct options *o;
    const struct checkpoint *files;
    struct json *list;
    uint64_t bad_tensors, bad_elements, tensors;
};

static int verify_tensor(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    struct verify *w = arg;
    size_t elements = v->rows * v->cols, bytes = elements * weight_type_bytes(v->type);
    struct digest digest = digest_of(v->data, bytes);
    uint64_t bad = count_bad(v->data, v->type, elements);
    char hex[DIGEST_HEX];

    checkpoint_drop(w->files, v);
    w->tensors++;
    w->bad_tensors += bad > 0;
    w->bad_elements += bad;
    if (w->o->json) {
        struct json *j = json_new_object(), *shape = json_new_array();

        if (!t->vector)
            json_push(shape, json_new_integer((int64_t)v->rows));
        json_push(shape, json_new_integer((int64_t)v->cols));
        json_set(j, "name", json_new_text(t->name));
        json_set(j, "type", json_new_text(weight_type_name(v->type)));
        json_set(j, "shape", shape);
        json_set(j, "digest", json_new_text(digest_hex(&digest, hex)));
        set_size(j, "not_finite", bad);
        json_push(w->list, j);
        return 0;
    }
    printf("%-52s %-4s ", t->name, weight_type_name(v->type));
    printf(t->vector ? "[%zu]" : "[%zu, %zu]", t->vector ? v->cols : v->rows, v->cols);
    printf(" %s", digest_hex(&digest, hex));
    if (bad)
        printf("  %" PRIu64 " NOT FINITE", bad);
    putchar('\n');
    return 0;
}

static int verify(const struct options *o, const struct found *f, struct err *err)
{
    struct verify w = { .o = o, .files = f->files, .list = json_new_array() };
    struct json *root = json_new_object();

    (void)checkpoint_each(f->files, verify_tensor, &w);
    json_set(root, "path", json_new_text(o->path));
    json_set(root, "tensors", w.list);
    set_size(root, "not_finite", w.bad_elements);
    json_set(root, "tokenizer", tokenizer_json(f->tok));
    json_set(root, "ok", json_new_bool(!w.bad_tensors));
    if (o->json) {
        print_and_free(root);
    } else {
        json_free(root);
        printf("%" PRIu64 " tensors, %" PRIu64 " parameters: %s\n", w.tensors, f->files->parameters,
               w.bad_tensors ? "NOT whole" : "shapes right, all finite");
    }
    if (!w.bad_tensors)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "%s: %" PRIu64 " numbers in %" PRIu64 " tensors are not finite: fetch the files "
                   "again",
                   o->path, w.bad_elements, w.bad_tensors);
}

static int run(const struct options *o, struct err *err)
{
    struct found f = { 0 };
    struct watch watch;
    int rc = open_all(o, &f, err);

    watch_begin(&watch, !strcmp(o->command, "show") ? "hashing the files" : "reading all tensors");
    if (!rc && !strcmp(o->command, "show")) {
        rc = identify(o, &f, err);
        watch_end(&watch);
        if (!rc && o->json)
            show_json(o, &f);
        else if (!rc)
            show_text(o, &f);
    } else {
        rc = rc ? rc : verify(o, &f, err);
        watch_end(&watch);
    }
    if (!rc && fflush(stdout))
        rc = err_errno(err, errno, "write");
    tokenizer_free(f.tok);
    checkpoint_close(f.files);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct argp argp = { option_table, parse_option, "show|verify PATH", doc, NULL,
                                      NULL,         NULL };
    struct options o = { 0 };
    struct err err = { 0 };

    argp_err_exit_status = USAGE;
    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-model", "show or verify a model's files",
                                       DROVER_VERSION, "drover(1), drover-generate(1)", &argp }))
        return EXIT_SUCCESS;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (!run(&o, &err))
        return EXIT_SUCCESS;
    fprintf(stderr, "drover-model: %s\n", err.text);
    return FAILED;
}
