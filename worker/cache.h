/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - blobs on this host by digest, bounded in bytes, shared by the worker processes of one
 * user.
 *
 *   DIR/blob/ab/abcd...   whole blobs; the time of last use is the file's atime
 *   DIR/part/abcd...      a blob on its way; its filler holds an exclusive flock, so a host fetches
 * a blob once DIR/run/XXXXXX/       private to a process, which holds an flock on its file "lock";
 * removed when its owner is gone DIR/lock              flock: one process at a time makes room
 *   DIR/made/KEY/         what jobs make by key (made.h): half as many bytes again
 *
 * A blob appears whole, by rename. Its user holds a shared flock on it (a pin); making room removes
 * the least recently used blobs that are not pinned. Bytes are hashed when a process uses a blob
 * for the first time: a damaged one is removed and counts as absent. Links keep a file's bytes even
 * when its name in the cache is gone. All functions may be called from any thread.
 * Hashing raises PROGRESS (may be NULL) and ends with ERR_CANCELLED at its stop. */
#ifndef WORKER_CACHE_H
#define WORKER_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"

enum { CACHE_PATH_MAX = 1024 };

struct cache;

/* Open the cache in folder DIR (made when absent, mode 0700), at most LIMIT_BYTES in blobs and
 * parts. Removes what dead processes left in DIR/run. ERR_IO, ERR_FULL, ERR_READONLY, ERR_LIMIT
 * (path too long). */
int cache_open(const char *dir, uint64_t limit_bytes, struct cache **ret,
               struct err *err) MUST_CHECK;
/* Removes the private folder. NULL is fine. */
void cache_close(struct cache *c);
/* The private folder of this process. */
const char *cache_private(const struct cache *c);
/* The cache's folder, and the limit on its bytes. */
const char *cache_folder(const struct cache *c);
uint64_t cache_limit(const struct cache *c);

/* A blob in use. Start it with { .fd = -1 }. */
struct cache_pin {
    int fd;
    char path[CACHE_PATH_MAX];
};
void cache_unpin(struct cache_pin *pin);

/* Pin the blob D of SIZE_BYTES and check its bytes if this process never did. ERR_NOT_FOUND: fetch
 * it; ERR_IO. */
int cache_get(struct cache *c, const struct digest *d, uint64_t size_bytes,
              struct progress *progress, struct cache_pin *ret, struct err *err) MUST_CHECK;

/* A blob being fetched. Start it with { .fd = -1 }. */
struct cache_fill {
    int fd;
    struct digest digest;
    uint64_t size_bytes;
    uint64_t have; /* bytes that are there already, from an earlier try */
    char path[CACHE_PATH_MAX];
};
/* Become the filler of D and make room for it. ERR_AGAIN: another one fills it (RET->have says how
 * far it is; look again later, first with cache_get); ERR_LIMIT: larger than the cache, or what is
 * in use leaves no room; ERR_IO, ERR_FULL. */
int cache_fill_begin(struct cache *c, const struct digest *d, uint64_t size_bytes,
                     struct cache_fill *ret, struct err *err) MUST_CHECK;
/* Add LEN bytes at F->have. */
int cache_fill_write(struct cache_fill *f, const void *bytes, size_t len,
                     struct err *err) MUST_CHECK;
/* All bytes are there: check the digest and move the blob into place, pinned by RET. ERR_CORRUPT:
 * they have another digest, and are removed; ERR_IO. The fill is over in any case. */
int cache_fill_end(struct cache *c, struct cache_fill *f, struct progress *progress,
                   struct cache_pin *ret, struct err *err) MUST_CHECK;
/* Stop filling; the bytes stay for the next try. */
void cache_fill_abort(struct cache_fill *f);

/* Put the file PATH, whose digest is D, into the cache by a link or a copy, if there is room. Only
 * a favour to later jobs: nothing is reported. The file must not be written to afterwards. */
void cache_offer(struct cache *c, const char *path, const struct digest *d, uint64_t size_bytes);

/* Digests of at most MAX blobs, the most recently used first. Returns how many. */
size_t cache_list(struct cache *c, struct digest *ret, size_t max);

/* Remove the folder PATH and all below it; symbolic links are removed, not followed. */
void cache_remove_tree(const char *path);

#endif
