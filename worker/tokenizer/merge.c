/* SPDX-License-Identifier: Apache-2.0 */
/* merge.c - byte pair encoding of one word. Short words look through all pairs at each step; long
 * ones keep the candidates in a heap and the symbols in a linked list, so a word of n symbols takes
 * n log n. Both take the lowest rank first and the leftmost pair on ties. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

/* The pair that starts at symbol LEFT becomes ID. SIZE: bytes of both when it was found; the pair
 * is still there when its size still is. */
struct merge_candidate {
    uint32_t rank, left, id, size;
};

static uint32_t pair_rank(const struct tokenizer *t, const char *text, const struct symbol *a,
                          const struct symbol *b, uint32_t *ret_id)
{
    if (t->pairs.len) {
        const struct pair *p =
            a->id == NO_ID || b->id == NO_ID ? NULL : pair_find(&t->pairs, a->id, b->id);

        if (!p)
            return NO_ID;
        *ret_id = p->id;
        return p->rank;
    }
    *ret_id = piece_find(t, text + a->at, (size_t)a->len + b->len);
    return *ret_id == NO_ID ? NO_ID : t->piece[*ret_id].rank;
}

static size_t merge_short(const struct tokenizer *t, const char *text, struct symbol *s, size_t len)
{
    uint32_t rank[MERGE_SHORT], id[MERGE_SHORT];

    for (size_t i = 0; i + 1 < len; i++)
        rank[i] = pair_rank(t, text, &s[i], &s[i + 1], &id[i]);
    while (len > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < len; i++)
            if (rank[i] < rank[best])
                best = i;
        if (rank[best] == NO_ID)
            break;
        s[best].len += s[best + 1].len;
        s[best].id = id[best];
        len--;
        memmove(s + best + 1, s + best + 2, (len - best - 1) * sizeof(*s));
        if (best + 1 < len) {
            memmove(rank + best + 1, rank + best + 2, (len - best - 2) * sizeof(*rank));
            memmove(id + best + 1, id + best + 2, (len - best - 2) * sizeof(*id));
            rank[best] = pair_rank(t, text, &s[best], &s[best + 1], &id[best]);
        }
        if (best)
            rank[best - 1] = pair_rank(t, text, &s[best - 1], &s[best], &id[best - 1]);
    }
    return len;
}

static bool before(const struct merge_candidate *a, const struct merge_candidate *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->left < b->left);
}

static void heap_push(struct merge_scratch *m, size_t *len, struct merge_candidate c)
{
    size_t i = (*len)++;

    if (*len > m->cap) {
        m->cap = MAX(2 * m->cap, 256u);
        m->heap = mem_realloc(m->heap, m->cap, sizeof(*m->heap));
    }
    for (; i && before(&c, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
}

static struct merge_candidate heap_pop(struct merge_candidate *heap, size_t *len)
{
    struct merge_candidate top = heap[0], last = heap[--*len];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < *len) {
        if (child + 1 < *len && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &last))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static void consider(const struct tokenizer *t, const char *text, const struct symbol *s,
                     uint32_t left, uint32_t right, struct merge_scratch *m, size_t *heap_len)
{
    struct merge_candidate c = { .left = left, .size = s[left].len + s[right].len };

    c.rank = pair_rank(t, text, &s[left], &s[right], &c.id);
    if (c.rank != NO_ID)
        heap_push(m, heap_len, c);
}

/* A symbol merged into its left neighbour has len 0. */
static size_t merge_long(const struct tokenizer *t, const char *text, struct symbol *s, size_t len,
                         struct merge_scratch *m)
{
    uint32_t *next, *back, end = (uint32_t)len;
    size_t heap_len = 0, left_over = 0;

    if (m->link_cap < 2 * len) {
        m->link_cap = 2 * len;
        m->link = mem_realloc(m->link, m->link_cap, sizeof(*m->link));
    }
    next = m->link;
    back = m->link + len;
    for (uint32_t i = 0; i < end; i++) {
        next[i] = i + 1;
        back[i] = i ? i - 1 : end;
        if (i + 1 < end)
            consider(t, text, s, i, i + 1, m, &heap_len);
    }
    while (heap_len) {
        struct merge_candidate c = heap_pop(m->heap, &heap_len);
        uint32_t right = next[c.left];

        if (!s[c.left].len || right == end || s[c.left].len + s[right].len != c.size)
            continue;
        s[c.left].len = c.size;
        s[c.left].id = c.id;
        s[right].len = 0;
        next[c.left] = next[right];
        if (next[right] != end) {
            back[next[right]] = c.left;
            consider(t, text, s, c.left, next[right], m, &heap_len);
        }
        if (back[c.left] != end)
            consider(t, text, s, back[c.left], c.left, m, &heap_len);
    }
    for (size_t i = 0; i < len; i++)
        if (s[i].len)
            s[left_over++] = s[i];
    return left_over;
}

size_t merge_symbols(const struct tokenizer *t, const char *text, struct symbol *s, size_t len,
                     size_t short_len, struct merge_scratch *m)
{
    if (len < 2)
        return len;
    return len <= MIN(short_len, (size_t)MERGE_SHORT) ? merge_short(t, text, s, len)
                                                      : merge_long(t, text, s, len, m);
}

void merge_scratch_release(struct merge_scratch *m)
{
    free(m->heap);
    free(m->link);
    *m = (struct merge_scratch){ 0 };
}
