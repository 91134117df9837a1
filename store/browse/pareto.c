/* SPDX-License-Identifier: Apache-2.0 */
/* pareto.c - the front is exact: of a thousand strips of x the best y of all strips before tells
 * which points may be on it, few enough to sort. The cloud is thinned by a raster. */
#include "store/browse/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/curves_private.h"
#include "store/browse/measures.h"

enum { STRIPS = 1024, RASTER = 128, FRONT_MAX = 1000 };

/* What is less is better in both, after turning. */
struct dot {
    double x, y;
    uint32_t row;
};

struct cloud {
    const struct grid_view *v;
    const struct column *x, *y;
    double sign_x, sign_y; /* 1: less is better */
    struct grid_groups groups;
    struct dot *dot; /* of all rows that have both */
    size_t len;
    double least_x, most_x, least_y, most_y;
    struct dot *front;
    size_t front_len;
};

static void cloud_release(struct cloud *c)
{
    grid_groups_release(&c->groups);
    free(c->dot);
    free(c->front);
}

static void collect(struct cloud *c)
{
    c->dot = mem_realloc(NULL, MAX(c->groups.rows, 1), sizeof *c->dot);
    for (size_t i = 0; i < c->v->rows; i++) {
        double x, y;

        if (!c->groups.of[i])
            continue;
        x = column_number(c->x, i) * c->sign_x;
        y = column_number(c->y, i) * c->sign_y;
        if (!isfinite(x) || !isfinite(y))
            continue;
        c->least_x = c->len == 0 || x < c->least_x ? x : c->least_x;
        c->most_x = c->len == 0 || x > c->most_x ? x : c->most_x;
        c->least_y = c->len == 0 || y < c->least_y ? y : c->least_y;
        c->most_y = c->len == 0 || y > c->most_y ? y : c->most_y;
        c->dot[c->len++] = (struct dot){ x, y, (uint32_t)i };
    }
}

static size_t place(double v, double least, double most, size_t places)
{
    double share = most > least ? (v - least) / (most - least) : 0.0;

    return MIN((size_t)(share * (double)places), places - 1);
}

/* ---- the front ---- */

static int by_x(const void *a, const void *b)
{
    const struct dot *p = a, *q = b;

    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    if (p->y != q->y)
        return p->y < q->y ? -1 : 1;
    return (p->row > q->row) - (p->row < q->row);
}

static void find_front(struct cloud *c)
{
    double best[STRIPS], before = INFINITY;
    struct dot *may = mem_realloc(NULL, MAX(c->len, 1), sizeof *may);
    size_t n = 0;

    for (size_t i = 0; i < STRIPS; i++)
        best[i] = INFINITY;
    for (size_t i = 0; i < c->len; i++) {
        size_t s = place(c->dot[i].x, c->least_x, c->most_x, STRIPS);

        best[s] = MIN(best[s], c->dot[i].y);
    }
    for (size_t i = 0; i < STRIPS; i++) { /* the best of the strips before */
        double own = best[i];

        best[i] = before;
        before = MIN(before, own);
    }
    for (size_t i = 0; i < c->len; i++)
        if (c->dot[i].y < best[place(c->dot[i].x, c->least_x, c->most_x, STRIPS)])
            may[n++] = c->dot[i];
    if (n > 1)
        qsort(may, n, sizeof *may, by_x);
    c->front = may;
    for (size_t i = 0; i < n; i++) /* of equal ones the first run */
        if (c->front_len == 0 || may[i].y < may[c->front_len - 1].y)
            may[c->front_len++] = may[i];
}

/* ---- the cloud ---- */

static size_t cell_of(const struct cloud *c, const struct dot *d, size_t side)
{
    size_t group = c->groups.of[d->row] - 1;

    return (group * side + place(d->x, c->least_x, c->most_x, side)) * side +
           place(d->y, c->least_y, c->most_y, side);
}

static size_t total(const uint32_t *count, size_t cells, uint32_t most)
{
    size_t n = 0;

    for (size_t i = 0; i < cells; i++)
        n += MIN(count[i], most);
    return n;
}

/* How many a cell may keep so that all together are at most PARETO_POINTS_MAX; 0: the raster of
 * SIDE is too fine. */
static uint32_t quota(const uint32_t *count, size_t cells)
{
    uint32_t low = 0, high = PARETO_POINTS_MAX;

    while (low < high) {
        uint32_t mid = (low + high + 1) / 2;

        if (total(count, cells, mid) <= PARETO_POINTS_MAX)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

static void put_dot(const struct cloud *c, const struct dot *d, struct jsonw *w)
{
    jsonw_open(w, '{');
    jsonw_int(w, "run", (int64_t)c->v->run[d->row]);
    jsonw_key(w, "x");
    curves_put_number(w, column_number(c->x, d->row));
    jsonw_key(w, "y");
    curves_put_number(w, column_number(c->y, d->row));
    jsonw_int(w, "group", (int64_t)c->groups.of[d->row] - 1);
    jsonw_close(w, '}');
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Rows of the front, sorted: they are drawn whatever the raster says. */
static uint32_t *front_rows(const struct cloud *c)
{
    uint32_t *row = mem_calloc(MAX(c->front_len, 1), sizeof *row);

    for (size_t i = 0; i < c->front_len; i++)
        row[i] = c->front[i].row;
    qsort(row, c->front_len, sizeof *row, by_row);
    return row;
}

static void put_cloud(const struct cloud *c, struct jsonw *w)
{
    size_t side = RASTER, cells = 0;
    uint32_t most = PARETO_POINTS_MAX, *count = NULL;
    uint32_t *front CLEANUP(mem_cleanup) = front_rows(c);

    for (; c->len > PARETO_POINTS_MAX; side /= 2) {
        cells = MAX(c->groups.len, 1) * side * side;
        free(count);
        count = mem_calloc(cells, sizeof *count);
        for (size_t i = 0; i < c->len; i++)
            count[cell_of(c, &c->dot[i], side)]++;
        most = quota(count, cells);
        if (most > 0 || side == 1)
            break;
    }
    if (count)
        memset(count, 0, cells * sizeof *count);
    jsonw_open_at(w, "points", '[');
    for (size_t i = 0; i < c->len; i++) {
        bool kept = !count || count[cell_of(c, &c->dot[i], side)]++ < most;

        if (kept || bsearch(&c->dot[i].row, front, c->front_len, sizeof *front, by_row))
            put_dot(c, &c->dot[i], w);
    }
    jsonw_close(w, ']');
    free(count);
}

/* ---- the answer ---- */

static int find_axis(const struct grid_view *v, const char *name, const struct column **ret,
                     struct err *err)
{
    int rc = grid_invalid(grid_column(v, name, ret, err), err);

    if (rc == 0 && !column_is_number(*ret) && (*ret)->words.len)
        return err_set(err, ERR_INVALID, "%.60s is no number: it cannot be an axis", name);
    return rc;
}

static int sign_of(const char *better, const struct column *c, double usual, double *ret,
                   struct err *err)
{
    enum better b = measure_better(c->name);

    if (better && strcmp(better, "higher") != 0 && strcmp(better, "lower") != 0)
        return err_set(err, ERR_INVALID, "\"better_x\" and \"better_y\" are higher or lower");
    if (better)
        *ret = strcmp(better, "lower") == 0 ? 1.0 : -1.0;
    else
        *ret = b == BETTER_LOWER ? 1.0 : b == BETTER_HIGHER ? -1.0 : usual;
    return 0;
}

/* Layers where they differ between runs, else tokens. */
static const char *usual_x(const struct grid_view *v)
{
    const struct column *layers = NULL;
    double first = (double)NAN;

    if (grid_column(v, "layers", &layers, NULL) < 0)
        return "tokens";
    for (size_t i = 0; i < layers->len; i++) {
        double x = column_number(layers, i);

        if (!isnan(x) && !isnan(first) && x != first)
            return "layers";
        first = isnan(x) ? first : x;
    }
    return "tokens";
}

static void put_answer(const struct cloud *c, struct jsonw *w)
{
    jsonw_text(w, "x", c->x->name);
    jsonw_text(w, "y", c->y->name);
    jsonw_text(w, "better_x", c->sign_x > 0 ? "lower" : "higher");
    jsonw_text(w, "better_y", c->sign_y > 0 ? "lower" : "higher");
    jsonw_open_at(w, "groups", '[');
    for (size_t i = 0; i < c->groups.len; i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "name", c->groups.group[i].name);
        grid_group_put(&c->groups, i, "value", w);
        jsonw_int(w, "runs", (int64_t)c->groups.group[i].rows);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    put_cloud(c, w);
    jsonw_int(w, "of", (int64_t)c->len);
    jsonw_open_at(w, "front", '[');
    for (size_t i = 0; i < MIN(c->front_len, (size_t)FRONT_MAX); i++) {
        const struct dot *d = &c->front[c->sign_x > 0 ? i : c->front_len - 1 - i];

        jsonw_open(w, '[');
        curves_put_number(w, column_number(c->x, d->row));
        curves_put_number(w, column_number(c->y, d->row));
        jsonw_int(w, NULL, (int64_t)c->v->run[d->row]);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
    jsonw_int(w, "front_of", (int64_t)c->front_len);
    grid_put_state(c->v, w);
}

int pareto_put(struct grids *g, const struct pareto_question *q, struct jsonw *w, struct err *err)
{
    struct grid_view v CLEANUP(grid_done) = { 0 };
    struct grid_filters f CLEANUP(grid_filters_release) = { 0 };
    struct cloud c CLEANUP(cloud_release) = { .v = &v };
    const struct column *telling = NULL;
    int rc = grid_open(g, q->experiment, &v, err);

    for (size_t i = 0; rc == 0 && q->filters && q->filters[i]; i++)
        rc = grid_filter_add(&v, &f, q->filters[i], err);
    rc = rc ? rc : find_axis(&v, q->x && q->x[0] ? q->x : usual_x(&v), &c.x, err);
    rc = rc ? rc : find_axis(&v, q->y && q->y[0] ? q->y : "accuracy", &c.y, err);
    rc = rc ? rc : sign_of(q->better_x, c.x, 1.0, &c.sign_x, err);
    rc = rc ? rc : sign_of(q->better_y, c.y, -1.0, &c.sign_y, err);
    if (rc == 0 && !q->by)
        telling = grid_telling(&v, &f);
    rc = rc ? rc : grid_groups_make(&v, &f, telling ? telling->name : q->by, &c.groups, err);
    if (rc < 0)
        return rc;
    collect(&c);
    find_front(&c);
    put_answer(&c, w);
    return 0;
}
