/* SPDX-License-Identifier: Apache-2.0 */
/* mapping.h - a file mapped read-only. Private to this folder.
 *
 * A file that another program cuts while it is mapped stops the process (SIGBUS): model files are
 * replaced by rename, as all writers of this project do, never changed in place. */
#ifndef WORKER_CHECKPOINT_MAPPING_H
#define WORKER_CHECKPOINT_MAPPING_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct mapping {
    char *path;
    const uint8_t *data; /* NULL for an empty file */
    size_t size;
};

/* ERR_NOT_FOUND, ERR_IO, ERR_INVALID (no file), ERR_NOMEM (no room to map it). */
int mapping_open(struct mapping *m, const char *path, struct err *err) MUST_CHECK;
void mapping_close(struct mapping *m); /* { 0 } is fine, and is what is left */
/* The pages wholly inside LEN bytes from AT are not needed soon. */
void mapping_drop(const void *at, size_t len);

/* Little-endian numbers at any address. */
static inline uint32_t mapping_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t mapping_u64(const uint8_t *p)
{
    return mapping_u32(p) | (uint64_t)mapping_u32(p + 4) << 32;
}

#endif
