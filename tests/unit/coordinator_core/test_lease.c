/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every end of a lease, and every message that must not change anything.
 * Method: one or two jobs and workers, time by hand. */
#include "tests/unit/coordinator_core/rig.h"

/* The last step stored one end of an attempt, by CAUSE, and the job's STATE. */
static void assert_ended(const struct rig *r, enum sched_cause cause, enum sched_job_state state)
{
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, cause);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, state);
}

static void lease_is_not_stored_but_its_block_of_ids_is(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_START), 0);
    assert_int_equal(rig_only(r, ACT_STORE_RESERVE).attempt, FIRST_ATTEMPT + RESERVE - 1);
    assert_int_equal(lease.attempt, FIRST_ATTEMPT);
    assert_int_equal(lease.epoch, 1);
    assert_int_equal(lease.peer, 1);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_RUNNING);
    assert_int_equal(sched_why(r->s, 1).worker, 1);
    rig_free(r);
}

static void result_is_stored_and_acked_once(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).job, 1);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).cause, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, 0);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).seq, 77);
    assert_false(sched_has_job(r->s, 1));
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 0);
    assert_int_equal(rig_count(r, ACT_COMPARE), 1);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    rig_free(r);
}

static void diverged_is_a_result(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_result(r, 1, rig_one_lease(r), CAUSE_DIVERGED);
    assert_int_equal(rig_only(r, ACT_STORE_RESULT).cause, CAUSE_DIVERGED);
    assert_int_equal(rig_count(r, ACT_STORE_JOB), 0);
    rig_free(r);
}

static void checkpoint_is_stored_before_its_ack_and_renews(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    for (int i = 0; i < 5; i++) {
        r->now_ms += LEASE_MS - 1;
        rig_say(r, EV_HEARTBEAT, 1);
        rig_checkpoint(r, 1, lease);
        assert_int_equal(rig_only(r, ACT_STORE_CHECKPOINT).attempt, lease.attempt);
        assert_int_equal(rig_only(r, ACT_SEND_ACK).code, 0);
        assert_int_equal(rig_only(r, ACT_SEND_ACK).seq, 79);
        assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    }
    rig_free(r);
}

static void checkpoint_of_an_old_lease_is_refused(void **state)
{
    struct rig *r = rig_new();
    struct sched_action other;

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    other = lease;
    other.epoch++;
    rig_checkpoint(r, 1, other);
    assert_int_equal(rig_count(r, ACT_STORE_CHECKPOINT), 0);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    rig_result(r, 1, lease, CAUSE_DONE);
    rig_checkpoint(r, 1, lease);
    assert_int_equal(rig_count(r, ACT_STORE_CHECKPOINT), 0);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    rig_free(r);
}

static void checkpoint_of_cancelled_work_is_not_stored(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_cancel(r, 1);
    rig_checkpoint(r, 1, lease);
    assert_int_equal(rig_count(r, ACT_STORE_CHECKPOINT), 0);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_CANCELLED);
    rig_free(r);
}

static void only_moved_progress_renews_a_lease(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_renew(r, 1, lease.attempt, lease.epoch, 1);
    for (int i = 0; i < 9; i++) {
        r->now_ms += 100;
        rig_say(r, EV_HEARTBEAT, 1);
        rig_renew(r, 1, lease.attempt, lease.epoch, 1);
    }
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    r->now_ms += 100;
    rig_say(r, EV_HEARTBEAT, 1);
    assert_ended(r, CAUSE_LOST, JOB_READY);
    rig_free(r);
}

static void moving_work_keeps_its_lease(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    for (uint64_t i = 1; i < 100; i++) {
        r->now_ms += 100;
        rig_renew(r, 1, lease.attempt, lease.epoch, i);
        assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    }
    for (uint64_t i = 1; i < 100; i++) {
        r->now_ms += 300;
        rig_example(r, 1, lease);
        assert_int_equal(rig_only(r, ACT_STORE_EXAMPLE).job, 1);
        assert_int_equal(rig_only(r, ACT_SEND_ACK).code, 0);
    }
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 1);
    rig_free(r);
}

static void result_of_an_old_lease_is_refused(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action old = rig_one_lease(r);
    rig_pass(r, LEASE_MS); /* worker 1 is silent: gone */
    rig_hello(r, 2, 1);
    struct sched_action new = rig_only(r, ACT_SEND_LEASE);
    assert_int_equal(new.epoch, 2);
    rig_hello(r, 1, 1);
    rig_result(r, 1, old, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 0);
    rig_example(r, 1, old);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    assert_int_equal(rig_count(r, ACT_STORE_EXAMPLE), 0);
    /* Nor the new attempt under the old epoch, nor from the other worker. */
    struct sched_action forged = new;
    forged.epoch = 1;
    rig_result(r, 2, forged, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    rig_result(r, 1, new, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    rig_result(r, 2, new, CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, 0);
    rig_free(r);
}

static void failures_spend_retries(void **state)
{
    static const enum sched_cause causes[] = { CAUSE_FAILED, CAUSE_OOM, CAUSE_TIMEOUT };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        struct rig *r = rig_new();
        rig_result(r, 1, rig_one_lease(r), causes[i]);
        assert_ended(r, causes[i], JOB_READY);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).tries, 1);
        rig_pass(r, BACKOFF_MS);
        rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), causes[i]);
        assert_ended(r, causes[i], JOB_FAILED);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).cause, causes[i]);
        assert_false(sched_has_job(r->s, 1));
        rig_free(r);
    }
}

static void preemption_spends_nothing_but_pauses_the_worker(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    for (int i = 0; i < 20; i++) {
        rig_result(r, 1, lease, CAUSE_PREEMPTED);
        assert_ended(r, CAUSE_PREEMPTED, JOB_READY);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).tries, 0);
        assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
        rig_pass(r, PAUSE_MS);
        lease = rig_only(r, ACT_SEND_LEASE);
        rig_say(r, EV_HEARTBEAT, 1);
    }
    rig_free(r);
}

static void job_that_kills_its_workers_fails_in_the_end(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_job(r, 1);
    for (uint32_t i = 1; i <= LOSSES_MAX; i++) {
        rig_hello(r, i, 1);
        assert_int_equal(rig_count(r, ACT_SEND_LEASE), 1);
        rig_pass(r, LEASE_MS);
        assert_ended(r, CAUSE_LOST, i < LOSSES_MAX ? JOB_READY : JOB_FAILED);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).losses, i);
        assert_int_equal(rig_only(r, ACT_STORE_JOB).tries, 0);
    }
    assert_false(sched_has_job(r->s, 1));
    rig_free(r);
}

/* A worker that lives but is stuck in the job keeps the credit until it gives the attempt up. */
static void stuck_slot_gets_no_second_job(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_renew(r, 1, lease.attempt, lease.epoch, 1);
    for (int i = 0; i < 4; i++) {
        r->now_ms += LEASE_MS / 4;
        rig_say(r, EV_HEARTBEAT, 1);
    }
    assert_ended(r, CAUSE_LOST, JOB_READY);
    assert_int_equal(rig_only(r, ACT_SEND_CANCEL).attempt, lease.attempt);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_renew(r, 1, lease.attempt, lease.epoch, 2);
    assert_int_equal(rig_count(r, ACT_SEND_CANCEL), 1);
    rig_example(r, 1, lease);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_CANCELLED);
    assert_int_equal(rig_count(r, ACT_STORE_EXAMPLE), 0);
    rig_result(r, 1, lease, CAUSE_CANCELLED);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_STALE);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).epoch, 2);
    rig_free(r);
}

/* A coordinator that was stopped for long finds renewals in its socket. */
static void pause_of_the_shell_costs_no_lease(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 2);
    rig_job(r, 1);
    struct sched_action a = rig_only(r, ACT_SEND_LEASE);
    rig_job(r, 2);
    struct sched_action b = rig_only(r, ACT_SEND_LEASE);
    r->now_ms += 5 * LEASE_MS;
    rig_renew(r, 1, a.attempt, a.epoch, 1);
    assert_int_equal(rig_count(r, ACT_STORE_ATTEMPT_END), 0);
    /* The other one does not move. */
    rig_pass(r, QUIET_MS / 2);
    assert_int_equal(rig_only(r, ACT_STORE_ATTEMPT_END).attempt, b.attempt);
    rig_free(r);
}

static void unknown_attempt_in_a_renewal_is_cancelled(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_renew(r, 1, 4711, 1, 1);
    assert_int_equal(rig_only(r, ACT_SEND_CANCEL).attempt, 4711);
    rig_free(r);
}

static void cancelled_ready_job_leaves(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_job(r, 1);
    rig_cancel(r, 1);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLED);
    assert_false(sched_has_job(r->s, 1));
    rig_cancel(r, 1);
    assert_int_equal(rig_count(r, ACT_STORE_JOB), 0);
    rig_free(r);
}

static void cancelled_running_job_ends_when_the_worker_stops(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_cancel(r, 1);
    assert_int_equal(rig_only(r, ACT_STORE_JOB).state, JOB_CANCELLING);
    assert_int_equal(rig_only(r, ACT_SEND_CANCEL).attempt, lease.attempt);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_CANCELLING);
    rig_example(r, 1, lease); /* what was found is kept, but the worker hears it again */
    assert_int_equal(rig_count(r, ACT_STORE_EXAMPLE), 1);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, ERR_CANCELLED);
    rig_result(r, 1, lease, CAUSE_FAILED);
    assert_ended(r, CAUSE_FAILED, JOB_CANCELLED);
    rig_free(r);
}

static void cancelled_running_job_ends_by_expiry_though_it_moves(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_cancel(r, 1);
    for (uint64_t i = 1; i < 10; i++) {
        r->now_ms += LEASE_MS / 10;
        rig_renew(r, 1, lease.attempt, lease.epoch, i);
        assert_int_equal(rig_count(r, ACT_SEND_CANCEL), 1);
    }
    r->now_ms += LEASE_MS / 10;
    rig_say(r, EV_HEARTBEAT, 1);
    assert_ended(r, CAUSE_LOST, JOB_CANCELLED);
    rig_free(r);
}

static void result_that_crosses_a_cancel_still_counts(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    struct sched_action lease = rig_one_lease(r);
    rig_cancel(r, 1);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(rig_count(r, ACT_STORE_RESULT), 1);
    assert_int_equal(rig_only(r, ACT_SEND_ACK).code, 0);
    rig_free(r);
}

static void shell_can_end_an_attempt_itself(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_result(r, 0, rig_one_lease(r), CAUSE_FAILED);
    assert_ended(r, CAUSE_FAILED, JOB_READY);
    assert_int_equal(rig_count(r, ACT_SEND_ACK), 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lease_is_not_stored_but_its_block_of_ids_is),
        cmocka_unit_test(result_is_stored_and_acked_once),
        cmocka_unit_test(diverged_is_a_result),
        cmocka_unit_test(checkpoint_is_stored_before_its_ack_and_renews),
        cmocka_unit_test(checkpoint_of_an_old_lease_is_refused),
        cmocka_unit_test(checkpoint_of_cancelled_work_is_not_stored),
        cmocka_unit_test(only_moved_progress_renews_a_lease),
        cmocka_unit_test(moving_work_keeps_its_lease),
        cmocka_unit_test(result_of_an_old_lease_is_refused),
        cmocka_unit_test(failures_spend_retries),
        cmocka_unit_test(preemption_spends_nothing_but_pauses_the_worker),
        cmocka_unit_test(job_that_kills_its_workers_fails_in_the_end),
        cmocka_unit_test(stuck_slot_gets_no_second_job),
        cmocka_unit_test(pause_of_the_shell_costs_no_lease),
        cmocka_unit_test(unknown_attempt_in_a_renewal_is_cancelled),
        cmocka_unit_test(cancelled_ready_job_leaves),
        cmocka_unit_test(cancelled_running_job_ends_when_the_worker_stops),
        cmocka_unit_test(cancelled_running_job_ends_by_expiry_though_it_moves),
        cmocka_unit_test(result_that_crosses_a_cancel_still_counts),
        cmocka_unit_test(shell_can_end_an_attempt_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
