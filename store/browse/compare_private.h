/* SPDX-License-Identifier: Apache-2.0 */
/* compare_private.h - a comparison while it is made: compare.c asks and answers, compare_values.c
 * finds the values of runs. */
#ifndef STORE_BROWSE_COMPARE_PRIVATE_H
#define STORE_BROWSE_COMPARE_PRIVATE_H

#include "common/base/buf.h"
#include "store/browse/compare.h"
#include "store/browse/compare_rows.h"

enum {
    COMPARE_RUNS_READ = 4000,   /* whose results by step are read: some 0.1 s */
    COMPARE_RUNS_KEPT = 200000, /* one by one; of more only the means by group and seed */
    COMPARE_STEPS_MAX = 64,
    COMPARE_NOTES_MAX = 16,
};

struct comparison {
    struct store *s;
    const struct compare_question *q;
    const char *measure;
    char *by;
    struct compare_item *item;
    size_t len, groups;
    char *name[GRID_GROUPS_MAX], *value[GRID_GROUPS_MAX]; /* of the groups; VALUE as JSON */
    size_t runs[GRID_GROUPS_MAX], known[GRID_GROUPS_MAX]; /* of the groups; with a value */
    bool column; /* the measure is a column of the grid: items have its values */
    bool folded; /* items are means by group and seed */
    bool others; /* runs differ in more than group and seed */
    bool ready, fits;
    size_t rows, total;
    char *step[COMPARE_STEPS_MAX];  /* with results of the measure */
    bool used[COMPARE_STEPS_MAX];   /* in the values */
    bool shared[COMPARE_STEPS_MAX]; /* the same results for all groups */
    size_t steps;
    struct buf note[COMPARE_NOTES_MAX];
    size_t notes;
};

/* A note, to be filled. */
struct buf *compare_note(struct comparison *c);
/* Groups and items, out of the grid. */
int compare_collect(struct comparison *c, struct grids *g, struct err *err) MUST_CHECK;
/* Values by step, out of the store, where the measure has them and the runs are few enough. */
int compare_read(struct comparison *c, struct err *err) MUST_CHECK;

#endif
