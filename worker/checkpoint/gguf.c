/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/gguf.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/checkpoint/gguf_state.h"

static const char *const type_names[GGUF_TYPES] = {
    [GGUF_U8] = "u8",     [GGUF_I8] = "i8",     [GGUF_U16] = "u16", [GGUF_I16] = "i16",
    [GGUF_U32] = "u32",   [GGUF_I32] = "i32",   [GGUF_F32] = "f32", [GGUF_BOOL] = "bool",
    [GGUF_TEXT] = "text", [GGUF_LIST] = "list", [GGUF_U64] = "u64", [GGUF_I64] = "i64",
    [GGUF_F64] = "f64",
};

int gguf_open(struct gguf **ret, const char *path, struct err *err)
{
    struct gguf *g = mem_calloc(1, sizeof(*g));
    int rc = mapping_open(&g->map, path, err);

    if (!rc)
        rc = gguf_parse(g, err);
    if (rc) {
        gguf_close(g);
        return rc;
    }
    *ret = g;
    return 0;
}

void gguf_close(struct gguf *g)
{
    if (!g)
        return;
    mapping_close(&g->map);
    free(g->key);
    free(g->tensor);
    free(g);
}

bool gguf_probe(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char magic[4];
    bool is;

    if (fd < 0)
        return false;
    is = pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && !memcmp(magic, "GGUF", 4);
    (void)close(fd);
    return is;
}

const char *gguf_path(const struct gguf *g)
{
    return g->map.path;
}

static int order_key(const void *name, const void *key)
{
    return gguf_text_order(*(const struct gguf_text *)name, ((const struct gguf_key *)key)->name);
}

static int order_tensor(const void *name, const void *tensor)
{
    return gguf_text_order(*(const struct gguf_text *)name,
                           ((const struct gguf_tensor *)tensor)->name);
}

static const struct gguf_key *find(const struct gguf *g, const char *key)
{
    struct gguf_text name = { key, strlen(key) };

    return g->keys ? bsearch(&name, g->key, g->keys, sizeof(*g->key), order_key) : NULL;
}

bool gguf_has(const struct gguf *g, const char *key)
{
    return find(g, key) != NULL;
}

static int wrong_type(const struct gguf *g, const struct gguf_key *k, const char *expected,
                      struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: key %.*s is of type %s, expected %s", g->map.path,
                   (int)MIN(k->name.len, 96), k->name.text, type_names[k->type], expected);
}

/* An integer of any width at P; negative ones come as such. */
static bool integer_at(enum gguf_type type, const uint8_t *p, bool *ret_negative, uint64_t *ret)
{
    static const uint64_t top[9] = {
        [1] = 0x80, [2] = 0x8000, [4] = 0x80000000, [8] = 0x8000000000000000
    };
    size_t bytes = gguf_type_bytes(type);
    bool is_signed = type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;

    if (!is_signed && type != GGUF_U8 && type != GGUF_U16 && type != GGUF_U32 && type != GGUF_U64)
        return false;
    *ret = 0;
    for (size_t i = bytes; i-- > 0;)
        *ret = *ret << 8 | p[i];
    *ret_negative = is_signed && (*ret & top[bytes]);
    if (*ret_negative && bytes < 8)
        *ret |= ~(uint64_t)0 << 8 * bytes;
    return true;
}

int gguf_get_size(const struct gguf *g, const char *key, uint64_t fallback, uint64_t *ret,
                  struct err *err)
{
    const struct gguf_key *k = find(g, key);
    bool negative = false;

    *ret = fallback;
    if (!k)
        return 0;
    if (!integer_at(k->type, k->data, &negative, ret))
        return wrong_type(g, k, "a whole number", err);
    if (negative)
        return err_set(err, ERR_INVALID, "%s: key %s is %" PRId64 "; it must not be negative",
                       g->map.path, key, (int64_t)*ret);
    return 0;
}

static float f32_at(const uint8_t *p)
{
    uint32_t bits = mapping_u32(p);
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

int gguf_get_number(const struct gguf *g, const char *key, double fallback, double *ret,
                    struct err *err)
{
    const struct gguf_key *k = find(g, key);
    bool negative = false;
    uint64_t bits = 0;

    *ret = fallback;
    if (!k)
        return 0;
    if (k->type == GGUF_F32) {
        *ret = (double)f32_at(k->data);
    } else if (k->type == GGUF_F64) {
        bits = mapping_u64(k->data);
        memcpy(ret, &bits, sizeof(*ret));
    } else if (integer_at(k->type, k->data, &negative, &bits)) {
        *ret = negative ? (double)(int64_t)bits : (double)bits;
    } else {
        return wrong_type(g, k, "a number", err);
    }
    return 0;
}

int gguf_get_bool(const struct gguf *g, const char *key, bool fallback, bool *ret, struct err *err)
{
    const struct gguf_key *k = find(g, key);

    *ret = fallback;
    if (!k)
        return 0;
    if (k->type != GGUF_BOOL)
        return wrong_type(g, k, "bool", err);
    *ret = k->data[0] == 1;
    return 0;
}

static struct gguf_text text_at(const uint8_t *p)
{
    return (struct gguf_text){ (const char *)p + 8, (size_t)mapping_u64(p) };
}

int gguf_get_text(const struct gguf *g, const char *key, struct gguf_text *ret, struct err *err)
{
    const struct gguf_key *k = find(g, key);

    *ret = (struct gguf_text){ "", 0 };
    if (!k)
        return 0;
    if (k->type != GGUF_TEXT)
        return wrong_type(g, k, "text", err);
    *ret = text_at(k->data);
    return 0;
}

int gguf_get_list(const struct gguf *g, const char *key, enum gguf_type type, struct gguf_list *ret,
                  struct err *err)
{
    const struct gguf_key *k = find(g, key);

    *ret = (struct gguf_list){ .type = type };
    if (!k)
        return 0;
    if (k->type != GGUF_LIST)
        return wrong_type(g, k, "list", err);
    if (mapping_u32(k->data) != type)
        return err_set(err, ERR_INVALID, "%s: key %s is a list of %s, expected %s", g->map.path,
                       key, type_names[mapping_u32(k->data)], type_names[type]);
    ret->len = (size_t)mapping_u64(k->data + 4);
    ret->data = k->data + 12;
    return 0;
}

float gguf_list_f32(const struct gguf_list *list, size_t i)
{
    assert(list->type == GGUF_F32 && i < list->len);
    return f32_at(list->data + 4 * i);
}

int32_t gguf_list_i32(const struct gguf_list *list, size_t i)
{
    assert(list->type == GGUF_I32 && i < list->len);
    return (int32_t)mapping_u32(list->data + 4 * i);
}

bool gguf_next_text(struct gguf_list *list, struct gguf_text *ret)
{
    assert(list->type == GGUF_TEXT);
    if (!list->len)
        return false;
    *ret = text_at(list->data);
    list->data += 8 + ret->len;
    list->len--;
    return true;
}

bool gguf_text_is(struct gguf_text t, const char *s)
{
    return t.len == strlen(s) && !memcmp(t.text, s, t.len);
}

size_t gguf_tensors(const struct gguf *g)
{
    return g->tensors;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i)
{
    assert(i < g->tensors);
    return &g->tensor[i];
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name)
{
    struct gguf_text text = { name, strlen(name) };

    return g->tensors ? bsearch(&text, g->tensor, g->tensors, sizeof(*g->tensor), order_tensor)
                      : NULL;
}

const char *gguf_type_name(uint32_t type, char out[24])
{
    static const struct {
        uint32_t type;
        const char *name;
    } names[] = {
        { 0, "F32" },     { 1, "F16" },      { 2, "Q4_0" },   { 3, "Q4_1" },    { 6, "Q5_0" },
        { 7, "Q5_1" },    { 8, "Q8_0" },     { 9, "Q8_1" },   { 10, "Q2_K" },   { 11, "Q3_K" },
        { 12, "Q4_K" },   { 13, "Q5_K" },    { 14, "Q6_K" },  { 15, "Q8_K" },   { 16, "IQ2_XXS" },
        { 17, "IQ2_XS" }, { 18, "IQ3_XXS" }, { 19, "IQ1_S" }, { 20, "IQ4_NL" }, { 21, "IQ3_S" },
        { 22, "IQ2_S" },  { 23, "IQ4_XS" },  { 24, "I8" },    { 25, "I16" },    { 26, "I32" },
        { 27, "I64" },    { 28, "F64" },     { 29, "IQ1_M" }, { 30, "BF16" },   { 34, "TQ1_0" },
        { 35, "TQ2_0" },  { 39, "MXFP4" },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].type == type) {
            snprintf(out, 24, "%s", names[i].name);
            return out;
        }
    snprintf(out, 24, "type %" PRIu32, type);
    return out;
}
