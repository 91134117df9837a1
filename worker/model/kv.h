/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - inside of struct kv (sweep.h): keys and values of one sequence, one slot per path
 * position, in pages of KV_PAGE positions that copies share. Private. */
#ifndef WORKER_MODEL_KV_H
#define WORKER_MODEL_KV_H

#include <string.h>

#include "worker/model/sweep.h"

/* Positions of a page: a multiple of 16, as the attention kernel wants it. A page of a model with
 * 8 key/value heads of 64 is 128 KiB; half a page per slot is wasted on average. */
enum { KV_PAGE = 32 };

/* Page P of slot S: KV_PAGE keys at k[s * room + p], turned (number c of all is a run of KV_PAGE
 * keys: attention scores neighbours at once), their values at v[s * room + p], row by row, in one
 * piece of memory that begins with the number of its owners. */
struct kv {
    size_t layers, slots, width; /* width: kv_heads * head_dim */
    size_t len, capacity;        /* positions: held, allowed */
    size_t pages, room;          /* per slot: allocated, room in the tables */
    uint8_t *routing;            /* [layers]; 0 where it is not decided yet */
    bool open;                   /* the routing is not decided yet, but for what a pass decides */
    float **k, **v;              /* [slots * room] */
};

/* Room for ROWS more positions that nobody else sees. ERR_NOMEM; ERR_LIMIT: beyond the capacity. */
int kv_reserve(struct kv *kv, size_t rows, struct err *err) MUST_CHECK;
/* Layer LAYER of an open cache is passed TIMES times: slots for the positions reserved. ERR_NOMEM.
 */
int kv_decide(struct kv *kv, size_t layer, uint8_t times, struct err *err) MUST_CHECK;
/* An open cache as it was: nothing is decided. */
void kv_forget(struct kv *kv);
/* Keep numbers [from, from + n) of the KEY and VALUE of POSITION in SLOT. */
static inline void kv_keep(struct kv *kv, size_t slot, size_t position, size_t from, size_t n,
                           const float *key, const float *value)
{
    size_t page = slot * kv->room + position / KV_PAGE, at = position % KV_PAGE;
    float *k = kv->k[page] + from * KV_PAGE + at;

    for (size_t i = 0; i < n; i++)
        k[i * KV_PAGE] = key[i];
    memcpy(kv->v[page] + at * kv->width + from, value, n * sizeof(*value));
}

#endif
