/* SPDX-License-Identifier: Apache-2.0 */
/* tiny.h - a small model of the task math, level 1, trained for a moment: enough to answer with
 * digits, so that some examples are right at once, some by another path, some never; and a search
 * job on it. */
#ifndef TESTS_UNIT_WORKER_JOBS_TINY_H
#define TESTS_UNIT_WORKER_JOBS_TINY_H

#include "tests/support/fake_job.h"

#include "common/tasks/task.h"
#include "worker/jobs/problems.h"
#include "worker/tokenizer/tokenizer.h"
#include "worker/train/train.h"

static char tiny_dir[64];

static inline struct train_conf tiny_conf(const struct tokenizer *tok, size_t layers)
{
    struct train_conf c = train_conf_default();

    c.model = (struct model_conf){ .layers = layers,
                                   .dim = 16,
                                   .heads = 2,
                                   .kv_heads = 2,
                                   .head_dim = 8,
                                   .hidden = 32,
                                   .vocab = tokenizer_vocab(tok),
                                   .positions = 64,
                                   .rms_eps = 1e-5f,
                                   .rope_theta = 1000.0f,
                                   .tied = true,
                                   .eos = { 1 },
                                   .eos_len = 1 };
    c.gemm = TRAIN_GEMM_PACKED;
    c.steps = 60;
    c.warmup = 5;
    c.learning_rate = 1e-2;
    return c;
}

/* A model of LAYERS in the folder tiny_dir. */
static inline void tiny_make(size_t layers)
{
    struct problems_conf pc = { .task = { "math" },
                                .level = { 1 },
                                .tasks_len = 1,
                                .levels_len = 1,
                                .seed = 5,
                                .steps = 60,
                                .batch = 64,
                                .positions = 64 };
    struct tokenizer *tok = NULL;
    struct trainer *trainer = NULL;
    struct problems p = { 0 };
    struct train_report report;
    struct train_conf c;
    struct err err = { 0 };

    assert_int_equal(tokenizer_from_alphabet(&tok, task_alphabet(), &err), 0);
    c = tiny_conf(tok, layers);
    assert_int_equal(trainer_new(&trainer, &c, NULL, NULL, &err), 0);
    for (uint64_t s = 0; s < c.steps; s++) {
        assert_int_equal(problems_draw(&p, &pc, tok, s, &err), 0);
        assert_int_equal(trainer_step(trainer, &p.batch, &report, &err), 0);
    }
    snprintf(tiny_dir, sizeof(tiny_dir), "/tmp/drover-test-XXXXXX");
    assert_non_null(mkdtemp(tiny_dir));
    assert_int_equal(model_save(tiny_dir, &c.model, trainer_weights(trainer), tok, &err), 0);
    problems_release(&p);
    trainer_free(trainer);
    tokenizer_free(tok);
}

static inline int tiny_remove(void **state)
{
    (void)state;
    assert_int_equal(folder_remove(tiny_dir), 0);
    job_models_drop();
    return 0;
}

/* A search of the examples [begin, end) of the training split. */
static inline void tiny_search(struct fake_job *f, uint64_t begin, uint64_t end)
{
    fake_job_init(f, KIND_SEARCH);
    fake_job_input(f, "model", tiny_dir);
    fake_job_text(f, "task", "math");
    fake_job_int(f, "level", 1);
    fake_job_text(f, "split", "train");
    fake_job_int(f, "examples", (int64_t)end);
    f->lease.begin = begin;
    f->lease.end = end;
}

/* The message without what may differ: who made it and at what cost. */
static inline void tiny_canonical(const Drover__ExampleResult *r, struct buf *out)
{
    Drover__ExampleResult copy = *r;
    Drover__Label label = *copy.label;
    size_t size;

    copy.wall_us = 0;
    label.layer_rows = label.layer_rows_whole = label.hinted = 0;
    copy.label = &label;
    size = drover__example_result__get_packed_size(&copy);
    out->len += drover__example_result__pack(&copy, (uint8_t *)buf_reserve(out, size));
}

#endif
