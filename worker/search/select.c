/* SPDX-License-Identifier: Apache-2.0 */
/* Selection in a tree: UCB with a length term, progressive widening, virtual loss. */
#include <assert.h>
#include <math.h>

#include "common/base/dmath.h"
#include "worker/search/machine.h"

/* Progressive widening (Coulom 2007): children <= factor * visits^power. */
static bool may_widen(const struct search *s, const struct node *n)
{
    if (s->p.method == SEARCH_ALL)
        return true;
    return (double)n->children_len < s->p.widen_factor * dmath_pow(n->visits, s->p.widen_power);
}

/* Q/v + c sqrt(ln V / v) - lambda |path| / L (Dr.LLM, section 4.1); V are the parent's visits or,
 * as in CoLa, all simulations. */
static double score(const struct search *s, const struct node *parent, const struct node *n)
{
    double v = n->visits, all = s->p.total_visits ? s->p.simulations : parent->visits;

    assert(n->visits > 0 && parent->visits > 0);
    double explore = s->p.exploration * sqrt(dmath_log(all) / v);
    double shorter = s->p.length_penalty * (double)n->length / (double)s->layers;

    return n->value / v + explore - shorter;
}

static uint32_t best_child(struct search *s, const struct node *n)
{
    uint32_t best = n->child[0];
    double best_score = -INFINITY;

    assert(n->children_len > 0);
    if (rng_double(&s->rng) < s->p.random_child)
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

/* When the walk meets a node whose reward this round still owes, its parent is widened instead, so
 * that a round evaluates as many routings as it can. */
void select_by_ucb(struct search *s, struct selection *path)
{
    uint32_t n = 0;

    selection_step(s, path, n);
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
        selection_step(s, path, next);
        n = next;
        if (!s->tree.node[n].evaluated)
            return;
    }
}
