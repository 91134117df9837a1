/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - what the methods of a search share: inside worker/search only. */
#ifndef WORKER_SEARCH_MACHINE_H
#define WORKER_SEARCH_MACHINE_H

#include "worker/search/search.h"
#include "worker/search/tree.h"

/* A path from the root: each step is an edit of a layer that was 1, so it is no longer than layers
 * + 1. */
struct selection {
    uint32_t *node;
    size_t len;
};

struct search {
    struct search_params p;
    size_t layers;
    struct rng rng;
    struct tree tree;
    struct selection *picked; /* of the present round */
    size_t picked_len, picked_max;
    /* What the round asks for: [picked_max]. */
    const uint8_t **routing;
    uint32_t *leaf;
    size_t asked;     /* routings that wait for their rewards; 0: none */
    uint32_t told;    /* nodes with a reward: they are in the order of the questions */
    bool began, over; /* the root was asked for; no round is left */
    uint32_t simulations, hinted;
    uint64_t path_layers;
    size_t shortest;        /* length of the shortest right path up to the last round; SIZE_MAX */
    struct selection chain; /* of SEARCH_CHAIN: from the root to its end */
};

/* Go on to node N. */
void selection_step(struct search *s, struct selection *path, uint32_t n);

/* One simulation of SEARCH_PROGRESSIVE and SEARCH_ALL: from the root down to a node that was never
 * evaluated, or one without edits left. */
void select_by_ucb(struct search *s, struct selection *path);
/* One simulation of SEARCH_CHAIN. */
void select_in_chain(struct search *s, struct selection *path);
/* Make all nodes of SEARCH_ENUMERATE; false: they are more than SEARCH_ENTRIES_MAX. */
bool enumerate_nodes(struct search *s);

#endif
