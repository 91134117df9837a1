/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what people are shown is what the rows say: status, lists, failures, labels, views. Method:
 * the small plan of small_plan.h, half-way done. */
#include "tests/unit/store/small_plan.h"

struct steps {
    struct store_step_status st[8];
    char step[8][32], kind[8][32];
    size_t len;
};

static int keep_step(const struct store_step_status *st, void *arg)
{
    struct steps *k = arg;

    k->st[k->len] = *st;
    snprintf(k->step[k->len], 32, "%s", st->step);
    snprintf(k->kind[k->len], 32, "%s", st->kind);
    k->len++;
    return 0;
}

static void status_counts_jobs_and_units_by_step(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    struct steps k = { 0 };
    struct store *r;
    struct plan p;
    struct try t;
    bool finished;

    submit_plan(f->s, (struct plan_options){ .examples = 6, .shard = 2 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 2, NULL);
    begin(f->s);
    t = start(f->s, p.shard[2]);
    OK(send_label(f->s, t.attempt, t.epoch, 5, "8", &verdict, err));
    commit(f->s);
    OK(store_open_read(&r, f->path, err));
    OK(store_status(r, p.sub.experiment, keep_step, &k, err));
    OK(store_finished(r, p.sub.experiment, &finished, err));
    store_close(r);
    assert_int_equal(k.len, 3);
    assert_string_equal(k.step[0], "base");
    assert_string_equal(k.kind[1], "search");
    assert_int_equal(k.st[0].done, 1);
    assert_true(k.st[0].seconds_spent == 1.0);
    assert_int_equal(k.st[1].jobs, 3);
    assert_int_equal(k.st[1].done, 1);
    assert_int_equal(k.st[1].ready, 2);
    assert_int_equal(k.st[1].units_done, 3);
    assert_int_equal(k.st[1].units_total, 6);
    assert_int_equal(k.st[2].waiting, 1);
    assert_false(finished);
}

static int keep_text(const char *text, void *arg)
{
    snprintf(arg, 256, "%s", text);
    return 0;
}

static void failures_say_step_outcome_and_text(void **state)
{
    struct fixture *f = *state;
    struct store_result r = { .outcome = STORE_FAILED, .text = "tokenizer.json: line 3" };
    char text[256] = "";
    struct plan p;
    struct try t;
    bool finished;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    t = start(f->s, p.base);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_attempt_end(f->s, &r, true, NULL, err));
    commit(f->s);
    OK(store_failures(f->s, p.sub.experiment, keep_text, text, err));
    assert_string_equal(text, "base: FAILED: tokenizer.json: line 3");
    OK(store_finished(f->s, p.sub.experiment, &finished, err));
    assert_true(finished);
}

static int keep_experiment(const struct store_experiment *e, void *arg)
{
    snprintf(arg, 256, "%s rev %u cancelled %d", e->name, e->revision_number, e->cancelled);
    return 0;
}

static int keep_run(const struct store_run *r, void *arg)
{
    snprintf(arg, 256, "%s seed %llu", r->params, (unsigned long long)r->seed);
    return 0;
}

static void experiments_runs_and_recipe_are_listed(void **state)
{
    struct fixture *f = *state;
    struct buf recipe = { 0 };
    char text[256] = "";
    uint64_t id;
    struct plan p;

    FAILS(ERR_NOT_FOUND, "holds no experiment yet", store_find_experiment(f->s, "", &id, err));
    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    OK(store_list_experiments(f->s, keep_experiment, text, err));
    assert_string_equal(text, "exp rev 1 cancelled 0");
    OK(store_list_runs(f->s, p.sub.experiment, false, keep_run, text, err));
    assert_string_equal(text, "lr = 0.001 seed 1");
    OK(store_find_experiment(f->s, NULL, &id, err));
    assert_int_equal(id, p.sub.experiment);
    OK(store_recipe(f->s, id, &recipe, err));
    assert_string_equal(buf_str(&recipe), "name = \"exp\";");
    buf_release(&recipe);
    FAILS(ERR_NOT_FOUND, "did you mean \"exp\"", store_find_experiment(f->s, "exq", &id, err));
}

struct labels {
    size_t len;
    char last[256];
};

static int keep_label(const struct store_label_row *l, void *arg)
{
    struct labels *k = arg;

    k->len++;
    snprintf(k->last, sizeof k->last, "%s %s %d #%d %s %s %s->%s", l->step, l->task, l->level,
             (int)l->index, l->question, l->routing ? l->routing : "-", l->base_answer,
             l->label_answer);
    return 0;
}

static void labels_are_listed_in_order_and_filtered(void **state)
{
    struct fixture *f = *state;
    struct store_label_filter filter = { .level = -1 };
    struct labels k = { 0 };
    struct plan p;

    submit_plan(f->s, (struct plan_options){ .shard = 4 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 4, NULL);
    OK(store_list_labels(f->s, &filter, keep_label, &k, err));
    assert_int_equal(k.len, 4);
    assert_string_equal(k.last, "labels math 1 #3 1+1= - 7->8");
    filter = (struct store_label_filter){
        .level = 1, .task = "math", .limit = 3, .experiment = p.sub.experiment
    };
    k.len = 0;
    OK(store_list_labels(f->s, &filter, keep_label, &k, err));
    assert_int_equal(k.len, 3);
    assert_string_equal(k.last, "labels math 1 #2 1+1= 1021 7->8");
    filter.task = "logic";
    k.len = 0;
    OK(store_list_labels(f->s, &filter, keep_label, &k, err));
    assert_int_equal(k.len, 0);
}

static void views_agree_with_the_rows(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    char text[512];

    submit_plan(f->s, (struct plan_options){ .shard = 4 }, &p);
    finish(f->s, p.base, "weights", NULL);
    run_shard(f->s, p.shard[0], 0, 4, NULL);
    assert_int_equal(number(f->path, "SELECT count(*) FROM routing"), 4);
    assert_int_equal(number(f->path, "SELECT sum(preserved) FROM routing"), 2);
    assert_int_equal(number(f->path, "SELECT sum(improved) FROM routing"), 1);
    assert_int_equal(number(f->path, "SELECT correct FROM accuracy WHERE method = 'base'"), 2);
    assert_int_equal(number(f->path, "SELECT correct FROM accuracy WHERE method = 'oracle'"), 3);
    assert_int_equal(number(f->path, "SELECT jobs_done FROM run_result"), 2);
    assert_string_equal(text_of(f->path, "SELECT params FROM run_result", text),
                        "{\"lr\":\"0.001\"}");
    assert_string_equal(text_of(f->path, "SELECT base || '/' || oracle FROM run_result", text),
                        "0.5/0.75");
}

static void a_jobs_state_is_found_by_its_key(void **state)
{
    struct fixture *f = *state;
    char st[16];
    struct digest base = key_of("base"), none = key_of("none");
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    finish(f->s, p.base, "weights", NULL);
    OK(store_job_state(f->s, &base, st, err));
    assert_string_equal(st, "DONE");
    OK(store_job_state(f->s, &none, st, err));
    assert_string_equal(st, "");
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(status_counts_jobs_and_units_by_step),
        T(failures_say_step_outcome_and_text),
        T(experiments_runs_and_recipe_are_listed),
        T(labels_are_listed_in_order_and_filtered),
        T(views_agree_with_the_rows),
        T(a_jobs_state_is_found_by_its_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
