/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - one attempt of a job at a worker, until its result comes or its time is over. */
#include <assert.h>

#include "coordinator/core/core.h"

enum { CLOCKS_MS = 1000 };

/* The arrows of objects.h's diagram. */
static const unsigned may_become[LEASE_STATES] = {
    [LEASE_FREE] = BIT(LEASE_WAITING) | BIT(LEASE_ACTIVE),
    [LEASE_WAITING] = BIT(LEASE_ACTIVE) | BIT(LEASE_FREE),
    [LEASE_ACTIVE] = BIT(LEASE_REVOKED) | BIT(LEASE_FREE),
    [LEASE_REVOKED] = BIT(LEASE_FREE),
};

void lease_init(struct sched *s)
{
    s->leases_free = NONE;
    list_init(&s->active, &s->leases[0].by_time, sizeof(struct lease));
    list_init(&s->waiting, &s->leases[0].by_time, sizeof(struct lease));
}

/* The waiting leases of one holder: a list through by_owner, whose first is in a map. */
static void holder_push(struct sched *s, struct lease *l)
{
    uint32_t i = index_of_lease(s, l), head = map_get(&s->waiting_by_holder, l->holder);
    l->by_owner = (struct link){ .next = head, .prev = NONE, .linked = 1 };
    if (head != NONE)
        s->leases[head].by_owner.prev = i;
    map_set(&s->waiting_by_holder, l->holder, i);
}

static void holder_remove(struct sched *s, struct lease *l)
{
    struct link *x = &l->by_owner;
    if (x->next != NONE)
        s->leases[x->next].by_owner.prev = x->prev;
    if (x->prev != NONE)
        s->leases[x->prev].by_owner.next = x->next;
    else if (x->next != NONE)
        map_set(&s->waiting_by_holder, l->holder, x->next);
    else
        map_remove(&s->waiting_by_holder, l->holder);
    x->linked = 0;
}

uint32_t lease_first_waiting(const struct sched *s, uint64_t holder)
{
    return holder != 0 ? map_get(&s->waiting_by_holder, holder) : NONE;
}

/* The gate: the only place where state is written, and with it the lists by time. Each list has
 * one term, counted from now, so its tail is always the latest. */
static void lease_move(struct sched *s, struct lease *l, enum lease_state next)
{
    uint32_t i = index_of_lease(s, l);

    assert(may_become[l->state] & BIT(next));
    if (l->state == LEASE_WAITING)
        list_remove(&s->waiting, i);
    else if (l->state == LEASE_ACTIVE)
        list_remove(&s->active, i);
    if (l->state == LEASE_WAITING && l->by_owner.linked)
        holder_remove(s, l);
    s->waiting_len += (uint32_t)(next == LEASE_WAITING) - (uint32_t)(l->state == LEASE_WAITING);
    l->state = next;
    if (next == LEASE_WAITING) {
        l->expires_ms = s->now_ms + s->limits.reattach_ms;
        list_push(&s->waiting, i);
        if (l->holder != 0)
            holder_push(s, l);
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
    uint32_t i = s->leases_free;
    assert(s->leases_len < s->limits.leases);
    if (i == NONE)
        i = s->leases_top++;
    else
        s->leases_free = s->leases[i].by_time.next;
    struct lease *l = &s->leases[i];
    map_put(&s->lease_by_attempt, attempt, i);
    *l = (struct lease){ .job = NONE, .worker = NONE, .attempt = attempt, .epoch = epoch };
    l->begun_ms = s->now_ms;
    s->leases_len++;
    return l;
}

static void lease_free(struct sched *s, struct lease *l)
{
    lease_move(s, l, LEASE_FREE);
    map_remove(&s->lease_by_attempt, l->attempt);
    if (l->worker != NONE)
        worker_detach(s, &s->workers[l->worker], l);
    *l = (struct lease){ .by_time.next = s->leases_free };
    s->leases_free = index_of_lease(s, l);
    s->leases_len--;
}

void lease_of_job(struct sched *s, struct lease *l, const struct job *j)
{
    l->job = index_of_job(s, j);
    l->cores = j->row.cores;
    l->memory_mib = j->row.memory_mib;
    l->alone = job_alone(s, &j->row);
    l->est_us = shape_est(s, &j->row);
    account_charge(s, &s->accounts[j->account], l, j);
}

/* The next attempt id; a new block is reserved before the first of it is given out. */
static uint64_t next_attempt(struct sched *s)
{
    if (s->next_attempt > s->reserved_upto) {
        s->reserved_upto = s->next_attempt - 1 + s->limits.reserve;
        act(s, ACT_STORE_RESERVE)->attempt = s->reserved_upto;
    }
    return s->next_attempt++;
}

void lease_grant(struct sched *s, struct job *j, struct worker *w)
{
    struct lease *l = lease_new(s, next_attempt(s), ++j->row.epoch);
    lease_of_job(s, l, j);
    lease_move(s, l, LEASE_ACTIVE);
    job_move(s, j, JOB_LEASED, CAUSE_DONE, index_of_lease(s, l));
    worker_attach(s, w, l);
    worker_remember(s, w, j->row.blobs, j->row.blobs_len);
    if (j->row.eager)
        lease_store(s, l);
    act_lease(s, ACT_SEND_LEASE, l)->peer = w->peer;
    act_trace(s, TRACE_LEASED, l);
}

struct lease *lease_wait(struct sched *s, uint64_t attempt, uint32_t epoch, uint64_t holder)
{
    struct lease *l = lease_new(s, attempt, epoch);
    l->holder = holder;
    l->stored = true;
    lease_move(s, l, LEASE_WAITING);
    return l;
}

void lease_adopt(struct sched *s, struct lease *l, struct worker *w, uint64_t progress)
{
    assert(l->state == LEASE_WAITING);
    lease_move(s, l, LEASE_ACTIVE);
    l->seen = true;
    l->progress = progress;
    worker_attach(s, w, l);
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

void lease_store(struct sched *s, struct lease *l)
{
    if (!l->stored)
        act_lease(s, ACT_STORE_ATTEMPT_START, l);
    l->stored = true;
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

bool lease_ran(const struct lease *l)
{
    return l->worker == NONE || l->progress > 0 || l->ran;
}

/* The attempt is over: the store knows, and its job moves on. */
static void end_attempt(struct sched *s, struct lease *l, enum sched_cause cause, bool counted,
                        uint64_t used_us)
{
    struct job *j = &s->jobs[l->job];
    struct sched_action *a = act_lease(s, ACT_STORE_ATTEMPT_END, l);
    a->cause = cause;
    a->counted = counted && cause == CAUSE_LOST;
    a->began = lease_ran(l) || (cause != CAUSE_LOST && cause != CAUSE_PREEMPTED);
    a->whole = !l->stored;
    l->stored = true;
    act_trace(s, TRACE_ENDED, l)->cause = cause;
    if (used_us == 0 && l->worker != NONE && lease_ran(l))
        used_us = (s->now_ms - l->begun_ms) * 1000;
    /* Whatever its worker says: not longer than it had it, with some room for two clocks. */
    used_us = MIN(used_us, (s->now_ms - l->begun_ms + CLOCKS_MS) * 1000);
    account_settle(s, &s->accounts[j->account], l, used_us);
    job_end_attempt(s, j, cause, counted);
    l->job = NONE;
}

void lease_end(struct sched *s, struct lease *l, enum sched_cause cause, bool counted,
               uint64_t used_us)
{
    if (l->state != LEASE_REVOKED)
        end_attempt(s, l, cause, counted, used_us);
    lease_free(s, l);
}

/* Time is over. A worker that lives and has the attempt may be stuck in it: it keeps the
 * credit. */
static void expire(struct sched *s, struct lease *l)
{
    const struct worker *w = l->worker != NONE ? &s->workers[l->worker] : NULL;
    /* After a restart the loss is the coordinator's, not the job's. */
    bool counted = w && lease_ran(l);
    act_trace(s, TRACE_EXPIRED, l);
    if (!w || !l->seen || w->peer == 0 || w->quiet) {
        lease_end(s, l, CAUSE_LOST, counted, 0);
        return;
    }
    lease_send_cancel(s, l);
    end_attempt(s, l, CAUSE_LOST, counted, 0);
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
