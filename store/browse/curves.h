/* SPDX-License-Identifier: Apache-2.0 */
/* curves.h - training metrics over steps: groups of runs with bands over seeds, or single series.
 */
#ifndef STORE_BROWSE_CURVES_H
#define STORE_BROWSE_CURVES_H

#include "store/browse/grid.h"

struct store;

enum {
    CURVES_POINTS_MAX = 2000,
    CURVES_POINTS = 600, /* unless asked otherwise */
    CURVES_GROUPS_MAX = 60,
    CURVES_SERIES_MAX = 200, /* single ones */
    CURVES_SAMPLE = 512,     /* series that are read for one answer */
};

struct curves_question {
    uint64_t experiment;
    const char *metric, *step;  /* STEP NULL: all steps that report it, one after the other */
    const char *by;             /* as grid_groups_make */
    const char *const *filters; /* NULL-terminated */
    uint64_t run;               /* 0: all; else this one */
    size_t points;              /* per curve */
    uint64_t from, to;          /* steps of training; TO 0: to the end */
    bool each;                  /* single series */
};
/* Members of the answer, into an open object. A group's value in a bucket of steps is the mean over
 * its seeds of each seed's mean there; the band is Student's t interval over seeds from three seeds
 * on, else from the least to the greatest. N is the number of seeds in the bucket. */
int curves_put(struct store *s, struct grids *g, const struct curves_question *q, struct jsonw *w,
               struct err *err) MUST_CHECK;

/* The metric that is shown when nobody says which: reward, else accuracy, loss, any; "" when
 * nothing is reported yet. Appended to RET. */
int curves_usual_metric(struct store *s, uint64_t experiment, struct buf *ret,
                        struct err *err) MUST_CHECK;

/* Member "metrics" of /experiments/:id: [{step, metric, series, points}], by the first RUNS of its
 * runs; with "metrics_of" RUNS when there are more. */
enum { CURVES_METRICS_RUNS = 400 /* usual: some 50 ms */ };
int curves_put_metrics(struct store *s, uint64_t experiment, size_t runs, struct jsonw *w,
                       struct err *err) MUST_CHECK;

#endif
