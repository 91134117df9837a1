/* SPDX-License-Identifier: Apache-2.0 */
/* blobs.h - content-addressed files beside the database: FILE-blobs/ab/abcd...; knows no SQL.
 *
 * A blob is visible under its name only when it is whole, its digest was checked, and file and
 * folder are fsynced; so a transaction that names it afterwards never names something missing.
 * Parts of uploads lie in FILE-blobs/part/. All functions are thread-safe (the coordinator's blob
 * thread shares them with its loop), except that one digest's chunks must come from one thread. */
#ifndef STORE_BLOBS_H
#define STORE_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

struct blobs;

enum { BLOBS_PATH_MAX = 4096 + 96 };

/* The folder of the store at STORE_PATH. The folder is made at the first write. Cannot fail. */
struct blobs *blobs_new(const char *store_path);
void blobs_free(struct blobs *b);

/* Where blob D lies or would lie. Returns OUT. */
const char *blobs_path(const struct blobs *b, const struct digest *d, char out[BLOBS_PATH_MAX]);
/* Is it there? *RET_SIZE (may be NULL) is its size in bytes. */
bool blobs_have(const struct blobs *b, const struct digest *d, uint64_t *ret_size);

/* Store LEN bytes; *RET is their digest. Storing what is there already does nothing. ERR_FULL,
 * ERR_READONLY, ERR_IO. */
int blobs_put(struct blobs *b, const void *bytes, size_t len, struct digest *ret,
              struct err *err) MUST_CHECK;

/* One chunk of the upload of blob D of SIZE bytes: DATA belongs at OFFSET. Writes only when OFFSET
 * is where the part ends; *RET_HAVE says where to go on (so LEN 0 asks), also after a restart.
 * *RET_COMPLETE: the whole blob is stored and its digest checked. ERR_INVALID: offset + len > size;
 * ERR_CORRUPT: the digest differs, the part was thrown away. */
int blobs_write_chunk(struct blobs *b, const struct digest *d, uint64_t size, uint64_t offset,
                      const void *data, size_t len, uint64_t *ret_have, bool *ret_complete,
                      struct err *err) MUST_CHECK;

/* Read up to LEN bytes at OFFSET into OUT. *RET_LEN 0 at the end. ERR_NOT_FOUND, ERR_IO. */
int blobs_read(const struct blobs *b, const struct digest *d, uint64_t offset, size_t len,
               void *out, size_t *ret_len, uint64_t *ret_size, struct err *err) MUST_CHECK;

/* Throw blob D away (tests, gc). ERR_NOT_FOUND. */
int blobs_remove(struct blobs *b, const struct digest *d, struct err *err) MUST_CHECK;

#endif
