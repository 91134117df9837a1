/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.h - a scorer whose rewards are a hash of the path, and what the tests of searches ask
 * of a result. Independent of routing.c on purpose. */
#ifndef TESTS_UNIT_WORKER_SEARCH_SCRIPTED_H
#define TESTS_UNIT_WORKER_SEARCH_SCRIPTED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/search/search.h"

enum { SCRIPT_LOG = 20000 };

struct script {
    uint64_t salt;
    unsigned right; /* of ten paths */
    size_t layers;
    size_t asked, rounds;
    uint32_t round_of[SCRIPT_LOG]; /* entry -> the round that asked for it */
};

static inline double script_reward(const struct script *s, const uint8_t *routing)
{
    uint64_t h = s->salt;

    for (size_t k = 0; k < s->layers; k++)
        h = (h ^ routing[k]) * 1099511628211ull;
    h ^= h >> 29;
    return (h >> 7) % 10 < s->right;
}

static inline int script_eval(void *arg, const uint8_t *const *routing, size_t n, double *reward,
                              struct err *err)
{
    struct script *s = arg;

    (void)err;
    for (size_t i = 0; i < n; i++) {
        assert_true(s->asked < SCRIPT_LOG);
        s->round_of[s->asked++] = (uint32_t)s->rounds;
        reward[i] = script_reward(s, routing[i]);
    }
    s->rounds++;
    return 0;
}

static const struct search_params script_usual = { .simulations = 50,
                                                   .round = 5,
                                                   .exploration = 1.8,
                                                   .length_penalty = 3,
                                                   .random_child = 0.1,
                                                   .widen_factor = 1.5,
                                                   .widen_power = 0.6 };

/* The search of SEED, whose example is SEED too; the script is begun anew. */
static inline struct search_result script_run(const struct search_params *p, size_t layers,
                                              uint64_t seed, struct script *s)
{
    struct search_result r;
    struct err err = { 0 };

    s->salt = seed * 77 + 1;
    s->layers = layers;
    s->asked = s->rounds = 0;
    if (search_run(p, layers, seed, seed, script_eval, s, &r, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(r.evaluations, s->asked);
    return r;
}

/* The most children that the root, and that any other entry, was the first to reach. */
static inline void script_branching(const struct search_result *r, uint32_t *ret_root,
                                    uint32_t *ret_below)
{
    static uint32_t children[SCRIPT_LOG];

    *ret_root = *ret_below = 0;
    memset(children, 0, r->evaluations * sizeof(*children));
    for (uint32_t i = 1; i < r->evaluations; i++)
        children[r->entry[i].parent]++;
    *ret_root = children[0];
    for (uint32_t i = 1; i < r->evaluations; i++)
        *ret_below = children[i] > *ret_below ? children[i] : *ret_below;
}

static inline bool script_same(const struct search_result *a, const struct search_result *b,
                               size_t layers)
{
    return a->evaluations == b->evaluations && a->simulations == b->simulations &&
           a->has_label == b->has_label && a->path_layers == b->path_layers &&
           memcmp(a->label, b->label, layers) == 0 &&
           memcmp(a->routing, b->routing, a->evaluations * layers) == 0 &&
           memcmp(a->entry, b->entry, a->evaluations * sizeof(*a->entry)) == 0;
}

/* The limits of the paper, by themselves. */
static inline bool script_legal(const uint8_t *r, size_t layers)
{
    size_t sum = 0;

    for (size_t i = 0; i < layers; i++) {
        if (r[i] > 2 || (i >= 2 && r[i - 2] + r[i - 1] + r[i] == 0))
            return false;
        sum += r[i];
    }
    return sum >= 1 && sum <= 2 * layers;
}

/* The least edits that make R of all ones: pairs of skips count once. */
static inline size_t script_edits(const uint8_t *r, size_t layers)
{
    size_t n = 0;

    for (size_t i = 0; i < layers; i++)
        n += r[i] == 2 || (r[i] == 0 && (i == 0 || r[i - 1] != 0));
    return n;
}

/* Path number CODE of 3^layers. */
static inline void script_path(uint64_t code, size_t layers, uint8_t *out)
{
    for (size_t i = layers; i-- > 0; code /= 3)
        out[i] = (uint8_t)(code % 3);
}

#endif
