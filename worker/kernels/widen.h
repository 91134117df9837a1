/* SPDX-License-Identifier: Apache-2.0 */
/* widen.h - F16 and BF16 to float in integer arithmetic, for CPUs without instructions for it.
 * Exact; a signalling NaN of F16 becomes quiet, as the instructions make it. */
#ifndef WORKER_KERNELS_WIDEN_H
#define WORKER_KERNELS_WIDEN_H

#include <stdint.h>
#include <string.h>

static inline float widen_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static inline float widen_bf16(uint16_t x)
{
    return widen_bits((uint32_t)x << 16);
}

/* Exponent and mantissa in the places of a float are the value times 2^-112, subnormals too; the
 * product with 2^112 is exact. Infinity and NaN then still need the greatest exponent. */
static inline float widen_f16(uint16_t x)
{
    const uint32_t size = x & 0x7fffu, sign = (uint32_t)(x & 0x8000u) << 16;
    const float value = widen_bits(size << 13) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits |= size >= 0x7c00u ? 0x7f800000u : 0;
    bits |= size > 0x7c00u ? 0x00400000u : 0;
    return widen_bits(bits | sign);
}

#endif
