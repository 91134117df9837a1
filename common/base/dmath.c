/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/dmath.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/macros.h"

static const double ln2 = 0.693147180559945309417;

/* x = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.172: the
 * series in s^2 has fallen below 1e-17 after 11 terms. */
double dmath_log(double x)
{
    uint64_t bits;
    int e;

    assert(x > 0 && x <= 1e300 && x >= 1e-300);
    memcpy(&bits, &x, sizeof(bits));
    e = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFull) | (1023ull << 52);
    memcpy(&x, &bits, sizeof(x));
    if (x > 1.41421356237309504880) {
        x *= 0.5;
        e++;
    }
    double s = (x - 1) / (x + 1), s2 = s * s, sum = 0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * s2 + 1.0 / k;
    return 2 * s * sum + e * ln2;
}

/* exp by x = n ln2 + r, |r| <= ln2 / 2: the Taylor series has fallen below 1e-17 after 15 terms. */
double dmath_exp(double x)
{
    double scale, sum = 1;
    int n = (int)(x / ln2 + (x < 0 ? -0.5 : 0.5));
    double r = x - n * ln2;
    uint64_t bits;

    assert(n > -1000 && n < 1000);
    for (int k = 15; k >= 1; k--)
        sum = 1 + sum * r / k;
    bits = (uint64_t)(n + 1023) << 52;
    memcpy(&scale, &bits, sizeof(scale));
    return sum * scale;
}

double dmath_pow(double x, double p)
{
    return dmath_exp(p * dmath_log(x));
}

/* (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x; 1 - 1e-17 is 1 from |x| = 20 on. */
double dmath_tanh(double x)
{
    double away = x < 0 ? -x : x, e;

    if (away > 20)
        return x < 0 ? -1 : 1;
    e = dmath_exp(-2 * away);
    return (x < 0 ? -1 : 1) * (1 - e) / (1 + e);
}

/* As -sin(t), t = pi * (x - 1/2): Taylor series up to t^15, whose error is below (pi/2)^17 / 17! =
 * 6e-12. */
double dmath_cos_pi(double x)
{
    static const double inverse[] = { 1.0 / (14 * 15), 1.0 / (12 * 13), 1.0 / (10 * 11),
                                      1.0 / (8 * 9),   1.0 / (6 * 7),   1.0 / (4 * 5),
                                      1.0 / (2 * 3) };
    double t = 3.14159265358979323846 * (x - 0.5);
    double sum = 1.0;

    for (size_t i = 0; i < ARRAY_LEN(inverse); i++)
        sum = 1.0 - t * t * inverse[i] * sum;
    return -t * sum;
}
