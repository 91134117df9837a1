/* SPDX-License-Identifier: Apache-2.0 */
/* metric.c - store_metrics(): what a training job reports, appended to its series. */
#include "store/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/metric_private.h"

static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? (double)NAN : stmt_col_real(st, column);
}

static int series_load(struct store *s, uint64_t attempt, const char *name, struct series *ret,
                       struct err *err)
{
    struct stmt *st = USE(s, SERIES_GET);
    int64_t id = 0;
    int rc;

    stmt_u64(st, ":attempt", attempt);
    stmt_text(st, ":name", name);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        *ret = (struct series){
            .id = stmt_col_u64(st, 0),
            .all = { .n = stmt_col_u64(st, 1),
                     .finite = stmt_col_u64(st, 2),
                     .min = real_or_nan(st, 6),
                     .max = real_or_nan(st, 7),
                     .sum = stmt_col_real(st, 8) },
            .first_step = stmt_col_u64(st, 3),
            .last_step = stmt_col_u64(st, 4),
            .last = real_or_nan(st, 5),
            .head = stmt_col_real(st, 9),
            .closed = stmt_col_u64(st, 10),
        };
        stmt_reset(st);
        return 0;
    }
    st = USE(s, SERIES_PUT);
    stmt_u64(st, ":attempt", attempt);
    stmt_text(st, ":name", name);
    rc = stmt_get(st, &id, err);
    *ret = (struct series){ .id = (uint64_t)id, .all = { .min = NAN, .max = NAN }, .last = NAN };
    return rc;
}

/* Sums of huge numbers may overflow; the column takes no NaN. */
static double finite_or_zero(double v)
{
    return isfinite(v) ? v : 0.0;
}

int series_write(struct store *s, const struct series *e, struct err *err)
{
    struct stmt *st = USE(s, SERIES_SET);

    stmt_u64(st, ":id", e->id);
    stmt_u64(st, ":n", e->all.n);
    stmt_u64(st, ":finite", e->all.finite);
    stmt_u64(st, ":first_step", e->first_step);
    stmt_u64(st, ":last_step", e->last_step);
    stmt_real(st, ":last", e->last);
    stmt_real(st, ":min", e->all.min);
    stmt_real(st, ":max", e->all.max);
    stmt_real(st, ":sum", finite_or_zero(e->all.sum));
    stmt_real(st, ":head", finite_or_zero(e->head));
    stmt_u64(st, ":closed", e->closed);
    return stmt_run(st, err);
}

/* Points behind all that E has, in order. Sums are added up chunk by chunk, so that they do not
 * depend on how the points were cut into calls. */
static int series_append(struct store *s, struct series *e, const struct metric_point *points,
                         size_t len, struct err *err)
{
    CLEANUP(chunk_release) struct chunk c = { 0 };
    int rc = 0;

    chunk_clear(&c);
    if (e->all.n > 0) {
        struct stmt *st = USE(s, CHUNK_LAST);

        stmt_u64(st, ":series", e->id);
        rc = stmt_step(st, err);
        if (rc > 0 && stmt_col_u64(st, 4) < METRIC_CHUNK_POINTS)
            chunk_take(&c, st);
        stmt_reset(st);
    } else if (len > 0) {
        e->first_step = points[0].step;
    }
    for (size_t i = 0; rc >= 0 && i < len; i++) {
        chunk_add(&c, points[i]);
        metric_add(&e->all, points[i].value);
        if (c.sums.n < METRIC_CHUNK_POINTS && i + 1 < len)
            continue;
        rc = chunk_write(s, e->id, &c, err);
        e->all.sum = e->head + c.sums.sum;
        if (rc == 0 && c.sums.n >= METRIC_CHUNK_POINTS) {
            e->head += c.sums.sum;
            rc = series_close_chunk(s, e, err);
            chunk_clear(&c);
        }
    }
    if (rc < 0)
        return rc;
    e->last_step = points[len - 1].step;
    e->last = points[len - 1].value;
    return series_write(s, e, err);
}

/* Sorted by step; of a step that comes twice the later value. Returns how many are left. */
struct ordered {
    struct metric_point p;
    size_t place;
};

static int by_step(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;

    if (x->p.step != y->p.step)
        return x->p.step < y->p.step ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static size_t put_in_order(struct metric_point *p, size_t len)
{
    struct ordered *all = mem_calloc(MAX(len, 1), sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        all[i] = (struct ordered){ p[i], i };
    qsort(all, len, sizeof *all, by_step);
    for (size_t i = 0; i < len; i++) {
        if (i + 1 == len || all[i + 1].p.step != all[i].p.step)
            p[n++] = all[i].p;
    }
    free(all);
    return n;
}

static int put_series(struct store *s, uint64_t attempt, const char *name, struct metric_point *p,
                      size_t len, struct err *err)
{
    struct series e;
    bool sorted = true;
    int rc = series_load(s, attempt, name, &e, err);

    if (rc < 0)
        return rc;
    for (size_t i = 1; i < len && sorted; i++)
        sorted = p[i - 1].step < p[i].step;
    if (!sorted)
        len = put_in_order(p, len);
    return e.all.n == 0 || p[0].step > e.last_step ? series_append(s, &e, p, len, err)
                                                   : series_merge(s, &e, p, len, err);
}

/* The points of one call by their names. */
struct groups {
    struct group {
        const char *name;
        size_t len, at; /* at: next place in POINT */
    } * group;
    size_t groups_len, cap;
    uint32_t *slot; /* hash table of 1 + index in group; 0: empty */
    size_t mask;
    uint32_t *of; /* group of each point */
    struct metric_point *point;
};

static void groups_release(struct groups *g)
{
    free(g->group);
    free(g->slot);
    free(g->of);
    free(g->point);
}

static uint32_t group_of(struct groups *g, const char *name)
{
    uint64_t hash = 14695981039346656037u;
    size_t at;

    for (const char *p = name; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 1099511628211u;
    for (at = (hash ^ hash >> 32) & g->mask; g->slot[at]; at = (at + 1) & g->mask) {
        if (strcmp(g->group[g->slot[at] - 1].name, name) == 0)
            return g->slot[at] - 1;
    }
    if (g->groups_len == g->cap) {
        g->cap = MAX(16, 2 * g->cap);
        g->group = mem_realloc(g->group, g->cap, sizeof *g->group);
    }
    g->group[g->groups_len++] = (struct group){ .name = name };
    g->slot[at] = (uint32_t)g->groups_len;
    return (uint32_t)g->groups_len - 1;
}

/* Reports go round the same names: the one behind the last point's is tried first. */
static void group_points(struct groups *g, const struct store_metric *metrics, size_t len)
{
    size_t guess = 0, at = 0;

    g->mask = 15;
    while (g->mask < 2 * len)
        g->mask = 2 * g->mask + 1;
    g->slot = mem_calloc(g->mask + 1, sizeof *g->slot);
    g->of = mem_calloc(len, sizeof *g->of);
    g->point = mem_calloc(len, sizeof *g->point);
    for (size_t i = 0; i < len; i++) {
        if (guess >= g->groups_len || (g->group[guess].name != metrics[i].name &&
                                       strcmp(g->group[guess].name, metrics[i].name) != 0))
            guess = group_of(g, metrics[i].name);
        g->of[i] = (uint32_t)guess;
        g->group[guess].len++;
        if (i + 1 < len && metrics[i + 1].name != metrics[i].name)
            guess = guess + 1 < g->groups_len ? guess + 1 : 0;
    }
    for (size_t k = 0; k < g->groups_len; at += g->group[k++].len)
        g->group[k].at = at;
    for (size_t i = 0; i < len; i++)
        g->point[g->group[g->of[i]].at++] =
            (struct metric_point){ metrics[i].step, metrics[i].value };
}

static int check(const struct store_metric *m, size_t i, struct err *err)
{
    if (!m->name || !m->name[0])
        return err_set(err, ERR_INVALID, "metric %zu has no name", i);
    if (m->step > INT64_MAX)
        return err_set(err, ERR_INVALID, "metric \"%s\": step %llu; at most %lld is allowed",
                       m->name, (unsigned long long)m->step, (long long)INT64_MAX);
    return 0;
}

static int put_metrics(struct store *s, uint64_t attempt, const struct store_metric *metrics,
                       size_t len, struct err *err)
{
    CLEANUP(groups_release) struct groups g = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = check(&metrics[i], i, err);
    if (rc < 0 || len == 0)
        return rc;
    group_points(&g, metrics, len);
    for (size_t k = 0; rc == 0 && k < g.groups_len; k++) {
        const struct group *one = &g.group[k];

        rc = put_series(s, attempt, one->name, g.point + one->at - one->len, one->len, err);
    }
    return rc;
}

int store_metrics(struct store *s, uint64_t attempt, const struct store_metric *metrics, size_t len,
                  struct err *err)
{
    int rc = item_begin(s, err);

    return rc < 0 ? rc : item_end(s, put_metrics(s, attempt, metrics, len, err), err);
}
