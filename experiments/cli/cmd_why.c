/* SPDX-License-Identifier: Apache-2.0 */
/* drover why - every rule that keeps a job, or an experiment's jobs, from running. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/control.h"
#include "experiments/cli/sheet.h"

static const struct argp_option rows[] = { OPTION_STORE, OPTION_COORDINATOR, OPTION_JSON, { 0 } };

static const char doc[] =
    "Tell why a job (j42, or the first digits of its key) does not run, or why an experiment's "
    "jobs do not (the one submitted last if none is named): what it needs, who has paused it, "
    "which workers could run it and what they do. A coordinator (--coordinator, or the one that "
    "holds the store's lock) knows it all; the store's file alone tells its part.\v"
    "Example:\n"
    "  drover why j42\n"
    "  drover why quickstart --coordinator tcp://localhost:7400\n\n"
    "Exit status: 0 done, 1 there is none, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *of;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key != ARGP_KEY_ARG)
        return options_take(&a->o, key, arg, state);
    if (a->of)
        argp_error(state, "one job or experiment at a time");
    a->of = arg;
    return 0;
}

const struct argp argp_why = { rows, parse, "[JOB|EXPERIMENT]", doc, NULL, NULL, NULL };

static const char *text_of(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));

    return s ? s : "";
}

static void print(const struct json *why)
{
    const struct json *rules = json_get(why, "rules");

    if (json_get(why, "job"))
        printf("j%lld (step %s, key %s...) is %s\n",
               (long long)json_integer(json_get(why, "job"), 0), text_of(why, "step"),
               text_of(why, "key"), text_of(why, "state"));
    else
        printf("%s is %s\n", text_of(why, "experiment"),
               strcmp(text_of(why, "state"), "OPEN") == 0 ? "not finished" : "over");
    for (size_t i = 0; i < json_len(rules); i++)
        printf("  %-14s %s\n", text_of(json_at(rules, i), "rule"),
               text_of(json_at(rules, i), "text"));
    if (json_len(rules) == 0)
        puts("  nothing keeps it from running");
}

int cmd_why(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .of = NULL };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct json *why CLEANUP(json_cleanup) = NULL;
    Drover__Control m = DROVER__CONTROL__INIT;
    struct err err = { 0 };
    uint32_t jobs;

    argp_parse(&argp_why, argc, argv, 0, NULL, &a);
    m.verb = DROVER__CONTROL__VERB__WHY;
    if (a.of && control_names_job(a.of))
        m.job = (char *)(uintptr_t)a.of;
    else if (a.of)
        m.experiment = (char *)(uintptr_t)a.of;
    if (control_do(&a.o, &m, &jobs, &text, &err) != 0 ||
        json_parse(buf_str(&text), text.len, &why, &err) != 0)
        return cli_fail(env, &err);
    if (a.o.json)
        printf("%s\n", buf_str(&text));
    else
        print(why);
    return CLI_DONE;
}
