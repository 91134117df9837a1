/* SPDX-License-Identifier: Apache-2.0 */
/* packed.c - weights in column panels: element (n, k) of W lies at panel n / 48, row k, column n
 * % 48. */
#include "worker/kernels/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    HUGE_BYTES =
        2 << 20, /* a huge page: from here on weights are aligned to it, for fewer TLB misses */
    OVERREAD_BYTES = 16 << 10, /* unused room behind the panels, so that prefetches stay inside */
    BLOCK_K = 1024, /* of W's rows at once: a panel's part of at most 192 KiB stays in the cache */
    ALIGN = 64,
};

size_t packed_floats(size_t k, size_t n)
{
    return (n + KERNELS_PANEL - 1) / KERNELS_PANEL * KERNELS_PANEL * k;
}

size_t packed_bytes(const struct packed *p)
{
    return packed_floats(p->k, p->n) * weight_type_bytes(p->type);
}

/* Columns beyond N of the last panel. */
static void clear_padding(struct packed *p)
{
    const size_t used = p->n % KERNELS_PANEL, bytes = weight_type_bytes(p->type);
    if (used == 0)
        return;
    char *panel = (char *)p->panel + p->n / KERNELS_PANEL * KERNELS_PANEL * p->k * bytes;
    for (size_t i = 0; i < p->k; i++)
        memset(panel + (i * KERNELS_PANEL + used) * bytes, 0, (KERNELS_PANEL - used) * bytes);
}

int packed_alloc(struct packed *p, enum weight_type type, size_t k, size_t n, struct err *err)
{
    assert(k > 0 && n > 0);
    *p = (struct packed){ 0 };
    const size_t limit = SIZE_MAX / 16 / sizeof(float);
    if (n > limit - KERNELS_PANEL || k > limit / (n + KERNELS_PANEL))
        return err_set(err, ERR_NOMEM, "a weight matrix of %zu x %zu does not fit the memory", n,
                       k);
    size_t bytes = packed_floats(k, n) * weight_type_bytes(type) + OVERREAD_BYTES;
    const size_t align = bytes >= HUGE_BYTES ? HUGE_BYTES : ALIGN;
    bytes = (bytes + align - 1) / align * align;
    p->panel = aligned_alloc(align, bytes);
    if (p->panel == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a weight matrix of %zu x %zu (%zu bytes)", n,
                       k, bytes);
    if (align == HUGE_BYTES)
        (void)!madvise(p->panel, bytes,
                       MADV_HUGEPAGE); /* a wish: without huge pages it is only slower */
    p->k = k;
    p->n = n;
    p->type = type;
    clear_padding(p);
    return 0;
}

void packed_release(struct packed *p)
{
    free(p->panel);
    *p = (struct packed){ 0 };
}

/* TO (k, stride KERNELS_PANEL) = the ROWS x K elements at FROM, transposed, one at a time. */
static void fill_slowly(char *to, const char *from, size_t stride, size_t rows, size_t k,
                        const size_t bytes)
{
    for (size_t i = 0; i < k; i++)
        for (size_t r = 0; r < rows; r++)
            memcpy(to + (i * KERNELS_PANEL + r) * bytes, from + r * stride + i * bytes, bytes);
}

/* The same for SIDE rows, in registers: interleaving the upper half of the rows with the lower half
 * log2(SIDE) times transposes SIDE x SIDE elements. */
typedef uint16_t vec16 __attribute__((vector_size(16)));
typedef uint32_t vec32 __attribute__((vector_size(16)));
#define LOW16  0, 8, 1, 9, 2, 10, 3, 11
#define HIGH16 4, 12, 5, 13, 6, 14, 7, 15
#define LOW32  0, 4, 1, 5
#define HIGH32 2, 6, 3, 7
enum { SIDE16 = 8, SIDE32 = 4 };

#define FILL_SIDE(BITS)                                                                            \
    static void fill_side_##BITS(char *to, const char *from, size_t stride, size_t k)              \
    {                                                                                              \
        enum { SIDE = SIDE##BITS, BYTES = BITS / 8 };                                              \
        size_t i = 0;                                                                              \
        for (; i + SIDE <= k; i += SIDE) {                                                         \
            vec##BITS a[SIDE], b[SIDE];                                                            \
            for (size_t r = 0; r < SIDE; r++)                                                      \
                memcpy(&a[r], from + r * stride + i * BYTES, sizeof(a[r]));                        \
            for (size_t half = SIDE; half > 1; half /= 2) {                                        \
                for (size_t r = 0; r < SIDE / 2; r++) {                                            \
                    b[2 * r] = __builtin_shufflevector(a[r], a[r + SIDE / 2], LOW##BITS);          \
                    b[2 * r + 1] = __builtin_shufflevector(a[r], a[r + SIDE / 2], HIGH##BITS);     \
                }                                                                                  \
                memcpy(a, b, sizeof(a));                                                           \
            }                                                                                      \
            for (size_t r = 0; r < SIDE; r++)                                                      \
                memcpy(to + (i + r) * KERNELS_PANEL * BYTES, &a[r], sizeof(a[r]));                 \
        }                                                                                          \
        fill_slowly(to + i * KERNELS_PANEL * BYTES, from + i * BYTES, stride, SIDE, k - i, BYTES); \
    }
FILL_SIDE(16)
FILL_SIDE(32)

/* Columns [c, c + cols) of the panel at TO, rows k of it, from COLS rows of W. */
static void fill_part(char *to, const char *from, size_t stride, size_t cols, size_t k,
                      size_t bytes)
{
    const size_t side = bytes == 2 ? SIDE16 : SIDE32;
    size_t c = 0;
    for (; c + side <= cols; c += side) {
        if (bytes == 2)
            fill_side_16(to + c * bytes, from + c * stride, stride, k);
        else
            fill_side_32(to + c * bytes, from + c * stride, stride, k);
    }
    fill_slowly(to + c * bytes, from + c * stride, stride, cols - c, k, bytes);
}

void packed_fill_rows(struct packed *p, size_t n0, size_t rows, const void *from, size_t ld)
{
    const size_t bytes = weight_type_bytes(p->type), stride = ld * bytes;
    assert(n0 <= p->n && rows <= p->n - n0 && (ld >= p->k || rows <= 1));
    for (size_t n = n0, cols; n < n0 + rows; n += cols) {
        const size_t c = n % KERNELS_PANEL;
        cols = MIN(KERNELS_PANEL - c, n0 + rows - n);
        char *panel = (char *)p->panel + ((n - c) * p->k + c) * bytes;
        const char *w = (const char *)from + (n - n0) * stride;
        for (size_t k = 0; k < p->k; k += BLOCK_K)
            fill_part(panel + k * KERNELS_PANEL * bytes, w + k * bytes, stride, cols,
                      MIN(p->k - k, (size_t)BLOCK_K), bytes);
    }
}

void packed_fill(struct packed *p, const float *w, size_t ldw)
{
    assert(p->type == WEIGHT_F32);
    packed_fill_rows(p, 0, p->n, w, ldw);
}

void packed_fill_transposed(struct packed *p, const float *wt, size_t ldw)
{
    const size_t k = p->k;
    assert(p->type == WEIGHT_F32);
    for (size_t n0 = 0; n0 < p->n; n0 += KERNELS_PANEL) {
        float *panel = (float *)p->panel + n0 * k;
        const size_t cols = MIN(p->n - n0, (size_t)KERNELS_PANEL);
        for (size_t i = 0; i < k; i++) {
            float *to = panel + i * KERNELS_PANEL;
            memcpy(to, wt + i * ldw + n0, cols * sizeof(float));
            memset(to + cols, 0, (KERNELS_PANEL - cols) * sizeof(float));
        }
    }
}
