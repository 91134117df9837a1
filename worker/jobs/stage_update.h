/* SPDX-License-Identifier: Apache-2.0 */
/* stage_update.h - one update of a stage: problems drawn, groups sampled and rewarded, the policy
 * moved. Private to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_UPDATE_H
#define WORKER_JOBS_STAGE_UPDATE_H

#include "worker/jobs/stage_learner.h"
#include "worker/jobs/stage_rollout.h"

enum {
    STAGE_RESAMPLE_MAX = 3,  /* further problems in a place whose groups had no variance */
    STAGE_MEASURE_EVERY = 10 /* updates between two measurements of a KL divergence that is in no
                                loss: it costs a forward pass */
};

/* What it is told, and what it saw. Means are over all completions sampled, those of groups that
 * were left out included. */
struct stage_update {
    uint64_t update; /* of the whole curriculum */
    size_t budget;   /* 0: none */
    double weight[STAGE_LEVELS_MAX];

    size_t sampled, correct, truncated;
    double reward, reward_correct, reward_length, reward_format; /* means, parts unweighted */
    double tokens, think_tokens;
    struct difficulty_count count[STAGE_LEVELS_MAX];
    size_t groups, groups_used;
    bool stepped, measured; /* the weights moved; the KL divergence was measured */
    bool strayed;           /* ERR_DIVERGED because of it */
    double rate;
    struct policy_report report; /* of the first epoch */
    double clipped;              /* share, mean over the epochs */
    uint64_t generated;          /* tokens */
    double flops;                /* sampling and training */
};

/* Run U (update, budget, weight set) on L. ERR_DIVERGED: what is not finite, or beyond a bound of
 * C; the weights were measured before they moved, and stage_learner_return(U->strayed) gives the
 * last ones that were within the bounds. ERR_CANCELLED, ERR_NOMEM, ERR_INVALID... */
int stage_update_run(struct stage_update *u, const struct stage_conf *c,
                     struct stage_problems *problems, struct stage_learner *l,
                     struct progress *progress, struct err *err) MUST_CHECK;
/* The share of the sampled completions that were right. */
double stage_update_accuracy(const struct stage_update *u);

#endif
