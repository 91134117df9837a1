/* SPDX-License-Identifier: Apache-2.0 */
/* Radicals, pi, e and elementary functions: complex long double with principal branches, at fixed
 * complex points for the unknowns, so that sqrt(x^2) is not x and log(x^2) not 2 log x. Odd roots
 * of negative reals are real. */
#include <complex.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/grading/expr.h"

enum { TRIES = 8, POINTS = 3 };
static const long double points[TRIES][EXPR_VARS][2] = {
    { { 0.7318250123L, 0.4127119137L }, { 1.3217743911L, -0.6120915531L } },
    { { 1.9130774511L, -0.8270331917L }, { -0.7712305519L, 0.9331280713L } },
    { { -1.2711913377L, 0.6390120611L }, { 0.5180923317L, 1.2714460199L } },
    { { 2.4170335129L, 1.1530719931L }, { 1.7730912293L, 0.3180557713L } },
    { { -0.5830917713L, -1.3770551937L }, { -1.4190366171L, -0.7260913317L } },
    { { 0.3570911137L, -0.2110733519L }, { 2.2910557713L, -1.1140932711L } },
    { { 3.1090771937L, 0.0730915513L }, { 0.0910337713L, 2.0130551193L } },
    { { -2.6170933511L, 0.1930775519L }, { -0.3330917719L, -2.2710553391L } },
};

static const long double pi = 3.14159265358979323846264338327950288L;
static const long double euler = 2.71828182845904523536028747135266250L;
static const long double tiny = 1e-17L; /* zero, next to 1 */

typedef long double complex number_t;

static const number_t undefined = NAN;

static bool defined(number_t z)
{
    return isfinite(creall(z)) && isfinite(cimagl(z));
}

static number_t divide(number_t a, number_t b, long double scale)
{
    return cabsl(b) <= tiny * (scale < 1 ? scale : 1) ? undefined : a / b;
}

static number_t whole_power(number_t z, int n)
{
    number_t out = 1;
    unsigned left = (unsigned)(n < 0 ? -n : n);

    if (n <= 0 && cabsl(z) == 0)
        return undefined;
    for (; left > 0; left >>= 1) {
        if (left & 1)
            out *= z;
        z *= z;
    }
    return n < 0 ? 1 / out : out;
}

static number_t any_power(number_t z, number_t w)
{
    if (cabsl(z) == 0)
        return creall(w) > 0 ? 0 : undefined;
    if (cimagl(z) == 0 && cimagl(w) == 0 && creall(z) > 0)
        return powl(creall(z), creall(w));
    return cexpl(w * clogl(z));
}

static number_t root(number_t n, number_t z)
{
    long double index = creall(n);

    if (cimagl(n) != 0 || index == 0)
        return undefined;
    if (index == 2)
        return cimagl(z) == 0 && creall(z) >= 0 ? (number_t)sqrtl(creall(z)) : csqrtl(z);
    if (cimagl(z) == 0 && creall(z) < 0 && fabsl(index) < 1e6L && fmodl(index, 2) != 0 &&
        index == floorl(index))
        return -powl(-creall(z), 1 / index);
    return any_power(z, 1 / index);
}

static number_t function(enum expr_func f, number_t z)
{
    switch (f) {
    case F_SIN:
        return csinl(z);
    case F_COS:
        return ccosl(z);
    case F_TAN:
        return divide(csinl(z), ccosl(z), 1);
    case F_COT:
        return divide(ccosl(z), csinl(z), 1);
    case F_SEC:
        return divide(1, ccosl(z), 1);
    case F_CSC:
        return divide(1, csinl(z), 1);
    case F_ASIN:
        return casinl(z);
    case F_ACOS:
        return cacosl(z);
    case F_ATAN:
        return catanl(z);
    case F_SINH:
        return csinhl(z);
    case F_COSH:
        return ccoshl(z);
    case F_TANH:
        return ctanhl(z);
    case F_LOG:
        return cabsl(z) == 0 ? undefined : clogl(z);
    case F_EXP:
        return cexpl(z);
    }
    return undefined;
}

static number_t factorial(number_t z)
{
    number_t out = 1;

    for (long double k = 2; k <= creall(z) && k <= 170; k++)
        out *= k;
    return out;
}

static number_t read_number(const struct expr_node *n)
{
    char text[EXPR_TEXT_MAX + 1];

    for (size_t i = 0; i < n->len; i++)
        text[i] = n->s[i];
    text[n->len] = '\0';
    return strtold(text, NULL);
}

static number_t value(const struct expr_node *n, const number_t *at, const number_t *point,
                      long double scale)
{
    switch (n->kind) {
    case EXPR_NUM:
        return read_number(n);
    case EXPR_VAR:
        return point[n->var];
    case EXPR_PI:
        return pi;
    case EXPR_E:
        return euler;
    case EXPR_NEG:
        return -at[n->a];
    case EXPR_ADD:
        return at[n->a] + at[n->b];
    case EXPR_SUB:
        return at[n->a] - at[n->b];
    case EXPR_MUL:
        return at[n->a] * at[n->b];
    case EXPR_DIV:
        return divide(at[n->a], at[n->b], scale);
    case EXPR_POW:
        return n->whole ? whole_power(at[n->a], n->power) : any_power(at[n->a], at[n->b]);
    case EXPR_FUNC:
        return function(n->func, at[n->a]);
    case EXPR_ROOT:
        return root(at[n->a], at[n->b]);
    case EXPR_ABS:
        return cabsl(at[n->a]);
    case EXPR_FACT:
        return factorial(at[n->a]);
    }
    return undefined;
}

bool expr_same_real(const struct expr *e, int a, int b, enum math_rule *rule)
{
    number_t *at = mem_calloc(EXPR_NODES, sizeof(*at));
    int good = 0;
    bool same = true;

    for (int t = 0; t < TRIES && good < POINTS && same; t++) {
        number_t point[EXPR_VARS];
        long double scale = 0, size;
        for (int v = 0; v < EXPR_VARS; v++)
            point[v] = points[t][v][0] + points[t][v][1] * (number_t)I;
        for (int i = 0; i < e->n; i++) {
            at[i] = value(&e->node[i], at, point, scale > 0 ? scale : 1);
            if (defined(at[i]) && cabsl(at[i]) > scale)
                scale = cabsl(at[i]);
        }
        if (defined(at[a]) && defined(at[b])) {
            good++;
            size = fmaxl(cabsl(at[a]), cabsl(at[b]));
            /* Rounding of the largest intermediate value, where all has cancelled. */
            same = cabsl(at[a] - at[b]) <= fmaxl(1e-12L * size, 1e-18L * scale);
        }
        if (e->vars == 0)
            break;
    }
    free(at);
    *rule = good > 0 ? MATH_REAL : MATH_NO_RULE;
    return same && good > 0;
}
