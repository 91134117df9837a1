/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/core/agent.h"

#include <assert.h>

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
                                 .drain_ms = 60000,
                                 .drain_short_ms = 3000,
                                 .goodbye_ms = 1000 };
}

void agent_init(struct agent *a, size_t slots, const struct agent_times *times)
{
    assert(slots >= 1 && slots <= AGENT_SLOTS_MAX);
    *a = (struct agent){ .times = *times, .slots = slots, .link = AGENT_OFFLINE, .next_seq = 1 };
    for (size_t i = 0; i < AGENT_SLOTS_MAX; i++)
        a->held_of_slot[i] = AGENT_HELD_MAX;
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
    for (size_t i = 0; i < AGENT_HELD_MAX; i++)
        a->held[i].offered = a->held[i].state != AGENT_FREE;
    a->hello_at_ms = now_ms + a->hello_wait_ms;
    a->hello_wait_ms = MIN(a->hello_wait_ms * 2, a->times.hello_max_ms);
    agent_add(out, AGENT_SEND_HELLO);
}

static void send_credits(const struct agent *a, struct agent_actions *out)
{
    agent_add(out, AGENT_SEND_CREDITS)->total = a->draining ? 0 : (uint32_t)a->slots;
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

static bool among(struct agent_attempt id, const struct agent_attempt *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (list[i].attempt == id.attempt && list[i].epoch == id.epoch)
            return true;
    return false;
}

static void on_welcome(struct agent *a, uint64_t now_ms, const struct agent_event *e,
                       struct agent_actions *out)
{
    if (a->link != AGENT_GREETING)
        return; /* the answer to a Hello that was repeated too early */
    link_move(a, AGENT_ONLINE);
    a->incarnation = e->incarnation;
    a->times.renew_ms = e->renew_ms ? e->renew_ms : a->times.renew_ms;
    a->times.heartbeat_ms = e->heartbeat_ms ? e->heartbeat_ms : a->times.heartbeat_ms;
    a->heartbeat_at_ms = now_ms + a->times.heartbeat_ms;
    a->check_at_ms = now_ms + MIN(a->times.renew_ms, a->times.heartbeat_ms);

    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        struct agent_held *h = &a->held[i];
        if (h->state == AGENT_FREE)
            continue;
        if ((h->offered && !among(h->id, e->keep, e->keep_len)) ||
            among(h->id, e->drop, e->drop_len)) {
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
    bool example = false;
    struct agent_held *h = held_find_seq(a, seq, &example);
    if (h == NULL)
        return false;
    if (!example)
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
    for (size_t i = 0; i < a->slots; i++) {
        struct agent_held *h = held_of_slot(a, i);
        if (h != NULL)
            held_stop(a, h, AGENT_PREEMPTED, out);
    }
}

static void check_held(struct agent *a, uint64_t now_ms, struct agent_actions *out)
{
    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        struct agent_held *h = &a->held[i];
        if (h->state == AGENT_RUNNING && now_ms - h->renewed_ms >= a->times.renew_ms)
            held_renew(a, now_ms, h, out);
        uint64_t sent_ms = h->state == AGENT_FINISHED ? h->result_sent_ms : h->example_sent_ms;
        if ((h->state == AGENT_FINISHED || h->example) && now_ms - sent_ms >= a->times.resend_ms)
            held_send(a, now_ms, h, out);
    }
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
    if (a->draining && now_ms >= a->drain_end_ms && a->link != AGENT_LEAVING) {
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
    if (!a->draining || a->link == AGENT_LEAVING || a->link == AGENT_GONE || held_count(a) > 0)
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
        if (a->link == AGENT_ONLINE)
            held_lease(a, now_ms, e->attempt, out);
        break;
    case AGENT_EV_CANCEL:
        h = held_find(a, e->attempt);
        if (h != NULL && h->state == AGENT_RUNNING)
            held_stop(a, h, AGENT_CANCELLED, out);
        break;
    case AGENT_EV_ACK:
        on_ack(a, e, out);
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
    assert(agent_invariant(a));
}

uint64_t agent_deadline_ms(const struct agent *a)
{
    uint64_t at_ms = a->draining ? a->drain_end_ms : UINT64_MAX;

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

bool agent_invariant(const struct agent *a)
{
    size_t running = 0;

    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        const struct agent_held *h = &a->held[i];
        if (h->state == AGENT_RUNNING) {
            running++;
            if (h->slot >= a->slots || a->held_of_slot[h->slot] != i)
                return false;
        }
        if (h->example && (h->state != AGENT_RUNNING || h->example_seq == 0))
            return false;
        if (h->state == AGENT_FINISHED && h->result_seq == 0)
            return false;
    }
    size_t busy = 0;
    for (size_t i = 0; i < a->slots; i++)
        busy += a->held_of_slot[i] < AGENT_HELD_MAX;
    return busy == running && a->link < AGENT_LINKS;
}
