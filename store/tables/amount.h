/* SPDX-License-Identifier: Apache-2.0 */
/* amount.h - a bound as it is written in a table's target: 17.6, "first - 0.01",
 * "1.1 * ${vars.last}".
 *
 * Numbers, "first" (what the metric was at its first check), variables of the recipe, + - * /,
 * parentheses. Pure; no allocation. */
#ifndef STORE_TABLES_AMOUNT_H
#define STORE_TABLES_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { AMOUNT_TOKENS_MAX = 32, AMOUNT_NAME_MAX = 64 };

/* In reverse Polish notation: 'n' a number, 'v' a variable, 'f' first, '+', '-', '*', '/', '~' (the
 * sign). */
struct amount {
    struct amount_token {
        char kind;
        double x;                   /* of a number or a variable */
        char name[AMOUNT_NAME_MAX]; /* of a variable, "last" for ${vars.last} */
    } token[AMOUNT_TOKENS_MAX];
    size_t len;
};

/* The number of a variable; < 0 with ERR when there is none of that name. */
typedef int (*amount_variable_fn)(void *arg, const char *name, double *ret, struct err *err);
/* ERR_INVALID: "column 3: ...", what was expected there; ERR_LIMIT: too long. */
int amount_parse(const char *text, amount_variable_fn variable, void *arg, struct amount *ret,
                 struct err *err) MUST_CHECK;
void amount_number(double x, struct amount *ret);
bool amount_has_first(const struct amount *a);
/* Not finite: there is no such number (division by 0, FIRST is not known). */
double amount_value(const struct amount *a, double first);
/* "first - 0.01"; variables by their numbers. FIRST NULL: for people; else SQL of what it stands
 * for. */
void amount_print(const struct amount *a, const char *first, struct buf *out);

#endif
