/* SPDX-License-Identifier: Apache-2.0 */
#include "store/shape.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"

/* Of results: the mean of the first few, then each weighs an eighth. So many shapes are remembered
 * (64 bytes each, with the table 8 MiB); when there are more it begins anew. */
enum { WEIGHT = 8, SHAPES_MAX = 1 << 16 };

struct shape {
    UT_hash_handle hh;
    uint64_t id, results, mean_us;
    bool dirty;
    struct shape *next_dirty;
};

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < len; i++) /* FNV-1a */
        h = (h ^ b[i]) * 0x100000001B3u;
    return h;
}

static uint64_t mix_word(uint64_t h, const char *word)
{
    return mix(h, word, strlen(word) + 1);
}

static uint64_t mix_number(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

uint64_t shape_hash(const struct shape_of *of)
{
    uint64_t h = 0xCBF29CE484222325u;

    h = mix_word(h, of->kind);
    h = mix_word(h, of->numeric_class);
    h = mix_word(h, of->step);
    h = mix_number(h, of->experiment);
    h = mix_number(h, of->units);
    h = mix_number(h, of->kind_version);
    return h ? h : 1;
}

void shapes_forget(struct store *s)
{
    struct shape *x, *next;

    s->shapes_dirty = s->shape_last = NULL;
    HASH_ITER(hh, s->shapes, x, next)
    {
        HASH_DEL(s->shapes, x);
        free(x);
    }
}

static int get(struct store *s, uint64_t id, struct shape **ret, struct err *err)
{
    struct shape *x = s->shape_last;
    struct stmt *st;
    int rc;

    *ret = x;
    if (x && x->id == id)
        return 0;
    HASH_FIND(hh, s->shapes, &id, sizeof(id), x);
    if (x) {
        *ret = s->shape_last = x;
        return 0;
    }
    st = USE(s, SHAPE_GET);
    stmt_u64(st, ":id", id);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (HASH_COUNT(s->shapes) >= SHAPES_MAX && !s->shapes_dirty)
        shapes_forget(s);
    x = mem_calloc(1, sizeof(*x));
    x->id = id;
    if (rc > 0) {
        x->results = stmt_col_u64(st, 0);
        x->mean_us = stmt_col_u64(st, 1);
    }
    stmt_reset(st);
    HASH_ADD(hh, s->shapes, id, sizeof(id), x);
    *ret = s->shape_last = x;
    return 0;
}

int shape_estimate(struct store *s, uint64_t shape, uint64_t *ret_us, struct err *err)
{
    struct shape *x;
    int rc = get(s, shape, &x, err);

    *ret_us = rc == 0 && x->results > 0 ? MAX(x->mean_us, 1) : 0;
    return rc;
}

int shape_result(struct store *s, uint64_t shape, uint64_t us, struct err *err)
{
    struct shape *x;
    int rc = get(s, shape, &x, err);
    int64_t weight;

    if (rc < 0)
        return rc;
    us = MIN(us, (uint64_t)INT64_MAX / 2);
    x->results++;
    weight = (int64_t)MIN(x->results, (uint64_t)WEIGHT);
    x->mean_us = (uint64_t)((int64_t)x->mean_us + ((int64_t)us - (int64_t)x->mean_us) / weight);
    if (!x->dirty) {
        x->dirty = true;
        x->next_dirty = s->shapes_dirty;
        s->shapes_dirty = x;
    }
    return 0;
}

int shapes_flush(struct store *s, struct err *err)
{
    int rc = 0;

    for (; s->shapes_dirty && rc == 0; s->shapes_dirty = s->shapes_dirty->next_dirty) {
        struct shape *x = s->shapes_dirty;
        struct stmt *st = USE(s, SHAPE_PUT);

        stmt_u64(st, ":id", x->id);
        stmt_u64(st, ":results", x->results);
        stmt_u64(st, ":mean_us", x->mean_us);
        rc = stmt_run(st, err);
        x->dirty = false;
    }
    return rc;
}
