/* SPDX-License-Identifier: Apache-2.0 */
/* metric.h - numbers per training step: kept in chunks, read as series.
 *
 * A series is what one attempt reported under one name. Its
 * points lie in the table metric_chunk, up to METRIC_CHUNK_POINTS to a row as JSON text (so that
 * every SQLite tool can read them with json_each), under rows of level 1, 2... that sum up
 * METRIC_FAN rows of the level below: a plot of a long series reads few rows.
 * What was stored for a step is replaced by what comes later for it; steps may come in any order.
 * A value that is not a finite number is kept as null and counts in n, but not in min, max, mean.
 * All of it works on reading connections too. */
#ifndef STORE_METRIC_H
#define STORE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

enum { METRIC_CHUNK_POINTS = 512, METRIC_FAN = 64 };

struct store_metric {
    const char *name;
    uint64_t step;
    double value; /* NaN and infinities are stored as NULL */
};
/* A repeated (attempt, name, step) is replaced. Only the effective attempt's metrics show in the
 * views. Needs a transaction. ERR_INVALID: an empty name, a step above INT64_MAX. */
int store_metrics(struct store *s, uint64_t attempt, const struct store_metric *metrics, size_t len,
                  struct err *err) MUST_CHECK;

/* A whole series, of the attempt that gave a job's result, as a live run's step claims it. */
struct store_run_metric {
    uint64_t run, seed, job, attempt, series;
    const char *step, *metric; /* step: id in the recipe; metric: "loss", "reward"... */
    uint64_t n, finite;        /* points; those that are finite numbers */
    uint64_t first_step, last_step;
    double last;           /* value at last_step; NaN: not a finite number */
    double min, max, mean; /* NaN when finite is 0 */
};
typedef int (*store_run_metric_fn)(const struct store_run_metric *m, void *arg);
/* Of the live runs of EXPERIMENT, those with STEP (NULL: all) and METRIC (NULL: all), by (run,
 * step, job, metric). Costs one row per series, however long it is. */
int store_list_run_metrics(struct store *s, uint64_t experiment, const char *step,
                           const char *metric, store_run_metric_fn fn, void *arg,
                           struct err *err) MUST_CHECK;

/* Live claims of EXPERIMENT's runs on jobs that have not given a result (yet), by (run, step, job):
 * what their steps report is missing. */
typedef int (*store_waiting_fn)(uint64_t run, const char *step, uint64_t job, void *arg);
int store_list_claims_waiting(struct store *s, uint64_t experiment, store_waiting_fn fn, void *arg,
                              struct err *err) MUST_CHECK;

/* Id of the series METRIC of ATTEMPT; 0 when there is none. */
int store_find_series(struct store *s, uint64_t attempt, const char *metric, uint64_t *ret,
                      struct err *err) MUST_CHECK;

struct store_point { /* a stretch of a series; a single point where n is 1 */
    uint64_t first_step, last_step, n, finite;
    double min, max, mean; /* NaN when finite is 0 */
};
typedef int (*store_point_fn)(const struct store_point *p, void *arg);
/* The points of SERIES with FROM <= step <= TO in order, drawn together into at most MAX_POINTS
 * (>= 1) stretches of about equal numbers of points; points by themselves when they are no more
 * than that. Nothing for a series that is not there. */
int store_series(struct store *s, uint64_t series, uint64_t from, uint64_t to, size_t max_points,
                 store_point_fn fn, void *arg, struct err *err) MUST_CHECK;
/* The same with stretches of up to twice their share of the points: a long series costs a few rows
 * per stretch, for many of them are read at once. */
int store_series_rough(struct store *s, uint64_t series, uint64_t from, uint64_t to,
                       size_t max_points, store_point_fn fn, void *arg, struct err *err) MUST_CHECK;

#endif
