/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an attempt gets its row at the first moment that has to be durable, once, and its id is
 * never given out twice. Method: one job and each of those moments; a second scheduler that starts
 * where the first one's blocks end. */
#include "tests/unit/coordinator_core/rig.h"

/* The last step wrote the row of LEASE. */
static void assert_begun(const struct rig *r, struct sched_action lease)
{
    struct sched_action row = rig_only(r, ACT_STORE_ATTEMPT_START);
    assert_int_equal(row.attempt, lease.attempt);
    assert_int_equal(row.epoch, lease.epoch);
    assert_int_equal(row.job, lease.job);
    assert_int_equal(row.worker, lease.worker);
    assert_int_equal(row.begun_ms, lease.begun_ms);
}

static void ids_are_dense_and_reserved_in_blocks_before_they_are_given_out(void **state)
{
    struct rig *r = rig_new();
    uint64_t reserved = FIRST_ATTEMPT - 1;

    (void)state;
    rig_hello(r, 1, 3 * RESERVE);
    for (uint64_t id = 1; id <= 3 * RESERVE; id++) {
        rig_job(r, id);
        assert_int_equal(rig_count(r, ACT_STORE_RESERVE), (id - 1) % RESERVE == 0);
        if (rig_count(r, ACT_STORE_RESERVE))
            reserved = rig_only(r, ACT_STORE_RESERVE).attempt;
        assert_int_equal(rig_only(r, ACT_SEND_LEASE).attempt, FIRST_ATTEMPT + id - 1);
        assert_true(rig_only(r, ACT_SEND_LEASE).attempt <= reserved);
    }
    assert_int_equal(reserved, FIRST_ATTEMPT + 3 * RESERVE - 1);
    rig_free(r);
}

static void example_checkpoint_and_moved_renewal_each_write_the_row_once(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct rig *r = rig_new();
        struct sched_action lease = rig_one_lease(r);
        struct sched_attempt_view view;
        for (uint64_t i = 1; i <= 2; i++) {
            assert_true(sched_attempt(r->s, lease.attempt, &view));
            assert_int_equal(view.stored, i == 2);
            if (what == 0)
                rig_example(r, 1, lease);
            else if (what == 1)
                rig_checkpoint(r, 1, lease);
            else
                rig_renew(r, 1, lease.attempt, lease.epoch, i);
            if (i == 1)
                assert_begun(r, lease);
            else
                assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_START), 0);
        }
        assert_true(r->out.len == 0 || r->out.v[0].kind != ACT_STORE_ATTEMPT_START);
        rig_result(r, 1, lease, CAUSE_DONE);
        assert_false(rig_only(r, ACT_STORE_RESULT).whole);
        rig_free(r);
    }
}

static void row_comes_before_what_it_holds(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_example(r, 1, rig_one_lease(r));
    assert_int_equal(r->out.v[0].kind, ACT_STORE_ATTEMPT_START);
    assert_int_equal(r->out.v[1].kind, ACT_STORE_EXAMPLE);
    rig_free(r);
}

static void heartbeats_and_hellos_without_progress_write_nothing(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);
    struct sched_held held = { .attempt = lease.attempt, .epoch = lease.epoch };

    (void)state;
    rig_say(r, EV_HEARTBEAT, 1);
    assert_int_equal(r->out.stores_len, 0);
    rig_hello_held(r, 1, 1, 1, &held, 1);
    assert_int_equal(r->out.stores_len, 0);
    held.progress = 1;
    rig_hello_held(r, 1, 1, 1, &held, 1);
    assert_begun(r, lease);
    rig_free(r);
}

static void result_of_an_attempt_without_a_row_writes_it_whole_and_its_end_not_again(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    r->now_ms = 5;
    struct sched_action lease = rig_one_lease(r);
    r->now_ms = 17;
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_START), 0);
    assert_true(rig_only(r, ACT_STORE_RESULT).whole);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).worker, 1);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).begun_ms, 5);
    assert_false(rig_only(r, ACT_STORE_ATTEMPT_END).whole);
    rig_free(r);
}

static void end_without_a_result_is_whole_too(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_result(r, 1, rig_one_lease(r), CAUSE_FAILED);
    assert_true(rig_only(r, ACT_STORE_ATTEMPT_END).whole);
    assert_true(rig_only(r, ACT_STORE_ATTEMPT_END).began);
    rig_free(r);
}

static void eager_job_has_its_row_before_its_lease_leaves(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_row(r, (struct sched_job){ .id = 1, .eager = true });
    assert_begun(r, rig_only(r, ACT_SEND_LEASE));
    rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), CAUSE_DONE);
    assert_false(rig_only(r, ACT_STORE_RESULT).whole);
    rig_free(r);
}

/* Else a restart would not hear of it, and the job would run again. */
static void cancel_of_running_work_is_stored_with_its_attempt(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease = rig_one_lease(r);

    (void)state;
    rig_cancel(r, 1);
    assert_begun(r, lease);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLING);
    rig_free(r);
}

/* The coordinator crashed before anything of the attempt was stored. */
static void unknown_attempt_is_dropped_while_it_runs_and_compared_when_it_finished(void **state)
{
    struct rig *r = rig_new_as(&rig_limits, 2);
    struct sched_held held[] = { { .attempt = 40, .epoch = 1, .progress = 9 },
                                 { .attempt = 41, .epoch = 1, .finished = true } };
    struct sched_event e = { .kind = EV_RESULT, .peer = 1 };

    (void)state;
    rig_hello_held(r, 1, 1, 2, held, 2);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).drop[0].attempt, 40);
    assert_int_equal(rig_only(r, ACT_SEND_WELCOME).keep[0].attempt, 41);
    e.result.attempt = 41;
    e.result.epoch = 1;
    e.result.job = 7;
    rig_step(r, e);
    assert_int_equal(rig_only(r, ACT_COMPARE).job, 7);
    assert_int_equal(rig_only(r, ACT_COMPARE).worker, 1);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_dense_and_reserved_in_blocks_before_they_are_given_out),
        cmocka_unit_test(example_checkpoint_and_moved_renewal_each_write_the_row_once),
        cmocka_unit_test(row_comes_before_what_it_holds),
        cmocka_unit_test(heartbeats_and_hellos_without_progress_write_nothing),
        cmocka_unit_test(result_of_an_attempt_without_a_row_writes_it_whole_and_its_end_not_again),
        cmocka_unit_test(end_without_a_result_is_whole_too),
        cmocka_unit_test(eager_job_has_its_row_before_its_lease_leaves),
        cmocka_unit_test(cancel_of_running_work_is_stored_with_its_attempt),
        cmocka_unit_test(unknown_attempt_is_dropped_while_it_runs_and_compared_when_it_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
