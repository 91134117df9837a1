/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - BLAKE2b-256 digests (libsodium): keys of jobs, names of blobs, ids of examples. */
#ifndef COMMON_BASE_DIGEST_H
#define COMMON_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { DIGEST_BYTES = 32, DIGEST_HEX = 65 /* with the NUL */ };

struct digest {
    uint8_t b[DIGEST_BYTES];
};

/* Incremental. Fields are framed so that ("ab","c") and ("a","bc") differ: every digest_add_*
 * writes a type byte and, for text and bytes, the length, before the value. digest_raw adds bytes
 * unframed (file contents). */
struct digester {
    _Alignas(64) uint8_t opaque[384];
    uint8_t held[256]; /* small pieces wait here for each other: a call of the hash costs more */
    size_t held_len;
};
void digest_begin(struct digester *d);
void digest_raw(struct digester *d, const void *bytes, size_t len);
void digest_add_bytes(struct digester *d, const void *bytes, size_t len);
void digest_add_text(struct digester *d, const char *s);
void digest_add_u64(struct digester *d, uint64_t v);
void digest_add_i64(struct digester *d, int64_t v);
void digest_add_double(struct digester *d,
                       double v); /* IEEE bits; -0.0 becomes 0.0; NaN is asserted against */
struct digest digest_end(struct digester *d);

/* Digest of plain bytes (unframed), as of a file with that content. */
struct digest digest_of(const void *bytes, size_t len);
/* Digest and size of the file PATH, read in blocks. ERR_NOT_FOUND, ERR_IO. */
int digest_file(const char *path, struct digest *ret, uint64_t *ret_size_bytes,
                struct err *err) MUST_CHECK;

bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);
/* Lower-case hex into OUT, returned for use in printf. */
const char *digest_hex(const struct digest *d, char out[DIGEST_HEX]);
/* 64 hex digits -> digest. ERR_INVALID. */
int digest_parse(const char *hex, struct digest *ret, struct err *err) MUST_CHECK;
/* First 8 bytes, big-endian: example ids and hash tables. */
uint64_t digest_u64(const struct digest *d);

#endif
