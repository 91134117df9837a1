/* SPDX-License-Identifier: Apache-2.0 */
/* What a parsed condition says: of values (cond_eval), or as SQL (cond_sql). Both walk the same
 * tree, which is at most COND_NODES_MAX deep. */
#include "common/conf/cond.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/conf/cond_tree.h"

struct evaluation {
    const struct cond *c;
    cond_lookup_fn lookup;
    void *arg;
    struct err *err;
};

/* ---- values ---- */

static int value_of(const struct evaluation *e, int i, struct cond_value *ret)
{
    const struct cond_node *n = &e->c->node[i];

    *ret = n->value;
    if (n->op == COND_VALUE)
        return 0;
    *ret = (struct cond_value){ .type = COND_UNSET };
    return e->lookup(e->arg, n->value.text, ret, e->err);
}

static bool is_true(const struct cond_value *v)
{
    switch (v->type) {
    case COND_UNSET:
    case COND_ANY:
        return false;
    case COND_NUMBER:
        return v->number != 0;
    case COND_TEXT:
        return *v->text != '\0';
    case COND_BOOL:
        return v->truth;
    }
    return false;
}

static double number_of(const struct cond_value *v)
{
    return v->type == COND_BOOL ? (double)v->truth : v->number;
}

static void describe(const struct cond_node *n, const struct cond_value *v, char *out, size_t size)
{
    const char *name = n->op == COND_NAME ? n->value.text : NULL;

    if (v->type == COND_TEXT)
        snprintf(out, size, "%.60s%s'%.60s'", name ? name : "", name ? " = " : "", v->text);
    else if (v->type == COND_BOOL)
        snprintf(out, size, "%.60s%s%s", name ? name : "", name ? " = " : "",
                 v->truth ? "true" : "false");
    else
        snprintf(out, size, "%.60s%s%.10g", name ? name : "", name ? " = " : "", v->number);
}

/* The order of A and B, which are set: < 0, 0, > 0 in *RET. */
static int order(const struct evaluation *e, int a, const struct cond_value *x, int b,
                 const struct cond_value *y, int *ret)
{
    char left[140], right[140];

    if (x->type == COND_TEXT && y->type == COND_TEXT) {
        *ret = strcmp(x->text, y->text);
        return 0;
    }
    if (x->type != COND_TEXT && y->type != COND_TEXT) {
        *ret = (number_of(x) > number_of(y)) - (number_of(x) < number_of(y));
        return 0;
    }
    describe(&e->c->node[a], x, left, sizeof(left));
    describe(&e->c->node[b], y, right, sizeof(right));
    return err_set(e->err, ERR_INVALID, "column %u: a text is compared with a number: %s and %s",
                   e->c->node[a].column, left, right);
}

/* Kleene's three values: and is the least, or the most. */
enum truth { NO, MAYBE, YES };

static enum truth truth_of(bool yes)
{
    return yes ? YES : NO;
}

static int compare(const struct evaluation *e, const struct cond_node *n, enum truth *ret)
{
    struct cond_value x, y;
    int by = 0, rc = value_of(e, n->a, &x);

    rc = rc ? rc : value_of(e, n->b, &y);
    if (rc)
        return rc;
    if (x.type == COND_ANY || y.type == COND_ANY) {
        *ret = MAYBE;
        return 0;
    }
    if (x.type == COND_UNSET || y.type == COND_UNSET) {
        *ret = truth_of(n->op == COND_UNEQUAL);
        return 0;
    }
    rc = order(e, n->a, &x, n->b, &y, &by);
    *ret = truth_of((n->op == COND_EQUAL && by == 0) || (n->op == COND_UNEQUAL && by != 0) ||
                    (n->op == COND_LESS && by < 0) || (n->op == COND_LESS_EQUAL && by <= 0) ||
                    (n->op == COND_MORE && by > 0) || (n->op == COND_MORE_EQUAL && by >= 0));
    return rc;
}

static int among(const struct evaluation *e, const struct cond_node *n, enum truth *ret)
{
    struct cond_value x;
    int by = 1, rc = value_of(e, n->a, &x);

    *ret = truth_of(n->op == COND_NOT_IN);
    if (!rc && x.type == COND_ANY) {
        *ret = MAYBE;
        return 0;
    }
    for (int i = n->b; !rc && x.type != COND_UNSET && i >= 0; i = e->c->node[i].next) {
        rc = order(e, n->a, &x, i, &e->c->node[i].value, &by);
        if (!rc && by == 0) {
            *ret = truth_of(n->op == COND_IN);
            break;
        }
    }
    return rc;
}

static int holds(const struct evaluation *e, int i, enum truth *ret)
{
    const struct cond_node *n = &e->c->node[i];
    struct cond_value v;
    enum truth first;
    int rc;

    switch (n->op) {
    case COND_AND:
    case COND_OR:
        rc = holds(e, n->a, &first);
        *ret = first;
        if (rc || first == truth_of(n->op == COND_OR))
            return rc;
        rc = holds(e, n->b, ret);
        if (first == MAYBE && *ret != truth_of(n->op == COND_OR))
            *ret = MAYBE;
        return rc;
    case COND_NOT:
        rc = holds(e, n->a, ret);
        *ret = YES - *ret;
        return rc;
    case COND_IN:
    case COND_NOT_IN:
        return among(e, n, ret);
    case COND_TRUE:
        rc = value_of(e, n->a, &v);
        *ret = v.type == COND_ANY ? MAYBE : truth_of(!rc && is_true(&v));
        return rc;
    case COND_VALUE:
    case COND_NAME:
        assert(false);
        return 0;
    case COND_EQUAL:
    case COND_UNEQUAL:
    case COND_LESS:
    case COND_LESS_EQUAL:
    case COND_MORE:
    case COND_MORE_EQUAL:
        return compare(e, n, ret);
    }
    return 0;
}

int cond_eval(const struct cond *c, cond_lookup_fn lookup, void *arg, bool *ret, struct err *err)
{
    const struct evaluation e = { c, lookup, arg, err };
    enum truth truth = NO;
    int rc = holds(&e, c->root, &truth);

    *ret = !rc && truth != NO;
    return rc;
}

/* ---- SQL ---- */

struct translation {
    const struct cond *c;
    cond_column_fn column;
    void *arg;
    struct buf *out;
    struct err *err;
};

static void sql_number(double v, struct buf *out)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_adds(out, text);
}

static int sql_value(const struct translation *t, int i)
{
    const struct cond_node *n = &t->c->node[i];

    if (n->op == COND_NAME)
        return t->column(t->arg, n->value.text, t->out, t->err);
    switch (n->value.type) {
    case COND_UNSET:
    case COND_ANY:
        buf_adds(t->out, "NULL");
        break;
    case COND_NUMBER:
        sql_number(n->value.number, t->out);
        break;
    case COND_BOOL:
        buf_adds(t->out, n->value.truth ? "1" : "0");
        break;
    case COND_TEXT:
        buf_addc(t->out, '\'');
        for (const char *s = n->value.text; *s; s++) {
            if (*s == '\'')
                buf_addc(t->out, '\'');
            buf_addc(t->out, *s);
        }
        buf_addc(t->out, '\'');
    }
    return 0;
}

/* What is not set is NULL: a comparison with it is false, and != and "not in" are true. */
static int sql_compare(const struct translation *t, const struct cond_node *n)
{
    static const char *const signs[] = {
        [COND_EQUAL] = " = ",       [COND_UNEQUAL] = " <> ",     [COND_LESS] = " < ",
        [COND_LESS_EQUAL] = " <= ", [COND_MORE] = " > ",         [COND_MORE_EQUAL] = " >= ",
        [COND_IN] = " IN (",        [COND_NOT_IN] = " NOT IN (",
    };
    const bool is_list = n->op == COND_IN || n->op == COND_NOT_IN;
    int rc;

    buf_adds(t->out, "ifnull(");
    rc = sql_value(t, n->a);
    buf_adds(t->out, signs[n->op]);
    rc = rc ? rc : sql_value(t, n->b);
    for (int i = t->c->node[n->b].next; is_list && !rc && i >= 0; i = t->c->node[i].next) {
        buf_adds(t->out, ", ");
        rc = sql_value(t, i);
    }
    buf_printf(t->out, "%s, %d)", is_list ? ")" : "",
               n->op == COND_UNEQUAL || n->op == COND_NOT_IN);
    return rc;
}

static int sql(const struct translation *t, int i)
{
    const struct cond_node *n = &t->c->node[i];
    int rc;

    switch (n->op) {
    case COND_AND:
    case COND_OR:
        buf_addc(t->out, '(');
        rc = sql(t, n->a);
        buf_adds(t->out, n->op == COND_AND ? " AND " : " OR ");
        rc = rc ? rc : sql(t, n->b);
        buf_addc(t->out, ')');
        return rc;
    case COND_NOT:
        buf_adds(t->out, "(NOT ");
        rc = sql(t, n->a);
        buf_addc(t->out, ')');
        return rc;
    case COND_TRUE:
        buf_adds(t->out, "(ifnull(");
        rc = sql_value(t, n->a);
        buf_adds(t->out, ", 0) NOT IN (0, ''))");
        return rc;
    case COND_VALUE:
    case COND_NAME:
        assert(false);
        return 0;
    case COND_EQUAL:
    case COND_UNEQUAL:
    case COND_LESS:
    case COND_LESS_EQUAL:
    case COND_MORE:
    case COND_MORE_EQUAL:
    case COND_IN:
    case COND_NOT_IN:
        return sql_compare(t, n);
    }
    return 0;
}

int cond_sql(const struct cond *c, cond_column_fn column, void *arg, struct buf *out,
             struct err *err)
{
    const struct translation t = { c, column, arg, out, err };

    return sql(&t, c->root);
}
