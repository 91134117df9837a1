/* SPDX-License-Identifier: Apache-2.0 */
/* compare_collect.c - groups of runs and their values, out of the grid (compare_private.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/compare_private.h"

enum { FOLD_SLOTS = 1 << 16 };

/* What a run's parameters are but those that make the groups. */
static uint64_t setting_of(const struct grid_view *v, const struct grid_groups *g, size_t row)
{
    uint64_t h = 0x9E3779B97F4A7C15u;

    for (size_t i = 0; i < v->columns; i++) {
        const struct column *c = &v->column[i];
        bool by = false;
        uint64_t value;
        double real;

        for (size_t k = 0; k < g->by_len; k++)
            by = by || g->by[k] == c;
        if (c->kind != COLUMN_PARAM || by)
            continue;
        real = column_number(c, row);
        if (c->form == COLUMN_WORDS)
            value = column_code(c, row);
        else
            memcpy(&value, &real, sizeof value);
        h = (h ^ value ^ (uint64_t)i << 40) * 0xBF58476D1CE4E5B9u;
        h ^= h >> 29;
    }
    return h;
}

static void take_items(struct comparison *c, const struct grid_view *v, const struct grid_groups *g,
                       const struct column *measure, const struct column *seed)
{
    bool settings = g->rows <= COMPARE_RUNS_KEPT;

    c->item = mem_calloc(MAX(g->rows, 1), sizeof *c->item);
    for (size_t i = 0; i < v->rows; i++) {
        struct compare_item *x = &c->item[c->len];

        if (!g->of[i])
            continue;
        *x = (struct compare_item){ .run = v->run[i],
                                    .seed = column_whole(seed, i),
                                    .group = g->of[i] - 1,
                                    .value = measure ? column_number(measure, i) : (double)NAN };
        x->setting = settings ? setting_of(v, g, i) : 0;
        c->others = c->others || x->setting != c->item[0].setting;
        c->known[x->group] += !isnan(x->value);
        c->len++;
    }
}

/* Means by group and seed at once; false: there are too many of them. */
static bool fold_items(struct comparison *c, const struct grid_view *v, const struct grid_groups *g,
                       const struct column *measure, const struct column *seed)
{
    uint32_t *slot CLEANUP(mem_cleanup) = mem_calloc(FOLD_SLOTS, sizeof *slot);
    size_t *n CLEANUP(mem_cleanup) = mem_calloc(FOLD_SLOTS / 2, sizeof *n);

    c->item = mem_calloc(FOLD_SLOTS / 2, sizeof *c->item);
    for (size_t i = 0; i < v->rows; i++) {
        double value = g->of[i] ? column_number(measure, i) : (double)NAN;
        int64_t s = column_whole(seed, i);
        uint32_t group = g->of[i];
        size_t at =
            ((uint64_t)s * 0x9E3779B97F4A7C15u ^ (uint64_t)group * 0xBF58476D1CE4E5B9u) >> 48;

        if (isnan(value))
            continue;
        while (slot[at] &&
               (c->item[slot[at] - 1].seed != s || c->item[slot[at] - 1].group != group - 1))
            at = (at + 1) % FOLD_SLOTS;
        if (!slot[at]) {
            if (c->len == FOLD_SLOTS / 2)
                return false;
            c->item[c->len] = (struct compare_item){ .seed = s, .group = group - 1 };
            slot[at] = (uint32_t)++c->len;
        }
        struct compare_item *x = &c->item[slot[at] - 1];
        x->value += (value - x->value) / (double)++n[slot[at] - 1];
        c->known[group - 1]++;
    }
    c->folded = true;
    return true;
}

static void take(struct comparison *c, const struct grid_view *v, const struct grid_groups *g,
                 const struct column *measure)
{
    const struct column *seed = NULL;

    if (grid_column(v, "seed", &seed, NULL) < 0)
        return;
    c->groups = g->len;
    for (size_t i = 0; i < g->len; i++) {
        struct buf value = { 0 };
        struct jsonw w = { .to = &value };

        grid_group_put(g, i, NULL, &w);
        c->value[i] = buf_detach(&value);
        c->name[i] = mem_strdup(g->group[i].name);
        c->runs[i] = g->group[i].rows;
    }
    if (g->rows > COMPARE_RUNS_KEPT && measure) {
        if (fold_items(c, v, g, measure, seed))
            return;
        free(c->item);
        c->len = 0;
        memset(c->known, 0, sizeof c->known);
    }
    take_items(c, v, g, measure, seed);
}

static int choose_by(struct comparison *c, const struct grid_view *v, const struct grid_filters *f,
                     struct err *err)
{
    const struct column *telling = NULL;

    if (c->q->by && c->q->by[0]) {
        c->by = mem_strdup(c->q->by);
        return 0;
    }
    telling = grid_telling(v, f);
    if (!telling)
        return err_set(err, ERR_INVALID,
                       "the runs differ in no parameter that has between 2 and 50 values: say "
                       "by=PARAMETER");
    c->by = mem_strdup(telling->name);
    return 0;
}

int compare_collect(struct comparison *c, struct grids *g, struct err *err)
{
    struct grid_view v CLEANUP(grid_done) = { 0 };
    struct grid_filters f CLEANUP(grid_filters_release) = { 0 };
    struct grid_groups groups CLEANUP(grid_groups_release) = { 0 };
    const struct column *measure = NULL;
    int rc = grid_open(g, c->q->experiment, &v, err);

    for (size_t i = 0; rc == 0 && c->q->filters && c->q->filters[i]; i++)
        rc = grid_filter_add(&v, &f, c->q->filters[i], err);
    rc = rc ? rc : choose_by(c, &v, &f, err);
    rc = rc ? rc : grid_groups_make(&v, &f, c->by, &groups, err);
    if (rc < 0)
        return rc;
    if (groups.by_len == 1) { /* in full */
        free(c->by);
        c->by = mem_strdup(groups.by[0]->name);
    }
    c->column = grid_column(&v, c->measure, &measure, NULL) == 0 && measure->kind != COLUMN_PARAM;
    if (c->column && !column_is_number(measure))
        return err_set(err, ERR_INVALID, "%.60s is no number: it cannot be compared", c->measure);
    c->ready = v.ready;
    c->fits = v.fits;
    c->rows = v.rows;
    c->total = v.total;
    take(c, &v, &groups, c->column ? measure : NULL);
    return 0;
}
