/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"

double stats_sum(const double *x, size_t n)
{
    double sum = 0.0, lost = 0.0;

    for (size_t i = 0; i < n; i++) {
        double next = sum + x[i];

        if (fabs(sum) >= fabs(x[i]))
            lost += (sum - next) + x[i];
        else
            lost += (x[i] - next) + sum;
        sum = next;
    }
    return isfinite(sum) ? sum + lost : sum; /* infinities: without their inf - inf */
}

double stats_mean(const double *x, size_t n)
{
    return n > 0 ? stats_sum(x, n) / (double)n : (double)NAN;
}

double stats_variance(const double *x, size_t n)
{
    double mean = stats_mean(x, n), squares = 0.0, rest = 0.0;

    if (n < 2)
        return (double)NAN;
    for (size_t i = 0; i < n; i++) {
        squares += (x[i] - mean) * (x[i] - mean);
        rest += x[i] - mean; /* what rounding left in the mean */
    }
    return (squares - rest * rest / (double)n) / (double)(n - 1);
}

double stats_sd(const double *x, size_t n)
{
    return sqrt(stats_variance(x, n));
}

double stats_se(const double *x, size_t n)
{
    return sqrt(stats_variance(x, n) / (double)n);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void stats_sort(double *x, size_t n)
{
    if (n > 1)
        qsort(x, n, sizeof *x, compare);
}

double stats_quantile_sorted(const double *x, size_t n, double p)
{
    double at;
    size_t i;

    assert(p >= 0.0 && p <= 1.0);
    if (n == 0)
        return (double)NAN;
    at = p * (double)(n - 1);
    i = (size_t)at;
    if (i + 1 >= n)
        return x[n - 1];
    if (x[i] == x[i + 1]) /* infinities too */
        return x[i];
    return x[i] + (at - (double)i) * (x[i + 1] - x[i]);
}

double stats_quantile(const double *x, size_t n, double p)
{
    double *sorted, q;

    if (n == 0)
        return (double)NAN;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            return x[i];
    }
    sorted = mem_dup(x, n * sizeof *x);
    stats_sort(sorted, n);
    q = stats_quantile_sorted(sorted, n, p);
    free(sorted);
    return q;
}

double stats_median(const double *x, size_t n)
{
    return stats_quantile(x, n, 0.5);
}
