/* SPDX-License-Identifier: Apache-2.0 */
/* drover table - the tables that an experiment's recipe specifies. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/tables.h"

static const struct argp_option rows[] = {
    OPTION_STORE,
    { "format", 'f', "FORMAT", 0, "terminal (default), markdown, csv, latex or json", 0 },
    OPTION_JSON,
    OPTION_CSV,
    { 0 }
};

static const char doc[] =
    "Print the tables of an experiment, as the recipe of its latest revision specifies them; "
    "without "
    "a name, of the experiment submitted last. It may run while the experiment does.\v"
    "Example:\n"
    "  drover table quickstart\n"
    "  drover table quickstart --format latex > table.tex";

struct arguments {
    struct options o;
    const char *experiment;
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
    case ARGP_KEY_ARG:
        if (a->experiment)
            argp_error(state, "one experiment at a time");
        a->experiment = arg;
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

static const struct argp parser = { rows, parse, "[EXPERIMENT]", doc, NULL, NULL, NULL };

int cmd_table(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .format = TABLE_TEXT };
    struct err err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (tables_print(options_store(&a.o), a.experiment ? a.experiment : "", a.format, stdout,
                     &err) != 0)
        return cli_fail(env, &err);
    return CLI_DONE;
}
