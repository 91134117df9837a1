/* SPDX-License-Identifier: Apache-2.0 */
/* router_guard.h - the guard of a success router (worker/model/router.h) from its training
 * examples.
 *
 * With features y of n examples: m and s their mean and deviation (+ 0.001), z = (y - m) / s,
 * C = sum z z^T / n + 0.01 I = L L^T, factor = L^-1 diag(1 / s), distance d = |factor (y - m)|^2.
 * The limit is a quantile of what the distances would be had C been measured without the example:
 * d / (1 - d / n) (Sherman-Morrison), because prompts to come were not measured either; with far
 * more examples than features it is d. Doubles in a fixed order, no libm. */
#ifndef WORKER_TRAIN_ROUTER_GUARD_H
#define WORKER_TRAIN_ROUTER_GUARD_H

#include "worker/train/router_train.h"

/* Give R a guard: LIMIT the smallest distance that at least the share QUANTILE (0..1) of the
 * examples of D does not exceed, rows between the fewest and most of PROMPT_ROWS ([examples]). R
 * has none yet. ERR_INVALID: features that are not finite; ERR_CANCELLED, ERR_NOMEM. */
int router_guard_train(struct router *r, const struct router_data *d, const size_t *prompt_rows,
                       double quantile, struct progress *progress, struct err *err) MUST_CHECK;

#endif
