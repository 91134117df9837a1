/* SPDX-License-Identifier: Apache-2.0 */
/* group_engine.c - the sweep over the embedded reasoner's layers, one thread: 30 sequences of 24
 * tokens, each layer executed once, logits of the last token; and how much of the bare kernel's
 * rate its matrix products keep. Weights are random: no figure depends on their values. */
#include <math.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/embedded.h"
#include "worker/model/sweep.h"

enum {
    SEQUENCES = 30,
    ROWS = 24,    /* a prompt of the synthetic tasks */
    TOGETHER = 5, /* sequences that the sweep takes as a block: 120 rows keep its work memory in the
                     cache */
    PAIRS = 15,
    PAIRS_QUICK = 5,
    REPEATS = 15, /* sweeps per measurement */
};

struct engine {
    struct model *model;
    struct sweep *sweep;
    struct sweep_seq seq[SEQUENCES];
    uint32_t tokens[ROWS];
    uint8_t routing[MODEL_LAYERS_MAX];
    float *logits, *x, *y;
};

static void engine_open(struct engine *g)
{
    struct embedded e;
    struct err err = { 0 };
    embedded_open(&e, TRAIN_GEMM_PACKED, 1, NULL);
    const struct model_conf *c = &e.conf.model;
    bench_must(model_from_weights(&g->model, c, trainer_weights(e.trainer), NULL, &err), &err,
               "model");
    g->sweep = sweep_new(g->model, NULL);
    g->logits = mem_aligned(SEQUENCES * c->vocab, sizeof(float));
    g->x = mem_aligned(SEQUENCES * ROWS * c->hidden, sizeof(float));
    g->y = mem_aligned(SEQUENCES * ROWS * 4 * c->dim, sizeof(float));
    for (size_t i = 0; i < SEQUENCES * ROWS * c->hidden; i++)
        g->x[i] = (float)(i % 17) * 0.1f - 0.8f;
    for (size_t i = 0; i < ROWS; i++)
        g->tokens[i] = (uint32_t)((i * 7 + 3) % c->vocab);
    for (size_t i = 0; i < c->layers; i++)
        g->routing[i] = ROUTING_EXECUTE;
    for (size_t i = 0; i < SEQUENCES; i++)
        g->seq[i] = (struct sweep_seq){ .tokens = g->tokens,
                                        .rows = ROWS,
                                        .routing = g->routing,
                                        .logits_from = ROWS - 1,
                                        .logits = g->logits + i * c->vocab };
    embedded_close(&e);
}

static void engine_close(struct engine *g)
{
    sweep_free(g->sweep);
    model_free(g->model);
    free(g->logits);
    free(g->x);
    free(g->y);
}

static void run_sweep(void *arg)
{
    struct engine *g = arg;
    struct err err = { 0 };
    bench_must(sweep_run(g->sweep, g->seq, SEQUENCES, NULL, &err), &err, "sweep");
}

/* One product of the bare kernel: returns its flops, adds its nanoseconds. */
static double bare(struct engine *g, const struct packed *w, size_t rows, uint64_t *ns)
{
    const uint64_t start = clock_ns();
    g->model->kern->gemm(g->y, w->n, g->x, w->k, w, rows, 0, w->n);
    *ns += clock_ns() - start;
    return 2.0 * (double)(rows * w->k * w->n);
}

/* Flops per second of the products that the sweep makes, layer by layer and block by block, with
 * nothing between them. In the last layer only the rows that get logits go on behind the attention.
 */
static double bare_rate(struct engine *g)
{
    const size_t layers = g->model->conf.layers, blocks = SEQUENCES / TOGETHER;
    double flop = 0;
    uint64_t ns = 0;
    for (size_t l = 0; l < layers; l++) {
        const size_t rows = TOGETHER * ROWS, live = l + 1 < layers ? rows : TOGETHER;
        for (size_t i = 0; i < blocks; i++) {
            flop += bare(g, &g->model->layer[l].wqkv, rows, &ns);
            flop += bare(g, &g->model->layer[l].wo, live, &ns);
            flop += bare(g, &g->model->layer[l].w13, live, &ns);
            flop += bare(g, &g->model->layer[l].w2, live, &ns);
        }
    }
    flop += bare(g, &g->model->head, SEQUENCES, &ns);
    return flop * 1e9 / (double)ns;
}

static double sweep_rate(struct engine *g)
{
    sweep_measure(g->sweep, true);
    run_sweep(g);
    const struct sweep_stats s = sweep_stats(g->sweep);
    sweep_measure(g->sweep, false);
    return (double)s.gemm_flop * 1e9 / (double)s.gemm_ns;
}

static void measure_share(struct bench *b, struct engine *g)
{
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS;
    double share[PAIRS], inside[PAIRS], alone[PAIRS];
    for (size_t i = 0; i < n; i++) {
        double in[REPEATS], out[REPEATS];
        for (size_t j = 0; j < REPEATS;
             j++) { /* in turns; the best of each is the one not interrupted */
            in[j] = sweep_rate(g);
            out[j] = bare_rate(g);
        }
        inside[i] = bench_figure(in, REPEATS).max;
        alone[i] = bench_figure(out, REPEATS).max;
        share[i] = inside[i] / alone[i];
    }
    bench_report(b, "engine.gemm_share", "ratio", bench_figure(share, n), BETTER_HIGHER, 0.8);
    bench_report(b, "engine.gemm.inside", "GFLOP/s", bench_scale(bench_figure(inside, n), 1e-9),
                 BETTER_HIGHER, NAN);
    bench_report(b, "engine.gemm.bare", "GFLOP/s", bench_scale(bench_figure(alone, n), 1e-9),
                 BETTER_HIGHER, NAN);
}

void bench_engine(struct bench *b)
{
    struct engine g = { 0 };
    engine_open(&g);
    const struct subject s = { run_sweep, &g, SEQUENCES * ROWS, false };
    bench_report(b, "engine.sweep.d64.tokens_per_s", "tokens/s", bench_rate(b, &s), BETTER_HIGHER,
                 NAN);
    measure_share(b, &g);
    engine_close(&g);
    bench_engine_decode(b);
    bench_engine_torch(b);
}
