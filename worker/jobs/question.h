/* SPDX-License-Identifier: Apache-2.0 */
/* question.h - an example as the token rows that a model reads. Private to worker/jobs.
 *
 * Choices as lm-evaluation-harness encodes a pair: blanks at the context's end move to the
 * continuation; whole = encode(context + choice), of which the first encode(context) tokens are the
 * context's and the rest is scored; an empty context is BOS, else EOS; at most positions + 1
 * tokens, the left ones dropped, of which all but the last are fed (of a choice that is longer than
 * the positions its end is scored). Choices of one token behind
 * equal contexts share one sequence: one pass has all their logits. Generated answers: the prompt's
 * last positions - max_new tokens; where max_new alone fills the positions, the prompt may have
 * half of them and max_new is lowered to what it leaves. With think's prompts that holds for every
 * max_new, and a longer prompt is refused (ERR_LIMIT). */
#ifndef WORKER_JOBS_QUESTION_H
#define WORKER_JOBS_QUESTION_H

#include "common/tasks/task.h"
#include "worker/model/model.h"

enum question_form {
    QUESTION_CHOICES,
    QUESTION_TOKEN, /* the largest logit behind the prompt */
    QUESTION_TEXT,  /* generated, and log-likelihoods of the choices if there are any */
};

/* One sequence: rows logits_from.. get logits. */
struct part {
    uint32_t *tokens; /* [rows] */
    size_t rows, logits_from;
    size_t before; /* rows of the parts in front */
};

/* Tokens of one choice, predicted by the last LEN rows of its part. */
struct target {
    size_t part, len;
    uint32_t *ids;
};

struct question {
    const struct example *example; /* borrowed */
    enum question_form form;
    struct part part[TASK_CHOICES_MAX];
    struct target target[TASK_CHOICES_MAX];
    size_t parts, targets, rows; /* rows: of all parts */
    uint32_t *prompt;            /* QUESTION_TEXT */
    size_t prompt_len, max_new;  /* QUESTION_TEXT */
    uint64_t truncated;          /* tokens cut off on the left: the most of any sequence */
};

/* MAX_NEW: longest answer, 0: the example's own limit. GREEDY: false makes every ANSWER a
 * QUESTION_TEXT. Errors as evaluator_begin; *RET is to be released only after success. */
int question_make(struct question *ret, const struct model *m, const char *model_name,
                  const struct example *e, size_t max_new, bool greedy, struct err *err) MUST_CHECK;
void question_release(struct question *q);

#endif
