/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the store says anew of jobs (paused, resumed, another priority) is what the scheduler
 * does from then on, and nothing is lost. Method: a few jobs and one worker; EV_CHANGE at each
 * state that a job can be in. */
#include "tests/unit/coordinator_core/rig.h"

static void rig_change(struct rig *r, struct sched_change change)
{
    rig_step(r, (struct sched_event){ .kind = EV_CHANGE, .change.v = &change, .change.len = 1 });
}

static void held_ready_jobs_go_back_to_the_store(void **state)
{
    struct rig *r = rig_new();
    struct sched_change changes[] = { { .job = 1, .held = true },
                                      { .job = 3, .held = true },
                                      { .job = 99, .held = true } };

    (void)state;
    for (uint64_t id = 1; id <= 3; id++)
        rig_job(r, id);
    rig_loaded(r, 1, 3);
    rig_step(r, (struct sched_event){ .kind = EV_CHANGE, .change.v = changes, .change.len = 3 });
    assert_false(sched_has_job(r->s, 1));
    assert_false(sched_has_job(r->s, 3));
    assert_int_equal(sched_counts(r->s).ready, 1);
    assert_true(rig_only(r, ACT_LOAD).want > 0); /* once for all of them */
    assert_int_equal(rig_count(r, ACT_STORE_JOB), 0);
    rig_hello(r, 1, 3);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 2);
    rig_free(r);
}

static void held_running_job_finishes(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_change(r, (struct sched_change){ .job = 1, .held = true });
    assert_int_equal(rig_count(r, ACT_SEND_CANCEL), 0);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_RUNNING | WHY_HELD);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 1);
    rig_free(r);
}

static void held_job_that_fails_is_not_leased_again(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_change(r, (struct sched_change){ .job = 1, .held = true });
    rig_result(r, 1, lease, CAUSE_FAILED);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_READY);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).tries, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_false(sched_has_job(r->s, 1));
    /* Resumed: the store gives it again, and it rests as after every failure. */
    rig_job_row(r, (struct sched_job){ .id = 1, .retries = 1, .tries = 1 });
    assert_int_equal(sched_why(r->s, 1).rules, WHY_BACKOFF);
    rig_pass(r, BACKOFF_MS);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
    rig_free(r);
}

static void job_resumed_while_it_runs_is_tried_again(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_change(r, (struct sched_change){ .job = 1, .held = true });
    rig_change(r, (struct sched_change){ .job = 1 });
    rig_result(r, 1, lease, CAUSE_FAILED);
    rig_pass(r, BACKOFF_MS);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
    rig_free(r);
}

static void cancelled_job_stays_cancelled_though_held(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_change(r, (struct sched_change){ .job = 1, .held = true });
    rig_cancel(r, 1);
    rig_result(r, 1, lease, CAUSE_CANCELLED);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLED);
    rig_free(r);
}

/* The priority that a job got while it ran decides when it is ready again. */
static void running_job_takes_its_new_priority_along(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_job_row(r, (struct sched_job){ .id = 2, .priority = 5 });
    rig_change(r, (struct sched_change){ .job = 1, .priority = 9 });
    rig_result(r, 1, lease, CAUSE_PREEMPTED);
    rig_pass(r, PAUSE_MS);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 1);
    rig_free(r);
}

static void job_of_before_a_restart_can_be_held(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);
    struct sched_event e = { .kind = EV_OPEN, .open.attempt = 5, .open.holder = 1 };

    (void)state;
    e.open.job = (struct sched_job){ .experiment = 1, .id = 1, .retries = 1, .epoch = 3 };
    rig_step(r, e);
    rig_change(r, (struct sched_change){ .job = 1, .held = true });
    assert_int_equal(sched_why(r->s, 1).rules, WHY_REATTACH | WHY_HELD);
    rig_hello(r, 9, 4); /* another worker, with room */
    rig_pass(r, 2 * REATTACH_MS);
    assert_false(sched_has_job(r->s, 1));
    rig_free(r);
}

/* What comes into the store with a higher priority is asked for though the window is half full. */
static void higher_priority_in_the_store_is_loaded_at_once(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t id = 1; id <= rig_limits.window; id++)
        rig_job(r, id);
    rig_loaded(r, 1, rig_limits.window);
    rig_ready(r, 1, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_ready(r, 1, 1);
    assert_true(rig_only(r, ACT_LOAD).want > 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_ready_jobs_go_back_to_the_store),
        cmocka_unit_test(held_running_job_finishes),
        cmocka_unit_test(held_job_that_fails_is_not_leased_again),
        cmocka_unit_test(job_resumed_while_it_runs_is_tried_again),
        cmocka_unit_test(cancelled_job_stays_cancelled_though_held),
        cmocka_unit_test(running_job_takes_its_new_priority_along),
        cmocka_unit_test(job_of_before_a_restart_can_be_held),
        cmocka_unit_test(higher_priority_in_the_store_is_loaded_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
