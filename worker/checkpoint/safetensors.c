/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static int read_header(struct safetensors *s, struct err *err)
{
    uint64_t size = s->map.size, n;

    if (size < 8)
        return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " bytes are no safetensors file",
                       s->map.path, size);
    n = mapping_u64(s->map.data);
    if (n > size - 8)
        return err_set(err, ERR_CORRUPT,
                       "%s: truncated or no safetensors file: header of %" PRIu64
                       " bytes in a file of %" PRIu64,
                       s->map.path, n, size);
    if (n > SAFETENSORS_HEADER_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s: header of %" PRIu64 " bytes; the format allows up to %d", s->map.path,
                       n, SAFETENSORS_HEADER_MAX);
    s->data = 8 + n;
    return safetensors_parse(s, (const char *)s->map.data + 8, (size_t)n, size - s->data, err);
}

int safetensors_open(struct safetensors *s, const char *path, struct err *err)
{
    int rc;

    *s = (struct safetensors){ 0 };
    rc = mapping_open(&s->map, path, err);
    if (!rc)
        rc = read_header(s, err);
    if (rc)
        safetensors_close(s);
    return rc;
}

void safetensors_close(struct safetensors *s)
{
    mapping_close(&s->map);
    for (size_t i = 0; i < s->len; i++)
        free(s->tensor[i].name);
    free(s->tensor);
    *s = (struct safetensors){ 0 };
}

struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
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

int safetensors_view(const struct safetensors *s, const struct safetensor *t, size_t rows,
                     size_t cols, bool vector, struct tensor_view *ret, struct err *err)
{
    struct safetensor want = { .dims = vector ? 1 : 2, .shape = { vector ? cols : rows, cols } };
    char found[128], expected[128];
    enum weight_type type = 0;

    while (type < WEIGHT_TYPES && strcmp(t->dtype, weight_type_name(type)) != 0)
        type++;
    if (type == WEIGHT_TYPES)
        return err_set(err, ERR_INVALID,
                       "%s: tensor %s has type %s; this version reads F32, F16 and BF16",
                       s->map.path, t->name, t->dtype);
    if (t->dims != want.dims || t->shape[0] != want.shape[0] || (!vector && t->shape[1] != cols))
        return err_set(err, ERR_INVALID, "%s: tensor %s has shape %s, but config.json asks for %s",
                       s->map.path, t->name, safetensor_shape(t, found),
                       safetensor_shape(&want, expected));
    *ret = (struct tensor_view){ s->map.data + s->data + t->begin, type, rows, cols };
    return 0;
}
