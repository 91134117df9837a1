/* SPDX-License-Identifier: Apache-2.0 */
/* score.h - an outcome as the message that goes to the coordinator. Private to worker/jobs. */
#ifndef WORKER_JOBS_SCORE_H
#define WORKER_JOBS_SCORE_H

#include "common/wire/drover.pb-c.h"
#include "worker/jobs/evaluator.h"

enum {
    SCORE_COMPARISONS = 10, /* exact_path; skip_tp, skip_fp, skip_fn, execute_tp... repeat_fn */
    SCORE_THOUGHTS = 5,     /* response_tokens, think_tokens, truncated, well_formed,
                               untruncated_tokens */
    SCORE_VALUES_MAX = TASK_METRICS_MAX + 1 + SCORE_THOUGHTS + SCORE_COMPARISONS
};

/* The message and its memory. */
struct score {
    Drover__Score message;
    Drover__Value value[SCORE_VALUES_MAX], *value_at[SCORE_VALUES_MAX];
};

/* OUTCOME and ROUTING are borrowed by the message. A response with visible reasoning has the values
 * response_tokens and think_tokens, truncated and well_formed (1 or 0) and, unless it is truncated,
 * untruncated_tokens, whose mean is that of the answers that came to an end. */
void score_fill(struct score *s, const struct task_spec *task, const struct example *e,
                struct outcome *outcome, uint8_t *routing, size_t layers);
/* Values of how the routing agrees with LABEL: exact_path, 1 when they are the same; and per class
 * skip, execute, repeat the layers that are of it in both (_tp), in the routing only (_fp), in the
 * label only (_fn). */
void score_compare(struct score *s, const uint8_t *label);

#endif
