/* SPDX-License-Identifier: Apache-2.0 */
/* levels.h - the interval of two_level.h from its variance components; paired.h uses it for
 * differences. */
#ifndef COMMON_STATS_LEVELS_H
#define COMMON_STATS_LEVELS_H

#include "common/stats/interval.h"

/* One sample of seeds: the means of each, and what the mean over them varies by: s^2 / S. */
struct levels_side {
    const double *mean;
    size_t seeds; /* >= 3 */
    double variance;
};

struct levels {
    double center;
    struct levels_side side[2]; /* the second's deviations count with a minus */
    size_t sides;
    double noise;       /* how much of the sides' variances the examples' noise explains */
    double own;         /* variance from what examples have of their own, common to all seeds */
    double own_freedom; /* degrees of freedom behind OWN */
    double *example;    /* STATS_RESAMPLES deviations that examples cause, of any scale: for their
                           shape; changed */
};

struct levels_side levels_side_of(const double *mean, size_t seeds);

/* X = sum of the sides' variances, freedom by Satterthwaite (1946). Where X < noise the seeds vary
 * less than their examples alone would have them, and their part fades: X (X / noise)^5.
 * half^2 = max(t(0.975, f)^2 (X + own), z(0.975)^2 (own + noise)): never narrower than the examples
 * allow. Width: 2 half, divided between the sides as the percentiles of resampled seeds plus
 * resampled examples are. */
struct stats_interval levels_interval(struct levels *l);

/* Two-way analysis of variance of X[s][j], S x N, S >= 2, N >= 2: MEAN[S] and COLUMN[N] are filled
 * (means of seeds, of examples); returns the mean square of the rest over (S N): the noise's part.
 */
double levels_two_way(const double *const *x, size_t seeds, size_t n, double *mean, double *column);

/* Deviations of resampled means of COLUMN[N] from their mean, ready as levels.example; free(). */
double *levels_examples(const double *column, size_t n);

#endif
