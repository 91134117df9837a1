/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/kv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

int kv_new(struct kv **ret, const struct model_conf *c, const uint8_t *routing, size_t capacity,
           struct err *err)
{
    struct kv *kv;

    if (capacity > c->positions)
        return err_set(err, ERR_LIMIT, "a cache of %zu positions; the model has %zu", capacity,
                       c->positions);
    kv = mem_calloc(1, sizeof(*kv));
    kv->layers = c->layers;
    kv->width = c->kv_heads * c->head_dim;
    kv->capacity = capacity;
    kv->routing = mem_dup(routing, c->layers);
    for (size_t l = 0; l < c->layers; l++) {
        assert(routing[l] <= ROUTING_REPEAT);
        kv->slots += routing[l];
    }
    *ret = kv;
    return 0;
}

void kv_free(struct kv *kv)
{
    if (!kv)
        return;
    free(kv->routing);
    free(kv->k);
    free(kv->v);
    free(kv);
}

size_t kv_len(const struct kv *kv)
{
    return kv->len;
}

void kv_truncate(struct kv *kv, size_t len)
{
    assert(len <= kv->len);
    kv->len = len;
}

/* A larger array with the held positions of each slot of OLD; NULL when there is no memory. */
static float *regrown(const struct kv *kv, const float *old, size_t room)
{
    float *grown = mem_try_aligned(MAX(kv->slots, 1) * room * kv->width, sizeof(float));

    for (size_t s = 0; grown && s < kv->slots && kv->len; s++)
        memcpy(grown + s * room * kv->width, old + s * kv->room * kv->width,
               kv->len * kv->width * sizeof(float));
    return grown;
}

int kv_reserve(struct kv *kv, size_t rows, struct err *err)
{
    size_t need = kv->len + rows, room;
    float *k, *v;

    if (need > kv->capacity)
        return err_set(err, ERR_LIMIT, "%zu positions; the cache was made for %zu", need,
                       kv->capacity);
    if (need <= kv->room)
        return 0;
    room = MIN(MAX(2 * kv->room, MAX(need, 32)), kv->capacity);
    k = regrown(kv, kv->k, room);
    v = regrown(kv, kv->v, room);
    if (!k || !v) {
        free(k);
        free(v);
        return err_set(err, ERR_NOMEM, "a cache of %zu positions in %zu slots", room, kv->slots);
    }
    free(kv->k);
    free(kv->v);
    kv->k = k;
    kv->v = v;
    kv->room = room;
    return 0;
}

int kv_copy(struct kv **ret, const struct kv *from, struct err *err)
{
    struct kv *kv = mem_calloc(1, sizeof(*kv));
    int rc;

    *kv = *from;
    kv->k = kv->v = NULL;
    kv->routing = mem_dup(from->routing, from->layers);
    kv->len = kv->room = 0;
    rc = kv_reserve(kv, from->len, err);
    if (rc) {
        kv_free(kv);
        return rc;
    }
    for (size_t s = 0; s < kv->slots && from->len; s++) {
        size_t bytes = from->len * kv->width * sizeof(float);

        memcpy(kv_keys(kv, s), kv_keys(from, s), bytes);
        memcpy(kv_values(kv, s), kv_values(from, s), bytes);
    }
    kv->len = from->len;
    *ret = kv;
    return 0;
}
