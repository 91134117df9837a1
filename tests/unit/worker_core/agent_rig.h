/* SPDX-License-Identifier: Apache-2.0 */
/* agent_rig.h - one agent, time by hand, its actions one by one; the invariant after every event.
 * Included by the tests of this folder. */
#ifndef TESTS_UNIT_WORKER_CORE_AGENT_RIG_H
#define TESTS_UNIT_WORKER_CORE_AGENT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "worker/core/agent.h"

static struct agent agent;
static struct agent_actions out;
static uint64_t now_ms;
static struct agent_progress progress[AGENT_SLOTS_MAX];

static const struct agent_attempt first = { 11, 1 }, second = { 12, 1 }, third = { 13, 4 };

static __attribute__((unused)) void step(struct agent_event e)
{
    agent_step(&agent, now_ms, &e, &out);
    assert_true(agent_invariant(&agent));
}

static __attribute__((unused)) size_t count(enum agent_action_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < out.len; i++)
        n += out.v[i].kind == kind;
    return n;
}

static __attribute__((unused)) const struct agent_action *only(enum agent_action_kind kind)
{
    assert_int_equal(count(kind), 1);
    for (size_t i = 0; i < out.len; i++)
        if (out.v[i].kind == kind)
            return &out.v[i];
    return NULL;
}

static __attribute__((unused)) void expect_nothing(void)
{
    assert_int_equal(out.len, 0);
}

static __attribute__((unused)) void tick(uint64_t after_ms)
{
    now_ms += after_ms;
    step((struct agent_event){ .kind = AGENT_EV_TICK, .progress = progress });
}

static __attribute__((unused)) void welcome(uint64_t incarnation, const struct agent_attempt *keep,
                                            size_t keep_len)
{
    step((struct agent_event){
        .kind = AGENT_EV_WELCOME, .incarnation = incarnation, .keep = keep, .keep_len = keep_len });
}

static __attribute__((unused)) void begin_queue(size_t slots, size_t queue)
{
    struct agent_times times = agent_times_default();
    now_ms = 1000;
    for (size_t i = 0; i < AGENT_SLOTS_MAX; i++)
        progress[i] = (struct agent_progress){ 0 };
    agent_init(&agent, slots, queue, &times);
    step((struct agent_event){ .kind = AGENT_EV_CONNECTED });
    (void)only(AGENT_SEND_HELLO);
    welcome(7, NULL, 0);
}

/* The first idle slot takes HELD. */
static __attribute__((unused)) size_t start(size_t held)
{
    size_t slot = 0;
    while (agent.held_of_slot[slot] < AGENT_HELD_MAX)
        slot++;
    step((struct agent_event){ .kind = AGENT_EV_STARTED, .held = held, .slot = slot });
    return slot;
}

static __attribute__((unused)) void begin(size_t slots)
{
    begin_queue(slots, 0);
}

/* A lease that an idle slot takes at once: which. */
static __attribute__((unused)) size_t lease(struct agent_attempt id)
{
    step((struct agent_event){ .kind = AGENT_EV_LEASE, .attempt = id });
    return count(AGENT_QUEUE) ? start(only(AGENT_QUEUE)->held) : SIZE_MAX;
}

static __attribute__((unused)) void finish(size_t slot, int code)
{
    step((struct agent_event){ .kind = AGENT_EV_FINISHED, .slot = slot, .code = code });
}

static __attribute__((unused)) void example(size_t slot)
{
    step((struct agent_event){ .kind = AGENT_EV_EXAMPLE, .slot = slot });
}

static __attribute__((unused)) void ack(uint64_t seq, int code)
{
    step((struct agent_event){ .kind = AGENT_EV_ACK, .seqs = &seq, .seqs_len = 1, .code = code });
}

static __attribute__((unused)) void cancel(struct agent_attempt id)
{
    step((struct agent_event){ .kind = AGENT_EV_CANCEL, .attempt = id });
}

static __attribute__((unused)) void refuse(int code, uint64_t seq)
{
    step((struct agent_event){ .kind = AGENT_EV_REFUSE, .code = code, .seq = seq });
}

static __attribute__((unused)) void drain(void)
{
    step((struct agent_event){ .kind = AGENT_EV_DRAIN });
}

static __attribute__((unused)) void lose_coordinator(void)
{
    step((struct agent_event){ .kind = AGENT_EV_DISCONNECTED });
    expect_nothing();
}

#endif
