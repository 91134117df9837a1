/* SPDX-License-Identifier: Apache-2.0 */
/* action.h - what the scheduler wants done. Users include sched.h. */
#ifndef COORDINATOR_CORE_ACTION_H
#define COORDINATOR_CORE_ACTION_H

#include "coordinator/core/types.h"

enum sched_action_kind {
    /* STORE actions: one transaction, before any of the others. After each kind, its fields. */
    ACT_STORE_RESERVE,       /* attempt: no id up to this one is ever a first_attempt again */
    ACT_STORE_ATTEMPT_START, /* job, attempt, epoch, worker, begun_ms: the attempt gets its row */
    ACT_STORE_EXAMPLE,     /* job, attempt, epoch: the event's example; a stored one is compared */
    ACT_STORE_CHECKPOINT,  /* job, attempt, epoch: the event's checkpoint */
    ACT_STORE_RESULT,      /* job, attempt, epoch, cause DONE or DIVERGED, whole, worker, begun_ms:
                            * the job is done */
    ACT_STORE_ATTEMPT_END, /* job, attempt, epoch, cause, counted, began, whole, worker, begun_ms:
                            * one per attempt, after its result */
    ACT_STORE_JOB,         /* job, state, cause, tries, losses: see enum sched_job_state */
    ACT_COMPARE,           /* attempt, epoch, worker, job as the worker says (0: it does not): the
                            * event's result is late: when its job has a committed result compare
                            * and count them; no state changes, and no job gets a result by it */
    /* The others. */
    ACT_SEND_WELCOME, /* peer, worker, keep, drop */
    ACT_SEND_REFUSE,  /* peer, code: ERR_STALE, say Hello (again); ERR_LIMIT, too many workers */
    ACT_SEND_LEASE,   /* peer, worker, job, attempt, epoch */
    ACT_SEND_ACK,     /* peer, seq, code: 0, ERR_STALE or ERR_CANCELLED */
    ACT_SEND_CANCEL,  /* peer, attempt, epoch */
    ACT_SEND_DRAIN,   /* peer, worker: finish or save what runs, return what waits, leave */
    ACT_LOAD,         /* experiment, want, fresh; experiment 0: which ones have ready jobs? */
    ACT_TRACE,        /* trace, job, attempt, epoch, worker, cause: for the log; unused ones 0 */
    SCHED_ACTION_KINDS
};

#define SCHED_TRACES(X)                                                                            \
    X(TRACE_LEASED, "leased")                                                                      \
    X(TRACE_ADOPTED, "lease_adopted")       /* an attempt of before goes on with its worker */     \
    X(TRACE_EXPIRED, "lease_expired")       /* no progress for lease_ms */                         \
    X(TRACE_ENDED, "attempt_ended")         /* by cause */                                         \
    X(TRACE_STALE, "stale_result")          /* result or example of an attempt that is over */     \
    X(TRACE_WORKER_NEW, "worker_new")       /* a Hello of an unknown worker */                     \
    X(TRACE_WORKER_BACK, "worker_back")     /* a Hello of a known worker */                        \
    X(TRACE_WORKER_QUIET, "worker_quiet")   /* not heard of for quiet_ms */                        \
    X(TRACE_WORKER_PAUSED, "worker_paused") /* it refused a lease */                               \
    X(TRACE_WORKER_GONE, "worker_gone")     /* Goodbye, or not heard of for lease_ms */            \
    X(TRACE_QUARANTINE, "job_quarantined")  /* job: so many workers died with it */                \
    X(TRACE_RESERVED, "worker_reserved")    /* worker, job: it empties for that one */

enum sched_trace {
#define X(NAME, TEXT) NAME,
    SCHED_TRACES(X)
#undef X
        SCHED_TRACES_LEN
};

struct sched_action {
    enum sched_action_kind kind;
    enum sched_trace trace;
    enum sched_cause cause;
    enum sched_job_state state;
    int code;
    uint32_t epoch;
    uint32_t tries, losses;
    uint32_t want;
    uint32_t keep_len, drop_len;
    bool whole;   /* the attempt has no row: one INSERT makes it, with its end */
    bool counted; /* LOST is the job's own doing */
    bool began;   /* END: it ran, as far as can be told; else a .whole one needs no row */
    bool fresh;   /* LOAD: from the top; else it may go on where the experiment's last one ended */
    const struct sched_held *keep, *drop; /* inside the struct sched_actions */
    uint64_t peer, worker, job, attempt, seq;
    uint64_t begun_ms; /* of the attempt, on the core's clock */
    uint64_t experiment;
};

/* What a step returns, 2 MB: one for the life of the shell. */
struct sched_actions {
    size_t len;
    size_t stores_len; /* v[0..stores_len-1] are the STORE actions */
    struct sched_action v[SCHED_ACTIONS_MAX];
    struct sched_held held[SCHED_HELD_MAX];
};

#endif
