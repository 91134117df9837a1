/* SPDX-License-Identifier: Apache-2.0 */
/* hf.c - weights in a Hugging Face folder: one model.safetensors, or shards with an index. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/model/formats.h"
#include "worker/model/safetensors.h"

enum {
    SHARDS_MAX = 1024,    /* files of one model */
    INDEX_MAX = 16 << 20, /* bytes of the index; an entry is about 90 */
};

/* The files of a checkpoint, opened. */
struct shards {
    const char *dir;
    struct safetensors **file;
    char **name;
    size_t len;
    struct json *index; /* its weight_map, or NULL with one file */
};

static void shards_release(struct shards *s)
{
    for (size_t i = 0; i < s->len; i++) {
        safetensors_close(s->file[i]);
        free(s->name[i]);
    }
    free(s->file);
    free(s->name);
    json_free(s->index);
}

static int add_file(struct shards *s, const char *name, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    int rc;

    if (s->len == SHARDS_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d shards", s->dir, SHARDS_MAX);
    buf_printf(&path, "%s/%s", s->dir, name);
    s->file = mem_realloc(s->file, s->len + 1, sizeof(*s->file));
    s->name = mem_realloc(s->name, s->len + 1, sizeof(*s->name));
    rc = safetensors_open(&s->file[s->len], buf_str(&path), err);
    if (rc)
        return rc;
    s->name[s->len++] = mem_strdup(name);
    return 0;
}

static struct safetensors *file_named(const struct shards *s, const char *name)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strcmp(s->name[i], name))
            return s->file[i];
    return NULL;
}

struct add_shard {
    struct shards *s;
    struct err *err;
};

static int add_shard(const char *tensor, struct json *file, void *arg)
{
    struct add_shard *a = arg;
    const char *name = json_text(file);

    if (!name || !*name || strchr(name, '/') || name[0] == '.')
        return err_set(
            a->err, ERR_CORRUPT,
            "%s/model.safetensors.index.json: tensor %.96s must name a file of the folder",
            a->s->dir, tensor);
    return file_named(a->s, name) ? 0 : add_file(a->s, name, a->err);
}

static int open_shards(struct shards *s, struct err *err)
{
    CLEANUP(buf_release) struct buf single = { 0 }, index = { 0 };
    struct json *map;
    int rc;

    buf_printf(&single, "%s/model.safetensors", s->dir);
    buf_printf(&index, "%s/model.safetensors.index.json", s->dir);
    if (!access(buf_str(&single), F_OK) || access(buf_str(&index), F_OK))
        return add_file(s, "model.safetensors", err);
    rc = json_parse_file(buf_str(&index), INDEX_MAX, &s->index, err);
    if (rc)
        return rc;
    map = json_get(s->index, "weight_map");
    if (!json_is_object(map))
        return err_set(err, ERR_CORRUPT, "%s: weight_map is missing", buf_str(&index));
    return json_each(map, add_shard, &(struct add_shard){ s, err });
}

/* The file that holds tensor NAME, or NULL. */
static struct safetensors *holder(const struct shards *s, const char *name)
{
    const char *file;

    if (!s->index)
        return s->file[0];
    file = json_text(json_get(json_get(s->index, "weight_map"), name));
    return file ? file_named(s, file) : NULL;
}

struct load {
    const struct shards *s;
    const struct model_conf *c;
    float *all; /* NULL: check only */
    bool found;
    const char *name;
    struct err *err;
};

static int load_tensor(const struct model_tensor *t, void *arg)
{
    struct load *l = arg;
    struct safetensors *file = holder(l->s, t->name);
    const struct safetensor *at = file ? safetensors_find(file, t->name) : NULL;
    int rc;

    if (!at)
        return err_set(l->err, ERR_INVALID, "%s: tensor %s is missing", l->s->dir, t->name);
    rc = safetensors_check(file, at, t->rows, t->cols, t->vector, l->err);
    if (!rc && l->all)
        rc = safetensors_read(file, at, l->all + t->offset, l->err);
    return rc;
}

static int same_name(const struct model_tensor *t, void *arg)
{
    struct load *l = arg;

    l->found |= !strcmp(t->name, l->name);
    return 0;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* Tensors that the model has no place for are refused, except two that say nothing new. */
static int check_no_others(const struct shards *s, const struct model_conf *c, struct err *err)
{
    for (size_t f = 0; f < s->len; f++) {
        for (size_t i = 0; i < safetensors_len(s->file[f]); i++) {
            struct load l = { .c = c, .name = safetensors_at(s->file[f], i)->name };

            if (ends_with(l.name, ".rotary_emb.inv_freq") ||
                (c->tied && !strcmp(l.name, "lm_head.weight")))
                continue;
            (void)model_each_tensor(c, same_name, &l);
            if (!l.found)
                return err_set(
                    err, ERR_INVALID,
                    "%s/%s: tensor %.96s has no place in a LlamaForCausalLM of %zu layers "
                    "without biases",
                    s->dir, s->name[f], l.name, c->layers);
        }
    }
    return 0;
}

static int load_all(const struct shards *s, const struct model_conf *c, struct model_weights *w,
                    struct err *err)
{
    struct load l = { .s = s, .c = c, .err = err };
    int rc = model_each_tensor(c, load_tensor, &l);

    if (!rc)
        rc = check_no_others(s, c, err);
    if (!rc)
        rc = model_weights_alloc(w, c, err);
    if (rc)
        return rc;
    l.all = w->all;
    rc = model_each_tensor(c, load_tensor, &l);
    if (rc)
        model_weights_release(w);
    return rc;
}

int hf_load(const char *dir, struct model_conf *c, struct model_weights *w, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    struct shards s = { .dir = dir };
    int rc;

    memset(w, 0, sizeof(*w));
    buf_printf(&path, "%s/config.json", dir);
    rc = hf_config_read(buf_str(&path), c, err);
    if (!rc)
        rc = open_shards(&s, err);
    if (!rc)
        rc = load_all(&s, c, w, err);
    shards_release(&s);
    return rc;
}

void rope_rows_to_halves(float *out, const float *x, size_t heads, size_t head_dim, size_t cols)
{
    size_t half = head_dim / 2;

    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < half; i++)
            for (size_t odd = 0; odd < 2; odd++)
                memcpy(out + (h * head_dim + i + odd * half) * cols,
                       x + (h * head_dim + 2 * i + odd) * cols, cols * sizeof(float));
}

struct save {
    const struct model_conf *c;
    const struct model_weights *w;
    struct safetensor_source *item;
    char (*name)[96];
    float *turned; /* q and k of interleaved models, in rotate-half order */
    size_t len;
};

static int collect(const struct model_tensor *t, void *arg)
{
    struct save *s = arg;
    const float *data = s->w->all + t->offset;
    bool key = ends_with(t->name, "k_proj.weight");

    if (s->c->rope_interleaved && (key || ends_with(t->name, "q_proj.weight"))) {
        rope_rows_to_halves(s->turned, data, key ? s->c->kv_heads : s->c->heads, s->c->head_dim,
                            t->cols);
        data = s->turned;
        s->turned += t->rows * t->cols;
    }
    memcpy(s->name[s->len], t->name, sizeof(t->name));
    s->item[s->len] = (struct safetensor_source){
        .name = s->name[s->len],
        .data = data,
        .dims = t->vector ? 1 : 2,
        .shape = { t->vector ? t->cols : t->rows, t->cols },
    };
    s->len++;
    return 0;
}

int hf_save_weights(const char *dir, const struct model_conf *c, const struct model_weights *w,
                    struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    size_t tensors_max = 3 + 9 * c->layers;
    CLEANUP(mem_cleanup) struct safetensor_source *item = mem_calloc(tensors_max, sizeof(*item));
    CLEANUP(mem_cleanup) char(*name)[96] = mem_calloc(tensors_max, sizeof(*name));
    CLEANUP(mem_cleanup) float *turned = NULL;
    struct save s = { .c = c, .w = w, .item = item, .name = name };

    if (c->rope_interleaved) {
        size_t floats = c->layers * (c->heads + c->kv_heads) * c->head_dim * c->dim;

        s.turned = turned = mem_try_aligned(floats, sizeof(float));
        if (!turned)
            return err_set(err, ERR_NOMEM, "%zu bytes to save %s", floats * sizeof(float), dir);
    }
    (void)model_each_tensor(c, collect, &s);
    assert(s.len <= tensors_max);
    buf_printf(&path, "%s/model.safetensors", dir);
    return safetensors_write(buf_str(&path), item, s.len, err);
}
