/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - inside of struct kv (sweep.h): keys and values of one sequence, one slot per path
 * position. Private. */
#ifndef WORKER_MODEL_KV_H
#define WORKER_MODEL_KV_H

#include "worker/model/sweep.h"

struct kv {
    size_t layers, slots, width; /* width: kv_heads * head_dim */
    size_t len, room, capacity;  /* positions: held, allocated, allowed */
    uint8_t *routing;            /* [layers] */
    float *k, *v;                /* (slots, room, width) */
};

/* Room for ROWS more positions. ERR_NOMEM; ERR_LIMIT: beyond the capacity. */
int kv_reserve(struct kv *kv, size_t rows, struct err *err) MUST_CHECK;
static inline float *kv_keys(const struct kv *kv, size_t slot)
{
    return kv->k + slot * kv->room * kv->width;
}
static inline float *kv_values(const struct kv *kv, size_t slot)
{
    return kv->v + slot * kv->room * kv->width;
}

#endif
