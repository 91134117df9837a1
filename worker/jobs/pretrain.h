/* SPDX-License-Identifier: Apache-2.0 */
/* pretrain.h - the parts of a pretrain job: what its parameters say, and where it is, as a file.
 * Private to worker/jobs. */
#ifndef WORKER_JOBS_PRETRAIN_H
#define WORKER_JOBS_PRETRAIN_H

#include <limits.h>

#include "worker/jobs/job.h"
#include "worker/jobs/problems.h"
#include "worker/tokenizer/tokenizer.h"
#include "worker/train/depth.h"
#include "worker/train/train.h"

struct pretrain {
    struct job *job;
    struct tokenizer *tok;
    struct trainer *trainer;
    struct train_conf conf;
    struct depth_conf depth;
    struct problems_conf problems;
    struct problems batch;
    uint8_t *times; /* [batch][layers], see train_batch */
    double loss;    /* sums since the last point */
    size_t targets, correct, steps, layers;
    double checkpoint_s;
    uint64_t saved, saved_ms; /* step of the last checkpoint; when it was made or tried */
};

/* All of P's conf, depth and problems from its job's parameters; P's tokenizer is there.
 * ERR_INVALID, ERR_LIMIT (a problem that does not fit into the model's positions). */
int pretrain_conf_read(struct pretrain *p, struct err *err) MUST_CHECK;

/* NAME in the job's scratch folder. */
int pretrain_scratch(const struct pretrain *p, const char *name, char path[PATH_MAX],
                     struct err *err) MUST_CHECK;

/* *RET: the step to go on from; 0, the start, also when the checkpoint is of no use. */
int pretrain_resume(struct pretrain *p, uint64_t *ret, struct err *err) MUST_CHECK;
bool pretrain_checkpoint_due(const struct pretrain *p, uint64_t step);
/* Training goes on without one; only an attempt that is over ends here. */
int pretrain_checkpoint(struct pretrain *p, uint64_t step, struct err *err) MUST_CHECK;

#endif
