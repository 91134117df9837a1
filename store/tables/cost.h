/* SPDX-License-Identifier: Apache-2.0 */
/* cost.h - what training had cost when it first met a target: shared by cost.c and cost_sql.c. */
#ifndef STORE_TABLES_COST_H
#define STORE_TABLES_COST_H

#include "common/base/buf.h"
#include "store/tables/spec.h"

#define COST_NAME  "cost: "
#define COST_STEPS "at_step" /* the metric that every check has: its training step */
#define COST_ROOM  1e-9      /* relative: bounds hold up to it */

/* "validation_accuracy >= first - 0.01 and validation_tokens <= 17.6" */
void cost_print_target(const struct table_column *c, struct buf *out);
bool cost_holds(const struct table_target *t, double x, double first);

/* Behind WITH part(run, step...) AS (...): ",\nchecks AS ..." up to "spent", and the SELECT of run,
 * task and cost (NULL: none) of every part. */
void cost_tables_sql(const struct table_column *c, struct buf *out);
void cost_select_sql(const struct table_column *c, struct buf *out);

#endif
