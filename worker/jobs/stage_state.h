/* SPDX-License-Identifier: Apache-2.0 */
/* stage_state.h - what a curriculum knows besides weights and the optimiser's moments: it travels
 * from stage to stage (output "state") and in checkpoints, as JSON. Private to worker/jobs. */
#ifndef WORKER_JOBS_STAGE_STATE_H
#define WORKER_JOBS_STAGE_STATE_H

#include "worker/jobs/stage_conf.h"

enum { STAGE_STATE_VERSION = 1, STAGE_WHY_BYTES = 504 };

struct stage_state {
    uint64_t updates;               /* done, of the whole curriculum */
    uint64_t generated;             /* tokens sampled in training */
    double flops;                   /* of sampling and training, analytic */
    struct adaptive_state adaptive; /* conf.adapts */
    struct difficulty_state difficulty;
    bool diverged;
    char why[STAGE_WHY_BYTES]; /* it diverged */
    /* In checkpoints only: core-seconds of the stage; the validation due at UPDATES is done. */
    double seconds;
    bool validated;
};

/* The beginning of a curriculum. */
void stage_state_start(struct stage_state *ret, const struct stage_conf *c);
/* Appended to OUT. INSIDE: for a checkpoint; else the text is a function of the training alone. */
void stage_state_print(const struct stage_state *s, const struct stage_conf *c, bool inside,
                       struct buf *out);
/* ERR_INVALID, ERR_VERSION: not such a text, or of another curriculum than C's; NAME is whose. */
int stage_state_parse(struct stage_state *ret, const struct stage_conf *c, const char *text,
                      size_t len, const char *name, struct err *err) MUST_CHECK;

#endif
