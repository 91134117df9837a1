/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/tables.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/store.h"

/* The specifications in force: the recipe's, else the default. */
static int specs_of(struct store *s, uint64_t experiment, struct table_spec **ret, size_t *ret_len,
                    struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    int rc = store_recipe(s, experiment, &text, err);

    rc = rc ? rc : conf_open_text(&c, "the stored recipe", text.data, text.len, err);
    if (rc)
        return rc;
    const struct conf_value *tables = conf_get(conf_root(c), "tables");
    if (tables && conf_len(tables) > 0)
        return table_specs_read(tables, ret, ret_len, err);
    return table_specs_default(s, experiment, ret, ret_len, err);
}

static int print_one(struct store *s, uint64_t experiment, const struct table_spec *spec,
                     enum table_format format, struct buf *out, struct err *err)
{
    struct table *t CLEANUP(table_cleanup) = NULL;
    int rc = table_make(s, experiment, spec, &t, err);

    if (rc)
        return err_wrap(err, rc, "table \"%s\"", spec->title);
    table_print(t, format, out);
    return 0;
}

int tables_print(const char *path, const char *experiment, enum table_format format, FILE *to,
                 struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct table_spec *spec CLEANUP(mem_cleanup) = NULL;
    struct buf out CLEANUP(buf_release) = { 0 };
    uint64_t id;
    size_t len = 0;
    int rc = store_open_read(&s, path, err);

    rc = rc ? rc : store_find_experiment(s, experiment, &id, err);
    rc = rc ? rc : specs_of(s, id, &spec, &len, err);
    if (rc)
        return rc;
    if (format == TABLE_JSON)
        buf_adds(&out, "{\"version\": 1, \"tables\": [\n");
    for (size_t i = 0; !rc && i < len; i++) {
        if (i > 0)
            buf_adds(&out, format == TABLE_JSON ? ",\n" : "\n");
        rc = print_one(s, id, &spec[i], format, &out, err);
    }
    if (format == TABLE_JSON)
        buf_adds(&out, "]}\n");
    /* What could be made is shown, also when a later table fails. */
    if (!rc || format != TABLE_JSON)
        fputs(buf_str(&out), to);
    return rc;
}

static int check_step(const struct conf_value *tables, const struct recipe *r, const char *step,
                      struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };

    if (recipe_find(r, step) >= 0)
        return 0;
    for (size_t i = 0; i < r->steps_len; i++)
        ids[i] = r->step[i].id;
    const char *near = nearest_find(step, ids);
    return near ? conf_error(err, tables, "no step is called \"%s\"; did you mean \"%s\"?", step,
                             near)
                : conf_error(err, tables, "no step is called \"%s\"", step);
}

/* A column names one step, or several divided by blanks. */
static int check_steps(const struct conf_value *tables, const struct recipe *r, const char *list,
                       struct err *err)
{
    int rc = 0;

    for (list += strspn(list, " "); *list && !rc; list += strspn(list, " ")) {
        char step[TABLE_STEPS_MAX];
        size_t len = strcspn(list, " ");

        snprintf(step, sizeof(step), "%.*s", (int)len, list);
        rc = check_step(tables, r, step, err);
        list += len;
    }
    return rc;
}

int tables_check(const struct conf *c, const struct recipe *r, struct err *err)
{
    const struct conf_value *tables = conf_get(conf_root(c), "tables");
    struct table_spec *spec CLEANUP(mem_cleanup) = NULL;
    size_t len = 0;
    int rc = tables ? table_specs_read(tables, &spec, &len, err) : 0;

    for (size_t i = 0; !rc && i < len; i++)
        for (size_t k = 0; !rc && k < spec[i].columns_len; k++)
            rc = check_steps(tables, r, spec[i].column[k].step, err);
    return rc;
}
