/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/interval.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/draws.h"
#include "common/stats/sample.h"

static const double tail = 0.025; /* on either side: 95 % */

struct stats_interval stats_seeds(const double *mean, size_t seeds)
{
    double center = stats_mean(mean, seeds), half;

    if (seeds < 3 || !isfinite(center))
        return (struct stats_interval){ 0 };
    half = stats_t_quantile(1.0 - tail, (double)seeds - 1.0) * stats_se(mean, seeds);
    return (struct stats_interval){ true, center - half, center + half };
}

/* All hits or no hit: every resample is the same and the bootstrap knows nothing. */
static struct stats_interval exact(uint64_t hits, uint64_t n)
{
    double edge = pow(tail, 1.0 / (double)n);

    return hits ? (struct stats_interval){ true, edge, 1.0 }
                : (struct stats_interval){ true, 0.0, 1.0 - edge };
}

/* The ends among the RESAMPLEs (sorted here): their percentiles, moved by the median bias (BELOW of
 * them are smaller than the estimate, those equal to it count half) and the acceleration. WIDE:
 * standard errors from the middle to an end. */
static struct stats_interval bca(double *resample, double below, double acceleration, double wide)
{
    struct stats_interval ret = { .valid = true };
    double bias, end[2];

    stats_sort(resample, STATS_RESAMPLES);
    bias = stats_normal_quantile(
        MIN(MAX(below / STATS_RESAMPLES, 0.5 / STATS_RESAMPLES), 1.0 - 0.5 / STATS_RESAMPLES));
    for (int side = 0; side < 2; side++) {
        double z = bias + (side ? wide : -wide);
        double room = 1.0 - acceleration * z;

        /* Past its pole the formula turns round: the end is the last resample. */
        end[side] = room > 0.0 ? stats_normal_cdf(bias + z / room) : z > 0.0 ? 1.0 : 0.0;
    }
    ret.lo = stats_quantile_sorted(resample, STATS_RESAMPLES, end[0]);
    ret.hi = stats_quantile_sorted(resample, STATS_RESAMPLES, end[1]);
    return ret;
}

struct stats_interval stats_share(uint64_t hits, uint64_t n)
{
    CLEANUP(draws_table_release) struct draws_table b = { 0 };
    CLEANUP(mem_cleanup) double *resample = NULL;
    struct rng r = rng_stream("bootstrap", hits, n);
    double share, below = 0.0;

    assert(hits <= n);
    if (n == 0)
        return (struct stats_interval){ 0 };
    if (hits == 0 || hits == n)
        return exact(hits, n);
    b = draws_table_of(hits, n);
    resample = mem_calloc(STATS_RESAMPLES, sizeof *resample);
    share = (double)hits / (double)n;
    for (int i = 0; i < STATS_RESAMPLES; i++) {
        uint64_t k = draws_table_draw(&b, &r);

        /* Counts lie on a lattice; spread over its steps (Hall 1987, "On the bootstrap and
         * continuity correction") their percentiles do not jump with it. */
        resample[i] = MIN(MAX((double)k + rng_double(&r) - 0.5, 0.0), (double)n) / (double)n;
        below += k < hits ? 1.0 : k == hits ? 0.5 : 0.0;
    }
    /* The jackknife's acceleration, in closed form. */
    return bca(resample, below,
               (1.0 - 2.0 * share) / (6.0 * sqrt((double)n * share * (1.0 - share))),
               stats_normal_quantile(1.0 - tail));
}

/* Sum of cubes over sum of squares^1.5 of the jackknife's deviations, which point the way of the
 * values themselves. */
static double acceleration_of(const double *x, size_t n, double mean)
{
    double squares = 0.0, cubes = 0.0;

    for (size_t i = 0; i < n; i++) {
        double d = x[i] - mean;

        squares += d * d;
        cubes += d * d * d;
    }
    return squares > 0.0 ? cubes / (6.0 * squares * sqrt(squares)) : 0.0;
}

static bool finite_all(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

static bool hits_only(const double *x, size_t n, uint64_t *ret_hits)
{
    *ret_hits = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != 0.0 && x[i] != 1.0)
            return false;
        *ret_hits += x[i] == 1.0;
    }
    return true;
}

struct stats_interval stats_bca(const double *x, size_t n)
{
    CLEANUP(mem_cleanup) double *sorted = NULL, *resample = NULL;
    double mean, below = 0.0, equal, wide;
    struct rng r;
    uint64_t hits;

    if (n == 0 || !finite_all(x, n))
        return (struct stats_interval){ 0 };
    if (hits_only(x, n, &hits))
        return stats_share(hits, n);
    if (n < 2)
        return (struct stats_interval){ 0 };
    sorted = mem_dup(x, n * sizeof *x);
    stats_sort(sorted, n);
    if (sorted[0] == sorted[n - 1])
        return (struct stats_interval){ true, sorted[0], sorted[0] };
    mean = stats_mean(sorted, n);
    resample = mem_calloc(STATS_RESAMPLES, sizeof *resample);
    r = draws_stream("bca", sorted, n);
    draws_means(sorted, n, &r, resample, STATS_RESAMPLES);
    wide = sqrt((double)n / (double)(n - 1)) * stats_t_quantile(1.0 - tail, (double)(n - 1));
    equal = 1e-12 * (sorted[n - 1] - sorted[0]); /* sums in another order */
    for (int i = 0; i < STATS_RESAMPLES; i++)
        below += resample[i] < mean - equal ? 1.0 : resample[i] <= mean + equal ? 0.5 : 0.0;
    return bca(resample, below, acceleration_of(sorted, n, mean), wide);
}
