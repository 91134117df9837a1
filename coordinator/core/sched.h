/* SPDX-License-Identifier: Apache-2.0 */
/* sched.h - the scheduler: which worker runs which job, until when, and what a message may change.
 *
 * Pure: events in, actions out. No clock, no I/O, no allocation: time arrives with the events
 * (milliseconds of the coordinator's monotonic clock, never going back) and all memory is given at
 * sched_init(). One thread.
 *
 *     EV_JOB          lease                     result DONE, DIVERGED
 *   --------> READY --------> LEASED ------------------------------------> DONE (leaves)
 *              | ^             | | |  FAILED, OOM, TIMEOUT without retries left;
 *              | |  other ends | | |  LOST for the losses_max-th time
 *              | +-------------+ | +-------------------------------------> FAILED (leaves)
 *              |  cancel         | cancel
 *              |                 +------> CANCELLING --- other ends -----+
 *              |                              |                          |
 *              |                              +- result -> DONE          v
 *              +-----------------------------------------------------> CANCELLED (leaves)
 *
 * A job is in the core while it is in the window of ready jobs or has a lease. An attempt is one
 * lease of a job; (attempt, epoch) of the current lease is the only pair from which results are
 * accepted. Attempt ids are incarnation << 40 | counter, so they never repeat; the epoch of a job
 * grows by one with each attempt.
 *
 * The shell's duties:
 *  1. Carry out a step's actions in order. Its STORE actions come first and belong to one
 *     transaction. Several steps may share one (group commit): then the STORE actions of all of
 *     them are committed before any of their SENDs leaves. A LOAD sees the STORE actions before
 *     it. When a commit fails the core is ahead of the store: end the process.
 *  2. STORE_EXAMPLE, STORE_RESULT and COMPARE speak of the message that the step's event stands
 *     for.
 *  3. At start: a new incarnation number is durable before EV_START; then one EV_OPEN for each
 *     attempt that the store shows as begun and not ended; then the network.
 *  4. LOAD want: EV_JOB for the first WANT jobs of the store, by priority (falling), then id, that
 *     are ready, have no open attempt and are unknown to sched_has_job(); then EV_LOADED with
 *     their number. A scan meets at most window + leases known rows for window / 2 new ones.
 *     A job that is held (its experiment is paused) is not given.
 *  5. EV_READY when jobs of the store became ready (a submit, dependents of a result), after the
 *     commit.
 *     EV_CHANGE when what the store says of jobs changed: in the step after, before their next LOAD
 *     is answered; also after EV_OPEN of a job that is held.
 *  6. EV_TICK when sched_next_timeout() is due.
 *
 * The worker's duties:
 *  - Hello comes first on a connection and lists every attempt held, those finished and not acked
 *    too. Refuse ERR_STALE: say Hello again (the coordinator restarted, thought the worker gone, or
 *    hears of an attempt that the last Hello did not list); nothing was done with the message.
 *    After Welcome: give up what was listed and is not kept, send un-acked results again.
 *  - Renew names attempts whose progress counter moved. A worker without a free slot answers a
 *    Lease with a JobResult PREEMPTED; it then gets no lease for pause_ms.
 *  - Ack 0: durable. ERR_STALE: the attempt is over, forget it. ERR_CANCELLED: stop the attempt,
 *    its JobResult is awaited. Cancel: the same. With any code the message is done with. */
#ifndef COORDINATOR_CORE_SCHED_H
#define COORDINATOR_CORE_SCHED_H

#include "coordinator/core/action.h"
#include "coordinator/core/event.h"
#include "coordinator/core/types.h"

struct sched;

/* Bytes of memory for LIMITS. */
size_t sched_size(const struct sched_limits *limits);
/* A scheduler in MEMORY: sched_size() bytes, 64-byte aligned, freed by the caller after use. */
struct sched *sched_init(void *memory, const struct sched_limits *limits);

/* Take one event; *RET is overwritten with what is to be done and stays valid until the next step.
 * What came from outside is checked here (unknown peers, attempts that are over); the shell's own
 * mistakes and the limits of types.h are asserted. */
void sched_step(struct sched *s, const struct sched_event *e, struct sched_actions *ret);

/* When EV_TICK is due; not in the future when work is left over. UINT64_MAX: never. */
uint64_t sched_next_timeout(const struct sched *s);

/* True when everything agrees with everything. O(jobs + leases + workers): for tests and the
 * simulator after each step; sched_step() itself asserts what concerns the objects it touches. */
bool sched_invariant(const struct sched *s);

bool sched_has_job(const struct sched *s, uint64_t job);

/* Every rule that keeps JOB from running, or what runs it. */
enum sched_why_rule {
    WHY_NOT_HERE = BIT(0),   /* outside the window: waits for inputs or its turn, or is over */
    WHY_RUNNING = BIT(1),    /* .attempt at .worker */
    WHY_CANCELLING = BIT(2), /* .worker was told */
    WHY_REATTACH = BIT(3),   /* kept until .until_ms for the worker of before the restart */
    WHY_NO_CLASS = BIT(4),   /* no connected worker offers its numeric class */
    WHY_NO_CREDIT = BIT(5),  /* those that do are full, draining, quiet, paused or unreachable */
    WHY_BEHIND = BIT(6),     /* .ahead ready jobs of its class come first */
    WHY_HELD = BIT(7),       /* it runs, but would not be tried again now */
};
struct sched_why {
    unsigned rules;
    uint8_t class;
    uint32_t ahead;
    uint32_t epoch;
    uint64_t worker, attempt, until_ms;
};
struct sched_why sched_why(const struct sched *s, uint64_t job);

/* Gauges. */
struct sched_counts {
    uint32_t ready, leased, waiting; /* jobs; waiting: for their worker of before the restart */
    uint32_t workers, workers_free;  /* free: might get a lease now */
};
struct sched_counts sched_counts(const struct sched *s);

/* WORKER as the core sees it; false: unknown. */
struct sched_worker_view {
    uint64_t worker, peer, heard_ms;
    uint32_t credits, used;
    bool quiet, paused; /* peer 0: unreachable until its next Hello */
    uint64_t classes;
};
bool sched_worker(const struct sched *s, uint64_t worker, struct sched_worker_view *ret);

const char *sched_cause_name(enum sched_cause cause);
const char *sched_trace_name(enum sched_trace trace);
const char *sched_job_state_name(enum sched_job_state state);

#endif
