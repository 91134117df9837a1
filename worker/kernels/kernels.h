/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.h - float kernels, forward and backward, in one table per CPU level.
 *
 * Letters: M rows, K inputs, N outputs, D model width, H heads, G key/value heads, E head width, T
 * positions, V vocabulary. All arrays are row-major float and do not overlap unless said. Kernels
 * allocate nothing, cannot fail, keep no state; shapes come last. Numerics (design: section 7):
 * every output element of a matrix product is one chain of fused multiply-adds in the order of k
 * from 0, for every M; reductions run in a fixed order (16 lanes, then a fixed tree) that is the
 * same on every level; exp and friends are our own polynomials. So the bits depend neither on M,
 * nor on threads, nor on the level: V4 (AVX-512), V3 (AVX2+FMA), NEON
 * (ARM64) and GENERIC (scalar fmaf) agree. A NaN is a NaN everywhere; its sign is the CPU's.
 * Numeric class: "packed-1". */
#ifndef WORKER_KERNELS_KERNELS_H
#define WORKER_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/kernels/weight.h"

#define KERNELS_CLASS "packed-1"

enum kernels_level { KERNELS_GENERIC, KERNELS_V3, KERNELS_V4, KERNELS_NEON, KERNELS_LEVELS };
enum { KERNELS_PANEL = 48, KERNELS_ATTENTION_ROWS = 32 };

/* A weight matrix W (N,K) ("y = W x", Hugging Face layout) in the type of its file, packed into
 * ceil(N/48) column panels of K x 48 elements. */
struct packed {
    size_t k, n;
    enum weight_type type;
    void *panel; /* 64-byte aligned, packed_floats(k, n) elements of TYPE; columns beyond N are 0 */
};
size_t packed_floats(size_t k, size_t n); /* elements, of any type */
size_t packed_bytes(const struct packed *p);
/* Allocate for (k, n): ERR_NOMEM. Weights are undefined until a fill, the padding is 0. */
int packed_alloc(struct packed *p, enum weight_type type, size_t k, size_t n,
                 struct err *err) MUST_CHECK;
void packed_release(struct packed *p);
/* Rows [n0, n0 + rows) of W from ROWS rows of K elements of P's own type: row r begins r * LD
 * elements behind FROM, which may be unaligned. Disjoint rows may be filled by several threads at
 * once. */
void packed_fill_rows(struct packed *p, size_t n0, size_t rows, const void *from, size_t ld);
void packed_fill(struct packed *p, const float *w, size_t ldw); /* F32: all rows of W (N,K) */
/* F32: W^T is (K,N), row stride ldw. P may be on memory of the caller's own: also the padding is
 * written. */
void packed_fill_transposed(struct packed *p, const float *wt, size_t ldw);

/* Keys and values of one sequence in pages of PAGE positions: key j is LD floats times j % PAGE
 * behind k[j / PAGE], its value likewise. PAGE is a multiple of 16, or >= T with one page:
 * &(struct kv_view){ &k, &v, t, ld }. TURNED: number c of key j is at k[j / PAGE][c * PAGE + j %
 * PAGE] instead, so that neighbouring keys are scored at once as they lie; PAGE is a multiple of 16
 * and each page is readable to its end. It changes no bit. */
struct kv_view {
    const float *const *k, *const *v;
    size_t page, ld;
    bool turned;
};

/* Floats of scratch for attention and attention_back over T keys: a block of score rows. */
static inline size_t attention_scratch_floats(size_t t)
{
    return KERNELS_ATTENTION_ROWS * ((t + 15) / 16 * 16);
}

struct kernels {
    const char *name;
    enum kernels_level level;

    /* Y (M, columns [n0, n1) of N) = X (M,K) * W^T. n0 is a multiple of 48; strides in floats.
     * Blocks for the cache. Weights of a narrow type are widened on the way: the bits are those of
     * the same matrix as F32. */
    void (*gemm)(float *y, size_t ldy, const float *x, size_t ldx, const struct packed *w, size_t m,
                 size_t n0, size_t n1);
    /* OUT (rows,d) = X * rsqrt(mean(X^2) + eps) * W (d). Also writes RSTD (rows) unless NULL. */
    void (*rmsnorm)(float *out, float *rstd, const float *x, const float *w, float eps, size_t rows,
                    size_t d);
    /* DX += ..., DW += ... given DY; X, RSTD as in the forward pass. DW rows are summed in row
     * order. */
    void (*rmsnorm_back)(float *dx, float *dw, const float *dy, const float *x, const float *w,
                         const float *rstd, size_t rows, size_t d);
    /* Rotate Q or K in place: rows x heads x e at POSITION[row]; COS, SIN are (positions, e/2).
     * Pairs are (i, i+e/2) (Hugging Face) or (2i, 2i+1) when INTERLEAVED. SIGN +1 forward, -1
     * backward. */
    void (*rope)(float *x, size_t ldx, const uint32_t *position, const float *cos, const float *sin,
                 int sign, bool interleaved, size_t rows, size_t heads, size_t e);
    /* One sequence: OUT (rows, H*E) = causal attention of Q (rows, H*E) over the T keys and values
     * (G*E wide) of KV, where row r sees keys 0..(t - rows + r). Strides in floats. ATT, when not
     * NULL, gets the probabilities (H, rows, t), 0 beyond the row's reach, for the backward pass;
     * it changes no bit of OUT. SCRATCH: attention_scratch_floats(t). Each row's result depends
     * only on the keys it sees, in the order of their index. 1 <= rows <= t, e <= 256, heads %
     * kv_heads == 0. */
    void (*attention)(float *out, size_t ldo, float *att, const float *q, size_t ldq,
                      const struct kv_view *kv, float *scratch, size_t rows, size_t t, size_t heads,
                      size_t kv_heads, size_t e);
    /* Whole sequence (rows == t). DQ (stride lddq), DK, DV (stride lddk) are overwritten. SCRATCH:
     * attention_scratch_floats(t). */
    void (*attention_back)(float *dq, size_t lddq, float *dk, float *dv, size_t lddk,
                           const float *dout, size_t ldo, const float *att, const float *q,
                           size_t ldq, const float *k, size_t ldk, const float *v, size_t ldv,
                           float *scratch, size_t t, size_t heads, size_t kv_heads, size_t e);
    /* OUT = silu(GATE) * UP, n elements; backward overwrites DGATE and DUP. */
    void (*swiglu)(float *out, const float *gate, const float *up, size_t n);
    void (*swiglu_back)(float *dgate, float *dup, const float *dout, const float *gate,
                        const float *up, size_t n);
    void (*add)(float *x, const float *y, size_t n);                   /* X += Y */
    void (*scale_add)(float *x, const float *y, float a, size_t n);    /* X = fma(a, Y, X) */
    void (*add_bias)(float *x, const float *b, size_t rows, size_t n); /* X (rows,n) += B (n) */
    /* log-sum-exp of one row of V logits, exact to the bound stated in fmath.h of this folder. */
    float (*logsumexp)(const float *logits, size_t v);
    size_t (*argmax)(const float *logits, size_t v); /* ties: the first */
    /* Softmax cross entropy of ROWS rows: LOSS (rows) = logsumexp - logit[target]; DLOGITS = (p -
     * onehot) * WEIGHT[row], may be the same array as LOGITS; NULL: only the loss. */
    void (*cross_entropy)(float *loss, float *dlogits, const float *logits, const uint32_t *target,
                          const float *weight, size_t rows, size_t v);
    /* LOGITS (rows, V) *= SCALE (left as they are for 1), then per row: LOGPROB = logit[target] -
     * logsumexp, and unless NULL ENTROPY = -sum p log p of the whole softmax, in nats. NaN where a
     * logit is NaN or +infinity. */
    void (*log_prob)(double *logprob, double *entropy, float *logits, const uint32_t *target,
                     float scale, size_t rows, size_t v);
    double (*sum_squares)(const float *x, size_t n); /* fixed order, in double */
    /* AdamW (Loshchilov & Hutter 2019): m, v updated; w -= lr * (mhat / (sqrt(vhat) + eps) + decay
     * * w). BC1, BC2 are the bias corrections 1 - beta^t, computed by the caller; GRAD is
     * multiplied by GSCALE first. */
    void (*adamw)(float *w, float *m, float *v, const float *grad, float gscale, float lr,
                  float beta1, float beta2, float eps, float decay, float bc1, float bc2, size_t n);
    /* OUT = exp(X), OUT = 1 / (1 + exp(-X)); ranges and error bounds: fmath.h of this folder. */
    void (*exp)(float *out, const float *x, size_t n);
    void (*sigmoid)(float *out, const float *x, size_t n);
    /* OUT = GELU of X, tanh approximation (Hendrycks & Gimpel 2016): X * sigmoid(2 sqrt(2 / pi) (X
     * + 0.044715 X^3)). Backward: DX = DOUT times its slope at X; may be DOUT itself. */
    void (*gelu)(float *out, const float *x, size_t n);
    void (*gelu_back)(float *dx, const float *dout, const float *x, size_t n);
};

/* The table of LEVEL, or NULL when this CPU cannot run it. */
const struct kernels *kernels_at(enum kernels_level level);
/* The best table that this CPU runs. DROVER_KERNELS=generic|v3|v4|neon in the environment forces a
 * level (for tests). */
const struct kernels *kernels_best(void);

#endif
