/* SPDX-License-Identifier: Apache-2.0 */
/* fmath.h - the elementary functions of the kernels: our own polynomials, the same bits on every
 * CPU level.
 *
 *   v_exp      on [-87.3, 88.3] within 1 ulp; below: exactly 0; above, up to infinity: the value
 * at 88.3, never infinity. NaN gives NaN. v_sigmoid  1 / (1 + exp(-x)): within 2.5 ulp for x >=
 * -87; below: absolute error under 2e-38. log_exact  natural logarithm of a normal positive double:
 * relative error under 4e-16 outside [0.7, 1.4], absolute error under 2e-16 inside; only +, -, *,
 * /, so contraction or width cannot change it. tests/unit/worker_kernels/test_fmath.c holds them
 * against libm's double functions, on request for every float. No libm on a result's path but fmaf
 * and sqrtf, which are correctly rounded. */
#ifndef WORKER_KERNELS_FMATH_H
#define WORKER_KERNELS_FMATH_H

#include <stdint.h>
#include <string.h>

#include "worker/kernels/vec.h"

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 in two parts; exp(r) = 1 + r +
 * r^2 g(r), g of degree 4 by interpolation at Chebyshev points: 1.1e-8 relative error, the rest is
 * rounding. */
static inline struct v16 v_exp(struct v16 x)
{
    const struct v16 low = v_set1(-87.3f), magic = v_set1(12582912.0f);
    struct v16 y = v_min(v_set1(88.3f), v_max(low, x)); /* a NaN stays: the second operand wins */
    struct v16 t = v_fma(y, v_set1(0x1.715476p+0f), magic);
    struct v16 n = v_sub(t, magic);
    struct v16 r = v_fnma(n, v_set1(0x1.62e43p-1f), y);
    r = v_fnma(n, v_set1(-0x1.05c61p-29f), r);
    struct v16 p = v_set1(0x1.6d117cp-10f);
    p = v_fma(p, r, v_set1(0x1.120be2p-7f));
    p = v_fma(p, r, v_set1(0x1.555518p-5f));
    p = v_fma(p, r, v_set1(0x1.5554dcp-3f));
    p = v_fma(p, r, v_set1(0.5f));
    p = v_fma(p, r, v_set1(1.0f));
    p = v_fma(p, r, v_set1(1.0f));
    return v_zero_below(v_mul(p, v_pow2(t)), x, low);
}

static inline struct v16 v_sigmoid(struct v16 x)
{
    const struct v16 one = v_set1(1.0f);
    return v_div(one, v_add(one, v_exp(v_sub(v_set1(0.0f), x))));
}

/* x = 2^e f, sqrt(1/2) <= f < sqrt(2); log f = 2 atanh(s), s = (f - 1) / (f + 1), |s| < 0.1716, so
 * the series' first left-out term is below 1e-17. */
static inline double log_exact(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int64_t e = (int64_t)(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double f;
    memcpy(&f, &bits, sizeof(f));
    if (f >= 1.4142135623730951) {
        f *= 0.5;
        e++;
    }
    double s = (f - 1.0) / (f + 1.0), z = s * s, p = 0.0;
    for (int i = 21; i >= 3; i -= 2)
        p = (p + 1.0 / i) * z;
    double log_f = 2.0 * s + 2.0 * s * p;
    return (double)e * 0x1.62e42fefa39efp-1 + log_f;
}

#endif
