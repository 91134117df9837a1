/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stats/draws.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/digest.h"
#include "common/base/macros.h"
#include "common/base/mem.h"

static double log_gamma(double x) /* lgamma() writes a global */
{
    int sign;

    return lgamma_r(x, &sign);
}

struct rng draws_stream(const char *purpose, const double *x, size_t n)
{
    struct digester d;
    struct digest all;

    digest_begin(&d);
    for (size_t i = 0; i < n; i++)
        digest_add_double(&d, x[i]);
    all = digest_end(&d);
    return rng_stream(purpose, digest_u64(&all), n);
}

/* Walk up from 0 until the cumulative probability passes a uniform number. N * P < 10. */
static uint64_t binomial_walk(struct rng *r, uint64_t n, double p)
{
    double odds = p / (1.0 - p), mass = exp((double)n * log1p(-p)), u = rng_double(r);
    uint64_t k = 0;

    while (u > mass && k < n) {
        u -= mass;
        k++;
        mass *= ((double)n - (double)k + 1.0) / (double)k * odds;
        if (mass < 1e-300) /* rounding ate the last digits of u: the tail is over */
            break;
    }
    return k;
}

/* N * P >= 10, P <= 1 / 2. */
static uint64_t binomial_reject(struct rng *r, uint64_t n, double p)
{
    double count = (double)n, spread = sqrt(count * p * (1.0 - p));
    double b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p, c = count * p + 0.5;
    double easy = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread;
    double mode = floor((count + 1.0) * p), top = NAN;

    for (;;) {
        double u = rng_double(r) - 0.5, v = rng_double(r), side = 0.5 - fabs(u), k;

        if (side <= 0.0)
            continue;
        k = floor((2.0 * a / side + b) * u + c);
        if (k < 0.0 || k > count)
            continue;
        if (side >= 0.07 && v <= easy)
            return (uint64_t)k;
        if (isnan(top))
            top = log_gamma(mode + 1.0) + log_gamma(count - mode + 1.0);
        v = log(v * alpha / (a / (side * side) + b));
        if (v <=
            top - log_gamma(k + 1.0) - log_gamma(count - k + 1.0) + (k - mode) * log(p / (1.0 - p)))
            return (uint64_t)k;
    }
}

uint64_t draws_binomial(struct rng *r, uint64_t n, double p)
{
    assert(p >= 0.0 && p <= 1.0);
    if (n == 0 || p == 0.0 || p == 1.0)
        return p == 1.0 ? n : 0;
    if (p > 0.5)
        return n - draws_binomial(r, n, 1.0 - p);
    return (double)n * p < 10.0 ? binomial_walk(r, n, p) : binomial_reject(r, n, p);
}

size_t draws_distinct(const double *sorted, size_t n, double value[DRAWS_DISTINCT_MAX],
                      uint64_t count[DRAWS_DISTINCT_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (len > 0 && value[len - 1] == sorted[i]) {
            count[len - 1]++;
        } else if (len == DRAWS_DISTINCT_MAX) {
            return DRAWS_DISTINCT_MAX + 1;
        } else {
            value[len] = sorted[i];
            count[len++] = 1;
        }
    }
    return len;
}

/* A resample as counts per value: multinomial, one binomial after the other. */
static double mean_by_counts(struct rng *r, const double *value, const uint64_t *count, size_t len,
                             size_t n)
{
    uint64_t left = n, mass = n;
    double sum = 0.0;

    for (size_t k = 0; k + 1 < len && left > 0; k++) {
        uint64_t drawn = draws_binomial(r, left, (double)count[k] / (double)mass);

        sum += (double)drawn * value[k];
        left -= drawn;
        mass -= count[k];
    }
    return (sum + (double)left * value[len - 1]) / (double)n;
}

/* Two draws below N <= 65,536 from each random word: Lemire's method on its halves. Draws that
 * would make some values likelier are thrown away. */
static double mean_by_halves(struct rng *r, const double *x, uint32_t n)
{
    uint32_t unfair = (65536u - n) % n, left = n; /* 2^16 mod n */
    double sum = 0.0;

    while (left > 0) {
        uint32_t word = rng_u32(r), a = (word & 0xffff) * n, b = (word >> 16) * n;

        if ((a & 0xffff) >= unfair) {
            sum += x[a >> 16];
            left--;
        }
        if (left > 0 && (b & 0xffff) >= unfair) {
            sum += x[b >> 16];
            left--;
        }
    }
    return sum / n;
}

static double mean_by_words(struct rng *r, const double *x, uint32_t n)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < n; i++)
        sum += x[rng_below(r, n)];
    return sum / n;
}

void draws_means(const double *sorted, size_t n, struct rng *r, double *out, size_t len)
{
    double value[DRAWS_DISTINCT_MAX];
    uint64_t count[DRAWS_DISTINCT_MAX];
    size_t distinct = draws_distinct(sorted, n, value, count);

    assert(n > 0 && n <= UINT32_MAX);
    for (size_t i = 0; i < len; i++) {
        if (distinct <= DRAWS_DISTINCT_MAX && distinct * 32 <= n)
            out[i] = mean_by_counts(r, value, count, distinct, n);
        else
            out[i] = n <= 32768 ? mean_by_halves(r, sorted, (uint32_t)n)
                                : mean_by_words(r, sorted, (uint32_t)n);
    }
}

struct draws_table draws_table_of(uint64_t hits, uint64_t n)
{
    struct draws_table b = { mem_calloc((size_t)n + 1, sizeof(double)), n };
    double p = (double)hits / (double)n, sum = 0.0;

    for (uint64_t i = 0; i <= n; i++) {
        double x = (double)i, rest = (double)(n - i), mass;

        if (hits == 0 || hits == n)
            mass = i == hits ? 1.0 : 0.0;
        else
            mass = exp(log_gamma((double)n + 1.0) - log_gamma(x + 1.0) - log_gamma(rest + 1.0) +
                       x * log(p) + rest * log1p(-p));
        sum += mass;
        b.cumulative[i] = sum;
    }
    return b;
}

uint64_t draws_table_draw(const struct draws_table *b, struct rng *r)
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

void draws_table_release(struct draws_table *b)
{
    free(b->cumulative);
    *b = (struct draws_table){ 0 };
}
