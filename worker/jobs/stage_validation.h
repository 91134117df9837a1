/* SPDX-License-Identifier: Apache-2.0 */
/* stage_validation.h - greedy answers to held-out problems while a stage trains. Changes nothing of
 * the training. Private to worker/jobs.
 *
 * Metrics validation_accuracy, validation_tokens (mean of the answers that ended), and
 * validation_truncated (share that did not) with validation_budget in the prompt, when there is
 * one; the same as validation_free_* without. Each also as NAME.TASK.LEVEL, of LEVEL 0 as
 * NAME.TASK. */
#ifndef WORKER_JOBS_STAGE_VALIDATION_H
#define WORKER_JOBS_STAGE_VALIDATION_H

#include "worker/jobs/stage_problems.h"
#include "worker/model/sweep.h"

/* Metrics of STEP. ERR_CANCELLED, ERR_DIVERGED, ERR_LIMIT: fewer problems than validation_examples.
 */
int stage_validate(const struct stage_conf *c, struct stage_problems *problems,
                   const struct model *m, struct sweep *s, uint64_t step, struct job *j,
                   struct err *err) MUST_CHECK;

#endif
