/* SPDX-License-Identifier: Apache-2.0 */
/* --set. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/plan/reading.h"

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

static bool wants_list(const struct recipe *r, const struct recipe_axis *a)
{
    static const char *const lists[] = { "tasks", "levels", "results" };
    const struct param_spec *spec = a->step < 0 ? NULL : kind_param(r->step[a->step].kind, a->name);

    for (size_t i = 0; !spec && a->step >= 0 && i < ARRAY_LEN(lists); i++)
        if (strcmp(a->name, lists[i]) == 0)
            return true;
    return spec && param_is_list(spec->type);
}

/* A list of lists gives values to a parameter that is itself a list; a plain one is one value. */
static bool is_one_value(const struct conf_value *v)
{
    for (size_t i = 0; i < conf_len(v); i++)
        if (conf_type(conf_at(v, i)) == CONF_ARRAY || conf_type(conf_at(v, i)) == CONF_LIST)
            return false;
    return true;
}

/* A parameter that varies with others is taken out of their entry and becomes an axis of its own,
 * under the same condition. */
static int detach_axis(struct recipe *r, struct recipe_axis *a, const char *where, struct err *err)
{
    struct recipe_entry *old = &r->entry[a->entry], *e = &r->entry[r->entries_len];
    size_t others = 0;

    recipe_axis_clear(a);
    if (old->form == SWEEP_GRID)
        return 0;
    for (size_t i = 0; i < r->axes_len; i++)
        others += &r->axis[i] != a && r->axis[i].entry == a->entry;
    if (others == 0) {
        old->form = SWEEP_GRID;
        return 0;
    }
    if (r->entries_len == RECIPE_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "%s: the sweep has %d entries already", where,
                       RECIPE_ENTRIES_MAX);
    *e = (struct recipe_entry){ .index = old->index, .where = mem_strdup(old->where) };
    if (old->when.text) {
        e->when.text = mem_strdup(old->when.text);
        e->when.where = mem_strdup(old->when.where);
    }
    a->entry = r->entries_len++;
    return 0;
}

/* Replace the values of A by VALUE: a list, "1, 2, 3", or one value. */
static int override_axis(struct recipe *r, struct recipe_axis *a, const char *value,
                         const char *where, struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    struct buf list CLEANUP(buf_release) = { 0 };
    struct err inner = { 0 };
    const bool bare = *value != '[' && *value != '(';
    int rc = detach_axis(r, a, where, err);

    if (rc)
        return rc;
    buf_printf(&list, "(%s)", value);
    const struct conf_value *v = parse_value(bare ? buf_str(&list) : value, &c);
    free(a->where);
    a->where = mem_strdup(where);
    if (v && !bare && wants_list(r, a) && is_one_value(v)) {
        a->value = mem_calloc(1, sizeof(*a->value));
        rc = value_read(v, &a->value[0], &inner);
        r->entry[a->entry].len = a->len = rc == 0;
        return rc ? err_set(err, (enum err_code)rc, "%s: %s", where, inner.text) : 0;
    }
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
    r->entry[a->entry].len = a->len;
    return rc ? err_set(err, (enum err_code)rc, "%s: %s", where, inner.text) : 0;
}

static int override_seed(struct recipe *r, const char *value, const char *where, struct err *err)
{
    struct recipe_axis *a = NULL;
    int rc = 0;

    for (size_t i = 0; i < r->axes_len; i++)
        if (r->axis[i].step < 0)
            a = &r->axis[i];
    if (!a && r->entries_len == RECIPE_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "%s: the sweep has %d entries already", where,
                       RECIPE_ENTRIES_MAX);
    if (!a) {
        rc = recipe_add_axis(r, "seed", where, r->entries_len, &a, err);
        if (rc)
            return rc;
        r->entry[r->entries_len] =
            (struct recipe_entry){ .where = mem_strdup(where), .index = r->entries_len };
        r->entries_len++;
    }
    return override_axis(r, a, value, where, err);
}

/* A path on the command line starts at the current folder. */
static int override_path(struct recipe *r, const char *name, const char *value, const char *where,
                         struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct param_value v = { .type = PARAM_TEXT };

    if (!params_get(&r->paths.values, name))
        return recipe_unknown_variable(&r->paths, "paths", name, where, err);
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
            return override_axis(r, &r->axis[a], value, where, err);
    int rc = recipe_target(r, target, where, &step, &name, err);
    return rc ? rc : override_entry(&r->step[step].set, name, value, where, err);
}

static int override_halving(struct recipe *r, const char *name, const char *value,
                            const char *where, struct err *err)
{
    static const char *const known[] = { "measure", "better", "keep", NULL };
    const char *near = nearest_find(name, known);

    if (!r->halving.where)
        return err_set(err, ERR_INVALID, "%s: the recipe has no halving", where);
    for (size_t i = 0; known[i]; i++)
        if (strcmp(known[i], name) == 0)
            return override_entry(&r->halving.set, name, value, where, err);
    return near ? err_set(err, ERR_INVALID, "%s: did you mean halving.%s?", where, near)
                : err_set(err, ERR_INVALID, "%s: say halving.measure, .better or .keep", where);
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
    if (strncmp(name, "halving.", 8) == 0)
        return override_halving(r, name + 8, value, buf_str(&where), err);
    if (strncmp(name, "vars.", 5) != 0)
        return override_step(r, name, value, buf_str(&where), err);
    if (!params_get(&r->vars.values, name + 5))
        return recipe_unknown_variable(&r->vars, "vars", name + 5, buf_str(&where), err);
    return override_entry(&r->vars, name + 5, value, buf_str(&where), err);
}
