/* SPDX-License-Identifier: Apache-2.0 */
/* spec_target.c - the target of a column of cost: what a check must show (spec.h). */
#include <string.h>

#include "common/base/mem.h"
#include "store/tables/spec_private.h"

/* The number of vars.NAME of the recipe, or of the file of tables, that ARG is from. */
static int variable(void *arg, const char *name, double *ret, struct err *err)
{
    const struct conf_value *x;
    int rc = spec_variable(arg, name, &x, err);

    if (rc < 0)
        return rc;
    if (conf_type(x) != CONF_INT && conf_type(x) != CONF_REAL)
        return err_set(err, ERR_INVALID, "vars.%s is no number", name);
    return conf_real(x, 1, 0, ret, err);
}

static int read_bound(const struct conf_value *v, struct amount *ret, struct err *err)
{
    struct err inner = { 0 };
    const char *text;
    double x;
    int rc;

    if (conf_type(v) == CONF_INT || conf_type(v) == CONF_REAL) {
        rc = conf_real(v, -1e300, 1e300, &x, err);
        amount_number(x, ret);
        return rc;
    }
    if (conf_type(v) != CONF_TEXT)
        return conf_error(err, v,
                          "a number is expected, or a text such as \"first - 0.01\" or \"1.1 * "
                          "${vars.last}\"");
    rc = conf_text(v, &text, err);
    if (rc == 0 && amount_parse(text, variable, (void *)v, ret, &inner) < 0)
        rc = spec_error(err, inner.code, v, "%s", inner.text);
    return rc;
}

static int read_condition(const struct conf_value *group, struct table_column *c, struct err *err)
{
    static const char *const known[] = { "metric", "at_least", "at_most", NULL };
    const struct conf_value *v;
    char metric[TABLE_WORD_MAX];
    size_t bounds = 0;
    int rc = conf_expect(group, CONF_GROUP, err);

    rc = rc ? rc : conf_check_keys(group, known, err);
    rc = rc ? rc : conf_need(group, "metric", CONF_TEXT, &v, err);
    rc = rc ? rc : spec_word(v, metric, sizeof metric, err);
    for (int most = 0; rc == 0 && most < 2; most++) {
        struct table_target *t;

        if (!(v = conf_get(group, known[1 + most])))
            continue;
        if (c->targets == TABLE_TARGETS_MAX)
            return conf_error(err, v, "at most %d bounds are allowed", TABLE_TARGETS_MAX);
        t = &c->target[c->targets++];
        memcpy(t->metric, metric, sizeof metric);
        t->most = most;
        rc = read_bound(v, &t->bound, err);
        bounds++;
    }
    if (rc == 0 && bounds == 0)
        rc = conf_error(err, group, "give at_least, at_most or both");
    return rc;
}

int spec_target(const struct conf_value *list, struct table_column *c, struct err *err)
{
    int rc = conf_expect(list, CONF_LIST, err);

    if (rc == 0 && conf_len(list) == 0)
        rc = conf_error(err, list,
                        "there is no condition; ( { metric = \"validation_accuracy\"; at_least = "
                        "\"first - 0.01\"; } ) is one");
    c->target = mem_calloc(TABLE_TARGETS_MAX, sizeof *c->target);
    for (size_t i = 0; rc == 0 && i < conf_len(list); i++)
        rc = read_condition(conf_at(list, i), c, err);
    return rc;
}
