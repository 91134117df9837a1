/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - the memory of one decoded message: a few blocks, freed together. Private to
 * common/wire. */
#ifndef COMMON_WIRE_ARENA_H
#define COMMON_WIRE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct arena;

/* An arena whose first block suits a message of LEN bytes on the wire and that gives at most LIMIT
 * bytes. Aborts without memory for the first block. */
struct arena *arena_new(size_t len, size_t limit);
void arena_free(struct arena *a);
/* Its functions for protobuf-c; DATA is the arena. Giving back single pieces does nothing. */
ProtobufCAllocator arena_allocator(struct arena *a);
/* It was asked for more than its limit. */
bool arena_spent(const struct arena *a);
/* The arena whose first piece was FIRST. */
struct arena *arena_of(void *first);

#endif
