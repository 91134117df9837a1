/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c - the best ready job to the best worker that can take it, until one of them runs out.
 *
 * Jobs: priority, then the account that used less, then age. Workers: one with a free slot before
 * one where it would wait; more of the job's blobs; the smaller share of slots in use (or the
 * shorter queue); the older. A lease costs O(queues + log jobs), and what LOOK_AT allows. */
#include <assert.h>

#include "coordinator/core/core.h"

/* Workers looked at for one job, with and without blobs to look for. Exact up to so many free ones;
 * a larger crowd of idle workers is sampled, or a burst of 4096 jobs over 10,000 idle workers would
 * look 40 million times. */
enum { LOOK_AT_BLOBS = 256, LOOK_AT_MAX = 64 };

/* A queue's place in the order. */
struct rank {
    uint32_t queue; /* NONE: there is none */
    int32_t priority;
    uint64_t used_us, id;
};
static const struct rank nobody = { .queue = NONE };

static struct rank rank_of(const struct sched *s, uint32_t queue)
{
    const struct queue *q = &s->queues[queue];
    return (struct rank){ .queue = queue,
                          .priority = q->priority,
                          .used_us = account_used(s, &s->accounts[queue / DEMANDS]),
                          .id = q->id };
}

/* Does A go before B? Anybody before nobody. */
static bool before(const struct rank *a, const struct rank *b)
{
    if (a->queue == NONE || b->queue == NONE)
        return a->queue != NONE;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->used_us != b->used_us ? a->used_us < b->used_us : a->id < b->id;
}

/* May J wait at a worker? Its time has to be known, and short. */
static bool may_wait(const struct sched *s, const struct job *j)
{
    uint64_t est_us = shape_est(s, &j->row);
    return est_us > 0 && est_us <= (uint64_t)s->limits.ahead_ms * 1000;
}

/* What the queues' heads find: the best of those for which a slot is free; of those that may wait
 * ahead at a worker; of those that find neither, though connected workers offer what they ask for;
 * and of the latter those that ask for more than a slot. */
struct choice {
    struct rank slot, ahead, blocked, special;
};

static void prefer(struct rank *best, const struct rank *queue)
{
    if (before(queue, best))
        *best = *queue;
}

static struct choice choose(const struct sched *s)
{
    struct choice c = { nobody, nobody, nobody, nobody };
    for (uint32_t i = 0; i < s->live_len; i++) {
        uint32_t q = s->live[i];
        const struct demand *d = &s->demands[q % DEMANDS];
        const struct rank rank = rank_of(s, q);
        if (d->free_len > 0) {
            prefer(&c.slot, &rank);
        } else if (d->ahead_len > 0 && may_wait(s, queue_head(s, q))) {
            prefer(&c.ahead, &rank);
        } else if (d->able > 0 && q != s->reserved_queue) {
            prefer(&c.blocked, &rank);
            if (demand_special(d))
                prefer(&c.special, &rank);
        }
    }
    return c;
}

static uint32_t blobs_of(const struct sched *s, const struct worker *w, const struct job *j)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < j->row.blobs_len; i++)
        n += worker_has_blob(s, w, j->row.blobs[i]);
    return n;
}

/* Is A, which has A_BLOBS of the job's blobs, better than B with B_BLOBS? AHEAD: it would wait. */
static bool better(const struct worker *a, uint32_t a_blobs, const struct worker *b,
                   uint32_t b_blobs, bool ahead)
{
    if (a_blobs != b_blobs)
        return a_blobs > b_blobs;
    uint64_t a_load = (ahead ? a->ahead_us : a->used_len) * b->slots;
    uint64_t b_load = (ahead ? b->ahead_us : b->used_len) * a->slots;
    return a_load != b_load ? a_load < b_load : a->order < b->order;
}

/* AHEAD: where it would wait, but for workers that offer a demand of AVOID. NULL: there is none. */
static struct worker *best_worker(const struct sched *s, const struct job *j, bool ahead,
                                  uint64_t avoid)
{
    const uint32_t *list = ahead ? s->ahead : s->free;
    uint32_t len = ahead ? s->ahead_len : s->free_len;
    uint32_t left = j->row.blobs_len > 0 ? LOOK_AT_BLOBS : LOOK_AT_MAX, best_blobs = 0;
    struct worker *best = NULL;

    for (uint32_t i = 0; i < len && left > 0; i++) {
        struct worker *w = &s->workers[list[i]];
        if (!((ahead ? w->ahead : w->fits) >> j->demand & 1))
            continue;
        left--;
        uint32_t blobs = blobs_of(s, w, j);
        if (!(w->offers & avoid) && (!best || better(w, blobs, best, best_blobs, ahead))) {
            best = w;
            best_blobs = blobs;
        }
    }
    return best;
}

void reservation_release(struct sched *s)
{
    if (s->reserved_worker == NONE)
        return;
    struct worker *w = &s->workers[s->reserved_worker];
    s->reserved_worker = s->reserved_queue = NONE;
    if (w->used)
        worker_refresh(s, w);
}

/* Does the reservation still make sense? Not when its jobs are gone, its worker is, or when a job
 * of a higher priority could have the place. */
static bool reservation_holds(const struct sched *s)
{
    const struct worker *w = &s->workers[s->reserved_worker];
    const struct job *j = queue_head(s, s->reserved_queue);

    if (!j || !w->used || w->quiet || !(w->offers >> s->reserved_queue % DEMANDS & 1))
        return false;
    for (uint32_t i = 0; i < s->live_len; i++) {
        uint32_t d = s->live[i] % DEMANDS;
        if (queue_head(s, s->live[i])->row.priority > j->row.priority && (w->offers >> d & 1) &&
            (demand_special(&s->demands[d]) || worker_has_room(w, &s->demands[d])))
            return false;
    }
    return true;
}

/* Keep the least used of the workers that could run QUEUE's head free for it, if none is kept yet.
 * True: done. */
static bool reserve(struct sched *s, uint32_t queue)
{
    struct worker *best = NULL;

    if (s->reserved_worker != NONE)
        return false;
    for (uint32_t i = 0; i < s->workers_top; i++) {
        struct worker *w = &s->workers[i];
        if (w->used && !w->quiet && (w->offers >> queue % DEMANDS & 1) &&
            (!best || better(w, 0, best, 0, false)))
            best = w;
    }
    if (!best)
        return false;
    s->reserved_worker = index_of_worker(s, best);
    s->reserved_queue = queue;
    worker_refresh(s, best);
    struct sched_action *a = act_trace(s, TRACE_RESERVED, NULL);
    a->worker = best->id;
    a->job = queue_head(s, queue)->row.id;
    return true;
}

/* Give out one lease; false: there is none to give. */
static bool give_one(struct sched *s, const struct choice *c)
{
    bool ahead = before(&c->ahead, &c->slot);
    uint32_t q = ahead ? c->ahead.queue : c->slot.queue;
    if (q == NONE)
        return false;
    /* What would wait must not keep slots busy that somebody who goes before it, and may not wait,
     * is waiting for. */
    bool avoids = ahead && before(&c->blocked, &c->ahead);
    uint64_t avoid = avoids ? (uint64_t)1 << c->blocked.queue % DEMANDS : 0;
    struct worker *w = best_worker(s, queue_head(s, q), ahead, avoid);
    if (!w && ahead && c->slot.queue != NONE) {
        q = c->slot.queue;
        w = best_worker(s, queue_head(s, q), false, 0);
    }
    if (!w)
        return false;
    assert(w->used_len < w->slots + w->queue);
    if (q == s->reserved_queue && index_of_worker(s, w) == s->reserved_worker)
        reservation_release(s);
    lease_grant(s, queue_head(s, q), w);
    return true;
}

void dispatch(struct sched *s)
{
    if (s->reserved_worker != NONE && !reservation_holds(s))
        reservation_release(s);
    while (s->free_len + s->ahead_len > 0 && s->live_len > 0 && s->leases_len < s->limits.leases &&
           out_room(s)) {
        struct choice c = choose(s);
        bool first = before(&c.special, &c.slot) && before(&c.special, &c.ahead);
        if (first && reserve(s, c.special.queue))
            continue;
        if (!give_one(s, &c))
            break;
    }
}
