/* SPDX-License-Identifier: Apache-2.0 */
/* cond.h - conditions: one small language for recipes (when, exclude), tables (where) and
 * `drover runs --where`.
 *
 *   train.schedule == 'exponential' and (seed <= 3 or not train.gamma in [0.9, 0.95])
 *
 * Names are words with dots, dashes and slashes inside ("router.windows"); a name that is no word
 * is written in backquotes. Values: numbers, 'texts' or "texts", true, false. Operators: == != < <=
 * >
 * >= (= is ==), in [..], not in [..], name alone (true when it is set and neither false, 0 nor ""),
 * not, and, or, parentheses. Comparing a number with a text is an error; a name that is not set
 * makes its comparison false (and != true). Pure; no allocation after parsing. */
#ifndef COMMON_CONF_COND_H
#define COMMON_CONF_COND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum { COND_TEXT_MAX = 4096, COND_NODES_MAX = 256 };

enum cond_type { COND_UNSET, COND_NUMBER, COND_TEXT, COND_BOOL, COND_ANY };
struct cond_value {
    enum cond_type type;
    double number;
    bool truth;
    const char *text;
};

struct cond;

/* ERR_INVALID: "column 17: ..." with what was expected there; ERR_LIMIT. */
int cond_parse(const char *text, struct cond **ret, struct err *err) MUST_CHECK;
void cond_free(struct cond *c); /* NULL is fine */
void cond_cleanup(struct cond **c);

/* The value of NAME in *RET (COND_UNSET when there is none; COND_ANY when it may be anything: the
 * condition then holds unless the rest of it makes it false); < 0 with ERR when NAME cannot be: the
 * caller's text names the nearest. */
typedef int (*cond_lookup_fn)(void *arg, const char *name, struct cond_value *ret, struct err *err);
/* *RET: does C hold? */
int cond_eval(const struct cond *c, cond_lookup_fn lookup, void *arg, bool *ret,
              struct err *err) MUST_CHECK;
/* Names in C, each once, in order of first use; NULL beyond the last. */
const char *cond_name(const struct cond *c, size_t i);

/* C as an SQL expression appended to OUT, every name and value checked or quoted by it: COLUMN
 * gives the SQL of a name (and its text may be json_extract(...)). For store/reports. */
struct buf;
typedef int (*cond_column_fn)(void *arg, const char *name, struct buf *out, struct err *err);
int cond_sql(const struct cond *c, cond_column_fn column, void *arg, struct buf *out,
             struct err *err) MUST_CHECK;

#endif
