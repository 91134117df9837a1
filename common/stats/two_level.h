/* SPDX-License-Identifier: Apache-2.0 */
/* two_level.h - 95 % interval of a mean over seeds of means over examples: both are samples.
 *
 * The plain two-level bootstrap (draw seeds, then examples in each; Davison and Hinkley 1997, 3.8)
 * is wrong twice with few seeds: the variance between S resampled seeds is too small by (S - 1) / S
 * and makes no allowance for being estimated from S values only, and the examples' noise, which is
 * in the seeds' means already, is added a second time. Here seeds and examples are drawn for their
 * shape, and the sum is scaled to what the analysis of variance says (rescaled bootstrap: Rao and
 * Wu 1988; components: Searle, Casella and McCulloch 1992):
 *
 *   X = s^2 / S    variance of the mean over seeds, s^2 between the seeds' means
 *   W              how much of X the noise of their examples explains
 *   Y              what the examples add that X has not, being common to all seeds
 *   half width^2 = max(t(0.975, f)^2 (X + Y), z(0.975)^2 (Y + W))
 *
 * f by Satterthwaite (1946): S - 1 where X rules. So seeds that agree better than chance are given
 * what their examples alone allow (there X fades as X (X / W)^5). The width is divided between the
 * sides as the 2.5th and 97.5th percentiles of resampled seeds plus resampled examples are, each
 * with its share of the variance. Measured coverage: docs/statistics.md.
 */
#ifndef COMMON_STATS_TWO_LEVEL_H
#define COMMON_STATS_TWO_LEVEL_H

#include "common/stats/interval.h"

/* HITS[i] of N[i] examples of seed i, each seed with examples of its own (or as if: counts cannot
 * tell; seeds that share their examples are stats_two_level_values with ALIGNED). W is the mean of
 * p_i (1 - p_i) / (n_i - 1) over S, Y = 0. All or no hits: the exact interval of the pooled count.
 * Cut to 0..1. One seed: stats_share; two or none: none. Every n[i] > 0 (asserted).
 */
struct stats_interval stats_two_level(const uint64_t *hits, const uint64_t *n, size_t seeds);

/* Values X[i][0 .. n[i] - 1] of seed i.
 * ALIGNED: x[.][j] is the same example for every seed, all n[i] equal (asserted): what an example
 * has of its own is common to the seeds and does not average out over them. Two-way analysis of
 * variance: W = MS_rest / (S n), Y = max(0, MS_examples - MS_rest) / (S n). The interval is then
 * for new seeds and new examples. Not ALIGNED: as stats_two_level, W the mean of var_i / n_i / S.
 * One seed: stats_bca; two or none, an n[i] = 0 or a value that is not finite: none. A seed with a
 * single example: seeds only (stats_seeds of the means). */
struct stats_interval stats_two_level_values(const double *const *x, const size_t *n, size_t seeds,
                                             bool aligned);

#endif
