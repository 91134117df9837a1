/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a store of every schema version that ever landed opens with all its rows, keeps every rule
 * of the schema, and goes on: what was ready is listed for its owner, results come in, attempts go
 * on counting.
 * Method: for each version a file made by its own migrations, with rows as that version wrote them;
 * opened, compared, worked on. */
#include "store/migrate.h"
#include "store/sql_migrations.h"
#include "store/sqlite.h"
#include "store/stmt.h"
#include "tests/unit/store/simple_jobs.h"

/* Jobs 1 (done) -> 2 (waits for 1 no more, ready), 3 -> 4 (waits for 3), 5 (failed), 6 (wanted by
 * both experiments), in the columns that every version has. */
static const char rows[] =
    "UPDATE meta SET value = 3 WHERE name = 'incarnation';"
    "INSERT INTO experiment (id, name, submitted_ms) VALUES (1, 'old', 5), (2, 'new', 6);"
    "INSERT INTO revision (id, experiment, number, digest, recipe, path, submitted_ms) VALUES"
    " (1, 1, 1, zeroblob(32), 'r', 'p', 5), (2, 2, 1, zeroblob(32), 'r', 'p', 6);"
    "UPDATE experiment SET revision = id;"
    "INSERT INTO run (id, experiment, digest, seed, revision) VALUES (1, 1, zeroblob(32), 1, 1),"
    " (2, 2, zeroblob(32), 1, 2);"
    "INSERT INTO job (id, key, kind, kind_version, class, step, state, waiting, priority, seed,"
    " range_begin, range_end, retries, params, params_text, submitted_ms) VALUES"
    " (1, x'0100000000000000000000000000000000000000000000000000000000000000', 'pretrain', 1, 'c',"
    "  'base', 'READY', 0, 0, 1, 0, 0, 2, x'61', 'steps = 1', 5),"
    " (2, x'0200000000000000000000000000000000000000000000000000000000000000', 'router', 1, 'c',"
    "  'router', 'READY', 0, 0, 1, 0, 0, 2, x'62', 'steps = 2', 5),"
    " (3, x'0300000000000000000000000000000000000000000000000000000000000000', 'pretrain', 1, 'c',"
    "  'base', 'READY', 0, 0, 1, 0, 0, 2, x'63', '', 5),"
    " (4, x'0400000000000000000000000000000000000000000000000000000000000000', 'router', 1, 'c',"
    "  'router', 'WAITING', 1, 0, 1, 0, 0, 2, x'64', '', 5),"
    " (5, x'0500000000000000000000000000000000000000000000000000000000000000', 'noop', 1, 'c',"
    "  'work', 'FAILED', 0, 0, 1, 0, 0, 0, x'65', '', 5),"
    " (6, x'0600000000000000000000000000000000000000000000000000000000000000', 'noop', 1, 'c',"
    "  'work', 'READY', 0, 0, 1, 0, 0, 2, x'66', '', 5);"
    "INSERT INTO job_need (job, need) VALUES (2, 1), (4, 3);"
    "INSERT INTO job_input (job, place, name, source, producer, output) VALUES"
    " (2, 0, 'model', 'OUTPUT', 1, 'model'), (4, 0, 'model', 'OUTPUT', 3, 'model');"
    "INSERT INTO blob (id, digest, size) VALUES (1, zeroblob(32), 5);"
    "INSERT INTO job_output (job, name, blob) VALUES (1, 'model', 1);"
    "INSERT INTO run_job (run, job, step, live) VALUES (1, 1, 'base', 1), (1, 2, 'router', 1),"
    " (1, 3, 'base', 1), (1, 4, 'router', 1), (1, 5, 'work', 1), (1, 6, 'work', 1),"
    " (2, 6, 'work', 1);"
    "INSERT INTO worker (id, uid, name, host, pid, version, classes, slots, threads, first_ms,"
    " last_ms) VALUES (1, zeroblob(16), 'w', 'h', 1, '0', 'c', 1, 1, 1, 2);"
    "INSERT INTO attempt (id, job, epoch, worker, incarnation, outcome, started_ms, ended_ms,"
    " wall_ms, cpu_ms) VALUES (7, 1, 1, 1, 3, 'DONE', 10, 20, 10, 9),"
    " (8, 5, 1, 1, 3, 'FAILED', 11, 21, 10, 9), (9, 3, 1, 1, 3, 'RUNNING', 12, NULL, NULL, NULL);"
    "UPDATE job SET state = 'DONE', attempt = 7, epoch = 1 WHERE id = 1;"
    "UPDATE job SET epoch = 1 WHERE id IN (3, 5);"
    "INSERT INTO event (at_ms, incarnation, kind, job, attempt, text) VALUES (20, 3, 'FAILED', 5, "
    "8, '');";

static void make(struct fixture *f, int version)
{
    struct sqlite3 *db;
    char sql[120];

    OK(sqlite_connect(&db, f->path, CONNECT_WRITE, err));
    for (int i = 0; i < version; i++)
        OK(sqlite_run(db, sql_migrations[i].text, err));
    OK(sqlite_run(db, rows, err));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, version);
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
}

static void check_rules(const char *path)
{
    struct sqlite3 *db;
    struct stmt st;

    OK(sqlite_connect(&db, path, CONNECT_READ, err));
    OK(stmt_prepare(&st, db, "PRAGMA integrity_check", NULL, err));
    assert_int_equal(stmt_step(&st, NULL), 1);
    assert_string_equal(stmt_col_text(&st, 0), "ok");
    stmt_release(&st);
    OK(stmt_prepare(&st, db, "PRAGMA foreign_key_check", NULL, err));
    assert_int_equal(stmt_step(&st, NULL), 0);
    stmt_release(&st);
    sqlite_disconnect(db);
}

static void check_rows(const struct fixture *f)
{
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE owner = 1"), 4);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE owner IS NULL"), 2);
    assert_int_equal(number(f->path, "SELECT sum(id) FROM job WHERE parts = 1"), 2 + 4);
    assert_int_equal(number(f->path, "SELECT sum(id) FROM job WHERE needed = 1"), 1 + 3);
    assert_int_equal(number(f->path, "SELECT sum(epoch) FROM job"), 3);
    assert_int_equal(number(f->path, "SELECT count(*) FROM job WHERE length(params) = 1"), 6);
    assert_int_equal(number(f->path, "SELECT count(*) FROM attempt WHERE id IN (7, 8, 9)"), 3);
    assert_int_equal(number(f->path, "SELECT jobs * 1000 + ready * 100 + done * 10 + failed FROM "
                                     "run_summary WHERE run = 1"),
                     6311);
    assert_int_equal(number(f->path, "SELECT wall_ms FROM run_summary WHERE run = 1"), 10);
}

static void work_goes_on(struct fixture *f)
{
    struct store_ready r[8];
    struct store_begun b;
    struct store_attempt *open;
    uint64_t next = 0;
    size_t n;

    OK(store_list_open(f->s, &open, &n, err));
    assert_int_equal(n, 1);
    assert_int_equal(open[0].attempt, 9);
    free(open);
    assert_int_equal(list_simple(f->s, 1, START, r, 8), 3);
    assert_false(r[0].simple);
    assert_true(r[1].simple);
    assert_int_equal(r[1].epoch, 1);
    assert_int_equal(list_simple(f->s, 2, START, r, 8), 0);
    OK(store_attempts_next(f->s, &next, err));
    assert_int_equal(next, 10);
    b = begun_of(next, 6, 1);
    begin(f->s);
    assert_int_equal(done_simple(f->s, &b, NULL), STORE_STORED);
    b = begun_of(next + 1, 3, 2); /* job 4 waits for it, and gets READY by it */
    struct store_ids ready = { 0 };
    assert_int_equal(done_simple(f->s, &b, &ready), STORE_STORED);
    commit(f->s);
    assert_int_equal(ready.len, 1);
    assert_int_equal(ready.v[0], 4);
    store_ids_release(&ready);
    assert_int_equal(number(f->path, "SELECT done FROM run_summary WHERE run = 1"), 3);
    assert_int_equal(number(f->path, "SELECT done FROM run_summary WHERE run = 2"), 1);
}

static void a_store_of_every_version_opens_and_goes_on(void **state)
{
    (void)state;
    for (int version = 1; version <= migrate_latest(); version++) {
        struct fixture f;

        scratch(&f);
        make(&f, version);
        OK(store_open(&f.s, f.path, "", err));
        check_rules(f.path);
        if (version < 9) /* rows that are written straight into a newer one have no owner yet */
            check_rows(&f);
        if (version < 9)
            work_goes_on(&f);
        check_rules(f.path);
        store_close(f.s);
        remove_tree(f.dir);
    }
}

static void the_rules_of_states_and_outcomes_hold_as_before(void **state)
{
    struct fixture *f = *state;
    struct simple x = { .name = "exp", .n = 1 };
    struct sqlite3 *db;

    submit_simple(f->s, &x);
    OK(sqlite_connect(&db, f->path, CONNECT_WRITE, err));
    FAILS(ERR_INVALID, "CHECK", sqlite_run(db, "UPDATE job SET state = 'LOST'", err));
    FAILS(ERR_INVALID, "CHECK", sqlite_run(db, "UPDATE job SET diverged = 2", err));
    FAILS(ERR_INVALID, "CHECK",
          sqlite_run(db,
                     "INSERT INTO attempt (job, epoch, incarnation, outcome, started_ms) VALUES "
                     "(1, 1, 1, 'READY', 1)",
                     err));
    OK(sqlite_run(db, "UPDATE job SET state = 'SKIPPED'", err));
    sqlite_disconnect(db);
    store_ids_release(&x.job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_of_every_version_opens_and_goes_on),
        cmocka_unit_test_setup_teardown(the_rules_of_states_and_outcomes_hold_as_before, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
