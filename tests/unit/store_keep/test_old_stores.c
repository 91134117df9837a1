/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a store of every schema version that ever landed, with rows in all its tables, comes up
 * with every row as it was, every sum made, and nothing that the doctor would find.
 * Method: a store of today with labels, scores' kin, metrics, outputs, blobs, a pin and a
 * checkpoint; its rows, as far as a version has the columns, put into a file that this version's
 * migrations made; that is opened, compared with the original table by table, and examined. */
#include "tests/unit/store_keep/keep_fixture.h"

#include "common/base/buf.h"
#include "store/keep/doctor.h"
#include "store/migrate.h"
#include "store/sql_migrations.h"

/* What has another form in some version, or is made anew from other rows. */
static const char *const apart[] = { "meta", "metric", "series", "metric_chunk", "shape", NULL };

static bool is_apart(const char *table)
{
    for (size_t i = 0; apart[i]; i++)
        if (strcmp(table, apart[i]) == 0)
            return true;
    return false;
}

/* FN for each row of SQL, with its first two columns as text. */
typedef void (*row_fn)(struct sqlite3 *db, const char *a, const char *b, void *arg);
static void each(struct sqlite3 *db, const char *sql, row_fn fn, void *arg)
{
    struct {
        char *a, *b;
    } row[256];
    struct stmt st;
    size_t n = 0;

    OK(stmt_prepare(&st, db, sql, NULL, err));
    while (stmt_step(&st, NULL) == 1) {
        assert_true(n < ARRAY_LEN(row));
        row[n].a = strdup(stmt_col_text(&st, 0));
        row[n++].b = strdup(stmt_col_text(&st, 1));
    }
    stmt_release(&st);
    for (size_t i = 0; i < n; i++) {
        fn(db, row[i].a, row[i].b, arg);
        free(row[i].a);
        free(row[i].b);
    }
}

static void add_column(struct sqlite3 *db, const char *name, const char *value, void *arg)
{
    struct buf *list = arg;

    (void)db;
    buf_printf(&list[0], "%s\"%s\"", list[0].len ? ", " : "", name);
    buf_printf(&list[1], "%s%s", list[1].len ? ", " : "", value);
}

/* Columns of TABLE that both have, and what they take from the store of today. */
static void columns_of(struct sqlite3 *db, const char *table, struct buf list[2])
{
    struct buf sql CLEANUP(buf_release) = { 0 };

    buf_printf(&sql,
               "SELECT o.name, CASE WHEN o.\"notnull\" AND o.type = 'TEXT' THEN 'coalesce(\"' || "
               "o.name || '\", '''')' ELSE '\"' || o.name || '\"' END FROM "
               "pragma_table_info('%s', 'main') AS o JOIN pragma_table_info('%s', 'new') AS n ON "
               "n.name = o.name AND o.name <> 'owner'", /* of what is DONE: of no meaning */
               table, table);
    each(db, buf_str(&sql), add_column, list);
}

static void take_table(struct sqlite3 *db, const char *table, const char *unused, void *arg)
{
    struct buf list[2] = { { 0 }, { 0 } };
    struct buf sql CLEANUP(buf_release) = { 0 };
    unsigned *tables = arg;

    (void)unused;
    if (is_apart(table))
        return;
    columns_of(db, table, list);
    if (list[0].len == 0) /* there is none of this name today: summary of schema 2 */
        return;
    buf_printf(&sql, "INSERT INTO main.%s (%s) SELECT %s FROM new.%s", table, buf_str(&list[0]),
               buf_str(&list[1]), table);
    OK(sqlite_run(db, buf_str(&sql), err));
    *tables += 1;
    buf_release(&list[0]);
    buf_release(&list[1]);
}

/* One that a version had not is empty in its store; what is made from others never is. */
static bool is_filled(struct sqlite3 *db, const char *table)
{
    char sql[100];
    int64_t n = 0;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM main.%s", table);
    OK(sqlite_number(db, sql, &n, err));
    return n > 0 || strcmp(table, "pin") != 0;
}

static void compare_table(struct sqlite3 *db, const char *table, const char *unused, void *arg)
{
    static const char *const ways[][2] = { { "main", "new" }, { "new", "main" } };
    struct buf list[2] = { { 0 }, { 0 } };
    unsigned *rows = arg;

    (void)unused;
    if (strcmp(table, "meta") == 0 || strcmp(table, "event") == 0 || strcmp(table, "shape") == 0 ||
        !is_filled(db, table))
        return;
    columns_of(db, table, list);
    for (int i = 0; i < 2; i++) {
        struct buf sql CLEANUP(buf_release) = { 0 };
        int64_t n = 0;

        buf_printf(&sql, "SELECT count(*) FROM (SELECT %s FROM %s.%s EXCEPT SELECT %s FROM %s.%s)",
                   buf_str(&list[1]), ways[i][0], table, buf_str(&list[1]), ways[i][1], table);
        OK(sqlite_number(db, buf_str(&sql), &n, err));
        if (n != 0)
            fail_msg("%lld rows of %s are in %s only", (long long)n, table, ways[i][0]);
    }
    *rows += 1;
    buf_release(&list[0]);
    buf_release(&list[1]);
}

static void drop_trigger(struct sqlite3 *db, const char *name, const char *text, void *arg)
{
    struct buf sql CLEANUP(buf_release) = { 0 };

    buf_printf((struct buf *)arg, "%s;\n", text);
    buf_printf(&sql, "DROP TRIGGER main.%s", name);
    OK(sqlite_run(db, buf_str(&sql), err));
}

static void attach(struct sqlite3 *db, const char *path)
{
    struct buf sql CLEANUP(buf_release) = { 0 };

    buf_printf(&sql, "PRAGMA foreign_keys = OFF; ATTACH '%s' AS new", path);
    OK(sqlite_run(db, buf_str(&sql), err));
}

static const char tables_sql[] = "SELECT name, name FROM main.sqlite_schema WHERE type = 'table' "
                                 "AND name NOT LIKE 'sqlite_%' ORDER BY name";

/* The rows of the store TODAY in a file of VERSION at PATH. */
static void make_old(const char *path, int version, const char *today)
{
    struct buf triggers CLEANUP(buf_release) = { 0 };
    struct sqlite3 *db;
    unsigned tables = 0;
    char sql[200];

    OK(sqlite_connect(&db, path, CONNECT_WRITE, err));
    for (int i = 0; i < version; i++)
        OK(sqlite_run(db, sql_migrations[i].text, err));
    attach(db, today);
    each(db, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger'", drop_trigger,
         &triggers);
    each(db, tables_sql, take_table, &tables);
    assert_true(tables >= 20);
    if (version < 3)
        OK(sqlite_run(db,
                      "INSERT INTO main.metric SELECT attempt.id, 'loss', step.column1, "
                      "step.column2 FROM new.attempt JOIN new.job ON job.id = attempt.job JOIN "
                      "(VALUES (1, 2.5), (2, 1.0 / 3)) AS step WHERE job.step = 'base'",
                      err));
    else
        OK(sqlite_run(db,
                      "INSERT INTO main.series SELECT * FROM new.series;"
                      "INSERT INTO main.metric_chunk SELECT * FROM new.metric_chunk",
                      err));
    OK(sqlite_run(db, buf_str(&triggers), err));
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, version);
    OK(sqlite_run(db, sql, err));
    sqlite_disconnect(db);
}

static void on_finding(const struct doctor_finding *f, void *arg)
{
    (void)arg;
    if (f->state == DOCTOR_BAD)
        fail_msg("%s: %s", f->check, f->text);
}

static void examine(const char *path, const char *today)
{
    enum doctor_state worst;
    struct sqlite3 *db;
    unsigned tables = 0;

    OK(store_doctor(path, true, on_finding, NULL, &worst, err));
    OK(sqlite_connect(&db, path, CONNECT_WRITE, err));
    attach(db, today);
    each(db, tables_sql, compare_table, &tables);
    assert_true(tables >= 30);
    sqlite_disconnect(db);
}

static void every_row_of_every_version_comes_along(void **state)
{
    struct fixture *f = *state;
    char today[128], folder[160], beside[160];

    fill_store(f->s, "exp", 50, 10);
    begin(f->s);
    OK(sqlite_run(f->s->db, "INSERT INTO pin (experiment, at_ms) VALUES (1, 5)", err));
    commit(f->s);
    store_close(f->s);
    f->s = NULL;
    snprintf(today, sizeof today, "%s", f->path);
    snprintf(folder, sizeof folder, "%s-blobs", today);
    for (int version = 1; version < migrate_latest(); version++) {
        struct store *s;
        char path[128];

        snprintf(path, sizeof path, "%s/v%d.db", f->dir, version);
        make_old(path, version, today);
        snprintf(beside, sizeof beside, "%s-blobs", path);
        assert_int_equal(symlink(folder, beside), 0);
        print_message("version %d\n", version);
        OK(store_open(&s, path, "", err));
        store_close(s);
        examine(path, today);
        OK(store_open(&s, path, "", err)); /* once more changes nothing */
        store_close(s);
        examine(path, today);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_of_every_version_comes_along, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
