/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what fails rests, longer each time; what kills its workers runs alone; a worker that is
 * asked to leave gets nothing more. Method: one job whose attempts end in every way, a worker or
 * two. */
#include "tests/unit/coordinator_core/rig.h"

static void rest_doubles_up_to_its_limit(void **state)
{
    static const uint64_t rests_ms[] = { 10, 20, 40, 70, 70 };
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_row(r, (struct sched_job){ .id = 1, .retries = 9 });
    for (size_t i = 0; i < ARRAY_LEN(rests_ms); i++) {
        rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), i % 2 ? CAUSE_OOM : CAUSE_TIMEOUT);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_READY);
        struct sched_why why = sched_why(r->s, 1);
        assert_int_equal(why.rules, WHY_BACKOFF);
        assert_int_equal(why.tries, i + 1);
        assert_int_equal(why.until_ms, r->now_ms + rests_ms[i]);
        assert_int_equal(sched_counts(r->s).resting, 1);
        rig_pass(r, rests_ms[i] - 1);
        assert_int_equal(sched_counts(r->s).resting, 1);
        rig_pass(r, 1);
    }
    rig_free(r);
}

static void lost_and_preempted_jobs_do_not_rest(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    (void)rig_one_lease(r);
    rig_pass(r, LEASE_MS);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_LOST);
    assert_int_equal(sched_counts(r->s).ready, 1);
    rig_free(r);
}

static void others_run_while_one_rests(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_job(r, 2);
    rig_result(r, 1, lease, CAUSE_FAILED);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 2);
    rig_free(r);
}

static void job_that_failed_before_a_restart_rests_as_after_its_last_failure(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_row(r, (struct sched_job){ .id = 1, .tries = 3, .retries = 5 });
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_int_equal(sched_why(r->s, 1).until_ms, r->now_ms + 40);
    rig_pass(r, 40);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
    rig_free(r);
}

static void resting_job_can_be_cancelled_and_held(void **state)
{
    struct sched_change held = { .job = 2, .held = true };
    struct rig *r = rig_new();

    (void)state;
    rig_job_row(r, (struct sched_job){ .id = 1, .tries = 1, .retries = 5 });
    rig_job_row(r, (struct sched_job){ .id = 2, .tries = 1, .retries = 5 });
    rig_cancel(r, 1);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLED);
    assert_false(sched_has_job(r->s, 1));
    rig_step(r, (struct sched_event){ .kind = EV_CHANGE, .change.v = &held, .change.len = 1 });
    assert_false(sched_has_job(r->s, 2));
    assert_int_equal(sched_counts(r->s).resting, 0);
    rig_free(r);
}

static void end_of_a_rest_tells_the_store_nothing(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_result(r, 1, rig_one_lease(r), CAUSE_FAILED);
    rig_pass(r, BACKOFF_MS);
    assert_int_equal(rig_count(r, ACT_STORE_JOB), 0);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 1);
    rig_free(r);
}

/* Job 1 was lost with two workers; LOSSES_MAX is 4. */
static struct rig *rig_suspect(void)
{
    struct sched_limits limits = rig_limits;
    limits.quarantine = 2;
    struct rig *r = rig_new_as(&limits, 1);

    rig_job(r, 1);
    for (uint64_t n = 11; n <= 12; n++) {
        rig_hello(r, n, 4);
        assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
        rig_pass(r, LEASE_MS);
    }
    return r;
}

static void job_that_was_lost_too_often_rests_and_is_in_quarantine(void **state)
{
    struct rig *r = rig_suspect();

    (void)state;
    assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, 2);
    assert_int_equal(rig_count(r, ACT_TRACE) > 0, true);
    struct sched_why why = sched_why(r->s, 1);
    assert_int_equal(why.rules, WHY_BACKOFF | WHY_QUARANTINE);
    assert_int_equal(why.losses, 2);
    assert_int_equal(why.until_ms, r->now_ms + BACKOFF_MS);
    rig_free(r);
}

static void quarantined_job_waits_for_an_empty_worker_and_keeps_it(void **state)
{
    struct rig *r = rig_suspect();

    (void)state;
    rig_hello(r, 1, 4);
    rig_job(r, 2);
    struct sched_action other = rig_only(r, ACT_SEND_LEASE);
    rig_pass(r, BACKOFF_MS);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_QUARANTINE | WHY_NO_CREDIT | WHY_RESERVED);
    rig_job(r, 3); /* nothing more comes to the worker that empties */
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_result(r, 1, other, CAUSE_DONE);
    struct sched_action alone = rig_only(r, ACT_SEND_LEASE);
    assert_int_equal(alone.job, 1);
    rig_job(r, 4);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_result(r, 1, alone, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 2);
    rig_free(r);
}

static void quarantined_job_fails_by_name_in_the_end(void **state)
{
    struct rig *r = rig_suspect();

    (void)state;
    for (uint64_t n = 1; n <= 2; n++) {
        rig_pass(r, BACKOFF_MAX_MS);
        rig_hello(r, n, 4);
        assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
        rig_pass(r, LEASE_MS);
    }
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_FAILED);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).cause, CAUSE_LOST);
    assert_false(sched_has_job(r->s, 1));
    rig_free(r);
}

static void drained_worker_is_told_gets_nothing_more_and_is_told_again(void **state)
{
    struct rig *r = rig_new();
    struct sched_event drain = { .kind = EV_DRAIN, .drain.worker = 1 };
    struct sched_worker_view view;

    (void)state;
    rig_hello(r, 1, 4);
    rig_job(r, 1);
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    rig_step(r, drain);
    assert_int_equal(rig_only(r, ACT_SEND_DRAIN).peer, 1);
    rig_job(r, 2);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_true(sched_why(r->s, 2).rules & WHY_NO_CREDIT);
    struct sched_held held = { .attempt = lease.attempt, .epoch = lease.epoch, .progress = 1 };
    rig_hello_held(r, 1, 50, 4, &held, 1);
    assert_int_equal(rig_only(r, ACT_SEND_DRAIN).peer, 50);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_true(sched_worker(r->s, 1, &view));
    assert_true(view.draining);
    rig_result(r, 50, lease, CAUSE_DONE); /* what ran is finished */
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 1);
    drain.drain.worker = 77;
    rig_step(r, drain);
    assert_int_equal(r->out.len, 0);
    rig_free(r);
}

static void drained_worker_that_cannot_be_reached_hears_it_with_its_next_hello(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 4);
    rig_say(r, EV_UNREACHABLE, 1);
    rig_step(r, (struct sched_event){ .kind = EV_DRAIN, .drain.worker = 1 });
    assert_int_equal(rig_count(r, ACT_SEND_DRAIN), 0);
    rig_hello(r, 1, 4);
    assert_int_equal(rig_count(r, ACT_SEND_DRAIN), 1);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest_doubles_up_to_its_limit),
        cmocka_unit_test(lost_and_preempted_jobs_do_not_rest),
        cmocka_unit_test(others_run_while_one_rests),
        cmocka_unit_test(job_that_failed_before_a_restart_rests_as_after_its_last_failure),
        cmocka_unit_test(resting_job_can_be_cancelled_and_held),
        cmocka_unit_test(end_of_a_rest_tells_the_store_nothing),
        cmocka_unit_test(job_that_was_lost_too_often_rests_and_is_in_quarantine),
        cmocka_unit_test(quarantined_job_waits_for_an_empty_worker_and_keeps_it),
        cmocka_unit_test(quarantined_job_fails_by_name_in_the_end),
        cmocka_unit_test(drained_worker_is_told_gets_nothing_more_and_is_told_again),
        cmocka_unit_test(drained_worker_that_cannot_be_reached_hears_it_with_its_next_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
