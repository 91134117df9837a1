/* SPDX-License-Identifier: Apache-2.0 */
/* stage_rollout.h - what a model answers to a stage's problems, and what an answer is like. Private
 * to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_ROLLOUT_H
#define WORKER_JOBS_STAGE_ROLLOUT_H

#include "common/base/progress.h"
#include "worker/jobs/stage_problems.h"
#include "worker/model/generate.h"

/* What is known of an answer. Without think prompts an answer is well-formed when it ended. */
struct stage_marks {
    bool correct;
    bool truncated; /* it did not end within max_new tokens: not well-formed, length max_new */
    bool think_ok, answer_ok, well_formed;
    size_t tokens;       /* of the response, without the one that ended it */
    size_t think_tokens; /* between the think tags */
};

struct stage_answer {
    const struct stage_problem *problem;
    struct generation text; /* ids, text and how it ended */
    struct stage_marks marks;
};

/* How to sample; temperature 0: greedy. Sample s of problem i belongs to stream key[i] << 11 | s.
 */
struct stage_sampling {
    double temperature;
    uint64_t seed;
    const uint64_t *key; /* [problems]; NULL when greedy */
    size_t samples;      /* of each problem, 1..2047 */
};

/* Answers to the N problems of P, ANSWER[i * samples + s] (zeroed; the caller's to release also
 * after an error), all in one run. The problems must stay where they are as long as the answers.
 * ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED. */
int stage_answer_all(struct sweep *s, const struct model *m, const struct stage_problem *p,
                     size_t n, const struct stage_sampling *how, struct stage_answer *answer,
                     struct progress *progress, struct err *err) MUST_CHECK;
void stage_answer_release(struct stage_answer *a);

/* Marks of a text that PROBLEM's model wrote: the LEN tokens IDS, FINISH, TEXT as generated. */
void stage_mark(const struct stage_problem *p, const struct tokenizer *tok, const uint32_t *ids,
                size_t len, enum finish finish, const char *text, struct stage_marks *ret);

/* The reward of an answer under BUDGET (0: none). */
struct reward_parts stage_reward(const struct stage_conf *c, const struct stage_marks *m,
                                 size_t budget);

/* Floating point operations of reading a prompt, once for all its samples; of writing LEN tokens
 * behind it; of a forward and backward pass over both with the loss of those LEN. Analytic: 2 per
 * weight and row, attention included, backward twice forward, nothing for what is computed again.
 */
double stage_flops_read(const struct model_conf *c, size_t prompt);
double stage_flops_written(const struct model_conf *c, size_t prompt, size_t len);
double stage_flops_trained(const struct model_conf *c, size_t prompt, size_t len);

#endif
