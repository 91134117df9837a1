/* SPDX-License-Identifier: Apache-2.0 */
/* pivot.h - the numbers behind a table: sums per (run, step, family), gathered into the cells of
 * rows and columns. */
#ifndef STORE_TABLES_PIVOT_H
#define STORE_TABLES_PIVOT_H

#include "common/metrics/metrics.h"
#include "store/tables/tables.h"

/* One store_sums with strings of its own. */
struct sums {
    char step[TABLE_WORD_MAX], task[TABLE_WORD_MAX], split[16], subset[TABLE_WORD_MAX];
    int level;
    bool search;
    uint64_t run, seed, promised, n, correct, norm, labelled, preserved, improved, repeats,
        truncated;
    double layers_label, layers_all, layers_base;
    struct digest family;
};

/* One store_summary with strings of its own. */
struct summary {
    char step[TABLE_WORD_MAX], metric[TABLE_WORD_MAX];
    uint64_t run;
    struct digest family;
    struct metric_value value;
    double pooled; /* standard error over subsets; NaN: none */
};

struct run_param {
    uint64_t run;
    char name[TABLE_WORD_MAX], value[TABLE_WORD_MAX];
};

struct pivot {
    struct sums *sums;
    size_t sums_len, sums_cap;
    struct run_param *params;
    size_t params_len, params_cap;
    struct summary *summary; /* by (run, step, family) */
    size_t summaries_len, summaries_cap;
    bool subsets; /* sums are per subset */
};

int pivot_load(struct pivot *p, struct store *s, uint64_t experiment, bool subsets,
               struct err *err) MUST_CHECK;
void pivot_release(struct pivot *p);

/* The text of KEY ("task", "level", "split", "subset", or a parameter's name) for X; "" when the
 * run has no such parameter. */
const char *pivot_key(const struct pivot *p, const struct sums *x, const char *key,
                      char out[TABLE_WORD_MAX]);

/* Names of parameters (the seed apart) that differ between runs and are not among the KEYS. Returns
 * how many were added. */
size_t pivot_varying(const struct pivot *p, char keys[][TABLE_WORD_MAX], size_t keys_len);

/* A metric of one of the sums that a unit adds up. */
struct member {
    char task[TABLE_WORD_MAX];
    bool known;
    bool mean; /* of examples: several can be pooled */
    struct metric_value value;
};

/* What one seed contributes to a cell: the sum over its families. */
struct unit {
    uint64_t run, n, promised, correct, norm, labelled, preserved, improved, repeats;
    uint64_t n_least, n_most; /* of a family */
    double layers_label, layers_all, layers_base;
    bool search;
    struct digest *family; /* sorted */
    size_t families_len;
    struct member *member; /* of cells that show a metric, or a group's mean */
    size_t members_len;
};

/* Add X to the unit of its run in UNITS (capacity grows); returns that unit. */
struct unit *units_add(struct unit **units, size_t *len, const struct sums *x);
/* Drop units whose families another unit has too: runs that share the results are one seed. */
void units_share(struct unit *units, size_t *len);
void unit_release(struct unit *u); /* what it owns */
void units_free(struct unit *units, size_t len);

/* How the members of a unit become one number. */
enum fold {
    FOLD_SUM,  /* by their examples; metrics are pooled by size */
    FOLD_MEAN, /* unweighted over tasks: GLUE's and SuperGLUE's rule */
};
/* Compute what C shows of UNITS into CELL: value, interval, n, seeds, families, text. */
void cell_fill(struct table_cell *cell, const struct table_column *c, const struct unit *units,
               size_t len, enum fold fold);

/* ---- metric.c ---- */

/* Does STAT need the members of its units? */
bool stat_needs_members(enum table_stat stat, enum fold fold);
/* What C shows of X alone. WHOLE: of X's family, whatever its subset. */
struct member member_of(const struct pivot *p, const struct table_column *c, const struct sums *x,
                        bool whole);
void unit_add_member(struct unit *u, const struct member *m);
/* The members of U as one number; false when they do not make one. */
bool members_fold(const struct unit *u, enum fold fold, struct metric_value *ret);
/* The metric that C shows for TASK: its own, or the task's main one ("acc" for unknown tasks). */
const char *metric_name(const struct table_column *c, const char *task);
/* The group of TASK that tables make a row for, or NULL; and how its row is made. */
const char *group_of(const char *task);
enum fold group_fold(const char *group);

bool stat_is_percent(enum table_stat stat);

#endif
