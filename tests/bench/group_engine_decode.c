/* SPDX-License-Identifier: Apache-2.0 */
/* group_engine_decode.c - decoding with a 1 B model of native BF16 weights.
 *
 * bandwidth_share: one stream; every token reads every weight once, so bytes of weights per second
 * are compared with what the same threads read from memory without computing anything.
 * b32.vs_sgemm: 32 streams together; multiply-adds of the weights per second of the whole step,
 * attention and all, against OpenBLAS's sgemm on float32 weights of those shapes with as many
 * threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "tests/bench/bench.h"
#include "tests/bench/big.h"
#include "tests/bench/embedded.h"
#include "worker/kernels/blas.h"

enum {
    PAIRS = 9,
    PAIRS_QUICK = 5,
    CONTEXT = 32, /* positions held when decoding starts */
    STEPS = 8,    /* tokens per measurement */
    STREAMS = 32,
    READ_BYTES = 1 << 30,
    PIECE_BYTES = 4 << 20,
};

typedef uint64_t lanes __attribute__((vector_size(64), may_alias));

/* Several independent sums, so that the loads and not the additions are the limit. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static uint64_t
read_piece(const lanes *p, size_t n)
{
    lanes sum[4] = { { 0 } };
    uint64_t all = 0;

    for (size_t i = 0; i + 4 <= n; i += 4) {
        __builtin_prefetch((const char *)(p + i) + 2048);
        for (size_t k = 0; k < 4; k++)
            sum[k] += p[i + k];
    }
    for (size_t k = 0; k < 8; k++)
        all += sum[0][k] + sum[1][k] + sum[2][k] + sum[3][k];
    return all;
}

struct reading {
    const char *bytes;
    uint64_t *sum; /* [pieces], so that nothing is left out */
};

static void read_one(void *arg, size_t i, size_t thread)
{
    struct reading *r = arg;
    (void)thread;
    r->sum[i] = read_piece((const lanes *)(const void *)(r->bytes + i * PIECE_BYTES),
                           PIECE_BYTES / sizeof(lanes));
}

static double read_rate(struct big *g, struct reading *r)
{
    uint64_t start = clock_ns();

    pool_run(g->pool, read_one, r, READ_BYTES / PIECE_BYTES);
    return (double)READ_BYTES * 1e9 / (double)(clock_ns() - start);
}

struct streams {
    struct big *big;
    struct kv *kv[STREAMS];
    size_t n;
};

static void streams_open(struct streams *s, struct big *g, size_t n)
{
    struct sweep_seq seq[STREAMS];
    struct err err = { 0 };

    *s = (struct streams){ .big = g, .n = n };
    for (size_t i = 0; i < n; i++) {
        bench_must(kv_new(&s->kv[i], &g->model->conf, g->routing, g->model->conf.positions, &err),
                   &err, "cache");
        for (size_t t = 0; t < CONTEXT; t++)
            g->tokens[i * CONTEXT + t] = (uint32_t)((7 * t + 3 + i) % g->model->conf.vocab);
        seq[i] = (struct sweep_seq){ .tokens = g->tokens + i * CONTEXT,
                                     .rows = CONTEXT,
                                     .routing = g->routing,
                                     .kv = s->kv[i],
                                     .logits_from = CONTEXT };
    }
    bench_must(sweep_run(g->sweep, seq, n, NULL, &err), &err, "context");
}

static void streams_close(struct streams *s)
{
    for (size_t i = 0; i < s->n; i++)
        kv_free(s->kv[i]);
}

/* Seconds of one token in every stream. */
static double step_seconds(struct streams *s)
{
    struct big *g = s->big;
    const size_t vocab = g->model->conf.vocab;
    struct sweep_seq seq[STREAMS];
    struct err err = { 0 };
    uint64_t start = clock_ns();

    for (size_t t = 0; t < STEPS; t++) {
        for (size_t i = 0; i < s->n; i++)
            seq[i] = (struct sweep_seq){ .tokens = &g->tokens[i],
                                         .rows = 1,
                                         .routing = g->routing,
                                         .kv = s->kv[i],
                                         .logits = g->logits + i * vocab };
        bench_must(sweep_run(g->sweep, seq, s->n, NULL, &err), &err, "token");
        for (size_t i = 0; i < s->n; i++)
            g->tokens[i] = (uint32_t)g->model->kern->argmax(g->logits + i * vocab, vocab);
    }
    double seconds = (double)(clock_ns() - start) * 1e-9 / STEPS;
    for (size_t i = 0; i < s->n; i++)
        kv_truncate(s->kv[i], CONTEXT);
    return seconds;
}

static double weights_of(const struct model *m)
{
    double weights = (double)(m->head.k * m->head.n);

    for (size_t l = 0; l < m->conf.layers; l++)
        weights +=
            (double)(m->layer[l].wqkv.k * m->layer[l].wqkv.n + m->layer[l].wo.k * m->layer[l].wo.n +
                     m->layer[l].w13.k * m->layer[l].w13.n + m->layer[l].w2.k * m->layer[l].w2.n);
    return weights;
}

static void measure_bandwidth(struct bench *b, struct big *g)
{
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS;
    double share[PAIRS], used[PAIRS], there[PAIRS];
    double bytes = weights_of(g->model) * (double)weight_type_bytes(g->model->layer[0].wo.type);
    CLEANUP(mem_cleanup) char *memory = mem_aligned(READ_BYTES, 1);
    CLEANUP(mem_cleanup) uint64_t *sum = mem_calloc(READ_BYTES / PIECE_BYTES, sizeof(*sum));
    struct reading r = { memory, sum };
    struct streams s;

    memset(memory, 1, READ_BYTES);
    streams_open(&s, g, 1);
    (void)step_seconds(&s);
    for (size_t i = 0; i < n; i++) {
        used[i] = bytes / step_seconds(&s);
        there[i] = fmax(read_rate(g, &r), read_rate(g, &r));
        share[i] = used[i] / there[i];
    }
    streams_close(&s);
    bench_report(b, "engine.decode.1b.bandwidth_share", "ratio", bench_figure(share, n),
                 BETTER_HIGHER, 0.7);
    bench_report(b, "engine.decode.1b.weights_read", "GB/s",
                 bench_scale(bench_figure(used, n), 1e-9), BETTER_HIGHER, NAN);
    bench_report(b, "engine.decode.1b.memory_read", "GB/s",
                 bench_scale(bench_figure(there, n), 1e-9), BETTER_HIGHER, NAN);
}

/* Weights of one layer and the head in float32, as OpenBLAS wants them. */
struct judge {
    const struct model *m;
    float *w, *x, *y;
};

static double product(struct judge *j, const float **w, const struct packed *p)
{
    blas_gemm(0, 1, STREAMS, p->n, p->k, 1, j->x, p->k, *w, p->k, 0, j->y, p->n);
    *w += p->n * p->k;
    return 2.0 * STREAMS * (double)(p->n * p->k);
}

/* Multiply-adds, times two, per second of all products of a step. */
static double judge_rate(struct judge *j)
{
    uint64_t start = clock_ns();
    double flop = 0;
    const float *w = j->w;

    for (size_t l = 0; l < j->m->conf.layers; l++) {
        w = j->w; /* one layer's weights for all: larger than any cache */
        flop += product(j, &w, &j->m->layer[l].wqkv);
        flop += product(j, &w, &j->m->layer[l].wo);
        flop += product(j, &w, &j->m->layer[l].w13);
        flop += product(j, &w, &j->m->layer[l].w2);
    }
    flop += product(j, &w, &j->m->head);
    return flop * 1e9 / (double)(clock_ns() - start);
}

static void measure_batch(struct bench *b, struct big *g)
{
    const size_t n = b->quick ? PAIRS_QUICK : PAIRS;
    const struct model *m = g->model;
    size_t floats = m->layer[0].wqkv.k * m->layer[0].wqkv.n + m->layer[0].wo.k * m->layer[0].wo.n +
                    m->layer[0].w13.k * m->layer[0].w13.n + m->layer[0].w2.k * m->layer[0].w2.n +
                    m->head.k * m->head.n;
    CLEANUP(mem_cleanup) float *w = mem_aligned(floats, sizeof(float));
    CLEANUP(mem_cleanup) float *x = mem_aligned(STREAMS * m->layer[0].w2.k, sizeof(float));
    CLEANUP(mem_cleanup)
    float *y = mem_aligned(STREAMS * MAX(m->head.n, m->layer[0].w13.n), sizeof(float));
    struct judge j = { m, w, x, y };
    double ratio[PAIRS], ours[PAIRS], theirs[PAIRS], flop = 2.0 * STREAMS * weights_of(m);
    struct streams s;

    for (size_t i = 0; i < floats; i++)
        w[i] = (float)(i % 31) * 0.01f - 0.15f;
    for (size_t i = 0; i < STREAMS * m->layer[0].w2.k; i++)
        x[i] = (float)(i % 17) * 0.1f - 0.8f;
    big_loosen(g);
    blas_init();
    blas_set_threads(g->threads);
    (void)judge_rate(&j);
    big_bind(g);
    streams_open(&s, g, STREAMS);
    (void)step_seconds(&s);
    for (size_t i = 0; i < n; i++) {
        big_bind(g);
        ours[i] = flop / step_seconds(&s);
        big_loosen(g);
        theirs[i] = judge_rate(&j);
        ratio[i] = ours[i] / theirs[i];
    }
    blas_set_threads(1);
    streams_close(&s);
    bench_report(b, "engine.decode.1b.b32.vs_sgemm", "ratio", bench_figure(ratio, n), BETTER_HIGHER,
                 1.2);
    bench_report(b, "engine.decode.1b.b32", "GFLOP/s", bench_scale(bench_figure(ours, n), 1e-9),
                 BETTER_HIGHER, NAN);
    bench_report(b, "engine.decode.1b.b32.sgemm", "GFLOP/s",
                 bench_scale(bench_figure(theirs, n), 1e-9), BETTER_HIGHER, NAN);
}

void bench_engine_decode(struct bench *b)
{
    if (!bench_wants(b, "engine.decode.1b"))
        return;
    struct big *g = big_open(&(struct big_shape)BIG_1B);

    measure_bandwidth(b, g);
    measure_batch(b, g);
    big_close(g);
}
