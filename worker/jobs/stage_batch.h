/* SPDX-License-Identifier: Apache-2.0 */
/* stage_batch.h - groups of answers with their rewards as a batch for policy steps: one sequence
 * per answer, a target per generated token. Private to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_BATCH_H
#define WORKER_JOBS_STAGE_BATCH_H

#include "worker/jobs/stage_rollout.h"

struct stage_batch {
    struct train_batch batch; /* points into the arrays below */
    uint32_t *tokens, *target;
    size_t *start;
    double *weight, *advantage; /* [rows] */
    double *old, *reference;    /* [rows] */
    size_t *len;                /* generated tokens of each sequence */
    double *sequence_advantage; /* [sequences] */
    size_t sequences, sequences_max, rows, rows_max;
};
void stage_batch_release(struct stage_batch *b);

/* Add the N answers of one problem, whose rewards are REWARD[n]. */
void stage_batch_add(struct stage_batch *b, const struct stage_conf *c,
                     const struct stage_answer *answer, const double *reward, size_t n);
/* All groups are there: weights, and B->batch. Not for an empty one (asserted). */
void stage_batch_finish(struct stage_batch *b, const struct stage_conf *c);

#endif
