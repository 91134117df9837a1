/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - what a sample says about itself. X has N finite values (NaN in, NaN out); every
 * function answers NaN where it is not defined: mean, median, quantile of nothing; sd, se of fewer
 * than two. */
#ifndef COMMON_STATS_SAMPLE_H
#define COMMON_STATS_SAMPLE_H

#include <stddef.h>

/* Sum / n; the sum is compensated (Neumaier 1974), so that order hardly matters. */
double stats_sum(const double *x, size_t n);
double stats_mean(const double *x, size_t n);
/* Sum of squares about the mean over n - 1: two passes. */
double stats_variance(const double *x, size_t n);
double stats_sd(const double *x, size_t n);
/* sd / sqrt(n): the standard error of the mean. */
double stats_se(const double *x, size_t n);

/* Quantile P (0..1, asserted) between order statistics at place (n - 1) p: type 7 of Hyndman and
 * Fan (1996), as numpy and R do by default. The first sorts a copy, the second takes X sorted. */
double stats_quantile(const double *x, size_t n, double p);
double stats_quantile_sorted(const double *x, size_t n, double p);
double stats_median(const double *x, size_t n);

/* Ascending; values must not be NaN. */
void stats_sort(double *x, size_t n);

#endif
