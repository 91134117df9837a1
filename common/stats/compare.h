/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - comparing means over seeds, and many comparisons at once. */
#ifndef COMMON_STATS_COMPARE_H
#define COMMON_STATS_COMPARE_H

#include "common/stats/interval.h"

struct stats_difference {
    double difference;              /* mean a - mean b */
    double t, freedom, p;           /* two-sided; NaN where the test is not defined */
    struct stats_interval interval; /* difference +- t(0.975, freedom) se; none where p is NaN */
};

/* Welch's t test (1947): seeds of A and B are independent samples, variances may differ; freedom by
 * Welch and Satterthwaite. Not defined below two on either side. No variance on either side:
 * equal means p 1, else 0, no interval. */
struct stats_difference stats_welch(const double *a, size_t a_len, const double *b, size_t b_len);

/* Paired t test: a[i] and b[i] come from the same seed. Not defined below two. */
struct stats_difference stats_paired_t(const double *a, const double *b, size_t n);

/* Paired ratio of means, mean(a) / mean(b), by Fieller's theorem (1954): the ratios r at which the
 * paired t test of a[i] - r b[i] says nothing. None below three seeds, and where B may be 0. */
struct stats_interval stats_paired_ratio(const double *a, const double *b, size_t n);

/* Holm's step-down correction (1979) over N p values of one table: ADJUSTED[i] = max over the
 * j-th smallest p up to its place of (m - j + 1) p, at most 1; reject where adjusted <= alpha. NaN:
 * no test; stays NaN and is not counted in m. ADJUSTED may be P. */
void stats_holm(const double *p, size_t n, double *adjusted);

#endif
