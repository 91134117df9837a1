/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/core/agent.h"

#include <assert.h>
#include <string.h>

#include "worker/core/held.h"

static const unsigned may_become[AGENT_LINKS] = {
    [AGENT_OFFLINE] = BIT(AGENT_GREETING) | BIT(AGENT_GONE),
    [AGENT_GREETING] = BIT(AGENT_OFFLINE) | BIT(AGENT_ONLINE) | BIT(AGENT_GONE),
    [AGENT_ONLINE] =
        BIT(AGENT_OFFLINE) | BIT(AGENT_GREETING) | BIT(AGENT_LEAVING) | BIT(AGENT_GONE),
    [AGENT_LEAVING] = BIT(AGENT_GONE),
    [AGENT_GONE] = 0,
};

struct agent_times agent_times_default(void)
{
    return (struct agent_times){ .heartbeat_ms = 1000,
                                 .renew_ms = 5000,
                                 .resend_ms = 10000,
                                 .hello_ms = 250,
                                 .hello_max_ms = 8000,
                                 .queue_ms = 5000,
                                 .drain_ms = 60000,
                                 .drain_short_ms = 3000,
                                 .goodbye_ms = 1000 };
}

void agent_init(struct agent *a, size_t slots, size_t queue, const struct agent_times *times)
{
    assert(slots >= 1 && slots <= AGENT_SLOTS_MAX && queue <= AGENT_QUEUE_MAX);
    memset(a, 0, offsetof(struct agent, held)); /* the rest is large and mostly not in use */
    a->times = *times;
    a->slots = slots;
    a->queue = queue;
    a->capacity = 3 * (slots + queue);
    a->link = AGENT_OFFLINE;
    a->next_seq = 1;
    held_init(a);
}

/* The only place where link is written. */
static void link_move(struct agent *a, enum agent_link next)
{
    assert(may_become[a->link] & BIT(next));
    a->link = next;
}

static void leave(struct agent *a, int code, struct agent_actions *out)
{
    link_move(a, AGENT_GONE);
    agent_add(out, AGENT_EXIT)->code = code;
}

static void say_hello(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    for (size_t i = 0; i < a->capacity; i++)
        a->held[i].offered = a->held[i].state != AGENT_FREE;
    a->hello_at_ms = now_ms + a->hello_wait_ms;
    a->hello_wait_ms = MIN(a->hello_wait_ms * 2, a->times.hello_max_ms);
    agent_add(out, AGENT_SEND_HELLO);
}

static void send_credits(const struct agent *a, struct agent_actions *out)
{
    struct agent_action *x = agent_add(out, AGENT_SEND_CREDITS);
    x->total = a->draining ? 0 : (uint32_t)a->slots;
    x->queue = a->draining ? 0 : (uint32_t)a->queue;
}

static void on_connected(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    if (a->link == AGENT_GREETING)
        return;
    if (a->link == AGENT_OFFLINE || a->link == AGENT_ONLINE) {
        link_move(a, AGENT_GREETING);
        a->hello_wait_ms = a->times.hello_ms;
        say_hello(a, now_ms, out);
    }
}

static void on_disconnected(struct agent *a, struct agent_actions *out)
{
    if (a->link == AGENT_LEAVING)
        leave(a, 0, out);
    else if (a->link != AGENT_OFFLINE)
        link_move(a, AGENT_OFFLINE);
}

/* What the Welcome says of each held attempt. */
enum { KEPT = 1, DROPPED = 2 };

static void mark(struct agent *a, const struct agent_attempt *list, size_t len, uint8_t bit,
                 uint8_t said[AGENT_HELD_MAX])
{
    for (size_t i = 0; i < len; i++) {
        const struct agent_held *h = held_find(a, list[i]);
        if (h != NULL)
            said[h - a->held] |= bit;
    }
}

static void on_welcome(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                       struct agent_actions *out)
{
    uint8_t said[AGENT_HELD_MAX] = { 0 };

    if (a->link != AGENT_GREETING)
        return; /* the answer to a Hello that was repeated too early */
    link_move(a, AGENT_ONLINE);
    a->incarnation = e->incarnation;
    a->times.renew_ms = e->renew_ms ? e->renew_ms : a->times.renew_ms;
    a->times.heartbeat_ms = e->heartbeat_ms ? e->heartbeat_ms : a->times.heartbeat_ms;
    a->heartbeat_at_ms = now_ms + a->times.heartbeat_ms;
    a->check_at_ms = now_ms + MIN(a->times.renew_ms, a->times.heartbeat_ms);

    mark(a, e->keep, e->keep_len, KEPT, said);
    mark(a, e->drop, e->drop_len, DROPPED, said);
    for (size_t i = 0; i < a->capacity; i++) {
        struct agent_held *h = &a->held[i];
        if (h->state == AGENT_FREE)
            continue;
        if ((h->offered && !(said[i] & KEPT)) || said[i] & DROPPED) {
            held_abandon(a, h, out);
            continue;
        }
        if (h->state == AGENT_RUNNING)
            held_renew(a, now_ms, h, out);
        held_send(a, now_ms, h, out);
    }
    send_credits(a, out);
}

/* A job's example or result with number SEQ came to its end at the coordinator. */
static bool on_answer(struct agent *a, uint64_t seq, int code, struct agent_actions *out)
{
    struct agent_held *h = held_find_seq(a, seq);
    if (h == NULL)
        return false;
    if (!h->example)
        held_forget(a, h, out);
    else if (code == ERR_STALE)
        held_abandon(a, h, out);
    else if (code == ERR_CANCELLED) /* before its Cancel, which comes too */
        held_stop(a, h, AGENT_CANCELLED, out);
    else
        held_end_example(a, h, code, out);
    return true;
}

static void on_refuse(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                      struct agent_actions *out)
{
    /* "I do not know you": a coordinator that came back on the same connection, or is not ready
     * yet. */
    bool again = e->code == ERR_STALE || e->code == ERR_NOT_FOUND || e->code == ERR_AGAIN;

    if (a->link == AGENT_ONLINE && again) {
        if (e->code == ERR_AGAIN)
            return; /* results are sent again by time */
        link_move(a, AGENT_GREETING);
        a->hello_wait_ms = a->times.hello_ms;
        /* We were silent for longer than the lease: stopped, or swapped out. Jobs and we wake at
         * once; what they have ended meanwhile is to be told as ended, for then it is compared;
         * an attempt that still runs is nobody's any more. So they get a moment first. */
        if (a->count[AGENT_RUNNING] > 0)
            a->hello_at_ms = now_ms + a->times.hello_ms;
        else
            say_hello(a, now_ms, out);
    } else if (a->link == AGENT_LEAVING) {
        leave(a, 0, out);
    } else if (!again && !(e->seq != 0 && on_answer(a, e->seq, e->code, out))) {
        if (a->link == AGENT_GREETING || e->code == ERR_VERSION)
            leave(a, e->code, out);
    }
}

static void on_ack(struct agent *a, const struct agent_event *e, struct agent_actions *out)
{
    if (a->link == AGENT_LEAVING) {
        leave(a, 0, out);
        return;
    }
    for (size_t i = 0; i < e->seqs_len; i++)
        (void)on_answer(a, e->seqs[i], e->code, out);
}

static void on_drain(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    if (a->draining) {
        a->drain_end_ms = MIN(a->drain_end_ms, now_ms + a->times.drain_short_ms);
        return;
    }
    a->draining = true;
    a->drain_end_ms = now_ms + a->times.drain_ms;
    if (a->link == AGENT_ONLINE)
        send_credits(a, out);
    for (size_t i = 0; i < a->capacity; i++) {
        struct agent_held *h = &a->held[i];
        if (h->state == AGENT_QUEUED || h->state == AGENT_RUNNING)
            held_stop(a, h, AGENT_PREEMPTED, out);
    }
}

/* Nobody has work: a pilot that waits costs its allocation. */
static void check_idle(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    if (a->times.idle_ms == 0 || a->draining)
        return;
    if (agent_held_count(a) > 0)
        a->idle_at_ms = 0;
    else if (a->idle_at_ms == 0)
        a->idle_at_ms = now_ms + a->times.idle_ms;
    else if (now_ms >= a->idle_at_ms)
        on_drain(a, now_ms, out);
}

static void check_held(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    for (size_t i = 0; i < a->capacity; i++)
        if (a->held[i].state != AGENT_FREE)
            held_check(a, now_ms, &a->held[i], out);
    a->check_at_ms = now_ms + MIN(a->times.renew_ms, a->times.heartbeat_ms);
}

static void on_tick(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                    struct agent_actions *out)
{
    for (size_t i = 0; e->progress != NULL && i < a->slots; i++) {
        struct agent_held *h = held_of_slot(a, i);
        if (h != NULL) {
            h->counter = e->progress[i].counter;
            h->done = e->progress[i].done;
            h->total = e->progress[i].total;
        }
    }
    check_idle(a, now_ms, out);
    if (a->draining && now_ms >= a->drain_end_ms && a->link != AGENT_LEAVING) {
        a->cut = a->cut || a->count[AGENT_RUNNING] > 0;
        leave(a, ERR_TIMEOUT, out);
    } else if (a->link == AGENT_LEAVING && now_ms >= a->leave_at_ms) {
        leave(a, 0, out);
    } else if (a->link == AGENT_GREETING && now_ms >= a->hello_at_ms) {
        say_hello(a, now_ms, out);
    } else if (a->link == AGENT_ONLINE) {
        if (now_ms >= a->check_at_ms)
            check_held(a, now_ms, out);
        if (now_ms >= a->heartbeat_at_ms) {
            agent_add(out, AGENT_SEND_HEARTBEAT);
            a->heartbeat_at_ms = now_ms + a->times.heartbeat_ms;
        }
    }
}

/* The end of a drain, whatever event brought it. */
static void settle(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    if (!a->draining || a->link == AGENT_LEAVING || a->link == AGENT_GONE ||
        agent_held_count(a) > 0)
        return;
    if (a->link != AGENT_ONLINE) {
        leave(a, 0, out);
        return;
    }
    link_move(a, AGENT_LEAVING);
    a->leave_at_ms = now_ms + a->times.goodbye_ms;
    agent_add(out, AGENT_SEND_GOODBYE);
}

static void handle(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                   struct agent_actions *out)
{
    struct agent_held *h = NULL;

    switch (e->kind) {
    case AGENT_EV_CONNECTED:
        on_connected(a, now_ms, out);
        break;
    case AGENT_EV_DISCONNECTED:
        on_disconnected(a, out);
        break;
    case AGENT_EV_WELCOME:
        on_welcome(a, now_ms, e, out);
        break;
    case AGENT_EV_REFUSE:
        on_refuse(a, now_ms, e, out);
        break;
    case AGENT_EV_LEASE:
        a->idle_at_ms = 0; /* also what comes and goes between two looks is work */
        if (a->link == AGENT_ONLINE)
            held_lease(a, now_ms, e->attempt, out);
        break;
    case AGENT_EV_CANCEL:
        h = held_find(a, e->attempt);
        if (h != NULL && h->state != AGENT_FINISHED)
            held_stop(a, h, AGENT_CANCELLED, out);
        break;
    case AGENT_EV_ACK:
        on_ack(a, e, out);
        break;
    case AGENT_EV_STARTED:
        assert(e->held < a->capacity);
        held_start(a, now_ms, &a->held[e->held], e->slot, out);
        break;
    case AGENT_EV_WITHDRAWN:
        assert(e->held < a->capacity);
        held_withdrawn(a, now_ms, &a->held[e->held], out);
        break;
    case AGENT_EV_EXAMPLE:
        h = held_of_slot(a, e->slot);
        assert(h != NULL);
        held_example(a, now_ms, h, out);
        break;
    case AGENT_EV_FINISHED:
        h = held_of_slot(a, e->slot);
        assert(h != NULL);
        held_finish(a, now_ms, h, e->code, out);
        break;
    case AGENT_EV_DRAIN:
        on_drain(a, now_ms, out);
        break;
    case AGENT_EV_TICK:
        on_tick(a, now_ms, e, out);
        break;
    case AGENT_EVENTS:
        assert(false && "not an event");
    }
}

void agent_step(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                struct agent_actions *ret_actions)
{
    ret_actions->len = 0;
    if (a->link == AGENT_GONE)
        return;
    handle(a, now_ms, e, ret_actions);
    settle(a, now_ms, ret_actions);
    if (e->kind == AGENT_EV_TICK || e->kind == AGENT_EV_WELCOME || e->kind == AGENT_EV_DRAIN)
        assert(agent_invariant(a)); /* these look at all that is held anyway */
}

uint64_t agent_deadline_ms(const struct agent *a)
{
    uint64_t at_ms = a->draining ? a->drain_end_ms : UINT64_MAX;

    if (a->times.idle_ms > 0 && !a->draining && agent_held_count(a) == 0)
        at_ms = MIN(at_ms, a->idle_at_ms); /* 0: at once, so that it begins to count */
    switch (a->link) {
    case AGENT_GREETING:
        return MIN(at_ms, a->hello_at_ms);
    case AGENT_ONLINE:
        return MIN(at_ms, MIN(a->heartbeat_at_ms, a->check_at_ms));
    case AGENT_LEAVING:
        return a->leave_at_ms;
    case AGENT_OFFLINE:
    case AGENT_LINKS:
        return at_ms;
    case AGENT_GONE:
        return UINT64_MAX;
    }
    return at_ms;
}

enum agent_outcome agent_outcome_of(int code, enum agent_reason reason)
{
    if (code == 0)
        return AGENT_OUTCOME_DONE; /* it was done before it saw the request to stop */
    if (code == ERR_CANCELLED && reason == AGENT_CANCELLED)
        return AGENT_OUTCOME_CANCELLED;
    if (code == ERR_CANCELLED && reason == AGENT_PREEMPTED)
        return AGENT_OUTCOME_PREEMPTED;
    if (code == ERR_NOMEM)
        return AGENT_OUTCOME_OOM;
    if (code == ERR_TIMEOUT)
        return AGENT_OUTCOME_TIMEOUT;
    if (code == ERR_DIVERGED)
        return AGENT_OUTCOME_DIVERGED;
    return AGENT_OUTCOME_FAILED;
}

size_t agent_held_count(const struct agent *a)
{
    return a->capacity - a->count[AGENT_FREE];
}

bool agent_invariant(const struct agent *a)
{
    return a->link < AGENT_LINKS && a->slots <= AGENT_SLOTS_MAX && a->queue <= AGENT_QUEUE_MAX &&
           a->capacity <= AGENT_HELD_MAX && held_invariant(a);
}
