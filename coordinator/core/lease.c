/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - one attempt of a job at a worker, until its result comes or its time is over. */
#include <assert.h>

#include "coordinator/core/core.h"

/* The arrows of core.h's diagram. */
static const unsigned may_become[LEASE_STATES] = {
    [LEASE_FREE] = BIT(LEASE_WAITING) | BIT(LEASE_ACTIVE),
    [LEASE_WAITING] = BIT(LEASE_ACTIVE) | BIT(LEASE_FREE),
    [LEASE_ACTIVE] = BIT(LEASE_REVOKED) | BIT(LEASE_FREE),
    [LEASE_REVOKED] = BIT(LEASE_FREE),
};

void lease_init(struct sched *s)
{
    uint32_t n = s->limits.leases;
    for (uint32_t i = 0; i < n; i++)
        s->leases[i] = (struct lease){ .by_time.next = i + 1 < n ? i + 1 : NONE };
    s->leases_free = 0;
    list_init(&s->active, &s->leases[0].by_time, sizeof(struct lease));
    list_init(&s->waiting, &s->leases[0].by_time, sizeof(struct lease));
}

/* The gate: the only place where state is written, and with it the lists by time. Each list has one
 * term, counted from now, so its tail is always the latest. */
static void lease_move(struct sched *s, struct lease *l, enum lease_state next)
{
    uint32_t i = index_of_lease(s, l);

    assert(may_become[l->state] & BIT(next));
    if (l->state == LEASE_WAITING)
        list_remove(&s->waiting, i);
    else if (l->state == LEASE_ACTIVE)
        list_remove(&s->active, i);
    s->waiting_len += (uint32_t)(next == LEASE_WAITING) - (uint32_t)(l->state == LEASE_WAITING);
    l->state = next;
    if (next == LEASE_WAITING) {
        l->expires_ms = s->now_ms + s->limits.reattach_ms;
        list_push(&s->waiting, i);
    } else if (next == LEASE_ACTIVE) {
        l->expires_ms = s->now_ms + s->limits.lease_ms;
        list_push(&s->active, i);
    }
}

struct lease *lease_find(const struct sched *s, uint64_t attempt, uint32_t epoch)
{
    uint32_t i = attempt != 0 ? map_get(&s->lease_by_attempt, attempt) : NONE;
    return i != NONE && s->leases[i].epoch == epoch ? &s->leases[i] : NULL;
}

static struct lease *lease_new(struct sched *s, uint64_t attempt, uint32_t epoch)
{
    assert(s->leases_free != NONE);
    struct lease *l = &s->leases[s->leases_free];
    map_put(&s->lease_by_attempt, attempt, s->leases_free);
    s->leases_free = l->by_time.next;
    *l = (struct lease){ .job = NONE, .worker = NONE, .attempt = attempt, .epoch = epoch };
    l->begun_ms = s->now_ms;
    s->leases_len++;
    return l;
}

static void attach(struct sched *s, struct lease *l, struct worker *w)
{
    l->worker = index_of_worker(s, w);
    list_push(&w->leases, index_of_lease(s, l));
    w->used_len++;
    worker_refresh(s, w);
}

static void lease_free(struct sched *s, struct lease *l)
{
    lease_move(s, l, LEASE_FREE);
    map_remove(&s->lease_by_attempt, l->attempt);
    if (l->worker != NONE) {
        struct worker *w = &s->workers[l->worker];
        list_remove(&w->leases, index_of_lease(s, l));
        w->used_len--;
        worker_refresh(s, w);
    }
    *l = (struct lease){ .by_time.next = s->leases_free };
    s->leases_free = index_of_lease(s, l);
    s->leases_len--;
}

void lease_grant(struct sched *s, struct job *j, struct worker *w)
{
    assert(s->attempts + 1 < (uint64_t)1 << SCHED_ATTEMPT_BITS);
    uint64_t attempt = (uint64_t)s->incarnation << SCHED_ATTEMPT_BITS | ++s->attempts;
    struct lease *l = lease_new(s, attempt, ++j->row.epoch);
    l->job = index_of_job(s, j);
    lease_move(s, l, LEASE_ACTIVE);
    job_move(s, j, JOB_LEASED, CAUSE_DONE, index_of_lease(s, l));
    attach(s, l, w);
    worker_remember(s, w, j->row.blobs, j->row.blobs_len);

    struct sched_action a = { .worker = w->id, .peer = w->peer, .job = j->row.id };
    a.attempt = attempt;
    a.epoch = l->epoch;
    a.kind = ACT_STORE_ATTEMPT_START;
    *act(s, a.kind) = a;
    a.kind = ACT_SEND_LEASE;
    *act(s, a.kind) = a;
    act_trace(s, TRACE_LEASED, l);
}

struct lease *lease_wait(struct sched *s, uint64_t attempt, uint32_t epoch)
{
    struct lease *l = lease_new(s, attempt, epoch);
    lease_move(s, l, LEASE_WAITING);
    return l;
}

void lease_adopt(struct sched *s, struct lease *l, struct worker *w, uint64_t progress)
{
    assert(l->state == LEASE_WAITING);
    lease_move(s, l, LEASE_ACTIVE);
    l->seen = true;
    l->progress = progress;
    attach(s, l, w);
    act_trace(s, TRACE_ADOPTED, l);
}

void lease_renew(struct sched *s, struct lease *l)
{
    assert(l->state == LEASE_ACTIVE);
    l->seen = true;
    if (s->jobs[l->job].state == JOB_CANCELLING)
        return; /* it has until its expiry to stop */
    list_remove(&s->active, index_of_lease(s, l));
    l->expires_ms = s->now_ms + s->limits.lease_ms;
    list_push(&s->active, index_of_lease(s, l));
}

void lease_send_cancel(struct sched *s, const struct lease *l)
{
    uint64_t peer = s->workers[l->worker].peer;
    if (peer == 0)
        return;
    struct sched_action *a = act(s, ACT_SEND_CANCEL);
    a->peer = peer;
    a->attempt = l->attempt;
    a->epoch = l->epoch;
}

/* The attempt is over: the store knows, and its job moves on. */
static void end_attempt(struct sched *s, struct lease *l, enum sched_cause cause, bool counted)
{
    struct job *j = &s->jobs[l->job];
    struct sched_action *a = act(s, ACT_STORE_ATTEMPT_END);
    a->job = j->row.id;
    a->attempt = l->attempt;
    a->epoch = l->epoch;
    a->cause = cause;
    act_trace(s, TRACE_ENDED, l)->cause = cause;
    job_end_attempt(s, j, cause, counted);
    l->job = NONE;
}

void lease_end(struct sched *s, struct lease *l, enum sched_cause cause, bool counted)
{
    if (l->state != LEASE_REVOKED)
        end_attempt(s, l, cause, counted);
    lease_free(s, l);
}

/* Time is over. A worker that lives and has the attempt may be stuck in it: it keeps the credit. */
static void expire(struct sched *s, struct lease *l)
{
    const struct worker *w = l->worker != NONE ? &s->workers[l->worker] : NULL;
    act_trace(s, TRACE_EXPIRED, l);
    if (!w || !l->seen || w->peer == 0 || w->quiet) {
        /* After a restart the loss is the coordinator's, not the job's. */
        lease_end(s, l, CAUSE_LOST, w != NULL);
        return;
    }
    lease_send_cancel(s, l);
    end_attempt(s, l, CAUSE_LOST, true);
    lease_move(s, l, LEASE_REVOKED);
}

void lease_tick(struct sched *s)
{
    if (s->now_ms < s->grace_ms)
        return;
    struct list *const lists[] = { &s->active, &s->waiting };
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        while (lists[k]->head != NONE) {
            struct lease *l = &s->leases[lists[k]->head];
            if (l->expires_ms > s->now_ms || !out_room(s))
                break;
            expire(s, l);
        }
    }
}
