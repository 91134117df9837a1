/* SPDX-License-Identifier: Apache-2.0 */
/* heap.h - a binary min-heap of (key, value) in the caller's memory; equal keys leave in the order
 * they came in. Allocates nothing, so that pure cores may use it. */
#ifndef COMMON_BASE_HEAP_H
#define COMMON_BASE_HEAP_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    uint64_t key;
    uint64_t order; /* set by heap_push: what came first leaves first */
    uint64_t value;
};

struct heap {
    struct heap_entry *entry; /* CAP of them, the caller's */
    size_t len, cap;
    uint64_t order;
};

static inline bool heap_before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static inline void heap_init(struct heap *h, struct heap_entry *entry, size_t cap)
{
    *h = (struct heap){ .entry = entry, .cap = cap };
}

/* The heap must not be full (asserted). */
static inline void heap_push(struct heap *h, uint64_t key, uint64_t value)
{
    struct heap_entry e = { .key = key, .order = h->order++, .value = value };
    size_t i = h->len;

    assert(h->len < h->cap);
    h->len++;
    while (i > 0 && heap_before(&e, &h->entry[(i - 1) / 2])) {
        h->entry[i] = h->entry[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->entry[i] = e;
}

/* The least entry, NULL when empty; valid until the next change. */
static inline const struct heap_entry *heap_top(const struct heap *h)
{
    return h->len ? &h->entry[0] : NULL;
}

/* Take the least entry out; the heap must not be empty (asserted). */
static inline struct heap_entry heap_pop(struct heap *h)
{
    struct heap_entry top, last;
    size_t i = 0, child;

    assert(h->len > 0);
    top = h->entry[0];
    last = h->entry[--h->len];
    while ((child = 2 * i + 1) < h->len) {
        if (child + 1 < h->len && heap_before(&h->entry[child + 1], &h->entry[child]))
            child++;
        if (!heap_before(&h->entry[child], &last))
            break;
        h->entry[i] = h->entry[child];
        i = child;
    }
    h->entry[i] = last;
    return top;
}

#endif
