/* SPDX-License-Identifier: Apache-2.0 */
/* small_plan.h - a small plan and a hand that works on it:
 *   base (pretrain) -> labels (search, shards of math level 1) -> set (collect) */
#ifndef TESTS_UNIT_STORE_SMALL_PLAN_H
#define TESTS_UNIT_STORE_SMALL_PLAN_H

#include "tests/unit/store/fixture.h"

struct plan {
    struct store_submission sub;
    uint64_t run, family, base, shard[8], set;
    size_t shards;
};

struct plan_options {
    const char *name, *revision, *point; /* NULL: "exp", "rev", "point" */
    uint64_t examples, shard;            /* 0: 4 and 2 */
    struct store_ids *withdrawn;
};

static inline void submit_plan(struct store *s, struct plan_options o, struct plan *p)
{
    struct digest revision = key_of(o.revision ? o.revision : "rev"),
                  point = key_of(o.point ? o.point : "point");
    struct store_param params[] = { { "lr", "0.001" } };
    struct store_family family = {
        .key = key_of("family"), .kind = "search", .task = "math", .split = "train", .level = 1
    };
    struct store_input model = { .name = "model", .source = STORE_OUTPUT, .output = "model" };
    struct store_input results = { .name = "results", .source = STORE_RESULTS };
    uint64_t examples = o.examples ? o.examples : 4, size = o.shard ? o.shard : 2;
    struct store_job_spec spec = { .kind = "pretrain",
                                   .numeric_class = "packed-1",
                                   .step = "base",
                                   .kind_version = 1,
                                   .params = "p",
                                   .params_len = 1,
                                   .params_text = "steps = 10",
                                   .retries = 1 };
    struct store_job_family jf;
    char name[64];

    *p = (struct plan){ 0 };
    OK(store_submit_begin(s, o.name ? o.name : "exp", &revision, "name = \"exp\";", "exp.cfg",
                          &p->sub, err));
    OK(store_submit_run(s, &p->sub, &point, 1, params, 1, &p->run, err));
    OK(store_submit_family(s, &family, &p->family, err));
    OK(store_submit_run_family(s, p->run, "labels", p->family, examples, err));
    spec.key = key_of("base");
    spec.runs = &p->run;
    spec.runs_len = 1;
    OK(store_submit_job(s, &p->sub, &spec, &p->base, err));
    model.producer = p->base;
    jf = (struct store_job_family){ p->family, 0 };
    spec.kind = "search";
    spec.step = "labels";
    spec.inputs = &model;
    spec.inputs_len = 1;
    spec.families = &jf;
    spec.families_len = 1;
    for (uint64_t at = 0; at < examples; at += size) {
        snprintf(name, sizeof name, "shard %d %d", (int)at,
                 (int)(at + size < examples ? at + size : examples));
        spec.key = key_of(name);
        spec.begin = at;
        spec.end = at + size < examples ? at + size : examples;
        OK(store_submit_job(s, &p->sub, &spec, &p->shard[p->shards++], err));
    }
    snprintf(name, sizeof name, "set %d", (int)examples);
    spec.key = key_of(name);
    spec.kind = "collect";
    spec.step = "set";
    spec.begin = spec.end = 0;
    spec.inputs = &results;
    spec.needs = p->shard;
    spec.needs_len = p->shards;
    jf.examples = examples;
    OK(store_submit_job(s, &p->sub, &spec, &p->set, err));
    OK(store_submit_end(s, &p->sub, o.withdrawn, err));
}

/* One result for index I of the shard's family; SALT changes its bits. */
static inline int send_label(struct store *s, uint64_t attempt, uint32_t epoch, uint64_t i,
                             const char *salt, enum store_verdict *ret, struct err *err)
{
    static const uint8_t routing[4] = { 1, 0, 2, 1 };
    struct store_entry log[] = {
        { .parent = -1,
          .routing = (const uint8_t *)"\1\1\1\1",
          .routing_len = 4,
          .reward = 0,
          .value = 1,
          .visits = 3,
          .answer = "7" },
        { .parent = 0,
          .routing = routing,
          .routing_len = 4,
          .reward = 1,
          .value = 1,
          .visits = 1,
          .answer = "8" },
    };
    struct store_label label = { .base_correct = i % 2 == 0,
                                 .has_label = i % 4 != 3,
                                 .routing = routing,
                                 .routing_len = 4,
                                 .layers = 4,
                                 .label_layers = i % 4 != 3 ? 4 : 4,
                                 .simulations = 5,
                                 .evaluations = 2,
                                 .layer_rows = 100 + i,
                                 .layer_rows_whole = 200,
                                 .base_answer = "7",
                                 .label_answer = salt,
                                 .log = log,
                                 .log_len = 2 };
    struct store_example_result r = {
        .attempt = attempt,
        .epoch = epoch,
        .label = &label,
        .wall_us = 12,
        .example = { .id = 0xF000000000000000u + (i * 7919) % 64,
                     .index = i,
                     .task = "math",
                     .split = "train",
                     .level = 1,
                     .source_id = "1+1",
                     .question = "1+1=",
                     .gold = "8" },
    };

    return store_example_result(s, &r, ret, err);
}

static inline void begin(struct store *s)
{
    OK(store_begin(s, err));
}

static inline void commit(struct store *s)
{
    OK(store_commit(s, err));
}

struct
try {
    uint64_t attempt;
    uint32_t epoch;
};

static inline struct try start(struct store *s, uint64_t job)
{
    struct try t;

    OK(store_attempt_start(s, job, 0, &t.attempt, &t.epoch, err));
    return t;
}

/* start() in a transaction of its own. */
static inline struct try started(struct store *s, uint64_t job)
{
    struct try t;

    begin(s);
    t = start(s, job);
    commit(s);
    return t;
}

static inline struct store_result result_of(struct try t, enum store_outcome outcome)
{
    return (struct store_result){ .attempt = t.attempt, .epoch = t.epoch, .outcome = outcome };
}

/* Run JOB to DONE with one output "model" holding BYTES (NULL: none), in a transaction of its own.
 */
static inline struct try finish(struct store *s, uint64_t job, const char *bytes,
                                struct store_ids *ready)
{
    struct store_output out = { .name = "model" };
    struct store_result r = { .outcome = STORE_DONE, .environment = "cpu", .wall_ms = 1000 };
    enum store_verdict verdict;
    struct try t;

    if (bytes) {
        OK(blobs_put(store_blobs(s), bytes, strlen(bytes), &out.digest, err));
        out.size_bytes = strlen(bytes);
        r.outputs = &out;
        r.outputs_len = 1;
    }
    begin(s);
    t = start(s, job);
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(s, &r, &verdict, ready, err));
    assert_int_equal(verdict, STORE_STORED);
    commit(s);
    return t;
}

/* An attempt on the base job of a new plan; another one was faster and made "weights". */
static inline struct try overtaken(struct store *s, struct plan *p)
{
    struct try late;

    submit_plan(s, (struct plan_options){ 0 }, p);
    late = started(s, p->base);
    finish(s, p->base, "weights", NULL);
    return late;
}

/* All examples of shard [BEGIN, END), then DONE. */
static inline struct try run_shard(struct store *s, uint64_t job, uint64_t begin_at, uint64_t end,
                                   struct store_ids *ready)
{
    struct store_result r;
    enum store_verdict verdict;
    struct try t;

    begin(s);
    t = start(s, job);
    for (uint64_t i = begin_at; i < end; i++)
        OK(send_label(s, t.attempt, t.epoch, i, "8", &verdict, err));
    r = result_of(t, STORE_DONE);
    OK(store_job_done(s, &r, &verdict, ready, err));
    commit(s);
    return t;
}

#define START ((struct store_cursor){ INT32_MAX, 0 })

static inline size_t ready_jobs(struct store *s, uint64_t experiment, struct store_ready out[16])
{
    size_t n;

    OK(store_list_ready(s, experiment, START, out, 16, &n, err));
    return n;
}

static inline const char *job_state(struct store *s, uint64_t job, char out[16])
{
    struct store_job j;

    OK(store_job_load(s, job, &j, err));
    snprintf(out, 16, "%s", j.state);
    store_job_release(&j);
    return out;
}

#endif
