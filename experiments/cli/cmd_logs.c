/* SPDX-License-Identifier: Apache-2.0 */
/* drover logs - what a job's attempts said. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

enum { KEY_ATTEMPT = KEY_OWN, KEY_LIMIT };
enum { ATTEMPT_MAX = 1000000000, LIMIT_MAX = 10000 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "attempt", KEY_ATTEMPT, "N", 0, "Only the job's N-th attempt", 0 },
    { "limit", KEY_LIMIT, "N", 0, "At most N attempts (default 20)", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Print the logs of a job's attempts (j42, or the first digits of its key), or of all attempts "
    "of "
    "a run's jobs (17), newest attempt first. The store keeps the last 64 KiB of each attempt that "
    "has ended; one that runs writes to its worker's standard error (with drover run: "
    "STORE-logs/).\v"
    "Example:\n"
    "  drover logs j42\n"
    "  drover logs j42 --attempt 1\n"
    "  drover logs 17 --limit 3\n\n"
    "Exit status: 0 done, 1 there is none, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *of;
    int64_t attempt, limit;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_ATTEMPT:
        a->attempt = options_number(state, "attempt", arg, 1, ATTEMPT_MAX);
        return 0;
    case KEY_LIMIT:
        a->limit = options_number(state, "limit", arg, 1, LIMIT_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (a->of)
            argp_error(state, "one job or run at a time");
        a->of = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->of)
            argp_error(state, "whose logs? e.g. j42, or 17 for a run");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_logs = { rows, parse, "JOB|RUN", doc, NULL, NULL, NULL };

static const char *text(const struct json *o, const char *key)
{
    const char *s = json_text(json_get(o, key));
    return s ? s : "";
}

static void print_attempt(const struct json *a, const struct options *o)
{
    const bool running = strcmp(text(a, "outcome"), "RUNNING") == 0;
    const char *log = text(a, "log");
    char when[32];

    printf("==> j%lld, %s of step %s, attempt %lld: %s",
           (long long)json_integer(json_get(a, "job"), 0), text(a, "kind"), text(a, "step"),
           (long long)json_integer(json_get(a, "epoch"), 0),
           running && *text(a, "gone") ? "never heard of again" : text(a, "outcome"));
    printf(", started %s", clock_iso(json_integer(json_get(a, "started_ms"), 0), when));
    printf("%s%s <==\n", *text(a, "worker") ? ", worker " : "", text(a, "worker"));
    if (*text(a, "text"))
        printf("%s\n", text(a, "text"));
    if (*log)
        printf("%s%s", log, log[strlen(log) - 1] == '\n' ? "" : "\n");
    else if (running && *text(a, "gone"))
        puts("(nothing was handed in: the worker is gone)");
    else if (running && o->coordinator)
        printf("(it runs: its words are on %s, on the standard error of %s)\n", text(a, "host"),
               text(a, "worker"));
    else if (running)
        printf("(it runs: its words are on %s, on the standard error of %s; drover run puts them "
               "into %s-logs/)\n",
               text(a, "host"), text(a, "worker"), options_store(o));
    else
        puts("(no log was handed in)");
}

int cmd_logs(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .of = NULL };
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_logs, argc, argv, 0, NULL, &a);
    json_set(arguments, "of", json_new_text(a.of));
    json_set(arguments, "attempt", json_new_integer(a.attempt));
    json_set(arguments, "limit", json_new_integer(a.limit));
    if (ask_report(&a.o, "logs", arguments, &answer, &err) != 0)
        return cli_fail(env, &err);
    const struct json *list = json_get(answer, "attempts");
    const size_t attempts = json_len(list);
    if (a.o.json) {
        print_json(answer, stdout);
        answer = NULL;
        return CLI_DONE;
    }
    if (!attempts) {
        err_set(&err, ERR_NOT_FOUND,
                a.attempt ? "%s has no attempt %lld" : "nobody has tried %s yet", a.of,
                (long long)a.attempt);
        return cli_fail(env, &err);
    }
    for (size_t i = 0; i < attempts; i++) {
        if (i)
            putchar('\n');
        print_attempt(json_at(list, i), &a.o);
    }
    return CLI_DONE;
}
