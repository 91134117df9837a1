/* SPDX-License-Identifier: Apache-2.0 */
/* mark.h - how many transactions were committed, kept twice: in the store and beside it.
 *
 * SQLite reads its log up to the first frame whose checksum is wrong and says nothing of what lies
 * behind. Behind a tail that a power cut tore that is right: it was never committed. But a log that
 * lost committed frames (cut short, overwritten, an older copy put in its place) looks just the
 * same. So each transaction that changes something raises a number in the store, and after its
 * commit the number is written to FILE-mark. A store that is opened with a smaller number than its
 * mark has lost what was acknowledged: that is said, and attempts' ids and the incarnation leap, so
 * that nothing which the lost part gave out is given out again.
 *
 * The mark is not fsynced at a commit: after a power cut it may be older than the store, never
 * newer. Beside it stand, fsynced, how many transactions the file had when the log was last brought
 * in whole, and, from before bringing in begins, how many the log has that is brought in: what
 * torn.h needs. */
#ifndef STORE_MARK_H
#define STORE_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "store/frames.h"

struct store;

struct mark_numbers {
    uint64_t identity, commits;
    uint64_t brought;  /* so many has the file alone */
    uint64_t bringing; /* up to here the log was brought in last, or is; more than BROUGHT: it was
                          cut short, and pages of both may stand in the file */
    struct last_page last; /* the last of them to be written there */
};

/* Of the store at PATH. False: there is none, or it is no mark. Older ones have no LAST, which is
 * none then, no BRINGING, which is BROUGHT, or not even that, which is 0. */
bool mark_read(const char *path, struct mark_numbers *ret);

/* Compare, and put it right. Before the first transaction; ERR_IO, ERR_FULL, ERR_READONLY. */
int mark_open(struct store *s, struct err *err) MUST_CHECK;
/* Inside a transaction, last of all: count it when it changed something. */
int mark_count(struct store *s, struct err *err) MUST_CHECK;
/* It is committed; the mark is written too unless store_sync() is still to come. */
void mark_committed(struct store *s);
void mark_write(const struct store *s);
/* Bring the log into the file as MODE (SQLITE_CHECKPOINT_...) says; marked before, and after when
 * all came (a reader may keep it from that: the next one does it). Not in a transaction. Waits for
 * the disk: two to five times. */
void mark_bring_in(struct store *s, int mode);
void mark_close(struct store *s);

#endif
