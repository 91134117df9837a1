/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_write.c - model.safetensors from weights in memory, tensor by tensor. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "worker/checkpoint/outfile.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/checkpoint/views.h"

struct plan {
    struct model_tensor *item;
    size_t len, cap;
};

static int collect(const struct model_tensor *t, void *arg)
{
    struct plan *p = arg;

    if (p->len == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->item = mem_realloc(p->item, p->cap, sizeof(*p->item));
    }
    p->item[p->len++] = *t;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct model_tensor *)a)->name, ((const struct model_tensor *)b)->name);
}

static size_t bytes_of(const struct model_tensor *t)
{
    return t->rows * t->cols * sizeof(float);
}

/* Length and JSON of the header, padded with spaces so that data starts at a multiple of 8. */
static void print_header(struct buf *out, const struct plan *p)
{
    size_t at = 0, len;

    buf_add(out, &(uint64_t){ 0 }, 8);
    buf_adds(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < p->len; i++) {
        const struct model_tensor *t = &p->item[i];

        buf_printf(out, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", t->name);
        if (!t->vector)
            buf_printf(out, "%zu,", t->rows);
        buf_printf(out, "%zu],\"data_offsets\":[%zu,%zu]}", t->cols, at, at + bytes_of(t));
        at += bytes_of(t);
    }
    buf_adds(out, "}");
    while (out->len % 8)
        buf_addc(out, ' ');
    len = out->len - 8;
    for (int i = 0; i < 8; i++)
        out->data[i] = (char)(len >> 8 * i & 255);
}

/* OUT = X with the rows of each head changed from interleaved pairs to rotate-half order. */
static void rows_to_halves(float *out, const float *x, size_t heads, size_t head_dim, size_t cols)
{
    size_t half = head_dim / 2;

    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < half; i++)
            for (size_t odd = 0; odd < 2; odd++)
                memcpy(out + (h * head_dim + i + odd * half) * cols,
                       x + (h * head_dim + 2 * i + odd) * cols, cols * sizeof(float));
}

static int write_tensor(struct outfile *f, const struct model_conf *c, const struct model_tensor *t,
                        const float *data, struct err *err)
{
    CLEANUP(mem_cleanup) float *turned = NULL;
    bool key = strstr(t->name, ".k_proj."), query = strstr(t->name, ".q_proj.");

    if (c->rope_interleaved && (key || query)) {
        turned = mem_try_aligned(t->rows * t->cols, sizeof(float));
        if (!turned)
            return err_set(err, ERR_NOMEM, "%zu bytes to write %s", bytes_of(t), f->path);
        rows_to_halves(turned, data, key ? c->kv_heads : c->heads, c->head_dim,
                       t->vector ? 1 : t->cols);
        data = turned;
    }
    return outfile_write(f, data, bytes_of(t), err);
}

int safetensors_write(const char *path, const struct model_conf *c, const struct model_weights *w,
                      struct err *err)
{
    CLEANUP(buf_release) struct buf header = { 0 };
    struct outfile f;
    struct plan p = { 0 };
    int rc = outfile_open(&f, path, err);

    if (rc)
        return rc;
    (void)model_each_tensor(c, collect, &p);
    qsort(p.item, p.len, sizeof(*p.item), by_name);
    print_header(&header, &p);
    rc = outfile_write(&f, header.data, header.len, err);
    for (size_t i = 0; i < p.len && !rc; i++)
        rc = write_tensor(&f, c, &p.item[i], w->all + p.item[i].offset, err);
    free(p.item);
    return outfile_close(&f, rc, err);
}

/* LlamaForCausalLM has biases at q, k, v and o or at none of them, Qwen2ForCausalLM at q, k, v and
 * nowhere else. */
static int check_biases(const struct model_conf *c, struct err *err)
{
    if (c->qkv_bias == c->o_bias || (c->qkv_bias && !c->mlp_bias))
        return 0;
    return err_set(err, ERR_INVALID,
                   "no architecture of Hugging Face has biases at %s%s%s: such a model cannot be "
                   "saved as a folder",
                   c->qkv_bias ? "q, k, v" : "o", c->mlp_bias ? " and the feed-forward part" : "",
                   " alone");
}

int checkpoint_save(const char *dir, const struct model_conf *c, const struct model_weights *w,
                    struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 }, config = { 0 };
    int rc = model_conf_check(c, err);

    rc = rc ? rc : check_biases(c, err);
    buf_printf(&path, "%s/model.safetensors", dir);
    if (!rc)
        rc = safetensors_write(buf_str(&path), c, w, err);
    if (rc)
        return rc;
    hf_config_print(c, &config);
    buf_clear(&path);
    buf_printf(&path, "%s/config.json", dir);
    return buf_write_file(buf_str(&path), config.data, config.len, err);
}
