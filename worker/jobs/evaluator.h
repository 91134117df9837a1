/* SPDX-License-Identifier: Apache-2.0 */
/* evaluator.h - what a model answers to examples under given routings, and whether that is right.
 *
 * The one place where an example is scored: search, its replay and evaluate call the same function,
 * so an outcome is a function of (model, example, routing, decoding limits) whatever else is
 * computed with it. CHOICE: log-likelihoods of the choices as question.h describes. ANSWER of one
 * token without stops: the largest logit behind the prompt, from prefix states where there are
 * some. Other ANSWERs: the prompt is continued (generate.h) with the routing fixed for the prompt
 * and every token. The text or the log-likelihoods are graded by the task. One evaluator serves one
 * thread.
 *
 * Many evaluations in one call are cheap, of many examples best of all: the calls of a search work
 * in lockstep so that every pass is full. Private to worker/jobs. */
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
#include "worker/model/sweep.h"

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
    /* Of a response with visible reasoning (think.h); else false and 0. */
    bool thinks, well_formed;
    bool cut; /* it ended at max_new or at the model's last position */
    uint64_t response_tokens, think_tokens; /* as struct thought */
};

struct evaluator_conf {
    const struct model *model; /* borrowed */
    const char *model_name;    /* for messages; NULL: "the model" */
    const struct task_spec *task;
    struct pool *pool;        /* may be NULL; borrowed */
    uint64_t cache_bytes;     /* limit of the prefix states of each example */
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

/* Example EXAMPLE (index into those begun) by ROUTING ([layers]). Or, ROUTING NULL, by what DECIDER
 * decides in the pass and writes to DECIDED ([layers]; sweep.h); all of a call that decide have the
 * same decider, without REUSE (asserted). It decides once per evaluation, on the prompt: of an
 * answer all rows in front of it, of choices the context of the first one (up to the row that
 * predicts its first token); every part, and every generated token, goes by that. */
struct evaluation {
    size_t example;
    const uint8_t *routing;
    const struct sweep_decider *decider;
    uint8_t *decided;
};
/* Outcomes of N evaluations, any mixture of examples and paths. REUSE: evaluations of an example
 * that share a prefix compute it once; they start from the states that earlier calls kept, and new
 * ones are kept within cache_bytes. Without, every path runs whole. No bit of an outcome depends on
 * it, nor on the company, the order or the limit. ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED: logits
 * that are not finite. */
int evaluator_run(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                  struct outcome *ret, struct progress *progress, struct err *err) MUST_CHECK;

/* Prompt tokens of example I that were cut off on the left. */
uint64_t evaluator_truncated(const struct evaluator *e, size_t i);

/* What evaluations cost. An application is one layer applied to all rows of an example. */
struct evaluator_stats {
    uint64_t evaluations;
    uint64_t needed;           /* applications of their paths */
    uint64_t found;            /* of these not made: kept by an earlier call or shared within one */
    uint64_t layer_rows;       /* made: applications weighted by token rows */
    uint64_t layer_rows_whole; /* had each path run whole */
    uint64_t ended;            /* made last for a path: only the rows with logits go beyond
                                  their keys and values; they count in full above */
    uint64_t bytes_peak; /* of prefix states, the most at the end of a call: of one example; in
                            totals: of all together */
};
/* Of example I since evaluator_begin. */
struct evaluator_stats evaluator_stats(const struct evaluator *e, size_t i);
/* Of all examples since evaluator_new. */
struct evaluator_stats evaluator_total(const struct evaluator *e);
/* Layer applications weighted by token rows since evaluator_new: evaluator_total().layer_rows. */
uint64_t evaluator_layer_rows(const struct evaluator *e);
/* The sweep that it works with: for sweep_measure(). */
struct sweep *evaluator_sweep(struct evaluator *e);

#endif
