/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/dense.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/kernels/blas.h"

int dense_alloc(struct dense *d, enum train_gemm gemm, bool keep, struct err *err)
{
    int rc;

    d->out = 0;
    for (size_t p = 0; p < d->parts; p++)
        d->out += d->rows[p];
    if (d->parts > 1 && gemm == TRAIN_GEMM_OPENBLAS) {
        d->stacked = mem_try_aligned(d->out * d->in, sizeof(float));
        if (!d->stacked)
            return err_set(err, ERR_NOMEM, "training: no memory for a matrix of %zu x %zu", d->out,
                           d->in);
    }
    if (d->part_bias[0])
        d->bias = mem_aligned(d->out, sizeof(float));
    rc = packed_alloc(&d->forward, WEIGHT_F32, d->in, d->out, err);
    if (rc == 0 && gemm == TRAIN_GEMM_PACKED && keep)
        rc = packed_alloc(&d->backward, WEIGHT_F32, d->out, d->in, err);
    return rc;
}

void dense_release(struct dense *d)
{
    free(d->stacked);
    free(d->bias);
    packed_release(&d->forward);
    packed_release(&d->backward);
    *d = (struct dense){ 0 };
}

/* Columns [n0, n0 + cols) of W, cols <= KERNELS_PANEL, as a panel of W^T. */
static void fill_panel(const struct dense *d, float *to, size_t n0, size_t cols)
{
    for (size_t p = 0; p < d->parts; p++)
        for (size_t r = 0; r < d->rows[p]; r++, to += KERNELS_PANEL) {
            memcpy(to, d->part[p] + r * d->in + n0, cols * sizeof(float));
            memset(to + cols, 0, (KERNELS_PANEL - cols) * sizeof(float));
        }
}

void dense_pack(struct dense *d, enum train_gemm gemm)
{
    size_t at = 0;

    for (size_t p = 0; p < d->parts; at += d->rows[p++]) {
        if (d->stacked)
            memcpy(d->stacked + at * d->in, d->part[p], d->rows[p] * d->in * sizeof(float));
        if (d->bias)
            memcpy(d->bias + at, d->part_bias[p], d->rows[p] * sizeof(float));
        packed_fill_rows(&d->forward, at, d->rows[p], d->part[p], d->in);
    }
    if (gemm == TRAIN_GEMM_OPENBLAS || !d->backward.panel)
        return;
    for (size_t n0 = 0; n0 < d->in; n0 += KERNELS_PANEL)
        fill_panel(d, (float *)d->backward.panel + n0 * d->out, n0,
                   MIN((size_t)KERNELS_PANEL, d->in - n0));
}

void dense_forward(const struct dense *d, const struct kernels *k, float *y, const float *x,
                   size_t m)
{
    k->gemm(y, d->out, x, d->in, &d->forward, m, 0, d->out);
    if (d->bias)
        k->add_bias(y, d->bias, m, d->out);
}

/* DX by W^T packed a few columns at a time. */
static void back_input_unkept(const struct dense *d, const struct kernels *k, float *dx,
                              const float *dy, size_t m, const struct dense_scratch *scratch)
{
    struct packed wt = { .k = d->out, .panel = scratch->weight };

    for (size_t n0 = 0; n0 < d->in; n0 += wt.n) {
        wt.n = MIN((size_t)DENSE_COLUMNS, d->in - n0);
        for (size_t n = 0; n < wt.n; n += KERNELS_PANEL)
            fill_panel(d, scratch->weight + n * d->out, n0 + n,
                       MIN((size_t)KERNELS_PANEL, wt.n - n));
        k->gemm(dx + n0, d->in, dy, d->out, &wt, m, 0, wt.n);
    }
}

void dense_back_input(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *dx, const float *dy, size_t m, const struct dense_scratch *scratch)
{
    switch (gemm) {
    case TRAIN_GEMM_OPENBLAS:
        blas_gemm(0, 0, m, d->in, d->out, 1.0f, dy, d->out, d->stacked ? d->stacked : d->part[0],
                  d->in, 0.0f, dx, d->in);
        break;
    case TRAIN_GEMM_PACKED:
        if (d->backward.panel)
            k->gemm(dx, d->in, dy, d->out, &d->backward, m, 0, d->in);
        else
            back_input_unkept(d, k, dx, dy, m, scratch);
        break;
    }
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* In blocks of 4 x 4. */
void dense_transpose(float *out, const float *x, size_t rows, size_t cols)
{
    size_t r = 0;

    for (; r + 4 <= rows; r += 4) {
        const float *in = x + r * cols;
        size_t c = 0;

        for (; c + 4 <= cols; c += 4) {
            quad a = *(const quad *)(in + c), b = *(const quad *)(in + cols + c);
            quad e = *(const quad *)(in + 2 * cols + c), f = *(const quad *)(in + 3 * cols + c);
            quad ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
            quad ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            quad ef0 = __builtin_shufflevector(e, f, 0, 4, 1, 5);
            quad ef1 = __builtin_shufflevector(e, f, 2, 6, 3, 7);

            *(quad *)(out + c * rows + r) = __builtin_shufflevector(ab0, ef0, 0, 1, 4, 5);
            *(quad *)(out + (c + 1) * rows + r) = __builtin_shufflevector(ab0, ef0, 2, 3, 6, 7);
            *(quad *)(out + (c + 2) * rows + r) = __builtin_shufflevector(ab1, ef1, 0, 1, 4, 5);
            *(quad *)(out + (c + 3) * rows + r) = __builtin_shufflevector(ab1, ef1, 2, 3, 6, 7);
        }
        for (; c < cols; c++)
            for (size_t i = 0; i < 4; i++)
                out[c * rows + r + i] = in[i * cols + c];
    }
    for (; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            out[c * rows + r] = x[r * cols + c];
}

/* ROWS rows of the gradient, those of columns [at, at + rows) of DY. */
static void back_rows(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *grad, const float *dy, const float *x, size_t m, size_t at,
                      size_t rows, const struct dense_scratch *scratch)
{
    /* The packed kernel's "weight" is X^T (in, m): its panels are plain copies of X's rows. */
    struct packed xt = { .k = m, .n = d->in, .panel = scratch->panel };

    switch (gemm) {
    case TRAIN_GEMM_OPENBLAS:
        blas_gemm(1, 0, rows, d->in, m, 1.0f, dy + at, d->out, x, d->in, 0.0f, grad, d->in);
        break;
    case TRAIN_GEMM_PACKED:
        k->gemm(grad, d->in, scratch->transposed + at * m, m, &xt, rows, 0, d->in);
        break;
    }
}

static void prepare_back(const struct dense *d, enum train_gemm gemm, const float *dy,
                         const float *x, size_t m, const struct dense_scratch *scratch)
{
    struct packed xt = { .k = m, .n = d->in, .panel = scratch->panel };

    if (gemm != TRAIN_GEMM_PACKED)
        return;
    dense_transpose(scratch->transposed, dy, m, d->out);
    packed_fill_transposed(&xt, x, d->in);
}

void dense_back_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                       float *const *grad, const float *dy, const float *x, size_t m,
                       const struct dense_scratch *scratch)
{
    size_t at = 0;

    prepare_back(d, gemm, dy, x, m, scratch);
    for (size_t p = 0; p < d->parts; at += d->rows[p++])
        back_rows(d, k, gemm, grad[p], dy, x, m, at, d->rows[p], scratch);
}

void dense_add_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *const *grad, const float *dy, const float *x, size_t m, float *part,
                      size_t part_floats, const struct dense_scratch *scratch)
{
    size_t at = 0, most = part_floats / d->in;

    assert(most > 0);
    prepare_back(d, gemm, dy, x, m, scratch);
    for (size_t p = 0; p < d->parts; at += d->rows[p++])
        for (size_t r = 0, rows; r < d->rows[p]; r += rows) {
            rows = MIN(most, d->rows[p] - r);
            back_rows(d, k, gemm, part, dy, x, m, at + r, rows, scratch);
            k->add(grad[p] + r * d->in, part, rows * d->in);
        }
}

void dense_back_bias(const struct dense *d, const struct kernels *k, float *const *grad,
                     const float *dy, size_t m)
{
    for (size_t r = 0; r < m && d->bias; r++)
        for (size_t p = 0, at = 0; p < d->parts; at += d->rows[p++])
            k->add(grad[p], dy + r * d->out + at, d->rows[p]);
}
