/* SPDX-License-Identifier: Apache-2.0 */
/* outfile.h - a file written in pieces that appears whole or not at all: PATH.tmp, fsync, rename,
 * fsync of the folder. */
#ifndef WORKER_CHECKPOINT_OUTFILE_H
#define WORKER_CHECKPOINT_OUTFILE_H

#include <stddef.h>

#include "common/base/buf.h"

struct outfile {
    const char *path; /* the caller's */
    struct buf tmp;
    int fd;
};

/* ERR_IO, ERR_FULL, ERR_READONLY, ERR_NOT_FOUND. */
int outfile_open(struct outfile *f, const char *path, struct err *err) MUST_CHECK;
int outfile_write(struct outfile *f, const void *bytes, size_t len, struct err *err) MUST_CHECK;
/* RC 0: the file takes its place. Else it is removed and RC returned. Once for each
 * outfile_open that returned 0. */
int outfile_close(struct outfile *f, int rc, struct err *err) MUST_CHECK;

#endif
