/* SPDX-License-Identifier: Apache-2.0 */
/* drover runs - an experiment's runs as a table. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

enum { KEY_WHERE = KEY_OWN, KEY_SORT, KEY_LIMIT, KEY_COLUMNS, KEY_METRIC, KEY_ALL };
enum { TERMINAL_ROWS = 50, LIMIT_MAX = 100000000, DECIMALS = 4 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "where", KEY_WHERE, "CONDITION", 0,
      "Only runs for which it holds: names of columns and parameters, == != < <= > >= in, and, or, "
      "not",
      0 },
    { "sort", KEY_SORT, "KEY[,KEY]", 0,
      "Order by these columns or parameters; -KEY downwards (default run)", 0 },
    { "limit", KEY_LIMIT, "N", 0, "At most N runs, 0 all (default 50 for people, else all)", 0 },
    { "columns", KEY_COLUMNS, "A,B", 0, "Only these columns", 0 },
    { "metric", KEY_METRIC, "NAME", 0,
      "Also the last value of this number that training reported, e.g. reward; may be repeated",
      0 },
    { "all", KEY_ALL, NULL, 0, "Superseded runs too: those that the latest revision has no more",
      0 },
    OPTION_JSON,
    OPTION_CSV,
    { 0 }
};

static const char doc[] =
    "List the runs of EXPERIMENT (default: the one submitted last): number, state, parameters, "
    "seed, "
    "results over the steps whose examples are complete, seconds of work.\v"
    "Example:\n"
    "  drover runs quickstart\n"
    "  drover runs dr-llm/windows --where \"router.windows >= 4 and seed <= 3\" --sort -accuracy\n"
    "  drover runs think-short --where \"state == 'failed'\" --columns run,seed,failed\n"
    "  drover runs think-short --metric reward --sort -reward --limit 10\n\n"
    "Columns: run, state (done, running, ready, waiting, failed, diverged, skipped, cancelled), "
    "done, "
    "jobs, waiting, ready, failed, skipped, cancelled, diverged (jobs), seed, accuracy, base, "
    "oracle, "
    "layers, n, tokens, seconds, first_ms, last_ms, revision, superseded, digest, the parameters "
    "of "
    "the sweep (by their last part where that is clear), and what --metric names. Which show has "
    "to "
    "say about one run: drover show RUN.\n\n"
    "Exit status: 0 done (also when no run fits), 1 no such experiment or name, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *experiment, *where;
    struct json *sort, *columns, *metrics;
    bool limited, all;
    int64_t limit;
};

/* "a,b" appended to *LIST. */
static void add_words(struct json **list, const char *text)
{
    if (!*list)
        *list = json_new_array();
    while (*text) {
        const size_t len = strcspn(text, ",");
        struct buf word CLEANUP(buf_release) = { 0 };

        buf_add(&word, text, len);
        if (len)
            json_push(*list, json_new_text(buf_str(&word)));
        text += len + (text[len] == ',');
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_WHERE:
        a->where = arg;
        return 0;
    case KEY_SORT:
        add_words(&a->sort, arg);
        return 0;
    case KEY_LIMIT:
        a->limited = true;
        a->limit = options_number(state, "limit", arg, 0, LIMIT_MAX);
        return 0;
    case KEY_COLUMNS:
        add_words(&a->columns, arg);
        return 0;
    case KEY_METRIC:
        add_words(&a->metrics, arg);
        return 0;
    case KEY_ALL:
        a->all = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->experiment)
            argp_error(state, "one experiment at a time");
        a->experiment = arg;
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_runs = { rows, parse, "[EXPERIMENT]", doc, NULL, NULL, NULL };

static struct json *make_arguments(struct arguments *a)
{
    const bool people = !a->o.json && !a->o.csv;
    struct json *o = json_new_object();

    if (a->experiment)
        json_set(o, "experiment", json_new_text(a->experiment));
    if (a->where)
        json_set(o, "where", json_new_text(a->where));
    if (a->sort)
        json_set(o, "sort", a->sort);
    if (a->columns)
        json_set(o, "columns", a->columns);
    if (a->metrics)
        json_set(o, "metrics", a->metrics);
    if (a->all)
        json_set(o, "superseded", json_new_bool(true));
    json_set(o, "limit", json_new_integer(a->limited ? a->limit : people ? TERMINAL_ROWS : 0));
    return o;
}

static bool empty_column(const struct json *list, size_t column)
{
    for (size_t r = 0; r < json_len(list); r++)
        if (!json_is_null(json_at(json_at(list, r), column)))
            return false;
    return json_len(list) > 0;
}

static bool nothing_but_zero(const struct json *list, size_t column)
{
    for (size_t r = 0; r < json_len(list); r++)
        if (json_integer(json_at(json_at(list, r), column), 1) != 0)
            return false;
    return json_len(list) > 0;
}

/* For people: results that no run has are left out, and done and jobs are one column. */
static void fill(const struct json *answer, bool people, struct sheet *t)
{
    const struct json *names = json_get(answer, "columns"), *list = json_get(answer, "rows");
    bool hidden[256] = { false };
    int decimals[256];
    const size_t columns = MIN(json_len(names), ARRAY_LEN(hidden));

    for (size_t i = 0; i < columns; i++) {
        const char *kind = json_text(json_at(json_get(answer, "kinds"), i));
        const char *name = json_text(json_at(names, i));

        decimals[i] = strcmp(name, "seconds") == 0     ? SHEET_SECONDS
                      : strcmp(kind, "parameter") == 0 ? SHEET_ALL
                                                       : DECIMALS;
        hidden[i] =
            people && strcmp(kind, "result") == 0 &&
            (empty_column(list, i) || (strcmp(name, "n") == 0 && nothing_but_zero(list, i)));
        if (!hidden[i])
            sheet_column(t, name);
    }
    for (size_t r = 0; r < json_len(list); r++) {
        sheet_row(t);
        for (size_t i = 0; i < columns; i++)
            if (!hidden[i])
                sheet_value(t, json_at(json_at(list, r), i), decimals[i]);
    }
}

/* A metric asked for that no run has is likely misspelt. */
static void note_empty_metrics(const struct json *answer)
{
    const struct json *names = json_get(answer, "columns"), *kinds = json_get(answer, "kinds");

    for (size_t i = 0; i < json_len(names); i++)
        if (strcmp(json_text(json_at(kinds, i)), "metric") == 0 &&
            empty_column(json_get(answer, "rows"), i))
            printf("No run listed has reported \"%s\"; drover show RUN tells what one has.\n",
                   json_text(json_at(names, i)));
}

static void print_for_people(const struct json *answer, const struct arguments *a, struct sheet *t)
{
    const int64_t runs = json_integer(json_get(answer, "runs"), 0);
    const size_t shown = sheet_rows(t);

    printf("%s, revision %lld: %lld run%s", json_text(json_get(answer, "experiment")),
           (long long)json_integer(json_get(answer, "revision"), 0), (long long)runs,
           runs == 1 ? "" : "s");
    if (!shown) {
        printf(a->where ? ", none for which \"%s\"\n" : "\n", a->where);
        if (a->where && !strpbrk(a->where, "'\""))
            puts("Texts stand in quotes: state == 'done'. A number does not: gamma == 0.9.");
        return;
    }
    puts("");
    sheet_print(t, SHEET_TERMINAL, stdout);
    if (json_bool(json_get(answer, "more"), false))
        printf("... and more: these are the first %zu; --limit 0 lists all\n", shown);
    note_empty_metrics(answer);
}

/* The document with rows as objects. */
static void print_as_json(struct json *answer, const struct sheet *t)
{
    struct json *top = json_new_object();
    static const char *const kept[] = { "experiment", "revision", "runs", "more" };

    json_set(top, "version", json_new_integer(1));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const struct json *v = json_get(answer, kept[i]);
        json_set(top, kept[i],
                 json_is_string(v)    ? json_new_text(json_text(v))
                 : json_is_integer(v) ? json_new_integer(json_integer(v, 0))
                                      : json_new_bool(json_bool(v, false)));
    }
    json_set(top, "rows", sheet_json(t));
    print_json(top, stdout);
}

int cmd_runs(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .experiment = NULL };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_runs, argc, argv, 0, NULL, &a);
    struct json *arguments CLEANUP(json_cleanup) = make_arguments(&a);
    if (ask_report(&a.o, "runs", arguments, &answer, &err) != 0)
        return cli_fail(env, &err);
    fill(answer, !a.o.json && !a.o.csv, t);
    if (a.o.json)
        print_as_json(answer, t);
    else if (a.o.csv)
        sheet_print(t, SHEET_CSV, stdout);
    else
        print_for_people(answer, &a, t);
    return CLI_DONE;
}
