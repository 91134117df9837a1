/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: which job goes to which worker, and when more jobs are asked for.
 * Method: a handful of workers and jobs; the leases of a step are compared with the rule. */
#include "tests/unit/coordinator_core/rig.h"

#include "common/base/rng.h"

static void jobs_go_by_priority_then_id(void **state)
{
    struct rig *r = rig_new();
    static const uint64_t expected[] = { 3, 5, 1, 2, 4 };

    (void)state;
    rig_job_row(r, (struct sched_job){ .id = 4, .priority = -1 });
    rig_job_row(r, (struct sched_job){ .id = 2 });
    rig_job_row(r, (struct sched_job){ .id = 5, .priority = 7 });
    rig_job_row(r, (struct sched_job){ .id = 1 });
    rig_job_row(r, (struct sched_job){ .id = 3, .priority = 7 });
    rig_hello(r, 1, 5);
    size_t n = 0;
    for (size_t i = 0; i < r->out.len; i++)
        if (r->out.v[i].kind == ACT_SEND_LEASE)
            assert_int_equal(r->out.v[i].job, expected[n++]);
    assert_int_equal(n, 5);
    rig_free(r);
}

/* 60 random jobs, a third taken out of the middle again: the rest come out sorted. */
static void heap_stays_sorted_under_cancels(void **state)
{
    struct rig *r = rig_new();
    struct rng rng = rng_stream("test", 2, 0);
    int32_t last_priority = INT32_MAX;
    uint64_t last_id = 0;

    (void)state;
    for (uint64_t id = 1; id <= 60; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .priority = (int32_t)rng_below(&rng, 5) });
    for (uint64_t id = 1; id <= 60; id += 1 + rng_below(&rng, 5))
        rig_cancel(r, id);
    uint32_t left = sched_counts(r->s).ready;
    assert_in_range(left, 30, 55);
    rng = rng_stream("test", 2, 0);
    int32_t priority[61];
    for (uint64_t id = 1; id <= 60; id++)
        priority[id] = (int32_t)rng_below(&rng, 5);
    rig_hello(r, 1, 100);
    for (size_t i = 0; i < r->out.len; i++) {
        const struct sched_action *a = &r->out.v[i];
        if (a->kind != ACT_SEND_LEASE)
            continue;
        assert_true(priority[a->job] < last_priority ||
                    (priority[a->job] == last_priority && a->job > last_id));
        last_priority = priority[a->job];
        last_id = a->job;
        left--;
    }
    assert_int_equal(left, 0);
    rig_free(r);
}

static void worker_of_another_class_is_not_offered_the_job(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 4);
    rig_job_row(r, (struct sched_job){ .id = 1, .class = 1, .priority = 9 });
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_NO_CLASS);
    rig_job(r, 2);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 2);
    rig_free(r);
}

static void job_goes_where_its_blobs_are_though_the_other_is_idle(void **state)
{
    struct rig *r = rig_new();
    struct sched_job row = { .id = 1, .blobs_len = 2, .blobs = { 100, 200 } };
    struct sched_event e = { .kind = EV_HELLO, .peer = 2 };
    uint64_t cache[] = { 100, 200 };

    (void)state;
    rig_hello(r, 1, 2);
    e.hello.worker = 2;
    e.hello.slots = 2;
    e.hello.classes = 1;
    e.hello.blobs = cache;
    e.hello.blobs_len = 2;
    rig_step(r, e);
    rig_job_row(r, row);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    row.id = 2;
    rig_job_row(r, row);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    /* Full: the other one gets it, and has the blobs from then on. */
    row.id = 3;
    rig_job_row(r, row);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 1);
    rig_free(r);
}

static void without_blobs_the_least_loaded_share_wins_then_the_older(void **state)
{
    struct rig *r = rig_new();
    static const uint64_t expected[] = { 1, 2, 2, 1, 2, 2 };

    (void)state;
    rig_hello(r, 1, 2);
    rig_hello(r, 2, 4);
    for (uint64_t id = 1; id <= 6; id++) {
        rig_job(r, id);
        assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, expected[id - 1]);
    }
    rig_job(r, 7);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    assert_int_equal(sched_why(r->s, 7).rules, WHY_NO_CREDIT);
    rig_job(r, 8);
    assert_int_equal(sched_why(r->s, 8).rules, WHY_NO_CREDIT | WHY_BEHIND);
    assert_int_equal(sched_why(r->s, 8).ahead, 1);
    rig_free(r);
}

static void draining_worker_gets_nothing_and_more_credits_get_more(void **state)
{
    struct rig *r = rig_new();
    struct sched_event e = { .kind = EV_CREDITS, .peer = 1 };

    (void)state;
    rig_hello(r, 1, 1);
    rig_step(r, e);
    rig_job(r, 1);
    rig_job(r, 2);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    e.credits.slots = 2;
    rig_step(r, e);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 2);
    rig_free(r);
}

static void quiet_worker_gets_no_lease_until_it_is_heard(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_pass(r, QUIET_MS);
    rig_job(r, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_say(r, EV_HEARTBEAT, 1);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 1);
    rig_free(r);
}

static void load_is_asked_for_when_the_window_is_half_empty(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    assert_int_equal(rig_only(r, ACT_LOAD).want, 64); /* by EV_START */
    for (uint64_t id = 1; id <= 64; id++)
        rig_job(r, id);
    rig_loaded(r, 1, 64);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_hello(r, 1, 32);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_hello(r, 2, 1);
    assert_int_equal(rig_only(r, ACT_LOAD).want, 33);
    /* The store has but one: silence until it says that it has more. */
    rig_job(r, 65);
    rig_loaded(r, 1, 1);
    rig_hello(r, 3, 10);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_ready(r, 1, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 1);
    rig_free(r);
}

static void ready_hint_during_a_load_is_not_forgotten(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_ready(r, 1, 0);
    rig_loaded(r, 1, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 1);
    rig_loaded(r, 1, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_free(r);
}

static void urgent_job_displaces_the_last_of_a_full_window(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t id = 1; id <= 64; id++)
        rig_job(r, id);
    rig_loaded(r, 1, 64);
    rig_ready(r, 1, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_ready(r, 1, 1);
    assert_int_equal(rig_only(r, ACT_LOAD).want, 8);
    rig_job_row(r, (struct sched_job){ .id = 65, .priority = 1 });
    rig_job(r, 66);
    rig_loaded(r, 1, 2);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    assert_true(sched_has_job(r->s, 65));
    assert_false(sched_has_job(r->s, 64));
    assert_false(sched_has_job(r->s, 66));
    /* What was sent back to the store is asked for again. */
    rig_hello(r, 1, 33);
    assert_int_equal(rig_count(r, ACT_LOAD), 1);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_go_by_priority_then_id),
        cmocka_unit_test(heap_stays_sorted_under_cancels),
        cmocka_unit_test(worker_of_another_class_is_not_offered_the_job),
        cmocka_unit_test(job_goes_where_its_blobs_are_though_the_other_is_idle),
        cmocka_unit_test(without_blobs_the_least_loaded_share_wins_then_the_older),
        cmocka_unit_test(draining_worker_gets_nothing_and_more_credits_get_more),
        cmocka_unit_test(quiet_worker_gets_no_lease_until_it_is_heard),
        cmocka_unit_test(load_is_asked_for_when_the_window_is_half_empty),
        cmocka_unit_test(ready_hint_during_a_load_is_not_forgotten),
        cmocka_unit_test(urgent_job_displaces_the_last_of_a_full_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
