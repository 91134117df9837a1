/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite.h - connections: opening with our settings, errors in our codes, plain SQL without
 * results. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct sqlite3;

/* Set *ERR from the connection's last error: "context: message". Returns the code: SQLITE_FULL and
 * a write error for want of space: ERR_FULL; READONLY, PERM, CANTOPEN: ERR_READONLY; CORRUPT,
 * NOTADB: ERR_CORRUPT; BUSY: ERR_CONFLICT; INTERRUPT: ERR_TIMEOUT; CONSTRAINT: ERR_INVALID; else
 * ERR_IO. */
int sqlite_error(struct sqlite3 *db, struct err *err, const char *format, ...) PRINTF_LIKE(3, 4);

enum connect_mode {
    CONNECT_WRITE, /* created when absent */
    CONNECT_READ,
    CONNECT_FROZEN, /* read a file that nobody writes and whose folder we may not write (SQLite:
                       immutable) */
};

/* "file:PATH" with what a URI would misread escaped, and QUERY ("?mode=ro", "") behind it. */
struct buf;
void sqlite_uri(const char *path, const char *query, struct buf *out);

/* Open PATH and set what holds for each connection: busy timeout, foreign keys,
 * no memory mapping, no double-quoted strings. *RET is NULL on failure. */
int sqlite_connect(struct sqlite3 **ret, const char *path, enum connect_mode mode,
                   struct err *err) MUST_CHECK;
/* NULL is fine. */
void sqlite_disconnect(struct sqlite3 *db);

/* Run SQL, rows ignored. */
int sqlite_run(struct sqlite3 *db, const char *sql, struct err *err) MUST_CHECK;
/* The first column of the first row of SQL as a number. */
int sqlite_number(struct sqlite3 *db, const char *sql, int64_t *ret, struct err *err) MUST_CHECK;

/* LEN bytes of the file itself from offset AT, whatever its log has. By SQLite's own descriptor:
 * who opens the file and closes it takes this process's locks on it away. False: not so many are
 * there.
 */
bool sqlite_file_bytes(struct sqlite3 *db, uint64_t at, void *ret, size_t len);

#endif
