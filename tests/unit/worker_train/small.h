/* SPDX-License-Identifier: Apache-2.0 */
/* small.h - a model that a double twin follows in no time, and its trainer. Include after
 * cmocka.h. */
#ifndef TESTS_UNIT_WORKER_TRAIN_SMALL_H
#define TESTS_UNIT_WORKER_TRAIN_SMALL_H

#include "worker/train/train.h"

enum { SMALL_VOCAB = 16 };

static inline struct model_conf small_model(size_t layers, bool tied)
{
    return (struct model_conf){ .layers = layers,
                                .dim = 24,
                                .heads = 4,
                                .kv_heads = 2,
                                .head_dim = 8,
                                .hidden = 40,
                                .vocab = SMALL_VOCAB,
                                .positions = 16,
                                .rms_eps = 1e-5f,
                                .rope_theta = 100.0f,
                                .tied = tied,
                                .eos = { 1 },
                                .eos_len = 1 };
}

static inline struct trainer *trainer_or_fail(const struct train_conf *c, struct pool *pool,
                                              const struct kernels *kern)
{
    struct trainer *t = NULL;
    struct err err = { 0 };

    if (trainer_new(&t, c, pool, kern, &err) < 0)
        fail_msg("%s", err.text);
    return t;
}

#endif
