/* SPDX-License-Identifier: Apache-2.0 */
/* metric_merge.c - points that do not come behind all others, and the levels above the chunks.
 *
 * A late point goes into the chunk before it, one in front of all into the first. A chunk that
 * becomes too long is cut into even parts. The row of each level over a chunk that changed is
 * summed up anew from the rows below it; rows of level k may so have more than METRIC_FAN below. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/metric.h"
#include "store/metric_private.h"

enum { LEVELS_MAX = 8 }; /* 512 * 64^8 points are more than a step can number */

struct span {
    uint64_t first_step, last_step;
    struct metric_sums sums;
};

static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? (double)NAN : stmt_col_real(st, column);
}

/* The rows of LEVEL that start in [FROM, TO], summed up; *RET_ROWS counts them. */
static int sum_rows(struct store *s, uint64_t series, int level, uint64_t from, uint64_t to,
                    struct span *ret, uint64_t *ret_rows, struct err *err)
{
    struct stmt *st = USE(s, CHUNKS_WITHIN);
    int rc;

    *ret = (struct span){ .sums = { .min = NAN, .max = NAN } };
    *ret_rows = 0;
    stmt_u64(st, ":series", series);
    stmt_int(st, ":level", level);
    stmt_u64(st, ":from", from);
    stmt_u64(st, ":to", to);
    while ((rc = stmt_step(st, err)) > 0) {
        struct metric_sums one = { .n = stmt_col_u64(st, 2),
                                   .finite = stmt_col_u64(st, 3),
                                   .min = real_or_nan(st, 4),
                                   .max = real_or_nan(st, 5),
                                   .sum = stmt_col_real(st, 6) };

        if ((*ret_rows)++ == 0)
            ret->first_step = stmt_col_u64(st, 0);
        ret->last_step = stmt_col_u64(st, 1);
        metric_add_sums(&ret->sums, &one);
    }
    return rc;
}

/* ID 0: a new row. */
static int write_span(struct store *s, uint64_t series, int level, uint64_t id,
                      const struct span *r, struct err *err)
{
    struct stmt *st = id ? USE(s, CHUNK_SET) : USE(s, CHUNK_PUT);

    if (id) {
        stmt_u64(st, ":id", id);
    } else {
        stmt_u64(st, ":series", series);
        stmt_int(st, ":level", level);
    }
    stmt_u64(st, ":first_step", r->first_step);
    stmt_u64(st, ":last_step", r->last_step);
    stmt_int(st, ":stride", 0);
    stmt_u64(st, ":n", r->sums.n);
    stmt_u64(st, ":finite", r->sums.finite);
    stmt_real(st, ":min", r->sums.min);
    stmt_real(st, ":max", r->sums.max);
    stmt_real(st, ":sum", isfinite(r->sums.sum) ? r->sums.sum : 0.0);
    stmt_text(st, ":steps", NULL);
    stmt_text(st, ":points", NULL);
    return stmt_run(st, err);
}

int series_close_chunk(struct store *s, struct series *e, struct err *err)
{
    uint64_t every = METRIC_FAN;
    int rc = 0;

    e->closed++;
    for (int level = 1; rc == 0 && level <= LEVELS_MAX && e->closed % every == 0;
         level++, every *= METRIC_FAN) {
        struct stmt *st = USE(s, CHUNK_TOP);
        struct span r;
        uint64_t rows;
        int64_t top = -1;

        stmt_u64(st, ":series", e->id);
        stmt_int(st, ":level", level);
        rc = stmt_get(st, &top, err);
        if (rc == 0)
            rc = sum_rows(s, e->id, level - 1, (uint64_t)(top + 1), INT64_MAX, &r, &rows, err);
        if (rc == 0 && rows > 0)
            rc = write_span(s, e->id, level, 0, &r, err);
    }
    return rc;
}

/* The rows above the level-0 rows that start in [FROM, TO], of which the first started at WAS. */
static int sum_levels(struct store *s, uint64_t series, uint64_t was, uint64_t from, uint64_t to,
                      struct err *err)
{
    int rc = 0;

    for (int level = 1; rc == 0 && level <= LEVELS_MAX; level++) {
        struct stmt *st = USE(s, CHUNK_OVER);
        struct span r;
        uint64_t id, first, last, rows;

        stmt_u64(st, ":series", series);
        stmt_int(st, ":level", level);
        stmt_u64(st, ":step", was);
        rc = stmt_step(st, err);
        if (rc <= 0)
            return rc;
        id = stmt_col_u64(st, 0);
        first = stmt_col_u64(st, 1);
        last = stmt_col_u64(st, 2);
        stmt_reset(st);
        if (last < was) /* behind all rows of this level, so of those above it */
            return 0;
        rc = sum_rows(s, series, level - 1, MIN(first, from), MAX(last, to), &r, &rows, err);
        if (rc == 0)
            rc = write_span(s, series, level, id, &r, err);
        was = first;
        from = MIN(first, from);
        to = MAX(last, to);
    }
    return rc;
}

/* The chunk that STEP belongs to, and where the next one starts (UINT64_MAX: it is the last). */
static int find_chunk(struct store *s, uint64_t series, uint64_t step, struct chunk *ret,
                      uint64_t *ret_next, struct err *err)
{
    struct stmt *st = USE(s, CHUNK_AT);
    int64_t next = -1;
    int rc;

    stmt_u64(st, ":series", series);
    stmt_u64(st, ":step", step);
    rc = stmt_step(st, err);
    if (rc == 0) {
        st = USE(s, CHUNK_FIRST);
        stmt_u64(st, ":series", series);
        rc = stmt_step(st, err);
    }
    if (rc <= 0)
        return rc < 0 ? rc
                      : err_set(err, ERR_CORRUPT, "series %llu has no chunks",
                                (unsigned long long)series);
    chunk_take(ret, st);
    stmt_reset(st);
    st = USE(s, CHUNK_NEXT);
    stmt_u64(st, ":series", series);
    stmt_u64(st, ":step", ret->first_step);
    rc = stmt_get(st, &next, err);
    *ret_next = next < 0 ? UINT64_MAX : (uint64_t)next;
    return rc;
}

/* OLD and NEW, both in order, into RET; of the same step NEW's. Returns the count. */
static size_t merge(const struct metric_point *old, size_t old_len, const struct metric_point *new,
                    size_t new_len, struct metric_point *ret)
{
    size_t i = 0, k = 0, n = 0;

    while (i < old_len || k < new_len) {
        if (k == new_len || (i < old_len && old[i].step < new[k].step)) {
            ret[n++] = old[i++];
        } else {
            i += i < old_len && old[i].step == new[k].step;
            ret[n++] = new[k++];
        }
    }
    return n;
}

/* Write the points ALL in place of chunk C, in as many chunks as they need. The last chunk is
 * filled, others are cut evenly. */
static int write_parts(struct store *s, struct series *e, struct chunk *c, bool tail,
                       const struct metric_point *all, size_t len, struct err *err)
{
    size_t parts = (len + METRIC_CHUNK_POINTS - 1) / METRIC_CHUNK_POINTS;
    uint64_t id = c->id;
    size_t at = 0;
    int rc = 0;

    for (size_t k = 0; rc == 0 && k < parts; k++) {
        size_t end = tail ? MIN(at + METRIC_CHUNK_POINTS, len) : len * (k + 1) / parts;

        chunk_clear(c);
        c->id = k == 0 ? id : 0;
        while (at < end)
            chunk_add(c, all[at++]);
        rc = chunk_write(s, e->id, c, err);
    }
    return rc;
}

/* The text of a list lacks its closing bracket in a chunk. */
static int decode(struct chunk *c, struct metric_point *ret, struct err *err)
{
    buf_addc(&c->points, ']');
    if (c->steps.len)
        buf_addc(&c->steps, ']');
    return chunk_decode(c->first_step, c->stride, c->sums.n,
                        c->steps.len ? buf_str(&c->steps) : NULL, buf_str(&c->points), ret, err);
}

/* Merge what belongs to one chunk: *RET_USED of POINTS. */
static int merge_chunk(struct store *s, struct series *e, const struct metric_point *points,
                       size_t len, size_t *ret_used, struct err *err)
{
    CLEANUP(chunk_release) struct chunk c = { 0 };
    struct metric_point *old = NULL, *all = NULL;
    uint64_t next = 0, was;
    size_t n = 0, used = 1;
    int rc = find_chunk(s, e->id, points[0].step, &c, &next, err);

    if (rc < 0)
        return rc;
    while (used < len && points[used].step < next)
        used++;
    was = c.first_step;
    old = mem_calloc(MAX(c.sums.n, 1), sizeof *old);
    all = mem_calloc(c.sums.n + used, sizeof *all);
    rc = decode(&c, old, err);
    if (rc == 0) {
        n = merge(old, c.sums.n, points, used, all);
        rc = write_parts(s, e, &c, next == UINT64_MAX, all, n, err);
    }
    if (rc == 0)
        rc = sum_levels(s, e->id, was, MIN(all[0].step, was), all[n - 1].step, err);
    if (rc == 0 && next == UINT64_MAX) {
        e->last_step = all[n - 1].step;
        e->last = all[n - 1].value;
    }
    free(old);
    free(all);
    *ret_used = used;
    return rc;
}

/* Sums of the whole series, from its chunks. */
static int sum_series(struct store *s, struct series *e, struct err *err)
{
    struct stmt *st = USE(s, CHUNKS_WITHIN);
    struct metric_sums last = { 0 };
    double head = 0.0;
    int rc;

    e->all = (struct metric_sums){ .min = NAN, .max = NAN };
    stmt_u64(st, ":series", e->id);
    stmt_int(st, ":level", 0);
    stmt_int(st, ":from", 0);
    stmt_int(st, ":to", INT64_MAX);
    while ((rc = stmt_step(st, err)) > 0) {
        if (e->all.n == 0)
            e->first_step = stmt_col_u64(st, 0);
        head = e->all.sum;
        last = (struct metric_sums){ .n = stmt_col_u64(st, 2),
                                     .finite = stmt_col_u64(st, 3),
                                     .min = real_or_nan(st, 4),
                                     .max = real_or_nan(st, 5),
                                     .sum = stmt_col_real(st, 6) };
        metric_add_sums(&e->all, &last);
    }
    e->head = last.n < METRIC_CHUNK_POINTS ? head : e->all.sum;
    return rc;
}

int series_merge(struct store *s, struct series *e, const struct metric_point *points, size_t len,
                 struct err *err)
{
    size_t at = 0;
    int rc = 0;

    while (rc == 0 && at < len) {
        size_t used = 0;

        rc = merge_chunk(s, e, points + at, len - at, &used, err);
        at += used;
    }
    if (rc == 0)
        rc = sum_series(s, e, err);
    return rc == 0 ? series_write(s, e, err) : rc;
}
