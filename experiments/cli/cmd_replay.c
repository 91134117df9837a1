/* SPDX-License-Identifier: Apache-2.0 */
/* drover replay, drover verify - results made again and compared bit by bit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/embedded.h"
#include "experiments/cli/replaying.h"
#include "experiments/cli/sheet.h"

enum { KEY_SAMPLE = KEY_OWN, KEY_SEED, SAMPLE_DEFAULT = 10, SAMPLE_MAX = 100000 };

#define OPTION_WORKERS                                                                             \
    {                                                                                              \
        "workers", 'w', "N", 0, "Workers to start, one slot each (default: one per core)", 0       \
    }
#define OPTION_THREADS                                                                             \
    {                                                                                              \
        "threads", 't', "N", 0, "Threads of each slot (default 1)", 0                              \
    }

struct arguments {
    struct options o;
    const char *target;
    size_t workers, threads;
    uint64_t sample, seed;
};

static error_t parse_shared(struct arguments *a, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'w':
        a->workers = (size_t)options_number(state, "workers", arg, 1, EMBEDDED_WORKERS_MAX);
        return 0;
    case 't':
        a->threads = (size_t)options_number(state, "threads", arg, 1, 256);
        return 0;
    case ARGP_KEY_ARG:
        if (a->target)
            argp_error(state, "one at a time");
        a->target = arg;
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

/* ---- output ---- */

static const char *verdict(const struct replay_job *j)
{
    if (!j->ready)
        return "SKIPPED";
    return !j->ended ? "FAILED" : j->same ? "SAME" : "DIFFERENT";
}

static void tell_job(const struct replay_job *j)
{
    char hex[DIGEST_HEX];
    const char *line = buf_str(&j->differences);

    printf("%-9s  job %llu  %s  step %s  %.12s%s%s\n", verdict(j), (unsigned long long)j->job,
           j->kind, j->step, digest_hex(&j->key, hex), j->ready ? "" : ": ",
           j->ready ? "" : j->why);
    for (; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n'))
        printf("           %.*s\n", (int)strcspn(line, "\n"), line);
    if (j->ready && !j->same) {
        printf("           committed in: %s\n", buf_str(&j->committed));
        printf("           replayed in:  %s\n", buf_str(&j->here));
    }
}

static struct json *job_json(const struct replay_job *j)
{
    struct json *o = json_new_object(), *list = json_new_array();
    const char *line = buf_str(&j->differences);
    char hex[DIGEST_HEX];

    json_set(o, "job", json_new_integer((int64_t)j->job));
    json_set(o, "key", json_new_text(digest_hex(&j->key, hex)));
    json_set(o, "kind", json_new_text(j->kind));
    json_set(o, "step", json_new_text(j->step));
    json_set(o, "verdict", json_new_text(verdict(j)));
    if (!j->ready)
        json_set(o, "why", json_new_text(j->why));
    while (*line) {
        size_t n = strcspn(line, "\n");
        struct buf one CLEANUP(buf_release) = { 0 };

        buf_add(&one, line, n);
        json_push(list, json_new_text(buf_str(&one)));
        line += n + (line[n] == '\n');
    }
    json_set(o, "differences", list);
    json_set(o, "committed_environment", json_new_text(buf_str(&j->committed)));
    json_set(o, "replay_environment", json_new_text(buf_str(&j->here)));
    return o;
}

static void print_all(const struct replaying *r)
{
    struct json *top = json_new_object(), *list = json_new_array();

    json_set(top, "version", json_new_integer(1));
    json_set(top, "same", json_new_integer((int64_t)r->same));
    json_set(top, "different", json_new_integer((int64_t)r->different));
    json_set(top, "failed", json_new_integer((int64_t)r->failed));
    json_set(top, "skipped", json_new_integer((int64_t)r->skipped));
    json_set(top, "recorded", json_new_bool(r->recorded));
    for (size_t i = 0; i < r->len; i++)
        json_push(list, job_json(&r->job[i]));
    json_set(top, "jobs", list);
    print_json(top, stdout);
}

static void tell_all(const struct replaying *r, bool quietly)
{
    for (size_t i = 0; i < r->len; i++) {
        if (!quietly || !r->job[i].ready || !r->job[i].same)
            tell_job(&r->job[i]);
    }
    printf("%zu of %zu jobs SAME, %zu DIFFERENT, %zu FAILED, %zu SKIPPED\n", r->same, r->len,
           r->different, r->failed, r->skipped);
    if (!r->recorded && r->why_not[0])
        fprintf(stderr, "the verdicts are not recorded: %s\n", r->why_not);
}

/* Run what IDS names; the exit code. */
static int carry_out(const struct arguments *a, const struct env *env, const struct store_ids *ids,
                     bool quietly)
{
    struct replaying r CLEANUP(replaying_release) = { .store = options_store(&a->o),
                                                      .folder = env->folder,
                                                      .workers = a->workers,
                                                      .threads = a->threads ? a->threads : 1,
                                                      .quiet = a->o.json };
    struct err err = { 0 };
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (!r.workers)
        r.workers = MIN(MAX((size_t)MAX(cores, 1L), (size_t)1), MAX(ids->len, (size_t)1));
    r.job = mem_calloc(MAX(ids->len, (size_t)1), sizeof(*r.job));
    r.len = ids->len;
    for (size_t i = 0; i < ids->len; i++)
        r.job[i].job = ids->v[i];
    if (replay_all(&r, &err) != 0)
        return cli_fail(env, &err);
    if (a->o.json)
        print_all(&r);
    else
        tell_all(&r, quietly);
    return r.different + r.failed > 0 || r.skipped == r.len ? CLI_FAILED : CLI_DONE;
}

/* ---- drover replay ---- */

static const struct argp_option replay_rows[] = {
    OPTION_STORE, OPTION_WORKERS, OPTION_THREADS, OPTION_JSON, { 0 }
};

static const char replay_doc[] =
    "Run a job, or every job of a run, again beside its committed result and compare bit by bit: "
    "outputs, labels and scores of each example, metrics. The committed result stays; the verdict "
    "is "
    "recorded in the table replay.\v"
    "Example:\n"
    "  drover replay 17          run 17\n"
    "  drover replay j42         job 42\n"
    "  drover replay 3fe1a09c    the job whose key begins so\n\n"
    "Inputs are taken as they were committed, so that each job is judged by itself. A difference "
    "is "
    "shown with both environments.\n\n"
    "Exit status: 0 all the same, 1 a difference or a failure, 2 wrong usage.";

static error_t parse_replay(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key == ARGP_KEY_END && !a->target)
        argp_error(state, "which run or job? e.g. drover replay 17, drover replay j42");
    return key == ARGP_KEY_END ? 0 : parse_shared(a, key, arg, state);
}

const struct argp argp_replay = {
    replay_rows, parse_replay, "RUN|JOB", replay_doc, NULL, NULL, NULL
};

static int choose(const struct arguments *a, struct store_ids *ids, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store_target target;
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (!rc)
        rc = store_target(s, a->target, TARGET_RUN | TARGET_JOB, &target, err);
    if (rc)
        return rc;
    if (target.job) {
        store_ids_add(ids, target.job);
        return 0;
    }
    rc = replay_choose(s, 0, target.run, 0, 0, ids, err);
    if (!rc && ids->len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "%s has no job with a result yet", target.text);
    return rc;
}

int cmd_replay(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .target = NULL };
    struct store_ids ids CLEANUP(store_ids_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_replay, argc, argv, 0, NULL, &a);
    if (choose(&a, &ids, &err) != 0)
        return cli_fail(env, &err);
    return carry_out(&a, env, &ids, false);
}

/* ---- drover verify ---- */

static const struct argp_option verify_rows[] = {
    OPTION_STORE,
    { "sample", KEY_SAMPLE, "N", 0, "How many jobs (default 10); 0: all", 0 },
    { "seed", KEY_SEED, "S", 0, "Another sample (default 1)", 0 },
    OPTION_WORKERS,
    OPTION_THREADS,
    OPTION_JSON,
    { 0 }
};

static const char verify_doc[] =
    "Replay a sample of an experiment's jobs (drover replay) and say how many gave the same bits. "
    "The sample depends on the seed and the jobs' keys only.\v"
    "Example:\n"
    "  drover verify quickstart\n"
    "  drover verify quickstart --sample 100 --seed 2\n\n"
    "Exit status: 0 all the same, 1 a difference or a failure, 2 wrong usage.";

static error_t parse_verify(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_SAMPLE:
        a->sample = (uint64_t)options_number(state, "sample", arg, 0, SAMPLE_MAX);
        return 0;
    case KEY_SEED:
        a->seed = (uint64_t)options_number(state, "seed", arg, 0, 1000000000);
        return 0;
    case ARGP_KEY_END:
        if (!a->target)
            argp_error(state, "which experiment? drover status lists them");
        return 0;
    default:
        return parse_shared(a, key, arg, state);
    }
}

const struct argp argp_verify = { verify_rows, parse_verify, "EXPERIMENT", verify_doc,
                                  NULL,        NULL,         NULL };

static int choose_sample(const struct arguments *a, struct store_ids *ids, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    uint64_t experiment;
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (!rc)
        rc = store_find_experiment(s, a->target, &experiment, err);
    if (!rc)
        rc = replay_choose(s, experiment, 0, a->sample, a->seed, ids, err);
    if (!rc && ids->len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "experiment %s has no job with a result yet", a->target);
    return rc;
}

int cmd_verify(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .sample = SAMPLE_DEFAULT, .seed = 1 };
    struct store_ids ids CLEANUP(store_ids_release) = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_verify, argc, argv, 0, NULL, &a);
    if (choose_sample(&a, &ids, &err) != 0)
        return cli_fail(env, &err);
    return carry_out(&a, env, &ids, true);
}
