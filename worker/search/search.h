/* SPDX-License-Identifier: Apache-2.0 */
/* search.h - search over routing configurations of one example, and the label rule (design: section
 * 8; Dr.LLM, arXiv 2510.12773, with a real tree instead of the published chain).
 *
 * State: a routing (routing.h). Root: all ones. An action skips 1 or 2 consecutive executed layers,
 * or repeats one executed layer; what results must be legal. Equal routings reached in different
 * orders are one node. Pure: a machine that asks for rewards and is told; random numbers come from
 * rng_stream("search", seed, example id). The result is a function of (params, layers, seed,
 * example id, rewards): of no batch, shard or memo.
 *
 *     new -> ask -> tell -> ask -> ... -> ask returns 0 -> finish -> free
 *
 * Without early stop, what is asked up to simulation n does not depend on `simulations` >= n, but
 * for total_visits. */
#ifndef WORKER_SEARCH_SEARCH_H
#define WORKER_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/search/routing.h"

/* Most entries of a result: what a search log holds (WIRE_ENTRIES_MAX). */
enum { SEARCH_ENTRIES_MAX = 16384 };

enum search_method {
    SEARCH_PROGRESSIVE, /* children <= factor * visits^power */
    SEARCH_ALL,         /* every child before any grandchild */
    /* As the published code behaves: every node gets at most one child, a random edit of its
     * parent; as many edits as there are legal repeats are "repeat zero times", which changes
     * nothing and is answered by the memo; the first simulation is the root once more. UCB decides
     * nothing. Unlike there, edits that make illegal routings are left out. `round` changes no
     * bit. */
    SEARCH_CHAIN,
    /* Every legal routing at most `depth` edits away from all ones or a start, by depth, then in
     * the order of their parents and of routing_children; no simulations. */
    SEARCH_ENUMERATE
};

/* When a search ends before its simulations do; looked at after each round (the chain: after each
 * simulation). The three versions of the paper. */
enum search_stop {
    SEARCH_STOP_NONE,
    SEARCH_STOP_SHORTER,  /* text: a right path strictly shorter than the shortest right one before
                             (the base path is the first when it is right) */
    SEARCH_STOP_FIXED,    /* algorithm 1: a right path, the base path being wrong */
    SEARCH_STOP_PUBLISHED /* code: the same, or a right path at least 2 layers shorter than the
                             base path */
};

struct search_params {
    uint32_t simulations;             /* a multiple of round */
    uint32_t round;                   /* selections with virtual loss per evaluation batch, 1.. */
    double exploration;               /* c, 1.8 */
    double length_penalty;            /* lambda, 3.0 */
    double random_child;              /* 0.1 */
    double widen_factor, widen_power; /* of SEARCH_PROGRESSIVE */
    enum search_method method;
    enum routing_edits edits;
    uint32_t depth; /* of SEARCH_ENUMERATE: 1..4, with starts 0..4; else 0 or 1 */
    /* Of SEARCH_ENUMERATE: legal routings [starts_len][layers], borrowed, from which edits are
     * counted too. */
    const uint8_t *starts;
    size_t starts_len;
    enum search_stop early_stop;
    bool total_visits; /* V of the exploration term: all simulations (CoLa), not the parent's */
};

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
    uint32_t simulations, evaluations; /* evaluations: distinct routings, = entries */
    uint32_t hinted;                   /* of them, those that search_tell was told by a memo */
    uint64_t path_layers; /* sum of lengths over all simulations: the cost had each simulated path
                             been run whole */
    struct search_entry *entry; /* [evaluations] */
    uint8_t *routing;           /* [evaluations][layers] */
};
void search_result_release(struct search_result *r);

/* ERR_INVALID: out of range, or parameters that contradict each other, by name. */
int search_params_check(const struct search_params *p, size_t layers, struct err *err) MUST_CHECK;

struct search;
int search_new(struct search **ret, const struct search_params *p, size_t layers, uint64_t seed,
               uint64_t example_id, struct err *err) MUST_CHECK;
void search_free(struct search *s); /* NULL is fine */
/* The routings of the next round whose rewards are needed: distinct, never asked before; their
 * order over all rounds is that of the result's entries. RET is valid until the next search_ask,
 * each routing until search_free. 0: the search is over. */
size_t search_ask(struct search *s, const uint8_t *const **ret) MUST_CHECK;
/* The rewards (0 or 1) of what was asked, in that order; HINTED of them came out of a memo. */
void search_tell(struct search *s, const double *reward, size_t hinted);
/* Asserts that search_ask returned 0. */
void search_finish(struct search *s, struct search_result *ret);

/* The whole in one call: rewards of N distinct routings, none evaluated before. EVAL returns 0 or
 * an error code, which ends the search. */
typedef int (*search_eval_fn)(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                              struct err *err);
int search_run(const struct search_params *p, size_t layers, uint64_t seed, uint64_t example_id,
               search_eval_fn eval, void *arg, struct search_result *ret,
               struct err *err) MUST_CHECK;

#endif
