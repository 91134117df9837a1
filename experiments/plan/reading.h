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
/* V as SPEC wants it, when it can be: 3 for 3.0, [0.5] for 0.5, [1.0, 2.0] for [1, 2]; else V as it
 * is. SPEC may be NULL. The caller releases it. */
struct param_value value_coerce(const struct param_spec *spec, const struct param_value *v);
/* SPEC's default, which is no list. The caller releases it. */
struct param_value value_default(const struct param_spec *spec);
/* Set entry NAME of S, with its place. Takes nothing over. */
int set_put(struct recipe_set *s, const char *name, const struct param_value *v, const char *where,
            struct err *err) MUST_CHECK;
void set_release(struct recipe_set *s);

/* ---- reading.c ---- */

int recipe_read(struct recipe *r, const struct conf *c, struct err *err) MUST_CHECK;
/* "file:line"; free() it. */
char *recipe_place(const struct conf_value *v);
/* The condition V (text) into *RET, not parsed yet. */
int recipe_read_cond(const struct conf_value *v, struct recipe_cond *ret,
                     struct err *err) MUST_CHECK;
void recipe_cond_release(struct recipe_cond *c);
/* Step and entry that TARGET ("labels.examples") names. ERR_INVALID after WHERE, with the nearest
 * step. */
int recipe_target(const struct recipe *r, const char *target, const char *where, int *ret_step,
                  const char **ret_name, struct err *err) MUST_CHECK;

/* ---- sweep.c ---- */

/* The recipe's sweep and its exclusions. */
int recipe_read_sweep(struct recipe *r, const struct conf_value *root, struct err *err) MUST_CHECK;
/* A new column of entry ENTRY, without values yet, for TARGET named at WHERE. ERR_INVALID: no such
 * step, or swept already; ERR_LIMIT. */
int recipe_add_axis(struct recipe *r, const char *target, const char *where, size_t entry,
                    struct recipe_axis **ret, struct err *err) MUST_CHECK;
/* Refuse seeds that are no integers >= 0 and, on the axis of a grid, a value that appears twice. */
int recipe_check_axis(const struct recipe *r, const struct recipe_axis *a,
                      struct err *err) MUST_CHECK;
/* Its values and what goes with them. */
void recipe_axis_clear(struct recipe_axis *a);

/* ---- random.c ---- */

/* A random entry V as the columns of entry ENTRY. */
int recipe_read_random(struct recipe *r, const struct conf_value *v, size_t entry,
                       struct err *err) MUST_CHECK;

/* ---- halving_read.c ---- */

int recipe_read_halving(struct recipe *r, const struct conf_value *root,
                        struct err *err) MUST_CHECK;
/* Its steps exist and its measure is one that they have. After every --set. */
int recipe_check_halving(const struct recipe *r, struct err *err) MUST_CHECK;

/* ---- conditions.c ---- */

/* Parse every condition, refuse names that are none and entries whose conditions name each other in
 * a circle; fill r->order. */
int recipe_compile(struct recipe *r, struct err *err) MUST_CHECK;

/* ---- override.c ---- */

/* One --set. */
int recipe_override(struct recipe *r, const char *assignment, struct err *err) MUST_CHECK;

/* ---- variables.c ---- */

/* GROUP ("paths", "vars") has no NAME: an error after WHERE with the nearest. */
int recipe_unknown_variable(const struct recipe_set *s, const char *group, const char *name,
                            const char *where, struct err *err);
/* Put the variables' values in place of "${paths.x}" and "${vars.x}" in every step, axis and
 * condition. */
int recipe_substitute(struct recipe *r, struct err *err) MUST_CHECK;
/* The variable NAME ("vars.n", "paths.model") in *RET (may be NULL). ERR_INVALID after WHERE, with
 * the nearest. */
int recipe_variable(const struct recipe *r, const char *name, const char *where,
                    const struct param_value **ret, struct err *err) MUST_CHECK;

#endif
