/* SPDX-License-Identifier: Apache-2.0 */
/* copy.c - writes the SQL that copy_tables asks for, and runs it (copy.h).
 *
 * In it: "s" is the row of src, "d" the same row of main, "o" the row of the temp table that
 * selected it, "rN" the map of the N-th column's reference. temp.map_TABLE (old, new, known) holds
 * the selected rows of a table, their numbers in main, and whether main has them already. */
#include "store/keep/copy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/keep/copy_private.h"
#include "store/sqlite.h"
#include "store/stmt.h"

/* ---- columns ---- */

void copy_columns_parse(const struct copy_table *t, const char *text, struct copy_columns *ret)
{
    const char *at = text;

    *ret = (struct copy_columns){ .table = t };
    while (*at) {
        struct copy_column *c = &ret->c[ret->len++];
        size_t n = strcspn(at, " !*=>");

        assert(ret->len <= COPY_COLUMNS_MAX && n < sizeof c->name);
        memcpy(c->name, at, n);
        for (at += n; *at && *at != ' ' && *at != '>'; at++) {
            c->number = c->number || *at == '!';
            c->key = c->key || *at == '*';
            c->same = c->same || *at == '=';
        }
        if (*at == '>') {
            n = strcspn(++at, " ");
            assert(n < sizeof c->of);
            memcpy(c->of, at, n);
            at += n;
        }
        at += strspn(at, " ");
    }
}

/* The value of column I of row s in main's terms. */
void copy_add_value(const struct copy_columns *cs, size_t i, struct buf *sql)
{
    const char *table = cs->table->name, *name = cs->c[i].name;

    if (strcmp(table, "experiment") == 0 && strcmp(name, "name") == 0)
        buf_adds(sql, "(SELECT name FROM temp.naming)");
    else if (strcmp(table, "family") == 0 && strcmp(name, "complete") == 0)
        buf_adds(sql, "min(s.complete, (SELECT w.rows FROM temp.want_family AS w WHERE w.id = "
                      "s.id))");
    else if (strcmp(table, "attempt") == 0 && strcmp(name, "epoch") == 0)
        buf_printf(sql,
                   "s.epoch + CASE WHEN r%zu.known THEN (SELECT j.epoch FROM main.job AS j WHERE "
                   "j.id = r%zu.new) ELSE 0 END",
                   i - 1, i - 1); /* behind "job" */
    else if (cs->c[i].of[0])
        buf_printf(sql, "r%zu.new", i);
    else
        buf_printf(sql, "s.\"%s\"", name);
}

/* "FROM the selected rows and the maps of their references". */
void copy_add_from(const struct copy_columns *cs, struct buf *sql)
{
    const struct copy_table *t = cs->table;

    if (t->from)
        buf_printf(sql, " FROM %s", t->from);
    else
        buf_printf(sql, " FROM temp.map_%s AS o CROSS JOIN src.%s AS s ON s.id = o.old", t->name,
                   t->name);
    for (size_t i = 0; i < cs->len; i++) {
        if (cs->c[i].of[0])
            buf_printf(sql, " LEFT JOIN temp.map_%s AS r%zu ON r%zu.old = s.\"%s\"", cs->c[i].of, i,
                       i, cs->c[i].name);
    }
}

/* "d.a = s.a AND d.b = r1.new" over the key. */
void copy_add_key(const struct copy_columns *cs, struct buf *sql)
{
    const char *and = "";

    for (size_t i = 0; i < cs->len; i++) {
        if (!cs->c[i].key)
            continue;
        /* An event may have no attempt. Elsewhere "=", for which alone SQLite makes an index. */
        buf_printf(sql, "%sd.\"%s\" %s ", and, cs->c[i].name,
                   strcmp(cs->table->name, "event") == 0 && cs->c[i].of[0] ? "IS" : "=");
        copy_add_value(cs, i, sql);
        and = " AND ";
    }
}

/* Attempts have numbers that may be given out already (store_attempts_reserve). */
#define GIVEN_OUT "(SELECT value FROM main.meta WHERE name = 'attempt_reserved')"

static int is_empty(struct sqlite3 *db, const char *table, bool *ret, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    int64_t n = 0;
    int rc;

    buf_printf(&sql, "SELECT NOT EXISTS (SELECT 1 FROM main.%s)%s", table,
               strcmp(table, "attempt") == 0 ? " AND " GIVEN_OUT " = 0" : "");
    rc = sqlite_number(db, buf_str(&sql), &n, err);
    *ret = n != 0;
    return rc;
}

/* ---- numbers ---- */

/* The same job may have been executed in both stores: attempts are the same when job, worker and
 * start are, and among several of one instant by their order. */
static const char same_attempts[] =
    "WITH mine AS (SELECT id, job, worker, started_ms, row_number() OVER (PARTITION BY job, "
    "worker, started_ms ORDER BY epoch) AS nth FROM main.attempt WHERE job IN (SELECT new FROM "
    "temp.map_job WHERE known)), theirs AS (SELECT s.id, j.new AS job, w.new AS worker, "
    "s.started_ms, row_number() OVER (PARTITION BY s.job, s.worker, s.started_ms ORDER BY s.epoch) "
    "AS nth FROM temp.map_attempt AS o CROSS JOIN src.attempt AS s ON s.id = o.old JOIN "
    "temp.map_job AS j ON j.old = s.job AND j.known LEFT JOIN temp.map_worker AS w ON w.old = "
    "s.worker) "
    "INSERT OR REPLACE INTO temp.map_attempt SELECT theirs.id, mine.id, 1 FROM theirs JOIN mine ON "
    "mine.job = theirs.job AND mine.started_ms = theirs.started_ms AND mine.nth = theirs.nth AND "
    "mine.worker IS theirs.worker";

static int match(struct sqlite3 *db, const struct copy_columns *cs, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    const char *name = cs->table->name;

    if (strcmp(name, "attempt") == 0)
        return sqlite_run(db, same_attempts, err);
    buf_printf(&sql, "INSERT OR REPLACE INTO temp.map_%s SELECT o.old, d.id, 1", name);
    copy_add_from(cs, &sql);
    buf_printf(&sql, " JOIN main.%s AS d ON ", name);
    copy_add_key(cs, &sql);
    return sqlite_run(db, buf_str(&sql), err);
}

/* Find the selected rows in main; number those that are not there. */
static int number_rows(struct sqlite3 *db, const struct copy_table *t, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    struct copy_columns cs;
    bool empty;
    int rc = is_empty(db, t->name, &empty, err);

    if (rc < 0)
        return rc;
    copy_columns_parse(t, t->columns, &cs);
    if (empty) {
        buf_printf(&sql, "UPDATE temp.map_%s SET new = old", t->name);
        return sqlite_run(db, buf_str(&sql), err);
    }
    rc = match(db, &cs, err);
    buf_printf(&sql,
               "INSERT OR REPLACE INTO temp.map_%s SELECT old, max(coalesce((SELECT max(id) FROM "
               "main.%s), 0), %s) + row_number() OVER (ORDER BY old), 0 FROM temp.map_%s WHERE "
               "NOT known",
               t->name, t->name, strcmp(t->name, "attempt") == 0 ? GIVEN_OUT : "0", t->name);
    return rc < 0 ? rc : sqlite_run(db, buf_str(&sql), err);
}

/* ---- selecting ---- */

#define NEEDED                                                                                     \
    "UNION SELECT n.need FROM j JOIN src.job_need AS n ON n.job = j.id "                           \
    "UNION SELECT i.producer FROM j JOIN src.job_input AS i ON i.job = j.id AND i.producer IS "    \
    "NOT "                                                                                         \
    "NULL) INSERT OR IGNORE INTO temp.map_job (old) SELECT id FROM j"

static const char *const selecting[] = {
    "INSERT INTO temp.map_revision (old) SELECT id FROM src.revision WHERE experiment = (SELECT "
    "old FROM temp.map_experiment)",
    "INSERT INTO temp.map_run (old) SELECT id FROM src.run WHERE experiment = (SELECT old FROM "
    "temp.map_experiment)",
    "WITH RECURSIVE j (id) AS (SELECT c.job FROM temp.map_run AS r CROSS JOIN src.run_job AS c ON "
    "c.run = r.old " NEEDED,
    /* How many rows of each family belong to it. */
    "INSERT INTO temp.want_family SELECT family, max(n) FROM (SELECT f.family, f.examples AS n "
    "FROM temp.map_run AS r CROSS JOIN src.run_family AS f ON f.run = r.old UNION ALL SELECT "
    "f.family, CASE WHEN f.examples > 0 THEN f.examples WHEN j.range_end > 0 THEN j.range_end ELSE "
    "9223372036854775807 END FROM temp.map_job AS o CROSS JOIN src.job_family AS f ON f.job = "
    "o.old JOIN src.job AS j ON j.id = f.job) GROUP BY family",
    "INSERT INTO temp.map_label (old) SELECT s.id FROM temp.want_family AS w CROSS JOIN src.label "
    "AS s ON s.family = w.id AND s.idx < w.rows",
    /* Rows that another experiment's jobs left behind bring those jobs. */
    "WITH RECURSIVE j (id) AS (SELECT a.job FROM (SELECT l.attempt FROM temp.map_label AS o CROSS "
    "JOIN src.label AS l ON l.id = o.old UNION SELECT s.attempt FROM temp.want_family AS w CROSS "
    "JOIN src.score AS s ON s.family = w.id AND s.idx < w.rows) AS x JOIN src.attempt AS a ON "
    "a.id = x.attempt " NEEDED,
    "INSERT OR IGNORE INTO temp.want_family SELECT DISTINCT f.family, 0 FROM temp.map_job AS o "
    "CROSS JOIN src.job_family AS f ON f.job = o.old",
    "INSERT INTO temp.map_family (old) SELECT id FROM temp.want_family",
    "INSERT INTO temp.map_attempt (old) SELECT a.id FROM temp.map_job AS o CROSS JOIN src.attempt "
    "AS a ON a.job = o.old",
    "INSERT INTO temp.map_series (old) SELECT a.id FROM temp.map_attempt AS o CROSS JOIN "
    "src.series AS a ON a.attempt = o.old",
    "INSERT INTO temp.map_worker (old) SELECT DISTINCT a.worker FROM temp.map_attempt AS o CROSS "
    "JOIN src.attempt AS a ON a.id = o.old WHERE a.worker IS NOT NULL",
    "INSERT INTO temp.map_example (old) SELECT l.example FROM temp.map_label AS o CROSS JOIN "
    "src.label AS l ON l.id = o.old UNION SELECT s.example FROM temp.want_family AS w CROSS JOIN "
    "src.score AS s ON s.family = w.id AND s.idx < w.rows",
    "INSERT INTO temp.map_blob (old) SELECT i.blob FROM temp.map_job AS o CROSS JOIN src.job_input "
    "AS i ON i.job = o.old WHERE i.blob IS NOT NULL UNION SELECT x.blob FROM temp.map_job AS o "
    "CROSS JOIN src.job_output AS x ON x.job = o.old",
};

bool copy_is_mapped(const struct copy_table *t)
{
    return t->from == NULL;
}

/* Attempts that are over when they come belong to run_summary, as those that end here. */
#define SUM_ATTEMPTS                                                                               \
    "CREATE TEMP TRIGGER sum_attempts AFTER INSERT ON main.attempt WHEN NEW.ended_ms IS NOT NULL " \
    "BEGIN UPDATE run_summary SET first_ms = min(coalesce(first_ms, NEW.started_ms), "             \
    "NEW.started_ms), last_ms = max(coalesce(last_ms, NEW.ended_ms), NEW.ended_ms) "               \
    "WHERE run IN (SELECT run FROM run_job WHERE job = NEW.job); END;"

static int make_maps(struct sqlite3 *db, struct err *err)
{
    int rc = sqlite_run(db,
                        "CREATE TEMP TABLE naming (name TEXT NOT NULL);"
                        "CREATE TEMP TABLE want_family (id INTEGER PRIMARY KEY, rows INTEGER NOT "
                        "NULL);" SUM_ATTEMPTS,
                        err);

    for (size_t i = 0; rc == 0 && i < copy_tables_len; i++) {
        char sql[200];

        if (!copy_is_mapped(&copy_tables[i]))
            continue;
        snprintf(sql, sizeof sql,
                 "CREATE TEMP TABLE map_%s (old INTEGER PRIMARY KEY, new INTEGER, known INTEGER "
                 "NOT NULL DEFAULT 0)",
                 copy_tables[i].name);
        rc = sqlite_run(db, sql, err);
    }
    return rc;
}

void copy_release(struct sqlite3 *db)
{
    char sql[100];

    for (size_t i = 0; i < copy_tables_len; i++) {
        if (!copy_is_mapped(&copy_tables[i]))
            continue;
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS temp.map_%s", copy_tables[i].name);
        (void)!sqlite_run(db, sql, NULL); /* a temp table: at worst it stays */
    }
    (void)!sqlite_run(db,
                      "DROP TRIGGER IF EXISTS temp.sum_attempts; DROP TABLE IF EXISTS temp.naming;"
                      "DROP TABLE IF EXISTS temp.want_family",
                      NULL);
}

static int select_experiment(struct sqlite3 *db, const char *name, const char *as, struct err *err)
{
    struct stmt st = { 0 };
    int64_t found = 0;
    int rc = stmt_prepare(&st, db,
                          "INSERT INTO temp.map_experiment (old) SELECT id FROM src.experiment "
                          "WHERE name = :name RETURNING old",
                          NULL, err);

    if (rc == 0) {
        stmt_text(&st, ":name", name);
        rc = stmt_get(&st, &found, err);
    }
    stmt_release(&st);
    if (rc == ERR_NOT_FOUND)
        return err_set(err, rc, "no experiment \"%s\"", name);
    if (rc == 0)
        rc = stmt_prepare(&st, db, "INSERT INTO temp.naming VALUES (:name)", NULL, err);
    if (rc == 0) {
        stmt_text(&st, ":name", as ? as : name);
        rc = stmt_run(&st, err);
        stmt_release(&st);
    }
    return rc;
}

int copy_select(struct sqlite3 *db, const char *name, const char *as, struct err *err)
{
    int rc = make_maps(db, err);

    if (rc == 0)
        rc = select_experiment(db, name, as, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(selecting); i++)
        rc = sqlite_run(db, selecting[i], err);
    for (size_t i = 0; rc == 0 && i < copy_tables_len; i++) {
        if (copy_is_mapped(&copy_tables[i]))
            rc = number_rows(db, &copy_tables[i], err);
    }
    return rc;
}

/* ---- inserting ---- */

static void insert_sql(const struct copy_columns *cs, bool empty, struct buf *sql)
{
    const struct copy_table *t = cs->table;
    const char *comma = "", *with = NULL;

    buf_printf(sql, "INSERT INTO main.%s (", t->name);
    for (size_t i = 0; i < cs->len; i++, comma = ", ")
        buf_printf(sql, "%s\"%s\"", comma, cs->c[i].name);
    buf_adds(sql, ") SELECT ");
    comma = "";
    for (size_t i = 0; i < cs->len; i++, comma = ", ") {
        buf_adds(sql, comma);
        if (!cs->c[i].number)
            copy_add_value(cs, i, sql);
        else
            buf_adds(sql, copy_is_mapped(t) ? "o.new" : empty ? "s.id" : "NULL");
    }
    copy_add_from(cs, sql);
    with = t->with;
    if (copy_is_mapped(t)) {
        buf_adds(sql, " WHERE NOT o.known ORDER BY o.old");
    } else if (with) { /* its map is that which selected the row */
        buf_adds(sql, " WHERE NOT o.known");
    } else if (!empty) {
        buf_printf(sql, " LEFT JOIN main.%s AS d ON ", t->name);
        copy_add_key(cs, sql);
        for (size_t i = 0; i < cs->len; i++) {
            if (cs->c[i].key) {
                buf_printf(sql, " WHERE d.\"%s\" IS NULL", cs->c[i].name);
                break;
            }
        }
    }
}

static int insert_rows(struct sqlite3 *db, const struct copy_table *t, uint64_t *ret,
                       struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    struct copy_columns cs;
    int64_t n = 0;
    bool empty;
    int rc = is_empty(db, t->name, &empty, err);

    if (rc < 0)
        return rc;
    copy_columns_parse(t, t->columns, &cs);
    insert_sql(&cs, empty, &sql);
    rc = sqlite_run(db, buf_str(&sql), err);
    if (rc == 0)
        rc = sqlite_number(db, "SELECT changes()", &n, err);
    *ret += (uint64_t)n;
    return rc < 0 ? err_wrap(err, rc, "copy table %s", t->name) : 0;
}

int copy_insert(struct sqlite3 *db, uint64_t *ret, struct err *err)
{
    int rc = sqlite_run(db, "PRAGMA defer_foreign_keys = ON", err);

    *ret = 0;
    for (size_t i = 0; rc == 0 && i < copy_tables_len; i++)
        rc = insert_rows(db, &copy_tables[i], ret, err);
    return rc;
}
