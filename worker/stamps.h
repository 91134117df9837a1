/* SPDX-License-Identifier: Apache-2.0 */
/* stamps.h - digests of files outside the cache, remembered by (device, inode, size, mtime) while
 * the process lives. Any thread. */
#ifndef WORKER_STAMPS_H
#define WORKER_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/progress.h"

struct stamps;

struct stamps *stamps_new(void);
void stamps_free(struct stamps *s); /* NULL is fine */

/* True when PATH is a regular, readable file of SIZE_BYTES with digest D. A file of another size is
 * not read. Hashing raises PROGRESS (may be NULL); its stop makes the answer false. */
bool stamps_match(struct stamps *s, const char *path, const struct digest *d, uint64_t size_bytes,
                  struct progress *progress);

#endif
