/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: people's SQL can read the store and nothing else, and cannot take the process with it.
 * Method: one hostile statement per fence, each with the word that its refusal must hold;
 * afterwards the connection answers as before. */
#include "tests/unit/store/fixture.h"

#define ENDLESS "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "

static int count_rows(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    (void)names;
    (void)columns;
    *(uint64_t *)arg += v != NULL;
    return 0;
}

static void refusals_name_what_they_refuse(void **state)
{
    static const struct {
        const char *sql, *why;
    } cases[] = {
        { "DELETE FROM job", "DELETE from job" },
        { "INSERT INTO meta VALUES ('x', 1)", "INSERT into" },
        { "REPLACE INTO meta VALUES ('x', 1)", "only reading" },
        { "UPDATE job SET state = 'DONE'", "UPDATE of job" },
        { "WITH x AS (SELECT 1) DELETE FROM job", "DELETE from job" },
        { "INSERT INTO meta VALUES ('x', 1) RETURNING value", "only reading" },
        { "CREATE TABLE x (a)", "only reading" },
        { "CREATE TEMP TABLE x (a)", "only reading" },
        { "CREATE TEMP VIEW x AS SELECT 1", "only reading" },
        { "CREATE VIRTUAL TABLE x USING fts5 (a)", "only reading" },
        { "DROP TABLE job", "only reading" },
        { "ALTER TABLE job RENAME TO x", "only reading" },
        { "ANALYZE", "only reading" },
        { "BEGIN", "transaction" },
        { "SAVEPOINT x", "transaction" },
        { "ATTACH '/tmp/x.db' AS x", "ATTACH" },
        { "DETACH main", "DETACH" },
        { "VACUUM INTO '/tmp/x.db'", "a statement that writes" },
        { "VACUUM", "a statement that writes" },
        { "UPDATE sqlite_schema SET sql = ''", "may not be modified" },
        { "DELETE FROM sqlite_schema", "sqlite_" },
        { "PRAGMA query_only = OFF", "PRAGMA query_only" },
        { "PRAGMA user_version = 9", "PRAGMA user_version" },
        { "PRAGMA writable_schema = ON", "PRAGMA writable_schema" },
        { "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode" },
        { "PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint" },
        { "PRAGMA temp_store_directory = '/tmp'", "PRAGMA temp_store_directory" },
        { "SELECT * FROM pragma_wal_checkpoint", "no such table" },
        { "SELECT * FROM pragma_journal_mode", "journal_mode" },
        { "SELECT load_extension('x')", "load_extension" },
        { "SELECT fts3_tokenizer('simple')", "fts3_tokenizer" },
        { "SELECT readfile('/etc/passwd')", "no such function: readfile" },
        { "SELECT writefile('/tmp/x', 'y')", "no such function: writefile" },
        { "SELECT edit('x')", "no such function: edit" },
    };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        FAILS(ERR_INVALID, cases[i].why,
              store_query(r, cases[i].sql, NULL, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    OK(store_query(r, "SELECT 1", NULL, count_rows, &rows, err));
    store_close(r);
}

static void one_statement_means_one(void **state)
{
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_INVALID, "one statement only",
          store_query(r, "SELECT 1; SELECT 2", NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "one statement only",
          store_query(r, "SELECT 1; rubbish", NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "no SQL", store_query(r, " -- nothing\n", NULL, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    OK(store_query(r, "SELECT 1; -- that is all\n ; /* yes */", NULL, count_rows, &rows, err));
    assert_int_equal(rows, 1);
    store_close(r);
}

static void the_schema_may_be_read(void **state)
{
    static const char *const allowed[] = {
        "SELECT name FROM sqlite_schema",
        "PRAGMA table_info(job)",
        "SELECT name FROM pragma_table_info('job')",
        "PRAGMA user_version",
        "EXPLAIN QUERY PLAN SELECT * FROM job",
        "VALUES (1), (2)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i "
        "FROM n",
        "SELECT value FROM json_each('[1, 2, 3]')",
        "SELECT row_number() OVER (ORDER BY id) FROM job UNION ALL SELECT 1",
    };
    struct fixture *f = *state;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        uint64_t rows = 0;

        OK(store_query(r, allowed[i], NULL, count_rows, &rows, err));
        assert_true(rows > 0);
    }
    store_close(r);
}

static void bombs_end_by_time(void **state)
{
    static const char *const bombs[] = {
        ENDLESS "max(i) FROM n",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
        "SELECT count(*) FROM n a, n b, n c",
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION SELECT abs(random()) FROM n) "
        "SELECT count(*) FROM n",
    };
    struct store_query limits = { .time_ms = 60 };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++)
        FAILS(ERR_TIMEOUT, "60 ms", store_query(r, bombs[i], &limits, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    store_close(r);
}

static void sizes_are_limited(void **state)
{
    CLEANUP(buf_release) struct buf deep = { 0 }, wide = { 0 }, lengthy = { 0 };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    buf_adds(&deep, "SELECT ");
    for (int i = 0; i < 1000; i++)
        buf_adds(&deep, "(1 + ");
    buf_adds(&deep, "1");
    for (int i = 0; i < 1000; i++)
        buf_adds(&deep, ")");
    for (int i = 0; i < 150; i++)
        buf_adds(&wide, i ? " UNION ALL SELECT 1" : "SELECT 1");
    buf_adds(&lengthy, "SELECT '");
    for (int i = 0; i < 20000; i++)
        buf_adds(&lengthy, "0123456789");
    buf_adds(&lengthy, "'");
    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_INVALID, "", store_query(r, buf_str(&deep), NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "too many terms",
          store_query(r, buf_str(&wide), NULL, count_rows, &rows, err));
    FAILS(ERR_LIMIT, "", store_query(r, buf_str(&lengthy), NULL, count_rows, &rows, err));
    FAILS(ERR_LIMIT, "",
          store_query(r, "SELECT length(zeroblob(1000000000))", NULL, count_rows, &rows, err));
    FAILS(ERR_LIMIT, "",
          store_query(r, "SELECT length(replace(hex(zeroblob(20000000)), '0', 'abcd'))", NULL,
                      count_rows, &rows, err));
    FAILS(ERR_INVALID, "pattern too complex",
          store_query(r, "SELECT 'a' LIKE hex(zeroblob(2000))", NULL, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    /* The limits are the query's, not the connection's. */
    OK(store_query(r, "SELECT 1", NULL, count_rows, &rows, err));
    store_close(r);
}

static void memory_is_limited(void **state)
{
    struct store_query limits = { .memory_max = 16 << 20, .time_ms = 600000 };
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_LIMIT, "16 MiB",
          store_query(r,
                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT "
                      "1000000) SELECT count(*) FROM n GROUP BY hex(randomblob(100))",
                      &limits, count_rows, &rows, err));
    FAILS(ERR_LIMIT, "16 MiB",
          store_query(r,
                      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT "
                      "10000000) SELECT median(i) FROM n",
                      &limits, count_rows, &rows, err));
    assert_int_equal(rows, 0);
    OK(store_query(r, "SELECT 1", &limits, count_rows, &rows, err));
    store_close(r);
}

static void a_misspelt_table_is_offered_the_nearest(void **state)
{
    struct fixture *f = *state;
    uint64_t rows = 0;
    struct store *r;

    OK(store_open_read(&r, f->path, err));
    FAILS(ERR_INVALID, "no such table: acuracy; did you mean accuracy?",
          store_query(r, "SELECT * FROM acuracy", NULL, count_rows, &rows, err));
    FAILS(ERR_INVALID, "no such table: zzzzzzzz",
          store_query(r, "SELECT * FROM zzzzzzzz", NULL, count_rows, &rows, err));
    store_close(r);
}

#define T(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(refusals_name_what_they_refuse),
        T(one_statement_means_one),
        T(the_schema_may_be_read),
        T(bombs_end_by_time),
        T(memory_is_limited),
        T(sizes_are_limited),
        T(a_misspelt_table_is_offered_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
