/* SPDX-License-Identifier: Apache-2.0 */
/* gguf.h - one GGUF file (version 2 or 3, little-endian), mapped read-only: its keys, and where its
 * tensors are.
 *
 * Opening walks the whole header (every key, every string of every list, every tensor's extent), so
 * nothing below can leave the file. Texts and lists point into the mapped bytes: they have no NUL
 * at their end, may be unaligned and are void after gguf_close. A file of a vocabulary only (no
 * tensors) opens like any other. */
#ifndef WORKER_CHECKPOINT_GGUF_H
#define WORKER_CHECKPOINT_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_TEXT,
    GGUF_LIST,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES,
};
enum { GGUF_DIMS_MAX = 4 };

struct gguf;

struct gguf_text {
    const char *text; /* no NUL; may hold any byte */
    size_t len;
};

/* A list of LEN elements of one type. */
struct gguf_list {
    enum gguf_type type;
    size_t len;
    const uint8_t *data; /* private */
};

struct gguf_tensor {
    struct gguf_text name;
    uint32_t type; /* ggml's number: gguf_type_name */
    size_t dims;
    uint64_t shape[GGUF_DIMS_MAX]; /* as in the file: the fastest axis first; 1 beyond dims */
    uint64_t begin;                /* bytes from the start of the file */
    uint64_t bytes;                /* 0 for types that this version does not read */
};

/* ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT (no GGUF file, truncated, inconsistent: with the offset),
 * ERR_VERSION, ERR_LIMIT. */
int gguf_open(struct gguf **ret, const char *path, struct err *err) MUST_CHECK;
void gguf_close(struct gguf *g); /* NULL is fine */
/* Whether the file at PATH can be read and begins with "GGUF". */
bool gguf_probe(const char *path);
const char *gguf_path(const struct gguf *g);

/* Values by key. A key that is absent gives FALLBACK (an empty text, an empty list) and 0; one of
 * another type, or out of the range of *RET, ERR_INVALID that names file, key and types. */
bool gguf_has(const struct gguf *g, const char *key);
/* Any integer type, not negative. */
int gguf_get_size(const struct gguf *g, const char *key, uint64_t fallback, uint64_t *ret,
                  struct err *err) MUST_CHECK;
/* Any number. */
int gguf_get_number(const struct gguf *g, const char *key, double fallback, double *ret,
                    struct err *err) MUST_CHECK;
int gguf_get_bool(const struct gguf *g, const char *key, bool fallback, bool *ret,
                  struct err *err) MUST_CHECK;
int gguf_get_text(const struct gguf *g, const char *key, struct gguf_text *ret,
                  struct err *err) MUST_CHECK;
/* Elements of TYPE only. */
int gguf_get_list(const struct gguf *g, const char *key, enum gguf_type type, struct gguf_list *ret,
                  struct err *err) MUST_CHECK;

/* Element I of a list of GGUF_F32 / GGUF_I32 (asserted). */
float gguf_list_f32(const struct gguf_list *list, size_t i);
int32_t gguf_list_i32(const struct gguf_list *list, size_t i);
/* Takes the first element off a list of GGUF_TEXT: false when there is none left. The way to walk
 * 150000 tokens: each step is one look. */
bool gguf_next_text(struct gguf_list *list, struct gguf_text *ret);
bool gguf_text_is(struct gguf_text t, const char *s);

size_t gguf_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, size_t i); /* sorted by name */
const struct gguf_tensor *gguf_find_tensor(const struct gguf *g, const char *name); /* or NULL */
/* "F32", "Q4_0"...; "type 77" into OUT for numbers without a name. */
const char *gguf_type_name(uint32_t type, char out[24]);

#endif
