/* SPDX-License-Identifier: Apache-2.0 */
/* sweep.c - the points of the sweep and what became of them; the rows that come first: experiment,
 * workers, examples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "tests/tools/store/make.h"

enum { GONE = 16 };

const char *const make_schedules[5] = { "fixed", "linear", "exponential", "step", "cosine" };

static enum make_fate fate(const struct make *m, uint64_t i, double lr)
{
    static const struct {
        unsigned share; /* of a thousand */
        enum make_fate fate;
        bool open;
    } fates[] = { { 20, FATE_SUPERSEDED, false },   { 50, FATE_TRAIN_FAILED, false },
                  { 20, FATE_SCORE_FAILED, false }, { 30, FATE_CANCELLED, false },
                  { 80, FATE_TRAIN_READY, true },   { 60, FATE_SCORE_READY, true } };
    uint64_t h = make_mix(m, "fate", i, 0) % 1000, at = 0;

    for (size_t k = 0; k < ARRAY_LEN(fates); k++) {
        at += fates[k].share;
        if (h < at)
            return fates[k].open && m->ended ? FATE_FINISHED : fates[k].fate;
    }
    /* Large steps diverge, not always. */
    return lr > 3e-3 && make_mix(m, "nan", i, 0) % 4 == 0 ? FATE_DIVERGED : FATE_FINISHED;
}

static uint64_t digit(uint64_t *i, uint64_t values)
{
    uint64_t d = *i % values;

    *i /= values;
    return d;
}

/* To three significant digits, as people write them. */
static double three_digits(double v)
{
    char text[32];

    snprintf(text, sizeof text, "%.2e", v);
    return strtod(text, NULL);
}

void make_run(const struct make *m, uint64_t i, struct make_run *r)
{
    static const char *const models[] = { "small", "base", "wide", "deep" };
    static const double gain[] = { 0.0, 0.06, 0.11, 0.05, 0.08 };
    uint64_t rest = i, state = make_mix(m, "run", i / 5, 0);
    double u = make_uniform(&state), off;

    *r = (struct make_run){ .seed = digit(&rest, 5) + 1 };
    r->schedule = (unsigned)digit(&rest, 5);
    r->windows = 1u << digit(&rest, 5);
    r->think = digit(&rest, 2);
    r->batch = 16u << digit(&rest, 4);
    r->exploration = (unsigned)digit(&rest, 5);
    snprintf(r->model, sizeof r->model, "%s", models[digit(&rest, 4)]);
    r->lr = three_digits(pow(10.0, -5.0 + 3.0 * u));
    r->long_series =
        m->points >= 4 * MAKE_LONG * MAKE_LONG_RUNS && i < m->points / 2 / (2 * MAKE_LONG);
    if (r->long_series)
        snprintf(r->model, sizeof r->model, "long-%02llu",
                 (unsigned long long)(i / MAKE_LONG_RUNS));
    r->fate = r->long_series ? FATE_FINISHED : fate(m, i, r->lr);
    off = log10(r->lr) + 3.5;
    state = make_mix(m, "seed", i, 0);
    r->quality = 0.45 + gain[r->schedule] + 0.01 * log2(r->windows) + (r->think ? 0.05 : 0.0) -
                 0.05 * off * off + 0.02 * make_normal(&state);
    if (r->fate == FATE_DIVERGED)
        r->quality = 0.05;
    r->quality = MIN(0.98, MAX(0.02, r->quality));
    if (m->scores > 0) /* of the runs that have any, about 76 or 90 of a hundred, between 60 and
                          140 % of their mean */
        r->examples =
            MAX(1, (uint64_t)((double)m->scores / (double)m->runs / (m->ended ? 0.90 : 0.76) *
                                  (0.6 + 0.8 * make_uniform(&state)) +
                              0.5));
}

/* ---- rows that come first ---- */

static void put_experiment(struct make *m)
{
    struct stmt *st = make_stmt(m, "INSERT INTO experiment (id, name, revision, submitted_ms) "
                                   "VALUES (1, :name, NULL, :at)");
    struct err err = { 0 };
    struct digest d;

    stmt_text(st, ":name", m->name);
    stmt_int(st, ":at", m->begin_ms);
    make_run_stmt(st);
    for (int number = 1; number <= 2; number++) {
        st = make_stmt(m,
                       "INSERT INTO revision (id, experiment, number, digest, recipe, path, "
                       "submitted_ms, git) VALUES (:n, 1, :n, :digest, :recipe, 'sweep.cfg', :at, "
                       "'4f6e1a0 main clean')");
        make_digest(m, "revision", (uint64_t)number, &d);
        stmt_reset(st);
        stmt_int(st, ":n", number);
        stmt_digest(st, ":digest", &d);
        stmt_text(st, ":recipe",
                  "# made by drover-make-store: no recipe has jobs like these\n"
                  "name = \"generated/sweep\";\n");
        stmt_int(st, ":at", m->begin_ms - 3600000 * (2 - number));
        make_run_stmt(st);
    }
    make_must(stmt_run(make_stmt(m, "UPDATE experiment SET revision = 2"), &err), &err, "revision");
}

static void put_workers(struct make *m)
{
    static const char sql[] =
        "INSERT INTO worker (id, uid, name, host, pid, version, classes, slots, threads, first_ms, "
        "last_ms, gone, environment) VALUES (:id, :uid, :name, :host, :pid, '0.1.0', 'packed-1', "
        ":slots, 2, :first, :last, :gone, 'drover 0.1.0; kernels v4')";

    for (uint64_t i = 1; i <= MAKE_WORKERS; i++) {
        struct stmt *st = make_stmt(m, sql);
        char name[64], host[32];
        struct digest d;

        snprintf(host, sizeof host, "node%02llu", (unsigned long long)(i + 1) / 2);
        snprintf(name, sizeof name, "%s:%llu", host, (unsigned long long)(2000 + i));
        make_digest(m, "worker", i, &d);
        stmt_reset(st);
        stmt_u64(st, ":id", i);
        stmt_bytes(st, ":uid", d.b, 16);
        stmt_text(st, ":name", name);
        stmt_text(st, ":host", host);
        stmt_u64(st, ":pid", 2000 + i);
        stmt_int(st, ":slots", MAKE_SLOTS);
        stmt_int(st, ":first", m->begin_ms);
        stmt_int(st, ":last", m->end_ms);
        stmt_text(st, ":gone", i <= GONE ? "no message for 30 s" : "goodbye");
        make_run_stmt(st);
    }
}

/* Places 0..N-1 of the task's list. */
static void put_examples(struct make *m, const char *task, int level, const char *split, uint64_t n,
                         uint64_t first)
{
    static const char sql[] =
        "INSERT INTO example (id, task, level, split, number, source_id, "
        "question, gold) VALUES (:id, :task, :level, :split, :number, :source, "
        ":question, :gold)";

    for (uint64_t i = 0; i < n; i++) {
        struct stmt *st = make_stmt(m, sql);
        uint64_t h = make_mix(m, task, i, (uint64_t)level);
        char question[64], gold[8];

        snprintf(question, sizeof question, "%llu+%llu*%llu-%llu=", (unsigned long long)(h % 10),
                 (unsigned long long)(h >> 8 & 7), (unsigned long long)(h >> 16 & 7),
                 (unsigned long long)(i % 1000));
        snprintf(gold, sizeof gold, "%llu", (unsigned long long)(h >> 32) % 10);
        stmt_reset(st);
        stmt_u64(st, ":id", first + i);
        stmt_text(st, ":task", task);
        stmt_int(st, ":level", level);
        stmt_text(st, ":split", split);
        stmt_int(st, ":number", (int64_t)h);
        stmt_text(st, ":source", question);
        stmt_text(st, ":question", question);
        stmt_text(st, ":gold", gold);
        make_run_stmt(st);
    }
}

void make_base(struct make *m)
{
    put_experiment(m);
    put_workers(m);
    m->pool = MAX(1, m->scores * 2 / m->runs + 1);
    put_examples(m, "math", 3, "test", m->pool, 1);
    for (int level = 1; level <= 5; level++) {
        put_examples(m, "logic", level, "train", MAKE_FAMILY,
                     m->pool + 1 + (uint64_t)(level - 1) * MAKE_FAMILY);
    }
}
