/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/core/held.h"

#include <assert.h>

enum { NOBODY = AGENT_HELD_MAX };
static_assert((AGENT_BUCKETS & (AGENT_BUCKETS - 1)) == 0, "a power of two");
static_assert((int)AGENT_HELD_MAX <= (int)UINT16_MAX, "fits in a bucket");

static const unsigned may_become[AGENT_HELD_STATES] = {
    [AGENT_FREE] = BIT(AGENT_QUEUED) | BIT(AGENT_FINISHED),
    [AGENT_QUEUED] = BIT(AGENT_RUNNING) | BIT(AGENT_FINISHED) | BIT(AGENT_FREE),
    [AGENT_RUNNING] = BIT(AGENT_FINISHED) | BIT(AGENT_FREE),
    [AGENT_FINISHED] = BIT(AGENT_FREE),
};

static uint32_t index_of(const struct agent *a, const struct agent_held *h)
{
    return (uint32_t)(h - a->held);
}

void held_init(struct agent *a)
{
    for (a->buckets = 16; a->buckets < a->capacity && a->buckets < AGENT_BUCKETS;)
        a->buckets *= 2;
    for (size_t i = 0; i < a->buckets; i++)
        a->bucket[i] = NOBODY;
    for (size_t i = 0; i < AGENT_SLOTS_MAX; i++)
        a->held_of_slot[i] = NOBODY;
    for (size_t i = 0; i < a->capacity; i++)
        a->held[i] = (struct agent_held){ .next = i + 1 < a->capacity ? (uint32_t)i + 1 : NOBODY };
    a->free = 0;
    a->count[AGENT_FREE] = a->capacity;
}

/* ---- by attempt: chains through next ---- */

static uint16_t *bucket_of(struct agent *a, uint64_t attempt)
{
    return &a->bucket[attempt & (a->buckets - 1)];
}

static void index_add(struct agent *a, struct agent_held *h)
{
    uint16_t *head = bucket_of(a, h->id.attempt);
    h->next = *head;
    *head = (uint16_t)index_of(a, h);
}

static void index_remove(struct agent *a, const struct agent_held *h)
{
    uint16_t *head = bucket_of(a, h->id.attempt);

    if (*head == index_of(a, h)) {
        *head = (uint16_t)h->next;
        return;
    }
    struct agent_held *before = &a->held[*head];
    while (before->next != index_of(a, h))
        before = &a->held[before->next];
    before->next = h->next;
}

struct agent_held *held_find(struct agent *a, struct agent_attempt id)
{
    uint32_t i = *bucket_of(a, id.attempt);

    while (i != NOBODY && (a->held[i].id.attempt != id.attempt || a->held[i].id.epoch != id.epoch))
        i = a->held[i].next;
    return i != NOBODY ? &a->held[i] : NULL;
}

/* ---- states ---- */

/* A free place for ID, or NULL; held_move is next. */
static struct agent_held *take_place(struct agent *a, struct agent_attempt id)
{
    if (a->free == NOBODY)
        return NULL;
    struct agent_held *h = &a->held[a->free];
    a->free = h->next;
    *h = (struct agent_held){ .id = id };
    index_add(a, h);
    return h;
}

/* The only place where state is written. */
static void held_move(struct agent *a, struct agent_held *h, enum agent_held_state next)
{
    assert(may_become[h->state] & BIT(next));
    if (h->state == AGENT_RUNNING) {
        assert(!h->example && a->held_of_slot[h->slot] == index_of(a, h));
        a->held_of_slot[h->slot] = NOBODY;
    }
    if (next == AGENT_RUNNING) {
        assert(h->slot < a->slots && a->held_of_slot[h->slot] == NOBODY);
        a->held_of_slot[h->slot] = index_of(a, h);
    }
    a->count[h->state]--;
    a->count[next]++;
    h->state = next;
    if (next == AGENT_FREE) {
        index_remove(a, h);
        *h = (struct agent_held){ .next = a->free };
        a->free = index_of(a, h);
    }
    assert(a->count[AGENT_QUEUED] <= a->queue + a->slots && a->count[AGENT_RUNNING] <= a->slots);
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

/* A number that says whose it is, so that an answer needs no search. */
static uint64_t new_seq(struct agent *a, const struct agent_held *h)
{
    return a->next_seq++ * AGENT_HELD_MAX + index_of(a, h);
}

struct agent_held *held_find_seq(struct agent *a, uint64_t seq)
{
    struct agent_held *h = &a->held[seq % AGENT_HELD_MAX];
    return h->seq == seq && (h->state == AGENT_FINISHED || h->example) ? h : NULL;
}

struct agent_held *held_of_slot(struct agent *a, size_t slot)
{
    assert(slot < a->slots);
    uint32_t i = a->held_of_slot[slot];
    return i != NOBODY ? &a->held[i] : NULL;
}

/* -> FINISHED, and sent when there is a coordinator. */
static void keep_result(struct agent *a, uint64_t now_ms, struct agent_held *h,
                        enum agent_outcome outcome, struct agent_actions *out)
{
    held_move(a, h, AGENT_FINISHED);
    h->outcome = outcome;
    h->seq = new_seq(a, h);
    if (a->link == AGENT_ONLINE)
        held_send(a, now_ms, h, out);
}

void held_lease(struct agent *a, uint64_t now_ms, struct agent_attempt id,
                struct agent_actions *out)
{
    if (held_find(a, id) != NULL)
        return;
    const size_t taken = a->count[AGENT_QUEUED] + a->count[AGENT_RUNNING];
    struct agent_held *h = take_place(a, id);
    if (h == NULL)
        return; /* the table is full: the lease expires at the coordinator */
    if (taken >= a->slots + a->queue || a->draining) {
        keep_result(a, now_ms, h, AGENT_OUTCOME_PREEMPTED, out);
        return;
    }
    h->since_ms = now_ms;
    held_move(a, h, AGENT_QUEUED);
    add_for(a, h, AGENT_QUEUE, out);
}

void held_start(struct agent *a, uint64_t now_ms, struct agent_held *h, size_t slot,
                struct agent_actions *out)
{
    assert(h->state == AGENT_QUEUED);
    h->slot = (uint32_t)slot;
    h->since_ms = now_ms;
    held_move(a, h, AGENT_RUNNING);
    if (h->reason == AGENT_PREEMPTED && !a->draining)
        h->reason = AGENT_GOES_ON;  /* it had waited too long, and waits no more */
    if (h->reason != AGENT_GOES_ON) /* it could not be withdrawn in time */
        add_for(a, h, AGENT_STOP, out)->reason = h->reason;
}

void held_withdrawn(struct agent *a, uint64_t now_ms, struct agent_held *h,
                    struct agent_actions *out)
{
    assert(h->state == AGENT_QUEUED && h->reason != AGENT_GOES_ON);
    if (h->reason == AGENT_ABANDONED)
        held_forget(a, h, out);
    else
        keep_result(a, now_ms, h, agent_outcome_of(ERR_CANCELLED, h->reason), out);
}

void held_finish(struct agent *a, uint64_t now_ms, struct agent_held *h, int code,
                 struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING);
    if (h->reason == AGENT_ABANDONED) {
        held_forget(a, h, out);
        return;
    }
    const enum agent_outcome outcome = agent_outcome_of(code, h->reason);

    a->cut = a->cut || outcome == AGENT_OUTCOME_PREEMPTED;
    keep_result(a, now_ms, h, outcome, out);
}

void held_example(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING && !h->example);
    h->example = true;
    h->seq = new_seq(a, h);
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
    assert(h->state == AGENT_QUEUED || h->state == AGENT_RUNNING);
    const bool asked = h->reason != AGENT_GOES_ON, stronger = reason > h->reason;

    h->reason = MAX(h->reason, reason);
    if (h->state == AGENT_QUEUED) {
        if (!asked)
            add_for(a, h, AGENT_WITHDRAW, out)->reason = reason;
        return;
    }
    if (stronger)
        add_for(a, h, AGENT_STOP, out)->reason = reason;
    /* A drained job's example still becomes durable; the others' are over. */
    if (reason != AGENT_PREEMPTED)
        held_end_example(a, h, reason == AGENT_CANCELLED ? ERR_CANCELLED : ERR_STALE, out);
}

void held_abandon(struct agent *a, struct agent_held *h, struct agent_actions *out)
{
    if (h->state == AGENT_FINISHED)
        held_forget(a, h, out);
    else
        held_stop(a, h, AGENT_ABANDONED, out);
}

void held_forget(struct agent *a, struct agent_held *h, struct agent_actions *out)
{
    add_for(a, h, AGENT_FORGET, out);
    held_move(a, h, AGENT_FREE);
}

void held_send(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    if (h->state != AGENT_FINISHED && !h->example)
        return;
    struct agent_action *x =
        add_for(a, h, h->example ? AGENT_SEND_EXAMPLE : AGENT_SEND_RESULT, out);
    x->seq = h->seq;
    x->outcome = h->outcome;
    h->sent_ms = now_ms;
}

void held_renew(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    assert(h->state == AGENT_RUNNING);
    if (h->counter == h->renewed_counter || h->reason == AGENT_ABANDONED)
        return;
    add_for(a, h, AGENT_SEND_RENEW, out);
    h->renewed_counter = h->counter;
    h->renewed = true;
    h->since_ms = now_ms;
}

void held_check(struct agent *a, uint64_t now_ms, struct agent_held *h, struct agent_actions *out)
{
    const struct agent_times *t = &a->times;

    if (h->state == AGENT_RUNNING &&
        now_ms - h->since_ms >= (h->renewed ? t->renew_ms : MIN(t->heartbeat_ms, t->renew_ms)))
        held_renew(a, now_ms, h, out);
    else if (h->state == AGENT_QUEUED && t->queue_ms > 0 && now_ms - h->since_ms >= t->queue_ms)
        held_stop(a, h, AGENT_PREEMPTED, out);
    if ((h->state == AGENT_FINISHED || h->example) && now_ms - h->sent_ms >= t->resend_ms)
        held_send(a, now_ms, h, out);
}

/* ---- the invariant ---- */

static bool one_agrees(const struct agent *a, const struct agent_held *h)
{
    const bool running = h->state == AGENT_RUNNING, finished = h->state == AGENT_FINISHED;

    if (running && (h->slot >= a->slots || a->held_of_slot[h->slot] != index_of(a, h)))
        return false;
    if (h->example && !running)
        return false;
    if ((h->example || finished) && h->seq % AGENT_HELD_MAX != index_of(a, h))
        return false;
    return h->state != AGENT_FREE || (h->id.attempt == 0 && h->reason == AGENT_GOES_ON);
}

/* Every held one is in its bucket, and all free ones are in the list. */
static bool chains_agree(const struct agent *a)
{
    size_t free = 0, chained = 0;

    for (uint32_t i = a->free; i != NOBODY && free <= a->capacity; i = a->held[i].next, free++)
        if (i >= a->capacity || a->held[i].state != AGENT_FREE)
            return false;
    for (size_t b = 0; b < a->buckets; b++)
        for (uint32_t i = a->bucket[b]; i != NOBODY; i = a->held[i].next, chained++)
            if (i >= a->capacity || chained > a->capacity || a->held[i].state == AGENT_FREE ||
                (a->held[i].id.attempt & (a->buckets - 1)) != b)
                return false;
    return free == a->count[AGENT_FREE] && free + chained == a->capacity;
}

bool held_invariant(const struct agent *a)
{
    size_t count[AGENT_HELD_STATES] = { 0 }, busy = 0;

    for (size_t i = 0; i < a->capacity; i++) {
        if ((unsigned)a->held[i].state >= AGENT_HELD_STATES || !one_agrees(a, &a->held[i]))
            return false;
        count[a->held[i].state]++;
    }
    for (int s = 0; s < AGENT_HELD_STATES; s++)
        if (count[s] != a->count[s])
            return false;
    for (size_t i = 0; i < a->slots; i++)
        busy += a->held_of_slot[i] != NOBODY;
    return busy == count[AGENT_RUNNING] && chains_agree(a);
}
