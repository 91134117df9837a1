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
    OVERREAD_FLOATS = 64 * 48, /* unused room behind the panels, so that prefetches stay inside */
};

size_t packed_floats(size_t k, size_t n)
{
    return (n + KERNELS_PANEL - 1) / KERNELS_PANEL * KERNELS_PANEL * k;
}

int packed_alloc(struct packed *p, size_t k, size_t n, struct err *err)
{
    assert(k > 0 && n > 0);
    *p = (struct packed){ 0 };
    const size_t limit = SIZE_MAX / 16 / sizeof(float);
    if (n > limit - KERNELS_PANEL || k > limit / (n + KERNELS_PANEL))
        return err_set(err, ERR_NOMEM, "a weight matrix of %zu x %zu does not fit the memory", n,
                       k);
    size_t bytes = (packed_floats(k, n) + OVERREAD_FLOATS) * sizeof(float);
    size_t align = bytes >= HUGE_BYTES ? HUGE_BYTES : 64;
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
    return 0;
}

void packed_release(struct packed *p)
{
    free(p->panel);
    *p = (struct packed){ 0 };
}

void packed_fill(struct packed *p, const float *w, size_t ldw)
{
    const size_t k = p->k;
    for (size_t n0 = 0; n0 < p->n; n0 += KERNELS_PANEL) {
        float *panel = p->panel + n0 * k;
        const size_t cols = MIN(p->n - n0, (size_t)KERNELS_PANEL);
        for (size_t i = 0; i < k; i++) {
            const float *from = w + n0 * ldw + i;
            float *to = panel + i * KERNELS_PANEL;
            for (size_t c = 0; c < cols; c++)
                to[c] = from[c * ldw];
            memset(to + cols, 0, (KERNELS_PANEL - cols) * sizeof(float));
        }
    }
}

void packed_fill_transposed(struct packed *p, const float *wt, size_t ldw)
{
    const size_t k = p->k;
    for (size_t n0 = 0; n0 < p->n; n0 += KERNELS_PANEL) {
        float *panel = p->panel + n0 * k;
        const size_t cols = MIN(p->n - n0, (size_t)KERNELS_PANEL);
        for (size_t i = 0; i < k; i++) {
            float *to = panel + i * KERNELS_PANEL;
            memcpy(to, wt + i * ldw + n0, cols * sizeof(float));
            memset(to + cols, 0, (KERNELS_PANEL - cols) * sizeof(float));
        }
    }
}
