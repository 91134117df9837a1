/* SPDX-License-Identifier: Apache-2.0 */
/* stage_rig.h - a small model that thinks (math, level 1, trained for a moment) and stage jobs on
 * it, for the tests of stages. */
#ifndef TESTS_UNIT_WORKER_JOBS_STAGE_RIG_H
#define TESTS_UNIT_WORKER_JOBS_STAGE_RIG_H

#include "tests/support/fake_job.h"

static char stage_model[64]; /* a folder */

static inline void stage_copy(const char *from, const char *to, const char *name)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    char path[600];

    fake_files_read(from, &name, 1, &bytes);
    snprintf(path, sizeof(path), "%s/%s", to, name);
    assert_int_equal(buf_write_file(path, bytes.data, bytes.len, &err), 0);
}

static inline int stage_make_model(void **state)
{
    static const char *const file[] = { "model.safetensors", "config.json", "tokenizer.json",
                                        "tokenizer_config.json" };
    static const int64_t level = 1;
    struct fake_job f;

    (void)state;
    fake_job_init(&f, KIND_PRETRAIN);
    fake_job_texts(&f, "tasks", (const char *const[]){ "math" }, 1);
    fake_job_ints(&f, "levels", &level, 1);
    fake_job_int(&f, "layers", 2);
    fake_job_int(&f, "dim", 32);
    fake_job_int(&f, "heads", 2);
    fake_job_int(&f, "hidden", 64);
    fake_job_int(&f, "batch", 64);
    fake_job_int(&f, "warmup", 10);
    fake_job_int(&f, "steps", 120);
    fake_job_real(&f, "learning_rate", 0.01);
    fake_job_text(&f, "gemm", "packed");
    fake_job_text(&f, "prompts", "think");
    fake_job_run_or_fail(&f);
    snprintf(stage_model, sizeof(stage_model), "/tmp/drover-test-XXXXXX");
    assert_non_null(mkdtemp(stage_model));
    for (size_t i = 0; i < ARRAY_LEN(file); i++)
        stage_copy(f.folder, stage_model, file[i]);
    fake_job_release(&f);
    return 0;
}

static inline int stage_drop_model(void **state)
{
    (void)state;
    return folder_remove(stage_model);
}

/* UPDATES updates behind FIRST, of 4 problems with 4 answers each. */
static inline void stage_start(struct fake_job *f, uint64_t first, uint64_t updates)
{
    fake_job_init(f, KIND_STAGE);
    fake_job_input(f, "model", stage_model);
    fake_job_texts(f, "tasks", (const char *const[]){ "math" }, 1);
    fake_job_int(f, "first", (int64_t)first);
    fake_job_int(f, "updates", (int64_t)updates);
    fake_job_int(f, "problems", 4);
    fake_job_int(f, "group", 4);
    fake_job_int(f, "max_new", 40);
    fake_job_int(f, "warmup", 3);
    fake_job_int(f, "micro_batches", 4);
    fake_job_real(f, "learning_rate", 0.001);
    fake_job_real(f, "checkpoint_s", 0);
    fake_job_text(f, "gemm", "packed");
}

static inline const char *stage_output(const struct fake_job *f, const char *name)
{
    for (size_t i = 0; i < f->folders_len; i++)
        if (strcmp(f->folders[i].name, name) == 0)
            return f->folders[i].path;
    fail_msg("no output %s", name);
    return NULL;
}

/* Model and state of a finished job, appended to OUT. */
static inline void stage_outputs(const struct fake_job *f, struct buf *out)
{
    static const char *const state[] = { "state.json", "optimiser.bin" };

    assert_int_equal(f->job.outputs_len, 2);
    assert_string_equal(f->job.output[0].name, "model");
    assert_string_equal(f->job.output[1].name, "state");
    fake_model_read(stage_output(f, "model"), out);
    fake_files_read(stage_output(f, "state"), state, ARRAY_LEN(state), out);
}

static inline void stage_same(const struct buf *a, const struct buf *b)
{
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->data, b->data, a->len);
}

static inline const struct fake_metric *stage_metric(const struct fake_job *f, const char *name,
                                                     uint64_t step)
{
    for (size_t i = 0; i < f->metrics_len; i++)
        if (f->metric[i].step == step && strcmp(f->metric[i].name, name) == 0)
            return &f->metric[i];
    return NULL;
}

#endif
