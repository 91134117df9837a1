/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: results that are written together with the commit are the same as those written one by one;
 * whatever asks in between sees them; a rollback takes them back; numbers of attempts are never
 * given twice.
 * Method: the same work in two stores by both ways, compared row by row; questions between results
 * of one transaction. */
#include <inttypes.h>

#include "store/sqlite.h"
#include "store/stmt.h"
#include "tests/unit/store/simple_jobs.h"

/* All rows of SQL as one text. */
static void rows(const char *path, const char *sql, struct buf *ret)
{
    struct sqlite3 *db;
    struct stmt st;
    int rc = 0;

    OK(sqlite_connect(&db, path, CONNECT_READ, err));
    OK(stmt_prepare(&st, db, sql, NULL, err));
    while ((rc = stmt_step(&st, NULL)) > 0) {
        for (int i = 0; i < stmt_columns(&st); i++)
            buf_printf(ret, "%s|", stmt_is_null(&st, i) ? "NULL" : stmt_col_text(&st, i));
        buf_addc(ret, '\n');
    }
    assert_int_equal(rc, 0);
    stmt_release(&st);
    sqlite_disconnect(db);
}

static const char job_rows[] =
    "SELECT id, hex(key), state, waiting, epoch, attempt, diverged, tries, losses FROM job";
static const char attempt_rows[] =
    "SELECT id, job, epoch, worker, incarnation, outcome, wall_ms, cpu_ms, text, environment, "
    "compared, repeats, from_step, ended_ms > 0 FROM attempt";
static const char sum_rows[] =
    "SELECT run, jobs, waiting, ready, done, failed, skipped, cancelled, diverged, wall_ms, "
    "first_ms IS NOT NULL, last_ms IS NOT NULL FROM run_summary";

static void same_rows(const char *a, const char *b, const char *sql)
{
    CLEANUP(buf_release) struct buf x = { 0 };
    CLEANUP(buf_release) struct buf y = { 0 };

    rows(a, sql, &x);
    rows(b, sql, &y);
    assert_true(x.len > 0);
    assert_string_equal(buf_str(&x), buf_str(&y));
}

enum { JOBS = 2500 }; /* more than are kept at a time */

static void one_by_one(struct store *s, const struct simple *x)
{
    for (size_t i = 0; i < x->n; i++) {
        struct store_result r = { .outcome = i % 7 ? STORE_DONE : STORE_DIVERGED,
                                  .text = i % 3 ? NULL : "why",
                                  .environment = i % 2 ? "a" : NULL,
                                  .wall_ms = i,
                                  .cpu_ms = 1 };
        enum store_verdict verdict;

        begin(s);
        OK(store_attempt_start(s, x->job.v[i], 0, &r.attempt, &r.epoch, err));
        OK(store_job_done(s, &r, &verdict, NULL, err));
        assert_int_equal(verdict, STORE_STORED);
        commit(s);
    }
}

static void together(struct store *s, const struct simple *x)
{
    begin(s);
    OK(store_attempts_reserve(s, JOBS, err));
    for (size_t i = 0; i < x->n; i++) {
        struct store_begun b = begun_of(i + 1, x->job.v[i], 1);
        char text[8] = "why"; /* not there any more at the commit */
        struct store_result r = { .attempt = b.attempt,
                                  .epoch = b.epoch,
                                  .begun = &b,
                                  .outcome = i % 7 ? STORE_DONE : STORE_DIVERGED,
                                  .text = i % 3 ? NULL : text,
                                  .environment = i % 2 ? "a" : NULL,
                                  .wall_ms = i,
                                  .cpu_ms = 1 };
        enum store_verdict verdict;

        OK(store_job_done(s, &r, &verdict, NULL, err));
        assert_int_equal(verdict, STORE_STORED);
        memset(text, 'x', sizeof text - 1);
    }
    commit(s);
}

static void results_written_together_are_those_written_one_by_one(void **state)
{
    struct fixture *f = *state, other;
    struct simple x = { .name = "exp", .n = JOBS }, y = x;

    scratch(&other);
    OK(store_open(&other.s, other.path, "", err));
    submit_simple(f->s, &x);
    submit_simple(other.s, &y);
    one_by_one(f->s, &x);
    together(other.s, &y);
    same_rows(f->path, other.path, job_rows);
    same_rows(f->path, other.path, attempt_rows);
    same_rows(f->path, other.path, sum_rows);
    assert_int_equal(number(other.path, "SELECT done FROM run_summary"), JOBS);
    assert_int_equal(number(other.path, "SELECT count(*) FROM job WHERE state = 'READY'"), 0);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
    store_close(other.s);
    remove_tree(other.dir);
}

static void whoever_asks_within_the_transaction_sees_the_result(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 3 };
    struct store_attempt found;
    struct store_ready ready[4];
    struct store_begun b;
    char state_of[16];
    struct digest key = key_of("exp 1");

    submit_simple(f->s, &x);
    begin(f->s);
    b = begun_of(10, x.job.v[0], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    OK(store_attempt_find(f->s, 10, &found, err));
    assert_int_equal(found.outcome, STORE_DONE);
    assert_false(found.job_open);
    b = begun_of(11, x.job.v[1], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    OK(store_job_state(f->s, &key, state_of, err));
    assert_string_equal(state_of, "DONE");
    b = begun_of(12, x.job.v[2], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    assert_int_equal(list_simple(f->s, x.experiment, START, ready, 4), 0);
    commit(f->s);
    store_ids_release(&x.job);
}

static void a_second_result_of_one_transaction_is_a_repeat(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_begun a, b;

    submit_simple(f->s, &x);
    a = begun_of(1, x.job.v[0], 1);
    b = begun_of(2, x.job.v[0], 2); /* its attempt was never written */
    begin(f->s);
    assert_int_equal(done_simple(f->s, &a, NULL), STORE_STORED);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_REPEATED);
    assert_int_equal(done_simple(f->s, &a, NULL), STORE_REPEATED);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_REPEATED);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt"), 2);
    assert_int_equal(number(f->path, "SELECT attempt FROM job WHERE id = 1"), 1);
    assert_int_equal(number(f->path, "SELECT epoch FROM job WHERE id = 1"), 2);
    assert_int_equal(number(f->path, "SELECT repeats FROM attempt WHERE id = 1"), 1);
    assert_int_equal(number(f->path, "SELECT compared = 'SAME' FROM attempt WHERE id = 2"), 1);
    assert_int_equal(number(f->path, "SELECT done * 10 + ready FROM run_summary"), 11);
    store_ids_release(&x.job);
}

static void a_rollback_takes_results_back(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_ready ready[2];
    struct store_begun b;

    submit_simple(f->s, &x);
    b = begun_of(1, x.job.v[0], 1);
    begin(f->s);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    store_rollback(f->s);
    assert_int_equal(list_simple(f->s, x.experiment, START, ready, 2), 2);
    assert_int_equal(ready[0].est_us, 0);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt"), 0);
    assert_int_equal(number(f->path, "SELECT ready FROM run_summary"), 2);
    begin(f->s);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT done FROM run_summary"), 1);
    store_ids_release(&x.job);
}

static void results_of_jobs_that_are_no_longer_ready(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_ids withdrawn = { 0 };
    struct store_begun b;

    submit_simple(f->s, &x);
    begin(f->s);
    OK(store_cancel(f->s, "exp", &withdrawn, err));
    assert_int_equal(withdrawn.len, 2);
    b = begun_of(1, x.job.v[0], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED); /* a cancelled one takes it */
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT done * 10 + cancelled FROM run_summary"), 11);
    b = begun_of(2, 999, 1);
    begin(f->s);
    struct store_result r = { .attempt = 2, .epoch = 1, .begun = &b, .outcome = STORE_DONE };
    enum store_verdict verdict;
    FAILS(ERR_STALE, "no job 999", store_job_done(f->s, &r, &verdict, NULL, err));
    commit(f->s);
    store_ids_release(&withdrawn);
    store_ids_release(&x.job);
}

/* A job of EXPERIMENT that needs NEED. */
static uint64_t submit_behind(struct store *s, const char *experiment, uint64_t need)
{
    struct digest revision = key_of(experiment);
    struct store_submission sub;
    uint64_t run, job;

    OK(store_submit_begin(s, experiment, &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &revision, 1, NULL, 0, &run, err));
    struct store_job_spec spec = { .key = key_of("behind"),
                                   .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = "behind",
                                   .kind_version = 1,
                                   .params = "",
                                   .params_text = "",
                                   .needs = &need,
                                   .needs_len = 1,
                                   .runs = &run,
                                   .runs_len = 1 };
    OK(store_submit_job(s, &sub, &spec, &job, err));
    OK(store_submit_end(s, &sub, NULL, err));
    return job;
}

/* What the listing said of a job may be remembered: not longer than it is true. */
static void what_was_listed_counts_until_somebody_changes_it(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 5 };
    struct store_ready listed[5];
    struct store_ids ready = { 0 }, withdrawn = { 0 };
    struct store_begun b;

    submit_simple(f->s, &x);
    assert_int_equal(list_simple(f->s, x.experiment, START, listed, 5), 5);
    assert_true(listed[0].plain && listed[4].plain);
    begin(f->s);
    b = begun_of(1, x.job.v[0], 1);
    assert_int_equal(done_simple(f->s, &b, &ready), STORE_STORED);
    commit(f->s);
    uint64_t behind = submit_behind(f->s, "later", x.job.v[1]);
    begin(f->s);
    b = begun_of(2, x.job.v[1], 1);
    assert_int_equal(done_simple(f->s, &b, &ready), STORE_STORED);
    commit(f->s);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], behind);
    assert_int_equal(list_simple(f->s, x.experiment, START, listed, 5), 3);
    begin(f->s);
    b = begun_of(3, x.job.v[2], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    store_rollback(f->s);
    begin(f->s);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_REPEATED);
    commit(f->s);
    assert_int_equal(list_simple(f->s, x.experiment, START, listed, 5), 2);
    begin(f->s);
    OK(store_cancel(f->s, "exp", &withdrawn, err));
    b = begun_of(4, x.job.v[3], 1);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT sum(done) * 10 + sum(cancelled) FROM run_summary "
                                     "WHERE jobs = 5"),
                     41);
    store_ids_release(&withdrawn);
    store_ids_release(&ready);
    store_ids_release(&x.job);
}

/* A job that was done before, and one that another needs, are not plain for the listing either. */
static void jobs_that_others_wait_for_are_not_listed_as_plain(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_ready listed[2];
    struct store_ids ready = { 0 };

    submit_simple(f->s, &x);
    (void)submit_behind(f->s, "later", x.job.v[0]);
    assert_int_equal(list_simple(f->s, x.experiment, START, listed, 2), 2);
    assert_true(listed[0].simple && !listed[0].plain);
    assert_true(listed[1].simple && listed[1].plain);
    begin(f->s);
    struct store_begun b = begun_of(1, x.job.v[0], 1);
    assert_int_equal(done_simple(f->s, &b, &ready), STORE_STORED);
    commit(f->s);
    assert_int_equal(ready.len, 1);
    store_ids_release(&ready);
    store_ids_release(&x.job);
}

/* Every STEP-th of 60 jobs, two runs each but for the last. */
static void some_are_done(struct fixture *f, const char *name, size_t step)
{
    CLEANUP(buf_release) struct buf both = { 0 };
    struct simple x = { .name = name, .n = 60, .keys = name }, y = { .n = 59, .keys = name };
    char sql[200];
    uint64_t done = 0;

    buf_printf(&both, "%s again", name);
    y.name = buf_str(&both);
    submit_simple(f->s, &x);
    submit_simple(f->s, &y);
    const int64_t before = number(f->path, "SELECT count(*) FROM attempt");
    begin(f->s);
    for (size_t i = 59; i < 60; i -= step, done++) { /* ends below 0 */
        struct store_begun b = begun_of((uint64_t)before + 1 + done, x.job.v[i], 1);

        assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    }
    commit(f->s);
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM job JOIN attempt ON attempt.id = job.attempt AND attempt.job = "
             "job.id AND job.epoch = 1 WHERE job.state = 'DONE' AND (%" PRIu64
             " - job.id) %% %zu = 0 AND job.id >= %" PRIu64,
             x.job.v[59], step, x.job.v[0]);
    assert_int_equal(number(f->path, sql), done);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt"), before + (int64_t)done);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE state = 'DONE'"),
                     before + (int64_t)done);
    snprintf(sql, sizeof sql,
             "SELECT 1000 * (SELECT done FROM run_summary WHERE experiment = %" PRIu64
             ") + (SELECT done FROM run_summary WHERE experiment = %" PRIu64 ")",
             x.experiment, y.experiment);
    assert_int_equal(number(f->path, sql), 1000 * done + done - 1);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

static void results_of_jobs_close_together_and_far_apart(void **state)
{
    struct fixture *f = *state;

    some_are_done(f, "all", 1);
    some_are_done(f, "every second", 2);
    some_are_done(f, "every seventh", 7);
}

static void an_end_without_a_row_before_is_written_whole(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 1 };
    struct store_begun b;
    uint32_t skipped;

    submit_simple(f->s, &x);
    b = begun_of(7, x.job.v[0], 4);
    struct store_result r = {
        .attempt = 7, .epoch = 4, .begun = &b, .outcome = STORE_FAILED, .text = "broke"
    };
    begin(f->s);
    OK(store_attempt_end(f->s, &r, false, &skipped, err));
    OK(store_attempt_end(f->s, &r, false, &skipped, err)); /* said twice: nothing more */
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT tries FROM job"), 1);
    assert_int_equal(number(f->path, "SELECT epoch FROM job"), 4);
    assert_int_equal(number(f->path, "SELECT outcome = 'FAILED' FROM attempt WHERE id = 7"), 1);
    store_ids_release(&x.job);
}

static void numbers_of_attempts_are_never_given_twice(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_begun b, other;
    uint64_t next = 0, id;
    uint32_t epoch;

    submit_simple(f->s, &x);
    OK(store_attempts_next(f->s, &next, err));
    assert_int_equal(next, 1);
    begin(f->s);
    OK(store_attempts_reserve(f->s, 100, err));
    OK(store_attempts_reserve(f->s, 50, err)); /* fewer than before: nothing */
    b = begun_of(3, x.job.v[0], 1);
    OK(store_attempt_begin(f->s, &b, err));
    OK(store_attempt_begin(f->s, &b, err)); /* is there already */
    other = begun_of(3, x.job.v[1], 1);
    FAILS(ERR_CONFLICT, "attempt 3 is of job", store_attempt_begin(f->s, &other, err));
    other = begun_of(4, x.job.v[0], 1);
    FAILS(ERR_CONFLICT, "epoch 1 of job", store_attempt_begin(f->s, &other, err));
    other = begun_of(4, 999, 1);
    FAILS(ERR_NOT_FOUND, "no job 999", store_attempt_begin(f->s, &other, err));
    commit(f->s);
    store_close(f->s);
    OK(store_open(&f->s, f->path, "", err));
    OK(store_attempts_next(f->s, &next, err));
    assert_int_equal(next, 101);
    begin(f->s);
    OK(store_attempt_start(f->s, x.job.v[1], 0, &id, &epoch, err));
    commit(f->s);
    assert_int_equal(id, 101);
    OK(store_attempts_next(f->s, &next, err));
    assert_int_equal(next, 102);
    store_ids_release(&x.job);
}

static void estimates_are_learnt_and_kept(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 3 }, y = { .name = "other", .n = 1 };
    struct store_ready ready[4], of_other[4];

    submit_simple(f->s, &x);
    submit_simple(f->s, &y);
    for (uint32_t i = 0; i < 2; i++) {
        struct store_begun b = begun_of(i + 1, x.job.v[i], 1);

        begin(f->s);
        assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
        commit(f->s);
        store_close(f->s);
        OK(store_open(&f->s, f->path, "", err));
    }
    assert_int_equal(list_simple(f->s, x.experiment, START, ready, 4), 1);
    assert_int_equal(ready[0].est_us, 2500);
    assert_true(ready[0].shape > 0);
    assert_int_equal(list_simple(f->s, y.experiment, START, of_other, 4), 1);
    assert_int_equal(of_other[0].est_us, 0);
    assert_true(ready[0].shape != of_other[0].shape);
    assert_int_equal(number(f->path, "SELECT results FROM shape"), 2);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

static void deeds_are_written_down(void **state)
{
    struct fixture *f = *state;
    char text[1200];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 999, "\xC3\xBC", 2); /* would be cut in two */
    begin(f->s);
    OK(store_audit(f->s, &(struct store_deed){ "ada", "admin", "tcp://[::1]:5", "cancel", "exp" },
                   err));
    OK(store_audit(f->s, &(struct store_deed){ .what = "refused", .text = text }, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM audit WHERE at_ms > 0"), 2);
    assert_int_equal(number(f->path, "SELECT who = 'ada' AND role = 'admin' AND what = 'cancel' "
                                     "FROM audit WHERE id = 1"),
                     1);
    assert_int_equal(number(f->path, "SELECT length(text) FROM audit WHERE who = ''"), 999);
}

int main(void)
{
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(results_written_together_are_those_written_one_by_one),
        T(what_was_listed_counts_until_somebody_changes_it),
        T(jobs_that_others_wait_for_are_not_listed_as_plain),
        T(results_of_jobs_close_together_and_far_apart),
        T(whoever_asks_within_the_transaction_sees_the_result),
        T(a_second_result_of_one_transaction_is_a_repeat),
        T(a_rollback_takes_results_back),
        T(results_of_jobs_that_are_no_longer_ready),
        T(an_end_without_a_row_before_is_written_whole),
        T(numbers_of_attempts_are_never_given_twice),
        T(estimates_are_learnt_and_kept),
        T(deeds_are_written_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
