/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - has the store changed? For readers that look on: no waiting, no open transaction. */
#ifndef STORE_CHANGE_H
#define STORE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

/* A number that differs from the one before when another connection has committed since. Some
 * microseconds. */
int store_data_version(struct store *s, uint64_t *ret, struct err *err) MUST_CHECK;

/* ERR_VERSION: a writer has brought the file to another schema since it was opened here. */
int store_same_schema(struct store *s, struct err *err) MUST_CHECK;

/* Reset the statements that somebody left in the middle of their rows: they keep the writer's log
 * from being written back. Returns how many there were; 0 where all is well. */
unsigned store_rest(struct store *s);

/* How long is the writer's log (FILE-wal) now? Its file does not tell: it is written from its start
 * again once all of it is in the database and nobody reads from it. SQLite's index of it tells.
 *
 * store_log_open() gives a descriptor of FILE-shm, or -1. NEVER close it while this process has
 * connections to that store: that would drop SQLite's own locks. */
struct store_log {
    uint64_t bytes;   /* in the log */
    uint64_t written; /* of them in the database, too */
};
int store_log_open(const char *path);
/* Zeros when there is no log. */
void store_log_read(int fd, struct store_log *ret);

/* The writer begins its log anew when all of it is in the database and nobody reads from it: with
 * many readers, one after the other, that moment may never come. So readers of this process that
 * read a lot wait their turn before each piece, and somebody who looks at the log may hold them
 * all. Any thread; waiting takes at most STORE_TURN_MS. */
enum { STORE_TURN_MS = 2500 };
void store_hold_readers(bool hold);
void store_wait_turn(void);

#endif
