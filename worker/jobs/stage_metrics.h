/* SPDX-License-Identifier: Apache-2.0 */
/* stage_metrics.h - what a stage tells while it runs. Steps are updates done, of the whole
 * curriculum. Private to worker/jobs.
 *
 * Of each update: reward, reward_correct, reward_length, reward_format (parts without their
 * weights), accuracy, accuracy.LEVEL, tokens, think_tokens, truncated, budget (when there is one),
 * difficulty (mean level by weight), groups_used, learning_rate; entropy, clip_fraction,
 * gradient_norm where the weights moved; kl where it was measured; generated_tokens and flops since
 * the curriculum began; core_seconds since the stage began, without validation: of all the only one
 * that differs from run to run. */
#ifndef WORKER_JOBS_STAGE_METRICS_H
#define WORKER_JOBS_STAGE_METRICS_H

#include "worker/jobs/stage_state.h"
#include "worker/jobs/stage_update.h"

/* Of update U; S is behind it. */
void stage_metrics_send(const struct job_services *services, const struct stage_conf *c,
                        const struct stage_update *u, const struct stage_state *s);

#endif
