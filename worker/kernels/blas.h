/* SPDX-License-Identifier: Apache-2.0 */
/* blas.h - the only door to OpenBLAS. Every call is single-threaded, parallelism is the caller's
 * (pool.h); only benches, which judge by it, let it use more threads. */
#ifndef WORKER_KERNELS_BLAS_H
#define WORKER_KERNELS_BLAS_H

#include <stddef.h>

/* Once per process, before any call: one OpenBLAS thread. */
void blas_init(void);
/* For benches: threads of later calls. */
void blas_set_threads(size_t threads);
/* "openblas-0.3.21-SkylakeX": version and core type; the numeric class of what uses it. */
const char *blas_class(void);

/* C (m,n) = alpha * op(A) op(B) + beta * C, row-major; trans_a/b: 0 as stored, 1 transposed.
 * Strides in floats. */
void blas_gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha, const float *a,
               size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);

#endif
