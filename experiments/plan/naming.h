/* SPDX-License-Identifier: Apache-2.0 */
/* naming.h - points become runs with named values, each once. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_NAMING_H
#define EXPERIMENTS_PLAN_NAMING_H

#include "experiments/plan/build.h"

struct naming;

/* Names the axes of B's plan. */
struct naming *naming_new(struct build *b);
void naming_free(struct naming *n);
void naming_cleanup(struct naming **n);
/* Seed, names and values of the run at P; false: there was a point of the same values, and *RUN is
 * as it was. */
bool naming_run(struct naming *n, const struct point *p, struct plan_run *run);

#endif
