/* SPDX-License-Identifier: Apache-2.0 */
#include "store/tables/stats.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "common/base/rng.h"

static const double tail = 0.025; /* on either side: 95 % */

double stats_normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

/* Rational approximation of the middle and the tails (Acklam), then one step of Halley's method
 * against erfc, which brings it to the last digits. */
double stats_normal_quantile(double p)
{
    static const double a[] = { -3.969683028665376e+01, 2.209460984245205e+02,
                                -2.759285104469687e+02, 1.383577518672690e+02,
                                -3.066479806614716e+01, 2.506628277459239e+00 };
    static const double b[] = { -5.447609879822406e+01, 1.615858368580409e+02,
                                -1.556989798598866e+02, 6.680131188771972e+01,
                                -1.328068155288572e+01 };
    static const double c[] = { -7.784894002430293e-03, -3.223964580411365e-01,
                                -2.400758277161838e+00, -2.549732539343734e+00,
                                4.374664141464968e+00,  2.938163982698783e+00 };
    static const double d[] = { 7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                                3.754408661907416e+00 };
    double low = MIN(p, 1.0 - p), q, x, e, u;

    assert(p > 0.0 && p < 1.0);
    if (low < 0.02425) {
        q = sqrt(-2.0 * log(low));
        x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0);
        if (p > 0.5)
            x = -x;
    } else {
        double r;

        q = p - 0.5;
        r = q * q;
        x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0);
    }
    e = stats_normal_cdf(x) - p;
    u = e * sqrt(2.0 * acos(-1.0)) * exp(x * x / 2.0);
    return x - u / (1.0 + x * u / 2.0);
}

/* Regularised incomplete beta function by Lentz's continued fraction; for x < (a + 1) / (a + b + 2)
 * it converges fast. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0), h;

    d = 1.0 / (fabs(d) < 1e-300 ? 1e-300 : d);
    h = d;
    for (int m = 1; m < 500; m++) {
        double up = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double down = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double step;

        d = 1.0 + up * d;
        d = 1.0 / (fabs(d) < 1e-300 ? 1e-300 : d);
        c = 1.0 + up / c;
        h *= d * c;
        d = 1.0 + down * d;
        d = 1.0 / (fabs(d) < 1e-300 ? 1e-300 : d);
        c = 1.0 + down / c;
        step = d * c;
        h *= step;
        if (fabs(step - 1.0) < 1e-15)
            break;
    }
    return h;
}

static double incomplete_beta(double a, double b, double x)
{
    double front;

    if (x <= 0.0 || x >= 1.0)
        return x <= 0.0 ? 0.0 : 1.0;
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0))
        return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

static double t_cdf(double t, double freedom)
{
    return 1.0 - 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t));
}

double stats_t_quantile(double p, double freedom)
{
    double lo = 0.0, hi = 1.0;

    assert(p >= 0.5 && p < 1.0 && freedom >= 1.0);
    while (t_cdf(hi, freedom) < p)
        hi *= 2.0;
    for (int i = 0; i < 200 && hi - lo > 1e-13 * hi; i++) {
        double mid = 0.5 * (lo + hi);

        if (t_cdf(mid, freedom) < p)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

struct stats_interval stats_seeds(const double *mean, size_t seeds)
{
    double sum = 0.0, squares = 0.0, center, half;

    if (seeds < 3)
        return (struct stats_interval){ 0 };
    for (size_t i = 0; i < seeds; i++)
        sum += mean[i];
    center = sum / (double)seeds;
    for (size_t i = 0; i < seeds; i++)
        squares += (mean[i] - center) * (mean[i] - center);
    half = stats_t_quantile(1.0 - tail, (double)seeds - 1.0) *
           sqrt(squares / (double)(seeds - 1) / (double)seeds);
    return (struct stats_interval){ true, center - half, center + half };
}

/* A resample of n hit-or-miss examples is a binomial count: drawing the count from its distribution
 * is the same as drawing n examples, and costs one random number. CUMULATIVE[i] is the probability
 * of at most i hits. */
struct binomial {
    double *cumulative;
    uint64_t n;
};

static struct binomial binomial_of(uint64_t hits, uint64_t n)
{
    struct binomial b = { mem_calloc((size_t)n + 1, sizeof(double)), n };
    double p = (double)hits / (double)n, sum = 0.0;

    for (uint64_t i = 0; i <= n; i++) {
        double x = (double)i, rest = (double)(n - i), mass;

        if (hits == 0 || hits == n)
            mass = i == hits ? 1.0 : 0.0;
        else
            mass = exp(lgamma((double)n + 1.0) - lgamma(x + 1.0) - lgamma(rest + 1.0) + x * log(p) +
                       rest * log1p(-p));
        sum += mass;
        b.cumulative[i] = sum;
    }
    return b;
}

static uint64_t binomial_draw(const struct binomial *b, struct rng *r)
{
    double u = rng_double(r) * b->cumulative[b->n];
    uint64_t lo = 0, hi = b->n;

    while (lo < hi) { /* first index whose cumulative probability exceeds u */
        uint64_t mid = lo + (hi - lo) / 2;

        if (b->cumulative[mid] > u)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Quantile P of the sorted resamples, linear between them. */
static double quantile(const double *sorted, double p)
{
    double at = p * (STATS_RESAMPLES - 1);
    size_t i = (size_t)at;

    if (i + 1 >= STATS_RESAMPLES)
        return sorted[STATS_RESAMPLES - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* All hits or no hit: every resample is the same and the bootstrap knows nothing. */
static struct stats_interval exact(uint64_t hits, uint64_t n)
{
    double edge = pow(tail, 1.0 / (double)n);

    return hits ? (struct stats_interval){ true, edge, 1.0 }
                : (struct stats_interval){ true, 0.0, 1.0 - edge };
}

struct stats_interval stats_share(uint64_t hits, uint64_t n)
{
    double *resample, share, below = 0.0, bias, skew, z, adjusted[2];
    struct rng r = rng_stream("bootstrap", hits, n);
    struct binomial b;

    assert(hits <= n);
    if (n == 0)
        return (struct stats_interval){ 0 };
    if (hits == 0 || hits == n)
        return exact(hits, n);
    b = binomial_of(hits, n);
    resample = mem_calloc(STATS_RESAMPLES, sizeof *resample);
    share = (double)hits / (double)n;
    for (int i = 0; i < STATS_RESAMPLES; i++) {
        uint64_t k = binomial_draw(&b, &r);

        resample[i] = (double)k / (double)n;
        below += k < hits    ? 1.0
                 : k == hits ? 0.5
                             : 0.0; /* ties count half: the distribution is discrete */
    }
    qsort(resample, STATS_RESAMPLES, sizeof *resample, compare_doubles);
    bias = stats_normal_quantile(
        MIN(MAX(below / STATS_RESAMPLES, 0.5 / STATS_RESAMPLES), 1.0 - 0.5 / STATS_RESAMPLES));
    skew = (1.0 - 2.0 * share) /
           (6.0 * sqrt((double)n * share * (1.0 - share))); /* the jackknife's, in closed form */
    for (int side = 0; side < 2; side++) {
        z = bias + stats_normal_quantile(side ? 1.0 - tail : tail);
        adjusted[side] = stats_normal_cdf(bias + z / (1.0 - skew * z));
    }
    share = quantile(resample, adjusted[0]);
    z = quantile(resample, adjusted[1]);
    free(resample);
    free(b.cumulative);
    return (struct stats_interval){ true, share, z };
}

struct stats_interval stats_two_level(const uint64_t *hits, const uint64_t *n, size_t seeds)
{
    struct stats_interval ret = { .valid = true };
    uint64_t hits_sum = 0, n_sum = 0;
    struct binomial *b;
    double *resample;
    struct rng r;

    if (seeds < 3)
        return seeds == 1 ? stats_share(hits[0], n[0]) : (struct stats_interval){ 0 };
    b = mem_calloc(seeds, sizeof *b);
    for (size_t i = 0; i < seeds; i++) {
        assert(n[i] > 0 && hits[i] <= n[i]);
        b[i] = binomial_of(hits[i], n[i]);
        hits_sum += hits[i];
        n_sum += n[i];
    }
    r = rng_stream("bootstrap", hits_sum, n_sum);
    resample = mem_calloc(STATS_RESAMPLES, sizeof *resample);
    for (int i = 0; i < STATS_RESAMPLES; i++) {
        for (size_t j = 0; j < seeds; j++) {
            const struct binomial *one = &b[rng_below(&r, (uint32_t)seeds)];

            resample[i] += (double)binomial_draw(one, &r) / (double)one->n;
        }
        resample[i] /= (double)seeds;
    }
    qsort(resample, STATS_RESAMPLES, sizeof *resample, compare_doubles);
    ret.lo = quantile(resample, tail);
    ret.hi = quantile(resample, 1.0 - tail);
    for (size_t i = 0; i < seeds; i++)
        free(b[i].cumulative);
    free(b);
    free(resample);
    return ret;
}
