/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - SQL behind a cell: plain SQLite, no function of drover's. */
#ifndef STORE_TABLES_TRACE_H
#define STORE_TABLES_TRACE_H

#include "store/tables/making.h"

struct trace {
    struct buf value;                /* one row, one column: the cell's value */
    struct buf rows;                 /* the rows that it is made of, one for each example */
    struct buf runs, jobs, attempts; /* at most LIMIT rows each */
};
void trace_make(const struct making *m, const struct table_column *c, const struct backing *s,
                int limit, struct trace *ret);
void trace_release(struct trace *t);

#endif
