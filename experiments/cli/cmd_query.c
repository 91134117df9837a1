/* SPDX-License-Identifier: Apache-2.0 */
/* drover query - SQL for people, read-only. */
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/store.h"

enum { KEY_SCHEMA = KEY_OWN };

static const struct argp_option rows[] = { OPTION_STORE,
                                           OPTION_JSON,
                                           OPTION_CSV,
                                           { "schema", KEY_SCHEMA, NULL, 0,
                                             "List the tables and views and their columns", 0 },
                                           { 0 } };

static const char doc[] =
    "Ask the results database in SQL. Only reading is possible; a question may take 10 seconds and "
    "give a million rows.\v"
    "Example:\n"
    "  drover query \"select task, level, n, accuracy from accuracy\"\n"
    "  drover query --csv \"select * from label\" > labels.csv\n"
    "  drover query --schema\n\n"
    "It may run while experiments do.";

struct arguments {
    struct options o;
    const char *sql;
    bool schema;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_SCHEMA:
        a->schema = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->sql)
            argp_error(state, "one question at a time; put quotes around the SQL");
        a->sql = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->sql && !a->schema)
            argp_error(state, "a question is missing, e.g. \"select * from accuracy\"");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

static const struct argp parser = { rows, parse, "[SQL]", doc, NULL, NULL, NULL };

static void put_value(struct sheet *s, const struct store_value *v)
{
    switch (v->type) {
    case STORE_NULL:
        sheet_text(s, NULL);
        break;
    case STORE_INTEGER:
        sheet_int(s, v->i);
        break;
    case STORE_REAL:
        sheet_real(s, v->r, 4);
        break;
    case STORE_TEXT:
    case STORE_BYTES:
        sheet_text(s, v->text);
        break;
    }
}

static int on_row(const char *const *names, const struct store_value *values, size_t columns,
                  void *arg)
{
    struct sheet *s = arg;

    if (!values) {
        for (size_t i = 0; i < columns; i++)
            sheet_column(s, names[i]);
        return 0;
    }
    sheet_row(s);
    for (size_t i = 0; i < columns; i++)
        put_value(s, &values[i]);
    return 0;
}

/* ---- --schema ---- */

enum { NAMES_MAX = 128 };

struct schema {
    char *name[NAMES_MAX], *kind[NAMES_MAX];
    size_t len;
    struct buf columns; /* of the one at hand */
};

static int on_name(const char *const *names, const struct store_value *values, size_t columns,
                   void *arg)
{
    struct schema *s = arg;

    (void)names;
    (void)columns;
    if (!values)
        return 0;
    if (s->len == NAMES_MAX)
        return 1;
    s->kind[s->len] = mem_strdup(values[0].text);
    s->name[s->len++] = mem_strdup(values[1].text);
    return 0;
}

static int on_columns(const char *const *names, const struct store_value *values, size_t columns,
                      void *arg)
{
    struct schema *s = arg;

    buf_clear(&s->columns);
    for (size_t i = 0; !values && i < columns; i++)
        buf_printf(&s->columns, "%s%s", i ? " " : "", names[i]);
    return 1;
}

static int list_schema(struct store *store, struct sheet *sheet, struct err *err)
{
    static const char list[] = "select type, name from sqlite_schema where type in ('table', "
                               "'view') and name not like 'sqlite_%' order by type desc, name";
    struct schema s = { .len = 0 };
    int rc = store_query(store, list, NULL, on_name, &s, err);

    sheet_column(sheet, "kind");
    sheet_column(sheet, "name");
    sheet_column(sheet, "columns");
    for (size_t i = 0; i < s.len; i++) {
        struct buf sql CLEANUP(buf_release) = { 0 };
        buf_printf(&sql, "select * from %s limit 0", s.name[i]);
        if (rc >= 0)
            rc = store_query(store, buf_str(&sql), NULL, on_columns, &s, err);
        if (rc >= 0) {
            sheet_row(sheet);
            sheet_text(sheet, s.kind[i]);
            sheet_text(sheet, s.name[i]);
            sheet_text(sheet, buf_str(&s.columns));
        }
        free(s.kind[i]);
        free(s.name[i]);
    }
    buf_release(&s.columns);
    return rc < 0 ? rc : 0;
}

int cmd_query(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .sql = NULL };
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct err err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (store_open_read(&s, options_store(&a.o), &err) != 0)
        return cli_fail(env, &err);
    int rc =
        a.schema ? list_schema(s, sheet, &err) : store_query(s, a.sql, NULL, on_row, sheet, &err);
    if (rc && rc != ERR_LIMIT)
        return cli_fail(env, &err);
    sheet_print(sheet, a.o.json ? SHEET_JSON : a.o.csv ? SHEET_CSV : SHEET_TERMINAL, stdout);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
