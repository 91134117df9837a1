/* SPDX-License-Identifier: Apache-2.0 */
/* drover-labels - replays labels for `drover labels verify`, which writes what is to be replayed to
 * its standard input: lines of JSON, a group
 *   {"model":"PATH","model_name":"...","task":"math","level":1,"split":"train","file":"PATH"|null,
 *    "prompts":"harness","fewshot":-1}
 * and then its labels
 *   {"id":"16 hex","index":0,"base_correct":true,"base_answer":"7","routing":"1011"|null,
 *    "answer":"7","what":"experiment/step"} */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/manual.h"
#include "common/base/mem.h"
#include "worker/jobs/label_replay.h"
#include "worker/kernels/kernels.h"

enum { FAILED = 1, USAGE = 2, INTERRUPTED = 130, THREADS_MAX = 256, BATCH = 32 };
enum { LINE_PAUSE_MS = 5000, DRAW_PAUSE_MS = 100 };

struct options {
    long threads, total;
    bool json, quiet;
};

const char *argp_program_version = "drover-labels " DROVER_VERSION;

static const char doc[] =
    "Replay labels that `drover labels verify` writes to the standard input.\v"
    "Every default path and every label's path is run again, whole, and must give the outcome and "
    "the answer that the search recorded. DROVER_KERNELS=generic, v3, v4 or neon chooses the "
    "kernels; "
    "the "
    "outcome is the same with each.\n\n"
    "Exit status: 0 all agree, 1 a disagreement or a failure, 2 wrong usage, 130 interrupted.";

enum { KEY_JSON = 256, KEY_TOTAL };

static const struct argp_option option_table[] = {
    { "threads", 'j', "N", 0, "threads (default: the CPUs that this process may use)", 0 },
    { "total", KEY_TOTAL, "N", 0, "how many labels there are, for the time that is left", 0 },
    { "json", KEY_JSON, NULL, 0, "print one JSON object in the end", 0 },
    { "quiet", 'q', NULL, 0, "no progress", 0 },
    { 0 },
};

static long number(struct argp_state *state, const char *name, const char *text, long min, long max)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < min || v > max)
        argp_error(state, "--%s takes a number from %ld to %ld, not '%s'", name, min, max, text);
    return v;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'j':
        o->threads = number(state, "threads", arg, 1, THREADS_MAX);
        return 0;
    case KEY_TOTAL:
        o->total = number(state, "total", arg, 0, LONG_MAX);
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct progress progress; /* what a signal stops */

static void on_signal(int signal)
{
    (void)signal;
    atomic_store(&progress.stop, true);
}

/* ---- what was found ---- */

struct verdict {
    const struct options *o;
    uint64_t labels, evaluations, wrong, started_ms, drawn_ms;
    struct json *list; /* of disagreements, with --json */
    bool live;
};

static void print_duration(char *out, size_t size, double seconds)
{
    long s = (long)(seconds + 0.5);

    if (s < 3600)
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static void draw(struct verdict *v, bool last)
{
    uint64_t now = clock_ms();
    char left[32] = "?";
    double seconds = (double)(now - v->started_ms) / 1000;

    if (v->o->quiet || (!last && now - v->drawn_ms < (v->live ? DRAW_PAUSE_MS : LINE_PAUSE_MS)))
        return;
    v->drawn_ms = now;
    if (v->labels > 0 && v->o->total > 0)
        print_duration(left, sizeof(left), seconds * ((double)v->o->total / (double)v->labels - 1));
    fprintf(stderr, "%s%" PRIu64 " of %ld labels replayed, %" PRIu64 " disagree",
            v->live ? "\r" : "", v->labels, v->o->total, v->wrong);
    if (last)
        fprintf(stderr, ", %.1f s%s\n", seconds, v->live ? "\033[K" : "");
    else
        fprintf(stderr, ", ETA %s%s", left, v->live ? "\033[K" : "\n");
}

static void on_done(void *arg, size_t labels, size_t evaluations)
{
    struct verdict *v = arg;

    v->labels += labels;
    v->evaluations += evaluations;
    draw(v, false);
}

static const char *right(bool b)
{
    return b ? "right" : "wrong";
}

static struct json *outcome_json(bool correct, const char *answer)
{
    struct json *o = json_new_object();

    json_set(o, "correct", json_new_bool(correct));
    json_set(o, "answer", json_new_text(answer));
    return o;
}

static void on_disagree(void *arg, const struct label_disagreement *d)
{
    struct verdict *v = arg;
    char id[17];

    v->wrong++;
    snprintf(id, sizeof(id), "%016" PRIx64, d->claim->id);
    if (v->o->json) {
        struct json *o = json_new_object();

        json_set(o, "id", json_new_text(id));
        json_set(o, "of", json_new_text(d->claim->what));
        json_set(o, "path", json_new_text(d->routing)); /* null: the default path */
        json_set(o, "expected", outcome_json(d->expected_correct, d->expected_answer));
        json_set(o, "got", outcome_json(d->got_correct, d->got_answer));
        json_push(v->list, o);
        return;
    }
    if (v->live && !v->o->quiet)
        fprintf(stderr, "\r\033[K");
    printf("%s of %s, %s%s: expected \"%s\" (%s), got \"%s\" (%s)\n", id, d->claim->what,
           d->routing ? "path " : "the default path", d->routing ? d->routing : "",
           d->expected_answer, right(d->expected_correct), d->got_answer, right(d->got_correct));
    fflush(stdout);
}

static void finish(struct verdict *v)
{
    struct json *o;

    draw(v, true);
    if (!v->o->json) {
        printf("%" PRIu64 " labels, %" PRIu64 " evaluations (%s kernels): ", v->labels,
               v->evaluations, kernels_best()->name);
        if (v->wrong)
            printf("%" PRIu64 " disagree\n", v->wrong);
        else
            printf("all agree\n");
        return;
    }
    o = json_new_object();
    json_set(o, "version", json_new_integer(1));
    json_set(o, "kernels", json_new_text(kernels_best()->name));
    json_set(o, "labels", json_new_integer((int64_t)v->labels));
    json_set(o, "evaluations", json_new_integer((int64_t)v->evaluations));
    json_set(o, "disagreements", v->list);
    v->list = NULL;
    {
        CLEANUP(mem_cleanup) char *text = json_dump(o, 2);
        printf("%s\n", text);
    }
    json_free(o);
}

/* ---- groups of labels ---- */

struct group {
    struct json *head; /* NULL: none yet */
    struct label_claim *claim;
    size_t len, cap;
};

static void forget_claims(struct group *g)
{
    for (size_t i = 0; i < g->len; i++)
        label_claim_release(&g->claim[i]);
    g->len = 0;
}

/* The model that was used last stays open: groups come sorted by it. */
struct opened {
    struct model *model;
    char *path;
};

static int open_model(struct opened *m, const char *path, struct pool *pool, struct err *err)
{
    struct model_options options = { .pool = pool, .progress = &progress };

    if (m->path && strcmp(m->path, path) == 0)
        return 0;
    model_free(m->model);
    m->model = NULL;
    free(m->path);
    m->path = mem_strdup(path);
    return model_open_with(&m->model, path, &options, err);
}

static const char *text_of(const struct json *o, const char *name)
{
    const char *text = json_text(json_get(o, name));

    return text ? text : "";
}

static int replay_group(struct group *g, struct opened *m, struct pool *pool, struct verdict *v,
                        struct err *err)
{
    const struct label_replay_report report = { v, on_disagree, on_done };
    struct label_replay r = { .pool = pool, .batch = BATCH };
    int rc;

    if (!g->head || g->len == 0)
        return 0;
    r.model_name = text_of(g->head, "model_name");
    r.query = (struct task_query){ .task = text_of(g->head, "task"),
                                   .level = (int)json_integer(json_get(g->head, "level"), 0),
                                   .path = json_text(json_get(g->head, "file")),
                                   .fewshot = (int)json_integer(json_get(g->head, "fewshot"), -1) };
    rc = split_parse(text_of(g->head, "split"), &r.query.split, err);
    rc = rc == 0 ? task_prompts_parse(text_of(g->head, "prompts"), &r.query.prompts, err) : rc;
    rc = rc == 0 ? open_model(m, text_of(g->head, "model"), pool, err) : rc;
    r.model = m->model;
    rc = rc == 0 ? label_replay_run(&r, g->claim, g->len, &report, &progress, err) : rc;
    return rc;
}

static int take_claim(struct group *g, const struct json *o, struct err *err)
{
    const char *routing = json_text(json_get(o, "routing"));
    const char *id = json_text(json_get(o, "id"));

    if (!g->head || !id)
        return err_set(err, ERR_INVALID, "a label needs an \"id\" and a group before it");
    if (g->len == g->cap) {
        g->cap = MAX(1024, 2 * g->cap);
        g->claim = mem_realloc(g->claim, g->cap, sizeof(*g->claim));
    }
    g->claim[g->len++] = (struct label_claim){
        .id = strtoull(id, NULL, 16),
        .index = (uint64_t)json_integer(json_get(o, "index"), 0),
        .base_correct = json_bool(json_get(o, "base_correct"), false),
        .base_answer = mem_strdup(text_of(o, "base_answer")),
        .routing = routing ? mem_strdup(routing) : NULL,
        .answer = mem_strdup(text_of(o, "answer")),
        .what = mem_strdup(text_of(o, "what")),
    };
    return 0;
}

static int take_line(struct group *g, const char *line, size_t len, struct opened *m,
                     struct pool *pool, struct verdict *v, struct err *err)
{
    struct json *o CLEANUP(json_cleanup) = NULL;
    int rc = json_parse(line, len, &o, err);

    if (rc < 0 || !json_get(o, "model"))
        return rc < 0 ? rc : take_claim(g, o, err);
    rc = replay_group(g, m, pool, v, err);
    forget_claims(g);
    json_free(g->head);
    g->head = o;
    o = NULL;
    return rc;
}

static int replay_all(struct verdict *v, struct pool *pool, struct err *err)
{
    struct group g = { 0 };
    struct opened m = { 0 };
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc = 0;

    while (rc == 0 && (len = getline(&line, &cap, stdin)) > 0)
        rc = take_line(&g, line, (size_t)len, &m, pool, v, err);
    rc = rc == 0 ? replay_group(&g, &m, pool, v, err) : rc;
    forget_claims(&g);
    free(g.claim);
    json_free(g.head);
    model_free(m.model);
    free(m.path);
    free(line);
    return rc;
}

/* The level that the user chose, if any, is the one that runs. */
static int check_kernels(struct err *err)
{
    const char *forced = getenv("DROVER_KERNELS");

    if (!forced || !*forced || strcmp(forced, kernels_best()->name) == 0)
        return 0;
    return err_set(
        err, ERR_INVALID,
        "no kernels \"%.40s\" here: generic, v3, v4 and neon are known, and the best that this "
        "CPU runs are %s",
        forced, kernels_best()->name);
}

static size_t cpus(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    return (size_t)MIN(MAX(CPU_COUNT(&set), 1), (int)THREADS_MAX);
}

int main(int argc, char **argv)
{
    static const struct argp argp = { option_table, parse_option, NULL, doc, NULL, NULL, NULL };
    struct options o = { 0 };
    struct verdict v = { .o = &o, .live = isatty(STDERR_FILENO) };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    struct pool *pool;
    struct err err = { 0 };
    size_t threads;
    int rc;

    argp_err_exit_status = USAGE;
    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-labels", "replay labels", DROVER_VERSION,
                                       "drover(1), drover-labels(1)", &argp }))
        return EXIT_SUCCESS;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    threads = o.threads ? (size_t)o.threads : cpus();
    pool = threads > 1 ? pool_new(threads) : NULL;
    v.list = json_new_array();
    v.started_ms = v.drawn_ms = clock_ms();
    rc = check_kernels(&err);
    rc = rc == 0 ? replay_all(&v, pool, &err) : rc;
    pool_free(pool);
    if (rc == 0)
        finish(&v);
    json_free(v.list);
    if (rc == 0)
        return v.wrong ? FAILED : EXIT_SUCCESS;
    fprintf(stderr, "%sdrover-labels: %s\n", v.live ? "\n" : "", err.text);
    return rc == ERR_CANCELLED ? INTERRUPTED : FAILED;
}
