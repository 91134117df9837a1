/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - tables as one text (tables.h). */
#include "store/tables/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "common/conf/conf.h"
#include "store/store.h"
#include "store/tables/spec_private.h"

struct name_list {
    char **name;
    size_t len;
};

static int keep_name(const struct store_experiment *e, void *arg)
{
    struct name_list *l = arg;

    l->name = mem_realloc(l->name, l->len + 2, sizeof *l->name);
    l->name[l->len++] = mem_strdup(e->name);
    l->name[l->len] = NULL;
    return 0;
}

/* The error of store_find_experiment with its place and the nearest name. */
static int not_found(struct store *s, const char *name, const struct conf_value *v,
                     const struct err *why, struct err *err)
{
    struct name_list l = { 0 };
    struct err ignored = { 0 };
    const char *near = NULL;
    int rc;

    if (store_list_experiments(s, keep_name, &l, &ignored) == 0 && l.len > 0)
        near = nearest_find(name, (const char *const *)l.name);
    rc = near ? spec_error(err, ERR_NOT_FOUND, v,
                           "no experiment \"%s\" in the store; did you mean \"%s\"?", name, near)
              : spec_error(err, why->code, v, "%s", why->text);
    for (size_t i = 0; i < l.len; i++)
        free(l.name[i]);
    free(l.name);
    return rc;
}

static int find(struct request *r, struct store *s, const char *name, const struct conf_value *v,
                struct err *err)
{
    struct err why = { 0 };
    int rc = store_find_experiment(s, name, &r->experiment[r->experiments], &why);

    if (rc == 0) {
        for (size_t i = 0; i < r->experiments; i++) {
            if (r->experiment[i] == r->experiment[r->experiments])
                return spec_error(err, ERR_INVALID, v, "experiment \"%s\" is there twice", name);
        }
        r->experiments++;
        return 0;
    }
    if (rc == ERR_NOT_FOUND)
        return not_found(s, name ? name : "", v, &why, err);
    if (err)
        *err = why;
    return rc;
}

/* A text of the user's: its experiments unless one is given; a recipe is about the one it names. */
static int open_text(struct request *r, struct store *s, const char *text, const char *name,
                     const char *experiment, struct err *err)
{
    const char *names[TABLE_EXPERIMENTS_MAX];
    const struct conf_value *root, *v, *list;
    size_t len = 0;
    int rc = conf_open_text(&r->conf, name, text, strlen(text), err);

    if (rc < 0)
        return rc;
    root = conf_root(r->conf);
    rc = table_file_read(root, names, &len, &r->spec, &r->specs, err);
    if (rc < 0)
        return rc;
    if (experiment && experiment[0])
        return find(r, s, experiment, NULL, err);
    v = conf_get(root, "experiment");
    list = conf_get(root, "experiments");
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = find(r, s, names[i], list ? conf_at(list, i) : v, err);
    if (rc < 0 || len > 0)
        return rc;
    v = conf_get(root, "steps") ? conf_get(root, "name") : NULL;
    if (v)
        rc = conf_text(v, &experiment, err);
    return rc ? rc : find(r, s, v ? experiment : "", v, err);
}

static int open_recipe(struct request *r, struct store *s, const char *experiment, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    const struct conf_value *tables;
    char name[TABLE_TITLE_MAX];
    int rc = find(r, s, experiment, NULL, err);

    if (rc == 0)
        rc = store_recipe(s, r->experiment[0], &text, err);
    if (rc < 0)
        return rc;
    spec_override(&text);
    snprintf(name, sizeof name, "recipe of %s",
             experiment && experiment[0] ? experiment : "the last experiment");
    rc = conf_open_text(&r->conf, name, buf_str(&text), text.len, err);
    if (rc < 0)
        return rc;
    tables = conf_get(conf_root(r->conf), "tables");
    if (tables && conf_len(tables) > 0)
        return table_specs_read(tables, &r->spec, &r->specs, err);
    return table_specs_default(s, r->experiment[0], &r->spec, &r->specs, err);
}

int request_open(struct request *r, struct store *s, const char *spec_text, const char *spec_name,
                 const char *experiment, struct err *err)
{
    return spec_text ? open_text(r, s, spec_text, spec_name ? spec_name : "specification",
                                 experiment, err)
                     : open_recipe(r, s, experiment, err);
}

void request_release(struct request *r)
{
    table_specs_free(r->spec, r->specs);
    conf_close(r->conf);
    *r = (struct request){ 0 };
}

static int add_table(struct store *s, const struct request *r, size_t i,
                     const struct table_options *o, enum table_format format, struct buf *out,
                     struct err *err)
{
    CLEANUP(table_cleanup) struct table *t = NULL;
    int rc = table_make(s, r->experiment, r->experiments, &r->spec[i], o->strict, &t, err);

    if (rc < 0)
        return r->spec[i].title[0] ? err_wrap(err, rc, "table \"%s\"", r->spec[i].title)
                                   : err_wrap(err, rc, "table %zu", i + 1);
    table_print(t, format, o, out);
    return 0;
}

int tables_text(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, const struct table_options *options,
                enum table_format format, struct buf *out, struct err *err)
{
    static const struct table_options none = { 0 };
    const struct table_options *o = options ? options : &none;
    CLEANUP(request_release) struct request r = { 0 };
    bool first = true;
    int rc = request_open(&r, s, spec_text, spec_name, experiment, err);

    if (rc < 0)
        return rc;
    if (o->only > r.specs)
        return err_set(err, ERR_INVALID, "there is no table %zu; there are %zu", o->only, r.specs);
    if (format == TABLE_JSON)
        buf_adds(out, "{\"version\": 1, \"tables\": [\n");
    for (size_t i = 0; rc == 0 && i < r.specs; i++) {
        if (o->only && o->only != i + 1)
            continue;
        if (!first)
            buf_adds(out, format == TABLE_JSON ? ",\n" : "\n");
        first = false;
        rc = add_table(s, &r, i, o, format, out, err);
    }
    if (format == TABLE_JSON)
        buf_adds(out, "]}\n");
    return rc;
}

int tables_each(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, const struct table_options *options,
                enum table_format format, tables_fn fn, void *arg, struct err *err)
{
    static const struct table_options none = { 0 };
    const struct table_options *o = options ? options : &none;
    CLEANUP(request_release) struct request r = { 0 };
    int rc = request_open(&r, s, spec_text, spec_name, experiment, err);

    if (!rc && o->only > r.specs)
        rc = err_set(err, ERR_INVALID, "there is no table %zu; there are %zu", o->only, r.specs);
    for (size_t i = 0; !rc && i < r.specs; i++) {
        CLEANUP(buf_release) struct buf text = { 0 };
        struct tables_one one = { .number = i + 1, .of = r.specs, .title = r.spec[i].title };
        struct err why = { 0 };

        if (o->only && o->only != i + 1)
            continue;
        if (!o->titles)
            one.rc = add_table(s, &r, i, o, format, &text, &why);
        one.text = one.rc ? why.text : buf_str(&text);
        rc = fn(&one, arg);
    }
    return rc;
}
