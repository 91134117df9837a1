/* SPDX-License-Identifier: Apache-2.0 */
/* columns.h - what may be said about a run: the columns of `drover runs`, its parameters, and
 * training metrics; as SQL over "run_summary AS s JOIN run". Internal to store/reports. */
#ifndef STORE_REPORTS_COLUMNS_H
#define STORE_REPORTS_COLUMNS_H

#include "common/conf/cond.h"
#include "store/reports/private.h"

enum { COLUMNS_MAX = 200 };

struct columns {
    struct store *s;
    uint64_t experiment;
    const struct json *metrics; /* names that are metrics of training; may be NULL */
    struct buf joins;           /* what the SQL of columns_sql() needs after "JOIN run" */
    size_t joins_len;
    struct {
        char *name, *sql;
        const char *kind; /* "run", "state", "parameter", "result", "cost", "metric" */
    } one[COLUMNS_MAX];
    size_t len;
};
void columns_release(struct columns *c);

/* Append NAME as a column, once. A parameter may be named by its last part ("gamma" for
 * "train.gamma") when that is the only one. ERR_NOT_FOUND with the nearest; ERR_LIMIT. */
int columns_add(struct columns *c, const char *name, struct err *err) MUST_CHECK;
/* State, the parameters that RUNS have, seed, results, seconds, revision. */
int columns_add_usual(struct columns *c, const uint64_t *runs, size_t len,
                      struct err *err) MUST_CHECK;
/* The SQL of NAME appended to OUT, for conditions and sorting; ARG is a struct columns. Parameters
 * are joined (C->joins), so that SQLite asks for them only where cheaper conditions hold. */
int columns_sql(void *arg, const char *name, struct buf *out, struct err *err) MUST_CHECK;

#endif
