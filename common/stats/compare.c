/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/compare.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/stats/dist.h"
#include "common/stats/sample.h"

/* DIFFERENCE with standard error SE and FREEDOM degrees. */
static struct stats_difference judge(double difference, double se, double freedom)
{
    struct stats_difference ret = { difference, NAN, freedom, NAN, { 0 } };
    double half;

    if (!isfinite(difference) || !isfinite(se))
        return ret;
    if (se == 0.0) {
        ret.t = difference == 0.0 ? 0.0 : copysign((double)INFINITY, difference);
        ret.p = difference == 0.0 ? 1.0 : 0.0;
        return ret;
    }
    ret.t = difference / se;
    ret.p = stats_t_two_sided(ret.t, freedom);
    half = stats_t_quantile(0.975, freedom) * se;
    ret.interval = (struct stats_interval){ true, difference - half, difference + half };
    return ret;
}

struct stats_difference stats_welch(const double *a, size_t a_len, const double *b, size_t b_len)
{
    double difference = stats_mean(a, a_len) - stats_mean(b, b_len), va, vb, freedom;

    if (a_len < 2 || b_len < 2)
        return judge(difference, NAN, NAN);
    va = stats_variance(a, a_len) / (double)a_len;
    vb = stats_variance(b, b_len) / (double)b_len;
    freedom =
        (va + vb) * (va + vb) / (va * va / ((double)a_len - 1.0) + vb * vb / ((double)b_len - 1.0));
    return judge(difference, sqrt(va + vb), freedom);
}

struct stats_difference stats_paired_t(const double *a, const double *b, size_t n)
{
    double *d = mem_calloc(MAX(n, 1), sizeof *d);
    struct stats_difference ret;

    for (size_t i = 0; i < n; i++)
        d[i] = a[i] - b[i];
    ret = judge(stats_mean(d, n), n < 2 ? NAN : stats_se(d, n), (double)n - 1.0);
    free(d);
    return ret;
}

struct stats_interval stats_paired_ratio(const double *a, const double *b, size_t n)
{
    double ma = stats_mean(a, n), mb = stats_mean(b, n), t, aa = 0.0, bb = 0.0, ab = 0.0;
    double p, q, root;

    if (n < 3)
        return (struct stats_interval){ .valid = false };
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    t = stats_t_quantile(0.975, (double)n - 1.0);
    t = t * t / ((double)n * ((double)n - 1.0)); /* times the sums above: t^2 (co)variance / n */
    p = mb * mb - t * bb;
    q = ma * mb - t * ab;
    root = sqrt(fmax(0.0, q * q - p * (ma * ma - t * aa)));
    return (struct stats_interval){ .valid = p > 0.0 && isfinite((q + root) / p),
                                    .lo = (q - root) / p,
                                    .hi = (q + root) / p };
}

struct place {
    double p;
    size_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void stats_holm(const double *p, size_t n, double *adjusted)
{
    struct place *order = mem_calloc(MAX(n, 1), sizeof *order);
    double most = 0.0;
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (!isnan(p[i]))
            order[m++] = (struct place){ p[i], i };
    }
    qsort(order, m, sizeof *order, by_p);
    for (size_t k = 0; k < m; k++) {
        most = MAX(most, MIN(1.0, (double)(m - k) * order[k].p));
        adjusted[order[k].at] = most;
    }
    free(order);
}
