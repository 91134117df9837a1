/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pausing, priorities and another try touch the jobs that they should and no others, however
 * experiments share jobs; and the store tells why a job waits. Method: one or two experiments of
 * the small plan in a real store; job rows are compared with what the rules of control.h say. */
#include "store/control.h"
#include "store/sqlite.h"
#include "tests/unit/store/halving_plan.h"
#include "tests/unit/store/small_plan.h"

struct outcome {
    uint32_t jobs;
    struct buf text;
    struct store_changes changes;
};

static void outcome_release(struct outcome *o)
{
    buf_release(&o->text);
    store_changes_release(&o->changes);
}

static void control(struct store *s, struct store_control c, struct outcome *ret)
{
    *ret = (struct outcome){ 0 };
    begin(s);
    OK(store_control(s, &c, &ret->changes, &ret->jobs, &ret->text, err));
    commit(s);
}

/* The same when only its jobs are asked for. */
static uint32_t control_jobs(struct store *s, struct store_control c)
{
    struct outcome o CLEANUP(outcome_release) = { 0 };

    control(s, c, &o);
    return o.jobs;
}

static size_t listed(struct store *s, struct store_ready *ret)
{
    struct store_cursor cursor = { .priority = INT32_MAX };
    size_t len = 0;

    OK(store_list_ready(s, 0, cursor, ret, 16, &len, err));
    return len;
}

static void expect_state(struct fixture *f, uint64_t job, const char *state)
{
    char sql[128], got[512];

    snprintf(sql, sizeof sql, "SELECT state FROM job WHERE id = %llu", (unsigned long long)job);
    assert_string_equal(text_of(f->path, sql, got), state);
}

/* Job JOB ends for good by OUTCOME. */
static void fail_job(struct store *s, uint64_t job, enum store_outcome outcome)
{
    struct store_result r = { .outcome = outcome, .text = "no more memory" };
    struct try t;

    begin(s);
    t = start(s, job);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_attempt_end(s, &r, true, NULL, err));
    commit(s);
}

static void paused_experiment_lists_nothing_until_it_is_resumed(void **state)
{
    struct fixture *f = *state;
    struct outcome o CLEANUP(outcome_release) = { 0 };
    struct store_ready ready[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_int_equal(listed(f->s, ready), 1);
    control(f->s, (struct store_control){ .verb = STORE_PAUSE, .experiment = "exp" }, &o);
    assert_int_equal(o.jobs, 4); /* all that wait count, as the user sees it */
    assert_int_equal(o.changes.len, 1);
    assert_int_equal(o.changes.v[0].job, p.base);
    assert_true(o.changes.v[0].paused);
    assert_non_null(strstr(buf_str(&o.text), "exp is paused: 4 jobs"));
    assert_int_equal(listed(f->s, ready), 0);
    /* What becomes ready meanwhile is not listed either. */
    (void)finish(f->s, p.base, "bytes", NULL);
    expect_state(f, p.shard[0], "READY");
    assert_int_equal(listed(f->s, ready), 0);
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RESUME }), 3);
    assert_int_equal(listed(f->s, ready), 2);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE paused = 1"), 0);
}

static void shared_job_runs_as_long_as_one_that_wants_it_is_not_paused(void **state)
{
    struct fixture *f = *state;
    struct store_ready ready[16];
    struct plan a, b;

    submit_plan(f->s, (struct plan_options){ .name = "a" }, &a);
    assert_int_equal(
        control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE, .experiment = "a" }), 4);
    assert_int_equal(listed(f->s, ready), 0);
    /* Another experiment comes and wants the same jobs. */
    submit_plan(f->s, (struct plan_options){ .name = "b", .point = "other" }, &b);
    assert_int_equal(listed(f->s, ready), 1);
    assert_int_equal(ready[0].job, a.base);
    assert_int_equal(
        control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE, .experiment = "b" }), 4);
    assert_int_equal(listed(f->s, ready), 0);
    assert_int_equal(
        control_jobs(f->s, (struct store_control){ .verb = STORE_RESUME, .experiment = "a" }), 4);
    assert_int_equal(listed(f->s, ready), 1);
}

static void cancel_of_the_last_unpaused_one_leaves_it_paused(void **state)
{
    struct fixture *f = *state;
    struct store_ready ready[16];
    struct plan a, b;

    submit_plan(f->s, (struct plan_options){ .name = "a" }, &a);
    submit_plan(f->s, (struct plan_options){ .name = "b", .point = "other" }, &b);
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE, .experiment = "a" });
    assert_int_equal(listed(f->s, ready), 1);
    begin(f->s);
    OK(store_cancel(f->s, "b", NULL, err));
    commit(f->s);
    assert_int_equal(listed(f->s, ready), 0);
    /* Resumed after it was cancelled and submitted again: nothing stays behind paused. */
    begin(f->s);
    OK(store_cancel(f->s, "a", NULL, err));
    commit(f->s);
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_RESUME, .experiment = "a" });
    submit_plan(f->s, (struct plan_options){ .name = "a" }, &a);
    assert_int_equal(listed(f->s, ready), 1);
}

static void submission_of_a_paused_experiment_stays_paused(void **state)
{
    struct fixture *f = *state;
    struct store_ready ready[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE });
    submit_plan(f->s, (struct plan_options){ .revision = "2", .examples = 6 }, &p);
    assert_int_equal(listed(f->s, ready), 0);
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RESUME }), 5);
    assert_int_equal(listed(f->s, ready), 1);
}

static void first_plan_brings_its_own_priority(void **state)
{
    struct fixture *f = *state;
    struct digest revision = key_of("rev"), point = key_of("point");
    struct store_job_spec spec = {
        .kind = "noop", .numeric_class = "c", .step = "s", .params = ""
    };
    const struct store_control c = { .verb = STORE_PRIORITY, .experiment = "exp", .priority = 7 };
    struct store_submission sub;
    uint64_t run, job;
    uint32_t moved;

    OK(store_submit_begin(f->s, "exp", &revision, "", "", &sub, err));
    OK(store_control(f->s, &c, NULL, &moved, NULL, err));
    OK(store_submit_run(f->s, &sub, &point, 1, NULL, 0, &run, err));
    spec.key = key_of("job");
    spec.runs = &run;
    spec.runs_len = 1;
    OK(store_submit_job(f->s, &sub, &spec, &job, err));
    OK(store_submit_end(f->s, &sub, NULL, err));
    assert_int_equal(number(f->path, "SELECT priority FROM job"), 7);
}

static void priority_is_the_highest_of_those_that_want_it(void **state)
{
    struct fixture *f = *state;
    struct store_control set = { .verb = STORE_PRIORITY, .experiment = "a", .priority = 5 };
    struct store_ready ready[16];
    struct plan a, b;

    submit_plan(f->s, (struct plan_options){ .name = "a" }, &a);
    submit_plan(f->s, (struct plan_options){ .name = "b", .point = "other" }, &b);
    assert_int_equal(control_jobs(f->s, set), 4);
    assert_int_equal(listed(f->s, ready), 1);
    assert_int_equal(ready[0].priority, 5);
    set.experiment = "b";
    set.priority = 3;
    assert_int_equal(control_jobs(f->s, set), 0); /* the other's is higher */
    set.priority = -3;
    assert_int_equal(control_jobs(f->s, set), 0);
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE, .experiment = "a" });
    assert_int_equal(listed(f->s, ready), 1);
    assert_int_equal(ready[0].priority, -3); /* the paused one's does not count */
    /* It holds for what is submitted later. */
    submit_plan(f->s, (struct plan_options){ .name = "b", .point = "other", .examples = 8 }, &b);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE priority <> -3 AND "
                                     "id IN (SELECT job FROM run_job WHERE run = 2)"),
                     0);
    begin(f->s);
    set.priority = STORE_PRIORITY_MAX + 1;
    uint32_t jobs;
    FAILS(ERR_INVALID, "out of range", store_control(f->s, &set, NULL, &jobs, NULL, err));
    commit(f->s);
}

static void retry_gives_failed_jobs_and_those_behind_another_try(void **state)
{
    struct fixture *f = *state;
    struct store_ready ready[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    fail_job(f->s, p.base, STORE_OOM);
    expect_state(f, p.base, "FAILED");
    expect_state(f, p.set, "SKIPPED");
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY }), 4);
    expect_state(f, p.base, "READY");
    expect_state(f, p.shard[0], "WAITING");
    expect_state(f, p.set, "WAITING");
    assert_int_equal(listed(f->s, ready), 1);
    assert_int_equal(ready[0].tries, 0);
    /* Counters are right again: it goes through to the end. */
    (void)finish(f->s, p.base, "bytes", NULL);
    (void)run_shard(f->s, p.shard[0], 0, 2, NULL);
    fail_job(f->s, p.shard[1], STORE_FAILED);
    expect_state(f, p.set, "SKIPPED");
    assert_int_equal(
        control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY, .step = "set" }), 2);
    (void)run_shard(f->s, p.shard[1], 2, 4, NULL);
    expect_state(f, p.set, "READY");
    expect_state(f, p.base, "DONE");
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY }), 0);
}

static void retry_of_a_job_takes_what_it_needs_along(void **state)
{
    struct fixture *f = *state;
    char number_text[24], key[DIGEST_HEX];
    struct digest base = key_of("base");
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    fail_job(f->s, p.base, STORE_FAILED);
    snprintf(number_text, sizeof number_text, "%llu", (unsigned long long)p.set);
    assert_int_equal(
        control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY, .job = number_text }), 4);
    expect_state(f, p.base, "READY");
    fail_job(f->s, p.base, STORE_FAILED);
    (void)digest_hex(&base, key);
    key[9] = '\0';
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY, .job = key }),
                     4);
    expect_state(f, p.base, "READY");
}

static void retry_of_a_cancelled_experiment_wants_it_again(void **state)
{
    struct fixture *f = *state;
    struct store_ready ready[16];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    begin(f->s);
    OK(store_cancel(f->s, "exp", NULL, err));
    commit(f->s);
    assert_int_equal(listed(f->s, ready), 0);
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY }), 4);
    assert_int_equal(listed(f->s, ready), 1);
    assert_int_equal(number(f->path, "SELECT cancelled FROM experiment"), 0);
}

static void what_is_behind_a_diverged_job_stays_skipped(void **state)
{
    struct fixture *f = *state;
    struct store_result r = { .outcome = STORE_DIVERGED };
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
    expect_state(f, p.set, "SKIPPED");
    assert_int_equal(control_jobs(f->s, (struct store_control){ .verb = STORE_RETRY }), 0);
    expect_state(f, p.base, "DONE");
    expect_state(f, p.shard[0], "SKIPPED");
    expect_state(f, p.set, "SKIPPED");
}

/* First letters of the states of a rung's jobs. */
static const char *rung_states(struct store *s, const struct halving *h, unsigned rung)
{
    static char out[POINTS + 1];
    char st[16];

    for (unsigned p = 0; p < POINTS; p++)
        out[p] = state_of(s, h->job[rung][p], st)[0];
    out[POINTS] = '\0';
    return out;
}

static void what_halving_sorted_out_stays_skipped(void **state)
{
    const struct store_control retry = { .verb = STORE_RETRY, .experiment = "halved" };
    struct fixture *f = *state;
    struct halving h;
    char st[16];

    submit_halving(f->s, (struct halving_options){ .name = "halved" }, &h);
    /* A failed candidate does not stop the select job; tried again, it is waited for again. */
    end_job(f->s, h.job[0][7], STORE_FAILED, "model", "m", 0, NULL);
    for (unsigned p = 0; p < POINTS - 2; p++)
        if (job_at(0, p) == p)
            end_job(f->s, h.job[0][p], STORE_DONE, "model", "m", p, NULL);
    assert_true(control_jobs(f->s, retry) >= 1);
    assert_string_equal(rung_states(f->s, &h, 0), "DDDDDDRR");
    end_job(f->s, h.job[0][6], STORE_DONE, "model", "m", 6, NULL);
    assert_string_equal(state_of(f->s, h.select[0], st), "WAITING");
    end_job(f->s, h.job[0][7], STORE_DONE, "model", "m", 7, NULL);
    assert_string_equal(state_of(f->s, h.select[0], st), "READY");
    decide(f->s, h.select[0], 5, NULL);
    assert_string_equal(rung_states(f->s, &h, 1), "RRSSRRSS");
    end_job(f->s, h.job[1][0], STORE_FAILED, "model", "m", 0, NULL);
    assert_string_equal(rung_states(f->s, &h, 1), "FRSSRRSS");
    assert_string_equal(rung_states(f->s, &h, 2), "SWSSWWSS");
    assert_int_equal(control_jobs(f->s, retry), 2);
    assert_string_equal(rung_states(f->s, &h, 1), "RRSSRRSS");
    assert_string_equal(rung_states(f->s, &h, 2), "WWSSWWSS");
    /* Cancelled as a whole and wanted again: the decision holds. */
    begin(f->s);
    OK(store_cancel(f->s, "halved", NULL, err));
    commit(f->s);
    assert_string_equal(rung_states(f->s, &h, 1), "CCSSCCSS");
    (void)control_jobs(f->s, retry);
    assert_string_equal(rung_states(f->s, &h, 1), "RRSSRRSS");
    assert_string_equal(rung_states(f->s, &h, 2), "WWSSWWSS");
    assert_string_equal(state_of(f->s, h.select[1], st), "WAITING");
}

static void wrong_names_are_answered_with_what_there_is(void **state)
{
    struct fixture *f = *state;
    struct store_control c = { .verb = STORE_RETRY };
    struct plan p;
    uint32_t jobs;
    uint64_t job;
    char done[24];

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    (void)finish(f->s, p.base, "bytes", NULL);
    snprintf(done, sizeof done, "%llu", (unsigned long long)p.base);
    begin(f->s);
    c.experiment = "epx";
    FAILS(ERR_NOT_FOUND, "exp", store_control(f->s, &c, NULL, &jobs, NULL, err));
    c.experiment = "exp";
    c.step = "labls";
    FAILS(ERR_NOT_FOUND, "did you mean \"labels\"",
          store_control(f->s, &c, NULL, &jobs, NULL, err));
    c.step = NULL;
    c.job = done;
    FAILS(ERR_INVALID, "is done", store_control(f->s, &c, NULL, &jobs, NULL, err));
    c.job = "4711";
    FAILS(ERR_NOT_FOUND, "4711", store_control(f->s, &c, NULL, &jobs, NULL, err));
    c.verb = STORE_PAUSE;
    FAILS(ERR_INVALID, "as a whole", store_control(f->s, &c, NULL, &jobs, NULL, err));
    FAILS(ERR_INVALID, "names no job", store_find_job_text(f->s, "xyz", &job, err));
    FAILS(ERR_INVALID, "names no job", store_find_job_text(f->s, "", &job, err));
    FAILS(ERR_INVALID, "names no job", store_find_job_text(f->s, "ab", &job, err));
    FAILS(ERR_NOT_FOUND, "no job has a key", store_find_job_text(f->s, "0000000", &job, err));
    commit(f->s);
}

static void ambiguous_key_names_the_jobs_that_it_fits(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    uint64_t job;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    OK(store_begin(f->s, err));
    commit(f->s);
    struct sqlite3 *db;
    char sql[200];
    store_close(f->s);
    OK(sqlite_connect(&db, f->path, CONNECT_WRITE, err));
    for (int i = 0; i < 2; i++) {
        snprintf(sql, sizeof sql, "UPDATE job SET key = x'abcd%060d' WHERE id = %llu", i,
                 (unsigned long long)p.shard[i]);
        OK(sqlite_run(db, sql, err));
    }
    sqlite_disconnect(db);
    OK(store_open(&f->s, f->path, "", err));
    FAILS(ERR_INVALID, "fits several jobs", store_find_job_text(f->s, "ABCD", &job, err));
    OK(store_find_job_text(f->s,
                           "abcd"
                           "000000000000000000000000000000000000000000000000000000000001",
                           &job, err));
    assert_int_equal(job, p.shard[1]);
}

/* The rules of job JOB as "rule: text" lines. */
static char *why(struct store *s, uint64_t job)
{
    struct store_why w CLEANUP(store_why_release) = { 0 };
    static char lines[8192];
    size_t at = 0;

    OK(store_why_job(s, job, &w, err));
    lines[0] = '\0';
    for (size_t i = 0; i < w.len; i++)
        at += (size_t)snprintf(lines + at, sizeof lines - at, "%s: %s\n", w.rules[i].rule,
                               w.rules[i].text);
    return lines;
}

static void why_names_what_keeps_a_job(void **state)
{
    struct fixture *f = *state;
    struct store_why w CLEANUP(store_why_release) = { 0 };
    struct buf json CLEANUP(buf_release) = { 0 };
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_string_equal(why(f->s, p.base), "");
    assert_non_null(strstr(why(f->s, p.set), "(step labels), which it needs, is WAITING"));
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_PAUSE });
    assert_non_null(strstr(why(f->s, p.base), "paused: experiment exp is paused"));
    (void)control_jobs(f->s, (struct store_control){ .verb = STORE_RESUME });
    fail_job(f->s, p.base, STORE_OOM);
    assert_non_null(strstr(why(f->s, p.base), "ended OOM: no more memory"));
    assert_non_null(strstr(why(f->s, p.shard[0]), "(step base), which it needs, is FAILED"));
    OK(store_why_experiment(f->s, p.sub.experiment, &w, err));
    store_why_json(&w, &json);
    assert_non_null(strstr(buf_str(&json), "\"experiment\":\"exp\",\"state\":\"OVER\""));
    assert_non_null(strstr(buf_str(&json), "\"rule\":\"failed\",\"text\":\"1 jobs failed"));
    assert_non_null(strstr(buf_str(&json), "3 jobs were skipped"));
    begin(f->s);
    OK(store_cancel(f->s, "exp", NULL, err));
    commit(f->s);
    store_why_release(&w);
    FAILS(ERR_NOT_FOUND, "no job j99", store_why_job(f->s, 99, &w, err));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(paused_experiment_lists_nothing_until_it_is_resumed),
        TEST(shared_job_runs_as_long_as_one_that_wants_it_is_not_paused),
        TEST(cancel_of_the_last_unpaused_one_leaves_it_paused),
        TEST(submission_of_a_paused_experiment_stays_paused),
        TEST(first_plan_brings_its_own_priority),
        TEST(priority_is_the_highest_of_those_that_want_it),
        TEST(retry_gives_failed_jobs_and_those_behind_another_try),
        TEST(retry_of_a_job_takes_what_it_needs_along),
        TEST(retry_of_a_cancelled_experiment_wants_it_again),
        TEST(what_is_behind_a_diverged_job_stays_skipped),
        TEST(what_halving_sorted_out_stays_skipped),
        TEST(wrong_names_are_answered_with_what_there_is),
        TEST(ambiguous_key_names_the_jobs_that_it_fits),
        TEST(why_names_what_keeps_a_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
