/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - small file operations of the worker. Errors: ERR_IO, ERR_FULL, ERR_READONLY,
 * ERR_NOT_FOUND, naming the file. */
#ifndef WORKER_FILE_H
#define WORKER_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"

/* Make folder PATH and those above it, mode 0700; fine when it is there. */
int file_make_dirs(const char *path, struct err *err) MUST_CHECK;
/* Write all LEN bytes at OFFSET; NAME is for the message. */
int file_write_at(int fd, const void *bytes, size_t len, uint64_t offset, const char *name,
                  struct err *err) MUST_CHECK;
/* Read exactly LEN bytes at OFFSET; ERR_CORRUPT when the file ends before. */
int file_read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *name,
                 struct err *err) MUST_CHECK;
/* Digest and size of the file PATH. A model takes minutes: PROGRESS (may be NULL) is raised with
 * every block, and its stop ends the reading with ERR_CANCELLED. */
int file_digest(const char *path, struct progress *progress, struct digest *ret,
                uint64_t *ret_size_bytes, struct err *err) MUST_CHECK;
/* Overwrite TO with the bytes of FROM. */
int file_copy(const char *from, const char *to, struct err *err) MUST_CHECK;

#endif
