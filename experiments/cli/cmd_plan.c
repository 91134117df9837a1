/* SPDX-License-Identifier: Apache-2.0 */
/* drover plan - what a recipe would run, what is there already, and how long the rest will take. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/curricula.h"
#include "experiments/cli/outlook.h"
#include "experiments/cli/sheet.h"
#include "experiments/plan/reference.h"

enum { KEY_RUNS = KEY_OWN, KEY_PARAMETERS, KEY_GRAPH };
enum { WORKERS_MAX = 100000, RUNS_SHOWN = 20, VALUES_SHOWN = 60 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_SET,
    { "workers", 'w', "N", 0,
      "Expect the time on N slots (default: those of the coordinator's workers, else one per core)",
      0 },
    { "runs", KEY_RUNS, NULL, 0, "List every run of the sweep", 0 },
    { "graph", KEY_GRAPH, NULL, 0, "Print the steps as a graph in DOT, for Graphviz", 0 },
    { "parameters", KEY_PARAMETERS, NULL, 0,
      "Explain everything a recipe may say: its keys, steps, sweeps, job kinds and parameters", 0 },
    OPTION_JSON,
    OPTION_CSV,
    { 0 }
};

static const char doc[] =
    "Check a recipe and show what it would run: the axes of its sweep, the schedules of its "
    "curricula, jobs by step, jobs that runs share, how many are in the store already, how long "
    "the rest is expected to take and how much "
    "it will write. Nothing is run or written.\v"
    "Example:\n"
    "  drover plan quickstart\n"
    "  drover plan my.cfg --set labels.examples=1000 --set seed=1,2,3\n"
    "  drover plan my.cfg --coordinator tcp://localhost:7400\n"
    "  drover plan my.cfg --graph | dot -Tsvg > my.svg\n\n"
    "Time is expected from past attempts of the same kind and numeric class (of the same "
    "parameters, "
    "where there are three or more): the mean, and an interval that holds the time with 90 %. "
    "\"unknown\": nothing like it was ever run into this store.\n\n"
    "Exit status: 0 the recipe is good, 1 it is not, or the store cannot be read, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *recipe;
    size_t workers;
    bool runs, parameters, graph;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'w':
        a->workers = (size_t)options_number(state, "workers", arg, 1, WORKERS_MAX);
        return 0;
    case KEY_RUNS:
        a->runs = true;
        return 0;
    case KEY_PARAMETERS:
        a->parameters = true;
        return 0;
    case KEY_GRAPH:
        a->graph = true;
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

const struct argp argp_plan = { rows, parse, "RECIPE", doc, NULL, NULL, NULL };

/* ---- the sweep ---- */

/* The values of axis A (axes_len: the seed) in the order of the runs, each once. */
static struct json *axis_values(const struct plan *p, size_t a)
{
    struct json *values = json_new_array();
    const char **seen CLEANUP(mem_cleanup) = mem_calloc(p->runs_len + 1, sizeof(*seen));
    char number[24];
    size_t len = 0;

    for (size_t r = 0; r < p->runs_len && len < RECIPE_VALUES_MAX; r++) {
        const char *v = a < p->axes_len ? p->run[r].value[a] : number;
        size_t i = 0;

        if (a == p->axes_len)
            snprintf(number, sizeof(number), "%" PRIu64, p->run[r].seed);
        while (i < len && strcmp(seen[i], v) != 0)
            i++;
        if (i < len)
            continue;
        json_push(values, json_new_text(v));
        seen[len] = json_text(json_at(values, len));
        len++;
    }
    return values;
}

static struct json *axes_json(const struct plan *p)
{
    struct json *axes = json_new_array();

    for (size_t a = 0; a <= p->axes_len; a++) {
        struct json *axis = json_new_object();

        json_set(axis, "name", json_new_text(a < p->axes_len ? p->axis[a] : "seed"));
        json_set(axis, "values", axis_values(p, a));
        json_push(axes, axis);
    }
    return axes;
}

static void print_axes(const struct json *axes)
{
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();

    sheet_column(t, "axis");
    sheet_column(t, "values");
    sheet_column(t, "which");
    for (size_t a = 0; a < json_len(axes); a++) {
        const struct json *values = json_get(json_at(axes, a), "values");
        struct buf list CLEANUP(buf_release) = { 0 };
        size_t i = 0;

        for (; i < json_len(values) && list.len < VALUES_SHOWN; i++)
            buf_printf(&list, "%s%s", i ? " " : "",
                       *json_text(json_at(values, i)) ? json_text(json_at(values, i)) : "(none)");
        if (i < json_len(values))
            buf_printf(&list, " ... %s", json_text(json_at(values, json_len(values) - 1)));
        sheet_row(t);
        sheet_text(t, json_text(json_get(json_at(axes, a), "name")));
        sheet_int(t, (int64_t)json_len(values));
        sheet_text(t, buf_str(&list));
    }
    sheet_print(t, SHEET_TERMINAL, stdout);
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

/* ---- the steps ---- */

static void put_steps(const struct plan *p, const struct outlook *l, struct sheet *t)
{
    static const char *const names[] = { "step",    "job",      "jobs",   "examples",
                                         "shared",  "in_store", "failed", "to_run",
                                         "seconds", "low",      "high",   "past_attempts",
                                         "bytes" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        sheet_column(t, names[i]);
    for (size_t i = 0; i < p->steps_len; i++) {
        const struct plan_step *st = &p->step[i];
        const struct outlook_step *s = &l->step[i];

        sheet_row(t);
        sheet_text(t, st->id);
        sheet_text(t, st->kind->name);
        sheet_int(t, (int64_t)st->jobs);
        if (st->kind->shards)
            sheet_int(t, (int64_t)st->units);
        else
            sheet_text(t, NULL);
        sheet_int(t, (int64_t)(st->claims - st->jobs));
        sheet_int(t, (int64_t)s->done);
        sheet_int(t, (int64_t)s->failed);
        sheet_int(t, (int64_t)(s->failed + s->pending + s->fresh));
        const double times[] = { s->work.s, s->work.low, s->work.high };
        for (size_t k = 0; k < ARRAY_LEN(times); k++)
            if (k ? s->work.interval && s->work.known : s->work.known)
                sheet_real(t, times[k], 1);
            else
                sheet_text(t, NULL);
        sheet_int(t, (int64_t)s->past.n);
        if (isnan(s->bytes))
            sheet_text(t, NULL);
        else
            sheet_int(t, (int64_t)s->bytes);
    }
}

/* "12.5 s (10.1 s to 14.9 s)", "unknown". */
static const char *expected_text(const struct expect *e, struct buf *out)
{
    char a[EXPECT_TEXT], b[EXPECT_TEXT];

    buf_clear(out);
    if (!e->known)
        return "unknown";
    buf_adds(out, expect_duration(e->s, a));
    if (e->interval && e->high > e->low)
        buf_printf(out, " (%s to %s)", expect_duration(e->low, a), expect_duration(e->high, b));
    return buf_str(out);
}

static bool shares(const struct plan *p)
{
    for (size_t i = 0; i < p->steps_len; i++)
        if (p->step[i].claims > p->step[i].jobs)
            return true;
    return false;
}

static void print_step(const struct plan_step *st, const struct outlook_step *s, bool shared,
                       struct sheet *t)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const uint64_t left = s->failed + s->pending + s->fresh;
    char size[EXPECT_TEXT];

    sheet_row(t);
    sheet_text(t, st->id);
    sheet_text(t, st->kind->name);
    sheet_int(t, (int64_t)st->jobs);
    if (st->kind->shards)
        sheet_int(t, (int64_t)st->units);
    else
        sheet_text(t, NULL);
    if (shared)
        sheet_int(t, (int64_t)(st->claims - st->jobs));
    sheet_int(t, (int64_t)s->done);
    sheet_int(t, (int64_t)left);
    sheet_text(t, !left || s->bytes == 0 ? NULL
                  : isnan(s->bytes)      ? "unknown"
                                         : expect_size(s->bytes, size));
    buf_printf(&text, "%zu%s", s->past.n, s->same ? "" : "*");
    sheet_text(t, left && s->past.n ? buf_str(&text) : NULL);
    sheet_text(t, left ? expected_text(&s->work, &text) : NULL);
}

static void print_steps(const struct plan *p, const struct outlook *l)
{
    static const char *const names[] = { "step",  "job",    "jobs",   "examples", "shared",
                                         "there", "to run", "writes", "past",     "expected" };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    const bool shared = shares(p);
    bool other = false;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (shared || strcmp(names[i], "shared") != 0)
            sheet_column(t, names[i]);
    for (size_t i = 0; i < p->steps_len; i++) {
        print_step(&p->step[i], &l->step[i], shared, t);
        other = other || (l->step[i].past.n && !l->step[i].same && l->step[i].units_left);
    }
    sheet_print(t, SHEET_TERMINAL, stdout);
    if (other)
        puts("* past attempts of its kind, with other parameters");
}

static void print_total(const struct plan *p, const struct outlook *l)
{
    struct buf work CLEANUP(buf_release) = { 0 }, wall CLEANUP(buf_release) = { 0 };
    char size[EXPECT_TEXT], largest[EXPECT_TEXT];
    uint64_t left = 0;

    for (size_t i = 0; i < p->steps_len; i++)
        left += l->step[i].failed + l->step[i].pending + l->step[i].fresh;
    putchar('\n');
    if (!left)
        puts("Everything is in the store: nothing to run.");
    else if (l->work.s > 0)
        printf("Expected%s: %s of work; on %zu slot%s about %s.\n",
               l->unknown ? " of what is known" : "", expected_text(&l->work, &work), l->slots,
               l->slots == 1 ? "" : "s", expected_text(&l->wall, &wall));
    if (left && l->unknown)
        printf("The time of %zu step%s is unknown: %s.\n", l->unknown, l->unknown == 1 ? "" : "s",
               l->asked ? "nothing like it was run into this store yet"
                        : "there is no store yet to learn from");
    if (l->bytes > 0)
        printf("Disk: about %s of outputs.\n", expect_size(l->bytes, size));
    if (l->files)
        printf("Reads %" PRIu64
               " outside file%s or model%s of %s; the largest has %s, and a worker "
               "that uses it needs about that much memory for it.\n",
               l->files, l->files == 1 ? "" : "s", l->files == 1 ? "" : "s",
               expect_size(l->files_bytes, size), expect_size(l->largest_bytes, largest));
}

static void print_rungs(const struct plan *p)
{
    for (size_t i = 0; i < p->rungs_len; i++) {
        const struct plan_rung *r = &p->rung[i];
        printf("%s rung %zu, %s: %" PRIu64 " candidates", i ? " " : "Halving:", i + 1, r->step,
               r->candidates);
        if (i + 1 < p->rungs_len)
            printf(", %" PRIu64 " go on;", r->survivors);
    }
    if (p->rungs_len)
        puts(".\n");
}

static void print_curricula(const struct plan *p)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    curricula_print(p, &text);
    fputs(buf_str(&text), stdout);
}

static void print_for_people(const struct plan *p, const struct outlook *l, const struct json *axes,
                             struct sheet *runs, bool list_runs)
{
    size_t reserved = 0;

    printf("%s: %zu run%s, %zu job%s", p->name, p->runs_len, p->runs_len == 1 ? "" : "s",
           p->jobs_len, p->jobs_len == 1 ? "" : "s");
    for (size_t i = 0; i < p->steps_len; i++)
        reserved += p->step[i].claims - p->step[i].jobs;
    if (reserved)
        printf(" (%zu more would be needed if runs shared nothing)", reserved);
    if (p->git && *p->git)
        printf("\nrecipe in git: %s", p->git);
    puts("\n");
    if (p->runs_len > 1) {
        print_axes(axes);
        putchar('\n');
    }
    print_rungs(p);
    print_curricula(p);
    print_steps(p, l);
    print_total(p, l);
    if (list_runs || (p->runs_len > 1 && p->runs_len <= RUNS_SHOWN)) {
        putchar('\n');
        sheet_print(runs, SHEET_TERMINAL, stdout);
    }
}

/* ---- JSON ---- */

static struct json *expect_json(const struct expect *e)
{
    struct json *o;

    if (!e->known)
        return json_new_null();
    o = json_new_object();
    json_set(o, "seconds", json_new_number(e->s));
    json_set(o, "low", json_new_number(e->interval ? e->low : NAN));
    json_set(o, "high", json_new_number(e->interval ? e->high : NAN));
    return o;
}

static struct json *rungs_json(const struct plan *p)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < p->rungs_len; i++) {
        struct json *rung = json_new_object();

        json_set(rung, "step", json_new_text(p->rung[i].step));
        json_set(rung, "score", json_new_text(p->rung[i].score));
        json_set(rung, "candidates", json_new_integer((int64_t)p->rung[i].candidates));
        json_set(rung, "survivors", json_new_integer((int64_t)p->rung[i].survivors));
        json_push(list, rung);
    }
    return list;
}

static struct json *warnings_json(const struct plan *p)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < p->warnings_len; i++)
        json_push(list, json_new_text(p->warning[i]));
    return list;
}

static void print_as_json(const struct plan *p, const struct outlook *l, struct json *axes,
                          struct sheet *steps, struct sheet *runs)
{
    struct json *top = json_new_object();
    char hex[DIGEST_HEX];

    json_set(top, "version", json_new_integer(1));
    json_set(top, "name", json_new_text(p->name));
    json_set(top, "revision", json_new_text(digest_hex(&p->revision, hex)));
    json_set(top, "git", json_new_text(p->git ? p->git : ""));
    json_set(top, "jobs", json_new_integer((int64_t)p->jobs_len));
    json_set(top, "store_asked", json_new_bool(l->asked));
    json_set(top, "axes", axes);
    json_set(top, "halving", rungs_json(p));
    json_set(top, "curricula", curricula_json(p));
    json_set(top, "warnings", warnings_json(p));
    json_set(top, "steps", sheet_json(steps));
    json_set(top, "slots", json_new_integer((int64_t)l->slots));
    json_set(top, "unknown_steps", json_new_integer((int64_t)l->unknown));
    json_set(top, "expected_work", expect_json(&l->work));
    json_set(top, "expected_wall", expect_json(&l->wall));
    json_set(top, "output_bytes", json_new_number(l->bytes));
    json_set(top, "outside_files", json_new_integer((int64_t)l->files));
    json_set(top, "outside_bytes", json_new_number(l->files_bytes));
    json_set(top, "largest_outside_bytes", json_new_number(l->largest_bytes));
    json_set(top, "runs", sheet_json(runs));
    print_json(top, stdout);
}

/* ---- */

static int show_text(const struct buf *text, bool json)
{
    struct json *top;

    if (!json) {
        fputs(buf_str(text), stdout);
        return CLI_DONE;
    }
    top = json_new_object();
    json_set(top, "version", json_new_integer(1));
    json_set(top, "text", json_new_text(buf_str(text)));
    print_json(top, stdout);
    return CLI_DONE;
}

static int print_parameters(bool json)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    recipe_reference_print(&text);
    return show_text(&text, json);
}

static int print_graph(const struct plan *p, bool json)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    plan_graph_print(p, &text);
    return show_text(&text, json);
}

static void print_plan(const struct plan *p, const struct outlook *l, const struct arguments *a)
{
    struct sheet *steps CLEANUP(sheet_cleanup) = sheet_new();
    struct sheet *runs CLEANUP(sheet_cleanup) = sheet_new();
    struct json *axes = axes_json(p);

    put_steps(p, l, steps);
    put_runs(p, runs);
    if (a->o.json) {
        print_as_json(p, l, axes, steps, runs); /* takes the axes */
        return;
    }
    if (a->o.csv)
        sheet_print(a->runs ? runs : steps, SHEET_CSV, stdout);
    else
        print_for_people(p, l, axes, runs, a->runs);
    json_free(axes);
}

int cmd_plan(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .recipe = NULL };
    struct recipe *r CLEANUP(recipe_cleanup) = NULL;
    struct plan *p CLEANUP(plan_cleanup) = NULL;
    struct outlook l CLEANUP(outlook_release) = { .asked = false };
    struct err err = { 0 };

    argp_parse(&argp_plan, argc, argv, 0, NULL, &a);
    if (a.parameters)
        return print_parameters(a.o.json);
    if (cli_plan(a.recipe, &a.o, env, &r, &p, &err) != 0)
        return cli_fail(env, &err);
    if (a.graph)
        return print_graph(p, a.o.json);
    if (outlook_make(p, &a.o, a.workers, &l, &err) != 0)
        return cli_fail(env, &err);
    print_plan(p, &l, &a);
    return CLI_DONE;
}
