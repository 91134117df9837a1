/* SPDX-License-Identifier: Apache-2.0 */
/* router_family.h - which paths a success router chooses among, from what searches evaluated. */
#ifndef WORKER_TRAIN_ROUTER_FAMILY_H
#define WORKER_TRAIN_ROUTER_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Outcomes of examples: entries start[i]..start[i + 1]-1 belong to example i. */
struct router_outcomes {
    size_t layers, paths_len, examples;
    const uint8_t *path; /* [paths_len][layers], distinct */
    const size_t *start; /* [examples + 1] */
    const uint32_t *of;  /* path of an entry, each at most once per example */
    const bool *right;
    size_t groups;         /* 1.. */
    const uint32_t *group; /* [examples]: task and level, say */
};

/* BEST: of every length (layer applications), rank by rank, the path with the largest share of
 * right answers, of all examples and of each group. COVER: one by one the path that adds most to
 * what a perfect choice among them would give: an example answered rightly is worth 1, and each
 * layer saved 1 / (4 layers) more. */
enum router_choice { ROUTER_BEST, ROUTER_COVER };

/* At most MOST paths for a router that decides behind DECIDE_LAYER executed layers, the default
 * path first. Candidates execute every layer below DECIDE_LAYER once and were evaluated for at
 * least SHARE of the examples. Ties: shorter, then fewer changes, then lexicographic. RET has room
 * for MOST numbers of paths. ERR_INVALID: the default path and one other are not among the
 * candidates (says how often the best one was evaluated). */
int router_family(const struct router_outcomes *o, size_t decide_layer, double share,
                  enum router_choice choice, size_t most, uint32_t *ret, size_t *ret_len,
                  struct err *err) MUST_CHECK;

#endif
