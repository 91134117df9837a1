/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - people's own SQL, guarded (read.h). Three fences: the connection is read-only, the
 * authorizer lets only reading through, and a progress handler ends what takes too long. */
#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/store_private.h"

enum {
    DEFAULT_TIME_MS = 10000,
    DEFAULT_ROWS = 1000000,
    STEPS_BETWEEN_LOOKS = 10000, /* virtual machine instructions: some 0.1 ms */
    COLUMNS_MAX = 2000,          /* SQLite's own limit */
};

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *third, const char *fourth)
{
    (void)first;
    (void)third;
    (void)fourth;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        if (second && strcmp(second, "load_extension") == 0)
            break;
        return SQLITE_OK;
    default: /* an open set of actions: everything that is not reading */
        break;
    }
    *(bool *)arg = true;
    return SQLITE_DENY;
}

static int out_of_time(void *arg)
{
    return clock_ms() > *(const uint64_t *)arg;
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

static bool only_blanks(const char *s)
{
    return s[strspn(s, " \t\r\n;")] == '\0';
}

static int run_guarded(struct store *s, const char *sql, uint64_t rows_max, bool *denied,
                       store_row_fn fn, void *arg, struct err *err)
{
    struct stmt st;
    const char *tail = NULL;
    int rc = stmt_prepare(&st, s->db, sql, &tail, err);

    if (rc == 0 && !st.handle)
        rc = err_set(err, ERR_INVALID, "no SQL in the query");
    else if (rc == 0 && !only_blanks(tail))
        rc = err_set(err, ERR_INVALID, "one statement only; behind it comes: %.40s", tail);
    else if (rc == 0)
        rc = give_rows(&st, rows_max, fn, arg, err);
    if (*denied)
        rc = err_set(err, ERR_INVALID,
                     "only reading is allowed here: one SELECT over the store's tables and views");
    stmt_release(&st);
    return rc;
}

int store_query(struct store *s, const char *sql, const struct store_query *limits, store_row_fn fn,
                void *arg, struct err *err)
{
    uint32_t time_ms = limits && limits->time_ms ? limits->time_ms : DEFAULT_TIME_MS;
    uint64_t rows_max = limits && limits->rows_max ? limits->rows_max : DEFAULT_ROWS;
    uint64_t end = clock_ms() + time_ms;
    bool denied = false;
    int rc;

    assert(!s->writer);
    sqlite3_set_authorizer(s->db, authorize, &denied);
    sqlite3_progress_handler(s->db, STEPS_BETWEEN_LOOKS, out_of_time, &end);
    rc = run_guarded(s, sql, rows_max, &denied, fn, arg, err);
    sqlite3_progress_handler(s->db, 0, NULL, NULL);
    sqlite3_set_authorizer(s->db, NULL, NULL);
    if (rc == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "the query took longer than %u ms and was stopped",
                       time_ms);
    return rc;
}
