/* SPDX-License-Identifier: Apache-2.0 */
/* group_store_trials.c - the same trial traffic: a trial is a run of five parameters, ten values
 * that it reports on its way and one at its end; each is durable before the next is sent. drover
 * serves 256 slots at a time and commits what has come in together; optuna's storage (SQLite, its
 * own settings) commits each by itself. Then a million runs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/mem.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"
#include "tests/bench/peer.h"

enum { SLOTS = 256, REPORTS = 10, PARAMS = 5, PAIRS = 5, TRIALS_PEER = 10 };

struct trial {
    uint64_t job, attempt;
    uint32_t epoch;
};

static void submit_trial(struct store *s, struct store_submission *sub, uint64_t number,
                         size_t params_len, uint64_t *ret_job)
{
    static const char *const names[PARAMS] = { "lr", "gamma", "clip", "group", "weight" };
    char text[PARAMS][32], name[48];
    struct store_param params[PARAMS];
    struct store_job_spec spec = { .kind = "noop",
                                   .numeric_class = "packed-1",
                                   .step = "train",
                                   .kind_version = 1,
                                   .params = "",
                                   .params_text = "" };
    struct digest point;
    struct err err = { 0 };
    uint64_t run;

    snprintf(name, sizeof name, "trial %llu", (unsigned long long)number);
    point = digest_of(name, strlen(name));
    for (size_t i = 0; i < params_len; i++) {
        snprintf(text[i], sizeof text[i], "%.17g", (double)(number * 7919 % 1000 + i) / 1000.0);
        params[i] = (struct store_param){ names[i], text[i] };
    }
    bench_must(store_submit_run(s, sub, &point, number % 5, params, params_len, &run, &err), &err,
               "run");
    spec.key = point;
    spec.runs = &run;
    spec.runs_len = 1;
    bench_must(store_submit_job(s, sub, &spec, ret_job, &err), &err, "job");
}

static void report(struct store *s, struct trial *t, size_t n, uint64_t step)
{
    struct err err = { 0 };

    bench_must(store_begin(s, &err), &err, "begin");
    for (size_t i = 0; i < n; i++) {
        struct store_metric m = { "reward", step, (double)(i * 31 + step) / 997.0 };

        if (step == 0)
            bench_must(store_attempt_start(s, t[i].job, 0, &t[i].attempt, &t[i].epoch, &err), &err,
                       "attempt");
        bench_must(store_metrics(s, t[i].attempt, &m, 1, &err), &err, "metrics");
    }
    bench_must(store_commit(s, &err), &err, "commit");
}

static void finish(struct store *s, const struct trial *t, size_t n)
{
    struct err err = { 0 };

    bench_must(store_begin(s, &err), &err, "begin");
    for (size_t i = 0; i < n; i++) {
        struct store_metric m = { "final", REPORTS, (double)i / 997.0 };
        struct store_result r = { .attempt = t[i].attempt,
                                  .epoch = t[i].epoch,
                                  .outcome = STORE_DONE,
                                  .metrics = &m,
                                  .metrics_len = 1 };
        enum store_verdict verdict;

        bench_must(store_job_done(s, &r, &verdict, NULL, &err), &err, "job");
    }
    bench_must(store_commit(s, &err), &err, "commit");
}

/* Trials FIRST.. FIRST + N - 1 from their submission to their end; trials per second. */
static double run_trials(struct store *s, uint64_t first, size_t n)
{
    struct trial *t = mem_calloc(n, sizeof *t);
    struct store_submission sub;
    struct digest revision = digest_of(&first, sizeof first);
    struct err err = { 0 };
    char name[48];
    double start = store_seconds();

    snprintf(name, sizeof name, "trials %llu", (unsigned long long)first);
    bench_must(store_submit_begin(s, name, &revision, "", "", &sub, &err), &err, "submit");
    for (size_t i = 0; i < n; i++)
        submit_trial(s, &sub, first + i, PARAMS, &t[i].job);
    bench_must(store_submit_end(s, &sub, NULL, &err), &err, "submit");
    for (size_t at = 0; at < n; at += SLOTS) {
        size_t len = MIN((size_t)SLOTS, n - at);

        for (uint64_t step = 0; step < REPORTS; step++)
            report(s, t + at, len, step);
        finish(s, t + at, len);
    }
    free(t);
    return (double)n / (store_seconds() - start);
}

void store_bench_trials(struct bench *b)
{
    const char *argv[] = { "/usr/bin/python3", DROVER_BENCH_FOLDER "/optuna_peer.py", NULL, NULL };
    struct rows *r = mem_calloc(1, sizeof *r);
    size_t trials = b->quick ? 1024 : 5120, n = 0;
    double own[PAIRS], other[PAIRS], ratio[PAIRS];
    struct peer *peer;
    const char *answer;

    rows_open(r, 1);
    argv[2] = r->dir;
    peer = peer_start(argv, NULL);
    answer = peer ? peer_ask(peer, "0") : NULL;
    if (!answer || strncmp(answer, "ready", 5) != 0) {
        peer_stop(peer);
        peer = NULL;
        bench_note(b, "store.trials.vs_optuna: python3-optuna is not there (./dev setup bench)");
    }
    for (; n < PAIRS; n++) {
        char question[16];

        own[n] = run_trials(r->s, n * trials, trials);
        snprintf(question, sizeof question, "%d", TRIALS_PEER);
        answer = peer ? peer_ask(peer, question) : NULL;
        other[n] = answer ? strtod(answer, NULL) : NAN;
        ratio[n] = own[n] / other[n];
    }
    if (peer && !isnan(other[PAIRS - 1])) {
        bench_report(b, "store.trials.vs_optuna", "ratio", bench_figure(ratio, n), BETTER_HIGHER,
                     200);
        bench_report(b, "store.trials.optuna_per_s", "trials/s", bench_figure(other, n),
                     BETTER_HIGHER, NAN);
    }
    bench_report(b, "store.trials.per_s", "trials/s", bench_figure(own, n), BETTER_HIGHER, NAN);
    peer_stop(peer);
    rows_close(r);
    free(r);
}

static int count_row(const char *const *names, const struct store_value *v, size_t columns,
                     void *arg)
{
    (void)names;
    (void)columns;
    *(size_t *)arg += v != NULL;
    return 0;
}

/* What `drover runs --where --sort` asks, over all runs. */
static double ask_runs(struct store *s, uint64_t experiment)
{
    struct store_query limits = { .time_ms = 60000 };
    char sql[256];
    size_t rows = 0;
    struct err err = { 0 };
    double start = store_seconds();

    snprintf(sql, sizeof sql,
             "SELECT run_summary.run, seed, done, ready, seconds, accuracy FROM run_summary "
             "JOIN run ON run.id = run_summary.run WHERE run_summary.experiment = %llu AND "
             "superseded = 0 AND ready > 0 AND seed > 2 ORDER BY seconds DESC, seed LIMIT 20",
             (unsigned long long)experiment);
    bench_must(store_query(s, sql, &limits, count_row, &rows, &err), &err, "query");
    return store_seconds() - start;
}

void store_bench_runs(struct bench *b)
{
    size_t tenth = b->quick ? 2000 : 100000;
    struct rows *r = mem_calloc(1, sizeof *r);
    struct store_submission sub;
    struct digest revision = digest_of("runs", 4);
    struct store *reader;
    double rate[10], ratio, asked[5];
    struct err err = { 0 };

    rows_open(r, 1);
    bench_must(store_submit_begin(r->s, "runs", &revision, "", "", &sub, &err), &err, "submit");
    for (size_t k = 0; k < 10; k++) {
        double start = store_seconds();

        for (size_t i = 0; i < tenth; i++) {
            uint64_t job;

            submit_trial(r->s, &sub, k * tenth + i, 2, &job);
        }
        rate[k] = (double)tenth / (store_seconds() - start);
    }
    bench_must(store_submit_end(r->s, &sub, NULL, &err), &err, "submit");
    ratio = rate[9] / rate[0];
    rows_close_store(r);
    bench_must(store_open_read(&reader, r->path, &err), &err, r->path);
    for (size_t i = 0; i < 5; i++)
        asked[i] = ask_runs(reader, sub.experiment);
    store_close(reader);
    bench_report(b, "store.runs.submit_per_s", "runs/s", bench_figure(rate, 10), BETTER_HIGHER,
                 NAN);
    bench_report(b, "store.runs.flatness", "ratio", bench_figure(&ratio, 1), BETTER_HIGHER, 0.8);
    bench_report(b, "store.runs.where_sort_ms", "ms", bench_scale(bench_figure(asked, 5), 1e3),
                 BETTER_LOWER, NAN);
    rows_close(r);
    free(r);
}
