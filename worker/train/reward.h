/* SPDX-License-Identifier: Apache-2.0 */
/* reward.h - what one completion is worth: a right answer, a length near the budget, well-formed
 * tags, as a weighted sum ("Train Long, Think Short", section 3). Pure, in double, no libm. */
#ifndef WORKER_TRAIN_REWARD_H
#define WORKER_TRAIN_REWARD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"

/* Triangle: rises from 0 at no token to 1 at the budget. Band: 1 up to the budget. Both fall to 0
 * at twice the budget and stay there. */
enum reward_shape { REWARD_TRIANGLE, REWARD_BAND };
enum { REWARD_SHAPES = REWARD_BAND + 1 };
const char *reward_shape_name(enum reward_shape s); /* "triangle", "band" */
/* ERR_INVALID names the words there are. */
int reward_shape_of(const char *name, enum reward_shape *ret, struct err *err) MUST_CHECK;

struct reward_conf {
    double correct_weight, length_weight, format_weight; /* >= 0, not all 0 */
    enum reward_shape shape;
    bool gate;                          /* the length part is multiplied by correctness */
    double think_weight, answer_weight; /* of the format part: >= 0, their sum at most 1 */
};

/* 0.6, 0.3, 0.1, triangle, gated, 0.5, 0.5. */
struct reward_conf reward_conf_default(void);
/* ERR_INVALID names the field and its range. */
int reward_conf_check(const struct reward_conf *c, struct err *err) MUST_CHECK;

/* What is known of a completion. */
struct reward_facts {
    double correct; /* the grader's, from 0 to 1 (asserted) */
    double length;  /* tokens that count, >= 0 (asserted) */
    double budget;  /* tokens; 0: no budget, so no length part */
    bool think_ok;  /* exactly one well-formed think span */
    bool answer_ok; /* exactly one well-formed answer span */
};

/* Each part is from 0 to 1; total = sum of weight * part. */
struct reward_parts {
    double correct, length, format, total;
};

/* From 0 to 1. BUDGET > 0, LENGTH >= 0 (asserted). */
double reward_length(enum reward_shape s, double length, double budget);
struct reward_parts reward_of(const struct reward_conf *c, const struct reward_facts *f);

#endif
