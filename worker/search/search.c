/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/search/search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/search/machine.h"

/* Routings of a round of SEARCH_ENUMERATE: as the most that `round` may be. */
enum { ENUMERATED_AT_ONCE = 256 };

/* Contradictions between parameters, by the names that a recipe uses. */
static int check_together(const struct search_params *p, struct err *err)
{
    if (p->method == SEARCH_ENUMERATE && p->early_stop != SEARCH_STOP_NONE)
        return err_set(err, ERR_INVALID,
                       "early_stop contradicts method = \"enumerate\", which tries every path; "
                       "leave early_stop out or take another method");
    if (p->method != SEARCH_ENUMERATE && p->depth > 1)
        return err_set(err, ERR_INVALID,
                       "depth = %u needs method = \"enumerate\"; other methods edit paths as far "
                       "as simulations go",
                       p->depth);
    if (p->method != SEARCH_ENUMERATE && p->starts_len > 0)
        return err_set(err, ERR_INVALID,
                       "starts need method = \"enumerate\"; other methods begin at the default "
                       "path alone");
    if (p->total_visits && (p->method == SEARCH_CHAIN || p->method == SEARCH_ENUMERATE))
        return err_set(err, ERR_INVALID,
                       "total_visits = \"total\" contradicts method = \"%s\", which never compares "
                       "children; leave total_visits out",
                       p->method == SEARCH_CHAIN ? "chain" : "enumerate");
    return 0;
}

static int too_many_paths(const struct search_params *p, size_t layers, uint64_t n, struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "depth = %u of a model of %zu layers%s are %s%llu paths per example; at most %d "
                   "are kept: take a smaller depth, %sor edits = \"skip\" or \"repeat\"",
                   p->depth, layers, p->starts_len ? " from these starts" : "",
                   n == UINT32_MAX || p->starts_len ? "more than " : "", (unsigned long long)n,
                   SEARCH_ENTRIES_MAX, p->starts_len ? "fewer starts, " : "");
}

static int check_enumeration(const struct search_params *p, size_t layers, struct err *err)
{
    uint64_t n;

    if (p->depth < 1 && p->starts_len == 0)
        return err_set(err, ERR_INVALID,
                       "depth = 0 needs starts: the select step whose paths are evaluated");
    if (p->depth > 4)
        return err_set(err, ERR_INVALID, "depth is %u; it must be 0 to 4", p->depth);
    n = routing_count(layers, p->edits, p->depth);
    return n > SEARCH_ENTRIES_MAX ? too_many_paths(p, layers, n, err) : 0;
}

/* Nodes of the other methods: a simulation makes one at most, and there is the root. (Where a walk
 * collides with one of its round and takes another child instead, the first was there before.) */
static uint64_t nodes_max(const struct search_params *p, size_t layers)
{
    return MIN((uint64_t)p->simulations + 1, routing_count(layers, p->edits, layers));
}

int search_params_check(const struct search_params *p, size_t layers, struct err *err)
{
    if (layers < 1)
        return err_set(err, ERR_INVALID, "a model without layers cannot be routed");
    if (p->method == SEARCH_ENUMERATE) {
        int rc = check_together(p, err);
        return rc == 0 ? check_enumeration(p, layers, err) : rc;
    }
    if (p->round < 1 || p->simulations < 1 || p->simulations % p->round != 0)
        return err_set(err, ERR_INVALID, "simulations (%u) must be a multiple of round (%u)",
                       p->simulations, p->round);
    if ((p->method == SEARCH_PROGRESSIVE && !(p->widen_factor > 0)) ||
        !(p->widen_power >= 0 && p->widen_power <= 1) ||
        !(p->random_child >= 0 && p->random_child <= 1) || !(p->exploration >= 0) ||
        !(p->length_penalty >= 0))
        return err_set(err, ERR_INVALID, "a parameter of the search is out of its range");
    if (nodes_max(p, layers) > SEARCH_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT,
                       "simulations = %u may evaluate more paths of an example than are kept; at "
                       "most %d on a model of %zu layers",
                       p->simulations, (SEARCH_ENTRIES_MAX - 1) / p->round * p->round, layers);
    return check_together(p, err);
}

/* ------------------------------------------------------------------------------------------- */

/* Selections of a round. The chain stops at the very simulation and else asks in any portions. */
static size_t round_size(const struct search_params *p)
{
    if (p->method == SEARCH_ENUMERATE)
        return ENUMERATED_AT_ONCE;
    return p->method == SEARCH_CHAIN && p->early_stop != SEARCH_STOP_NONE ? 1 : p->round;
}

static void make_root(struct search *s)
{
    uint8_t *ones CLEANUP(mem_cleanup) = mem_calloc(s->layers, 1);

    memset(ones, 1, s->layers);
    (void)tree_node(&s->tree, ones, -1);
}

/* Without starts their exact number, which check_enumeration has bounded. */
static size_t enumerated_max(const struct search_params *p, size_t layers)
{
    uint64_t each = routing_count(layers, p->edits, p->depth), all;

    if (p->starts_len == 0)
        return (size_t)each;
    /* Nothing lies farther from a start than from all ones, but for what the edits of a start are:
     * 3L - 1 each at most. */
    all = p->depth == 0 ? 0 : 3 * (uint64_t)layers;
    for (uint32_t d = 1; d < p->depth; d++)
        all = MIN(all * 3 * (uint64_t)layers, (uint64_t)UINT32_MAX);
    all = each + p->starts_len * (1 + all);
    return (size_t)MIN(all, (uint64_t)SEARCH_ENTRIES_MAX + 3 * layers);
}

int search_new(struct search **ret, const struct search_params *p, size_t layers, uint64_t seed,
               uint64_t example_id, struct err *err)
{
    struct search *s;
    size_t nodes;
    int rc = search_params_check(p, layers, err);

    if (rc < 0)
        return rc;
    s = mem_calloc(1, sizeof(*s));
    s->p = *p;
    s->layers = layers;
    s->shortest = SIZE_MAX;
    s->rng = rng_stream("search", seed, example_id);
    nodes =
        p->method == SEARCH_ENUMERATE ? enumerated_max(p, layers) : (size_t)nodes_max(p, layers);
    tree_init(&s->tree, layers, p->edits, nodes);
    make_root(s);
    if (p->method == SEARCH_ENUMERATE && !enumerate_nodes(s)) {
        search_free(s);
        return too_many_paths(p, layers, SEARCH_ENTRIES_MAX, err);
    }
    s->picked_max = round_size(p);
    s->picked = mem_calloc(s->picked_max, sizeof(*s->picked));
    for (size_t i = 0; i < s->picked_max; i++)
        s->picked[i].node = mem_calloc(layers + 2, sizeof(*s->picked[i].node));
    s->chain.node = mem_calloc(layers + 2, sizeof(*s->chain.node));
    s->routing = mem_calloc(s->picked_max, sizeof(*s->routing));
    s->leaf = mem_calloc(s->picked_max, sizeof(*s->leaf));
    *ret = s;
    return 0;
}

void search_free(struct search *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->picked_max; i++)
        free(s->picked[i].node);
    free(s->picked);
    free(s->chain.node);
    free(s->routing);
    free(s->leaf);
    tree_release(&s->tree);
    free(s);
}

/* ------------------------------------------------------------------------------------------- */

void selection_step(struct search *s, struct selection *path, uint32_t n)
{
    path->node[path->len++] = n;
    s->tree.node[n].visits++;
}

static void add_selection(struct search *s)
{
    struct selection *path = &s->picked[s->picked_len++];

    path->len = 0;
    if (s->p.method == SEARCH_ENUMERATE)
        selection_step(s, path, s->told + (uint32_t)s->picked_len - 1);
    else if (s->p.method == SEARCH_CHAIN)
        select_in_chain(s, path);
    else
        select_by_ucb(s, path);
}

/* The selections of the next round; false when there is none. */
static bool begin_round(struct search *s)
{
    size_t left =
        s->p.method == SEARCH_ENUMERATE ? s->tree.len - s->told : s->p.simulations - s->simulations;

    s->picked_len = 0;
    if (s->over || left == 0) {
        s->over = true;
        return false;
    }
    for (left = MIN(left, s->picked_max); left > 0; left--)
        add_selection(s);
    return true;
}

/* Leaves that have no reward yet, each once. */
static void gather_questions(struct search *s)
{
    s->asked = 0;
    for (size_t i = 0; i < s->picked_len; i++) {
        uint32_t end = s->picked[i].node[s->picked[i].len - 1];

        if (s->tree.node[end].evaluated)
            continue;
        s->tree.node[end].evaluated = true;
        s->routing[s->asked] = s->tree.node[end].routing;
        s->leaf[s->asked++] = end;
    }
}

/* Is it time to stop, seeing the round's simulations in their order? */
static bool stops(struct search *s)
{
    const struct node *root = &s->tree.node[0];
    bool stop = false;

    for (size_t i = 0; i < s->picked_len; i++) {
        const struct selection *path = &s->picked[i];
        const struct node *n = &s->tree.node[path->node[path->len - 1]];
        bool turned = n->reward > 0 && !(root->reward > 0);

        if (!(n->reward > 0))
            continue;
        if (s->p.early_stop == SEARCH_STOP_SHORTER)
            stop = stop || (s->shortest != SIZE_MAX && n->length < s->shortest);
        else if (s->p.early_stop == SEARCH_STOP_FIXED)
            stop = stop || turned;
        else if (s->p.early_stop == SEARCH_STOP_PUBLISHED)
            stop = stop || turned || n->length + 2 <= s->layers;
        s->shortest = MIN(s->shortest, n->length);
    }
    return stop;
}

static void end_round(struct search *s)
{
    for (size_t i = 0; i < s->picked_len; i++) {
        const struct selection *path = &s->picked[i];
        const struct node *leaf = &s->tree.node[path->node[path->len - 1]];

        for (size_t j = 0; j < path->len; j++)
            s->tree.node[path->node[j]].value += leaf->reward;
        s->path_layers += leaf->length;
        s->simulations++;
    }
    s->over = stops(s);
    s->picked_len = 0;
}

/* The base path is evaluated first and is no simulation. */
static void begin_root(struct search *s)
{
    s->began = true;
    s->picked[0].len = 0;
    selection_step(s, &s->picked[0], 0);
    s->picked_len = 1;
}

size_t search_ask(struct search *s, const uint8_t *const **ret)
{
    assert(s->asked == 0);
    *ret = s->routing;
    if (!s->began) {
        begin_root(s);
        gather_questions(s);
        return s->asked;
    }
    while (begin_round(s)) {
        gather_questions(s);
        if (s->asked > 0)
            return s->asked;
        end_round(s);
    }
    return 0;
}

void search_tell(struct search *s, const double *reward, size_t hinted)
{
    bool root = s->told == 0;

    assert(s->asked > 0 && hinted <= s->asked);
    for (size_t i = 0; i < s->asked; i++) {
        assert(s->leaf[i] == s->told);
        s->tree.node[s->told++].reward = reward[i];
    }
    s->hinted += (uint32_t)hinted;
    s->asked = 0;
    if (!root) {
        end_round(s);
        return;
    }
    s->tree.node[0].value = s->tree.node[0].reward;
    s->path_layers = s->layers;
    if (s->tree.node[0].reward > 0)
        s->shortest = s->layers;
}

/* ------------------------------------------------------------------------------------------- */

/* Discovered nodes that were never evaluated do not exist: a node is made only as a leaf or met
 * again. */
void search_finish(struct search *s, struct search_result *ret)
{
    const struct tree *t = &s->tree;
    const uint8_t *best = NULL;

    assert(s->over && s->asked == 0 && s->told == t->len);
    *ret = (struct search_result){ .base_correct = t->node[0].reward > 0,
                                   .simulations = s->simulations,
                                   .evaluations = (uint32_t)t->len,
                                   .hinted = s->hinted,
                                   .path_layers = s->path_layers,
                                   .entry = mem_calloc(t->len, sizeof(*ret->entry)),
                                   .routing = mem_calloc(t->len, s->layers),
                                   .label = mem_calloc(s->layers, 1) };
    for (size_t i = 0; i < t->len; i++) {
        const struct node *n = &t->node[i];

        ret->entry[i] = (struct search_entry){ n->parent, n->visits, n->value, n->reward };
        memcpy(ret->routing + i * s->layers, n->routing, s->layers);
        if (n->reward > 0 && (!best || routing_compare(n->routing, best, s->layers) < 0))
            best = n->routing;
    }
    ret->has_label = best != NULL;
    ret->label_length = best ? routing_length(best, s->layers) : s->layers;
    if (best)
        memcpy(ret->label, best, s->layers);
    else
        memset(ret->label, 1, s->layers);
}

void search_result_release(struct search_result *r)
{
    free(r->label);
    free(r->entry);
    free(r->routing);
    *r = (struct search_result){ 0 };
}

/* ------------------------------------------------------------------------------------------- */

int search_run(const struct search_params *p, size_t layers, uint64_t seed, uint64_t example_id,
               search_eval_fn eval, void *arg, struct search_result *ret, struct err *err)
{
    struct search *s = NULL;
    double *reward CLEANUP(mem_cleanup) = NULL;
    const uint8_t *const *routing;
    int rc = search_new(&s, p, layers, seed, example_id, err);

    *ret = (struct search_result){ 0 };
    if (rc < 0)
        return rc;
    reward = mem_calloc(s->picked_max, sizeof(*reward));
    for (size_t n; rc == 0 && (n = search_ask(s, &routing)) > 0;) {
        rc = eval(arg, routing, n, reward, err);
        if (rc == 0)
            search_tell(s, reward, 0);
    }
    if (rc == 0)
        search_finish(s, ret);
    search_free(s);
    return rc;
}
