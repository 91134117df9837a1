/* SPDX-License-Identifier: Apache-2.0 */
/* dense.h - the matrices of training: one or more weight matrices stacked, forward by the packed
 * kernel, backward by either backend. Private to worker/train. */
#ifndef WORKER_TRAIN_DENSE_H
#define WORKER_TRAIN_DENSE_H

#include <stddef.h>

#include "worker/kernels/kernels.h"
#include "worker/train/train.h"

enum { DENSE_PARTS = 3 };

/* "y = x W^T" where W (out, in) is up to three matrices of the model one above the other (q, k, v;
 * gate, up). */
struct dense {
    size_t in, out, parts;
    const float *part[DENSE_PARTS]; /* (rows, in) each, borrowed */
    size_t rows[DENSE_PARTS];
    float *stacked;         /* (out, in): a copy when there are several parts, else NULL */
    struct packed forward;  /* of W */
    struct packed backward; /* of W^T; only with TRAIN_GEMM_PACKED */
};

/* Scratch of one thread for the packed backend: room for dense_scratch() floats in each. */
struct dense_scratch {
    float *transposed; /* (out, rows) */
    float *panel;      /* X packed */
};

/* Memory for IN and the parts set by the caller in D (part, rows, parts, in). ERR_NOMEM. */
int dense_alloc(struct dense *d, enum train_gemm gemm, struct err *err) MUST_CHECK;
void dense_release(struct dense *d);
/* Pack again after the parts changed. */
void dense_pack(struct dense *d, enum train_gemm gemm);

/* Y (m, out) = X (m, in) W^T, dense rows. */
void dense_forward(const struct dense *d, const struct kernels *k, float *y, const float *x,
                   size_t m);
/* DX (m, in) = DY (m, out) W, overwritten. */
void dense_back_input(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *dx, const float *dy, size_t m);
/* GRAD[p] (rows[p], in) = the rows of DY^T X that belong to part p, overwritten. */
void dense_back_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                       float *const *grad, const float *dy, const float *x, size_t m,
                       const struct dense_scratch *scratch);

/* OUT (cols, rows) = X (rows, cols) transposed. */
void dense_transpose(float *out, const float *x, size_t rows, size_t cols);

#endif
