/* SPDX-License-Identifier: Apache-2.0 */
/* drover status - how far experiments are, from a coordinator or from the store's file. */
#include <stdio.h>
#include <string.h>

#include "experiments/cli/ask.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/operate.h"
#include "experiments/cli/sheet.h"
#include "experiments/cli/watch.h"

enum { ANSWER_MS = 10000 };

enum { KEY_WATCH = KEY_OWN };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { "watch", KEY_WATCH, NULL, 0,
      "Look again each second, with rates and the time left: on a terminal a picture, else a line "
      "for each change",
      0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Show how far each experiment's steps are. A coordinator also tells what runs now and on which "
    "workers; the store's file tells what is done.\v"
    "Example:\n"
    "  drover status\n"
    "  drover status quickstart --coordinator tcp://localhost:7400\n"
    "  drover status --watch\n\n"
    "Without a name: all experiments (from the file: the 50 submitted last). Units are examples, "
    "or "
    "jobs where a job has none. --watch asks the coordinator that has the store, or --coordinator; "
    "q or Ctrl-C ends it, and so does the end of the experiment that is named.\n\n"
    "Exit status: 0 done, 1 no such experiment, no store or no coordinator, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *name;
    bool watch;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == KEY_WATCH) {
        a->watch = true;
        return 0;
    }
    if (key == ARGP_KEY_END && a->watch && a->o.json)
        argp_error(state, "--watch is for people, --json for programs");
    if (key != ARGP_KEY_ARG)
        return options_take(&a->o, key, arg, state);
    if (a->name)
        argp_error(state, "one experiment at a time");
    a->name = arg;
    return 0;
}

const struct argp argp_status = { rows, parse, "[EXPERIMENT]", doc, NULL, NULL, NULL };

/* Both ways give one document: experiments, workers, running; the file has no workers. */
static void set_number(struct json *o, const char *key, int64_t v)
{
    json_set(o, key, json_new_integer(v));
}

/* ---- from a coordinator ---- */

static struct json *step_json(const Drover__StepStatus *s)
{
    struct json *o = json_new_object();

    json_set(o, "step", json_new_text(s->step));
    json_set(o, "kind", json_new_text(s->kind));
    set_number(o, "jobs", s->jobs);
    set_number(o, "done", s->done);
    set_number(o, "running", s->running);
    set_number(o, "failed", s->failed);
    set_number(o, "cancelled", s->cancelled);
    set_number(o, "skipped", s->skipped);
    set_number(o, "diverged", s->diverged);
    set_number(o, "waiting", s->waiting);
    set_number(o, "ready", s->ready);
    set_number(o, "units_done", (int64_t)s->units_done);
    set_number(o, "units_total", (int64_t)s->units_total);
    json_set(o, "seconds", json_new_number(s->seconds_spent));
    return o;
}

static struct json *running_json(const Drover__RunningJob *r)
{
    struct json *o = json_new_object();

    set_number(o, "job", (int64_t)r->job);
    json_set(o, "step", json_new_text(r->step));
    json_set(o, "what", json_new_text(r->what));
    json_set(o, "worker", json_new_text(r->worker));
    json_set(o, "seconds", json_new_number(r->seconds));
    set_number(o, "done", (int64_t)r->done);
    set_number(o, "total", (int64_t)r->total);
    return o;
}

static struct json *experiment_json(const Drover__ExperimentStatus *x)
{
    struct json *o = json_new_object(), *steps = json_new_array(), *failures = json_new_array();
    struct json *running = json_new_array();

    json_set(o, "name", json_new_text(x->name));
    set_number(o, "revision", (int64_t)x->revision);
    json_set(o, "cancelled", json_new_bool(x->cancelled));
    json_set(o, "paused", json_new_bool(x->paused));
    set_number(o, "priority", x->priority);
    for (size_t i = 0; i < x->n_steps; i++)
        json_push(steps, step_json(x->steps[i]));
    for (size_t i = 0; i < x->n_failures; i++)
        json_push(failures, json_new_text(x->failures[i]));
    for (size_t i = 0; i < x->n_running; i++)
        json_push(running, running_json(x->running[i]));
    json_set(o, "steps", steps);
    json_set(o, "finished", json_new_bool(x->finished));
    json_set(o, "failures", failures);
    json_set(o, "running", running);
    set_number(o, "running_all", x->running_all);
    return o;
}

static int ask(const struct arguments *a, struct json **ret, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;
    struct json *experiments, *workers;

    request.experiment = (char *)(a->name ? a->name : "");
    request.workers = true;
    int rc = client_call(a->o.coordinator, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                         DROVER__ENVELOPE__BODY_STATUS, ANSWER_MS, &answer, err);
    if (rc)
        return rc;
    const Drover__Status *s = answer->status;
    experiments = json_new_array();
    workers = json_new_array();
    for (size_t i = 0; i < s->n_experiments; i++)
        json_push(experiments, experiment_json(s->experiments[i]));
    for (size_t i = 0; i < s->n_workers; i++)
        json_push(workers, operate_worker_json(s->workers[i]));
    *ret = json_new_object();
    set_number(*ret, "version", 1);
    json_set(*ret, "experiments", experiments);
    json_set(*ret, "workers", workers);
    return 0;
}

/* ---- from the file ---- */

static int look(const struct arguments *a, struct json **ret, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = json_new_object();

    if (a->name)
        json_set(arguments, "experiment", json_new_text(a->name));
    int rc = ask_report(&a->o, "status", arguments, ret, err);
    if (!rc)
        json_set(*ret, "workers", json_new_array());
    return rc;
}

/* ---- for people ---- */

static bool truth(const struct json *o, const char *key)
{
    return json_bool(json_get(o, key), false);
}

static int64_t whole(const struct json *o, const char *key)
{
    return json_integer(json_get(o, key), 0);
}

static void print_head(const struct json *x)
{
    printf("%s, revision %lld: %s", json_text(json_get(x, "name")), (long long)whole(x, "revision"),
           truth(x, "cancelled")  ? "cancelled"
           : truth(x, "finished") ? "finished"
           : truth(x, "paused")   ? "paused"
                                  : "not finished");
    if (whole(x, "priority"))
        printf(", priority %lld", (long long)whole(x, "priority"));
    putchar('\n');
}

static void print_experiment(const struct json *x)
{
    const struct json *failures = json_get(x, "failures");

    print_head(x);
    sheet_list(json_get(x, "steps"), NULL,
               "step kind jobs done ?running ?ready ?waiting ?failed ?skipped ?cancelled ?diverged "
               "units_done=units units_total=of seconds",
               0, stdout);
    sheet_list(json_get(x, "running"), "Running", "job step what=runs worker seconds done total=of",
               20, stdout);
    if (json_len(failures))
        putchar('\n');
    for (size_t i = 0; i < json_len(failures); i++)
        printf("failed: %s\n", json_text(json_at(failures, i)));
}

static void print(const struct json *d)
{
    const struct json *list = json_get(d, "experiments");

    if (!json_len(list))
        puts("no experiments yet; try drover run quickstart");
    for (size_t i = 0; i < json_len(list); i++) {
        if (i)
            putchar('\n');
        print_experiment(json_at(list, i));
    }
    if (truth(d, "more"))
        puts("\n... and older ones; name one to see it");
    sheet_list(json_get(d, "workers"), "Workers",
               "worker state slots running ?waiting jobs_done=done seen_ms_ago remaining_s=left_s",
               0, stdout);
}

/* All steps and failures in one list each, with the experiment's name: easier for scripts. */
static void add_lists(struct json *d)
{
    const struct json *list = json_get(d, "experiments");
    struct json *steps = json_new_array(), *failures = json_new_array();

    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *x = json_at(list, i), *of = json_get(x, "steps");
        const struct json *failed = json_get(x, "failures");
        const char *name = json_text(json_get(x, "name"));

        for (size_t k = 0; k < json_len(of); k++) {
            struct json *step = json_clone(json_at(of, k));
            json_set(step, "experiment", json_new_text(name));
            json_push(steps, step);
        }
        for (size_t k = 0; k < json_len(failed); k++) {
            struct json *failure = json_new_object();
            json_set(failure, "experiment", json_new_text(name));
            json_set(failure, "failure", json_clone(json_at(failed, k)));
            json_push(failures, failure);
        }
    }
    json_set(d, "steps", steps);
    json_set(d, "failures", failures);
}

static int watch(const struct arguments *a, const struct env *env)
{
    char endpoint[STORE_ENDPOINT_MAX];
    struct err err = { 0 };
    int rc = operate_endpoint(&a->o, endpoint, &err);

    if (!rc)
        rc = watch_status(endpoint, a->name, &err);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}

int cmd_status(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .name = NULL };
    struct json *answer CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_status, argc, argv, 0, NULL, &a);
    if (a.watch)
        return watch(&a, env);
    if ((a.o.coordinator ? ask(&a, &answer, &err) : look(&a, &answer, &err)) != 0)
        return cli_fail(env, &err);
    if (a.o.json) {
        add_lists(answer);
        print_json(answer, stdout);
        answer = NULL;
    } else {
        print(answer);
    }
    return CLI_DONE;
}
