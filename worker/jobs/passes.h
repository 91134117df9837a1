/* SPDX-License-Identifier: Apache-2.0 */
/* passes.h - the parts of questions under routings through the sweep, in passes of bounded memory.
 * Private to worker/jobs. */
#ifndef WORKER_JOBS_PASSES_H
#define WORKER_JOBS_PASSES_H

#include "common/base/progress.h"
#include "worker/jobs/prefix.h"
#include "worker/jobs/question.h"
#include "worker/model/sweep.h"

/* One question by one routing ([layers]). Results: LOGPROB for a question with targets; TOP, the
 * largest logit behind the prompt, for a QUESTION_TOKEN. */
struct reading {
    const struct question *question; /* parts >= 1 */
    const uint8_t *routing;
    double logprob[TASK_CHOICES_MAX];
    uint32_t top;
};

/* Do N readings. PREFIX (NULL: none; else all are of one question): start from its states and keep
 * the new ones; it is emptied when this fails. ERR_CANCELLED, ERR_NOMEM, ERR_DIVERGED. */
int passes_run(const struct model *m, struct sweep *s, struct prefix *prefix, struct reading *r,
               size_t n, struct progress *progress, struct err *err) MUST_CHECK;

#endif
