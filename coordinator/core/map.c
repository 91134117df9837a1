/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/core/map.h"

#include <assert.h>

size_t map_slots(size_t n)
{
    size_t slots = 4;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

void map_init(struct map *m, struct map_slot *slots, size_t slots_len)
{
    assert((slots_len & (slots_len - 1)) == 0);
    *m = (struct map){ .slots = slots, .mask = (uint32_t)slots_len - 1 };
    for (size_t i = 0; i < slots_len; i++)
        slots[i].key = 0;
}

/* The finisher of splitmix64 spreads groups of NEIGHBOURS keys over all slots; within a group they
 * stay together, because ids that count up are used together: one cache miss for many of them. */
enum { NEIGHBOURS = 16 };
static uint32_t home(const struct map *m, uint64_t key)
{
    uint64_t group = key / NEIGHBOURS;
    group = (group ^ (group >> 30)) * 0xbf58476d1ce4e5b9u;
    group = (group ^ (group >> 27)) * 0x94d049bb133111ebu;
    group ^= group >> 31;
    return (uint32_t)(group * NEIGHBOURS + key % NEIGHBOURS) & m->mask;
}

/* The slot of KEY, or the empty one where it belongs. */
static uint32_t find(const struct map *m, uint64_t key)
{
    uint32_t i = home(m, key);
    while (m->slots[i].key != 0 && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return i;
}

uint32_t map_get(const struct map *m, uint64_t key)
{
    assert(key != 0);
    const struct map_slot *slot = &m->slots[find(m, key)];
    return slot->key == key ? slot->value : NONE;
}

void map_put(struct map *m, uint64_t key, uint32_t value)
{
    assert(key != 0 && m->len <= m->mask / 2);
    struct map_slot *slot = &m->slots[find(m, key)];
    assert(slot->key == 0);
    *slot = (struct map_slot){ .key = key, .value = value };
    m->len++;
}

void map_set(struct map *m, uint64_t key, uint32_t value)
{
    struct map_slot *slot = &m->slots[find(m, key)];
    if (slot->key == key)
        slot->value = value;
    else
        map_put(m, key, value);
}

void map_remove(struct map *m, uint64_t key)
{
    uint32_t hole = find(m, key);
    assert(key != 0 && m->slots[hole].key == key);
    /* Move back what was pushed past the hole, so that no marks of the dead are needed. */
    for (uint32_t i = (hole + 1) & m->mask; m->slots[i].key != 0; i = (i + 1) & m->mask) {
        uint32_t from_home = (i - home(m, m->slots[i].key)) & m->mask;
        if (from_home >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].key = 0;
    m->len--;
}

static struct link *link_of(const struct list *l, uint32_t item)
{
    return (struct link *)(void *)((char *)l->base + item * l->stride);
}

void list_init(struct list *l, struct link *base, size_t stride)
{
    *l = (struct list){ .base = base, .stride = stride, .head = NONE, .tail = NONE };
}

void list_push(struct list *l, uint32_t item)
{
    struct link *x = link_of(l, item);
    assert(!x->linked);
    *x = (struct link){ .next = NONE, .prev = l->tail, .linked = 1 };
    if (l->tail != NONE)
        link_of(l, l->tail)->next = item;
    else
        l->head = item;
    l->tail = item;
}

void list_remove(struct list *l, uint32_t item)
{
    struct link *x = link_of(l, item);
    assert(x->linked);
    if (x->prev != NONE)
        link_of(l, x->prev)->next = x->next;
    else
        l->head = x->next;
    if (x->next != NONE)
        link_of(l, x->next)->prev = x->prev;
    else
        l->tail = x->prev;
    x->linked = 0;
}

uint32_t list_next(const struct list *l, uint32_t item)
{
    return link_of(l, item)->next;
}
