/* SPDX-License-Identifier: Apache-2.0 */
/* recipe.h - a recipe file as it was written: steps with their values, the sweep, variables.
 *
 * Values are typed but not yet checked against the job kinds: a sweep or --set may still replace
 * any of them. plan_make() checks every run. A group inside a step is flattened: model = { path =
 * "x"; } is the entry "model.path". Text may name variables: "${paths.model}/tokenizer.bin"; a text
 * that is nothing but one name takes the variable's type.
 *
 * The sweep is a list of entries that multiply. Whatever its form, an entry is a table: a column
 * (struct recipe_axis) per swept parameter, a row per point. A row of a list of points may leave a
 * parameter alone; an entry whose condition does not hold is one row that leaves all of them. */
#ifndef EXPERIMENTS_PLAN_RECIPE_H
#define EXPERIMENTS_PLAN_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/kinds/kinds.h"

enum {
    RECIPE_STEPS_MAX = 64,
    RECIPE_AXES_MAX = 32,    /* swept parameters, the seed included */
    RECIPE_ENTRIES_MAX = 32, /* of the sweep */
    RECIPE_EXCLUDES_MAX = 64,
    RECIPE_RUNGS_MAX = 16,
    RECIPE_VALUES_MAX = 4096,      /* per axis of a grid, zip or list of points */
    RECIPE_POINTS_MAX = 100000,    /* per random entry: as many as a plan has runs */
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

/* A condition and its place ("recipe.cfg:12: steps[1].when"); TEXT is NULL when there is none. */
struct recipe_cond {
    char *text, *where;
    struct cond *cond;
};

struct recipe_step {
    char *id;
    size_t index; /* in the file: errors say steps[INDEX] */
    char *where;
    const struct kind *kind;
    struct recipe_set set;
    struct recipe_cond when; /* in which runs the step is */
};

/* A column: values of one parameter. */
struct recipe_axis {
    char *target; /* "labels.simulations" or "seed" */
    char *where;
    int step;     /* index in struct recipe, -1 for the run's seed */
    char *name;   /* entry of the step, NULL for the seed */
    size_t entry; /* whose column it is */
    struct param_value *value;
    bool *given; /* of each row: false leaves the step's own value; NULL: all are given */
    size_t len;  /* rows, as its entry */
    char **at;   /* "file:line" of each row's value; NULL: WHERE for all */
};

enum { RECIPE_PRIORITY_MAX = 1000000 }; /* and its negative: STORE_PRIORITY_MAX */
enum sweep_form { SWEEP_GRID, SWEEP_ZIP, SWEEP_POINTS, SWEEP_RANDOM };

struct recipe_entry {
    enum sweep_form form;
    char *where;  /* file:line */
    size_t index; /* in the file: errors say sweep[INDEX] */
    size_t len;   /* rows */
    struct recipe_cond when;
};

struct recipe_rung {
    char *step, *score; /* score: the step whose result decides; = step when not given */
    char *where;
};

struct recipe_halving {
    char *where; /* NULL: the recipe halves nothing */
    struct recipe_rung rung[RECIPE_RUNGS_MAX];
    size_t rungs_len;
    struct recipe_set set; /* measure, better, keep: parameters of the select jobs */
};

struct recipe {
    char *name;
    char *path;       /* as given; "" when embedded */
    char *dir;        /* relative paths start here; "." when embedded */
    char *text;       /* includes resolved, --set appended as comments */
    bool prioritised; /* it says so: */
    int32_t priority;
    struct recipe_set paths, vars;
    struct recipe_step step[RECIPE_STEPS_MAX];
    size_t steps_len;
    struct recipe_axis axis[RECIPE_AXES_MAX];
    size_t axes_len;
    struct recipe_entry entry[RECIPE_ENTRIES_MAX];
    size_t entries_len;
    size_t
        order[RECIPE_ENTRIES_MAX]; /* entries so that each follows those that its condition names */
    struct recipe_cond exclude[RECIPE_EXCLUDES_MAX];
    size_t excludes_len;
    struct recipe_halving halving;
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
