/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/router_loss.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* 2^N for |N| <= 1022. */
static double power_of_two(int64_t n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* exp(x) = 2^n exp(r), |r| <= ln 2 / 2; Taylor up to r^14, whose rest is below 1e-19. */
double router_exp(double x)
{
    x = x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x;
    int64_t n = (int64_t)(x * 0x1.71547652b82fep+0 + (x < 0 ? -0.5 : 0.5));
    double r = x - (double)n * 0x1.62e42fee00000p-1 - (double)n * 0x1.a39ef35793c76p-33;
    double sum = 1.0;

    for (int i = 14; i >= 1; i--)
        sum = 1.0 + sum * r / i;
    return sum * power_of_two(n);
}

/* As log_exact of worker/kernels/fmath.h, which is compiled per CPU level only. */
double router_log(double x)
{
    uint64_t bits;
    double f;

    assert(x >= 0x1p-1022 && x < INFINITY);
    memcpy(&bits, &x, sizeof(bits));
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    memcpy(&f, &bits, sizeof(f));
    if (f >= 1.4142135623730951) {
        f *= 0.5;
        e++;
    }
    double s = (f - 1.0) / (f + 1.0), z = s * s, p = 0.0;
    for (int i = 21; i >= 3; i -= 2)
        p = (p + 1.0 / i) * z;
    return (double)e * 0x1.62e42fefa39efp-1 + (2.0 * s + 2.0 * s * p);
}

/* BASE^N by squaring. */
static double whole_power(double base, uint64_t n)
{
    double result = 1.0;

    for (; n > 0; n >>= 1, base *= base)
        if (n & 1)
            result *= base;
    return result;
}

void router_class_weights(enum router_balance balance, double beta, const uint64_t count[3],
                          double ret[3])
{
    double sum = 0.0;
    int present = 0;

    for (size_t i = 0; i < 3; i++) {
        ret[i] = 0.0;
        if (count[i] == 0)
            continue;
        ret[i] = 1.0;
        if (balance == ROUTER_EFFECTIVE)
            ret[i] = (1.0 - beta) / (1.0 - whole_power(beta, count[i]));
        if (balance == ROUTER_INVERSE)
            ret[i] = 1.0 / (double)count[i];
        sum += ret[i];
        present++;
    }
    for (size_t i = 0; i < 3 && present > 0; i++)
        ret[i] /= sum / present;
}

/* Q^G for 0 <= Q <= 1, G >= 0. */
static double power(double q, double g)
{
    if (g <= 0.0)
        return 1.0;
    if (q < 0x1p-1000)
        return 0.0;
    return g == 1.0 ? q : g == 2.0 ? q * q : router_exp(g * router_log(q));
}

/* With s = log p and q = 1 - p: L = -a q^g s, dL/ds = a (g p q^(g-1) s - q^g), ds/dz_j = [j =
 * target] - p_j. */
double router_focal(const float logit[3], unsigned target, double alpha, double gamma,
                    double grad[3])
{
    double p[3], sum = 0.0, q = 0.0, top = logit[0];

    assert(target < 3);
    for (size_t i = 0; i < 3; i++) {
        if (!isfinite(logit[i]))
            return NAN;
        if (grad)
            grad[i] = 0.0;
    }
    for (size_t i = 1; i < 3; i++)
        top = (double)logit[i] > top ? (double)logit[i] : top;
    for (size_t i = 0; i < 3; i++)
        sum += p[i] = router_exp((double)logit[i] - top);
    for (size_t i = 0; i < 3; i++) {
        p[i] /= sum;
        q += i == target ? 0.0 : p[i];
    }
    double s = (double)logit[target] - top - router_log(sum), tail = power(q, gamma);
    double slope = gamma > 0.0 && q > 0x1p-1000 ? gamma * p[target] * tail / q * s : 0.0;
    for (size_t i = 0; grad && i < 3; i++)
        grad[i] = alpha * (slope - tail) * ((i == target ? 1.0 : 0.0) - p[i]);
    return -alpha * tail * s;
}

/* log(1 + exp(-|z|)) + max(z, 0) - target z. */
double router_binary(float logit, int target, double *grad, double *probability)
{
    if (!isfinite(logit))
        return NAN;
    double z = (double)logit, e = router_exp(z < 0 ? z : -z);
    double p = z < 0 ? e / (1.0 + e) : 1.0 / (1.0 + e);

    if (grad)
        *grad = p - target;
    if (probability)
        *probability = p;
    return router_log(1.0 + e) + (z > 0 ? z : 0.0) - target * z;
}
