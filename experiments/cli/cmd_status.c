/* SPDX-License-Identifier: Apache-2.0 */
/* drover status - how far experiments are, from a coordinator or from the store's file. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/client.h"
#include "experiments/cli/sheet.h"
#include "store/store.h"

enum { ANSWER_MS = 10000 };

static const struct argp_option rows[] = { OPTION_STORE, OPTION_COORDINATOR, OPTION_JSON, { 0 } };

static const char doc[] =
    "Show how far each experiment's steps are. A coordinator also tells what runs now and on which "
    "workers; the store's file tells what is done.\v"
    "Example:\n"
    "  drover status\n"
    "  drover status quickstart --coordinator tcp://localhost:7400";

struct arguments {
    struct options o;
    const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key != ARGP_KEY_ARG)
        return options_take(&a->o, key, arg, state);
    if (a->name)
        argp_error(state, "one experiment at a time");
    a->name = arg;
    return 0;
}

static const struct argp parser = { rows, parse, "[EXPERIMENT]", doc, NULL, NULL, NULL };

static const char *const columns[] = { "experiment", "step",    "job",    "jobs",
                                       "done",       "running", "failed", "waiting",
                                       "units",      "of",      "seconds" };

struct report {
    struct sheet *steps, *workers, *failures;
    const char *experiment;
    struct store *store;
    struct err *err;
};

static void start(struct report *r)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        sheet_column(r->steps, columns[i]);
    sheet_column(r->workers, "worker");
    sheet_column(r->workers, "slots");
    sheet_column(r->workers, "running");
    sheet_column(r->workers, "seen ms ago");
    sheet_column(r->workers, "state");
    sheet_column(r->failures, "experiment");
    sheet_column(r->failures, "failure");
}

static void add_failure(struct report *r, const char *text)
{
    sheet_row(r->failures);
    sheet_text(r->failures, r->experiment);
    sheet_text(r->failures, text);
}

/* ---- from a coordinator ---- */

static void add_step(struct sheet *t, const char *experiment, const Drover__StepStatus *s)
{
    sheet_row(t);
    sheet_text(t, experiment);
    sheet_text(t, s->step);
    sheet_text(t, s->kind);
    sheet_int(t, s->jobs);
    sheet_int(t, s->done);
    sheet_int(t, s->running);
    sheet_int(t, s->failed);
    sheet_int(t, (int64_t)s->waiting + s->ready);
    sheet_int(t, (int64_t)s->units_done);
    sheet_int(t, (int64_t)s->units_total);
    sheet_real(t, s->seconds_spent, 1);
}

static int ask(const struct arguments *a, struct report *r)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;

    request.experiment = (char *)(a->name ? a->name : "");
    request.workers = true;
    int rc = client_call(a->o.coordinator, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                         DROVER__ENVELOPE__BODY_STATUS, ANSWER_MS, &answer, r->err);
    if (rc)
        return rc;
    const Drover__Status *s = answer->status;
    for (size_t e = 0; e < s->n_experiments; e++) {
        const Drover__ExperimentStatus *x = s->experiments[e];
        r->experiment = x->name;
        for (size_t i = 0; i < x->n_steps; i++)
            add_step(r->steps, x->name, x->steps[i]);
        for (size_t i = 0; i < x->n_failures; i++)
            add_failure(r, x->failures[i]);
    }
    for (size_t i = 0; i < s->n_workers; i++) {
        sheet_row(r->workers);
        sheet_text(r->workers, s->workers[i]->name);
        sheet_int(r->workers, s->workers[i]->slots);
        sheet_int(r->workers, s->workers[i]->running);
        sheet_int(r->workers, (int64_t)s->workers[i]->last_seen_ms);
        sheet_text(r->workers, s->workers[i]->draining ? "draining" : "working");
    }
    return 0;
}

/* ---- from the file ---- */

static int on_step(const struct store_step_status *s, void *arg)
{
    struct report *r = arg;

    sheet_row(r->steps);
    sheet_text(r->steps, r->experiment);
    sheet_text(r->steps, s->step);
    sheet_text(r->steps, s->kind);
    sheet_int(r->steps, s->jobs);
    sheet_int(r->steps, s->done);
    sheet_text(r->steps, NULL); /* running: only the coordinator knows */
    sheet_int(r->steps, s->failed);
    sheet_int(r->steps, (int64_t)s->waiting + s->ready);
    sheet_int(r->steps, (int64_t)s->units_done);
    sheet_int(r->steps, (int64_t)s->units_total);
    sheet_real(r->steps, s->seconds_spent, 1);
    return 0;
}

static int on_failure(const char *text, void *arg)
{
    add_failure(arg, text);
    return 0;
}

static int on_experiment(const struct store_experiment *e, void *arg)
{
    struct report *r = arg;

    r->experiment = e->name;
    int rc = store_status(r->store, e->id, on_step, r, r->err);
    return rc ? rc : store_failures(r->store, e->id, on_failure, r, r->err);
}

struct chosen {
    struct report *r;
    uint64_t id;
};

static int on_any_experiment(const struct store_experiment *e, void *arg)
{
    struct chosen *c = arg;
    return c->id == 0 || c->id == e->id ? on_experiment(e, c->r) : 0;
}

static int look(const struct arguments *a, struct report *r)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct chosen c = { .r = r };
    int rc = store_open_read(&s, options_store(&a->o), r->err);

    if (!rc && a->name)
        rc = store_find_experiment(s, a->name, &c.id, r->err);
    r->store = s;
    return rc ? rc : store_list_experiments(s, on_any_experiment, &c, r->err);
}

static void print(const struct report *r, bool json)
{
    if (json) {
        struct json *top = json_new_object();
        json_set(top, "version", json_new_integer(1));
        json_set(top, "steps", sheet_json(r->steps));
        json_set(top, "workers", sheet_json(r->workers));
        json_set(top, "failures", sheet_json(r->failures));
        print_json(top, stdout);
        return;
    }
    if (sheet_rows(r->steps) == 0)
        puts("no experiments yet; try drover run quickstart");
    else
        sheet_print(r->steps, SHEET_TERMINAL, stdout);
    if (sheet_rows(r->workers)) {
        putchar('\n');
        sheet_print(r->workers, SHEET_TERMINAL, stdout);
    }
    if (sheet_rows(r->failures)) {
        putchar('\n');
        sheet_print(r->failures, SHEET_TERMINAL, stdout);
    }
}

int cmd_status(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .name = NULL };
    struct sheet *steps CLEANUP(sheet_cleanup) = sheet_new();
    struct sheet *workers CLEANUP(sheet_cleanup) = sheet_new();
    struct sheet *failures CLEANUP(sheet_cleanup) = sheet_new();
    struct err err = { 0 };
    struct report r = { .steps = steps, .workers = workers, .failures = failures, .err = &err };

    argp_parse(&parser, argc, argv, 0, NULL, &a);
    start(&r);
    if ((a.o.coordinator ? ask(&a, &r) : look(&a, &r)) != 0)
        return cli_fail(env, &err);
    print(&r, a.o.json);
    return CLI_DONE;
}
