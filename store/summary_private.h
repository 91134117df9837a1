/* SPDX-License-Identifier: Apache-2.0 */
/* summary_private.h - the scores of a family in memory, column by column. Shared by summary.c,
 * summary_rows.c and tally.c. */
#ifndef STORE_SUMMARY_PRIVATE_H
#define STORE_SUMMARY_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct stmt;

enum {
    SUMMARY_COLUMNS_MAX = 64,  /* distinct names of metrics in a family; more are left out */
    SUMMARY_SUBSETS_MAX = 1024 /* with more, there is no pooled error: they are no groups */
};

struct summary_column {
    char *name;
    double *x; /* per score; NaN: does not apply */
};

struct summary_rows {
    size_t n, cap;
    double *correct, *norm, *first_logprob, *layers, *tokens, *generated;
    double *non_execute; /* share of layers skipped or repeated; NaN without routing */
    uint64_t *repeats;
    bool *cut;        /* the prompt was cut on the left */
    uint32_t *subset; /* index in subset_name */
    int8_t *pick, *gold;
    struct summary_column column[SUMMARY_COLUMNS_MAX];
    size_t columns;
    char *subset_name[SUMMARY_SUBSETS_MAX];
    size_t subsets; /* SUMMARY_SUBSETS_MAX + 1: too many */
    uint32_t last_subset;
    uint64_t truncated;
    uint32_t whole_set;
    bool choice; /* some score has several log-likelihoods, or a class */
};

/* Append the row at which ST (family_scores) stands. ERR_CORRUPT: metrics that are no JSON. */
int summary_rows_add(struct summary_rows *r, const struct stmt *st, struct err *err) MUST_CHECK;
void summary_rows_release(struct summary_rows *r);
/* Index of the subset NAME, the last row's tried first; 0 when there are too many. */
uint32_t summary_rows_subset(struct summary_rows *r, const char *name);
/* Of ROUTING, a text of digits or NULL. */
double summary_rows_non_execute(const char *routing);
/* The column NAME, or NULL. */
const double *summary_rows_column(const struct summary_rows *r, const char *name);

#endif
