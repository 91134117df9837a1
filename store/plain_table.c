/* SPDX-License-Identifier: Apache-2.0 */
/* plain_table.c - the virtual tables plain_result and plain_claim: the rows that plain.c keeps, in
 * order; and functions that give what is kept of a job. */
#include "store/plain_table.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "store/plain.h"
#include "store/sqlite.h"

#define COLUMNS(X)                                                                                 \
    X(ATTEMPT, "attempt")                                                                          \
    X(JOB, "job")                                                                                  \
    X(EPOCH, "epoch")                                                                              \
    X(WORKER, "worker")                                                                            \
    X(INCARNATION, "incarnation")                                                                  \
    X(OUTCOME, "outcome")                                                                          \
    X(STARTED, "started_ms")                                                                       \
    X(ENDED, "ended_ms")                                                                           \
    X(WALL, "wall_ms")                                                                             \
    X(CPU, "cpu_ms")                                                                               \
    X(TEXT, "text")                                                                                \
    X(ENVIRONMENT, "environment")                                                                  \
    X(DIVERGED, "diverged")
enum column {
#define X(NAME, WORD) NAME,
    COLUMNS(X)
#undef X
};

struct table {
    sqlite3_vtab base;
    const struct store *s; /* NULL: no rows */
};

struct cursor {
    sqlite3_vtab_cursor base;
    size_t at;
};

static const struct store *store_of(const sqlite3_vtab_cursor *c)
{
    return ((const struct table *)c->pVtab)->s;
}

static int connect_as(sqlite3 *db, void *s, const char *columns, sqlite3_vtab **ret)
{
    struct table *t = sqlite3_malloc(sizeof(*t));

    if (!t)
        return SQLITE_NOMEM;
    *t = (struct table){ .s = s };
    *ret = &t->base;
    return sqlite3_declare_vtab(db, columns);
}

static int connect_results(sqlite3 *db, void *s, int argc, const char *const *argv,
                           sqlite3_vtab **ret, char **ret_err)
{
    (void)argc;
    (void)argv;
    (void)ret_err;
#define X(NAME, WORD) WORD ","
    return connect_as(db, s, "CREATE TABLE x (" COLUMNS(X) "last)", ret);
#undef X
}

static int connect_claims(sqlite3 *db, void *s, int argc, const char *const *argv,
                          sqlite3_vtab **ret, char **ret_err)
{
    (void)argc;
    (void)argv;
    (void)ret_err;
    return connect_as(db, s, "CREATE TABLE x (run, job, step)", ret);
}

static int disconnect_table(sqlite3_vtab *t)
{
    sqlite3_free(t);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    info->estimatedRows = PLAIN_MAX;
    info->estimatedCost = PLAIN_MAX;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *t, sqlite3_vtab_cursor **ret)
{
    struct cursor *c = sqlite3_malloc(sizeof(*c));

    (void)t;
    if (!c)
        return SQLITE_NOMEM;
    *c = (struct cursor){ .at = 0 };
    *ret = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *c, int index, const char *name, int argc, sqlite3_value **v)
{
    (void)index;
    (void)name;
    (void)argc;
    (void)v;
    ((struct cursor *)c)->at = 0;
    return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *c)
{
    ((struct cursor *)c)->at++;
    return SQLITE_OK;
}

static int is_end(sqlite3_vtab_cursor *c)
{
    const struct store *s = store_of(c);

    return !s || ((struct cursor *)c)->at >= plain_count(s);
}

static int rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *ret)
{
    *ret = (sqlite3_int64)((struct cursor *)c)->at;
    return SQLITE_OK;
}

static void text(sqlite3_context *c, const char *s)
{
    if (s)
        sqlite3_result_text(c, s, -1, SQLITE_STATIC);
}

static int64_t number(const struct plain *x, enum column i)
{
    switch (i) {
    case ATTEMPT:
        return (int64_t)x->attempt;
    case JOB:
        return (int64_t)x->job;
    case EPOCH:
        return x->epoch;
    case INCARNATION:
        return (int64_t)x->incarnation;
    case STARTED:
        return x->started_ms;
    case ENDED:
        return x->ended_ms;
    case WALL:
        return (int64_t)x->wall_ms;
    case CPU:
        return (int64_t)x->cpu_ms;
    case DIVERGED:
        return x->diverged;
    case WORKER:
    case OUTCOME:
    case TEXT:
    case ENVIRONMENT:
        break;
    }
    return 0;
}

static int column(sqlite3_vtab_cursor *at, sqlite3_context *c, int i)
{
    const struct store *s = store_of(at);
    const struct plain *x = plain_at(s, ((struct cursor *)at)->at);

    switch ((enum column)i) {
    case OUTCOME:
        text(c, x->diverged ? "DIVERGED" : "DONE");
        break;
    case TEXT:
        text(c, plain_text(s, x));
        break;
    case ENVIRONMENT:
        text(c, x->environment);
        break;
    case WORKER:
        if (x->worker)
            sqlite3_result_int64(c, (sqlite3_int64)x->worker);
        break;
    case ATTEMPT:
    case JOB:
    case EPOCH:
    case INCARNATION:
    case STARTED:
    case ENDED:
    case WALL:
    case CPU:
    case DIVERGED:
        sqlite3_result_int64(c, number(x, (enum column)i));
        break;
    }
    return SQLITE_OK;
}

static int is_end_of_claims(sqlite3_vtab_cursor *c)
{
    const struct store *s = store_of(c);

    return !s || ((struct cursor *)c)->at >= plain_claims(s);
}

static int column_of_claim(sqlite3_vtab_cursor *at, sqlite3_context *c, int i)
{
    const struct plain_claim *x = plain_claim_at(store_of(at), ((struct cursor *)at)->at);

    if (i == 2)
        text(c, x->step);
    else
        sqlite3_result_int64(c, (sqlite3_int64)(i == 0 ? x->run : x->job));
    return SQLITE_OK;
}

/* --- of a job --- */

static const struct plain *asked_for(sqlite3_context *c, sqlite3_value **v)
{
    const struct store *s = sqlite3_user_data(c);

    return s ? plain_of_job(s, (uint64_t)sqlite3_value_int64(v[0])) : NULL;
}

static void attempt_of(sqlite3_context *c, int args, sqlite3_value **v)
{
    const struct plain *x = asked_for(c, v);

    (void)args;
    if (x)
        sqlite3_result_int64(c, (sqlite3_int64)x->attempt);
}

static void epoch_of(sqlite3_context *c, int args, sqlite3_value **v)
{
    const struct plain *x = asked_for(c, v);

    (void)args;
    if (x)
        sqlite3_result_int64(c, x->epoch);
}

static void diverged_of(sqlite3_context *c, int args, sqlite3_value **v)
{
    const struct plain *x = asked_for(c, v);

    (void)args;
    if (x)
        sqlite3_result_int(c, x->diverged);
}

static int register_functions(struct sqlite3 *db, struct store *s, struct err *err)
{
    static const struct {
        const char *name;
        void (*answer)(sqlite3_context *c, int args, sqlite3_value **v);
    } functions[] = {
        { "plain_attempt", attempt_of },
        { "plain_epoch", epoch_of },
        { "plain_diverged", diverged_of },
    };

    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (sqlite3_create_function_v2(db, functions[i].name, 1, SQLITE_UTF8 | SQLITE_INNOCUOUS, s,
                                       functions[i].answer, NULL, NULL, NULL) != SQLITE_OK)
            return sqlite_error(db, err, "function %s", functions[i].name);
    return 0;
}

int plain_register(struct sqlite3 *db, struct store *s, struct err *err)
{
    static const sqlite3_module claims = {
        .xConnect = connect_claims,
        .xDisconnect = disconnect_table,
        .xBestIndex = best_index,
        .xOpen = open_cursor,
        .xClose = close_cursor,
        .xFilter = filter,
        .xNext = next,
        .xEof = is_end_of_claims,
        .xColumn = column_of_claim,
        .xRowid = rowid,
    };
    static const sqlite3_module results = {
        .xConnect = connect_results, /* without xCreate: there without being created */
        .xDisconnect = disconnect_table,
        .xBestIndex = best_index,
        .xOpen = open_cursor,
        .xClose = close_cursor,
        .xFilter = filter,
        .xNext = next,
        .xEof = is_end,
        .xColumn = column,
        .xRowid = rowid,
    };

    if (sqlite3_create_module_v2(db, "plain_result", &results, s, NULL) != SQLITE_OK ||
        sqlite3_create_module_v2(db, "plain_claim", &claims, s, NULL) != SQLITE_OK)
        return sqlite_error(db, err, "tables plain_result, plain_claim");
    return register_functions(db, s, err);
}
