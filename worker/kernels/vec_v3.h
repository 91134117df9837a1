/* SPDX-License-Identifier: Apache-2.0 */
/* vec_v3.h - sixteen float lanes as two AVX registers (x86-64-v3). The contract is in vec.h. */
#ifndef WORKER_KERNELS_VEC_V3_H
#define WORKER_KERNELS_VEC_V3_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct v16 {
    __m256 lo, hi;
};

#define V3_BOTH(OP) ((struct v16){ OP(a.lo, b.lo), OP(a.hi, b.hi) })

static inline struct v16 v_set1(float a)
{
    return (struct v16){ _mm256_set1_ps(a), _mm256_set1_ps(a) };
}

static inline struct v16 v_load(const float *p)
{
    return (struct v16){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}

static inline void v_store(float *p, struct v16 a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

static inline struct v16 v_load_n(const float *p, size_t n, float fill)
{
    float f[16];
    if (n == 8) /* a head of eight, or half a vector */
        return (struct v16){ _mm256_loadu_ps(p), _mm256_set1_ps(fill) };
    v_store(f, v_set1(fill));
    memcpy(f, p, n * sizeof(float));
    return v_load(f);
}

static inline void v_store_n(float *p, struct v16 a, size_t n)
{
    float f[16];
    v_store(f, a);
    memcpy(p, f, n * sizeof(float));
}

static inline struct v16 v_add(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_add_ps);
}

static inline struct v16 v_sub(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_sub_ps);
}

static inline struct v16 v_mul(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_mul_ps);
}

static inline struct v16 v_div(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_div_ps);
}

static inline struct v16 v_fma(struct v16 a, struct v16 b, struct v16 c)
{
    return (struct v16){ _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi) };
}

static inline struct v16 v_fnma(struct v16 a, struct v16 b, struct v16 c)
{
    return (struct v16){ _mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi) };
}

static inline struct v16 v_max(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_max_ps);
}

static inline struct v16 v_min(struct v16 a, struct v16 b)
{
    return V3_BOTH(_mm256_min_ps);
}

static inline __m256 v3_pow2(__m256 t)
{
    __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000)));
}

static inline struct v16 v_pow2(struct v16 t)
{
    return (struct v16){ v3_pow2(t.lo), v3_pow2(t.hi) };
}

static inline struct v16 v_zero_below(struct v16 a, struct v16 x, struct v16 limit)
{
    return (struct v16){ _mm256_and_ps(_mm256_cmp_ps(x.lo, limit.lo, _CMP_NLT_UQ), a.lo),
                         _mm256_and_ps(_mm256_cmp_ps(x.hi, limit.hi, _CMP_NLT_UQ), a.hi) };
}

static inline float v_sum(struct v16 a)
{
    __m256 b = _mm256_add_ps(a.lo, a.hi);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

static inline float v_top(struct v16 a)
{
    __m256 b = _mm256_max_ps(a.lo, a.hi);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

/* An 8 x 8 block. */
static inline void v3_transpose(float *out, size_t ldout, const float *x, size_t ldx)
{
    __m256 r[8], s[8];
    for (size_t i = 0; i < 4; i++) { /* rows i and i+4 side by side: columns 0..3, then 4..7 */
        const float *top = x + i * ldx, *low = x + (i + 4) * ldx;
        r[i] =
            _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(top)), _mm_loadu_ps(low), 1);
        r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(top + 4)),
                                        _mm_loadu_ps(low + 4), 1);
    }
    for (size_t i = 0; i < 8; i += 4) {
        __m256 a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        __m256 c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]),
               d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        s[i] = _mm256_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        s[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    for (size_t i = 0; i < 8; i++)
        _mm256_storeu_ps(out + i * ldout, s[i]);
}

static inline void v_transpose(float *out, const float *x, size_t ldx)
{
    v3_transpose(out, 16, x, ldx);
    v3_transpose(out + 8, 16, x + 8 * ldx, ldx);
    v3_transpose(out + 8 * 16, 16, x + 8, ldx);
    v3_transpose(out + 8 * 16 + 8, 16, x + 8 * ldx + 8, ldx);
}

/* The product kernel's vector: one register, so a tile is half a panel wide. */
#define GEMM_VEC __m256
enum { GEMM_LANES = 8, GEMM_ROWS = 4, GEMM_COLS = 24 };

static inline __m256 g_zero(void)
{
    return _mm256_setzero_ps();
}

static inline __m256 g_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline __m256 g_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

static inline __m256 g_load_bf16(const uint16_t *p)
{
    __m256i x = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}

static inline __m256 g_set1(const float *p)
{
    return _mm256_broadcast_ss(p);
}

static inline __m256 g_fma(__m256 a, __m256 b, __m256 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline void g_store(float *p, __m256 a)
{
    _mm256_storeu_ps(p, a);
}

#endif
