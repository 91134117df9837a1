/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/prefix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sweep.h"

/* Of all sizes: the states of 16 examples of a small model, or of one of a large one. More are kept
 * as long as there were as many in use at once: fresh memory costs more than a small layer. */
enum { SPARE_BYTES_MAX = 256 << 20 };

/* Pieces of one size; each begins with the address of the next. */
struct spare_size {
    UT_hash_handle hh;
    size_t bytes;
    void *first;
};

struct spares {
    struct spare_size *by_bytes;
    uint64_t bytes;
    uint64_t used, used_most; /* taken and not given back: now, at most so far */
};

struct prefix {
    uint64_t bytes_max, bytes;
    struct spares *spares;
    struct prefix_state *by_key;
    struct prefix_state *oldest, *newest; /* all states */
};

struct spares *spares_new(void)
{
    return mem_calloc(1, sizeof(struct spares));
}

static void spares_clear(struct spares *s)
{
    struct spare_size *size, *next;

    HASH_ITER(hh, s->by_bytes, size, next)
    {
        for (void *at = size->first, *after; at; at = after) {
            memcpy(&after, at, sizeof(after));
            free(at);
        }
        HASH_DEL(s->by_bytes, size);
        free(size);
    }
    s->bytes = 0;
}

void spares_free(struct spares *s)
{
    if (!s)
        return;
    spares_clear(s);
    free(s);
}

/* Sizes have three significant bits behind the first, so that texts of about the same length share
 * their memory. */
static size_t spare_bytes(size_t bytes)
{
    size_t step = 64;

    while (bytes / step >= 16)
        step *= 2;
    return (bytes + step - 1) / step * step;
}

/* The first piece of SIZE. */
static void *take_first(struct spares *s, struct spare_size *size)
{
    void *piece = size->first;

    memcpy(&size->first, piece, sizeof(piece));
    s->bytes -= size->bytes;
    return piece;
}

/* May there be BYTES more spare ones? */
static bool may_keep(const struct spares *s, size_t bytes)
{
    return s->bytes + bytes <= MAX((uint64_t)SPARE_BYTES_MAX, s->used_most - s->used);
}

/* Free pieces until those that are left may be kept. */
static void spares_trim(struct spares *s)
{
    for (struct spare_size *size = s->by_bytes; size && !may_keep(s, 0); size = size->hh.next)
        while (size->first && !may_keep(s, 0))
            free(take_first(s, size));
}

/* A piece of SPARE_BYTES bytes, or NULL. */
static void *spares_take(struct spares *s, size_t bytes)
{
    struct spare_size *size;
    void *piece;

    HASH_FIND(hh, s->by_bytes, &bytes, sizeof(bytes), size);
    piece = size && size->first ? take_first(s, size) : mem_try_aligned(bytes, 1);
    if (!piece)
        return NULL;
    s->used += bytes;
    s->used_most = MAX(s->used_most, s->used);
    spares_trim(s); /* of other sizes */
    return piece;
}

static void spares_give(struct spares *s, void *piece, size_t bytes)
{
    struct spare_size *size;

    if (!piece)
        return;
    s->used -= bytes;
    if (!may_keep(s, bytes)) {
        free(piece);
        return;
    }
    HASH_FIND(hh, s->by_bytes, &bytes, sizeof(bytes), size);
    if (!size) {
        size = mem_calloc(1, sizeof(*size));
        size->bytes = bytes;
        HASH_ADD(hh, s->by_bytes, bytes, sizeof(bytes), size);
    }
    memcpy(piece, &size->first, sizeof(piece));
    size->first = piece;
    s->bytes += bytes;
}

struct prefix *prefix_new(uint64_t bytes_max, struct spares *spares)
{
    struct prefix *p = mem_calloc(1, sizeof(*p));

    p->bytes_max = bytes_max;
    p->spares = spares;
    return p;
}

static void unlink_state(struct prefix *p, struct prefix_state *s)
{
    *(s->older ? &s->older->newer : &p->oldest) = s->newer;
    *(s->newer ? &s->newer->older : &p->newest) = s->older;
}

static void link_newest(struct prefix *p, struct prefix_state *s)
{
    s->newer = NULL;
    s->older = p->newest;
    *(p->newest ? &p->newest->newer : &p->oldest) = s;
    p->newest = s;
}

static void remove_state(struct prefix *p, struct prefix_state *s)
{
    HASH_DEL(p->by_key, s);
    unlink_state(p, s);
    p->bytes -= s->bytes;
    spares_give(p->spares, s->floats, s->floats_bytes);
    free(s);
}

void prefix_clear(struct prefix *p)
{
    while (p->oldest) {
        assert(p->oldest->users == 0);
        remove_state(p, p->oldest);
    }
}

void prefix_free(struct prefix *p)
{
    if (!p)
        return;
    prefix_clear(p);
    free(p);
}

struct prefix_state *prefix_find(const struct prefix *p, const uint8_t *key, size_t len)
{
    struct prefix_state *s;

    assert(len > 0 && key[len - 1] != ROUTING_SKIP);
    HASH_FIND(hh, p->by_key, key, len, s);
    return s;
}

static struct prefix_state *find_filled(const struct prefix *p, const uint8_t *key, size_t len)
{
    struct prefix_state *s = prefix_find(p, key, len);

    return s && s->floats ? s : NULL;
}

struct prefix_state *prefix_start(const struct prefix *p, const uint8_t *routing, size_t layers,
                                  size_t *ret_layer, unsigned *ret_times)
{
    uint8_t *key CLEANUP(mem_cleanup) = mem_dup(routing, layers);

    for (size_t len = layers; len > 0; len--) {
        for (unsigned times = routing[len - 1]; times > 0; times--) {
            struct prefix_state *s;

            key[len - 1] = (uint8_t)times;
            s = find_filled(p, key, len);
            *ret_layer = len - 1;
            *ret_times = times;
            if (s)
                return s;
        }
    }
    *ret_layer = 0;
    *ret_times = 0;
    return NULL;
}

void prefix_use(struct prefix_state *s)
{
    if (s->users++ == 0)
        s->item = s->reader = SIZE_MAX;
}

struct prefix_state *prefix_get(struct prefix *p, const uint8_t *key, size_t len)
{
    struct prefix_state *s = prefix_find(p, key, len);

    if (!s) {
        s = mem_calloc(1, sizeof(*s) + len);
        memcpy(s->key, key, len);
        s->len = len;
        s->bytes = sizeof(*s) + len;
        HASH_ADD_KEYPTR(hh, p->by_key, s->key, len, s);
        link_newest(p, s);
        p->bytes += s->bytes;
    }
    prefix_use(s);
    return s;
}

/* Drop unused states, the oldest first, until BYTES are kept or none is left. */
static void trim_to(struct prefix *p, uint64_t bytes)
{
    for (struct prefix_state *s = p->oldest, *next; s && p->bytes > bytes; s = next) {
        next = s->newer;
        if (s->users == 0)
            remove_state(p, s);
    }
}

void prefix_trim(struct prefix *p)
{
    trim_to(p, p->bytes_max);
}

bool prefix_fill(struct prefix *p, struct prefix_state *s, size_t floats)
{
    size_t bytes = spare_bytes(floats * sizeof(float));

    assert(!s->floats && s->users > 0);
    s->floats = spares_take(p->spares, bytes);
    if (!s->floats) {
        trim_to(p, 0);
        spares_clear(p->spares);
        s->floats = spares_take(p->spares, bytes);
    }
    if (!s->floats)
        return false;
    s->floats_bytes = bytes;
    s->bytes += bytes;
    p->bytes += bytes;
    return true;
}

void prefix_drop(struct prefix *p, struct prefix_state *s)
{
    assert(s->users > 0);
    if (--s->users == 0 && !s->floats)
        remove_state(p, s);
}

void prefix_touch(struct prefix *p, const uint8_t *routing, size_t layers)
{
    uint8_t *key CLEANUP(mem_cleanup) = mem_dup(routing, layers);

    for (size_t len = layers; len > 0; len--) {
        for (unsigned times = routing[len - 1]; times > 0; times--) {
            struct prefix_state *s;

            key[len - 1] = (uint8_t)times;
            s = prefix_find(p, key, len);
            if (!s)
                continue;
            unlink_state(p, s);
            link_newest(p, s);
        }
    }
}

uint64_t prefix_bytes(const struct prefix *p)
{
    return p->bytes;
}
