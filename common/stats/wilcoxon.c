/* SPDX-License-Identifier: Apache-2.0 */
/* wilcoxon.c - the signed-rank test (paired.h). */
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/paired.h"

enum { EXACT_MAX = 50, SUM_MAX = EXACT_MAX * (EXACT_MAX + 1) / 2 }; /* 2^50 counts: exact doubles */

static int by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);

    return x < y ? -1 : x > y;
}

/* How many of the 2^n sets of ranks have a sum of at most LOW, twice, over all. */
static double exact(size_t n, double low)
{
    double ways[SUM_MAX + 1] = { 1.0 }, at_most = 0.0;
    size_t top = n * (n + 1) / 2;

    for (size_t rank = 1; rank <= n; rank++) {
        for (size_t sum = top; sum >= rank; sum--)
            ways[sum] += ways[sum - rank];
    }
    for (size_t sum = 0; (double)sum <= low; sum++)
        at_most += ways[sum];
    return MIN(1.0, 2.0 * at_most / exp2((double)n));
}

/* Ranks by size, ties share theirs; fills the sum of the positive ones' ranks and of t^3 - t. */
static void rank_sums(double *d, size_t n, double *ret_up, double *ret_ties)
{
    *ret_up = *ret_ties = 0.0;
    qsort(d, n, sizeof *d, by_size);
    for (size_t i = 0, end; i < n; i = end) {
        double ties, rank;

        for (end = i + 1; end < n && fabs(d[end]) == fabs(d[i]);)
            end++;
        ties = (double)(end - i);
        rank = (double)i + (ties + 1.0) / 2.0;
        *ret_ties += ties * ties * ties - ties;
        for (size_t k = i; k < end; k++)
            *ret_up += d[k] > 0.0 ? rank : 0.0;
    }
}

double stats_wilcoxon(const double *a, const double *b, size_t n)
{
    double *d = mem_calloc(MAX(n, 1), sizeof *d), up, ties, m, low, spread;
    size_t len = 0, zeros = 0;

    for (size_t i = 0; i < n; i++) {
        double difference = a[i] - b[i];

        zeros += difference == 0.0;
        if (difference != 0.0 && !isnan(difference))
            d[len++] = difference;
    }
    if (len > 0)
        rank_sums(d, len, &up, &ties);
    free(d);
    if (len == 0)
        return 1.0;
    m = (double)len;
    low = MIN(up, m * (m + 1.0) / 2.0 - up);
    if (len + zeros <= EXACT_MAX && zeros == 0 && ties == 0.0)
        return exact(len, low);
    spread = sqrt((m * (m + 1.0) * (2.0 * m + 1.0) - ties / 2.0) / 24.0);
    return spread > 0.0 ? 2.0 * stats_normal_cdf((low - m * (m + 1.0) / 4.0) / spread) : 1.0;
}
