/* SPDX-License-Identifier: Apache-2.0 */
/* drover query - SQL for people, read-only. */
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/store.h"

static const struct argp_option rows[] = { OPTION_STORE, OPTION_JSON, OPTION_CSV, { 0 } };

static const char doc[] =
    "Ask the results database in SQL. Only reading is possible; a question may take 10 seconds and "
    "give a million rows.\v"
    "Example:\n"
    "  drover query \"select task, level, n, accuracy from accuracy\"\n"
    "  drover query --csv \"select * from label\" > labels.csv\n\n"
    "Without SQL it lists the tables and views; their columns: drover query \"select * from "
    "pragma_table_info('accuracy')\".\n\n"
    "It may run while experiments do.";

struct arguments {
    struct options o;
    const char *sql;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key != ARGP_KEY_ARG)
        return options_take(&a->o, key, arg, state);
    if (a->sql)
        argp_error(state, "one question at a time; put quotes around the SQL");
    a->sql = arg;
    return 0;
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

int cmd_query(int argc, char **argv, const struct env *env)
{
    static const char list[] = "select type, name from sqlite_schema where type in ('table', "
                               "'view') and name not like 'sqlite_%' order by type desc, name";
    struct arguments a = { .sql = NULL };
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct err err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (store_open_read(&s, options_store(&a.o), &err) != 0)
        return cli_fail(env, &err);
    int rc = store_query(s, a.sql ? a.sql : list, NULL, on_row, sheet, &err);
    if (rc && rc != ERR_LIMIT)
        return cli_fail(env, &err);
    sheet_print(sheet, a.o.json ? SHEET_JSON : a.o.csv ? SHEET_CSV : SHEET_TERMINAL, stdout);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
