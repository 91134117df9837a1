/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_model.c - a model in a GGUF file: its keys become the configuration, its tensors views. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/checkpoint/gguf_state.h"
#include "worker/checkpoint/views.h"

struct reader {
    struct gguf *g;
    struct checkpoint *c;
    const char *arch; /* "llama" or "qwen2" */
    struct err *err;
};

/* "ARCH.NAME" into OUT. */
static const char *key_of(const struct reader *r, const char *name, char out[64])
{
    snprintf(out, 64, "%s.%s", r->arch, name);
    return out;
}

static int get_size(const struct reader *r, const char *name, size_t fallback, size_t *ret)
{
    char key[64];
    uint64_t v = 0;
    int rc = gguf_get_size(r->g, key_of(r, name, key), fallback, &v, r->err);

    *ret = (size_t)v;
    if (!rc && v == SIZE_MAX)
        rc = err_set(r->err, ERR_INVALID, "%s: key %s is missing", r->g->map.path, key);
    return rc;
}

static int get_float(const struct reader *r, const char *name, double fallback, float *ret)
{
    char key[64];
    double v = 0.0;
    int rc = gguf_get_number(r->g, key_of(r, name, key), fallback, &v, r->err);

    *ret = (float)v;
    return rc;
}

static int find_architecture(struct reader *r)
{
    static const char *const known[] = { "llama", "qwen2" };
    struct gguf_text name;
    int rc = gguf_get_text(r->g, "general.architecture", &name, r->err);

    for (size_t i = 0; i < ARRAY_LEN(known) && !rc; i++)
        if (gguf_text_is(name, known[i]))
            r->arch = known[i];
    if (rc || r->arch)
        return rc;
    return err_set(r->err, ERR_INVALID,
                   "%s: architecture '%.*s' is not supported; this version reads llama and qwen2",
                   r->g->map.path, (int)MIN(name.len, 64), name.text);
}

/* Keys that would change the model in a way that this version does not know. */
static int check_others(const struct reader *r)
{
    size_t experts = 0, split = 0, value = 0, rotary = 0;
    uint64_t parts = 0;
    const struct model_conf *c = &r->c->conf;
    int rc = get_size(r, "expert_count", 0, &experts);

    if (!rc)
        rc = gguf_get_size(r->g, "split.count", 0, &parts, r->err);
    split = (size_t)parts;
    if (!rc)
        rc = get_size(r, "attention.value_length", c->head_dim, &value);
    if (!rc)
        rc = get_size(r, "rope.dimension_count", c->head_dim, &rotary);
    if (rc)
        return rc;
    if (experts)
        return err_set(r->err, ERR_INVALID, "%s: %zu experts; mixtures are not supported",
                       r->g->map.path, experts);
    if (split > 1)
        return err_set(r->err, ERR_INVALID, "%s: one of %zu parts; join them first", r->g->map.path,
                       split);
    if (value != c->head_dim || rotary != c->head_dim)
        return err_set(
            r->err, ERR_INVALID,
            "%s: %s is %zu, but heads have %zu dimensions; this version needs them equal",
            r->g->map.path,
            value != c->head_dim ? "attention.value_length" : "rope.dimension_count",
            value != c->head_dim ? value : rotary, c->head_dim);
    return 0;
}

static int read_sizes(const struct reader *r)
{
    struct model_conf *c = &r->c->conf;
    int rc = get_size(r, "block_count", SIZE_MAX, &c->layers);

    if (!rc)
        rc = get_size(r, "embedding_length", SIZE_MAX, &c->dim);
    if (!rc)
        rc = get_size(r, "attention.head_count", SIZE_MAX, &c->heads);
    if (!rc)
        rc = get_size(r, "attention.head_count_kv", c->heads, &c->kv_heads);
    if (!rc)
        rc = get_size(r, "attention.key_length", c->heads ? c->dim / c->heads : 0, &c->head_dim);
    if (!rc)
        rc = get_size(r, "feed_forward_length", SIZE_MAX, &c->hidden);
    if (!rc)
        rc = get_size(r, "context_length", SIZE_MAX, &c->positions);
    if (!rc)
        rc = get_float(r, "attention.layer_norm_rms_epsilon", 0.0, &c->rms_eps);
    return rc ? rc : get_float(r, "rope.freq_base", 10000.0, &c->rope_theta);
}

static int wrong_tensor(const struct reader *r, const struct gguf_tensor *t, uint64_t rows,
                        uint64_t cols)
{
    return err_set(r->err, ERR_INVALID,
                   "%s: tensor %.*s has shape {%" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64
                   "}, but its keys ask for {%" PRIu64 ", %" PRIu64 "} (fastest first)",
                   r->g->map.path, (int)t->name.len, t->name.text, t->shape[0], t->shape[1],
                   t->shape[2], t->shape[3], cols, rows);
}

static int view_of(const struct reader *r, const struct gguf_tensor *t, size_t rows, size_t cols,
                   struct tensor_view *ret)
{
    int type = gguf_weight_type(t->type);
    char name[24];

    if (type < 0)
        return err_set(r->err, ERR_INVALID,
                       "%s: tensor %.*s has type %s; this version reads F32, F16 and BF16: convert "
                       "to F16",
                       r->g->map.path, (int)t->name.len, t->name.text,
                       gguf_type_name(t->type, name));
    if (t->shape[0] != cols || t->shape[1] != rows || t->shape[2] != 1 || t->shape[3] != 1)
        return wrong_tensor(r, t, rows, cols);
    *ret = (struct tensor_view){ r->g->map.data + t->begin, (enum weight_type)type, rows, cols };
    return 0;
}

/* rope_freqs.weight: what the frequencies are divided by. */
static int read_table(const struct reader *r, const struct gguf_tensor *t)
{
    struct rope_scaling *s = &r->c->conf.rope_scaling;
    struct tensor_view v;
    int rc;

    if (s->kind != ROPE_PLAIN)
        return err_set(r->err, ERR_INVALID, "%s: rope.scaling and rope_freqs.weight are both there",
                       r->g->map.path);
    if (r->c->conf.head_dim / 2 > ARRAY_LEN(s->table))
        return 0; /* model_conf_check refuses it */
    rc = view_of(r, t, 1, r->c->conf.head_dim / 2, &v);
    if (rc)
        return rc;
    s->kind = ROPE_TABLE;
    weight_widen(s->table, v.data, v.type, v.cols);
    return 0;
}

static int read_rope(const struct reader *r)
{
    const struct gguf_tensor *table = gguf_find_tensor(r->g, "rope_freqs.weight");
    struct rope_scaling *s = &r->c->conf.rope_scaling;
    struct gguf_text type;
    float factor = 0.0f;
    char key[64];
    int rc = gguf_get_text(r->g, key_of(r, "rope.scaling.type", key), &type, r->err);

    if (!rc)
        rc = get_float(r, "rope.scale_linear", 1.0, &factor); /* the key of old files */
    if (!rc)
        rc = get_float(r, "rope.scaling.factor", (double)factor, &factor);
    if (rc)
        return rc;
    if (gguf_text_is(type, "linear") || (!type.len && (factor < 1.0f || factor > 1.0f))) {
        s->kind = ROPE_LINEAR;
        s->factor = factor;
    } else if (type.len && !gguf_text_is(type, "none")) {
        return err_set(r->err, ERR_INVALID,
                       "%s: rope.scaling.type '%.*s' is not supported; this version reads none and "
                       "linear",
                       r->g->map.path, (int)MIN(type.len, 32), type.text);
    }
    return table ? read_table(r, table) : 0;
}

static int get_token(const struct reader *r, const char *key, uint32_t *ret)
{
    uint64_t id = 0;
    int rc = gguf_get_size(r->g, key, UINT32_MAX, &id, r->err);

    *ret = (uint32_t)id;
    if (!rc && id > UINT32_MAX)
        rc = err_set(r->err, ERR_INVALID, "%s: key %s is no token id", r->g->map.path, key);
    return rc;
}

static int read_tokens(const struct reader *r)
{
    static const char *const ends[] = { "tokenizer.ggml.eos_token_id",
                                        "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id" };
    struct model_conf *c = &r->c->conf;
    int rc = get_token(r, "tokenizer.ggml.bos_token_id", &c->bos);

    for (size_t i = 0; i < ARRAY_LEN(ends) && !rc; i++) {
        uint32_t id = UINT32_MAX;

        rc = get_token(r, ends[i], &id);
        if (!rc && id != UINT32_MAX && !model_conf_is_eos(c, id))
            c->eos[c->eos_len++] = id;
    }
    return rc;
}

/* What the tensors say: the vocabulary, a head of its own, biases. */
static int read_tensors(const struct reader *r)
{
    const struct gguf_tensor *embed = gguf_find_tensor(r->g, "token_embd.weight");
    struct model_conf *c = &r->c->conf;

    if (!embed)
        return err_set(r->err, ERR_INVALID, "%s: tensor token_embd.weight is missing",
                       r->g->map.path);
    c->vocab = (size_t)embed->shape[1];
    c->tied = !gguf_find_tensor(r->g, "output.weight");
    c->rope_interleaved = !strcmp(r->arch, "llama");
    c->qkv_bias = !c->rope_interleaved || gguf_find_tensor(r->g, "blk.0.attn_q.bias");
    c->o_bias = gguf_find_tensor(r->g, "blk.0.attn_output.bias");
    c->mlp_bias = gguf_find_tensor(r->g, "blk.0.ffn_gate.bias");
    return 0;
}

static int read_conf(struct reader *r)
{
    int rc = find_architecture(r);

    if (!rc)
        rc = read_sizes(r);
    if (!rc)
        rc = check_others(r);
    if (!rc)
        rc = read_tensors(r);
    if (!rc)
        rc = read_rope(r);
    if (!rc)
        rc = read_tokens(r);
    if (rc)
        return rc;
    rc = model_conf_check(&r->c->conf, r->err);
    return rc ? err_wrap(r->err, rc, "%s", r->g->map.path) : 0;
}

static int view_tensor(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    const struct reader *r = arg;
    const struct gguf_tensor *at = gguf_find_tensor(r->g, t->name);

    if (!at)
        return err_set(r->err, ERR_INVALID, "%s: tensor %s is missing", r->g->map.path, t->name);
    return view_of(r, at, t->rows, t->cols, checkpoint_view(r->c, kind, layer));
}

static int count(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    (void)t, (void)kind, (void)layer;
    ++*(size_t *)arg;
    return 0;
}

struct search {
    struct gguf_text name;
    bool found;
};

static int same_name(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    struct search *s = arg;

    (void)kind, (void)layer;
    s->found |= gguf_text_is(s->name, t->name);
    return s->found;
}

/* Each of the model's tensors is there, once; so any others show in the number. */
static int check_no_others(const struct reader *r)
{
    bool table = r->c->conf.rope_scaling.kind == ROPE_TABLE;
    size_t n = table;

    (void)model_walk(&r->c->conf, true, count, &n);
    for (size_t i = 0; i < r->g->tensors && r->g->tensors > n; i++) {
        struct search s = { .name = r->g->tensor[i].name };

        if (gguf_text_is(s.name, "rope_freqs.weight"))
            continue;
        (void)model_walk(&r->c->conf, true, same_name, &s);
        if (!s.found)
            return err_set(r->err, ERR_INVALID,
                           "%s: tensor %.*s has no place in a %s of %zu layers", r->g->map.path,
                           (int)s.name.len, s.name.text, r->arch, r->c->conf.layers);
    }
    return 0;
}

int gguf_open_model(struct checkpoint *c, const char *path, struct err *err)
{
    struct reader r = { .c = c, .err = err };
    int rc = gguf_open(&r.g, path, err);

    if (rc)
        return rc;
    c->format = "gguf";
    if (!r.g->tensors)
        rc = err_set(err, ERR_INVALID, "%s: has no tensors: a vocabulary only, no model", path);
    if (!rc)
        rc = read_conf(&r);
    if (!rc) {
        checkpoint_alloc_views(c);
        rc = model_walk(&c->conf, true, view_tensor, &r);
    }
    if (!rc)
        rc = check_no_others(&r);
    if (!rc)
        checkpoint_keep(c, &r.g->map);
    gguf_close(r.g);
    return rc;
}
