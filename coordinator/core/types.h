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
    SCHED_JOB_BLOBS = 8,     /* affinity digests per job: a model and its few companions */
    SCHED_CLASSES = 64,      /* numeric classes: bits of a mask */
    SCHED_CREDITS_MAX = 256, /* leases of one worker: one slot per core of a large host */
    /* Attempts in one Hello or Renew: a running one per slot and one unacked result of each; the
     * shell refuses longer messages. */
    SCHED_HELD_MAX = 2 * SCHED_CREDITS_MAX,
    /* Actions of one step. The largest event is a Hello, or the end of a worker, that loses 512
     * leases: 3 actions each, and a few. 2048 are kept free for it; the rest takes the leases that
     * are given out (3 actions each) or expire (5) in the same step. What finds no room is due at
     * once: sched_next_timeout() returns the present. */
    SCHED_ACTIONS_MAX = 4096,
    /* Attempt ids: 2^40 per incarnation (254 days at 50,000/s), and 2^23 incarnations, so that an
     * id is a positive 64-bit integer of the store. */
    SCHED_ATTEMPT_BITS = 40,
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

/* The states of sched.h's diagram. ACT_STORE_JOB says READY, CANCELLING, FAILED or CANCELLED; a
 * job's run is told by ACT_STORE_ATTEMPT_START and its end by ACT_STORE_RESULT. */
enum sched_job_state {
    JOB_READY,
    JOB_LEASED,
    JOB_CANCELLING, /* a worker still holds it; the store keeps this over a restart, see EV_OPEN */
    JOB_DONE,
    JOB_FAILED,
    JOB_CANCELLED,
    SCHED_JOB_STATES
};

/* Capacities and times; all > 0 (asserted). With the values in brackets sched_size() is about
 * 4 + 3 + 8 MB: 160 bytes per job (window + leases), 130 per lease, 200 + 8 * worker_blobs per
 * worker, hash tables included. */
struct sched_limits {
    uint32_t window;       /* ready jobs held (4096: two seconds at 2000 jobs/s between LOADs) */
    uint32_t leases;       /* (20000) */
    uint32_t workers;      /* connected (10000) */
    uint32_t worker_blobs; /* digests remembered per worker, a multiple of 8 (64) */
    uint32_t lease_ms;     /* (30000) a worker not heard of for so long is gone */
    uint32_t quiet_ms;     /* (5000) no new lease after such a silence; <= lease_ms */
    uint32_t pause_ms;     /* (1000) no new lease after a refused one */
    uint32_t reattach_ms;  /* (60000) */
    uint32_t losses_max;   /* (5) */
};

/* A job as the store knows it. */
struct sched_job {
    uint64_t id;      /* > 0, growing with submission: FIFO order within a priority */
    int32_t priority; /* the greater goes first */
    uint8_t class;    /* numeric class, a bit number < SCHED_CLASSES */
    uint8_t blobs_len;
    uint64_t blobs[SCHED_JOB_BLOBS]; /* digest_u64 of its inputs, not 0 */
    uint32_t tries;                  /* attempts that ended FAILED, OOM or TIMEOUT */
    uint32_t retries;                /* the job fails when tries > retries */
    uint32_t losses;                 /* attempts LOST */
    uint32_t epoch;                  /* of its newest attempt, 0 if none */
};

/* What the store says anew of a job. HELD: nobody wants it for now. */
struct sched_change {
    uint64_t job;
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
