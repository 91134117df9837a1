/* SPDX-License-Identifier: Apache-2.0 */
/* vec_generic.h - sixteen float lanes in plain C, for any CPU; the compiler vectorises what it can.
 * Contract: vec.h. */
#ifndef WORKER_KERNELS_VEC_GENERIC_H
#define WORKER_KERNELS_VEC_GENERIC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "worker/kernels/widen.h"

struct v16 {
    float f[16];
};

#define VG_EACH(EXPR)                                                                              \
    struct v16 ret;                                                                                \
    for (size_t i = 0; i < 16; i++)                                                                \
        ret.f[i] = (EXPR);                                                                         \
    return ret

static inline struct v16 v_set1(float a)
{
    VG_EACH(a);
}

static inline struct v16 v_load(const float *p)
{
    VG_EACH(p[i]);
}

static inline struct v16 v_load_n(const float *p, size_t n, float fill)
{
    VG_EACH(i < n ? p[i] : fill);
}

static inline void v_store(float *p, struct v16 a)
{
    memcpy(p, a.f, sizeof(a.f));
}

static inline void v_store_n(float *p, struct v16 a, size_t n)
{
    memcpy(p, a.f, n * sizeof(float));
}

static inline struct v16 v_add(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] + b.f[i]);
}

static inline struct v16 v_sub(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] - b.f[i]);
}

static inline struct v16 v_mul(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] * b.f[i]);
}

static inline struct v16 v_div(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] / b.f[i]);
}

static inline struct v16 v_fma(struct v16 a, struct v16 b, struct v16 c)
{
    VG_EACH(fmaf(a.f[i], b.f[i], c.f[i]));
}

static inline struct v16 v_fnma(struct v16 a, struct v16 b, struct v16 c)
{
    VG_EACH(fmaf(-a.f[i], b.f[i], c.f[i]));
}

static inline struct v16 v_max(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]);
}

static inline struct v16 v_min(struct v16 a, struct v16 b)
{
    VG_EACH(a.f[i] < b.f[i] ? a.f[i] : b.f[i]);
}

static inline float vg_pow2(float t)
{
    uint32_t bits;
    memcpy(&bits, &t, sizeof(bits));
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&t, &bits, sizeof(bits));
    return t;
}

static inline struct v16 v_pow2(struct v16 t)
{
    VG_EACH(vg_pow2(t.f[i]));
}

static inline struct v16 v_zero_below(struct v16 a, struct v16 x, struct v16 limit)
{
    VG_EACH(x.f[i] < limit.f[i] ? 0.0f : a.f[i]);
}

static inline float v_sum(struct v16 a)
{
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            a.f[i] += a.f[i + half];
    return a.f[0];
}

static inline float v_top(struct v16 a)
{
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            a.f[i] = a.f[i] > a.f[i + half] ? a.f[i] : a.f[i + half];
    return a.f[0];
}

static inline void v_transpose(float *out, const float *x, size_t ldx)
{
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 16; j++)
            out[j * 16 + i] = x[i * ldx + j];
}

/* The product kernel's vector: a group of lanes that a compiler maps to what the CPU has. */
struct vg_vec {
    float f[8];
};
#define GEMM_VEC struct vg_vec
enum { GEMM_LANES = 8, GEMM_ROWS = 4, GEMM_COLS = 24 };

static inline struct vg_vec g_zero(void)
{
    return (struct vg_vec){ { 0 } };
}

static inline struct vg_vec g_load(const float *p)
{
    struct vg_vec ret;
    memcpy(ret.f, p, sizeof(ret.f));
    return ret;
}

static inline struct vg_vec g_load_f16(const uint16_t *p)
{
    struct vg_vec ret;
    for (size_t i = 0; i < 8; i++)
        ret.f[i] = widen_f16(p[i]);
    return ret;
}

static inline struct vg_vec g_load_bf16(const uint16_t *p)
{
    struct vg_vec ret;
    for (size_t i = 0; i < 8; i++)
        ret.f[i] = widen_bf16(p[i]);
    return ret;
}

static inline struct vg_vec g_set1(const float *p)
{
    struct vg_vec ret;
    for (size_t i = 0; i < 8; i++)
        ret.f[i] = *p;
    return ret;
}

static inline struct vg_vec g_fma(struct vg_vec a, struct vg_vec b, struct vg_vec c)
{
    for (size_t i = 0; i < 8; i++)
        c.f[i] = fmaf(a.f[i], b.f[i], c.f[i]);
    return c;
}

static inline void g_store(float *p, struct vg_vec a)
{
    memcpy(p, a.f, sizeof(a.f));
}

#endif
