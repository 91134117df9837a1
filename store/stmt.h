/* SPDX-License-Identifier: Apache-2.0 */
/* stmt.h - prepared statements: the only door to sqlite3_bind, _step and _column.
 *
 * The statements of sql/queries.sql live in a struct stmts, prepared when the store opens;
 * stmt_use() hands one out, reset and with nothing bound. Bound text and bytes must live until the
 * last step. Parameter names are string literals (their places are remembered by address); one that
 * the statement does not have is a programmer error (asserted).
 * Errors of binding come out of the next step. */
#ifndef STORE_STMT_H
#define STORE_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "store/sql_queries.h"

struct sqlite3;
struct sqlite3_stmt;

enum stmt_id {
#define X(NAME, WORD, TEXT) STMT_##NAME,
    SQL_QUERIES(X)
#undef X
        STMTS
};

enum { STMT_PLACES = 24 }; /* parameters whose places are remembered */

struct stmt {
    struct sqlite3_stmt *handle;
    struct sqlite3 *db;
    const char *name;
    bool used;                      /* bound or stepped since the reset */
    int bind_rc;                    /* first failure of a bind since the reset */
    unsigned next;                  /* place that is tried first */
    const char *param[STMT_PLACES]; /* the name last bound to place i + 1, by its address */
    struct stmt_bound {
        uint64_t bits; /* of the integer, or the address */
        size_t len;
    } bound[STMT_PLACES];
    char kind[STMT_PLACES]; /* of what is bound and stayed: 'i', 't', 'b'; 0: none of these */
};

struct stmts {
    struct stmt all[STMTS];
};

/* Prepare all of them. ERR_VERSION when the schema does not fit, with the statement's name. */
int stmts_prepare(struct stmts *q, struct sqlite3 *db, struct err *err) MUST_CHECK;
void stmts_release(struct stmts *q);
const char *stmt_name(enum stmt_id id);
const char *stmt_sql(enum stmt_id id);

/* One statement of the caller's, not in the list; release with stmt_release. */
int stmt_prepare(struct stmt *st, struct sqlite3 *db, const char *sql, const char **ret_tail,
                 struct err *err) MUST_CHECK;
void stmt_release(struct stmt *st);

/* Statement ID, reset. */
struct stmt *stmt_use(struct stmts *q, enum stmt_id id);
/* Give up its rows; for CLEANUP on a struct stmt *. */
void stmt_reset(struct stmt *st);
void stmt_done(struct stmt **st);

void stmt_int(struct stmt *st, const char *param, int64_t v);
void stmt_u64(struct stmt *st, const char *param,
              uint64_t v); /* as the signed number of the same bits */
void stmt_real(struct stmt *st, const char *param, double v);      /* NaN and infinities: NULL */
void stmt_text(struct stmt *st, const char *param, const char *s); /* NULL: NULL */
void stmt_text_len(struct stmt *st, const char *param, const char *s, size_t len);
void stmt_bytes(struct stmt *st, const char *param, const void *bytes,
                size_t len); /* len 0: an empty blob */
void stmt_digest(struct stmt *st, const char *param, const struct digest *d);

/* 1: a row; 0: no (more) rows, the statement is reset; < 0: the error, with the statement's name;
 * reset. */
int stmt_step(struct stmt *st, struct err *err) MUST_CHECK;
/* Step to the end, rows ignored; 0 or the error. */
int stmt_run(struct stmt *st, struct err *err) MUST_CHECK;
/* An INSERT of one row (or an UPDATE), for callers that bind every parameter each time (the values
 * stay bound). *RET_KNOWN: nothing was written, for a row of the same unique key is there. */
int stmt_insert(struct stmt *st, bool *ret_known, struct err *err) MUST_CHECK;
/* Row number of the last row that was inserted. */
uint64_t stmt_inserted(const struct stmt *st);
/* The first column of the first row. No row: ERR_NOT_FOUND. Resets. */
int stmt_get(struct stmt *st, int64_t *ret, struct err *err) MUST_CHECK;

/* INSERT ... ON CONFLICT DO UPDATE ... RETURNING id: *RET is the row's, *RET_NEW: it was not there.
 */
int stmt_upsert(struct stmt *st, uint64_t *ret, bool *ret_new, struct err *err) MUST_CHECK;

int stmt_columns(const struct stmt *st);
const char *stmt_column_name(const struct stmt *st, int column);
/* Values of the row; pointers are valid until the next step or reset. */
bool stmt_is_null(const struct stmt *st, int column);
int stmt_type(const struct stmt *st, int column); /* SQLITE_INTEGER... */
int64_t stmt_col(const struct stmt *st, int column);
uint64_t stmt_col_u64(const struct stmt *st, int column);
double stmt_col_real(const struct stmt *st, int column);
const char *stmt_col_text(const struct stmt *st, int column); /* NULL for NULL */
/* "" for NULL; *RET_LEN without the zero at the end. */
const char *stmt_col_text_len(const struct stmt *st, int column, size_t *ret_len);
const void *stmt_col_bytes(const struct stmt *st, int column, size_t *ret_len);
/* 32 bytes, else the zero digest. */
struct digest stmt_col_digest(const struct stmt *st, int column);
/* Copy text into OUT, cut at SIZE - 1; NULL becomes "". */
void stmt_copy_text(const struct stmt *st, int column, char *out, size_t size);

#endif
