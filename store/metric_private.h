/* SPDX-License-Identifier: Apache-2.0 */
/* metric_private.h - series and their chunks in memory. Shared by metric.c (appending, the common
 * case) and metric_merge.c (steps that are there already, or come late). */
#ifndef STORE_METRIC_PRIVATE_H
#define STORE_METRIC_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "store/store_private.h"

struct metric_sums {
    uint64_t n, finite;
    double min, max, sum; /* min, max: NaN when finite is 0 */
};
void metric_add(struct metric_sums *s, double v);
void metric_add_sums(struct metric_sums *s, const struct metric_sums *more);

struct series {
    uint64_t id, first_step, last_step, closed;
    struct metric_sums all;
    double last; /* value at last_step */
    double head; /* sum of all chunks but the one that is still open */
};

struct metric_point {
    uint64_t step;
    double value;
};

/* A row of metric_chunk of level 0. POINTS and STEPS hold the lists without the closing bracket;
 * STEPS is empty while the steps are first_step, first_step + stride... */
struct chunk {
    uint64_t id; /* 0: not in the table yet */
    uint64_t first_step, last_step, stride;
    struct metric_sums sums;
    struct buf steps, points;
};
void chunk_release(struct chunk *c);
void chunk_clear(struct chunk *c);
/* Append a point behind the last one. */
void chunk_add(struct chunk *c, struct metric_point p);
/* The row at which ST (chunk_last, chunk_at, chunk_first) stands. */
void chunk_take(struct chunk *c, const struct stmt *st);
int chunk_write(struct store *s, uint64_t series, struct chunk *c, struct err *err) MUST_CHECK;
/* The points of a row as numbers, RET[n]. ERR_CORRUPT. */
int chunk_decode(uint64_t first_step, uint64_t stride, uint64_t n, const char *steps,
                 const char *points, struct metric_point *ret, struct err *err) MUST_CHECK;

int series_write(struct store *s, const struct series *e, struct err *err) MUST_CHECK;
/* SERIES has one more full chunk: write the rows of level 1, 2... that it completes. */
int series_close_chunk(struct store *s, struct series *e, struct err *err) MUST_CHECK;

/* Put POINTS, sorted by step and each step once, among those of E, which has some. */
int series_merge(struct store *s, struct series *e, const struct metric_point *points, size_t len,
                 struct err *err) MUST_CHECK;

#endif
