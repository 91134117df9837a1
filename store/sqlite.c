/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "store/functions.h"
#include "store/plain.h"
#include "store/stmt.h"

/* How long a reader or the writer waits for the other at the rare points where WAL lets them meet
 * (recovery, checkpoint). */
enum { BUSY_MS = 5000 };

static bool no_space(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT ||
           errnum == EFBIG; /* EFBIG: the file size limit of the process */
}

/* LAST is errno as the failed call left it: SQLite keeps its own copy for some of its errors only.
 */
static int code_of(struct sqlite3 *db, int last)
{
    switch (sqlite3_errcode(db) & 0xff) { /* the primary code */
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return no_space(sqlite3_system_errno(db)) ? ERR_FULL : ERR_READONLY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_CONFLICT;
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:
        return ERR_INVALID;
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    default: /* an open set of numbers: the rest is SQLITE_IOERR and its like */
        return no_space(sqlite3_system_errno(db)) || no_space(last) ? ERR_FULL : ERR_IO;
    }
}

int sqlite_error(struct sqlite3 *db, struct err *err, const char *format, ...)
{
    int code = code_of(db, errno);
    char context[200];
    va_list args;

    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    if (code == ERR_FULL)
        return err_set(err, ERR_FULL, "%s: no space left on the disk of the store (%s)", context,
                       sqlite3_errmsg(db));
    return err_set(err, (enum err_code)code, "%s: %s", context, sqlite3_errmsg(db));
}

int sqlite_run(struct sqlite3 *db, const char *sql, struct err *err)
{
    const char *tail = sql;

    while (tail && *tail) {
        struct stmt st;
        int rc = stmt_prepare(&st, db, tail, &tail, err);

        if (rc == 0 && st.handle)
            rc = stmt_run(&st, err);
        stmt_release(&st);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int sqlite_number(struct sqlite3 *db, const char *sql, int64_t *ret, struct err *err)
{
    struct stmt st;
    int rc = stmt_prepare(&st, db, sql, NULL, err);

    if (rc == 0)
        rc = stmt_get(&st, ret, err);
    stmt_release(&st);
    return rc;
}

void sqlite_uri(const char *path, const char *query, struct buf *out)
{
    buf_adds(out, "file:");
    for (const char *p = path; *p; p++) {
        if (*p == '?' || *p == '#' || *p == '%')
            buf_printf(out, "%%%02x", (unsigned)*p);
        else
            buf_addc(out, *p);
    }
    buf_adds(out, query);
}

int sqlite_connect(struct sqlite3 **ret, const char *path, enum connect_mode mode, struct err *err)
{
    bool writer = mode == CONNECT_WRITE;
    int flags = writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    CLEANUP(buf_release) struct buf uri = { 0 };
    struct sqlite3 *db = NULL;
    int rc = 0;

    *ret = NULL;
    if (mode != CONNECT_READ) { /* writers attach by URI too (copy.h) */
        sqlite_uri(path, writer ? "" : "?immutable=1", &uri);
        flags |= SQLITE_OPEN_URI;
    }
    /* A connection is used by one thread at a time, so SQLite needs no mutex of its own. */
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(uri.len ? buf_str(&uri) : path, &db, flags, NULL) != SQLITE_OK) {
        rc = db ? sqlite_error(db, err, "%s", path)
                : err_set(err, ERR_NOMEM, "%s: out of memory", path);
        sqlite3_close_v2(db);
        return rc;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, writer ? 0 : 1, (int *)NULL);
    if (!writer) /* the writer alone checkpoints: SQLite 3.40's WAL-reset bug needs two who do */
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    rc = sqlite_run(db,
                    "PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                    "PRAGMA cache_size = -16384;", /* 16 MiB */
                    err);
    if (rc == 0)
        rc = functions_register(db, err);
    if (rc == 0)
        rc = plain_register(db, NULL, err);
    if (rc < 0) {
        sqlite_disconnect(db);
        return err_wrap(err, rc, "%s", path);
    }
    *ret = db;
    return 0;
}

void sqlite_disconnect(struct sqlite3 *db)
{
    sqlite3_close_v2(db);
}

bool sqlite_file_bytes(struct sqlite3 *db, uint64_t at, void *ret, size_t len)
{
    struct sqlite3_file *file = NULL;

    return sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
           file && file->pMethods &&
           file->pMethods->xRead(file, ret, (int)len, (sqlite3_int64)at) == SQLITE_OK;
}
