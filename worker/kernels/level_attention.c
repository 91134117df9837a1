/* SPDX-License-Identifier: Apache-2.0 */
/* level_attention.c - causal attention, forward and backward.
 *
 * The query rows of all heads that share one key/value head ("lines", row-major, heads inside) go
 * in chunks of KERNELS_ATTENTION_ROWS over blocks of sixteen keys. What decides the bits, and
 * nothing else does: score of a key        one fma chain over the head's width, from 0; sum of a
 * softmax      sixteen chains by key index modulo 16, then the tree (absent keys add 0); output one
 * fma chain over the keys in order, from 0; dK, dV of a key       one fma chain over the lines in
 * order, from 0. So a row's output is the same with or without a cache, alone or in a batch. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "worker/kernels/fmath.h"
#include "worker/kernels/level.h"

enum {
    WIDTH_MAX = 256,  /* of a head: bounds the stack below */
    TILE = GEMM_ROWS, /* lines at once */
    TILE_VECS = GEMM_LANES == 16 ? 2 : 1,
    KEY_TILE = 4, /* keys at once in the backward sums */
};

/* A chunk of lines. */
struct lines {
    size_t n;
    size_t reach[KERNELS_ATTENTION_ROWS]; /* keys that each sees; does not fall */
    const float
        *x[KERNELS_ATTENTION_ROWS]; /* the line's vector: query, or gradient of the output */
    float *out[KERNELS_ATTENTION_ROWS];
    float *score;  /* [n][stride] */
    size_t stride; /* keys rounded up to 16 */
};

/* OUT (e rounded up to 16, 16) = the KEYS <= 16 rows at X, transposed; absent rows are 0. */
static void transpose_keys(float *out, const float *x, size_t ldx, size_t keys, size_t e)
{
    float part[16 * 16];
    for (size_t c = 0; c < e; c += 16) {
        if (keys == 16 && e - c >= 16) {
            v_transpose(out + c * 16, x + c, ldx);
            continue;
        }
        for (size_t j = 0; j < 16; j++)
            v_store(part + j * 16, j < keys ? v_get(x + j * ldx + c, e - c, 0.0f) : v_set1(0.0f));
        v_transpose(out + c * 16, part, 16);
    }
}

/* Scores of COUNT lines from I against the sixteen keys at KT. */
ALWAYS_INLINE void score_tile(const struct lines *l, size_t i, const size_t count, const float *kt,
                              size_t key0, size_t e)
{
    struct v16 sum[TILE];
    const float *x[TILE];
    UNROLL for (size_t r = 0; r < count; r++)
    {
        sum[r] = v_set1(0.0f);
        x[r] = l->x[i + r];
    }
    for (size_t c = 0; c < e; c++) {
        const struct v16 keys = v_load(kt + c * 16);
        UNROLL for (size_t r = 0; r < count; r++) sum[r] = v_fma(v_set1(x[r][c]), keys, sum[r]);
    }
    UNROLL for (size_t r = 0; r < count; r++)
        v_store(l->score + (i + r) * l->stride + key0, sum[r]);
}

/* All scores that are seen (and some that are not) of the lines against K. */
static void scores(const struct lines *l, const float *k, size_t ldk, size_t e)
{
    float kt[WIDTH_MAX * 16];
    const size_t keys = l->reach[l->n - 1];
    size_t first = 0; /* the first line that reaches the block */
    for (size_t j = 0; j < keys; j += 16) {
        transpose_keys(kt, k + j * ldk, ldk, MIN(keys - j, (size_t)16), e);
        while (l->reach[first] <= j)
            first++;
        size_t i = first;
        for (; i + TILE <= l->n; i += TILE)
            score_tile(l, i, TILE, kt, j, e);
        for (; i < l->n; i++)
            score_tile(l, i, 1, kt, j, e);
    }
}

/* Scores of one line to probabilities; zero up to the next multiple of 16. */
static void softmax(float *s, size_t n, float scale)
{
    struct v16 top = v_set1(-INFINITY), sum = v_set1(0.0f);
    for (size_t j = 0; j < n; j += 16)
        top = v_max(v_get(s + j, n - j, -INFINITY), top);
    const struct v16 shift = v_set1(v_top(top)), factor = v_set1(scale);
    for (size_t j = 0; j < n; j += 16) {
        struct v16 p = v_exp(v_mul(v_sub(v_get(s + j, n - j, -INFINITY), shift), factor));
        v_store(s + j, p);
        sum = v_add(sum, p);
    }
    const struct v16 inverse = v_set1(1.0f / v_sum(sum));
    for (size_t j = 0; j < n; j += 16)
        v_store(s + j, v_mul(v_load(s + j), inverse));
}

/* Columns C.. of the outputs of COUNT lines from I: VECS vectors, or the LEFT < 16 last columns. */
ALWAYS_INLINE void mix_tile(const struct lines *l, size_t i, const size_t count, const size_t vecs,
                            const float *v, size_t ldv, size_t c, size_t left)
{
    struct v16 sum[TILE * TILE_VECS];
    const float *p = l->score + i * l->stride;
    const size_t stride = l->stride, common = l->reach[i];
    UNROLL for (size_t r = 0; r < count * vecs; r++) sum[r] = v_set1(0.0f);
    const float *key = v + c;
    for (size_t j = 0; j < common; j++, key += ldv) {
        struct v16 value[TILE_VECS];
        UNROLL for (size_t w = 0; w < vecs; w++) value[w] = v_get(key + 16 * w, left, 0.0f);
        UNROLL for (size_t r = 0; r < count; r++)
        {
            const struct v16 weight = v_set1(p[r * stride + j]);
            UNROLL for (size_t w = 0; w < vecs; w++)
            {
                sum[r * vecs + w] = v_fma(weight, value[w], sum[r * vecs + w]);
            }
        }
    }
    UNROLL for (size_t r = 0; r < count; r++)
    {
        for (size_t j = common; j < l->reach[i + r]; j++) {
            const struct v16 weight = v_set1(p[r * stride + j]);
            UNROLL for (size_t w = 0; w < vecs; w++)
            {
                const struct v16 value = v_get(v + j * ldv + c + 16 * w, left, 0.0f);
                sum[r * vecs + w] = v_fma(weight, value, sum[r * vecs + w]);
            }
        }
        UNROLL for (size_t w = 0; w < vecs; w++)
            v_put(l->out[i + r] + c + 16 * w, sum[r * vecs + w], left);
    }
}

ALWAYS_INLINE void mix_columns(const struct lines *l, const size_t vecs, const float *v, size_t ldv,
                               size_t c, size_t left)
{
    size_t i = 0;
    for (; i + TILE <= l->n; i += TILE)
        mix_tile(l, i, TILE, vecs, v, ldv, c, left);
    for (; i < l->n; i++)
        mix_tile(l, i, 1, vecs, v, ldv, c, left);
}

/* out = sum of score * V row. */
static void mix(const struct lines *l, const float *v, size_t ldv, size_t e)
{
    size_t c = 0;
    for (; e - c >= 16 * TILE_VECS; c += 16 * TILE_VECS)
        mix_columns(l, TILE_VECS, v, ldv, c, 16);
    for (; e - c >= 16; c += 16)
        mix_columns(l, 1, v, ldv, c, 16);
    if (c < e)
        mix_columns(l, 1, v, ldv, c, e - c);
}

void LEVEL(attention)(float *out, size_t ldo, float *att, const float *q, size_t ldq,
                      const float *k, size_t ldk, const float *v, size_t ldv, float *scratch,
                      size_t rows, size_t t, size_t heads, size_t kv_heads, size_t e)
{
    assert(rows >= 1 && rows <= t && e <= WIDTH_MAX && heads % kv_heads == 0);
    const size_t group = heads / kv_heads, all = rows * group;
    const float scale = 1.0f / sqrtf((float)e);
    struct lines l = { .score = scratch, .stride = (t + 15) / 16 * 16 };
    for (size_t g = 0; g < kv_heads; g++) {
        for (size_t first = 0; first < all; first += l.n) {
            l.n = MIN(all - first, (size_t)KERNELS_ATTENTION_ROWS);
            for (size_t i = 0; i < l.n; i++) {
                const size_t row = (first + i) / group, head = g * group + (first + i) % group;
                l.reach[i] = t - rows + row + 1;
                l.x[i] = q + row * ldq + head * e;
                l.out[i] = out + row * ldo + head * e;
            }
            scores(&l, k + g * e, ldk, e);
            for (size_t i = 0; i < l.n; i++) {
                softmax(l.score + i * l.stride, l.reach[i], scale);
                if (att == NULL)
                    continue;
                const size_t row = (first + i) / group, head = g * group + (first + i) % group;
                float *to = att + (head * rows + row) * t;
                memcpy(to, l.score + i * l.stride, l.reach[i] * sizeof(float));
                memset(to + l.reach[i], 0, (t - l.reach[i]) * sizeof(float));
            }
            mix(&l, v + g * e, ldv, e);
        }
    }
}

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
            scores(&l, v + g * e, ldv, e);
            for (size_t i = 0; i < l.n; i++)
                softmax_back(l.score + i * l.stride, to_v.weight[i], l.reach[i], l.stride, scale);
            mix(&l, k + g * e, ldk, e);
            flow_back(&to_k, &l, e);
            flow_back(&to_v, &l, e);
        }
    }
}
