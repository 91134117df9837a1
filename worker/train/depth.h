/* SPDX-License-Identifier: Apache-2.0 */
/* depth.h - stochastic depth: which layers each sequence of a training batch skips or goes through
 * twice, so that a model learns to work with fewer and with repeated layers. */
#ifndef WORKER_TRAIN_DEPTH_H
#define WORKER_TRAIN_DEPTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As a search's paths (worker/search): never more than two layers in a row are skipped. */
enum { DEPTH_SKIPS_MAX = 2 };

struct depth_conf {
    double skip;   /* probability that a layer is skipped, 0..1 */
    double repeat; /* probability that one that is not is repeated, 0..1 */
    double start;  /* share of the steps before which both are 0, 0..1 */
    double ramp;   /* share of the steps, from there, over which they rise to their values, 0..1 */
    uint64_t seed, steps;
};

/* What of the probabilities applies at STEP (0-based): 0 to 1, never falling. */
double depth_share(const struct depth_conf *c, uint64_t step);
/* True when some layer may be skipped or repeated at STEP. */
bool depth_active(const struct depth_conf *c, uint64_t step);
/* RET[s * layers + l] (train_batch.times) for SEQUENCES sequences: a function of C, STEP, s and
 * LAYERS. Two skipped layers are followed by one that is not, and no sequence skips all layers. */
void depth_draw(uint8_t *ret, const struct depth_conf *c, uint64_t step, size_t sequences,
                size_t layers);

#endif
