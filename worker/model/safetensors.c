/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/json.h"
#include "common/base/mem.h"

struct safetensors {
    char *path;
    int fd;
    uint64_t data; /* file offset of the data */
    struct safetensor *tensor;
    size_t len;
};

/* Types of the format and their bits; those with widen are read. */
static const struct {
    const char *name;
    unsigned bits;
} dtypes[] = {
    { "F32", 32 },    { "F16", 16 },    { "BF16", 16 },   { "F64", 64 },
    { "I64", 64 },    { "U64", 64 },    { "I32", 32 },    { "U32", 32 },
    { "I16", 16 },    { "U16", 16 },    { "I8", 8 },      { "U8", 8 },
    { "F8_E5M2", 8 }, { "F8_E4M3", 8 }, { "F8_E8M0", 8 }, { "BOOL", 8 },
};
enum { DTYPES_READ = 3 }; /* the first ones above */

static int read_at(int fd, void *out, size_t len, uint64_t offset, const char *path,
                   struct err *err)
{
    char *at = out;

    while (len) {
        ssize_t n = pread(fd, at, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, errno, "%s: read at offset %" PRIu64, path, offset);
        if (n == 0)
            return err_set(err, ERR_CORRUPT, "%s: ends at offset %" PRIu64 " while being read",
                           path, offset);
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

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
                       p->s->path, name, SAFETENSORS_DIMS_MAX);
    t->dims = json_len(shape);
    for (size_t i = 0; i < t->dims; i++) {
        int64_t d = json_integer(json_at(shape, i), -1);

        if (d < 0 || __builtin_mul_overflow(elements, (uint64_t)d, &elements))
            return err_set(p->err, ERR_CORRUPT, "%s: tensor %.96s: bad dimension %zu", p->s->path,
                           name, i);
        t->shape[i] = (size_t)d;
    }
    int64_t begin = json_integer(json_at(offsets, 0), -1),
            end = json_integer(json_at(offsets, 1), -1);

    if (!json_is_array(offsets) || json_len(offsets) != 2 || begin < 0 || end < begin)
        return err_set(p->err, ERR_CORRUPT,
                       "%s: tensor %.96s: data_offsets must be two growing numbers", p->s->path,
                       name);
    t->begin = (uint64_t)begin;
    t->end = (uint64_t)end;
    if (__builtin_mul_overflow(elements, (uint64_t)dtype_bits(t->dtype) / 8, &elements) ||
        elements != t->end - t->begin)
        return err_set(p->err, ERR_CORRUPT,
                       "%s: tensor %.96s: shape and type need %" PRIu64
                       " bytes, data_offsets give %" PRIu64,
                       p->s->path, name, elements, t->end - t->begin);
    return 0;
}

static int parse_tensor(const char *name, struct json *v, void *arg)
{
    struct parse *p = arg;
    struct safetensors *s = p->s;
    struct safetensor t = { 0 };
    const char *dtype = json_text(json_get(v, "dtype"));
    int rc;

    if (!strcmp(name, "__metadata__"))
        return 0;
    if (!dtype || !dtype_bits(dtype))
        return err_set(p->err, ERR_CORRUPT, "%s: tensor %.96s: unknown dtype '%.20s'", s->path,
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

static int by_name(const void *a, const void *b)
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
                           s->path, t->name, t->begin, at);
        at = t->end;
    }
    if (at > data_bytes)
        return err_set(err, ERR_CORRUPT,
                       "%s: truncated: its header describes %" PRIu64 " bytes of data, %" PRIu64
                       " are there; fetch the file again",
                       s->path, at, data_bytes);
    if (at < data_bytes)
        return err_set(err, ERR_CORRUPT,
                       "%s: %" PRIu64 " bytes more than its header describes (from offset %" PRIu64
                       ")",
                       s->path, data_bytes - at, s->data + at);
    if (s->len)
        qsort(s->tensor, s->len, sizeof(*s->tensor), by_name);
    return 0;
}

static int read_header(struct safetensors *s, uint64_t size, struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    CLEANUP(mem_cleanup) char *text = NULL;
    struct parse p = { .s = s, .err = err };
    uint8_t head[8];
    uint64_t n = 0;
    int rc;

    if (size < 8)
        return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " bytes are no safetensors file", s->path,
                       size);
    rc = read_at(s->fd, head, sizeof(head), 0, s->path, err);
    if (rc)
        return rc;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | head[i];
    if (n > size - 8)
        return err_set(err, ERR_CORRUPT,
                       "%s: truncated or no safetensors file: header of %" PRIu64
                       " bytes in a file of %" PRIu64,
                       s->path, n, size);
    if (n > SAFETENSORS_HEADER_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: header of %" PRIu64 " bytes; this version reads up to %d", s->path, n,
                       SAFETENSORS_HEADER_MAX);
    text = mem_calloc((size_t)n + 1, 1);
    rc = read_at(s->fd, text, (size_t)n, 8, s->path, err);
    if (rc)
        return rc;
    if (text[0] != '{')
        return err_set(err, ERR_CORRUPT, "%s: header at offset 8 does not start with '{'", s->path);
    if (json_parse(text, (size_t)n, &root, err))
        return err_wrap(err, ERR_CORRUPT, "%s: header at offset 8", s->path);
    s->data = 8 + n;
    rc = json_each(root, parse_tensor, &p);
    return rc ? rc : check_tiling(s, size - s->data, err);
}

int safetensors_open(struct safetensors **ret, const char *path, struct err *err)
{
    struct safetensors *s = mem_calloc(1, sizeof(*s));
    struct stat st;
    int rc;

    s->path = mem_strdup(path);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) < 0)
        rc = err_errno(err, errno, "open %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = err_set(err, ERR_INVALID, "%s is no file", path);
    else
        rc = read_header(s, (uint64_t)st.st_size, err);
    if (rc) {
        safetensors_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->len; i++)
        free(s->tensor[i].name);
    free(s->tensor);
    free(s->path);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

size_t safetensors_len(const struct safetensors *s)
{
    return s->len;
}

const struct safetensor *safetensors_at(const struct safetensors *s, size_t i)
{
    assert(i < s->len);
    return &s->tensor[i];
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct safetensor key = { .name = (char *)(uintptr_t)name };

    return s->len ? bsearch(&key, s->tensor, s->len, sizeof(key), by_name) : NULL;
}

const char *safetensor_shape(const struct safetensor *t, char out[128])
{
    size_t n = 1;

    snprintf(out, 128, "[");
    for (size_t i = 0; i < t->dims && n < 100; i++)
        n += (size_t)snprintf(out + n, 128 - n, "%s%zu", i ? ", " : "", t->shape[i]);
    snprintf(out + MIN(n, 126), 128 - MIN(n, 126), "]");
    return out;
}

int safetensors_check(const struct safetensors *s, const struct safetensor *t, size_t rows,
                      size_t cols, int vector, struct err *err)
{
    struct safetensor want = { .dims = vector ? 1 : 2, .shape = { vector ? cols : rows, cols } };
    char found[128], expected[128];
    bool readable = false;

    for (size_t i = 0; i < DTYPES_READ; i++)
        readable |= !strcmp(t->dtype, dtypes[i].name);
    if (!readable)
        return err_set(err, ERR_INVALID,
                       "%s: tensor %s has type %s; this version reads F32, F16 and BF16", s->path,
                       t->name, t->dtype);
    if (t->dims != want.dims || t->shape[0] != want.shape[0] || (!vector && t->shape[1] != cols))
        return err_set(err, ERR_INVALID, "%s: tensor %s has shape %s, but config.json asks for %s",
                       s->path, t->name, safetensor_shape(t, found),
                       safetensor_shape(&want, expected));
    return 0;
}

/* IEEE half to single, exactly. */
static float widen_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
    uint32_t bits;
    float f;

    if (exponent == 31)
        bits = sign | 0x7f800000 | fraction << 13;
    else if (exponent)
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    else { /* zero or subnormal: fraction * 2^-24 */
        f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* N 16-bit elements of T from element FIRST on. */
static int read_narrow(const struct safetensors *s, const struct safetensor *t, float *out,
                       size_t first, size_t n, struct err *err)
{
    bool half = !strcmp(t->dtype, "F16");
    uint16_t block[4096];
    int rc;

    assert(n <= ARRAY_LEN(block));
    rc = read_at(s->fd, block, n * 2, s->data + t->begin + 2 * first, s->path, err);
    for (size_t i = 0; i < n && !rc; i++) {
        uint32_t bits = (uint32_t)block[i] << 16;

        if (half)
            out[first + i] = widen_half(block[i]);
        else
            memcpy(&out[first + i], &bits, sizeof(bits));
    }
    return rc;
}

int safetensors_read(const struct safetensors *s, const struct safetensor *t, float *out,
                     struct err *err)
{
    size_t n = (size_t)((t->end - t->begin) / 2);
    int rc = 0;

    if (!strcmp(t->dtype, "F32"))
        return read_at(s->fd, out, (size_t)(t->end - t->begin), s->data + t->begin, s->path, err);
    for (size_t first = 0; first < n && !rc; first += 4096)
        rc = read_narrow(s, t, out, first, MIN(n - first, 4096), err);
    return rc;
}
