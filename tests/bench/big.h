/* SPDX-License-Identifier: Apache-2.0 */
/* big.h - models of realistic shape with random weights, written to a temporary folder and opened
 * as a user's would be. Failures end the program with a message. */
#ifndef TESTS_BENCH_BIG_H
#define TESTS_BENCH_BIG_H

#include <stddef.h>

#include "worker/model/sweep.h"

struct big_shape {
    size_t layers, dim, heads, kv_heads, hidden, vocab;
    const char *dtype; /* "f32", "bf16" */
};
/* A 1 B-parameter Llama: the layers of Llama-3.2-1B with a vocabulary of 32,000. */
#define BIG_1B                                                                                     \
    {                                                                                              \
        16, 2048, 32, 8, 8192, 32000, "bf16"                                                       \
    }

struct big {
    char folder[64];
    size_t threads; /* of the sweep: two, or one on a machine with one core */
    struct pool *pool;
    struct pin *pin; /* its threads are on cores of their own, as a worker's with all cores are */
    struct model *model;
    struct sweep *sweep;
    uint32_t *tokens;
    float *logits; /* (batch, vocab) of the last pass */
    uint8_t routing[MODEL_LAYERS_MAX];
};

/* Bind its threads to their cores (big_open does); let the calling thread run anywhere, and what it
 * calls make threads that do: others are not to be measured with bound hands. */
void big_bind(struct big *g);
void big_loosen(struct big *g);
struct big *big_open(const struct big_shape *shape);
void big_close(struct big *g);
/* BATCH prompts of ROWS tokens, token i of prompt b being (7 i + 3 + 5 b) % vocab; the logits of
 * the last prompt's last position. */
const float *big_prefill(struct big *g, size_t batch, size_t rows);

#endif
