/* SPDX-License-Identifier: Apache-2.0 */
/* import_private.h - the parts of store_import: the file, its blobs, what becomes of rows that both
 * stores have. */
#ifndef STORE_KEEP_IMPORT_PRIVATE_H
#define STORE_KEEP_IMPORT_PRIVATE_H

#include "store/keep/keep_private.h"
#include "store/store_private.h"

struct import_file {
    char experiment[256];           /* its name there */
    char temp[STORE_PATH_MAX + 32]; /* a copy brought up to date; "": none */
};

/* Attach FROM to S as "src" and look at all of it: marks, version, structure, checksum, blobs.
 * ERR_VERSION, ERR_CORRUPT, ERR_NOT_FOUND. import_close() in any case. */
int import_open(struct store *s, const char *from, struct import_file *ret,
                struct err *err) MUST_CHECK;
void import_close(struct store *s, struct import_file *f);

/* Store the blobs that travelled. Before the transaction that names them commits. */
int import_blobs(struct store *s, struct import_done *done, struct err *err) MUST_CHECK;

/* After copy_insert: results for jobs that had none, revisions, jobs that had not ended, sums. */
int import_merge(struct store *s, struct import_done *done, struct err *err) MUST_CHECK;

#endif
