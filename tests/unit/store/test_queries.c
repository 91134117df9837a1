/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no statement of queries.sql walks over a whole table, unless it is on the list with a
 * reason; and people's SQL cannot write, run for ever, or return without end. Method: EXPLAIN QUERY
 * PLAN of every statement; store_query(). */
#include "tests/unit/store/small_plan.h"

#include "store/sqlite.h"
#include "store/stmt.h"

/* Statements that may scan, and what: small tables, or the whole is asked for. */
static const struct {
    enum stmt_id id;
    const char *what, *why;
} allowed[] = {
    { STMT_EXPERIMENTS, "SCAN experiment", "lists all; one row per recipe" },
    { STMT_ACTIVE, "SCAN experiment", "one row per recipe" },
    { STMT_CONTROL_ANY, "SCAN experiment", "one row per recipe" },
    { STMT_CONTROL_ANY, "SCAN job USING INDEX job_paused",
      "an index of the paused ones; the first is enough" },
    { STMT_CONTROL_REFRESH, "SCAN touched", "the jobs of one experiment" },
    { STMT_CONTROL_REFRESH, "SCAN want", "the jobs of one experiment" },
    { STMT_CONTROL_HAND_OVER, "SCAN touched", "the jobs of one experiment" },
    { STMT_CONTROL_HAND_OVER, "SCAN want", "the jobs of one experiment" },
    { STMT_PLAIN_CLAIMS, "SCAN plain_claim", "the claims of one group" },
    { STMT_PLAIN_ATTEMPTS, "SCAN plain_result", "the results of one group" },
    { STMT_PLAIN_JOBS, "SCAN plain_result", "the results of one group" },
    { STMT_PLAIN_RUNS, "SCAN plain_result", "the results of one group" },
    { STMT_CONTROL_REFRESH_JOB, "SCAN want", "one row" },
    { STMT_EXPERIMENT_LAST, "SCAN experiment", "one row per recipe" },
    { STMT_EXPERIMENT_NAMES, "SCAN experiment", "one row per recipe" },
    { STMT_STATUS_STEPS, "SCAN claimed", "the jobs of one experiment" },
    { STMT_REPORT_PARAM_SOME, "SCAN some", "200 runs" },
    { STMT_REPORT_NAMES, "SCAN sqlite_schema", "some forty names" },
    { STMT_REPORT_COLUMNS, "SCAN pragma_table_info", "the columns of one table" },
    { STMT_REPORT_EXPERIMENTS, "SCAN experiment", "one row per recipe" },
    { STMT_FAMILIES_READ, "SCAN run_family USING COVERING INDEX",
      "all families, once, when an older store is brought up to date" },
    { STMT_LABELS, "SCAN run_family", "one row per run and family; a listing for people" },
    { STMT_READY_ALL, "SCAN job USING INDEX job_ready", "an index of the READY ones only" },
    { STMT_ATTEMPTS_OPEN, "SCAN attempt USING INDEX attempt_open",
      "an index of the open ones only" },
    { STMT_BROWSE_GRID_RUNNING, "SCAN attempt USING INDEX attempt_open",
      "an index of the open ones only" },
    { STMT_BROWSE_GRID_TOTAL, "SCAN (subquery", "at most :exact rows of an index" },
    { STMT_SKIP_BEHIND, "SCAN behind", "what the recursion found so far" },
    { STMT_CHECKPOINT_GONE, "SCAN gone", "files that were replaced since the last commit" },
    { STMT_CHECKPOINTS_FAILED, "SCAN checkpoint", "one row per job that runs or failed; gc" },
    { STMT_CHECKPOINTS_FAILED_SIZE, "SCAN checkpoint", "one row per job that runs or failed; gc" },
    { STMT_PINS, "SCAN pin", "all of them, a handful" },
    { STMT_LEDGER_EXPERIMENTS, "SCAN experiment", "one row per recipe" },
    { STMT_BROWSE_WORKERS, "SCAN worker", "backwards, as many rows as it gives" },
    { STMT_BROWSE_EVENTS, "SCAN event", "backwards, as many rows as it gives" },
    { STMT_RUNS, "SCAN (subquery", "the parameters of one run, sorted" },
};

static bool may_scan(enum stmt_id id, const char *detail)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
        if (allowed[i].id == id && strncmp(detail, allowed[i].what, strlen(allowed[i].what)) == 0)
            return true;
    }
    return strcmp(detail, "SCAN CONSTANT ROW") == 0;
}

static void no_statement_scans_a_table(void **state)
{
    struct fixture *f = *state;
    struct sqlite3 *db;
    size_t plans = 0, scans = 0;

    OK(sqlite_connect(&db, f->path, CONNECT_READ, err));
    /* With them on, the plan also lists searches for orphans, which only run after a violation. */
    OK(sqlite_run(db, "PRAGMA foreign_keys = OFF", err));
    for (int id = 0; id < STMTS; id++) {
        struct buf sql = { 0 };
        struct stmt st;
        struct err err = { 0 };
        int rc;

        buf_printf(&sql, "EXPLAIN QUERY PLAN %s", stmt_sql((enum stmt_id)id));
        rc = stmt_prepare(&st, db, buf_str(&sql), NULL, &err);
        while (rc == 0 && (rc = stmt_step(&st, &err)) > 0) {
            const char *detail = stmt_col_text(&st, 3);

            rc = 0;
            plans++;
            if (strncmp(detail, "SCAN", 4) == 0 && !may_scan((enum stmt_id)id, detail))
                print_error("%s: %s\n", stmt_name((enum stmt_id)id), detail), scans++;
        }
        if (rc < 0)
            fail_msg("%s: %s", stmt_name((enum stmt_id)id), err.text);
        stmt_release(&st);
        buf_release(&sql);
    }
    assert_int_equal(scans, 0);
    assert_true(plans > STMTS / 2);
    sqlite_disconnect(db);
}

static int count_rows(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    (void)names;
    (void)columns;
    *(uint64_t *)arg += v != NULL;
    return 0;
}

static void query_gives_names_types_and_text(void **state)
{
    struct fixture *f = *state;
    struct store *r;
    char text[512];

    OK(store_open_read(&r, f->path, err));
    store_close(r);
    assert_int_equal(number(f->path, "SELECT 6 * 7"), 42);
    assert_string_equal(text_of(f->path, "SELECT 1.5", text), "1.5");
    assert_string_equal(text_of(f->path, "SELECT x'00ff'", text), "00ff");
    assert_string_equal(text_of(f->path, "SELECT NULL", text), "");
    assert_string_equal(
        text_of(f->path, "WITH t (a) AS (VALUES ('x'), ('y')) SELECT a FROM t;\n", text), "y");
}

static void query_refuses_to_write(void **state)
{
    static const char *const writes[] = {
        "DELETE FROM job",
        "INSERT INTO event (at_ms, incarnation, kind, text) VALUES (0, 0, 'x', 'y')",
        "UPDATE job SET state = 'DONE'",
        "CREATE TABLE x (a)",
        "DROP VIEW routing",
        "PRAGMA user_version = 9",
        "PRAGMA query_only = OFF",
        "ATTACH '/tmp/x.db' AS x",
        "VACUUM",
        "BEGIN",
        "REINDEX",
        "SELECT load_extension('x')",
    };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    for (size_t i = 0; i < ARRAY_LEN(writes); i++)
        FAILS(ERR_INVALID, "", store_query(r, writes[i], NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "only reading", store_query(r, writes[0], NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "one statement only",
          store_query(r, "SELECT 1; DELETE FROM job", NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "no SQL", store_query(r, "  ", NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "no such table",
          store_query(r, "SELECT * FROM nosuch", NULL, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    OK(store_query(r, "SELECT 1", NULL, count_rows, &rows, err));
    assert_int_equal(rows, 1);
    store_close(r);
}

#define ENDLESS "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "

static void query_that_runs_for_ever_is_stopped(void **state)
{
    struct store_query limits = { .time_ms = 50 };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_TIMEOUT, "longer than 50 ms",
          store_query(r, ENDLESS "count(*) FROM n", &limits, count_rows, &rows, err));
    OK(store_query(r, "SELECT 1", &limits, count_rows, &rows, err));
    store_close(r);
}

static void query_without_end_is_cut(void **state)
{
    struct store_query limits = { .rows_max = 1000 };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_LIMIT, "more than 1000 rows",
          store_query(r, ENDLESS "i FROM n", &limits, count_rows, &rows, err));
    assert_int_equal(rows, 1000);
    store_close(r);
}

static int stop_at_two(const char *const *names, const struct store_value *v, size_t columns,
                       void *arg)
{
    (void)names;
    (void)columns;
    *(uint64_t *)arg += v != NULL;
    return *(uint64_t *)arg == 2 ? 7 : 0;
}

static void callback_can_stop_a_query(void **state)
{
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    assert_int_equal(store_query(r, ENDLESS "i FROM n", NULL, stop_at_two, &rows, NULL), 7);
    assert_int_equal(rows, 2);
    store_close(r);
}

/* Questions to the views about one run, and those of docs/tables.md that need not read all rows: no
 * table that grows with the results is read whole. */
static void views_of_a_run_scan_no_big_table(void **state)
{
    static const char *const questions[] = {
        "SELECT * FROM accuracy WHERE run = 1",
        "SELECT * FROM metric_summary WHERE run = 1",
        "SELECT * FROM subset_accuracy WHERE run = 1",
        "SELECT * FROM routing WHERE run = 1 LIMIT 20",
        "SELECT * FROM curriculum WHERE run = 1 AND metric = 'loss'",
        "SELECT * FROM run_tally WHERE run = 1",
        "SELECT run, accuracy, seconds FROM run_summary WHERE experiment = 1 ORDER BY accuracy",
        "SELECT * FROM event WHERE kind = 'incident'",
    };
    static const char *const big[] = { "score",  "label",   "search_log", "metric_chunk",
                                       "series", "example", "event",      "attempt" };
    struct fixture *f = *state;
    struct sqlite3 *db;
    size_t plans = 0;

    OK(sqlite_connect(&db, f->path, CONNECT_READ, err));
    for (size_t q = 0; q < ARRAY_LEN(questions); q++) {
        char sql[256];
        struct stmt st;
        int rc;

        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", questions[q]);
        OK(stmt_prepare(&st, db, sql, NULL, err));
        while ((rc = stmt_step(&st, NULL)) > 0) {
            const char *detail = stmt_col_text(&st, 3);

            plans++;
            for (size_t i = 0; i < ARRAY_LEN(big); i++) {
                size_t len = strlen(big[i]);

                if (strncmp(detail, "SCAN ", 5) == 0 && strncmp(detail + 5, big[i], len) == 0 &&
                    (detail[5 + len] == ' ' || !detail[5 + len]))
                    fail_msg("%s: %s", questions[q], detail);
            }
        }
        assert_int_equal(rc, 0);
        stmt_release(&st);
    }
    assert_true(plans > 2 * ARRAY_LEN(questions));
    sqlite_disconnect(db);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_statement_scans_a_table),       T(query_gives_names_types_and_text),
        T(query_refuses_to_write),           T(query_that_runs_for_ever_is_stopped),
        T(views_of_a_run_scan_no_big_table), T(query_without_end_is_cut),
        T(callback_can_stop_a_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
