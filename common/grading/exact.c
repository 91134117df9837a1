/* SPDX-License-Identifier: Apache-2.0 */
/* Exact arithmetic on rational functions, in residues modulo two primes near 2^61. A difference of
 * two constants whose numerator is below 2^122 is zero if and only if both residues are; beyond
 * that, and for variables (Schwartz-Zippel: degree at most 10^6, four points, two primes), a wrong
 * "zero" has a probability below 2^-120. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/grading/expr.h"
#include "common/grading/utext.h"

static const uint64_t primes[2] = { 2305843009213693951U, 2305843009213693921U };

/* Points: fixed residues without a pattern, one row per try. */
enum { TRIES = 8, POINTS = 4 };
static const uint64_t points[TRIES][EXPR_VARS] = {
    { 1181783497276652981U, 1793461846412943013U }, { 864691128455135207U, 1390847172630105089U },
    { 2003991827346109283U, 412650071827365541U },  { 733180912837465021U, 2111919283746501923U },
    { 1502837465019283747U, 998172635401928377U },  { 310298374650192837U, 1640192837465019283U },
    { 1928374650192837461U, 564738291019283749U },  { 1092837465564738291U, 2230192837465019281U },
};

struct residue {
    uint64_t v;
    bool defined;
};

static uint64_t mul(uint64_t a, uint64_t b, uint64_t p)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)(product % p);
}

static uint64_t power(uint64_t a, uint64_t n, uint64_t p)
{
    uint64_t out = 1;

    for (; n > 0; n >>= 1) {
        if (n & 1)
            out = mul(out, a, p);
        a = mul(a, a, p);
    }
    return out;
}

static struct residue divide(uint64_t a, uint64_t b, uint64_t p)
{
    if (b == 0)
        return (struct residue){ 0, false };
    return (struct residue){ mul(a, power(b, p - 2, p), p), true };
}

static struct residue read_number(const struct expr_node *n, uint64_t p)
{
    uint64_t v = 0, den = 1;
    bool point = false;
    size_t i;

    for (i = 0; i < n->len && n->s[i] != 'e'; i++) {
        if (n->s[i] == '.') {
            point = true;
            continue;
        }
        v = (mul(v, 10, p) + (uint64_t)(n->s[i] - '0')) % p;
        den = point ? mul(den, 10, p) : den;
    }
    if (i < n->len) {
        long e = strtol(n->s + i + 1, NULL, 10);
        uint64_t ten = power(10, (uint64_t)(e < 0 ? -e : e), p);
        if (e < 0)
            den = mul(den, ten, p);
        else
            v = mul(v, ten, p);
    }
    return divide(v, den, p);
}

static struct residue value(const struct expr_node *n, const struct residue *at,
                            const uint64_t *point, uint64_t p)
{
    struct residue out = { 0, true };
    uint64_t a, b;

    if (n->kind == EXPR_NUM)
        return read_number(n, p);
    if (n->kind == EXPR_VAR)
        return (struct residue){ point[n->var] % p, true };
    if (n->real || n->kind == EXPR_PI || n->kind == EXPR_E)
        return (struct residue){ 0, false };
    if (!at[n->a].defined)
        return at[n->a];
    a = at[n->a].v;
    b = at[n->b].v;
    if (n->kind == EXPR_NEG) {
        out.v = a ? p - a : 0;
    } else if (n->kind == EXPR_FACT) {
        out.v = 1;
        for (uint64_t k = 2; k <= a; k++)
            out.v = mul(out.v, k, p);
    } else if (n->kind == EXPR_POW) {
        out.v = power(a, (uint64_t)(n->power < 0 ? -n->power : n->power), p);
        if (n->power < 0 || (n->power == 0 && a == 0))
            out = divide(1, n->power ? out.v : 0, p);
    } else if (!at[n->b].defined) {
        out.defined = false;
    } else if (n->kind == EXPR_ADD) {
        out.v = (a + b) % p;
    } else if (n->kind == EXPR_SUB) {
        out.v = (a + p - b) % p;
    } else if (n->kind == EXPR_MUL) {
        out.v = mul(a, b, p);
    } else {
        out = divide(a, b, p);
    }
    return out;
}

bool expr_same_exact(const struct expr *e, int a, int b, enum math_rule *rule)
{
    struct residue *at = mem_calloc(EXPR_NODES, sizeof(*at));
    int good = 0;
    bool same = true;

    for (int t = 0; t < TRIES && good < POINTS && same; t++) {
        bool defined = true;
        for (int k = 0; k < 2 && same; k++) {
            for (int i = 0; i < e->n; i++)
                at[i] = value(&e->node[i], at, points[t], primes[k]);
            defined = defined && at[a].defined && at[b].defined;
            same = !defined || at[a].v == at[b].v;
        }
        good += defined;
        if (!same || e->vars == 0)
            break;
    }
    free(at);
    *rule = good == 0 && same ? MATH_NO_RULE : e->vars > 0 ? MATH_FUNCTION : MATH_NUMBER;
    return same && good > 0;
}
