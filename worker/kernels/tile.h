/* SPDX-License-Identifier: Apache-2.0 */
/* tile.h - the inner loop of the matrix product: a tile of up to GEMM_ROWS x GEMM_COLS sums held in
 * registers. Only level_gemm.c includes this. With few rows a tile spans several panels, so that
 * enough independent chains hide the latency. Weights of 16 bits are widened in registers. */
#ifndef WORKER_KERNELS_TILE_H
#define WORKER_KERNELS_TILE_H

#include "worker/kernels/level.h"
#include "worker/kernels/vec.h"

enum {
    PANEL_VECS = KERNELS_PANEL / GEMM_LANES,
    LINE_BYTES = 64, /* of a cache line */
    TILE_VECS = GEMM_COLS / GEMM_LANES,
    TILE_SUMS = GEMM_ROWS * TILE_VECS,
    PREFETCH_BYTES = 6 << 10, /* of a panel: about 400 cycles of an 8-row tile of floats */
};

/* Which weights a tile asks for while it computes: those that it reaches itself PREFETCH_BYTES
 * later, or one or two lines per k of the block that comes next, which the first tiles share among
 * them.
 */
enum prefetch { PREFETCH_OWN, PREFETCH_NEXT };

struct gemm_block {
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const void *panel; /* row k0 of the first panel */
    size_t stride;     /* elements from panel to panel */
    size_t k;
    const char *ahead; /* PREFETCH_NEXT: lines of the block that comes next, */
    size_t ahead_gap;  /* bytes from the first to the second (0: there is one), */
    size_t ahead_step; /* and to those of the next k */
    float *wide;       /* narrow weights with PREFETCH_NEXT: gets the block widened, K x 48 */
    bool first;        /* sums start at 0, else at Y */
};

ALWAYS_INLINE const void *element_at(const void *panel, size_t i, const enum weight_type type)
{
    return (const char *)panel + i * (type == WEIGHT_F32 ? 4 : 2);
}

ALWAYS_INLINE GEMM_VEC load_weights(const void *panel, size_t i, const enum weight_type type)
{
    const void *from = element_at(panel, i, type);
    if (type == WEIGHT_F16)
        return g_load_f16(from);
    if (type == WEIGHT_BF16)
        return g_load_bf16(from);
    return g_load(from);
}

ALWAYS_INLINE void prefetch_own(const void *panel, size_t stride, const size_t vecs,
                                const enum weight_type type)
{
    const size_t bytes = type == WEIGHT_F32 ? 4 : 2;
    const size_t panels = (vecs + PANEL_VECS - 1) / PANEL_VECS;
    const size_t row = MIN(vecs, (size_t)PANEL_VECS) * GEMM_LANES * bytes;
    UNROLL for (size_t p = 0; p < panels; p++)
    {
        const char *from = element_at(panel, p * stride, type);
        UNROLL for (size_t at = 0; at < row; at += LINE_BYTES)
            __builtin_prefetch(from + PREFETCH_BYTES + at);
    }
}

/* Where column C of the block's weights lies. */
ALWAYS_INLINE const void *weights_at(const struct gemm_block *g, size_t c,
                                     const enum weight_type type)
{
    return element_at(g->panel, c / KERNELS_PANEL * g->stride + c % KERNELS_PANEL, type);
}

/* ROWS x (VECS * GEMM_LANES) sums from column C of the block on. */
ALWAYS_INLINE void tile(const struct gemm_block *g, size_t row, size_t c, const size_t rows,
                        const size_t vecs, const enum weight_type type, const enum prefetch mode)
{
    GEMM_VEC sum[TILE_SUMS], w[TILE_SUMS];
    const size_t ldx = g->ldx, ldy = g->ldy, stride = g->stride, ahead_step = g->ahead_step;
    const bool keep = type != WEIGHT_F32 && mode == PREFETCH_NEXT;
    const void *panel = weights_at(g, c, type);
    float *y = g->y + row * ldy + c, *wide = keep ? g->wide + c : NULL;
    if (g->first) {
        UNROLL for (size_t i = 0; i < rows * vecs; i++)
        {
            sum[i] = g_zero();
        }
    } else {
        UNROLL for (size_t i = 0; i < rows * vecs; i++)
        {
            sum[i] = g_load(y + i / vecs * ldy + i % vecs * GEMM_LANES);
        }
    }
    const float *xk = g->x + row * ldx, *end = xk + g->k;
    const char *ahead = g->ahead;
    for (; xk < end; xk++, panel = element_at(panel, KERNELS_PANEL, type)) {
        UNROLL for (size_t v = 0; v < vecs; v++)
        {
            w[v] = load_weights(panel, v / PANEL_VECS * stride + v % PANEL_VECS * GEMM_LANES, type);
            if (keep)
                g_store(wide + v * GEMM_LANES, w[v]);
        }
        if (keep)
            wide += KERNELS_PANEL;
        if (mode == PREFETCH_OWN) {
            prefetch_own(panel, stride, vecs, type);
        } else {
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(ahead + g->ahead_gap, 0, 2);
            ahead += ahead_step;
        }
        UNROLL for (size_t r = 0; r < rows; r++)
        {
            const GEMM_VEC a = g_set1(xk + r * ldx);
            UNROLL for (size_t v = 0; v < vecs; v++)
            {
                sum[r * vecs + v] = g_fma(a, w[v], sum[r * vecs + v]);
            }
        }
    }
    UNROLL for (size_t i = 0; i < rows * vecs; i++)
    {
        g_store(y + i / vecs * ldy + i % vecs * GEMM_LANES, sum[i]);
    }
}

/* Vectors across a tile of ROWS rows: as many panels as give at least eight chains and fit the
 * registers. */
ALWAYS_INLINE size_t wide_vecs(size_t rows)
{
    if (GEMM_LANES == 16)
        return rows <= 2 ? 12 : rows <= 4 ? 6 : 3;
    return rows == 1 ? 12 : rows == 2 ? 6 : 3;
}

/* ROWS x COLS outputs, COLS a multiple of GEMM_LANES; ROWS is a constant where this is inlined. */
ALWAYS_INLINE void strip(const struct gemm_block *g, size_t row, const size_t rows, size_t cols,
                         const enum weight_type type, const enum prefetch mode)
{
    const size_t wide = wide_vecs(rows) * GEMM_LANES, narrow = TILE_VECS * GEMM_LANES;
    size_t c = 0;
    for (; mode == PREFETCH_OWN && cols - c >= wide; c += wide)
        tile(g, row, c, rows, wide_vecs(rows), type, mode);
    for (; cols - c >= narrow; c += narrow)
        tile(g, row, c, rows, TILE_VECS, type, mode);
    if (mode == PREFETCH_NEXT) /* a whole panel */
        return;
    if (cols - c == 2 * GEMM_LANES)
        tile(g, row, c, rows, 2, type, mode);
    else if (cols - c == GEMM_LANES)
        tile(g, row, c, rows, 1, type, mode);
}

/* Type of the weights and how they are fetched. */
enum strip_kind {
    STRIP_F32,
    STRIP_F32_NEXT,
    STRIP_F16,
    STRIP_F16_NEXT,
    STRIP_BF16,
    STRIP_BF16_NEXT,
    STRIP_KINDS
};

#define STRIP(ROWS)                                                                                \
    static void strip_##ROWS(const struct gemm_block *g, size_t row, size_t cols,                  \
                             enum strip_kind kind)                                                 \
    {                                                                                              \
        switch (kind) {                                                                            \
        case STRIP_F32:                                                                            \
            strip(g, row, ROWS, cols, WEIGHT_F32, PREFETCH_OWN);                                   \
            return;                                                                                \
        case STRIP_F32_NEXT:                                                                       \
            strip(g, row, ROWS, cols, WEIGHT_F32, PREFETCH_NEXT);                                  \
            return;                                                                                \
        case STRIP_F16:                                                                            \
            strip(g, row, ROWS, cols, WEIGHT_F16, PREFETCH_OWN);                                   \
            return;                                                                                \
        case STRIP_F16_NEXT:                                                                       \
            strip(g, row, ROWS, cols, WEIGHT_F16, PREFETCH_NEXT);                                  \
            return;                                                                                \
        case STRIP_BF16:                                                                           \
            strip(g, row, ROWS, cols, WEIGHT_BF16, PREFETCH_OWN);                                  \
            return;                                                                                \
        case STRIP_BF16_NEXT:                                                                      \
            strip(g, row, ROWS, cols, WEIGHT_BF16, PREFETCH_NEXT);                                 \
            return;                                                                                \
        case STRIP_KINDS:                                                                          \
            return;                                                                                \
        }                                                                                          \
    }
STRIP(1)
STRIP(2)
STRIP(3)
STRIP(4)
typedef void (*strip_fn)(const struct gemm_block *g, size_t row, size_t cols, enum strip_kind kind);
#if defined(KERNELS_LEVEL_v4)
STRIP(5)
STRIP(6)
STRIP(7)
STRIP(8)
static const strip_fn STRIPS[] = { NULL,    strip_1, strip_2, strip_3, strip_4,
                                   strip_5, strip_6, strip_7, strip_8 };
#else
static const strip_fn STRIPS[] = { NULL, strip_1, strip_2, strip_3, strip_4 };
#endif

#endif
