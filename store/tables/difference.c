/* SPDX-License-Identifier: Apache-2.0 */
/* difference.c - the paired 95 % interval of a difference between two cells (making.h). Pairs are
 * the two sides' results of one seed on one example. In this order:
 *
 *   examples of both sides known, seeds the same   stats_differences over seeds, then examples
 *   the same, seeds of the sides differ            stats_paired_seeds, the sides' parts added
 *   numbers of runs, metrics of whole sets         Student's t over seeds' differences, else
 * Welch's
 *
 * A side whose runs all share one result (a model that was given) is the same for every seed. What
 * is not centred at the difference that the cell shows (examples that one side lacks) is no
 * interval of it: the next way is tried. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/stats/stats.h"
#include "store/tables/making.h"
#include "store/tables/spec_private.h"

/* Seeds side by side: pair i is unit A[i] of one side and B[i] of the other. */
struct pairs {
    size_t *a, *b, len;
};

static void pairs_release(struct pairs *p)
{
    free(p->a);
    free(p->b);
}

static bool is_fixed(const struct backing *s)
{
    return s->units == 1 && s->wanted == 1;
}

static uint64_t seed_of(const struct making *m, const struct backing *s, size_t unit)
{
    return m->pivot.run[s->unit[unit].run].seed;
}

/* The only unit of S with SEED; SIZE_MAX: none, or several. */
static size_t find_seed(const struct making *m, const struct backing *s, uint64_t seed)
{
    size_t ret = SIZE_MAX, found = 0;

    for (size_t i = 0; i < s->units; i++) {
        if (seed_of(m, s, i) == seed) {
            ret = i;
            found++;
        }
    }
    return found == 1 ? ret : SIZE_MAX;
}

/* False: the sides have different seeds. */
static bool pair_seeds(const struct making *m, const struct backing *a, const struct backing *b,
                       struct pairs *ret)
{
    bool one = a->units == 1 && b->units == 1;

    ret->a = mem_calloc(MAX(a->units, b->units), sizeof *ret->a);
    ret->b = mem_calloc(MAX(a->units, b->units), sizeof *ret->b);
    if (!one && is_fixed(a)) {
        for (; ret->len < b->units; ret->len++)
            ret->b[ret->len] = ret->len;
        return true;
    }
    if (!one && !is_fixed(b) && a->units != b->units)
        return false;
    for (; ret->len < a->units; ret->len++) {
        uint64_t seed = seed_of(m, a, ret->len);
        size_t other = one || is_fixed(b) ? 0 : find_seed(m, b, seed);

        if (other == SIZE_MAX || (!one && find_seed(m, a, seed) == SIZE_MAX))
            return false;
        ret->a[ret->len] = ret->len;
        ret->b[ret->len] = other;
    }
    return true;
}

/* ---- examples ---- */

/* The values of a unit's examples, part after part, and the parts. */
struct values {
    double *x;
    const struct sums **part;
    size_t n, parts;
};

static void values_free(struct values *v, size_t len)
{
    for (size_t i = 0; v && i < len; i++) {
        free(v[i].x);
        free(v[i].part);
    }
    free(v);
}

static bool values_of(struct making *m, const struct table_column *c, const struct unit *u,
                      struct values *ret)
{
    size_t at = 0;

    *ret = (struct values){ .n = u->promised, .parts = u->facts };
    ret->part = mem_dup(u->fact, u->facts * sizeof(*ret->part));
    ret->x = mem_calloc(MAX(u->promised, 1), sizeof *ret->x);
    qsort(ret->part, ret->parts, sizeof(*ret->part), facts_by_examples);
    for (size_t i = 0; i < ret->parts; i++) {
        const char *name = vector_name(c, ret->part[i]);
        const double *v = name ? vectors_get(&m->vectors, m->s, ret->part[i], name) : NULL;

        if (!v)
            return false;
        memcpy(ret->x + at, v, ret->part[i]->promised * sizeof *v);
        at += ret->part[i]->promised;
    }
    return true;
}

static bool same_values(struct making *m, const struct values *x, const struct values *y)
{
    if (x->n != y->n || x->parts != y->parts)
        return false;
    for (size_t i = 0; i < x->parts; i++) {
        if (!facts_same_examples(m, x->part[i], y->part[i]))
            return false;
    }
    return true;
}

/* The values of all of SIDE's seeds, which are of the same examples; NULL: they are not known. */
static struct values *side_values(struct making *m, struct side side)
{
    const struct backing *s = side.s;
    struct values *ret;
    bool fits = s->units > 0 && !m->pivot.subsets && s->fold == FOLD_SUM && !s->unit[0].number;

    if (!fits)
        return NULL;
    ret = mem_calloc(s->units, sizeof *ret);
    for (size_t i = 0; fits && i < s->units; i++)
        fits = values_of(m, side.c, &s->unit[i], &ret[i]) && same_values(m, &ret[i], &ret[0]);
    if (!fits) {
        values_free(ret, s->units);
        return NULL;
    }
    return ret;
}

static bool centred(double center, double difference)
{
    return fabs(center - difference) <= 1e-9 * MAX(1.0, fabs(difference));
}

static void keep(struct table_comparison *to, struct stats_interval i, enum table_bracket bracket)
{
    if (!i.valid || !isfinite(i.lo) || !isfinite(i.hi))
        return;
    to->bracket = bracket;
    to->lo = i.lo;
    to->hi = i.hi;
}

/* X and Y over the pairs that both have; D[p] is changed from x's values to differences. */
static void by_pairs(const struct values *x, const struct values *y, const struct pairs *p,
                     bool share, struct table_comparison *ret)
{
    const double **d = mem_calloc(p->len, sizeof(*d));
    size_t *n = mem_calloc(p->len, sizeof *n);
    double center = 0.0;
    bool aligned = true;

    for (size_t i = 0; i < p->len; i++) {
        const double *a = x[p->a[i]].x, *b = y[p->b[i]].x;
        double *to = mem_calloc(MAX(x[0].n, 1), sizeof *to);

        for (size_t k = 0; k < x[0].n; k++) {
            if (!isnan(a[k]) && !isnan(b[k]))
                to[n[i]++] = a[k] - b[k];
            aligned = aligned && (isnan(a[k]) || isnan(b[k])) ==
                                     (isnan(x[p->a[0]].x[k]) || isnan(y[p->b[0]].x[k]));
        }
        center += stats_mean(to, n[i]) / (double)p->len;
        d[i] = to;
    }
    if (centred(center, ret->difference))
        keep(ret, stats_differences(d, n, p->len, aligned, share),
             p->len == 1 ? TABLE_BRACKET_EXAMPLES : TABLE_BRACKET_BOTH);
    for (size_t i = 0; i < p->len; i++)
        free((void *)d[i]);
    free(d);
    free(n);
}

/* The sides' seeds are not the same ones. */
static void by_sides(const struct values *x, size_t x_len, const struct values *y, size_t y_len,
                     bool share, struct table_comparison *ret)
{
    CLEANUP(mem_cleanup) const double **a = mem_calloc(x_len, sizeof(*a));
    CLEANUP(mem_cleanup) const double **b = mem_calloc(y_len, sizeof(*b));
    struct stats_paired p;

    for (size_t i = 0; i < x_len; i++)
        a[i] = x[i].x;
    for (size_t i = 0; i < y_len; i++)
        b[i] = y[i].x;
    if (x_len < 3 || y_len < 3)
        return;
    p = stats_paired_seeds(a, x_len, b, y_len, x[0].n,
                           (struct stats_paired_options){ .seeds = true });
    if (share) {
        p.interval.lo = fmax(p.interval.lo, -1.0);
        p.interval.hi = fmin(p.interval.hi, 1.0);
    }
    if (p.dropped == 0 && centred(p.difference, ret->difference))
        keep(ret, p.interval, TABLE_BRACKET_BOTH);
}

static void by_examples(struct making *m, struct side a, struct side b, const struct pairs *p,
                        struct table_comparison *ret)
{
    bool share = stat_is_percent(a.c->stat);
    struct values *x = side_values(m, a), *y = x ? side_values(m, b) : NULL;

    if (x && y && same_values(m, x, y)) {
        if (p)
            by_pairs(x, y, p, share, ret);
        else
            by_sides(x, a.s->units, y, b.s->units, share, ret);
    }
    values_free(x, a.s->units);
    values_free(y, b.s->units);
}

/* ---- seeds ---- */

static double *unit_values(struct making *m, struct side side, bool *ret_known)
{
    double *x = mem_calloc(MAX(side.s->units, 1), sizeof *x);

    for (size_t i = 0; i < side.s->units; i++) {
        x[i] = unit_value(m, side.c, side.s, &side.s->unit[i], NULL);
        *ret_known = *ret_known && isfinite(x[i]);
    }
    return x;
}

static void by_seeds(struct making *m, struct side a, struct side b, const struct pairs *p,
                     struct table_comparison *ret)
{
    bool known = true;
    CLEANUP(mem_cleanup) double *x = unit_values(m, a, &known);
    CLEANUP(mem_cleanup) double *y = unit_values(m, b, &known);
    CLEANUP(mem_cleanup) double *d = mem_calloc(MAX(a.s->units, b.s->units), sizeof *d);

    if (!known)
        return;
    if (!p) {
        if (a.s->units > 2 && b.s->units > 2)
            keep(ret, stats_welch(x, a.s->units, y, b.s->units).interval, TABLE_BRACKET_SEEDS);
        return;
    }
    for (size_t i = 0; i < p->len; i++)
        d[i] = x[p->a[i]] - y[p->b[i]];
    keep(ret, stats_seeds(d, p->len), TABLE_BRACKET_SEEDS);
}

void difference_interval(struct making *m, struct side a, struct side b,
                         struct table_comparison *ret)
{
    CLEANUP(pairs_release) struct pairs p = { 0 };
    bool paired;

    if (a.s->units == 0 || b.s->units == 0)
        return;
    paired = pair_seeds(m, a.s, b.s, &p);
    if (a.c->interval != TABLE_INTERVAL_T && !stat_is_number(a.c->stat))
        by_examples(m, a, b, paired ? &p : NULL, ret);
    if (ret->bracket == TABLE_BRACKET_NONE)
        by_seeds(m, a, b, paired ? &p : NULL, ret);
}

void ratio_interval(struct making *m, struct side a, struct side b, struct table_comparison *ret)
{
    CLEANUP(pairs_release) struct pairs p = { 0 };
    bool known = true;
    CLEANUP(mem_cleanup) double *x = unit_values(m, a, &known);
    CLEANUP(mem_cleanup) double *y = unit_values(m, b, &known);
    CLEANUP(mem_cleanup) double *u = mem_calloc(MAX(1, a.s->units + b.s->units), sizeof *u);
    CLEANUP(mem_cleanup) double *v = mem_calloc(MAX(1, a.s->units + b.s->units), sizeof *v);
    struct stats_interval i;
    double least = INFINITY;

    if (!known || a.s->units == 0 || b.s->units == 0 || !pair_seeds(m, a.s, b.s, &p))
        return;
    for (size_t k = 0; k < p.len; k++) {
        u[k] = x[p.a[k]];
        v[k] = y[p.b[k]];
        least = fmin(least, u[k]);
    }
    i = stats_paired_ratio(u, v, p.len);
    if (least >= 0.0)
        i.lo = fmax(i.lo, 0.0); /* nothing is less than nothing */
    ret->ratio_interval = i.valid && i.lo - 1.0 <= ret->ratio && ret->ratio <= i.hi - 1.0;
    ret->ratio_lo = i.lo - 1.0;
    ret->ratio_hi = i.hi - 1.0;
}
