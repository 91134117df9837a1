/* SPDX-License-Identifier: Apache-2.0 */
/* level_gemm.c - Y = X W^T over packed column panels.
 *
 * Every output element is one chain fma(x[k], w[k], sum) for k = 0, 1, ... from sum = 0, whatever
 * the tile it falls into; where K is cut into blocks the sums wait in Y, which changes no bit. A
 * tile is up to GEMM_ROWS x GEMM_COLS sums held in registers; with few rows it spans several panels
 * instead, so that enough independent chains hide the latency. */
#include <assert.h>
#include <string.h>

#include "worker/kernels/level.h"
#include "worker/kernels/vec.h"

enum {
    PANEL_VECS = KERNELS_PANEL / GEMM_LANES,
    LINE_FLOATS = 16, /* of a cache line */
    TILE_VECS = GEMM_COLS / GEMM_LANES,
    TILE_SUMS = GEMM_ROWS * TILE_VECS,
    /* A block of KC x 48 weights (36 KiB) stays in a 48 KiB L1, */
    KC = 192,
    /* a block of MC x KC inputs (192 KiB) and one of MC x NC outputs (at most 256 KiB) in a 1 MiB
       L2. */
    MC = 256,
    Y_BLOCK_BYTES = 256 * 1024,
    X_IN_CACHE_BYTES = 512 * 1024,
    PREFETCH_ROWS = 32, /* of a panel: 6 KiB, about 400 cycles of an 8-row tile */
};

/* Which weights a tile asks for while it computes: those that it reaches itself PREFETCH_ROWS
 * later, or one line per k of the block that comes next, which the first tiles share among them. */
enum prefetch { PREFETCH_OWN, PREFETCH_NEXT };

struct gemm_block {
    float *y;
    size_t ldy;
    const float *x;
    size_t ldx;
    const float *panel; /* row k0 of the first panel */
    size_t stride;      /* floats from panel to panel */
    size_t k;
    const float *end;   /* of all weights */
    const float *ahead; /* PREFETCH_NEXT: a line of the block that comes next */
    bool first;         /* sums start at 0, else at Y */
};

ALWAYS_INLINE void prefetch_own(const float *panel, size_t stride, const size_t vecs)
{
    UNROLL for (size_t v = 0; v < vecs; v += LINE_FLOATS / GEMM_LANES)
        __builtin_prefetch(panel + v / PANEL_VECS * stride + v % PANEL_VECS * GEMM_LANES +
                           PREFETCH_ROWS * KERNELS_PANEL);
}

/* ROWS x (VECS * GEMM_LANES) sums; PANEL is the place of their first weight. */
ALWAYS_INLINE void tile(const struct gemm_block *g, float *y, const float *x, const float *panel,
                        const size_t rows, const size_t vecs, const enum prefetch mode)
{
    GEMM_VEC sum[TILE_SUMS], w[TILE_SUMS];
    const size_t ldx = g->ldx, ldy = g->ldy, stride = g->stride;
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
    const float *xk = x, *end = x + g->k, *ahead = g->ahead;
    for (; xk < end; xk++, panel += KERNELS_PANEL, ahead += KERNELS_PANEL) {
        UNROLL for (size_t v = 0; v < vecs; v++)
        {
            w[v] = g_load(panel + v / PANEL_VECS * stride + v % PANEL_VECS * GEMM_LANES);
        }
        if (mode == PREFETCH_OWN)
            prefetch_own(panel, stride, vecs);
        else
            __builtin_prefetch(ahead, 0, 2);
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

/* Where column C of the block's weights lies. */
ALWAYS_INLINE const float *weights_at(const struct gemm_block *g, size_t c)
{
    return g->panel + c / KERNELS_PANEL * g->stride + c % KERNELS_PANEL;
}

/* ROWS x COLS outputs, COLS a multiple of GEMM_LANES; ROWS is a constant where this is inlined. */
ALWAYS_INLINE void strip(const struct gemm_block *g, size_t row, const size_t rows, size_t cols,
                         const enum prefetch mode)
{
    const size_t wide = wide_vecs(rows) * GEMM_LANES, narrow = TILE_VECS * GEMM_LANES;
    float *y = g->y + row * g->ldy;
    const float *x = g->x + row * g->ldx;
    size_t c = 0;
    for (; cols - c >= wide; c += wide)
        tile(g, y + c, x, weights_at(g, c), rows, wide_vecs(rows), mode);
    for (; cols - c >= narrow; c += narrow)
        tile(g, y + c, x, weights_at(g, c), rows, TILE_VECS, mode);
    if (cols - c == 2 * GEMM_LANES)
        tile(g, y + c, x, weights_at(g, c), rows, 2, mode);
    else if (cols - c == GEMM_LANES)
        tile(g, y + c, x, weights_at(g, c), rows, 1, mode);
}

#define STRIP(ROWS)                                                                                \
    static void strip_##ROWS(const struct gemm_block *g, size_t row, size_t cols, bool own)        \
    {                                                                                              \
        if (own)                                                                                   \
            strip(g, row, ROWS, cols, PREFETCH_OWN);                                               \
        else                                                                                       \
            strip(g, row, ROWS, cols, PREFETCH_NEXT);                                              \
    }
STRIP(1)
STRIP(2)
STRIP(3)
STRIP(4)
typedef void (*strip_fn)(const struct gemm_block *g, size_t row, size_t cols, bool own);
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

/* M rows x COLS columns (a multiple of GEMM_LANES), rows in tiles of nearly equal height. NEXT: the
 * block of weights that comes next, NULL when the tiles are to prefetch what they need themselves.
 */
static void block(struct gemm_block *g, size_t m, size_t cols, const float *next)
{
    const size_t tiles = (m + GEMM_ROWS - 1) / GEMM_ROWS;
    for (size_t i = 0, row = 0; i < tiles; i++) {
        const size_t rows = (m - row + tiles - i - 1) / (tiles - i);
        g->ahead = next != NULL && next < g->end && i < 3 ? next + i * LINE_FLOATS : g->panel;
        STRIPS[rows](g, row, cols, next == NULL);
        row += rows;
    }
}

/* Columns that are no whole vectors, through a copy of Y's part. */
static void block_edge(const struct gemm_block *g, size_t m, size_t cols)
{
    float y[GEMM_ROWS * KERNELS_PANEL];
    const size_t all = (cols + GEMM_LANES - 1) / GEMM_LANES * GEMM_LANES;
    struct gemm_block part = *g;
    part.ldy = KERNELS_PANEL;
    part.y = y;
    for (size_t row = 0, rows; row < m; row += rows) {
        rows = MIN(m - row, (size_t)GEMM_ROWS);
        part.x = g->x + row * g->ldx;
        memset(y, 0, sizeof(y));
        for (size_t r = 0; r < rows && !g->first; r++)
            memcpy(y + r * KERNELS_PANEL, g->y + (row + r) * g->ldy, cols * sizeof(float));
        block(&part, rows, all, NULL);
        for (size_t r = 0; r < rows; r++)
            memcpy(g->y + (row + r) * g->ldy, y + r * KERNELS_PANEL, cols * sizeof(float));
    }
}

/* K of one strip of rows: weights stream through once. */
static void stream(struct gemm_block *g, size_t m, size_t cols)
{
    const size_t whole = cols / GEMM_LANES * GEMM_LANES;
    g->first = true;
    block(g, m, whole, NULL);
    if (whole == cols)
        return;
    const size_t c = cols / KERNELS_PANEL * KERNELS_PANEL; /* the last, partial panel */
    g->y += c;
    g->panel += c / KERNELS_PANEL * g->stride;
    block_edge(g, m, cols - c);
}

/* All of K for M <= MC rows and COLS columns whose outputs fit the cache; K in blocks of KC. */
static void group(struct gemm_block *g, size_t k, size_t kc, size_t m, size_t cols)
{
    const float *x = g->x, *panel = g->panel;
    float *y = g->y;
    const bool one = cols <= KERNELS_PANEL;
    for (size_t k0 = 0; k0 < k; k0 += kc) {
        g->k = MIN(kc, k - k0);
        g->first = k0 == 0;
        g->x = x + k0;
        for (size_t c = 0; c < cols; c += KERNELS_PANEL) {
            g->y = y + c;
            g->panel = panel + c / KERNELS_PANEL * g->stride + k0 * KERNELS_PANEL;
            const float *next = g->panel + (one ? kc * KERNELS_PANEL : g->stride);
            if ((cols - c) % GEMM_LANES == 0 || cols - c >= KERNELS_PANEL)
                block(g, m, MIN(cols - c, (size_t)KERNELS_PANEL), next);
            else
                block_edge(g, m, cols - c);
        }
    }
}

void LEVEL(gemm)(float *y, size_t ldy, const float *x, size_t ldx, const struct packed *w, size_t m,
                 size_t n0, size_t n1)
{
    assert(n0 % KERNELS_PANEL == 0 && n0 <= n1 && n1 <= w->n && w->k > 0);
    const size_t k = w->k, blocks = (k + KC - 1) / KC, kc = (k + blocks - 1) / blocks;
    const size_t stride = k * KERNELS_PANEL;
    for (size_t m0 = 0, rows; m0 < m; m0 += rows) {
        rows = MIN(m - m0, (size_t)MC);
        size_t nc = n1 - n0;
        if (rows > GEMM_ROWS && blocks > 1 && rows * k * sizeof(float) <= X_IN_CACHE_BYTES)
            nc = KERNELS_PANEL;
        else if (rows > GEMM_ROWS && blocks > 1)
            nc = MAX(Y_BLOCK_BYTES / (rows * KERNELS_PANEL * sizeof(float)), (size_t)1) *
                 KERNELS_PANEL;
        for (size_t c = n0; c < n1; c += nc) {
            struct gemm_block g = { .y = y + m0 * ldy + c,
                                    .ldy = ldy,
                                    .x = x + m0 * ldx,
                                    .ldx = ldx,
                                    .panel = w->panel + c / KERNELS_PANEL * stride,
                                    .stride = stride,
                                    .end = w->panel + packed_floats(k, w->n),
                                    .k = k };
            if (rows <= GEMM_ROWS)
                stream(&g, rows, MIN(nc, n1 - c));
            else
                group(&g, k, kc, rows, MIN(nc, n1 - c));
        }
    }
}
