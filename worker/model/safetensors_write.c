/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "worker/model/safetensors.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct safetensor_source *)a)->name,
                  ((const struct safetensor_source *)b)->name);
}

static size_t bytes_of(const struct safetensor_source *t)
{
    return t->shape[0] * (t->dims == 2 ? t->shape[1] : 1) * sizeof(float);
}

/* The JSON header, padded with spaces so that data starts at a multiple of 8. */
static void print_header(struct buf *out, const struct safetensor_source *item, size_t n)
{
    size_t at = 0;

    buf_adds(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", item[i].name,
                   item[i].shape[0]);
        if (item[i].dims == 2)
            buf_printf(out, ",%zu", item[i].shape[1]);
        buf_printf(out, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes_of(&item[i]));
        at += bytes_of(&item[i]);
    }
    buf_adds(out, "}");
    while (out->len % 8)
        buf_addc(out, ' ');
}

int safetensors_write(const char *path, struct safetensor_source *item, size_t n, struct err *err)
{
    CLEANUP(buf_release) struct buf header = { 0 };
    CLEANUP(mem_cleanup) char *file = NULL;
    size_t size, at;

    qsort(item, n, sizeof(*item), by_name);
    print_header(&header, item, n);
    size = at = 8 + header.len;
    for (size_t i = 0; i < n; i++)
        size += bytes_of(&item[i]);
    file = mem_try_aligned(size, 1);
    if (!file)
        return err_set(err, ERR_NOMEM, "%zu bytes to write %s", size, path);
    for (int i = 0; i < 8; i++)
        file[i] = (char)(header.len >> 8 * i & 255);
    memcpy(file + 8, header.data, header.len);
    for (size_t i = 0; i < n; i++) {
        memcpy(file + at, item[i].data, bytes_of(&item[i]));
        at += bytes_of(&item[i]);
    }
    return buf_write_file(path, file, size, err);
}
