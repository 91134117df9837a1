/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h - the blob that stands for a folder: lines "name size hexdigest\n", sorted by name,
 * names plain. */
#ifndef WORKER_MANIFEST_H
#define WORKER_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/base/progress.h"

enum {
    MANIFEST_FILES_MAX = 1024, /* a checkpoint of 1,000 shards */
    MANIFEST_NAME_MAX = 256,   /* with the NUL, as NAME_MAX */
    /* A line has at most 255 + 20 + 64 + 3 bytes. */
    MANIFEST_BYTES_MAX = MANIFEST_FILES_MAX * 342,
};

struct manifest_file {
    char name[MANIFEST_NAME_MAX];
    uint64_t size_bytes;
    struct digest digest;
};

struct manifest {
    struct manifest_file *file;
    size_t len;
};

void manifest_release(struct manifest *m);
/* LEN bytes of TEXT. Refused with the line's number: a name that is empty, hidden, or has a '/' or
 * a blank; names out of order or twice; a size or digest that is none; a cut line. ERR_CORRUPT,
 * ERR_LIMIT. */
int manifest_parse(struct manifest *ret, const char *text, size_t len, struct err *err) MUST_CHECK;
/* The regular files of folder DIR that are not hidden (links followed), hashed. ERR_NOT_FOUND
 * (none), ERR_LIMIT, ERR_INVALID (a name with a blank), ERR_IO; ERR_CANCELLED at the stop of
 * PROGRESS (may be NULL), which hashing raises. */
int manifest_of_folder(struct manifest *ret, const char *dir, struct progress *progress,
                       struct err *err) MUST_CHECK;
/* The text, appended to OUT. */
void manifest_print(const struct manifest *m, struct buf *out);

#endif
