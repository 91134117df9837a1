/* SPDX-License-Identifier: Apache-2.0 */
/* router_loss.h - losses of routers with their gradients, in double and without libm. Private to
 * worker/train. */
#ifndef WORKER_TRAIN_ROUTER_LOSS_H
#define WORKER_TRAIN_ROUTER_LOSS_H

#include <stddef.h>
#include <stdint.h>

#include "worker/train/router_train.h"

/* Plain arithmetic, relative error below 1e-14. Exp: |x| beyond 700 is taken as 700. Log: x > 0 and
 * normal (asserted). */
double router_exp(double x);
double router_log(double x);

/* Losses of logits that are not finite are NaN, without gradient. */

/* Weights of the classes that occur COUNT times. A class that does not occur has weight 0. */
void router_class_weights(enum router_balance balance, double beta, const uint64_t count[3],
                          double ret[3]);
/* Loss -ALPHA (1 - p)^GAMMA log p of three logits, p the softmax at TARGET; GRAD (may be NULL) is
 * its gradient. GAMMA 0, ALPHA 1: cross-entropy. */
double router_focal(const float logit[3], unsigned target, double alpha, double gamma,
                    double grad[3]);
/* Binary cross-entropy of one logit; *GRAD its derivative, *PROBABILITY the sigmoid (may be NULL).
 */
double router_binary(float logit, int target, double *grad, double *probability);

#endif
