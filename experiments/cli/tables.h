/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - an experiment's tables from the store's file. */
#ifndef EXPERIMENTS_CLI_TABLES_H
#define EXPERIMENTS_CLI_TABLES_H

#include <stdio.h>

#include "common/base/err.h"
#include "common/conf/conf.h"
#include "experiments/plan/recipe.h"
#include "store/tables/tables.h"

/* Print every table that EXPERIMENT's latest recipe specifies ("": the experiment submitted last)
 * from the store at PATH; a recipe without tables gets the default one. JSON is one array. */
int tables_print(const char *path, const char *experiment, enum table_format format, FILE *to,
                 struct err *err) MUST_CHECK;
/* Are the tables that the recipe file C specifies well-formed, and do its steps exist? */
int tables_check(const struct conf *c, const struct recipe *r, struct err *err) MUST_CHECK;

#endif
