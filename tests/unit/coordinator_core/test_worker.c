/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: workers that come, vanish, come back, and coordinators that restart.
 * Method: a worker's Hello with what it holds, against leases in every state. */
#include "tests/unit/coordinator_core/rig.h"

static struct sched_held held_of(struct sched_action lease)
{
    return (struct sched_held){ .attempt = lease.attempt, .epoch = lease.epoch, .progress = 1 };
}

/* After a restart: job ID's attempt ID, epoch 1, was open. */
static struct sched_held rig_open(struct rig *r, uint64_t id, bool cancelling)
{
    struct sched_event e = { .kind = EV_OPEN };
    e.open.job = (struct sched_job){ .experiment = 1, .id = id, .retries = 1, .epoch = 1 };
    e.open.attempt = id;
    e.open.cancelling = cancelling;
    rig_step(r, e);
    return (struct sched_held){ .attempt = e.open.attempt, .epoch = 1 };
}

static void unknown_peer_is_told_to_say_hello(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_say(r, EV_HEARTBEAT, 9);
    assert_int_equal(rig_only(r, ACT_SEND_REFUSE).code, ERR_STALE);
    rig_result(r, 9, (struct sched_action){ .attempt = 1, .epoch = 1 }, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_REFUSE).peer, 9);
    assert_int_equal(rig_count(r, ACT_SEND_ACK), 0);
    rig_free(r);
}

static void too_many_workers_are_refused_by_name(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t n = 1; n <= 16; n++)
        rig_hello(r, n, 1);
    rig_hello(r, 17, 1);
    assert_int_equal(rig_only(r, ACT_SEND_REFUSE).code, ERR_LIMIT);
    rig_free(r);
}

static void worker_keeps_its_lease_over_a_new_connection(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    struct sched_held held = held_of(lease);
    rig_hello_held(r, 1, 50, 1, &held, 1);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).keep_len, 1);
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    rig_example(r, 1, lease); /* the old connection is nobody's */
    assert_int_equal(rig_count(r, ACT_SEND_REFUSE), 1);
    rig_result(r, 50, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 1);
    rig_free(r);
}

static void lease_that_never_arrived_is_given_again_without_blame(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    (void)rig_one_lease(r);
    rig_hello_held(r, 1, 50, 1, NULL, 0);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_LOST);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, 0);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).peer, 50);
    rig_free(r);
}

static void lease_on_its_way_survives_a_repeated_hello(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    (void)rig_one_lease(r);
    rig_hello(r, 1, 1);
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    rig_free(r);
}

static void attempt_that_is_over_is_dropped_unless_it_has_a_result(void **state)
{
    struct rig *r = rig_new();
    struct sched_held held[] = { { .attempt = 5, .epoch = 1 },
                                 { .attempt = 6, .epoch = 1, .finished = true } };

    (void)state;
    rig_hello_held(r, 1, 1, 2, held, 2);
    struct sched_action welcome = rig_only(r, ACT_SEND_WELCOME);
    assert_int_equal(welcome.drop_len, 1);
    assert_int_equal(welcome.drop[0].attempt, 5);
    assert_int_equal(welcome.keep_len, 1);
    assert_int_equal(welcome.keep[0].attempt, 6);
    /* Its slot stops: nothing for a moment. */
    rig_job(r, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_pass(r, PAUSE_MS);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 1);
    rig_free(r);
}

static void goodbye_gives_jobs_back_without_blame(void **state)
{
    struct rig *r = rig_new();
    struct sched_event e = { .kind = EV_GOODBYE, .peer = 1, .goodbye.seq = 5 };

    (void)state;
    (void)rig_one_lease(r);
    rig_step(r, e);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_PREEMPTED);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, 0);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).seq, 5);
    assert_int_equal(sched_counts(r->s).workers, 0);
    rig_free(r);
}

static void unreachable_worker_gets_nothing_until_hello(void **state)
{
    struct rig *r = rig_new();
    struct sched_worker_view view;

    (void)state;
    rig_hello(r, 1, 2);
    rig_say(r, EV_UNREACHABLE, 1);
    assert_true(sched_worker(r->s, 1, &view));
    assert_int_equal(view.peer, 0);
    rig_job(r, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_say(r, EV_HEARTBEAT, 1);
    assert_int_equal(rig_count(r, ACT_SEND_REFUSE), 1);
    rig_hello(r, 1, 2);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 1);
    assert_int_equal(sched_counts(r->s).workers, 1);
    rig_free(r);
}

static void silent_worker_is_gone_after_a_lease(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_pass(r, LEASE_MS - 1);
    assert_int_equal(sched_counts(r->s).workers, 1);
    rig_pass(r, 1);
    assert_int_equal(sched_counts(r->s).workers, 0);
    assert_int_equal(sched_next_timeout(r->s), UINT64_MAX);
    rig_free(r);
}

static void running_attempt_is_adopted_after_a_restart(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    struct sched_held held = rig_open(r, 7, false);
    assert_int_equal(sched_why(r->s, 7).rules, WHY_REATTACH);
    /* Another worker does not get it. */
    rig_hello(r, 2, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    r->now_ms += 300;
    rig_hello_held(r, 1, 1, 1, &held, 1);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).keep_len, 1);
    rig_result(r, 1, (struct sched_action){ .attempt = held.attempt, .epoch = 1 }, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).job, 7);
    /* Attempts of this incarnation have other ids. */
    rig_job(r, 8);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).attempt, FIRST_ATTEMPT);
    rig_free(r);
}

/* Hello was said before the lease arrived, and the coordinator restarted in between. */
static void attempt_that_hello_missed_is_asked_for(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    struct sched_held held = rig_open(r, 7, false);
    struct sched_action lease = { .attempt = held.attempt, .epoch = 1 };
    rig_hello(r, 1, 1);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_REFUSE).code, ERR_STALE);
    assert_int_equal(rig_count(r, ACT_SEND_ACK), 0);
    rig_hello_held(r, 1, 1, 1, &held, 1);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).job, 7);
    rig_free(r);
}

static void attempt_of_another_epoch_is_not_adopted(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    struct sched_held held = rig_open(r, 7, false);
    held.epoch = 2;
    rig_hello_held(r, 1, 1, 1, &held, 1);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).drop_len, 1);
    assert_int_equal(sched_why(r->s, 7).rules, WHY_REATTACH);
    rig_free(r);
}

static void attempt_that_nobody_claims_is_offered_again(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    (void)rig_open(r, 7, false);
    rig_pass(r, REATTACH_MS - 1);
    assert_int_equal(sched_counts(r->s).waiting, 1);
    rig_hello(r, 1, 1);
    rig_pass(r, 1);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_LOST);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, 0);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).epoch, 2);
    rig_free(r);
}

/* The lease was stored, then the coordinator died before it was sent. */
static void lease_that_was_never_sent_is_offered_at_its_workers_hello(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);
    struct sched_event open = { .kind = EV_OPEN }, hello = { .kind = EV_HELLO };

    (void)state;
    open.open.job = (struct sched_job){ .experiment = 1, .id = 7, .retries = 1, .epoch = 1 };
    open.open.attempt = 7;
    open.open.holder = 31;
    rig_step(r, open);
    hello.peer = hello.hello.worker = 2;
    hello.hello.slots = 1;
    hello.hello.classes = 1;
    hello.hello.holder = 32; /* another worker says nothing about it */
    rig_step(r, hello);
    assert_int_equal(sched_why(r->s, 7).rules, WHY_REATTACH);
    hello.peer = hello.hello.worker = 1;
    hello.hello.holder = 31;
    rig_step(r, hello);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_LOST);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, 0);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).epoch, 2);
    rig_free(r);
}

static void cancel_survives_a_restart(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    (void)rig_open(r, 7, true);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_CANCELLED);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLED);
    assert_false(sched_has_job(r->s, 7));
    /* So does one that comes while the job waits for its worker. */
    struct sched_held held = rig_open(r, 8, false);
    rig_cancel(r, 8);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_CANCELLED);
    rig_hello_held(r, 1, 1, 1, &held, 1);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).drop_len, 1);
    rig_free(r);
}

/* 2000 leases over 8 workers expire in the same millisecond: no step returns more than it may, and
 * ticks without a pause finish the work. */
static void mass_expiry_is_spread_over_steps(void **state)
{
    struct sched_limits limits = rig_limits;
    limits.window = limits.leases = 2000;
    struct rig *r = rig_new_as(&limits, 1);
    size_t ended = 0, steps = 0;

    (void)state;
    for (uint64_t id = 1; id <= 2000; id++)
        rig_job(r, id);
    for (uint64_t n = 1; n <= 8; n++)
        rig_hello(r, n, 250);
    while (sched_counts(r->s).leased < 2000)
        rig_say(r, EV_TICK, 0);
    rig_pass(r, LEASE_MS - 1);
    r->now_ms++;
    do {
        rig_say(r, EV_TICK, 0);
        ended += rig_count(r, ACT_STORE_ATTEMPT_END);
        steps++;
    } while (sched_next_timeout(r->s) <= r->now_ms);
    assert_int_equal(ended, 2000);
    assert_in_range(steps, 2, 20);
    assert_int_equal(sched_counts(r->s).workers, 0);
    rig_free(r);
}

/* It was given back, the one that moves has the only slot: that one is to blame for its worker. */
static void attempt_that_has_ended_is_not_blamed_for_its_worker(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);
    struct sched_held held[2];

    (void)state;
    held[0] = rig_open(r, 5, false);
    held[0].finished = true;
    held[1] = rig_open(r, 6, false);
    held[1].progress = 3;
    rig_hello_held(r, 1, 1, 1, held, 2);
    r->now_ms += LEASE_MS;
    rig_say(r, EV_UNREACHABLE, 1);
    while (sched_counts(r->s).leased > 0) {
        r->now_ms = MAX(r->now_ms, sched_next_timeout(r->s));
        rig_step(r, (struct sched_event){ .kind = EV_TICK });
        for (size_t i = 0; i < r->out.len; i++)
            if (r->out.v[i].kind == ACT_STORE_ATTEMPT_END)
                assert_int_equal(r->out.v[i].counted, r->out.v[i].job == 6);
    }
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempt_that_has_ended_is_not_blamed_for_its_worker),
        cmocka_unit_test(unknown_peer_is_told_to_say_hello),
        cmocka_unit_test(too_many_workers_are_refused_by_name),
        cmocka_unit_test(worker_keeps_its_lease_over_a_new_connection),
        cmocka_unit_test(lease_that_never_arrived_is_given_again_without_blame),
        cmocka_unit_test(lease_on_its_way_survives_a_repeated_hello),
        cmocka_unit_test(attempt_that_is_over_is_dropped_unless_it_has_a_result),
        cmocka_unit_test(goodbye_gives_jobs_back_without_blame),
        cmocka_unit_test(unreachable_worker_gets_nothing_until_hello),
        cmocka_unit_test(silent_worker_is_gone_after_a_lease),
        cmocka_unit_test(running_attempt_is_adopted_after_a_restart),
        cmocka_unit_test(attempt_that_hello_missed_is_asked_for),
        cmocka_unit_test(attempt_of_another_epoch_is_not_adopted),
        cmocka_unit_test(attempt_that_nobody_claims_is_offered_again),
        cmocka_unit_test(lease_that_was_never_sent_is_offered_at_its_workers_hello),
        cmocka_unit_test(cancel_survives_a_restart),
        cmocka_unit_test(mass_expiry_is_spread_over_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
