/* SPDX-License-Identifier: Apache-2.0 */
/* made.h - folders of the worker's cache for what is a function of a key and takes time to make:
 * features of prompts, which several routers of one label set share. Never sent, never stored;
 * made again when it is gone.
 *
 *   CACHE/made/KEY/      the folder; its file "whole" says that it is
 *   CACHE/made/KEY.lock  flock: exclusive while it is made or removed, shared while it is read;
 * its mtime is the time of last use, its text the bytes that were asked for
 *
 * At most as many bytes as the limit are kept: the least recently used folders that nobody has
 * locked make room. */
#ifndef WORKER_MADE_H
#define WORKER_MADE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"
#include "worker/cache.h"

/* A folder in use. Start it with { .fd = -1 }. */
struct made {
    int fd;
    char path[CACHE_PATH_MAX];
};

/* The folder of KEY in cache folder DIR. *RET_WHOLE: it is there, for reading; else it is empty and
 * the caller's to fill with about BYTES, which count against LIMIT_BYTES, and made_whole() ends
 * that. Waits while another one makes it, ticking PROGRESS. ERR_LIMIT (says what to do),
 * ERR_CANCELLED, ERR_IO, ERR_FULL. */
int made_open(struct made *m, const char *dir, const struct digest *key, uint64_t bytes,
              uint64_t limit_bytes, struct progress *progress, bool *ret_whole,
              struct err *err) MUST_CHECK;
/* It is whole: others may read it. */
int made_whole(struct made *m, struct err *err) MUST_CHECK;
/* No longer in use; one that is not whole is removed by the next that wants it. */
void made_close(struct made *m);

#endif
