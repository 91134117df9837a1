/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h - from libconfig values to a recipe. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_READING_H
#define EXPERIMENTS_PLAN_READING_H

#include "common/conf/conf.h"
#include "experiments/plan/recipe.h"

/* ---- value.c ---- */

/* A scalar, or a list or array of integers or of texts. The caller releases it. ERR_INVALID with
 * file:line. */
int value_read(const struct conf_value *v, struct param_value *ret, struct err *err) MUST_CHECK;
bool value_equal(const struct param_value *a, const struct param_value *b);
/* Set entry NAME of S, with its place. Takes nothing over. */
int set_put(struct recipe_set *s, const char *name, const struct param_value *v, const char *where,
            struct err *err) MUST_CHECK;
void set_release(struct recipe_set *s);

/* ---- reading.c ---- */

int recipe_read(struct recipe *r, const struct conf *c, struct err *err) MUST_CHECK;
/* Step and entry that TARGET ("labels.examples") names. ERR_INVALID after WHERE, with the nearest
 * step. */
int recipe_target(const struct recipe *r, const char *target, const char *where, int *ret_step,
                  const char **ret_name, struct err *err) MUST_CHECK;
/* Refuse a value that appears twice, and seeds that are no integers >= 0. */
int recipe_check_axis(const struct recipe_axis *a, struct err *err) MUST_CHECK;

/* ---- variables.c ---- */

/* One --set. */
int recipe_override(struct recipe *r, const char *assignment, struct err *err) MUST_CHECK;
/* Put the variables' values in place of "${paths.x}" and "${vars.x}" in every step and axis. */
int recipe_substitute(struct recipe *r, struct err *err) MUST_CHECK;

#endif
