/* SPDX-License-Identifier: Apache-2.0 */
/* dist.h - distribution functions. Pure, no allocation. Relative errors are against scipy's
 * (tests/unit/common_stats/golden.py). */
#ifndef COMMON_STATS_DIST_H
#define COMMON_STATS_DIST_H

#include <stdint.h>

/* Standard normal. Quantile: Acklam's rational approximation and one step of Halley's method
 * against erfc; 0 < p < 1 (asserted), error below 1e-12. */
double stats_normal_cdf(double z);
double stats_normal_quantile(double p);

/* Student's t with FREEDOM > 0 degrees (need not be whole). By the regularised incomplete beta
 * function (Lentz's continued fraction; Press et al., Numerical Recipes, 6.4). Quantile by
 * bisection, 0 < p < 1 (asserted). Relative error of tails below 1e-10. */
double stats_t_cdf(double t, double freedom);
double stats_t_quantile(double p, double freedom);
/* Two-sided: the probability of |T| >= |t|. t = +-infinity: 0; NaN: NaN. */
double stats_t_two_sided(double t, double freedom);

/* Upper tail of chi-squared with FREEDOM > 0: P(X >= x), by the incomplete gamma function (series
 * and continued fraction; Numerical Recipes, 6.2). x <= 0: 1. */
double stats_chi2_upper(double x, double freedom);

/* Two-sided p of K successes of N at probability one half: twice the smaller tail, at most 1.
 * n = 0: 1. K <= N (asserted). */
double stats_binomial_half(uint64_t k, uint64_t n);
/* Regularised incomplete beta function I_x(a, b), a, b > 0. */
double stats_beta_cdf(double x, double a, double b);

#endif
