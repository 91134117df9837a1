/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/core/held.h"

#include <assert.h>

static const unsigned may_become[AGENT_HELD_STATES] = {
    [AGENT_FREE] = BIT(AGENT_RUNNING) | BIT(AGENT_FINISHED),
    [AGENT_RUNNING] = BIT(AGENT_FINISHED) | BIT(AGENT_FREE),
    [AGENT_FINISHED] = BIT(AGENT_FREE),
};

static size_t index_of(const struct agent *a, const struct agent_held *h)
{
    return (size_t)(h - a->held);
}

/* The only place where state is written. */
static void held_move(struct agent *a, struct agent_held *h, enum agent_held_state next)
{
    assert(may_become[h->state] & BIT(next));
    if (h->state == AGENT_RUNNING) {
        assert(!h->example);
        a->held_of_slot[h->slot] = AGENT_HELD_MAX;
    }
    if (next == AGENT_RUNNING)
        a->held_of_slot[h->slot] = index_of(a, h);
    h->state = next;
    if (next == AGENT_FREE)
        *h = (struct agent_held){ 0 };
}

struct agent_action *agent_add(struct agent_actions *out, enum agent_action_kind kind)
{
    assert(out->len < AGENT_ACTIONS_MAX);
    struct agent_action *x = &out->v[out->len++];
    *x = (struct agent_action){ .kind = kind };
    return x;
}

static struct agent_action *add_for(const struct agent *a, const struct agent_held *h,
                                    enum agent_action_kind kind, struct agent_actions *out)
{
    struct agent_action *x = agent_add(out, kind);
    x->held = index_of(a, h);
    x->slot = h->slot;
    x->attempt = h->id;
    return x;
}

struct agent_held *held_find(struct agent *a, struct agent_attempt id)
{
    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        struct agent_held *h = &a->held[i];
        if (h->state != AGENT_FREE && h->id.attempt == id.attempt && h->id.epoch == id.epoch)
            return h;
    }
    return NULL;
}

struct agent_held *held_find_seq(struct agent *a, uint64_t seq, bool *ret_example)
{
    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        struct agent_held *h = &a->held[i];
        *ret_example = h->state == AGENT_RUNNING && h->example && h->example_seq == seq;
        if (*ret_example || (h->state == AGENT_FINISHED && h->result_seq == seq))
            return h;
    }
    return NULL;
}

struct agent_held *held_of_slot(struct agent *a, size_t slot)
{
    assert(slot < a->slots);
    size_t i = a->held_of_slot[slot];
    return i < AGENT_HELD_MAX ? &a->held[i] : NULL;
}

size_t held_count(const struct agent *a)
{
    size_t n = 0;
    for (size_t i = 0; i < AGENT_HELD_MAX; i++)
        n += a->held[i].state != AGENT_FREE;
    return n;
}

static struct agent_held *free_place(struct agent *a)
{
    for (size_t i = 0; i < AGENT_HELD_MAX; i++)
        if (a->held[i].state == AGENT_FREE)
            return &a->held[i];
    return NULL;
}

/* FREE or RUNNING -> FINISHED, and sent when there is a coordinator. */
static void keep_result(struct agent *a, uint64_t now_ms, struct agent_held *h,
                        enum agent_outcome outcome, struct agent_actions *out)
{
    held_move(a, h, AGENT_FINISHED);
    h->outcome = outcome;
    h->result_seq = a->next_seq++;
    if (a->link == AGENT_ONLINE)
        held_send(a, now_ms, h, out);
}

void held_lease(struct agent *a, uint64_t now_ms, struct agent_attempt id,
                struct agent_actions *out)
{
    struct agent_held *h = free_place(a);
    if (h == NULL || held_find(a, id) != NULL)
        return; /* the table is full: the lease expires at the coordinator */
    size_t slot = 0;
    while (slot < a->slots && a->held_of_slot[slot] < AGENT_HELD_MAX)
        slot++;
    h->id = id;
    if (slot == a->slots || a->draining) {
        keep_result(a, now_ms, h, AGENT_OUTCOME_PREEMPTED, out);
        return;
    }
    h->slot = slot;
    h->renewed_ms = now_ms;
    held_move(a, h, AGENT_RUNNING);
    add_for(a, h, AGENT_START, out);
}

void held_finish(struct agent *a, uint64_t now_ms, struct agent_held *h, int code,
                 struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING);
    if (h->reason == AGENT_ABANDONED) {
        held_forget(a, h, out);
        return;
    }
    keep_result(a, now_ms, h, agent_outcome_of(code, h->reason), out);
}

void held_example(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING && !h->example);
    h->example = true;
    h->example_seq = a->next_seq++;
    if (h->reason == AGENT_CANCELLED)
        held_end_example(a, h, ERR_CANCELLED, out);
    else if (h->reason == AGENT_ABANDONED)
        held_end_example(a, h, ERR_STALE, out);
    else if (a->link == AGENT_ONLINE)
        held_send(a, now_ms, h, out);
}

void held_end_example(struct agent *a, struct agent_held *h, int code, struct agent_actions *out)
{
    if (!h->example)
        return;
    h->example = false;
    add_for(a, h, AGENT_END_EXAMPLE, out)->code = code;
}

void held_stop(struct agent *a, struct agent_held *h, enum agent_reason reason,
               struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING);
    bool stronger = reason > h->reason;
    h->reason = MAX(h->reason, reason);
    if (stronger)
        add_for(a, h, AGENT_STOP, out)->reason = reason;
    /* A drained job's example still becomes durable; the others' are over. */
    if (reason != AGENT_PREEMPTED)
        held_end_example(a, h, reason == AGENT_CANCELLED ? ERR_CANCELLED : ERR_STALE, out);
}

void held_abandon(struct agent *a, struct agent_held *h, struct agent_actions *out)
{
    if (h->state == AGENT_RUNNING)
        held_stop(a, h, AGENT_ABANDONED, out);
    else
        held_forget(a, h, out);
}

void held_forget(struct agent *a, struct agent_held *h, struct agent_actions *out)
{
    add_for(a, h, AGENT_FORGET, out);
    held_move(a, h, AGENT_FREE);
}

void held_send(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    if (h->state == AGENT_FINISHED) {
        struct agent_action *x = add_for(a, h, AGENT_SEND_RESULT, out);
        x->seq = h->result_seq;
        x->outcome = h->outcome;
        h->result_sent_ms = now_ms;
    } else if (h->example) {
        add_for(a, h, AGENT_SEND_EXAMPLE, out)->seq = h->example_seq;
        h->example_sent_ms = now_ms;
    }
}

void held_renew(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING);
    if (h->counter == h->renewed_counter || h->reason == AGENT_ABANDONED)
        return;
    add_for(a, h, AGENT_SEND_RENEW, out);
    h->renewed_counter = h->counter;
    h->renewed_ms = now_ms;
}
