/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_header.c - the header of a GGUF file, walked once: "GGUF", u32 version, u64 tensors, u64
 * keys; each key: text, u32 type, value; each tensor: text, u32 dims, u64 shape[dims], u32 type,
 * u64 offset from the data, which begins at the next multiple of general.alignment. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/gguf_state.h"
#include "worker/kernels/weight.h"

enum {
    KEY_LEN_MAX = 65535, /* the format's own limit */
    NAME_LEN_MAX = 255,  /* of a tensor; ggml's own limit is 63 */
    DEPTH_MAX = 4,       /* lists in lists */
    ALIGNMENT_MAX = 1 << 20,
    KEY_BYTES_MIN = 8 + 4 + 1,
    TENSOR_BYTES_MIN = 8 + 4 + 4 + 8,
};

struct cursor {
    struct gguf *g;
    size_t at;
    struct err *err;
};

static size_t left(const struct cursor *c)
{
    return c->g->map.size - c->at;
}

static int torn(const struct cursor *c, const char *what)
{
    return err_set(c->err, ERR_CORRUPT,
                   "%s: truncated or damaged: %s at offset %zu leaves the file", c->g->map.path,
                   what, c->at);
}

static int take(struct cursor *c, size_t bytes, const char *what, const uint8_t **ret)
{
    if (bytes > left(c))
        return torn(c, what);
    *ret = c->g->map.data + c->at;
    c->at += bytes;
    return 0;
}

static int take_u32(struct cursor *c, const char *what, uint32_t *ret)
{
    const uint8_t *p = NULL;
    int rc = take(c, 4, what, &p);

    if (!rc)
        *ret = mapping_u32(p);
    return rc;
}

static int take_u64(struct cursor *c, const char *what, uint64_t *ret)
{
    const uint8_t *p = NULL;
    int rc = take(c, 8, what, &p);

    if (!rc)
        *ret = mapping_u64(p);
    return rc;
}

static int take_text(struct cursor *c, const char *what, struct gguf_text *ret)
{
    const uint8_t *p = NULL;
    uint64_t len = 0;
    int rc = take_u64(c, what, &len);

    if (!rc)
        rc = len > left(c) ? torn(c, what) : take(c, (size_t)len, what, &p);
    if (!rc)
        *ret = (struct gguf_text){ (const char *)p, (size_t)len };
    return rc;
}

size_t gguf_type_bytes(enum gguf_type type)
{
    static const uint8_t bytes[GGUF_TYPES] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_BOOL] = 1, [GGUF_U16] = 2,
        [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,  [GGUF_F32] = 4,
        [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
    };

    return bytes[type];
}

static int take_type(struct cursor *c, enum gguf_type *ret)
{
    uint32_t type = 0;
    int rc = take_u32(c, "the type of a value", &type);

    if (rc)
        return rc;
    if (type >= GGUF_TYPES)
        return err_set(c->err, ERR_CORRUPT, "%s: value of unknown type %" PRIu32 " at offset %zu",
                       c->g->map.path, type, c->at - 4);
    *ret = (enum gguf_type)type;
    return 0;
}

static int skip_bools(struct cursor *c, size_t n)
{
    const uint8_t *p = NULL;
    int rc = take(c, n, "a value", &p);

    for (size_t i = 0; i < n && !rc; i++)
        if (p[i] > 1)
            rc = err_set(c->err, ERR_CORRUPT, "%s: neither true nor false at offset %zu",
                         c->g->map.path, c->at - n + i);
    return rc;
}

/* Past N values of TYPE, which is no list. */
static int skip_plain(struct cursor *c, enum gguf_type type, uint64_t n)
{
    size_t bytes = gguf_type_bytes(type);
    struct gguf_text text;
    const uint8_t *p;
    int rc = 0;

    if (n > left(c) / (bytes ? bytes : 8))
        return torn(c, "a value");
    if (type == GGUF_BOOL)
        return skip_bools(c, (size_t)n);
    if (type != GGUF_TEXT)
        return take(c, (size_t)n * bytes, "a value", &p);
    for (uint64_t i = 0; i < n && !rc; i++)
        rc = take_text(c, "a text", &text);
    return rc;
}

/* Past a value of TYPE. Lists in lists: OPEN counts the lists still to be walked at each depth. */
static int skip_value(struct cursor *c, enum gguf_type type)
{
    uint64_t open[DEPTH_MAX + 1] = { 1 };
    size_t depth = 0;
    int rc = 0;

    if (type != GGUF_LIST)
        return skip_plain(c, type, 1);
    for (;;) {
        uint64_t n = 0;

        while (open[depth] == 0) {
            if (depth-- == 0)
                return 0;
        }
        open[depth]--;
        rc = take_type(c, &type);
        if (!rc)
            rc = take_u64(c, "the length of a list", &n);
        if (!rc && type != GGUF_LIST)
            rc = skip_plain(c, type, n);
        else if (!rc && depth == DEPTH_MAX)
            rc = err_set(c->err, ERR_LIMIT, "%s: more than %d lists in one another at offset %zu",
                         c->g->map.path, DEPTH_MAX, c->at);
        else if (!rc)
            open[++depth] = n;
        if (rc)
            return rc;
    }
}

int gguf_text_order(struct gguf_text a, struct gguf_text b)
{
    int order = memcmp(a.text, b.text, MIN(a.len, b.len));

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int key_order(const void *a, const void *b)
{
    return gguf_text_order(((const struct gguf_key *)a)->name, ((const struct gguf_key *)b)->name);
}

static int tensor_order(const void *a, const void *b)
{
    return gguf_text_order(((const struct gguf_tensor *)a)->name,
                           ((const struct gguf_tensor *)b)->name);
}

static int check_name(const struct cursor *c, struct gguf_text name, size_t max)
{
    if (name.len > 0 && name.len <= max && !memchr(name.text, '\0', name.len))
        return 0;
    return err_set(c->err, ERR_CORRUPT, "%s: a name of %zu bytes at offset %zu (1 to %zu, no NUL)",
                   c->g->map.path, name.len, (size_t)((const uint8_t *)name.text - c->g->map.data),
                   max);
}

static int parse_key(struct cursor *c, struct gguf_key *key)
{
    int rc = take_text(c, "a key", &key->name);

    if (!rc)
        rc = check_name(c, key->name, KEY_LEN_MAX);
    if (!rc)
        rc = take_type(c, &key->type);
    key->data = c->g->map.data + c->at;
    return rc ? rc : skip_value(c, key->type);
}

/* CLAIMED things of at least EACH bytes must fit into what is left. */
static int check_count(const struct cursor *c, uint64_t claimed, size_t each, const char *what)
{
    if (claimed <= left(c) / each)
        return 0;
    return err_set(c->err, ERR_CORRUPT,
                   "%s: truncated or damaged: its header counts %" PRIu64
                   " %s, the %zu bytes behind "
                   "offset %zu hold fewer",
                   c->g->map.path, claimed, what, left(c), c->at);
}

static int parse_keys(struct cursor *c, uint64_t n)
{
    struct gguf *g = c->g;
    int rc = check_count(c, n, KEY_BYTES_MIN, "keys");

    for (size_t cap = 0; g->keys < n && !rc;) {
        if (g->keys == cap) {
            cap = cap ? 2 * cap : 32;
            g->key = mem_realloc(g->key, cap, sizeof(*g->key));
        }
        rc = parse_key(c, &g->key[g->keys]);
        g->keys += !rc;
    }
    if (rc || !g->keys)
        return rc;
    qsort(g->key, g->keys, sizeof(*g->key), key_order);
    for (size_t i = 1; i < g->keys; i++)
        if (!key_order(&g->key[i - 1], &g->key[i]))
            return err_set(c->err, ERR_CORRUPT, "%s: key %.*s is there twice", g->map.path,
                           (int)MIN(g->key[i].name.len, 96), g->key[i].name.text);
    return 0;
}

int gguf_weight_type(uint32_t type)
{
    switch (type) {
    case 0:
        return WEIGHT_F32;
    case 1:
        return WEIGHT_F16;
    case 30:
        return WEIGHT_BF16;
    default:
        return -1;
    }
}

static int parse_shape(struct cursor *c, struct gguf_tensor *t)
{
    uint64_t elements = 1;
    uint32_t dims = 0;
    int rc = take_u32(c, "a tensor's shape", &dims);

    if (!rc && dims > GGUF_DIMS_MAX)
        rc = err_set(c->err, ERR_CORRUPT, "%s: tensor %.*s has %" PRIu32 " dimensions, at most %d",
                     c->g->map.path, (int)t->name.len, t->name.text, dims, GGUF_DIMS_MAX);
    t->dims = dims;
    for (size_t i = 0; i < GGUF_DIMS_MAX; i++)
        t->shape[i] = 1;
    for (size_t i = 0; i < t->dims && !rc; i++) {
        rc = take_u64(c, "a tensor's shape", &t->shape[i]);
        if (!rc && (t->shape[i] == 0 || t->shape[i] > INT64_MAX ||
                    __builtin_mul_overflow(elements, t->shape[i], &elements)))
            rc = err_set(c->err, ERR_CORRUPT, "%s: tensor %.*s: bad dimension %zu: %" PRIu64,
                         c->g->map.path, (int)t->name.len, t->name.text, i, t->shape[i]);
    }
    t->bytes = elements; /* so far */
    return rc;
}

static int parse_tensor(struct cursor *c, struct gguf_tensor *t)
{
    int rc = take_text(c, "a tensor's name", &t->name), weight;

    if (!rc)
        rc = check_name(c, t->name, NAME_LEN_MAX);
    if (!rc)
        rc = parse_shape(c, t);
    if (!rc)
        rc = take_u32(c, "a tensor's type", &t->type);
    if (!rc)
        rc = take_u64(c, "a tensor's offset", &t->begin);
    if (rc)
        return rc;
    weight = gguf_weight_type(t->type);
    if (weight < 0)
        t->bytes = 0;
    else if (__builtin_mul_overflow(t->bytes, weight_type_bytes((enum weight_type)weight),
                                    &t->bytes))
        return err_set(c->err, ERR_CORRUPT, "%s: tensor %.*s: more elements than any file has",
                       c->g->map.path, (int)t->name.len, t->name.text);
    return 0;
}

static int parse_tensors(struct cursor *c, uint64_t n)
{
    struct gguf *g = c->g;
    int rc = check_count(c, n, TENSOR_BYTES_MIN, "tensors");

    for (size_t cap = 0; g->tensors < n && !rc;) {
        if (g->tensors == cap) {
            cap = cap ? 2 * cap : 64;
            g->tensor = mem_realloc(g->tensor, cap, sizeof(*g->tensor));
        }
        rc = parse_tensor(c, &g->tensor[g->tensors]);
        g->tensors += !rc;
    }
    return rc;
}

static int begin_order(const void *a, const void *b)
{
    const struct gguf_tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Offsets become places in the file: aligned, inside it, and apart from one another. */
static int place_tensors(struct cursor *c, uint64_t data, uint64_t alignment)
{
    struct gguf *g = c->g;
    bool all_known = true;
    uint64_t end = data;

    qsort(g->tensor, g->tensors, sizeof(*g->tensor), begin_order);
    for (size_t i = 0; i < g->tensors; i++) {
        struct gguf_tensor *t = &g->tensor[i];
        uint64_t begin, stop;

        if (t->begin % alignment || __builtin_add_overflow(t->begin, data, &begin) || begin < end)
            return err_set(c->err, ERR_CORRUPT, "%s: tensor %.*s at data offset %" PRIu64 ": %s",
                           g->map.path, (int)t->name.len, t->name.text, t->begin,
                           t->begin % alignment ? "not aligned" : "overlaps another");
        if (__builtin_add_overflow(begin, t->bytes, &stop) || stop > g->map.size)
            return err_set(c->err, ERR_CORRUPT,
                           "%s: truncated: tensor %.*s needs %" PRIu64 " bytes at offset %" PRIu64
                           ", the file has %zu; fetch the file again",
                           g->map.path, (int)t->name.len, t->name.text, t->bytes, begin,
                           g->map.size);
        t->begin = begin;
        all_known &= gguf_weight_type(t->type) >= 0;
        end = stop;
    }
    if (g->tensors && all_known && g->map.size - end >= alignment)
        return err_set(c->err, ERR_CORRUPT,
                       "%s: %" PRIu64 " bytes more than its header describes (from offset %" PRIu64
                       ")",
                       g->map.path, g->map.size - end, end);
    qsort(g->tensor, g->tensors, sizeof(*g->tensor), tensor_order);
    for (size_t i = 1; i < g->tensors; i++)
        if (!tensor_order(&g->tensor[i - 1], &g->tensor[i]))
            return err_set(c->err, ERR_CORRUPT, "%s: tensor %.*s is there twice", g->map.path,
                           (int)g->tensor[i].name.len, g->tensor[i].name.text);
    return 0;
}

static int parse_start(struct cursor *c, uint64_t *ret_tensors, uint64_t *ret_keys)
{
    const char *path = c->g->map.path;
    const uint8_t *magic = NULL;
    uint32_t version = 0;
    int rc = take(c, 4, "its first word", &magic);

    if (!rc && memcmp(magic, "GGUF", 4) != 0)
        rc =
            err_set(c->err, ERR_CORRUPT, "%s: no GGUF file: it does not begin with \"GGUF\"", path);
    if (!rc)
        rc = take_u32(c, "its version", &version);
    if (!rc && version != 2 && version != 3)
        rc = err_set(c->err, ERR_VERSION,
                     "%s: GGUF of version %" PRIu32 "%s; this version reads 2 and 3", path, version,
                     version & 0xffff ? "" : " (big-endian)");
    if (!rc)
        rc = take_u64(c, "its number of tensors", ret_tensors);
    return rc ? rc : take_u64(c, "its number of keys", ret_keys);
}

int gguf_parse(struct gguf *g, struct err *err)
{
    struct cursor c = { .g = g, .err = err };
    uint64_t tensors = 0, keys = 0, alignment = 32;
    int rc = parse_start(&c, &tensors, &keys);

    if (!rc)
        rc = parse_keys(&c, keys);
    if (!rc)
        rc = gguf_get_size(g, "general.alignment", 32, &alignment, err);
    if (!rc && (alignment < 8 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1))))
        rc = err_set(err, ERR_CORRUPT,
                     "%s: general.alignment is %" PRIu64 "; it must be a power of two from 8 to %d",
                     g->map.path, alignment, ALIGNMENT_MAX);
    if (!rc)
        rc = parse_tensors(&c, tensors);
    if (rc || !tensors)
        return rc;
    return place_tensors(&c, (c.at + alignment - 1) / alignment * alignment, alignment);
}
