/* SPDX-License-Identifier: Apache-2.0 */
/* vector.h - the results of a family example by example, as vectors of numbers.
 *
 * When the first N examples of a family are there, N what some run's step reads, the writer stores
 * their sums (table tally) and one vector per metric (table vector), so that tables need not look
 * at the rows of single examples. Families that are not complete are read from their rows: the same
 * numbers, slower.
 *
 * Metrics of an evaluation: "acc" (1: right; the task's own accuracy where it is no 0 or 1),
 * "acc_norm", "correct" and "correct_norm" (the verdicts as stored), the examples' own metrics by
 * their names, "layers", "tokens", "generated", "applications" (layers over all forward passes: the
 * prompt or the choices are one, each token fed back is another) and "non_execute" (share of layers
 * skipped or repeated). Of a search: "base" (the default path is right),
 * "oracle" (some path is), "preserved", "improved" (share of examples, as in tables), "layers" (of
 * the label's path; NaN without label), "layers_all", "layers_base", "shorter" (of examples right
 * by the default path: a shorter path is right), "rescued" (of wrong ones: some path is right),
 * "evaluations", "rows". Of both: "time_ms". The last five are never stored as vectors. */
#ifndef STORE_VECTOR_H
#define STORE_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

/* METRIC of the first EXAMPLES examples of FAMILY (a row number, store_sums.family_id) by index,
 * into RET[EXAMPLES]: NaN where the metric does not apply, or where nothing is stored yet. *RET_N
 * (may be NULL) counts the results that are stored. Works on reading connections.
 * ERR_NOT_FOUND: no such family, or it has no such metric (the text lists those that it has; a
 * family without any result has every metric). */
int store_vector(struct store *s, uint64_t family, uint64_t examples, const char *metric,
                 double *ret, uint64_t *ret_n, struct err *err) MUST_CHECK;

/* The metrics that store_vector knows of FAMILY, without aliases, in a fixed order. */
typedef int (*store_name_fn)(const char *name, void *arg);
int store_list_vectors(struct store *s, uint64_t family, store_name_fn fn, void *arg,
                       struct err *err) MUST_CHECK;

#endif
