/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive descent over one line of text; depth and nodes are bounded.
 *
 *   or      = and { "or" and }
 *   and     = not { "and" not }
 *   not     = "not" not | "(" or ")" | test
 *   test    = operand [ compare operand | ["not"] "in" "[" value { "," value } "]" ]
 *   operand = name | value
 *   value   = number | text | "true" | "false" */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/conf/cond_tree.h"

/* Parentheses and nots inside each other; each costs two frames of about 150 bytes. */
enum { DEPTH_MAX = 64 };

enum token {
    T_END,
    T_NAME,
    T_VALUE,
    T_AND,
    T_OR,
    T_NOT,
    T_IN,
    T_OPEN,
    T_CLOSE,
    T_OPEN_LIST,
    T_CLOSE_LIST,
    T_COMMA,
    T_COMPARE,
};

struct parser {
    struct cond *c;
    const char *text, *at; /* AT: behind the current token */
    const char *begin;     /* of the current token */
    enum token token;
    enum cond_op op; /* COMPARE */
    struct cond_value value;
    unsigned depth;
    struct err *err;
};

static unsigned column_of(const struct parser *p, const char *at)
{
    return (unsigned)(at - p->text) + 1;
}

/* What stands where something else was expected. */
static int expected(struct parser *p, const char *what)
{
    if (p->token == T_END)
        return err_set(p->err, ERR_INVALID, "column %u: the condition ends where %s is expected",
                       column_of(p, p->begin), what);
    return err_set(p->err, ERR_INVALID, "column %u: %s is expected, not \"%.*s\"",
                   column_of(p, p->begin), what, (int)MIN(p->at - p->begin, 40), p->begin);
}

/* LEN bytes at FROM as text of C; a doubled QUOTE counts once. */
static const char *keep(struct cond *c, const char *from, size_t len, char quote)
{
    char *to = c->text + c->text_len, *out = to;

    for (size_t i = 0; i < len; i++) {
        *out++ = from[i];
        if (quote && from[i] == quote)
            i++;
    }
    *out++ = '\0';
    c->text_len += (size_t)(out - to);
    return to;
}

/* ---- tokens ---- */

static int quoted(struct parser *p, char quote)
{
    const char *end = p->begin + 1;

    while (*end && (*end != quote || end[1] == quote))
        end += *end == quote ? 2 : 1;
    if (!*end)
        return err_set(p->err, ERR_INVALID, "column %u: the closing %c is missing",
                       column_of(p, p->begin), quote);
    if (quote == '`' && end == p->begin + 1)
        return err_set(p->err, ERR_INVALID, "column %u: an empty name", column_of(p, p->begin));
    p->token = quote == '`' ? T_NAME : T_VALUE;
    p->value = (struct cond_value){ .type = COND_TEXT };
    p->value.text = keep(p->c, p->begin + 1, (size_t)(end - p->begin) - 1, quote);
    p->at = end + 1;
    return 0;
}

static int number(struct parser *p)
{
    const char *at = p->begin + (*p->begin == '-' || *p->begin == '+');
    size_t digits = strspn(at, "0123456789");

    at += digits;
    if (*at == '.') {
        size_t more = strspn(at + 1, "0123456789");
        digits += more;
        at += 1 + more;
    }
    if (digits && (*at == 'e' || *at == 'E')) {
        const char *power = at + 1 + (at[1] == '-' || at[1] == '+');
        size_t more = strspn(power, "0123456789");
        at = more ? power + more : at;
    }
    p->at = at;
    p->value = (struct cond_value){ .type = COND_NUMBER, .number = strtod(p->begin, NULL) };
    if (!digits || isalnum((unsigned char)*at) || *at == '_' || *at == '.')
        return err_set(p->err, ERR_INVALID, "column %u: this is no number", column_of(p, p->begin));
    if (isinf(p->value.number))
        return err_set(p->err, ERR_INVALID, "column %u: the number is too large",
                       column_of(p, p->begin));
    p->token = T_VALUE;
    return 0;
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

static void word(struct parser *p)
{
    static const struct {
        const char *word;
        enum token token;
    } words[] = { { "and", T_AND }, { "or", T_OR },      { "not", T_NOT },
                  { "in", T_IN },   { "true", T_VALUE }, { "false", T_VALUE } };
    const char *at = p->begin;

    while (in_word(*at) || (*at && strchr(".-/", *at) && in_word(at[1])))
        at++;
    p->at = at;
    const size_t len = (size_t)(at - p->begin);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, p->begin, len) == 0) {
            p->token = words[i].token;
            p->value = (struct cond_value){ .type = COND_BOOL, .truth = len == 4 };
            return;
        }
    p->token = T_NAME;
    p->value = (struct cond_value){ .type = COND_TEXT, .text = keep(p->c, p->begin, len, 0) };
}

static int sign(struct parser *p)
{
    static const struct {
        const char *sign;
        enum token token;
        enum cond_op op;
    } signs[] = {
        { "==", T_COMPARE, COND_EQUAL },
        { "!=", T_COMPARE, COND_UNEQUAL },
        { "<>", T_COMPARE, COND_UNEQUAL },
        { "<=", T_COMPARE, COND_LESS_EQUAL },
        { ">=", T_COMPARE, COND_MORE_EQUAL },
        { "<", T_COMPARE, COND_LESS },
        { ">", T_COMPARE, COND_MORE },
        { "=", T_COMPARE, COND_EQUAL },
        { "&&", T_AND, COND_AND },
        { "||", T_OR, COND_OR },
        { "!", T_NOT, COND_NOT },
        { "(", T_OPEN, COND_VALUE },
        { ")", T_CLOSE, COND_VALUE },
        { "[", T_OPEN_LIST, COND_VALUE },
        { "]", T_CLOSE_LIST, COND_VALUE },
        { ",", T_COMMA, COND_VALUE },
    };

    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (strncmp(p->begin, signs[i].sign, strlen(signs[i].sign)) == 0) {
            p->token = signs[i].token;
            p->op = signs[i].op;
            p->at = p->begin + strlen(signs[i].sign);
            return 0;
        }
    return err_set(p->err, ERR_INVALID, "column %u: unexpected character '%c'",
                   column_of(p, p->begin), isprint((unsigned char)*p->begin) ? *p->begin : '?');
}

static int next(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
    p->begin = p->at;
    if (!*p->at) {
        p->token = T_END;
        return 0;
    }
    if (strchr("'\"`", *p->at))
        return quoted(p, *p->at);
    if (isdigit((unsigned char)*p->at) || strchr("+-.", *p->at))
        return number(p);
    if (in_word(*p->at)) {
        word(p);
        return 0;
    }
    return sign(p);
}

/* ---- nodes ---- */

static int add(struct parser *p, enum cond_op op, int a, int b, unsigned column, int *ret)
{
    struct cond *c = p->c;

    if (c->len == COND_NODES_MAX)
        return err_set(p->err, ERR_LIMIT, "column %u: the condition has more than %d parts", column,
                       COND_NODES_MAX);
    c->node[c->len] = (struct cond_node){ .op = op, .a = a, .b = b, .next = -1, .column = column };
    *ret = (int)c->len++;
    return 0;
}

static void note_name(struct cond *c, const char *name)
{
    for (size_t i = 0; i < c->names_len; i++)
        if (strcmp(c->name[i], name) == 0)
            return;
    c->name[c->names_len++] = name;
}

/* A name or, with VALUES_ONLY, only a value. */
static int operand(struct parser *p, bool values_only, int *ret)
{
    const enum token token = p->token;
    int rc;

    if (token != T_VALUE && (values_only || token != T_NAME))
        return expected(p, values_only ? "a value" : "a name or a value");
    rc = add(p, token == T_NAME ? COND_NAME : COND_VALUE, -1, -1, column_of(p, p->begin), ret);
    if (rc)
        return rc;
    p->c->node[*ret].value = p->value;
    if (token == T_NAME)
        note_name(p->c, p->value.text);
    return next(p);
}

static int list(struct parser *p, int *ret)
{
    int last = -1, item = -1, rc = next(p); /* behind "in" */

    if (!rc && p->token != T_OPEN_LIST)
        rc = expected(p, "[");
    do {
        rc = rc ? rc : next(p);
        rc = rc ? rc : operand(p, true, &item);
        if (rc)
            return rc;
        if (last < 0)
            *ret = item;
        else
            p->c->node[last].next = item;
        last = item;
    } while (p->token == T_COMMA);
    return p->token == T_CLOSE_LIST ? next(p) : expected(p, ", or ]");
}

static int test(struct parser *p, int *ret)
{
    const unsigned column = column_of(p, p->begin);
    int a = -1, b = -1, rc = operand(p, false, &a);

    if (rc)
        return rc;
    if (p->token == T_COMPARE) {
        const enum cond_op op = p->op;
        rc = next(p);
        rc = rc ? rc : operand(p, false, &b);
        return rc ? rc : add(p, op, a, b, column, ret);
    }
    if (p->token == T_IN || p->token == T_NOT) {
        const enum cond_op op = p->token == T_IN ? COND_IN : COND_NOT_IN;
        if (op == COND_NOT_IN)
            rc = next(p);
        if (!rc && p->token != T_IN)
            rc = expected(p, "in");
        rc = rc ? rc : list(p, &b);
        return rc ? rc : add(p, op, a, b, column, ret);
    }
    const struct cond_node *n = &p->c->node[a];
    if (n->op == COND_VALUE && n->value.type != COND_BOOL)
        return expected(p, "a comparison");
    return add(p, COND_TRUE, a, -1, column, ret);
}

static int any(struct parser *p, int *ret);

/* Called at the parenthesis or the "not". */
static int deeper(struct parser *p, int *ret)
{
    const unsigned column = column_of(p, p->begin);
    const bool negated = p->token == T_NOT;
    int a = -1, rc;

    if (p->depth == DEPTH_MAX)
        return err_set(p->err, ERR_LIMIT, "column %u: nested more than %d deep", column, DEPTH_MAX);
    p->depth++;
    rc = next(p);
    if (negated) {
        if (!rc)
            rc = p->token == T_NOT || p->token == T_OPEN ? deeper(p, &a) : test(p, &a);
        rc = rc ? rc : add(p, COND_NOT, a, -1, column, ret);
    } else {
        rc = rc ? rc : any(p, ret);
        if (!rc)
            rc = p->token == T_CLOSE ? next(p) : expected(p, "and, or, )");
    }
    p->depth--;
    return rc;
}

/* Tests joined by "and" (ALL) or such chains joined by "or". */
static int chain(struct parser *p, bool all, int *ret)
{
    int rc = 0, b = -1;

    for (bool first = true;; first = false) {
        const unsigned column = column_of(p, p->begin);
        if (!all)
            rc = chain(p, true, &b);
        else
            rc = p->token == T_NOT || p->token == T_OPEN ? deeper(p, &b) : test(p, &b);
        if (!rc && !first)
            rc = add(p, all ? COND_AND : COND_OR, *ret, b, column, &b);
        if (rc)
            return rc;
        *ret = b;
        if (p->token != (all ? T_AND : T_OR))
            return 0;
        rc = next(p);
        if (rc)
            return rc;
    }
}

static int any(struct parser *p, int *ret)
{
    return chain(p, false, ret);
}

int cond_parse(const char *text, struct cond **ret, struct err *err)
{
    struct parser p = { .text = text, .at = text, .begin = text, .err = err };
    const size_t len = strlen(text);
    int rc;

    *ret = NULL;
    if (len >= COND_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "the condition has %zu characters, at most %d are allowed",
                       len, COND_TEXT_MAX - 1);
    p.c = mem_calloc(1, sizeof(*p.c));
    rc = next(&p);
    rc = rc ? rc : any(&p, &p.c->root);
    if (!rc && p.token != T_END)
        rc = expected(&p, "and, or");
    if (rc) {
        cond_free(p.c);
        return rc;
    }
    *ret = p.c;
    return 0;
}

void cond_free(struct cond *c)
{
    free(c);
}

void cond_cleanup(struct cond **c)
{
    cond_free(*c);
}

const char *cond_name(const struct cond *c, size_t i)
{
    return i < c->names_len ? c->name[i] : NULL;
}
