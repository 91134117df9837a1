/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a job has at most one checkpoint, the newest, of its newest attempt; its file goes after
 * the commit when it is replaced or not needed any more, whatever crashes in between; and the
 * attempt that goes on from it shows the whole curve. Method: attempts of a small plan; the blob
 * folder and the tables are looked into. */
#include "tests/unit/store/small_plan.h"

#include "store/checkpoint.h"

static struct digest upload(struct store *s, const char *bytes)
{
    struct digest d;

    OK(blobs_put(store_blobs(s), bytes, strlen(bytes), &d, err));
    return d;
}

static bool there(struct store *s, const char *bytes)
{
    struct digest d = digest_of(bytes, strlen(bytes));

    return blobs_have(store_blobs(s), &d, NULL);
}

static int put_with(struct store *s, struct try t, uint64_t step, const char *bytes,
                    const struct store_metric *metrics, size_t len, struct err *err)
{
    struct store_checkpoint c = { .attempt = t.attempt,
                                  .epoch = t.epoch,
                                  .step = step,
                                  .digest = digest_of(bytes, strlen(bytes)),
                                  .size_bytes = strlen(bytes),
                                  .metrics = metrics,
                                  .metrics_len = len };

    return store_checkpoint_put(s, &c, err);
}

static int put(struct store *s, struct try t, uint64_t step, const char *bytes, struct err *err)
{
    return put_with(s, t, step, bytes, NULL, 0, err);
}

/* Uploaded, stored and committed. */
static void save(struct store *s, struct try t, uint64_t step, const char *bytes)
{
    (void)upload(s, bytes);
    begin(s);
    OK(put(s, t, step, bytes, err));
    commit(s);
}

static void lose(struct store *s, struct try t)
{
    const struct store_result r = result_of(t, STORE_LOST);

    begin(s);
    OK(store_attempt_end(s, &r, false, NULL, err));
    commit(s);
}

static void end_done(struct store *s, struct try t)
{
    const struct store_result r = result_of(t, STORE_DONE);
    enum store_verdict verdict;

    begin(s);
    OK(store_job_done(s, &r, &verdict, NULL, err));
    commit(s);
}

/* An attempt of the base job of a new plan, with the checkpoint "ten" at step 10. */
static struct try at_ten(struct store *s, struct plan *p)
{
    struct try t;

    submit_plan(s, (struct plan_options){ 0 }, p);
    t = started(s, p->base);
    save(s, t, 10, "ten");
    return t;
}

static void newest_one_stays_and_the_file_of_the_other_goes(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    FAILS(ERR_NOT_FOUND, "has no checkpoint", store_checkpoint_find(f->s, p.base, &c, err));
    t = started(f->s, p.base);
    save(f->s, t, 10, "ten");
    save(f->s, t, 20, "twenty");
    OK(store_checkpoint_find(f->s, p.base, &c, err));
    assert_int_equal(c.step, 20);
    assert_int_equal(c.attempt, t.attempt);
    assert_int_equal(c.epoch, t.epoch);
    assert_int_equal(c.size_bytes, 6);
    assert_false(there(f->s, "ten"));
    assert_true(there(f->s, "twenty"));
    save(f->s, t, 30, "thirty"); /* the commit that forgets what was removed */
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint"), 1);
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint_gone"), 1);
}

static void message_that_comes_twice_or_late_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    save(f->s, t, 10, "ten");
    assert_true(there(f->s, "ten"));
    save(f->s, t, 20, "twenty");
    begin(f->s);
    OK(put(f->s, t, 10, "ten", err)); /* its file is gone, and nobody wants it */
    commit(f->s);
    OK(store_checkpoint_find(f->s, p.base, &c, err));
    assert_int_equal(c.step, 20);
    assert_true(there(f->s, "twenty"));
}

static void stale_and_unknown_attempts_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c;
    struct plan p;
    struct try old, new;

    old = at_ten(f->s, &p);
    lose(f->s, old);
    (void)upload(f->s, "twenty");
    begin(f->s);
    FAILS(ERR_STALE, "is over", put(f->s, old, 20, "twenty", err));
    new = start(f->s, p.base);
    FAILS(ERR_STALE, "is over", put(f->s, old, 20, "twenty", err));
    FAILS(ERR_STALE, "epoch",
          put(f->s, (struct try){ new.attempt, new.epoch + 1 }, 20, "twenty", err));
    FAILS(ERR_STALE, "no attempt", put(f->s, (struct try){ 99, 1 }, 20, "twenty", err));
    commit(f->s);
    OK(store_checkpoint_find(f->s, p.base, &c, err));
    assert_int_equal(c.step, 10);
}

static void blob_must_be_there_and_as_large_as_said(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    t = started(f->s, p.base);
    begin(f->s);
    FAILS(ERR_NOT_FOUND, "upload it first", put(f->s, t, 10, "never", err));
    c = (struct store_checkpoint){ .attempt = t.attempt,
                                   .epoch = t.epoch,
                                   .step = 10,
                                   .digest = upload(f->s, "ten"),
                                   .size_bytes = 4 };
    FAILS(ERR_INVALID, "3 bytes, not 4", store_checkpoint_put(f->s, &c, err));
    c.size_bytes = 3;
    c.step = UINT64_MAX;
    FAILS(ERR_INVALID, "is allowed", store_checkpoint_put(f->s, &c, err));
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint"), 0);
}

static void it_goes_with_the_jobs_end(void **state)
{
    struct fixture *f = *state;
    enum store_verdict verdict;
    struct store_result r;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    r = result_of(t, STORE_DONE);
    begin(f->s);
    OK(store_job_done(f->s, &r, &verdict, NULL, err));
    assert_true(there(f->s, "ten")); /* not before the commit */
    commit(f->s);
    assert_false(there(f->s, "ten"));
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint"), 0);
    begin(f->s);
    FAILS(ERR_STALE, "is over", put(f->s, t, 20, "twenty", err));
    commit(f->s);
}

static void failed_job_keeps_it(void **state)
{
    struct fixture *f = *state;
    struct store_result r;
    struct plan p;

    r = result_of(at_ten(f->s, &p), STORE_FAILED);
    begin(f->s);
    OK(store_attempt_end(f->s, &r, true, NULL, err));
    commit(f->s);
    assert_true(there(f->s, "ten")); /* `drover retry` goes on from it */
    assert_int_equal(number(f->path, "SELECT step FROM checkpoint"), 10);
}

static void cancelled_job_loses_it(void **state)
{
    struct fixture *f = *state;
    struct plan p;

    (void)at_ten(f->s, &p);
    begin(f->s);
    OK(store_cancel(f->s, "exp", NULL, err));
    commit(f->s);
    assert_false(there(f->s, "ten"));
}

static void rollback_keeps_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct store_checkpoint c;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    (void)upload(f->s, "twenty");
    begin(f->s);
    OK(put(f->s, t, 20, "twenty", err));
    store_rollback(f->s);
    OK(store_checkpoint_find(f->s, p.base, &c, err));
    assert_int_equal(c.step, 10);
    assert_true(there(f->s, "ten"));
}

/* Killed between the commit and the removal: the row of checkpoint_gone is there, the file too. */
static void file_left_by_a_crash_goes_at_the_next_commit(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    save(f->s, t, 20, "twenty");
    (void)upload(f->s, "ten"); /* as if it had never been removed */
    store_close(f->s);
    OK(store_open(&f->s, f->path, "tcp://127.0.0.1:1", err));
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint_gone"), 1);
    begin(f->s);
    commit(f->s);
    assert_false(there(f->s, "ten"));
    assert_true(there(f->s, "twenty"));
    begin(f->s);
    commit(f->s);
    assert_int_equal(number(f->path, "SELECT count(*) FROM checkpoint_gone"), 0);
}

/* The same bytes again, as of an attempt that did the same work: a removal that is still to come
 * leaves what is wanted. */
static void removal_leaves_what_is_named_again(void **state)
{
    struct fixture *f = *state;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    save(f->s, t, 20, "twenty");
    lose(f->s, t);
    t = started(f->s, p.base);
    save(f->s, t, 30, "ten");
    store_close(f->s);
    OK(store_open(&f->s, f->path, "tcp://127.0.0.1:1", err));
    begin(f->s);
    commit(f->s);
    assert_true(there(f->s, "ten"));
}

static void missing_file_is_no_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct digest d = digest_of("ten", 3);
    struct store_checkpoint c;
    struct plan p;
    struct try t;

    t = at_ten(f->s, &p);
    lose(f->s, t);
    OK(blobs_remove(store_blobs(f->s), &d, err));
    FAILS(ERR_NOT_FOUND, "is gone", store_checkpoint_find(f->s, p.base, &c, err));
    (void)started(f->s, p.base);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt WHERE from_step IS NULL"), 2);
}

/* Steps 1..n of an undisturbed run, and of one that died at 700 with a checkpoint at 600 (and at
 * 300 before), must be the same rows. */
static double loss_at(uint64_t step)
{
    return step % 97 == 0 ? 1.0 / 0.0 : 1.0 / (double)step;
}

/* In a transaction of its own. */
static void report(struct store *s, struct try t, uint64_t from, uint64_t to)
{
    begin(s);
    for (uint64_t i = from; i <= to; i++) {
        struct store_metric m[2] = { { "loss", i, loss_at(i) }, { "rate", i, 0.1 * (double)i } };

        OK(store_metrics(s, t.attempt, m, i % 20 == 0 ? 2 : 1, err));
    }
    commit(s);
}

#define CURVE                                                                                      \
    "SELECT group_concat(metric || at_step || ':' || coalesce(value, 'null')) FROM (SELECT * "     \
    "FROM curriculum ORDER BY metric, at_step)"
#define SUMS                                                                                       \
    "SELECT group_concat(name || n || ' ' || finite || ' ' || first_step || ' ' || last_step || "  \
    "' ' || sum || ' ' || head || ' ' || closed) FROM (SELECT series.* FROM series JOIN job ON "   \
    "job.attempt = series.attempt ORDER BY name)"

static int take_whole(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    (void)names;
    if (v && columns > 0)
        buf_adds(arg, v[0].text);
    return 0;
}

static void read_curve(const char *path, struct buf *ret)
{
    struct store *r;

    OK(store_open_read(&r, path, err));
    OK(store_query(r, CURVE, NULL, take_whole, ret, err));
    OK(store_query(r, SUMS, NULL, take_whole, ret, err));
    store_close(r);
}

static void attempt_that_goes_on_shows_the_whole_curve(void **state)
{
    struct buf plain CLEANUP(buf_release) = { 0 }, killed CLEANUP(buf_release) = { 0 };
    struct fixture *f = *state, other;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    t = started(f->s, p.base);
    report(f->s, t, 1, 1500);
    end_done(f->s, t);
    read_curve(f->path, &plain);

    scratch(&other);
    OK(store_open(&other.s, other.path, "tcp://127.0.0.1:1", err));
    submit_plan(other.s, (struct plan_options){ 0 }, &p);
    t = started(other.s, p.base);
    report(other.s, t, 1, 300);
    save(other.s, t, 300, "300");
    lose(other.s, t);
    t = started(other.s, p.base);
    report(other.s, t, 301, 700);
    save(other.s, t, 600, "600");
    lose(other.s, t);
    t = started(other.s, p.base);
    report(other.s, t, 601, 1500);
    end_done(other.s, t);
    read_curve(other.path, &killed);
    assert_true(plain.len > 10000);
    assert_string_equal(buf_str(&plain), buf_str(&killed));
    assert_int_equal(number(other.path, "SELECT sum(from_step) FROM attempt"), 900);
    assert_int_equal(number(other.path, "SELECT from_step IS NULL FROM attempt WHERE epoch = 1"),
                     1);
    store_close(other.s);
    remove_tree(other.dir);
}

/* Renewals may be lost; what the checkpoint brings may not. */
static void metrics_of_the_checkpoint_are_stored_with_it(void **state)
{
    const struct store_metric m[] = { { "loss", 1, 3.0 }, { "loss", 2, 2.0 } };
    struct fixture *f = *state;
    struct plan p;
    struct try t;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    t = started(f->s, p.base);
    (void)upload(f->s, "two");
    begin(f->s);
    OK(put_with(f->s, t, 2, "two", m, 2, err));
    commit(f->s);
    lose(f->s, t);
    end_done(f->s, started(f->s, p.base));
    assert_int_equal(number(f->path, "SELECT count(*) FROM curriculum"), 2);
    assert_int_equal(number(f->path, "SELECT sum(value) FROM curriculum"), 5);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(newest_one_stays_and_the_file_of_the_other_goes),
        T(message_that_comes_twice_or_late_changes_nothing),
        T(stale_and_unknown_attempts_are_refused),
        T(blob_must_be_there_and_as_large_as_said),
        T(it_goes_with_the_jobs_end),
        T(failed_job_keeps_it),
        T(cancelled_job_loses_it),
        T(rollback_keeps_the_old_one),
        T(file_left_by_a_crash_goes_at_the_next_commit),
        T(removal_leaves_what_is_named_again),
        T(missing_file_is_no_checkpoint),
        T(attempt_that_goes_on_shows_the_whole_curve),
        T(metrics_of_the_checkpoint_are_stored_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
