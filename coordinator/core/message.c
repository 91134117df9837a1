/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - what workers that said Hello tell of their attempts. */
#include <assert.h>

#include "coordinator/core/core.h"

static void ack(struct sched *s, const struct sched_event *e, uint64_t seq, int code)
{
    struct sched_action *a = act(s, ACT_SEND_ACK);
    a->peer = e->peer;
    a->seq = seq;
    a->code = code;
}

static bool cancelling(const struct sched *s, const struct lease *l)
{
    return s->jobs[l->job].state == JOB_CANCELLING;
}

/* The lease of W (or of anybody: NULL) that the message's attempt names; NULL: it has none. */
static struct lease *lease_of(const struct sched *s, const struct worker *w, uint64_t attempt,
                              uint32_t epoch)
{
    struct lease *l = lease_find(s, attempt, epoch);
    if (l && w && l->worker != index_of_worker(s, w))
        return NULL;
    return l;
}

/* An attempt of before the restart that its worker's Hello did not list, because the lease was then
 * still on its way: let it say Hello again, and all else follows from that. */
static bool needs_hello(struct sched *s, const struct worker *w, uint64_t attempt, uint32_t epoch)
{
    const struct lease *l = lease_find(s, attempt, epoch);
    if (!w || !l || l->state != LEASE_WAITING)
        return false;
    struct sched_action *a = act(s, ACT_SEND_REFUSE);
    a->peer = w->peer;
    a->code = ERR_STALE;
    return true;
}

void on_credits(struct sched *s, struct worker *w, const struct sched_event *e)
{
    worker_set_slots(s, w, e->credits.slots, e->credits.queue);
}

void on_renew(struct sched *s, struct worker *w, const struct sched_event *e)
{
    assert(e->renew.held_len <= SCHED_HELD_MAX);
    for (size_t i = 0; i < e->renew.held_len; i++) {
        const struct sched_held *h = &e->renew.held[i];
        struct lease *l = lease_of(s, w, h->attempt, h->epoch);
        if (needs_hello(s, w, h->attempt, h->epoch))
            continue;
        if (!l) {
            struct sched_action *a = act(s, ACT_SEND_CANCEL);
            a->peer = w->peer;
            a->attempt = h->attempt;
            a->epoch = h->epoch;
        } else if (l->state == LEASE_REVOKED || cancelling(s, l)) {
            lease_send_cancel(s, l);
        } else if (!l->seen || h->progress > l->progress) {
            l->progress = MAX(l->progress, h->progress);
            lease_renew(s, l);
            lease_store(s, l);
        }
    }
}

static void trace_stale(struct sched *s, const struct worker *w, const struct sched_event *e)
{
    struct sched_action *a = act_trace(s, TRACE_STALE, NULL);
    a->attempt = e->result.attempt;
    a->epoch = e->result.epoch;
    a->worker = w ? w->id : 0;
}

void on_example(struct sched *s, struct worker *w, const struct sched_event *e)
{
    struct lease *l = lease_of(s, w, e->result.attempt, e->result.epoch);

    if (needs_hello(s, w, e->result.attempt, e->result.epoch))
        return;
    if (!l || l->state != LEASE_ACTIVE) {
        /* A REVOKED attempt's end is awaited: its slot is busy until then. */
        trace_stale(s, w, e);
        ack(s, e, e->result.seq, l ? ERR_CANCELLED : ERR_STALE);
        return;
    }
    lease_store(s, l);
    act_lease(s, ACT_STORE_EXAMPLE, l);
    lease_renew(s, l);
    ack(s, e, e->result.seq, cancelling(s, l) ? ERR_CANCELLED : 0);
}

/* Unlike an example it is of no use to anybody once the job is cancelled. */
void on_checkpoint(struct sched *s, struct worker *w, const struct sched_event *e)
{
    struct lease *l = lease_of(s, w, e->result.attempt, e->result.epoch);

    if (needs_hello(s, w, e->result.attempt, e->result.epoch))
        return;
    if (!l || l->state != LEASE_ACTIVE || cancelling(s, l)) {
        if (!l || l->state != LEASE_ACTIVE)
            trace_stale(s, w, e);
        ack(s, e, e->result.seq, l ? ERR_CANCELLED : ERR_STALE);
        return;
    }
    lease_store(s, l);
    act_lease(s, ACT_STORE_CHECKPOINT, l);
    lease_renew(s, l);
    ack(s, e, e->result.seq, 0);
}

/* A result of an attempt that is over, or that nobody knows. */
static void late_result(struct sched *s, struct worker *w, const struct sched_event *e)
{
    enum sched_cause outcome = e->result.outcome;

    if (outcome == CAUSE_DONE || outcome == CAUSE_DIVERGED) {
        struct sched_action *a = act(s, ACT_COMPARE);
        a->attempt = e->result.attempt;
        a->epoch = e->result.epoch;
        a->job = e->result.job;
        a->worker = w ? w->id : 0;
    }
    trace_stale(s, w, e);
    if (w)
        ack(s, e, e->result.seq, ERR_STALE);
}

static void store_result(struct sched *s, struct lease *l, const struct sched_event *e)
{
    struct sched_action *a = act_lease(s, ACT_STORE_RESULT, l);
    a->cause = e->result.outcome;
    a->whole = !l->stored;
    l->stored = true;
    shape_learn(s, &s->jobs[l->job].row, e->result.wall_us);
}

void on_result(struct sched *s, struct worker *w, const struct sched_event *e)
{
    struct lease *l = lease_of(s, w, e->result.attempt, e->result.epoch);
    enum sched_cause outcome = e->result.outcome;

    assert(outcome < CAUSE_SKIPPED);
    if (needs_hello(s, w, e->result.attempt, e->result.epoch))
        return;
    if (!l || l->state != LEASE_ACTIVE) {
        if (l && l->state == LEASE_REVOKED)
            lease_end(s, l, outcome, true, 0);
        late_result(s, w, e);
        return;
    }
    /* Given back without being asked to: the worker had no slot for it, or is about to leave. */
    bool refused = (outcome == CAUSE_PREEMPTED || outcome == CAUSE_CANCELLED) && !cancelling(s, l);
    if (outcome == CAUSE_DONE || outcome == CAUSE_DIVERGED)
        store_result(s, l, e);
    lease_end(s, l, outcome, true, e->result.wall_us);
    if (w && refused)
        worker_pause(s, w);
    if (w)
        ack(s, e, e->result.seq, 0);
}

void on_goodbye(struct sched *s, struct worker *w, const struct sched_event *e)
{
    if (w)
        worker_remove(s, w, CAUSE_PREEMPTED);
    ack(s, e, e->goodbye.seq, 0);
}
