/* SPDX-License-Identifier: Apache-2.0 */
/* amount.c - bounds of targets: parsed to reverse Polish notation (amount.h). */
#include "store/tables/amount.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const char *text, *at;
    amount_variable_fn variable;
    void *arg;
    struct amount *out;
    size_t depth; /* of parentheses */
    struct err *err;
};

static int fail(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_INVALID, "column %zu: %s", (size_t)(p->at - p->text) + 1, what);
}

static int put(struct parser *p, char kind, double x)
{
    if (p->out->len == AMOUNT_TOKENS_MAX)
        return err_set(p->err, ERR_LIMIT, "at most %d numbers and signs are allowed",
                       AMOUNT_TOKENS_MAX);
    p->out->token[p->out->len++] = (struct amount_token){ .kind = kind, .x = x };
    return 0;
}

static char next(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
    return *p->at;
}

/* "${vars.NAME}" */
static int read_variable(struct parser *p)
{
    static const char open[] = "${vars.";
    const char *name = p->at + sizeof open - 1, *close = strchr(p->at, '}');
    char copy[AMOUNT_NAME_MAX];
    double x;
    int rc;

    if (strncmp(p->at, open, sizeof open - 1) != 0 || !close || close == name ||
        (size_t)(close - name) >= sizeof copy)
        return fail(p, "a variable is written ${vars.NAME}");
    snprintf(copy, sizeof copy, "%.*s", (int)(close - name), name);
    rc = p->variable ? p->variable(p->arg, copy, &x, p->err) : fail(p, "there are no variables");
    if (rc == 0)
        rc = put(p, 'v', x);
    if (rc == 0)
        memcpy(p->out->token[p->out->len - 1].name, copy, sizeof copy);
    p->at = close + 1;
    return rc;
}

static int read_number(struct parser *p)
{
    size_t len = strspn(p->at, "0123456789.");
    char *end;
    double x;

    if (len == 0)
        return fail(p, "a number, first, ${vars.NAME} or ( is expected");
    x = strtod(p->at, &end);
    if (end < p->at + len || !isfinite(x) || isalpha((unsigned char)*end))
        return fail(p, "this is no number");
    p->at = end;
    return put(p, 'n', x);
}

static int read_sum(struct parser *p);

static int read_factor(struct parser *p)
{
    char c = next(p);
    int rc;

    if (c == '-' || c == '(') {
        if (++p->depth > AMOUNT_TOKENS_MAX)
            return fail(p, "too many parentheses and signs");
        p->at++;
        rc = c == '-' ? read_factor(p) : read_sum(p);
        p->depth--;
        if (rc < 0)
            return rc;
        if (c == '-')
            return put(p, '~', 0.0);
        if (next(p) != ')')
            return fail(p, ") is expected");
        p->at++;
        return 0;
    }
    if (c == '$')
        return read_variable(p);
    if (strncmp(p->at, "first", 5) == 0 && !isalnum((unsigned char)p->at[5]) && p->at[5] != '_') {
        p->at += 5;
        return put(p, 'f', 0.0);
    }
    return read_number(p);
}

static int read_product(struct parser *p)
{
    int rc = read_factor(p);

    while (rc == 0 && (next(p) == '*' || *p->at == '/')) {
        char sign = *p->at++;

        rc = read_factor(p);
        rc = rc ? rc : put(p, sign, 0.0);
    }
    return rc;
}

static int read_sum(struct parser *p)
{
    int rc = read_product(p);

    while (rc == 0 && (next(p) == '+' || *p->at == '-')) {
        char sign = *p->at++;

        rc = read_product(p);
        rc = rc ? rc : put(p, sign, 0.0);
    }
    return rc;
}

int amount_parse(const char *text, amount_variable_fn variable, void *arg, struct amount *ret,
                 struct err *err)
{
    struct parser p = {
        .text = text, .at = text, .variable = variable, .arg = arg, .out = ret, .err = err
    };
    int rc;

    *ret = (struct amount){ .len = 0 };
    rc = read_sum(&p);
    if (rc == 0 && next(&p) != '\0')
        rc = fail(&p, "+, -, * or / is expected");
    return rc;
}

void amount_number(double x, struct amount *ret)
{
    *ret = (struct amount){ .token = { { .kind = 'n', .x = x } }, .len = 1 };
}

bool amount_has_first(const struct amount *a)
{
    for (size_t i = 0; i < a->len; i++) {
        if (a->token[i].kind == 'f')
            return true;
    }
    return false;
}

static double combine(char sign, double x, double y)
{
    switch (sign) {
    case '+':
        return x + y;
    case '-':
        return x - y;
    case '*':
        return x * y;
    default:
        return x / y;
    }
}

double amount_value(const struct amount *a, double first)
{
    double stack[AMOUNT_TOKENS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < a->len; i++) {
        char kind = a->token[i].kind;

        if (kind == 'n' || kind == 'v' || kind == 'f') {
            stack[n++] = kind == 'f' ? first : a->token[i].x;
        } else if (kind == '~') {
            stack[n - 1] = -stack[n - 1];
        } else {
            n--;
            stack[n - 1] = combine(kind, stack[n - 1], stack[n]);
        }
    }
    assert(n == 1);
    return stack[0];
}

/* ---- text ---- */

static int strength(char kind)
{
    return kind == '+' || kind == '-' ? 1 : kind == '*' || kind == '/' ? 2 : 3;
}

/* The token before which the operand that ends at AT begins. */
static size_t operand_start(const struct amount *a, size_t at)
{
    size_t need = 1;

    for (size_t i = at + 1; i-- > 0;) {
        char kind = a->token[i].kind;

        if (kind == 'n' || kind == 'v' || kind == 'f')
            need--;
        else if (kind != '~')
            need++;
        if (need == 0)
            return i;
    }
    return 0;
}

/* In SQL 1 / 2 is 0. */
static void print_number(double x, bool sql, struct buf *out)
{
    char text[40];

    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    buf_printf(out, "%s%s", text, sql && !strpbrk(text, ".e") ? ".0" : "");
}

/* The operand that ends at AT; in parentheses when it binds less than LEAST. */
static void print_operand(const struct amount *a, size_t at, int least, const char *first,
                          struct buf *out)
{
    char kind = a->token[at].kind;
    bool wrap = strength(kind) < least || kind == '~' || (a->token[at].x < 0.0 && least > 1);

    if (wrap)
        buf_addc(out, '(');
    if (kind == 'n' || kind == 'v') {
        print_number(a->token[at].x, first != NULL, out);
    } else if (kind == 'f') {
        buf_adds(out, first ? first : "first");
    } else if (kind == '~') {
        buf_addc(out, '-');
        print_operand(a, at - 1, 3, first, out);
    } else {
        size_t right = operand_start(a, at - 1);

        print_operand(a, right - 1, strength(kind), first, out);
        buf_printf(out, " %c ", kind);
        print_operand(a, at - 1, strength(kind) + 1, first, out);
    }
    if (wrap)
        buf_addc(out, ')');
}

void amount_print(const struct amount *a, const char *first, struct buf *out)
{
    print_operand(a, a->len - 1, 0, first, out);
}
