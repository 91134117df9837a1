/* SPDX-License-Identifier: Apache-2.0 */
/* shape.h - how long jobs of one shape take (ready.h); private to the store. What was learnt since
 * the last commit is written with the next one, one row per shape. */
#ifndef STORE_SHAPE_H
#define STORE_SHAPE_H

#include "store/store_private.h"

struct shape_of {
    uint64_t experiment, units;
    uint32_t kind_version;
    const char *kind, *numeric_class, *step;
};
uint64_t shape_hash(const struct shape_of *of); /* > 0 */

/* 0: not known. */
int shape_estimate(struct store *s, uint64_t shape, uint64_t *ret_us, struct err *err) MUST_CHECK;
/* A job of SHAPE took US. */
int shape_result(struct store *s, uint64_t shape, uint64_t us, struct err *err) MUST_CHECK;

int shapes_flush(struct store *s, struct err *err) MUST_CHECK; /* before a commit */
void shapes_forget(struct store *s);                           /* after a rollback; at the end */

#endif
