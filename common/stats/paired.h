/* SPDX-License-Identifier: Apache-2.0 */
/* paired.h - is A better than B on the same examples? Pairs are per-example means over seeds;
 * difference is always a - b. */
#ifndef COMMON_STATS_PAIRED_H
#define COMMON_STATS_PAIRED_H

#include "common/stats/interval.h"

enum {
    STATS_FLIPS = 10000,    /* of the sign-flip test */
    STATS_FLIPS_EXACT = 15, /* up to so many pairs that differ, all 2^n flips are counted */
};

struct stats_paired {
    size_t n, dropped;                 /* pairs used; pairs left out because one side is NaN */
    double mean_a, mean_b, difference; /* of the pairs used; NaN when n = 0 */
    struct stats_interval interval;    /* of the difference; see the functions */
    double p_t;    /* paired t test, two-sided; NaN below two pairs or without any variance */
    double p_flip; /* sign-flip test, two-sided; NaN when n = 0 */
};

/* A[i], B[i], i < N: the values of example i, NaN where there is none. Interval: BCa of the
 * differences. p_t: t = mean / se with n - 1 degrees ("Student" 1908); all differences 0: p 1; all
 * equal otherwise: p 0. p_flip: the share of sign patterns whose |mean| is at least the observed
 * (Fisher 1935; Good 2005): exact over 2^m for m <= STATS_FLIPS_EXACT pairs that differ, else from
 * STATS_FLIPS patterns, (1 + count) / (1 + flips) (Davison and Hinkley 1997, 4.2), so never 0;
 * where all that differ do so by the same amount (0/1 outcomes of one model) exact whatever m: the
 * two-sided binomial, which is McNemar's exact test. */
struct stats_paired stats_paired(const double *a, const double *b, size_t n);

/* The same over SEEDS_A vectors A[s] and SEEDS_B vectors B[s] of N examples each: first the mean
 * over seeds per example and side (over the seeds that have it; NaN when none has). When both sides
 * have three seeds or more, the interval counts the seeds' variation too: two-way analysis as in
 * two_level.h with ALIGNED, over the examples that every seed has (interval only; below two such
 * examples BCa); seeds are paired when SAME_SEEDS (a[s] and b[s] from one seed; needs
 * seeds_a = seeds_b, asserted), else the two sides' seed components are added, freedom by Welch and
 * Satterthwaite. SEEDS: whether to do so; false: BCa over examples only (these very models). */
struct stats_paired_options {
    bool seeds, same_seeds;
};
struct stats_paired stats_paired_seeds(const double *const *a, size_t seeds_a,
                                       const double *const *b, size_t seeds_b, size_t n,
                                       struct stats_paired_options options);

/* The 95 % interval of a mean difference from the differences themselves: D[s][0 .. n[s] - 1] of
 * the pairs of seed S (a and b of one seed on one example). One seed: BCa over its examples, these
 * very models; two: none; three and more: stats_two_level_values, ALIGNED as there (d[.][j] is one
 * example). SHARES: of outcomes between 0 and 1, so the interval lies within -1 and 1; where no
 * example differs it is as wide on both sides as Clopper and Pearson (1934) allow the share of
 * examples that do, and where all differ by 1 or by -1 as they allow that. Without SHARES
 * differences that are all equal have no width. None for n = 0 or values that are not finite. */
struct stats_interval stats_differences(const double *const *d, const size_t *n, size_t seeds,
                                        bool aligned, bool shares);

/* Wilcoxon's signed-rank test (1945) of A against B, two-sided: differences 0 dropped, ties get
 * their mean rank. Exact for up to 50 pairs without zeros and ties, else normal with tie correction
 * and no continuity correction, as scipy.stats.wilcoxon. No pair that differs: 1. */
double stats_wilcoxon(const double *a, const double *b, size_t n);

/* McNemar's test (1947) for one model against one other: of the examples where exactly one is
 * right, ONLY_A and ONLY_B. Exact: two-sided binomial. Corrected: chi-squared with one degree,
 * (|b - c| - 1)^2 / (b + c) (Edwards 1948); valid from about 25 discordant examples. None
 * discordant: 1. */
double stats_mcnemar(uint64_t only_a, uint64_t only_b);
double stats_mcnemar_chi2(uint64_t only_a, uint64_t only_b);

#endif
