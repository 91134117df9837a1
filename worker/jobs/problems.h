/* SPDX-License-Identifier: Apache-2.0 */
/* problems.h - batches of training problems of the synthetic tasks, as token rows. Private to
 * worker/jobs. */
#ifndef WORKER_JOBS_PROBLEMS_H
#define WORKER_JOBS_PROBLEMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/tokenizer/tokenizer.h"
#include "worker/train/train.h"

enum { PROBLEM_TASKS_MAX = 16, PROBLEM_LEVELS_MAX = 16 };

/* What to draw. Levels open one after the other, in the order of the list, over the first RAMP
 * share of the steps; open levels and all tasks are equally likely. */
struct problems_conf {
    const char *task[PROBLEM_TASKS_MAX];
    int level[PROBLEM_LEVELS_MAX];
    size_t tasks_len, levels_len;
    double ramp; /* 0..1 */
    uint64_t seed, steps;
    size_t batch;     /* problems per step */
    size_t positions; /* longest sequence that the model takes, >= 2 */
};

struct problems {
    struct train_batch batch; /* points into the arrays below */
    uint32_t *tokens, *target;
    size_t *start;
    size_t cap; /* of tokens and target */
};

/* Levels that are open at STEP: 1..levels_len. */
size_t problems_open_levels(const struct problems_conf *c, uint64_t step);
/* The problems of STEP into P (start it with { 0 }), each as a lesson (lesson.h) behind BOS: a
 * function of (C, STEP) alone. TOK has one token per character. ERR_INVALID, ERR_LIMIT: a problem
 * longer than the positions. */
int problems_draw(struct problems *p, const struct problems_conf *c, const struct tokenizer *tok,
                  uint64_t step, struct err *err) MUST_CHECK;
void problems_release(struct problems *p);

#endif
