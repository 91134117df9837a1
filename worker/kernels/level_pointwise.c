/* SPDX-License-Identifier: Apache-2.0 */
/* level_pointwise.c - kernels whose outputs depend on one position each: activations, sums of
 * arrays, rope, AdamW. */
#include <math.h>

#include "worker/kernels/fmath.h"
#include "worker/kernels/level.h"

void LEVEL(exp)(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_put(out + i, v_exp(v_get(x + i, n - i, 0.0f)), n - i);
}

void LEVEL(sigmoid)(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_put(out + i, v_sigmoid(v_get(x + i, n - i, 0.0f)), n - i);
}

void LEVEL(swiglu)(float *out, const float *gate, const float *up, size_t n)
{
    enum { VECS = 4 }; /* at once: their chains are long */
    size_t i = 0;
    for (; n - i >= 16 * VECS; i += 16 * VECS) {
        struct v16 g[VECS], s[VECS];
        UNROLL for (size_t v = 0; v < VECS; v++) g[v] = v_load(gate + i + 16 * v);
        UNROLL for (size_t v = 0; v < VECS; v++) s[v] = v_sigmoid(g[v]);
        UNROLL for (size_t v = 0; v < VECS; v++)
            v_store(out + i + 16 * v, v_mul(v_mul(g[v], s[v]), v_load(up + i + 16 * v)));
    }
    for (; i < n; i += 16) {
        struct v16 g = v_get(gate + i, n - i, 0.0f), u = v_get(up + i, n - i, 0.0f);
        v_put(out + i, v_mul(v_mul(g, v_sigmoid(g)), u), n - i);
    }
}

/* d silu(g) = s (1 + g (1 - s)), s = sigmoid(g). */
void LEVEL(swiglu_back)(float *dgate, float *dup, const float *dout, const float *gate,
                        const float *up, size_t n)
{
    const struct v16 one = v_set1(1.0f);
    for (size_t i = 0; i < n; i += 16) {
        struct v16 g = v_get(gate + i, n - i, 0.0f), u = v_get(up + i, n - i, 0.0f);
        struct v16 d = v_get(dout + i, n - i, 0.0f), s = v_sigmoid(g);
        struct v16 slope = v_mul(s, v_fma(g, v_sub(one, s), one));
        v_put(dgate + i, v_mul(v_mul(d, u), slope), n - i);
        v_put(dup + i, v_mul(d, v_mul(g, s)), n - i);
    }
}

/* The argument of GELU's sigmoid is x (A + B x^2), A = 2 sqrt(2 / pi), B = 0.044715 A. */
#define GELU_A 1.5957691216f
#define GELU_B 0.0713548163f

/* S(x), the sigmoid in x * S(x); X2 is x^2. */
static inline struct v16 gelu_gate(struct v16 x, struct v16 x2)
{
    return v_sigmoid(v_mul(x, v_fma(v_set1(GELU_B), x2, v_set1(GELU_A))));
}

void LEVEL(gelu)(float *out, const float *x, size_t n)
{
    enum { VECS = 4 }; /* at once: their chains are long */
    size_t i = 0;
    for (; n - i >= 16 * VECS; i += 16 * VECS) {
        struct v16 a[VECS], s[VECS];
        UNROLL for (size_t v = 0; v < VECS; v++) a[v] = v_load(x + i + 16 * v);
        UNROLL for (size_t v = 0; v < VECS; v++) s[v] = gelu_gate(a[v], v_mul(a[v], a[v]));
        UNROLL for (size_t v = 0; v < VECS; v++) v_store(out + i + 16 * v, v_mul(a[v], s[v]));
    }
    for (; i < n; i += 16) {
        struct v16 a = v_get(x + i, n - i, 0.0f);
        v_put(out + i, v_mul(a, gelu_gate(a, v_mul(a, a))), n - i);
    }
}

/* d (x S) = S + x S (1 - S) (A + 3 B x^2). */
static inline struct v16 gelu_slope(struct v16 x)
{
    struct v16 x2 = v_mul(x, x), s = gelu_gate(x, x2);
    struct v16 inner = v_mul(x, v_fma(v_set1(3.0f * GELU_B), x2, v_set1(GELU_A)));
    return v_mul(s, v_fma(v_sub(v_set1(1.0f), s), inner, v_set1(1.0f)));
}

void LEVEL(gelu_back)(float *dx, const float *dout, const float *x, size_t n)
{
    enum { VECS = 4 };
    size_t i = 0;
    for (; n - i >= 16 * VECS; i += 16 * VECS) {
        struct v16 s[VECS];
        UNROLL for (size_t v = 0; v < VECS; v++) s[v] = gelu_slope(v_load(x + i + 16 * v));
        UNROLL for (size_t v = 0; v < VECS; v++)
            v_store(dx + i + 16 * v, v_mul(v_load(dout + i + 16 * v), s[v]));
    }
    for (; i < n; i += 16) {
        struct v16 s = gelu_slope(v_get(x + i, n - i, 0.0f));
        v_put(dx + i, v_mul(v_get(dout + i, n - i, 0.0f), s), n - i);
    }
}

void LEVEL(add)(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_put(x + i, v_add(v_get(x + i, n - i, 0.0f), v_get(y + i, n - i, 0.0f)), n - i);
}

void LEVEL(scale_add)(float *x, const float *y, float a, size_t n)
{
    const struct v16 scale = v_set1(a);
    for (size_t i = 0; i < n; i += 16)
        v_put(x + i, v_fma(scale, v_get(y + i, n - i, 0.0f), v_get(x + i, n - i, 0.0f)), n - i);
}

void LEVEL(add_bias)(float *x, const float *b, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        LEVEL(add)(x + r * n, b, n);
}

/* One head: pairs (i, i + half), A and B the two halves. */
static inline void rotate_halves(float *restrict a, float *restrict b, const float *restrict c,
                                 const float *restrict s, float sign, size_t half)
{
    for (size_t i = 0; i < half; i++) {
        const float x = a[i], y = b[i], si = s[i] * sign;
        a[i] = x * c[i] - y * si;
        b[i] = y * c[i] + x * si;
    }
}

/* One head: pairs (2i, 2i + 1). */
static inline void rotate_pairs(float *restrict x, const float *restrict c, const float *restrict s,
                                float sign, size_t half)
{
    for (size_t i = 0; i < half; i++) {
        const float a = x[2 * i], b = x[2 * i + 1], si = s[i] * sign;
        x[2 * i] = a * c[i] - b * si;
        x[2 * i + 1] = b * c[i] + a * si;
    }
}

void LEVEL(rope)(float *x, size_t ldx, const uint32_t *position, const float *cos, const float *sin,
                 int sign, bool interleaved, size_t rows, size_t heads, size_t e)
{
    const size_t half = e / 2;
    const float direction = sign < 0 ? -1.0f : 1.0f;
    for (size_t r = 0; r < rows; r++) {
        const float *c = cos + position[r] * half, *s = sin + position[r] * half;
        for (size_t h = 0; h < heads; h++) {
            float *head = x + r * ldx + h * e;
            if (interleaved)
                rotate_pairs(head, c, s, direction, half);
            else if (half == 8) /* a constant length lets the compiler drop its loop */
                rotate_halves(head, head + 8, c, s, direction, 8);
            else if (half == 16)
                rotate_halves(head, head + 16, c, s, direction, 16);
            else
                rotate_halves(head, head + half, c, s, direction, half);
        }
    }
}

/* Plain C on purpose: only correctly rounded operations, element by element, so every vectorisation
 * gives the same bits. */
void LEVEL(adamw)(float *restrict w, float *restrict m, float *restrict v,
                  const float *restrict grad, float gscale, float lr, float beta1, float beta2,
                  float eps, float decay, float bc1, float bc2, size_t n)
{
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] * gscale;
        m[i] = beta1 * m[i] + rest1 * g;
        v[i] = beta2 * v[i] + rest2 * (g * g);
        float step = m[i] / bc1 / (sqrtf(v[i] / bc2) + eps);
        w[i] = w[i] - lr * (step + decay * w[i]);
    }
}
