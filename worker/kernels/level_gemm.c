/* SPDX-License-Identifier: Apache-2.0 */
/* level_gemm.c - Y = X W^T over packed column panels.
 *
 * Every output element is one chain fma(x[k], w[k], sum) for k = 0, 1, ... from sum = 0, whatever
 * the tile it falls into; where K is cut into blocks the sums wait in Y, which changes no bit.
 * Weights of 16 bits are exact in float: few rows widen them in registers, many rows share a block
 * that is widened once. */
#include <assert.h>
#include <string.h>

#include "worker/kernels/level.h"
#include "worker/kernels/tile.h"
#include "worker/kernels/vec.h"

enum {
    /* A block of KC x 48 weights (36 KiB) stays in a 48 KiB L1, */
    KC = 192,
    /* a block of MC x KC inputs (192 KiB) and one of MC x NC outputs (at most 256 KiB) in a 1 MiB
       L2. */
    MC = 256,
    Y_BLOCK_BYTES = 256 * 1024,
    X_IN_CACHE_BYTES = 512 * 1024,
    SHARE_ROWS = 2 * GEMM_ROWS, /* up to here widening twice costs less than the detour */
};

/* All of one product. */
struct gemm {
    struct gemm_block b;
    enum weight_type type;
    size_t kc;
    const char *end;                             /* of all weights */
    _Alignas(64) float wide[KC * KERNELS_PANEL]; /* a block of narrow weights, widened */
};

static const enum strip_kind STRIP_OF[WEIGHT_TYPES] = {
    [WEIGHT_F32] = STRIP_F32, [WEIGHT_F16] = STRIP_F16, [WEIGHT_BF16] = STRIP_BF16
};
static const enum strip_kind STRIP_NEXT_OF[WEIGHT_TYPES] = {
    [WEIGHT_F32] = STRIP_F32_NEXT, [WEIGHT_F16] = STRIP_F16_NEXT, [WEIGHT_BF16] = STRIP_BF16_NEXT
};

/* M rows x COLS columns (a multiple of GEMM_LANES), in tiles of nearly equal height. NEXT: the
 * block of weights that comes next, of which the first tiles fetch one or two lines per k each, and
 * of narrow weights the first tile widens this block for the others. NULL: every tile fetches and
 * widens for itself. */
static void block(struct gemm_block *g, enum weight_type type, size_t m, size_t cols,
                  const char *next)
{
    const size_t tiles = (m + GEMM_ROWS - 1) / GEMM_ROWS;
    const size_t low = m % GEMM_ROWS == 0 ? GEMM_ROWS : m / tiles, taller = m - low * tiles;
    const size_t row_bytes = KERNELS_PANEL * weight_type_bytes(type), each = tiles > 2 ? 1 : 2;
    for (size_t i = 0, row = 0; i < tiles; i++) {
        const size_t rows = low + (i < taller), at = i * each * LINE_BYTES;
        const bool fetch = next != NULL && at < row_bytes;
        g->ahead = fetch ? next + at : g->panel;
        g->ahead_step = fetch ? row_bytes : 0;
        g->ahead_gap = (each - 1) * LINE_BYTES;
        STRIPS[rows](g, row, cols, next == NULL ? STRIP_OF[type] : STRIP_NEXT_OF[type]);
        if (next != NULL && type != WEIGHT_F32) {
            g->panel = g->wide;
            type = WEIGHT_F32;
        }
        row += rows;
    }
}

/* Columns that are no whole vectors, through a copy of Y's part. */
static void block_edge(const struct gemm_block *g, size_t m, size_t cols, enum weight_type type)
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
        block(&part, type, rows, all, NULL);
        for (size_t r = 0; r < rows; r++)
            memcpy(g->y + (row + r) * g->ldy, y + r * KERNELS_PANEL, cols * sizeof(float));
    }
}

/* K of one strip of rows: weights stream through once. */
static void stream(struct gemm *p, size_t m, size_t cols)
{
    struct gemm_block *g = &p->b;
    const size_t whole = cols / GEMM_LANES * GEMM_LANES;
    g->first = true;
    block(g, p->type, m, whole, NULL);
    if (whole == cols)
        return;
    const size_t c = cols / KERNELS_PANEL * KERNELS_PANEL; /* the last, partial panel */
    g->y += c;
    g->panel = weights_at(g, c, p->type);
    block_edge(g, m, cols - c, p->type);
}

/* All of K for M <= MC rows and COLS columns whose outputs fit the cache; K in blocks of KC. */
static void group(struct gemm *p, size_t k, size_t m, size_t cols)
{
    struct gemm_block *g = &p->b;
    const struct gemm_block all = *g;
    const bool one = cols <= KERNELS_PANEL;
    const bool alone = p->type != WEIGHT_F32 && m <= SHARE_ROWS; /* tiles widen for themselves */
    for (size_t k0 = 0; k0 < k; k0 += p->kc) {
        g->k = MIN(p->kc, k - k0);
        g->first = k0 == 0;
        g->x = all.x + k0;
        for (size_t c = 0; c < cols; c += KERNELS_PANEL) {
            const size_t at = c / KERNELS_PANEL * g->stride + k0 * KERNELS_PANEL;
            g->y = all.y + c;
            g->panel = element_at(all.panel, at, p->type);
            const size_t width = MIN(cols - c, (size_t)KERNELS_PANEL);
            const size_t step = one ? p->kc * KERNELS_PANEL : g->stride;
            const char *next = element_at(g->panel, step, p->type);
            if (next >= p->end)
                next = g->panel; /* the last block fetches itself */
            if (alone || width < KERNELS_PANEL)
                next = NULL;
            if (width % GEMM_LANES == 0)
                block(g, p->type, m, width, next);
            else
                block_edge(g, m, width, p->type);
        }
    }
}

void LEVEL(gemm)(float *y, size_t ldy, const float *x, size_t ldx, const struct packed *w, size_t m,
                 size_t n0, size_t n1)
{
    assert(n0 % KERNELS_PANEL == 0 && n0 <= n1 && n1 <= w->n && w->k > 0);
    const size_t k = w->k, blocks = (k + KC - 1) / KC;
    struct gemm p;
    p.type = w->type;
    p.kc = (k + blocks - 1) / blocks;
    p.end = element_at(w->panel, packed_floats(k, w->n), w->type);
    for (size_t m0 = 0, rows; m0 < m; m0 += rows) {
        rows = MIN(m - m0, (size_t)MC);
        size_t nc = n1 - n0;
        const bool x_in_cache = rows * k * sizeof(float) <= X_IN_CACHE_BYTES;
        if (rows > GEMM_ROWS && blocks > 1 && (x_in_cache || rows <= SHARE_ROWS))
            nc = KERNELS_PANEL;
        else if (rows > GEMM_ROWS && blocks > 1)
            nc = MAX(Y_BLOCK_BYTES / (rows * KERNELS_PANEL * sizeof(float)), (size_t)1) *
                 KERNELS_PANEL;
        for (size_t c = n0; c < n1; c += nc) {
            p.b = (struct gemm_block){ .y = y + m0 * ldy + c,
                                       .ldy = ldy,
                                       .x = x + m0 * ldx,
                                       .ldx = ldx,
                                       .panel = element_at(w->panel, c * k, w->type),
                                       .stride = k * KERNELS_PANEL,
                                       .k = k,
                                       .wide = p.wide };
            if (rows <= GEMM_ROWS)
                stream(&p, rows, MIN(nc, n1 - c));
            else
                group(&p, k, rows, MIN(nc, n1 - c));
        }
    }
}
