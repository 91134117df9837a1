/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - what a seed draws: sizes, faults, times; and the messages of the simulated network.
 * Users include sim.h. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stddef.h>
#include <string.h>

#include "coordinator/core/sched.h"
#include "tests/sim/book.h"

/* A row per fault. Rates are per second of virtual time and host; 0 = never. */
struct sim_conf {
    uint32_t jobs, hosts, slots, queue; /* queue: leases that a worker keeps waiting */
    uint32_t delay_min_ms, delay_mean_ms;
    double cut;            /* the connection breaks, what is under way is lost */
    bool silent;           /* the worker does not notice, and its peer id stays */
    double duplicate;      /* share of messages that arrive twice */
    bool reorder;          /* messages overtake each other */
    double partition;      /* nothing gets through for a while; one way or both */
    uint32_t partition_ms; /* mean */
    double kill;           /* the worker process vanishes, a new one starts later */
    double stop;           /* SIGSTOP ... SIGCONT */
    uint32_t stop_ms;      /* mean */
    double drain;          /* SIGTERM */
    double ends;           /* share of the worker processes that have an end, as in a cluster's */
    uint32_t ends_ms;      /* allocation: mean time until then, when they drain */
    bool reuse;            /* a new connection may get the peer id of an old one */
    double twice;          /* share of results, examples, checkpoints that are told again later */
    /* The coordinator vanishes: per action, per commit (in front of it or behind it), per send. */
    double crash_action, crash_commit, crash_send;
    double stall; /* per second: the coordinator is stopped for about stop_ms */
    double leap;  /* its clock leaps forward, by about leap_ms; a host's does, too */
    uint32_t leap_ms;
    double slow_disk; /* share of commits that take about slow_ms */
    uint32_t slow_ms;
    double full_disk; /* per second: nothing can be written for about full_ms */
    uint32_t full_ms;
    uint32_t group_ms;                  /* commits wait up to so long for company */
    double hang, fail, poison, diverge; /* shares of jobs that do so */
    uint32_t cancels;                   /* jobs that are cancelled at some time */
    uint32_t controls;                  /* requests to pause, resume, try again... */
    bool resources;                     /* jobs ask for labels, cores, memory */
    bool quick;                         /* most jobs take some milliseconds */
    uint32_t losses_max, quarantine, experiments;
    uint32_t faults_end_ms, limit_ms;
    bool steady; /* every time is its mean */
};

enum {
    LEASE_MS = 1000,
    RENEW_MS = 160,
    HEARTBEAT_MS = 100,
    QUIET_MS = 400,
    PAUSE_MS = 50,
    WAIT_MS = 600, /* a lease waits no longer for a slot */
    REATTACH_MS = 1500,
    AHEAD_MS = 200,
    LEFT_MIN_MS = 400,
    BACKOFF_MS = 100,
    BACKOFF_MAX_MS = 700,
    RESERVE = 7,
};

enum msg_kind {
    M_HELLO,
    M_CREDITS,
    M_HEARTBEAT,
    M_RENEW,
    M_EXAMPLE,
    M_CHECKPOINT,
    M_RESULT,
    M_GOODBYE,
    M_WELCOME,
    M_REFUSE,
    M_LEASE,
    M_ACK,
    M_CANCEL,
    M_DRAIN,
};
enum { TO_COORDINATOR, TO_HOST };

struct msg {
    enum msg_kind kind;
    uint64_t peer, worker;
    uint64_t attempt, seq, job, value, incarnation;
    uint32_t epoch, total, queue, example, finished; /* finished: mask of durable examples */
    uint32_t wall_ms;                                /* Result */
    uint32_t step;   /* Checkpoint: made after it; Lease: to go on from, 0: none */
    uint64_t points; /* Checkpoint, Result: mask of the steps whose metrics it brings */
    uint64_t classes, labels, memory_mib, remaining_ms;
    uint32_t cores;
    int code;
    enum sched_cause outcome;
    enum msg_kind acks; /* Ack: what it answers, with that one's fields; not told to the worker */
    uint32_t keep_len, drop_len; /* Hello, Renew: keep is what is held */
    /* Keep, then drop; last, as only what is used is copied. */
    struct sched_held held[2 * HELD_MAX];
};

/* An empty message: all but its list, of which nobody reads more than was put there. */
static inline void msg_init(struct msg *msg, enum msg_kind kind)
{
    memset(msg, 0, offsetof(struct msg, held));
    msg->kind = kind;
}
static inline const struct sched_held *msg_drop(const struct msg *msg)
{
    return msg->held + msg->keep_len;
}
static inline size_t msg_size(const struct msg *msg)
{
    return offsetof(struct msg, held) + (msg->keep_len + msg->drop_len) * sizeof *msg->held;
}

/* What struck, and what followed from it: counted by seeds. */
enum fault {
    F_CUT,
    F_DUPLICATE,
    F_REORDER,
    F_PARTITION,
    F_KILL,
    F_STOP,
    F_DRAIN,
    F_CRASH,
    F_CRASH_STORE,
    F_CRASH_COMMIT,
    F_CRASH_ACK,
    F_CRASH_SEND,
    F_STALL,
    F_LEAP,
    F_HOST_LEAP,
    F_SLOW_DISK,
    F_FULL_DISK,
    F_LOSS,
    F_REUSE,
    F_TWICE,
    F_KILL_QUEUE,
    F_QUEUED,
    F_WITHDRAWN,
    F_REFUSED,
    F_HANG,
    F_FAIL,
    F_POISON,
    F_CANCEL,
    F_LATE_RESULT,
    F_ADOPTED,
    F_PAUSE,
    F_PRIORITY,
    F_RETRY,
    F_GO_ON,
    F_ORPHAN,
    F_DRAIN_NAMED,
    F_AHEAD,
    F_BACKOFF,
    F_QUARANTINE,
    F_RESERVED,
    F_UNSTORED_LATE,
    F_UNSTORED_DROPPED,
    F_MOVED,
    F_ENDS,
    F_LEAVES,
    F_PASSED,
    FAULTS
};

#endif
