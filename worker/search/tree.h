/* SPDX-License-Identifier: Apache-2.0 */
/* tree.h - the search's nodes: inside worker/search only. A node is a routing; routings reached in
 * different orders are one node, so this is a graph without cycles (every edit turns ones into
 * something else for good). */
#ifndef WORKER_SEARCH_TREE_H
#define WORKER_SEARCH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "worker/search/routing.h"

struct node {
    uint8_t *routing; /* [layers] */
    size_t length;    /* layer applications */
    int32_t parent;   /* first found from; -1 for the root */
    bool evaluated;
    double reward;
    uint32_t visits; /* virtual ones included while a round is open */
    double value;    /* sum of rewards */
    uint8_t *action; /* legal edits in random order: routings, made at the first expansion */
    size_t actions_len, actions_next;
    uint32_t *child; /* node numbers, in the order of expansion */
    size_t children_len;
};

struct tree {
    size_t layers, cap;
    enum routing_edits edits;
    struct node *node;
    size_t len;
    int32_t *slot; /* open addressing over routings */
    size_t slots;  /* a power of two, at least 2 * cap */
};

void tree_init(struct tree *t, size_t layers, enum routing_edits edits, size_t nodes_max);
void tree_release(struct tree *t);
/* The node of ROUTING, made when there is none. */
uint32_t tree_node(struct tree *t, const uint8_t *routing, int32_t parent);
/* Are there edits of node N that no expansion has taken? Makes the shuffled list on the first call.
 */
bool tree_can_expand(struct tree *t, uint32_t n, struct rng *rng);
/* Take the next edit of N; returns the child, which may have been found elsewhere before. */
uint32_t tree_expand(struct tree *t, uint32_t n);

#endif
