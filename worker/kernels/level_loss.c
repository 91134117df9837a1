/* SPDX-License-Identifier: Apache-2.0 */
/* level_loss.c - what is done with a row of logits: log-sum-exp, argmax, cross entropy,
 * log-probabilities. */
#include <math.h>

#include "worker/kernels/fmath.h"
#include "worker/kernels/level.h"

static inline float row_max(const float *x, size_t n)
{
    struct v16 top = v_set1(-INFINITY);
    for (size_t i = 0; i < n; i += 16)
        top = v_max(v_get(x + i, n - i, -INFINITY), top);
    return v_top(top);
}

/* Sum of exp(x - top): sixteen chains, then the tree. EXPS (may be NULL, may be X) gets the terms.
 */
static inline float exp_sum(float *exps, const float *x, float top, size_t n)
{
    const struct v16 shift = v_set1(top);
    struct v16 sum = v_set1(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        struct v16 e = v_exp(v_sub(v_get(x + i, n - i, -INFINITY), shift));
        if (exps != NULL)
            v_put(exps + i, e, n - i);
        sum = v_add(sum, e);
    }
    return v_sum(sum);
}

/* log(sum) of a sum in [1, V], or NaN when a logit was. */
static inline double log_sum(float sum)
{
    return sum >= 1.0f ? log_exact((double)sum) : (double)NAN;
}

float LEVEL(logsumexp)(const float *logits, size_t v)
{
    const float top = row_max(logits, v);
    return (float)((double)top + log_sum(exp_sum(NULL, logits, top, v)));
}

size_t LEVEL(argmax)(const float *logits, size_t v)
{
    const float top = row_max(logits, v);
    for (size_t i = 0; i < v; i++)
        if (logits[i] == top)
            return i;
    return 0;
}

void LEVEL(cross_entropy)(float *loss, float *dlogits, const float *logits, const uint32_t *target,
                          const float *weight, size_t rows, size_t v)
{
    for (size_t r = 0; r < rows; r++, logits += v) {
        float *d = dlogits == NULL ? NULL : dlogits + r * v;
        const float top = row_max(logits, v), chosen = logits[target[r]];
        const float sum = exp_sum(d, logits, top, v);
        loss[r] = (float)(((double)top - (double)chosen) + log_sum(sum));
        if (d == NULL)
            continue;
        const struct v16 inverse = v_set1(1.0f / sum), w = v_set1(weight[r]);
        const float onehot = d[target[r]] * (1.0f / sum) - 1.0f;
        for (size_t i = 0; i < v; i += 16)
            v_put(d + i, v_mul(v_mul(v_get(d + i, v - i, 0.0f), inverse), w), v - i);
        d[target[r]] = onehot * weight[r];
    }
}

static inline void scale_row(float *x, float scale, size_t n)
{
    const struct v16 a = v_set1(scale);
    for (size_t i = 0; i < n; i += 16)
        v_put(x + i, v_mul(v_get(x + i, n - i, 0.0f), a), n - i);
}

/* exp_sum, and into WEIGHTED the sum of exp(z) z, z = x - top, which is 0 where exp(z) is. */
static inline float exp_sums(float *weighted, const float *x, float top, size_t n)
{
    const struct v16 shift = v_set1(top), low = v_set1(-88.0f);
    struct v16 sum = v_set1(0.0f), product = v_set1(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        /* a NaN stays: the second operand wins */
        struct v16 z = v_max(low, v_sub(v_get(x + i, n - i, -INFINITY), shift));
        struct v16 e = v_exp(z);
        sum = v_add(sum, e);
        product = v_fma(e, z, product);
    }
    *weighted = v_sum(product);
    return v_sum(sum);
}

void LEVEL(log_prob)(double *logprob, double *entropy, float *logits, const uint32_t *target,
                     float scale, size_t rows, size_t v)
{
    for (size_t r = 0; r < rows; r++, logits += v) {
        if (scale != 1.0f)
            scale_row(logits, scale, v);
        const float top = row_max(logits, v);
        float weighted;
        const float sum = exp_sums(&weighted, logits, top, v);
        const double all = log_sum(sum);
        logprob[r] = ((double)logits[target[r]] - (double)top) - all;
        if (entropy != NULL)
            entropy[r] = all - (double)weighted / (double)sum;
    }
}
