/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/search/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void tree_init(struct tree *t, size_t layers, enum routing_edits edits, size_t nodes_max)
{
    *t = (struct tree){ .layers = layers, .cap = nodes_max, .edits = edits, .slots = 16 };
    while (t->slots < 2 * nodes_max)
        t->slots *= 2;
    t->node = mem_calloc(nodes_max, sizeof(*t->node));
    t->slot = mem_calloc(t->slots, sizeof(*t->slot));
    memset(t->slot, 0xFF, t->slots * sizeof(*t->slot));
}

void tree_release(struct tree *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free(t->node[i].routing);
        free(t->node[i].action);
        free(t->node[i].child);
    }
    free(t->node);
    free(t->slot);
    *t = (struct tree){ 0 };
}

/* FNV-1a; only spreads, decides nothing. */
static size_t hash(const uint8_t *routing, size_t layers)
{
    uint64_t h = 14695981039346656037ull;

    for (size_t i = 0; i < layers; i++)
        h = (h ^ routing[i]) * 1099511628211ull;
    return (size_t)(h ^ h >> 29);
}

uint32_t tree_node(struct tree *t, const uint8_t *routing, int32_t parent)
{
    size_t at = hash(routing, t->layers) & (t->slots - 1);

    for (; t->slot[at] >= 0; at = (at + 1) & (t->slots - 1))
        if (memcmp(t->node[t->slot[at]].routing, routing, t->layers) == 0)
            return (uint32_t)t->slot[at];
    assert(t->len < t->cap);
    t->slot[at] = (int32_t)t->len;
    t->node[t->len] = (struct node){ .routing = mem_dup(routing, t->layers),
                                     .length = routing_length(routing, t->layers),
                                     .parent = parent };
    return (uint32_t)t->len++;
}

bool tree_can_expand(struct tree *t, uint32_t n, struct rng *rng)
{
    struct node *node = &t->node[n];

    if (!node->action) {
        /* 3L - 1 edits at most (routing.h); shuffled by swapping numbers, then copied in that
         * order.
         */
        size_t layers = t->layers;
        uint8_t *list = mem_calloc(3 * layers, layers);
        node->actions_len = routing_children(node->routing, layers, t->edits, list);
        uint32_t *order = mem_calloc(node->actions_len + 1, sizeof(*order));
        for (size_t i = 0; i < node->actions_len; i++)
            order[i] = (uint32_t)i;
        rng_shuffle(rng, order, node->actions_len, sizeof(*order));
        node->action = mem_calloc(node->actions_len + 1, layers);
        for (size_t i = 0; i < node->actions_len; i++)
            memcpy(node->action + i * layers, list + order[i] * layers, layers);
        node->child = mem_calloc(node->actions_len + 1, sizeof(*node->child));
        free(order);
        free(list);
    }
    return node->actions_next < node->actions_len;
}

uint32_t tree_expand(struct tree *t, uint32_t n)
{
    size_t i = t->node[n].actions_next++;
    uint32_t child = tree_node(t, t->node[n].action + i * t->layers, (int32_t)n);

    t->node[n].child[t->node[n].children_len++] = child;
    return child;
}
