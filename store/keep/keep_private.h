/* SPDX-License-Identifier: Apache-2.0 */
/* keep_private.h - what export and import agree on. */
#ifndef STORE_KEEP_KEEP_PRIVATE_H
#define STORE_KEEP_KEEP_PRIVATE_H

#include "store/keep/keep.h"

enum { EXPORT_FORMAT = 1, EXPORT_CHUNK = 1 << 20 };

/* The tables that only exported files have; NULL-terminated. */
extern const char *const export_tables[];

/* Make PATH a store of this version (or bring it up to it) that nobody has open. */
int export_renew(const char *path, struct err *err) MUST_CHECK;

/* The files that the manifest blob MANIFEST (a folder: a checkpoint) names; they lie beside it in
 * the blob folder, or are the user's, and have no rows of their own. free() *RET, also after an
 * error. ERR_NOT_FOUND: the manifest is not there; ERR_CORRUPT. */
struct store_member {
    struct digest digest;
    uint64_t size;
};
int store_members(const struct blobs *b, const struct digest *manifest, struct store_member **ret,
                  size_t *ret_len, struct err *err) MUST_CHECK;

#endif
