/* SPDX-License-Identifier: Apache-2.0 */
/* hf.c - a Hugging Face folder: config.json with one model.safetensors, or shards with an index. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/checkpoint/views.h"

enum {
    SHARDS_MAX = 1024,    /* files of one model */
    INDEX_MAX = 16 << 20, /* bytes of the index; an entry is about 90 */
};

struct shard {
    struct safetensors file;
    char *name;
};

/* The files of a checkpoint, opened. */
struct shards {
    const char *dir;
    struct shard *shard;
    size_t len;
    struct json *index; /* its weight_map, or NULL with one file */
    struct err *err;
};

static void shards_release(struct shards *s)
{
    for (size_t i = 0; i < s->len; i++) {
        safetensors_close(&s->shard[i].file);
        free(s->shard[i].name);
    }
    free(s->shard);
    json_free(s->index);
}

static int add_file(struct shards *s, const char *name)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    int rc;

    if (s->len == SHARDS_MAX)
        return err_set(s->err, ERR_LIMIT, "%s: more than %d shards", s->dir, SHARDS_MAX);
    buf_printf(&path, "%s/%s", s->dir, name);
    s->shard = mem_realloc(s->shard, s->len + 1, sizeof(*s->shard));
    rc = safetensors_open(&s->shard[s->len].file, buf_str(&path), s->err);
    if (rc)
        return rc;
    s->shard[s->len++].name = mem_strdup(name);
    return 0;
}

static struct shard *shard_named(const struct shards *s, const char *name)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strcmp(s->shard[i].name, name))
            return &s->shard[i];
    return NULL;
}

static int add_shard(const char *tensor, struct json *file, void *arg)
{
    struct shards *s = arg;
    const char *name = json_text(file);

    if (!name || !*name || strchr(name, '/') || name[0] == '.')
        return err_set(
            s->err, ERR_CORRUPT,
            "%s/model.safetensors.index.json: tensor %.96s must name a file of the folder", s->dir,
            tensor);
    return shard_named(s, name) ? 0 : add_file(s, name);
}

static int open_shards(struct shards *s)
{
    CLEANUP(buf_release) struct buf single = { 0 }, index = { 0 };
    struct json *map;
    int rc;

    buf_printf(&single, "%s/model.safetensors", s->dir);
    buf_printf(&index, "%s/model.safetensors.index.json", s->dir);
    if (!access(buf_str(&single), F_OK) || access(buf_str(&index), F_OK))
        return add_file(s, "model.safetensors");
    rc = json_parse_file(buf_str(&index), INDEX_MAX, &s->index, s->err);
    if (rc)
        return rc;
    map = json_get(s->index, "weight_map");
    if (!json_is_object(map))
        return err_set(s->err, ERR_CORRUPT, "%s: weight_map is missing", buf_str(&index));
    return json_each(map, add_shard, s);
}

/* The file that holds tensor NAME, or NULL. */
static struct shard *holder(const struct shards *s, const char *name)
{
    const char *file;

    if (!s->index)
        return &s->shard[0];
    file = json_text(json_get(json_get(s->index, "weight_map"), name));
    return file ? shard_named(s, file) : NULL;
}

struct viewing {
    struct checkpoint *c;
    const struct shards *s;
};

static int view_tensor(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    struct viewing *v = arg;
    struct shard *shard = holder(v->s, t->name);
    struct safetensor *at = shard ? safetensors_find(&shard->file, t->name) : NULL;

    if (!at)
        return err_set(v->s->err, ERR_INVALID, "%s%s%s: tensor %s is missing", v->s->dir,
                       shard ? "/" : "", shard ? shard->name : "", t->name);
    at->used = true;
    return safetensors_view(&shard->file, at, t->rows, t->cols, t->vector,
                            checkpoint_view(v->c, kind, layer), v->s->err);
}

/* Tensors that the model has no place for are refused, except two that say nothing new. */
static int check_no_others(const struct shards *s, const struct model_conf *c)
{
    for (size_t f = 0; f < s->len; f++) {
        for (size_t i = 0; i < s->shard[f].file.len; i++) {
            const struct safetensor *t = &s->shard[f].file.tensor[i];
            struct shard *other;

            if (t->used || text_ends_with(t->name, ".rotary_emb.inv_freq") ||
                (c->tied && !strcmp(t->name, "lm_head.weight")))
                continue;
            other = holder(s, t->name);
            if (other && other != &s->shard[f])
                return err_set(s->err, ERR_INVALID, "%s: tensor %.96s is in %s and in %s", s->dir,
                               t->name, s->shard[f].name, other->name);
            return err_set(s->err, ERR_INVALID,
                           "%s/%s: tensor %.96s has no place in a %s of %zu layers with the biases "
                           "that config.json names",
                           s->dir, s->shard[f].name, t->name, hf_architecture(c), c->layers);
        }
    }
    return 0;
}

int hf_open(struct checkpoint *c, const char *dir, struct err *err)
{
    CLEANUP(buf_release) struct buf path = { 0 };
    struct shards s = { .dir = dir, .err = err };
    int rc;

    c->format = "safetensors";
    buf_printf(&path, "%s/config.json", dir);
    rc = hf_config_read(buf_str(&path), &c->conf, err);
    if (!rc)
        rc = open_shards(&s);
    if (!rc) {
        checkpoint_alloc_views(c);
        rc = model_walk(&c->conf, false, view_tensor, &(struct viewing){ c, &s });
    }
    if (!rc)
        rc = check_no_others(&s, &c->conf);
    for (size_t i = 0; i < s.len && !rc; i++)
        checkpoint_keep(c, &s.shard[i].file.map);
    shards_release(&s);
    return rc;
}
