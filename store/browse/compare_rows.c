/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/compare_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/stats/stats.h"

/* The mean of equal (group, seed, setting). */
struct cell {
    int64_t seed;
    uint64_t setting;
    double value;
};

/* Cells of a group, and its means by seed. */
struct side {
    struct cell *cell;
    size_t cells;
    int64_t *seed; /* ascending */
    double *mean;
    size_t seeds;
};

static void side_release(struct side *s)
{
    free(s->cell);
    free(s->seed);
    free(s->mean);
}

static int by_cell(const void *a, const void *b)
{
    const struct compare_item *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->seed != y->seed)
        return x->seed < y->seed ? -1 : 1;
    if (x->setting != y->setting)
        return x->setting < y->setting ? -1 : 1;
    return (x->run > y->run) - (x->run < y->run);
}

static void make_side(const struct compare_item *item, size_t len, struct side *s)
{
    s->cell = mem_calloc(MAX(len, 1), sizeof *s->cell);
    s->seed = mem_calloc(MAX(len, 1), sizeof *s->seed);
    s->mean = mem_calloc(MAX(len, 1), sizeof *s->mean);
    for (size_t i = 0, n = 0; i < len; i++) {
        struct cell *c = s->cells ? &s->cell[s->cells - 1] : NULL;

        if (isnan(item[i].value))
            continue;
        if (!c || c->seed != item[i].seed || c->setting != item[i].setting) {
            c = &s->cell[s->cells++];
            *c = (struct cell){ item[i].seed, item[i].setting, 0.0 };
            n = 0;
        }
        n++;
        c->value += (item[i].value - c->value) / (double)n;
    }
    for (size_t i = 0, n = 0; i < s->cells; i++) {
        if (s->seeds == 0 || s->seed[s->seeds - 1] != s->cell[i].seed) {
            s->seed[s->seeds++] = s->cell[i].seed;
            n = 0;
        }
        n++;
        s->mean[s->seeds - 1] += (s->cell[i].value - s->mean[s->seeds - 1]) / (double)n;
    }
}

static void describe(const struct side *s, bool share, struct compare_row *r)
{
    struct stats_interval t = stats_seeds(s->mean, s->seeds);

    r->seeds = s->seeds;
    r->mean = s->seeds ? stats_mean(s->mean, s->seeds) : (double)NAN;
    r->lo = t.valid ? t.lo : (double)NAN;
    r->hi = t.valid ? t.hi : (double)NAN;
    if (share && t.valid) {
        r->lo = MAX(r->lo, 0.0);
        r->hi = MIN(r->hi, 1.0);
    }
}

/* ---- pairs ---- */

struct pairs {
    double *a, *b; /* by seed */
    size_t len, cells;
};

static void pairs_release(struct pairs *p)
{
    free(p->a);
    free(p->b);
}

/* Means by seed over the settings that both have. */
static void match_settings(const struct side *a, const struct side *b, struct pairs *p)
{
    size_t i = 0, j = 0, n = 0;
    int64_t seed = 0;

    while (i < a->cells && j < b->cells) {
        const struct cell *x = &a->cell[i], *y = &b->cell[j];

        if (x->seed != y->seed || x->setting != y->setting) {
            bool first = x->seed != y->seed ? x->seed < y->seed : x->setting < y->setting;

            i += first;
            j += !first;
            continue;
        }
        if (p->len == 0 || seed != x->seed) {
            seed = x->seed;
            p->a[p->len] = p->b[p->len] = 0.0;
            p->len++;
            n = 0;
        }
        n++;
        p->a[p->len - 1] += (x->value - p->a[p->len - 1]) / (double)n;
        p->b[p->len - 1] += (y->value - p->b[p->len - 1]) / (double)n;
        p->cells++;
        i++;
        j++;
    }
}

static void match_seeds(const struct side *a, const struct side *b, struct pairs *p)
{
    p->len = 0;
    for (size_t i = 0, j = 0; i < a->seeds && j < b->seeds;) {
        if (a->seed[i] == b->seed[j]) {
            p->a[p->len] = a->mean[i++];
            p->b[p->len++] = b->mean[j++];
        } else if (a->seed[i] < b->seed[j]) {
            i++;
        } else {
            j++;
        }
    }
}

static void keep(struct compare_row *r, struct stats_interval i, bool share)
{
    r->diff_lo = i.valid ? i.lo : (double)NAN;
    r->diff_hi = i.valid ? i.hi : (double)NAN;
    if (share && i.valid) {
        r->diff_lo = MAX(r->diff_lo, -1.0);
        r->diff_hi = MIN(r->diff_hi, 1.0);
    }
}

static void compare(const struct side *a, const struct side *b, bool share, struct compare_row *r)
{
    size_t most = MAX(MAX(a->seeds, b->seeds), (size_t)1);
    struct pairs p CLEANUP(pairs_release) = { .a = mem_calloc(most, sizeof(double)),
                                              .b = mem_calloc(most, sizeof(double)) };
    double *d CLEANUP(mem_cleanup) = mem_calloc(most, sizeof *d);

    if (a->seeds == 0 || b->seeds == 0)
        return;
    match_settings(a, b, &p);
    r->matched = 2 * p.cells >= a->cells && 2 * p.cells >= b->cells;
    r->partly = r->matched && (p.cells < a->cells || p.cells < b->cells);
    if (!r->matched)
        match_seeds(a, b, &p);
    r->pairs = p.len;
    if (p.len > 0 && 2 * p.len >= a->seeds && 2 * p.len >= b->seeds &&
        (p.len > 1 || (a->seeds == 1 && b->seeds == 1))) {
        for (size_t i = 0; i < p.len; i++)
            d[i] = p.a[i] - p.b[i];
        r->partly = r->partly || p.len < a->seeds || p.len < b->seeds;
        r->method = COMPARE_PAIRED;
        r->difference = stats_mean(d, p.len);
        r->p = p.len > 1 ? stats_paired_t(p.a, p.b, p.len).p : (double)NAN;
        keep(r, stats_seeds(d, p.len), share);
        return;
    }
    struct stats_difference w = stats_welch(a->mean, a->seeds, b->mean, b->seeds);
    r->matched = r->partly = false;
    r->method = COMPARE_WELCH;
    r->difference = stats_mean(a->mean, a->seeds) - stats_mean(b->mean, b->seeds);
    r->p = w.p;
    if (a->seeds >= 3 && b->seeds >= 3)
        keep(r, w.interval, share);
}

void compare_rows(struct compare_item *items, size_t len, size_t groups, size_t baseline,
                  bool share, struct compare_row *rows)
{
    struct side *side = mem_calloc(MAX(groups, 1), sizeof *side);
    double *p CLEANUP(mem_cleanup) = mem_calloc(MAX(groups, 1), sizeof *p);
    const double none = (double)NAN;

    if (len > 1)
        qsort(items, len, sizeof *items, by_cell);
    for (size_t g = 0, at = 0; g < groups; g++) {
        size_t first = at;

        rows[g] = (struct compare_row){
            .difference = none, .diff_lo = none, .diff_hi = none, .p = none, .adjusted = none
        };
        for (; at < len && items[at].group == g; at++)
            rows[g].known += !isnan(items[at].value);
        rows[g].runs = at - first;
        make_side(items + first, at - first, &side[g]);
        describe(&side[g], share, &rows[g]);
    }
    for (size_t g = 0; g < groups; g++) {
        if (g != baseline && baseline < groups)
            compare(&side[g], &side[baseline], share, &rows[g]);
        p[g] = rows[g].p;
    }
    stats_holm(p, groups, p);
    for (size_t g = 0; g < groups; g++) {
        rows[g].adjusted = p[g];
        side_release(&side[g]);
    }
    free(side);
}

size_t compare_best(const struct compare_row *rows, size_t groups, bool lower)
{
    size_t best = SIZE_MAX;

    for (size_t g = 0; g < groups; g++) {
        double more = best == SIZE_MAX ? 0.0 : rows[g].mean - rows[best].mean;

        if (isnan(rows[g].mean))
            continue;
        if (best == SIZE_MAX || (lower ? more < 0 : more > 0) ||
            (more == 0.0 && rows[g].seeds > rows[best].seeds))
            best = g;
    }
    return best;
}
