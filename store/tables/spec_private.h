/* SPDX-License-Identifier: Apache-2.0 */
/* spec_private.h - reading specifications: shared by spec.c, spec_column.c and default.c. */
#ifndef STORE_TABLES_SPEC_PRIVATE_H
#define STORE_TABLES_SPEC_PRIVATE_H

#include "common/conf/conf.h"
#include "store/tables/spec.h"

/* Text of V, not empty, shorter than SIZE. */
int spec_word(const struct conf_value *v, char *out, size_t size, struct err *err) MUST_CHECK;
/* A text, number or truth value as a recipe has it. */
int spec_scalar(const struct conf_value *v, char *out, size_t size, struct err *err) MUST_CHECK;
/* A condition (common/conf/cond.h); errors have V's place. */
int spec_condition(const struct conf_value *v, struct cond **ret, struct err *err) MUST_CHECK;
/* The list COLUMNS, nested as written, appended to T. */
int spec_columns(const struct conf_value *columns, struct table_spec *t,
                 struct err *err) MUST_CHECK;

/* "file:line: key: text" when V is known, else the text alone. Returns CODE. */
int spec_error(struct err *err, enum err_code code, const struct conf_value *v, const char *format,
               ...) PRINTF_LIKE(4, 5);

bool stat_is_percent(enum table_stat stat);
int stat_better(enum table_stat stat);

#endif
