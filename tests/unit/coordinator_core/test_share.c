/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: experiments share the workers by what they use, priorities go first, and each has a window
 * of its own. Method: one or two workers, jobs of several experiments; the order of their leases,
 * and the LOADs. */
#include "tests/unit/coordinator_core/rig.h"

enum { MS = 1000 }; /* in us */

static void rig_job_of(struct rig *r, uint64_t id, uint64_t experiment, int32_t priority)
{
    rig_job_row(r, (struct sched_job){
                       .id = id, .experiment = experiment, .priority = priority, .retries = 1 });
}

static uint64_t experiment_of(uint64_t job)
{
    return job / 1000;
}

/* The one lease of the last step is done after MS_LONG. */
static void rig_run(struct rig *r, uint32_t ms_long)
{
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    r->now_ms += ms_long;
    rig_done_after(r, lease, (uint64_t)ms_long * MS);
}

/* Experiments 2 and 3, ten jobs each, are submitted one after the other. */
static void free_slots_are_shared_though_one_came_first(void **state)
{
    struct rig *r = rig_new();
    uint32_t leases[4] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 10; i++)
        rig_job_of(r, 2000 + i, 2, 0);
    for (uint64_t i = 0; i < 10; i++)
        rig_job_of(r, 3000 + i, 3, 0);
    rig_hello(r, 1, 6);
    for (size_t i = 0; i < r->out.len; i++)
        if (r->out.v[i].kind == ACT_SEND_LEASE)
            leases[experiment_of(r->out.v[i].job)]++;
    assert_int_equal(leases[2], 3);
    assert_int_equal(leases[3], 3);
    rig_free(r);
}

/* Jobs of 30 ms against jobs of 10 ms: three of the latter for one of the former. */
static void share_is_of_time_not_of_jobs(void **state)
{
    struct rig *r = rig_new();
    uint32_t leases[4] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 30; i++) {
        rig_job_of(r, 2000 + i, 2, 0);
        rig_job_of(r, 3000 + i, 3, 0);
    }
    rig_hello(r, 1, 1);
    for (int i = 0; i < 24; i++) {
        uint64_t experiment = experiment_of(rig_only(r, ACT_SEND_LEASE).job);
        leases[experiment]++;
        rig_run(r, experiment == 2 ? 30 : 10);
    }
    assert_in_range(leases[2], 5, 7);
    assert_in_range(leases[3], 17, 19);
    rig_free(r);
}

/* What runs counts as long as it runs, or an experiment of long jobs would take one slot after the
 * other. */
static void work_in_flight_counts_as_long_as_it_runs(void **state)
{
    struct rig *r = rig_new();
    struct sched_action lease[8];
    uint32_t n = 0, of2 = 0;

    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        rig_job_of(r, 2000 + i, 2, 0); /* never end here */
        rig_job_of(r, 3000 + i, 3, 0);
    }
    rig_hello(r, 1, 4);
    for (size_t i = 0; i < r->out.len; i++)
        if (r->out.v[i].kind == ACT_SEND_LEASE)
            lease[n++] = r->out.v[i];
    assert_int_equal(n, 4);
    for (int round = 0; round < 4; round++) {
        uint32_t at = 0;
        while (experiment_of(lease[at].job) != 3)
            at++;
        for (int i = 0; i < 3; i++) {
            r->now_ms += 300;
            for (uint32_t k = 0; k < n; k++)
                rig_renew(r, 1, lease[k].attempt, lease[k].epoch, r->now_ms);
        }
        rig_done_after(r, lease[at], 900 * MS);
        lease[at] = rig_only(r, ACT_SEND_LEASE);
        of2 += experiment_of(lease[at].job) == 2;
    }
    assert_in_range(of2, 0, 1);
    rig_free(r);
}

static void late_comer_neither_starves_nor_catches_up_on_the_past(void **state)
{
    struct rig *r = rig_new();
    uint32_t leases[4] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < 60; i++)
        rig_job_of(r, 2000 + i, 2, 0);
    rig_hello(r, 1, 1);
    for (int i = 0; i < 40; i++)
        rig_run(r, 500);
    struct sched_action running = rig_only(r, ACT_SEND_LEASE);
    for (uint64_t i = 0; i < 20; i++)
        rig_job_of(r, 3000 + i, 3, 0);
    r->now_ms += 500;
    rig_done_after(r, running, 500 * MS);
    for (int i = 0; i < 10; i++) {
        leases[experiment_of(rig_only(r, ACT_SEND_LEASE).job)]++;
        rig_run(r, 500);
    }
    assert_in_range(leases[2], 4, 6);
    assert_in_range(leases[3], 4, 6);
    rig_free(r);
}

/* A worker that lies about its times must not starve the experiment it works for. */
static void time_that_a_worker_claims_is_bounded_by_the_time_it_had(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_of(r, 2000, 2, 0);
    struct sched_action lease = rig_only(r, ACT_SEND_LEASE);
    rig_job_of(r, 2001, 2, 0);
    r->now_ms += 10;
    rig_done_after(r, lease, UINT64_MAX);
    assert_in_range(sched_why(r->s, 2001).used_us, 10 * MS, 3000 * MS);
    rig_free(r);
}

static void priority_goes_before_the_share(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        rig_job_of(r, 2000 + i, 2, 1);
        rig_job_of(r, 3000 + i, 3, 0);
    }
    rig_hello(r, 1, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(experiment_of(rig_only(r, ACT_SEND_LEASE).job), 2);
        rig_run(r, 100);
    }
    assert_int_equal(experiment_of(rig_only(r, ACT_SEND_LEASE).job), 3);
    rig_free(r);
}

static void why_names_the_experiment_that_used_less(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        rig_job_of(r, 2000 + i, 2, 0);
    rig_hello(r, 1, 1);
    rig_run(r, 900);
    struct sched_action running = rig_only(r, ACT_SEND_LEASE);
    rig_job_of(r, 3000, 3, 0); /* begins at the 0.9 s that the other one has used */
    rig_job_of(r, 3001, 3, 0);
    r->now_ms += 900;
    rig_done_after(r, running, 900 * MS);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 3000);
    rig_done_after(r, rig_only(r, ACT_SEND_LEASE), 400 * MS);
    assert_int_equal(rig_only(r, ACT_SEND_LEASE).job, 3001);
    rig_job_of(r, 4000, 4, 0); /* 1.3 s */
    struct sched_why why = sched_why(r->s, 2002);
    assert_int_equal(why.rules, WHY_NO_CREDIT | WHY_SHARE);
    assert_int_equal(why.experiment, 2);
    assert_int_equal(why.used_us, 1800 * MS);
    assert_int_equal(why.other, 4);
    assert_int_equal(why.other_us, 1300 * MS);
    assert_int_equal(sched_why(r->s, 4000).rules, WHY_NO_CREDIT);
    rig_free(r);
}

/* A window of 64, and 1000 jobs of experiment 2 in the store: those of 3 are here all the same. */
static void one_experiment_does_not_fill_the_others_window(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_loaded(r, 1, 0);
    rig_ready(r, 2, 0);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 2);
    assert_int_equal(rig_only(r, ACT_LOAD).want, 64);
    for (uint64_t i = 0; i < 64; i++)
        rig_job_of(r, 2000 + i, 2, 0);
    rig_ready(r, 3, 0);
    assert_int_equal(rig_count(r, ACT_LOAD), 0); /* one at a time */
    rig_loaded(r, 2, 64);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 3);
    rig_job_of(r, 3000, 3, 0);
    rig_loaded(r, 3, 1);
    assert_true(sched_has_job(r->s, 3000));
    assert_int_equal(sched_counts(r->s).ready, 65);
    rig_free(r);
}

static void load_goes_on_where_it_ended_until_something_came_before(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_loaded(r, 1, 0);
    rig_ready(r, 2, 0);
    assert_true(rig_only(r, ACT_LOAD).fresh);
    for (uint64_t i = 0; i < 64; i++)
        rig_job_of(r, 2000 + i, 2, 0);
    rig_loaded(r, 2, 64);
    rig_hello(r, 1, 40);
    assert_int_equal(rig_only(r, ACT_LOAD).want, 40);
    assert_false(rig_only(r, ACT_LOAD).fresh);
    rig_ready(r, 2, 0);
    rig_loaded(r, 2, 0);
    assert_true(rig_only(r, ACT_LOAD).fresh);
    rig_free(r);
}

/* Four places; the fifth experiment comes when one has nothing left. */
static void experiment_without_a_place_is_asked_for_when_there_is_one(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_loaded(r, 1, 0); /* experiment 1 has nothing: gone */
    for (uint64_t x = 2; x <= 5; x++)
        rig_job_of(r, 1000 * x, x, 0);
    rig_ready(r, 6, 0);
    assert_int_equal(sched_counts(r->s).experiments, 4);
    rig_hello(r, 1, 1);
    r->now_ms += 100;
    rig_result(r, 1, rig_only(r, ACT_SEND_LEASE), CAUSE_DONE);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 0);
    rig_ready(r, 6, 0);
    rig_loaded(r, 0, 1);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 6);
    rig_free(r);
}

static void higher_priority_takes_the_place_of_an_experiment_that_runs_nothing(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    rig_loaded(r, 1, 0);
    for (uint64_t x = 2; x <= 5; x++)
        rig_job_of(r, 1000 * x, x, 0);
    rig_hello(r, 1, 1); /* job 2000 runs */
    rig_ready(r, 6, 1);
    assert_int_equal(rig_only(r, ACT_LOAD).experiment, 6);
    assert_true(sched_has_job(r->s, 2000));
    assert_int_equal(sched_counts(r->s).ready, 2);
    rig_free(r);
}

/* The store says that it runs on another experiment's account now. */
static void change_of_the_account_takes_running_work_along(void **state)
{
    struct rig *r = rig_new();
    struct sched_change change = { .job = 2000, .experiment = 3 };

    (void)state;
    rig_hello(r, 1, 1);
    rig_job_of(r, 2000, 2, 0);
    rig_step(r, (struct sched_event){ .kind = EV_CHANGE, .change.v = &change, .change.len = 1 });
    assert_int_equal(sched_why(r->s, 2000).experiment, 3);
    r->now_ms += 50;
    rig_job_of(r, 3000, 3, 0);
    rig_job_of(r, 4000, 4, 0);
    assert_int_equal(sched_why(r->s, 3000).other, 4);
    assert_true(sched_why(r->s, 3000).rules & WHY_SHARE);
    assert_true(sched_why(r->s, 3000).used_us > sched_why(r->s, 3000).other_us);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_slots_are_shared_though_one_came_first),
        cmocka_unit_test(share_is_of_time_not_of_jobs),
        cmocka_unit_test(work_in_flight_counts_as_long_as_it_runs),
        cmocka_unit_test(late_comer_neither_starves_nor_catches_up_on_the_past),
        cmocka_unit_test(time_that_a_worker_claims_is_bounded_by_the_time_it_had),
        cmocka_unit_test(priority_goes_before_the_share),
        cmocka_unit_test(why_names_the_experiment_that_used_less),
        cmocka_unit_test(one_experiment_does_not_fill_the_others_window),
        cmocka_unit_test(load_goes_on_where_it_ended_until_something_came_before),
        cmocka_unit_test(experiment_without_a_place_is_asked_for_when_there_is_one),
        cmocka_unit_test(higher_priority_takes_the_place_of_an_experiment_that_runs_nothing),
        cmocka_unit_test(change_of_the_account_takes_running_work_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
