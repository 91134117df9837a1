/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/tables.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "experiments/cli/ask.h"
#include "store/store.h"

int tables_subject_open(struct tables_subject *t, const char *what, const char *experiment,
                        struct err *err)
{
    struct conf *c CLEANUP(conf_cleanup) = NULL;
    bool file = what && (strstr(what, ".cfg") || what[0] == '.' || what[0] == '/' ||
                         access(what, R_OK) == 0);

    t->experiment = experiment ? experiment : what && !file ? what : "";
    if (!file)
        return 0;
    int rc = conf_open(&c, what, err);
    if (rc)
        return rc;
    t->spec_name = what;
    t->spec_text = mem_strdup(conf_source(c));
    return 0;
}

void tables_subject_release(struct tables_subject *t)
{
    free(t->spec_text);
    *t = (struct tables_subject){ 0 };
}

static int show_remote(const struct options *o, const struct tables_subject *t,
                       const struct table_options *how, enum table_format format, FILE *to,
                       struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;

    if (t->spec_text) {
        json_set(arguments, "spec", json_new_text(t->spec_text));
        json_set(arguments, "spec_name", json_new_text(t->spec_name));
    }
    json_set(arguments, "experiment", json_new_text(t->experiment));
    json_set(arguments, "format", json_new_text(table_format_words()[format]));
    json_set(arguments, "strict", json_new_bool(how->strict));
    json_set(arguments, "no_footer", json_new_bool(how->no_footer));
    json_set(arguments, "csv_footer", json_new_bool(how->csv_footer));
    json_set(arguments, "ansi", json_new_bool(how->ansi));
    json_set(arguments, "only", json_new_integer((int64_t)how->only));
    int rc = ask_report(o, "table", arguments, &answer, err);
    if (rc)
        return rc;
    const char *text = json_text(json_get(answer, "text"));
    fputs(text ? text : "", to);
    return 0;
}

static int show_local(const char *path, const struct tables_subject *t,
                      const struct table_options *how, enum table_format format, FILE *to,
                      struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct buf out CLEANUP(buf_release) = { 0 };
    int rc = store_open_read(&s, path, err);

    if (!rc)
        rc = tables_text(s, t->spec_text, t->spec_name, t->experiment, how, format, &out, err);
    /* What could be made is shown, also when a later table fails. */
    if (!rc || format != TABLE_JSON)
        fputs(buf_str(&out), to);
    return rc;
}

int tables_show(const struct options *o, const struct tables_subject *t,
                const struct table_options *how, enum table_format format, FILE *to,
                struct err *err)
{
    return o->coordinator ? show_remote(o, t, how, format, to, err)
                          : show_local(options_store(o), t, how, format, to, err);
}

int tables_print(const char *path, const char *experiment, enum table_format format, FILE *to,
                 struct err *err)
{
    const struct tables_subject t = { .experiment = experiment };
    const struct table_options how = { .ansi = format == TABLE_TEXT && isatty(fileno(to)) };

    return show_local(path, &t, &how, format, to, err);
}

static int check_step(const struct conf_value *at, const struct recipe *r, const char *step,
                      struct err *err)
{
    const char *ids[RECIPE_STEPS_MAX + 1] = { NULL };

    if (recipe_find(r, step) >= 0)
        return 0;
    for (size_t i = 0; i < r->steps_len; i++)
        ids[i] = r->step[i].id;
    const char *near = nearest_find(step, ids);
    return near ? conf_error(err, at, "no step is called \"%s\"; did you mean \"%s\"?", step, near)
                : conf_error(err, at, "no step is called \"%s\"", step);
}

/* A column names one step, or several divided by blanks. */
static int check_steps(const struct conf_value *at, const struct recipe *r, const char *list,
                       struct err *err)
{
    int rc = 0;

    for (list += strspn(list, " "); *list && !rc; list += strspn(list, " ")) {
        char step[TABLE_STEPS_MAX];
        size_t len = strcspn(list, " ");

        snprintf(step, sizeof(step), "%.*s", (int)len, list);
        rc = check_step(at, r, step, err);
        list += len;
    }
    return rc;
}

int tables_check(const struct conf *c, const struct recipe *r, struct err *err)
{
    const struct conf_value *tables = conf_get(conf_root(c), "tables");
    struct table_spec *spec = NULL;
    size_t len = 0;
    int rc = tables ? table_specs_read(tables, &spec, &len, err) : 0;

    for (size_t i = 0; !rc && i < len; i++)
        for (size_t k = 0; !rc && k < spec[i].columns_len; k++)
            rc = check_steps(spec[i].column[k].source, r, spec[i].column[k].step, err);
    table_specs_free(spec, len);
    return rc;
}
