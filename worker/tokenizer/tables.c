/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - hash tables of pieces and of pairs: open addressing, at most half full. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer_private.h"

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ h >> 32;
}

static uint64_t hash_bytes(const char *text, size_t len)
{
    uint64_t h = len * 0x9e3779b97f4a7c15u, word;

    for (; len >= 8; len -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = mix(h ^ word);
    }
    if (len) {
        word = 0;
        memcpy(&word, text, len);
        h = mix(h ^ word);
    }
    return h;
}

/* The slot of the piece of these bytes, or the free one where it belongs. */
static size_t piece_slot(const struct tokenizer *t, const char *text, size_t len)
{
    const struct piece_table *p = &t->table;
    size_t i = hash_bytes(text, len) & (p->slots - 1);

    for (; p->slot[i] != NO_ID; i = (i + 1) & (p->slots - 1))
        if (t->piece[p->slot[i]].len == len && !memcmp(piece_text(t, p->slot[i]), text, len))
            break;
    return i;
}

void piece_table_build(struct tokenizer *t)
{
    struct piece_table *p = &t->table;
    size_t i;

    piece_table_release(p);
    for (p->slots = 16; p->slots < 2 * t->vocab; p->slots *= 2)
        ;
    p->slot = mem_calloc(p->slots, sizeof(*p->slot));
    memset(p->slot, 0xff, p->slots * sizeof(*p->slot));
    t->piece_max = 0;
    for (uint32_t id = 0; id < t->vocab; id++) {
        if (t->piece[id].type != PIECE_NORMAL)
            continue;
        t->piece_max = MAX(t->piece_max, t->piece[id].len);
        i = piece_slot(t, piece_text(t, id), t->piece[id].len);
        if (p->slot[i] == NO_ID)
            p->slot[i] = id;
    }
}

void piece_table_release(struct piece_table *p)
{
    free(p->slot);
    *p = (struct piece_table){ 0 };
}

uint32_t piece_find(const struct tokenizer *t, const char *text, size_t len)
{
    if (len > t->piece_max || !len)
        return NO_ID;
    return t->table.slot[piece_slot(t, text, len)];
}

static struct pair *pair_slot(const struct pair_table *p, uint32_t left, uint32_t right)
{
    size_t i = mix((uint64_t)left << 32 | right) & (p->slots - 1);

    while (p->slot[i].left != NO_ID && (p->slot[i].left != left || p->slot[i].right != right))
        i = (i + 1) & (p->slots - 1);
    return &p->slot[i];
}

static void pair_grow(struct pair_table *p)
{
    struct pair *old = p->slot;
    size_t slots = p->slots;

    p->slots = slots ? 2 * slots : 64;
    p->slot = mem_calloc(p->slots, sizeof(*p->slot));
    memset(p->slot, 0xff, p->slots * sizeof(*p->slot));
    for (size_t i = 0; i < slots; i++)
        if (old[i].left != NO_ID)
            *pair_slot(p, old[i].left, old[i].right) = old[i];
    free(old);
}

void pair_add(struct pair_table *p, struct pair pair)
{
    struct pair *s;

    if (2 * (p->len + 1) > p->slots)
        pair_grow(p);
    s = pair_slot(p, pair.left, pair.right);
    p->len += s->left == NO_ID;
    *s = pair;
}

const struct pair *pair_find(const struct pair_table *p, uint32_t left, uint32_t right)
{
    const struct pair *s = pair_slot(p, left, right);

    return s->left == NO_ID ? NULL : s;
}
