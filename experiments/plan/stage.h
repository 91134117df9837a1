/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - a stage step: its schedule and difficulty as a recipe says them, and what is impossible
 * about them. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_STAGE_H
#define EXPERIMENTS_PLAN_STAGE_H

#include "common/curriculum/adaptive.h"
#include "common/curriculum/budget.h"
#include "common/curriculum/difficulty.h"
#include "experiments/plan/step.h"

/* Tasks, levels, schedule and difficulty of ST, a stage step, whose parameters are checked. */
int step_stage(const struct point *p, struct step *st, struct err *err) MUST_CHECK;

/* What S's parameters say; lists are borrowed from them. */
struct budget_schedule stage_budget(const struct step *s);
struct adaptive_conf stage_adaptive(const struct step *s);
struct difficulty_conf stage_difficulty(const struct step *s);
/* The budget stated to held-out problems in the stage whose slice of the schedule is SLICE; 0: none
 * but the free one. */
int64_t stage_validation_budget(const struct step *s, const struct budget_slice *slice);
/* How a recipe says the schedule, not what a job does: no parameter of a job. */
bool stage_recipe_param(const char *name);

#endif
