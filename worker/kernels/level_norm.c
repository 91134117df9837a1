/* SPDX-License-Identifier: Apache-2.0 */
/* level_norm.c - RMSNorm, forward and backward, and the sum of squares. */
#include <math.h>

#include "worker/kernels/level.h"
#include "worker/kernels/vec.h"

enum { NORM_ROWS = 4 }; /* at once */

/* Sum over i of A[i] * B[i]: sixteen chains, then the tree. */
static inline float dot(const float *a, const float *b, size_t n)
{
    struct v16 sum = v_set1(0.0f);
    for (size_t i = 0; i < n; i += 16)
        sum = v_fma(v_get(a + i, n - i, 0.0f), v_get(b + i, n - i, 0.0f), sum);
    return v_sum(sum);
}

/* COUNT rows, whose sums wait for each other less than those of one. D is a multiple of 16. */
ALWAYS_INLINE void norm_tile(float *out, float *rstd, const float *x, const float *w, float eps,
                             const size_t count, size_t d)
{
    struct v16 sum[NORM_ROWS];
    UNROLL for (size_t r = 0; r < count; r++) sum[r] = v_set1(0.0f);
    for (size_t i = 0; i < d; i += 16) {
        UNROLL for (size_t r = 0; r < count; r++)
        {
            const struct v16 a = v_load(x + r * d + i);
            sum[r] = v_fma(a, a, sum[r]);
        }
    }
    UNROLL for (size_t r = 0; r < count; r++)
    {
        const float scale = 1.0f / sqrtf(v_sum(sum[r]) / (float)d + eps);
        sum[r] = v_set1(scale);
        if (rstd != NULL)
            rstd[r] = scale;
    }
    for (size_t i = 0; i < d; i += 16) {
        const struct v16 weight = v_load(w + i);
        UNROLL for (size_t r = 0; r < count; r++)
            v_store(out + r * d + i, v_mul(v_mul(v_load(x + r * d + i), sum[r]), weight));
    }
}

void LEVEL(rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, size_t rows,
                    size_t d)
{
    size_t r = 0;
    for (; d % 16 == 0 && r + NORM_ROWS <= rows; r += NORM_ROWS)
        norm_tile(out + r * d, rstd == NULL ? NULL : rstd + r, x + r * d, w, eps, NORM_ROWS, d);
    for (out += r * d, x += r * d; r < rows; r++, x += d, out += d) {
        const float scale = 1.0f / sqrtf(dot(x, x, d) / (float)d + eps);
        const struct v16 s = v_set1(scale);
        for (size_t i = 0; i < d; i += 16)
            v_put(out + i, v_mul(v_mul(v_get(x + i, d - i, 0.0f), s), v_get(w + i, d - i, 0.0f)),
                  d - i);
        if (rstd != NULL)
            rstd[r] = scale;
    }
}

/* With s = rstd, y = x s w: dx = s w dy - x s^3 / d * sum(dy w x), dw = dy x s. */
void LEVEL(rmsnorm_back)(float *dx, float *dw, const float *dy, const float *x, const float *w,
                         const float *rstd, size_t rows, size_t d)
{
    for (size_t r = 0; r < rows; r++, x += d, dx += d, dy += d) {
        struct v16 sum = v_set1(0.0f);
        const struct v16 s = v_set1(rstd[r]);
        for (size_t i = 0; i < d; i += 16) {
            const struct v16 a = v_get(x + i, d - i, 0.0f), g = v_get(dy + i, d - i, 0.0f);
            sum = v_fma(v_mul(g, v_get(w + i, d - i, 0.0f)), a, sum);
            v_put(dw + i, v_fma(g, v_mul(a, s), v_get(dw + i, d - i, 0.0f)), d - i);
        }
        const struct v16 pull = v_set1(rstd[r] * rstd[r] * (v_sum(sum) / (float)d));
        for (size_t i = 0; i < d; i += 16) {
            const struct v16 a = v_get(x + i, d - i, 0.0f), g = v_get(dy + i, d - i, 0.0f);
            const struct v16 slope = v_fnma(a, pull, v_mul(g, v_get(w + i, d - i, 0.0f)));
            v_put(dx + i, v_fma(s, slope, v_get(dx + i, d - i, 0.0f)), d - i);
        }
    }
}

/* Squares of floats are exact in double, so only the order of the sums counts: sixteen chains, then
 * the tree. */
double LEVEL(sum_squares)(const float *x, size_t n)
{
    double sum[16] = { 0 };
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t j = 0; j < 16; j++)
            sum[j] += (double)x[i + j] * (double)x[i + j];
    for (size_t j = 0; i + j < n; j++)
        sum[j] += (double)x[i + j] * (double)x[i + j];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            sum[j] += sum[j + half];
    return sum[0];
}
