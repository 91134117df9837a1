/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a listing gives what a lease of a simple job says; one experiment's jobs come page by page,
 * by priority, then age; a job runs on the account of the experiment that wants it most, and goes
 * over to another that wants it when that one no longer does.
 * Method: jobs of two experiments that share some, priorities, pauses, cancelling. */
#include "store/control.h"
#include "store/sqlite.h"
#include "tests/unit/store/simple_jobs.h"

static void a_simple_job_needs_no_further_look(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 2 };
    struct store_ready r[4];
    struct digest key = key_of("exp 1");

    submit_simple(f->s, &x);
    assert_int_equal(list_simple(f->s, x.experiment, START, r, 4), 2);
    assert_true(r[1].simple);
    assert_int_equal(r[1].job, x.job.v[1]);
    assert_int_equal(r[1].experiment, x.experiment);
    assert_string_equal(r[1].kind, "noop");
    assert_string_equal(r[1].numeric_class, "packed-1");
    assert_string_equal(r[1].step, "work");
    assert_string_equal(r[1].labels, "fast gpu");
    assert_int_equal(r[1].cores, 2);
    assert_int_equal(r[1].memory_mib, 100);
    assert_int_equal(r[1].kind_version, 1);
    assert_int_equal(r[1].seed, 1);
    assert_int_equal(r[1].units, 1);
    assert_int_equal(r[1].epoch, 0);
    assert_int_equal(r[1].retries, 2);
    assert_true(digest_equal(&r[1].key, &key));
    assert_int_equal(r[1].params_len, 2);
    assert_memory_equal(r[1].params, "pq", 2);
    assert_ptr_equal(r[0].kind, r[1].kind);
    assert_int_equal(r[0].shape, r[1].shape);
    store_ids_release(&x.job);
}

static void a_job_with_inputs_or_families_is_not_simple(void **state)
{
    struct fixture *f = *state;
    struct store_ready r[8];
    struct plan p;

    submit_plan(f->s, (struct plan_options){ 0 }, &p);
    assert_int_equal(list_simple(f->s, p.sub.experiment, START, r, 8), 1);
    assert_true(r[0].simple);
    finish(f->s, p.base, "weights", NULL);
    assert_int_equal(list_simple(f->s, p.sub.experiment, START, r, 8), 2);
    assert_false(r[0].simple);
    assert_int_equal(r[0].affinity_len, 1);
    assert_int_equal(r[0].units, 2);
}

static void run_sql(struct fixture *f, const char *sql)
{
    struct sqlite3 *db;

    OK(sqlite_connect(&db, f->path, CONNECT_WRITE, err));
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
}

static void pages_go_by_priority_then_age(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 5 }, y = { .name = "more", .n = 7 };
    struct store_cursor at = START;
    struct store_ready r[3];
    uint64_t seen[8];
    size_t n, total = 0;

    submit_simple(f->s, &y);
    submit_simple(f->s, &x);
    run_sql(f, "UPDATE job SET priority = id % 3 WHERE owner = 2");
    while ((n = list_simple(f->s, x.experiment, at, r, 3)) > 0) {
        for (size_t i = 0; i < n; i++) {
            assert_true(total < 5);
            seen[total++] = r[i].job;
            at = (struct store_cursor){ r[i].priority, r[i].job };
        }
    }
    assert_int_equal(total, 5); /* jobs 8..12: priorities 2 0 1 2 0 */
    assert_int_equal(seen[0], 8);
    assert_int_equal(seen[1], 11);
    assert_int_equal(seen[2], 10);
    assert_int_equal(seen[3], 9);
    assert_int_equal(seen[4], 12);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

static uint64_t owner(struct fixture *f, uint64_t job)
{
    struct store_change c;

    OK(store_job_change(f->s, job, &c, err));
    return c.experiment;
}

static void a_shared_job_goes_over_when_its_owner_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 3 }, y = { .name = "more", .n = 2, .keys = "exp" };
    struct store_ids withdrawn = { 0 };
    struct store_ready r[4];

    submit_simple(f->s, &x);
    submit_simple(f->s, &y);
    assert_int_equal(x.job.v[1], y.job.v[1]);
    assert_int_equal(owner(f, x.job.v[0]), x.experiment);
    assert_int_equal(list_simple(f->s, y.experiment, START, r, 4), 0);
    begin(f->s);
    OK(store_cancel(f->s, "exp", &withdrawn, err));
    commit(f->s);
    assert_int_equal(withdrawn.len, 1);
    assert_int_equal(owner(f, x.job.v[0]), y.experiment);
    assert_int_equal(list_simple(f->s, y.experiment, START, r, 4), 2);
    assert_int_equal(list_simple(f->s, x.experiment, START, r, 4), 0);
    store_ids_release(&withdrawn);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

static void set(struct fixture *f, enum store_verb verb, const char *name, int32_t priority,
                struct store_changes *changed)
{
    struct store_control c = { .verb = verb, .experiment = name, .priority = priority };
    uint32_t jobs;

    begin(f->s);
    OK(store_control(f->s, &c, changed, &jobs, NULL, err));
    commit(f->s);
}

static void the_owner_is_who_wants_it_most(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 1 }, y = { .name = "more", .n = 1, .keys = "exp" };
    struct store_changes changed = { 0 };
    struct store_ready r[2];

    submit_simple(f->s, &x);
    submit_simple(f->s, &y);
    set(f, STORE_PRIORITY, "more", 5, &changed);
    assert_int_equal(owner(f, 1), y.experiment);
    assert_int_equal(changed.len, 1);
    assert_int_equal(changed.v[0].experiment, y.experiment);
    set(f, STORE_PRIORITY, "exp", 5, NULL); /* the oldest of two */
    assert_int_equal(owner(f, 1), x.experiment);
    set(f, STORE_PAUSE, "exp", 0, NULL);
    assert_int_equal(owner(f, 1), y.experiment);
    assert_int_equal(list_simple(f->s, y.experiment, START, r, 2), 1);
    set(f, STORE_PAUSE, "more", 0, NULL);
    assert_int_equal(list_simple(f->s, x.experiment, START, r, 2), 0);
    assert_int_equal(list_simple(f->s, 0, START, r, 2), 0);
    set(f, STORE_RESUME, "more", 0, NULL);
    assert_int_equal(owner(f, 1), y.experiment);
    set(f, STORE_PRIORITY, "more", -1000000, NULL);
    set(f, STORE_RESUME, "exp", 0, NULL);
    assert_int_equal(owner(f, 1), x.experiment);
    store_changes_release(&changed);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

static void active_experiments_are_those_with_work(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 1 }, y = { .name = "more", .n = 1, .keys = "exp" };
    struct store_ids active = { 0 };
    struct store_begun b = begun_of(1, 1, 1);

    submit_simple(f->s, &x);
    submit_simple(f->s, &y); /* owns nothing, but wants a job that is not done */
    OK(store_list_active(f->s, &active, err));
    assert_int_equal(active.len, 2);
    active.len = 0;
    begin(f->s);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    commit(f->s);
    OK(store_list_active(f->s, &active, err));
    assert_int_equal(active.len, 0);
    store_ids_release(&active);
    store_ids_release(&x.job);
    store_ids_release(&y.job);
}

int main(void)
{
#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_simple_job_needs_no_further_look),
        T(a_job_with_inputs_or_families_is_not_simple),
        T(pages_go_by_priority_then_age),
        T(a_shared_job_goes_over_when_its_owner_is_cancelled),
        T(the_owner_is_who_wants_it_most),
        T(active_experiments_are_those_with_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
