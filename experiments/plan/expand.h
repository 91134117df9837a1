/* SPDX-License-Identifier: Apache-2.0 */
/* expand.h - one run while its steps become jobs. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_EXPAND_H
#define EXPERIMENTS_PLAN_EXPAND_H

#include "experiments/plan/build.h"

struct expansion {
    struct build *b;
    const struct point *p;
    struct step *steps;
    struct built *built; /* of the steps that are built */
    struct plan_run *run;
    uint32_t run_index;
};

/* Put the place of entry NAME of S in front of an error from below; 0 stays 0. */
int expand_error(struct expansion *x, const struct step *s, const char *name, int rc,
                 const struct err *inner, struct err *err);
/* Enter job J under KEY unless it is there, and claim it for the run. */
int expand_job(struct expansion *x, const struct plan_job *j, const struct digest *key,
               struct built *out, uint32_t *ret, struct err *err) MUST_CHECK;

/* ---- expand_inputs.c ---- */

/* A collect job named ID over the examples of STEPS. */
int expand_collect(struct expansion *x, const char *id, const int *steps, size_t steps_len,
                   const struct params *params, uint32_t retries, struct built *out,
                   struct err *err) MUST_CHECK;
/* What S reads as inputs and needs of J: model, labels, router, paths and, for a router, the task
 * files behind its labels. The models behind all of them must be one. */
int expand_inputs(struct expansion *x, const struct step *s, struct plan_job *j,
                  struct err *err) MUST_CHECK;

/* ---- expand_stages.c ---- */

/* The chain of jobs of stage step S; BASE has its model, task files and numeric class. */
int expand_stages(struct expansion *x, const struct step *s, const struct plan_job *base,
                  struct built *out, struct err *err) MUST_CHECK;

#endif
