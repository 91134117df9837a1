/* SPDX-License-Identifier: Apache-2.0 */
/* scores.h - an evaluation as a plan of shards, scores for it, and a look at its summary. */
#ifndef TESTS_UNIT_STORE_SCORES_H
#define TESTS_UNIT_STORE_SCORES_H

#include "tests/unit/store/small_plan.h"

#include <math.h>

enum { SHARDS_MAX = 400 };

struct eval {
    struct store_submission sub;
    uint64_t run, family, job[SHARDS_MAX];
    size_t shards;
};

/* Run POINT of experiment NAME reads the first EXAMPLES of family "fam", in shards of SIZE. */
static inline void submit(struct store *s, const char *name, uint64_t examples, uint64_t size,
                          struct eval *e)
{
    struct digest revision = key_of(name), point = key_of(name);
    struct store_family family = {
        .key = key_of("fam"), .kind = "evaluate", .task = "cola", .split = "validation"
    };
    struct store_job_family jf = { 0 };
    struct store_job_spec spec = { .kind = "evaluate",
                                   .numeric_class = "packed-1",
                                   .step = "score",
                                   .kind_version = 1,
                                   .params = "",
                                   .families = &jf,
                                   .families_len = 1,
                                   .runs = &e->run,
                                   .runs_len = 1 };

    *e = (struct eval){ 0 };
    OK(store_submit_begin(s, name, &revision, "", "", &e->sub, err));
    OK(store_submit_run(s, &e->sub, &point, 1, NULL, 0, &e->run, err));
    OK(store_submit_family(s, &family, &e->family, err));
    OK(store_submit_run_family(s, e->run, "score", e->family, examples, err));
    jf.family = e->family;
    for (uint64_t at = 0; at < examples; at += size) {
        char key[64];

        assert_true(e->shards < SHARDS_MAX);
        spec.begin = at;
        spec.end = at + size < examples ? at + size : examples;
        snprintf(key, sizeof key, "shard %d %d", (int)spec.begin, (int)spec.end);
        spec.key = key_of(key);
        OK(store_submit_job(s, &e->sub, &spec, &e->job[e->shards++], err));
    }
    OK(store_submit_end(s, &e->sub, NULL, err));
}

/* Fills in the score, and may the subset, of example I. */
typedef void (*score_fn)(uint64_t i, struct store_score *score, struct store_example *example);

static inline int send_score(struct store *s, struct try t, uint64_t i, score_fn fn,
                             struct err *err)
{
    struct store_score score = {
        .answer = "a", .layers = 5, .tokens = 10, .layer_rows = 50, .pick = -1, .gold = -1
    };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .score = &score,
                                      .example = { .id = 1000 + i,
                                                   .index = i,
                                                   .task = "cola",
                                                   .split = "validation",
                                                   .source_id = "x",
                                                   .question = "q",
                                                   .gold = "g" } };
    enum store_verdict verdict;

    fn(i, &score, &r.example);
    return store_example_result(s, &r, &verdict, err);
}

static inline void run_scores(struct store *s, uint64_t job, uint64_t from, uint64_t to,
                              score_fn fn)
{
    struct store_result r = { .outcome = STORE_DONE };
    enum store_verdict verdict;
    struct try t;

    begin(s);
    t = start(s, job);
    for (uint64_t i = from; i < to; i++)
        OK(send_score(s, t, i, fn, err));
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(s, &r, &verdict, NULL, err));
    commit(s);
}

/* A column of the summary of the first EXAMPLES; NaN: NULL or no row. */
static inline double summary(const char *path, uint64_t examples, const char *metric,
                             const char *column)
{
    char sql[256], text[512];

    snprintf(sql, sizeof sql,
             "SELECT printf('%%.17g', %s) FROM summary WHERE examples = %d AND metric = '%s' "
             "AND %s IS NOT NULL",
             column, (int)examples, metric, column);
    text_of(path, sql, text);
    return text[0] ? strtod(text, NULL) : (double)NAN;
}

static inline void assert_near(double is, double expected)
{
    if (!(fabs(is - expected) <= 1e-12))
        fail_msg("%.17g is not %.17g", is, expected);
}

static const double two_choices[] = { -1.5, -2.5 };

/* Choice tasks: 0, 3, 6... are right; by length 0, 2, 4... */
static inline void choice(uint64_t i, struct store_score *score, struct store_example *example)
{
    (void)example;
    score->correct = i % 3 == 0;
    score->correct_norm = i % 2 == 0;
    score->logprob = two_choices;
    score->logprob_len = 2;
    score->truncated = i == 1 ? 7 : 0;
    score->generated = 0;
    score->pick = (int)(i % 2);
    score->gold = (int)(i / 2 % 2);
}

#endif
