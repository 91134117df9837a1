/* SPDX-License-Identifier: Apache-2.0 */
/* grid_read.h - runs and their parameters out of the store, a chunk at a time. Private to grids. */
#ifndef STORE_BROWSE_GRID_READ_H
#define STORE_BROWSE_GRID_READ_H

#include "common/base/buf.h"
#include "store/browse/grid_private.h"

struct run_row {
    uint64_t run;
    int64_t whole[GRID_FIXED]; /* of the columns of that form; COLUMN_NOTHING */
    double real[GRID_FIXED];
    bool superseded;
};

/* A parameter of a row of the chunk: texts lie in TEXT. */
struct param_row {
    uint32_t row;
    uint32_t name, value, value_len;
};

struct grid_chunk {
    struct run_row *row;
    size_t len;
    struct param_row *param;
    size_t params, params_cap;
    struct buf text;
    bool last; /* there are no more */
};

void grid_chunk_release(struct grid_chunk *c);

/* Up to LIMIT rows of G's experiment behind the run AFTER. */
int grid_read_runs(struct store *s, struct grid *g, uint64_t after, size_t limit,
                   struct grid_chunk *ret, struct err *err) MUST_CHECK;
/* Their parameters, by run and name. */
int grid_read_params(struct store *s, struct grid_chunk *c, struct err *err) MUST_CHECK;

#endif
