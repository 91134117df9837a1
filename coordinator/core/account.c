/* SPDX-License-Identifier: Apache-2.0 */
/* account.c - experiments: what each has here, what it used, and whether it wants more from the
 * store. The ready jobs of one that ask for the same are a queue. */
#include <assert.h>

#include "coordinator/core/core.h"

enum {
    /* An experiment that used less than the others, because none of its jobs could run, catches up
     * by so much core-time at most. */
    LAG_US = 60 * 1000 * 1000,
    /* A lease whose time is not known counts as so much until it takes longer. */
    UNKNOWN_US = 1000 * 1000,
};

void account_init(struct sched *s)
{
    uint32_t n = s->limits.experiments;
    for (uint32_t i = 0; i < n; i++)
        s->accounts[i] = (struct account){ .by_hunger.next = i + 1 < n ? i + 1 : NONE };
    s->accounts_free = 0;
    list_init(&s->hungry, &s->accounts[0].by_hunger, sizeof(struct account));
    for (uint32_t i = 0; i < n * DEMANDS; i++)
        s->queues[i] = (struct queue){ .root = NONE, .live_at = NONE };
    s->loading = NONE;
}

struct account *account_find(const struct sched *s, uint64_t experiment)
{
    uint32_t i = map_get(&s->account_by_id, experiment);
    return i != NONE ? &s->accounts[i] : NULL;
}

struct account *account_get(struct sched *s, uint64_t experiment)
{
    struct account *a = account_find(s, experiment);
    uint32_t i = s->accounts_free;
    if (a || i == NONE)
        return a;
    a = &s->accounts[i];
    s->accounts_free = a->by_hunger.next;
    *a = (struct account){ .used = true, .id = experiment, .used_us = s->clock_us };
    map_put(&s->account_by_id, experiment, i);
    s->accounts_len++;
    return a;
}

void account_tidy(struct sched *s, struct account *a)
{
    uint32_t i = index_of_account(s, a);
    if (a->ready_len + a->resting_len + a->leased_len > 0 || a->more || a->shut || s->loading == i)
        return;
    if (a->by_hunger.linked)
        list_remove(&s->hungry, i);
    map_remove(&s->account_by_id, a->id);
    *a = (struct account){ .by_hunger.next = s->accounts_free };
    s->accounts_free = i;
    s->accounts_len--;
    s->ask |= s->accounts_more;
    s->accounts_more = false;
}

static int32_t priority_of(const struct sched *s, const struct account *a)
{
    int32_t best = a->ready_len > 0 ? INT32_MIN : a->told;
    for (uint32_t d = 0; d < DEMANDS; d++) {
        const struct job *j = queue_head(s, index_of_account(s, a) * DEMANDS + d);
        best = j ? MAX(best, j->row.priority) : best;
    }
    return best;
}

/* All of A's jobs here go back to the store, and it is forgotten. */
static void give_up(struct sched *s, struct account *a)
{
    uint32_t i = index_of_account(s, a);
    a->more = true; /* it stays until the last of them is gone */
    for (uint32_t d = 0; d < DEMANDS; d++)
        while (s->queues[i * DEMANDS + d].len > 0)
            job_forget(s, queue_head(s, i * DEMANDS + d));
    for (uint32_t k = 0; k < s->jobs_top && a->resting_len > 0; k++)
        if (s->jobs[k].used && s->jobs[k].account == i)
            job_forget(s, &s->jobs[k]);
    a->more = a->shut = false;
    account_tidy(s, a);
}

bool account_evict(struct sched *s, int32_t priority)
{
    struct account *last = NULL;
    int32_t lowest = priority;
    for (uint32_t i = 0; i < s->limits.experiments; i++) {
        struct account *a = &s->accounts[i];
        if (!a->used || a->leased_len > 0 || s->loading == i || priority_of(s, a) >= lowest)
            continue;
        last = a;
        lowest = priority_of(s, a);
    }
    if (!last)
        return false;
    give_up(s, last);
    s->accounts_more = true;
    s->ask = false;
    return true;
}

uint32_t account_room(const struct sched *s, const struct account *a)
{
    uint32_t here = a->ready_len - a->stuck_len + a->resting_len;
    return here < s->limits.window ? s->limits.window - here : 0;
}

bool account_wants(const struct sched *s, const struct account *a)
{
    bool low = account_room(s, a) > s->limits.window / 2;
    return a->more && !a->later && (low || a->urgent) && s->loading != index_of_account(s, a);
}

void account_hunger(struct sched *s, struct account *a)
{
    if (!a->by_hunger.linked && account_wants(s, a))
        list_push(&s->hungry, index_of_account(s, a));
}

void account_more(struct sched *s, struct account *a, bool fresh)
{
    a->more = a->more_since = true;
    a->fresh |= fresh;
    account_hunger(s, a);
}

uint64_t account_used(const struct sched *s, const struct account *a)
{
    uint64_t so_far_us = (a->weight * s->now_ms - a->begun) * 1000;
    return a->used_us + MAX(a->charged_us, so_far_us);
}

void account_charge(struct sched *s, struct account *a, struct lease *l, const struct job *j)
{
    uint64_t used_us = account_used(s, a);
    if (used_us + LAG_US < s->clock_us)
        a->used_us += s->clock_us - LAG_US - used_us;
    s->clock_us = MAX(s->clock_us, used_us);
    l->weight = MAX(j->row.cores, 1);
    l->charge_us = l->est_us ? l->est_us : UNKNOWN_US;
    a->charged_us += l->charge_us * l->weight;
    a->weight += l->weight;
    a->begun += l->weight * l->begun_ms;
}

void account_settle(struct sched *s, struct account *a, const struct lease *l, uint64_t used_us)
{
    (void)s;
    assert(a->weight >= l->weight);
    a->charged_us -= l->charge_us * l->weight;
    a->weight -= l->weight;
    a->begun -= l->weight * l->begun_ms;
    a->used_us += used_us * l->weight;
}

struct job *queue_head(const struct sched *s, uint32_t queue)
{
    return s->queues[queue].len > 0 ? &s->jobs[s->queues[queue].root] : NULL;
}

/* The root of Q may be another one. */
static void set_head(const struct sched *s, struct queue *q)
{
    if (q->len == 0)
        return;
    q->priority = s->jobs[q->root].row.priority;
    q->id = s->jobs[q->root].row.id;
}

void queue_enter(struct sched *s, struct job *j)
{
    struct account *a = &s->accounts[j->account];
    struct demand *d = &s->demands[j->demand];
    uint32_t i = queue_of_job(j);
    struct queue *q = &s->queues[i];

    q->root = heap_put(s, q->root, index_of_job(s, j), job_before);
    if (q->len++ == 0) {
        q->live_at = s->live_len;
        s->live[s->live_len++] = i;
        d->queues++;
    }
    set_head(s, q);
    a->low = a->ready_len > 0 ? MIN(a->low, j->row.priority) : j->row.priority;
    a->ready_len++;
    a->stuck_len += d->stuck;
    s->ready_len++;
}

void queue_leave(struct sched *s, struct job *j)
{
    struct account *a = &s->accounts[j->account];
    struct demand *d = &s->demands[j->demand];
    struct queue *q = &s->queues[queue_of_job(j)];

    q->root = heap_take(s, q->root, index_of_job(s, j), job_before);
    if (--q->len == 0) {
        uint32_t moved = s->live[--s->live_len];
        s->live[q->live_at] = moved;
        s->queues[moved].live_at = q->live_at;
        q->live_at = NONE;
        if (--d->queues == 0)
            s->demand_free |= s->demand_short;
    }
    set_head(s, q);
    a->ready_len--;
    a->stuck_len -= d->stuck;
    s->ready_len--;
    account_hunger(s, a);
}

struct job *account_last(const struct sched *s, const struct account *a)
{
    uint32_t first = index_of_account(s, a) * DEMANDS;
    struct job *last = NULL;
    for (uint32_t d = 0; d < DEMANDS; d++) {
        if (s->queues[first + d].len == 0 || s->demands[d].stuck)
            continue;
        for (uint32_t i = s->queues[first + d].root; i != NONE; i = heap_next(s, i))
            if (!last || job_before(last, &s->jobs[i]))
                last = &s->jobs[i];
    }
    return last;
}
