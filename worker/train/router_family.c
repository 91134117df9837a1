/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/router_family.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Outcomes turned around: entries start[c]..start[c + 1]-1 are candidate c's right examples. */
struct chooser {
    const struct router_outcomes *o;
    uint32_t *candidate; /* [len], numbers of paths */
    size_t len;
    size_t *start; /* [len + 1] */
    uint32_t *example;
    uint32_t *value; /* [examples]: what the paths chosen so far give, in units of 1 / (4 layers) */
    bool *chosen;    /* [len] */
};

static const uint8_t *path_at(const struct router_outcomes *o, uint32_t p)
{
    return o->path + (size_t)p * o->layers;
}

static size_t length_of(const struct router_outcomes *o, uint32_t p)
{
    size_t sum = 0;

    for (size_t l = 0; l < o->layers; l++)
        sum += path_at(o, p)[l];
    return sum;
}

static size_t changes_of(const struct router_outcomes *o, uint32_t p, size_t from, size_t to)
{
    size_t sum = 0;

    for (size_t l = from; l < to; l++)
        sum += path_at(o, p)[l] != 1;
    return sum;
}

/* Worth of a right answer by path P: all layers skipped would be worth 5/4 of a right answer. */
static uint32_t worth(const struct router_outcomes *o, uint32_t p)
{
    return (uint32_t)(4 * o->layers + 2 * o->layers - length_of(o, p));
}

static bool before(const struct router_outcomes *o, uint32_t a, uint32_t b)
{
    size_t la = length_of(o, a), lb = length_of(o, b);

    if (la != lb)
        return la < lb;
    la = changes_of(o, a, 0, o->layers);
    lb = changes_of(o, b, 0, o->layers);
    if (la != lb)
        return la < lb;
    return memcmp(path_at(o, a), path_at(o, b), o->layers) < 0;
}

/* The default path first. */
static int find_candidates(struct chooser *c, size_t decide_layer, double share, struct err *err)
{
    const struct router_outcomes *o = c->o;
    uint32_t *seen CLEANUP(mem_cleanup) = mem_calloc(o->paths_len + 1, sizeof(*seen));
    size_t least = (size_t)ceil(share * (double)o->examples), most_seen = 0;
    uint32_t base = UINT32_MAX;

    c->candidate = mem_calloc(o->paths_len + 1, sizeof(*c->candidate));
    for (size_t i = 0; i < o->start[o->examples]; i++)
        seen[o->of[i]]++;
    for (uint32_t p = 0; p < o->paths_len; p++)
        if (changes_of(o, p, 0, o->layers) == 0)
            base = p;
    if (base != UINT32_MAX)
        c->candidate[c->len++] = base;
    for (uint32_t p = 0; p < o->paths_len; p++) {
        if (p == base || changes_of(o, p, 0, decide_layer) > 0)
            continue;
        most_seen = MAX(most_seen, (size_t)seen[p]);
        if (seen[p] > 0 && seen[p] >= least)
            c->candidate[c->len++] = p;
    }
    if (base != UINT32_MAX && c->len >= 2)
        return 0;
    return err_set(err, ERR_INVALID,
                   "no path that executes the first %zu layers once was evaluated for %zu of %zu "
                   "examples (the most: %zu): lower path_examples, search with method = "
                   "\"enumerate\", or choose another decide_layer",
                   decide_layer, least, o->examples, most_seen);
}

static void turn_around(struct chooser *c)
{
    const struct router_outcomes *o = c->o;
    uint32_t *place CLEANUP(mem_cleanup) = mem_calloc(o->paths_len, sizeof(*place));
    size_t *fill CLEANUP(mem_cleanup) = mem_calloc(c->len + 1, sizeof(*fill));

    c->start = mem_calloc(c->len + 1, sizeof(*c->start));
    c->chosen = mem_calloc(c->len, sizeof(*c->chosen));
    c->value = mem_calloc(o->examples, sizeof(*c->value));
    for (uint32_t i = 0; i < c->len; i++)
        place[c->candidate[i]] = i + 1;
    for (size_t i = 0; i < o->start[o->examples]; i++)
        if (place[o->of[i]] && o->right[i])
            c->start[place[o->of[i]]]++;
    for (size_t i = 0; i < c->len; i++)
        c->start[i + 1] += c->start[i];
    memcpy(fill, c->start, c->len * sizeof(*fill));
    c->example = mem_calloc(c->start[c->len] + 1, sizeof(*c->example));
    for (size_t e = 0; e < o->examples; e++)
        for (size_t i = o->start[e]; i < o->start[e + 1]; i++)
            if (place[o->of[i]] && o->right[i])
                c->example[fill[place[o->of[i]] - 1]++] = (uint32_t)e;
}

static uint64_t gain_of(const struct chooser *c, size_t i)
{
    uint32_t own = worth(c->o, c->candidate[i]);
    uint64_t gain = 0;

    for (size_t k = c->start[i]; k < c->start[i + 1]; k++)
        gain += own > c->value[c->example[k]] ? own - c->value[c->example[k]] : 0;
    return gain;
}

static void choose(struct chooser *c, size_t i)
{
    uint32_t own = worth(c->o, c->candidate[i]);

    c->chosen[i] = true;
    for (size_t k = c->start[i]; k < c->start[i + 1]; k++)
        c->value[c->example[k]] = MAX(c->value[c->example[k]], own);
}

static void choose_cover(struct chooser *c, size_t most, uint32_t *ret, size_t *ret_len)
{
    for (size_t next = 0; *ret_len < most && *ret_len < c->len;) {
        uint64_t best = 0;

        choose(c, next);
        ret[(*ret_len)++] = c->candidate[next];
        next = SIZE_MAX;
        for (size_t i = 0; i < c->len; i++) {
            uint64_t gain = c->chosen[i] ? 0 : gain_of(c, i);

            if (c->chosen[i] || (next != SIZE_MAX && gain < best))
                continue;
            if (next == SIZE_MAX || gain > best ||
                before(c->o, c->candidate[i], c->candidate[next])) {
                next = i;
                best = gain;
            }
        }
    }
}

/* ---- the best of each length ---------------------------------------------------------------- */

/* A candidate as one group of examples sees it. */
struct rank {
    const struct router_outcomes *o;
    size_t candidate, length;
    uint32_t seen, right;
};

static int by_share(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    uint64_t left = (uint64_t)x->right * y->seen, right = (uint64_t)y->right * x->seen;

    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    if ((x->seen == 0) != (y->seen == 0))
        return x->seen ? -1 : 1;
    if (left != right)
        return left > right ? -1 : 1;
    if (x->seen != y->seen)
        return x->seen > y->seen ? -1 : 1;
    return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

/* Views (all examples, then each group) of the candidates, each sorted by length, then share. */
static struct rank *rank_all(const struct chooser *c)
{
    const struct router_outcomes *o = c->o;
    struct rank *r = mem_calloc((o->groups + 1) * c->len, sizeof(*r));
    uint32_t *place CLEANUP(mem_cleanup) = mem_calloc(o->paths_len, sizeof(*place));

    for (uint32_t i = 0; i < c->len; i++)
        place[c->candidate[i]] = i + 1;
    for (size_t i = 0; i < (o->groups + 1) * c->len; i++)
        r[i] = (struct rank){ .o = o,
                              .candidate = i % c->len,
                              .length = length_of(o, c->candidate[i % c->len]) };
    for (size_t e = 0; e < o->examples; e++)
        for (size_t i = o->start[e]; i < o->start[e + 1]; i++) {
            size_t at = place[o->of[i]];
            struct rank *own = r + (o->group[e] + 1) * c->len;

            if (at == 0)
                continue;
            r[at - 1].seen++;
            own[at - 1].seen++;
            r[at - 1].right += o->right[i];
            own[at - 1].right += o->right[i];
        }
    for (size_t v = 0; v <= o->groups; v++)
        qsort(r + v * c->len, c->len, sizeof(*r), by_share);
    return r;
}

static void choose_best(struct chooser *c, size_t most, uint32_t *ret, size_t *ret_len)
{
    struct rank *r CLEANUP(mem_cleanup) = rank_all(c);

    ret[(*ret_len)++] = c->candidate[0];
    c->chosen[0] = true;
    for (size_t rank = 0; rank < c->len; rank++)
        for (size_t i = 0; i < (c->o->groups + 1) * c->len; i++) {
            size_t in_view = i % c->len;
            /* The RANK-th of its length in its view: RANK in front of it have its length. */
            bool is_rank = in_view >= rank && r[i - rank].length == r[i].length &&
                           (in_view == rank || r[i - rank - 1].length != r[i].length);

            if (*ret_len == most)
                return;
            if (!is_rank || c->chosen[r[i].candidate] || r[i].seen == 0)
                continue;
            c->chosen[r[i].candidate] = true;
            ret[(*ret_len)++] = c->candidate[r[i].candidate];
        }
}

static int by_order(const void *a, const void *b, void *arg)
{
    const uint32_t *x = a, *y = b;

    return before(arg, *x, *y) ? -1 : before(arg, *y, *x);
}

static void release(struct chooser *c)
{
    free(c->candidate);
    free(c->start);
    free(c->example);
    free(c->value);
    free(c->chosen);
}

int router_family(const struct router_outcomes *o, size_t decide_layer, double share,
                  enum router_choice choice, size_t most, uint32_t *ret, size_t *ret_len,
                  struct err *err)
{
    struct chooser c CLEANUP(release) = { .o = o };
    int rc = find_candidates(&c, decide_layer, share, err);

    *ret_len = 0;
    if (rc)
        return rc;
    qsort_r(c.candidate + 1, c.len - 1, sizeof(*c.candidate), by_order, (void *)(uintptr_t)o);
    turn_around(&c);
    if (choice == ROUTER_COVER)
        choose_cover(&c, most, ret, ret_len);
    else
        choose_best(&c, most, ret, ret_len);
    return 0;
}
