/* SPDX-License-Identifier: Apache-2.0 */
/* points.h - the points of a recipe's sweep. Internal to experiments/plan. */
#ifndef EXPERIMENTS_PLAN_POINTS_H
#define EXPERIMENTS_PLAN_POINTS_H

#include "experiments/plan/step.h"

/* Combinations of the entries' rows, before exclusions. */
enum { POINTS_MAX = 1000000 };

struct points {
    uint32_t *row; /* of each point: a row of each entry, POINTS_NO_ROW where its condition fails */
    size_t len, cap;
};
#define POINTS_NO_ROW UINT32_MAX

/* Every combination, the last entry varying fastest. ERR_LIMIT; ERR_INVALID from a condition. */
int points_list(const struct recipe *r, struct points *ret, struct err *err) MUST_CHECK;
void points_release(struct points *p);
/* Point I with its seed and absent steps; *RET_DROPPED: an exclusion holds there, or no step is
 * left. ERR_INVALID: a condition compares what cannot be compared. */
int points_get(const struct recipe *r, const struct points *p, size_t i, struct point *ret,
               bool *ret_dropped, struct err *err) MUST_CHECK;

#endif
