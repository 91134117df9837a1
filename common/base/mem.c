/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c - memory or abort. */
#include "common/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

static void __attribute__((noreturn)) out_of_memory(size_t n, size_t size)
{
    (void)fprintf(stderr, "out of memory: %zu x %zu bytes\n", n, size);
    abort();
}

/* malloc(0) may be NULL; callers would take that for a failure. */
static size_t at_least_one(size_t bytes)
{
    return bytes ? bytes : 1;
}

void *mem_calloc(size_t n, size_t size)
{
    size_t bytes;
    void *p = NULL;

    if (!__builtin_mul_overflow(n, size, &bytes))
        p = calloc(1, at_least_one(bytes));
    if (!p)
        out_of_memory(n, size);
    return p;
}

void *mem_realloc(void *p, size_t n, size_t size)
{
    size_t bytes;
    void *q = NULL;

    if (!__builtin_mul_overflow(n, size, &bytes))
        q = realloc(p, at_least_one(bytes));
    if (!q)
        out_of_memory(n, size);
    return q;
}

void *mem_try_aligned(size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    bytes = (at_least_one(bytes) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    p = aligned_alloc(ALIGNMENT, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *mem_aligned(size_t n, size_t size)
{
    void *p = mem_try_aligned(n, size);

    if (!p)
        out_of_memory(n, size);
    return p;
}

void *mem_dup(const void *p, size_t size)
{
    void *copy = mem_calloc(1, size);

    if (size)
        memcpy(copy, p, size);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_dup(s, strlen(s) + 1);
}

void mem_cleanup(void *p)
{
    void *block;

    memcpy(&block, p, sizeof(block));
    free(block);
}
