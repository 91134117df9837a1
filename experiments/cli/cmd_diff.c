/* SPDX-License-Identifier: Apache-2.0 */
/* drover diff - two runs side by side. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

static const struct argp_option rows[] = { OPTION_STORE, OPTION_COORDINATOR, OPTION_JSON, { 0 } };

static const char doc[] =
    "Compare two runs, of one experiment or of two: parameters that differ; per step, the jobs "
    "that "
    "are the same and why the others are not (parameters, seed, inputs, numeric class); results "
    "side "
    "by side; environments.\v"
    "Example:\n"
    "  drover diff 3 4\n"
    "  drover diff 3 17 --json\n\n"
    "A difference is the second run's number minus the first's. Whether it means anything is for "
    "drover table to say: one pair of runs has no interval.\n\n"
    "Exit status: 0 done (also when they differ), 1 there is no such run, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *run[2];
    size_t len;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (a->len == 2)
            argp_error(state, "two runs, not more");
        a->run[a->len++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->len < 2)
            argp_error(state, "which two runs? e.g. 3 4");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_diff = { rows, parse, "RUN RUN", doc, NULL, NULL, NULL };

enum { WHY_SHOWN = 20, RESULTS_SHOWN = 100 };

static const char *text(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));
    return s ? s : "";
}

static long long whole(const struct json *o, const char *key)
{
    return (long long)json_integer(json_get(o, key), 0);
}

static void print_head(const struct json *run)
{
    printf("run %lld of %s, revision %lld, seed %lld\n", whole(run, "run"), text(run, "experiment"),
           whole(run, "revision"), whole(run, "seed"));
}

static void print_why(const struct json *steps)
{
    for (size_t i = 0; i < json_len(steps); i++) {
        const struct json *s = json_at(steps, i), *why = json_get(s, "why");

        if (!json_len(why))
            continue;
        printf("\nWhy the jobs of %s differ (e.g. j%lld and j%lld)\n", text(s, "step"),
               whole(json_get(s, "first"), "a"), whole(json_get(s, "first"), "b"));
        for (size_t w = 0; w < json_len(why) && w < WHY_SHOWN; w++) {
            const struct json *r = json_at(why, w);
            const char *a = text(r, "a"), *b = text(r, "b");

            printf("  %s%s%s: %s | %s\n", text(r, "what"), *text(r, "name") ? " " : "",
                   text(r, "name"), *a ? a : "(default)", *b ? b : "(default)");
        }
        if (json_len(why) > WHY_SHOWN)
            printf("  ... and %zu more (--json has all)\n", json_len(why) - WHY_SHOWN);
    }
}

static void print(const struct json *d)
{
    const struct json *params = json_get(d, "params"), *environments = json_get(d, "environments");
    bool elsewhere = false;

    print_head(json_get(d, "a"));
    print_head(json_get(d, "b"));
    if (json_len(params))
        sheet_list(params, "Parameters that differ", "name a b", 0, stdout);
    else
        printf("\nTheir parameters are the same%s.\n",
               whole(json_get(d, "a"), "seed") == whole(json_get(d, "b"), "seed")
                   ? ""
                   : "; their seeds are not");
    sheet_list(json_get(d, "steps"), "Jobs", "step shared differ only_a only_b", 0, stdout);
    print_why(json_get(d, "steps"));
    sheet_list(json_get(d, "results"), "Results",
               "step task level split metric a b difference n_a n_b", RESULTS_SHOWN, stdout);
    for (size_t i = 0; i < json_len(environments); i++) {
        const struct json *e = json_at(environments, i);
        elsewhere = elsewhere || !whole(e, "jobs_a") || !whole(e, "jobs_b");
    }
    if (elsewhere)
        sheet_list(environments, "Environments", "class jobs_a jobs_b environment", 0, stdout);
    else if (json_len(environments))
        puts("\nThey ran in the same environment.");
}

int cmd_diff(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .len = 0 };
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_diff, argc, argv, 0, NULL, &a);
    json_set(arguments, "a", json_new_text(a.run[0]));
    json_set(arguments, "b", json_new_text(a.run[1]));
    if (ask_report(&a.o, "diff", arguments, &answer, &err) != 0)
        return cli_fail(env, &err);
    if (a.o.json) {
        print_json(answer, stdout);
        answer = NULL;
    } else {
        print(answer);
    }
    return CLI_DONE;
}
