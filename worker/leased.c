/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/leased.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"

struct lease_group {
    Drover__Envelope *message;
    atomic_size_t left; /* leases that were not released yet */
};

struct lease_group *lease_group_new(Drover__Envelope *message, size_t *ret_len)
{
    const bool many = message->body_case == DROVER__ENVELOPE__BODY_LEASES;

    assert(many || message->body_case == DROVER__ENVELOPE__BODY_LEASE);
    *ret_len = many ? message->leases->n_v : 1;
    if (*ret_len == 0) {
        wire_free(message);
        return NULL;
    }
    struct lease_group *g = mem_calloc(1, sizeof(*g));
    g->message = message;
    atomic_init(&g->left, *ret_len);
    return g;
}

struct leased leased_at(struct lease_group *g, size_t i)
{
    const Drover__Envelope *m = g->message;

    if (m->body_case == DROVER__ENVELOPE__BODY_LEASE)
        return (struct leased){ m->lease, g };
    assert(i < m->leases->n_v);
    return (struct leased){ m->leases->v[i], g };
}

void leased_release(struct leased *l)
{
    struct lease_group *g = l->group;

    *l = (struct leased){ 0 };
    if (g == NULL || atomic_fetch_sub_explicit(&g->left, 1, memory_order_acq_rel) > 1)
        return;
    wire_free(g->message);
    free(g);
}
