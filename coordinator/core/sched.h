/* SPDX-License-Identifier: Apache-2.0 */
/* sched.h - the scheduler: which worker runs which job, until when, and what a message may change.
 *
 * Pure: events in, actions out. No clock, no I/O, no allocation: time arrives with the events
 * (milliseconds of the coordinator's monotonic clock, never going back) and all memory is given at
 * sched_init(). One thread.
 *
 *     EV_JOB          lease                     result DONE, DIVERGED
 *   --------> READY --------> LEASED ------------------------------------> DONE (leaves)
 *              ^ ^ |           | | |  FAILED, OOM, TIMEOUT without retries left;
 *              | | |           | | |  LOST for the losses_max-th time
 *              | | | other ends| | +-------------------------------------> FAILED (leaves)
 *              | +-|-----------+ | cancel
 *              |   |           | +------> CANCELLING --- other ends -----+
 *         time |   | failures  |               |                         |
 *              |   | cancel    |               +- result -> DONE         v
 *              |   +-----------|--------------------------------------> CANCELLED (leaves)
 *              RESTING <-------+                                         ^
 *                 +------------ cancel ----------------------------------+
 *
 * A job is in the core while it is in the window of its experiment's ready jobs or has a lease. An
 * attempt is one lease of a job; (attempt, epoch) of the current lease is the only pair from which
 * results are accepted. Attempt ids are dense numbers from first_attempt on, taken in blocks that
 * ACT_STORE_RESERVE makes durable, so they never repeat; the epoch of a job grows by one with each
 * attempt.
 *
 * A lease is not written. ACT_STORE_ATTEMPT_START comes at the first moment that is durable: an
 * example, a checkpoint, a renewal that moved, a cancel; before the lease for jobs that are .eager;
 * an attempt that comes to its end without has .whole in its RESULT or END. After a restart EV_OPEN
 * tells of attempts that were stored; others are dropped by their workers, which say Hello.
 *
 * Which job comes next: the highest priority; then the experiment that used less: core-time of what
 * ended and what runs, by estimate or as long as it runs, counted from the moment when it came (so
 * nobody starves, and nobody saves up by waiting); then age. A job that must wait for several
 * cores, for memory or for a worker of its own, and is the first in that order, gets a worker
 * reserved, which then takes nothing else.
 *
 * What a worker takes: a lease per slot, within its cores and memory, only of classes that it
 * offers and labels that it has. Beyond its slots it gets leases ahead, as many as its queue takes
 * and for no more than ahead_ms of estimated time per slot: only jobs whose shape has a known time,
 * and none that ask for cores or memory.
 *
 * A worker may say how long it stays. It gets no lease when that is less than left_min_ms, and no
 * job that is known to take longer, unless the job resumes. Such jobs are queued apart, by how much
 * time they need, so that shorter ones pass them where they would have to wait.
 *
 * After FAILED, OOM and TIMEOUT a job rests for backoff_ms * 2^(tries - 1), at most backoff_max_ms;
 * also when it comes as EV_JOB with tries > 0. A job that was LOST quarantine times (of those that
 * ran, not those that waited, when their worker went) rests likewise and runs alone: on a worker
 * that has nothing else and gets nothing else.
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
 *  4. LOAD experiment, want: EV_JOB for the first WANT jobs of the store, by priority (falling),
 *     then id, that are on this experiment's account, are ready, have no open attempt and are
 *     unknown to sched_has_job(); then EV_LOADED with their number. A job that is held (its
 *     experiment is paused) is not given. One LOAD is there at a time: the next one comes with or
 *     after its EV_LOADED. LOAD with experiment 0: an EV_READY for each experiment that has ready
 *     jobs, then EV_LOADED.
 *  5. EV_READY when jobs of the store became ready (a submit, dependents of a result), after the
 *     commit, for each experiment.
 *     EV_CHANGE when what the store says of jobs changed: in the step after, before their next LOAD
 *     is answered; also after EV_OPEN of a job that is held.
 *  6. EV_TICK when sched_next_timeout() is due.
 *
 * The worker's duties:
 *  - Hello comes first on a connection and lists every attempt held, those finished and not acked
 *    too. Refuse ERR_STALE: say Hello again (the coordinator restarted, thought the worker gone, or
 *    hears of an attempt that the last Hello did not list); nothing was done with the message.
 *    After Welcome: give up what was listed and is not kept, send un-acked results again.
 *  - Leases begin in the order in which they came. Renew names attempts whose progress counter
 *    moved. A worker without room for a Lease answers with a JobResult PREEMPTED; it then gets no
 *    lease for pause_ms.
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

/* True when everything agrees with everything. O(jobs + leases + workers) of those that were ever
 * used: for tests and the simulator after each step; sched_step() itself asserts what concerns the
 * objects it touches. */
bool sched_invariant(const struct sched *s);

bool sched_has_job(const struct sched *s, uint64_t job);

/* Every rule that keeps JOB from running, or what runs it. */
enum sched_why_rule {
    WHY_NOT_HERE = BIT(0),   /* outside the window: waits for inputs or its turn, or is over */
    WHY_RUNNING = BIT(1),    /* .attempt at .worker, for which it has at most .ahead before it */
    WHY_CANCELLING = BIT(2), /* .worker was told */
    WHY_REATTACH = BIT(3),   /* kept until .until_ms for the worker of before the restart */
    WHY_NO_CLASS = BIT(4),   /* no connected worker offers its numeric class */
    WHY_NO_CREDIT = BIT(5),  /* those that could are full, draining, quiet, paused, unreachable */
    WHY_BEHIND = BIT(6),     /* .ahead ready jobs of its class come first */
    WHY_HELD = BIT(7),       /* it runs, but would not be tried again now */
    WHY_BACKOFF = BIT(8),    /* it failed .tries times and rests until .until_ms */
    WHY_QUARANTINE = BIT(9), /* .losses workers were lost with it: it runs alone */
    WHY_NO_LABEL = BIT(10),  /* of those that offer its class none has the labels .labels */
    WHY_NO_CORES = BIT(11),  /* of those none has .cores in all, .best is the most */
    WHY_NO_MEMORY = BIT(12), /* of those none has .memory_mib in all, .best is the most */
    WHY_SHARE = BIT(13),     /* .other, of the same priority, used less: .other_us, not .used_us */
    WHY_RESERVED = BIT(14),  /* .worker empties for it */
    WHY_WAITS = BIT(15),     /* with RUNNING: .ahead leases came to the worker before it */
    WHY_NO_TIME = BIT(16),   /* of those with the memory none stays so long; .best: ms, the most */
};
struct sched_why {
    unsigned rules;
    uint8_t class;
    uint32_t ahead;
    uint32_t epoch, tries, losses, cores;
    uint64_t worker, attempt, until_ms;
    uint64_t labels, memory_mib, best;
    uint64_t experiment, used_us, other, other_us; /* experiments, and core-time */
    uint64_t est_us;                               /* it takes so long; 0: not known */
};
/* O(jobs here + workers). */
struct sched_why sched_why(const struct sched *s, uint64_t job);

/* ATTEMPT, as long as it has a lease; false: unknown. O(1). */
struct sched_attempt_view {
    uint64_t job, worker, peer; /* 0: no worker yet, nothing reaches it */
    uint64_t begun_ms;
    uint32_t epoch;
    bool active; /* its result would be accepted */
    bool stored; /* it has a row */
    bool ran;    /* as far as is known it has begun, and does not wait for a slot */
};
bool sched_attempt(const struct sched *s, uint64_t attempt, struct sched_attempt_view *ret);

/* Gauges. */
struct sched_counts {
    uint32_t ready, resting, leased, waiting; /* jobs; waiting: for their worker of before */
    uint32_t workers, workers_free;           /* free: might get a lease now */
    uint32_t experiments;
};
struct sched_counts sched_counts(const struct sched *s);

/* WORKER as the core sees it; false: unknown. */
struct sched_worker_view {
    uint64_t worker, peer, heard_ms;
    uint32_t slots, queue, used; /* used: leases held; beyond the slots they wait */
    uint32_t ran;                /* of them have begun */
    uint32_t cores, cores_used;
    uint64_t memory_mib, memory_used_mib, ahead_us; /* ahead_us: estimated, of all it holds */
    bool quiet, paused;                             /* peer 0: unreachable until its next Hello */
    bool draining; /* asked to leave by EV_DRAIN; slots 0: by itself */
    uint64_t classes, labels;
    uint64_t until_ms; /* it leaves then; UINT64_MAX: it does not know of an end */
};
bool sched_worker(const struct sched *s, uint64_t worker, struct sched_worker_view *ret);

const char *sched_cause_name(enum sched_cause cause);
const char *sched_trace_name(enum sched_trace trace);
const char *sched_job_state_name(enum sched_job_state state);

#endif
