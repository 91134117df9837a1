/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a job's life from submission to result: readiness, leases, repeats, incidents, failures,
 * cancelling, revisions. Method: the small plan of small_plan.h, driven by hand as the coordinator
 * would. */
#include "tests/unit/store/small_plan.h"

static void result_makes_dependents_ready_when_the_last_need_falls(void **state)
{
    struct fixture *f = *state;
    struct store_ids ready = { 0 };
    struct store_ready r[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", &ready);
    assert_int_equal(ready.len, 2);
    assert_int_equal(ready.v[0], p.shard[0]);
    assert_int_equal(ready_jobs(f->s, 0, r), 2);
    assert_int_equal(r[0].units, 2);
    assert_int_equal(r[0].affinity_len, 1);
    ready.len = 0;
    run_shard(f->s, p.shard[1], 2, 4, &ready);
    assert_int_equal(ready.len, 0);
    run_shard(f->s, p.shard[0], 0, 2, &ready);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], p.set);
    store_ids_release(&ready);
}

static void ready_jobs_come_by_priority_then_age_and_in_windows(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("r"), point = key_of("p");
    struct store_submission sub;
    struct store_ready r[16];
    struct store_cursor at = START;
    uint64_t run, job[6];
    size_t n;

    OK(store_submit_begin(f->s, "prio", &revision, "", "", &sub, err));
    OK(store_submit_run(f->s, &sub, &point, 0, NULL, 0, &run, err));
    for (int i = 0; i < 6; i++) {
        char name[16];
        struct store_job_spec spec = { .kind = "pretrain",
                                       .numeric_class = "c",
                                       .step = "s",
                                       .params = "",
                                       .priority = i % 2,
                                       .runs = &run,
                                       .runs_len = 1 };

        snprintf(name, sizeof name, "%d", i);
        spec.key = key_of(name);
        OK(store_submit_job(f->s, &sub, &spec, &job[i], err));
    }
    OK(store_submit_end(f->s, &sub, NULL, err));
    OK(store_list_ready(f->s, 0, at, r, 4, &n, err));
    assert_int_equal(n, 4);
    assert_int_equal(r[0].job, job[1]);
    assert_int_equal(r[2].job, job[5]);
    assert_int_equal(r[3].job, job[0]);
    at = (struct store_cursor){ r[3].priority, r[3].job };
    OK(store_list_ready(f->s, sub.experiment, at, r, 4, &n, err));
    assert_int_equal(n, 2);
    assert_int_equal(r[0].job, job[2]);
    assert_int_equal(r[1].job, job[4]);
}

static void lease_says_inputs_families_and_finished_examples(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    struct store_job j;
    struct digest weights = digest_of("weights", 7);
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    FAILS(ERR_NOT_FOUND, "has not made \"model\" yet", store_job_load(f->s, p.shard[1], &j, err));
    finish(f->s, p.base, "weights", NULL);
    begin(f->s);
    t = start(f->s, p.shard[1]);
    OK(send_label(f->s, t.attempt, t.epoch, 3, "8", &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
    commit(f->s);
    OK(store_job_load(f->s, p.shard[1], &j, err));
    assert_string_equal(j.kind, "search");
    assert_int_equal(j.begin, 2);
    assert_int_equal(j.end, 4);
    assert_int_equal(j.epoch, 1);
    assert_int_equal(j.params_len, 1);
    assert_int_equal(j.inputs_len, 1);
    assert_true(digest_equal(&j.inputs[0].digest, &weights));
    assert_int_equal(j.inputs[0].size_bytes, 7);
    assert_int_equal(j.families_len, 1);
    assert_string_equal(j.families[0].task, "math");
    assert_int_equal(j.finished_len, 1);
    assert_true(j.finished[0] == 0xF000000000000000u + (3 * 7919) % 64);
    store_job_release(&j);
}

static void repeated_example_is_counted_and_a_different_one_is_an_incident(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    char text[512];
    struct plan p;
    struct try t, u;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    begin(f->s);
    t = start(f->s, p.shard[0]);
    u = start(f->s, p.shard[0]);
    assert_int_equal(u.epoch, t.epoch + 1);
    OK(send_label(f->s, t.attempt, t.epoch, 0, "8", &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
    OK(send_label(f->s, u.attempt, u.epoch, 0, "8", &verdict, err));
    assert_int_equal(verdict, STORE_REPEATED);
    OK(send_label(f->s, u.attempt, u.epoch, 0, "9", &verdict, err));
    assert_int_equal(verdict, STORE_INCIDENT);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM label"), 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM search_log"), 2);
    assert_int_equal(number(f->path, "SELECT repeats FROM label"), 1);
    assert_string_equal(text_of(f->path, "SELECT label_answer FROM label", text), "8");
    assert_int_equal(number(f->path, "SELECT count(*) FROM event WHERE kind = 'incident'"), 1);
    assert_non_null(strstr(text_of(f->path, "SELECT text FROM event WHERE kind = 'incident'", text),
                           "attempt 2 committed"));
}

static void bad_example_does_not_spoil_its_group(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    begin(f->s);
    t = start(f->s, p.shard[0]);
    OK(send_label(f->s, t.attempt, t.epoch, 0, "8", &verdict, err));
    FAILS(ERR_INVALID, "outside the shard 0..2",
          send_label(f->s, t.attempt, t.epoch, 2, "8", &verdict, err));
    FAILS(ERR_STALE, "epoch 1, not 2", send_label(f->s, t.attempt, 2, 1, "8", &verdict, err));
    FAILS(ERR_STALE, "no attempt", send_label(f->s, 999, 1, 1, "8", &verdict, err));
    OK(send_label(f->s, t.attempt, t.epoch, 1, "8", &verdict, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM label"), 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM example"), 2);
}

static void shard_is_done_only_when_all_its_examples_are_stored(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    struct plan p;
    struct try t;
    struct store_result r = { .outcome = STORE_DONE };

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    begin(f->s);
    t = start(f->s, p.shard[0]);
    OK(send_label(f->s, t.attempt, t.epoch, 0, "8", &verdict, err));
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    FAILS(ERR_INVALID, "1 of the shard's 2 examples",
          store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
}

static void output_that_was_not_uploaded_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_output out = { .name = "model", .digest = key_of("nowhere") };
    struct store_result r = { .outcome = STORE_DONE, .outputs = &out, .outputs_len = 1 };
    enum store_verdict verdict;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    FAILS(ERR_NOT_FOUND, "upload it first", store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'DONE'"), 0);
}

static void
late_result_is_compared_and_a_different_one_is_an_incident_with_both_environments(void **state)
{
    struct fixture *f = *state;
    struct store_output out = { .name = "model", .size_bytes = 7 };
    struct store_result r = {
        .outcome = STORE_DONE, .outputs = &out, .outputs_len = 1, .environment = "other cpu"
    };
    enum store_verdict verdict;
    char text[512];
    struct plan p;
    struct try late;

    late = overtaken(f->s, &p);
    r.attempt = late.attempt;
    r.epoch = late.epoch;
    OK(blobs_put(store_blobs(f->s), "weights", 7, &out.digest, err));
    begin(f->s);
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_REPEATED);
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_REPEATED);
    OK(blobs_put(store_blobs(f->s), "Weights", 7, &out.digest, err));
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_int_equal(verdict, STORE_INCIDENT);
    commit(f->s);
    text_of(f->path, "SELECT text FROM event WHERE kind = 'incident'", text);
    assert_non_null(strstr(text, "[cpu], now [other cpu]"));
    assert_int_equal(number(f->path, "SELECT repeats FROM attempt WHERE id = 1"), 2);
    assert_int_equal(number(f->path, "SELECT attempt FROM job WHERE kind = 'pretrain'"), 2);
}

static void loss_spends_no_try_and_the_last_failure_skips_what_is_behind(void **state)
{
    struct fixture *f = *state;
    struct store_result r = { .outcome = STORE_LOST, .text = "lease expired" };
    struct store_ready ready[16];
    struct plan p;
    struct try t;
    uint32_t skipped = 99;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_attempt_end(f->s, &r, false, &skipped, err));
    OK(store_attempt_end(f->s, &r, false, &skipped, err)); /* said twice: nothing more */
    commit(f->s);
    assert_int_equal(skipped, 0);
    assert_int_equal(ready_jobs(f->s, 0, ready), 1);
    assert_int_equal(ready[0].tries, 0);
    assert_int_equal(ready[0].losses, 1);
    begin(f->s);
    t = start(f->s, p.base);
    assert_int_equal(t.epoch, 2);
    r = (struct store_result){
        .attempt = t.attempt, .epoch = t.epoch, .outcome = STORE_OOM, .text = "out of memory"
    };
    OK(store_attempt_end(f->s, &r, true, &skipped, err));
    commit(f->s);
    assert_int_equal(skipped, 3);
    assert_int_equal(ready_jobs(f->s, 0, ready), 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'SKIPPED'"), 3);
    assert_int_equal(number(f->path, "SELECT tries FROM job WHERE state = 'FAILED'"), 1);
}

static void diverged_is_a_result_and_what_needs_it_is_skipped(void **state)
{
    struct fixture *f = *state;
    struct store_metric m[] = { { "loss", 1, 2.5 }, { "loss", 2, 1.0 / 0.0 } };
    struct store_result r = { .outcome = STORE_DIVERGED, .metrics = m, .metrics_len = 2 };
    enum store_verdict verdict;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'SKIPPED'"), 3);
    assert_int_equal(number(f->path, "SELECT count(*) FROM curriculum WHERE diverged = 1"), 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM series WHERE finite < n"), 1);
}

/* Built upon like any: the shards behind it become READY, also when the recipe comes again. */
static void diverged_job_with_outputs_is_built_upon(void **state)
{
    struct fixture *f = *state;
    struct store_output out = { .name = "model", .size_bytes = 4 };
    struct store_result r = { .outcome = STORE_DIVERGED, .outputs = &out, .outputs_len = 1 };
    struct store_ids ready = { 0 };
    enum store_verdict verdict;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    OK(blobs_put(store_blobs(f->s), "good", 4, &out.digest, err));
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(f->s, &r, &verdict, &ready, err));
    commit(f->s);
    assert_int_equal(ready.len, 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'SKIPPED'"), 0);
    assert_int_equal(number(f->path, "SELECT sum(diverged) FROM job WHERE state = 'DONE'"), 1);
    assert_int_equal(number(f->path, "SELECT jobs_diverged FROM run_result"), 1);
    submit_plan(f->s, (struct plan_options){ .revision = "again", .examples = 6 }, &p);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'READY'"), 3);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'SKIPPED'"), 0);
    begin(f->s);
    OK(store_job_done(f->s, &r, &verdict, NULL, err)); /* late: compared like any */
    commit(f->s);
    assert_int_equal(verdict, STORE_REPEATED);
    store_ids_release(&ready);
}

static void metrics_of_lost_attempts_do_not_show(void **state)
{
    struct fixture *f = *state;
    struct store_metric old = { "loss", 1, 9.0 }, new = { "loss", 1, 2.0 };
    struct store_result lost = { .outcome = STORE_LOST };
    struct store_ids ids = { 0 };
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    t = start(f->s, p.base);
    OK(store_metrics(f->s, t.attempt, &old, 1, err));
    lost.attempt = t.attempt;
    lost.epoch = t.epoch;
    OK(store_attempt_end(f->s, &lost, false, NULL, err));
    commit(f->s);
    t = finish(f->s, p.base, "weights", &ids);
    begin(f->s);
    OK(store_metrics(f->s, t.attempt, &new, 1, err));
    OK(store_metrics(f->s, t.attempt, &new, 1, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT sum(n) FROM series"), 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM curriculum"), 1);
    assert_int_equal(number(f->path, "SELECT value FROM curriculum"), 2);
    store_ids_release(&ids);
}

static void collect_does_not_depend_on_the_order_of_arrival(void **state)
{
    struct fixture *f = *state;
    struct buf a = { 0 }, b = { 0 };
    struct fixture g;
    struct plan p;

    submit_plan(f->s, (struct plan_options){ .examples = 6, .shard = 3 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 3, NULL);
    FAILS(ERR_NOT_FOUND, "3 of 6 labels", store_collect(f->s, p.set, &a, err));
    buf_clear(&a);
    run_shard(f->s, p.shard[1], 3, 6, NULL);
    OK(store_collect(f->s, p.set, &a, err));

    scratch(&g);
    OK(store_open(&g.s, g.path, "", err));
    submit_plan(g.s, (struct plan_options){ .examples = 6, .shard = 2 }, &p);
    finish(g.s, p.base, "weights", NULL);
    run_shard(g.s, p.shard[2], 4, 6, NULL);
    run_shard(g.s, p.shard[0], 0, 2, NULL);
    run_shard(g.s, p.shard[1], 2, 4, NULL);
    OK(store_collect(g.s, p.set, &b, err));
    assert_string_equal(buf_str(&a), buf_str(&b));
    assert_non_null(strstr(
        buf_str(&a),
        "\",\"task\":\"math\",\"level\":1,\"split\":\"train\",\"index\":3,\"base_correct\":false,"
        "\"routing\":null,\"simulations\":5,\"evaluations\":2,\"right\":[\"1021\"],\"wrong\":["
        "\"1111\"]}\n"));
    assert_non_null(
        strstr(buf_str(&a), "\"index\":0,\"base_correct\":true,\"routing\":\"1021\",\"sim"));
    store_close(g.s);
    remove_tree(g.dir);
    buf_release(&a);
    buf_release(&b);
}

static void collect_reads_the_first_n_examples_only(void **state)
{
    struct fixture *f = *state;
    struct buf a = { 0 };
    struct plan p, q;
    size_t lines = 0;

    submit_plan(f->s, (struct plan_options){ .examples = 6, .shard = 6 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 6, NULL);
    submit_plan(f->s, (struct plan_options){ .examples = 2, .shard = 2 }, &q);
    assert_int_not_equal(p.set, q.set);
    OK(store_collect(f->s, q.set, &a, err));
    for (const char *c = buf_str(&a); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 1 + 2); /* the header, two examples */
    assert_int_equal(number(f->path, "SELECT n FROM accuracy WHERE method = 'base'"), 2);
    buf_release(&a);
}

static void open_attempts_are_listed_for_a_new_incarnation(void **state)
{
    struct fixture *f = *state;
    struct store_attempt *open, one;
    uint64_t incarnation;
    size_t n;
    struct plan p;
    struct try t;

    OK(store_new_incarnation(f->s, &incarnation, err));
    assert_int_equal(incarnation, 1);
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    t = started(f->s, p.base);
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    OK(store_new_incarnation(f->s, &incarnation, err));
    assert_int_equal(incarnation, 2);
    OK(store_list_open(f->s, &open, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(open[0].attempt, t.attempt);
    assert_int_equal(open[0].incarnation, 1);
    assert_true(open[0].job_open && open[0].latest);
    free(open);
    OK(store_attempt_find(f->s, t.attempt, &one, err));
    assert_int_equal(one.job, p.base);
    assert_int_equal(one.outcome, STORE_RUNNING);
    FAILS(ERR_NOT_FOUND, "no attempt", store_attempt_find(f->s, 77, &one, err));
}

static void worker_is_one_row_however_often_it_says_hello(void **state)
{
    struct fixture *f = *state;
    struct store_worker w = { .uid = { 1, 2, 3 },
                              .name = "h:1",
                              .host = "h",
                              .version = "0.1",
                              .classes = "packed-1",
                              .pid = 1,
                              .slots = 2,
                              .threads = 1 };
    uint64_t a, b;

    begin(f->s);
    OK(store_worker_seen(f->s, &w, &a, err));
    OK(store_worker_gone(f->s, a, "lost", err));
    OK(store_worker_seen(f->s, &w, &b, err));
    commit(f->s);
    assert_int_equal(a, b);
    assert_int_equal(number(f->path, "SELECT count(*) FROM worker WHERE gone IS NULL"), 1);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(result_makes_dependents_ready_when_the_last_need_falls),
        T(ready_jobs_come_by_priority_then_age_and_in_windows),
        T(lease_says_inputs_families_and_finished_examples),
        T(repeated_example_is_counted_and_a_different_one_is_an_incident),
        T(bad_example_does_not_spoil_its_group),
        T(shard_is_done_only_when_all_its_examples_are_stored),
        T(output_that_was_not_uploaded_is_refused),
        T(late_result_is_compared_and_a_different_one_is_an_incident_with_both_environments),
        T(loss_spends_no_try_and_the_last_failure_skips_what_is_behind),
        T(diverged_is_a_result_and_what_needs_it_is_skipped),
        T(diverged_job_with_outputs_is_built_upon),
        T(metrics_of_lost_attempts_do_not_show),
        T(collect_does_not_depend_on_the_order_of_arrival),
        T(collect_reads_the_first_n_examples_only),
        T(open_attempts_are_listed_for_a_new_incarnation),
        T(worker_is_one_row_however_often_it_says_hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
