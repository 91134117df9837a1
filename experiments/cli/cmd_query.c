/* SPDX-License-Identifier: Apache-2.0 */
/* drover query - SQL for people, read-only, and what there is to ask. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/store.h"

enum { KEY_SCHEMA = KEY_OWN, KEY_TIME, KEY_ROWS };
enum { TIME_S_MAX = 86400, ROWS_MAX = 1000000000, FLUSH_ROWS = 1000 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_JSON,
    OPTION_CSV,
    { "schema", KEY_SCHEMA, "NAME", OPTION_ARG_OPTIONAL,
      "Explain the views and tables; with NAME one of them, column by column", 0 },
    { "time-limit", KEY_TIME, "SECONDS", 0,
      "Stop after so long (default 10; a coordinator's limit is 10)", 0 },
    { "rows", KEY_ROWS, "N", 0,
      "Give at most N rows (default 1000000; a coordinator's limit is 100000)", 0 },
    { 0 }
};

static const char doc[] =
    "Ask the results database in SQL. Only reading is possible: one SELECT, WITH, VALUES or "
    "EXPLAIN; "
    "the views that --schema lists are the stable face. SQL \"-\" is read from standard input.\v"
    "Example:\n"
    "  drover query \"select task, level, n, accuracy from accuracy\"\n"
    "  drover query --csv \"select * from label\" > labels.csv\n"
    "  drover query --schema\n"
    "  drover query --schema=accuracy\n"
    "  drover query --coordinator tcp://localhost:7400 \"select count(*) from run\"\n\n"
    "It may run while experiments do. Long texts are cut to the width of a terminal; --csv and "
    "--json have them whole.\n\n"
    "Exit status: 0 done, 1 refused, stopped by a limit (the rows up to there are printed) or no "
    "store, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *sql, *name;
    bool schema;
    struct store_query limits;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_SCHEMA:
        a->schema = true;
        a->name = arg;
        return 0;
    case KEY_TIME:
        a->limits.time_ms =
            1000 * (uint32_t)options_number(state, "time-limit", arg, 1, TIME_S_MAX);
        return 0;
    case KEY_ROWS:
        a->limits.rows_max = (uint64_t)options_number(state, "rows", arg, 1, ROWS_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (a->schema && !a->name) { /* --schema accuracy */
            a->name = arg;
            return 0;
        }
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

const struct argp argp_query = { rows, parse, "[SQL]", doc, NULL, NULL, NULL };

static enum sheet_format format_of(const struct options *o)
{
    return o->json ? SHEET_JSON : o->csv ? SHEET_CSV : SHEET_TERMINAL;
}

/* ---- from the file: rows go out as they come ---- */

struct output {
    struct sheet *sheet;
    enum sheet_format format;
};

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
    struct output *out = arg;

    for (size_t i = 0; !values && i < columns; i++)
        sheet_column(out->sheet, names[i]);
    if (!values)
        return 0;
    sheet_row(out->sheet);
    for (size_t i = 0; i < columns; i++)
        put_value(out->sheet, &values[i]);
    if (sheet_rows(out->sheet) >= FLUSH_ROWS)
        sheet_flush(out->sheet, out->format, stdout);
    return 0;
}

static int query_file(const struct arguments *a, const char *sql, struct output *out,
                      struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (!rc)
        rc = store_query(s, sql, &a->limits, on_row, out, err);
    if (rc && rc != ERR_LIMIT && rc != ERR_TIMEOUT)
        return rc;
    sheet_print(out->sheet, out->format, stdout);
    return rc;
}

/* ---- from a coordinator ---- */

static int query_remote(const struct arguments *a, const char *sql, struct output *out,
                        struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;

    json_set(arguments, "sql", json_new_text(sql));
    if (a->limits.time_ms)
        json_set(arguments, "time_ms", json_new_integer(a->limits.time_ms));
    if (a->limits.rows_max)
        json_set(arguments, "rows", json_new_integer((int64_t)a->limits.rows_max));
    int rc = ask_report(&a->o, "query", arguments, &answer, err);
    if (rc)
        return rc;
    const struct json *columns = json_get(answer, "columns"), *list = json_get(answer, "rows");
    for (size_t i = 0; i < json_len(columns); i++)
        sheet_column(out->sheet, json_text(json_at(columns, i)));
    for (size_t r = 0; r < json_len(list); r++) {
        sheet_row(out->sheet);
        for (size_t i = 0; i < json_len(columns); i++)
            sheet_value(out->sheet, json_at(json_at(list, r), i), 4);
    }
    sheet_print(out->sheet, out->format, stdout);
    if (json_bool(json_get(answer, "truncated"), false))
        return err_set(err, ERR_LIMIT, "more than %zu rows; add LIMIT to the query",
                       json_len(list));
    return 0;
}

/* ---- --schema ---- */

static void list_names(const struct json *list, const char *kind, struct sheet *t)
{
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *one = json_at(list, i);

        sheet_row(t);
        sheet_text(t, kind);
        sheet_text(t, json_text(json_get(one, "name")));
        sheet_int(t, (int64_t)json_len(json_get(one, "columns")));
        sheet_text(t, json_text(json_get(one, "about")));
    }
}

static void explain_one(const struct json *one, struct sheet *t)
{
    const struct json *columns = json_get(one, "columns");

    for (size_t i = 0; i < json_len(columns); i++) {
        const struct json *c = json_at(columns, i);

        sheet_row(t);
        sheet_text(t, json_text(json_get(one, "name")));
        sheet_text(t, json_text(json_get(c, "name")));
        sheet_text(t, json_text(json_get(c, "type")));
        sheet_text(t, json_text(json_get(c, "about")));
    }
}

static void columns_of(struct sheet *t, bool one)
{
    static const char *const all[] = { "kind", "name", "columns", "one row is" },
                             *const single[] = { "of", "column", "type", "meaning" };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        sheet_column(t, one ? single[i] : all[i]);
}

static int explain(const struct arguments *a, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();

    if (a->name)
        json_set(arguments, "name", json_new_text(a->name));
    int rc = ask_report(&a->o, "schema", arguments, &answer, err);
    if (rc)
        return rc;
    const struct json *views = json_get(answer, "views"), *tables = json_get(answer, "tables");
    if (a->o.json) {
        print_json(answer, stdout);
        answer = NULL;
        return 0;
    }
    columns_of(t, a->name);
    if (a->name) {
        const struct json *one = json_at(json_len(views) ? views : tables, 0);
        if (!a->o.csv)
            printf("%s: %s\n", a->name, json_text(json_get(one, "about")));
        if (!a->o.csv && json_text(json_get(one, "worth_knowing")))
            printf("%s\n", json_text(json_get(one, "worth_knowing")));
        explain_one(one, t);
    } else {
        list_names(views, "view", t);
        list_names(tables, "table", t);
    }
    sheet_print(t, a->o.csv ? SHEET_CSV : SHEET_TERMINAL, stdout);
    if (!a->name && !a->o.csv)
        puts("\ndrover query --schema=NAME tells its columns. Views are stable; tables may change "
             "with the store's version.");
    return 0;
}

/* ---- */

static int read_sql(const char *given, struct buf *out, struct err *err)
{
    enum { SQL_MAX = 1 << 20 };

    if (strcmp(given, "-") == 0)
        return buf_read_file(out, "/dev/stdin", SQL_MAX, err);
    buf_adds(out, given);
    return 0;
}

int cmd_query(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .sql = NULL };
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct buf sql CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_query, argc, argv, 0, NULL, &a);
    struct output out = { sheet, format_of(&a.o) };
    if (a.schema)
        return explain(&a, &err) ? cli_fail(env, &err) : CLI_DONE;
    int rc = read_sql(a.sql, &sql, &err);
    if (!rc)
        rc = a.o.coordinator ? query_remote(&a, buf_str(&sql), &out, &err)
                             : query_file(&a, buf_str(&sql), &out, &err);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
