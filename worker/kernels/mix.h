/* SPDX-License-Identifier: Apache-2.0 */
/* mix.h - sums of values weighted by probabilities, the second half of attention. Only
 * level_attention*.c include this; scores.h says what decides the bits. */
#ifndef WORKER_KERNELS_MIX_H
#define WORKER_KERNELS_MIX_H

#include "worker/kernels/scores.h"

enum { HEAD_SUMS = 4 * TILE_VECS }; /* of heads together */

/* SUM[r][w] of COUNT lines from I += weight * value over keys [j, end) of one page, columns C..;
 * EACH: only of the lines that see the key. */
ALWAYS_INLINE void mix_keys(struct v16 *sum, const struct lines *l, size_t i, const size_t count,
                            const size_t vecs, const float *key, size_t ldv, size_t j, size_t end,
                            size_t left, const bool each)
{
    const float *p = l->score + i * l->stride;
    const size_t stride = l->stride;
    for (; j < end; j++, key += ldv) {
        struct v16 value[MIX_VECS];
        UNROLL for (size_t w = 0; w < vecs; w++)
        {
            value[w] = v_get(key + 16 * w, left, 0.0f);
            if (count < TILE) /* more lines find most of it in the cache, and lack registers */
                __builtin_prefetch(key + AHEAD * ldv + 16 * w, 0, 2);
        }
        UNROLL for (size_t r = 0; r < count; r++)
        {
            if (each && l->reach[i + r] <= j)
                continue;
            const struct v16 weight = v_set1(p[r * stride + j]);
            UNROLL for (size_t w = 0; w < vecs; w++)
            {
                sum[r * vecs + w] = v_fma(weight, value[w], sum[r * vecs + w]);
            }
        }
    }
}

/* The same for the COUNT - 1 keys from J on that not all lines see: one line less per key. */
ALWAYS_INLINE void mix_triangle(struct v16 *sum, const struct lines *l, size_t i,
                                const size_t count, const size_t vecs, const float *key, size_t ldv,
                                size_t j, size_t left)
{
    const float *p = l->score + i * l->stride + j;
    UNROLL for (size_t d = 0; d + 1 < count; d++)
    {
        struct v16 value[MIX_VECS];
        UNROLL for (size_t w = 0; w < vecs; w++) value[w] =
            v_get(key + d * ldv + 16 * w, left, 0.0f);
        UNROLL for (size_t r = d + 1; r < count; r++)
        {
            const struct v16 weight = v_set1(p[r * l->stride + d]);
            UNROLL for (size_t w = 0; w < vecs; w++) sum[r * vecs + w] =
                v_fma(weight, value[w], sum[r * vecs + w]);
        }
    }
}

/* Does each of COUNT lines from I see one key more than the line before it? */
static inline bool is_stair(const struct lines *l, size_t i, size_t count)
{
    for (size_t r = 1; r < count; r++)
        if (l->reach[i + r] != l->reach[i] + r)
            return false;
    return true;
}

/* A run of keys. */
struct range {
    size_t from, to;
};

/* Columns C.. of the outputs of COUNT lines from I, further by the keys of RANGE: VECS vectors, or
 * the LEFT < 16 last columns. */
ALWAYS_INLINE void mix_tile(const struct lines *l, size_t i, const size_t count, const size_t vecs,
                            const struct keys *v, struct range range, size_t c, size_t left)
{
    struct v16 sum[MIX_SUMS];
    const size_t all = MIN(l->reach[i + count - 1], range.to);
    size_t common = MIN(MAX(l->reach[i], range.from), range.to);
    if (all <= range.from)
        return;
    UNROLL for (size_t r = 0; r < count * vecs; r++) sum[r] =
        range.from == 0 ? v_set1(0.0f)
                        : v_get(l->out[i + r / vecs] + c + 16 * (r % vecs), left, 0.0f);
    for (size_t j = range.from, end; j < common; j = end) {
        end = MIN(common, page_end(v, j));
        mix_keys(sum, l, i, count, vecs, key_at(v, j) + c, v->ld, j, end, left, false);
    }
    if (count == TILE && common == l->reach[i] && all - common == TILE - 1 &&
        page_end(v, common) >= all && is_stair(l, i, TILE)) {
        mix_triangle(sum, l, i, TILE, vecs, key_at(v, common) + c, v->ld, common, left);
        common = all;
    }
    for (size_t j = common, end; count > 1 && j < all; j = end) {
        end = MIN(all, page_end(v, j));
        mix_keys(sum, l, i, count, vecs, key_at(v, j) + c, v->ld, j, end, left, true);
    }
    UNROLL for (size_t r = 0; r < count; r++)
    {
        UNROLL for (size_t w = 0; w < vecs; w++)
            v_put(l->out[i + r] + c + 16 * w, sum[r * vecs + w], left);
    }
}

/* All columns of COUNT lines, VECS vectors at a time. */
ALWAYS_INLINE void mix_few(const struct lines *l, size_t i, const size_t count, const size_t vecs,
                           const struct keys *v, struct range range, size_t e)
{
    size_t c = 0;
    for (; e - c >= 16 * vecs; c += 16 * vecs)
        mix_tile(l, i, count, vecs, v, range, c, 16);
    for (; vecs > 2 && e - c >= 32; c += 32)
        mix_tile(l, i, count, 2, v, range, c, 16);
    for (; e - c >= 16; c += 16)
        mix_tile(l, i, count, 1, v, range, c, 16);
    if (c < e)
        mix_tile(l, i, count, 1, v, range, c, e - c);
}

/* Lines [begin, end), of one head. Tiles of whole height take turns on a strip of columns, which
 * then comes from the cache. */
static void mix_range(const struct lines *l, size_t begin, size_t end, const struct keys *v,
                      struct range range, size_t e)
{
    size_t i = begin + (end - begin) / TILE * TILE, c = 0;
    for (; e - c >= 16 * TILE_VECS; c += 16 * TILE_VECS)
        for (size_t at = begin; at < i; at += TILE)
            mix_tile(l, at, TILE, TILE_VECS, v, range, c, 16);
    for (; e - c >= 16; c += 16)
        for (size_t at = begin; at < i; at += TILE)
            mix_tile(l, at, TILE, 1, v, range, c, 16);
    for (size_t at = begin; c < e && at < i; at += TILE)
        mix_tile(l, at, TILE, 1, v, range, c, e - c);
    if (TILE > 4 && i + 4 <= end) {
        mix_few(l, i, 4, MIX_VECS, v, range, e);
        i += 4;
    }
    if (end - i == 3)
        mix_few(l, i, 3, TILE > 4 ? MIX_VECS : TILE_VECS, v, range, e);
    else if (end - i == 2)
        mix_few(l, i, 2, MIX_VECS, v, range, e);
    else if (i < end)
        mix_few(l, i, 1, MIX_VECS, v, range, e);
}

/* The outputs, VECS vectors each, of COUNT lines from I, of as many neighbouring heads, further by
 * the keys of RANGE: more chains than a head alone has. */
ALWAYS_INLINE void mix_heads(const struct lines *l, size_t i, const size_t count, const size_t vecs,
                             const struct keys *v, struct range range)
{
    struct v16 sum[HEAD_SUMS];
    const float *p = l->score + i * l->stride;
    const size_t stride = l->stride, ldv = v->ld;
    UNROLL for (size_t r = 0; r < count * vecs; r++) sum[r] =
        range.from == 0 ? v_set1(0.0f) : v_load(l->out[i + r / vecs] + 16 * (r % vecs));
    for (size_t j = range.from, end; j < range.to; j = end) {
        const float *value = key_at(v, j);
        end = MIN(range.to, page_end(v, j));
        for (; j < end; j++, value += ldv) {
            UNROLL for (size_t r = 0; r < count; r++)
            {
                const struct v16 weight = v_set1(p[r * stride + j]);
                UNROLL for (size_t w = 0; w < vecs; w++)
                {
                    const float *at = value + 16 * (r * vecs + w);
                    __builtin_prefetch(at + AHEAD * ldv, 0, 2);
                    sum[r * vecs + w] = v_fma(weight, v_load(at), sum[r * vecs + w]);
                }
            }
        }
    }
    UNROLL for (size_t r = 0; r < count * vecs; r++)
        v_store(l->out[i + r / vecs] + 16 * (r % vecs), sum[r]);
}

/* As many lines from I on, of one head each, as go together. */
static size_t mix_some_heads(const struct lines *l, size_t i, const struct keys *v,
                             struct range range, size_t e)
{
    if (e == 32 && l->n - i >= HEAD_SUMS / 2) {
        mix_heads(l, i, HEAD_SUMS / 2, 2, v, range);
        return HEAD_SUMS / 2;
    }
    if (e == 16 && l->n - i >= HEAD_SUMS / 2) {
        mix_heads(l, i, HEAD_SUMS / 2, 1, v, range);
        return HEAD_SUMS / 2;
    }
    mix_range(l, i, i + 1, v, range, e);
    return 1;
}

/* out = sum of score * V row, for EACH lines to a head. The sums wait in OUT from one run of keys
 * to the next. */
static void mix(const struct lines *l, size_t each, struct keys v, size_t e)
{
    const size_t keys = l->reach[l->n - 1], at = v.at;
    for (struct range range = { 0, 0 }; range.to < keys; range.from = range.to) {
        range.to = MIN(keys, range.from + MIX_KEYS);
        v.at = at;
        for (size_t i = 0, done = each; i < l->n; i += done, v.at += done / each * e) {
            if (each == 1)
                done = mix_some_heads(l, i, &v, range, e);
            else
                mix_range(l, i, i + each, &v, range, e);
        }
    }
}

#endif
