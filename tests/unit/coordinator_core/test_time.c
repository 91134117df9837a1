/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no job is leased where it could not finish, nobody waits behind a job that is too long, and
 * a worker that is about to leave begins nothing. Method: workers with an end, jobs whose shape has
 * a known time; at least LEFT_MIN_MS (1 s) has to be left, and needs grow by quarters of an
 * octave. */
#include "tests/unit/coordinator_core/rig.h"

enum { S = 1000 * 1000 }; /* in us */

/* Worker N with SLOTS, which leaves in LEFT_MS (0: it has no end). */
static void come(struct rig *r, uint64_t n, uint32_t slots, uint64_t left_ms)
{
    rig_hello_as(r, n,
                 (struct sched_event){ .hello = { .slots = slots, .remaining_ms = left_ms } });
}

/* Job ID, which takes EST_US as far as the store knows. */
static void add(struct rig *r, uint64_t id, uint64_t est_us)
{
    rig_job_row(r, (struct sched_job){ .id = id, .shape = 100 + est_us, .est_us = est_us });
}

/* The job of the only lease of the last step; 0: there is none. */
static uint64_t leased(const struct rig *r)
{
    return rig_count(r, ACT_SEND_LEASE) ? rig_only(r, ACT_SEND_LEASE).job : 0;
}

/* Time goes on by MS, and workers 1..N live. */
static void live(struct rig *r, uint64_t n, uint64_t ms)
{
    for (uint64_t end_ms = r->now_ms + ms; r->now_ms < end_ms;) {
        rig_pass(r, MIN(end_ms - r->now_ms, QUIET_MS / 2));
        for (uint64_t w = 1; w <= n; w++)
            rig_say(r, EV_HEARTBEAT, w);
    }
}

static void job_goes_only_where_it_can_finish(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 60 * 1000);
    add(r, 1, 61 * S);
    assert_int_equal(leased(r), 0);
    add(r, 2, 40 * S);
    assert_int_equal(leased(r), 2);
    come(r, 2, 1, 0);
    assert_int_equal(leased(r), 1);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 2);
    rig_free(r);
}

static void end_in_the_far_future_is_as_good_as_none(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, UINT64_MAX);
    add(r, 1, UINT64_MAX);
    assert_int_equal(leased(r), 1);
    rig_free(r);
}

static void long_job_is_not_in_the_way_of_shorter_ones(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 4, 60 * 1000);
    add(r, 1, 3600ull * S);
    add(r, 2, 1800ull * S);
    for (uint64_t id = 3; id <= 6; id++) {
        add(r, id, 30 * S);
        assert_int_equal(leased(r), id);
    }
    rig_free(r);
}

/* All are equal before a worker without an end: the oldest first. */
static void queues_of_short_and_long_jobs_keep_their_order(void **state)
{
    struct rig *r = rig_new();
    const uint64_t est_us[] = { 7200ull * S, 1, 1800ull * S, 60 * S, 3600ull * S };

    (void)state;
    come(r, 1, 1, 1500); /* it has time for the second one, and is busy then */
    for (uint64_t i = 0; i < ARRAY_LEN(est_us); i++)
        add(r, i + 1, est_us[i]);
    assert_int_equal(sched_counts(r->s).ready, 4);
    come(r, 2, 4, 0);
    assert_int_equal(rig_count(r, ACT_SEND_LEASE), 4);
    for (uint64_t i = 0, last = 0; i < r->out.len; i++) {
        if (r->out.v[i].kind != ACT_SEND_LEASE)
            continue;
        assert_true(r->out.v[i].job > last);
        last = r->out.v[i].job;
    }
    rig_free(r);
}

static void time_that_passes_takes_what_a_worker_could_run(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 20 * 1000);
    live(r, 1, 9 * 1000);
    add(r, 1, 10 * S); /* 11 s are left */
    assert_int_equal(leased(r), 1);
    rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), CAUSE_PREEMPTED);
    live(r, 1, PAUSE_MS);
    live(r, 1, 2 * 1000); /* it went there again; now 9 s are left, and it comes back */
    rig_result(r, 1, (struct sched_action){ .attempt = FIRST_ATTEMPT + 1, .epoch = 2 },
               CAUSE_PREEMPTED);
    live(r, 1, 2 * PAUSE_MS);
    assert_int_equal(sched_counts(r->s).ready, 1);
    assert_int_equal(sched_why(r->s, 1).rules, WHY_NO_TIME);
    add(r, 2, 6 * S);
    assert_int_equal(leased(r), 2);
    rig_free(r);
}

static void worker_that_is_about_to_leave_begins_nothing(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 2, LEFT_MIN_MS + 1);
    rig_job(r, 1);
    rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), CAUSE_DONE);
    live(r, 1, 2);
    rig_job(r, 2);
    rig_job_row(r, (struct sched_job){ .id = 3, .resumes = true });
    add(r, 4, 1);
    assert_int_equal(sched_counts(r->s).ready, 3);
    assert_int_equal(sched_why(r->s, 2).rules, WHY_NO_TIME);
    live(r, 1, 5 * 1000); /* long past it */
    assert_int_equal(sched_counts(r->s).ready, 3);
    rig_free(r);
}

static void job_whose_time_nobody_knows_goes_anywhere(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 2 * 1000);
    rig_job_row(r, (struct sched_job){ .id = 1, .shape = 7 });
    assert_int_equal(leased(r), 1);
    rig_free(r);
}

static void job_that_resumes_goes_anywhere(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 2 * 1000);
    rig_job_row(r, (struct sched_job){ .id = 1, .est_us = 3600ull * S, .resumes = true });
    assert_int_equal(leased(r), 1);
    rig_free(r);
}

/* Job 1 is the first of its kind; its result tells that the others do not fit. */
static void what_is_learned_later_holds_for_jobs_that_are_here(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 60 * 1000);
    for (uint64_t id = 1; id <= 10; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .shape = 7 });
    assert_int_equal(sched_counts(r->s).leased, 1);
    rig_done_after(r, (struct sched_action){ .peer = 1, .attempt = FIRST_ATTEMPT, .epoch = 1 },
                   300ull * S);
    assert_int_equal(leased(r), 0);
    assert_int_equal(sched_why(r->s, 2).rules, WHY_NO_TIME);
    add(r, 11, 20 * S); /* the newest, and short */
    assert_int_equal(leased(r), 11);
    rig_free(r);
}

/* The shape was thought to take 64 s; its results say less and less. */
static void shorter_estimate_opens_a_worker_again(void **state)
{
    struct rig *r = rig_new();
    uint64_t attempt = FIRST_ATTEMPT;

    (void)state;
    come(r, 1, 1, 0);
    come(r, 2, 1, 40 * 1000);
    for (uint64_t id = 1; id <= 12; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .shape = 7, .est_us = 64ull * S });
    for (;; attempt++) {
        rig_done_after(r, (struct sched_action){ .peer = 1, .attempt = attempt, .epoch = 1 }, S);
        if (rig_count(r, ACT_SEND_LEASE) == 2)
            break;
        assert_int_equal(rig_only(r, ACT_SEND_LEASE).worker, 1);
        assert_in_range(attempt, FIRST_ATTEMPT, FIRST_ATTEMPT + 8);
    }
    /* 64, 56.1, 49.2, 43.2 and 37.9 s: the last one counts as 40. */
    assert_int_equal(attempt, FIRST_ATTEMPT + 3);
    rig_free(r);
}

static void first_worker_with_an_end_gets_nothing_too_long_that_came_before_it(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 0);
    add(r, 1, 600ull * S);
    add(r, 2, 600ull * S);
    add(r, 3, 10 * S);
    come(r, 2, 1, 60 * 1000);
    assert_int_equal(leased(r), 3);
    rig_say(r, EV_GOODBYE, 2); /* nobody has an end any more */
    assert_int_equal(sched_counts(r->s).ready, 2);
    rig_result(r, 1, (struct sched_action){ .attempt = FIRST_ATTEMPT, .epoch = 1 }, CAUSE_DONE);
    assert_int_equal(leased(r), 2);
    rig_free(r);
}

static void why_tells_what_it_takes_and_who_stays_longest(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 30 * 1000);
    come(r, 2, 1, 50 * 1000);
    add(r, 1, 2400ull * S);
    struct sched_why why = sched_why(r->s, 1);
    assert_int_equal(why.rules, WHY_NO_TIME);
    assert_int_equal(why.best, 50 * 1000);
    assert_int_equal(why.est_us, 2400ull * S);
    /* One that stays is busy: not for want of time. */
    come(r, 3, 1, 0);
    add(r, 2, 2400ull * S);
    assert_int_equal(sched_why(r->s, 2).rules, WHY_NO_CREDIT);
    rig_free(r);
}

static void new_hello_may_give_more_time_or_less(void **state)
{
    struct rig *r = rig_new();
    struct sched_worker_view view;

    (void)state;
    come(r, 1, 1, 10 * 1000);
    add(r, 1, 20 * S);
    assert_int_equal(leased(r), 0);
    live(r, 1, 1000);
    come(r, 1, 1, 30 * 1000);
    assert_int_equal(leased(r), 1);
    assert_true(sched_worker(r->s, 1, &view));
    assert_int_equal(view.until_ms, r->now_ms + 30 * 1000);
    rig_done_after(r, rig_only(r, ACT_SEND_LEASE), 20 * S);
    come(r, 1, 1, 1500);
    add(r, 2, 20 * S);
    assert_int_equal(leased(r), 0);
    come(r, 1, 1, 0);
    assert_int_equal(leased(r), 2);
    assert_true(sched_worker(r->s, 1, &view));
    assert_true(view.until_ms == UINT64_MAX);
    rig_free(r);
}

/* Of 64 places 16 may be theirs; when a worker that stays comes, the store is asked for the rest.
 */
static void jobs_that_nobody_has_the_time_for_do_not_fill_the_window(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 60 * 1000);
    for (uint64_t id = 1; id <= 64; id++)
        add(r, id, 600ull * S);
    assert_int_equal(sched_counts(r->s).ready, 16);
    add(r, 100, 10 * S);
    assert_int_equal(leased(r), 100);
    rig_loaded(r, 1, 17);
    come(r, 2, 1, 0);
    assert_int_equal(leased(r), 1);
    assert_int_equal(rig_count(r, ACT_LOAD), 1);
    rig_free(r);
}

/* What filled the window goes back to the store when it turns out to be too long. */
static void window_opens_when_its_jobs_turn_out_to_be_too_long(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    come(r, 1, 1, 60 * 1000);
    for (uint64_t id = 1; id <= 65; id++)
        rig_job_row(r, (struct sched_job){ .id = id, .shape = 7 });
    assert_int_equal(sched_counts(r->s).ready, 64);
    rig_done_after(r, (struct sched_action){ .peer = 1, .attempt = FIRST_ATTEMPT, .epoch = 1 },
                   300ull * S);
    assert_int_equal(sched_counts(r->s).ready, 16);
    add(r, 100, 10 * S);
    assert_int_equal(leased(r), 100);
    rig_free(r);
}

/* 192 needs and labels: more than there are places for demands. */
static void needs_are_told_apart_only_while_somebody_has_an_end(void **state)
{
    struct sched_limits limits = rig_limits;
    limits.window = 200;
    struct rig *r = rig_new_as(&limits, 1);

    (void)state;
    rig_hello_as(r, 1, (struct sched_event){ .hello = { .slots = 1, .labels = 255 } });
    rig_job(r, 1);
    for (uint64_t id = 2; id <= 193; id++)
        rig_job_row(r, (struct sched_job){ .id = id,
                                           .shape = id,
                                           .est_us = (uint64_t)S << id % 24,
                                           .labels = 1u << id / 24 % 8 });
    assert_int_equal(sched_counts(r->s).ready, 192);
    rig_free(r);
}

static void demands_that_run_short_because_of_time_go_back_to_the_store(void **state)
{
    struct sched_limits limits = rig_limits;
    limits.window = 200;
    struct rig *r = rig_new_as(&limits, 1);

    (void)state;
    for (uint64_t id = 1; id <= 100; id++)
        rig_job_row(r, (struct sched_job){ .id = id,
                                           .shape = id,
                                           .est_us = (uint64_t)S << id % 20,
                                           .class = (uint8_t)(id % 5) });
    assert_int_equal(sched_counts(r->s).ready, 100);
    come(r, 1, 1, 3 * 1000);
    /* One queue for each class and time, so far as there are places. */
    assert_in_range(sched_counts(r->s).ready, 1, 99);
    rig_say(r, EV_GOODBYE, 1);
    rig_loaded(r, 1, 100);
    assert_int_equal(rig_count(r, ACT_LOAD), 1);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 1);
    rig_free(r);
}

/* B is too long, and there is no room for more of those that wait; its demand gives way to others.
 * A worker that has the time for B, and not for A, asks the store for it. */
static void demand_that_gave_way_is_asked_for_when_a_worker_comes(void **state)
{
    struct sched_limits limits = rig_limits;
    limits.window = 256;
    struct rig *r = rig_new_as(&limits, 1);
    uint64_t id = 1;

    (void)state;
    rig_hello_as(
        r, 1,
        (struct sched_event){ .hello = { .slots = 1, .cores = 100, .remaining_ms = 60 * 1000 } });
    rig_job(r, id++);
    for (uint64_t i = 0; i < 64; i++)
        add(r, id++, 3600ull * S); /* A */
    add(r, 1000, 600ull * S);      /* B */
    assert_false(sched_has_job(r->s, 1000));
    for (uint32_t cores = 1; cores <= 63; cores++)
        rig_job_row(r, (struct sched_job){ .id = id++, .cores = cores });
    assert_int_equal(sched_counts(r->s).ready, 127);
    rig_loaded(r, 1, 10);
    come(r, 2, 1, 900 * 1000);
    for (size_t i = 0; i < rig_count(r, ACT_SEND_LEASE); i++)
        assert_true(r->out.v[i].job != 1000);
    assert_int_equal(rig_only(r, ACT_LOAD).fresh, true);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_goes_only_where_it_can_finish),
        cmocka_unit_test(end_in_the_far_future_is_as_good_as_none),
        cmocka_unit_test(long_job_is_not_in_the_way_of_shorter_ones),
        cmocka_unit_test(queues_of_short_and_long_jobs_keep_their_order),
        cmocka_unit_test(time_that_passes_takes_what_a_worker_could_run),
        cmocka_unit_test(worker_that_is_about_to_leave_begins_nothing),
        cmocka_unit_test(job_whose_time_nobody_knows_goes_anywhere),
        cmocka_unit_test(job_that_resumes_goes_anywhere),
        cmocka_unit_test(what_is_learned_later_holds_for_jobs_that_are_here),
        cmocka_unit_test(shorter_estimate_opens_a_worker_again),
        cmocka_unit_test(first_worker_with_an_end_gets_nothing_too_long_that_came_before_it),
        cmocka_unit_test(why_tells_what_it_takes_and_who_stays_longest),
        cmocka_unit_test(new_hello_may_give_more_time_or_less),
        cmocka_unit_test(jobs_that_nobody_has_the_time_for_do_not_fill_the_window),
        cmocka_unit_test(window_opens_when_its_jobs_turn_out_to_be_too_long),
        cmocka_unit_test(needs_are_told_apart_only_while_somebody_has_an_end),
        cmocka_unit_test(demand_that_gave_way_is_asked_for_when_a_worker_comes),
        cmocka_unit_test(demands_that_run_short_because_of_time_go_back_to_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
