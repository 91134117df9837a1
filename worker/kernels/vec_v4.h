/* SPDX-License-Identifier: Apache-2.0 */
/* vec_v4.h - sixteen float lanes on AVX-512 (x86-64-v4). The contract is in vec.h. */
#ifndef WORKER_KERNELS_VEC_V4_H
#define WORKER_KERNELS_VEC_V4_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

struct v16 {
    __m512 f;
};

static inline struct v16 v_set1(float a)
{
    return (struct v16){ _mm512_set1_ps(a) };
}

static inline struct v16 v_load(const float *p)
{
    return (struct v16){ _mm512_loadu_ps(p) };
}

static inline __mmask16 v_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline struct v16 v_load_n(const float *p, size_t n, float fill)
{
    return (struct v16){ _mm512_mask_loadu_ps(_mm512_set1_ps(fill), v_mask(n), p) };
}

static inline void v_store(float *p, struct v16 a)
{
    _mm512_storeu_ps(p, a.f);
}

static inline void v_store_n(float *p, struct v16 a, size_t n)
{
    _mm512_mask_storeu_ps(p, v_mask(n), a.f);
}

static inline struct v16 v_add(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_add_ps(a.f, b.f) };
}

static inline struct v16 v_sub(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_sub_ps(a.f, b.f) };
}

static inline struct v16 v_mul(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_mul_ps(a.f, b.f) };
}

static inline struct v16 v_div(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_div_ps(a.f, b.f) };
}

static inline struct v16 v_fma(struct v16 a, struct v16 b, struct v16 c)
{
    return (struct v16){ _mm512_fmadd_ps(a.f, b.f, c.f) };
}

static inline struct v16 v_fnma(struct v16 a, struct v16 b, struct v16 c)
{
    return (struct v16){ _mm512_fnmadd_ps(a.f, b.f, c.f) };
}

static inline struct v16 v_max(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_max_ps(a.f, b.f) };
}

static inline struct v16 v_min(struct v16 a, struct v16 b)
{
    return (struct v16){ _mm512_min_ps(a.f, b.f) };
}

static inline struct v16 v_pow2(struct v16 t)
{
    __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(t.f), 23);
    return (
        struct v16){ _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3f800000))) };
}

static inline struct v16 v_zero_below(struct v16 a, struct v16 x, struct v16 limit)
{
    return (struct v16){ _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.f, limit.f, _CMP_NLT_UQ), a.f) };
}

static inline float v_sum(struct v16 a)
{
    __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a.f), _mm512_extractf32x8_ps(a.f, 1));
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

static inline float v_top(struct v16 a)
{
    __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a.f), _mm512_extractf32x8_ps(a.f, 1));
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

/* 4 x 4 blocks inside the 128-bit quarters first, then the quarters themselves. */
static inline void v_transpose(float *out, const float *x, size_t ldx)
{
    __m512 r[16], s[16];
    for (size_t i = 0; i < 16; i++)
        r[i] = _mm512_loadu_ps(x + i * ldx);
    for (size_t i = 0; i < 16; i += 4) {
        __m512 a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        __m512 c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]),
               d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        s[i] = _mm512_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        s[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (size_t j = 0; j < 4; j++) { /* s[4 q + j]: columns j, 4+j, 8+j, 12+j of rows 4q..4q+3 */
        __m512 a = _mm512_shuffle_f32x4(s[j], s[4 + j], 0x88),
               b = _mm512_shuffle_f32x4(s[j], s[4 + j], 0xdd);
        __m512 c = _mm512_shuffle_f32x4(s[8 + j], s[12 + j], 0x88);
        __m512 d = _mm512_shuffle_f32x4(s[8 + j], s[12 + j], 0xdd);
        _mm512_storeu_ps(out + 16 * j, _mm512_shuffle_f32x4(a, c, 0x88));
        _mm512_storeu_ps(out + 16 * (8 + j), _mm512_shuffle_f32x4(a, c, 0xdd));
        _mm512_storeu_ps(out + 16 * (4 + j), _mm512_shuffle_f32x4(b, d, 0x88));
        _mm512_storeu_ps(out + 16 * (12 + j), _mm512_shuffle_f32x4(b, d, 0xdd));
    }
}

/* The product kernel's vector: one register. */
#define GEMM_VEC __m512
enum { GEMM_LANES = 16, GEMM_ROWS = 8, GEMM_COLS = 48 };

static inline __m512 g_zero(void)
{
    return _mm512_setzero_ps();
}

static inline __m512 g_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline __m512 g_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static inline __m512 g_load_bf16(const uint16_t *p)
{
    __m512i x = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

static inline __m512 g_set1(const float *p)
{
    return _mm512_set1_ps(*p);
}

static inline __m512 g_fma(__m512 a, __m512 b, __m512 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline void g_store(float *p, __m512 a)
{
    _mm512_storeu_ps(p, a);
}

#endif
