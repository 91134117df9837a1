/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/search/search.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/search/dmath.h"
#include "worker/search/tree.h"

/* A path from the root: each step is an edit of a layer that was 1, so it is no longer than layers
 * + 1. */
struct selection {
    uint32_t *node;
    size_t len;
};

struct search {
    const struct search_params *p;
    size_t layers;
    struct rng rng;
    struct tree tree;
    struct selection *picked; /* [round] */
};

/* Progressive widening (Coulom 2007): children <= factor * visits^power. */
static bool may_widen(const struct search *s, const struct node *n)
{
    double allowed = s->p->widen_factor * dmath_pow(n->visits, s->p->widen_power);

    return (double)n->children_len < allowed;
}

/* Q/v + c sqrt(ln V / v) - lambda |path| / L (Dr.LLM, section 4.1); V are the parent's visits. */
static double score(const struct search *s, const struct node *parent, const struct node *n)
{
    double v = n->visits;

    assert(n->visits > 0 && parent->visits > 0);
    double explore = s->p->exploration * sqrt(dmath_log(parent->visits) / v);
    double shorter = s->p->length_penalty * (double)n->length / (double)s->layers;

    return n->value / v + explore - shorter;
}

static uint32_t best_child(struct search *s, const struct node *n)
{
    uint32_t best = n->child[0];
    double best_score = -INFINITY;

    assert(n->children_len > 0);
    if (rng_double(&s->rng) < s->p->random_child)
        return n->child[rng_below(&s->rng, (uint32_t)n->children_len)];
    for (size_t i = 0; i < n->children_len; i++) {
        const struct node *child = &s->tree.node[n->child[i]];
        double value = score(s, n, child);
        if (value > best_score) {
            best_score = value;
            best = n->child[i];
        }
    }
    return best;
}

static void walk_to(struct search *s, struct selection *path, uint32_t n)
{
    path->node[path->len++] = n;
    s->tree.node[n].visits++;
}

/* From the root down to a node that was never evaluated, or one without edits left. When the walk
 * meets a node whose reward this round still owes, its parent is widened instead, so that a round
 * evaluates as many routings as it can. */
static void select_leaf(struct search *s, struct selection *path)
{
    uint32_t n = 0;

    path->len = 0;
    walk_to(s, path, n);
    for (;;) {
        struct node *node = &s->tree.node[n];
        bool open = tree_can_expand(&s->tree, n, &s->rng);
        uint32_t next;
        if (!open && node->children_len == 0)
            return;
        next = open && may_widen(s, node) ? tree_expand(&s->tree, n) : best_child(s, node);
        if (!s->tree.node[next].evaluated && s->tree.node[next].visits > 0 && open &&
            node->actions_next < node->actions_len)
            next = tree_expand(&s->tree, n);
        walk_to(s, path, next);
        n = next;
        if (!s->tree.node[n].evaluated)
            return;
    }
}

/* Rewards of the leaves that have none yet, each once. */
static int evaluate(struct search *s, size_t paths, search_eval_fn eval, void *arg, struct err *err)
{
    const uint8_t **routing = mem_calloc(paths, sizeof(*routing));
    uint32_t *leaf = mem_calloc(paths, sizeof(*leaf));
    double *reward = mem_calloc(paths, sizeof(*reward));
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < paths; i++) {
        uint32_t end = s->picked[i].node[s->picked[i].len - 1];
        if (s->tree.node[end].evaluated)
            continue;
        s->tree.node[end].evaluated = true;
        routing[n] = s->tree.node[end].routing;
        leaf[n++] = end;
    }
    if (n > 0)
        rc = eval(arg, routing, n, reward, err);
    for (size_t i = 0; i < n && !rc; i++)
        s->tree.node[leaf[i]].reward = reward[i];
    free(routing);
    free(leaf);
    free(reward);
    return rc;
}

static int round_of(struct search *s, search_eval_fn eval, void *arg, struct search_result *ret,
                    struct err *err)
{
    int rc;

    for (size_t i = 0; i < s->p->round; i++)
        select_leaf(s, &s->picked[i]);
    rc = evaluate(s, s->p->round, eval, arg, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < s->p->round; i++) {
        const struct selection *path = &s->picked[i];
        const struct node *leaf = &s->tree.node[path->node[path->len - 1]];
        for (size_t j = 0; j < path->len; j++)
            s->tree.node[path->node[j]].value += leaf->reward;
        ret->path_layers += leaf->length;
        ret->simulations++;
    }
    return 0;
}

/* The base path is evaluated first and is no simulation. */
static int evaluate_root(struct search *s, search_eval_fn eval, void *arg, struct err *err)
{
    uint8_t *ones = mem_calloc(s->layers, 1);
    int rc;

    memset(ones, 1, s->layers);
    tree_node(&s->tree, ones, -1);
    free(ones);
    s->picked[0].len = 0;
    walk_to(s, &s->picked[0], 0);
    rc = evaluate(s, 1, eval, arg, err);
    s->tree.node[0].value = s->tree.node[0].reward;
    return rc;
}

/* Discovered nodes that were never evaluated do not exist: a node is made only as a leaf or met
 * again. */
static void fill_result(const struct search *s, struct search_result *ret)
{
    const struct tree *t = &s->tree;
    const uint8_t *best = NULL;

    ret->base_correct = t->node[0].reward > 0;
    ret->path_layers += s->layers;
    ret->entry = mem_calloc(t->len, sizeof(*ret->entry));
    ret->routing = mem_calloc(t->len, s->layers);
    for (size_t i = 0; i < t->len; i++) {
        const struct node *n = &t->node[i];
        assert(n->evaluated);
        ret->entry[i] = (struct search_entry){ n->parent, n->visits, n->value, n->reward };
        memcpy(ret->routing + i * s->layers, n->routing, s->layers);
        if (n->reward > 0 && (!best || routing_compare(n->routing, best, s->layers) < 0))
            best = n->routing;
    }
    ret->evaluations = (uint32_t)t->len;
    ret->has_label = best != NULL;
    ret->label_length = best ? routing_length(best, s->layers) : s->layers;
    ret->label = mem_calloc(s->layers, 1);
    if (best)
        memcpy(ret->label, best, s->layers);
    else
        memset(ret->label, 1, s->layers);
}

int search_params_check(const struct search_params *p, size_t layers, struct err *err)
{
    if (layers < 1)
        return err_set(err, ERR_INVALID, "a model without layers cannot be routed");
    if (p->round < 1 || p->simulations < 1 || p->simulations % p->round != 0)
        return err_set(err, ERR_INVALID, "simulations (%u) must be a multiple of round (%u)",
                       p->simulations, p->round);
    if (!(p->widen_factor > 0) || !(p->widen_power >= 0 && p->widen_power <= 1) ||
        !(p->random_child >= 0 && p->random_child <= 1) || !(p->exploration >= 0) ||
        !(p->length_penalty >= 0))
        return err_set(err, ERR_INVALID, "a parameter of the search is out of its range");
    return 0;
}

int search_run(const struct search_params *p, size_t layers, uint64_t seed, uint64_t example_id,
               search_eval_fn eval, void *arg, struct search_result *ret, struct err *err)
{
    struct search s = { .p = p, .layers = layers };
    int rc = search_params_check(p, layers, err);

    if (rc)
        return rc;
    *ret = (struct search_result){ 0 };
    s.rng = rng_stream("search", seed, example_id);
    /* One node per simulation at most, and the root; widening a colliding walk's parent may make a
     * second. */
    tree_init(&s.tree, layers, 2 * (size_t)p->simulations + 1);
    s.picked = mem_calloc(p->round, sizeof(*s.picked));
    for (size_t i = 0; i < p->round; i++)
        s.picked[i].node = mem_calloc(layers + 2, sizeof(*s.picked[i].node));
    rc = evaluate_root(&s, eval, arg, err);
    for (uint32_t done = 0; !rc && done < p->simulations; done += p->round)
        rc = round_of(&s, eval, arg, ret, err);
    if (!rc)
        fill_result(&s, ret);
    else
        *ret = (struct search_result){ 0 };
    for (size_t i = 0; i < p->round; i++)
        free(s.picked[i].node);
    free(s.picked);
    tree_release(&s.tree);
    return rc;
}

void search_result_release(struct search_result *r)
{
    free(r->label);
    free(r->entry);
    free(r->routing);
    *r = (struct search_result){ 0 };
}
