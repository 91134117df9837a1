/* SPDX-License-Identifier: Apache-2.0 */
/* paper.h - a small store as a paper has it: two schedules, three seeds, two tasks (one with two
 * levels), a model trained, evaluated as it is and with a router, and searched. Outcomes come from
 * a fixed sequence, so that golden tables stay what they are. */
#ifndef TESTS_UNIT_STORE_TABLES_PAPER_H
#define TESTS_UNIT_STORE_TABLES_PAPER_H

#include "tests/unit/store/small_plan.h"

#include "store/tables/tables.h"

struct paper {
    uint64_t examples;    /* of each family; 0: 40 */
    uint64_t seeds;       /* 0: 3 */
    const char *lacks;    /* "schedule/seed/step": not done */
    const char *diverged; /* "schedule/seed": the training diverged */
    const char *name;     /* NULL: "paper" */
    const char *salt;     /* of the outcomes; NULL: "" */
    bool other_examples;  /* step "routed" has a list of its own */
};

/* FNV-1a, then a finaliser: any fixed function would do. */
static inline double paper_random(const char *what, uint64_t i)
{
    uint64_t h = 1469598103934665603u;

    for (; *what; what++)
        h = (h ^ (uint8_t)*what) * 1099511628211u;
    h ^= i * 0x9E3779B97F4A7C15u;
    h ^= h >> 33;
    h *= 0xFF51AFD7ED558CCDu;
    h ^= h >> 29;
    h *= 0xC4CEB9FE1A85EC53u;
    h ^= h >> 32;
    return (double)(h >> 11) / 9007199254740992.0;
}

static inline void paper_example(struct store *s, struct try t, const char *schedule,
                                 const char *seed, const char *step, const char *task, int level,
                                 const struct paper *p, uint64_t i)
{
    static const uint8_t routing[4] = { 1, 0, 1, 1 };
    const char *salt = p->salt ? p->salt : "";
    char name[160], same[160];
    double hard, luck, chance = strcmp(schedule, "cosine") == 0 ? 0.62 : 0.5;
    enum store_verdict verdict;
    struct store_value_of f1 = { "f1", 0.0 };
    struct store_score score = { .answer = "1", .layers = 4, .tokens = 9, .pick = -1, .gold = -1 };
    struct store_label label = {
        .routing = routing, .routing_len = 4, .layers = 4, .base_answer = "1", .label_answer = "2"
    };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .example = { .id = 1000u * (uint64_t)level + i +
                                                         (strcmp(task, "math") == 0 ? 1 : 500001),
                                                   .index = i,
                                                   .task = task,
                                                   .split = "test",
                                                   .level = level,
                                                   .question = "q",
                                                   .gold = "1" } };

    snprintf(same, sizeof same, "%s %d", task, level); /* hard for every model */
    snprintf(name, sizeof name, "%s %s %s %s %d %s", schedule, seed, step, task, level, salt);
    hard = paper_random(same, i);
    luck = paper_random(name, i);
    if (strcmp(step, "routed") == 0) {
        chance += 0.2;
        r.example.id += p->other_examples ? 100000 : 0;
    }
    chance -= 0.1 * level;
    score.correct = 0.5 * hard + 0.5 * luck < chance;
    score.correct_norm = score.correct;
    score.layers = strcmp(step, "routed") == 0 ? 3.0 + luck : 4.0;
    score.generated = (uint32_t)(5.0 + 10.0 * luck);
    f1.value = score.correct ? 1.0 : luck / 3.0;
    score.values = &f1;
    score.values_len = strcmp(task, "math") == 0 ? 0 : 1;
    label.base_correct = score.correct;
    label.has_label = hard < 0.9;
    label.label_layers = label.has_label ? 3 : 4;
    if (strcmp(step, "labels") == 0)
        r.label = &label;
    else
        r.score = &score;
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

static inline void paper_done(struct store *s, struct try t, bool diverged)
{
    struct store_result r = { .attempt = t.attempt,
                              .epoch = t.epoch,
                              .outcome = diverged ? STORE_DIVERGED : STORE_DONE,
                              .environment = "cpu",
                              .wall_ms = 1500 };
    enum store_verdict verdict;

    OK(store_job_done(s, &r, &verdict, NULL, err));
}

static inline void paper_train(struct store *s, uint64_t job, const char *point, bool diverged)
{
    struct store_metric m[40];
    struct try t;

    begin(s);
    t = start(s, job);
    for (uint64_t i = 0; i < 20; i++) {
        m[2 * i] = (struct store_metric){ "loss", i,
                                          2.0 / (double)(i + 1) + 0.1 * paper_random(point, i) };
        m[2 * i + 1] = (struct store_metric){ "reward", i, 0.05 * (double)i };
    }
    OK(store_metrics(s, t.attempt, m, ARRAY_LEN(m), err));
    paper_done(s, t, diverged);
    commit(s);
}

struct paper_part {
    const char *step, *kind, *task;
    int level;
};
static const struct paper_part paper_parts[] = {
    { "base", "evaluate", "math", 1 },   { "base", "evaluate", "math", 2 },
    { "base", "evaluate", "story", 0 },  { "routed", "evaluate", "math", 1 },
    { "routed", "evaluate", "math", 2 }, { "routed", "evaluate", "story", 0 },
    { "labels", "search", "math", 1 },   { "labels", "search", "math", 2 },
};
enum { PAPER_PARTS = 8, PAPER_RUNS = 16 };

struct paper_job {
    uint64_t train, part[PAPER_PARTS];
    const char *schedule;
    char seed[24];
};

static inline void paper_submit_run(struct store *s, struct store_submission *sub,
                                    const struct paper *p, uint64_t seed, const char *schedule,
                                    struct paper_job *to)
{
    struct store_param params[] = { { "seed", to->seed }, { "train.schedule", NULL } };
    char text[160], quoted[32];
    struct store_job_spec spec = {
        .kind = "noop", .numeric_class = "packed-1", .step = "train", .params = "", .runs_len = 1
    };
    struct digest digest;
    uint64_t run;

    snprintf(to->seed, sizeof to->seed, "%d", (int)seed);
    snprintf(quoted, sizeof quoted, "\"%s\"", schedule);
    params[1].value = quoted;
    to->schedule = schedule;
    snprintf(text, sizeof text, "%s %s %s", p->name ? p->name : "", schedule, to->seed);
    digest = key_of(text);
    OK(store_submit_run(s, sub, &digest, seed, params, 2, &run, err));
    spec.runs = &run;
    spec.key = digest;
    OK(store_submit_job(s, sub, &spec, &to->train, err));
    for (int i = 0; i < PAPER_PARTS; i++) {
        const struct paper_part *part = &paper_parts[i];
        struct store_family f = { .split = "test", .level = part->level };
        struct store_job_family jf = { 0 };

        snprintf(f.kind, sizeof f.kind, "%s", part->kind);
        snprintf(f.task, sizeof f.task, "%s", part->task);
        snprintf(text, sizeof text, "%s %s %s %s %s %d", p->name ? p->name : "", schedule, to->seed,
                 part->step, part->task, part->level);
        f.key = key_of(text);
        OK(store_submit_family(s, &f, &jf.family, err));
        OK(store_submit_run_family(s, run, part->step, jf.family, p->examples, err));
        spec.kind = part->kind;
        spec.step = part->step;
        spec.end = p->examples;
        spec.families = &jf;
        spec.families_len = 1;
        snprintf(text + strlen(text), sizeof text - strlen(text), " job");
        spec.key = key_of(text);
        OK(store_submit_job(s, sub, &spec, &to->part[i], err));
    }
}

/* The whole of P; returns the experiment. */
static inline uint64_t paper_fill(struct store *s, struct paper p)
{
    static const char *const schedules[] = { "constant", "cosine" };
    struct digest revision = key_of("rev");
    struct paper_job job[PAPER_RUNS];
    struct store_submission sub;
    size_t runs = 0;

    p.examples = p.examples ? p.examples : 40;
    p.seeds = p.seeds ? p.seeds : 3;
    OK(store_submit_begin(s, p.name ? p.name : "paper", &revision, "name = \"paper\";", "paper.cfg",
                          &sub, err));
    for (int k = 0; k < 2; k++)
        for (uint64_t seed = 1; seed <= p.seeds; seed++)
            paper_submit_run(s, &sub, &p, seed, schedules[k], &job[runs++]);
    OK(store_submit_end(s, &sub, NULL, err));
    for (size_t r = 0; r < runs; r++) {
        char point[64], step[96];

        snprintf(point, sizeof point, "%s/%s", job[r].schedule, job[r].seed);
        paper_train(s, job[r].train, point, p.diverged && strcmp(p.diverged, point) == 0);
        for (int i = 0; i < PAPER_PARTS; i++) {
            struct try t;

            snprintf(step, sizeof step, "%s/%s", point, paper_parts[i].step);
            if (p.lacks && strcmp(p.lacks, step) == 0)
                continue;
            begin(s);
            t = start(s, job[r].part[i]);
            for (uint64_t k = 0; k < p.examples; k++)
                paper_example(s, t, job[r].schedule, job[r].seed, paper_parts[i].step,
                              paper_parts[i].task, paper_parts[i].level, &p, k);
            paper_done(s, t, false);
            commit(s);
        }
    }
    return sub.experiment;
}

#endif
