/* SPDX-License-Identifier: Apache-2.0 */
/* parcel.h - a job's checkpoint as one file: a word that names job kind and version, a head of a
 * few numbers and texts, and a body that another module wrote as a file of its own.
 *
 *   "drover checkpoint\n" word "\n" head length (8 bytes, little-endian) head body
 *
 * Nothing here is checked by a digest: the blob that carries the file is. */
#ifndef WORKER_JOBS_PARCEL_H
#define WORKER_JOBS_PARCEL_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/progress.h"

enum { PARCEL_WORD_MAX = 64, PARCEL_HEAD_MAX = 64 << 20 };

/* Write PATH: WORD (one line), HEAD, and the bytes of the file BODY (NULL: none). PROGRESS (may be
 * NULL) is raised; its stop is not looked at, since a stopped job saves, too. ERR_IO, ERR_FULL,
 * ERR_LIMIT (the head). */
int parcel_write(const char *path, const char *word, const struct buf *head, const char *body,
                 struct progress *progress, struct err *err) MUST_CHECK;
/* Read PATH: its head is appended to RET_HEAD, its body becomes the file BODY (NULL: not wanted).
 * ERR_VERSION: of another word; ERR_CORRUPT: no parcel, or torn; ERR_IO, ERR_FULL. */
int parcel_read(const char *path, const char *word, struct buf *ret_head, const char *body,
                struct progress *progress, struct err *err) MUST_CHECK;

#endif
