/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/checkpoint/safetensors.h"

/* Types of the format and their bits. */
static const struct {
    const char *name;
    unsigned bits;
} dtypes[] = {
    { "F32", 32 },    { "F16", 16 },        { "BF16", 16 },       { "F64", 64 },
    { "C64", 64 },    { "I64", 64 },        { "U64", 64 },        { "I32", 32 },
    { "U32", 32 },    { "I16", 16 },        { "U16", 16 },        { "I8", 8 },
    { "U8", 8 },      { "BOOL", 8 },        { "F8_E5M2", 8 },     { "F8_E4M3", 8 },
    { "F8_E8M0", 8 }, { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 }, { "F6_E2M3", 6 },
    { "F6_E3M2", 6 }, { "F4", 4 },
};
static unsigned dtype_bits(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(dtypes); i++)
        if (!strcmp(dtypes[i].name, name))
            return dtypes[i].bits;
    return 0;
}

struct parse {
    struct safetensors *s;
    size_t cap;
    struct err *err;
};

/* Shape and offsets of the entry V into T, with every product checked. */
static int parse_extent(struct parse *p, const char *name, const struct json *v,
                        struct safetensor *t)
{
    const struct json *shape = json_get(v, "shape"), *offsets = json_get(v, "data_offsets");
    uint64_t elements = 1;

    if (!json_is_array(shape) || json_len(shape) > SAFETENSORS_DIMS_MAX)
        return err_set(p->err, ERR_CORRUPT, "%s: tensor %.96s: shape must be a list of at most %d",
                       p->s->map.path, name, SAFETENSORS_DIMS_MAX);
    t->dims = json_len(shape);
    for (size_t i = 0; i < t->dims; i++) {
        int64_t d = json_integer(json_at(shape, i), -1);

        if (d < 0 || __builtin_mul_overflow(elements, (uint64_t)d, &elements))
            return err_set(p->err, ERR_CORRUPT, "%s: tensor %.96s: bad dimension %zu",
                           p->s->map.path, name, i);
        t->shape[i] = (size_t)d;
    }
    int64_t begin = json_integer(json_at(offsets, 0), -1),
            end = json_integer(json_at(offsets, 1), -1);

    if (!json_is_array(offsets) || json_len(offsets) != 2 || begin < 0 || end < begin)
        return err_set(p->err, ERR_CORRUPT,
                       "%s: tensor %.96s: data_offsets must be two growing numbers", p->s->map.path,
                       name);
    t->begin = (uint64_t)begin;
    t->end = (uint64_t)end;
    if (__builtin_mul_overflow(elements, (uint64_t)dtype_bits(t->dtype), &elements) ||
        elements % 8 || elements / 8 != t->end - t->begin)
        return err_set(p->err, ERR_CORRUPT,
                       "%s: tensor %.96s: shape and type need %" PRIu64
                       " bytes, data_offsets give %" PRIu64,
                       p->s->map.path, name, elements / 8 + (elements % 8 != 0), t->end - t->begin);
    return 0;
}

static int check_text(const char *key, struct json *v, void *arg)
{
    struct parse *p = arg;

    if (json_is_string(v))
        return 0;
    return err_set(p->err, ERR_CORRUPT, "%s: __metadata__: %.96s is no text", p->s->map.path, key);
}

static int parse_tensor(const char *name, struct json *v, void *arg)
{
    struct parse *p = arg;
    struct safetensors *s = p->s;
    struct safetensor t = { 0 };
    const char *dtype = json_text(json_get(v, "dtype"));
    int rc;

    if (!strcmp(name, "__metadata__") && json_is_object(v))
        return json_each(v, check_text, p);
    if (!dtype || !dtype_bits(dtype))
        return err_set(p->err, ERR_CORRUPT, "%s: tensor %.96s: unknown dtype '%.20s'", s->map.path,
                       name, dtype ? dtype : "");
    snprintf(t.dtype, sizeof(t.dtype), "%s", dtype);
    rc = parse_extent(p, name, v, &t);
    if (rc)
        return rc;
    if (s->len == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        s->tensor = mem_realloc(s->tensor, p->cap, sizeof(*s->tensor));
    }
    t.name = mem_strdup(name);
    s->tensor[s->len++] = t;
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

int safetensor_by_name(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

/* The tensors must fill the DATA_BYTES exactly, in some order. */
static int check_tiling(struct safetensors *s, uint64_t data_bytes, struct err *err)
{
    uint64_t at = 0;

    if (s->len)
        qsort(s->tensor, s->len, sizeof(*s->tensor), by_offset);
    for (size_t i = 0; i < s->len; i++) {
        const struct safetensor *t = &s->tensor[i];

        if (t->begin != at)
            return err_set(err, ERR_CORRUPT,
                           "%s: tensor %.96s starts at data offset %" PRIu64 ", expected %" PRIu64
                           " (hole or overlap)",
                           s->map.path, t->name, t->begin, at);
        at = t->end;
    }
    if (at > data_bytes)
        return err_set(err, ERR_CORRUPT,
                       "%s: truncated: its header describes %" PRIu64 " bytes of data, %" PRIu64
                       " are there; fetch the file again",
                       s->map.path, at, data_bytes);
    if (at < data_bytes)
        return err_set(err, ERR_CORRUPT,
                       "%s: %" PRIu64 " bytes more than its header describes (from offset %" PRIu64
                       ")",
                       s->map.path, data_bytes - at, s->data + at);
    if (s->len)
        qsort(s->tensor, s->len, sizeof(*s->tensor), safetensor_by_name);
    return 0;
}

int safetensors_parse(struct safetensors *s, const char *text, size_t len, uint64_t data_bytes,
                      struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    struct parse p = { .s = s, .err = err };
    int rc;

    if (len == 0 || text[0] != '{')
        return err_set(err, ERR_CORRUPT, "%s: header at offset 8 does not start with '{'",
                       s->map.path);
    if (json_parse(text, len, &root, err))
        return err_wrap(err, ERR_CORRUPT, "%s: header at offset 8", s->map.path);
    rc = json_each(root, parse_tensor, &p);
    return rc ? rc : check_tiling(s, data_bytes, err);
}
