/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.h - one .safetensors file: strict reading, deterministic writing. Private to this
 * folder.
 *
 * Opening maps the file and checks everything before data is touched: the header's length against
 * the file's, its JSON, each tensor's type, shape and offsets, and that the tensors tile the data
 * without holes up to the last byte. */
#ifndef WORKER_CHECKPOINT_SAFETENSORS_H
#define WORKER_CHECKPOINT_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/mapping.h"

enum {
    SAFETENSORS_DIMS_MAX = 8,
    SAFETENSORS_HEADER_MAX = 100000000, /* the format's own limit */
};

struct safetensor {
    char *name;
    char dtype[12];
    size_t dims, shape[SAFETENSORS_DIMS_MAX];
    uint64_t begin, end; /* bytes, from the start of the data */
    bool used;           /* for the caller: the model has a place for it */
};

struct safetensors {
    struct mapping map;
    uint64_t data;             /* file offset of the data */
    struct safetensor *tensor; /* sorted by name */
    size_t len;
};

/* ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT (with the offset or the tensor), ERR_LIMIT (header too long).
 * After an error *S is empty. */
int safetensors_open(struct safetensors *s, const char *path, struct err *err) MUST_CHECK;
void safetensors_close(struct safetensors *s); /* s->map too, unless it was taken out */
struct safetensor *safetensors_find(const struct safetensors *s, const char *name);
/* "[16, 128]" into OUT. */
const char *safetensor_shape(const struct safetensor *t, char out[128]);
/* T's elements. T must have a type of weight.h and the shape (rows, cols), or (cols) when VECTOR.
 * ERR_INVALID: tensor, expected, found. */
int safetensors_view(const struct safetensors *s, const struct safetensor *t, size_t rows,
                     size_t cols, bool vector, struct tensor_view *ret, struct err *err) MUST_CHECK;

/* The LEN bytes of JSON at TEXT, which describe DATA_BYTES of data, into S, whose data is set and
 * whose map names the file. ERR_CORRUPT. */
int safetensors_parse(struct safetensors *s, const char *text, size_t len, uint64_t data_bytes,
                      struct err *err) MUST_CHECK;
int safetensor_by_name(const void *a, const void *b);

/* Write all tensors of C from W, F32, sorted by name, q and k in rotate-half order, by way of
 * PATH.tmp. ERR_IO, ERR_FULL, ERR_READONLY, ERR_NOMEM. */
int safetensors_write(const char *path, const struct model_conf *c, const struct model_weights *w,
                      struct err *err) MUST_CHECK;

#endif
