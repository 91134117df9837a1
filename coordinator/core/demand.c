/* SPDX-License-Identifier: Apache-2.0 */
/* demand.c - what jobs ask of a worker: a class, labels, cores, memory, time, to be alone. Jobs
 * that ask for the same share a demand, a bit of the workers' masks. At most DEMANDS different ones
 * have ready jobs here at one time; jobs of others stay in the store until one is used up. */
#include <assert.h>

#include "coordinator/core/core.h"

/* What of the ready jobs of an experiment may be such that no connected worker can run: enough to
 * start at once when one comes; more would keep others behind them out of the window. */
static uint32_t stuck_max(const struct sched *s)
{
    return (s->limits.window + 3) / 4;
}

bool demand_special(const struct demand *d)
{
    return d->alone || d->cores > 0 || d->memory_mib > 0;
}

bool worker_offers(const struct worker *w, const struct demand *d)
{
    return w->peer != 0 && !w->draining && w->slots > 0 && (w->classes >> d->class & 1) &&
           (d->labels & ~w->labels) == 0 && d->cores <= w->cores &&
           (d->memory_mib == 0 || d->memory_mib <= w->memory_mib) && d->need <= w->serves;
}

bool worker_has_room(const struct worker *w, const struct demand *d)
{
    uint32_t share = w->cores / MAX(w->slots, 1);
    uint32_t cores = demand_special(d) ? MAX(d->cores, 1) : share;

    if (w->used_len >= w->slots || w->alone_len > 0 || (d->alone && w->used_len > 0))
        return false;
    return worker_cores_used(w) + cores <= w->cores &&
           (d->memory_mib == 0 || w->memory_used + d->memory_mib <= w->memory_mib);
}

static bool same(const struct demand *a, const struct demand *b)
{
    return a->class == b->class && a->alone == b->alone && a->cores == b->cores &&
           a->labels == b->labels && a->memory_mib == b->memory_mib && a->need == b->need;
}

/* Demand I becomes NEW, and every worker knows it. */
static void replace(struct sched *s, int i, struct demand new)
{
    uint64_t bit = (uint64_t)1 << i;

    assert((s->demands_mask & bit) == 0 || s->demands[i].queues == 0);
    if (s->reserved_queue != NONE && s->reserved_queue % DEMANDS == (uint32_t)i)
        reservation_release(s);
    /* The old one is taken out of all counts, then the new one is put in. */
    s->demand_lost |= (s->demands_mask & bit) != 0 && s->demands[i].stuck;
    s->demands_mask &= ~bit;
    s->plain_mask &= ~bit;
    for (uint32_t k = 0; k < s->workers_top; k++) {
        s->workers[k].offers &= ~bit;
        if (s->workers[k].used)
            worker_refresh(s, &s->workers[k]);
    }
    s->demands[i] = new;
    s->demands_mask |= bit;
    if (!demand_special(&new))
        s->plain_mask |= bit;
    for (uint32_t k = 0; k < s->workers_top; k++) {
        struct worker *w = &s->workers[k];
        if (!w->used || !worker_offers(w, &new))
            continue;
        w->offers |= bit;
        s->demands[i].able++;
        worker_refresh(s, w);
    }
    s->demands[i].stuck = s->connected_len > 0 && s->demands[i].able == 0;
}

/* Is there a worker that offers NEW? */
static bool served(const struct sched *s, const struct demand *new)
{
    for (uint32_t k = 0; k < s->workers_top; k++)
        if (s->workers[k].used && worker_offers(&s->workers[k], new))
            return true;
    return false;
}

/* All ready jobs of demand I go back to the store. */
static void send_back(struct sched *s, int i)
{
    for (uint32_t a = 0; a < s->limits.experiments; a++) {
        while (s->queues[a * DEMANDS + (uint32_t)i].len > 0) {
            s->accounts[a].shut = true;
            job_forget(s, queue_head(s, a * DEMANDS + (uint32_t)i));
        }
    }
}

/* A place for NEW: one that was never used, or is used no more, or one that nobody can serve. */
static int place_for(struct sched *s, const struct demand *new)
{
    if (~s->demands_mask != 0)
        return __builtin_ctzll(~s->demands_mask);
    for (int i = 0; i < DEMANDS; i++)
        if (s->demands[i].queues == 0)
            return i;
    for (int i = 0; i < DEMANDS && served(s, new); i++) {
        if (s->demands[i].stuck) {
            send_back(s, i);
            return i;
        }
    }
    s->demand_short = true;
    return -1;
}

int demand_get(struct sched *s, const struct sched_job *row)
{
    struct demand new = { .class = row->class,
                          .need = need_of_job(s, row),
                          .alone = job_alone(s, row),
                          .cores = row->cores,
                          .labels = row->labels,
                          .memory_mib = row->memory_mib };
    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1)
        if (same(&s->demands[__builtin_ctzll(left)], &new))
            return __builtin_ctzll(left);
    int i = place_for(s, &new);
    if (i >= 0)
        replace(s, i, new);
    return i;
}

/* Accounts that had to send jobs back ask for them again. */
static void reopen(struct sched *s)
{
    for (uint32_t i = 0; i < s->limits.experiments; i++) {
        struct account *a = &s->accounts[i];
        if (!a->used || !a->shut)
            continue;
        a->shut = a->later = false;
        account_more(s, a, true);
    }
}

/* What is too much of the ready jobs of A that nobody can run goes back. */
static void trim(struct sched *s, struct account *a)
{
    uint32_t first = index_of_account(s, a) * DEMANDS;
    for (uint32_t d = 0; d < DEMANDS; d++) {
        while (s->demands[d].stuck && s->queues[first + d].len > 0 && a->stuck_len > stuck_max(s)) {
            a->shut = true;
            job_forget(s, queue_head(s, first + d));
        }
    }
}

void demands_review(struct sched *s)
{
    bool moved = s->needs_changed, served_now = s->demand_free || moved;
    uint64_t stuck_now = 0;

    if (moved)
        needs_review(s);
    s->needs_changed = false;
    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(left);
        struct demand *d = &s->demands[i];
        bool stuck = s->connected_len > 0 && d->able == 0;
        if (stuck == d->stuck)
            continue;
        d->stuck = stuck;
        served_now |= !stuck;
        stuck_now |= stuck ? (uint64_t)1 << i : 0;
        for (uint32_t a = 0; a < s->limits.experiments; a++) {
            uint32_t len = s->queues[a * DEMANDS + i].len;
            s->accounts[a].stuck_len += stuck ? len : -len;
            if (len > 0)
                account_hunger(s, &s->accounts[a]);
        }
    }
    if (s->demand_free)
        s->demand_short = false;
    s->demand_free = false;
    for (uint32_t a = 0; a < s->limits.experiments && (moved || stuck_now != 0); a++)
        if (s->accounts[a].used)
            trim(s, &s->accounts[a]);
    if (served_now)
        reopen(s);
}

bool demand_refuses(const struct sched *s, const struct account *a, int demand)
{
    return demand < 0 || (s->demands[demand].stuck && a->stuck_len >= stuck_max(s));
}
