/* SPDX-License-Identifier: Apache-2.0 */
/* stats.h - the intervals of the tables (design: section 10). Pure; deterministic: resamples come
 * from rng_stream("bootstrap", ...) keyed by the data, so the same counts give the same interval
 * everywhere. All intervals are 95 %, two-sided. */
#ifndef STORE_TABLES_STATS_H
#define STORE_TABLES_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATS_RESAMPLES = 2000 };

struct stats_interval {
    bool valid; /* false: there is none; lo and hi mean nothing */
    double lo, hi;
};

/* HITS of N examples of one model: bias-corrected and accelerated bootstrap (Efron 1987) of their
 * share. Where it degenerates (no hit or no miss) the exact interval of Clopper and Pearson; none
 * for n = 0. */
struct stats_interval stats_share(uint64_t hits, uint64_t n);

/* Means of SEEDS seeds without anything below them: Student's t interval. None below three seeds.
 */
struct stats_interval stats_seeds(const double *mean, size_t seeds);

/* HITS[i] of N[i] examples of seed i: two-level bootstrap, seeds then examples, percentiles of the
 * mean over seeds. One seed: stats_share; two: none. Every n[i] > 0. */
struct stats_interval stats_two_level(const uint64_t *hits, const uint64_t *n, size_t seeds);

/* Building blocks. */
double stats_normal_quantile(double p); /* 0 < p < 1; relative error below 1e-14 */
double stats_normal_cdf(double z);
double stats_t_quantile(double p, double freedom); /* 0.5 <= p < 1, freedom >= 1 */

#endif
