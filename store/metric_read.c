/* SPDX-License-Identifier: Apache-2.0 */
/* metric_read.c - series as plots and tables want them (metric.h). */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "store/metric.h"
#include "store/metric_private.h"

enum { LEVEL_POINTS = -1, LEVELS_MAX = 8 };

static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? (double)NAN : stmt_col_real(st, column);
}

int store_list_claims_waiting(struct store *s, uint64_t experiment, store_waiting_fn fn, void *arg,
                              struct err *err)
{
    struct stmt *st = USE(s, CLAIMS_WAITING);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = fn(stmt_col_u64(st, 0), stmt_col_text(st, 1), stmt_col_u64(st, 2), arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_list_run_metrics(struct store *s, uint64_t experiment, const char *step,
                           const char *metric, store_run_metric_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, RUN_METRICS);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    stmt_text(st, ":step", step);
    stmt_text(st, ":metric", metric);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_run_metric m = {
            .run = stmt_col_u64(st, 0),
            .seed = stmt_col_u64(st, 1),
            .step = stmt_col_text(st, 2),
            .job = stmt_col_u64(st, 3),
            .attempt = stmt_col_u64(st, 4),
            .series = stmt_col_u64(st, 5),
            .metric = stmt_col_text(st, 6),
            .n = stmt_col_u64(st, 7),
            .finite = stmt_col_u64(st, 8),
            .first_step = stmt_col_u64(st, 9),
            .last_step = stmt_col_u64(st, 10),
            .last = real_or_nan(st, 11),
            .min = real_or_nan(st, 12),
            .max = real_or_nan(st, 13),
        };

        m.mean = m.finite ? stmt_col_real(st, 14) / (double)m.finite : (double)NAN;
        rc = fn(&m, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_find_series(struct store *s, uint64_t attempt, const char *metric, uint64_t *ret,
                      struct err *err)
{
    struct stmt *st = USE(s, SERIES_GET);
    int rc;

    *ret = 0;
    stmt_u64(st, ":attempt", attempt);
    stmt_text(st, ":name", metric);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret = stmt_col_u64(st, 0);
    stmt_reset(st);
    return 0;
}

/* Rows, or points, on their way into stretches of at least PER points each. */
struct drawing {
    struct store *s;
    uint64_t series, per;
    struct store_point *out;
    size_t len, cap;
};

static void give(struct drawing *d, uint64_t first, uint64_t last, const struct metric_sums *sums)
{
    struct store_point *p;

    if (d->len == 0 || d->out[d->len - 1].n >= d->per) {
        if (d->len == d->cap) {
            d->cap = MAX(256, 2 * d->cap);
            d->out = mem_realloc(d->out, d->cap, sizeof *d->out);
        }
        d->out[d->len++] = (struct store_point){ .first_step = first, .min = NAN, .max = NAN };
    }
    p = &d->out[d->len - 1];
    p->last_step = last;
    p->n += sums->n;
    if (sums->finite == 0)
        return;
    p->min = p->finite == 0 || sums->min < p->min ? sums->min : p->min;
    p->max = p->finite == 0 || sums->max > p->max ? sums->max : p->max;
    p->mean += sums->sum; /* the sum, until all are there */
    p->finite += sums->finite;
}

struct row {
    uint64_t first, last;
    struct metric_sums sums;
};

static int load_rows(struct drawing *d, int level, uint64_t from, uint64_t to, struct row **ret,
                     size_t *ret_len, struct err *err)
{
    struct stmt *st = USE(d->s, CHUNKS_WITHIN);
    size_t cap = 0;
    int rc;

    stmt_u64(st, ":series", d->series);
    stmt_int(st, ":level", level);
    stmt_u64(st, ":from", from);
    stmt_u64(st, ":to", to);
    while ((rc = stmt_step(st, err)) > 0) {
        if (*ret_len == cap) {
            cap = MAX(64, 2 * cap);
            *ret = mem_realloc(*ret, cap, sizeof **ret);
        }
        (*ret)[(*ret_len)++] = (struct row){ stmt_col_u64(st, 0),
                                             stmt_col_u64(st, 1),
                                             { .n = stmt_col_u64(st, 2),
                                               .finite = stmt_col_u64(st, 3),
                                               .min = real_or_nan(st, 4),
                                               .max = real_or_nan(st, 5),
                                               .sum = stmt_col_real(st, 6) } };
    }
    return rc;
}

/* The points of the chunk at which ST stands that lie in [FROM, TO]. */
static int give_chunk(struct drawing *d, const struct stmt *st, uint64_t from, uint64_t to,
                      struct err *err)
{
    uint64_t n = stmt_col_u64(st, 3);
    struct metric_point *p = mem_calloc(MAX(n, 1), sizeof *p);
    int rc = chunk_decode(stmt_col_u64(st, 0), stmt_col_u64(st, 2), n, stmt_col_text(st, 4),
                          stmt_col_text(st, 5), p, err);

    for (uint64_t i = 0; rc == 0 && i < n; i++) {
        struct metric_sums one = { 0 };

        if (p[i].step < from || p[i].step > to)
            continue;
        metric_add(&one, p[i].value);
        give(d, p[i].step, p[i].step, &one);
    }
    free(p);
    return rc;
}

static int give_points(struct drawing *d, uint64_t from, uint64_t to, struct err *err)
{
    struct stmt *st = USE(d->s, CHUNK_AT);
    uint64_t start = from;
    int rc;

    stmt_u64(st, ":series", d->series); /* the chunk in which FROM lies may start before it */
    stmt_u64(st, ":step", from);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc > 0)
        start = stmt_col_u64(st, 1);
    stmt_reset(st);
    st = USE(d->s, CHUNKS_POINTS);
    stmt_u64(st, ":series", d->series);
    stmt_u64(st, ":from", start);
    stmt_u64(st, ":to", to);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = give_chunk(d, st, from, to, err);
        if (rc < 0) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

/* [FROM, TO] from the rows of LEVEL, what they leave open from the level below. */
static int walk(struct drawing *d, int level, uint64_t from, uint64_t to, struct err *err)
{
    struct row *rows = NULL;
    uint64_t at = from;
    size_t len = 0;
    int rc;

    if (from > to)
        return 0;
    if (level == LEVEL_POINTS)
        return give_points(d, from, to, err);
    rc = load_rows(d, level, from, to, &rows, &len, err);
    for (size_t i = 0; rc == 0 && i < len && rows[i].last <= to; i++) {
        if (rows[i].first > at)
            rc = walk(d, level - 1, at, rows[i].first - 1, err);
        if (rc == 0)
            give(d, rows[i].first, rows[i].last, &rows[i].sums);
        at = rows[i].last + 1;
    }
    free(rows);
    return rc == 0 ? walk(d, level - 1, at, to, err) : rc;
}

/* How many points lie in [FROM, TO]. */
static int count_points(struct store *s, uint64_t series, uint64_t from, uint64_t to, uint64_t *ret,
                        struct err *err)
{
    struct drawing d = { .s = s, .series = series, .per = UINT64_MAX };
    struct stmt *st = USE(s, SERIES_SIZE);
    uint64_t n = 0, first = 0, last = 0;
    int rc;

    *ret = 0;
    stmt_u64(st, ":id", series);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    n = stmt_col_u64(st, 0);
    first = stmt_col_u64(st, 1);
    last = stmt_col_u64(st, 2);
    stmt_reset(st);
    if (from <= first && to >= last) {
        *ret = n;
        return 0;
    }
    rc = walk(&d, LEVELS_MAX, MAX(from, first), MIN(to, last), err);
    for (size_t i = 0; rc == 0 && i < d.len; i++)
        *ret += d.out[i].n;
    free(d.out);
    return rc;
}

/* SLACK: rows that draw points together hold at most one SLACK-th of a stretch. */
static int read_series(struct store *s, uint64_t series, uint64_t from, uint64_t to,
                       size_t max_points, uint64_t slack, store_point_fn fn, void *arg,
                       struct err *err)
{
    struct drawing d = { .s = s, .series = series };
    uint64_t n, span = METRIC_CHUNK_POINTS;
    int level = LEVEL_POINTS, rc;

    assert(max_points > 0);
    to = MIN(to, (uint64_t)INT64_MAX);
    rc = count_points(s, series, from, to, &n, err);
    if (rc < 0 || n == 0)
        return rc;
    d.per = (n + max_points - 1) / max_points;
    for (; level + 1 < LEVELS_MAX && slack * span <= d.per; span *= METRIC_FAN)
        level++;
    rc = walk(&d, level, from, to, err);
    for (size_t i = 0; rc == 0 && i < d.len; i++) {
        d.out[i].mean = d.out[i].finite ? d.out[i].mean / (double)d.out[i].finite : (double)NAN;
        rc = fn(&d.out[i], arg);
    }
    free(d.out);
    return rc;
}

int store_series(struct store *s, uint64_t series, uint64_t from, uint64_t to, size_t max_points,
                 store_point_fn fn, void *arg, struct err *err)
{
    /* Rows of an eighth of a stretch keep the stretches about equal. */
    return read_series(s, series, from, to, max_points, 8, fn, arg, err);
}

int store_series_rough(struct store *s, uint64_t series, uint64_t from, uint64_t to,
                       size_t max_points, store_point_fn fn, void *arg, struct err *err)
{
    return read_series(s, series, from, to, max_points, 1, fn, arg, err);
}
