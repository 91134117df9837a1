/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/levels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/draws.h"
#include "common/stats/sample.h"

static const double tail = 0.025;

struct levels_side levels_side_of(const double *mean, size_t seeds)
{
    assert(seeds >= 3);
    return (struct levels_side){ mean, seeds, stats_variance(mean, seeds) / (double)seeds };
}

/* Half the width of the interval that normal deviations would have. */
static double half_width(const struct levels *l)
{
    double seeds = 0.0, freedom = 0.0, total, z = stats_normal_quantile(1.0 - tail), floor_;

    for (size_t i = 0; i < l->sides; i++) {
        seeds += l->side[i].variance;
        freedom += l->side[i].variance * l->side[i].variance / ((double)l->side[i].seeds - 1.0);
    }
    if (seeds > 0.0)
        freedom = freedom / seeds / seeds; /* now 1 / degrees of the seeds' part */
    if (seeds < l->noise)
        seeds *= pow(seeds / l->noise, 5.0);
    total = seeds + l->own;
    floor_ = z * sqrt(l->own + l->noise);
    if (total <= 0.0)
        return floor_;
    freedom = seeds / total * (seeds / total) * freedom +
              l->own / total * (l->own / total) / MAX(l->own_freedom, 1.0);
    if (freedom < 1e-9) /* degrees beyond which t is the normal; also no part left at all */
        return MAX(z * sqrt(total), floor_);
    return MAX(stats_t_quantile(1.0 - tail, 1.0 / freedom) * sqrt(total), floor_);
}

/* Mean 0 and variance VARIANCE, whatever they were. */
static void rescale(double *draw, double variance)
{
    double mean = stats_mean(draw, STATS_RESAMPLES), sd = stats_sd(draw, STATS_RESAMPLES);

    for (int i = 0; i < STATS_RESAMPLES; i++)
        draw[i] = sd > 0.0 ? (draw[i] - mean) * sqrt(variance) / sd : 0.0;
}

static void draw_seeds(const struct levels *l, double *out)
{
    for (size_t k = 0; k < l->sides; k++) {
        const struct levels_side *side = &l->side[k];
        struct rng r;
        double *sorted = mem_dup(side->mean, side->seeds * sizeof *sorted);

        stats_sort(sorted, side->seeds); /* the order of the seeds is no part of the data */
        r = draws_stream("seeds", sorted, side->seeds);
        for (int i = 0; i < STATS_RESAMPLES; i++) {
            double sum = 0.0;

            for (size_t s = 0; s < side->seeds; s++)
                sum += sorted[rng_below(&r, (uint32_t)side->seeds)];
            out[i] += (k == 0 ? sum : -sum) / (double)side->seeds;
        }
        free(sorted);
    }
}

struct stats_interval levels_interval(struct levels *l)
{
    double half = half_width(l), z = stats_normal_quantile(1.0 - tail), examples, scale = 1.0;
    struct stats_interval ret = { .valid = true };
    double *draw;

    examples = MIN(l->own + l->noise, half / z * half / z);
    draw = mem_calloc(STATS_RESAMPLES, sizeof *draw);
    draw_seeds(l, draw);
    rescale(draw, half / z * half / z - examples);
    rescale(l->example, examples);
    for (int i = 0; i < STATS_RESAMPLES; i++)
        draw[i] += l->example[i];
    stats_sort(draw, STATS_RESAMPLES);
    ret.lo = stats_quantile_sorted(draw, STATS_RESAMPLES, tail);
    ret.hi = stats_quantile_sorted(draw, STATS_RESAMPLES, 1.0 - tail);
    if (ret.hi > ret.lo) /* few seeds have short tails; 2,000 draws have noise */
        scale = 2.0 * half / (ret.hi - ret.lo);
    ret.lo = l->center + scale * ret.lo;
    ret.hi = l->center + scale * ret.hi;
    free(draw);
    return ret;
}

double levels_two_way(const double *const *x, size_t seeds, size_t n, double *mean, double *column)
{
    double squares = 0.0, center;

    assert(seeds >= 2 && n >= 2);
    for (size_t j = 0; j < n; j++)
        column[j] = 0.0;
    for (size_t s = 0; s < seeds; s++) {
        mean[s] = stats_mean(x[s], n);
        for (size_t j = 0; j < n; j++)
            column[j] += x[s][j] / (double)seeds;
    }
    center = stats_mean(mean, seeds);
    for (size_t s = 0; s < seeds; s++) {
        for (size_t j = 0; j < n; j++) {
            double rest = x[s][j] - mean[s] - column[j] + center;

            squares += rest * rest;
        }
    }
    return squares / ((double)(seeds - 1) * (double)(n - 1)) / ((double)seeds * (double)n);
}

double *levels_examples(const double *column, size_t n)
{
    double *sorted = mem_dup(column, n * sizeof *column);
    double *out = mem_calloc(STATS_RESAMPLES, sizeof *out);
    struct rng r;

    stats_sort(sorted, n);
    r = draws_stream("examples", sorted, n);
    draws_means(sorted, n, &r, out, STATS_RESAMPLES);
    free(sorted);
    return out;
}
