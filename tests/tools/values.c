/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - random weights by name, row and column. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/tools/maker.h"

/* Mixes all bits of X into all bits (the finalizer of splitmix64). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint32_t key_of(uint64_t seed, const char *name, size_t row)
{
    uint64_t key = mix(seed + 0x9e3779b97f4a7c15);

    for (; *name; name++)
        key = mix(key + (unsigned char)*name);
    return (uint32_t)(mix(key + row) >> 32);
}

/* Uniform in CENTRE +- SPREAD. */
static void fill(float *out, uint32_t key, size_t n, float centre, float spread)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t x = key + (uint32_t)i * 0x9e3779b9;

        x = (x ^ x >> 16) * 0x85ebca6b;
        x = (x ^ x >> 13) * 0xc2b2ae35;
        out[i] = centre + spread * ((float)(int32_t)(x ^ x >> 16) * 0x1p-31f);
    }
}

void maker_narrow(void *to, const float *from, enum weight_type type, size_t n)
{
    uint16_t *out = to;

    if (type == WEIGHT_F32) {
        memcpy(to, from, n * sizeof(float));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t bits, tiny, sign;
        float f = fabsf(from[i]) + 0.5f; /* below 2^-14 a half counts in 2^-24, as this sum does */

        memcpy(&bits, &from[i], sizeof(bits));
        memcpy(&tiny, &f, sizeof(tiny));
        if (type == WEIGHT_BF16) {
            out[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            continue;
        }
        sign = bits >> 16 & 0x8000;
        bits &= 0x7fffffff;
        if (bits < 113u << 23)
            out[i] = (uint16_t)(sign | (tiny - 0x3f000000));
        else
            out[i] = (uint16_t)(sign | (bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13);
    }
}

void maker_row(float *out, const struct maker *m, const char *name, size_t row, size_t cols)
{
    bool bias = strstr(name, ".bias"), norm = strstr(name, "norm");
    float spread = bias ? 0.25f : norm ? 0.5f : 1.0f;
    uint16_t narrow[512];

    if (!bias && !norm && !strstr(name, "embed"))
        spread = 3.0f / sqrtf((float)cols); /* lively attention and gates */
    fill(out, key_of(m->seed, name, row), cols, norm ? 1.0f : 0.0f, spread);
    for (size_t i = 0; m->dtype != WEIGHT_F32 && i < cols; i += 512) {
        size_t n = MIN(cols - i, 512);

        maker_narrow(narrow, out + i, m->dtype, n);
        weight_widen(out + i, narrow, m->dtype, n);
    }
}
