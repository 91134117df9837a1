/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - what the store says of every job and attempt, in memory: so that no question about
 * progress scans a million rows, and all answers agree with `drover status`.
 *
 * A thread with a reading connection of its own fills it in short transactions (a million jobs: a
 * few seconds) and follows the store while somebody looks: new attempts by their numbers (the
 * numbers that are missing stay on a list, since an attempt is written when it ends), the jobs that
 * they changed and those behind them; everything again after a word of the coordinator's that
 * moves many jobs at once, and now and then in any case. One byte per job, two per job that an
 * experiment wants, 32 per attempt; beyond LEDGER_ATTEMPTS_MAX the oldest attempts are only
 * counted.
 *
 * ledger_hold() lends it out for reading; look at what is needed and give it back: the thread waits
 * meanwhile. Nothing of the store may be asked in between. */
#ifndef STORE_BROWSE_LEDGER_H
#define STORE_BROWSE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
    LEDGER_ATTEMPTS_MAX = 4 << 20, /* of 32 bytes: 128 MiB */
    LEDGER_JOBS_MAX = 64 << 20,    /* numbers of jobs, one byte each */
    LEDGER_STEPS_MAX = 1000,       /* of an experiment */
    LEDGER_BUCKETS = 48,           /* of a pulse */
    LEDGER_BUCKET_MS = 1000,       /* at first */
};

enum ledger_state {
    LEDGER_NONE, /* no such job */
    LEDGER_WAITING,
    LEDGER_READY, /* or running: that is the coordinator's knowledge */
    LEDGER_DONE,
    LEDGER_FAILED,
    LEDGER_CANCELLED,
    LEDGER_SKIPPED,
    LEDGER_STATES,
    LEDGER_DIVERGED = 0x80, /* beside LEDGER_DONE */
    LEDGER_STATE = 0x7f,
};
/* "waiting"... */
const char *ledger_state_name(unsigned state);
/* "DONE" and "done" are states; LEDGER_NONE: no such word. */
unsigned ledger_state_of(const char *word);

enum ledger_outcome {
    LEDGER_RUNNING,
    LEDGER_OK, /* DONE */
    LEDGER_FAIL,
    LEDGER_OOM,
    LEDGER_TIMEOUT,
    LEDGER_PREEMPTED,
    LEDGER_STOPPED, /* CANCELLED */
    LEDGER_LOST,
    LEDGER_DIVERGE,
    LEDGER_OUTCOMES
};
const char *ledger_outcome_name(unsigned outcome); /* "DONE", "LOST"... as in the store */
unsigned ledger_outcome_of(const char *word);      /* LEDGER_OUTCOMES: none */

/* What ended when, over the whole life of a step or experiment: when time outgrows the buckets,
 * each two become one. */
struct ledger_pulse {
    int64_t from_ms;   /* of the first bucket; 0: nothing ended yet */
    int64_t bucket_ms; /* LEDGER_BUCKET_MS times a power of two */
    int64_t last_ms;   /* end of the last attempt */
    size_t len;
    uint32_t done[LEDGER_BUCKETS], failed[LEDGER_BUCKETS]; /* attempts by their end */
    float busy_ms[LEDGER_BUCKETS];                         /* of attempts, summed */
};
/* An attempt from STARTED to ENDED; GOOD: done or diverged. */
void ledger_pulse_add(struct ledger_pulse *p, int64_t started_ms, int64_t ended_ms, bool good,
                      bool bad);

struct ledger_counts {
    uint64_t jobs;                 /* all */
    uint64_t state[LEDGER_STATES]; /* of them */
    uint64_t diverged;             /* of the done ones */
};

struct ledger_step {
    char *name, *kind;
    struct ledger_counts n;
    uint64_t first_job; /* smallest number; steps are in the order of these */
    double seconds;     /* of ended attempts */
    uint64_t outcome[LEDGER_OUTCOMES];
    struct ledger_pulse pulse;
};

/* Jobs of step TO need jobs of step FROM: NEEDS times. */
struct ledger_edge {
    uint16_t from, to;
    uint64_t needs;
};

struct ledger_experiment {
    uint64_t id, revision, number; /* its latest revision: row, and 1, 2, 3... */
    char *name;
    bool cancelled, paused;
    int priority;
    int64_t submitted_ms;
    /* Distinct jobs that the runs of the latest revision want. */
    bool ready;          /* all counted; else COUNTED of the runs are */
    double counted;      /* 0..1 */
    uint64_t runs;       /* of the latest revision */
    uint64_t base, span; /* step of job number BASE + i is step_of[i] - 1; 0: it wants it not */
    uint16_t *step_of;
    struct ledger_step *step;
    size_t steps;
    struct ledger_edge *edge;
    size_t edges;
    struct ledger_counts n;
    uint64_t outcome[LEDGER_OUTCOMES]; /* of ended attempts of its jobs */
    struct ledger_pulse pulse;
};

/* An attempt that ended. */
struct ledger_attempt {
    int64_t started_ms;
    uint32_t ms; /* from its start to its end */
    uint32_t id, job, worker;
    uint8_t outcome;
};
/* One that did not, as the store tells; most running ones are not in the store at all. */
struct ledger_open {
    uint64_t id, job, worker;
    int64_t started_ms;
};

struct ledger_worker {
    uint64_t id, done, failed;
    double busy_ms;
    int64_t last_ms; /* end of its last attempt */
};

/* What is lent out. */
struct ledger_view {
    bool ready;   /* the first filling is over */
    double share; /* of it, 0..1 */
    int64_t as_of_ms;
    uint64_t version;                           /* grows when anything here changes */
    const uint8_t *state;                       /* of job number i: enum ledger_state */
    uint64_t jobs;                              /* numbers are below */
    const struct ledger_experiment *experiment; /* by id */
    size_t experiments;
    const struct ledger_attempt *attempt; /* in the order in which they were seen, about that of
                                             their ends */
    size_t attempts;
    uint64_t forgotten; /* attempts beyond the limit */
    const struct ledger_open *open;
    size_t opens;
    const struct ledger_worker *worker; /* by id; those with attempts */
    size_t workers;
};

struct ledger;
/* PATH is read by a thread from now on; it sleeps when nobody has held the ledger for
 * LEDGER_AWAKE_MS. */
enum { LEDGER_AWAKE_MS = 10000, LEDGER_LOOK_MS = 500 };
int ledger_new(struct ledger **ret, const char *path, struct err *err) MUST_CHECK;
/* Without a thread: ledger_fill() and ledger_follow() by hand; for tests. */
int ledger_new_quiet(struct ledger **ret, const char *path, struct err *err) MUST_CHECK;
void ledger_free(struct ledger *l); /* NULL is fine */
void ledger_cleanup(struct ledger **l);

/* For reading, until ledger_give(). When it slept, it is given up to WAIT_MS to catch up first. */
const struct ledger_view *ledger_hold(struct ledger *l, uint32_t wait_ms);
void ledger_give(struct ledger *l);
/* Grows when anything in it changes; any thread, never waits for long; L may be NULL. */
uint64_t ledger_version(struct ledger *l);
/* While held: NULL: no such experiment, worker. */
const struct ledger_experiment *ledger_experiment(const struct ledger_view *v, uint64_t id);
const struct ledger_worker *ledger_worker(const struct ledger_view *v, uint64_t id);
/* Place of JOB's step in E; -1: E does not want it. */
int ledger_step_of(const struct ledger_experiment *e, uint64_t job);

/* What was made of the store about experiment ID at the cost of COST_MS, kept for others: for
 * twenty times its cost, LEDGER_MEMO_MS at most, so that making it again takes a twentieth of a
 * core. SOON: it is not whole yet, keep it for its cost only. L may be NULL: nothing is kept. */
enum { LEDGER_MEMOS = 64, LEDGER_MEMO_MS = 20000 };
void ledger_remember(struct ledger *l, uint64_t id, const char *text, size_t len, uint64_t cost_ms,
                     bool soon);
/* Appended to RET; false: nothing, or it is too old. */
bool ledger_recall(struct ledger *l, uint64_t id, struct buf *ret);

/* Everything that is there now / what changed since. */
int ledger_fill(struct ledger *l, struct err *err) MUST_CHECK;
int ledger_follow(struct ledger *l, struct err *err) MUST_CHECK;

#endif
