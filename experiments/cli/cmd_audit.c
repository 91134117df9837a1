/* SPDX-License-Identifier: Apache-2.0 */
/* drover audit - who did, or tried to do, what at a coordinator. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 100000 };
enum { KEY_LIMIT = KEY_OWN };

static const struct argp_option rows[] = {
    OPTION_STORE, OPTION_COORDINATOR, { "limit", KEY_LIMIT, "N", 0, "The last N (default 50)", 0 },
    OPTION_JSON,  OPTION_CSV,         { 0 },
};

static const char doc[] =
    "List who did what, the last first: plans handed in, what was cancelled, paused and so on, "
    "workers that joined, keys that were allowed and revoked, and what was refused, with the name "
    "of the key and the address.\v"
    "Equal refusals are counted: the first stands here at once, the others once a minute.\n\n"
    "Example:\n"
    "  drover audit --limit 10\n"
    "  drover query \"select * from audit where what = 'refused'\"\n\n"
    "Exit status: 0 done, 1 no store or no coordinator, 2 wrong usage.";

struct arguments {
    struct options o;
    long limit;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_LIMIT:
        a->limit = options_number(state, "limit", arg, 1, LIMIT_MAX);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_audit = { rows, parse, NULL, doc, NULL, NULL, NULL };

static int ask(const struct arguments *a, struct json **ret, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct buf sql CLEANUP(buf_release) = { 0 };

    buf_printf(&sql,
               "select strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', at_ms / 1000, 'unixepoch') as at, who, "
               "role, peer, what, text from audit order by id desc limit %ld",
               a->limit);
    json_set(arguments, "sql", json_new_text(buf_str(&sql)));
    return ask_report(&a->o, "query", arguments, ret, err);
}

static void print(const struct json *answer, enum sheet_format format)
{
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    const struct json *columns = json_get(answer, "columns"), *list = json_get(answer, "rows");

    for (size_t i = 0; i < json_len(columns); i++)
        sheet_column(t, json_text(json_at(columns, i)));
    for (size_t r = 0; r < json_len(list); r++) {
        sheet_row(t);
        for (size_t i = 0; i < json_len(columns); i++)
            sheet_value(t, json_at(json_at(list, r), i), 0);
    }
    sheet_print(t, format, stdout);
}

int cmd_audit(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .limit = LIMIT_DEFAULT };
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_audit, argc, argv, 0, NULL, &a);
    if (ask(&a, &answer, &err) < 0)
        return cli_fail(env, &err);
    print(answer, a.o.json ? SHEET_JSON : a.o.csv ? SHEET_CSV : SHEET_TERMINAL);
    return CLI_DONE;
}
