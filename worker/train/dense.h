/* SPDX-License-Identifier: Apache-2.0 */
/* dense.h - the matrices of training: one or more weight matrices stacked, forward by the packed
 * kernel, backward by either backend. Private to worker/train. */
#ifndef WORKER_TRAIN_DENSE_H
#define WORKER_TRAIN_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "worker/kernels/kernels.h"
#include "worker/train/train.h"

enum { DENSE_PARTS = 3 };

/* "y = x W^T + b" where W (out, in) is up to three matrices of the model one above the other (q, k,
 * v; gate, up). */
struct dense {
    size_t in, out, parts;
    const float *part[DENSE_PARTS]; /* (rows, in) each, borrowed */
    size_t rows[DENSE_PARTS];
    const float *part_bias[DENSE_PARTS]; /* (rows) each, borrowed; NULL: no bias */
    float *bias;                         /* (out): stacked; NULL: none */
    float *stacked;         /* (out, in): OpenBLAS's copy when there are several parts, else NULL */
    struct packed forward;  /* of W */
    struct packed backward; /* of W^T; only with TRAIN_GEMM_PACKED and kept, else no panel */
};

/* Scratch of one thread for the packed backend. */
struct dense_scratch {
    float *transposed; /* (out, rows) */
    float *panel;      /* X packed */
    float *weight;     /* DENSE_COLUMNS columns of the largest W^T packed: where none are kept */
};
enum { DENSE_COLUMNS = 2 * KERNELS_PANEL };

/* Memory for IN and the parts set by the caller in D (part, part_bias, rows, parts, in). KEEP:
 * W^T packed, too, for TRAIN_GEMM_PACKED. ERR_NOMEM. */
int dense_alloc(struct dense *d, enum train_gemm gemm, bool keep, struct err *err) MUST_CHECK;
void dense_release(struct dense *d);
/* Pack again after the parts changed. */
void dense_pack(struct dense *d, enum train_gemm gemm);

/* Y (m, out) = X (m, in) W^T + b, dense rows. */
void dense_forward(const struct dense *d, const struct kernels *k, float *y, const float *x,
                   size_t m);
/* DX (m, in) = DY (m, out) W, overwritten. */
void dense_back_input(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *dx, const float *dy, size_t m, const struct dense_scratch *scratch);
/* GRAD[p] (rows[p], in) = the rows of DY^T X that belong to part p, overwritten. */
void dense_back_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                       float *const *grad, const float *dy, const float *x, size_t m,
                       const struct dense_scratch *scratch);
/* The same added to GRAD[p], by way of PART: at least a row of PART_FLOATS floats. */
void dense_add_weight(const struct dense *d, const struct kernels *k, enum train_gemm gemm,
                      float *const *grad, const float *dy, const float *x, size_t m, float *part,
                      size_t part_floats, const struct dense_scratch *scratch);
/* GRAD[p] (rows[p]) += the column sums of DY that belong to part p, rows in order; nothing where D
 * has no bias. */
void dense_back_bias(const struct dense *d, const struct kernels *k, float *const *grad,
                     const float *dy, size_t m);

/* OUT (cols, rows) = X (rows, cols) transposed. */
void dense_transpose(float *out, const float *x, size_t rows, size_t cols);

#endif
