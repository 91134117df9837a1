/* SPDX-License-Identifier: Apache-2.0 */
/* curves.c - training metrics over steps, drawn together (curves.h).
 *
 * Steps of training are divided into buckets of one width. A run's value in a bucket is the mean of
 * its points there, a seed's the mean over its runs, a group's the mean over its seeds. So long
 * runs and runs that report often weigh no more than others. */
#include "store/browse/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/interval.h"
#include "common/stats/sample.h"
#include "store/browse/curves_private.h"
#include "store/browse/measures.h"
#include "store/store_private.h"

/* Up to so many points are read one by one; of longer series a few rows per bucket. */
enum { POINTS_ONE_BY_ONE = 1 << 16 };

size_t curves_quota(const struct curves *c)
{
    size_t all = c->q->each ? CURVES_SERIES_MAX : CURVES_SAMPLE;

    return MAX(all / MAX(c->groups, 1), (size_t)CURVES_GROUP_LEAST);
}

void curves_release(struct curves *c)
{
    free(c->line);
    free(c->part);
    buf_release(&c->step);
}

/* ---- which series ---- */

static void add_part(struct curves *c, const struct series_part *p)
{
    if (c->parts == c->parts_cap) {
        c->parts_cap = MAX(64, 2 * c->parts_cap);
        c->part = mem_realloc(c->part, c->parts_cap, sizeof *c->part);
    }
    c->part[c->parts++] = *p;
}

/* What RUN reports, as one line of group GROUP. *RET: there is something. */
static int add_run(struct curves *c, const struct cohort_run *run, uint32_t group, bool *ret,
                   struct err *err)
{
    struct stmt *st = USE(c->s, BROWSE_CURVE_SERIES);
    size_t first = c->parts;
    int rc;

    *ret = false;
    stmt_u64(st, ":run", run->run);
    stmt_text(st, ":step", buf_str(&c->step));
    stmt_text(st, ":metric", c->q->metric);
    while ((rc = stmt_step(st, err)) > 0) {
        struct series_part p = { .series = stmt_col_u64(st, 0),
                                 .n = stmt_col_u64(st, 1),
                                 .first = stmt_col_u64(st, 2),
                                 .last = stmt_col_u64(st, 3) };

        if (p.n == 0 || p.last < c->q->from || (c->q->to && p.first > c->q->to))
            continue;
        add_part(c, &p);
        c->points += p.n;
        c->first = MIN(c->first, p.first);
        c->last = MAX(c->last, p.last);
    }
    if (rc < 0 || c->parts == first)
        return rc;
    if (c->len == c->cap) {
        c->cap = MAX(64, 2 * c->cap);
        c->line = mem_realloc(c->line, c->cap, sizeof *c->line);
    }
    c->line[c->len++] = (struct line){
        .run = run->run, .seed = run->seed, .group = group, .part = first, .parts = c->parts - first
    };
    *ret = true;
    return 0;
}

/* The runs that are read: all of small groups, some of large ones. */
static int choose_runs(struct curves *c, struct err *err)
{
    size_t quota = curves_quota(c);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->groups; i++) {
        const struct cohort_group *g = &c->cohort->group[i];

        for (size_t k = 0, found = 0; rc == 0 && k < g->len && found < quota; k++) {
            bool there = false;

            rc = add_run(c, &g->run[k], (uint32_t)i, &there, err);
            found += there;
        }
    }
    return rc;
}

/* ---- points ---- */

struct bucket {
    double sum, steps, least, most;
    uint64_t n;
};

struct drawn {
    const struct curves *c;
    struct bucket *bucket; /* [buckets] of one run */
};

static int add_stretch(const struct store_point *p, void *arg)
{
    const struct drawn *d = arg;
    uint64_t step = p->first_step + (p->last_step - p->first_step) / 2;
    struct bucket *b =
        &d->bucket[MIN((step - MIN(step, d->c->first)) / d->c->width, (uint64_t)d->c->buckets - 1)];

    if (p->finite == 0)
        return 0;
    b->least = b->n == 0 || p->min < b->least ? p->min : b->least;
    b->most = b->n == 0 || p->max > b->most ? p->max : b->most;
    b->sum += p->mean * (double)p->finite;
    b->steps += (double)step * (double)p->finite;
    b->n += p->finite;
    return 0;
}

static int draw_line(const struct curves *c, const struct line *l, struct bucket *bucket,
                     struct err *err)
{
    struct drawn d = { c, bucket };
    uint64_t to = c->q->to ? c->q->to : INT64_MAX;
    int rc = 0;

    memset(bucket, 0, c->buckets * sizeof *bucket);
    for (size_t i = 0; rc == 0 && i < l->parts; i++) {
        const struct series_part *p = &c->part[l->part + i];
        /* Twice as fine as the buckets, so that none stays empty between two stretches. */
        uint64_t fine = 2 * ((p->last - p->first) / c->width + 1);

        if (p->n > POINTS_ONE_BY_ONE)
            fine = MIN(fine, p->n / METRIC_CHUNK_POINTS);
        rc =
            store_series_rough(c->s, p->series, c->q->from, to, MAX(fine, 1), add_stretch, &d, err);
    }
    return rc;
}

static void make_buckets(struct curves *c)
{
    uint64_t longest = 0, span;

    c->first = MAX(c->first, c->q->from);
    if (c->q->to)
        c->last = MIN(c->last, c->q->to);
    c->last = MAX(c->last, c->first);
    span = c->last - c->first + 1;
    c->buckets = MAX(c->q->points, (size_t)2);
    for (size_t i = 0; i < c->parts; i++)
        longest = MAX(longest, c->part[i].n);
    /* Drawn from rows that hold 512 points each there are no more places than rows. */
    if (longest > POINTS_ONE_BY_ONE)
        c->buckets = MIN(c->buckets, MAX(longest / (2 * METRIC_CHUNK_POINTS), (uint64_t)64));
    c->width = (span + c->buckets - 1) / c->buckets;
    c->buckets = (size_t)((span + c->width - 1) / c->width);
}

/* ---- output ---- */

void curves_put_number(struct jsonw *w, double v)
{
    char text[40];

    if (!isfinite(v))
        jsonw_null(w, NULL);
    else if (v == floor(v) && fabs(v) < 9e15)
        jsonw_int(w, NULL, (int64_t)v);
    else {
        snprintf(text, sizeof text, "%.7g", v); /* more than a screen can show */
        jsonw_raw(w, NULL, text);
    }
}

static void put_point(struct jsonw *w, double step, double mean, double lo, double hi, uint64_t n)
{
    jsonw_open(w, '[');
    curves_put_number(w, step);
    curves_put_number(w, mean);
    curves_put_number(w, lo);
    curves_put_number(w, hi);
    jsonw_int(w, NULL, (int64_t)n);
    jsonw_close(w, ']');
}

/* A line by itself: lo and hi are the least and greatest of the points drawn together. */
static void put_line_points(const struct curves *c, const struct bucket *bucket, struct jsonw *w)
{
    jsonw_open_at(w, "points", '[');
    for (size_t i = 0; i < c->buckets; i++) {
        const struct bucket *b = &bucket[i];

        if (b->n)
            put_point(w, b->steps / (double)b->n, b->sum / (double)b->n, b->least, b->most, b->n);
    }
    jsonw_close(w, ']');
}

/* What a seed has in a bucket: sums over its runs. */
struct cell {
    double sum, steps;
    uint32_t runs;
};

struct group_draw {
    struct cell *cell; /* [units][buckets] */
    int64_t *seed;     /* [units] */
    double *value;     /* [units] */
    size_t units, lines;
    double quantile; /* Student's, for so many seeds */
    size_t quantile_of;
    bool by_run; /* one seed, several runs: a unit is a run */
};

static void group_draw_release(struct group_draw *d)
{
    free(d->cell);
    free(d->seed);
    free(d->value);
}

static void find_units(const struct curves *c, uint32_t group, struct group_draw *d)
{
    d->seed = mem_calloc(MAX(c->len, 1), sizeof *d->seed);
    for (size_t i = 0; i < c->len; i++) {
        size_t k = 0;

        if (c->line[i].group != group)
            continue;
        d->lines++;
        while (k < d->units && d->seed[k] != c->line[i].seed)
            k++;
        if (k == d->units)
            d->seed[d->units++] = c->line[i].seed;
    }
    d->by_run = d->units == 1 && d->lines > 1;
    if (d->by_run)
        d->units = d->lines;
    d->cell = mem_calloc(MAX(d->units * c->buckets, 1), sizeof *d->cell);
    d->value = mem_calloc(MAX(d->units, 1), sizeof *d->value);
}

static int draw_group(const struct curves *c, uint32_t group, struct group_draw *d,
                      struct bucket *bucket, struct err *err)
{
    size_t nth = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < c->len; i++) {
        size_t unit = 0;

        if (c->line[i].group != group)
            continue;
        rc = draw_line(c, &c->line[i], bucket, err);
        while (!d->by_run && d->seed[unit] != c->line[i].seed)
            unit++;
        unit = d->by_run ? nth : unit;
        nth++;
        for (size_t b = 0; b < c->buckets; b++) {
            struct cell *cell = &d->cell[unit * c->buckets + b];

            if (bucket[b].n == 0)
                continue;
            cell->sum += bucket[b].sum / (double)bucket[b].n;
            cell->steps += bucket[b].steps / (double)bucket[b].n;
            cell->runs++;
        }
    }
    return rc;
}

/* As stats_seeds(), whose quantile costs more than all else in a bucket: it is kept. */
static struct stats_interval seeds_interval(struct group_draw *d, double mean, size_t n)
{
    double half;

    if (n < 3)
        return (struct stats_interval){ .valid = false };
    if (d->quantile_of != n) {
        d->quantile = stats_t_quantile(0.975, (double)n - 1);
        d->quantile_of = n;
    }
    half = d->quantile * stats_se(d->value, n);
    return (struct stats_interval){ isfinite(half), mean - half, mean + half };
}

static void put_bucket(const struct curves *c, struct group_draw *d, size_t b, struct jsonw *w)
{
    double sum = 0, steps = 0, lo = (double)NAN, hi = (double)NAN;
    size_t n = 0;

    for (size_t u = 0; u < d->units; u++) {
        const struct cell *cell = &d->cell[u * c->buckets + b];

        if (cell->runs == 0)
            continue;
        d->value[n] = cell->sum / cell->runs;
        lo = n == 0 || d->value[n] < lo ? d->value[n] : lo;
        hi = n == 0 || d->value[n] > hi ? d->value[n] : hi;
        sum += d->value[n++];
        steps += cell->steps / cell->runs;
    }
    if (n == 0)
        return;
    struct stats_interval t = measure_cut(c->q->metric, seeds_interval(d, sum / (double)n, n));
    if (t.valid && !d->by_run) {
        lo = t.lo;
        hi = t.hi;
    } else if (n == 1) {
        lo = hi = (double)NAN;
    }
    put_point(w, steps / (double)n, sum / (double)n, lo, hi, n);
}

static int put_group(const struct curves *c, uint32_t group, struct bucket *bucket, struct jsonw *w,
                     struct err *err)
{
    struct group_draw d CLEANUP(group_draw_release) = { 0 };
    const struct cohort_group *g = &c->cohort->group[group];

    find_units(c, group, &d);
    int rc = draw_group(c, group, &d, bucket, err);
    if (rc < 0)
        return rc;
    jsonw_open(w, '{');
    jsonw_text(w, "name", g->name);
    jsonw_raw(w, "value", g->value);
    jsonw_int(w, "runs", (int64_t)g->rows);
    jsonw_int(w, "series", (int64_t)d.lines);
    jsonw_int(w, "seeds", d.by_run ? 1 : (int64_t)d.units);
    jsonw_bool(w, "sampled", d.lines < g->rows && d.lines >= curves_quota(c));
    jsonw_text(w, "band",
               d.lines == 1   ? "least to greatest of the points drawn together"
               : d.by_run     ? "least to greatest over runs of one seed"
               : d.units >= 3 ? "95% t interval over seeds"
               : d.units == 2 ? "least to greatest of two seeds"
                              : "none");
    if (d.lines == 1) {
        put_line_points(c, bucket, w);
    } else {
        jsonw_open_at(w, "points", '[');
        for (size_t b = 0; b < c->buckets; b++)
            put_bucket(c, &d, b, w);
        jsonw_close(w, ']');
    }
    jsonw_close(w, '}');
    return 0;
}

static int put_each(const struct curves *c, struct bucket *bucket, struct jsonw *w, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < MIN(c->len, (size_t)CURVES_SERIES_MAX); i++) {
        rc = draw_line(c, &c->line[i], bucket, err);
        if (rc < 0)
            return rc;
        jsonw_open(w, '{');
        jsonw_int(w, "run", (int64_t)c->line[i].run);
        jsonw_int(w, "seed", c->line[i].seed);
        jsonw_text(w, "name", c->cohort->group[c->line[i].group].name);
        jsonw_raw(w, "value", c->cohort->group[c->line[i].group].value);
        jsonw_int(w, "runs", 1);
        jsonw_int(w, "series", 1);
        jsonw_int(w, "seeds", 1);
        jsonw_text(w, "band", "least to greatest of the points drawn together");
        put_line_points(c, bucket, w);
        jsonw_close(w, '}');
    }
    return rc;
}

int curves_draw(const struct curves *c, struct jsonw *w, struct err *err)
{
    struct bucket *bucket CLEANUP(mem_cleanup) = mem_calloc(MAX(c->buckets, 1), sizeof *bucket);
    int rc = 0;

    jsonw_open_at(w, "groups", '[');
    if (c->len && c->q->each)
        rc = put_each(c, bucket, w, err);
    for (uint32_t i = 0; rc == 0 && c->len && !c->q->each && i < c->groups; i++)
        rc = put_group(c, i, bucket, w, err);
    jsonw_close(w, ']');
    return rc;
}

int curves_choose(struct curves *c, struct err *err)
{
    int rc;

    c->first = UINT64_MAX;
    rc = choose_runs(c, err);
    if (rc == 0 && c->len)
        make_buckets(c);
    return rc;
}
