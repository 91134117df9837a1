/* SPDX-License-Identifier: Apache-2.0 */
/* drover drain - ask workers to leave: what runs is finished or saved, what waits goes elsewhere.
 */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/control.h"
#include "experiments/cli/operate.h"
#include "experiments/cli/sheet.h"

enum { KEY_ALL = KEY_OWN, KEY_WAIT };
enum { NAMES_MAX = 256, ANSWER_MS = 30000, LOOK_MS = 200, WAIT_S = 600 };

static const struct argp_option rows[] = {
    { "all", KEY_ALL, NULL, 0, "All workers that are connected", 0 },
    { "wait", KEY_WAIT, "SECONDS", OPTION_ARG_OPTIONAL,
      "Return when they have left, at the latest after SECONDS (default 600)", 0 },
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Ask workers to leave, by the names that drover workers lists. They get no further job, give "
    "back what has not begun, stop running jobs at their next example or after a checkpoint, and "
    "end with exit status 0; other workers go on with the jobs. Takes the role admin.\v"
    "Example:\n"
    "  drover drain node7:2113\n"
    "  drover drain --all --wait && drover backup before-upgrade.db\n\n"
    "Exit status: 0 they were told (--wait: and left), 1 no such worker, no coordinator or not "
    "allowed, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *name[NAMES_MAX];
    size_t names;
    bool all;
    long wait_s; /* 0: do not */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_ALL:
        a->all = true;
        return 0;
    case KEY_WAIT:
        a->wait_s = arg ? options_number(state, "wait", arg, 1, 1000000) : WAIT_S;
        return 0;
    case ARGP_KEY_ARG:
        if (a->names == NAMES_MAX)
            argp_error(state, "at most %d names", NAMES_MAX);
        a->name[a->names++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->all == (a->names > 0))
            argp_error(state, "name workers, or --all");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_drain = { rows, parse, "[WORKER...]", doc, NULL, NULL, NULL };

static int drain(const char *endpoint, const char *name, uint32_t *told, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__Control m = DROVER__CONTROL__INIT;

    m.verb = DROVER__CONTROL__VERB__DRAIN;
    m.worker = (char *)(uintptr_t)name;
    int rc = client_call(endpoint, DROVER__ENVELOPE__BODY_CONTROL, &m,
                         DROVER__ENVELOPE__BODY_CONTROLLED, ANSWER_MS, &answer, err);
    if (!rc)
        *told += answer->controlled->jobs;
    return rc;
}

static bool is_asked(const struct arguments *a, const char *name)
{
    for (size_t i = 0; i < a->names; i++)
        if (strcmp(a->name[i], name) == 0)
            return true;
    return a->all;
}

/* How many of them are still there. */
static int count_left(const struct arguments *a, const char *endpoint, size_t *ret, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    int rc = operate_workers(endpoint, &answer, err);

    *ret = 0;
    for (size_t i = 0; !rc && i < answer->status->n_workers; i++)
        *ret +=
            answer->status->workers[i]->draining && is_asked(a, answer->status->workers[i]->name);
    return rc;
}

static int wait_for_them(const struct arguments *a, const char *endpoint, struct err *err)
{
    const uint64_t until = clock_ms() + (uint64_t)a->wait_s * 1000;
    size_t left;

    for (;;) {
        int rc = count_left(a, endpoint, &left, err);
        if (rc || left == 0)
            return rc;
        if (clock_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "%zu of them are still there after %ld s", left,
                           a->wait_s);
        clock_sleep_ms(LOOK_MS);
    }
}

int cmd_drain(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .names = 0 };
    char endpoint[STORE_ENDPOINT_MAX];
    struct err err = { 0 };
    uint32_t told = 0;

    argp_parse(&argp_drain, argc, argv, 0, NULL, &a);
    int rc = operate_endpoint(&a.o, endpoint, &err);
    if (!rc && a.all)
        rc = drain(endpoint, "", &told, &err);
    for (size_t i = 0; !rc && i < a.names; i++)
        rc = drain(endpoint, a.name[i], &told, &err);
    if (!rc && a.wait_s)
        rc = wait_for_them(&a, endpoint, &err);
    if (rc)
        return cli_fail(env, &err);
    if (a.o.json) {
        struct json *top = json_new_object();

        json_set(top, "version", json_new_integer(1));
        json_set(top, "workers", json_new_integer(told));
        print_json(top, stdout);
    } else {
        printf("%u worker%s %s\n", told, told == 1 ? "" : "s", a.wait_s ? "left" : "told to leave");
    }
    return CLI_DONE;
}
