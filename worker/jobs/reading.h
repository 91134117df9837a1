/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h - what is read off the logits of one question under one routing, and how many logits a
 * pass may have. Private to worker/jobs. */
#ifndef WORKER_JOBS_READING_H
#define WORKER_JOBS_READING_H

#include "worker/jobs/question.h"
#include "worker/model/sweep.h"

/* Results: LOGPROB for a question with targets; TOP, the largest logit behind the prompt, for a
 * QUESTION_TOKEN. */
struct reading {
    const struct question *question; /* parts >= 1 */
    const uint8_t *routing;          /* [layers] */
    /* NULL, or who decides the routing on the context of the first part (up to the row with its
     * first logits); then ROUTING is the same memory as DECIDED, which is filled. passes.h only. */
    const struct sweep_decider *decider;
    uint8_t *decided;
    double logprob[TASK_CHOICES_MAX];
    uint32_t top;
};

/* Token rows of one pass, if they are of several sequences. */
enum { READING_ROWS_MAX = 8192 };
/* Logit rows of one pass: 64 MiB, at least one. A sequence with more gets its logits piece by piece
 * from its last state. */
size_t reading_logit_rows_max(const struct model *m);

struct logits {
    float *rows; /* [room][vocab] */
    size_t room;
};
/* Room for ROWS rows; what is there goes. ERR_NOMEM. */
int logits_fit(struct logits *l, const struct model *m, size_t rows, struct err *err) MUST_CHECK;
void logits_release(struct logits *l);

/* Forget results. */
void reading_begin(struct reading *r);
/* Take what is asked from N rows of LOGITS, which are logit rows FROM.. of part PART. */
void reading_take(struct reading *r, const struct model *m, size_t part, const float *logits,
                  size_t from, size_t n);
/* ERR_DIVERGED: logits that are not finite. */
int reading_check(const struct reading *r, struct err *err) MUST_CHECK;

/* The head over the rows of part PART that get logits, whose last STATE (rows of the part, dim) is
 * there, in pieces. ERR_CANCELLED, ERR_NOMEM. */
int reading_pieces(struct reading *r, const struct model *m, struct sweep *s, size_t part,
                   const float *state, struct logits *logits, struct progress *progress,
                   struct err *err) MUST_CHECK;

#endif
