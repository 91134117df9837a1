/* SPDX-License-Identifier: Apache-2.0 */
/* evaluator.h - what a model answers to examples under given routings, and whether that is right.
 *
 * The one place where an example is scored: search, its replay and evaluate call the same function,
 * so an outcome is a function of (model, example, routing, decoding limits) whatever else is
 * computed with it. CHOICE: log-likelihoods of the choices as question.h describes. ANSWER of one
 * token without stops: the largest logit behind the prompt, from prefix states where there are
 * some. Other ANSWERs: the prompt is continued (generate.h) with the routing fixed for the prompt
 * and every token. The text or the log-likelihoods are graded by the task. One evaluator serves one
 * thread. Private to worker/jobs. */
#ifndef WORKER_JOBS_EVALUATOR_H
#define WORKER_JOBS_EVALUATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "common/tasks/task.h"
#include "worker/kernels/pool.h"
#include "worker/model/generate.h"
#include "worker/model/model.h"

enum { OUTCOME_ANSWER_BYTES = 256 };

struct outcome {
    bool correct, correct_norm; /* marks of task.h */
    int pick;
    char answer[OUTCOME_ANSWER_BYTES]; /* what was extracted, UTF-8, cut at its end; CHOICE: "A",
                                          "B"... of the pick, its number from the 27th on */
    double value[TASK_METRICS_MAX];    /* as marks.value */
    double logprob[TASK_CHOICES_MAX];
    size_t logprobs_len; /* choices; 0 for an ANSWER without */
    uint64_t rows;       /* token rows that one layer application costs: prompt or choices, and the
                            generated tokens that were fed back */
    uint64_t generated;  /* tokens */
};

struct evaluator_conf {
    const struct model *model; /* borrowed */
    const char *model_name;    /* for messages; NULL: "the model" */
    const struct task_spec *task;
    struct pool *pool;        /* may be NULL; borrowed */
    uint64_t cache_bytes;     /* limit of the prefix states of one example */
    size_t max_new;           /* tokens of an answer; 0: the example's own limit */
    struct sampling sampling; /* stream is the example's id */
};

struct evaluator;
/* ERR_INVALID: the model has no tokenizer, or sampling is out of range. */
int evaluator_new(struct evaluator **ret, const struct evaluator_conf *conf,
                  struct err *err) MUST_CHECK;
void evaluator_free(struct evaluator *e);

/* Turn to the N examples of X (borrowed until the next ones); cached states go. ERR_INVALID: text
 * that the tokenizer cannot express, a chat prompt for a model without chat template. */
int evaluator_begin(struct evaluator *e, const struct example *const *x, size_t n,
                    struct err *err) MUST_CHECK;

/* Example EXAMPLE (index into those begun) by ROUTING ([layers]). */
struct evaluation {
    size_t example;
    const uint8_t *routing;
};
/* Outcomes of N evaluations. REUSE (of one example alone, asserted): start from cached states and
 * keep the new ones; without, every path runs whole. Generated answers always do. No bit of an
 * outcome depends on it, nor on the company. ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED: logits that
 * are not finite. */
int evaluator_run(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err) MUST_CHECK;

/* Prompt tokens of example I that were cut off on the left. */
uint64_t evaluator_truncated(const struct evaluator *e, size_t i);
/* Layer applications weighted by token rows since evaluator_new. */
uint64_t evaluator_layer_rows(const struct evaluator *e);

#endif
