/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/safetensors.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/model/safetensors_state.h"

static const char *const widened[] = { "F32", "F16", "BF16" };

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

static int read_header(struct safetensors *s, uint64_t size, struct err *err)
{
    CLEANUP(mem_cleanup) char *text = NULL;
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
    s->data = 8 + n;
    return safetensors_parse(s, text, (size_t)n, size - s->data, err);
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

    return s->len ? bsearch(&key, s->tensor, s->len, sizeof(key), safetensor_by_name) : NULL;
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

    for (size_t i = 0; i < ARRAY_LEN(widened); i++)
        readable |= !strcmp(t->dtype, widened[i]);
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
