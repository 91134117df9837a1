/* SPDX-License-Identifier: Apache-2.0 */
/* level.h - names of the functions that are compiled once per CPU level: LEVEL(gemm) is gemm_v3,
 * gemm_v4... */
#ifndef WORKER_KERNELS_LEVEL_H
#define WORKER_KERNELS_LEVEL_H

#include "worker/kernels/kernels.h"

#define LEVEL_PASTE2(NAME, LEVEL_NAME) kernel_##NAME##_##LEVEL_NAME
#define LEVEL_PASTE(NAME, LEVEL_NAME)  LEVEL_PASTE2(NAME, LEVEL_NAME)
#define LEVEL(NAME)                    LEVEL_PASTE(NAME, KERNELS_LEVEL_NAME)

/* Contracts: the members of struct kernels. */
void LEVEL(gemm)(float *y, size_t ldy, const float *x, size_t ldx, const struct packed *w, size_t m,
                 size_t n0, size_t n1);
void LEVEL(rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, size_t rows,
                    size_t d);
void LEVEL(rmsnorm_back)(float *dx, float *dw, const float *dy, const float *x, const float *w,
                         const float *rstd, size_t rows, size_t d);
void LEVEL(rope)(float *x, size_t ldx, const uint32_t *position, const float *cos, const float *sin,
                 int sign, bool interleaved, size_t rows, size_t heads, size_t e);
void LEVEL(attention)(float *out, size_t ldo, float *att, const float *q, size_t ldq,
                      const struct kv_view *kv, float *scratch, size_t rows, size_t t, size_t heads,
                      size_t kv_heads, size_t e);
void LEVEL(attention_back)(float *dq, size_t lddq, float *dk, float *dv, size_t lddk,
                           const float *dout, size_t ldo, const float *att, const float *q,
                           size_t ldq, const float *k, size_t ldk, const float *v, size_t ldv,
                           float *scratch, size_t t, size_t heads, size_t kv_heads, size_t e);
void LEVEL(swiglu)(float *out, const float *gate, const float *up, size_t n);
void LEVEL(swiglu_back)(float *dgate, float *dup, const float *dout, const float *gate,
                        const float *up, size_t n);
void LEVEL(add)(float *x, const float *y, size_t n);
void LEVEL(scale_add)(float *x, const float *y, float a, size_t n);
void LEVEL(add_bias)(float *x, const float *b, size_t rows, size_t n);
float LEVEL(logsumexp)(const float *logits, size_t v);
size_t LEVEL(argmax)(const float *logits, size_t v);
void LEVEL(cross_entropy)(float *loss, float *dlogits, const float *logits, const uint32_t *target,
                          const float *weight, size_t rows, size_t v);
void LEVEL(log_prob)(double *logprob, double *entropy, float *logits, const uint32_t *target,
                     float scale, size_t rows, size_t v);
double LEVEL(sum_squares)(const float *x, size_t n);
void LEVEL(adamw)(float *w, float *m, float *v, const float *grad, float gscale, float lr,
                  float beta1, float beta2, float eps, float decay, float bc1, float bc2, size_t n);

void LEVEL(exp)(float *out, const float *x, size_t n);
void LEVEL(sigmoid)(float *out, const float *x, size_t n);
void LEVEL(gelu)(float *out, const float *x, size_t n);
void LEVEL(gelu_back)(float *dx, const float *dout, const float *x, size_t n);

#endif
