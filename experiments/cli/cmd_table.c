/* SPDX-License-Identifier: Apache-2.0 */
/* drover table - the tables that an experiment's recipe, or a file of its own, specifies. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/tables.h"

enum { KEY_STRICT = KEY_OWN, KEY_FOOTER, KEY_NO_FOOTER, KEY_TABLE, KEY_EXPERIMENT };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "format", 'f', "FORMAT", 0, "terminal (default), markdown, csv, latex or json", 0 },
    OPTION_JSON,
    OPTION_CSV,
    { "table", KEY_TABLE, "N", 0, "Only the table of this number, from 1", 0 },
    { "experiment", KEY_EXPERIMENT, "NAME", 0,
      "With a file: the tables are about this experiment, whatever the file says", 0 },
    { "strict", KEY_STRICT, NULL, 0,
      "Refuse missing results, missing seeds and unequal numbers of examples", 0 },
    { "no-footer", KEY_NO_FOOTER, NULL, 0,
      "Leave out where the numbers are from and their checksum", 0 },
    { "footer", KEY_FOOTER, NULL, 0, "CSV: with the footer, in lines that begin with #", 0 },
    { 0 }
};

static const char doc[] =
    "Print tables: those that the recipe of an experiment's latest revision specifies (without a "
    "name, of the experiment submitted last), or those of a file. It may run while the experiment "
    "does. Specifications are explained in docs/tables.md.\v"
    "Example:\n"
    "  drover table quickstart\n"
    "  drover table quickstart --format latex > table.tex\n"
    "  drover table paper.cfg --strict\n\n"
    "What stands behind a number: drover cell.\n\n"
    "Exit status: 0 done, 1 failed (nothing there, unequal n...), 2 wrong usage.";

struct arguments {
    struct options o;
    const char *what, *experiment;
    struct table_options how;
    enum table_format format;
};

static enum table_format format_of(struct argp_state *state, const char *arg)
{
    const char *const *words = table_format_words();

    for (int i = 0; i < TABLE_FORMATS; i++)
        if (strcmp(words[i], arg) == 0 || (i == TABLE_TEXT && strcmp(arg, "terminal") == 0))
            return (enum table_format)i;
    argp_error(state, "--format: \"%s\" is none of terminal, markdown, csv, latex, json", arg);
    return TABLE_TEXT;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'f':
        a->format = format_of(state, arg);
        return 0;
    case KEY_STRICT:
        a->how.strict = true;
        return 0;
    case KEY_FOOTER:
        a->how.csv_footer = true;
        return 0;
    case KEY_NO_FOOTER:
        a->how.no_footer = true;
        return 0;
    case KEY_TABLE:
        a->how.only = (size_t)options_number(state, "--table", arg, 1, 10000);
        return 0;
    case KEY_EXPERIMENT:
        a->experiment = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "one experiment, or one file, at a time");
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->o.json)
            a->format = TABLE_JSON;
        if (a->o.csv)
            a->format = TABLE_CSV;
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_table = { rows, parse, "[EXPERIMENT|FILE]", doc, NULL, NULL, NULL };

int cmd_table(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .format = TABLE_TEXT };
    struct tables_subject t CLEANUP(tables_subject_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_table, argc, argv, 0, NULL, &a);
    a.how.ansi = a.format == TABLE_TEXT && isatty(STDOUT_FILENO);
    if (tables_subject_open(&t, a.what, a.experiment, &err) != 0 ||
        tables_show(&a.o, &t, &a.how, a.format, stdout, &err) != 0)
        return cli_fail(env, &err);
    return CLI_DONE;
}
