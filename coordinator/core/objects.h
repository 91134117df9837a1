/* SPDX-License-Identifier: Apache-2.0 */
/* objects.h - what the scheduler consists of. Users include core.h. */
#ifndef COORDINATOR_CORE_OBJECTS_H
#define COORDINATOR_CORE_OBJECTS_H

#include "coordinator/core/map.h"
#include "coordinator/core/sched.h"

struct job {
    struct sched_job row; /* epoch: of the newest attempt */
    enum sched_job_state state;
    bool used;        /* the place in the pool is taken */
    bool held;        /* LEASED: to the store, not to the ready jobs, when its attempt fails */
    uint8_t demand;   /* READY: index */
    uint32_t lease;   /* LEASED, CANCELLING; else NONE */
    uint32_t account; /* its experiment's */
    uint64_t due_ms;  /* RESTING */
    /* Pairing heap of the ready jobs of a queue, or of those that rest. PREV is the left sibling,
     * or the parent of the first child. A free place uses NEXT. */
    uint32_t child, next, prev;
};

/*   WAITING ---adopt--> ACTIVE ---expired, its worker still lives---> REVOKED
 *      |                  |                                              |
 *      +------------------+------------> (freed) <-----------------------+
 *
 * WAITING: of before the restart, no worker yet. REVOKED: the job went elsewhere, but the worker
 * may be stuck in it, so it keeps its credit until the worker says otherwise or is gone. */
enum lease_state { LEASE_FREE, LEASE_WAITING, LEASE_ACTIVE, LEASE_REVOKED, LEASE_STATES };

struct lease {
    enum lease_state state;
    bool seen;   /* the worker spoke of it: it did arrive */
    bool listed; /* while a Hello is looked at */
    bool stored; /* it has a row */
    bool ran;    /* its worker had a slot for it at a time when it was heard */
    bool alone;  /* nothing else may be at its worker */
    uint32_t job, worker;
    uint32_t epoch;
    uint32_t cores;     /* that its job asks for; 0: a slot's share */
    uint32_t weight;    /* cores in the account's eyes */
    uint64_t est_us;    /* 0: unknown */
    uint64_t charge_us; /* as charged to the account, for one core */
    uint64_t memory_mib;
    uint64_t attempt;
    uint64_t holder;   /* WAITING: whose Hello tells whether it ever arrived; 0: unknown */
    uint64_t progress; /* the greatest reported */
    uint64_t begun_ms;
    uint64_t expires_ms;  /* WAITING, ACTIVE */
    struct link by_time;  /* in active or waiting, by expires_ms; a free place uses .next */
    struct link by_owner; /* in its worker's leases; WAITING: among those of its holder */
};

struct worker {
    bool used; /* the place in the pool is taken; a free one uses by_heard.next */
    bool quiet;
    bool draining; /* EV_DRAIN */
    bool new;      /* its Hello is being looked at for the first time */
    uint64_t id;
    uint64_t peer;  /* 0: nothing reaches it until its next Hello */
    uint64_t order; /* of arrival: the last tie-break */
    uint64_t heard_ms, paused_ms /* until then */, told_ms /* to leave */;
    uint64_t classes, labels;
    uint32_t slots, queue, cores;
    uint64_t memory_mib;
    uint64_t until_ms; /* it leaves then; UINT64_MAX: nobody knows of an end */
    uint8_t serves;    /* it has time for needs up to this one; 0: for nothing */
    /* What it holds. */
    uint32_t used_len, special_len, alone_len, unknown_len; /* unknown: est_us == 0 */
    uint32_t ran_len, first_queued; /* leases that ran; the first that did not, NONE: all did */
    uint32_t special_cores;
    uint64_t memory_used, ahead_us;
    /* Masks of demands: OFFERS: it could if it were empty; FITS: it has a free slot for it now;
     * AHEAD: it may wait there. */
    uint64_t offers, fits, ahead;
    uint32_t free_at;     /* place in sched.free, NONE: it has no free slot */
    uint32_t ahead_at;    /* place in sched.ahead, NONE: nothing may wait there now */
    uint32_t blob_turn;   /* which way of a set of blobs is replaced next */
    struct list leases;   /* in the order in which they were given */
    struct link by_heard; /* in awake or quiet, by heard_ms */
    struct link by_pause; /* in paused, by paused_ms */
};

/* An experiment, as long as it has jobs here or may have some in the store. */
struct account {
    bool used;
    uint64_t id;
    uint32_t ready_len, resting_len, leased_len; /* jobs */
    uint32_t stuck_len; /* of the ready ones, those that no connected worker could run */
    int32_t low;        /* no ready job has a lower priority (there may be none so low) */
    int32_t told;       /* by the last EV_READY */
    bool more;          /* the store may have ready jobs that are not here */
    bool fresh;         /* such that the next LOAD has to begin at the top */
    bool more_since;    /* jobs became ready in the store, or were sent back, since the LOAD */
    bool urgent;        /* one of the store's goes before one of ours */
    bool shut;          /* jobs were sent back because no worker could run them */
    bool later;         /* its last LOAD brought only such jobs: the next one after a pause */
    /* Core-time: of what ended; and of what runs: as estimated, and as long as it runs already, for
     * which WEIGHT and BEGUN are the sums of cores, and of cores * begun_ms. */
    uint64_t used_us, charged_us, weight, begun;
    struct link by_hunger; /* in hungry; a free place uses .next */
};

/* What a job asks of a worker. */
enum { DEMANDS = 64, BLOB_WAYS = 8, SHAPE_WAYS = 4, NEED_MAX = 100 };
struct demand {
    uint8_t class;
    uint8_t need; /* of time, 1..NEED_MAX: see need.c */
    bool alone;
    uint32_t cores;
    uint64_t labels, memory_mib;
    uint32_t queues;              /* that are not empty */
    uint32_t able;                /* workers that offer it */
    uint32_t free_len, ahead_len; /* of them those that have a free slot, or a queue, for it now */
    bool stuck;                   /* workers are connected, and none of them offers it */
};

/* The ready jobs of an account that ask for the same: place account * DEMANDS + demand. */
struct queue {
    uint32_t root, len;
    int32_t priority; /* of the root, */
    uint64_t id;      /* and its job: here, so that dispatch need not look at the jobs */
    uint32_t live_at; /* place in sched.live, when it is not empty */
};

struct shape {
    uint64_t shape; /* 0: the place is free */
    uint64_t est_us, turn;
};

struct sched {
    struct sched_limits limits;
    uint64_t now_ms;
    uint32_t incarnation;
    uint64_t next_attempt, reserved_upto;
    bool work_left;    /* a step ran out of room for actions */
    uint64_t grace_ms; /* until then nobody expires: the shell was away, messages wait unread */

    struct job *jobs;
    uint32_t jobs_cap, jobs_top, jobs_len,
        jobs_free; /* top: places from there on were never used */
    struct map job_by_id;
    uint32_t resting_root, resting_len;
    uint32_t ready_len;

    struct account *accounts;
    uint32_t accounts_len, accounts_free;
    struct map account_by_id;
    struct list hungry;
    struct queue *queues;
    uint32_t *live; /* queues that are not empty, in no order */
    uint32_t live_len;
    uint64_t clock_us;  /* what the account of the latest lease had used: where new ones begin */
    bool accounts_more; /* an EV_READY found no place */
    bool ask;           /* for EV_READYs, by a LOAD of experiment 0 */
    uint64_t ask_ms;    /* not before */
    uint32_t loading;   /* account whose LOAD is being answered; ASKING; NONE */
    uint32_t load_want, load_taken;
    uint64_t later_ms; /* accounts that are to LOAD later do so then; 0: there are none */

    struct demand demands[DEMANDS];
    uint64_t demands_mask; /* those that are somebody's, or were */
    uint64_t plain_mask;   /* of them those that may wait at a worker */
    bool demand_short;     /* a job found no place for its demand */
    bool demand_free;      /* since then one got free */
    bool demand_lost;      /* one that nobody could serve was replaced: its jobs are in the store */
    bool demands_changed;  /* a worker came, went, or offers something else: review them */
    bool needs_changed;    /* jobs need another time than their demands say: review them all */
    uint64_t need_tick_ms; /* when a worker has no time any more for what it had */

    struct lease *leases;
    uint32_t leases_top, leases_len, leases_free, waiting_len;
    struct map lease_by_attempt, waiting_by_holder;
    struct list active, waiting;

    struct worker *workers;
    uint32_t workers_top, workers_len, workers_free, connected_len;
    uint32_t limited_len; /* of the connected ones, those that have an end */
    uint64_t orders;
    struct map worker_by_id, worker_by_peer;
    struct list awake, quiet, paused;
    uint64_t *blobs;        /* worker_blobs of each worker: sets of BLOB_WAYS */
    uint32_t *free, *ahead; /* workers with a free slot; with room in their queue: in no order */
    uint32_t free_len, ahead_len;
    uint32_t reserved_worker, reserved_queue; /* NONE: no reservation */

    struct shape *shapes;
    uint64_t shape_turn;

    struct sched_actions *out;
    uint32_t later_len; /* actions that are no STOREs: kept in reverse at the end of out->v */
};
enum { ASKING = NONE - 1 };

#endif
