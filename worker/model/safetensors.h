/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.h - one .safetensors file: strict reading, deterministic writing. Private to this
 * folder.
 *
 * Opening checks everything before data is touched: the header's length against the file's, its
 * JSON, each tensor's type, shape and offsets, and that the tensors tile the data without holes up
 * to the last byte. */
#ifndef WORKER_MODEL_SAFETENSORS_H
#define WORKER_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    SAFETENSORS_DIMS_MAX = 8,
    /* A tensor's entry is about 120 bytes; 256 layers of 12 tensors need 0.4 MB. */
    SAFETENSORS_HEADER_MAX = 16 << 20,
};

struct safetensors;

struct safetensor {
    char *name;
    char dtype[12];
    size_t dims, shape[SAFETENSORS_DIMS_MAX];
    uint64_t begin, end; /* bytes, from the start of the data */
};

/* ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT (with the offset or the tensor), ERR_LIMIT (header too long).
 */
int safetensors_open(struct safetensors **ret, const char *path, struct err *err) MUST_CHECK;
void safetensors_close(struct safetensors *s);
size_t safetensors_len(const struct safetensors *s);
/* Tensor I, sorted by name. */
const struct safetensor *safetensors_at(const struct safetensors *s, size_t i);
const struct safetensor *safetensors_find(const struct safetensors *s, const char *name);
/* "[16, 128]" into OUT. */
const char *safetensor_shape(const struct safetensor *t, char out[128]);
/* 0 when T has a type that safetensors_read widens (F32, F16, BF16) and the shape (rows, cols), or
 * (cols) when VECTOR. ERR_INVALID: tensor, expected, found. */
int safetensors_check(const struct safetensors *s, const struct safetensor *t, size_t rows,
                      size_t cols, int vector, struct err *err) MUST_CHECK;
/* The tensor's elements as float32 into OUT. It must have passed safetensors_check. ERR_IO,
 * ERR_CORRUPT. */
int safetensors_read(const struct safetensors *s, const struct safetensor *t, float *out,
                     struct err *err) MUST_CHECK;

/* One tensor to write. */
struct safetensor_source {
    const char *name;
    const float *data;
    size_t dims, shape[2];
};
/* Write N F32 tensors sorted by name. ITEM is sorted in place. ERR_IO, ERR_FULL, ERR_READONLY,
 * ERR_NOMEM. */
int safetensors_write(const char *path, struct safetensor_source *item, size_t n,
                      struct err *err) MUST_CHECK;

#endif
