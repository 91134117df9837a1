/* SPDX-License-Identifier: Apache-2.0 */
/* stage_conf.h - a stage's parameters, checked. Private to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_CONF_H
#define WORKER_JOBS_STAGE_CONF_H

#include "common/curriculum/adaptive.h"
#include "common/curriculum/budget.h"
#include "common/curriculum/difficulty.h"
#include "common/tasks/task.h"
#include "worker/jobs/job.h"
#include "worker/train/advantage.h"
#include "worker/train/policy.h"
#include "worker/train/reward.h"

enum { STAGE_TASKS_MAX = 16, STAGE_LEVELS_MAX = DIFFICULTY_LEVELS_MAX };

/* Updates count from 0 over the whole curriculum, unless they are called the stage's own. */
struct stage_conf {
    uint64_t seed;
    const struct task_spec *task[STAGE_TASKS_MAX];
    int level[STAGE_LEVELS_MAX]; /* 0: a task without levels */
    size_t tasks, levels;
    enum task_prompts prompts;

    uint64_t first, updates; /* the stage has updates first .. first + updates - 1 */
    uint64_t total;          /* of all stages; 0: nothing depends on it */

    /* The budget: none (slices 0, not adapts), a slice of a schedule, or adaptive. */
    bool adapts;
    struct adaptive_conf adaptive;
    struct budget_slice slice;
    struct difficulty_conf difficulty;

    size_t problems, group, epochs, max_new;
    struct reward_conf reward;
    bool count_think; /* the length is that between the think tags */
    enum group_rule variance;
    enum loss_norm normalise;
    bool scale_advantage;
    struct policy_conf policy; /* rate: behind the warm-up */
    double final_rate;         /* share of it at the end, along a cosine */
    uint64_t warmup;
    double kl_max, entropy_min; /* 0: no bound */

    double weight_decay, beta2, clip;
    size_t micro_batches;
    enum train_gemm gemm;

    size_t validation_examples, validation_budget;
    uint64_t validation_every; /* 0: at the ends only */
    double checkpoint_s;       /* 0: none */
};

/* ERR_INVALID, ERR_LIMIT name the parameter, the range and the remedy. */
int stage_conf_read(struct stage_conf *ret, const struct job *j, struct err *err) MUST_CHECK;

/* Learning rate of UPDATE of the whole curriculum: linear warm-up, then half a cosine wave down to
 * final_rate's share of it. */
double stage_conf_rate(const struct stage_conf *c, uint64_t update);
/* The mean of the levels, by weight. */
double stage_conf_mean_level(const struct stage_conf *c, const double *weight);

#endif
