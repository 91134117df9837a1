/* SPDX-License-Identifier: Apache-2.0 */
/* book.h - sizes of the simulated world, and what the oracle remembers of it. Users include sim.h.
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
    HELD_MAX = 32,           /* attempts named by one message */
    INCARNATIONS_MAX = 64,   /* starts of the coordinator in one run */
    ATTEMPTS_MAX = 8192,     /* in one run */
    PROCESSES_MAX = 4096,    /* worker processes in one run */
    NEEDS_MAX = 3,           /* jobs that a job needs */
    STEPS_PER_MS_MAX = 5000, /* of the core: more is an endless loop */
    GROUPS = 3,              /* experiments; a job is wanted by some of them */
    CONTROLS_MAX = 24,       /* requests of the client in one run */
};

/* The oracle's own book. */
struct book_attempt {
    uint64_t id, worker, begun_ms, moved_ms, progress;
    uint32_t job, epoch;
    bool ended, attached; /* attached: counts against its worker's credits */
    bool seen;
};
struct book_job {
    uint32_t newest, epoch, attempts, spent, lost; /* newest: index + 1 of an attempt */
    uint32_t arrived, computed;                    /* leases that began, examples worked on */
    bool cancel_asked;
};
struct oracle {
    struct book_attempt attempt[ATTEMPTS_MAX];
    uint32_t attempts_len;
    struct book_job job[JOBS_MAX];
    uint64_t heard_ms[PROCESSES_MAX]; /* by worker */
    uint64_t credits[HOSTS_MAX];      /* as the coordinator was last told, by host */
    uint64_t slack_until_ms;          /* the coordinator was away: leases live longer */
    bool paused[GROUPS];              /* acked to the client */
};

#endif
