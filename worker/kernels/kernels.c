/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.c - which level this CPU runs. */
#include "worker/kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

extern const struct kernels kernels_table_generic;

#if defined(KERNELS_HAVE_v3)
#include <cpuid.h>

extern const struct kernels kernels_table_v3, kernels_table_v4;

/* Not every compiler's __builtin_cpu_supports knows this name. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

static const struct kernels *table_of(enum kernels_level level)
{
    __builtin_cpu_init();
    const bool v3 = has_f16c() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (level == KERNELS_V4)
        return v4 ? &kernels_table_v4 : NULL;
    if (level == KERNELS_V3)
        return v3 ? &kernels_table_v3 : NULL;
    return level == KERNELS_GENERIC ? &kernels_table_generic : NULL;
}
#elif defined(KERNELS_HAVE_neon)
extern const struct kernels kernels_table_neon;

/* Every ARM64 CPU has it. */
static const struct kernels *table_of(enum kernels_level level)
{
    if (level == KERNELS_NEON)
        return &kernels_table_neon;
    return level == KERNELS_GENERIC ? &kernels_table_generic : NULL;
}
#else
static const struct kernels *table_of(enum kernels_level level)
{
    return level == KERNELS_GENERIC ? &kernels_table_generic : NULL;
}
#endif

const struct kernels *kernels_at(enum kernels_level level)
{
    return table_of(level);
}

const struct kernels *kernels_best(void)
{
    const char *forced = getenv("DROVER_KERNELS");
    const struct kernels *best = NULL;
    for (int level = 0; level < KERNELS_LEVELS; level++) {
        const struct kernels *t = table_of((enum kernels_level)level);
        if (t == NULL)
            continue;
        best = t;
        if (forced != NULL && strcmp(forced, t->name) == 0)
            return t;
    }
    return best;
}
