/* SPDX-License-Identifier: Apache-2.0 */
/* drover plan - what a recipe would run, and what the store has already. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "experiments/plan/reference.h"
#include "store/store.h"

enum { KEY_RUNS = KEY_OWN, KEY_PARAMETERS };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_SET,
    OPTION_JSON,
    { "runs", KEY_RUNS, NULL, 0, "List every run of the sweep", 0 },
    { "parameters", KEY_PARAMETERS, NULL, 0, "List the job kinds and their parameters", 0 },
    { 0 }
};

static const char doc[] =
    "Check a recipe and show what it would run: the points of its sweep, jobs by step, jobs that "
    "runs share, and how many are in the store already. Nothing is run or written.\v"
    "Example:\n"
    "  drover plan quickstart\n"
    "  drover plan my.cfg --set labels.examples=1000 --set seed=1,2,3\n\n"
    "Time is expected from past attempts of the same kind in the store, for one slot.";

struct arguments {
    struct options o;
    const char *recipe;
    bool runs, parameters;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_RUNS:
        a->runs = true;
        return 0;
    case KEY_PARAMETERS:
        a->parameters = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->recipe)
            argp_error(state, "one recipe at a time");
        a->recipe = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->recipe && !a->parameters)
            argp_error(state, "which recipe? e.g. drover plan quickstart");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

static const struct argp parser = { rows, parse, "RECIPE", doc, NULL, NULL, NULL };

/* What of a step is done already. */
struct known {
    uint64_t done, units;
    double ms_per_unit; /* 0: unknown */
};

static int look_up(const struct plan *p, struct store *s, struct known *known, struct err *err)
{
    char state[16];
    int rc = 0;

    for (size_t j = 0; s && !rc && j < p->jobs_len; j++) {
        const struct plan_job *job = &p->job[j];
        rc = store_job_state(s, &job->key, state, err);
        for (size_t i = 0; !rc && i < p->steps_len; i++)
            if (strcmp(p->step[i].id, job->step) == 0 && strcmp(state, "DONE") == 0) {
                known[i].done++;
                known[i].units += job->kind->shards ? job->end - job->begin : 1;
            }
    }
    for (size_t i = 0; s && !rc && i < p->steps_len; i++)
        rc = store_expected_ms(s, p->step[i].kind->name, &known[i].ms_per_unit, err);
    return rc;
}

static void put_steps(const struct plan *p, const struct known *known, struct sheet *t)
{
    static const char *const names[] = { "step",     "job",    "jobs",   "examples",
                                         "in store", "shared", "to run", "expected s" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        sheet_column(t, names[i]);
    for (size_t i = 0; i < p->steps_len; i++) {
        const struct plan_step *st = &p->step[i];
        uint64_t units = st->units - known[i].units;
        sheet_row(t);
        sheet_text(t, st->id);
        sheet_text(t, st->kind->name);
        sheet_int(t, (int64_t)st->jobs);
        if (st->kind->shards)
            sheet_int(t, (int64_t)st->units);
        else
            sheet_text(t, NULL);
        sheet_int(t, (int64_t)known[i].done);
        sheet_int(t, (int64_t)(st->claims - st->jobs));
        sheet_int(t, (int64_t)(st->jobs - known[i].done));
        if (known[i].ms_per_unit > 0)
            sheet_real(t, known[i].ms_per_unit * (double)units / 1000, 1);
        else
            sheet_text(t, NULL);
    }
}

static void put_runs(const struct plan *p, struct sheet *t)
{
    sheet_column(t, "run");
    for (size_t a = 0; a < p->axes_len; a++)
        sheet_column(t, p->axis[a]);
    sheet_column(t, "seed");
    for (size_t i = 0; i < p->runs_len; i++) {
        sheet_row(t);
        sheet_int(t, (int64_t)i + 1);
        for (size_t a = 0; a < p->axes_len; a++)
            sheet_text(t, p->run[i].value[a]);
        sheet_int(t, (int64_t)p->run[i].seed);
    }
}

static void print_as_json(const struct plan *p, const struct sheet *steps, const struct sheet *runs)
{
    struct json *top = json_new_object();
    char hex[DIGEST_HEX];

    json_set(top, "version", json_new_integer(1));
    json_set(top, "name", json_new_text(p->name));
    json_set(top, "revision", json_new_text(digest_hex(&p->revision, hex)));
    json_set(top, "jobs", json_new_integer((int64_t)p->jobs_len));
    json_set(top, "steps", sheet_json(steps));
    json_set(top, "runs", sheet_json(runs));
    print_json(top, stdout);
}

static void print_for_people(const struct plan *p, const struct sheet *steps,
                             const struct sheet *runs, bool list_runs)
{
    size_t reserved = 0;

    printf("%s: %zu run%s, %zu job%s", p->name, p->runs_len, p->runs_len == 1 ? "" : "s",
           p->jobs_len, p->jobs_len == 1 ? "" : "s");
    for (size_t i = 0; i < p->steps_len; i++)
        reserved += p->step[i].claims - p->step[i].jobs;
    if (reserved)
        printf(" (%zu more would be needed if runs shared nothing)", reserved);
    puts("\n");
    sheet_print(steps, SHEET_TERMINAL, stdout);
    if (list_runs || (p->runs_len > 1 && p->runs_len <= 20)) {
        putchar('\n');
        sheet_print(runs, SHEET_TERMINAL, stdout);
    }
}

int cmd_plan(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .recipe = NULL };
    struct recipe *r CLEANUP(recipe_cleanup) = NULL;
    struct plan *p CLEANUP(plan_cleanup) = NULL;
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct sheet *steps CLEANUP(sheet_cleanup) = sheet_new();
    struct sheet *runs CLEANUP(sheet_cleanup) = sheet_new();
    struct known *known CLEANUP(mem_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&parser, argc, argv, 0, NULL, &a);
    if (a.parameters) {
        struct buf text CLEANUP(buf_release) = { 0 };
        plan_reference(&text);
        fputs(buf_str(&text), stdout);
        return CLI_DONE;
    }
    if (cli_plan(a.recipe, &a.o, env, &r, &p, &err) != 0)
        return cli_fail(env, &err);
    const char *file = options_store(&a.o);
    if (access(file, F_OK) == 0 && store_open_read(&s, file, &err) != 0)
        return cli_fail(env, &err);
    known = mem_calloc(p->steps_len + 1, sizeof(*known));
    if (look_up(p, s, known, &err) != 0)
        return cli_fail(env, &err);
    put_steps(p, known, steps);
    put_runs(p, runs);
    if (a.o.json)
        print_as_json(p, steps, runs);
    else
        print_for_people(p, steps, runs, a.runs);
    return CLI_DONE;
}
