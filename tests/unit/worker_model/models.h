/* SPDX-License-Identifier: Apache-2.0 */
/* models.h - small random models and sequences for the tests of this folder. */
#ifndef TESTS_UNIT_WORKER_MODEL_MODELS_H
#define TESTS_UNIT_WORKER_MODEL_MODELS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/model/sweep.h"

#define CONF(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__, .rms_eps = 1e-5f, .rope_theta = 10000.0f, .bos = 0, .eos = { 1 },             \
                     .eos_len = 1                                                                  \
    }

/* The reasoner's shape, stories260K's, heads of 64 and of 128, and one in which nothing is round.
 */
static const struct {
    const char *name;
    struct model_conf conf;
} shapes[] = {
    { "d64", CONF(.layers = 4, .dim = 64, .heads = 4, .kv_heads = 4, .head_dim = 16, .hidden = 128,
                  .vocab = 72, .positions = 64, .tied = true) },
    { "stories260K",
      CONF(.layers = 5, .dim = 64, .heads = 8, .kv_heads = 4, .head_dim = 8, .hidden = 172,
           .vocab = 512, .positions = 64, .tied = true, .rope_interleaved = true) },
    { "head64", CONF(.layers = 2, .dim = 128, .heads = 2, .kv_heads = 1, .head_dim = 64,
                     .hidden = 176, .vocab = 100, .positions = 64) },
    { "head128", CONF(.layers = 2, .dim = 128, .heads = 2, .kv_heads = 2, .head_dim = 128,
                      .hidden = 96, .vocab = 130, .positions = 64) },
    { "odd", CONF(.layers = 3, .dim = 50, .heads = 3, .kv_heads = 1, .head_dim = 10, .hidden = 37,
                  .vocab = 29, .positions = 64) },
};

/* Every option of the architecture somewhere: Qwen2's biases, all biases, the three scalings,
 * head_dim other than dim / heads. */
static const struct {
    const char *name;
    struct model_conf conf;
} options[] = {
    { "qwen2", CONF(.layers = 3, .dim = 56, .heads = 4, .kv_heads = 2, .head_dim = 14,
                    .hidden = 100, .vocab = 77, .positions = 64, .qkv_bias = true) },
    { "all biases", CONF(.layers = 3, .dim = 64, .heads = 4, .kv_heads = 4, .head_dim = 16,
                         .hidden = 90, .vocab = 72, .positions = 64, .tied = true, .qkv_bias = true,
                         .o_bias = true, .mlp_bias = true) },
    { "llama3", CONF(.layers = 3, .dim = 96, .heads = 6, .kv_heads = 2, .head_dim = 32,
                     .hidden = 130, .vocab = 97, .positions = 64, .tied = true,
                     .rope_scaling = { .kind = ROPE_LLAMA3,
                                       .factor = 8.0f,
                                       .low_freq = 1.0f,
                                       .high_freq = 4.0f,
                                       .original = 24 }) },
    { "linear, head_dim 24",
      CONF(.layers = 2, .dim = 40, .heads = 3, .kv_heads = 3, .head_dim = 24, .hidden = 64,
           .vocab = 51, .positions = 64, .qkv_bias = true, .o_bias = true,
           .rope_scaling = { .kind = ROPE_LINEAR, .factor = 4.0f }) },
    { "table, interleaved",
      CONF(.layers = 2, .dim = 48, .heads = 4, .kv_heads = 1, .head_dim = 12, .hidden = 60,
           .vocab = 60, .positions = 64, .mlp_bias = true, .rope_interleaved = true,
           .rope_scaling = { .kind = ROPE_TABLE,
                             .table = { 1.0f, 1.5f, 2.25f, 8.0f, 31.0f, 32.0f } }) },
};

static int random_tensor(const struct model_tensor *t, void *arg)
{
    struct model_weights *w = arg;
    struct rng r = rng_stream("test weights", 7, t->offset);

    for (size_t i = 0; i < t->rows * t->cols; i++) {
        double x = rng_normal(&r);

        if (strstr(t->name, ".bias"))
            x *= 0.5;
        else if (t->vector)
            x = 1.0 + 0.2 * x;
        else if (strcmp(t->name, "model.embed_tokens.weight") != 0)
            x *= 1.5 / (double)t->cols * 8.0; /* lively attention and gates */
        w->all[t->offset + i] = (float)x;
    }
    return 0;
}

static inline void random_weights(struct model_weights *w, const struct model_conf *c)
{
    assert_int_equal(model_weights_alloc(w, c, NULL), 0);
    assert_int_equal(model_each_tensor(c, random_tensor, w), 0);
}

static inline struct model *random_model(const struct model_conf *c, const struct kernels *kern)
{
    struct model_weights w;
    struct model *m = NULL;

    random_weights(&w, c);
    assert_int_equal(model_from_weights(&m, c, &w, kern, NULL), 0);
    model_weights_release(&w);
    return m;
}

/* Shape I of those without and, from ARRAY_LEN(shapes) on, those with options. */
enum { ALL_SHAPES = ARRAY_LEN(shapes) + ARRAY_LEN(options) };
static inline const struct model_conf *shape_conf(size_t i)
{
    return i < ARRAY_LEN(shapes) ? &shapes[i].conf : &options[i - ARRAY_LEN(shapes)].conf;
}

static inline void random_tokens(struct rng *r, uint32_t *tokens, size_t n,
                                 const struct model_conf *c)
{
    for (size_t i = 0; i < n; i++)
        tokens[i] = rng_below(r, (uint32_t)c->vocab);
}

/* Skips and repeats, about as many as plain executions. */
static inline void random_routing(struct rng *r, uint8_t *routing, const struct model_conf *c)
{
    static const uint8_t digits[] = { 0, 1, 1, 2 };

    for (size_t l = 0; l < c->layers; l++)
        routing[l] = digits[rng_below(r, 4)];
}

#endif
