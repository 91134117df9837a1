/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - a store filled by hand with evaluations whose numbers can be worked out on paper. */
#ifndef TESTS_UNIT_STORE_TABLES_BENCH_H
#define TESTS_UNIT_STORE_TABLES_BENCH_H

#include "tests/unit/store/small_plan.h"

/* N examples of TASK, of which the first RIGHT are right; with classes: all are of class 1 but the
 * last, and what is wrong was called the other class. */
struct bench {
    const char *task;
    uint64_t n, right;
    uint32_t whole_set;
    const char *metric; /* an own metric of value 1/2 for each, or NULL */
    uint64_t cut;       /* so many prompts were cut */
    uint64_t subset_at; /* the first so many are of subset "a", the others of "b"; 0: none */
    int level;
};

static inline void send(struct store *s, struct try t, const struct bench *b, uint64_t i)
{
    static const double logprob[] = { -1, -2 };
    const struct store_value_of own = { b->metric, 0.5 };
    bool right = i < b->right;
    struct store_score score = { .correct = right,
                                 .correct_norm = right,
                                 .answer = "A",
                                 .layers = 5,
                                 .tokens = 9 + (uint32_t)i,
                                 .logprob = logprob,
                                 .logprob_len = b->metric ? 0 : 2,
                                 .values = &own,
                                 .values_len = b->metric ? 1 : 0,
                                 .gold = i + 1 < b->n,
                                 .whole_set = b->whole_set,
                                 .truncated = i < b->cut ? 40 : 0 };
    struct store_example_result r = { .attempt = t.attempt,
                                      .epoch = t.epoch,
                                      .score = &score,
                                      .example = { .id = 1 + i + 100 * (uint64_t)b->level,
                                                   .index = i,
                                                   .task = b->task,
                                                   .split = "test",
                                                   .level = b->level,
                                                   .question = "q",
                                                   .gold = "g" } };
    enum store_verdict verdict;

    score.pick = b->metric ? -1 : right ? score.gold : !score.gold;
    if (b->subset_at)
        r.example.subset = i < b->subset_at ? "a" : "b";
    OK(store_example_result(s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
}

struct seed_run {
    uint64_t seed;
    const struct bench *bench;
    size_t len;
};

/* One step "score"; each run has results of its own. */
static inline uint64_t fill(struct store *s, const struct seed_run *runs, size_t len)
{
    struct digest revision = key_of("rev");
    struct store_submission sub;
    uint64_t job[8][16];

    OK(store_submit_begin(s, "exp", &revision, "", "", &sub, err));
    for (size_t r = 0; r < len; r++) {
        char name[96];
        uint64_t run;

        snprintf(name, sizeof name, "point %zu", r);
        struct digest point = key_of(name);
        OK(store_submit_run(s, &sub, &point, runs[r].seed, NULL, 0, &run, err));
        for (size_t i = 0; i < runs[r].len; i++) {
            const struct bench *b = &runs[r].bench[i];
            struct store_family f = { .kind = "evaluate", .split = "test", .level = b->level };
            struct store_job_family jf = { 0 };
            struct store_job_spec spec = { .kind = "evaluate",
                                           .numeric_class = "packed-1",
                                           .step = "score",
                                           .params = "",
                                           .end = b->n,
                                           .runs = &run,
                                           .runs_len = 1,
                                           .families = &jf,
                                           .families_len = 1 };

            snprintf(f.task, sizeof f.task, "%s", b->task);
            snprintf(name, sizeof name, "family %zu %s %d", r, b->task, b->level);
            f.key = key_of(name);
            OK(store_submit_family(s, &f, &jf.family, err));
            OK(store_submit_run_family(s, run, "score", jf.family, b->n, err));
            snprintf(name, sizeof name, "job %zu %s %d", r, b->task, b->level);
            spec.key = key_of(name);
            OK(store_submit_job(s, &sub, &spec, &job[r][i], err));
        }
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t r = 0; r < len; r++) {
        for (size_t i = 0; i < runs[r].len; i++) {
            struct try t = start(s, job[r][i]);
            struct store_result done = { .attempt = t.attempt,
                                         .epoch = t.epoch,
                                         .outcome = STORE_DONE };
            enum store_verdict verdict;

            for (uint64_t k = 0; k < runs[r].bench[i].n; k++)
                send(s, t, &runs[r].bench[i], k);
            OK(store_job_done(s, &done, &verdict, NULL, err));
        }
    }
    commit(s);
    return sub.experiment;
}

#endif
