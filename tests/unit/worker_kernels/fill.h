/* SPDX-License-Identifier: Apache-2.0 */
/* fill.h - arrays of small random numbers for the kernel tests, as float and as the same values in
 * double. */
#ifndef TESTS_UNIT_WORKER_KERNELS_FILL_H
#define TESTS_UNIT_WORKER_KERNELS_FILL_H

#include <stddef.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/kernels/kernels.h"

/* The same N values twice. */
struct both {
    size_t n;
    float *f;
    double *d;
};

static inline struct both both_normal(size_t n, uint64_t seed, double scale)
{
    struct both b = { .n = n,
                      .f = mem_aligned(n + 16, sizeof(float)),
                      .d = mem_calloc(n + 1, sizeof(double)) };
    struct rng r = rng_stream("test", seed, 0);
    for (size_t i = 0; i < n; i++)
        b.d[i] = b.f[i] = (float)(rng_normal(&r) * scale);
    return b;
}

static inline struct both both_zero(size_t n)
{
    return both_normal(n, 0, 0);
}

static inline void both_free(struct both *b)
{
    free(b->f);
    free(b->d);
}
#define BOTH CLEANUP(both_free) struct both

/* The levels that this machine runs, weakest first; returns how many. */
static inline size_t runnable_levels(const struct kernels *out[KERNELS_LEVELS])
{
    size_t n = 0;
    for (int level = 0; level < KERNELS_LEVELS; level++)
        if ((out[n] = kernels_at((enum kernels_level)level)) != NULL)
            n++;
    return n;
}

#endif
