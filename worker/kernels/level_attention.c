/* SPDX-License-Identifier: Apache-2.0 */
/* level_attention.c - causal attention, forward. What decides its bits: scores.h. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "worker/kernels/fmath.h"
#include "worker/kernels/level.h"
#include "worker/kernels/mix.h"
#include "worker/kernels/scores.h"

enum { SOFT_LINES = 4, SOFT_VECS = 4 }; /* short lines go together */

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

/* The same of COUNT neighbouring lines with VECS vectors each, which wait for each other less. */
ALWAYS_INLINE void softmax_tile(const struct lines *l, size_t i, const size_t count,
                                const size_t vecs, float scale)
{
    struct v16 s[SOFT_LINES * SOFT_VECS];
    const struct v16 factor = v_set1(scale);
    const size_t last = 16 * (vecs - 1);
    float *at[SOFT_LINES];
    UNROLL for (size_t r = 0; r < count; r++)
    {
        struct v16 top = v_set1(-INFINITY);
        at[r] = l->score + (i + r) * l->stride;
        UNROLL for (size_t v = 0; v + 1 < vecs; v++) s[r * vecs + v] = v_load(at[r] + 16 * v);
        s[r * vecs + vecs - 1] = v_get(at[r] + last, l->reach[i + r] - last, -INFINITY);
        UNROLL for (size_t v = 0; v < vecs; v++) top = v_max(s[r * vecs + v], top);
        const struct v16 shift = v_set1(v_top(top));
        UNROLL for (size_t v = 0; v < vecs; v++) s[r * vecs + v] =
            v_mul(v_sub(s[r * vecs + v], shift), factor);
    }
    UNROLL for (size_t r = 0; r < count * vecs; r++) s[r] = v_exp(s[r]);
    UNROLL for (size_t r = 0; r < count; r++)
    {
        struct v16 sum = v_set1(0.0f);
        UNROLL for (size_t v = 0; v < vecs; v++) sum = v_add(sum, s[r * vecs + v]);
        const struct v16 inverse = v_set1(1.0f / v_sum(sum));
        UNROLL for (size_t v = 0; v < vecs; v++)
            v_store(at[r] + 16 * v, v_mul(s[r * vecs + v], inverse));
    }
}

static size_t vecs_of(const struct lines *l, size_t i)
{
    return (l->reach[i] + 15) / 16;
}

/* Have SOFT_LINES lines from I on as many vectors as the first, and few? */
static bool are_alike(const struct lines *l, size_t i)
{
    bool alike = i + SOFT_LINES <= l->n && vecs_of(l, i) <= SOFT_VECS;
    for (size_t r = 1; alike && r < SOFT_LINES; r++)
        alike = vecs_of(l, i + r) == vecs_of(l, i);
    return alike;
}

/* All lines of L. */
static void softmax_lines(const struct lines *l, float scale)
{
    for (size_t i = 0; i < l->n;) {
        const size_t vecs = vecs_of(l, i);
        if (!are_alike(l, i)) {
            softmax(l->score + i * l->stride, l->reach[i], scale);
            i++;
            continue;
        }
        if (vecs == 1)
            softmax_tile(l, i, SOFT_LINES, 1, scale);
        else if (vecs == 2)
            softmax_tile(l, i, SOFT_LINES, 2, scale);
        else if (vecs == 3)
            softmax_tile(l, i, SOFT_LINES, 3, scale);
        else
            softmax_tile(l, i, SOFT_LINES, 4, scale);
        i += SOFT_LINES;
    }
}

/* Where a line is from: the lines of a key/value head are those of its rows, GROUP heads each. */
struct place {
    size_t row, member, g;
};

static inline void place_next(struct place *p, size_t rows, size_t group)
{
    if (++p->member < group)
        return;
    p->member = 0;
    if (++p->row < rows)
        return;
    p->row = 0;
    p->g++;
}

void LEVEL(attention)(float *out, size_t ldo, float *att, const float *q, size_t ldq,
                      const struct kv_view *kv, float *scratch, size_t rows, size_t t, size_t heads,
                      size_t kv_heads, size_t e)
{
    assert(rows >= 1 && rows <= t && e <= WIDTH_MAX && heads % kv_heads == 0);
    assert((kv->page >= t && !kv->turned) || (kv->page > 0 && kv->page % 16 == 0));
    const size_t group = heads / kv_heads, all = rows * group;
    const float scale = 1.0f / sqrtf((float)e);
    struct lines l = { .score = scratch, .stride = (t + 15) / 16 * 16 };
    /* few lines: several heads in one chunk, so that keys are read as they lie in memory */
    const size_t together = MIN(kv_heads, MAX(KERNELS_ATTENTION_ROWS / all, (size_t)1));
    for (size_t g = 0, count; g < kv_heads; g += count) {
        count = MIN(kv_heads - g, together);
        for (size_t first = 0; first < all; first += KERNELS_ATTENTION_ROWS) {
            const size_t each = MIN(all - first, (size_t)KERNELS_ATTENTION_ROWS);
            l.n = count * each;
            struct place at = { first / group, first % group, g }, again = at;
            for (size_t i = 0; i < l.n; i++, place_next(&at, rows, group)) {
                const size_t head = at.g * group + at.member;
                l.reach[i] = t - rows + at.row + 1;
                l.x[i] = q + at.row * ldq + head * e;
                l.out[i] = out + at.row * ldo + head * e;
            }
            scores(&l, each, (struct keys){ kv->k, kv->page, kv->ld, g * e, kv->turned }, e);
            softmax_lines(&l, scale);
            for (size_t i = 0; att != NULL && i < l.n; i++, place_next(&again, rows, group)) {
                float *to = att + ((again.g * group + again.member) * rows + again.row) * t;
                memcpy(to, l.score + i * l.stride, l.reach[i] * sizeof(float));
                memset(to + l.reach[i], 0, (t - l.reach[i]) * sizeof(float));
            }
            mix(&l, each, (struct keys){ kv->v, kv->page, kv->ld, g * e, false }, e);
        }
    }
}
