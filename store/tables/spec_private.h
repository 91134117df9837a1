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

/* The list TARGET of a column of cost into C. */
int spec_target(const struct conf_value *list, struct table_column *c, struct err *err) MUST_CHECK;
/* vars.NAME of the file that V is from. */
int spec_variable(const struct conf_value *v, const char *name, const struct conf_value **ret,
                  struct err *err) MUST_CHECK;
/* TEXT with ${vars.NAME} filled in, appended to OUT. */
int spec_fill_in(const struct conf_value *v, const char *text, struct buf *out,
                 struct err *err) MUST_CHECK;
/* A store's text of a recipe ends in lines "# --set vars.NAME=VALUE": that variable's value is put
 * where ${vars.NAME} stands. */
void spec_override(struct buf *recipe);

/* "file:line: key: text" when V is known, else the text alone. Returns CODE. */
int spec_error(struct err *err, enum err_code code, const struct conf_value *v, const char *format,
               ...) PRINTF_LIKE(4, 5);

/* Default tables of an experiment without examples (default_training.c). */
int specs_of_training(struct store *s, uint64_t experiment, struct table_spec **ret,
                      size_t *ret_len, struct err *err) MUST_CHECK;

bool stat_is_percent(enum table_stat stat);
int stat_better(enum table_stat stat);

#endif
