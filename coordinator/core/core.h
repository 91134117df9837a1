/* SPDX-License-Identifier: Apache-2.0 */
/* core.h - the scheduler inside. Only the files of this folder and its tests include it.
 *
 * Objects live in pools and name each other by index (NONE: nobody). Each kind of object is changed
 * in its own file only: job.c (window.c: which jobs are
 * here), lease.c, worker.c; dispatch.c brings jobs and workers together. */
#ifndef COORDINATOR_CORE_CORE_H
#define COORDINATOR_CORE_CORE_H

#include "coordinator/core/map.h"
#include "coordinator/core/sched.h"

struct job {
    struct sched_job row; /* epoch: of the newest attempt */
    enum sched_job_state state;
    bool used;      /* the place in the pool is taken */
    bool held;      /* LEASED: to the store, not to the ready jobs, when its attempt fails */
    uint32_t lease; /* LEASED, CANCELLING; else NONE */
    /* Pairing heap of the ready jobs of a class. PREV is the left sibling, or the parent of the
     * first child. A free place uses NEXT. */
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
    uint32_t job, worker;
    uint32_t epoch;
    uint64_t attempt;
    uint64_t holder;   /* WAITING: whose Hello tells whether it ever arrived; 0: unknown */
    uint64_t progress; /* the greatest reported */
    uint64_t begun_ms;
    uint64_t expires_ms;  /* WAITING, ACTIVE */
    struct link by_time;  /* in active or waiting, by expires_ms; a free place uses .next */
    struct link by_owner; /* in its worker's leases */
};

struct worker {
    bool used; /* the place in the pool is taken; a free one uses by_heard.next */
    bool quiet;
    uint64_t id;
    uint64_t peer;  /* 0: nothing reaches it until its next Hello */
    uint64_t order; /* of arrival: the last tie-break */
    uint64_t heard_ms, paused_ms /* until then */;
    uint64_t classes;
    uint32_t credits, used_len; /* used_len: leases held */
    uint32_t free_at;           /* place in sched.free, NONE: cannot take a lease now */
    uint32_t blob_turn;         /* which way of a set of blobs is replaced next */
    struct list leases;
    struct link by_heard; /* in awake or quiet, by heard_ms */
    struct link by_pause; /* in paused, by paused_ms */
};

enum { BLOB_WAYS = 8 };

struct sched {
    struct sched_limits limits;
    uint64_t now_ms;
    uint32_t incarnation;
    uint64_t attempts; /* given out in this incarnation */
    bool work_left;    /* a step ran out of room for actions */
    uint64_t grace_ms; /* until then nobody expires: the shell was away, messages wait unread */

    struct job *jobs;
    uint32_t jobs_cap, jobs_len, jobs_free; /* cap: window + leases */
    struct map job_by_id;
    uint32_t ready_root[SCHED_CLASSES]; /* best job of each class */
    uint64_t ready_classes;             /* mask: root is there */
    uint32_t ready_len;
    bool more;         /* the store may have ready jobs that are not here */
    bool load_pending; /* a LOAD is being answered */
    bool more_since;   /* jobs became ready in the store, or were sent back, since that LOAD */
    bool urgent;       /* one of the store's goes before one of ours */
    uint32_t load_want;

    struct lease *leases;
    uint32_t leases_len, leases_free, waiting_len;
    struct map lease_by_attempt;
    struct list active, waiting;

    struct worker *workers;
    uint32_t workers_len, workers_free;
    uint64_t orders;
    struct map worker_by_id, worker_by_peer;
    struct list awake, quiet, paused;
    uint64_t *blobs; /* worker_blobs of each worker: sets of BLOB_WAYS */
    uint32_t *free;  /* workers that can take a lease now, in no order */
    uint32_t free_len;
    uint32_t class_workers[SCHED_CLASSES]; /* connected workers that offer it */
    uint32_t class_free[SCHED_CLASSES];    /* of them in sched.free */

    struct sched_actions *out;
    uint32_t later_len; /* actions that are no STOREs: kept in reverse at the end of out->v */
};

/* out.c: an action of KIND, zeroed; STORE kinds go before the others. */
struct sched_action *act(struct sched *s, enum sched_action_kind kind);
struct sched_action *act_trace(struct sched *s, enum sched_trace trace, const struct lease *l);
void out_begin(struct sched *s, struct sched_actions *ret);
void out_end(struct sched *s);
/* Is there room for one more lease to give out or to expire? Else work_left is set. */
bool out_room(struct sched *s);

/* job.c */
void job_init(struct sched *s);
struct job *job_find(const struct sched *s, uint64_t id); /* NULL */
/* A new job in STATE READY or, with LEASE, LEASED. There must be room. */
struct job *job_add(struct sched *s, const struct sched_job *row, uint32_t lease);
/* The gate. Emits ACT_STORE_JOB with CAUSE where the store has to know; a job that is over leaves
 * the pool. To LEASED: LEASE. */
void job_move(struct sched *s, struct job *j, enum sched_job_state next, enum sched_cause cause,
              uint32_t lease);
/* Its attempt ended by CAUSE: spend, count, move on. COUNTED: a LOST is the job's own doing. */
void job_end_attempt(struct sched *s, struct job *j, enum sched_cause cause, bool counted);
/* True when A goes before B. */
bool job_before(const struct job *a, const struct job *b);
/* A READY job goes back to the store. */
void job_forget(struct sched *s, struct job *j);

/* window.c */
void on_open(struct sched *s, const struct sched_event *e);
void on_job(struct sched *s, const struct sched_event *e);
void on_loaded(struct sched *s, const struct sched_event *e);
void on_ready(struct sched *s, const struct sched_event *e);
void on_cancel(struct sched *s, const struct sched_event *e);
void on_change(struct sched *s, const struct sched_event *e);
void window_load(struct sched *s); /* ask for more when the window runs low */

/* lease.c */
void lease_init(struct sched *s);
struct lease *lease_find(const struct sched *s, uint64_t attempt, uint32_t epoch); /* NULL */
void lease_grant(struct sched *s, struct job *j, struct worker *w);
/* An attempt of before the restart, without a worker. */
struct lease *lease_wait(struct sched *s, uint64_t attempt, uint32_t epoch);
void lease_adopt(struct sched *s, struct lease *l, struct worker *w, uint64_t progress);
/* There was progress, or a result: an ACTIVE lease starts anew, unless its job is CANCELLING. */
void lease_renew(struct sched *s, struct lease *l);
/* Tell its worker, if it can be reached, to stop. */
void lease_send_cancel(struct sched *s, const struct lease *l);
/* The attempt is over (a REVOKED one was before) and the lease is freed. */
void lease_end(struct sched *s, struct lease *l, enum sched_cause cause, bool counted);
void lease_tick(struct sched *s);

/* worker.c */
void worker_init(struct sched *s);
struct worker *worker_of_peer(const struct sched *s, uint64_t peer); /* NULL */
struct worker *worker_of_id(const struct sched *s, uint64_t id);     /* NULL */
/* A new worker with ID; NULL when the pool is empty. */
struct worker *worker_add(struct sched *s, uint64_t id, uint32_t credits);
/* It is reached as PEER and offers CLASSES. */
void worker_connect(struct sched *s, struct worker *w, uint64_t peer, uint64_t classes);
/* Nothing reaches W until its next Hello. */
void worker_disconnect(struct sched *s, struct worker *w);
/* Recompute whether W can take a lease now: after any change of what decides it. */
void worker_refresh(struct sched *s, struct worker *w);
void worker_heard(struct sched *s, struct worker *w);
void worker_pause(struct sched *s, struct worker *w);
/* W is gone: its leases end by CAUSE. */
void worker_remove(struct sched *s, struct worker *w, enum sched_cause cause);
bool worker_has_blob(const struct sched *s, const struct worker *w, uint64_t blob);
void worker_remember(struct sched *s, struct worker *w, const uint64_t *blobs, size_t len);
void worker_tick(struct sched *s);

/* hello.c, message.c: what workers say. W is known and was heard. */
void on_hello(struct sched *s, const struct sched_event *e);
void on_credits(struct sched *s, struct worker *w, const struct sched_event *e);
void on_renew(struct sched *s, struct worker *w, const struct sched_event *e);
void on_example(struct sched *s, struct worker *w, const struct sched_event *e);
void on_checkpoint(struct sched *s, struct worker *w, const struct sched_event *e);
void on_result(struct sched *s, struct worker *w, const struct sched_event *e); /* W may be NULL */
void on_goodbye(struct sched *s, struct worker *w, const struct sched_event *e);

/* dispatch.c */
void dispatch(struct sched *s);

static inline uint32_t index_of_job(const struct sched *s, const struct job *j)
{
    return (uint32_t)(j - s->jobs);
}
static inline uint32_t index_of_lease(const struct sched *s, const struct lease *l)
{
    return (uint32_t)(l - s->leases);
}
static inline uint32_t index_of_worker(const struct sched *s, const struct worker *w)
{
    return (uint32_t)(w - s->workers);
}

#endif
