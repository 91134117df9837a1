/* SPDX-License-Identifier: Apache-2.0 */
/* interval.h - 95 % intervals, two-sided, of one level: examples of a model, or seeds. Resamples
 * come from Philox streams keyed by the data: the same data give the same interval everywhere, in
 * whatever order they come. */
#ifndef COMMON_STATS_INTERVAL_H
#define COMMON_STATS_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATS_RESAMPLES = 2000 };

struct stats_interval {
    bool valid; /* false: there is none; lo and hi mean nothing */
    double lo, hi;
};

/* Examples: HITS of N right answers of one model. Bias-corrected and accelerated bootstrap (BCa;
 * Efron 1987, "Better bootstrap confidence intervals") of the share. A resample of n such examples
 * is a binomial count, so it costs one random number (and a second that spreads it evenly over its
 * lattice step: Hall 1987). Where it degenerates (no hit or no miss) the
 * exact interval of Clopper and Pearson (1934). None for n = 0. HITS <= N (asserted). */
struct stats_interval stats_share(uint64_t hits, uint64_t n);

/* Examples: any real values of N examples of one model. BCa of their mean, the acceleration by the
 * jackknife: a = sum (x_i - m)^3 / (6 (sum (x_i - m)^2)^1.5) (Efron and Tibshirani 1993, 14.3). As
 * resamples vary by (n - 1) / n too little and with a normal's tails, the ends lie
 * sqrt(n / (n - 1)) t(0.975, n - 1) standard errors out, not 1.96 (Hesterberg 2015, "What teachers
 * should know about the bootstrap"): 3.6 % wider than the plain BCa at n = 50, 0.9 % at 200.
 * Values 0 and 1 only: stats_share. All values equal: that value, without width. None for n < 2
 * (unless 0 or 1) or when a value is not finite. Coverage at n >= 50: docs/statistics.md. */
struct stats_interval stats_bca(const double *x, size_t n);

/* Seeds: their means, nothing below them. Student's t: m +- t(0.975, S - 1) s / sqrt(S). None below
 * three seeds or when one is not finite. */
struct stats_interval stats_seeds(const double *mean, size_t seeds);

#endif
