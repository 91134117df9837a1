/* SPDX-License-Identifier: Apache-2.0 */
/* drover show - everything about one run or one job. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

static const struct argp_option rows[] = { OPTION_STORE, OPTION_COORDINATOR, OPTION_JSON, { 0 } };

static const char doc[] =
    "Show a run (17, as drover runs lists them) or a job (j17, or the first digits of its key): "
    "parameters, seed, revision and the git state of its recipe, steps and jobs with their states, "
    "attempts and where they ran, environments, inputs and outputs with their digests, results.\v"
    "Example:\n"
    "  drover show 17\n"
    "  drover show j42\n"
    "  drover show 3f9a01c2 --json\n\n"
    "The logs of its attempts: drover logs. What it has in common with another run: drover "
    "diff.\n\n"
    "Exit status: 0 done, 1 there is none, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *of;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (a->of)
            argp_error(state, "one run or job at a time");
        a->of = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->of)
            argp_error(state, "which run or job? e.g. 17, or j42 for a job");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_show = { rows, parse, "RUN|JOB", doc, NULL, NULL, NULL };

enum { ROWS_SHOWN = 20, ENVIRONMENTS_SHOWN = 5 };

static const char *text(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));
    return s ? s : "";
}

static long long whole(const struct json *o, const char *key)
{
    return (long long)json_integer(json_get(o, key), 0);
}

/* "2026-11-21 18:20:47", "-" when it is not known. */
static const char *moment(const struct json *o, const char *key, char out[32])
{
    const int64_t ms = json_integer(json_get(o, key), 0);

    if (!ms)
        return "-";
    clock_iso(ms, out);
    out[10] = ' ';
    out[19] = '\0';
    return out;
}

static int print_param(const char *name, struct json *value, void *arg)
{
    (void)arg;
    printf("  %-14s %s\n", name, json_text(value));
    return 0;
}

static void print_environments(const struct json *list)
{
    const size_t len = json_len(list);

    if (len)
        puts("\nEnvironment");
    for (size_t i = 0; i < len && i < ENVIRONMENTS_SHOWN; i++) {
        const struct json *e = json_at(list, i);
        printf("  %s: %lld job%s, %s\n", text(e, "class"), whole(e, "jobs"),
               whole(e, "jobs") == 1 ? "" : "s", text(e, "environment"));
    }
    if (len > ENVIRONMENTS_SHOWN)
        printf("  ... and %zu more (--json has all)\n", len - ENVIRONMENTS_SHOWN);
}

static void print_run(const struct json *d)
{
    const struct json *run = json_get(d, "run"), *params = json_get(d, "params");
    char when[32];

    printf("run %lld of %s\n", whole(run, "run"), text(run, "experiment"));
    printf("  %-14s %lld\n", "seed", whole(run, "seed"));
    json_each(params, print_param, NULL);
    printf("  %-14s %lld%s, submitted %s from %s\n", "revision", whole(run, "revision"),
           whole(run, "superseded") ? " (superseded: the latest has this point no more)" : "",
           moment(run, "submitted_ms", when), *text(run, "recipe") ? text(run, "recipe") : "-");
    if (*text(run, "git"))
        printf("  %-14s %s\n", "git", text(run, "git"));
    printf("  %-14s %s\n", "point", text(run, "point"));
    sheet_list(json_get(d, "steps"), "Steps",
               "step kind jobs done ?failed ?diverged ?skipped ?cancelled ?waiting ?ready seconds",
               0, stdout);
    sheet_list(json_get(d, "jobs"), "Jobs",
               "job kind step state range_begin=from range_end=to attempts seconds worker "
               "runs=shared_by",
               ROWS_SHOWN, stdout);
    sheet_list(json_get(d, "scores"), "Scores",
               "step task level split examples=of n accuracy accuracy_norm layers tokens", 0,
               stdout);
    sheet_list(json_get(d, "labels"), "Labels",
               "step task level split examples=of n base oracle layers", 0, stdout);
    sheet_list(json_get(d, "metrics"), "Metrics", "step task level split metric value stderr n",
               ROWS_SHOWN, stdout);
    sheet_list(json_get(d, "training"), "Training",
               "step job metric n last_step=at_step last min max", ROWS_SHOWN, stdout);
    sheet_list(json_get(d, "failures"), "Attempts that failed",
               "job step epoch=attempt outcome worker text", ROWS_SHOWN, stdout);
    print_environments(json_get(d, "environments"));
    sheet_list(json_get(d, "inputs"), "Outside inputs", "step name size digest path", ROWS_SHOWN,
               stdout);
    sheet_list(json_get(d, "outputs"), "Outputs", "step job name size digest", ROWS_SHOWN, stdout);
    printf("\nA job: drover show j%lld. Logs: drover logs %lld.\n",
           whole(json_at(json_get(d, "jobs"), 0), "job"), whole(run, "run"));
}

static void print_attempt(const struct json *a)
{
    char from[32], to[32];

    printf("\nAttempt %lld%s: %s\n", whole(a, "epoch"),
           whole(a, "effective") ? " (gave the result)" : "", text(a, "outcome"));
    printf("  %s to %s", moment(a, "started_ms", from), moment(a, "ended_ms", to));
    if (!json_is_null(json_get(a, "seconds")))
        printf(", %.3f s of wall and %.3f s of CPU time", json_number(json_get(a, "seconds"), 0),
               json_number(json_get(a, "cpu_seconds"), 0));
    putchar('\n');
    if (*text(a, "worker"))
        printf("  worker %s on %s (drover %s, %lld slot%s of %lld thread%s; %s)%s%s\n",
               text(a, "worker"), text(a, "host"), text(a, "version"), whole(a, "slots"),
               whole(a, "slots") == 1 ? "" : "s", whole(a, "threads"),
               whole(a, "threads") == 1 ? "" : "s", text(a, "classes"),
               *text(a, "gone") ? ", gone: " : "", text(a, "gone"));
    if (*text(a, "environment"))
        printf("  %s\n", text(a, "environment"));
    if (*text(a, "text"))
        printf("  %s\n", text(a, "text"));
    if (*text(a, "compared"))
        printf("  its late or repeated result was %s\n", text(a, "compared"));
    if (whole(a, "log_bytes"))
        printf("  log: %lld bytes\n", whole(a, "log_bytes"));
}

static void print_params_text(const char *params)
{
    while (*params) {
        const int len = (int)strcspn(params, "\n");
        const int name = (int)strcspn(params, " \n");

        if (name + 3 <= len)
            printf("  %-14.*s %.*s\n", name, params, len - name - 3, params + name + 3);
        params += len + (params[len] == '\n');
    }
}

static void print_job(const struct json *d)
{
    const struct json *job = json_get(d, "job"), *attempts = json_get(d, "attempts");
    char when[32];

    printf("job %lld: %s of step %s, %s%s\n", whole(job, "job"), text(job, "kind"),
           text(job, "step"), text(job, "state"), whole(job, "diverged") ? " (diverged)" : "");
    printf("  %-14s %s\n", "key", text(job, "key"));
    printf("  %-14s version %lld, numeric class %s\n", "kind", whole(job, "kind_version"),
           text(job, "class"));
    printf("  %-14s %lld\n", "seed", whole(job, "seed"));
    if (whole(job, "range_end"))
        printf("  %-14s examples %lld to %lld\n", "shard", whole(job, "range_begin"),
               whole(job, "range_end") - 1);
    print_params_text(text(job, "params"));
    printf("  %-14s %s, priority %lld; %lld failed of %lld allowed, lost %lld times\n", "submitted",
           moment(job, "submitted_ms", when), whole(job, "priority"), whole(job, "tries"),
           whole(job, "retries") + 1, whole(job, "losses"));
    for (size_t i = 0; i < json_len(attempts) && i < ROWS_SHOWN; i++)
        print_attempt(json_at(attempts, i));
    if (!json_len(attempts))
        puts("\nNobody has tried it yet.");
    sheet_list(json_get(d, "needs"), "Needs", "job step kind state", ROWS_SHOWN, stdout);
    sheet_list(json_get(d, "inputs"), "Inputs", "name source producer=job output size digest path",
               0, stdout);
    sheet_list(json_get(d, "outputs"), "Outputs", "name size digest", 0, stdout);
    sheet_list(json_get(d, "families"), "Examples", "kind task level split stored key=family",
               ROWS_SHOWN, stdout);
    sheet_list(json_get(d, "runs"), "Runs that need it", "run experiment step seed live",
               ROWS_SHOWN, stdout);
}

int cmd_show(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .of = NULL };
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_show, argc, argv, 0, NULL, &a);
    json_set(arguments, "of", json_new_text(a.of));
    if (ask_report(&a.o, "show", arguments, &answer, &err) != 0)
        return cli_fail(env, &err);
    if (a.o.json) {
        print_json(answer, stdout);
        answer = NULL;
    } else if (json_get(answer, "run")) {
        print_run(answer);
    } else {
        print_job(answer);
    }
    return CLI_DONE;
}
