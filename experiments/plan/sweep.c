/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of the sweep, each read into the same table: columns of values. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/plan/keys_table.h"
#include "experiments/plan/reading.h"

void recipe_axis_clear(struct recipe_axis *a)
{
    for (size_t i = 0; i < a->len; i++) {
        param_value_release(&a->value[i]);
        if (a->at)
            free(a->at[i]);
    }
    free(a->value);
    free(a->given);
    free(a->at);
    a->value = NULL;
    a->given = NULL;
    a->at = NULL;
    a->len = 0;
}

int recipe_add_axis(struct recipe *r, const char *target, const char *where, size_t entry,
                    struct recipe_axis **ret, struct err *err)
{
    struct recipe_axis *a = &r->axis[r->axes_len];
    const char *name = NULL;
    int step = -1;

    for (size_t i = 0; i < r->axes_len; i++)
        if (strcmp(r->axis[i].target, target) == 0)
            return err_set(err, ERR_INVALID, "%s: \"%s\" is swept twice, first at %s", where,
                           target, r->axis[i].where);
    if (r->axes_len == RECIPE_AXES_MAX)
        return err_set(err, ERR_LIMIT, "%s: the recipe sweeps more than %d parameters", where,
                       RECIPE_AXES_MAX);
    if (strcmp(target, "seed") != 0) {
        int rc = recipe_target(r, target, where, &step, &name, err);
        if (rc)
            return rc;
    }
    if (name && (strcmp(name, "id") == 0 || strcmp(name, "job") == 0 || strcmp(name, "when") == 0))
        return err_set(err, ERR_INVALID, "%s: %s cannot be swept; write two steps with conditions",
                       where, target);
    r->axes_len++;
    *a = (struct recipe_axis){ .target = mem_strdup(target),
                               .where = mem_strdup(where),
                               .step = step,
                               .name = name ? mem_strdup(name) : NULL,
                               .entry = entry };
    *ret = a;
    return 0;
}

/* ---- checks ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_once(const struct recipe_axis *a, struct err *err)
{
    char **text CLEANUP(mem_cleanup) = mem_calloc(a->len, sizeof(*text));
    int rc = 0;

    for (size_t i = 0; i < a->len; i++) {
        struct buf b = { 0 };
        param_print(&a->value[i], &b);
        text[i] = buf_detach(&b);
    }
    qsort(text, a->len, sizeof(*text), by_text);
    for (size_t i = 1; !rc && i < a->len; i++)
        if (strcmp(text[i - 1], text[i]) == 0)
            rc = err_set(err, ERR_INVALID, "%s: %s: the value %.200s appears twice", a->where,
                         a->target, text[i]);
    for (size_t i = 0; i < a->len; i++)
        free(text[i]);
    return rc;
}

int recipe_check_axis(const struct recipe *r, const struct recipe_axis *a, struct err *err)
{
    for (size_t i = 0; a->step < 0 && i < a->len; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        if ((a->given && !a->given[i]) || (a->value[i].type == PARAM_INT && a->value[i].i >= 0))
            continue;
        param_print(&a->value[i], &text);
        return err_set(err, ERR_INVALID, "%s: seed: %s is no integer of at least 0",
                       a->at ? a->at[i] : a->where, buf_str(&text));
    }
    return r->entry[a->entry].form == SWEEP_GRID ? check_once(a, err) : 0;
}

/* ---- grid and zip ---- */

/* { set; values; } as a column of entry ENTRY. */
static int read_column(struct recipe *r, const struct conf_value *v, size_t entry, struct err *err)
{
    const struct conf_value *set, *values;
    struct recipe_axis *a;
    const char *target;
    int rc = conf_need(v, "set", CONF_TEXT, &set, err);

    rc = rc ? rc : conf_text(set, &target, err);
    if (rc)
        return rc;
    values = conf_get(v, "values");
    if (!values || conf_type(values) != CONF_LIST)
        rc = conf_need(v, "values", CONF_ARRAY, &values, err);
    if (rc)
        return rc;
    if (conf_len(values) == 0 || conf_len(values) > RECIPE_VALUES_MAX)
        return conf_error(err, values, "1 to %d values are allowed", RECIPE_VALUES_MAX);
    char *where CLEANUP(mem_cleanup) = recipe_place(set);
    rc = recipe_add_axis(r, target, where, entry, &a, err);
    if (rc)
        return rc;
    a->value = mem_calloc(conf_len(values), sizeof(*a->value));
    for (; !rc && a->len < conf_len(values); a->len += rc == 0)
        rc = value_read(conf_at(values, a->len), &a->value[a->len], err);
    r->entry[entry].len = a->len;
    return rc;
}

static int read_zip(struct recipe *r, const struct conf_value *v, size_t entry, struct err *err)
{
    const char *known[RECIPE_KEYS_MAX];
    const struct conf_value *zip = conf_get(v, "zip");
    const size_t first = r->axes_len;
    int rc = conf_expect(zip, CONF_LIST, err);

    if (!rc && conf_len(zip) == 0)
        rc = conf_error(err, zip, "is empty; write { set = \"STEP.PARAMETER\"; values = [...]; }");
    for (size_t i = 0; !rc && i < conf_len(zip); i++) {
        rc = conf_expect(conf_at(zip, i), CONF_GROUP, err);
        rc = rc ? rc
                : conf_check_keys(conf_at(zip, i), recipe_key_names(KEYS_ZIP_COLUMN, known), err);
        rc = rc ? rc : read_column(r, conf_at(zip, i), entry, err);
        if (!rc && r->axis[r->axes_len - 1].len != r->axis[first].len)
            rc = conf_error(err, conf_at(zip, i),
                            "%s has %zu values and %s has %zu; a zip needs as many of each",
                            r->axis[r->axes_len - 1].target, r->axis[r->axes_len - 1].len,
                            r->axis[first].target, r->axis[first].len);
    }
    return rc;
}

/* ---- points ---- */

struct points {
    struct recipe *r;
    size_t entry, row, len;
};

/* The column TARGET of the entry, made when it is new. */
static int find_column(const struct points *p, const char *target, const char *where,
                       struct recipe_axis **ret, struct err *err)
{
    struct recipe *r = p->r;

    for (size_t i = 0; i < r->axes_len; i++)
        if (r->axis[i].entry == p->entry && strcmp(r->axis[i].target, target) == 0) {
            *ret = &r->axis[i];
            return 0;
        }
    int rc = recipe_add_axis(r, target, where, p->entry, ret, err);
    if (rc)
        return rc;
    (*ret)->value = mem_calloc(p->len, sizeof(*(*ret)->value));
    (*ret)->given = mem_calloc(p->len, sizeof(*(*ret)->given));
    (*ret)->at = mem_calloc(p->len, sizeof(*(*ret)->at));
    (*ret)->len = p->len;
    return 0;
}

/* V, called TARGET, into the row; groups go on. */
static int read_cell(const struct points *p, const struct conf_value *v, const char *target,
                     struct err *err)
{
    struct recipe_axis *a;
    int rc = 0;

    if (conf_type(v) == CONF_GROUP) {
        for (size_t i = 0; !rc && i < conf_len(v); i++) {
            struct buf name CLEANUP(buf_release) = { 0 };
            buf_printf(&name, "%s.%s", target, conf_name(conf_at(v, i)));
            rc = read_cell(p, conf_at(v, i), buf_str(&name), err);
        }
        return rc;
    }
    char *where CLEANUP(mem_cleanup) = recipe_place(v);
    rc = find_column(p, target, where, &a, err);
    rc = rc ? rc : value_read(v, &a->value[p->row], err);
    if (rc)
        return rc;
    a->given[p->row] = true;
    a->at[p->row] = mem_strdup(where);
    return 0;
}

static int check_member(const struct recipe *r, const struct conf_value *v, struct err *err)
{
    const char *known[RECIPE_STEPS_MAX + 2] = { "seed" };
    const char *name = conf_name(v);
    const bool seed = strcmp(name, "seed") == 0;

    for (size_t i = 0; i < r->steps_len; i++)
        known[i + 1] = r->step[i].id;
    if (seed || recipe_find(r, name) >= 0) {
        if (seed == (conf_type(v) != CONF_GROUP))
            return 0;
        return conf_error(err, v,
                          seed ? "must be an integer of at least 0"
                               : "write a group: STEP = { PARAMETER = VALUE; };");
    }
    const char *near = nearest_find(name, known);
    return near ? conf_error(err, v, "no step is called \"%s\"; did you mean \"%s\"?", name, near)
                : conf_error(err, v,
                             "no step is called \"%s\"; a point is { STEP = { PARAMETER = "
                             "VALUE; }; seed = N; }",
                             name);
}

static int read_points(struct recipe *r, const struct conf_value *v, size_t entry, struct err *err)
{
    const struct conf_value *list = conf_get(v, "points");
    struct points p = { .r = r, .entry = entry };
    int rc = conf_expect(list, CONF_LIST, err);

    if (rc)
        return rc;
    p.len = r->entry[entry].len = conf_len(list);
    if (p.len == 0 || p.len > RECIPE_VALUES_MAX)
        return conf_error(err, list, "1 to %d points are allowed", RECIPE_VALUES_MAX);
    for (; !rc && p.row < p.len; p.row++) {
        const struct conf_value *point = conf_at(list, p.row);
        rc = conf_expect(point, CONF_GROUP, err);
        for (size_t i = 0; !rc && i < conf_len(point); i++) {
            rc = check_member(r, conf_at(point, i), err);
            rc = rc ? rc : read_cell(&p, conf_at(point, i), conf_name(conf_at(point, i)), err);
        }
    }
    return rc;
}

/* ---- an entry ---- */

static const struct {
    const char *key;
    enum sweep_form form;
    enum recipe_place place;
} forms[] = {
    { "set", SWEEP_GRID, KEYS_GRID },
    { "zip", SWEEP_ZIP, KEYS_ZIP },
    { "random", SWEEP_RANDOM, KEYS_RANDOM },
    { "points", SWEEP_POINTS, KEYS_POINTS }, /* last: a random entry has points too */
};

/* Which form V is, from the key that tells. */
static int form_of(const struct conf_value *v, size_t *ret, struct err *err)
{
    static const char *const known[] = { "set", "values", "zip", "random", "points", "when", NULL };

    for (*ret = 0; *ret < ARRAY_LEN(forms); ++*ret)
        if (conf_get(v, forms[*ret].key))
            return 0;
    int rc = conf_check_keys(v, known, err);
    return rc ? rc
              : conf_error(err, v,
                           "an entry of the sweep has set and values, zip, points or "
                           "random");
}

static int read_entry(struct recipe *r, const struct conf_value *v, struct err *err)
{
    const char *known[RECIPE_KEYS_MAX];
    const size_t entry = r->entries_len;
    struct recipe_entry *e = &r->entry[entry];
    size_t form = 0;
    int rc = conf_expect(v, CONF_GROUP, err);

    rc = rc ? rc : form_of(v, &form, err);
    rc = rc ? rc : conf_check_keys(v, recipe_key_names(forms[form].place, known), err);
    if (rc)
        return rc;
    r->entries_len++;
    *e = (struct recipe_entry){ .form = forms[form].form, .index = entry };
    e->where = recipe_place(v);
    if (conf_get(v, "when"))
        rc = recipe_read_cond(conf_get(v, "when"), &e->when, err);
    if (rc)
        return rc;
    switch (e->form) {
    case SWEEP_GRID:
        return read_column(r, v, entry, err);
    case SWEEP_ZIP:
        return read_zip(r, v, entry, err);
    case SWEEP_POINTS:
        return read_points(r, v, entry, err);
    case SWEEP_RANDOM:
        return recipe_read_random(r, v, entry, err);
    }
    return 0;
}

static int read_exclude(struct recipe *r, const struct conf_value *list, struct err *err)
{
    int rc = 0;

    if (conf_type(list) != CONF_LIST)
        rc = conf_expect(list, CONF_ARRAY, err);
    if (!rc && conf_len(list) > RECIPE_EXCLUDES_MAX)
        rc = conf_error(err, list, "at most %d conditions are allowed", RECIPE_EXCLUDES_MAX);
    for (size_t i = 0; !rc && i < conf_len(list); i++) {
        rc = recipe_read_cond(conf_at(list, i), &r->exclude[i], err);
        r->excludes_len += rc == 0;
    }
    return rc;
}

int recipe_read_sweep(struct recipe *r, const struct conf_value *root, struct err *err)
{
    const struct conf_value *sweep = conf_get(root, "sweep"), *exclude = conf_get(root, "exclude");
    int rc = sweep ? conf_expect(sweep, CONF_LIST, err) : 0;

    if (!rc && sweep && conf_len(sweep) > RECIPE_ENTRIES_MAX)
        rc = conf_error(err, sweep, "%zu entries, at most %d are allowed", conf_len(sweep),
                        RECIPE_ENTRIES_MAX);
    for (size_t i = 0; !rc && sweep && i < conf_len(sweep); i++)
        rc = read_entry(r, conf_at(sweep, i), err);
    if (!rc && exclude)
        rc = read_exclude(r, exclude, err);
    return rc;
}
