/* SPDX-License-Identifier: Apache-2.0 */
/* naive.h - double-precision twins of all kernels (worker/kernels/kernels.h), written for reading,
 * and what compares with them. Shapes and meanings are those of the kernels; strides are dense
 * unless given. */
#ifndef TESTS_SUPPORT_NAIVE_H
#define TESTS_SUPPORT_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Y (M,N) = X (M,K) W^T, W (N,K). Backward: DX (M,K) = DY W, DW (N,K) = DY^T X. */
void naive_matmul(double *y, const double *x, const double *w, size_t m, size_t n, size_t k);
void naive_matmul_back(double *dx, double *dw, const double *dy, const double *x, const double *w,
                       size_t m, size_t n, size_t k);
void naive_rmsnorm(double *out, const double *x, const double *w, double eps, size_t rows,
                   size_t d);
/* DX and DW are overwritten (the kernel adds). */
void naive_rmsnorm_back(double *dx, double *dw, const double *dy, const double *x, const double *w,
                        double eps, size_t rows, size_t d);
void naive_rope(double *x, const uint32_t *position, const double *cos, const double *sin, int sign,
                bool interleaved, size_t rows, size_t heads, size_t e);
/* ATT may be NULL. */
void naive_attention(double *out, double *att, const double *q, const double *k, const double *v,
                     size_t rows, size_t t, size_t heads, size_t kv_heads, size_t e);
void naive_attention_back(double *dq, double *dk, double *dv, const double *dout, const double *q,
                          const double *k, const double *v, size_t t, size_t heads, size_t kv_heads,
                          size_t e);
void naive_swiglu(double *out, const double *gate, const double *up, size_t n);
void naive_swiglu_back(double *dgate, double *dup, const double *dout, const double *gate,
                       const double *up, size_t n);
double naive_logsumexp(const double *logits, size_t v);
/* DLOGITS may be NULL. */
void naive_cross_entropy(double *loss, double *dlogits, const double *logits,
                         const uint32_t *target, const double *weight, size_t rows, size_t v);
void naive_adamw(double *w, double *m, double *v, const double *grad, double gscale, double lr,
                 double beta1, double beta2, double eps, double decay, double bc1, double bc2,
                 size_t n);

/* Normalised mean squared error: sum (got - want)^2 / sum want^2; NaN or infinity in GOT gives
 * infinity. */
double nmse(const float *got, const double *want, size_t n);
/* Largest |got - want| / (scale + |want|), scale = root mean square of WANT. */
double worst_relative(const float *got, const double *want, size_t n);

/* A scalar function of the array X (n), and its claimed gradient DX. */
struct gradient_check {
    double (*loss)(void *arg);
    void *arg;
    double *x; /* changed and restored */
    const double *dx;
    size_t n;
};
/* Largest difference between DX and central differences (step H = 1e-5 * max(1, |x|)), relative to
 * the root mean square of the gradient plus the element's own size. Truncation and rounding leave
 * about 1e-9; a wrong gradient 1e-2 or more. */
double gradient_error(const struct gradient_check *c);
/* What gradient_error may be at most for a right gradient. */
#define GRADIENT_ERROR_MAX 1e-6

#endif
