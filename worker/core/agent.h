/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - what a worker decides: greeting, leases, renewals, results until acked, drain.
 *
 * Pure. Events come in with the time (milliseconds, monotonic), actions go out; the shell carries
 * them out in order and holds all bytes (leases, results). No clock, no I/O, no allocation. One
 * struct agent per process, one thread.
 *
 *            connected            Welcome             drained, nothing held
 *   OFFLINE -----------> GREETING -----------> ONLINE ----------------------> LEAVING ----> GONE
 *      ^                  |    ^    Refuse STALE  |         Goodbye           Ack or time-out  ^
 *      |   disconnected   |    +------------------+                                            |
 *      +------------------+-----------------------+--- refused for good, or the drain's end ---+
 *
 *         Lease             a slot takes it           its job ended              Ack (any code)
 *   FREE ------------> QUEUED -----------------> RUNNING ---------------> FINISHED -------> FREE
 *     |                  |                          |  abandoned: nothing is sent     ^  ^
 *     |                  |                          +---------------------------------+  |
 *     |                  +-- withdrawn (drain, cancel, waited too long): PREEMPTED or   -+
 *     |                  |     CANCELLED; abandoned: FREE                                |
 *     +-- Lease without a place in the queue, or while draining: PREEMPTED --------------+
 *
 * The slots take queued leases by themselves, in order, so that no job waits for the network
 * thread; the agent is told afterwards (STARTED). So to withdraw a queued one is an attempt: the
 * shell answers WITHDRAWN, or a slot was quicker and STARTED comes, whereupon the job is told to
 * stop for the same reason.
 *
 * A held attempt survives the coordinator: while OFFLINE its job goes on, queued ones begin, and
 * Hello offers all that is held. What was offered and is not among the Welcome's kept, or is among
 * its dropped, is abandoned: its job is stopped and its result is thrown away. (A lease that
 * crossed a repeated Hello on its way was not offered, and stays.)
 *
 * No event but TICK, WELCOME, DRAIN and a Hello's costs more when more is held. */
#ifndef WORKER_CORE_AGENT_H
#define WORKER_CORE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    AGENT_SLOTS_MAX = 128,
    AGENT_QUEUE_MAX = 1024, /* leases that wait for a slot: 0.2 s of 5000 jobs/s */
    /* What slots and queue hold, and two times that in results that wait for their acks; leases
     * beyond that are ignored and expire at the coordinator. All fits in one Hello. */
    AGENT_HELD_MAX = 3 * (AGENT_SLOTS_MAX + AGENT_QUEUE_MAX),
    /* The largest step is a Welcome: for each held attempt one action, for running ones two (a
     * stop and an end of its example, or a renewal and an example); and credits. */
    AGENT_ACTIONS_MAX = AGENT_HELD_MAX + AGENT_SLOTS_MAX + 8,
    AGENT_BUCKETS = 4096, /* of attempts by number, which are dense: chains stay short */
};

enum agent_link {
    AGENT_OFFLINE,
    AGENT_GREETING,
    AGENT_ONLINE,
    AGENT_LEAVING,
    AGENT_GONE,
    AGENT_LINKS
};
enum agent_held_state {
    AGENT_FREE,
    AGENT_QUEUED,
    AGENT_RUNNING,
    AGENT_FINISHED,
    AGENT_HELD_STATES
};
/* Why a job was told to stop, weakest first: a stronger reason replaces a weaker one. */
enum agent_reason {
    AGENT_GOES_ON,
    AGENT_PREEMPTED,
    AGENT_CANCELLED,
    AGENT_ABANDONED,
    AGENT_REASONS
};

/* The wire's Outcome, by the same numbers (asserted in the shell). */
enum agent_outcome {
    AGENT_OUTCOME_DONE = 0,
    AGENT_OUTCOME_FAILED = 1,
    AGENT_OUTCOME_OOM = 2,
    AGENT_OUTCOME_TIMEOUT = 3,
    AGENT_OUTCOME_PREEMPTED = 4,
    AGENT_OUTCOME_CANCELLED = 5,
    AGENT_OUTCOME_DIVERGED = 7,
};

/* All in milliseconds. renew and heartbeat are the coordinator's after the first Welcome. */
struct agent_times {
    uint64_t heartbeat_ms;   /* 1000; also from a job's start to its first renewal */
    uint64_t renew_ms;       /* 5000: between its renewals */
    uint64_t resend_ms;      /* 10000: an unacked result is sent again */
    uint64_t hello_ms;       /* 250: first wait for a Welcome; doubles up to hello_max_ms */
    uint64_t hello_max_ms;   /* 8000 */
    uint64_t queue_ms;       /* 5000: what waited so long behind others goes back; 0: never */
    uint64_t drain_ms;       /* 60000: a drain ends at the latest after this */
    uint64_t drain_short_ms; /* 3000: after a second request */
    uint64_t goodbye_ms;     /* 1000: wait for the last Ack */
    uint64_t idle_ms;        /* 0: never; drains when it held nothing for so long */
};
struct agent_times agent_times_default(void);

struct agent_attempt {
    uint64_t attempt;
    uint32_t epoch;
};

struct agent_held {
    enum agent_held_state state;
    struct agent_attempt id;
    uint32_t next;              /* in its bucket, or among the free ones */
    uint32_t slot;              /* RUNNING */
    enum agent_reason reason;   /* QUEUED: it is being withdrawn for this; RUNNING: stop was asked
                                 * for this */
    enum agent_outcome outcome; /* FINISHED */
    bool offered;               /* the last Hello listed it */
    bool example;               /* RUNNING: an example's result waits for its ack */
    uint64_t seq;               /* FINISHED: number of its JobResult; example: that one's */
    uint64_t sent_ms;           /* when that was sent last */
    uint64_t since_ms;          /* QUEUED: since when; RUNNING: start or last renewal */
    bool renewed;               /* RUNNING: at least once */
    uint64_t counter, done, total; /* last snapshot of its progress */
    uint64_t renewed_counter;      /* counter at the last renewal */
};

struct agent {
    struct agent_times times;
    size_t slots, queue;
    size_t capacity; /* of held, in use: by slots and queue */
    enum agent_link link;
    uint64_t incarnation; /* of the coordinator that last welcomed us, 0 at first */
    uint64_t next_seq;    /* 1, 2, ... shared by results and examples: times AGENT_HELD_MAX */
    uint64_t hello_at_ms; /* GREETING: when to say Hello again */
    uint64_t hello_wait_ms;
    uint64_t heartbeat_at_ms;
    uint64_t check_at_ms; /* ONLINE: when to look at renewals and unacked results */
    bool draining;
    uint64_t drain_end_ms;
    uint64_t leave_at_ms; /* LEAVING: gone at this time without an Ack */
    uint64_t idle_at_ms;  /* when it will have been idle for idle_ms; 0: it is not idle */
    bool cut;             /* the drain cut off a job that had begun */
    size_t count[AGENT_HELD_STATES];
    uint32_t held_of_slot[AGENT_SLOTS_MAX]; /* AGENT_HELD_MAX: the slot is idle */
    uint32_t free;                          /* the first free one; AGENT_HELD_MAX: none */
    uint32_t buckets;                       /* in use: a power of two, about the capacity */
    uint16_t bucket[AGENT_BUCKETS];         /* heads of chains; AGENT_HELD_MAX: empty */
    struct agent_held held[AGENT_HELD_MAX];
};

enum agent_event_kind {
    AGENT_EV_CONNECTED,    /* the transport reached the coordinator (again) */
    AGENT_EV_DISCONNECTED, /* the transport lost it */
    AGENT_EV_WELCOME,      /* incarnation, times, kept attempts */
    AGENT_EV_REFUSE,       /* code; seq: the request that was refused, 0: none */
    AGENT_EV_LEASE,        /* attempt */
    AGENT_EV_CANCEL,       /* attempt */
    AGENT_EV_ACK,          /* seqs, code */
    AGENT_EV_STARTED,      /* held, slot: the slot took it from the queue */
    AGENT_EV_WITHDRAWN,    /* held: it is out of the queue, no slot ever took it */
    AGENT_EV_EXAMPLE,      /* slot: its job waits with an example's result, or a checkpoint: what
                            * is called an example here is any message of a job that is acked */
    AGENT_EV_FINISHED,     /* slot: its job returned code */
    AGENT_EV_DRAIN,        /* SIGTERM, or the parent is gone; a second one shortens */
    AGENT_EV_TICK,         /* progress of all slots, taken just now */
    AGENT_EVENTS,
};

struct agent_progress {
    uint64_t counter, done, total;
};

struct agent_event {
    enum agent_event_kind kind;
    struct agent_attempt attempt; /* LEASE, CANCEL */
    size_t held;                  /* STARTED, WITHDRAWN */
    size_t slot;                  /* STARTED, EXAMPLE, FINISHED */
    int code;                     /* REFUSE, ACK, FINISHED: 0 or an err_code */
    uint64_t seq;                 /* REFUSE */
    const uint64_t *seqs;         /* ACK */
    size_t seqs_len;
    uint64_t incarnation;                    /* WELCOME */
    uint32_t renew_ms, heartbeat_ms;         /* WELCOME: 0 leaves ours */
    const struct agent_attempt *keep, *drop; /* WELCOME */
    size_t keep_len, drop_len;
    const struct agent_progress *progress; /* TICK: one per slot */
};

enum agent_action_kind {
    AGENT_SEND_HELLO, /* with every held attempt of struct agent */
    AGENT_SEND_HEARTBEAT,
    AGENT_SEND_CREDITS, /* total, queue */
    AGENT_SEND_RENEW,   /* held, slot */
    AGENT_SEND_EXAMPLE, /* held, slot, seq: first time or again */
    AGENT_SEND_RESULT,  /* held, seq, outcome: first time or again; without bytes of a job it is a
                           refusal of the lease */
    AGENT_SEND_GOODBYE,
    AGENT_QUEUE,    /* held: the lease that is being handled waits for a slot from now on */
    AGENT_WITHDRAW, /* held, reason: out of the queue, if no slot has taken it yet; WITHDRAWN then,
                     * after this step */
    AGENT_STOP,     /* held, slot, reason: raise its stop flag; again when the reason grows
                     * stronger */
    AGENT_END_EXAMPLE, /* slot, code: its job goes on (0), or is told ERR_CANCELLED, ERR_STALE,
                          ERR_PROTO */
    AGENT_FORGET,      /* held: drop the bytes that are kept for it */
    AGENT_EXIT,        /* code 0: drained; else refused, or the drain ran out of time */
    AGENT_ACTIONS,
};

struct agent_action {
    enum agent_action_kind kind;
    size_t held, slot;
    struct agent_attempt attempt;
    uint64_t seq;
    enum agent_outcome outcome;
    enum agent_reason reason;
    int code;
    uint32_t total, queue;
};

struct agent_actions {
    size_t len;
    struct agent_action v[AGENT_ACTIONS_MAX];
};

/* An agent of SLOTS (1..AGENT_SLOTS_MAX, asserted) idle slots and places for QUEUE (at most
 * AGENT_QUEUE_MAX) waiting leases, OFFLINE. */
void agent_init(struct agent *a, size_t slots, size_t queue, const struct agent_times *times);

/* Take event E at NOW_MS; RET_ACTIONS is overwritten with what to do, in order. After AGENT_EXIT
 * nothing more comes. */
void agent_step(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                struct agent_actions *ret_actions);

/* When a TICK is due at the latest. UINT64_MAX: never. */
uint64_t agent_deadline_ms(const struct agent *a);
/* How many attempts are held. */
size_t agent_held_count(const struct agent *a);

/* Outcome of a job that returned CODE after it had been told to stop for REASON. */
enum agent_outcome agent_outcome_of(int code, enum agent_reason reason);
/* Does every field agree with the states as the head of this file says? Looks at all that is held:
 * asserted after events that do so too. */
bool agent_invariant(const struct agent *a);

const char *agent_event_name(enum agent_event_kind kind);
const char *agent_action_name(enum agent_action_kind kind);
const char *agent_link_name(enum agent_link link);

#endif
