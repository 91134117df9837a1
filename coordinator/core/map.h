/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - hash map from a number to a pool index, of fixed capacity, and lists
 * through pool items.
 *
 * Nothing ever iterates over a map, so the order of its slots shows nowhere and
 * runs can be replayed. */
#ifndef COORDINATOR_CORE_MAP_H
#define COORDINATOR_CORE_MAP_H

#include <stddef.h>
#include <stdint.h>

#define NONE UINT32_MAX /* no index */

struct map_slot {
    uint64_t key; /* 0: empty */
    uint32_t value;
};
/* Open addressing with linear probing; at most half full, so that probes stay short. */
struct map {
    struct map_slot *slots;
    uint32_t mask, len;
};

/* Slots for N entries: the power of two >= 2 N. */
size_t map_slots(size_t n);
void map_init(struct map *m, struct map_slot *slots, size_t slots_len);
/* NONE when absent. KEY > 0. */
uint32_t map_get(const struct map *m, uint64_t key);
/* KEY must be absent (asserted), and the map not full. */
void map_put(struct map *m, uint64_t key, uint32_t value);
/* Put KEY, or give it another value. */
void map_set(struct map *m, uint64_t key, uint32_t value);
/* KEY must be there (asserted). */
void map_remove(struct map *m, uint64_t key);

/* Doubly linked list through the LINK of pool items: BASE is the link of item 0, STRIDE the size
 * of an item. An item that is in no list has linked == 0. */
struct link {
    uint32_t next, prev;
    uint32_t linked;
};
struct list {
    struct link *base;
    size_t stride;
    uint32_t head, tail;
};

void list_init(struct list *l, struct link *base, size_t stride);
void list_push(struct list *l, uint32_t item); /* at the tail */
void list_remove(struct list *l, uint32_t item);
uint32_t list_next(const struct list *l, uint32_t item);

#endif
