/* SPDX-License-Identifier: Apache-2.0 */
/* agreement.h - F1 of paths against labels (agreement.c). Private to store/tables. */
#ifndef STORE_TABLES_AGREEMENT_H
#define STORE_TABLES_AGREEMENT_H

#include "common/base/buf.h"
#include "store/tables/making.h"

bool stat_is_f1(enum table_stat stat);
/* Of all layers of U's examples that have a label: 2 tp / (2 tp + fp + fn) of a class, or the mean
 * over the classes that occur; NaN: nothing to say. */
double f1_value(struct making *m, enum table_stat stat, const struct unit *u);
/* SQL: the rows (run, task, class, tp, fp + fn), one per example and class; */
void f1_examples(enum table_stat stat, struct buf *out);
/* and, of an example, the layers in which both agree. */
void f1_row(enum table_stat stat, struct buf *out);

#endif
