/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/cohort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void cohort_release(struct cohort *c)
{
    for (size_t i = 0; i < c->len; i++) {
        free(c->group[i].name);
        free(c->group[i].value);
        free(c->group[i].run);
    }
    for (size_t i = 0; i < c->by_len; i++)
        free(c->by[i]);
    free(c->group);
    *c = (struct cohort){ 0 };
}

void cohort_put_state(const struct cohort *c, struct jsonw *w)
{
    const struct grid_view v = {
        .ready = c->ready, .fits = c->fits, .rows = c->rows, .total = c->total
    };

    grid_put_state(&v, w);
}

void cohort_put_by(const struct cohort *c, struct jsonw *w)
{
    struct buf by CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < c->by_len; i++)
        buf_printf(&by, "%s%s", i ? "," : "", c->by[i]);
    jsonw_text(w, "by", c->by_len ? buf_str(&by) : NULL);
}

/* A number that has no factor in common with N, about 0.618 N: its multiples visit all places,
 * evenly from the start. */
static uint64_t stride_for(uint64_t n)
{
    uint64_t step = MAX((uint64_t)((double)n * 0.6180339887), (uint64_t)1);

    for (;; step++) {
        uint64_t a = n, b = step;

        while (b) {
            uint64_t t = a % b;
            a = b;
            b = t;
        }
        if (a == 1)
            return step;
    }
}

/* Rows of each group, one group after the other; START[groups + 1]. */
static uint32_t *rows_by_group(const struct grid_view *v, const struct grid_groups *g,
                               size_t *start)
{
    uint32_t *row = mem_calloc(MAX(g->rows, 1), sizeof *row);
    size_t *at CLEANUP(mem_cleanup) = mem_calloc(g->len + 1, sizeof *at);

    for (size_t i = 0; i < g->len; i++)
        start[i + 1] = start[i] + g->group[i].rows;
    memcpy(at, start, g->len * sizeof *at);
    for (size_t i = 0; i < v->rows && g->rows; i++)
        if (g->of[i])
            row[at[g->of[i] - 1]++] = (uint32_t)i;
    return row;
}

static void take_group(const struct grid_view *v, const struct grid_groups *g, size_t i,
                       const uint32_t *row, size_t quota, struct cohort_group *ret)
{
    const struct column *seed = NULL, *waiting = NULL, *ready = NULL;
    struct buf value = { 0 };
    struct jsonw w = { .to = &value };
    size_t rows = g->group[i].rows, len = MIN(rows, quota);
    uint64_t stride = len < rows ? stride_for(rows) : 1;
    bool known = grid_column(v, "seed", &seed, NULL) == 0 &&
                 grid_column(v, "waiting", &waiting, NULL) == 0 &&
                 grid_column(v, "ready", &ready, NULL) == 0;

    grid_group_put(g, i, NULL, &w);
    *ret = (struct cohort_group){ .name = mem_strdup(g->group[i].name),
                                  .value = buf_detach(&value),
                                  .rows = rows,
                                  .run = mem_calloc(MAX(len, 1), sizeof *ret->run),
                                  .len = known ? len : 0 };
    for (size_t k = 0; k < ret->len; k++) {
        uint32_t r = row[k * stride % rows];

        ret->run[k] = (struct cohort_run){ v->run[r], column_whole(seed, r),
                                           column_whole(waiting, r) + column_whole(ready, r) == 0 };
    }
}

static int add_filters(const struct grid_view *v, const struct cohort_question *q,
                       struct grid_filters *f, struct err *err)
{
    char run[48];
    int rc = 0;

    for (size_t i = 0; rc == 0 && q->filters && q->filters[i]; i++)
        rc = grid_filter_add(v, f, q->filters[i], err);
    if (rc < 0 || !q->run)
        return rc;
    f->superseded = true; /* asked for by its number */
    snprintf(run, sizeof run, "run~eq~%llu", (unsigned long long)q->run);
    return grid_filter_add(v, f, run, err);
}

static void take(const struct grid_view *v, const struct grid_groups *g,
                 const struct cohort_question *q, struct cohort *ret)
{
    size_t *start CLEANUP(mem_cleanup) = mem_calloc(g->len + 1, sizeof *start);
    uint32_t *row CLEANUP(mem_cleanup) = rows_by_group(v, g, start);
    size_t quota = MAX(q->runs_max / MAX(g->len, 1), MAX(q->least, 1));

    ret->group = mem_calloc(MAX(g->len, 1), sizeof *ret->group);
    ret->cut = g->cut;
    for (ret->len = 0; ret->len < g->len; ret->len++)
        take_group(v, g, ret->len, row + start[ret->len], quota, &ret->group[ret->len]);
    for (ret->by_len = 0; ret->by_len < g->by_len; ret->by_len++)
        ret->by[ret->by_len] = mem_strdup(g->by[ret->by_len]->name);
    ret->ready = v->ready;
    ret->fits = v->fits;
    ret->rows = v->rows;
    ret->total = v->total;
}

int cohort_make(struct grids *g, const struct cohort_question *q, struct cohort *ret,
                struct err *err)
{
    struct grid_view v CLEANUP(grid_done) = { 0 };
    struct grid_filters f CLEANUP(grid_filters_release) = { 0 };
    struct grid_groups groups CLEANUP(grid_groups_release) = { 0 };
    const struct column *telling = NULL;

    *ret = (struct cohort){ 0 };
    int rc = grid_open(g, q->experiment, &v, err);
    rc = rc ? rc : add_filters(&v, q, &f, err);
    if (rc == 0 && !q->by && q->tell)
        telling = grid_telling(&v, &f);
    rc = rc ? rc : grid_groups_make(&v, &f, telling ? telling->name : q->by, &groups, err);
    if (rc == 0)
        take(&v, &groups, q, ret);
    return rc;
}
