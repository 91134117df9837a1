/* SPDX-License-Identifier: Apache-2.0 */
/* simple_jobs.h - jobs of which nothing hangs: submitted, listed, given and done, as a coordinator
 * does it that gives attempts their numbers itself. */
#ifndef TESTS_UNIT_STORE_SIMPLE_JOBS_H
#define TESTS_UNIT_STORE_SIMPLE_JOBS_H

#include "tests/unit/store/small_plan.h"

struct simple {
    const char *name; /* of the experiment; also of its run */
    size_t n;
    const char *keys; /* jobs with the same KEYS are the same; NULL: NAME */
    int32_t priority;
    struct store_ids job;
    uint64_t experiment;
    struct store_ids *withdrawn;
};

static inline void submit_simple(struct store *s, struct simple *x)
{
    struct digest revision = key_of(x->name);
    struct store_submission sub;
    uint64_t run;

    OK(store_submit_begin(s, x->name, &revision, "", "", &sub, err));
    OK(store_submit_run(s, &sub, &revision, 1, NULL, 0, &run, err));
    for (size_t i = 0; i < x->n; i++) {
        struct store_job_spec spec = { .kind = "noop",
                                       .numeric_class = "packed-1",
                                       .step = "work",
                                       .kind_version = 1,
                                       .params = "pq",
                                       .params_len = 2,
                                       .params_text = "millis = 0\n",
                                       .seed = i,
                                       .retries = 2,
                                       .priority = x->priority,
                                       .cores = 2,
                                       .memory_mib = 100,
                                       .labels = "fast gpu",
                                       .runs = &run,
                                       .runs_len = 1 };
        char name[64];
        uint64_t job;

        snprintf(name, sizeof name, "%s %zu", x->keys ? x->keys : x->name, i);
        spec.key = key_of(name);
        OK(store_submit_job(s, &sub, &spec, &job, err));
        store_ids_add(&x->job, job);
    }
    OK(store_submit_end(s, &sub, x->withdrawn, err));
    x->experiment = sub.experiment;
}

static inline struct store_begun begun_of(uint64_t attempt, uint64_t job, uint32_t epoch)
{
    return (struct store_begun){ attempt, job, 0, epoch, 1000 };
}

/* The result of B, in the caller's transaction. */
static inline enum store_verdict done_simple(struct store *s, const struct store_begun *b,
                                             struct store_ids *ready)
{
    struct store_result r = { .attempt = b->attempt,
                              .epoch = b->epoch,
                              .begun = b,
                              .outcome = STORE_DONE,
                              .text = "fine",
                              .environment = "a machine",
                              .wall_ms = 3,
                              .cpu_ms = 2,
                              .wall_us = 2500 };
    enum store_verdict verdict = STORE_INCIDENT;

    OK(store_job_done(s, &r, &verdict, ready, err));
    return verdict;
}

static inline size_t list_simple(struct store *s, uint64_t experiment, struct store_cursor at,
                                 struct store_ready *ret, size_t max)
{
    size_t n = 0;

    OK(store_list_ready(s, experiment, at, ret, max, &n, err));
    return n;
}

#endif
