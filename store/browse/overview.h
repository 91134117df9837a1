/* SPDX-License-Identifier: Apache-2.0 */
/* overview.h - what the first page shows: experiments by their counts, workers as the store knows
 * them, what happened last. */
#ifndef STORE_BROWSE_OVERVIEW_H
#define STORE_BROWSE_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/jsonw.h"
#include "store/browse/ledger.h"

struct store;

/* Rows of table worker, the newest first. */
struct browse_worker {
    uint64_t id;
    char *name, *host, *version, *gone; /* gone: NULL while it is here */
    uint32_t pid, slots, threads;
    int64_t first_ms, last_ms;
};
struct browse_workers {
    struct browse_worker *v;
    size_t len;
};
int browse_list_workers(struct store *s, size_t max, struct browse_workers *ret,
                        struct err *err) MUST_CHECK;
void browse_workers_release(struct browse_workers *w);

/* Member "events": the last MAX. */
int browse_put_events(struct store *s, size_t max, struct jsonw *w, struct err *err) MUST_CHECK;
/* Member "store": path, schema, bytes, wal_bytes. */
void browse_put_store(struct store *s, struct jsonw *w);

/* Something runs, or ended a moment ago: jobs that take no time are hardly ever seen running. */
bool browse_goes_on(const struct ledger_pulse *p, uint64_t running, int64_t now_ms);
/* "running", "waiting", "paused", "finished", "failed", "cancelled". */
const char *browse_state(const struct ledger_experiment *e, uint64_t running, int64_t now_ms);
/* Results per second of late: of the last tenth of the pulse's life, 10 s at least. */
double browse_rate(const struct ledger_pulse *p, int64_t now_ms);
/* Seconds left for LEFT jobs when DONE are done, as `drover status --watch` reckons it
 * (common/stats/pace.h) from what was recorded since the last pause of a minute. False: it would be
 * a guess. */
bool browse_eta(const struct ledger_pulse *p, uint64_t done, uint64_t left, int64_t now_ms,
                double *ret_low, double *ret_high);
/* Members of counts: jobs, done, running, ready, waiting, failed, skipped, cancelled, diverged. */
void browse_put_counts(const struct ledger_counts *n, uint64_t running, struct jsonw *w);
/* Members eta_s, eta_low_s, eta_high_s, per_s. */
void browse_put_pace(const struct ledger_pulse *p, const struct ledger_counts *n, uint64_t running,
                     int64_t now_ms, struct jsonw *w);
/* Member "spark". */
void browse_put_spark(const struct ledger_pulse *p, struct jsonw *w);
/* Member "failures": [{outcome, n}]. */
void browse_put_outcomes(const uint64_t outcome[LEDGER_OUTCOMES], struct jsonw *w);
/* All of them, of an experiment: members of an object that is open. */
void browse_put_experiment(const struct ledger_experiment *e, uint64_t running, int64_t now_ms,
                           struct jsonw *w);

/* Members recipe, git of experiment ID, and "revisions". ERR_NOT_FOUND with the ids there are. */
int browse_put_revisions(struct store *s, uint64_t id, struct jsonw *w, struct err *err) MUST_CHECK;
/* Members text, path, revision; NUMBER 0: the latest. */
int browse_put_recipe(struct store *s, uint64_t id, uint64_t number, struct jsonw *w,
                      struct err *err) MUST_CHECK;
int browse_no_experiment(struct store *s, uint64_t id, struct err *err);

#endif
