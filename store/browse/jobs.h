/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.h - rows about jobs, a page at a time. */
#ifndef STORE_BROWSE_JOBS_H
#define STORE_BROWSE_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/jsonw.h"
#include "store/browse/ledger.h"

struct store;

enum { BROWSE_RUNS = 5, BROWSE_TEXT_MAX = 500, BROWSE_LOG_MAX = 64 << 10 };

/* Which of an experiment's jobs. */
struct browse_pick {
    int step;       /* place; -1: all */
    unsigned state; /* enum ledger_state; LEDGER_NONE: all; LEDGER_DONE | LEDGER_DIVERGED */
    uint64_t after; /* only those with greater numbers */
    uint64_t skip;  /* without so many of those, the first */
};
/* Up to MAX of them, ascending, into RET; *RET_MATCHED: how many there are in all, behind AFTER or
 * not. While the ledger is held. */
size_t browse_pick_jobs(const struct ledger_view *v, const struct ledger_experiment *e,
                        const struct browse_pick *p, uint64_t *ret, size_t max,
                        uint64_t *ret_matched);

/* A job as an object: its row, its last attempt, the first runs that want it. RUNNING_S: for how
 * long it has run; negative: it does not. ERR_NOT_FOUND. */
int browse_put_job(struct store *s, uint64_t job, double running_s, struct jsonw *w,
                   struct err *err) MUST_CHECK;
/* Member "log": {attempt, bytes, text} of its last attempt that has one, or null. */
int browse_put_log(struct store *s, uint64_t job, struct jsonw *w, struct err *err) MUST_CHECK;
/* Member "experiment": {id, name} of RUN's, or null. */
int browse_put_home(struct store *s, uint64_t run, struct jsonw *w, struct err *err) MUST_CHECK;
/* What ATTEMPT said, cut at BROWSE_TEXT_MAX; empty when it said nothing or is not there. */
int browse_attempt_text(struct store *s, uint64_t attempt, struct buf *ret,
                        struct err *err) MUST_CHECK;
/* State of JOB: "READY"... ERR_NOT_FOUND. */
int browse_job_state(struct store *s, uint64_t job, char ret[16], struct err *err) MUST_CHECK;

#endif
