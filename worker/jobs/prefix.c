/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/prefix.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "worker/model/sweep.h"

struct state {
    UT_hash_handle hh;
    float *floats;
    uint8_t key[]; /* [len] */
};

struct prefix {
    uint64_t bytes_max, bytes;
    struct state *by_key;
};

struct prefix *prefix_new(uint64_t bytes_max)
{
    struct prefix *p = mem_calloc(1, sizeof(*p));

    p->bytes_max = bytes_max;
    return p;
}

void prefix_clear(struct prefix *p)
{
    struct state *s, *next;

    HASH_ITER(hh, p->by_key, s, next)
    {
        HASH_DEL(p->by_key, s);
        free(s->floats);
        free(s);
    }
    p->bytes = 0;
}

void prefix_free(struct prefix *p)
{
    if (!p)
        return;
    prefix_clear(p);
    free(p);
}

const float *prefix_find(const struct prefix *p, const uint8_t *routing, size_t len)
{
    struct state *s;

    assert(len > 0 && routing[len - 1] != ROUTING_SKIP);
    HASH_FIND(hh, p->by_key, routing, len, s);
    return s ? s->floats : NULL;
}

float *prefix_add(struct prefix *p, const uint8_t *routing, size_t len, size_t floats)
{
    uint64_t bytes = floats * sizeof(float) + sizeof(struct state) + len;
    struct state *s;

    if (p->bytes + bytes > p->bytes_max || prefix_find(p, routing, len))
        return NULL;
    s = mem_calloc(1, sizeof(*s) + len);
    s->floats = mem_try_aligned(floats, sizeof(float));
    if (!s->floats) { /* a cache may do without */
        free(s);
        return NULL;
    }
    memcpy(s->key, routing, len);
    HASH_ADD_KEYPTR(hh, p->by_key, s->key, len, s);
    p->bytes += bytes;
    return s->floats;
}

const float *prefix_start(const struct prefix *p, const uint8_t *routing, size_t layers,
                          size_t *ret_layer, uint8_t *rest)
{
    const float *state;

    memcpy(rest, routing, layers);
    for (size_t len = layers; len > 0; len--) {
        if (routing[len - 1] == ROUTING_SKIP)
            continue;
        state = len < layers ? prefix_find(p, routing, len) : NULL;
        *ret_layer = len;
        if (state)
            return state;
        if (routing[len - 1] != ROUTING_REPEAT)
            continue;
        rest[len - 1] = ROUTING_EXECUTE;
        state = prefix_find(p, rest, len);
        *ret_layer = len - 1;
        if (state)
            return state;
        rest[len - 1] = ROUTING_REPEAT;
    }
    *ret_layer = 0;
    return NULL;
}
