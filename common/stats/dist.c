/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/dist.h"

#include <assert.h>
#include <math.h>

#include "common/base/macros.h"

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

/* lgamma() writes a global. */
static double log_gamma(double x)
{
    int sign;

    return lgamma_r(x, &sign);
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

double stats_beta_cdf(double x, double a, double b)
{
    double front;

    assert(a > 0.0 && b > 0.0);
    if (x <= 0.0 || x >= 1.0)
        return x <= 0.0 ? 0.0 : 1.0;
    front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0))
        return front * beta_fraction(a, b, x) / a;
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/* The two tails together: I_x(v / 2, 1 / 2) at x = v / (v + t^2); the small tail keeps its digits.
 */
double stats_t_two_sided(double t, double freedom)
{
    assert(freedom > 0.0);
    if (isnan(t))
        return t;
    if (isinf(t))
        return 0.0;
    return stats_beta_cdf(freedom / (freedom + t * t), freedom / 2.0, 0.5);
}

double stats_t_cdf(double t, double freedom)
{
    double tail = 0.5 * stats_t_two_sided(t, freedom);

    return t > 0.0 ? 1.0 - tail : tail;
}

double stats_t_quantile(double p, double freedom)
{
    double lo = 0.0, hi = 1.0, tails = 2.0 * MIN(p, 1.0 - p);

    assert(p > 0.0 && p < 1.0 && freedom > 0.0);
    while (stats_t_two_sided(hi, freedom) > tails && hi < 1e300)
        hi *= 2.0;
    for (int i = 0; i < 200 && hi - lo > 1e-13 * hi; i++) {
        double mid = 0.5 * (lo + hi);

        if (stats_t_two_sided(mid, freedom) > tails)
            lo = mid;
        else
            hi = mid;
    }
    return p < 0.5 ? -0.5 * (lo + hi) : 0.5 * (lo + hi);
}

/* Lower part by its series (x < a + 1). */
static double gamma_series(double a, double x)
{
    double term = 1.0 / a, sum = term;

    for (int i = 1; i < 100000; i++) {
        term *= x / (a + i);
        sum += term;
        if (term < sum * 1e-16)
            break;
    }
    return sum * exp(a * log(x) - x - log_gamma(a));
}

/* Upper part by Lentz's continued fraction (x >= a + 1). */
static double gamma_fraction(double a, double x)
{
    double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, h = d;

    for (int i = 1; i < 100000; i++) {
        double up = -i * (i - a), step;

        b += 2.0;
        d = up * d + b;
        d = 1.0 / (fabs(d) < 1e-300 ? 1e-300 : d);
        c = b + up / c;
        c = fabs(c) < 1e-300 ? 1e-300 : c;
        step = c * d;
        h *= step;
        if (fabs(step - 1.0) < 1e-15)
            break;
    }
    return h * exp(a * log(x) - x - log_gamma(a));
}

double stats_chi2_upper(double x, double freedom)
{
    double a = freedom / 2.0, half = x / 2.0;

    assert(freedom > 0.0);
    if (isnan(x))
        return x;
    if (x <= 0.0)
        return 1.0;
    if (isinf(x))
        return 0.0;
    return half < a + 1.0 ? 1.0 - gamma_series(a, half) : gamma_fraction(a, half);
}

/* P(K <= k) of the binomial is I_{1/2}(n - k, k + 1). */
double stats_binomial_half(uint64_t k, uint64_t n)
{
    uint64_t low = MIN(k, n - k);

    assert(k <= n);
    if (low == n - low)
        return 1.0;
    return MIN(1.0, 2.0 * stats_beta_cdf(0.5, (double)(n - low), (double)low + 1.0));
}
