/* SPDX-License-Identifier: Apache-2.0 */
/* drover cell - what stands behind a number of a table. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "experiments/cli/tables.h"
#include "store/store.h"

enum { KEY_TABLE = KEY_OWN, KEY_EXPERIMENT, KEY_SQL };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_JSON,
    { "table", KEY_TABLE, "N", 0, "Of the table of this number, from 1, where there are several",
      0 },
    { "experiment", KEY_EXPERIMENT, "NAME", 0,
      "With a file: the tables are about this experiment, whatever the file says", 0 },
    { "sql", KEY_SQL, NULL, 0, "Print nothing but the SQL that computes the value", 0 },
    { 0 }
};

static const char doc[] =
    "Show the runs, jobs, attempts and examples behind one cell of a table, and the SQL that "
    "computes it: plain SQLite, so that any other program comes to the same number. ROW is its "
    "number, from 1, or key=value with commas between; COLUMN is its head (GSM8K/acc where heads "
    "are nested), or its number behind the keys.\v"
    "Example:\n"
    "  drover cell quickstart task=math,level=1 'base %' --table 1\n"
    "  drover cell paper.cfg 3 GSM8K/acc --json\n"
    "  drover cell paper.cfg 3 GSM8K/acc --sql | sqlite3 -readonly results.db\n\n"
    "Exit status: 0 done, 1 there is none, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *what[3], *experiment;
    size_t len, table;
    bool sql;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_TABLE:
        a->table = (size_t)options_number(state, "--table", arg, 1, 10000);
        return 0;
    case KEY_EXPERIMENT:
        a->experiment = arg;
        return 0;
    case KEY_SQL:
        a->sql = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->len == ARRAY_LEN(a->what))
            argp_error(state, "an experiment or file, a row and a column are all");
        a->what[a->len++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->len < ARRAY_LEN(a->what))
            argp_error(state, "an experiment or file, a row and a column are needed");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_cell = { rows, parse, "EXPERIMENT|FILE ROW COLUMN", doc, NULL, NULL, NULL };

static int ask_remote(const struct arguments *a, const struct tables_subject *t, struct json **ret,
                      struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();

    if (t->spec_text) {
        json_set(arguments, "spec", json_new_text(t->spec_text));
        json_set(arguments, "spec_name", json_new_text(t->spec_name));
    }
    json_set(arguments, "experiment", json_new_text(t->experiment));
    json_set(arguments, "table", json_new_integer((int64_t)a->table));
    json_set(arguments, "row", json_new_text(a->what[1]));
    json_set(arguments, "column", json_new_text(a->what[2]));
    return ask_report(&a->o, "cell", arguments, ret, err);
}

static int ask_file(const struct arguments *a, const struct tables_subject *t, struct json **ret,
                    struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct buf out CLEANUP(buf_release) = { 0 };
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (!rc)
        rc = tables_cell(s, t->spec_text, t->spec_name, t->experiment, a->table, a->what[1],
                         a->what[2], &out, err);
    return rc ? rc : json_parse(buf_str(&out), out.len, ret, err);
}

/* ---- for people ---- */

static int add_head(const char *key, struct json *value, void *arg)
{
    (void)value;
    sheet_column(arg, key);
    return 0;
}

static int add_value(const char *key, struct json *value, void *arg)
{
    (void)key;
    if (json_is_integer(value))
        sheet_int(arg, json_integer(value, 0));
    else if (json_is_number(value))
        sheet_real(arg, json_number(value, 0.0), 6);
    else
        sheet_text(arg, json_text(value));
    return 0;
}

static void print_list(const struct json *root, const char *name)
{
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    const struct json *list = json_get(root, name);

    printf("\n%s (%zu)\n", name, json_len(list));
    if (json_len(list) == 0)
        return;
    json_each(json_at(list, 0), add_head, sheet);
    for (size_t i = 0; i < json_len(list); i++) {
        sheet_row(sheet);
        json_each(json_at(list, i), add_value, sheet);
    }
    sheet_print(sheet, SHEET_TERMINAL, stdout);
}

static int print_key(const char *key, struct json *value, void *arg)
{
    bool *first = arg;

    printf("%s%s %s", *first ? "" : ", ", key, json_text(value));
    *first = false;
    return 0;
}

static void print_comparison(const struct json *root)
{
    const struct json *c = json_get(root, "comparison"), *base = json_get(c, "baseline");

    if (!c || json_is_null(c))
        return;
    printf("difference %.10g", json_number(json_get(c, "difference"), 0.0));
    if (!json_is_null(json_get(c, "low")))
        printf(", paired 95 %% interval [%.10g, %.10g] (%s)", json_number(json_get(c, "low"), 0.0),
               json_number(json_get(c, "high"), 0.0), json_text(json_get(c, "interval")));
    printf(", from row %lld, column %lld", (long long)json_integer(json_get(base, "row"), 0),
           (long long)json_integer(json_get(base, "column"), 0));
    if (!json_is_null(json_get(c, "test")))
        printf("; %s, p %.3g, after Holm %.3g", json_text(json_get(c, "test")),
               json_number(json_get(c, "p"), 0.0), json_number(json_get(c, "p_adjusted"), 0.0));
    printf("\n");
}

static void print_all(const struct json *root)
{
    const struct json *sql = json_get(root, "sql"), *v = json_get(root, "value");
    char *value CLEANUP(mem_cleanup) = v ? json_dump(v, 1) : mem_strdup("null");
    bool first = true;

    printf("%s\n", json_text(json_get(root, "table")));
    json_each(json_get(root, "row"), print_key, &first);
    printf(": %s = %s\n", json_text(json_get(root, "column")), json_text(json_get(root, "text")));
    printf("value %s, n %lld, %lld of %lld seeds\n", value,
           (long long)json_integer(json_get(root, "n"), 0),
           (long long)json_integer(json_get(root, "seeds"), 0),
           (long long)json_integer(json_get(root, "seeds_wanted"), 0));
    print_comparison(root);
    print_list(root, "runs");
    print_list(root, "jobs");
    print_list(root, "attempts");
    print_list(root, "examples");
    printf("\nThe examples, all of them:\n\n%s;\n", json_text(json_at(sql, 0)));
    printf("\nThe value:\n\n%s\n", json_text(json_at(sql, 1)));
}

int cmd_cell(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .len = 0 };
    struct tables_subject t CLEANUP(tables_subject_release) = { 0 };
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_cell, argc, argv, 0, NULL, &a);
    int rc = tables_subject_open(&t, a.what[0], a.experiment, &err);
    if (!rc)
        rc = a.o.coordinator ? ask_remote(&a, &t, &root, &err) : ask_file(&a, &t, &root, &err);
    if (rc)
        return cli_fail(env, &err);
    const struct json *cell = json_get(root, "cell") ? json_get(root, "cell") : root;

    if (a.o.json) {
        char *text CLEANUP(mem_cleanup) = json_dump(cell, 2);
        printf("%s\n", text);
    } else if (a.sql) {
        printf("%s\n", json_text(json_at(json_get(cell, "sql"), 1)));
    } else {
        print_all(cell);
    }
    return CLI_DONE;
}
