/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - metrics over whole sets of scores, as rows of the table summary.
 *
 * How far a family is complete (its first N scores are all there) is kept in the family's row and
 * only moves on: finding it costs one look per score in the family's whole life. What is written:
 *   acc, acc_norm   choice tasks; acc alone for tasks without metrics of their own
 *   the examples' own metrics, each the mean over the examples that it applies to
 *   mcc, f1, best_exact, best_f1   those that the scores ask for (whole_set); the macro-averaged F1
 *                                  is f1 too, or macro_f1 where there is another f1
 * each with its standard error (common/metrics) and, for benchmarks with subsets, the pooled one.
 * Scores never change, so a row is final. With them go the tally and the vectors of store/tally.h;
 * families of labels have these only. */
#ifndef STORE_SUMMARY_H
#define STORE_SUMMARY_H

#include <stdint.h>

#include "common/base/err.h"

struct store;

/* A shard of FAMILY is done: write the summaries and tallies that became due. */
int summary_advance(struct store *s, uint64_t family, struct err *err) MUST_CHECK;
/* A run reads the first EXAMPLES of FAMILY: write theirs if they are there already. */
int summary_want(struct store *s, uint64_t family, uint64_t examples, struct err *err) MUST_CHECK;

#endif
