/* SPDX-License-Identifier: Apache-2.0 */
/* advantage.h - from the rewards of groups to weights and advantages of tokens (GRPO). Pure, in
 * double, no libm; sums run in the order of the arguments. */
#ifndef WORKER_TRAIN_ADVANTAGE_H
#define WORKER_TRAIN_ADVANTAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

/* Inside the root: sqrt(variance + it). A spread of 0.01 in the rewards is still scaled to 1. */
#define ADVANTAGE_STABILISER 1e-8

/* ADVANTAGE[i] = (reward[i] - mean) / sqrt(population variance + STABILISER), or without SCALE the
 * numerator alone (Dr. GRPO). A flat group gets exact zeros. N >= 1; STABILISER > 0 (asserted). */
void advantage_group(double *advantage, const double *reward, size_t n, bool scale,
                     double stabiliser);
/* All N rewards are equal: the group has no gradient. */
bool advantage_flat(const double *reward, size_t n);
/* Mean |advantage| of a group, for bandits: tell them of correctness alone. */
double advantage_size(const double *advantage, size_t n);

/* What becomes of a group without variance. Keep: no gradient, but it counts in the normalisation.
 * Drop: as if it had not been drawn. Resample: another problem's group in its place while ATTEMPT
 * (0-based, how many stood in this place before) is below MOST, then it is dropped (DAPO). */
enum group_rule { GROUP_KEEP, GROUP_DROP, GROUP_RESAMPLE };
enum group_fate { GROUP_USE, GROUP_DROPPED, GROUP_AGAIN };
enum { GROUP_RULES = GROUP_RESAMPLE + 1 };
const char *group_rule_name(enum group_rule r); /* "keep", "drop", "resample" */
int group_rule_of(const char *name, enum group_rule *ret, struct err *err) MUST_CHECK;
enum group_fate group_decide(enum group_rule rule, const double *reward, size_t n, size_t attempt,
                             size_t most);

/* How a loss per token becomes one number: the mean of each completion's mean; the mean of all
 * tokens; the sum over completions * CONSTANT (Dr. GRPO: the longest completion there may be). */
enum loss_norm { LOSS_SEQUENCE, LOSS_TOKEN, LOSS_CONSTANT };
enum { LOSS_NORMS = LOSS_CONSTANT + 1 };
const char *loss_norm_name(enum loss_norm n); /* "sequence", "token", "constant" */
int loss_norm_of(const char *name, enum loss_norm *ret, struct err *err) MUST_CHECK;
/* WEIGHT[i] of every token of completion i, which has TOKENS[i] of them; the loss is the weighted
 * sum over all tokens. A completion without tokens weighs 0 and still counts as one. CONSTANT > 0
 * is looked at by LOSS_CONSTANT only (asserted). */
void loss_weights(double *weight, const size_t *tokens, size_t n, enum loss_norm norm,
                  double constant);

#endif
