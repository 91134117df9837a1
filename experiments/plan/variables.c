/* SPDX-License-Identifier: Apache-2.0 */
/* --set and ${variables}. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/plan/reading.h"

/* ---- --set ---- */

/* TEXT as recipe text gives it; *RET stays closed when it is none (then it is plain text). */
static const struct conf_value *parse_value(const char *text, struct conf **ret)
{
    struct buf source CLEANUP(buf_release) = { 0 };

    buf_printf(&source, "value = %s;\n", text);
    if (conf_open_text(ret, "--set", source.data, source.len, NULL) != 0) {
        *ret = NULL;
        return NULL;
    }
    const struct conf_value *v = conf_get(conf_root(*ret), "value");
    return conf_len(conf_root(*ret)) == 1 && conf_type(v) != CONF_GROUP ? v : NULL;
}

static void free_axis_values(struct recipe_axis *a)
{
    for (size_t i = 0; i < a->len; i++)
        param_value_release(&a->value[i]);
    free(a->value);
    a->value = NULL;
    a->len = 0;
}

/* Replace the values of A by VALUE: a list, "1, 2, 3", or one value. */
static int override_axis(struct recipe_axis *a, const char *value, const char *where,
                         struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct buf list CLEANUP(buf_release) = { 0 };
    struct err inner = { 0 };
    int rc = 0;

    buf_printf(&list, "(%s)", value);
    const struct conf_value *v =
        parse_value(*value == '[' || *value == '(' ? value : buf_str(&list), &c);
    free_axis_values(a);
    free(a->where);
    a->where = mem_strdup(where);
    size_t len = v ? conf_len(v) : 1;
    if (len == 0 || len > RECIPE_VALUES_MAX)
        return err_set(err, ERR_INVALID, "%s: 1 to %d values are allowed", where,
                       RECIPE_VALUES_MAX);
    a->value = mem_calloc(len, sizeof(*a->value));
    if (!v)
        a->value[a->len++] = (struct param_value){ .type = PARAM_TEXT, .s = mem_strdup(value) };
    for (size_t i = 0; v && !rc && i < len; i++) {
        rc = value_read(conf_at(v, i), &a->value[i], &inner);
        a->len += rc == 0;
    }
    return rc ? err_set(err, (enum err_code)rc, "%s: %s", where, inner.text) : 0;
}

static int override_seed(struct recipe *r, const char *value, const char *where, struct err *err)
{
    size_t i = 0;

    while (i < r->axes_len && r->axis[i].step >= 0)
        i++;
    if (i == RECIPE_AXES_MAX)
        return err_set(err, ERR_LIMIT, "%s: the recipe sweeps %d parameters already", where,
                       RECIPE_AXES_MAX);
    if (i == r->axes_len) {
        r->axes_len++;
        r->axis[i].target = mem_strdup("seed");
        r->axis[i].step = -1;
    }
    return override_axis(&r->axis[i], value, where, err);
}

static int unknown_variable(const struct recipe_set *s, const char *group, const char *name,
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

/* A path on the command line starts at the current folder. */
static int override_path(struct recipe *r, const char *name, const char *value, const char *where,
                         struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct param_value v = { .type = PARAM_TEXT };

    if (!params_get(&r->paths.values, name))
        return unknown_variable(&r->paths, "paths", name, where, err);
    if (*value && *value != '/') {
        char *cwd CLEANUP(mem_cleanup) = getcwd(NULL, 0);
        buf_printf(&path, "%s/", cwd ? cwd : ".");
    }
    buf_adds(&path, value);
    v.s = (char *)buf_str(&path);
    return set_put(&r->paths, name, &v, where, err);
}

static int override_entry(struct recipe_set *s, const char *name, const char *value,
                          const char *where, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct param_value v CLEANUP(param_value_release) = { 0 };
    struct err inner = { 0 };
    const struct conf_value *parsed = parse_value(value, &c);

    if (!parsed)
        v = (struct param_value){ .type = PARAM_TEXT, .s = mem_strdup(value) };
    else if (value_read(parsed, &v, &inner) != 0)
        return err_set(err, ERR_INVALID, "%s: %s", where, inner.text);
    return set_put(s, name, &v, where, err);
}

static int override_step(struct recipe *r, const char *target, const char *value, const char *where,
                         struct err *err)
{
    const char *name;
    int step;

    for (size_t a = 0; a < r->axes_len; a++)
        if (strcmp(r->axis[a].target, target) == 0)
            return override_axis(&r->axis[a], value, where, err);
    int rc = recipe_target(r, target, where, &step, &name, err);
    return rc ? rc : override_entry(&r->step[step].set, name, value, where, err);
}

int recipe_override(struct recipe *r, const char *assignment, struct err *err)
{
    struct buf where CLEANUP(buf_release) = { 0 };
    const char *equals = strchr(assignment, '=');

    if (!equals || equals == assignment)
        return err_set(err, ERR_INVALID, "--set %s: say --set NAME=VALUE", assignment);
    char *name CLEANUP(mem_cleanup) = mem_strdup(assignment);
    name[equals - assignment] = '\0';
    const char *value = equals + 1;
    buf_printf(&where, "--set %s", assignment);
    if (strcmp(name, "seed") == 0 || strcmp(name, "seeds") == 0)
        return override_seed(r, value, buf_str(&where), err);
    if (strncmp(name, "paths.", 6) == 0)
        return override_path(r, name + 6, value, buf_str(&where), err);
    if (strncmp(name, "vars.", 5) != 0)
        return override_step(r, name, value, buf_str(&where), err);
    if (!params_get(&r->vars.values, name + 5))
        return unknown_variable(&r->vars, "vars", name + 5, buf_str(&where), err);
    return override_entry(&r->vars, name + 5, value, buf_str(&where), err);
}

/* ---- ${variables} ---- */

static const struct param_value *find_variable(const struct recipe *r, const char *name,
                                               const char *where, struct err *err)
{
    const bool path = strncmp(name, "paths.", 6) == 0;
    const struct recipe_set *s = path ? &r->paths : &r->vars;

    if (!path && strncmp(name, "vars.", 5) != 0) {
        (void)err_set(err, ERR_INVALID,
                      "%s: \"${%s}\" names no variable; say ${paths.NAME} or ${vars.NAME}", where,
                      name);
        return NULL;
    }
    const char *rest = name + (path ? 6 : 5);
    const struct param_value *v = params_get(&s->values, rest);
    if (!v)
        (void)unknown_variable(s, path ? "paths" : "vars", rest, where, err);
    return v;
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
        const struct param_value *v = find_variable(r, name, where, err);
        if (!v)
            return ERR_INVALID;
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

int recipe_substitute(struct recipe *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < r->steps_len; i++)
        rc = fill_step(r, &r->step[i], err);
    for (size_t a = 0; !rc && a < r->axes_len; a++)
        for (size_t i = 0; !rc && i < r->axis[a].len; i++) {
            struct param_value filled;
            if (!has_variable(&r->axis[a].value[i]))
                continue;
            rc = fill_value(r, &r->axis[a].value[i], r->axis[a].where, &filled, err);
            if (rc)
                break;
            param_value_release(&r->axis[a].value[i]);
            r->axis[a].value[i] = filled;
        }
    return rc;
}
