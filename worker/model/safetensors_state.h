/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_state.h - inside of struct safetensors. Private to safetensors.c and
 * safetensors_header.c. */
#ifndef WORKER_MODEL_SAFETENSORS_STATE_H
#define WORKER_MODEL_SAFETENSORS_STATE_H

#include "worker/model/safetensors.h"

struct safetensors {
    char *path;
    int fd;
    uint64_t data; /* file offset of the data */
    struct safetensor *tensor;
    size_t len;
};

/* The LEN bytes of JSON at TEXT, which describe DATA_BYTES of data, into S; s->data is set.
 * ERR_CORRUPT. */
int safetensors_parse(struct safetensors *s, const char *text, size_t len, uint64_t data_bytes,
                      struct err *err) MUST_CHECK;
int safetensor_by_name(const void *a, const void *b);

#endif
