/* SPDX-License-Identifier: Apache-2.0 */
/* event.h - what the scheduler is told. Users include sched.h. */
#ifndef COORDINATOR_CORE_EVENT_H
#define COORDINATOR_CORE_EVENT_H

#include "coordinator/core/types.h"

enum sched_event_kind {
    EV_START,  /* .start: the first event */
    EV_OPEN,   /* .open: an attempt of before the restart, kept for its worker for reattach_ms */
    EV_JOB,    /* .job: an answer to LOAD; a known job is ignored */
    EV_LOADED, /* .loaded: the answer's end */
    EV_READY,  /* .ready: jobs of an experiment became ready in the store */
    EV_CANCEL, /* .cancel: nothing happens when the core does not know the job */
    EV_CHANGE, /* .change: ready jobs go back to the store, which gives those that are wanted again;
                * running ones go on. Unknown ones: nothing happens */
    EV_DRAIN,  /* .drain: the worker is asked to leave and gets nothing more */
    EV_TICK,   /* time passes */
    /* From workers, with .peer. A peer without a Hello is answered Refuse ERR_STALE. */
    EV_HELLO,
    EV_CREDITS,     /* .credits: its slots and queue now; 0 slots: it drains */
    EV_HEARTBEAT,   /* it lives */
    EV_RENEW,       /* .renew */
    EV_EXAMPLE,     /* .result, outcome unused */
    EV_CHECKPOINT,  /* .result, outcome unused */
    EV_RESULT,      /* .result; peer 0: the shell ends the attempt (its inputs are gone), no ack */
    EV_GOODBYE,     /* .goodbye: leases left end PREEMPTED */
    EV_UNREACHABLE, /* messages to it were dropped: no new leases until its next Hello */
    SCHED_EVENTS
};

struct sched_event {
    enum sched_event_kind kind;
    uint64_t now_ms;
    uint64_t peer; /* the connection, as the transport names it; > 0 */
    union {
        struct {
            uint32_t incarnation;   /* > 0, greater than every earlier one */
            uint64_t first_attempt; /* > 0; neither given out nor reserved before, nor any after */
        } start;
        struct {
            struct sched_job job; /* job.epoch is the attempt's */
            uint64_t attempt;     /* < start.first_attempt */
            uint64_t holder; /* the worker that it was given to, as EV_HELLO names it; 0: unknown */
            bool cancelling; /* the store says JOB_CANCELLING: cancelled now */
        } open;
        struct sched_job job;
        struct {
            uint64_t experiment; /* as in the LOAD */
            uint32_t given;
        } loaded;
        struct {
            uint64_t experiment;
            int32_t priority; /* the highest among them */
        } ready;
        struct {
            uint64_t job;
        } cancel;
        struct {
            const struct sched_change *v;
            size_t len;
        } change;
        struct {
            uint64_t worker;
        } drain;
        struct {
            uint64_t worker; /* its 16 bytes as a number > 0; under a new peer it is still
                              * the same worker */
            uint64_t holder; /* its lasting name in the store, as in EV_OPEN; 0: it has none */
            uint32_t slots;  /* leases that run at one time; at most SCHED_SLOTS_MAX count */
            uint32_t queue;  /* that may wait there beside them; at most SCHED_QUEUE_MAX count */
            uint32_t cores;  /* that its jobs together may use; 0: one per slot */
            uint64_t memory_mib;   /* likewise; 0: it does not say */
            uint64_t remaining_ms; /* until it leaves by itself; 0: it does not know of an end */
            uint64_t classes;      /* mask */
            uint64_t labels;       /* mask */
            const uint64_t *blobs; /* digest_u64 of its cache; as many as fit are remembered */
            size_t blobs_len;
            const struct sched_held *held;
            size_t held_len; /* <= SCHED_HELD_MAX */
        } hello;
        struct {
            uint32_t slots, queue; /* as in hello */
        } credits;
        struct {
            const struct sched_held *held;
            size_t held_len; /* <= SCHED_HELD_MAX */
        } renew;
        struct {
            uint64_t attempt;
            uint32_t epoch;
            uint64_t seq; /* echoed in the ack */
            enum sched_cause outcome;
            uint64_t wall_us; /* EV_RESULT: it ran so long; 0: unknown */
            uint64_t job;     /* EV_RESULT: whose it is, as the worker says; 0: it does not */
        } result;
        struct {
            uint64_t seq;
        } goodbye;
    };
};

#endif
