/* SPDX-License-Identifier: Apache-2.0 */
/* wal.h - SQLite's write-ahead log (walformat.html): when it is brought into the file, how long it
 * is from the start, and when it is on the disk. Users include store.h, which has store_tidy(),
 * store_sync() and both of their store_..._later(). */
#ifndef STORE_WAL_H
#define STORE_WAL_H

#include <stdbool.h>

#include "common/base/err.h"

struct store;

/* A log that grew in a burst is cut to this after its checkpoint: 64 MiB, some 16,000 pages. */
#define WAL_KEEP_BYTES "67108864"

enum {
    WAL_READY_BYTES = 4 << 20, /* what is there before it is needed */
    WAL_SPARE_BYTES = 1 << 30, /* only where at least so much is free on the disk */
};

/* From now on the log of S's connection is brought in by and by. */
void wal_watch(struct store *s);

/* After a commit that is counted (mark.h): a log that has become too long is brought in. */
void wal_committed(struct store *s);

/* Does the next commit wait for the disk (synchronous=FULL)? Not in a transaction. */
int wal_wait(struct store *s, bool wait, struct err *err) MUST_CHECK;

/* Make the log's file WAL_READY_BYTES long. A commit that makes the file longer has to wait for the
 * file system's journal too: seen with 90 kB at a time on ext4, 0.63 ms instead of 0.43. Zeros are
 * no frames, so SQLite ends there as it ends at old ones. Does nothing when the disk is rather full
 * or anything fails. Not in a transaction. */
void wal_make_ready(const struct store *s);

#endif
