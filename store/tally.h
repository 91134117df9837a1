/* SPDX-License-Identifier: Apache-2.0 */
/* tally.h - sums and vectors of the first N results of a family (store/vector.h), written when they
 * are complete. Shared by summary.c, tally.c, vector.c. */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include <stdint.h>

#include "common/base/err.h"
#include "store/summary_private.h"

struct store;

/* Write the tally of the first EXAMPLES scores of FAMILY, which are ROWS; and the vectors, when
 * none as long are there. A tally that is there stays. */
int tally_scores(struct store *s, uint64_t family, uint64_t examples,
                 const struct summary_rows *rows, struct err *err) MUST_CHECK;
/* The same of labels, which it reads. */
int tally_labels(struct store *s, uint64_t family, uint64_t examples, struct err *err) MUST_CHECK;
/* A known result came again: the tallies that hold index IDX of FAMILY count it. EXAMPLE: its row.
 */
int tally_repeat(struct store *s, uint64_t family, uint64_t idx, uint64_t example,
                 struct err *err) MUST_CHECK;

/* X[N] as METRIC of FAMILY. */
int vector_write(struct store *s, uint64_t family, const char *metric, const double *x, size_t n,
                 struct err *err) MUST_CHECK;
/* How long FAMILY's vectors are; 0: there are none. */
int vector_length(struct store *s, uint64_t family, uint64_t *ret, struct err *err) MUST_CHECK;

#endif
