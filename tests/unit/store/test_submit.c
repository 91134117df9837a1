/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what submitting does to jobs that are there already: cached, shared, restarted, superseded,
 * withdrawn; and cancelling. Method: the small plan of small_plan.h, submitted in variations. */
#include "tests/unit/store/small_plan.h"

static void plan_leaves_only_its_roots_ready(void **state)
{
    struct fixture *f = *state;
    struct store_ready r[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_int_equal(p.sub.jobs, 4);
    assert_int_equal(p.sub.added, 4);
    assert_int_equal(p.sub.cached, 0);
    assert_int_equal(ready_jobs(f->s, 0, r), 1);
    assert_int_equal(r[0].job, p.base);
    assert_string_equal(r[0].kind, "pretrain");
    assert_string_equal(r[0].numeric_class, "packed-1");
    assert_int_equal(r[0].units, 1);
    assert_int_equal(ready_jobs(f->s, p.sub.experiment, r), 1);
    assert_int_equal(ready_jobs(f->s, p.sub.experiment + 1, r), 0);
}

static void job_claimed_by_another_experiment_survives_a_cancel(void **state)
{
    struct fixture *f = *state;
    struct store_ids gone = { 0 };
    struct store_ready r[16];
    struct plan p, q;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    submit_plan(f->s, (struct plan_options){ .name = "exp2" }, &q);
    assert_int_equal(q.sub.shared, 4);
    begin(f->s);
    OK(store_cancel(f->s, "exp", &gone, err));
    commit(f->s);
    assert_int_equal(gone.len, 0);
    assert_int_equal(ready_jobs(f->s, p.sub.experiment, r), 0);
    assert_int_equal(ready_jobs(f->s, q.sub.experiment, r), 1);
    begin(f->s);
    FAILS(ERR_NOT_FOUND, "it holds \"exp2\", \"exp\"", store_cancel(f->s, "nosuch", &gone, err));
    OK(store_cancel(f->s, "exp2", &gone, err));
    commit(f->s);
    assert_int_equal(gone.len, 4);
    assert_int_equal(ready_jobs(f->s, 0, r), 0);
    store_ids_release(&gone);
}

static void lost_output_runs_its_job_again_only_when_somebody_needs_it(void **state)
{
    struct fixture *f = *state;
    struct digest weights = digest_of("weights", 7);
    struct store_ids ready = { 0 };
    struct plan p;
    char st[16];

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 2, NULL);
    OK(blobs_remove(store_blobs(f->s), &weights, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_int_equal(p.sub.restarted, 1);
    assert_string_equal(job_state(f->s, p.base, st), "READY");
    finish(f->s, p.base, "weights", &ready);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], p.shard[1]);
    run_shard(f->s, p.shard[1], 2, 4, NULL);
    finish(f->s, p.set, "set", NULL);
    OK(blobs_remove(store_blobs(f->s), &weights, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_int_equal(p.sub.cached, 4);
    store_ids_release(&ready);
}

static void other_shard_size_finds_the_same_examples_done(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    struct plan p, q;
    char st[16];

    submit_plan(f->s, (struct plan_options){ .shard = 4 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 4, NULL);
    submit_plan(f->s, (struct plan_options){ .shard = 1 }, &q);
    assert_int_equal(q.shards, 4);
    assert_int_equal(q.sub.cached, 5);
    assert_int_equal(q.sub.shared, 1);
    assert_int_equal(q.set, p.set);
    assert_string_equal(job_state(f->s, q.shard[2], st), "DONE");
    assert_string_equal(job_state(f->s, q.set, st), "READY");
    store_ids_release(&ready);
}

static void points_that_left_are_superseded_and_their_jobs_withdrawn(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("rev 2"), point = key_of("point 2");
    struct store_ids gone = { 0 };
    struct store_submission sub;
    struct store_ready r[16];
    uint64_t run, job;
    struct plan p;
    struct store_job_spec spec = { .key = key_of("other"),
                                   .kind = "pretrain",
                                   .numeric_class = "c",
                                   .step = "base",
                                   .params = "",
                                   .runs = &run,
                                   .runs_len = 1 };

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    OK(store_submit_begin(f->s, "exp", &revision, "new text", "exp.cfg", &sub, err));
    OK(store_submit_run(f->s, &sub, &point, 2, NULL, 0, &run, err));
    OK(store_submit_job(f->s, &sub, &spec, &job, err));
    OK(store_submit_end(f->s, &sub, &gone, err));
    assert_int_equal(gone.len, 4);
    assert_int_equal(ready_jobs(f->s, 0, r), 1);
    assert_int_equal(r[0].job, job);
    assert_int_equal(number(f->path, "SELECT superseded FROM run WHERE seed = 1"), 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM run_result"), 1);
    finish(f->s, p.base, "weights", NULL); /* was running: its result is kept */
    gone.len = 0;
    submit_plan(f->s, (struct plan_options){ .withdrawn = &gone }, &p); /* and back */
    assert_int_equal(p.sub.cached, 1);
    assert_int_equal(p.sub.restarted, 3);
    assert_int_equal(gone.len, 1);
    assert_int_equal(gone.v[0], job);
    store_ids_release(&gone);
}

static void remade_output_that_differs_fails_the_job(void **state)
{
    struct fixture *f = *state;
    struct digest weights = digest_of("weights", 7);
    struct store_output out = { .name = "model", .size_bytes = 5 };
    struct store_result r = { .outcome = STORE_DONE, .outputs = &out, .outputs_len = 1 };
    enum store_verdict verdict;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    OK(blobs_remove(store_blobs(f->s), &weights, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    OK(blobs_put(store_blobs(f->s), "other", 5, &out.digest, err));
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    assert_int_equal(verdict, STORE_INCIDENT);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'FAILED'"), 1);
}

static void submitting_again_finds_everything_cached(void **state)
{
    struct fixture *f = *state;
    struct plan p, q;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 2, NULL);
    submit_plan(f->s, (struct plan_options){ 0 }, &q);
    assert_int_equal(q.sub.revision, p.sub.revision);
    assert_int_equal(q.base, p.base);
    assert_int_equal(q.sub.cached, 2);
    assert_int_equal(q.sub.shared, 2);
    assert_int_equal(q.sub.added, 0);
    run_shard(f->s, p.shard[1], 2, 4, NULL);
    finish(f->s, p.set, "set", NULL);
    submit_plan(f->s, (struct plan_options){ 0 }, &q);
    assert_int_equal(q.sub.cached, 4);
}

static void waiting_collect_follows_the_new_shards(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    struct plan p, q;
    char st[16];

    submit_plan(f->s, (struct plan_options){ .shard = 4 }, &p);
    finish(f->s, p.base, "weights", NULL);
    submit_plan(f->s, (struct plan_options){ .shard = 2 }, &q);
    assert_string_equal(job_state(f->s, p.shard[0], st), "CANCELLED");
    run_shard(f->s, q.shard[0], 0, 2, NULL);
    run_shard(f->s, q.shard[1], 2, 4, &ready);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], p.set);
    store_ids_release(&ready);
}

static void revived_producer_is_waited_for_by_jobs_of_other_plans_too(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("r"), point = key_of("p"), weights = digest_of("weights", 7);
    struct store_submission sub;
    uint64_t run, both;
    struct plan p;
    char st[16];
    struct store_input model = { .name = "model", .source = STORE_OUTPUT, .output = "model" };
    struct store_job_spec spec = { .key = key_of("both"),
                                   .kind = "evaluate",
                                   .numeric_class = "c",
                                   .step = "s",
                                   .params = "",
                                   .runs = &run,
                                   .runs_len = 1,
                                   .inputs = &model,
                                   .inputs_len = 1 };

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    model.producer = p.base;
    spec.needs = &p.shard[1];
    spec.needs_len = 1;
    OK(store_submit_begin(f->s, "other", &revision, "", "", &sub, err));
    OK(store_submit_run(f->s, &sub, &point, 0, NULL, 0, &run, err));
    OK(store_submit_job(f->s, &sub, &spec, &both, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    OK(blobs_remove(store_blobs(f->s), &weights, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &p); /* base runs again */
    finish(f->s, p.base, "weights", NULL);
    assert_string_equal(job_state(f->s, both, st), "WAITING");
    run_shard(f->s, p.shard[1], 2, 4, NULL);
    assert_string_equal(job_state(f->s, both, st), "READY");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(plan_leaves_only_its_roots_ready),
        T(job_claimed_by_another_experiment_survives_a_cancel),
        T(lost_output_runs_its_job_again_only_when_somebody_needs_it),
        T(other_shard_size_finds_the_same_examples_done),
        T(points_that_left_are_superseded_and_their_jobs_withdrawn),
        T(remade_output_that_differs_fails_the_job),
        T(submitting_again_finds_everything_cached),
        T(waiting_collect_follows_the_new_shards),
        T(revived_producer_is_waited_for_by_jobs_of_other_plans_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
