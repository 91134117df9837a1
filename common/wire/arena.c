/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"

enum {
    FIRST_MIN = 1024,
    BLOCK_MAX = 1 << 20,
    GROWTH = 5, /* a small message's structures are about so many times its bytes */
    ALIGN = 16,
};

struct block {
    struct block *next;
};

/* Begins the first block; the first piece follows it. */
struct arena {
    struct block *others;
    char *at, *end; /* of the present block */
    size_t left;    /* of the limit */
    size_t next_size;
    bool spent;
};

static_assert(alignof(max_align_t) <= ALIGN, "pieces fit anything");

static size_t rounded(size_t size)
{
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

enum { HEAD = (sizeof(struct arena) + ALIGN - 1) & ~(ALIGN - 1) };

struct arena *arena_new(size_t len, size_t limit)
{
    size_t size =
        MIN(MAX(GROWTH * MIN(len, (size_t)BLOCK_MAX), (size_t)FIRST_MIN), (size_t)BLOCK_MAX);
    struct arena *a = malloc(HEAD + size);

    if (!a)
        return mem_calloc(SIZE_MAX, 1); /* aborts as mem.h says */
    *a = (struct arena){
        .at = (char *)a + HEAD, .end = (char *)a + HEAD + size, .left = limit, .next_size = size
    };
    return a;
}

void arena_free(struct arena *a)
{
    while (a->others) {
        struct block *b = a->others;

        a->others = b->next;
        free(b);
    }
    free(a);
}

/* A block with room for SIZE bytes; it becomes the present one unless it is for SIZE alone. */
static void *new_block(struct arena *a, size_t size)
{
    const bool own = size > a->next_size / 4;
    struct block *b;

    if (!own)
        a->next_size = MIN(2 * a->next_size, (size_t)BLOCK_MAX);
    b = malloc(ALIGN + (own ? size : a->next_size));
    if (!b)
        return NULL;
    b->next = a->others;
    a->others = b;
    if (!own) {
        a->at = (char *)b + ALIGN + size;
        a->end = (char *)b + ALIGN + a->next_size;
    }
    return (char *)b + ALIGN;
}

static void *give(void *data, size_t size)
{
    struct arena *a = data;
    char *p = a->at;

    if (size > a->left || (size = rounded(size ? size : 1)) > a->left) {
        a->spent = true;
        return NULL;
    }
    a->left -= size;
    if (size > (size_t)(a->end - p))
        return new_block(a, size);
    a->at = p + size;
    return p;
}

static void take_back(void *data, void *p)
{
    (void)data;
    (void)p;
}

ProtobufCAllocator arena_allocator(struct arena *a)
{
    return (ProtobufCAllocator){ give, take_back, a };
}

bool arena_spent(const struct arena *a)
{
    return a->spent;
}

struct arena *arena_of(void *first)
{
    return (struct arena *)(void *)((char *)first - HEAD);
}
