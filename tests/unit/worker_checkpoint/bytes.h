/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - GGUF headers field by field, for the tests of this folder. */
#ifndef TESTS_UNIT_WORKER_CHECKPOINT_BYTES_H
#define TESTS_UNIT_WORKER_CHECKPOINT_BYTES_H

#include "tests/unit/worker_checkpoint/files.h"
#include "worker/checkpoint/gguf.h"

static inline void u32(struct buf *b, uint64_t v)
{
    for (int i = 0; i < 4; i++)
        buf_addc(b, (char)(v >> 8 * i & 255));
}

static inline void u64(struct buf *b, uint64_t v)
{
    u32(b, v);
    u32(b, v >> 32);
}

static inline void text(struct buf *b, const char *s)
{
    u64(b, strlen(s));
    buf_adds(b, s);
}

static inline void start(struct buf *b, uint64_t tensors, uint64_t keys)
{
    buf_clear(b);
    buf_adds(b, "GGUF");
    u32(b, 3);
    u64(b, tensors);
    u64(b, keys);
}

/* KEY with a value of TYPE: the low bytes of V. */
static inline void number(struct buf *b, const char *key, enum gguf_type type, uint64_t v)
{
    static const size_t bytes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

    text(b, key);
    u32(b, type);
    for (size_t i = 0; i < bytes[type]; i++)
        buf_addc(b, (char)(v >> 8 * i & 255));
}

static inline void list(struct buf *b, const char *key, enum gguf_type type, uint64_t len)
{
    text(b, key);
    u32(b, GGUF_LIST);
    u32(b, type);
    u64(b, len);
}

static inline void tensor(struct buf *b, const char *name, size_t dims, const uint64_t *shape,
                          uint64_t type, uint64_t offset)
{
    text(b, name);
    u32(b, dims);
    for (size_t i = 0; i < dims; i++)
        u64(b, shape[i]);
    u32(b, type);
    u64(b, offset);
}

static inline void pad(struct buf *b, size_t alignment, size_t more)
{
    while (b->len % alignment)
        buf_addc(b, 0);
    while (more--)
        buf_addc(b, 0);
}

#endif
