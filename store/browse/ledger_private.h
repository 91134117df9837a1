/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_private.h - what the files of the ledger share. The thread (or, in tests, the caller) is
 * the only one that writes: it reads everything without a lock, and takes it to write. */
#ifndef STORE_BROWSE_LEDGER_PRIVATE_H
#define STORE_BROWSE_LEDGER_PRIVATE_H

#include <pthread.h>

#include "store/browse/ledger.h"
#include "store/store_private.h"

enum {
    LEDGER_CHUNK = 10000, /* rows of one reading: some 20 ms */
    LEDGER_GAPS_MAX = 4096,
};

/* Numbers of attempts that were not there when later ones were. */
struct ledger_gap {
    uint64_t from, to;
};

/* An experiment's jobs; apart from the rest, for every job that changes looks through them. */
struct ledger_range {
    uint64_t base, end;
};

struct ledger {
    struct ledger_view v; /* its arrays are these: */
    uint8_t *state;
    size_t state_cap;
    struct ledger_experiment *experiment;
    struct ledger_range *range; /* of experiment i */
    size_t experiment_cap;
    struct ledger_attempt *attempt;
    size_t attempt_cap;
    struct ledger_open *open;
    size_t open_cap;
    struct ledger_worker *worker;
    size_t worker_cap;

    struct store *s;
    uint64_t attempt_last, event_last;
    struct ledger_gap gap[LEDGER_GAPS_MAX];
    size_t gaps;
    struct store_ids touched; /* jobs to look at again */
    bool rescan;              /* all of them */
    bool changed;             /* since the lock was taken */
    bool dirty;               /* something changed since the last rescan */
    uint64_t rescanned_ms, rescan_cost_ms, rounds;

    pthread_rwlock_t lock;
    /* The thread. */
    pthread_t thread;
    bool threaded;
    pthread_mutex_t sleep; /* over what follows */
    pthread_cond_t wake, caught_up;
    bool stop;
    uint64_t used_ms, round; /* last held; rounds that ended */
    struct err err;
    struct {
        uint64_t id, until_ms;
        struct buf text;
    } memo[LEDGER_MEMOS]; /* ledger_remember() */
};

/* A row of table attempt. */
struct ledger_row {
    uint64_t id, job, worker;
    int64_t started_ms, ended_ms, wall_ms; /* wall_ms < 0: not known */
    unsigned outcome;
};

/* ---- ledger_count.c: under the lock ---- */
void ledger_put_state(struct ledger *l, uint64_t job, uint8_t state);
void ledger_put_attempt(struct ledger *l, const struct ledger_row *row);
void ledger_put_open(struct ledger *l, const struct ledger_row *row);
void ledger_drop_open(struct ledger *l, uint64_t attempt);
/* E gets new jobs: STEP_OF and STEP become its own. */
void ledger_put_claims(struct ledger *l, size_t e, uint64_t base, uint64_t span, uint16_t *step_of,
                       struct ledger_step *step, size_t steps, struct ledger_edge *edge,
                       size_t edges);
void ledger_steps_free(struct ledger_step *step, size_t steps);
void ledger_experiment_release(struct ledger_experiment *e);

/* ---- ledger_claims.c ---- */
/* The jobs and steps of experiment I, in chunks; it is ready then. */
int ledger_read_claims(struct ledger *l, size_t i, struct err *err) MUST_CHECK;

/* ---- ledger_read.c ---- */
uint8_t ledger_state_byte(const struct stmt *st, int column);

static inline void ledger_write(struct ledger *l)
{
    pthread_rwlock_wrlock(&l->lock);
}
static inline void ledger_wrote(struct ledger *l)
{
    l->v.version += l->changed;
    l->changed = false;
    pthread_rwlock_unlock(&l->lock);
}
bool ledger_stopped(struct ledger *l);

#endif
