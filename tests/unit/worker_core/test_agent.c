/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every arrow of agent.h's diagrams, and the promises of its head: results are kept until
 * acked, held attempts survive the coordinator, leases beyond the slots and leases during a drain
 * come back as PREEMPTED, no renewal without progress. Method: one agent, time by hand, actions
 * compared one by one. */
#include "tests/unit/worker_core/agent_rig.h"

static void credits_are_the_slots_after_the_welcome(void **state)
{
    (void)state;
    begin(3);
    assert_int_equal(only(AGENT_SEND_CREDITS)->total, 3);
    assert_int_equal(agent.link, AGENT_ONLINE);
    assert_int_equal(agent.incarnation, 7);
}

static void hello_is_repeated_with_growing_waits_until_welcomed(void **state)
{
    (void)state;
    struct agent_times times = agent_times_default();
    now_ms = 0;
    agent_init(&agent, 1, 0, &times);
    assert_true(agent_deadline_ms(&agent) == UINT64_MAX);
    step((struct agent_event){ .kind = AGENT_EV_CONNECTED });
    (void)only(AGENT_SEND_HELLO);
    uint64_t wait_ms = times.hello_ms;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(agent_deadline_ms(&agent), now_ms + wait_ms);
        tick(wait_ms - 1);
        expect_nothing();
        tick(1);
        (void)only(AGENT_SEND_HELLO);
        wait_ms = MIN(2 * wait_ms, times.hello_max_ms);
    }
}

static void each_lease_gets_its_own_slot(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(lease(first), 0);
    assert_int_equal(lease(second), 1);
    assert_int_equal(lease(first), SIZE_MAX); /* a repeated lease starts nothing */
    expect_nothing();
}

static void lease_beyond_the_slots_comes_back_preempted(void **state)
{
    (void)state;
    begin(1);
    assert_int_equal(lease(first), 0);
    assert_int_equal(lease(second), SIZE_MAX);
    const struct agent_action *result = only(AGENT_SEND_RESULT);
    assert_int_equal(result->outcome, AGENT_OUTCOME_PREEMPTED);
    assert_int_equal(result->attempt.attempt, second.attempt);
    ack(result->seq, 0);
    (void)only(AGENT_FORGET);
}

static void slot_is_free_for_the_next_lease_before_the_ack(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    finish(0, 0);
    uint64_t seq = only(AGENT_SEND_RESULT)->seq;
    assert_int_equal(lease(second), 0);
    ack(seq, 0);
    assert_int_equal(only(AGENT_FORGET)->attempt.attempt, first.attempt);
    assert_int_equal(agent.held_of_slot[0] < AGENT_HELD_MAX, true);
}

static void result_is_sent_again_until_acked(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    finish(0, ERR_DIVERGED);
    uint64_t seq = only(AGENT_SEND_RESULT)->seq;
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_DIVERGED);
    tick(agent.times.resend_ms - 1);
    assert_int_equal(count(AGENT_SEND_RESULT), 0);
    tick(agent.times.heartbeat_ms);
    assert_int_equal(only(AGENT_SEND_RESULT)->seq, seq);
    ack(seq, 0);
    tick(10 * agent.times.resend_ms);
    assert_int_equal(count(AGENT_SEND_RESULT), 0);
}

static void ack_of_another_number_forgets_nothing(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    finish(0, 0);
    uint64_t seq = only(AGENT_SEND_RESULT)->seq;
    ack(seq + 1, 0);
    expect_nothing();
    assert_int_equal(agent.held[0].state, AGENT_FINISHED);
}

static void example_goes_on_when_its_own_ack_comes(void **state)
{
    (void)state;
    begin(2);
    (void)lease(first);
    (void)lease(second);
    example(0);
    uint64_t seq0 = only(AGENT_SEND_EXAMPLE)->seq;
    example(1);
    uint64_t seq1 = only(AGENT_SEND_EXAMPLE)->seq;
    assert_int_not_equal(seq0, seq1);
    ack(seq1, 0);
    assert_int_equal(only(AGENT_END_EXAMPLE)->slot, 1);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, 0);
    ack(seq0, 0);
    assert_int_equal(only(AGENT_END_EXAMPLE)->slot, 0);
}

static void stale_ack_stops_the_job_and_throws_its_result_away(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    example(0);
    ack(only(AGENT_SEND_EXAMPLE)->seq, ERR_STALE);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, ERR_STALE);
    (void)only(AGENT_STOP);
    finish(0, ERR_STALE);
    (void)only(AGENT_FORGET);
    assert_int_equal(count(AGENT_SEND_RESULT), 0);
    assert_int_equal(lease(second), 0);
}

static void lease_is_renewed_only_while_its_counter_moves(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    tick(agent.times.renew_ms);
    assert_int_equal(count(AGENT_SEND_RENEW), 0);
    progress[0].counter = 5;
    tick(agent.times.heartbeat_ms);
    assert_int_equal(only(AGENT_SEND_RENEW)->attempt.attempt, first.attempt);
    progress[0].counter = 6;
    tick(agent.times.heartbeat_ms); /* moved, but renewed just now */
    assert_int_equal(count(AGENT_SEND_RENEW), 0);
    tick(agent.times.renew_ms);
    (void)only(AGENT_SEND_RENEW);
    for (int i = 0; i < 20; i++) {
        tick(agent.times.renew_ms);
        assert_int_equal(count(AGENT_SEND_RENEW), 0);
        (void)only(AGENT_SEND_HEARTBEAT);
    }
}

static void cancelled_job_is_stopped_and_reported_cancelled(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    example(0);
    cancel(first);
    (void)only(AGENT_STOP);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, ERR_CANCELLED);
    example(0); /* one that it had begun */
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, ERR_CANCELLED);
    cancel(first);
    expect_nothing();
    finish(0, ERR_CANCELLED);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_CANCELLED);
    cancel(third); /* unknown */
    expect_nothing();
}

static void example_acked_as_cancelled_stops_its_job(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    example(0);
    ack(only(AGENT_SEND_EXAMPLE)->seq, ERR_CANCELLED);
    (void)only(AGENT_STOP);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, ERR_CANCELLED);
    finish(0, ERR_CANCELLED);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_CANCELLED);
}

static void cancel_during_a_drain_is_reported_as_cancelled(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    drain();
    assert_int_equal(only(AGENT_STOP)->reason, AGENT_PREEMPTED);
    cancel(first); /* no time to save any more */
    assert_int_equal(only(AGENT_STOP)->reason, AGENT_CANCELLED);
    cancel(first);
    expect_nothing(); /* it was told already */
    finish(0, ERR_CANCELLED);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_CANCELLED);
}

static void held_attempts_survive_a_restarted_coordinator(void **state)
{
    (void)state;
    begin(3);
    (void)lease(first);
    (void)lease(second);
    (void)lease(third);
    example(0);
    uint64_t example_seq = only(AGENT_SEND_EXAMPLE)->seq;
    lose_coordinator();
    finish(1, 0); /* the work goes on meanwhile */
    expect_nothing();
    progress[0].counter = 9;
    tick(100 * agent.times.resend_ms);
    expect_nothing();
    step((struct agent_event){ .kind = AGENT_EV_CONNECTED });
    (void)only(AGENT_SEND_HELLO);
    const struct agent_attempt keep[2] = { first, second };
    welcome(8, keep, 2);
    assert_int_equal(only(AGENT_SEND_EXAMPLE)->seq, example_seq);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, second.attempt);
    assert_int_equal(only(AGENT_SEND_RENEW)->attempt.attempt, first.attempt);
    assert_int_equal(only(AGENT_STOP)->slot, 2); /* third was not kept */
    assert_int_equal(only(AGENT_SEND_CREDITS)->total, 3);
    finish(2, ERR_CANCELLED);
    (void)only(AGENT_FORGET);
}

static void lease_that_crossed_a_repeated_hello_is_kept(void **state)
{
    (void)state;
    begin(2);
    (void)lease(first);
    refuse(ERR_STALE, 0);
    tick(agent.times.hello_ms);
    (void)only(AGENT_SEND_HELLO);
    assert_int_equal(agent.link, AGENT_GREETING);
    welcome(8, &first, 1);
    (void)lease(second);
    welcome(8, &first, 1); /* answer to an earlier Hello */
    expect_nothing();
    assert_int_equal(agent.held[1].reason, AGENT_GOES_ON);
}

static void what_ended_while_we_were_stopped_is_told_as_ended(void **state)
{
    (void)state;
    begin(2);
    (void)lease(first);
    refuse(ERR_STALE, 0);
    expect_nothing(); /* the job has a moment to say its word */
    finish(0, 0);
    assert_int_equal(count(AGENT_SEND_HELLO), 0);
    tick(agent.times.hello_ms);
    (void)only(AGENT_SEND_HELLO);
    assert_int_equal(agent.held[0].state, AGENT_FINISHED);
    welcome(7, &first, 1);
    assert_int_equal(only(AGENT_SEND_RESULT)->attempt.attempt, first.attempt);

    begin(2); /* nothing runs: no need to wait */
    refuse(ERR_STALE, 0);
    (void)only(AGENT_SEND_HELLO);
}

static void refusal_for_a_version_ends_the_process(void **state)
{
    (void)state;
    begin(1);
    refuse(ERR_VERSION, 0);
    assert_int_equal(only(AGENT_EXIT)->code, ERR_VERSION);
    tick(100000);
    expect_nothing();
    assert_true(agent_deadline_ms(&agent) == UINT64_MAX);
}

static void refused_message_fails_its_job_and_is_not_sent_again(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    example(0);
    refuse(ERR_LIMIT, only(AGENT_SEND_EXAMPLE)->seq);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, ERR_LIMIT);
    finish(0, ERR_LIMIT);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_FAILED);
    refuse(ERR_AGAIN, 0);
    expect_nothing();
    assert_int_equal(agent.link, AGENT_ONLINE);
}

static void drain_reports_running_jobs_preempted_then_leaves(void **state)
{
    (void)state;
    begin(2);
    (void)lease(first);
    example(0);
    uint64_t seq = only(AGENT_SEND_EXAMPLE)->seq;
    drain();
    assert_int_equal(only(AGENT_SEND_CREDITS)->total, 0);
    (void)only(AGENT_STOP);
    assert_int_equal(count(AGENT_END_EXAMPLE), 0); /* it still becomes durable */
    assert_int_equal(lease(second), SIZE_MAX);
    ack(only(AGENT_SEND_RESULT)->seq, 0);
    ack(seq, 0);
    assert_int_equal(only(AGENT_END_EXAMPLE)->code, 0);
    finish(0, ERR_CANCELLED);
    assert_int_equal(only(AGENT_SEND_RESULT)->outcome, AGENT_OUTCOME_PREEMPTED);
    ack(only(AGENT_SEND_RESULT)->seq, 0);
    (void)only(AGENT_SEND_GOODBYE);
    step((struct agent_event){ .kind = AGENT_EV_ACK });
    assert_int_equal(only(AGENT_EXIT)->code, 0);
}

static void goodbye_without_an_answer_ends_by_time(void **state)
{
    (void)state;
    begin(1);
    drain();
    (void)only(AGENT_SEND_GOODBYE);
    assert_int_equal(agent_deadline_ms(&agent), now_ms + agent.times.goodbye_ms);
    tick(agent.times.goodbye_ms);
    assert_int_equal(only(AGENT_EXIT)->code, 0);
}

static void second_drain_request_shortens_the_wait(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    drain();
    drain();
    expect_nothing();
    tick(agent.times.drain_short_ms);
    assert_int_equal(only(AGENT_EXIT)->code, ERR_TIMEOUT);
}

static void drain_that_cuts_work_off_is_told_from_one_that_does_not(void **state)
{
    (void)state;
    begin(1);
    (void)lease(first);
    drain();
    finish(0, 0); /* it was done before it heard */
    assert_false(agent.cut);
    begin(1);
    (void)lease(first);
    drain();
    finish(0, ERR_CANCELLED);
    assert_true(agent.cut);
    begin(1);
    (void)lease(first);
    drain();
    tick(agent.times.drain_ms);
    assert_int_equal(only(AGENT_EXIT)->code, ERR_TIMEOUT);
    assert_true(agent.cut);
}

static void idle_one_leaves_by_itself_when_asked_to(void **state)
{
    (void)state;
    begin(1);
    agent.times.idle_ms = 5000;
    tick(0);
    tick(4000);
    assert_int_equal(count(AGENT_SEND_GOODBYE), 0);
    (void)lease(first); /* work: it counts from its end on */
    tick(2000);
    finish(0, 0);
    ack(only(AGENT_SEND_RESULT)->seq, 0);
    assert_true(agent_deadline_ms(&agent) <= now_ms);
    tick(0);
    tick(4999);
    assert_int_equal(count(AGENT_SEND_GOODBYE), 0);
    assert_true(agent_deadline_ms(&agent) <= now_ms + 1);
    tick(1);
    (void)only(AGENT_SEND_GOODBYE);
    assert_false(agent.cut);
}

static void idle_one_leaves_also_without_a_coordinator(void **state)
{
    (void)state;
    begin(1);
    agent.times.idle_ms = 5000;
    lose_coordinator();
    tick(0);
    tick(5000);
    assert_int_equal(only(AGENT_EXIT)->code, 0);
}

static void idle_worker_without_coordinator_drains_at_once(void **state)
{
    (void)state;
    begin(1);
    lose_coordinator();
    drain();
    assert_int_equal(only(AGENT_EXIT)->code, 0);
}

static void outcomes_follow_codes_and_reasons(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum agent_reason reason;
        enum agent_outcome outcome;
    } table[] = {
        { 0, AGENT_GOES_ON, AGENT_OUTCOME_DONE },
        { 0, AGENT_CANCELLED, AGENT_OUTCOME_DONE },
        { ERR_CANCELLED, AGENT_CANCELLED, AGENT_OUTCOME_CANCELLED },
        { ERR_CANCELLED, AGENT_PREEMPTED, AGENT_OUTCOME_PREEMPTED },
        { ERR_CANCELLED, AGENT_GOES_ON, AGENT_OUTCOME_FAILED },
        { ERR_NOMEM, AGENT_GOES_ON, AGENT_OUTCOME_OOM },
        { ERR_TIMEOUT, AGENT_GOES_ON, AGENT_OUTCOME_TIMEOUT },
        { ERR_DIVERGED, AGENT_GOES_ON, AGENT_OUTCOME_DIVERGED },
        { ERR_INVALID, AGENT_GOES_ON, AGENT_OUTCOME_FAILED },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        assert_int_equal(agent_outcome_of(table[i].code, table[i].reason), table[i].outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_are_the_slots_after_the_welcome),
        cmocka_unit_test(hello_is_repeated_with_growing_waits_until_welcomed),
        cmocka_unit_test(each_lease_gets_its_own_slot),
        cmocka_unit_test(lease_beyond_the_slots_comes_back_preempted),
        cmocka_unit_test(slot_is_free_for_the_next_lease_before_the_ack),
        cmocka_unit_test(result_is_sent_again_until_acked),
        cmocka_unit_test(ack_of_another_number_forgets_nothing),
        cmocka_unit_test(example_goes_on_when_its_own_ack_comes),
        cmocka_unit_test(stale_ack_stops_the_job_and_throws_its_result_away),
        cmocka_unit_test(lease_is_renewed_only_while_its_counter_moves),
        cmocka_unit_test(cancelled_job_is_stopped_and_reported_cancelled),
        cmocka_unit_test(example_acked_as_cancelled_stops_its_job),
        cmocka_unit_test(cancel_during_a_drain_is_reported_as_cancelled),
        cmocka_unit_test(held_attempts_survive_a_restarted_coordinator),
        cmocka_unit_test(lease_that_crossed_a_repeated_hello_is_kept),
        cmocka_unit_test(what_ended_while_we_were_stopped_is_told_as_ended),
        cmocka_unit_test(refusal_for_a_version_ends_the_process),
        cmocka_unit_test(refused_message_fails_its_job_and_is_not_sent_again),
        cmocka_unit_test(drain_reports_running_jobs_preempted_then_leaves),
        cmocka_unit_test(goodbye_without_an_answer_ends_by_time),
        cmocka_unit_test(second_drain_request_shortens_the_wait),
        cmocka_unit_test(drain_that_cuts_work_off_is_told_from_one_that_does_not),
        cmocka_unit_test(idle_one_leaves_by_itself_when_asked_to),
        cmocka_unit_test(idle_one_leaves_also_without_a_coordinator),
        cmocka_unit_test(idle_worker_without_coordinator_drains_at_once),
        cmocka_unit_test(outcomes_follow_codes_and_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
