/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c - a worker comes, or comes back: what it holds is compared with what it should hold. */
#include <assert.h>

#include "coordinator/core/core.h"

enum fate { KEEP, DROP };

/* Take up L, of before the restart, if it is one. */
static void adopt(struct sched *s, struct worker *w, struct lease *l, uint64_t progress)
{
    if (l && l->state == LEASE_WAITING && w->used_len < SCHED_CREDITS_MAX)
        lease_adopt(s, l, w, progress);
}

/* Those that moved go first: they have the slots, the others wait behind them, or have ended. */
static void adopt_running(struct sched *s, struct worker *w, const struct sched_event *e)
{
    for (size_t i = 0; i < e->hello.held_len; i++) {
        const struct sched_held *h = &e->hello.held[i];
        if (h->progress > 0)
            adopt(s, w, lease_find(s, h->attempt, h->epoch), h->progress);
    }
}

/* What becomes of one attempt that W says it holds. */
static enum fate look_at(struct sched *s, struct worker *w, const struct sched_held *h)
{
    struct lease *l = lease_find(s, h->attempt, h->epoch);

    adopt(s, w, l, h->progress);
    if (!l || l->worker != index_of_worker(s, w)) /* over; a finished result is worth comparing */
        return h->finished ? KEEP : DROP;
    l->listed = true;
    if (l->state == LEASE_REVOKED || s->jobs[l->job].state == JOB_CANCELLING) {
        lease_send_cancel(s, l);
    } else if (h->finished || h->progress > l->progress) {
        l->progress = MAX(l->progress, h->progress);
        lease_renew(s, l);
        if (!h->finished) /* a finished one gets its row with its result */
            lease_store(s, l);
    }
    l->seen = true;
    return KEEP;
}

/* End the leases of W that it did not list: they never arrived, or it forgot them. A fresh one on
 * the same connection may still be on its way to a worker that repeated its Hello. */
static void end_unlisted(struct sched *s, struct worker *w, bool same_peer)
{
    for (uint32_t i = w->leases.head, next; i != NONE; i = next) {
        struct lease *l = &s->leases[i];
        next = list_next(&w->leases, i);
        bool on_its_way = same_peer && !l->seen && s->now_ms - l->begun_ms < s->limits.quiet_ms;
        if (!l->listed && !on_its_way)
            lease_end(s, l, CAUSE_LOST, false, 0);
        else
            l->listed = false;
    }
}

/* A lease of before the restart that its worker does not list was stored but never sent. */
static void end_never_sent(struct sched *s, uint64_t holder)
{
    uint32_t i;
    while ((i = lease_first_waiting(s, holder)) != NONE && out_room(s))
        lease_end(s, &s->leases[i], CAUSE_LOST, false, 0);
}

void on_hello(struct sched *s, const struct sched_event *e)
{
    assert(e->hello.worker != 0 && e->hello.held_len <= SCHED_HELD_MAX);
    struct worker *w = worker_of_id(s, e->hello.worker);
    bool known = w != NULL, same_peer = known && w->peer == e->peer, dropped = false;

    if (!known)
        w = worker_add(s, e->hello.worker);
    if (!w) {
        struct sched_action *a = act(s, ACT_SEND_REFUSE);
        a->peer = e->peer;
        a->code = ERR_LIMIT;
        return;
    }
    act_trace(s, known ? TRACE_WORKER_BACK : TRACE_WORKER_NEW, NULL)->worker = w->id;
    worker_connect(s, w, e);
    worker_heard(s, w);
    worker_remember(s, w, e->hello.blobs, e->hello.blobs_len);

    struct sched_held *keep = s->out->held, *drop = keep + SCHED_HELD_MAX;
    struct sched_action *welcome = act(s, ACT_SEND_WELCOME);
    adopt_running(s, w, e);
    for (size_t i = 0; i < e->hello.held_len; i++) {
        const struct sched_held *h = &e->hello.held[i];
        if (look_at(s, w, h) == KEEP) {
            *keep++ = *h;
        } else {
            *--drop = *h;
            dropped = true;
        }
    }
    end_unlisted(s, w, same_peer);
    end_never_sent(s, e->hello.holder);
    if (dropped)
        worker_pause(s, w); /* its slots need a moment to stop */
    if (w->draining)
        worker_send_drain(s, w);
    welcome->peer = w->peer;
    welcome->worker = w->id;
    welcome->keep = s->out->held;
    welcome->keep_len = (uint32_t)(keep - s->out->held);
    welcome->drop = drop;
    welcome->drop_len = (uint32_t)(s->out->held + SCHED_HELD_MAX - drop);
}
