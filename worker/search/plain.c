/* SPDX-License-Identifier: Apache-2.0 */
/* The methods that look at no reward: the published chain and the enumeration. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/search/machine.h"

/* A random edit of the routing at the chain's end into EDITED; false when it is one that changes
 * nothing, or none is left. */
static bool draw_edit(struct search *s, const uint8_t *end, uint8_t *edited)
{
    uint8_t *child CLEANUP(mem_cleanup) = mem_calloc(3 * s->layers, s->layers);
    size_t n = routing_children(end, s->layers, s->p.edits, child);
    size_t repeats = s->p.edits != EDITS_SKIP ? s->layers - routing_changes(end, s->layers) : 0;
    size_t k;

    if (n + repeats == 0)
        return false;
    k = rng_below(&s->rng, (uint32_t)(n + repeats));
    if (k >= n)
        return false;
    memcpy(edited, child + k * s->layers, s->layers);
    return true;
}

void select_in_chain(struct search *s, struct selection *path)
{
    struct selection *c = &s->chain;

    if (c->len == 0) {
        c->node[c->len++] = 0;
    } else {
        uint32_t end = c->node[c->len - 1];
        uint8_t *edited CLEANUP(mem_cleanup) = mem_calloc(s->layers, 1);

        if (draw_edit(s, s->tree.node[end].routing, edited))
            c->node[c->len++] = tree_node(&s->tree, edited, (int32_t)end);
    }
    for (size_t i = 0; i < c->len; i++)
        selection_step(s, path, c->node[i]);
}

bool enumerate_nodes(struct search *s)
{
    struct tree *t = &s->tree;
    uint8_t *child CLEANUP(mem_cleanup) = mem_calloc(3 * s->layers, s->layers);
    size_t begin = 0;

    for (size_t i = 0; i < s->p.starts_len; i++) {
        if (t->len > SEARCH_ENTRIES_MAX)
            return false;
        (void)tree_node(t, s->p.starts + i * s->layers, 0);
    }
    for (uint32_t d = 0; d < s->p.depth; d++) {
        size_t end = t->len; /* nodes D edits away are begin .. end - 1 */

        for (; begin < end && t->len <= SEARCH_ENTRIES_MAX; begin++) {
            size_t n = routing_children(t->node[begin].routing, s->layers, s->p.edits, child);

            for (size_t k = 0; k < n; k++)
                (void)tree_node(t, child + k * s->layers, (int32_t)begin);
        }
    }
    assert(s->p.starts_len > 0 || t->len == t->cap);
    return t->len <= SEARCH_ENTRIES_MAX;
}
