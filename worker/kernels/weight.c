/* SPDX-License-Identifier: Apache-2.0 */
/* weight.c - element types of weights. */
#include "worker/kernels/weight.h"

#include <assert.h>

#include "worker/kernels/widen.h"

static const struct {
    const char *name;
    size_t bytes;
} TYPES[WEIGHT_TYPES] = {
    [WEIGHT_F32] = { "F32", 4 },
    [WEIGHT_F16] = { "F16", 2 },
    [WEIGHT_BF16] = { "BF16", 2 },
};

const char *weight_type_name(enum weight_type t)
{
    assert((unsigned)t < WEIGHT_TYPES);
    return TYPES[t].name;
}

size_t weight_type_bytes(enum weight_type t)
{
    assert((unsigned)t < WEIGHT_TYPES);
    return TYPES[t].bytes;
}

/* The i-th 16-bit element of FROM, little-endian as files are. */
static uint16_t element(const unsigned char *from, size_t i)
{
    return (uint16_t)(from[2 * i] | from[2 * i + 1] << 8);
}

void weight_widen(float *out, const void *from, enum weight_type type, size_t n)
{
    assert((unsigned)type < WEIGHT_TYPES);
    switch (type) {
    case WEIGHT_F32:
        memcpy(out, from, n * sizeof(float));
        return;
    case WEIGHT_F16:
        for (size_t i = 0; i < n; i++)
            out[i] = widen_f16(element(from, i));
        return;
    case WEIGHT_BF16:
        for (size_t i = 0; i < n; i++)
            out[i] = widen_bf16(element(from, i));
        return;
    case WEIGHT_TYPES:
        return;
    }
}
