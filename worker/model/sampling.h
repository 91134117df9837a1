/* SPDX-License-Identifier: Apache-2.0 */
/* sampling.h - from logits to a token. Private to worker/model (and its tests).
 *
 * Probabilities are exp((logit - largest) / temperature) of the kernels, so they are the same on
 * every CPU; sums are in double and in a fixed order; equal logits are ordered by their id. */
#ifndef WORKER_MODEL_SAMPLING_H
#define WORKER_MODEL_SAMPLING_H

#include "worker/model/generate.h"

/* Reusable memory. Start with { 0 }. */
struct sampler {
    float *weight;  /* [room] not normalised, by id */
    uint32_t *heap; /* [room] ids */
    uint32_t *kept; /* [room] ids that may be drawn, most probable first */
    size_t room, kept_len;
    double mass; /* sum of the weights of the ids kept */
};
void sampler_release(struct sampler *p);
/* Which of V logits may be drawn, into p->kept, p->mass. Temperature > 0. */
void sampler_keep(struct sampler *p, const struct kernels *kern, const struct sampling *s,
                  const float *logits, size_t v);
/* The token at POSITION. ERR_DIVERGED: a logit is not finite. */
int sampler_draw(struct sampler *p, const struct kernels *kern, const struct sampling *s,
                 const float *logits, size_t v, size_t position, uint32_t *ret,
                 struct err *err) MUST_CHECK;

#endif
