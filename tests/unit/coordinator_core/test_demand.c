/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a job runs only where all that it asks for is there and free: class, labels, cores, memory;
 * what asks for much is not kept waiting for ever by what asks for little; and what nobody can run
 * keeps nobody else out. Method: a few workers of different sizes. */
#include "tests/unit/coordinator_core/rig.h"

/* Worker N: eight slots and cores, 1000 MiB, labels LABELS. */
static void rig_big(struct rig *r, uint64_t n, uint64_t labels)
{
    rig_hello_as(
        r, n,
        (struct sched_event){
            .hello = {
                .slots = 8, .queue = 20, .cores = 8, .memory_mib = 1000, .labels = labels } });
}

/* The job of the only lease of the last step; 0: there is none. */
static uint64_t leased(const struct rig *r)
{
    return rig_count(r, ACT_SEND_LEASE) ? rig_only(r, ACT_SEND_LEASE).job : 0;
}

static void labels_are_all_there_or_the_job_waits_and_why_says_so(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 1);
    rig_job_row(r, (struct sched_job){ .id = 1, .labels = 3 });
    assert_int_equal(leased(r), 0);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_NO_LABEL);
    assert_int_equal(sched_why(r->s, 1).labels, 3);
    rig_job_row(r, (struct sched_job){ .id = 2, .labels = 1 });
    assert_int_equal(leased(r), 2);
    rig_big(r, 2, 7);
    assert_int_equal(leased(r), 1);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    rig_free(r);
}

static void cores_are_not_given_twice(void **state)
{
    struct rig *r = rig_new();
    struct sched_worker_view view;

    (void)state;
    rig_big(r, 1, 0);
    rig_job_row(r, (struct sched_job){ .id = 1, .cores = 5 });
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    rig_job_row(r, (struct sched_job){ .id = 2, .cores = 4 });
    assert_int_equal(leased(r), 0);
    rig_cancel(r, 2);
    for (uint64_t id = 3; id <= 5; id++) { /* plain ones take the share of a slot: one core */
        rig_job(r, id);
        assert_int_equal(leased(r), id);
    }
    assert_true(sched_worker(r->s, 1, &view));
    assert_int_equal(view.cores_used, 8);
    rig_job(r, 6);
    assert_int_equal(leased(r), 0);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(leased(r), 6);
    rig_free(r);
}

static void memory_is_not_given_twice(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 0);
    rig_job_row(r, (struct sched_job){ .id = 1, .memory_mib = 600 });
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    rig_job_row(r, (struct sched_job){ .id = 2, .memory_mib = 401 });
    assert_int_equal(leased(r), 0);
    assert_true(sched_why(r->s, 2).rules & WHY_NO_CREDIT);
    rig_job_row(r, (struct sched_job){ .id = 3, .memory_mib = 2000 });
    assert_int_equal(sched_why(r->s, 3).rules, WHY_NO_MEMORY | WHY_BEHIND);
    assert_int_equal(sched_why(r->s, 3).best, 1000);
    rig_job_row(r, (struct sched_job){ .id = 4, .cores = 9 });
    assert_true(sched_why(r->s, 4).rules & WHY_NO_CORES);
    assert_int_equal(sched_why(r->s, 4).best, 8);
    rig_result(r, 1, lease, CAUSE_DONE);
    assert_int_equal(leased(r), 2);
    rig_free(r);
}

static void worker_that_does_not_say_its_memory_gets_no_job_that_asks_for_some(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 4);
    rig_job_row(r, (struct sched_job){ .id = 1, .memory_mib = 1 });
    assert_int_equal(leased(r), 0);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_NO_MEMORY);
    rig_free(r);
}

/* Small jobs without end would keep the eight cores busy, and job 1 out. */
static void big_job_gets_a_worker_emptied_for_it(void **state)
{
    struct rig *r = rig_new();
    struct sched_action small[8];

    (void)state;
    rig_big(r, 1, 0);
    for (uint64_t i = 0; i < 8; i++) {
        rig_job(r, 10 + i);
        small[i] = rig_only(r, ACT_SEND_LEASE);
    }
    rig_job_row(r, (struct sched_job){ .id = 1, .cores = 3, .priority = 0 });
    for (uint64_t i = 0; i < 20; i++)
        rig_job(r, 100 + i);
    for (uint64_t i = 0; i < 2; i++) {
        rig_result(r, 1, small[i], CAUSE_DONE);
        assert_int_equal(leased(r), 0);
        assert_true(sched_why(r->s, 1).rules & WHY_RESERVED);
        assert_int_equal(sched_why(r->s, 1).worker, 1);
    }
    rig_result(r, 1, small[2], CAUSE_DONE);
    assert_int_equal(leased(r), 1);
    rig_result(r, 1, small[3], CAUSE_DONE); /* and then the small ones go on */
    assert_int_equal(leased(r), 100);
    rig_free(r);
}

static void reservation_ends_with_its_job(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 0);
    rig_job_row(r, (struct sched_job){ .id = 1, .cores = 2 });
    rig_job_row(r, (struct sched_job){ .id = 2, .cores = 7 });
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 0);
    rig_job(r, 3);
    assert_int_equal(leased(r), 0);
    rig_cancel(r, 2);
    assert_int_equal(leased(r), 3);
    rig_free(r);
}

static void higher_priority_does_not_wait_for_a_reservation(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 0);
    rig_job_row(r, (struct sched_job){ .id = 1, .cores = 2 });
    rig_job_row(r, (struct sched_job){ .id = 2, .cores = 7 });
    rig_job(r, 3);
    assert_int_equal(leased(r), 0);
    rig_job_row(r, (struct sched_job){ .id = 4, .priority = 1 });
    assert_int_equal(leased(r), 4);
    rig_job(r, 5);
    assert_int_equal(leased(r), 0); /* and the reservation is there again */
    rig_free(r);
}

static void jobs_that_ask_for_cores_or_memory_never_wait_at_a_worker(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello_as(
        r, 1,
        (struct sched_event){ .hello = { .slots = 1, .queue = 9, .cores = 4, .memory_mib = 100 } });
    struct sched_job row = { .id = 1, .shape = 1, .est_us = 10 };
    rig_job_row(r, row);
    assert_int_equal(leased(r), 1);
    row.id = 2;
    row.cores = 1;
    rig_job_row(r, row);
    assert_int_equal(leased(r), 0);
    row.id = 3;
    row.cores = 0;
    row.memory_mib = 1;
    rig_job_row(r, row);
    assert_int_equal(leased(r), 0);
    rig_free(r);
}

/* The window is 64; 16 of those that nobody can run are kept, the rest stays in the store. */
static void jobs_that_nobody_can_run_do_not_fill_the_window(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 0);
    for (uint64_t id = 1; id <= 64; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .labels = 1 });
    assert_int_equal(sched_counts(r->s).ready, 16);
    rig_loaded(r, 1, 64);
    assert_int_equal(rig_only(r, ACT_LOAD).want, 64); /* what comes behind them */
    assert_false(rig_only(r, ACT_LOAD).fresh);
    rig_job(r, 100);
    assert_int_equal(leased(r), 100);
    rig_loaded(r, 1, 1);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    rig_big(r, 2, 1); /* somebody who can: from the top */
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 8);
    assert_true(rig_only(r, ACT_LOAD).fresh);
    rig_free(r);
}

/* Else a LOAD that brings only such jobs would be followed by another one at once, for a million of
 * them. */
static void listing_of_jobs_that_nobody_can_run_takes_its_time(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_big(r, 1, 0);
    for (uint64_t id = 1; id <= 80; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .labels = 1 });
    rig_loaded(r, 1, 64);
    assert_int_equal(rig_count(r, ACT_LOAD), 1); /* the first one brought 16 */
    for (uint64_t id = 81; id <= 144; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .labels = 1 });
    rig_loaded(r, 1, 64);
    assert_int_equal(rig_count(r, ACT_LOAD), 0);
    assert_in_range(sched_next_timeout(r->s), r->now_ms + 1, r->now_ms + 100);
    rig_pass(r, 100);
    assert_int_equal(sched_counts(r->s).ready, 16);
    rig_free(r);
}

static void without_any_worker_the_window_fills_as_usual(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t id = 1; id <= 64; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .labels = 1 });
    assert_int_equal(sched_counts(r->s).ready, 64);
    rig_big(r, 1, 0); /* one that can run none of them */
    assert_int_equal(sched_counts(r->s).ready, 16);
    rig_free(r);
}

/* 64 different demands have ready jobs; the 65th stays in the store until one is used up. */
static void more_demands_than_places_wait_in_the_store(void **state)
{
    struct sched_limits limits = rig_limits;
    limits.window = 200;
    struct rig *r = rig_new_as(&limits, 1);

    (void)state;
    for (uint64_t id = 1; id <= 70; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .cores = (uint32_t)id });
    assert_int_equal(sched_counts(r->s).ready, 64);
    assert_int_equal(sched_why(r->s, 65).rules, WHY_NOT_HERE);
    rig_loaded(r, 1, 70);
    rig_hello_as(r, 1, (struct sched_event){ .hello = { .slots = 1, .cores = 100 } });
    assert_int_equal(leased(r), 1);
    rig_loaded(r, 1, 0);
    assert_true(rig_count(r, ACT_LOAD) == 1 || sched_counts(r->s).ready == 63);
    rig_job_row(r, (struct sched_job){ .id = 65, .cores = 65 });
    assert_true(sched_has_job(r->s, 65));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_all_there_or_the_job_waits_and_why_says_so),
        cmocka_unit_test(cores_are_not_given_twice),
        cmocka_unit_test(memory_is_not_given_twice),
        cmocka_unit_test(worker_that_does_not_say_its_memory_gets_no_job_that_asks_for_some),
        cmocka_unit_test(big_job_gets_a_worker_emptied_for_it),
        cmocka_unit_test(reservation_ends_with_its_job),
        cmocka_unit_test(higher_priority_does_not_wait_for_a_reservation),
        cmocka_unit_test(jobs_that_ask_for_cores_or_memory_never_wait_at_a_worker),
        cmocka_unit_test(jobs_that_nobody_can_run_do_not_fill_the_window),
        cmocka_unit_test(listing_of_jobs_that_nobody_can_run_takes_its_time),
        cmocka_unit_test(without_any_worker_the_window_fills_as_usual),
        cmocka_unit_test(more_demands_than_places_wait_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
