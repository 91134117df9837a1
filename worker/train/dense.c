/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/dense.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/kernels/blas.h"

int dense_alloc(struct dense *d, enum train_gemm gemm, struct err *err)
{
    int rc;

    d->out = 0;
    for (size_t p = 0; p < d->parts; p++)
        d->out += d->rows[p];
    if (d->parts > 1) {
        d->stacked = mem_try_aligned(d->out * d->in, sizeof(float));
        if (!d->stacked)
            return err_set(err, ERR_NOMEM, "training: no memory for a matrix of %zu x %zu", d->out,
                           d->in);
    }
    rc = packed_alloc(&d->forward, WEIGHT_F32, d->in, d->out, err);
    if (rc == 0 && gemm == TRAIN_GEMM_PACKED)
        rc = packed_alloc(&d->backward, WEIGHT_F32, d->out, d->in, err);
    return rc;
}

void dense_release(struct dense *d)
{
    free(d->stacked);
    packed_release(&d->forward);
    packed_release(&d->backward);
    *d = (struct dense){ 0 };
}

static const float *dense_weight(const struct dense *d)
{
    return d->stacked ? d->stacked : d->part[0];
}

void dense_pack(struct dense *d, enum train_gemm gemm)
{
    size_t at = 0;

    if (d->stacked) {
        for (size_t p = 0; p < d->parts; p++) {
            memcpy(d->stacked + at, d->part[p], d->rows[p] * d->in * sizeof(float));
            at += d->rows[p] * d->in;
        }
    }
    packed_fill(&d->forward, dense_weight(d), d->in);
    if (gemm == TRAIN_GEMM_PACKED)
        packed_fill_transposed(&d->backward, dense_weight(d), d->in);
}

void dense_forward(const struct dense *d, const struct kernels *k, float *y, const float *x,
                   size_t m)
{
    k->gemm(y, d->out, x, d->in, &d->forward, m, 0, d->out);
}

void dense_back_input(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *dx, const float *dy, size_t m)
{
    switch (gemm) {
    case TRAIN_GEMM_OPENBLAS:
        blas_gemm(0, 0, m, d->in, d->out, 1.0f, dy, d->out, dense_weight(d), d->in, 0.0f, dx,
                  d->in);
        break;
    case TRAIN_GEMM_PACKED:
        k->gemm(dx, d->in, dy, d->out, &d->backward, m, 0, d->in);
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

void dense_back_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                       float *const *grad, const float *dy, const float *x, size_t m,
                       const struct dense_scratch *scratch)
{
    /* The packed kernel's "weight" is X^T (in, m): its panels are plain copies of X's rows. */
    struct packed xt = { .k = m, .n = d->in, .panel = scratch->panel };
    size_t at = 0;

    if (gemm == TRAIN_GEMM_PACKED) {
        dense_transpose(scratch->transposed, dy, m, d->out);
        packed_fill_transposed(&xt, x, d->in);
    }
    for (size_t p = 0; p < d->parts; p++) {
        switch (gemm) {
        case TRAIN_GEMM_OPENBLAS:
            blas_gemm(1, 0, d->rows[p], d->in, m, 1.0f, dy + at, d->out, x, d->in, 0.0f, grad[p],
                      d->in);
            break;
        case TRAIN_GEMM_PACKED:
            k->gemm(grad[p], d->in, scratch->transposed + at * m, m, &xt, d->rows[p], 0, d->in);
            break;
        }
        at += d->rows[p];
    }
}
