/* SPDX-License-Identifier: Apache-2.0 */
/* group_train.c - token rows per second of a whole training step of the embedded reasoner (forward,
 * backward, AdamW): 256 problems of both tasks and all levels, as pretrain's defaults have it; one
 * thread, and two. */
#include <math.h>

#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "worker/kernels/blas.h"

enum { SCHEDULE = 1000000 }; /* longer than any measurement */

static void one_step(void *arg)
{
    embedded_step(arg);
}

static void measure_training(struct bench *b, const char *name, enum train_gemm gemm,
                             size_t threads)
{
    if (!bench_wants(b, name))
        return;
    struct embedded e;
    struct pool *pool = pool_new(threads);
    embedded_open(&e, gemm, SCHEDULE, pool);
    e.step = SCHEDULE / 2; /* all levels are open */
    embedded_draw(&e);
    const double rows = (double)e.batch.batch.start[e.batch.batch.sequences];
    const struct subject s = { one_step, &e, rows, threads > 1 };
    bench_report(b, name, "tokens/s", bench_rate(b, &s), BETTER_HIGHER, NAN);
    embedded_close(&e);
    pool_free(pool);
}

void bench_train(struct bench *b)
{
    blas_init();
    bench_note(
        b, "train: 8 layers, width 64; backward products by the packed kernel, and by OpenBLAS");
    measure_training(b, "train.step.d64.tokens_per_s", TRAIN_GEMM_PACKED, 1);
    measure_training(b, "train.step.d64.threads2.tokens_per_s", TRAIN_GEMM_PACKED, 2);
    measure_training(b, "train.step.d64.openblas.tokens_per_s", TRAIN_GEMM_OPENBLAS, 1);
    bench_train_torch(b);
    bench_train_large(b);
}
