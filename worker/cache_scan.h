/* SPDX-License-Identifier: Apache-2.0 */
/* cache_scan.h - walks over a cache's folder (see cache.h for its layout). Only cache.c includes
 * this. */
#ifndef WORKER_CACHE_SCAN_H
#define WORKER_CACHE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"

/* Remove the private folders in DIR/run whose owner holds no lock any more. */
void scan_remove_dead_runs(const char *dir);
/* Remove blobs and parts that nobody has locked, least recently used first, until their bytes are
 * at most TARGET_BYTES. Returns the bytes that are left. The caller holds DIR/lock. */
uint64_t scan_shrink(const char *dir, uint64_t target_bytes);
/* Digests of the blobs, most recently used first, at most MAX. */
size_t scan_list(const char *dir, struct digest *ret, size_t max);

#endif
