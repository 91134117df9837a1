/* SPDX-License-Identifier: Apache-2.0 */
/* evaluator.h - what a model answers to one example under given routings, and whether that is
 * right.
 *
 * The one place where an example is scored: search, its replay and evaluate call the same function,
 * so a score is a function of (model, example, routing) whatever else is computed with it. ANSWER
 * tasks: the prompt is continued greedily and graded. CHOICE tasks: log-likelihood of " " + choice
 * after the prompt as lm-evaluation-harness has it (pair encoded together, log_softmax over the
 * whole vocabulary, summed over the continuation; too long inputs lose their left end). One
 * evaluator serves one thread. Private to worker/jobs. */
#ifndef WORKER_JOBS_EVALUATOR_H
#define WORKER_JOBS_EVALUATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/tasks/task.h"
#include "worker/kernels/pool.h"
#include "worker/model/model.h"

enum { OUTCOME_ANSWER_BYTES = 128 };

struct outcome {
    bool correct;      /* graded right; CHOICE: the largest sum is the gold choice */
    bool correct_norm; /* CHOICE: the largest sum per character; ANSWER: as correct */
    char answer[OUTCOME_ANSWER_BYTES]; /* text, cut at its end; CHOICE: "A", "B"... */
    double logprob[TASK_CHOICES_MAX];
    size_t logprobs_len; /* choices; 0 for ANSWER */
};

struct evaluator;
/* MODEL and POOL (may be NULL) are borrowed. CACHE_BYTES: limit of the prefix states of one
 * example. ERR_INVALID: the model has no tokenizer; ERR_NOMEM. */
int evaluator_new(struct evaluator **ret, const struct model *model, const struct task_spec *task,
                  struct pool *pool, uint64_t cache_bytes, struct err *err) MUST_CHECK;
void evaluator_free(struct evaluator *e);

/* Turn to EXAMPLE (borrowed until the next one); cached states go. ERR_INVALID: text that the
 * tokenizer cannot express; ERR_LIMIT: longer than the model's positions. */
int evaluator_begin(struct evaluator *e, const struct example *example, struct err *err) MUST_CHECK;
/* Outcomes of N routings ([layers] each). REUSE: start from cached states and keep the new ones;
 * without, every path runs whole. No bit of an outcome depends on it. ERR_CANCELLED, ERR_NOMEM,
 * ERR_DIVERGED: logits that are not finite. */
int evaluator_run(struct evaluator *e, const uint8_t *const *routing, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err) MUST_CHECK;

/* Token rows of the example: what one layer application costs. */
size_t evaluator_rows(const struct evaluator *e);
/* Layer applications weighted by token rows since evaluator_new. */
uint64_t evaluator_layer_rows(const struct evaluator *e);

#endif
