/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/maker.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "tests/tools/sink.h"
#include "worker/checkpoint/views.h"

/* All tensors of the model, with both names. */
struct item {
    struct model_tensor t;
    char gguf[96];
    size_t shard;
    uint64_t at; /* from the start of the data */
};
struct plan {
    const struct maker *m;
    struct item *item;
    size_t len;
    bool gguf;
};

static int collect(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    struct plan *p = arg;

    (void)kind, (void)layer;
    if (p->gguf) {
        memcpy(p->item[p->len++].gguf, t->name, sizeof(t->name));
        return 0;
    }
    p->item = mem_realloc(p->item, p->len + 1, sizeof(*p->item));
    p->item[p->len++] = (struct item){ .t = *t };
    return 0;
}

static void plan_make(struct plan *p, const struct maker *m)
{
    *p = (struct plan){ .m = m };
    (void)model_walk(&m->conf, false, collect, p);
    p->gguf = true;
    p->len = 0;
    (void)model_walk(&m->conf, true, collect, p);
}

static bool is_turned(const char *name)
{
    return strstr(name, ".q_proj.") || strstr(name, ".k_proj.");
}

static uint64_t bytes_of(const struct item *i, enum weight_type type)
{
    return (uint64_t)i->t.rows * i->t.cols * weight_type_bytes(type);
}

static int write_text(const char *dir, const char *name, const struct buf *text, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };

    buf_printf(&path, "%s/%s", dir, name);
    return buf_write_file(buf_str(&path), text->data, text->len, err);
}

/* Tensors of SHARD, in table order. */
static int write_safetensors(const struct plan *p, const char *path, size_t shard, struct err *err)
{
    CLEANUP(buf_release) struct buf header = { 0 };
    enum weight_type type = p->m->dtype;
    uint64_t at = 0;
    struct sink s;
    int rc = sink_open(&s, path, p->m, err);

    if (rc)
        return rc;
    buf_adds(&header, "{\"__metadata__\": {\"format\": \"pt\"}");
    for (size_t i = 0; i < p->len; i++) {
        const struct item *item = &p->item[i];

        if (item->shard != shard)
            continue;
        buf_printf(&header, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [", item->t.name,
                   weight_type_name(type));
        if (!item->t.vector)
            buf_printf(&header, "%zu, ", item->t.rows);
        buf_printf(&header, "%zu], \"data_offsets\": [%zu, %zu]}", item->t.cols, (size_t)at,
                   (size_t)(at + bytes_of(item, type)));
        at += bytes_of(item, type);
    }
    buf_adds(&header, "}");
    sink_number(&s, header.len, 8);
    sink_bytes(&s, header.data, header.len);
    for (size_t i = 0; i < p->len; i++)
        if (p->item[i].shard == shard)
            sink_tensor(&s, p->item[i].t.name, p->item[i].t.rows, p->item[i].t.cols, type, false);
    return sink_close(&s, 0, err);
}

enum { SHARDS = 3 };

static int write_shards(struct plan *p, const char *dir, struct err *err)
{
    CLEANUP(buf_release) struct buf index = { 0 };
    uint64_t total = 0, at = 0;
    int rc = 0;

    for (size_t i = 0; i < p->len; i++)
        total += bytes_of(&p->item[i], p->m->dtype);
    buf_printf(&index, "{\"metadata\": {\"total_size\": %zu}, \"weight_map\": {", (size_t)total);
    for (size_t i = 0; i < p->len; i++) {
        p->item[i].shard = (size_t)(at * SHARDS / total);
        at += bytes_of(&p->item[i], p->m->dtype);
        buf_printf(&index, "%s\"%s\": \"model-%05zu-of-%05d.safetensors\"", i ? ", " : "",
                   p->item[i].t.name, p->item[i].shard + 1, SHARDS);
    }
    buf_adds(&index, "}}");
    for (size_t shard = 0; shard < SHARDS && !rc; shard++) {
        CLEANUP(buf_release) struct buf path = { 0 };

        buf_printf(&path, "%s/model-%05zu-of-%05d.safetensors", dir, shard + 1, SHARDS);
        rc = write_safetensors(p, buf_str(&path), shard, err);
    }
    return rc ? rc : write_text(dir, "model.safetensors.index.json", &index, err);
}

static int write_hf(struct plan *p, const char *dir, struct err *err)
{
    static const char *const names[] = { "float32", "float16", "bfloat16" };
    CLEANUP(buf_release) struct buf config = { 0 }, text = { 0 }, path = { 0 };
    const char *dtype;
    int rc;

    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make folder %s", dir);
    hf_config_print(&p->m->conf, &config);
    dtype = strstr(buf_str(&config), "\"float32\"");
    buf_add(&text, config.data, (size_t)(dtype - config.data));
    buf_printf(&text, "\"%s\"%s", names[p->m->dtype], dtype + strlen("\"float32\""));
    rc = write_text(dir, "config.json", &text, err);
    if (rc)
        return rc;
    if (p->m->format == MAKER_SHARDED)
        return write_shards(p, dir, err);
    buf_printf(&path, "%s/model.safetensors", dir);
    return write_safetensors(p, buf_str(&path), 0, err);
}

/* GGUF: keys are counted while they are written twice, the first time into nothing. */
struct keys {
    struct sink *s;
    const char *arch;
    uint64_t n;
};

static void gguf_text(struct sink *s, const char *text)
{
    sink_number(s, strlen(text), 8);
    sink_bytes(s, text, strlen(text));
}

static void key(struct keys *k, const char *name, unsigned type)
{
    CLEANUP(buf_release) struct buf full = { 0 };

    buf_printf(&full, "%s%s%s", strchr(name, '!') ? "" : k->arch, strchr(name, '!') ? "" : ".",
               name + (name[0] == '!'));
    gguf_text(k->s, buf_str(&full));
    sink_number(k->s, type, 4);
    k->n++;
}

static void key_u32(struct keys *k, const char *name, uint64_t v)
{
    key(k, name, 4);
    sink_number(k->s, v, 4);
}

static void key_f32(struct keys *k, const char *name, float v)
{
    key(k, name, 6);
    sink_bytes(k->s, &v, 4);
}

static void key_text(struct keys *k, const char *name, const char *v)
{
    key(k, name, 8);
    gguf_text(k->s, v);
}

/* A "!" in front: the key has no architecture in its name. */
static void gguf_keys(struct keys *k, const struct model_conf *c)
{
    key_text(k, "!general.architecture", k->arch);
    key_text(k, "!general.name", "made by drover-make-checkpoint");
    key_u32(k, "block_count", c->layers);
    key_u32(k, "context_length", c->positions);
    key_u32(k, "embedding_length", c->dim);
    key_u32(k, "feed_forward_length", c->hidden);
    key_u32(k, "attention.head_count", c->heads);
    key_u32(k, "attention.head_count_kv", c->kv_heads);
    key_u32(k, "attention.key_length", c->head_dim);
    key_u32(k, "attention.value_length", c->head_dim);
    key_u32(k, "rope.dimension_count", c->head_dim);
    key_f32(k, "attention.layer_norm_rms_epsilon", c->rms_eps);
    key_f32(k, "rope.freq_base", c->rope_theta);
    if (c->rope_scaling.kind == ROPE_LINEAR) {
        key_text(k, "rope.scaling.type", "linear");
        key_f32(k, "rope.scaling.factor", c->rope_scaling.factor);
    }
    if (c->bos != UINT32_MAX)
        key_u32(k, "!tokenizer.ggml.bos_token_id", c->bos);
    if (c->eos_len)
        key_u32(k, "!tokenizer.ggml.eos_token_id", c->eos[0]);
    if (c->eos_len > 1)
        key_u32(k, "!tokenizer.ggml.eot_token_id", c->eos[1]);
}

/* What llama3's rule divides frequency I by. */
static float llama3_divisor(const struct model_conf *c, size_t i)
{
    const struct rope_scaling *s = &c->rope_scaling;
    double f = pow((double)c->rope_theta, -2.0 * (double)i / (double)c->head_dim);
    double wave = 2.0 * 3.14159265358979323846 / f, mixed;

    if (wave > (double)s->original / (double)s->low_freq)
        return s->factor;
    if (wave < (double)s->original / (double)s->high_freq)
        return 1.0f;
    mixed = ((double)s->original / wave - (double)s->low_freq) /
            ((double)s->high_freq - (double)s->low_freq);
    return (float)(1.0 / ((1.0 - mixed) / (double)s->factor + mixed));
}

static uint64_t aligned(uint64_t at)
{
    return (at + 31) / 32 * 32;
}

static enum weight_type gguf_type(const struct plan *p, const struct item *i)
{
    return i->t.vector ? WEIGHT_F32 : p->m->dtype;
}

static void gguf_entry(struct sink *s, const char *name, size_t rows, size_t cols, unsigned type,
                       uint64_t at)
{
    gguf_text(s, name);
    sink_number(s, rows > 1 ? 2 : 1, 4);
    sink_number(s, cols, 8);
    if (rows > 1)
        sink_number(s, rows, 8);
    sink_number(s, type, 4);
    sink_number(s, at, 8);
}

static void gguf_entries(struct sink *s, struct plan *p, bool table)
{
    static const unsigned types[] = { [WEIGHT_F32] = 0, [WEIGHT_F16] = 1, [WEIGHT_BF16] = 30 };
    uint64_t at = 0;

    if (table) {
        gguf_entry(s, "rope_freqs.weight", 1, p->m->conf.head_dim / 2, 0, 0);
        at = aligned(p->m->conf.head_dim / 2 * sizeof(float));
    }
    for (size_t i = 0; i < p->len; i++) {
        struct item *item = &p->item[i];
        enum weight_type type = gguf_type(p, item);

        item->at = at;
        gguf_entry(s, item->gguf, item->t.rows, item->t.cols, types[type], at);
        at = aligned(at + bytes_of(item, type));
    }
}

static int write_gguf(struct plan *p, const char *path, struct err *err)
{
    const struct model_conf *c = &p->m->conf;
    bool table = c->rope_scaling.kind == ROPE_LLAMA3 || c->rope_scaling.kind == ROPE_TABLE;
    const char *arch = c->qkv_bias && !c->o_bias ? "qwen2" : "llama";
    struct sink s, none;
    struct keys k = { &none, arch, 0 };
    uint64_t data;
    int rc = sink_open(&none, "/dev/null", p->m, err);

    if (!rc) {
        gguf_keys(&k, c);
        rc = sink_close(&none, 0, err);
    }
    if (!rc)
        rc = sink_open(&s, path, p->m, err);
    if (rc)
        return rc;
    sink_bytes(&s, "GGUF", 4);
    sink_number(&s, 3, 4);
    sink_number(&s, p->len + table, 8);
    sink_number(&s, k.n, 8);
    gguf_keys(&(struct keys){ &s, arch, 0 }, c);
    gguf_entries(&s, p, table);
    data = aligned(s.at);
    sink_zeros_to(&s, data);
    for (size_t i = 0; table && i < c->head_dim / 2; i++) {
        bool own = c->rope_scaling.kind == ROPE_TABLE;

        sink_bytes(&s, &(float){ own ? c->rope_scaling.table[i] : llama3_divisor(c, i) }, 4);
    }
    for (size_t i = 0; i < p->len; i++) {
        const struct item *item = &p->item[i];

        sink_zeros_to(&s, data + item->at);
        sink_tensor(&s, item->t.name, item->t.rows, item->t.cols, gguf_type(p, item),
                    !strcmp(arch, "llama") && is_turned(item->t.name));
    }
    sink_zeros_to(&s, aligned(s.at));
    return sink_close(&s, 0, err);
}

static int check_llama2c(const struct model_conf *c, struct err *err)
{
    if (c->heads * c->head_dim == c->dim && c->rope_scaling.kind == ROPE_PLAIN && !c->qkv_bias &&
        !c->mlp_bias)
        return 0;
    return err_set(err, ERR_INVALID,
                   "llama2.c's format has neither biases nor rope scaling, and heads * head_dim is "
                   "dim");
}

/* All tensors whose name holds PART. */
static void put_kind(struct sink *s, const struct plan *p, const char *part)
{
    for (size_t i = 0; i < p->len; i++) {
        const struct item *item = &p->item[i];

        if (strstr(item->t.name, part))
            sink_tensor(s, item->t.name, item->t.rows, item->t.cols, WEIGHT_F32,
                        is_turned(item->t.name));
    }
}

static void llama2c_header(struct sink *s, const struct model_conf *c, bool v1)
{
    const uint64_t numbers[] = {
        c->dim,      c->hidden,   c->layers,
        c->heads,    c->kv_heads, v1 || c->tied ? (uint64_t)c->vocab : 0 - (uint64_t)c->vocab,
        c->positions
    };

    if (v1) {
        sink_number(s, 0x616b3432, 4);
        sink_number(s, 1, 4);
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        sink_number(s, numbers[i], 4);
    if (v1) {
        sink_number(s, c->tied, 1);
        sink_zeros_to(s, 256);
    }
}

static int write_llama2c(const struct plan *p, const char *path, struct err *err)
{
    static const char *const order[2][13] = {
        { "embed_tokens", "input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj",
          "post_attention", "gate_proj", "down_proj", "up_proj", "model.norm", "(frequencies)",
          "lm_head" },
        { "input_layernorm", "post_attention", "model.norm", "embed_tokens", "q_proj", "k_proj",
          "v_proj", "o_proj", "gate_proj", "down_proj", "up_proj", "lm_head", "" },
    };
    const struct model_conf *c = &p->m->conf;
    bool v1 = p->m->format == MAKER_LLAMA2C_V1;
    struct sink s;
    int rc = check_llama2c(c, err);

    if (!rc)
        rc = sink_open(&s, path, p->m, err);
    if (rc)
        return rc;
    llama2c_header(&s, c, v1);
    for (size_t i = 0; i < 13 && *order[v1][i]; i++) {
        if (order[v1][i][0] == '(')
            sink_zeros_to(&s, s.at + c->positions * c->head_dim * sizeof(float));
        else
            put_kind(&s, p, order[v1][i]);
    }
    return sink_close(&s, 0, err);
}

int maker_write(const struct maker *m, const char *out, struct err *err)
{
    struct plan p;
    int rc = model_conf_check(&m->conf, err);

    if (rc)
        return rc;
    plan_make(&p, m);
    switch (m->format) {
    case MAKER_HF:
    case MAKER_SHARDED:
        rc = write_hf(&p, out, err);
        break;
    case MAKER_GGUF:
        rc = write_gguf(&p, out, err);
        break;
    case MAKER_LLAMA2C_V0:
    case MAKER_LLAMA2C_V1:
        rc = write_llama2c(&p, out, err);
        break;
    }
    free(p.item);
    return rc;
}
