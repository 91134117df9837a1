/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - sizes of the simulated world, and what the oracle remembers of it.
 * Users include sim.h.
 */
#ifndef TESTS_SIM_BOOK_H
#define TESTS_SIM_BOOK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    JOBS_MAX = 64,     /* ids 1..JOBS_MAX-1 */
    EXAMPLES_MAX = 32, /* per job: bits of a mask */
    STEPS_MAX = 40,    /* of training, per job: bits of a mask */
    HOSTS_MAX = 6,
    SLOTS_MAX = 3,
    QUEUE_MAX = 5,                          /* leases that a worker keeps waiting */
    HELD_MAX = 3 * (SLOTS_MAX + QUEUE_MAX), /* attempts of one worker, and named by one message */
    POSTS_MAX = 64,                         /* what slots told and the agent did not yet hear */
    INCARNATIONS_MAX = 64,                  /* starts of the coordinator in one run */
    ATTEMPTS_MAX = 8192,                    /* in one run */
    BUCKETS = 1024,
    SENT_MAX = 32768,
    PROCESSES_MAX = 4096,    /* worker processes in one run */
    NEEDS_MAX = 3,           /* jobs that a job needs */
    STEPS_PER_MS_MAX = 5000, /* of the core: more is an endless loop */
    GROUPS = 3,              /* experiments; a job is wanted by some of them */
    SHAPES = 8,
    CONTROLS_MAX = 24, /* requests of the client in one run */
};

/* The oracle's own book. */
struct book_attempt {
    uint64_t id, worker, begun_ms, moved_ms, progress; /* times of the coordinator's clock */
    uint32_t job, epoch, next;                         /* next: in its bucket, index + 1 */
    bool ended, attached; /* attached: counts against its worker's credits */
    bool seen, stored, alone, ran;
    uint32_t index; /* in the order of leases */
};
/* What a worker said of itself. */
struct book_worker {
    uint64_t heard_ms, classes, labels, memory_mib;
    uint64_t until_ms;   /* it leaves then; 0: it did not say */
    uint64_t changed_ms; /* of what it holds, or offers */
    uint32_t slots, queue, cores;
    bool gone;    /* a message to it found nobody, and no Hello came since */
    bool drained; /* a client wants so */
    bool stuck; /* it lost an attempt that it had: perhaps it is still in it, and a slot is taken */
};
/* How long jobs of a shape take: at least, and at most, as far as anybody knows. */
struct book_shape {
    bool known;
    uint64_t least_us, most_us;
};
/* An experiment against the others. */
struct book_share {
    int64_t lead_ms[GROUPS]; /* core-time that it got more than that one, since both are here */
    bool here;               /* it has jobs that wait or run */
};
struct book_job {
    uint32_t newest, epoch, attempts, spent, lost; /* newest: index + 1 of an attempt */
    uint32_t arrived, computed;                    /* leases that began, examples worked on */
    bool cancel_asked;
    uint64_t rests_ms; /* no lease before that time of the coordinator's clock */
    uint64_t here_ms;  /* since when the core has it, ready */
};
struct oracle {
    struct book_attempt attempt[ATTEMPTS_MAX];
    uint32_t attempts_len, bucket[BUCKETS]; /* by id */
    uint64_t sent[SENT_MAX];                /* ids of attempts whose leases left, by hash */
    uint64_t live[JOBS_MAX];                /* ids of those that have not ended */
    uint32_t live_len;
    uint64_t early[32]; /* stored in this step, before their leases */
    uint32_t early_len;
    struct book_job job[JOBS_MAX];
    struct book_shape shape[SHAPES];
    struct book_share share[GROUPS];
    uint64_t shares_ms, looked_ms;
    int64_t lead_ms; /* the longest that was seen */
    uint64_t moved;  /* an attempt that a renewal moved in this step; 0: none */
    struct book_worker worker[PROCESSES_MAX];
    uint64_t speaker[PROCESSES_MAX]; /* by peer: the worker whose Hello came last */
    uint64_t slack_until_ms;         /* the coordinator was away: leases live longer */
    bool paused[GROUPS];             /* acked to the client */
};

#endif
