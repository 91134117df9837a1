/* SPDX-License-Identifier: Apache-2.0 */
/* ${variables}. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/plan/reading.h"

int recipe_unknown_variable(const struct recipe_set *s, const char *group, const char *name,
                            const char *where, struct err *err)
{
    const char *names[PARAMS_MAX + 1] = { NULL };

    for (size_t i = 0; i < s->values.len; i++)
        names[i] = s->values.entry[i].name;
    const char *near = nearest_find(name, names);
    return near ? err_set(err, ERR_INVALID,
                          "%s: the recipe has no variable %s.%s; did you mean %s.%s?", where, group,
                          name, group, near)
                : err_set(err, ERR_INVALID, "%s: the recipe has no variable %s.%s", where, group,
                          name);
}

int recipe_variable(const struct recipe *r, const char *name, const char *where,
                    const struct param_value **ret, struct err *err)
{
    const bool path = strncmp(name, "paths.", 6) == 0;
    const struct recipe_set *s = path ? &r->paths : &r->vars;

    if (!path && strncmp(name, "vars.", 5) != 0)
        return err_set(err, ERR_INVALID,
                       "%s: \"${%s}\" names no variable; say ${paths.NAME} or ${vars.NAME}", where,
                       name);
    const char *rest = name + (path ? 6 : 5);
    const struct param_value *v = params_get(&s->values, rest);
    if (!v)
        return recipe_unknown_variable(s, path ? "paths" : "vars", rest, where, err);
    if (ret)
        *ret = v;
    return 0;
}

/* TEXT with its variables filled in, as *RET; a text that is one variable takes its type. */
static int fill_in(const struct recipe *r, const char *text, const char *where,
                   struct param_value *ret, struct err *err)
{
    struct buf out CLEANUP(buf_release) = { 0 };

    for (const char *at = text; *at;) {
        const char *open = strstr(at, "${"), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            buf_adds(&out, at);
            break;
        }
        char *name CLEANUP(mem_cleanup) = mem_strdup(open + 2);
        name[close - open - 2] = '\0';
        const struct param_value *v = NULL;
        int rc = recipe_variable(r, name, where, &v, err);
        if (rc)
            return rc;
        if (open == text && !close[1]) {
            *ret = param_value_copy(v);
            return 0;
        }
        buf_add(&out, at, (size_t)(open - at));
        if (v->type == PARAM_TEXT)
            buf_adds(&out, v->s);
        else
            param_print(v, &out);
        at = close + 1;
    }
    *ret = (struct param_value){ .type = PARAM_TEXT, .s = buf_detach(&out) };
    return 0;
}

static bool has_variable(const struct param_value *v)
{
    if (v->type == PARAM_TEXT)
        return strstr(v->s, "${") != NULL;
    for (size_t i = 0; v->type == PARAM_TEXTS && i < v->len; i++)
        if (strstr(v->texts[i], "${"))
            return true;
    return false;
}

static int fill_value(const struct recipe *r, const struct param_value *v, const char *where,
                      struct param_value *ret, struct err *err)
{
    if (v->type == PARAM_TEXT)
        return fill_in(r, v->s, where, ret, err);
    *ret = param_value_copy(v);
    for (size_t i = 0; i < v->len; i++) {
        struct param_value item CLEANUP(param_value_release) = { 0 };
        int rc = fill_in(r, v->texts[i], where, &item, err);
        if (!rc && item.type != PARAM_TEXT)
            rc = err_set(err, ERR_INVALID, "%s: only text variables fit into a list of texts",
                         where);
        if (rc) {
            param_value_release(ret);
            return rc;
        }
        free(ret->texts[i]);
        ret->texts[i] = mem_strdup(item.s);
    }
    return 0;
}

static int fill_step(struct recipe *r, struct recipe_step *s, struct err *err)
{
    for (size_t i = 0; i < s->set.values.len; i++) {
        struct param_value filled CLEANUP(param_value_release) = { 0 };
        const char *name = s->set.values.entry[i].name;
        if (!has_variable(&s->set.values.entry[i].value))
            continue;
        const char *where = recipe_where(&s->set, name, s->where);
        int rc = fill_value(r, &s->set.values.entry[i].value, where, &filled, err);
        if (!rc)
            rc = params_set(&s->set.values, name, &filled, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int fill_axis(struct recipe *r, struct recipe_axis *a, struct err *err)
{
    for (size_t i = 0; i < a->len; i++) {
        struct param_value filled = { 0 };
        if (!has_variable(&a->value[i]))
            continue;
        int rc = fill_value(r, &a->value[i], a->at && a->at[i] ? a->at[i] : a->where, &filled, err);
        if (rc)
            return rc;
        param_value_release(&a->value[i]);
        a->value[i] = filled;
    }
    return 0;
}

static int fill_cond(struct recipe *r, struct recipe_cond *c, struct err *err)
{
    struct param_value filled CLEANUP(param_value_release) = { 0 };

    if (!c->text || !strstr(c->text, "${"))
        return 0;
    int rc = fill_in(r, c->text, c->where, &filled, err);
    if (!rc && filled.type != PARAM_TEXT)
        rc = err_set(err, ERR_INVALID, "%s: the variable is no text", c->where);
    if (rc)
        return rc;
    free(c->text);
    c->text = mem_strdup(filled.s);
    return 0;
}

int recipe_substitute(struct recipe *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < r->steps_len; i++)
        rc = fill_step(r, &r->step[i], err);
    for (size_t i = 0; !rc && i < r->axes_len; i++)
        rc = fill_axis(r, &r->axis[i], err);
    for (size_t i = 0; !rc && i < r->entries_len; i++)
        rc = fill_cond(r, &r->entry[i].when, err);
    for (size_t i = 0; !rc && i < r->excludes_len; i++)
        rc = fill_cond(r, &r->exclude[i], err);
    return rc;
}
