/* SPDX-License-Identifier: Apache-2.0 */
/* drover pause, resume, retry, priority, cancel - a row each: what is queued is changed, whoever
 * holds the store. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/control.h"
#include "experiments/cli/sheet.h"
#include "store/control.h"

enum { KEY_STEP = KEY_OWN, KEY_JOB };

#define EXIT_STATUS "\n\nExit status: 0 done, 1 failed, 2 wrong usage."
#define WHERE                                                                                      \
    " It is done by the coordinator that --coordinator names, or that holds the store's lock; "    \
    "when "                                                                                        \
    "nobody does, in the store itself."

static const struct argp_option rows[] = { OPTION_STORE, OPTION_COORDINATOR, OPTION_JSON, { 0 } };
static const struct argp_option retry_rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "step", KEY_STEP, "STEP", 0, "Only jobs of this step of the recipe", 0 },
    { "job", KEY_JOB, "JOB", 0, "Only this job: its number or the first digits of its key", 0 },
    OPTION_JSON,
    { 0 }
};

static const char pause_doc[] =
    "Let no further job of an experiment (the one submitted last if none is named) begin. Jobs "
    "that run finish, and jobs that an experiment which is not paused wants too go on." WHERE "\v"
    "Example:\n"
    "  drover pause quickstart\n"
    "  drover status quickstart\n"
    "  drover resume quickstart" EXIT_STATUS;

static const char resume_doc[] = "Let the jobs of a paused experiment begin again." WHERE "\v"
                                 "Example:\n"
                                 "  drover resume quickstart" EXIT_STATUS;

static const char retry_doc[] =
    "Try again what failed, was cancelled, or was skipped because of either: all of an experiment, "
    "one step, or one job (j42, or the first digits of its key), with what it needs. Tries and "
    "losses are counted anew. Jobs that halving sorted out and those behind a diverged one stay, "
    "and what is done is never run again." WHERE "\v"
    "Example:\n"
    "  drover retry quickstart --step labels\n"
    "  drover retry j42" EXIT_STATUS;

static const char priority_doc[] =
    "Give the jobs of an experiment a priority: the higher goes first; 0 is where all begin. A job "
    "that several experiments want has the highest of theirs. Jobs that run are left alone." WHERE
    "\v"
    "Example:\n"
    "  drover priority quickstart 10\n"
    "  drover priority quickstart -- -10" EXIT_STATUS;

static const char cancel_doc[] =
    "Withdraw the jobs of experiment NAME. What is done stays; running jobs are stopped; "
    "submitting the recipe again, or drover retry, goes on from there." WHERE "\v"
    "Example:\n"
    "  drover cancel quickstart" EXIT_STATUS;

struct arguments {
    struct options o;
    const char *name, *step, *job;
    const char *number; /* of priority */
    int32_t priority;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == KEY_STEP)
        a->step = arg;
    else if (key == KEY_JOB)
        a->job = arg;
    else if (key == ARGP_KEY_ARG && a->name)
        argp_error(state, "one experiment at a time");
    else if (key == ARGP_KEY_ARG)
        a->name = arg;
    else
        return options_take(&a->o, key, arg, state);
    return 0;
}

static error_t parse_retry(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == ARGP_KEY_ARG && !a->name && !a->job && control_names_job(arg))
        a->job = arg;
    else if (key == ARGP_KEY_END && a->job && (a->name || a->step))
        argp_error(state, "a job, or an experiment and a step; not both");
    else
        return parse(key, arg, state);
    return 0;
}

static error_t parse_priority(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == ARGP_KEY_ARG && a->name) {
        if (a->number)
            argp_error(state, "one priority");
        a->number = arg;
        a->priority = (int32_t)options_number(state, "priority", arg, -STORE_PRIORITY_MAX,
                                              STORE_PRIORITY_MAX);
        return 0;
    }
    if (key == ARGP_KEY_END && !a->number)
        argp_error(state, "an experiment and its priority, please");
    return parse(key, arg, state);
}

static error_t parse_cancel(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == ARGP_KEY_END && !a->name)
        argp_error(state, "a name is missing");
    return parse(key, arg, state);
}

const struct argp argp_pause = { rows, parse, "[EXPERIMENT]", pause_doc, NULL, NULL, NULL };
const struct argp argp_resume = { rows, parse, "[EXPERIMENT]", resume_doc, NULL, NULL, NULL };
const struct argp argp_retry = { retry_rows, parse_retry, "[EXPERIMENT|JOB]", retry_doc, NULL,
                                 NULL,       NULL };
const struct argp argp_priority = { rows,         parse_priority, "EXPERIMENT PRIORITY",
                                    priority_doc, NULL,           NULL,
                                    NULL };
const struct argp argp_cancel = { rows, parse_cancel, "NAME", cancel_doc, NULL, NULL, NULL };

static void print(const char *text, uint32_t jobs, bool json)
{
    if (json) {
        struct json *top = json_new_object();

        json_set(top, "version", json_new_integer(1));
        json_set(top, "jobs", json_new_integer(jobs));
        json_set(top, "text", json_new_text(text));
        print_json(top, stdout);
    } else {
        puts(text);
    }
}

static int carry_out(const struct argp *argp, Drover__Control__Verb verb, int argc, char **argv,
                     const struct env *env)
{
    struct arguments a = { .name = NULL };
    struct buf text CLEANUP(buf_release) = { 0 };
    Drover__Control m = DROVER__CONTROL__INIT;
    struct err err = { 0 };
    uint32_t jobs;

    argp_parse(argp, argc, argv, 0, NULL, &a);
    m.verb = verb;
    m.experiment = (char *)(uintptr_t)(a.name ? a.name : "");
    m.step = (char *)(uintptr_t)(a.step ? a.step : "");
    m.job = (char *)(uintptr_t)(a.job ? a.job : "");
    m.priority = a.priority;
    if (control_do(&a.o, &m, &jobs, &text, &err) != 0)
        return cli_fail(env, &err);
    print(buf_str(&text), jobs, a.o.json);
    return CLI_DONE;
}

int cmd_pause(int argc, char **argv, const struct env *env)
{
    return carry_out(&argp_pause, DROVER__CONTROL__VERB__PAUSE, argc, argv, env);
}

int cmd_resume(int argc, char **argv, const struct env *env)
{
    return carry_out(&argp_resume, DROVER__CONTROL__VERB__RESUME, argc, argv, env);
}

int cmd_retry(int argc, char **argv, const struct env *env)
{
    return carry_out(&argp_retry, DROVER__CONTROL__VERB__RETRY, argc, argv, env);
}

int cmd_priority(int argc, char **argv, const struct env *env)
{
    return carry_out(&argp_priority, DROVER__CONTROL__VERB__PRIORITY, argc, argv, env);
}

int cmd_cancel(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .name = NULL };
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    uint32_t jobs;

    argp_parse(&argp_cancel, argc, argv, 0, NULL, &a);
    if (control_cancel(&a.o, a.name, &jobs, &err) != 0)
        return cli_fail(env, &err);
    buf_printf(&text, "%s: %u jobs withdrawn", a.name, jobs);
    print(buf_str(&text), jobs, a.o.json);
    return CLI_DONE;
}
