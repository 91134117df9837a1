/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a growing byte string, always NUL-terminated after its last byte. Start it with { 0 }. */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/macros.h"

struct buf {
    char *data; /* NULL while nothing was ever added; use buf_str() for a string */
    size_t len, cap;
};

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Make room for LEN more bytes and return where they go; set b->len afterwards. */
char *buf_reserve(struct buf *b, size_t len);
/* The content as a string, never NULL; valid until the next change. */
const char *buf_str(const struct buf *b);
/* Take the bytes out (free() them); *b is empty again. Never NULL. */
char *buf_detach(struct buf *b);
void buf_clear(struct buf *b);   /* empty, memory kept */
void buf_release(struct buf *b); /* empty, memory freed; also for CLEANUP(buf_release) */

/* Append the whole of the file PATH, refusing more than LIMIT_BYTES. ERR_NOT_FOUND, ERR_IO,
 * ERR_LIMIT. */
int buf_read_file(struct buf *b, const char *path, size_t limit_bytes, struct err *err) MUST_CHECK;
/* Write LEN bytes to PATH by way of PATH.tmp, fsync, rename, fsync of the folder. ERR_IO, ERR_FULL,
 * ERR_READONLY. */
int buf_write_file(const char *path, const void *bytes, size_t len, struct err *err) MUST_CHECK;

#endif
