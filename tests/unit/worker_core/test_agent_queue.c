/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: leases that wait for a slot: they begin when the slots say so, go back at once when the
 * worker drains, when they are cancelled or waited too long, survive the coordinator, and are
 * abandoned without a word; whichever of withdrawal and start comes first, there is exactly one
 * end. Method: as test_agent.c; then a walk of random events, with a shell that is as slow as it
 * likes, against the invariant and against a count of the ends of every attempt. */
#include "tests/unit/worker_core/agent_rig.h"

#include "common/base/rng.h"

/* A lease that waits: its number. */
static size_t wait_lease(struct agent_attempt id)
{
    step((struct agent_event){ .kind = AGENT_EV_LEASE, .attempt = id });
    return only(AGENT_QUEUE)->held;
}

static void started(size_t held, size_t slot)
{
    step((struct agent_event){ .kind = AGENT_EV_STARTED, .held = held, .slot = slot });
}

static void withdrawn(size_t held)
{
    step((struct agent_event){ .kind = AGENT_EV_WITHDRAWN, .held = held });
}

static void credits_tell_the_queue_and_a_drain_closes_it(void **state)
{
    (void)state;
    begin_queue(2, 5);
    assert_int_equal(only(AGENT_SEND_CREDITS)->total, 2);
    assert_int_equal(only(AGENT_SEND_CREDITS)->queue, 5);
    (void)lease(first);
    drain();
    assert_int_equal(only(AGENT_SEND_CREDITS)->total, 0);
    assert_int_equal(only(AGENT_SEND_CREDITS)->queue, 0);
}

static void leases_beyond_slots_and_queue_come_back_preempted(void **state)
{
    (void)state;
    begin_queue(1, 2);
    for (uint64_t i = 1; i <= 3; i++)
        (void)wait_lease((struct agent_attempt){ i, 1 });
    step((struct agent_event){ .kind = AGENT_EV_LEASE, .attempt = { 4, 1 } });
    assert_int_equal(count(AGENT_QUEUE), 0);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_PREEMPTED);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, 4);
}

static void queued_one_begins_when_a_slot_takes_it_and_ends_as_any(void **state)
{
    (void)state;
    begin_queue(1, 2);
    size_t a = wait_lease(first), b = wait_lease(second);
    started(a, 0);
    expect_nothing();
    finish(0, 0);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, first.attempt);
    started(b, 0);
    finish(0, ERR_INVALID);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_FAILED);
}

static void drain_returns_what_waits_at_once(void **state)
{
    (void)state;
    begin_queue(1, 3);
    started(wait_lease(first), 0);
    size_t b = wait_lease(second), c = wait_lease(third);
    drain();
    assert_int_equal(only(AGENT_STOP)->attempt.attempt, first.attempt);
    assert_int_equal(count(AGENT_WITHDRAW), 2);
    withdrawn(c);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, third.attempt);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_PREEMPTED);
    withdrawn(b);
    ack(only(AGENT_SEND_RESULT)->seq, 0);
    (void)only(AGENT_FORGET);
}

static void start_that_was_quicker_than_the_drain_is_stopped(void **state)
{
    (void)state;
    begin_queue(1, 3);
    size_t a = wait_lease(first);
    drain();
    (void)only(AGENT_WITHDRAW);
    started(a, 0);
    assert_int_equal(only(AGENT_STOP)->reason, AGENT_PREEMPTED);
    finish(0, 0); /* it was short: a result is a result */
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_DONE);
}

static void cancelled_while_it_waits(void **state)
{
    (void)state;
    begin_queue(1, 3);
    started(wait_lease(first), 0);
    size_t b = wait_lease(second);
    cancel(second);
    assert_int_equal(only(AGENT_WITHDRAW)->held, b);
    assert_int_equal(count(AGENT_STOP), 0);
    cancel(second);
    expect_nothing(); /* it is on its way */
    withdrawn(b);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_CANCELLED);
    cancel(second);
    expect_nothing();
}

static void cancel_after_a_drain_is_reported_as_cancelled(void **state)
{
    (void)state;
    begin_queue(1, 3);
    size_t a = wait_lease(first);
    drain();
    cancel(first);
    withdrawn(a);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_CANCELLED);
}

static void queued_ones_survive_a_restarted_coordinator(void **state)
{
    (void)state;
    begin_queue(1, 4);
    size_t held[3] = { wait_lease(first), wait_lease(second), wait_lease(third) };
    lose_coordinator();
    started(held[0], 0); /* work goes on, and the next one begins */
    finish(0, 0);
    started(held[1], 0);
    step((struct agent_event){ .kind = AGENT_EV_CONNECTED });
    (void)only(AGENT_SEND_HELLO);
    assert_int_equal(agent_held_count(&agent), 3);
    const struct agent_attempt keep[2] = { first, third };
    welcome(8, keep, 2);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, first.attempt);
    assert_int_equal(only(AGENT_STOP)->attempt.attempt, second.attempt);
    assert_int_equal(count(AGENT_WITHDRAW), 0); /* third waits on */
    finish(0, ERR_CANCELLED);
    (void)only(AGENT_FORGET);
    started(held[2], 0);
    finish(0, 0);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, third.attempt);
}

static void abandoned_while_it_waits_ends_without_a_word(void **state)
{
    (void)state;
    begin_queue(1, 4);
    size_t a = wait_lease(first), b = wait_lease(second);
    refuse(ERR_STALE, 0);
    welcome(8, NULL, 0);
    assert_int_equal(count(AGENT_WITHDRAW), 2);
    withdrawn(a);
    (void)only(AGENT_FORGET);
    assert_int_equal(count(AGENT_SEND_RESULT), 0);
    started(b, 0); /* too late to withdraw it */
    assert_int_equal(only(AGENT_STOP)->reason, AGENT_ABANDONED);
    finish(0, 0);
    (void)only(AGENT_FORGET);
    assert_int_equal(count(AGENT_SEND_RESULT), 0);
}

static void what_waited_too_long_goes_back(void **state)
{
    (void)state;
    begin_queue(1, 4);
    started(wait_lease(first), 0);
    size_t b = wait_lease(second);
    tick(agent.times.queue_ms - 1);
    assert_int_equal(count(AGENT_WITHDRAW), 0);
    tick(agent.times.heartbeat_ms);
    assert_int_equal(only(AGENT_WITHDRAW)->held, b);
    withdrawn(b);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_PREEMPTED);
    size_t c = wait_lease(third);
    tick(agent.times.queue_ms);
    (void)only(AGENT_WITHDRAW);
    finish(0, 0);
    started(c, 0); /* its turn came just then: it goes on */
    assert_int_equal(count(AGENT_STOP), 0);
}

static void first_renewal_comes_after_a_heartbeat_later_ones_by_time(void **state)
{
    (void)state;
    begin_queue(1, 4);
    started(wait_lease(first), 0);
    progress[0].counter = 1;
    tick(agent.times.heartbeat_ms);
    (void)only(AGENT_SEND_RENEW);
    for (uint64_t ms = 0; ms + agent.times.heartbeat_ms < agent.times.renew_ms;
         ms += agent.times.heartbeat_ms) {
        progress[0].counter++;
        tick(agent.times.heartbeat_ms);
        assert_int_equal(count(AGENT_SEND_RENEW), 0);
    }
    tick(agent.times.heartbeat_ms);
    (void)only(AGENT_SEND_RENEW);
}

static void full_table_ignores_leases_and_recovers(void **state)
{
    (void)state;
    begin_queue(1, 1);
    for (uint64_t i = 0; i < agent.capacity; i++) {
        (void)lease((struct agent_attempt){ 100 + i, 1 });
        finish(0, 0);
    }
    step((struct agent_event){ .kind = AGENT_EV_LEASE, .attempt = first });
    expect_nothing();
    ack(agent.held[0].seq, 0);
    assert_int_equal(lease(first), 0);
}

static void attempts_of_one_bucket_are_told_apart(void **state)
{
    (void)state;
    struct agent_attempt id[4];
    begin_queue(2, 30);
    for (uint64_t i = 0; i < 4; i++) {
        id[i] = (struct agent_attempt){ 7 + i * AGENT_BUCKETS, 1 };
        (void)wait_lease(id[i]);
    }
    for (size_t k = 0; k < 4; k++) {
        static const size_t order[] = { 2, 0, 3, 1 };
        cancel(id[order[k]]);
        assert_int_equal(only(AGENT_WITHDRAW)->attempt.attempt, id[order[k]].attempt);
        withdrawn(only(AGENT_WITHDRAW)->held);
        ack(only(AGENT_SEND_RESULT)->seq, 0);
        (void)only(AGENT_FORGET);
    }
    cancel((struct agent_attempt){ id[0].attempt, 2 }); /* another epoch is another attempt */
    expect_nothing();
}

/* ---- the walk ---- */

enum { WALK_ATTEMPTS = 4000 };
static unsigned results[WALK_ATTEMPTS]; /* per attempt: first sendings of its result, forgets */
static uint64_t sent_seq[WALK_ATTEMPTS];
static size_t waiting[AGENT_HELD_MAX], waiting_len; /* the shell's queue */
static bool asked[AGENT_HELD_MAX];                  /* withdrawal was asked for */

static void drop_waiting(size_t i)
{
    asked[waiting[i]] = false;
    waiting[i] = waiting[--waiting_len];
}

/* The shell's part: the queue; and a look at results. */
static void carry_out(void)
{
    for (size_t i = 0; i < out.len; i++) {
        const struct agent_action *x = &out.v[i];
        if (x->kind == AGENT_QUEUE) {
            waiting[waiting_len++] = x->held;
        } else if (x->kind == AGENT_WITHDRAW) {
            asked[x->held] = true;
        } else if (x->kind == AGENT_SEND_RESULT && sent_seq[x->attempt.attempt] != x->seq) {
            assert_int_equal(sent_seq[x->attempt.attempt], 0); /* one result, whatever happens */
            sent_seq[x->attempt.attempt] = x->seq;
            results[x->attempt.attempt]++;
        }
    }
}

/* A slot takes one, or one goes out of the queue. */
static void shell_event(struct rng *r, size_t slot)
{
    if (waiting_len == 0)
        return;
    const size_t i = rng_below(r, (uint32_t)waiting_len), held = waiting[i];
    if (asked[held] && rng_below(r, 2)) {
        drop_waiting(i);
        withdrawn(held);
    } else if (agent.held_of_slot[slot] == AGENT_HELD_MAX) {
        drop_waiting(i);
        started(held, slot);
    }
}

/* One random event that the shell could bring about. */
static void random_event(struct rng *r, uint64_t *next_attempt)
{
    size_t slot = rng_below(r, (uint32_t)agent.slots), i = agent.held_of_slot[slot];
    const struct agent_held *h = i < AGENT_HELD_MAX ? &agent.held[i] : NULL;
    const struct agent_held *any = &agent.held[rng_below(r, (uint32_t)agent.capacity)];

    out.len = 0;
    now_ms += rng_below(r, 1000);
    progress[slot].counter += rng_below(r, 2);
    switch (rng_below(r, 12)) {
    case 0:
        step((struct agent_event){ .kind = AGENT_EV_CONNECTED });
        break;
    case 1:
        if (rng_below(r, 4) == 0)
            step((struct agent_event){ .kind = AGENT_EV_DISCONNECTED });
        break;
    case 2:
        welcome(1 + rng_below(r, 2), any->id.attempt ? &any->id : NULL, any->id.attempt != 0);
        break;
    case 3:
    case 4:
        if (*next_attempt < WALK_ATTEMPTS)
            step((struct agent_event){ .kind = AGENT_EV_LEASE,
                                       .attempt = { (*next_attempt)++, 1 } });
        break;
    case 5:
        if (any->id.attempt != 0)
            cancel(any->id);
        break;
    case 6:
        ack(any->seq, rng_below(r, 5) ? 0 : ERR_STALE);
        break;
    case 7:
        if (h != NULL && !h->example)
            example(slot);
        break;
    case 8:
        if (h != NULL && !h->example)
            finish(slot, rng_below(r, 2) ? 0 : ERR_CANCELLED);
        break;
    case 9:
    case 10:
        shell_event(r, slot);
        break;
    default:
        tick(1);
    }
    carry_out();
}

static void every_attempt_has_at_most_one_result_on_random_walks(void **state)
{
    (void)state;
    unsigned ended = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rng r = rng_stream("test", seed, 0);
        uint64_t next_attempt = 1;
        memset(results, 0, sizeof(results));
        memset(sent_seq, 0, sizeof(sent_seq));
        memset(asked, 0, sizeof(asked));
        waiting_len = 0;
        begin_queue(1 + seed % 4, seed % 8);
        carry_out();
        for (int i = 0; i < 4000; i++)
            random_event(&r, &next_attempt);
        for (size_t i = 0; i < WALK_ATTEMPTS; i++)
            ended += results[i];
    }
    assert_true(ended > 1000); /* it was about something */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_tell_the_queue_and_a_drain_closes_it),
        cmocka_unit_test(leases_beyond_slots_and_queue_come_back_preempted),
        cmocka_unit_test(queued_one_begins_when_a_slot_takes_it_and_ends_as_any),
        cmocka_unit_test(drain_returns_what_waits_at_once),
        cmocka_unit_test(start_that_was_quicker_than_the_drain_is_stopped),
        cmocka_unit_test(cancelled_while_it_waits),
        cmocka_unit_test(cancel_after_a_drain_is_reported_as_cancelled),
        cmocka_unit_test(queued_ones_survive_a_restarted_coordinator),
        cmocka_unit_test(abandoned_while_it_waits_ends_without_a_word),
        cmocka_unit_test(what_waited_too_long_goes_back),
        cmocka_unit_test(first_renewal_comes_after_a_heartbeat_later_ones_by_time),
        cmocka_unit_test(full_table_ignores_leases_and_recovers),
        cmocka_unit_test(attempts_of_one_bucket_are_told_apart),
        cmocka_unit_test(every_attempt_has_at_most_one_result_on_random_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
