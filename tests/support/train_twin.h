/* SPDX-License-Identifier: Apache-2.0 */
/* train_twin.h - the training loss once more, naively and in double: judge of worker/train's
 * gradients. */
#ifndef TESTS_SUPPORT_TRAIN_TWIN_H
#define TESTS_SUPPORT_TRAIN_TWIN_H

#include "worker/model/model.h"
#include "worker/train/train.h"

/* Mean cross entropy of the targets of B under the weights ALL (double, laid out as LAYOUT). */
double train_twin_loss(const struct model_conf *c, const struct model_weights *layout,
                       const double *all, const struct train_batch *b);
/* Log-probabilities of the targets and entropies, those of logits / TEMPERATURE; [rows], rows
 * without a target are left as they are. */
void train_twin_logprobs(const struct model_conf *c, const struct model_weights *layout,
                         const double *all, const struct train_batch *b, double temperature,
                         double *logprob, double *entropy);

#endif
