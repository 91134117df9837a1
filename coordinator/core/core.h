/* SPDX-License-Identifier: Apache-2.0 */
/* core.h - the scheduler inside. Only the files of this folder and its tests include it.
 *
 * Objects live in pools and name each other by index (NONE: nobody). Each kind of object is changed
 * in its own file only: job.c (window.c: which jobs are here), account.c (experiments), demand.c
 * (what jobs ask of a worker; need.c: how much time), lease.c, worker.c, shape.c (how long jobs
 * take); dispatch.c brings jobs and workers together. */
#ifndef COORDINATOR_CORE_CORE_H
#define COORDINATOR_CORE_CORE_H

#include "coordinator/core/objects.h"

/* out.c: an action of KIND, zeroed; STORE kinds go before the others. */
struct sched_action *act(struct sched *s, enum sched_action_kind kind);
/* One about L, with job, attempt, epoch, worker, begun_ms. */
struct sched_action *act_lease(struct sched *s, enum sched_action_kind kind, const struct lease *l);
struct sched_action *act_trace(struct sched *s, enum sched_trace trace, const struct lease *l);
void out_begin(struct sched *s, struct sched_actions *ret);
void out_end(struct sched *s);
/* Is there room for one more lease to give out or to expire? Else work_left is set. */
bool out_room(struct sched *s);

/* heap.c: pairing heaps through the jobs. BEFORE: the order. */
typedef bool heap_before(const struct job *a, const struct job *b);
uint32_t heap_put(struct sched *s, uint32_t root, uint32_t item, heap_before *before);
uint32_t heap_take(struct sched *s, uint32_t root, uint32_t item, heap_before *before);
/* The next of all items, from the root on, each once; NONE after the last. */
uint32_t heap_next(const struct sched *s, uint32_t item);

/* job.c */
struct job *job_find(const struct sched *s, uint64_t id); /* NULL */
/* A new job READY, RESTING when it failed before, or, with LEASE, LEASED. There must be room. NULL:
 * what it asks for finds no place. */
struct job *job_add(struct sched *s, const struct sched_job *row, uint32_t account, uint32_t lease);
/* The gate. Emits ACT_STORE_JOB with CAUSE where the store has to know; a job that is over leaves
 * the pool. To LEASED: LEASE. */
void job_move(struct sched *s, struct job *j, enum sched_job_state next, enum sched_cause cause,
              uint32_t lease);
/* Its attempt ended by CAUSE: spend, count, move on. COUNTED: a LOST is the job's own doing. */
void job_end_attempt(struct sched *s, struct job *j, enum sched_cause cause, bool counted);
/* True when A goes before B in a queue; among those that rest. */
bool job_before(const struct job *a, const struct job *b);
bool job_due_before(const struct job *a, const struct job *b);
bool job_alone(const struct sched *s, const struct sched_job *row);
/* A READY or RESTING job goes back to the store. */
void job_forget(struct sched *s, struct job *j);
/* A READY job goes to the queue of what it asks for now, or back to the store. */
void job_requeue(struct sched *s, struct job *j);
void job_tick(struct sched *s);

/* account.c */
void account_init(struct sched *s);
struct account *account_find(const struct sched *s, uint64_t experiment); /* NULL */
/* Found or made; NULL: there is no place. */
struct account *account_get(struct sched *s, uint64_t experiment);
/* Give up A if nothing keeps it. */
void account_tidy(struct sched *s, struct account *a);
/* The same for a higher PRIORITY's sake: one without leases goes. */
bool account_evict(struct sched *s, int32_t priority);
/* The store has something for it; FRESH: perhaps before where the last LOAD ended. */
void account_more(struct sched *s, struct account *a, bool fresh);
void account_hunger(struct sched *s, struct account *a); /* look whether it wants a LOAD */
bool account_wants(const struct sched *s, const struct account *a);
uint32_t account_room(const struct sched *s, const struct account *a); /* for jobs of the store */
uint64_t account_used(const struct sched *s, const struct account *a);
void account_charge(struct sched *s, struct account *a, struct lease *l, const struct job *j);
/* The lease is over, or goes to another account: USED_US of time for each core. */
void account_settle(struct sched *s, struct account *a, const struct lease *l, uint64_t used_us);
void queue_enter(struct sched *s, struct job *j);
void queue_leave(struct sched *s, struct job *j);
struct job *queue_head(const struct sched *s, uint32_t queue);
/* The ready job of A that would go last; NULL when there is none. O(ready jobs of A). */
struct job *account_last(const struct sched *s, const struct account *a);

/* demand.c */
/* The demand of ROW; -1: there is no place for one more. */
int demand_get(struct sched *s, const struct sched_job *row);
bool demand_special(const struct demand *d); /* needs more than a slot, so it may have to wait */
bool worker_offers(const struct worker *w, const struct demand *d);
/* Can W, with a free slot, take it now, a reservation aside? */
bool worker_has_room(const struct worker *w, const struct demand *d);
/* True when the ready jobs of A that nobody can run are too many already for one more of DEMAND
 * (which may be the -1 of demand_get). */
bool demand_refuses(const struct sched *s, const struct account *a, int demand);
/* Which demands are stuck, after a change of workers. */
void demands_review(struct sched *s);

/* need.c */
uint8_t need_of_job(const struct sched *s, const struct sched_job *row);
uint8_t need_served(const struct sched *s, const struct worker *w); /* 0: nothing */
uint64_t need_changes_ms(const struct sched *s, const struct worker *w);
/* So many more of the connected workers have an end. */
void need_count_limited(struct sched *s, int change);
/* Jobs of a shape that were thought to take BEFORE_US take AFTER_US; NEW: each had a thought of its
 * own. */
void need_learned(struct sched *s, bool new, uint64_t before_us, uint64_t after_us);
void need_tick(struct sched *s);
void needs_review(struct sched *s); /* every ready job to the queue of what it needs now */

/* shape.c */
uint64_t shape_est(const struct sched *s, const struct sched_job *row); /* 0: not known */
void shape_learn(struct sched *s, const struct sched_job *row, uint64_t wall_us);

/* window.c */
void on_open(struct sched *s, const struct sched_event *e);
void on_job(struct sched *s, const struct sched_event *e);
void on_loaded(struct sched *s, const struct sched_event *e);
void on_ready(struct sched *s, const struct sched_event *e);
void on_cancel(struct sched *s, const struct sched_event *e);
void on_change(struct sched *s, const struct sched_event *e);
void window_load(struct sched *s); /* ask for more when a window runs low */

/* lease.c */
void lease_init(struct sched *s);
struct lease *lease_find(const struct sched *s, uint64_t attempt, uint32_t epoch); /* NULL */
void lease_grant(struct sched *s, struct job *j, struct worker *w);
/* L is an attempt of J: what it asks for, on whose account. */
void lease_of_job(struct sched *s, struct lease *l, const struct job *j);
/* An attempt of before the restart, without a worker. */
struct lease *lease_wait(struct sched *s, uint64_t attempt, uint32_t epoch, uint64_t holder);
void lease_adopt(struct sched *s, struct lease *l, struct worker *w, uint64_t progress);
/* There was progress, or a result: an ACTIVE lease starts anew, unless its job is CANCELLING. */
void lease_renew(struct sched *s, struct lease *l);
/* Something of it is to be durable: it gets its row, unless it has it. */
void lease_store(struct sched *s, struct lease *l);
/* Tell its worker, if it can be reached, to stop. */
void lease_send_cancel(struct sched *s, const struct lease *l);
/* The attempt is over (a REVOKED one was before) and the lease is freed. USED_US: it ran so long,
 * 0: not known. */
void lease_end(struct sched *s, struct lease *l, enum sched_cause cause, bool counted,
               uint64_t used_us);
/* Did it run, as far as can be told, rather than wait at its worker behind others? */
bool lease_ran(const struct lease *l);
uint32_t lease_first_waiting(const struct sched *s, uint64_t holder); /* NONE */
void lease_tick(struct sched *s);

/* worker.c */
void worker_init(struct sched *s);
struct worker *worker_of_peer(const struct sched *s, uint64_t peer); /* NULL */
struct worker *worker_of_id(const struct sched *s, uint64_t id);     /* NULL */
/* A new worker with ID; NULL when the pool is empty. */
struct worker *worker_add(struct sched *s, uint64_t id);
/* It is reached as PEER and offers what HELLO says. */
void worker_connect(struct sched *s, struct worker *w, const struct sched_event *hello);
void worker_set_slots(struct sched *s, struct worker *w, uint32_t slots, uint32_t queue);
void worker_send_drain(struct sched *s, struct worker *w);
void worker_remind(struct sched *s, struct worker *w);       /* it lives: of what it is to do */
void worker_look_at_time(struct sched *s, struct worker *w); /* what it has time for now */
/* Nothing reaches W until its next Hello. */
void worker_disconnect(struct sched *s, struct worker *w);
/* Recompute what W can take now: after any change of what decides it. */
void worker_refresh(struct sched *s, struct worker *w);
/* L is W's from now on, or no longer. */
void worker_attach(struct sched *s, struct worker *w, struct lease *l);
void worker_detach(struct sched *s, struct worker *w, struct lease *l);
uint32_t worker_cores_used(const struct worker *w);
void worker_heard(struct sched *s, struct worker *w);
void worker_pause(struct sched *s, struct worker *w);
/* W is gone: its leases end by CAUSE. */
void worker_remove(struct sched *s, struct worker *w, enum sched_cause cause);
bool worker_has_blob(const struct sched *s, const struct worker *w, uint64_t blob);
void worker_remember(struct sched *s, struct worker *w, const uint64_t *blobs, size_t len);
void worker_tick(struct sched *s);
void on_drain(struct sched *s, const struct sched_event *e);

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
void reservation_release(struct sched *s);

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
static inline uint32_t index_of_account(const struct sched *s, const struct account *a)
{
    return (uint32_t)(a - s->accounts);
}
static inline uint32_t queue_of_job(const struct job *j)
{
    return j->account * DEMANDS + j->demand;
}

#endif
