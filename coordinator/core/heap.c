/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - pairing heaps (Fredman et al. 1986) through the jobs: insert O(1), take the best or any
 * O(log n) amortised, no memory of their own. */
#include "coordinator/core/core.h"

/* The better of the roots A and B (or NONE) with the other as its first child. */
static uint32_t meld(struct sched *s, uint32_t a, uint32_t b, heap_before *before)
{
    if (a == NONE || b == NONE)
        return a == NONE ? b : a;
    if (before(&s->jobs[b], &s->jobs[a])) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    struct job *root = &s->jobs[a], *child = &s->jobs[b];
    child->next = root->child;
    child->prev = a;
    if (root->child != NONE)
        s->jobs[root->child].prev = b;
    root->child = b;
    return a;
}

/* One root of the siblings FIRST...: pairs from left to right, then all of them from right to left.
 */
static uint32_t meld_siblings(struct sched *s, uint32_t first, heap_before *before)
{
    uint32_t pairs = NONE, root = NONE;
    while (first != NONE) {
        uint32_t a = first, b = s->jobs[a].next;
        first = b != NONE ? s->jobs[b].next : NONE;
        s->jobs[a].next = s->jobs[a].prev = NONE;
        if (b != NONE)
            s->jobs[b].next = s->jobs[b].prev = NONE;
        a = meld(s, a, b, before);
        s->jobs[a].next = pairs;
        pairs = a;
    }
    while (pairs != NONE) {
        uint32_t a = pairs;
        pairs = s->jobs[a].next;
        s->jobs[a].next = NONE;
        root = meld(s, root, a, before);
    }
    return root;
}

uint32_t heap_put(struct sched *s, uint32_t root, uint32_t item, heap_before *before)
{
    struct job *j = &s->jobs[item];
    j->child = j->next = j->prev = NONE;
    return meld(s, root, item, before);
}

uint32_t heap_take(struct sched *s, uint32_t root, uint32_t item, heap_before *before)
{
    struct job *j = &s->jobs[item];
    uint32_t children = meld_siblings(s, j->child, before);
    if (root == item)
        return children;
    struct job *prev = &s->jobs[j->prev];
    if (prev->child == item)
        prev->child = j->next;
    else
        prev->next = j->next;
    if (j->next != NONE)
        s->jobs[j->next].prev = j->prev;
    return meld(s, root, children, before);
}

uint32_t heap_next(const struct sched *s, uint32_t item)
{
    const struct job *j = &s->jobs[item];
    if (j->child != NONE)
        return j->child;
    while (j->next == NONE) {
        /* To the parent: past all siblings on the left. */
        while (j->prev != NONE && s->jobs[j->prev].child != item) {
            item = j->prev;
            j = &s->jobs[item];
        }
        if (j->prev == NONE)
            return NONE;
        item = j->prev;
        j = &s->jobs[item];
    }
    return j->next;
}
