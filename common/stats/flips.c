/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/flips.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/draws.h"
#include "common/stats/paired.h"
#include "common/stats/sample.h"

enum { GROUP = 8, PATTERNS = 1 << GROUP };

/* All 2^m patterns in Gray's order: one sign changes from each to the next. The first sign stays:
 * the other half are the mirrored sums. */
static double exact(const double *size, size_t m, double least)
{
    uint32_t patterns = 1u << (m - 1), far = 0;
    double sign[STATS_FLIPS_EXACT], sum = 0.0;

    for (size_t i = 0; i < m; i++) {
        sign[i] = 1.0;
        sum += size[i];
    }
    for (uint32_t k = 0; k < patterns; k++) {
        if (k > 0) {
            size_t turn = 1 + (size_t)__builtin_ctz(k);

            sign[turn] = -sign[turn];
            sum += 2.0 * sign[turn] * size[turn];
        }
        far += fabs(sum) >= least;
    }
    return (double)far / (double)patterns;
}

/* Few distinct sizes: of C differences of one size a binomial number keeps its sign. */
static uint32_t far_by_counts(struct rng *r, const double *value, const uint64_t *count, size_t len,
                              double least)
{
    uint32_t far = 0;

    for (int i = 0; i < STATS_FLIPS; i++) {
        double sum = 0.0;

        for (size_t k = 0; k < len; k++) {
            double kept = (double)draws_binomial(r, count[k], 0.5);

            sum += value[k] * (2.0 * kept - (double)count[k]);
        }
        far += fabs(sum) >= least;
    }
    return far;
}

/* Sums of all sign patterns of each group of eight differences, so that a pattern of all costs one
 * look-up per eight. */
static double *group_sums(const double *size, size_t m, size_t groups)
{
    double *sum = mem_calloc(groups * PATTERNS, sizeof *sum);

    for (size_t g = 0; g < groups; g++) {
        for (size_t bits = 0; bits < PATTERNS; bits++) {
            for (size_t i = g * GROUP; i < MIN(m, (g + 1) * GROUP); i++)
                sum[g * PATTERNS + bits] += bits >> (i - g * GROUP) & 1 ? size[i] : -size[i];
        }
    }
    return sum;
}

static uint32_t far_by_groups(struct rng *r, const double *size, size_t m, double least)
{
    size_t groups = (m + GROUP - 1) / GROUP;
    double *sums = group_sums(size, m, groups);
    uint32_t far = 0;

    for (int i = 0; i < STATS_FLIPS; i++) {
        double sum = 0.0;
        uint32_t word = 0;

        for (size_t g = 0; g < groups; g++) {
            word = g % 4 == 0 ? rng_u32(r) : word >> GROUP;
            sum += sums[g * PATTERNS + (word & (PATTERNS - 1))];
        }
        far += fabs(sum) >= least;
    }
    free(sums);
    return far;
}

double flips_p(const double *difference, size_t n)
{
    CLEANUP(mem_cleanup) double *size = mem_calloc(n, sizeof *size);
    double value[DRAWS_DISTINCT_MAX], sum = 0.0, total = 0.0, least;
    uint64_t count[DRAWS_DISTINCT_MAX];
    size_t m = 0, positive = 0, distinct;
    uint32_t far;
    struct rng r;

    assert(n > 0);
    for (size_t i = 0; i < n; i++) {
        sum += difference[i];
        total += fabs(difference[i]);
        positive += difference[i] > 0.0;
        if (difference[i] != 0.0)
            size[m++] = fabs(difference[i]);
    }
    if (m == 0)
        return 1.0;
    stats_sort(size, m);
    if (size[0] == size[m - 1])
        return stats_binomial_half(positive, m);
    least = fabs(sum) - 1e-12 * total; /* the same sum in another order is as far */
    if (m <= STATS_FLIPS_EXACT)
        return exact(size, m, least);
    r = draws_stream("flips", size, m);
    distinct = draws_distinct(size, m, value, count);
    far = distinct <= DRAWS_DISTINCT_MAX && distinct * 32 <= m
              ? far_by_counts(&r, value, count, distinct, least)
              : far_by_groups(&r, size, m, least);
    return (1.0 + far) / (1.0 + STATS_FLIPS);
}
