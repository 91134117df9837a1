/* SPDX-License-Identifier: Apache-2.0 */
/* types.h - the scheduler's words: limits, causes, states, jobs. Users include sched.h. */
#ifndef COORDINATOR_CORE_TYPES_H
#define COORDINATOR_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/macros.h"

enum {
    SCHED_JOB_BLOBS = 8,    /* affinity digests per job: a model and its few companions */
    SCHED_CLASSES = 64,     /* numeric classes: bits of a mask */
    SCHED_LABELS = 64,      /* labels: bits of a mask; the shell gives the numbers */
    SCHED_SLOTS_MAX = 256,  /* of one worker: one per core of a large host */
    SCHED_QUEUE_MAX = 1024, /* leases that wait at one worker: 20 ms at 50,000 jobs/s */
    SCHED_CREDITS_MAX = SCHED_SLOTS_MAX + SCHED_QUEUE_MAX, /* leases of one worker */
    /* Attempts in one Hello or Renew: those of its credits, the results that are not acked, and
     * some room; the shell refuses longer messages. */
    SCHED_HELD_MAX = 4096,
    /* Actions of one step, 128 bytes each; what a step does not use is not touched. The largest
     * event is a Hello that names 4096 attempts (one action each), adopts some of 1280 leases (2
     * each) and loses others (3 each): 11000 are kept free for it; the rest takes the leases that
     * are given out (4 actions each) or expire (5) in the same step. What finds no room is due at
     * once: sched_next_timeout() returns the present. */
    SCHED_ACTIONS_MAX = 16384,
};

/* How an attempt ended. The numbers are those of Outcome in drover.proto: append-only. */
#define SCHED_CAUSES(X)                                                                            \
    X(CAUSE_DONE, 0, "done")           /* a result */                                              \
    X(CAUSE_FAILED, 1, "failed")       /* spends a retry */                                        \
    X(CAUSE_OOM, 2, "oom")             /* spends a retry */                                        \
    X(CAUSE_TIMEOUT, 3, "timeout")     /* spends a retry */                                        \
    X(CAUSE_PREEMPTED, 4, "preempted") /* free: the worker gave it back in good order */           \
    X(CAUSE_CANCELLED, 5, "cancelled") /* asked for */                                             \
    X(CAUSE_LOST, 6, "lost")           /* free, but losses_max of them fail the job */             \
    X(CAUSE_DIVERGED, 7, "diverged")   /* a result, committed as such */                           \
    X(CAUSE_SKIPPED, 8, "skipped")     /* its input never comes; only the store sets it */

enum sched_cause {
#define X(NAME, VALUE, TEXT) NAME = VALUE,
    SCHED_CAUSES(X)
#undef X
        SCHED_CAUSES_LEN
};

/* The states of sched.h's diagram. ACT_STORE_JOB says READY (also for RESTING), CANCELLING, FAILED
 * or CANCELLED; a job's end with a result is told by ACT_STORE_RESULT. */
enum sched_job_state {
    JOB_READY,
    JOB_RESTING, /* it failed: ready again at a time */
    JOB_LEASED,
    JOB_CANCELLING, /* a worker still holds it; the store keeps this over a restart, see EV_OPEN */
    JOB_DONE,
    JOB_FAILED,
    JOB_CANCELLED,
    SCHED_JOB_STATES
};

/* Capacities and times; all > 0 (asserted). With the values in brackets sched_size() is about 160
 * MB: 300 bytes per job (experiments * window + leases), 200 per lease, 300 + 8 * worker_blobs per
 * worker, hash tables included; what was never used is never touched, but for the tables of the
 * maps (16 MB). */
struct sched_limits {
    uint32_t window;         /* ready jobs held per experiment (1024: LOADs of 512 every 10 ms at
                              * 50,000 jobs/s) */
    uint32_t experiments;    /* held at a time (256); more wait until one has nothing left here */
    uint32_t leases;         /* (131072: 250 workers with 512 each) */
    uint32_t workers;        /* connected (10000) */
    uint32_t worker_blobs;   /* digests remembered per worker, a multiple of 8 (64) */
    uint32_t shapes;         /* whose times are known, a multiple of 4 (4096) */
    uint32_t reserve;        /* attempt ids per ACT_STORE_RESERVE (65536: one per second) */
    uint32_t lease_ms;       /* (30000) a worker not heard of for so long is gone */
    uint32_t quiet_ms;       /* (5000) no new lease after such a silence; <= lease_ms */
    uint32_t pause_ms;       /* (1000) no new lease after a refused one */
    uint32_t reattach_ms;    /* (60000) */
    uint32_t ahead_ms;       /* (200) work that waits at a worker, per slot */
    uint32_t left_min_ms;    /* (5000) no new lease at a worker that leaves sooner; >= 2 * ahead_ms,
                              * so that what waits there has the time, too */
    uint32_t backoff_ms;     /* (1000) rest after the first failure; twice as long after the next */
    uint32_t backoff_max_ms; /* (60000) */
    uint32_t quarantine;     /* (3) losses after which a job runs alone; > losses_max: never */
    uint32_t losses_max;     /* (10) */
};

/* A job as the store knows it. */
struct sched_job {
    uint64_t id;         /* > 0, growing with submission: FIFO order within a priority */
    uint64_t experiment; /* on whose account it runs; > 0 */
    int32_t priority;    /* the greater goes first */
    uint8_t class;       /* numeric class, a bit number < SCHED_CLASSES */
    uint8_t blobs_len;
    bool eager;   /* its attempts are stored before they are sent: it must not run twice unseen */
    bool resumes; /* an attempt goes on where the one before was cut off: it may be cut off */
    uint64_t blobs[SCHED_JOB_BLOBS]; /* digest_u64 of its inputs, not 0 */
    uint64_t labels;                 /* mask: its worker has all of them */
    uint64_t memory_mib;             /* that it asks for; 0: it does not say */
    uint32_t cores;                  /* that it asks for; 0: a slot's share */
    uint32_t tries;                  /* attempts that ended FAILED, OOM or TIMEOUT */
    uint32_t retries;                /* the job fails when tries > retries */
    uint32_t losses;                 /* attempts LOST that count */
    uint32_t epoch;                  /* of its newest attempt that is stored, 0 if none */
    uint64_t shape;                  /* jobs of one shape take about as long; 0: has none */
    uint64_t est_us;                 /* so long, as far as the store knows; 0: it does not */
};

/* What the store says anew of a job. HELD: nobody wants it for now. */
struct sched_change {
    uint64_t job;
    uint64_t experiment; /* on whose account it runs now; 0: as before */
    int32_t priority;
    bool held;
};

/* An attempt as its worker tells it. */
struct sched_held {
    uint64_t attempt;
    uint32_t epoch;
    uint64_t progress; /* grows with the work */
    bool finished;     /* its result is there, not acked */
};

#endif
