/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stmt.h"

#include <assert.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "store/sqlite.h"

static const struct {
    const char *name, *sql;
} texts[STMTS] = {
#define X(NAME, WORD, TEXT) [STMT_##NAME] = { WORD, TEXT },
    SQL_QUERIES(X)
#undef X
};

const char *stmt_name(enum stmt_id id)
{
    return texts[id].name;
}

const char *stmt_sql(enum stmt_id id)
{
    return texts[id].sql;
}

int stmt_prepare(struct stmt *st, struct sqlite3 *db, const char *sql, const char **ret_tail,
                 struct err *err)
{
    *st = (struct stmt){ .db = db, .name = "statement" };
    if (sqlite3_prepare_v3(db, sql, -1, 0, &st->handle, ret_tail) != SQLITE_OK)
        return sqlite_error(db, err, "SQL");
    return 0;
}

int stmts_prepare(struct stmts *q, struct sqlite3 *db, struct err *err)
{
    for (int i = 0; i < STMTS; i++) {
        struct stmt *st = &q->all[i];

        *st = (struct stmt){ .db = db, .name = texts[i].name };
        if (sqlite3_prepare_v3(db, texts[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &st->handle,
                               NULL) != SQLITE_OK)
            return sqlite_error(db, err, "statement %s", st->name);
    }
    return 0;
}

void stmt_release(struct stmt *st)
{
    sqlite3_finalize(st->handle);
    st->handle = NULL;
}

void stmts_release(struct stmts *q)
{
    for (int i = 0; i < STMTS; i++)
        stmt_release(&q->all[i]);
}

void stmt_reset(struct stmt *st)
{
    if (!st->used)
        return;
    sqlite3_reset(st->handle); /* repeats the last step's error, which was reported then */
    sqlite3_clear_bindings(st->handle);
    memset(st->kind, 0, sizeof st->kind);
    st->bind_rc = SQLITE_OK;
    st->next = 0;
    st->used = false;
}

void stmt_done(struct stmt **st)
{
    if (*st)
        stmt_reset(*st);
}

struct stmt *stmt_use(struct stmts *q, enum stmt_id id)
{
    struct stmt *st = &q->all[id];

    stmt_reset(st);
    return st;
}

/* Looking a name up costs more than binding it; callers bind in the order of the statement, mostly.
 */
static int find_place(struct stmt *st, const char *param)
{
    int i;

    for (unsigned k = 0; k < STMT_PLACES; k++) {
        unsigned at = (st->next + k) % STMT_PLACES;

        if (st->param[at] == param) {
            st->next = at + 1;
            return (int)at + 1;
        }
    }
    i = sqlite3_bind_parameter_index(st->handle, param);
    assert(i > 0 && "no such parameter");
    if (i <= STMT_PLACES) {
        st->param[i - 1] = param;
        st->next = (unsigned)i;
    }
    return i;
}

static inline int place(struct stmt *st, const char *param)
{
    st->used = true;
    if (st->next < STMT_PLACES && st->param[st->next] == param)
        return (int)++st->next;
    return find_place(st, param);
}

static inline void bound(struct stmt *st, int rc)
{
    if (rc != SQLITE_OK && st->bind_rc == SQLITE_OK)
        st->bind_rc = rc;
}

/* Is just this bound to place AT already? Values stay from one stmt_insert() to the next, and many
 * are the same there. (Of text and bytes the address counts: SQLite reads them in the step.) */
static inline bool is_bound(struct stmt *st, int at, char kind, uint64_t bits, size_t len)
{
    struct stmt_bound *b = &st->bound[at - 1];

    if (at > STMT_PLACES)
        return false;
    if (st->kind[at - 1] == kind && b->bits == bits && b->len == len)
        return true;
    st->kind[at - 1] = kind;
    *b = (struct stmt_bound){ bits, len };
    return false;
}

static inline void bind_int(struct stmt *st, const char *param, uint64_t bits)
{
    int at = place(st, param);

    if (!is_bound(st, at, 'i', bits, 0))
        bound(st, sqlite3_bind_int64(st->handle, at, (int64_t)bits));
}

void stmt_int(struct stmt *st, const char *param, int64_t v)
{
    bind_int(st, param, (uint64_t)v);
}

void stmt_u64(struct stmt *st, const char *param, uint64_t v)
{
    bind_int(st, param, v);
}

static inline void forget(struct stmt *st, int at)
{
    if (at <= STMT_PLACES)
        st->kind[at - 1] = 0;
}

void stmt_real(struct stmt *st, const char *param, double v)
{
    int at = place(st, param);

    forget(st, at);
    bound(st,
          isfinite(v) ? sqlite3_bind_double(st->handle, at, v) : sqlite3_bind_null(st->handle, at));
}

void stmt_text_len(struct stmt *st, const char *param, const char *s, size_t len)
{
    int at = place(st, param);

    if (!is_bound(st, at, 't', (uint64_t)(uintptr_t)s, len))
        bound(st, sqlite3_bind_text64(st->handle, at, s, len, SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_text(struct stmt *st, const char *param, const char *s)
{
    stmt_text_len(st, param, s, s ? strlen(s) : 0);
}

void stmt_bytes(struct stmt *st, const char *param, const void *bytes, size_t len)
{
    int at = place(st, param);

    if (!is_bound(st, at, 'b', (uint64_t)(uintptr_t)bytes, len))
        bound(st, sqlite3_bind_blob64(st->handle, at, len ? bytes : "", len, SQLITE_STATIC));
}

void stmt_digest(struct stmt *st, const char *param, const struct digest *d)
{
    stmt_bytes(st, param, d->b, DIGEST_BYTES);
}

int stmt_step(struct stmt *st, struct err *err)
{
    int rc = st->bind_rc;

    if (rc != SQLITE_OK) {
        stmt_reset(st);
        return err_set(err, rc == SQLITE_TOOBIG ? ERR_LIMIT : ERR_NOMEM, "%s: %s", st->name,
                       sqlite3_errstr(rc));
    }
    st->used = true;
    rc = sqlite3_step(st->handle);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE) {
        int code = sqlite_error(st->db, err, "%s", st->name);

        stmt_reset(st);
        return code;
    }
    stmt_reset(st);
    return 0;
}

int stmt_run(struct stmt *st, struct err *err)
{
    int rc;

    do
        rc = stmt_step(st, err);
    while (rc > 0);
    return rc;
}

int stmt_insert(struct stmt *st, bool *ret_known, struct err *err)
{
    int rc;

    *ret_known = false;
    if (st->bind_rc != SQLITE_OK)
        return stmt_step(st, err);
    rc = sqlite3_step(st->handle);
    if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY) {
        *ret_known = true;
        rc = SQLITE_DONE;
    }
    if (rc != SQLITE_DONE) {
        int code = sqlite_error(st->db, err, "%s", st->name);

        stmt_reset(st);
        return code;
    }
    sqlite3_reset(st->handle); /* without clearing what is bound: that is the saving */
    st->next = 0;
    st->used = false;
    return 0;
}

uint64_t stmt_inserted(const struct stmt *st)
{
    return (uint64_t)sqlite3_last_insert_rowid(st->db);
}

int stmt_get(struct stmt *st, int64_t *ret, struct err *err)
{
    int rc = stmt_step(st, err);

    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "%s: no row", st->name);
    *ret = stmt_col(st, 0);
    /* Not a reset: an INSERT ... RETURNING does its work in the first step, but only the last one
     * tells its errors. */
    return stmt_run(st, err);
}

int stmt_upsert(struct stmt *st, uint64_t *ret, bool *ret_new, struct err *err)
{
    int64_t id = 0;
    int rc;

    sqlite3_set_last_insert_rowid(st->db, 0); /* an update leaves it alone */
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    *ret_new = rc == 0 && sqlite3_last_insert_rowid(st->db) == id;
    return rc;
}

int stmt_columns(const struct stmt *st)
{
    return sqlite3_column_count(st->handle);
}

const char *stmt_column_name(const struct stmt *st, int column)
{
    return sqlite3_column_name(st->handle, column);
}

bool stmt_is_null(const struct stmt *st, int column)
{
    return stmt_type(st, column) == SQLITE_NULL;
}

int stmt_type(const struct stmt *st, int column)
{
    return sqlite3_column_type(st->handle, column);
}

int64_t stmt_col(const struct stmt *st, int column)
{
    return sqlite3_column_int64(st->handle, column);
}

uint64_t stmt_col_u64(const struct stmt *st, int column)
{
    return (uint64_t)stmt_col(st, column);
}

double stmt_col_real(const struct stmt *st, int column)
{
    return sqlite3_column_double(st->handle, column);
}

const char *stmt_col_text(const struct stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st->handle, column);
}

const char *stmt_col_text_len(const struct stmt *st, int column, size_t *ret_len)
{
    const char *text = stmt_col_text(st, column);

    *ret_len = (size_t)sqlite3_column_bytes(st->handle, column);
    return text ? text : "";
}

const void *stmt_col_bytes(const struct stmt *st, int column, size_t *ret_len)
{
    const void *bytes = sqlite3_column_blob(st->handle, column);

    *ret_len = (size_t)sqlite3_column_bytes(st->handle, column);
    return bytes;
}

struct digest stmt_col_digest(const struct stmt *st, int column)
{
    struct digest d = { { 0 } };
    size_t len;
    const void *bytes = stmt_col_bytes(st, column, &len);

    if (bytes && len == DIGEST_BYTES)
        memcpy(d.b, bytes, DIGEST_BYTES);
    return d;
}

void stmt_copy_text(const struct stmt *st, int column, char *out, size_t size)
{
    const char *s = stmt_col_text(st, column);

    snprintf(out, size, "%s", s ? s : "");
}
