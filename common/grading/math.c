/* SPDX-License-Identifier: Apache-2.0 */
/* Are two answers the same? PRM800K's order of questions. */
#include <string.h>

#include "common/grading/expr.h"
#include "common/grading/grading.h"
#include "common/grading/linear.h"
#include "common/grading/utext.h"

const char *math_rule_name(enum math_rule r)
{
    switch (r) {
    case MATH_STRING:
        return "string";
    case MATH_NUMBER:
        return "number";
    case MATH_FUNCTION:
        return "function";
    case MATH_REAL:
        return "real";
    case MATH_NO_RULE:
    case MATH_RULES:
        break;
    }
    return "no_rule";
}

struct part {
    const char *s;
    size_t len;
};

static bool same(struct part a, struct part b)
{
    return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

/* ^-?[0-9]+.?/0*[1-9][0-9]*.?$ with "." any character. */
static bool is_frac(struct part p)
{
    const char *at = p.s, *end = p.s + p.len;
    size_t len;

    at += at < end && *at == '-';
    if (at == end || !utext_is_digit(*at))
        return false;
    while (at < end && utext_is_digit(*at))
        at++;
    if (at < end && *at != '/') {
        (void)utext_char(at, &len);
        at += len;
    }
    if (at >= end || *at++ != '/')
        return false;
    while (at < end && *at == '0')
        at++;
    if (at == end || !utext_is_digit(*at))
        return false;
    while (at < end && utext_is_digit(*at))
        at++;
    if (at == end)
        return true;
    (void)utext_char(at, &len);
    return at + len == end;
}

static bool is_open(char c)
{
    return c == '(' || c == '[';
}

static bool is_close(char c)
{
    return c == ')' || c == ']';
}

/* The elements of a tuple or interval, else the whole as one. At most MAX; 0 when there are more.
 */
static size_t split(struct part whole, struct part *part, size_t max)
{
    size_t n = 0, depth = 0, start = 1;

    part[0] = whole;
    if (whole.len <= 2 || !is_open(whole.s[0]) || !is_close(whole.s[whole.len - 1]))
        return 1;
    for (size_t i = 0; i < whole.len; i++) { /* the first bracket must close at the end */
        depth += is_open(whole.s[i]);
        if (is_close(whole.s[i]) && --depth == 0 && i + 1 < whole.len)
            return 1;
    }
    if (depth != 0)
        return 1;
    for (size_t i = 0; i < whole.len; i++) {
        depth += is_open(whole.s[i]);
        if ((whole.s[i] == ',' && depth == 1) || i + 1 == whole.len) {
            if (n == max)
                return 0;
            part[n++] = (struct part){ whole.s + start, i - start };
            start = i + 1;
        }
        depth -= is_close(whole.s[i]);
    }
    return n;
}

static bool element_equal(struct part gold, struct part given, enum math_rule *rule);

/* One "=" in P: its sides. */
static bool sides(struct part p, struct part *left, struct part *right)
{
    const char *equal = memchr(p.s, '=', p.len);

    if (!equal || memchr(equal + 1, '=', (size_t)(p.s + p.len - equal - 1)))
        return false;
    *left = (struct part){ p.s, (size_t)(equal - p.s) };
    *right = (struct part){ equal + 1, (size_t)(p.s + p.len - equal - 1) };
    return left->len > 0 && right->len > 0;
}

/* x = 5 against 5, and equations side by side. True when decided, *RET_EQUAL says how. */
static bool equations(struct part gold, struct part given, bool *ret_equal, enum math_rule *rule)
{
    struct part a[2], b[2];
    bool two_a = sides(gold, &a[0], &a[1]), two_b = sides(given, &b[0], &b[1]);
    enum math_rule first;

    if (two_a && two_b) {
        *ret_equal = element_equal(a[0], b[0], &first) && element_equal(a[1], b[1], rule);
        if (!*ret_equal)
            *ret_equal = element_equal(a[0], b[1], &first) && element_equal(a[1], b[0], rule);
        *rule = first > *rule ? first : *rule;
        return true;
    }
    if (two_a && a[0].len == 1)
        *ret_equal = element_equal(a[1], given, rule);
    else if (two_b && b[0].len == 1)
        *ret_equal = element_equal(gold, b[1], rule);
    else
        return false;
    return true;
}

static bool element_equal(struct part gold, struct part given, enum math_rule *rule)
{
    bool equal = false;

    *rule = MATH_STRING;
    if (same(gold, given))
        return gold.len > 0;
    if (is_frac(gold) && is_frac(given))
        return false; /* fractions are to be given in lowest terms */
    *rule = MATH_NUMBER;
    if (linear_is_int(gold.s, gold.len) != linear_is_int(given.s, given.len) &&
        !memchr(gold.s, '=', gold.len) && !memchr(given.s, '=', given.len))
        return false;
    if (equations(gold, given, &equal, rule))
        return equal;
    return expr_equal(gold.s, gold.len, given.s, given.len, rule);
}

enum { PARTS = 256 };

static bool parts_equal(struct part gold, struct part given, enum math_rule *rule)
{
    struct part a[PARTS], b[PARTS];
    size_t na = split(gold, a, PARTS), nb = split(given, b, PARTS);

    *rule = MATH_STRING;
    if (na == 0 || na != nb)
        return false;
    if (na > 1 && (gold.s[0] != given.s[0] || gold.s[gold.len - 1] != given.s[given.len - 1]))
        return false;
    for (size_t i = 0; i < na; i++) {
        enum math_rule one;
        bool equal = element_equal(a[i], b[i], &one);
        if (!equal) {
            *rule = one;
            return false;
        }
        *rule = one > *rule ? one : *rule;
    }
    return true;
}

/* The Hendrycks form as PRM800K takes it: stripped, without \text around the whole. */
static void hendrycks_form(const char *s, struct buf *out)
{
    CLEANUP(buf_release) struct buf b = { 0 };
    size_t len = strlen(s);

    utext_strip(&s, &len);
    buf_add(&b, s, len);
    linear_drop_text(&b);
    s = buf_str(&b);
    len = b.len;
    utext_strip(&s, &len);
    utext_set(&b, s, len);
    normalise_hendrycks(buf_str(&b), out);
}

bool math_equal(const char *given, const char *gold, enum math_rule *rule)
{
    CLEANUP(buf_release) struct buf a = { 0 };
    CLEANUP(buf_release) struct buf b = { 0 };
    enum math_rule used;

    rule = rule ? rule : &used;
    *rule = MATH_STRING;
    hendrycks_form(gold, &a);
    hendrycks_form(given, &b);
    if (strcmp(buf_str(&a), buf_str(&b)) == 0)
        return true;
    buf_clear(&a);
    buf_clear(&b);
    normalise_prm800k(gold, &a);
    normalise_prm800k(given, &b);
    if (strcmp(buf_str(&a), buf_str(&b)) == 0)
        return true;
    if (b.len == 0)
        return false;
    linear_strip_commas(&a);
    linear_strip_commas(&b);
    return parts_equal((struct part){ buf_str(&a), a.len }, (struct part){ buf_str(&b), b.len },
                       rule);
}
