/* SPDX-License-Identifier: Apache-2.0 */
/* drover run - a recipe from file to table. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/runner.h"

enum { KEY_DETACH = KEY_OWN, KEY_ALLOW_EXEC, KEY_ALLOW_PROGRAM, KEY_LABEL };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_SET,
    OPTION_PRIORITY,
    { "workers", 'w', "N", 0,
      "Workers to start, one slot each (default: one per core; for models above 256 MiB one in "
      "all)",
      0 },
    { "threads", 't', "N", 0,
      "Threads of each slot (default 1; for models above 256 MiB all cores)", 0 },
    { "label", KEY_LABEL, "NAME", 0,
      "Something that this computer has, for steps that require it (requires = [\"gpu\"]); may be "
      "repeated",
      0 },
    { "quiet", 'q', NULL, 0, "No progress, only failures and tables", 0 },
    { "detach", KEY_DETACH, NULL, 0,
      "Submit, start the workers, and return: it goes on in the background", 0 },
    { "allow-exec", KEY_ALLOW_EXEC, NULL, 0,
      "Let exec steps run the programs that the recipe names, as you: look at it first", 0 },
    { "allow-program", KEY_ALLOW_PROGRAM, "LIST", 0,
      "With --allow-exec: only these, parted by commas", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Run a recipe and print its tables. Without --coordinator a coordinator and workers are "
    "started "
    "for as long as it takes. RECIPE is a file, or the name of a recipe that comes with drover: "
    "quickstart, arc_stories.\v"
    "Example:\n"
    "  drover run quickstart\n"
    "  drover run my.cfg --store my.db --set labels.examples=1000 --set seed=1,2,3\n\n"
    "Whatever was done stays in the store: the same command goes on after Ctrl-C, a crash or a "
    "power "
    "cut, and runs only what is missing. Results depend neither on --workers nor on --threads. The "
    "daemons' logs are in FILE-logs/.\n\n"
    "Exit status: 0 done, 1 a job failed or the run was interrupted, 2 wrong usage.";

struct arguments {
    struct runner r;
    const char *recipe;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'w':
        a->r.workers = (size_t)options_number(state, "workers", arg, 1, EMBEDDED_WORKERS_MAX);
        return 0;
    case 't':
        a->r.threads = (size_t)options_number(state, "threads", arg, 1, 256);
        return 0;
    case KEY_LABEL:
        if (a->r.labels_len == RUNNER_LABELS_MAX)
            argp_error(state, "at most %d labels", RUNNER_LABELS_MAX);
        a->r.label[a->r.labels_len++] = arg;
        return 0;
    case 'q':
        a->r.quiet = true;
        return 0;
    case KEY_DETACH:
        a->r.detach = true;
        return 0;
    case KEY_ALLOW_EXEC:
        a->r.allow_exec = true;
        return 0;
    case KEY_ALLOW_PROGRAM:
        a->r.programs = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->recipe)
            argp_error(state, "one recipe at a time");
        a->recipe = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->recipe)
            argp_error(state, "which recipe? e.g. drover run quickstart");
        return 0;
    default:
        return options_take(&a->r.o, key, arg, state);
    }
}

const struct argp argp_run = { rows, parse, "RECIPE", doc, NULL, NULL, NULL };

int cmd_run(int argc, char **argv, const struct env *env)
{
    struct arguments a = { 0 };
    struct recipe *recipe CLEANUP(recipe_cleanup) = NULL;
    struct plan *plan CLEANUP(plan_cleanup) = NULL;
    struct buf again CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_run, argc, argv, 0, NULL, &a);
    if (cli_plan(a.recipe, &a.r.o, env, &recipe, &plan, &err) != 0)
        return cli_fail(env, &err);
    buf_printf(&again, "run %s", a.recipe);
    a.r.again = buf_str(&again);
    a.r.recipe = a.recipe;
    return runner_run(&a.r, env, plan);
}
