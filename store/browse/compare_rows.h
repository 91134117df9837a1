/* SPDX-License-Identifier: Apache-2.0 */
/* compare_rows.h - values of runs become means of groups and differences from one of them. Pure. */
#ifndef STORE_BROWSE_COMPARE_ROWS_H
#define STORE_BROWSE_COMPARE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compare_item {
    uint64_t run;
    uint64_t setting; /* equal for runs that differ in seed and group only */
    int64_t seed;
    uint32_t group;
    double value; /* NaN: none yet */
};

enum compare_method { COMPARE_NONE, COMPARE_PAIRED, COMPARE_WELCH };

struct compare_row {
    size_t runs, known;  /* with a value */
    size_t seeds;        /* of those */
    double mean, lo, hi; /* of the seeds' means; Student's t; NaN below three seeds */
    /* From the baseline. */
    enum compare_method method;
    bool matched;                        /* over the settings that both sides have at a seed */
    bool partly;                         /* not all of their runs are in it */
    size_t pairs;                        /* seeds that both have */
    double difference, diff_lo, diff_hi; /* NaN where there is none */
    double p, adjusted;                  /* NaN: no test; Holm's over all rows */
};

/* ITEMS (sorted here) into ROWS[GROUPS]. A group's value at a seed is the mean over its runs there.
 * Sides are paired by seed when each has at least half of its seeds in common with the other and
 * there are two; runs of one seed are matched by their settings when half of them can be. SHARE:
 * intervals end at 0 and 1, of differences at -1 and 1. */
void compare_rows(struct compare_item *items, size_t len, size_t groups, size_t baseline,
                  bool share, struct compare_row *rows);
/* The row with the best mean, SIZE_MAX: none has one. Of equal ones that with more seeds. */
size_t compare_best(const struct compare_row *rows, size_t groups, bool lower);

#endif
