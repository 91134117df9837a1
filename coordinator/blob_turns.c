/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/blob_turns.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "common/base/mem.h"

/* A peer with something that waits; without anything it is forgotten. */
struct peer {
    uint64_t id;
    struct {
        void *item;
        size_t bytes;
    } queue[TURNS_PEER_MAX]; /* a ring */
    size_t first, len;
    struct peer *prev, *next; /* in the order of turns */
    UT_hash_handle hh;
};

struct turns {
    void (*free)(void *item);
    struct peer *peers; /* by id */
    struct peer *order;
    size_t peers_len, items, bytes;
};

struct turns *turns_new(void (*free_item)(void *item))
{
    struct turns *t = mem_calloc(1, sizeof(*t));

    t->free = free_item;
    return t;
}

static void forget(struct turns *t, struct peer *p)
{
    HASH_DEL(t->peers, p);
    DL_DELETE(t->order, p);
    t->peers_len--;
    free(p);
}

static void *take(struct turns *t, struct peer *p)
{
    void *item = p->queue[p->first].item;

    t->bytes -= p->queue[p->first].bytes;
    t->items--;
    p->first = (p->first + 1) % TURNS_PEER_MAX;
    p->len--;
    return item;
}

bool turns_add(struct turns *t, uint64_t peer, void *item, size_t bytes)
{
    struct peer *p;
    size_t place;

    HASH_FIND(hh, t->peers, &peer, sizeof(peer), p);
    if ((p && p->len == TURNS_PEER_MAX) || t->items == TURNS_MAX ||
        (t->items > 0 && t->bytes + bytes > TURNS_BYTES_MAX))
        return false;
    if (!p) {
        p = mem_calloc(1, sizeof(*p));
        p->id = peer;
        HASH_ADD(hh, t->peers, id, sizeof(p->id), p);
        DL_APPEND(t->order, p);
        t->peers_len++;
    }
    place = (p->first + p->len++) % TURNS_PEER_MAX;
    p->queue[place].item = item;
    p->queue[place].bytes = bytes;
    t->items++;
    t->bytes += bytes;
    return true;
}

void *turns_next(struct turns *t, bool (*busy)(void *arg, uint64_t peer), void *arg,
                 uint64_t *ret_peer)
{
    for (size_t i = t->peers_len; i > 0; i--) {
        struct peer *p = t->order;
        void *item;

        DL_DELETE(t->order, p);
        DL_APPEND(t->order, p);
        if (busy && busy(arg, p->id))
            continue;
        *ret_peer = p->id;
        item = take(t, p);
        if (p->len == 0)
            forget(t, p);
        return item;
    }
    return NULL;
}

void turns_drop(struct turns *t, uint64_t peer)
{
    struct peer *p;

    HASH_FIND(hh, t->peers, &peer, sizeof(peer), p);
    if (!p)
        return;
    while (p->len > 0)
        t->free(take(t, p));
    forget(t, p);
}

size_t turns_waiting(const struct turns *t)
{
    return t->items;
}

void turns_free(struct turns *t)
{
    if (!t)
        return;
    while (t->order)
        turns_drop(t, t->order->id);
    free(t);
}
