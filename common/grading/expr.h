/* SPDX-License-Identifier: Apache-2.0 */
/* expr.h - expressions of one line (linear.h), parsed into an array of nodes in which operands come
 * before what uses them, and the question whether two of them are equal. Internal to
 * common/grading. */
#ifndef COMMON_GRADING_EXPR_H
#define COMMON_GRADING_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/grading/grading.h"

enum {
    EXPR_TEXT_MAX = 4096, /* bytes of one expression */
    EXPR_NODES = 4096,
    EXPR_DEPTH = 100,          /* brackets, powers, functions in each other */
    EXPR_VARS = 2,             /* unknown letters, as in PRM800K's grader */
    EXPR_POWER_MAX = 999,      /* whole exponents */
    EXPR_GROWTH_MAX = 1000000, /* bound on degree and digits */
};

enum expr_kind {
    EXPR_NUM,
    EXPR_VAR,
    EXPR_PI,
    EXPR_E,
    EXPR_NEG,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_POW,  /* exponent in .power when .whole */
    EXPR_FUNC, /* .func */
    EXPR_ROOT, /* the .a-th root of .b */
    EXPR_ABS,
    EXPR_FACT,
};

enum expr_func {
    F_SIN,
    F_COS,
    F_TAN,
    F_COT,
    F_SEC,
    F_CSC,
    F_ASIN,
    F_ACOS,
    F_ATAN,
    F_SINH,
    F_COSH,
    F_TANH,
    F_LOG,
    F_EXP,
};

struct expr_node {
    enum expr_kind kind;
    int a, b;         /* operands */
    bool real;        /* it or an operand needs real arithmetic */
    bool small;       /* a constant num / den */
    int64_t num, den; /* |num|, den <= 10^6 */
    bool whole;       /* EXPR_POW: the exponent is the whole number .power */
    int power;
    enum expr_func func;
    int var;       /* EXPR_VAR */
    const char *s; /* EXPR_NUM: its text */
    size_t len;
    uint32_t growth; /* degree, or digits */
};

struct expr {
    struct expr_node node[EXPR_NODES];
    int n;
    uint32_t var[EXPR_VARS]; /* their characters */
    int vars;
    /* While parsing. */
    const char *at, *end;
    int depth, bars;
    bool bad;
};

/* Parse S..S+LEN into E (zeroed before the first) and return the root's index, -1 when it is no
 * expression of the grammar or over a limit. S must stay. */
int expr_parse(struct expr *e, const char *s, size_t len);
/* Are the values of nodes A and B equal? False also when it cannot be told (*RULE MATH_NO_RULE). */
bool expr_same_exact(const struct expr *e, int a, int b, enum math_rule *rule);
bool expr_same_real(const struct expr *e, int a, int b, enum math_rule *rule);
/* All of it for two texts. */
bool expr_equal(const char *a, size_t a_len, const char *b, size_t b_len, enum math_rule *rule);

#endif
