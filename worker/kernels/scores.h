/* SPDX-License-Identifier: Apache-2.0 */
/* scores.h - lines against keys, the first half of attention. Only level_attention*.c include this.
 *
 * The query rows of all heads that share one key/value head ("lines", row-major, heads inside) go
 * in chunks of KERNELS_ATTENTION_ROWS over blocks of sixteen keys; where a head has few lines, a
 * chunk holds several heads. What decides the bits, and nothing else does:
 *
 *   score of a key      one fma chain over the head's width, from 0
 *   sum of a softmax    sixteen chains by key index modulo 16, then the tree (absent keys add 0)
 *   output              one fma chain over the keys in order, from 0
 *   dK, dV of a key     one fma chain over the lines in order, from 0
 *
 * So a row's output is the same with or without a cache, alone or in a batch. */
#ifndef WORKER_KERNELS_SCORES_H
#define WORKER_KERNELS_SCORES_H

#include "worker/kernels/level.h"
#include "worker/kernels/vec.h"

enum {
    WIDTH_MAX = 256,  /* of a head: bounds the stack below */
    TILE = GEMM_ROWS, /* lines at once */
    TILE_VECS = GEMM_LANES == 16 ? 2 : 1,
    MIX_VECS = 2 * TILE_VECS,    /* with fewer lines */
    MIX_SUMS = TILE * TILE_VECS, /* not less than (TILE / 2) * MIX_VECS */
    SCORE_BLOCKS = TILE_VECS,    /* of sixteen keys at once */
    MIX_KEYS = 64,               /* in one go */
    AHEAD = 16,                  /* keys between a prefetch and its use */
    HEADS_TOGETHER = 4,          /* of one line each */
};

/* The keys, or the values, of one head. */
struct keys {
    const float *const *page;
    size_t per_page, ld, at; /* AT: floats in front of the head */
    bool turned;             /* as struct kv_view has it: AT counts rows of a page */
};

static inline const float *key_at(const struct keys *k, size_t j)
{
    if (j < k->per_page) /* often all keys: a division less */
        return k->page[0] + j * k->ld + k->at;
    return k->page[j / k->per_page] + j % k->per_page * k->ld + k->at;
}

/* Where J's page ends. */
static inline size_t page_end(const struct keys *k, size_t j)
{
    return j < k->per_page ? k->per_page : (j / k->per_page + 1) * k->per_page;
}

/* A chunk of lines. */
struct lines {
    size_t n;
    size_t reach[KERNELS_ATTENTION_ROWS]; /* keys that each sees; does not fall in a head */
    const float
        *x[KERNELS_ATTENTION_ROWS]; /* the line's vector: query, or gradient of the output */
    float *out[KERNELS_ATTENTION_ROWS];
    float *score;  /* [n][stride] */
    size_t stride; /* keys rounded up to 16 */
};

/* OUT (e rounded up to 16, 16) = the KEYS <= 16 rows at X, transposed; absent rows are 0. NEXT: the
 * rows to fetch meanwhile, or NULL. */
static void transpose_keys(float *out, const float *x, size_t ldx, size_t keys, size_t e,
                           const float *next)
{
    float part[16 * 16];
    for (size_t c = 0; c < e; c += 16) {
        for (size_t j = 0; next != NULL && j < 16; j++)
            __builtin_prefetch(next + j * ldx + c, 0, 2);
        if (keys == 16 && e - c >= 16) {
            v_transpose(out + c * 16, x + c, ldx);
            continue;
        }
        for (size_t j = 0; j < 16; j++)
            v_store(part + j * 16, j < keys ? v_get(x + j * ldx + c, e - c, 0.0f) : v_set1(0.0f));
        v_transpose(out + c * 16, part, 16);
    }
}

/* Blocks of sixteen keys by columns: column c of block b is at KT[b] + c * STEP, that of the next
 * head GAP floats further. */
struct columns {
    const float *kt[SCORE_BLOCKS];
    size_t step, gap;
};

/* Scores of COUNT lines from I against BLOCKS blocks of K, whose first key is KEY0. HEADS: each
 * line is another head's. */
ALWAYS_INLINE void score_tile(const struct lines *l, size_t i, const size_t count,
                              const size_t blocks, const struct columns *k, const bool heads,
                              size_t key0, size_t e)
{
    struct v16 sum[TILE * SCORE_BLOCKS], keys[SCORE_BLOCKS];
    const float *x[TILE], *kt[SCORE_BLOCKS];
    const size_t step = k->step, gap = k->gap;
    UNROLL for (size_t r = 0; r < count * blocks; r++) sum[r] = v_set1(0.0f);
    UNROLL for (size_t r = 0; r < count; r++) x[r] = l->x[i + r];
    UNROLL for (size_t b = 0; b < blocks; b++) kt[b] = k->kt[b];
    for (size_t c = 0; c < e; c++) {
        UNROLL for (size_t b = 0; b < blocks && !heads; b++) keys[b] = v_load(kt[b] + c * step);
        UNROLL for (size_t r = 0; r < count; r++)
        {
            const struct v16 a = v_set1(x[r][c]);
            UNROLL for (size_t b = 0; b < blocks && heads; b++) keys[b] =
                v_load(kt[b] + r * gap + c * step);
            UNROLL for (size_t b = 0; b < blocks; b++)
            {
                sum[r * blocks + b] = v_fma(a, keys[b], sum[r * blocks + b]);
            }
        }
    }
    UNROLL for (size_t r = 0; r < count * blocks; r++)
        v_store(l->score + (i + r / blocks) * l->stride + key0 + r % blocks * 16, sum[r]);
}

/* Lines [i, end). */
ALWAYS_INLINE void score_lines(const struct lines *l, size_t i, size_t end, const size_t blocks,
                               const struct columns *k, size_t key0, size_t e)
{
    for (; i + TILE <= end; i += TILE)
        score_tile(l, i, TILE, blocks, k, false, key0, e);
    if (TILE > 4 && i + 4 <= end) {
        score_tile(l, i, 4, blocks, k, false, key0, e);
        i += 4;
    }
    if (end - i == 3)
        score_tile(l, i, 3, blocks, k, false, key0, e);
    else if (end - i == 2)
        score_tile(l, i, 2, blocks, k, false, key0, e);
    else if (i < end)
        score_tile(l, i, 1, blocks, k, false, key0, e);
}

/* Where row ROW of J's page of turned keys lies, from key J on. */
static inline const float *turned_at(const struct keys *k, size_t j, size_t row)
{
    return k->page[j / k->per_page] + row * k->per_page + j % k->per_page;
}

/* Turned keys J.. in blocks, LEFT of them (or more); has NEXT the keys after these fetched. */
static struct columns turned_columns(const struct keys *k, size_t j, size_t left, size_t heads,
                                     size_t e, bool next)
{
    struct columns ret = { .step = k->per_page, .gap = e * k->per_page };
    for (size_t b = 0; b < SCORE_BLOCKS; b++) {
        ret.kt[b] = turned_at(k, b * 16 < left ? j + b * 16 : j, k->at);
        const size_t ahead = j + (SCORE_BLOCKS + b) * 16;
        for (size_t c = 0; next && ahead < j + left && c < heads * e; c++)
            __builtin_prefetch(turned_at(k, ahead, k->at + c), 0, 2);
    }
    return ret;
}

/* Scores of lines [begin, end), of one head, against keys J.. of SCORE_BLOCKS blocks; KEYS: all. */
static void score_block(const struct lines *l, size_t begin, size_t end, const struct keys *k,
                        size_t j, size_t keys, size_t e)
{
    float kt[SCORE_BLOCKS * WIDTH_MAX * 16];
    const size_t left = MIN(keys - j, (size_t)SCORE_BLOCKS * 16), ahead = j + SCORE_BLOCKS * 16;
    const bool few = end - begin < TILE; /* each key is used little: the memory decides */
    size_t first = begin, both; /* the first lines that reach the first and the second block */
    struct columns columns = { .step = 16 };
    if (k->turned)
        columns = turned_columns(k, j, keys - j, 1, e, few);
    for (size_t b = 0; b * 16 < left && !k->turned; b++) {
        const float *next = few && ahead + b * 16 < keys ? key_at(k, ahead + b * 16) : NULL;
        columns.kt[b] = kt + b * WIDTH_MAX * 16;
        transpose_keys(kt + b * WIDTH_MAX * 16, key_at(k, j + b * 16), k->ld,
                       MIN(left - b * 16, (size_t)16), e, next);
    }
    while (first < end && l->reach[first] <= j)
        first++;
    for (both = first; both < end && l->reach[both] <= j + 16 * (SCORE_BLOCKS - 1);)
        both++;
    score_lines(l, first, both, 1, &columns, j, e);
    score_lines(l, both, end, SCORE_BLOCKS, &columns, j, e);
}

/* Of one line per head, all with the same reach, lines from I on as many as go together: none when
 * fewer than that are left. */
static size_t score_heads(const struct lines *l, size_t i, const struct keys *k, size_t j,
                          size_t keys, size_t e)
{
    if (l->n - i < HEADS_TOGETHER)
        return 0;
    const struct columns columns = turned_columns(k, j, keys - j, HEADS_TOGETHER, e, true);
    if (SCORE_BLOCKS > 1 && keys - j > 16)
        score_tile(l, i, HEADS_TOGETHER, SCORE_BLOCKS, &columns, true, j, e);
    else
        score_tile(l, i, HEADS_TOGETHER, 1, &columns, true, j, e);
    return HEADS_TOGETHER;
}

/* All scores that are seen (and some that are not) of the lines, EACH of them to a head, against
 * the heads of K, which are neighbours. */
static void scores(const struct lines *l, size_t each, struct keys k, size_t e)
{
    const size_t keys = l->reach[l->n - 1], at = k.at;
    for (size_t j = 0; j < keys; j += SCORE_BLOCKS * 16) {
        k.at = at;
        for (size_t i = 0, done = 0; i < l->n; i += done, k.at += done / each * e) {
            done = each == 1 && k.turned ? score_heads(l, i, &k, j, keys, e) : 0;
            if (done)
                continue;
            done = each;
            score_block(l, i, i + each, &k, j, keys, e);
        }
    }
}

#endif
