/* SPDX-License-Identifier: Apache-2.0 */
/* gradients.h - small models, ragged batches, and a trainer's gradient held against differences of
 * the double twin. Include after cmocka.h. */
#ifndef TESTS_UNIT_WORKER_TRAIN_GRADIENTS_H
#define TESTS_UNIT_WORKER_TRAIN_GRADIENTS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/train_twin.h"
#include "tests/unit/worker_train/small.h"

enum { SEQUENCES = 11, ROWS_MAX = 128, LAYERS = 3 };

struct batch {
    struct train_batch b;
    uint32_t tokens[ROWS_MAX], target[ROWS_MAX];
    size_t start[SEQUENCES + 1];
    uint8_t times[SEQUENCES * LAYERS];
};

static inline struct train_conf small_conf(bool tied, enum train_gemm gemm)
{
    struct train_conf c = train_conf_default();

    c.model = small_model(LAYERS, tied);
    c.gemm = gemm;
    c.steps = 200;
    c.warmup = 10;
    c.learning_rate = 1e-2;
    return c;
}

/* Ragged sequences of 1..9 tokens; the last row of each has a target, and some others. */
static inline void draw_batch(struct batch *b, uint64_t seed)
{
    struct rng r = rng_stream("test-batch", seed, 0);
    size_t at = 0;

    for (size_t s = 0; s < SEQUENCES; s++) {
        size_t len = 1 + rng_below(&r, 9);

        b->start[s] = at;
        for (size_t i = 0; i < len; i++, at++) {
            b->tokens[at] = rng_below(&r, 16);
            b->target[at] =
                i + 1 == len || rng_below(&r, 3) == 0 ? rng_below(&r, 16) : TRAIN_NO_TARGET;
        }
    }
    b->start[SEQUENCES] = at;
    b->b = (struct train_batch){
        .tokens = b->tokens, .target = b->target, .start = b->start, .sequences = SEQUENCES
    };
}

/* Any way through the layers; the first sequence skips them all. */
static inline void draw_times(struct batch *b, uint64_t seed)
{
    struct rng r = rng_stream("test-times", seed, 0);

    for (size_t i = 0; i < ARRAY_LEN(b->times); i++)
        b->times[i] = i < LAYERS ? 0 : (uint8_t)rng_below(&r, 3);
    b->b.times = b->times;
}

/* The loss's derivatives, by differences of the twin, along about 29 elements of every tensor. One
 * trainer's serve for any number of gradients, for they are what takes the time. */
struct slopes {
    const struct train_conf *conf;
    const struct model_weights *layout;
    const struct train_batch *batch;
    double *all, *want; /* weights; derivatives, where they were taken */
};

static inline size_t slope_stride(const struct model_tensor *t)
{
    return MAX(t->rows * t->cols / 29, (size_t)1);
}

/* The derivative along one element, from four points: error of order h^4. */
static inline double difference(struct slopes *k, size_t at)
{
    const double h = 1e-3;
    double keep = k->all[at], f[4];
    static const double step[] = { -2, -1, 1, 2 };

    for (size_t i = 0; i < 4; i++) {
        k->all[at] = keep + step[i] * h;
        f[i] = train_twin_loss(&k->conf->model, k->layout, k->all, k->batch);
    }
    k->all[at] = keep;
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static inline int slopes_of_tensor(const struct model_tensor *t, void *arg)
{
    struct slopes *k = arg;

    for (size_t i = 0; i < t->rows * t->cols; i += slope_stride(t))
        k->want[t->offset + i] = difference(k, t->offset + i);
    return 0;
}

/* At the present weights of T; slopes_release() it. C and B must outlive it. */
static inline struct slopes slopes_of(const struct train_conf *c, const struct trainer *t,
                                      const struct train_batch *b)
{
    const struct model_weights *w = trainer_weights(t);
    struct slopes k = { .conf = c,
                        .layout = w,
                        .batch = b,
                        .all = mem_calloc(w->floats_len, sizeof(double)),
                        .want = mem_calloc(w->floats_len, sizeof(double)) };

    for (size_t i = 0; i < w->floats_len; i++)
        k.all[i] = (double)w->all[i];
    (void)model_each_tensor(&c->model, slopes_of_tensor, &k);
    return k;
}

static inline void slopes_release(struct slopes *k)
{
    free(k->all);
    free(k->want);
}

struct check {
    const struct slopes *slopes;
    const float *grad;
    double worst; /* of the error over the tensor's largest derivative */
    char where[128];
};

static inline int check_tensor(const struct model_tensor *t, void *arg)
{
    struct check *k = arg;
    size_t worst_at = 0;
    double error = 0, largest = 0;

    for (size_t i = 0; i < t->rows * t->cols; i += slope_stride(t)) {
        double want = k->slopes->want[t->offset + i];
        double off = fabs(want - (double)k->grad[t->offset + i]);

        largest = MAX(largest, fabs(want));
        if (!(off <= error)) {
            error = off;
            worst_at = i;
        }
    }
    if (!(error / (largest + 1e-6) <= k->worst)) {
        k->worst = error / (largest + 1e-6);
        snprintf(k->where, sizeof(k->where), "%s[%zu]", t->name, worst_at);
    }
    return 0;
}

/* Largest error of GRAD over all tensors, relative to each tensor's largest derivative. */
static inline double gradient_error(const struct slopes *s, const float *grad, char where[128])
{
    struct check k = { .slopes = s, .grad = grad };

    (void)model_each_tensor(&s->conf->model, check_tensor, &k);
    memcpy(where, k.where, sizeof(k.where));
    return k.worst;
}

/* Float rounding over a few dozen terms, relative to the tensor's largest derivative: measured
 * 2e-6; a wrong gradient is off by more than 1e-2. */
#define GRADIENT_LIMIT 1e-4

#endif
