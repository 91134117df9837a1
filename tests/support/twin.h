/* SPDX-License-Identifier: Apache-2.0 */
/* twin.h - the model's forward pass once more, naively and in double: the judge of the sweep. */
#ifndef TESTS_SUPPORT_TWIN_H
#define TESTS_SUPPORT_TWIN_H

#include "worker/model/model.h"

/* LOGITS (rows, vocab) of TOKENS (rows) at positions 0..rows-1 along ROUTING (one digit per layer:
 * how often). */
void twin_logits(double *logits, const struct model_conf *c, const struct model_weights *w,
                 const uint32_t *tokens, size_t rows, const uint8_t *routing);

#endif
