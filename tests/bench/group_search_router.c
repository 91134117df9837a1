/* SPDX-License-Identifier: Apache-2.0 */
/* group_search_router.c - part of group search: training a router, once the window means exist. The
 * paper's shape and options (8 windows, bottleneck 128, focal loss, batches of 16, 25 epochs, a
 * tenth held out) on 4,000 examples of a model of 12 layers and width 128, on two threads, in class
 * packed-1 (the same bits on every CPU). Features are random numbers, labels as rare as the
 * paper's: the time does not depend on what is learnt. */
#include <math.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "worker/train/router_train.h"

enum {
    LAYERS = 12,
    DIM = 128,
    WINDOWS = 8,
    EXAMPLES = 4000,
    EPOCHS = 25,
    EPOCHS_QUICK = 2,
    RUNS = 3,
    THREADS = 2,
};

struct means {
    uint64_t id[EXAMPLES];
    uint8_t rows[EXAMPLES], label[EXAMPLES * LAYERS];
    float *feature[LAYERS];
};

/* 3.5 % skips, 1.2 % repeats, as in the paper's labels. */
static void draw_means(struct means *m)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        m->id[i] = i;
        m->rows[i] = WINDOWS;
    }
    for (size_t l = 0; l < LAYERS; l++) {
        struct rng rng = rng_stream("bench", 1, l);
        m->feature[l] = mem_aligned((size_t)EXAMPLES * WINDOWS * DIM, sizeof(float));
        for (size_t i = 0; i < (size_t)EXAMPLES * WINDOWS * DIM; i++)
            m->feature[l][i] = 2.0f * rng_float(&rng) - 1.0f;
        for (size_t i = 0; i < EXAMPLES; i++) {
            const double draw = rng_double(&rng);
            m->label[i * LAYERS + l] = draw < 0.035 ? 0 : draw < 0.047 ? 2 : 1;
        }
    }
}

static double train_once(const struct means *m, size_t epochs, struct pool *pool)
{
    const struct router_conf conf = { .kind = ROUTER_LABELS,
                                      .layers = LAYERS,
                                      .dim = DIM,
                                      .windows = WINDOWS,
                                      .bottleneck = 128,
                                      .depth = 2 };
    const struct router_data data = { .examples = EXAMPLES,
                                      .id = m->id,
                                      .rows = m->rows,
                                      .stride = WINDOWS,
                                      .features = (const float *const *)m->feature,
                                      .label = m->label };
    struct router_train_conf train = router_train_default();
    struct router_trained result;
    struct router *r = NULL;
    struct err err = { 0 };

    train.epochs = epochs;
    bench_must(router_new(&r, &conf, NULL, NULL, &err), &err, "router");
    const uint64_t begin = clock_ns();
    bench_must(router_train(r, &data, &train, pool, NULL, NULL, NULL, &result, &err), &err,
               "router training");
    const double seconds = (double)(clock_ns() - begin) / 1e9;
    router_free(r);
    return seconds;
}

void bench_search_router(struct bench *b)
{
    const size_t epochs = b->quick ? EPOCHS_QUICK : EPOCHS, runs = b->quick ? 1 : RUNS;
    double value[RUNS];

    if (!bench_wants(b, "search.router_train_s"))
        return;
    struct means *m = mem_calloc(1, sizeof(*m));
    struct pool *pool = pool_new(THREADS);
    draw_means(m);
    for (size_t i = 0; i < runs; i++)
        value[i] = train_once(m, epochs, pool);
    struct figure f = bench_scale(bench_figure(value, runs), (double)EPOCHS / (double)epochs);
    bench_report(b, "search.router_train_s", "s", f, BETTER_LOWER, 20);
    pool_free(pool);
    for (size_t l = 0; l < LAYERS; l++)
        free(m->feature[l]);
    free(m);
}
