/* SPDX-License-Identifier: Apache-2.0 */
/* stage_problems.h - the problems that a stage learns from and is validated on, as prompts. Private
 * to worker/jobs.
 *
 * A drawn problem is a function of (seed, update, slot, turn), the level's weights and the budget.
 * Of a task that is read from a file the tenth whose example ids are multiples of 10 is held out
 * for validation, and prompts that do not fit in front of max_new tokens are passed over; in
 * validation they are cut on the left. */
#ifndef WORKER_JOBS_STAGE_PROBLEMS_H
#define WORKER_JOBS_STAGE_PROBLEMS_H

#include "worker/jobs/question.h"
#include "worker/jobs/stage_conf.h"

struct stage_problem {
    const struct task_spec *task;
    size_t level; /* index into the conf's levels */
    struct example example;
    struct question question; /* a QUESTION_TEXT of conf.max_new tokens */
};
void stage_problem_release(struct stage_problem *p);

struct stage_problems;
/* The tasks of C (borrowed), files from J's inputs; M's tokenizer (its weights may change) encodes
 * the prompts. ERR_INVALID: the model has no tokenizer, or fewer positions than an answer needs;
 * ERR_NOT_FOUND... */
int stage_problems_open(struct stage_problems **ret, const struct stage_conf *c, struct job *j,
                        const struct model *m, struct err *err) MUST_CHECK;
void stage_problems_close(struct stage_problems *s);

/* What stands for place SLOT of UPDATE the TURN-th time: of one key no two draws are alike. */
uint64_t stage_key(uint64_t update, size_t slot, size_t turn);

/* Draw; BUDGET 0: none stated. ERR_INVALID: no prompt that fits in front of max_new tokens, text
 * that the tokenizer cannot express. */
int stage_problem_draw(struct stage_problems *s, uint64_t update, size_t slot, size_t turn,
                       const double *weight, size_t budget, struct stage_problem *ret,
                       struct err *err) MUST_CHECK;
/* Validation problem INDEX of TASK and LEVEL (indices of the conf). ERR_LIMIT: with how many there
 * are. */
int stage_problem_fixed(struct stage_problems *s, size_t task, size_t level, uint64_t index,
                        size_t budget, struct stage_problem *ret, struct err *err) MUST_CHECK;

#endif
