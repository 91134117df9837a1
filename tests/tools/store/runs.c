/* SPDX-License-Identifier: Apache-2.0 */
/* runs.c - the runs: parameters, jobs, attempts, scores, and the wide row that sums them up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/tools/store/make.h"

enum { TRIES = 3 };

/* A run on its way into the store. */
struct making {
    struct make *m;
    uint64_t index, run, train, score, family;
    const struct make_family *labels; /* NULL: it reads none */
    struct make_run what;
    struct make_sums sums;
    uint64_t correct, tokens, generated; /* over its scores */
    double layers;
    bool scored;
};

static void put_run(struct making *k)
{
    struct stmt *st =
        make_stmt(k->m, "INSERT INTO run (id, experiment, digest, seed, revision, "
                        "superseded) VALUES (:id, 1, :digest, :seed, :revision, :old)");
    bool old = k->what.fate == FATE_SUPERSEDED;
    struct digest d;

    make_digest(k->m, "point", k->run, &d);
    stmt_reset(st);
    stmt_u64(st, ":id", k->run);
    stmt_digest(st, ":digest", &d);
    stmt_u64(st, ":seed", k->what.seed);
    stmt_int(st, ":revision", old ? 1 : 2);
    stmt_int(st, ":old", old);
    make_run_stmt(st);
}

static void put_param(struct making *k, const char *name, const char *value)
{
    struct stmt *st =
        make_stmt(k->m, "INSERT INTO param (run, name, value) VALUES (:run, :name, :value)");

    stmt_reset(st);
    stmt_u64(st, ":run", k->run);
    stmt_text(st, ":name", name);
    stmt_text(st, ":value", value);
    make_run_stmt(st);
}

/* In the order of their names, as the table is sorted. */
static void put_params(struct making *k)
{
    const struct make_run *r = &k->what;
    char text[32];

    snprintf(text, sizeof text, "\"%.29s\"", r->model);
    put_param(k, "model", text);
    put_param(k, "prompts.think", r->think ? "true" : "false");
    snprintf(text, sizeof text, "%u", r->windows);
    put_param(k, "router.windows", text);
    snprintf(text, sizeof text, "\"%s\"", make_schedules[r->schedule]);
    put_param(k, "schedule", text);
    snprintf(text, sizeof text, "%.1f", 0.6 + 0.6 * r->exploration);
    put_param(k, "search.exploration", text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)r->seed);
    put_param(k, "seed", text);
    snprintf(text, sizeof text, "%u", r->batch);
    put_param(k, "train.batch", text);
    snprintf(text, sizeof text, "%.3g", r->lr);
    put_param(k, "train.lr", text);
}

static void claim(struct making *k, uint64_t job, const char *step)
{
    struct stmt *st = make_stmt(k->m, "INSERT INTO run_job (run, job, step, live) VALUES (:run, "
                                      ":job, :step, :live)");

    stmt_reset(st);
    stmt_u64(st, ":run", k->run);
    stmt_u64(st, ":job", job);
    stmt_text(st, ":step", step);
    stmt_int(st, ":live", k->what.fate != FATE_SUPERSEDED);
    make_run_stmt(st);
}

static void reads(struct making *k, const char *step, uint64_t family, uint64_t examples)
{
    struct stmt *st = make_stmt(k->m, "INSERT INTO run_family (run, step, family, examples) VALUES "
                                      "(:run, :step, :family, :examples)");

    stmt_reset(st);
    stmt_u64(st, ":run", k->run);
    stmt_text(st, ":step", step);
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    make_run_stmt(st);
}

/* ---- jobs ---- */

static const struct {
    const char *outcome, *text, *log;
} ways_to_fail[] = {
    { "FAILED", "step 312: the loss is not a number; lower train.lr or set clip",
      "step 310: loss 8.2\nstep 311: loss 441.7\nstep 312: loss nan\n" },
    { "OOM", "killed at 15.9 GiB of 16 GiB; ask for more with memory = \"32 GiB\"",
      "step 12: activations 14.1 GiB\n" },
    { "TIMEOUT", "no progress for 600 s, or past 3600 s; raise timeout", "waiting for a batch\n" },
    { "FAILED", "data/<b>math</b>.jsonl:17: \"question\" is missing",
      "reading data/<b>math</b>.jsonl\n" },
};

/* The attempts that a job had, the last of them with OUTCOME; those before were lost. */
static void run_job(struct making *k, struct make_job *j, const char *outcome, double seconds)
{
    struct make_attempt a = {
        .job = j->id, .epoch = 1, .outcome = "LOST", .text = "no message for 30 s"
    };

    if (make_mix(k->m, "lost", j->id, 0) % 200 == 0) {
        make_attempt(k->m, &a, seconds / 3.0);
        make_count_attempt(&k->sums, &a, false);
        j->losses = 1;
        a.epoch++;
    }
    a.outcome = outcome;
    a.text = NULL;
    make_attempt(k->m, &a, seconds);
    make_count_attempt(&k->sums, &a, true);
    j->attempt = a.id;
    j->epoch = a.epoch;
}

static void fail_job(struct making *k, struct make_job *j, double seconds)
{
    uint64_t way = make_mix(k->m, "way", j->id, 0) % ARRAY_LEN(ways_to_fail);
    struct make_attempt a = { .job = j->id,
                              .outcome = ways_to_fail[way].outcome,
                              .text = ways_to_fail[way].text };

    for (a.epoch = 1; a.epoch <= TRIES; a.epoch++) {
        make_attempt(k->m, &a, seconds / 2.0);
        make_count_attempt(&k->sums, &a, false);
    }
    a.epoch = TRIES;
    j->epoch = j->tries = TRIES;
    j->state = "FAILED";
    make_log(k->m, &a, ways_to_fail[way].log);
    make_event(k->m, "failed", &a, ways_to_fail[way].text);
}

static void put_job(struct making *k, const struct make_job *j)
{
    make_job(k->m, j);
    make_count_job(&k->sums, j->state, j->diverged);
    claim(k, j->id, j->step);
}

static void put_train(struct making *k)
{
    struct make_job j = { .id = k->train,
                          .kind = "pretrain",
                          .step = "train",
                          .state = "DONE",
                          .seed = k->what.seed,
                          .needed = true };
    uint64_t state = make_mix(k->m, "train", k->index, 0);
    double u = make_uniform(&state), seconds = 20.0 + 60.0 * u * u / (1.05 - u);
    char text[160];

    snprintf(text, sizeof text, "batch = %u\nlearning_rate = %.3g\nschedule = \"%s\"\n",
             k->what.batch, k->what.lr, make_schedules[k->what.schedule]);
    j.text = text;
    if (k->what.fate == FATE_TRAIN_FAILED)
        fail_job(k, &j, seconds);
    else if (k->what.fate == FATE_CANCELLED)
        j.state = "CANCELLED";
    else if (k->what.fate == FATE_TRAIN_READY)
        j.state = "READY";
    else
        run_job(k, &j, k->what.fate == FATE_DIVERGED ? "DIVERGED" : "DONE", seconds);
    j.diverged = k->what.fate == FATE_DIVERGED;
    if (strcmp(j.state, "DONE") == 0)
        k->m->attempt[k->index] = j.attempt;
    put_job(k, &j);
}

static void put_need(struct making *k)
{
    struct stmt *st = make_stmt(k->m, "INSERT INTO job_need (job, need) VALUES (:job, :need)");

    stmt_reset(st);
    stmt_u64(st, ":job", k->score);
    stmt_u64(st, ":need", k->train);
    make_run_stmt(st);
}

static void put_family(struct making *k)
{
    struct stmt *st = make_stmt(k->m, "INSERT INTO family (id, key, kind, task, level, split, "
                                      "complete) VALUES (:id, :key, 'evaluate', 'math', 3, 'test', "
                                      ":complete)");
    struct digest key;

    make_digest(k->m, "family", k->family, &key);
    stmt_reset(st);
    stmt_u64(st, ":id", k->family);
    stmt_digest(st, ":key", &key);
    stmt_u64(st, ":complete", k->scored ? k->what.examples : 0);
    make_run_stmt(st);
    st = make_stmt(k->m, "INSERT INTO job_family (job, place, family, examples) VALUES (:job, 0, "
                         ":family, :examples)");
    stmt_reset(st);
    stmt_u64(st, ":job", k->score);
    stmt_u64(st, ":family", k->family);
    stmt_u64(st, ":examples", k->what.examples);
    make_run_stmt(st);
}

/* Returns the attempt that gave the scores; 0: none. */
static uint64_t put_score_job(struct making *k)
{
    struct make_job j = { .id = k->score,
                          .kind = "evaluate",
                          .step = "score",
                          .state = "DONE",
                          .seed = 0,
                          .end = k->what.examples,
                          .parts = true,
                          .text = "examples = 10\nlevel = 3\nsplit = \"test\"\ntask = \"math\"\n" };
    double seconds = 4.0 + (double)(make_mix(k->m, "eval", k->index, 0) % 9000) / 1000.0;

    switch (k->what.fate) {
    case FATE_TRAIN_FAILED:
        j.state = "SKIPPED";
        j.waiting = 1;
        break;
    case FATE_CANCELLED:
        j.state = "CANCELLED";
        j.waiting = 1;
        break;
    case FATE_TRAIN_READY:
        j.state = "WAITING";
        j.waiting = 1;
        break;
    case FATE_SCORE_READY:
        j.state = "READY";
        break;
    case FATE_SCORE_FAILED:
        fail_job(k, &j, seconds);
        break;
    case FATE_FINISHED:
    case FATE_SUPERSEDED:
    case FATE_DIVERGED:
        run_job(k, &j, "DONE", seconds);
        k->scored = true;
        break;
    }
    put_job(k, &j);
    return j.attempt;
}

/* ---- results ---- */

static void put_score(struct making *k, uint64_t idx, uint64_t attempt)
{
    static const char sql[] =
        "INSERT INTO score (id, family, example, idx, attempt, correct, correct_norm, answer, "
        "layer_rows, layers, tokens, wall_us, digest, generated) VALUES (:id, :family, :example, "
        ":idx, :attempt, :correct, :correct, :answer, :rows, :layers, :tokens, :us, :digest, "
        ":generated)";
    struct stmt *st = make_stmt(k->m, sql);
    uint64_t id = ++k->m->next_score, state = make_mix(k->m, "score", k->family, idx);
    bool right = make_uniform(&state) < k->what.quality;
    double layers = MAKE_LAYERS - (double)(state % 9) - (k->what.windows > 4 ? 0.5 : 0.0);
    uint64_t tokens = 20 + (uint64_t)(make_uniform(&state) * (k->what.think ? 180.0 : 60.0));
    struct digest d;

    make_digest(k->m, "result", id, &d);
    stmt_reset(st);
    stmt_u64(st, ":id", id);
    stmt_u64(st, ":family", k->family);
    stmt_u64(st, ":example", idx + 1);
    stmt_u64(st, ":idx", idx);
    stmt_u64(st, ":attempt", attempt);
    stmt_int(st, ":correct", right);
    stmt_text(st, ":answer", right ? "7" : "3");
    stmt_u64(st, ":rows", (uint64_t)(layers * (double)tokens));
    stmt_real(st, ":layers", layers);
    stmt_u64(st, ":tokens", tokens);
    stmt_int(st, ":us", 300 + (int64_t)(state >> 40 & 4095));
    stmt_digest(st, ":digest", &d);
    stmt_u64(st, ":generated", tokens / 2);
    make_run_stmt(st);
    k->correct += right;
    k->tokens += tokens;
    k->generated += tokens / 2;
    k->layers += layers;
}

static void put_tally(struct making *k, int part)
{
    static const char sql[] =
        "INSERT INTO tally (family, examples, part, subset, parts, search, n, correct, "
        "correct_norm, "
        "labelled, preserved, improved, layers_label, layers_all, layers_base, tokens, generated, "
        "truncated, repeats) VALUES (:family, :n, :part, '', 1 - :part, 0, :n, :correct, :correct, "
        "0, 0, 0, :layers, :layers, 0.0, :tokens, :generated, 0, 0)";
    struct stmt *st = make_stmt(k->m, sql);

    stmt_reset(st);
    stmt_u64(st, ":family", k->family);
    stmt_u64(st, ":n", k->what.examples);
    stmt_int(st, ":part", part);
    stmt_u64(st, ":correct", k->correct);
    stmt_real(st, ":layers", k->layers);
    stmt_u64(st, ":tokens", k->tokens);
    stmt_u64(st, ":generated", k->generated);
    make_run_stmt(st);
}

static void put_scores(struct making *k, uint64_t attempt)
{
    static const char sql[] = "INSERT INTO summary (family, examples, metric, value, stderr, "
                              "stderr_pooled, n, truncated) VALUES (:family, :n, 'acc', :value, "
                              "NULL, NULL, :n, 0)";
    struct stmt *st;

    for (uint64_t i = 0; i < k->what.examples; i++)
        put_score(k, i, attempt);
    put_tally(k, 0);
    put_tally(k, 1);
    st = make_stmt(k->m, sql);
    stmt_reset(st);
    stmt_u64(st, ":family", k->family);
    stmt_u64(st, ":n", k->what.examples);
    stmt_real(st, ":value", (double)k->correct / (double)k->what.examples);
    make_run_stmt(st);
}

static void put_summary(struct making *k)
{
    static const char sql[] =
        "INSERT INTO run_summary (run, experiment, jobs, waiting, ready, done, failed, skipped, "
        "cancelled, diverged, wall_ms, accuracy, base, oracle, n, layers, tokens, first_ms, "
        "last_ms) "
        "VALUES (:run, 1, :jobs, :waiting, :ready, :done, :failed, :skipped, :cancelled, "
        ":diverged, "
        ":wall, :accuracy, :base, :oracle, :n, :layers, :tokens, :first, :last)";
    struct stmt *st = make_stmt(k->m, sql);
    const struct make_sums *x = &k->sums;
    double n = (double)k->what.examples;

    stmt_reset(st);
    stmt_u64(st, ":run", k->run);
    stmt_u64(st, ":jobs", x->jobs);
    stmt_u64(st, ":waiting", x->waiting);
    stmt_u64(st, ":ready", x->ready);
    stmt_u64(st, ":done", x->done);
    stmt_u64(st, ":failed", x->failed);
    stmt_u64(st, ":skipped", x->skipped);
    stmt_u64(st, ":cancelled", x->cancelled);
    stmt_u64(st, ":diverged", x->diverged);
    stmt_u64(st, ":wall", x->wall_ms);
    if (k->scored) {
        stmt_real(st, ":accuracy", (double)k->correct / n);
        stmt_real(st, ":layers", k->layers / n);
    }
    stmt_u64(st, ":n", k->scored ? k->what.examples : 0);
    stmt_u64(st, ":tokens", k->tokens);
    if (k->labels && k->labels->complete) {
        stmt_real(st, ":base", (double)k->labels->correct / (double)k->labels->examples);
        stmt_real(st, ":oracle", (double)k->labels->labelled / (double)k->labels->examples);
    }
    if (x->first_ms) {
        stmt_int(st, ":first", x->first_ms);
        stmt_int(st, ":last", x->last_ms);
    }
    make_run_stmt(st);
}

static void add_labels(struct making *k)
{
    const struct make_sums *from;
    struct make_sums *to = &k->sums;

    k->labels = make_family(make_mix(k->m, "labels", k->index / 5, 0) % k->m->families);
    from = &k->labels->sums;
    claim(k, k->labels->job, "labels");
    reads(k, "labels", k->labels->id, k->labels->examples);
    to->jobs += from->jobs;
    to->ready += from->ready;
    to->done += from->done;
    to->wall_ms += from->wall_ms;
    to->first_ms = to->first_ms == 0 ? from->first_ms : MIN(to->first_ms, from->first_ms);
    to->last_ms = MAX(to->last_ms, from->last_ms);
}

static void one(struct make *m, uint64_t i)
{
    struct making k = { .m = m, .index = i, .run = i + 1 };
    uint64_t attempt;

    make_run(m, i, &k.what);
    k.train = ++m->next_job;
    put_run(&k);
    put_params(&k);
    put_train(&k);
    if (k.what.examples > 0) {
        k.score = ++m->next_job;
        k.family = ++m->next_family;
        attempt = put_score_job(&k);
        put_need(&k);
        put_family(&k);
        reads(&k, "score", k.family, k.what.examples);
        if (k.scored)
            put_scores(&k, attempt);
    }
    if (m->families > 0)
        add_labels(&k);
    put_summary(&k);
}

void make_runs(struct make *m)
{
    m->attempt = mem_calloc(m->runs, sizeof *m->attempt);
    for (uint64_t i = 0; i < m->runs; i++) {
        one(m, i);
        if ((i + 1) % 100000 == 0)
            make_say(m, "%llu runs, %llu scores\n", (unsigned long long)i + 1,
                     (unsigned long long)m->next_score);
    }
}
