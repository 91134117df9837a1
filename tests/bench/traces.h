/* SPDX-License-Identifier: Apache-2.0 */
/* traces.h - what the measurements on recorded searches share. */
#ifndef TESTS_BENCH_TRACES_H
#define TESTS_BENCH_TRACES_H

#include "tests/bench/bench.h"
#include "tests/bench/trace.h"
#include "worker/kernels/pool.h"

enum { BED_THREADS = 2, BED_LANES = 32, BED_EXAMPLES = 5 * BED_LANES };

/* A model, an evaluator and examples. */
struct bed {
    struct pool *pool;
    struct model *model;
    struct evaluator *evaluator;
    struct example *example; /* [BED_EXAMPLES] */
    const struct example *at[BED_EXAMPLES];
    char folder[64]; /* where a trained model is saved */
};
/* The model in folder MODEL, or one of 12 layers and width 128 trained for STEPS; the examples are
 * of logic, level 6: 48 tokens. */
struct bed *bed_open(const char *model, uint64_t steps, size_t threads);
void bed_close(struct bed *d);
/* All of T, round by round; RET: [len]. */
void bed_run(struct bed *d, const struct trace *t, struct outcome *ret);

/* The same paths one after the other in PyTorch. */
void bench_search_torch(struct bench *b, struct bed *d);

#endif
