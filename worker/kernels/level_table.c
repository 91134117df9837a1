/* SPDX-License-Identifier: Apache-2.0 */
/* level_table.c - the table of one CPU level. */
#include "worker/kernels/level.h"

#define TABLE_PASTE2(LEVEL_NAME) kernels_table_##LEVEL_NAME
#define TABLE_PASTE(LEVEL_NAME)  TABLE_PASTE2(LEVEL_NAME)
#define STRING2(X)               #X
#define STRING(X)                STRING2(X)

#if defined(KERNELS_LEVEL_v4)
#define THIS_LEVEL KERNELS_V4
#elif defined(KERNELS_LEVEL_v3)
#define THIS_LEVEL KERNELS_V3
#elif defined(KERNELS_LEVEL_neon)
#define THIS_LEVEL KERNELS_NEON
#else
#define THIS_LEVEL KERNELS_GENERIC
#endif

extern const struct kernels TABLE_PASTE(KERNELS_LEVEL_NAME);

const struct kernels TABLE_PASTE(KERNELS_LEVEL_NAME) = {
    .name = STRING(KERNELS_LEVEL_NAME),
    .level = THIS_LEVEL,
    .gemm = LEVEL(gemm),
    .rmsnorm = LEVEL(rmsnorm),
    .rmsnorm_back = LEVEL(rmsnorm_back),
    .rope = LEVEL(rope),
    .attention = LEVEL(attention),
    .attention_back = LEVEL(attention_back),
    .swiglu = LEVEL(swiglu),
    .swiglu_back = LEVEL(swiglu_back),
    .add = LEVEL(add),
    .scale_add = LEVEL(scale_add),
    .add_bias = LEVEL(add_bias),
    .logsumexp = LEVEL(logsumexp),
    .argmax = LEVEL(argmax),
    .cross_entropy = LEVEL(cross_entropy),
    .log_prob = LEVEL(log_prob),
    .sum_squares = LEVEL(sum_squares),
    .adamw = LEVEL(adamw),
    .exp = LEVEL(exp),
    .sigmoid = LEVEL(sigmoid),
    .gelu = LEVEL(gelu),
    .gelu_back = LEVEL(gelu_back),
};
