/* SPDX-License-Identifier: Apache-2.0 */
/* copy_check.c - what stands against a copy, the digest of a whole database, attaching (copy.h). */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "store/keep/copy_private.h"
#include "store/sqlite.h"
#include "store/stmt.h"

/* ---- clashes ---- */

/* Column C of row ROW of DATABASE as text. */
static void add_shown(const struct copy_column *c, const char *database, char row, struct buf *sql)
{
    if (strcmp(c->of, "blob") == 0)
        buf_printf(sql, "(SELECT lower(hex(b.digest)) FROM %s.blob AS b WHERE b.id = %c.\"%s\")",
                   database, row, c->name);
    else if (strcmp(c->of, "example") == 0)
        buf_printf(sql,
                   "(SELECT printf('%%016x', e.number) FROM %s.example AS e WHERE e.id = "
                   "%c.\"%s\")",
                   database, row, c->name);
    else
        buf_printf(sql,
                   "CASE typeof(%c.\"%s\") WHEN 'blob' THEN lower(hex(%c.\"%s\")) WHEN 'null' THEN "
                   "'NULL' ELSE CAST(%c.\"%s\" AS TEXT) END",
                   row, c->name, row, c->name, row, c->name);
}

/* "CASE WHEN s.a IS NOT d.a THEN <what> WHEN ... END" over the columns that must be equal. */
static void add_case(const struct copy_columns *cs, const char *database, char row, struct buf *sql)
{
    buf_adds(sql, ", CASE");
    for (size_t i = 0; i < cs->len; i++) {
        if (!cs->c[i].same)
            continue;
        buf_printf(sql, " WHEN d.\"%s\" IS NOT ", cs->c[i].name);
        copy_add_value(cs, i, sql);
        buf_adds(sql, " THEN ");
        if (database)
            add_shown(&cs->c[i], database, row, sql);
        else
            buf_printf(sql, "'%s'", cs->c[i].name);
    }
    buf_adds(sql, " END");
}

/* Rows that both have and that differ. False: nothing of the table has to be equal. */
static bool same_sql(const struct copy_columns *cs, struct buf *sql)
{
    const char * or = "";

    for (size_t i = 0; i < cs->len; i++) {
        if (cs->c[i].same)
            or = " WHERE ";
    }
    if (! or [0] || !cs->table->says)
        return false;
    buf_printf(sql, "SELECT %s", cs->table->says);
    add_case(cs, NULL, 's', sql);
    add_case(cs, "main", 'd', sql);
    add_case(cs, "src", 's', sql);
    copy_add_from(cs, sql);
    buf_printf(sql, " JOIN main.%s AS d ON ", cs->table->name);
    copy_add_key(cs, sql);
    for (size_t i = 0; i < cs->len; i++) {
        if (!cs->c[i].same)
            continue;
        buf_printf(sql, "%sd.\"%s\" IS NOT ", or, cs->c[i].name);
        copy_add_value(cs, i, sql);
        or = " OR ";
    }
    return true;
}

/* Rows whose second unique key another row of main has. */
static bool unique_sql(const struct copy_columns *cs, struct buf *sql)
{
    struct copy_columns u;
    const struct copy_column *shown = NULL;
    const char * or = " WHERE ";

    if (!cs->table->unique || !cs->table->says)
        return false;
    copy_columns_parse(cs->table, cs->table->unique, &u);
    for (size_t i = 0; i < cs->len; i++) {
        if (cs->c[i].key)
            shown = &cs->c[i]; /* the last one says most */
    }
    buf_printf(sql, "SELECT %s, '%s', ", cs->table->says, shown->name);
    add_shown(shown, "main", 'd', sql);
    buf_adds(sql, ", ");
    add_shown(shown, "src", 's', sql);
    copy_add_from(cs, sql);
    buf_printf(sql, " JOIN main.%s AS d ON ", cs->table->name);
    for (size_t i = 0; i < u.len; i++) {
        buf_printf(sql, "%sd.\"%s\" = ", i ? " AND " : "", u.c[i].name);
        for (size_t k = 0; k < cs->len; k++) {
            if (strcmp(cs->c[k].name, u.c[i].name) == 0)
                copy_add_value(cs, k, sql);
        }
    }
    for (size_t i = 0; i < cs->len; i++) {
        if (!cs->c[i].key)
            continue;
        buf_printf(sql, "%sd.\"%s\" IS NOT ", or, cs->c[i].name);
        copy_add_value(cs, i, sql);
        or = " OR ";
    }
    return true;
}

/* Jobs done in both stores with another kind of end. */
static const char ends[] =
    "SELECT 'job ' || substr(lower(hex(s.key)), 1, 16) || ' (' || s.kind || ', step ' || s.step || "
    "')', CASE WHEN s.diverged <> d.diverged THEN 'diverged' ELSE 'number of outputs' END, "
    "CASE WHEN s.diverged <> d.diverged THEN d.diverged ELSE (SELECT count(*) FROM main.job_output "
    "AS x WHERE x.job = d.id) END, "
    "CASE WHEN s.diverged <> d.diverged THEN s.diverged ELSE (SELECT count(*) FROM src.job_output "
    "AS x WHERE x.job = s.id) END "
    "FROM temp.map_job AS o CROSS JOIN src.job AS s ON s.id = o.old JOIN main.job AS d ON d.id = "
    "o.new WHERE o.known AND s.state = 'DONE' AND d.state = 'DONE' AND (s.diverged <> d.diverged "
    "OR (SELECT count(*) FROM main.job_output AS x WHERE x.job = d.id) <> (SELECT count(*) FROM "
    "src.job_output AS x WHERE x.job = s.id))";

static int tell(struct sqlite3 *db, const char *sql, copy_clash_fn fn, void *arg, uint64_t *ret,
                struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, db, sql, NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        struct copy_clash c = { stmt_col_text(&st, 0), stmt_col_text(&st, 1), stmt_col_text(&st, 2),
                                stmt_col_text(&st, 3) };

        fn(&c, arg);
        (*ret)++;
        rc = 0;
    }
    stmt_release(&st);
    return rc;
}

int copy_clashes(struct sqlite3 *db, copy_clash_fn fn, void *arg, uint64_t *ret, struct err *err)
{
    int rc = 0;

    *ret = 0;
    for (size_t i = 0; rc == 0 && i < copy_tables_len; i++) {
        CLEANUP(buf_release) struct buf same = { 0 };
        CLEANUP(buf_release) struct buf unique = { 0 };
        struct copy_columns cs;

        copy_columns_parse(&copy_tables[i], copy_tables[i].columns, &cs);
        if (same_sql(&cs, &same))
            rc = tell(db, buf_str(&same), fn, arg, ret, err);
        if (rc == 0 && unique_sql(&cs, &unique))
            rc = tell(db, buf_str(&unique), fn, arg, ret, err);
        if (rc < 0)
            rc = err_wrap(err, rc, "compare table %s", copy_tables[i].name);
    }
    return rc == 0 ? tell(db, ends, fn, arg, ret, err) : rc;
}

/* ---- digests ---- */

static void digest_row(const struct stmt *st, int columns, struct digester *d)
{
    for (int i = 0; i < columns; i++) {
        int type = stmt_type(st, i);
        double real;
        uint64_t bits;
        const void *bytes;
        size_t len;

        digest_add_u64(d, (uint64_t)type);
        switch (type) {
        case SQLITE_INTEGER:
            digest_add_i64(d, stmt_col(st, i));
            break;
        case SQLITE_FLOAT:
            real = stmt_col_real(st, i);
            memcpy(&bits, &real, sizeof bits);
            digest_add_u64(d, bits);
            break;
        case SQLITE_NULL:
            break;
        default: /* text and blobs */
            bytes = stmt_col_bytes(st, i, &len);
            digest_add_bytes(d, bytes ? bytes : "", len);
            break;
        }
    }
}

static int digest_table(struct sqlite3 *db, const char *database, const char *table,
                        struct digester *d, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    struct stmt st = { 0 };
    const char *comma = " ORDER BY ";
    int rc;

    digest_add_text(d, table);
    buf_printf(&sql, "SELECT name FROM pragma_table_info('%s', '%s') WHERE pk > 0 ORDER BY pk",
               table, database);
    rc = stmt_prepare(&st, db, buf_str(&sql), NULL, err);
    buf_clear(&sql);
    buf_printf(&sql, "SELECT * FROM %s.\"%s\"", database, table);
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        buf_printf(&sql, "%s\"%s\"", comma, stmt_col_text(&st, 0));
        comma = ", ";
        rc = 0;
    }
    stmt_release(&st);
    if (rc == 0)
        rc = stmt_prepare(&st, db, buf_str(&sql), NULL, err);
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        digest_row(&st, stmt_columns(&st), d);
        rc = 0;
    }
    stmt_release(&st);
    return rc;
}

static bool among(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

int copy_digest(struct sqlite3 *db, const char *database, const char *const *skip,
                struct digest *ret, struct err *err)
{
    struct stmt st = { 0 };
    struct digester d;
    char sql[200];
    int rc;

    snprintf(sql, sizeof sql,
             "SELECT name FROM %s.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%%' "
             "ORDER BY name",
             database);
    digest_begin(&d);
    rc = stmt_prepare(&st, db, sql, NULL, err);
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        rc = 0;
        if (!among(skip, stmt_col_text(&st, 0)) && !strchr(stmt_col_text(&st, 0), '\''))
            rc = digest_table(db, database, stmt_col_text(&st, 0), &d, err);
    }
    stmt_release(&st);
    *ret = digest_end(&d);
    return rc;
}

/* ---- attaching ---- */

static int attach(struct sqlite3 *db, const char *path, const char *query, struct err *err)
{
    CLEANUP(buf_release) struct buf uri = { 0 };
    struct stmt st = { 0 };
    int64_t n;
    int rc = stmt_prepare(&st, db, "ATTACH :uri AS src", NULL, err);

    sqlite_uri(path, query, &uri);
    if (rc == 0) {
        stmt_text(&st, ":uri", buf_str(&uri));
        rc = stmt_run(&st, err);
    }
    stmt_release(&st);
    if (rc < 0)
        return rc;
    rc = sqlite_number(db, "SELECT count(*) FROM src.sqlite_schema", &n, err);
    if (rc < 0)
        copy_detach(db);
    return rc;
}

int copy_attach(struct sqlite3 *db, const char *path, struct err *err)
{
    int rc = attach(db, path, "?mode=ro", err);

    /* In a folder that we may not write, a file in WAL mode is read as one that nobody writes. */
    return rc == ERR_READONLY ? attach(db, path, "?immutable=1", err) : rc;
}

void copy_detach(struct sqlite3 *db)
{
    (void)!sqlite_run(db, "DETACH src", NULL); /* not attached: nothing to do */
}
