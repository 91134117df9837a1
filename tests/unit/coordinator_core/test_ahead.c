/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a worker gets leases beyond its slots, but only as much work as is known to be short, and
 * what waits there is nobody's fault. Method: one worker with one or two slots and a queue, jobs of
 * shapes with and without a known time. */
#include "tests/unit/coordinator_core/rig.h"

enum { US = 1000 }; /* of a ms */

static void rig_queue(struct rig *r, uint64_t n, uint32_t slots, uint32_t queue)
{
    rig_hello_as(r, n, (struct sched_event){ .hello.slots = slots, .hello.queue = queue });
}

/* Jobs FIRST..LAST of SHAPE, which the store says take EST_US; returns how many got a lease. */
static uint32_t rig_jobs(struct rig *r, uint64_t first, uint64_t last, uint64_t shape,
                         uint64_t est_us)
{
    uint32_t n = 0;
    for (uint64_t id = first; id <= last; id++) {
        rig_job_row(r, (struct sched_job){ .id = id, .shape = shape, .est_us = est_us });
        n += (uint32_t)rig_count(r, ACT_SEND_LEASE);
    }
    return n;
}

static void work_waits_at_a_worker_up_to_ahead_ms_per_slot(void **state)
{
    struct rig *r = rig_new();
    struct sched_worker_view view;

    (void)state;
    rig_queue(r, 1, 2, 100);
    assert_int_equal(rig_jobs(r, 1, 40, 1, 10 * US), 2 * AHEAD_MS / 10);
    assert_true(sched_worker(r->s, 1, &view));
    assert_int_equal(view.ahead_us, 2 * AHEAD_MS * US);
    assert_true(sched_why(r->s, 40).rules & WHY_NO_CREDIT);
    assert_int_equal(sched_why(r->s, 10).rules, WHY_RUNNING | WHY_WAITS);
    assert_int_equal(sched_why(r->s, 2).rules, WHY_RUNNING);
    rig_free(r);
}

static void queue_of_the_worker_bounds_what_waits(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_queue(r, 1, 1, 3);
    assert_int_equal(rig_jobs(r, 1, 20, 1, 1), 4);
    rig_free(r);
}

static void nothing_waits_while_its_time_is_not_known_and_one_result_tells_it(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_queue(r, 1, 1, 100);
    rig_job_row(r, (struct sched_job){ .id = 1, .shape = 5 });
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    assert_int_equal(rig_jobs(r, 2, 30, 5, 0), 0);
    rig_done_after(r, lease, 5 * US);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), AHEAD_MS / 5);
    assert_int_equal(sched_why(r->s, 30).est_us, 5 * US);
    rig_free(r);
}

static void jobs_without_a_shape_and_long_ones_never_wait(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_queue(r, 1, 1, 100);
    assert_int_equal(rig_jobs(r, 1, 1, 1, US), 1);
    assert_int_equal(rig_jobs(r, 2, 2, 0, 0), 0);
    rig_cancel(r, 2);
    assert_int_equal(rig_jobs(r, 3, 3, 3, (AHEAD_MS + 1) * US), 0);
    rig_cancel(r, 3);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_int_equal(rig_jobs(r, 4, 4, 3, AHEAD_MS * US), 1);
    rig_free(r);
}

/* Eight results of the same length, and the mean is nearly there. */
static void time_of_a_shape_follows_its_results(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_row(r, (struct sched_job){ .id = 1, .shape = 9, .est_us = 1000 });
    for (uint64_t id = 2; id <= 40; id++) {
        struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
        rig_done_after(r, lease, 9000);
        rig_job_row(r, (struct sched_job){ .id = id, .shape = 9, .est_us = 1000 });
        assert_true(id > 2 || sched_why(r->s, id).est_us == 2000);
    }
    assert_in_range(sched_why(r->s, 40).est_us, 8900, 9000);
    rig_free(r);
}

/* Sixteen places, in sets of four. */
static void times_of_more_shapes_than_fit_are_forgotten_oldest_first(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    for (uint64_t id = 1; id <= 100; id++) {
        rig_job_row(r, (struct sched_job){ .id = id, .shape = id });
        rig_done_after(r, rig_only(r, ACT_SEND_LEASE), 7);
    }
    rig_cancel(r, 1);
    rig_hello(r, 2, 0);
    rig_job_row(r, (struct sched_job){ .id = 101, .shape = 100 });
    assert_int_equal(sched_why(r->s, 101).est_us, 7);
    rig_job_row(r, (struct sched_job){ .id = 102, .shape = 1 });
    assert_int_equal(sched_why(r->s, 102).est_us, 0);
    rig_free(r);
}

static void free_slot_goes_before_any_queue(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_queue(r, 1, 1, 100);
    assert_int_equal(rig_jobs(r, 1, 3, 1, US), 3);
    rig_queue(r, 2, 2, 100);
    rig_jobs(r, 4, 4, 1, US);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    rig_jobs(r, 5, 5, 1, US);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    rig_jobs(r, 6, 6, 1, US); /* the shorter wait per slot: 2 ms for two, 3 ms for one */
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    rig_free(r);
}

static void worker_that_dies_is_the_fault_of_what_ran_not_of_what_waited(void **state)
{
    struct rig *r = rig_new();
    uint32_t counted = 0, ended = 0;

    (void)state;
    rig_queue(r, 1, 2, 100);
    assert_int_equal(rig_jobs(r, 1, 8, 1, US), 8);
    rig_pass(r, LEASE_MS);
    for (size_t i = 0; i < r->out.len; i++) {
        const struct sched_action *a = &r->out.v[i];
        if (a->kind != ACT_STORE_ATTEMPT_END)
            continue;
        ended++;
        counted += a->counted;
        assert_int_equal(a->counted, a->job <= 2);
        assert_int_equal(a->began, a->job <= 2);
    }
    assert_int_equal(ended, 8);
    assert_int_equal(counted, 2);
    rig_free(r);
}

/* Short jobs that may wait would keep the slots busy for ever. */
static void who_may_not_wait_gets_the_next_slot_when_it_is_first(void **state)
{
    struct rig *r = rig_new();
    struct sched_action first[4];

    (void)state;
    rig_hello_as(r, 1, (struct sched_event){ .hello = { .slots = 1, .queue = 100, .labels = 1 } });
    for (uint64_t i = 0; i < 4; i++) {
        rig_job_row(r, (struct sched_job){ .id = 10 + i, .shape = 1, .est_us = US });
        first[i] = rig_only(r, ACT_SEND_LEASE);
    }
    rig_job_row(r, (struct sched_job){ .id = 20, .priority = 1, .shape = 2 }); /* unknown */
    rig_job_row(r, (struct sched_job){ .id = 30, .labels = 1, .shape = 1, .est_us = US });
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
        rig_done_after(r, first[i], US);
    }
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 20);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_waits_at_a_worker_up_to_ahead_ms_per_slot),
        cmocka_unit_test(queue_of_the_worker_bounds_what_waits),
        cmocka_unit_test(nothing_waits_while_its_time_is_not_known_and_one_result_tells_it),
        cmocka_unit_test(jobs_without_a_shape_and_long_ones_never_wait),
        cmocka_unit_test(time_of_a_shape_follows_its_results),
        cmocka_unit_test(times_of_more_shapes_than_fit_are_forgotten_oldest_first),
        cmocka_unit_test(free_slot_goes_before_any_queue),
        cmocka_unit_test(worker_that_dies_is_the_fault_of_what_ran_not_of_what_waited),
        cmocka_unit_test(who_may_not_wait_gets_the_next_slot_when_it_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
