/* SPDX-License-Identifier: Apache-2.0 */
/* policy_batch.h - a small trainer and batches of completions with policies around it, for the
 * tests of policy steps. Behind cmocka.h. */
#ifndef TESTS_UNIT_WORKER_TRAIN_POLICY_BATCH_H
#define TESTS_UNIT_WORKER_TRAIN_POLICY_BATCH_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "tests/support/train_twin.h"
#include "tests/unit/worker_train/small.h"
#include "worker/train/advantage.h"
#include "worker/train/policy.h"

enum { SEQUENCES = 12, ROWS_MAX = 160, LAYERS = 2, VOCAB = SMALL_VOCAB, PROMPT = 2 };

struct batch {
    struct train_batch b;
    uint32_t tokens[ROWS_MAX], target[ROWS_MAX];
    size_t start[SEQUENCES + 1];
    double weight[ROWS_MAX], advantage[ROWS_MAX], old[ROWS_MAX], reference[ROWS_MAX];
    double now[ROWS_MAX]; /* log-probabilities under the present weights, by the twin */
    double entropy[ROWS_MAX];
};

static inline struct train_conf small_conf(bool tied, enum train_gemm gemm)
{
    struct train_conf c = train_conf_default();

    c.model = small_model(LAYERS, tied);
    c.gemm = gemm;
    c.micro_batches = 5;
    c.steps = 200;
    c.warmup = 0;
    c.learning_rate = 1e-2;
    return c;
}

/* Prompts of PROMPT tokens, answers of 1..11: every row from the prompt's last one on has a target.
 */
static inline void draw_batch(struct batch *b, uint64_t seed, enum loss_norm norm)
{
    struct rng r = rng_stream("test-policy", seed, 0);
    size_t at = 0, answer[SEQUENCES];
    double weight[SEQUENCES];

    for (size_t s = 0; s < SEQUENCES; s++) {
        answer[s] = 1 + rng_below(&r, 11);
        b->start[s] = at;
        for (size_t i = 0; i + 1 < PROMPT + answer[s]; i++, at++) {
            b->tokens[at] = rng_below(&r, VOCAB);
            b->target[at] = i + 1 >= PROMPT ? rng_below(&r, VOCAB) : TRAIN_NO_TARGET;
        }
    }
    b->start[SEQUENCES] = at;
    b->b = (struct train_batch){
        .tokens = b->tokens, .target = b->target, .start = b->start, .sequences = SEQUENCES
    };
    loss_weights(weight, answer, SEQUENCES, norm, 20);
    for (size_t s = 0; s < SEQUENCES; s++) {
        double advantage = s % 5 == 4 ? 0 : rng_normal(&r);

        for (size_t i = b->start[s]; i < b->start[s + 1]; i++) {
            b->weight[i] = weight[s];
            b->advantage[i] = advantage;
        }
    }
}

static inline double *weights_as_double(const struct trainer *t)
{
    const struct model_weights *w = trainer_weights(t);
    double *all = mem_calloc(w->floats_len, sizeof(double));

    for (size_t i = 0; i < w->floats_len; i++)
        all[i] = (double)w->all[i];
    return all;
}

/* Old and reference policies around the present one: ratios of 0.61, 0.75, 0.9, 1, 1.11, 1.25 and
 * 1.65, away from the clips at 0.8 and 1.3, where the loss has no derivative, and on both sides of
 * what they would be if they were taken for each other. */
static inline void draw_policies(struct batch *b, const struct trainer *t, double temperature)
{
    static const double step[] = { -0.5, -0.22, -0.1, 0, 0.1, 0.29, 0.5 };
    struct rng r = rng_stream("test-old", 1, 0);
    double *all = weights_as_double(t);

    memset(b->now, 0, sizeof(b->now));
    memset(b->entropy, 0, sizeof(b->entropy));
    train_twin_logprobs(&trainer_conf(t)->model, trainer_weights(t), all, &b->b, temperature,
                        b->now, b->entropy);
    for (size_t i = 0; i < b->start[SEQUENCES]; i++) {
        b->old[i] = fmin(b->now[i] + step[rng_below(&r, 7)], 0);
        b->reference[i] = fmin(b->now[i] + step[rng_below(&r, 7)], 0);
    }
    free(all);
}

static inline struct policy policy_of(const struct batch *b, double temperature, double kl)
{
    return (struct policy){
        .conf = { .temperature = temperature, .clip_low = 0.2, .clip_high = 0.3, .kl = kl },
        .weight = b->weight,
        .advantage = b->advantage,
        .old = b->old,
        .reference = b->reference,
    };
}

#endif
