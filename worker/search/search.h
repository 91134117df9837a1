/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - Monte-Carlo tree search over routing configurations of one example, and the label rule
 * (design: section 8; Dr.LLM, arXiv 2510.12773, with a real tree instead of the published chain).
 *
 * State: a routing (one byte per layer, 0 skip, 1 execute, 2 repeat). Root: all ones. An action
 * skips 1 or 2 consecutive executed layers, or repeats one executed layer; at most 2 consecutive
 * layers skipped, at most one repeat per layer, length <= 2L, length >= 1. Equal routings reached
 * in different orders are one node. Pure: evaluation is a callback; random numbers come from
 * rng_stream("search", seed, example id). The result is a function of (params, layers, seed,
 * example id, rewards). */
#ifndef WORKER_SEARCH_SEARCH_H
#define WORKER_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct search_params {
    uint32_t simulations;             /* a multiple of round */
    uint32_t round;                   /* selections with virtual loss per evaluation batch, 1.. */
    double exploration;               /* c, 1.8 */
    double length_penalty;            /* lambda, 3.0 */
    double random_child;              /* 0.1 */
    double widen_factor, widen_power; /* progressive widening: children <= factor * visits^power */
};

/* Rewards (0 or 1) of N distinct routings, none evaluated before. Returns 0 or an error code, which
 * ends the search. */
typedef int (*search_eval_fn)(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                              struct err *err);

/* One evaluated routing, in order of discovery; entry 0 is the root. */
struct search_entry {
    int32_t parent;  /* entry it was first reached from; -1 for the root */
    uint32_t visits; /* at the end */
    double value;    /* sum of rewards */
    double reward;   /* its own */
};

struct search_result {
    bool base_correct, has_label;
    uint8_t *label; /* [layers]: the shortest correct routing; ties: fewer changes from all ones,
                       then lexicographic */
    size_t label_length;               /* layer applications of the label */
    uint32_t simulations, evaluations; /* evaluations: distinct routings evaluated */
    uint64_t path_layers; /* sum of lengths over all simulations: the cost had each simulated path
                             been run whole */
    struct search_entry *entry; /* [evaluations] */
    uint8_t *routing;           /* [evaluations][layers] */
};
void search_result_release(struct search_result *r);

int search_params_check(const struct search_params *p, size_t layers, struct err *err) MUST_CHECK;
int search_run(const struct search_params *p, size_t layers, uint64_t seed, uint64_t example_id,
               search_eval_fn eval, void *arg, struct search_result *ret,
               struct err *err) MUST_CHECK;

size_t routing_length(const uint8_t *routing, size_t layers);
/* Order of the label rule: <0 when A is the better label. */
int routing_compare(const uint8_t *a, const uint8_t *b, size_t layers);
/* Every legal single action from R in a fixed order, written to OUT (capacity 4 * layers routings
 * of LAYERS bytes); returns how many. */
size_t routing_children(const uint8_t *r, size_t layers, uint8_t *out);
/* "11021..." and back (ERR_INVALID names the position). */
void routing_print(const uint8_t *r, size_t layers, char *out /* layers + 1 */);
int routing_parse(const char *text, size_t layers, uint8_t *out, struct err *err) MUST_CHECK;

#endif
