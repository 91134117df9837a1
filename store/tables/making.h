/* SPDX-License-Identifier: Apache-2.0 */
/* making.h - a table while it is made. Shared by table.c and rows.c. */
#ifndef STORE_TABLES_MAKING_H
#define STORE_TABLES_MAKING_H

#include "store/tables/pivot.h"

/* What a row sums up. */
enum row_kind {
    ROW_OWN,   /* its own results */
    ROW_TOTAL, /* over levels, or subsets */
    ROW_GROUP  /* over the tasks of a group: key "task" holds its name */
};

struct row {
    char key[TABLE_KEYS_MAX][TABLE_WORD_MAX];
    enum row_kind kind;
};

/* Everything about one table while it is made. */
struct making {
    struct store *s;
    uint64_t experiment;
    const struct table_spec *spec;
    struct pivot pivot;
    char keys[TABLE_KEYS_MAX][TABLE_WORD_MAX]; /* varying parameters, then the rows asked for */
    size_t keys_len;
    size_t fold; /* place of "level", else of "subset": totals go over it; keys_len: no totals */
    size_t task; /* place of "task", or keys_len */
    bool folds_subsets;
    struct row *rows;
    size_t rows_len;
    size_t *row, *total_row, *group_row; /* [sums_len] where a sum belongs; NOWHERE */
    struct table *table;
};

#define NOWHERE SIZE_MAX

/* Add TEXT to T's notes unless it is there. */
void table_note(struct table *t, const char *text);

/* A column's list of steps names STEP. */
bool step_among(const char *list, const char *step);
/* Some column shows STEP. */
bool step_used(const struct making *m, const char *step);

/* Keys, rows in their order, and the place of every sum; then the notes on groups. */
void rows_make(struct making *m);
void rows_note_groups(const struct making *m);
/* "task math, level 1" */
void row_name(const struct making *m, const struct row *r, struct buf *out);

#endif
