/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h - which value of a parameter wins, and by how much: over seeds, paired where the seeds
 * are the same ones, Holm's correction over the values; no interval below three seeds. */
#ifndef STORE_BROWSE_COMPARE_H
#define STORE_BROWSE_COMPARE_H

#include "store/browse/grid.h"

struct store;

struct compare_question {
    uint64_t experiment;
    const char *measure;        /* column of the grid */
    const char *step;           /* NULL: all; else of this step's results alone */
    const char *by;             /* NULL: the parameter that says most */
    const char *baseline;       /* a value of BY; NULL: chosen */
    const char *const *filters; /* NULL-terminated */
};
/* Members of /experiments/:id/compare, into an open object. */
int compare_put(struct store *s, struct grids *g, const struct compare_question *q, struct jsonw *w,
                struct err *err) MUST_CHECK;

#endif
