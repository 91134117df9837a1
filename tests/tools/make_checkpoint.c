/* SPDX-License-Identifier: Apache-2.0 */
/* make_checkpoint.c - drover-make-checkpoint: a model of any shape with random weights. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tools/maker.h"

static const char usage[] =
    "usage: drover-make-checkpoint --out PATH [options]\n"
    "Writes a model with random weights; the same seed gives the same weights in every format.\n"
    "  --preset NAME       llama-3.2-1b, llama-3.2-3b, qwen2.5-0.5b; options behind it change it\n"
    "  --format NAME       hf, hf-sharded (folders), gguf, llama2c-v0, llama2c-v1 (files)\n"
    "  --arch NAME         llama, qwen2\n"
    "  --dtype NAME        f32, f16, bf16\n"
    "  --layers N --dim N --heads N --kv-heads N --head-dim N --hidden N --vocab N --positions N\n"
    "  --tied --attention-bias --mlp-bias\n"
    "  --rms-eps X --rope-theta X\n"
    "  --rope-scaling NAME linear, llama3, none; --rope-factor X --rope-original N\n"
    "  --bos N --eos N[,N...] (none: 'none')\n"
    "  --seed N\n";

static const struct model_conf small = {
    .layers = 2,
    .dim = 64,
    .heads = 4,
    .kv_heads = 4,
    .head_dim = 16,
    .hidden = 128,
    .vocab = 256,
    .positions = 128,
    .rms_eps = 1e-5f,
    .rope_theta = 10000.0f,
    .bos = 1,
    .eos = { 2 },
    .eos_len = 1,
};

#define LLAMA_3_2                                                                                  \
    .kv_heads = 8, .hidden = 8192, .vocab = 128256, .positions = 131072, .rms_eps = 1e-5f,         \
    .rope_theta = 500000.0f, .tied = true, .bos = 128000, .eos = { 128001, 128008, 128009 },       \
    .eos_len = 3,                                                                                  \
    .rope_scaling = { .kind = ROPE_LLAMA3,                                                         \
                      .factor = 32.0f,                                                             \
                      .low_freq = 1.0f,                                                            \
                      .high_freq = 4.0f,                                                           \
                      .original = 8192 }

static const struct {
    const char *name;
    struct model_conf conf;
} presets[] = {
    { "llama-3.2-1b", { .layers = 16, .dim = 2048, .heads = 32, .head_dim = 64, LLAMA_3_2 } },
    { "llama-3.2-3b", { .layers = 28, .dim = 3072, .heads = 24, .head_dim = 128, LLAMA_3_2 } },
    { "qwen2.5-0.5b",
      { .layers = 24,
        .dim = 896,
        .heads = 14,
        .kv_heads = 2,
        .head_dim = 64,
        .hidden = 4864,
        .vocab = 151936,
        .positions = 32768,
        .rms_eps = 1e-6f,
        .rope_theta = 1e6f,
        .tied = true,
        .qkv_bias = true,
        .bos = 151643,
        .eos = { 151645, 151643 },
        .eos_len = 2 } },
};

enum option_id {
    OUT = 1,
    PRESET,
    FORMAT,
    ARCH,
    DTYPE,
    LAYERS,
    DIM,
    HEADS,
    KV_HEADS,
    HEAD_DIM,
    HIDDEN,
    VOCAB,
    POSITIONS,
    TIED,
    ATTENTION_BIAS,
    MLP_BIAS,
    RMS_EPS,
    ROPE_THETA,
    ROPE_SCALING,
    ROPE_FACTOR,
    ROPE_ORIGINAL,
    BOS,
    EOS,
    SEED,
};

static const struct option options[] = {
    { "out", 1, NULL, OUT },
    { "preset", 1, NULL, PRESET },
    { "format", 1, NULL, FORMAT },
    { "arch", 1, NULL, ARCH },
    { "dtype", 1, NULL, DTYPE },
    { "layers", 1, NULL, LAYERS },
    { "dim", 1, NULL, DIM },
    { "heads", 1, NULL, HEADS },
    { "kv-heads", 1, NULL, KV_HEADS },
    { "head-dim", 1, NULL, HEAD_DIM },
    { "hidden", 1, NULL, HIDDEN },
    { "vocab", 1, NULL, VOCAB },
    { "positions", 1, NULL, POSITIONS },
    { "tied", 0, NULL, TIED },
    { "attention-bias", 0, NULL, ATTENTION_BIAS },
    { "mlp-bias", 0, NULL, MLP_BIAS },
    { "rms-eps", 1, NULL, RMS_EPS },
    { "rope-theta", 1, NULL, ROPE_THETA },
    { "rope-scaling", 1, NULL, ROPE_SCALING },
    { "rope-factor", 1, NULL, ROPE_FACTOR },
    { "rope-original", 1, NULL, ROPE_ORIGINAL },
    { "bos", 1, NULL, BOS },
    { "eos", 1, NULL, EOS },
    { "seed", 1, NULL, SEED },
    { NULL, 0, NULL, 0 },
};

/* What the command line says; the sizes that follow from others are set at the end. */
struct request {
    struct maker m;
    const char *out;
    bool kv_heads_said, head_dim_said;
};

static bool number(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *text != '-';
}

static bool size(const char *text, size_t *ret)
{
    uint64_t v = 0;
    bool fine = number(text, &v);

    *ret = (size_t)v;
    return fine;
}

static bool real(const char *text, float *ret)
{
    char *end;

    *ret = strtof(text, &end);
    return end != text && !*end;
}

/* The index of TEXT in the N names. */
static bool choice(const char *text, const char *const *names, size_t n, size_t *ret)
{
    for (*ret = 0; *ret < n; ++*ret)
        if (!strcmp(text, names[*ret]))
            return true;
    return false;
}

static bool tokens(const char *text, uint32_t *ret, size_t max, size_t *ret_len)
{
    *ret_len = 0;
    if (!strcmp(text, "none"))
        return true;
    for (;;) {
        char *end;
        unsigned long id = strtoul(text, &end, 10);

        if (end == text || id >= UINT32_MAX || *ret_len == max || (*end && *end != ','))
            return false;
        ret[(*ret_len)++] = (uint32_t)id;
        if (!*end)
            return true;
        text = end + 1;
    }
}

static bool preset(const char *name, struct request *r)
{
    for (size_t i = 0; i < ARRAY_LEN(presets); i++)
        if (!strcmp(name, presets[i].name)) {
            r->m.conf = presets[i].conf;
            r->m.dtype = WEIGHT_BF16;
            r->kv_heads_said = r->head_dim_said = true;
            return true;
        }
    return false;
}

static bool rope(const char *name, struct rope_scaling *s)
{
    static const char *const names[] = { "none", "linear", "llama3" };
    size_t kind;

    if (!choice(name, names, 3, &kind))
        return false;
    *s = (struct rope_scaling){ .kind = (enum rope_scaling_kind)kind };
    if (kind)
        s->factor = kind == ROPE_LINEAR ? 4.0f : 8.0f;
    if (kind == ROPE_LLAMA3) {
        s->low_freq = 1.0f;
        s->high_freq = 4.0f;
        s->original = 8192;
    }
    return true;
}

static bool named(enum option_id id, const char *v, struct request *r)
{
    static const char *const formats[] = { "hf", "hf-sharded", "gguf", "llama2c-v0", "llama2c-v1" };
    static const char *const archs[] = { "llama", "qwen2" };
    static const char *const dtypes[] = { "f32", "f16", "bf16" };
    struct model_conf *c = &r->m.conf;
    size_t which = 0;
    bool fine;

    if (id == FORMAT) {
        fine = choice(v, formats, 5, &which);
        r->m.format = (enum maker_format)which;
    } else if (id == ARCH) {
        fine = choice(v, archs, 2, &which);
        c->qkv_bias = which == 1;
        c->o_bias = false;
    } else {
        fine = choice(v, dtypes, 3, &which);
        r->m.dtype = (enum weight_type)which;
    }
    return fine;
}

static bool sized(enum option_id id, const char *v, struct request *r)
{
    struct model_conf *c = &r->m.conf;
    size_t *const field[] = { &c->layers,   &c->dim,    &c->heads, &c->kv_heads,
                              &c->head_dim, &c->hidden, &c->vocab, &c->positions };

    r->kv_heads_said |= id == KV_HEADS;
    r->head_dim_said |= id == HEAD_DIM;
    return size(v, field[id - LAYERS]);
}

static bool apply(enum option_id id, const char *v, struct request *r)
{
    struct model_conf *c = &r->m.conf;
    size_t n = 1;

    if (id >= LAYERS && id <= POSITIONS)
        return sized(id, v, r);
    if (id == FORMAT || id == ARCH || id == DTYPE)
        return named(id, v, r);
    c->tied |= id == TIED;
    c->qkv_bias |= id == ATTENTION_BIAS;
    c->o_bias |= id == ATTENTION_BIAS;
    c->mlp_bias |= id == MLP_BIAS;
    if (id == OUT)
        r->out = v;
    if (id == BOS) {
        c->bos = UINT32_MAX;
        return tokens(v, &c->bos, 1, &n);
    }
    return (id != PRESET || preset(v, r)) && (id != RMS_EPS || real(v, &c->rms_eps)) &&
           (id != ROPE_THETA || real(v, &c->rope_theta)) &&
           (id != ROPE_SCALING || rope(v, &c->rope_scaling)) &&
           (id != ROPE_FACTOR || real(v, &c->rope_scaling.factor)) &&
           (id != ROPE_ORIGINAL || size(v, &c->rope_scaling.original)) &&
           (id != EOS || tokens(v, c->eos, MODEL_EOS_MAX, &c->eos_len)) &&
           (id != SEED || number(v, &r->m.seed));
}

int main(int argc, char **argv)
{
    struct request r = { .m = { .conf = small, .seed = 1 } };
    struct err err = { 0 };
    int id, at = 0;

    while ((id = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (id == '?' || !apply((enum option_id)id, optarg, &r)) {
            if (id != '?')
                fprintf(stderr, "drover-make-checkpoint: --%s: bad value '%s'\n", options[at].name,
                        optarg);
            fputs(usage, stderr);
            return 2;
        }
    }
    if (!r.out || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (!r.kv_heads_said)
        r.m.conf.kv_heads = r.m.conf.heads;
    if (!r.head_dim_said && r.m.conf.heads)
        r.m.conf.head_dim = r.m.conf.dim / r.m.conf.heads;
    if (maker_write(&r.m, r.out, &err)) {
        fprintf(stderr, "drover-make-checkpoint: %s\n", err.text);
        return 1;
    }
    return 0;
}
