/* SPDX-License-Identifier: Apache-2.0 */
/* stage_learner.h - the model that a stage trains: its trainer, the same weights as a model that
 * generates, the stage's start as reference, and its files. Private to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_LEARNER_H
#define WORKER_JOBS_STAGE_LEARNER_H

#include "worker/jobs/job.h"
#include "worker/jobs/stage_conf.h"
#include "worker/model/sweep.h"
#include "worker/train/policy.h"

struct stage_learner;
/* From J's input "model". ERR_INVALID also: its tokenizer cannot be part of a Hugging Face folder
 * (it is in a GGUF file). */
int stage_learner_open(struct stage_learner **ret, const struct stage_conf *c, struct job *j,
                       struct err *err) MUST_CHECK;
void stage_learner_close(struct stage_learner *l);

/* Always the present weights; for generation between steps. */
const struct model *stage_learner_model(const struct stage_learner *l);
struct sweep *stage_learner_sweep(struct stage_learner *l);
struct trainer *stage_learner_trainer(struct stage_learner *l);

/* Log-probabilities of the targets of B under the weights that the stage began with (opened when
 * first asked for): [rows of B]. */
int stage_learner_reference(struct stage_learner *l, const struct train_batch *b, double *logprob,
                            struct err *err) MUST_CHECK;

/* Remember the present weights as good: what was measured of them was within all bounds. WHOLE: all
 * was; the divergence from the stage's start, say, is not measured at every update. Each kind has a
 * copy of its own unless C of stage_learner_open() measures everything every time. */
int stage_learner_keep(struct stage_learner *l, bool whole, struct err *err) MUST_CHECK;
/* Make those that were remembered last (WHOLE: of that kind) the present ones again; false when
 * none were. */
bool stage_learner_return(struct stage_learner *l, bool whole);
/* The present weights are the stage's start; are they still? */
void stage_learner_begin(struct stage_learner *l);
bool stage_learner_is_at_start(const struct stage_learner *l);

/* The model as a folder that Hugging Face's libraries read, tokenizer included, into DIR (made). */
int stage_learner_save(const struct stage_learner *l, const char *dir, struct err *err) MUST_CHECK;

#endif
