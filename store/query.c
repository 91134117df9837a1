/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - people's own SQL, guarded (read.h). Four fences: the connection is read-only, the
 * authorizer lets only reading through, limits keep each instruction short, and a progress handler
 * ends what takes too long or too much memory. */
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/store_private.h"

enum {
    DEFAULT_TIME_MS = 10000,
    DEFAULT_ROWS = 1000000,
    STEPS_BETWEEN_LOOKS = 10000, /* virtual machine instructions: some 0.1 ms */
    COLUMNS_MAX = 2000,          /* SQLite's own limit */
    MEMORY_MAX = 1 << 30,        /* what sorting and grouping may take, in bytes: default */
};

/* What one statement may ask for. Time and memory are looked at between instructions, so that none
 * of them may take long by itself: hence the lengths (LIKE's work grows with pattern times text).
 */
static const struct {
    int id, value;
} limits[] = {
    { SQLITE_LIMIT_LENGTH, 64 << 20 }, /* a text, a blob or a row: 64 MiB */
    { SQLITE_LIMIT_SQL_LENGTH, 100000 },   { SQLITE_LIMIT_EXPR_DEPTH, 200 },
    { SQLITE_LIMIT_COMPOUND_SELECT, 100 }, { SQLITE_LIMIT_VDBE_OP, 1000000 },
    { SQLITE_LIMIT_FUNCTION_ARG, 100 },    { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
    { SQLITE_LIMIT_ATTACHED, 0 },
};

/* Why and when to stop. */
struct guard {
    char denied[160]; /* what the authorizer refused; "" nothing */
    uint64_t end_ms;
    int64_t memory_end; /* bytes of SQLite in this process at which to stop */
    bool out_of_memory;
};

static bool one_of(const char *word, const char *const *words)
{
    for (; word && *words; words++) {
        if (sqlite3_stricmp(word, *words) == 0)
            return true;
    }
    return false;
}

/* They reach outside the database, or into SQLite; most are in shells only, but other programs may
 * link what they like. */
static const char *const dangerous[] = { "load_extension", "readfile", "writefile", "edit",
                                         "fts3_tokenizer", "lsdir",    "fsdir",     NULL };
/* Pragmas that describe the schema, and those that read a number when they get no value. */
static const char *const describing[] = {
    "table_info",  "table_xinfo",   "table_list",       "index_list",    "index_info",
    "index_xinfo", "database_list", "foreign_key_list", "function_list", "compile_options",
    NULL
};
static const char *const numbers[] = { "user_version", "application_id", "page_count", "page_size",
                                       "encoding",     "freelist_count", NULL };

static const char *const schema[] = { "sqlite_master", NULL };

static int deny(struct guard *g, const char *what, const char *name)
{
    if (!g->denied[0])
        snprintf(g->denied, sizeof g->denied, "%s%s%s", what, name ? " " : "", name ? name : "");
    return SQLITE_DENY;
}

static const char *name_of(int action)
{
    switch (action) {
    case SQLITE_INSERT:
        return "INSERT into";
    case SQLITE_UPDATE:
        return "UPDATE of";
    case SQLITE_DELETE:
        return "DELETE from";
    case SQLITE_ATTACH:
        return "ATTACH";
    case SQLITE_DETACH:
        return "DETACH";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return "a transaction:";
    default: /* an open set: CREATE, DROP, ALTER, ANALYZE, REINDEX of all kinds */
        return "a change of the schema:";
    }
}

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *third, const char *fourth)
{
    struct guard *g = arg;

    (void)third;
    (void)fourth;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return one_of(second, dangerous) ? deny(g, "the function", second) : SQLITE_OK;
    case SQLITE_UPDATE: /* what the first use of a table-valued function (json_each) asks for; an
                           UPDATE that people write there is refused by SQLite itself */
        return one_of(first, schema) ? SQLITE_OK : deny(g, name_of(action), first);
    case SQLITE_PRAGMA:
        if (one_of(first, describing) || (!second && one_of(first, numbers)))
            return SQLITE_OK;
        return deny(g, "PRAGMA", first);
    default: /* an open set of actions: everything that is not reading */
        return deny(g, name_of(action), first);
    }
}

static int must_stop(void *arg)
{
    struct guard *g = arg;

    g->out_of_memory = sqlite3_memory_used() > g->memory_end;
    return g->out_of_memory || clock_ms() > g->end_ms;
}

static void fill(const struct stmt *st, int column, struct store_value *v, char hex[65536])
{
    size_t len;
    const uint8_t *bytes;

    *v = (struct store_value){ 0 };
    switch (stmt_type(st, column)) {
    case SQLITE_INTEGER:
        v->type = STORE_INTEGER;
        v->i = stmt_col(st, column);
        v->r = (double)v->i;
        break;
    case SQLITE_FLOAT:
        v->type = STORE_REAL;
        v->r = stmt_col_real(st, column);
        break;
    case SQLITE_BLOB:
        v->type = STORE_BYTES;
        bytes = stmt_col_bytes(st, column, &len);
        len = MIN(len, 32767); /* enough for people; whole bytes come by hex() */
        for (size_t i = 0; i < len; i++)
            snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
        hex[2 * len] = '\0';
        v->text = hex;
        v->text_len = 2 * len;
        return;
    case SQLITE_NULL:
        v->type = STORE_NULL;
        v->text = "";
        return;
    default: /* SQLITE_TEXT */
        v->type = STORE_TEXT;
        break;
    }
    v->text = stmt_col_text(st, column);
    v->text_len = v->text ? strlen(v->text) : 0;
}

struct row {
    size_t columns;
    const char **names;
    struct store_value *values;
    char (*hex)[65536];
};

static void row_release(struct row *r)
{
    free(r->names);
    free(r->values);
    free(r->hex);
}

static int give_rows(struct stmt *st, uint64_t rows_max, store_row_fn fn, void *arg,
                     struct err *err)
{
    CLEANUP(row_release) struct row r = { .columns = (size_t)stmt_columns(st) };
    uint64_t rows = 0;
    int rc;

    assert(r.columns <= COLUMNS_MAX);
    r.names = mem_calloc(MAX(r.columns, 1), sizeof *r.names);
    r.values = mem_calloc(MAX(r.columns, 1), sizeof *r.values);
    r.hex = mem_calloc(MAX(r.columns, 1), sizeof *r.hex);
    for (size_t i = 0; i < r.columns; i++)
        r.names[i] = stmt_column_name(st, (int)i);
    rc = fn(r.names, NULL, r.columns, arg);
    while (rc == 0 && (rc = stmt_step(st, err)) > 0) {
        if (rows++ == rows_max) {
            stmt_reset(st);
            return err_set(err, ERR_LIMIT, "more than %llu rows; add LIMIT to the query",
                           (unsigned long long)rows_max);
        }
        for (size_t i = 0; i < r.columns; i++)
            fill(st, (int)i, &r.values[i], r.hex[i]);
        rc = fn(r.names, r.values, r.columns, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

/* Only blanks, semicolons and comments? They make no statement. */
static bool says_nothing(struct store *s, const char *sql)
{
    CLEANUP(stmt_release) struct stmt st = { 0 };

    while (sql && *sql) {
        if (stmt_prepare(&st, s->db, sql, &sql, NULL) < 0 || st.handle)
            return false;
    }
    return true;
}

static int run_guarded(struct store *s, const char *sql, uint64_t rows_max, struct guard *g,
                       store_row_fn fn, void *arg, struct err *err)
{
    CLEANUP(stmt_release) struct stmt st = { 0 };
    const char *tail = NULL;
    int rc = stmt_prepare(&st, s->db, sql, &tail, err);

    if (rc == 0 && !st.handle)
        return err_set(err, ERR_INVALID, "no SQL in the query");
    if (rc == 0 && !sqlite3_stmt_readonly(st.handle)) /* the authorizer should have seen it */
        deny(g, "a statement that writes", NULL);
    else if (rc == 0 && !says_nothing(s, tail))
        return err_set(err, ERR_INVALID, "one statement only; behind it comes: %.40s", tail);
    else if (rc == 0)
        rc = give_rows(&st, rows_max, fn, arg, err);
    if (g->denied[0])
        return err_set(err, ERR_INVALID,
                       "only reading is allowed here, one SELECT over the store's tables and "
                       "views; refused: %s",
                       g->denied);
    return rc;
}

/* "no such table: acuracy": which one was meant? */
static int offer_nearest(struct store *s, int rc, struct err *err)
{
    static const char *const told[] = { "no such table: ", NULL };
    const char *at = err ? strstr(err->text, told[0]) : NULL;
    const char *names[257] = { 0 }, *near = NULL;
    CLEANUP(stmt_release) struct stmt st = { 0 };
    char wrong[64];
    size_t len = 0;

    if (rc != ERR_INVALID || !at)
        return rc;
    snprintf(wrong, sizeof wrong, "%s", at + strlen(told[0]));
    if (stmt_prepare(&st, s->db,
                     "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') "
                     "AND name NOT LIKE 'sqlite%' ORDER BY type DESC, name",
                     NULL, NULL) < 0)
        return rc;
    while (len < ARRAY_LEN(names) - 1 && stmt_step(&st, NULL) > 0)
        names[len++] = mem_strdup(stmt_col_text(&st, 0));
    near = nearest_find(wrong, names);
    if (near)
        rc = err_set(err, ERR_INVALID, "no such table: %s; did you mean %s?", wrong, near);
    for (size_t i = 0; i < len; i++)
        free((void *)(uintptr_t)names[i]);
    return rc;
}

static void set_limits(struct store *s, int before[ARRAY_LEN(limits)])
{
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        before[i] = sqlite3_limit(s->db, limits[i].id, limits[i].value);
}

static void restore_limits(struct store *s, const int before[ARRAY_LEN(limits)])
{
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        sqlite3_limit(s->db, limits[i].id, before[i]);
}

int store_query(struct store *s, const char *sql, const struct store_query *ask, store_row_fn fn,
                void *arg, struct err *err)
{
    uint32_t time_ms = ask && ask->time_ms ? ask->time_ms : DEFAULT_TIME_MS;
    uint64_t rows_max = ask && ask->rows_max ? ask->rows_max : DEFAULT_ROWS;
    uint64_t memory = ask && ask->memory_max ? ask->memory_max : MEMORY_MAX;
    struct guard g = { .end_ms = clock_ms() + time_ms,
                       .memory_end = sqlite3_memory_used() + (int64_t)MIN(memory, INT64_MAX / 2) };
    int before[ARRAY_LEN(limits)], rc;

    assert(!s->writer);
    set_limits(s, before);
    sqlite3_set_authorizer(s->db, authorize, &g);
    sqlite3_progress_handler(s->db, STEPS_BETWEEN_LOOKS, must_stop, &g);
    rc = run_guarded(s, sql, rows_max, &g, fn, arg, err);
    sqlite3_progress_handler(s->db, 0, NULL, NULL);
    sqlite3_set_authorizer(s->db, NULL, NULL);
    restore_limits(s, before);
    if (rc == ERR_TIMEOUT && g.out_of_memory)
        return err_set(err, ERR_LIMIT,
                       "the query took more than %llu MiB of memory and was stopped; group or sort "
                       "fewer rows",
                       (unsigned long long)(memory >> 20));
    if (rc == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "the query took longer than %u ms and was stopped",
                       time_ms);
    return offer_nearest(s, rc, err);
}
