/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - error codes and the error record.
 *
 * A function that can fail returns int: 0 for success, else a negative enum err_code, and fills the
 * caller's struct err with a sentence for the user. The same numbers go over the wire and into the
 * database: they are append-only. Failing is one statement: return err_set(err, ERR_IO, "open %s:
 * %s", path, strerror(errno)); */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include "common/base/macros.h"

#define ERR_CODES(X)                                                                               \
    X(ERR_OK, 0, "ok")                                                                             \
    X(ERR_INVALID, -1, "invalid input") /* the user's recipe, argument, file content */            \
    X(ERR_NOT_FOUND, -2, "not found")                                                              \
    X(ERR_CONFLICT, -3, "conflict") /* taken, locked, already there */                             \
    X(ERR_IO, -4, "input/output error")                                                            \
    X(ERR_NOMEM, -5, "out of memory")                                                              \
    X(ERR_PROTO, -6, "bad message") /* bytes from a peer break the protocol */                     \
    X(ERR_LIMIT, -7, "over a limit")                                                               \
    X(ERR_CORRUPT, -8, "damaged file") /* torn or inconsistent bytes on disk */                    \
    X(ERR_VERSION, -9, "version mismatch")                                                         \
    X(ERR_FULL, -10, "no space left")                                                              \
    X(ERR_READONLY, -11, "read-only")                                                              \
    X(ERR_TIMEOUT, -12, "timed out")                                                               \
    X(ERR_CANCELLED, -13, "cancelled")                                                             \
    X(ERR_STALE, -14, "stale") /* an epoch or incarnation that is over */                          \
    X(ERR_INTERNAL, -15, "internal error")                                                         \
    X(ERR_AGAIN, -16, "try again")                                                                 \
    X(ERR_DIVERGED, -17, "diverged")  /* training met NaN or a bound */                            \
    X(ERR_DENIED, -18, "not allowed") /* no key, or its role is too small */

enum err_code {
#define X(NAME, VALUE, TEXT) NAME = VALUE,
    ERR_CODES(X)
#undef X
};

/* Caller-owned, on the stack; start it with { 0 }. TEXT is NUL-terminated and cut at its end. */
struct err {
    enum err_code code;
    char text[504];
};

/* Set *ERR (may be NULL) and return CODE, which must not be ERR_OK (asserted). */
int err_set(struct err *err, enum err_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put "context: " before the text that is there and return CODE, the code of the failed call
 * (asserted < 0). */
int err_wrap(struct err *err, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Like err_set with the code that fits ERRNUM (ENOSPC: ERR_FULL, EROFS/EACCES: ERR_READONLY,
 * ENOENT: ERR_NOT_FOUND, else ERR_IO) and ": strerror" appended. */
int err_errno(struct err *err, int errnum, const char *format, ...) PRINTF_LIKE(3, 4);

/* Short English name of CODE; "unknown error" for a number that is not in the list. */
const char *err_name(int code);

#endif
