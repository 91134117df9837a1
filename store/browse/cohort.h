/* SPDX-License-Identifier: Apache-2.0 */
/* cohort.h - groups of runs taken out of a grid: what remains when the view is given back, so that
 * nobody waits while the store is asked about them. */
#ifndef STORE_BROWSE_COHORT_H
#define STORE_BROWSE_COHORT_H

#include "store/browse/grid.h"

struct cohort_question {
    uint64_t experiment;
    const char *by; /* as grid_groups_make; NULL: what tells runs apart best (TELL) */
    bool tell;
    const char *const *filters; /* NULL-terminated; NULL: none */
    uint64_t run;               /* 0: all; else this one, superseded too */
    size_t runs_max;            /* of all groups together; they are shared out evenly */
    size_t least;               /* but so many of each */
};

struct cohort_run {
    uint64_t run;
    int64_t seed;
    bool finished; /* nothing of it is still to come */
};

struct cohort_group {
    char *name, *value; /* VALUE: as JSON */
    size_t rows;        /* runs there are */
    struct cohort_run
        *run; /* all of them, or some, evenly from all; those to look at first first */
    size_t len;
};

struct cohort {
    struct cohort_group *group;
    size_t len;
    char *by[GRID_BY_MAX];
    size_t by_len;
    bool cut;         /* there are more groups */
    bool ready, fits; /* of the grid */
    size_t rows, total;
};

/* ERR_INVALID: filters, BY. Release also after a failure. */
int cohort_make(struct grids *g, const struct cohort_question *q, struct cohort *ret,
                struct err *err) MUST_CHECK;
void cohort_release(struct cohort *c);
void cohort_put_state(const struct cohort *c, struct jsonw *w);
/* Member "by": names divided by commas, or null. */
void cohort_put_by(const struct cohort *c, struct jsonw *w);

#endif
