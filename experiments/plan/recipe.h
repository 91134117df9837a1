/* SPDX-License-Identifier: Apache-2.0 */
/* recipe.h - a recipe file as it was written: steps with their values, axes of the sweep,
 * variables.
 *
 * Values are typed but not yet checked against the job kinds: a sweep or --set may still replace
 * any of them. plan_make() checks every run. A group inside a step is flattened: model = { path =
 * "x"; } is the entry "model.path". Text may name variables: "${paths.model}/tokenizer.bin"; a text
 * that is nothing but one name takes the variable's type. */
#ifndef EXPERIMENTS_PLAN_RECIPE_H
#define EXPERIMENTS_PLAN_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/kinds/kinds.h"

enum {
    RECIPE_STEPS_MAX = 64,
    RECIPE_AXES_MAX = 16,
    RECIPE_VALUES_MAX = 4096,      /* per axis */
    RECIPE_BYTES_MAX = 1024 * 1024 /* of text */
};

/* Values by name, each with the place ("recipe.cfg:12" or "--set") that an error names. */
struct recipe_set {
    struct params values;
    struct {
        char *name, *where;
    } place[PARAMS_MAX];
    size_t places_len;
};
/* The place of NAME, or FALLBACK. */
const char *recipe_where(const struct recipe_set *s, const char *name, const char *fallback);

struct recipe_step {
    char *id;
    size_t index; /* in the file: errors say steps[INDEX] */
    char *where;
    const struct kind *kind;
    struct recipe_set set;
};

struct recipe_axis {
    char *target; /* "labels.simulations" or "seed" */
    char *where;
    int step;   /* index in struct recipe, -1 for the run's seed */
    char *name; /* entry of the step, NULL for the seed */
    struct param_value *value;
    size_t len;
};

struct recipe {
    char *name;
    char *path; /* as given; "" when embedded */
    char *dir;  /* relative paths start here; "." when embedded */
    char *text; /* includes resolved, --set appended as comments */
    struct recipe_set paths, vars;
    struct recipe_step step[RECIPE_STEPS_MAX];
    size_t steps_len;
    struct recipe_axis axis[RECIPE_AXES_MAX];
    size_t axes_len;
};

/* Read the file PATH, then apply SETS ("labels.examples=10", "paths.model=./m", "seed=[1, 2, 3]"),
 * in order. A relative path given by --set paths.NAME=... starts at the current folder, one in the
 * file at the file's folder. ERR_INVALID with file:line, ERR_NOT_FOUND, ERR_LIMIT, ERR_IO. */
int recipe_load(const char *path, const char *const *sets, size_t sets_len, struct recipe **ret,
                struct err *err) MUST_CHECK;
/* The same from TEXT; NAME stands for the file in errors ("quickstart"). */
int recipe_parse(const char *text, const char *name, const char *const *sets, size_t sets_len,
                 struct recipe **ret, struct err *err) MUST_CHECK;
void recipe_free(struct recipe *r); /* NULL is fine */
void recipe_cleanup(struct recipe **r);

/* Index of the step ID, or -1. */
int recipe_find(const struct recipe *r, const char *id);

#endif
