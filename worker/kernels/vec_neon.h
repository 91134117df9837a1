/* SPDX-License-Identifier: Apache-2.0 */
/* vec_neon.h - sixteen float lanes as four NEON registers (ARM64). The contract is in vec.h. */
#ifndef WORKER_KERNELS_VEC_NEON_H
#define WORKER_KERNELS_VEC_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct v16 {
    float32x4_t a, b, c, d; /* lanes 0..3, 4..7, 8..11, 12..15 */
};

#define VN_EACH(OP) ((struct v16){ OP(x.a, y.a), OP(x.b, y.b), OP(x.c, y.c), OP(x.d, y.d) })

static inline struct v16 v_set1(float x)
{
    const float32x4_t r = vdupq_n_f32(x);
    return (struct v16){ r, r, r, r };
}

static inline struct v16 v_load(const float *p)
{
    return (struct v16){ vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12) };
}

static inline void v_store(float *p, struct v16 x)
{
    vst1q_f32(p, x.a);
    vst1q_f32(p + 4, x.b);
    vst1q_f32(p + 8, x.c);
    vst1q_f32(p + 12, x.d);
}

static inline struct v16 v_load_n(const float *p, size_t n, float fill)
{
    float f[16];
    v_store(f, v_set1(fill));
    memcpy(f, p, n * sizeof(float));
    return v_load(f);
}

static inline void v_store_n(float *p, struct v16 x, size_t n)
{
    float f[16];
    v_store(f, x);
    memcpy(p, f, n * sizeof(float));
}

static inline struct v16 v_add(struct v16 x, struct v16 y)
{
    return VN_EACH(vaddq_f32);
}

static inline struct v16 v_sub(struct v16 x, struct v16 y)
{
    return VN_EACH(vsubq_f32);
}

static inline struct v16 v_mul(struct v16 x, struct v16 y)
{
    return VN_EACH(vmulq_f32);
}

static inline struct v16 v_div(struct v16 x, struct v16 y)
{
    return VN_EACH(vdivq_f32);
}

static inline struct v16 v_fma(struct v16 x, struct v16 y, struct v16 z)
{
    return (struct v16){ vfmaq_f32(z.a, x.a, y.a), vfmaq_f32(z.b, x.b, y.b),
                         vfmaq_f32(z.c, x.c, y.c), vfmaq_f32(z.d, x.d, y.d) };
}

static inline struct v16 v_fnma(struct v16 x, struct v16 y, struct v16 z)
{
    return (struct v16){ vfmsq_f32(z.a, x.a, y.a), vfmsq_f32(z.b, x.b, y.b),
                         vfmsq_f32(z.c, x.c, y.c), vfmsq_f32(z.d, x.d, y.d) };
}

/* FMAX and FMIN keep a NaN of either side, the contract only the second's. */
static inline float32x4_t vn_max(float32x4_t x, float32x4_t y)
{
    return vbslq_f32(vcgtq_f32(x, y), x, y);
}

static inline float32x4_t vn_min(float32x4_t x, float32x4_t y)
{
    return vbslq_f32(vcltq_f32(x, y), x, y);
}

static inline struct v16 v_max(struct v16 x, struct v16 y)
{
    return VN_EACH(vn_max);
}

static inline struct v16 v_min(struct v16 x, struct v16 y)
{
    return VN_EACH(vn_min);
}

static inline float32x4_t vn_pow2(float32x4_t t)
{
    const uint32x4_t bits = vshlq_n_u32(vreinterpretq_u32_f32(t), 23);
    return vreinterpretq_f32_u32(vaddq_u32(bits, vdupq_n_u32(0x3f800000u)));
}

static inline struct v16 v_pow2(struct v16 t)
{
    return (struct v16){ vn_pow2(t.a), vn_pow2(t.b), vn_pow2(t.c), vn_pow2(t.d) };
}

static inline float32x4_t vn_zero_below(float32x4_t a, float32x4_t x, float32x4_t limit)
{
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcltq_f32(x, limit)));
}

static inline struct v16 v_zero_below(struct v16 a, struct v16 x, struct v16 limit)
{
    return (struct v16){ vn_zero_below(a.a, x.a, limit.a), vn_zero_below(a.b, x.b, limit.b),
                         vn_zero_below(a.c, x.c, limit.c), vn_zero_below(a.d, x.d, limit.d) };
}

static inline float v_sum(struct v16 x)
{
    const float32x4_t four = vaddq_f32(vaddq_f32(x.a, x.c), vaddq_f32(x.b, x.d));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

static inline float v_top(struct v16 x)
{
    const float32x4_t four = vn_max(vn_max(x.a, x.c), vn_max(x.b, x.d));
    const float32x4_t two = vn_max(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(vn_max(two, vextq_f32(two, two, 1)), 0);
}

/* A 4 x 4 block. */
static inline void vn_transpose(float *out, const float *x, size_t ldx)
{
    const float32x4_t r0 = vld1q_f32(x), r1 = vld1q_f32(x + ldx);
    const float32x4_t r2 = vld1q_f32(x + 2 * ldx), r3 = vld1q_f32(x + 3 * ldx);
    const float32x4_t p = vzip1q_f32(r0, r2), q = vzip2q_f32(r0, r2);
    const float32x4_t s = vzip1q_f32(r1, r3), t = vzip2q_f32(r1, r3);
    vst1q_f32(out, vzip1q_f32(p, s));
    vst1q_f32(out + 16, vzip2q_f32(p, s));
    vst1q_f32(out + 32, vzip1q_f32(q, t));
    vst1q_f32(out + 48, vzip2q_f32(q, t));
}

static inline void v_transpose(float *out, const float *x, size_t ldx)
{
    for (size_t i = 0; i < 16; i += 4)
        for (size_t j = 0; j < 16; j += 4)
            vn_transpose(out + j * 16 + i, x + i * ldx + j, ldx);
}

/* The product kernel's vector: two registers, so that a tile of 4 x 3 of them fills 24 of 32. */
struct vn_pair {
    float32x4_t lo, hi;
};
#define GEMM_VEC struct vn_pair
enum { GEMM_LANES = 8, GEMM_ROWS = 4, GEMM_COLS = 24 };

static inline struct vn_pair g_zero(void)
{
    return (struct vn_pair){ vdupq_n_f32(0.0f), vdupq_n_f32(0.0f) };
}

static inline struct vn_pair g_load(const float *p)
{
    return (struct vn_pair){ vld1q_f32(p), vld1q_f32(p + 4) };
}

static inline struct vn_pair g_load_f16(const uint16_t *p)
{
    const float16x8_t x = vreinterpretq_f16_u16(vld1q_u16(p));
    return (struct vn_pair){ vcvt_f32_f16(vget_low_f16(x)), vcvt_high_f32_f16(x) };
}

static inline struct vn_pair g_load_bf16(const uint16_t *p)
{
    const uint16x8_t x = vld1q_u16(p), zero = vdupq_n_u16(0);
    return (struct vn_pair){ vreinterpretq_f32_u16(vzip1q_u16(zero, x)),
                             vreinterpretq_f32_u16(vzip2q_u16(zero, x)) };
}

static inline struct vn_pair g_set1(const float *p)
{
    const float32x4_t r = vld1q_dup_f32(p);
    return (struct vn_pair){ r, r };
}

static inline struct vn_pair g_fma(struct vn_pair a, struct vn_pair b, struct vn_pair c)
{
    return (struct vn_pair){ vfmaq_f32(c.lo, a.lo, b.lo), vfmaq_f32(c.hi, a.hi, b.hi) };
}

static inline void g_store(float *p, struct vn_pair a)
{
    vst1q_f32(p, a.lo);
    vst1q_f32(p + 4, a.hi);
}

#endif
