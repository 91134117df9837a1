/* SPDX-License-Identifier: Apache-2.0 */
/* rope.c - rotary tables without libm, so that they are the same on every machine.
 *
 * Everything is IEEE double arithmetic in a fixed order. Errors: the inverse frequency
 * theta^(-2i/e) is within 2^-47 relative (the exponent's product is below 28 and rounded once; ln
 * and exp are within 2 ulp); the angle is then within position * 2^-46 absolute, at most 2^-26 at
 * position 2^20; argument reduction is exact in its first two parts (33 + 20 bits) and the
 * polynomials end below 2^-60. So a table entry is within 2^-25 (rounding to float) + position *
 * 2^-46 of the true value; tests compare with libm. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/model/model.h"

static const double LN2_HI = 0x1.62e42feep-1; /* 32 bits: times an exponent it is exact */
static const double LN2_LO = 0x1.a39ef35793c76p-33;

/* Natural logarithm of X, normal and positive: x = m * 2^k with m near 1, then 2
 * atanh((m-1)/(m+1)). */
static double ln(double x)
{
    uint64_t bits;
    double m, s, z, sum = 0.0;
    int64_t k;

    memcpy(&bits, &x, sizeof(bits));
    k = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | (UINT64_C(1023) << 52);
    memcpy(&m, &bits, sizeof(m));
    if (m > 1.41421356237309505) {
        m *= 0.5;
        k++;
    }
    s = (m - 1.0) / (m + 1.0);
    z = s * s;
    for (int n = 25; n >= 3; n -= 2) /* |s| < 0.1716: the first term left out is below 2^-63 */
        sum = (sum + 1.0 / n) * z;
    return (double)k * LN2_HI + (2.0 * s + (2.0 * s * sum + (double)k * LN2_LO));
}

/* e^X for -700 < X <= 0: 2^n times the Taylor series on |r| <= ln2/2. */
static double exponential(double x)
{
    int64_t n = (int64_t)(x * 1.44269504088896341 - 0.5);
    double r = (x - (double)n * LN2_HI) - (double)n * LN2_LO, sum = 1.0, scale;
    uint64_t bits = (uint64_t)(n + 1023) << 52;

    for (int i = 16; i >= 1; i--)
        sum = 1.0 + sum * r / i;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

/* Sine and cosine of 0 <= X <= 2^20. */
static void sine_cosine(double x, double *ret_sin, double *ret_cos)
{
    /* pi/2 in parts of 33, 31 and 52 bits; n has at most 20. */
    int64_t n = (int64_t)(x * 0.63661977236758134 + 0.5);
    double q = (double)n;
    double r = ((x - q * 0x1.921fb544p+0) - q * 0x42d18469p-64) - q * 0x1.13198a2e03707p-65;
    double z = r * r, s = 1.0, c = 1.0;

    for (int i = 18; i >= 2; i -= 2)
        s = 1.0 - s * z / (double)(i * (i + 1));
    for (int i = 17; i >= 1; i -= 2)
        c = 1.0 - c * z / (double)(i * (i + 1));
    s *= r;
    *ret_sin = (n & 1) ? c : s;
    *ret_cos = (n & 1) ? s : c;
    if (n & 2)
        *ret_sin = -*ret_sin;
    if ((n + 1) & 2)
        *ret_cos = -*ret_cos;
}

void rope_tables(float *cos, float *sin, const struct model_conf *c)
{
    size_t half = c->head_dim / 2;
    double log_theta = ln((double)c->rope_theta);

    assert(c->positions <= MODEL_POSITIONS_MAX && half <= MODEL_HEAD_DIM_MAX / 2);
    for (size_t i = 0; i < half; i++) {
        double frequency = exponential(-log_theta * (double)(2 * i) / (double)c->head_dim);

        for (size_t p = 0; p < c->positions; p++) {
            double s, k;

            sine_cosine((double)p * frequency, &s, &k);
            cos[p * half + i] = (float)k;
            sin[p * half + i] = (float)s;
        }
    }
}
