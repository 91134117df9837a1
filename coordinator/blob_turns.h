/* SPDX-License-Identifier: Apache-2.0 */
/* blob_turns.h - who is served next by the blob thread. Each peer has a short queue of requests of
 * its own; peers take turns, one request each, so that a peer that asks for a whole model at once
 * waits longer than one that asks for a small thing. A request is a credit: a peer has at most
 * TURNS_PEER_MAX under way, and asks for the next chunk when it has one. Pure. Private to
 * coordinator/. */
#ifndef COORDINATOR_BLOB_TURNS_H
#define COORDINATOR_BLOB_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TURNS_PEER_MAX = 4,          /* requests of one peer that wait: 4 MiB of chunks under way */
    TURNS_MAX = 20000,           /* of all peers */
    TURNS_BYTES_MAX = 256 << 20, /* what waiting requests may hold: uploads bring their bytes */
};

struct turns;
/* FREE ends an item that is dropped. */
struct turns *turns_new(void (*free)(void *item));
void turns_free(struct turns *t); /* NULL is fine */

/* ITEM, which holds BYTES, waits for PEER's turn. False: too much waits already, ITEM stays the
 * caller's; the peer is to ask again later. */
bool turns_add(struct turns *t, uint64_t peer, void *item, size_t bytes);
/* The item whose turn it is, now the caller's; NULL when none waits, or only those of peers for
 * which BUSY(ARG, peer) says that they have not taken what they got (they keep their turn). */
void *turns_next(struct turns *t, bool (*busy)(void *arg, uint64_t peer), void *arg,
                 uint64_t *ret_peer);
/* PEER is gone. */
void turns_drop(struct turns *t, uint64_t peer);
size_t turns_waiting(const struct turns *t);

#endif
