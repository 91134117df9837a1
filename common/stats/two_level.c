/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/two_level.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/draws.h"
#include "common/stats/levels.h"
#include "common/stats/sample.h"

/* One resample of every seed's examples: how far the mean over seeds moves. */
static void draw_hits(const uint64_t *hits, const uint64_t *n, const double *share, size_t seeds,
                      double *out)
{
    struct rng r = draws_stream("hits", share, seeds);

    for (int i = 0; i < STATS_RESAMPLES; i++) {
        for (size_t s = 0; s < seeds; s++)
            out[i] += (double)draws_binomial(&r, n[s], (double)hits[s] / (double)n[s]) /
                      (double)n[s] / (double)seeds;
    }
}

struct stats_interval stats_two_level(const uint64_t *hits, const uint64_t *n, size_t seeds)
{
    CLEANUP(mem_cleanup) double *share = NULL, *example = NULL;
    uint64_t hits_sum = 0, n_sum = 0;
    struct stats_interval ret;
    struct levels l = { .sides = 1 };

    if (seeds < 3)
        return seeds == 1 ? stats_share(hits[0], n[0]) : (struct stats_interval){ 0 };
    share = mem_calloc(seeds, sizeof *share);
    for (size_t s = 0; s < seeds; s++) {
        assert(n[s] > 0 && hits[s] <= n[s]);
        share[s] = (double)hits[s] / (double)n[s];
        l.noise += share[s] * (1.0 - share[s]) / (double)MAX(n[s] - 1, 1);
        hits_sum += hits[s];
        n_sum += n[s];
    }
    if (hits_sum == 0 || hits_sum == n_sum)
        return stats_share(hits_sum, n_sum);
    l.noise /= (double)seeds * (double)seeds;
    l.center = stats_mean(share, seeds);
    l.side[0] = levels_side_of(share, seeds);
    l.example = example = mem_calloc(STATS_RESAMPLES, sizeof *example);
    draw_hits(hits, n, share, seeds, example);
    ret = levels_interval(&l);
    ret.lo = MAX(ret.lo, 0.0);
    ret.hi = MIN(ret.hi, 1.0);
    return ret;
}

static struct stats_interval aligned_interval(const double *const *x, size_t n, size_t seeds,
                                              double *mean)
{
    CLEANUP(mem_cleanup) double *column = mem_calloc(n, sizeof *column), *example = NULL;
    struct levels l = { .sides = 1, .own_freedom = (double)n - 1.0 };

    l.noise = levels_two_way(x, seeds, n, mean, column);
    l.own = MAX(0.0, stats_variance(column, n) / (double)n - l.noise);
    l.center = stats_mean(mean, seeds);
    l.side[0] = levels_side_of(mean, seeds);
    l.example = example = levels_examples(column, n);
    return levels_interval(&l);
}

static struct stats_interval nested_interval(const double *const *x, const size_t *n, size_t seeds,
                                             const double *mean)
{
    CLEANUP(mem_cleanup) double *example = mem_calloc(STATS_RESAMPLES, sizeof *example);
    struct levels l = { .sides = 1, .example = example, .center = stats_mean(mean, seeds) };

    for (size_t s = 0; s < seeds; s++) {
        double *one = levels_examples(x[s], n[s]);

        l.noise += stats_variance(x[s], n[s]) / (double)n[s] / ((double)seeds * (double)seeds);
        for (int i = 0; i < STATS_RESAMPLES; i++)
            example[i] += one[i] / (double)seeds;
        free(one);
    }
    l.side[0] = levels_side_of(mean, seeds);
    return levels_interval(&l);
}

struct stats_interval stats_two_level_values(const double *const *x, const size_t *n, size_t seeds,
                                             bool aligned)
{
    CLEANUP(mem_cleanup) double *mean = NULL;
    bool single = false;

    if (seeds < 3)
        return seeds == 1 ? stats_bca(x[0], n[0]) : (struct stats_interval){ 0 };
    mean = mem_calloc(seeds, sizeof *mean);
    for (size_t s = 0; s < seeds; s++) {
        assert(!aligned || n[s] == n[0]);
        mean[s] = stats_mean(x[s], n[s]); /* NaN for none and for what is not finite */
        if (!isfinite(mean[s]))
            return (struct stats_interval){ 0 };
        single = single || n[s] == 1;
    }
    if (single)
        return stats_seeds(mean, seeds);
    return aligned ? aligned_interval(x, n[0], seeds, mean) : nested_interval(x, n, seeds, mean);
}
