/* SPDX-License-Identifier: Apache-2.0 */
/* level_attention_back.c - the gradients of causal attention. What decides their bits: scores.h. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "worker/kernels/level.h"
#include "worker/kernels/mix.h"
#include "worker/kernels/scores.h"

enum { KEY_TILE = 4 }; /* keys at once in the sums */

/* The gradient of one line's scores, in place of that of its probabilities: dS = scale P (dP - sum
 * P dP), 0 beyond N. */
static void softmax_back(float *d, const float *p, size_t n, size_t stride, float scale)
{
    struct v16 sum = v_set1(0.0f);
    for (size_t j = 0; j < n; j += 16)
        sum = v_fma(v_get(p + j, n - j, 0.0f), v_get(d + j, n - j, 0.0f), sum);
    const struct v16 mean = v_set1(v_sum(sum)), factor = v_set1(scale);
    for (size_t j = 0; j < n; j += 16) {
        const struct v16 pj = v_get(p + j, n - j, 0.0f), dj = v_get(d + j, n - j, 0.0f);
        v_store(d + j, v_mul(v_mul(pj, factor), v_sub(dj, mean)));
    }
    for (size_t j = (n + 15) / 16 * 16; j < stride; j += 16)
        v_store(d + j, v_set1(0.0f));
}

/* Vectors and weights that flow back into keys or values: OUT (key J) += sum over lines of
 * W[line][J] * X[line]. */
struct flow {
    float *out;
    size_t ldout;
    const float *weight[KERNELS_ATTENTION_ROWS];
    const float *x[KERNELS_ATTENTION_ROWS];
};

ALWAYS_INLINE void flow_tile(const struct flow *f, size_t first, size_t n, size_t j,
                             const size_t keys, size_t c, size_t left)
{
    struct v16 sum[KEY_TILE];
    float *to = f->out + j * f->ldout + c;
    UNROLL for (size_t i = 0; i < keys; i++) sum[i] = v_get(to + i * f->ldout, left, 0.0f);
    for (size_t line = first; line < n; line++) {
        const struct v16 x = v_get(f->x[line] + c, left, 0.0f);
        const float *w = f->weight[line] + j;
        UNROLL for (size_t i = 0; i < keys; i++) sum[i] = v_fma(v_set1(w[i]), x, sum[i]);
    }
    UNROLL for (size_t i = 0; i < keys; i++) v_put(to + i * f->ldout, sum[i], left);
}

static void flow_back(const struct flow *f, const struct lines *l, size_t e)
{
    const size_t keys = l->reach[l->n - 1];
    size_t j = 0, first = 0;
    for (; j + KEY_TILE <= keys; j += KEY_TILE) {
        while (l->reach[first] <= j)
            first++;
        for (size_t c = 0; c < e; c += 16)
            flow_tile(f, first, l->n, j, KEY_TILE, c, MIN(e - c, (size_t)16));
    }
    for (; j < keys; j++) {
        while (l->reach[first] <= j)
            first++;
        for (size_t c = 0; c < e; c += 16)
            flow_tile(f, first, l->n, j, 1, c, MIN(e - c, (size_t)16));
    }
}

static void zero_rows(float *x, size_t ldx, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        memset(x + r * ldx, 0, n * sizeof(float));
}

void LEVEL(attention_back)(float *dq, size_t lddq, float *dk, float *dv, size_t lddk,
                           const float *dout, size_t ldo, const float *att, const float *q,
                           size_t ldq, const float *k, size_t ldk, const float *v, size_t ldv,
                           float *scratch, size_t t, size_t heads, size_t kv_heads, size_t e)
{
    assert(t >= 1 && e <= WIDTH_MAX && heads % kv_heads == 0);
    const size_t group = heads / kv_heads, all = t * group;
    const float scale = 1.0f / sqrtf((float)e);
    struct lines l = { .score = scratch, .stride = (t + 15) / 16 * 16 };
    struct flow to_k = { .ldout = lddk }, to_v = { .ldout = lddk };
    zero_rows(dk, lddk, t, kv_heads * e);
    zero_rows(dv, lddk, t, kv_heads * e);
    for (size_t g = 0; g < kv_heads; g++) {
        to_k.out = dk + g * e;
        to_v.out = dv + g * e;
        for (size_t first = 0; first < all; first += l.n) {
            l.n = MIN(all - first, (size_t)KERNELS_ATTENTION_ROWS);
            for (size_t i = 0; i < l.n; i++) {
                const size_t row = (first + i) / group, head = g * group + (first + i) % group;
                l.reach[i] = row + 1;
                l.x[i] = to_v.x[i] = dout + row * ldo + head * e;
                l.out[i] = dq + row * lddq + head * e;
                to_k.x[i] = q + row * ldq + head * e;
                to_v.weight[i] = att + (head * t + row) * t;
                to_k.weight[i] = l.score + i * l.stride;
            }
            scores(&l, l.n, (struct keys){ &v, t, ldv, g * e, false }, e);
            for (size_t i = 0; i < l.n; i++)
                softmax_back(l.score + i * l.stride, to_v.weight[i], l.reach[i], l.stride, scale);
            mix(&l, l.n, (struct keys){ &k, t, ldk, g * e, false }, e);
            flow_back(&to_k, &l, e);
            flow_back(&to_v, &l, e);
        }
    }
}
