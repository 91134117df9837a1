/* SPDX-License-Identifier: Apache-2.0 */
/* failures.h - which jobs failed and why: gathered by step, outcome and what the error says, with
 * numbers, digests and the names of temporary files left out of the comparison.
 *
 * How many failed is exact. What the errors say is read of at most FAILURES_READ jobs of each step
 * and outcome, spread evenly; beyond, a group's number of jobs is reckoned from them and says so.
 */
#ifndef STORE_BROWSE_FAILURES_H
#define STORE_BROWSE_FAILURES_H

#include "common/base/jsonw.h"
#include "store/browse/ledger.h"

struct store;

enum {
    FAILURES_READ = 300,       /* jobs of one step and outcome */
    FAILURES_LOST = 300,       /* lost attempts whose cause is read, the newest */
    FAILURES_GROUPS = 200,     /* in an answer */
    FAILURES_RUNS = 20,        /* that a group names */
    FAILURES_LOG_BYTES = 4096, /* of the end of a log */
};

/* Jobs of one step whose last attempt ended the same way. */
struct failures_kind {
    char *step, *kind;
    unsigned outcome;
    uint64_t jobs;
    int64_t first_ms, last_ms; /* ends of these attempts; 0: not known */
    struct failures_pick {
        uint64_t job, attempt; /* attempt 0: it is older than what the ledger keeps */
    } * pick;
    size_t picks;
};

struct failures {
    struct failures_kind *kind;
    size_t kinds;
    uint64_t failed, diverged, skipped, cancelled; /* jobs */
    uint64_t outcome[LEDGER_OUTCOMES];             /* attempts, those that were tried again too */
    uint32_t *lost;                                /* attempts that were lost, the newest first */
    size_t losts;
};

/* From the ledger, while it is held. */
void failures_collect(const struct ledger_view *v, const struct ledger_experiment *e,
                      struct failures *ret);
void failures_release(struct failures *f);
/* Then, from the store, the members groups, lost_attempts, attempts, jobs of an open object. */
int failures_put(struct store *s, const struct failures *f, struct jsonw *w,
                 struct err *err) MUST_CHECK;

/* TEXT with every number, digest and temporary name put as "#". */
void failures_blur(const char *text, size_t len, struct buf *out);
/* What can be done about OUTCOME in general; NULL: read the error. */
const char *failures_remedy(unsigned outcome);

#endif
