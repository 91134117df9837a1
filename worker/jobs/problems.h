/* SPDX-License-Identifier: Apache-2.0 */
/* problems.h - batches of training problems of the synthetic tasks, as token rows. Private to
 * worker/jobs. */
#ifndef WORKER_JOBS_PROBLEMS_H
#define WORKER_JOBS_PROBLEMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/tasks/trace.h"
#include "worker/tokenizer/tokenizer.h"
#include "worker/train/train.h"

enum { PROBLEM_TASKS_MAX = 16, PROBLEM_LEVELS_MAX = 16, PROBLEM_BUDGETS_MAX = 256 };

/* What to draw. Levels open one after the other, in the order of the list, over the first RAMP
 * share of the steps; open levels and all tasks are equally likely. */
struct problems_conf {
    const char *task[PROBLEM_TASKS_MAX];
    int level[PROBLEM_LEVELS_MAX];
    size_t tasks_len, levels_len;
    double ramp; /* 0..1 */
    uint64_t seed, steps;
    size_t batch;                       /* problems per step */
    size_t positions;                   /* longest sequence that the model takes, >= 2 */
    bool think;                         /* written reasoning (trace.h) in the place of lessons: */
    double trace[TRACE_STYLES];         /* weights of the styles, sum > 0 */
    size_t budget[PROBLEM_BUDGETS_MAX]; /* half of the prompts state one of these; none: one from */
    size_t budgets_len;                 /* the direct trace's tokens to the verbose one's */
};

struct problems {
    struct train_batch batch; /* points into the arrays below */
    uint32_t *tokens, *target;
    size_t *start;
    size_t cap; /* of tokens and target */
};

/* Levels that are open at STEP: 1..levels_len. */
size_t problems_open_levels(const struct problems_conf *c, uint64_t step);
/* Whether all of C's problems fit its positions: ERR_LIMIT names the longest with its tokens. Only
 * for .think, whose lengths are known beforehand. */
int problems_check(const struct problems_conf *c, struct err *err) MUST_CHECK;
/* The problems of STEP into P (start it with { 0 }), each behind BOS: a function of (C, STEP)
 * alone. As a lesson (lesson.h): TOK has one token per character. Or, .think, as prompt, completion
 * and the token that ends texts, where every token behind the prompt is taught: TOK has one more
 * token per tag (think.h). ERR_INVALID, ERR_LIMIT: a problem longer than the positions. */
int problems_draw(struct problems *p, const struct problems_conf *c, const struct tokenizer *tok,
                  uint64_t step, struct err *err) MUST_CHECK;
void problems_release(struct problems *p);

#endif
