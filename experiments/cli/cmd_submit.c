/* SPDX-License-Identifier: Apache-2.0 */
/* drover submit - an experiment goes to a coordinator. */
#include <stdio.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/sheet.h"

enum { ANSWER_MS = 30000 };

static const struct argp_option submit_rows[] = {
    OPTION_COORDINATOR, OPTION_SET, OPTION_PRIORITY, OPTION_JSON, { 0 }
};

static const char submit_doc[] =
    "Hand a recipe to a running coordinator and return at once. Jobs that it has done already are "
    "not run again.\v"
    "Example:\n"
    "  drover coordinator --store results.db --listen tcp://*:7400 &\n"
    "  drover submit my.cfg --coordinator tcp://localhost:7400\n"
    "  drover status --coordinator tcp://localhost:7400\n\n"
    "Exit status: 0 submitted, 1 refused or nobody answers, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (a->name)
            argp_error(state, "one at a time");
        a->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->name)
            argp_error(state, "a name is missing");
        if (!a->o.coordinator)
            argp_error(state, "--coordinator is missing; drover run works without one");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_submit = { submit_rows, parse, "RECIPE", submit_doc, NULL, NULL, NULL };

static void print_submitted(const char *name, const Drover__Submitted *s, bool json)
{
    struct json *top;

    if (!json) {
        printf("%s: %u jobs: %u cached, %u new\n", name, s->jobs, s->cached, s->added);
        return;
    }
    top = json_new_object();
    json_set(top, "version", json_new_integer(1));
    json_set(top, "name", json_new_text(name));
    json_set(top, "experiment", json_new_integer((int64_t)s->experiment));
    json_set(top, "revision", json_new_integer((int64_t)s->revision));
    json_set(top, "jobs", json_new_integer(s->jobs));
    json_set(top, "cached", json_new_integer(s->cached));
    json_set(top, "added", json_new_integer(s->added));
    print_json(top, stdout);
}

int cmd_submit(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .name = NULL };
    struct recipe *r CLEANUP(recipe_cleanup) = NULL;
    struct plan *p CLEANUP(plan_cleanup) = NULL;
    struct submission *s CLEANUP(submission_cleanup) = NULL;
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_submit, argc, argv, 0, NULL, &a);
    int rc = cli_plan(a.name, &a.o, env, &r, &p, &err);
    if (!rc) {
        s = submission_new(p);
        rc = client_call(a.o.coordinator, DROVER__ENVELOPE__BODY_SUBMIT, submission_message(s),
                         DROVER__ENVELOPE__BODY_SUBMITTED, ANSWER_MS, &answer, &err);
    }
    if (rc)
        return cli_fail(env, &err);
    print_submitted(p->name, answer->submitted, a.o.json);
    return CLI_DONE;
}
