/* SPDX-License-Identifier: Apache-2.0 */
/* live.h - what runs now is the coordinator's memory: a thread asks it once a second while somebody
 * looks, and keeps the last answer.
 *
 * The coordinator is the one that has the store's lock; it may come, go and come back elsewhere.
 * Nobody here waits for it: live_hold() takes the last answer, with its age, or says why there is
 * none. Only live_why(), a question on demand, waits, and not longer than it is told. */
#ifndef DASHBOARDS_LIVE_H
#define DASHBOARDS_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/wire/wire.h"

enum {
    LIVE_ASK_MS = 1000,   /* between two questions */
    LIVE_AWAKE_MS = 5000, /* after somebody looked */
    LIVE_STALE_MS = 5000, /* an older answer is none */
    LIVE_WHY_MS = 3000,
};

struct live_options {
    const char *store;            /* file */
    const char *key, *server_key; /* files; NULL: the store's, else the user's */
    bool insecure;
};

struct live_view {
    bool here;          /* a coordinator has the store and answers */
    int pid;            /* of who has the store's lock; 0: nobody */
    char endpoint[256]; /* "" when it is not told */
    char why[256];      /* why there is no answer; "" when there is one, or nobody has the lock */
    uint64_t age_ms;    /* of the answer */
    const Drover__Status *status; /* NULL: none */
};

struct live;
int live_new(struct live **ret, const struct live_options *o, struct err *err) MUST_CHECK;
void live_free(struct live *l); /* NULL is fine */

/* What is known now, until live_give(). Never waits but for somebody else who holds it. L NULL:
 * nothing is known. */
const struct live_view *live_hold(struct live *l);
void live_give(struct live *l);
/* Grows when what it knows has changed, and counts as a look. L may be NULL. */
uint64_t live_change(struct live *l);
/* Wait up to WAIT_MS for the first answer after a time in which nobody looked. */
void live_wait(struct live *l, uint32_t wait_ms);

/* Every rule that keeps JOB from running, as the coordinator says: a JSON document (store_why_json)
 * appended to RET. ERR_NOT_FOUND: no coordinator, or no such job; ERR_TIMEOUT; ERR_DENIED. */
int live_why(struct live *l, uint64_t job, uint32_t wait_ms, struct buf *ret,
             struct err *err) MUST_CHECK;

#endif
