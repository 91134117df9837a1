/* SPDX-License-Identifier: Apache-2.0 */
/* vec.h - sixteen float lanes, the same bits on every CPU level. Only level*.c files include this:
 * each is compiled once per level, with KERNELS_LEVEL_v4, _v3, _neon or _generic set.
 *
 * struct v16 is a value. v_set1, v_load, v_store; v_load_n / v_store_n touch the first n < 16 lanes
 * (other lanes: fill); v_add, v_sub, v_mul, v_div, v_fma (a*b+c, one rounding), v_fnma (-(a*b)+c);
 * v_max is a > b ? a : b and v_min a < b ? a : b, so an unordered pair gives b; v_pow2(t) is 2^n
 * where t = 12582912 + n, -126 <= n <= 127; v_zero_below(a, x, limit) is 0 where x < limit, else a;
 * v_sum and v_top fold lane i with i+8, then i+4, i+2, i+1; v_transpose(out, x, ldx) writes the 16
 * x 16 block at X (row stride ldx) transposed to OUT (row stride 16). GEMM_VEC, g_*: the vector of
 * the matrix product, GEMM_LANES wide; GEMM_ROWS x GEMM_COLS is the tile that fits the registers.
 */
#ifndef WORKER_KERNELS_VEC_H
#define WORKER_KERNELS_VEC_H

#if defined(KERNELS_LEVEL_v4)
#include "worker/kernels/vec_v4.h"
#elif defined(KERNELS_LEVEL_v3)
#include "worker/kernels/vec_v3.h"
#elif defined(KERNELS_LEVEL_neon)
#include "worker/kernels/vec_neon.h"
#else
#include "worker/kernels/vec_generic.h"
#endif

/* In front of a loop whose length is a constant once it is inlined: its arrays then are registers.
 */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Sixteen lanes or, at the end of an array, the n that are left. */
static inline struct v16 v_get(const float *p, size_t n, float fill)
{
    return n >= 16 ? v_load(p) : v_load_n(p, n, fill);
}

static inline void v_put(float *p, struct v16 a, size_t n)
{
    if (n >= 16)
        v_store(p, a);
    else
        v_store_n(p, a, n);
}

#endif
