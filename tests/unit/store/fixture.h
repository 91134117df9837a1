/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h - what the store's tests share: a scratch folder with a store in it, and a small plan:
 *   base (pretrain) -> labels (search, shards of math level 1) -> set (collect) */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

/* 0 or the error's text on the way out. */
#define OK(CALL)                                                                                   \
    do {                                                                                           \
        struct err err_ = { 0 };                                                                   \
        struct err *err = &err_;                                                                   \
        int rc_ = (CALL);                                                                          \
        if (rc_ != 0)                                                                              \
            fail_msg("%s: %s: %s", #CALL, err_name(rc_), err_.text);                               \
    } while (0)

/* The call fails with CODE and its text holds PART. */
#define FAILS(CODE, PART, CALL)                                                                    \
    do {                                                                                           \
        struct err err_ = { 0 };                                                                   \
        struct err *err = &err_;                                                                   \
        int rc_ = (CALL);                                                                          \
        if (rc_ != (CODE) || !strstr(err_.text, PART))                                             \
            fail_msg("%s: got %s: %s", #CALL, err_name(rc_), err_.text);                           \
    } while (0)

struct fixture {
    char dir[64], path[96];
    struct store *s;
};

static inline void remove_tree(const char *path)
{
    struct stat st;
    DIR *dir;

    if (lstat(path, &st) < 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        (void)!chmod(path, 0755);
        dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            struct buf below = { 0 };

            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            buf_printf(&below, "%s/%s", path, e->d_name);
            remove_tree(buf_str(&below));
            buf_release(&below);
        }
        if (dir)
            closedir(dir);
        rmdir(path);
    } else {
        unlink(path);
    }
}

static inline void scratch(struct fixture *f)
{
    *f = (struct fixture){ .dir = "/tmp/drover-store-XXXXXX" };
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/results.db", f->dir);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    scratch(f);
    OK(store_open(&f->s, f->path, "tcp://127.0.0.1:1", err));
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    remove_tree(f->dir);
    free(f);
    return 0;
}

static inline struct digest key_of(const char *name)
{
    return digest_of(name, strlen(name));
}

/* Number in the first column of SQL's first row, by a reading connection. */
static inline int take_number(const char *const *names, const struct store_value *v, size_t columns,
                              void *arg)
{
    (void)names;
    if (v && columns > 0)
        *(int64_t *)arg = v[0].type == STORE_INTEGER ? v[0].i : (int64_t)v[0].r;
    return 0;
}

static inline int64_t number(const char *path, const char *sql)
{
    struct store *r;
    int64_t n = -1;

    OK(store_open_read(&r, path, err));
    OK(store_query(r, sql, NULL, take_number, &n, err));
    store_close(r);
    return n;
}

static inline int take_text(const char *const *names, const struct store_value *v, size_t columns,
                            void *arg)
{
    (void)names;
    if (v && columns > 0)
        snprintf(arg, 512, "%s", v[0].text);
    return 0;
}

/* Text in the first column of SQL's last row, in OUT (512 bytes). */
static inline const char *text_of(const char *path, const char *sql, char out[512])
{
    struct store *r;

    out[0] = '\0';
    OK(store_open_read(&r, path, err));
    OK(store_query(r, sql, NULL, take_text, out, err));
    store_close(r);
    return out;
}

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

/* All examples of shard [BEGIN, END), then DONE. */
static inline struct try run_shard(struct store *s, uint64_t job, uint64_t begin_at, uint64_t end,
                                   struct store_ids *ready)
{
    struct store_result r = { .outcome = STORE_DONE };
    enum store_verdict verdict;
    struct try t;

    begin(s);
    t = start(s, job);
    for (uint64_t i = begin_at; i < end; i++)
        OK(send_label(s, t.attempt, t.epoch, i, "8", &verdict, err));
    r.attempt = t.attempt;
    r.epoch = t.epoch;
    OK(store_job_done(s, &r, &verdict, ready, err));
    commit(s);
    return t;
}

#endif
