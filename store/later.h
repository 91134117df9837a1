/* SPDX-License-Identifier: Apache-2.0 */
/* later.h - sums of runs that are put off to the commit, with one UPDATE per run, where a group of
 * rows changes them; private to the store.
 *
 * Triggers keep run_summary (sql/0003_scale.sql, 0009_dispatch.sql). Where thousands of jobs of one
 * run end in a transaction they would write its row thousands of times. Between later_begin() and
 * later_end() they do nothing: the caller adds what they would have, with later_of_run() or
 * later_claim(). Such a caller fails only where the whole transaction is rolled back. */
#ifndef STORE_LATER_H
#define STORE_LATER_H

#include "store/store_private.h"

/* One more or one less of each; times 0: none. */
struct later_change {
    const char *from, *to; /* state of a job; NULL: none */
    bool diverged;
    uint64_t wall_ms;
    int64_t started_ms, ended_ms;
};

void later_begin(struct store *s);
void later_end(struct store *s);
/* C of a job that RUN claims. */
void later_of_run(struct store *s, uint64_t run, const struct later_change *c);
/* RUN claims a new job that is in STATE. */
void later_claim(struct store *s, uint64_t run, const char *state);
/* Write all of them; before a commit. */
int later_flush(struct store *s, struct err *err) MUST_CHECK;
void later_forget(struct store *s); /* after a rollback */
void later_free(struct store *s);

/* The SQL function that the triggers ask. */
int later_register(struct store *s, struct err *err) MUST_CHECK;

#endif
