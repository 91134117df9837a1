/* SPDX-License-Identifier: Apache-2.0 */
/* pareto.h - what is gained against what it costs, over all runs: the exact front and a cloud. */
#ifndef STORE_BROWSE_PARETO_H
#define STORE_BROWSE_PARETO_H

#include "store/browse/grid.h"

enum { PARETO_POINTS_MAX = 5000 };

struct pareto_question {
    uint64_t experiment;
    const char *x, *y;               /* columns of numbers; NULL: tokens or layers, accuracy */
    const char *better_x, *better_y; /* "higher" or "lower"; NULL: as is known of the measure */
    const char *by;                  /* as grid_groups_make */
    const char *const *filters;      /* "NAME~OP~VALUE", NULL-terminated */
};
/* Members of the answer, into an open object. Points are thinned by a raster: of each cell that has
 * any, some are kept, and "of" tells how many there are. */
int pareto_put(struct grids *g, const struct pareto_question *q, struct jsonw *w,
               struct err *err) MUST_CHECK;

#endif
