/* SPDX-License-Identifier: Apache-2.0 */
/* making.h - a table while it is made. Shared by table.c, rows.c, units.c, cell.c, compare.c,
 * notes.c and trace.c. */
#ifndef STORE_TABLES_MAKING_H
#define STORE_TABLES_MAKING_H

#include "store/tables/pivot.h"

#define NOWHERE SIZE_MAX
#define NO_CELL "\xe2\x80\x93" /* an en dash */

/* What a row sums up. */
enum row_kind {
    ROW_OWN,   /* its own results */
    ROW_TOTAL, /* over levels, or subsets */
    ROW_GROUP  /* over the tasks of a group: key "task" holds its name */
};

struct row {
    const char *key[TABLE_KEYS_MAX]; /* interned; NULL beyond the last */
    enum row_kind kind;
};

/* A key of rows or spread, found in the pivot. */
struct found_key {
    const struct table_key *spec; /* NULL: a parameter that varies */
    int key;
    const char *name; /* for heads and messages */
};

/* A column of the table: one of the specification's for one value of the spread. */
struct flat {
    size_t column; /* of the specification */
    size_t spread; /* index in spreads; 0 when nothing is spread */
};

/* Lists of facts by place. */
struct places {
    size_t *start, *fact; /* facts of place i: fact[start[i]] .. fact[start[i + 1] - 1] */
};

struct making {
    struct store *s;
    const uint64_t *experiments;
    size_t experiments_len;
    const struct table_spec *spec;
    bool strict;
    struct pivot pivot;
    struct vectors *vectors;
    struct found_key key[TABLE_KEYS_MAX]; /* varying parameters, then the rows asked for */
    size_t keys;
    struct found_key spread[TABLE_KEYS_MAX];
    size_t spread_keys;
    struct row *spreads; /* distinct values of the spread keys, in order; one, empty, without */
    size_t spreads_len;
    struct flat *flat;
    size_t flats;
    bool *takes;       /* [columns of the specification][facts] */
    size_t *spread_of; /* [facts] index in spreads; NOWHERE: left out, or any (numbers) */
    size_t fold;       /* place of "level", else of "subset", among KEY; keys: no totals */
    size_t task;       /* place of "task", or keys */
    bool folds_subsets;
    struct row *rows;
    size_t rows_len;
    struct places own;     /* facts of a row, by row */
    struct places numbers; /* numbers of runs, by the row's part without keys of examples */
    size_t *number_row;    /* [rows]: place in NUMBERS, or NOWHERE */
    struct table *table;
};

/* Add TEXT to T's notes unless it is there. */
void table_note(struct table *t, const char *text);

/* ---- rows.c, spread.c ---- */

/* Keys, columns, rows in their order, and the facts of each. ERR_INVALID: a key that is not there.
 */
int rows_make(struct making *m, struct err *err) MUST_CHECK;
void rows_note_groups(const struct making *m);
/* "task math, level 1" */
void row_name(const struct making *m, const struct row *r, struct buf *out);
bool fact_of_column(const struct making *m, size_t column, size_t fact);
static inline const struct table_column *flat_column(const struct making *m, size_t flat)
{
    return &m->spec->column[m->flat[flat].column];
}
bool stat_is_number(enum table_stat stat);                    /* of runs, not of examples */
int takes_make(struct making *m, struct err *err) MUST_CHECK; /* which facts belong to columns */
int keys_choose(struct making *m, struct err *err) MUST_CHECK;
int spread_make(struct making *m, struct err *err) MUST_CHECK;
/* Order of texts of a key: as specified, then numbers by value, other texts by their bytes. */
int key_compare(const struct found_key *k, const char *a, const char *b);
bool key_allows(const struct found_key *k, const char *value);
const char *key_text(const struct found_key *k, const char *value); /* for display */
/* A column's list of steps names STEP; "" names all. Its place in the list, from 1; 0: not named.
 */
bool step_among(const char *list, const char *step);
size_t step_place(const char *list, const char *step);

/* ---- units.c, metric.c ---- */

/* A metric of one of the sums that a unit adds up. */
struct member {
    const char *task;
    bool known;
    bool mean; /* of examples: several can be pooled */
    struct metric_value value;
};

/* What one seed contributes to a cell: the sum over its families. */
struct unit {
    size_t run; /* index in the pivot */
    uint64_t n, promised, correct, norm, labelled, preserved, improved, repeats, tokens, generated;
    uint64_t n_least, n_most; /* of a family */
    double layers_label, layers_all, layers_base;
    bool search, number;
    const struct sums **fact;
    size_t facts;
    struct digest *family; /* sorted */
    size_t families_len;
    struct member *member; /* of cells that show a metric, or a group's mean */
    size_t members_len;
};

/* How the members of a unit become one number. */
enum fold {
    FOLD_SUM,  /* by their examples; metrics are pooled by size */
    FOLD_MEAN, /* unweighted over tasks: GLUE's and SuperGLUE's rule */
};

/* What stands behind a cell. */
struct backing {
    struct unit *unit; /* seeds with results */
    size_t units;
    size_t wanted, diverged; /* seeds that should have results; of them diverged */
    enum fold fold;
    bool whole; /* over the subsets of whole families */
};
void backing_gather(struct making *m, size_t row, size_t flat, struct backing *ret);
void backing_release(struct backing *s);
enum fold row_fold(const struct making *m, const struct row *r);

bool stat_needs_members(enum table_stat stat, enum fold fold);
/* What C shows of X alone. WHOLE: of X's family, whatever its subset. */
struct member member_of(const struct pivot *p, const struct table_column *c, const struct sums *x,
                        bool whole);
/* The members of U as one number; false when they do not make one. */
bool members_fold(const struct unit *u, enum fold fold, struct metric_value *ret);
/* The metric that C shows for TASK: its own, or the task's main one ("acc" for unknown tasks). */
const char *metric_name(const struct table_column *c, const char *task);
/* The group of TASK that tables make a row for, or NULL; and how its row is made. */
const char *group_of(const char *task);
enum fold group_fold(const char *group);
/* Benchmarks whose whole-set metrics are no means of examples. */
bool metric_of_whole_set(const char *task, const char *metric);

/* ---- cell.c ---- */

/* What the stat counts, intervals aside: ACCURACY_CI is ACCURACY... */
enum table_stat stat_plain(enum table_stat stat);
bool stat_is_share(enum table_stat stat);
/* Name for store_vector of what C shows of X; NULL: there is none. */
const char *vector_name(const struct table_column *c, const struct sums *x);
/* What U says for C; NaN: nothing. ERROR (may be NULL): standard error over its examples, or NaN.
 */
double unit_value(struct making *m, const struct table_column *c, const struct backing *s,
                  const struct unit *u, double *ret_error);
/* Of numbers that training steps reported: the fact of the step that C names last. */
const struct sums *number_last(const struct table_column *c, const struct unit *u);
/* Compute what the column shows of S into CELL: everything but marks and comparisons. */
void cell_fill(struct making *m, struct table_cell *cell, const struct table_column *c,
               const struct backing *s);
/* Text of CELL; after comparisons, since differences are part of it. */
void cell_text(struct table_cell *cell, const struct table_head *h);
unsigned column_shows(const struct table_column *c);
bool column_of_differences(const struct table_column *c); /* its values are not shown */
int column_digits(const struct table_column *c);
double column_scale(const struct table_column *c);
int column_better(const struct table_column *c);
/* Value of CELL as printed, without anything behind it. */
void cell_number(const struct table_head *h, double value, char *out, size_t size);

/* ---- compare.c, difference.c, notes.c, origin.c ---- */

/* Which examples facts' vectors are of: the order of a cell's parts (for qsort), and are they the
 * same examples? */
int facts_by_examples(const void *a, const void *b);
bool facts_same_examples(struct making *m, const struct sums *x, const struct sums *y);
/* One side of a comparison. */
struct side {
    const struct table_column *c;
    const struct backing *s;
};
/* The paired interval of RET->difference, of A minus B, into RET; NONE where there is none. */
void difference_interval(struct making *m, struct side a, struct side b,
                         struct table_comparison *ret);
/* The same of RET->ratio; over seeds only. */
void ratio_interval(struct making *m, struct side a, struct side b, struct table_comparison *ret);

int compare_all(struct making *m, struct err *err) MUST_CHECK;
void mark_best(struct making *m);
int notes_make(struct making *m, struct err *err) MUST_CHECK;
int check_names(struct making *m, struct err *err) MUST_CHECK; /* steps and metrics exist */
int origin_make(struct making *m, struct err *err) MUST_CHECK;

/* Everything up to the notes; trace.c looks behind cells of the making. Release in any case. */
int making_run(struct making *m, struct err *err) MUST_CHECK;
void making_release(struct making *m); /* but for TABLE */

#endif
