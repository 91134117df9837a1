/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/embedded.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/kinds/kinds.h"
#include "common/tasks/task.h"

void bench_must(int rc, const struct err *err, const char *failed)
{
    if (rc == 0)
        return;
    fprintf(stderr, "drover-bench: %s: %s\n", failed, err->text);
    exit(1);
}

/* The defaults of the kind's table, and both tasks. */
static void read_defaults(struct embedded *e)
{
    const struct kind *k = kind_at(KIND_PRETRAIN);
    const struct params none = { 0 };
    const size_t dim = (size_t)kind_int(k, &none, "dim"),
                 heads = (size_t)kind_int(k, &none, "heads");
    e->conf = train_conf_default();
    e->conf.model = (struct model_conf){
        .layers = (size_t)kind_int(k, &none, "layers"),
        .dim = dim,
        .heads = heads,
        .kv_heads = heads,
        .head_dim = dim / heads,
        .hidden = (size_t)kind_int(k, &none, "hidden"),
        .vocab = tokenizer_vocab(e->tok),
        .positions = (size_t)kind_int(k, &none, "positions"),
        .rms_eps = 1e-5f,
        .rope_theta = (float)kind_real(k, &none, "rope_theta"),
        .tied = true,
        .bos = 0,
        .eos = { 1 },
        .eos_len = 1,
    };
    e->conf.beta2 = kind_real(k, &none, "beta2");
    e->conf.learning_rate = kind_real(k, &none, "learning_rate");
    e->conf.micro_batches = (size_t)kind_int(k, &none, "micro_batches");
    e->problems = (struct problems_conf){ .task = { "math", "logic" },
                                          .tasks_len = 2,
                                          .level = { 1, 2, 3, 4, 5, 6 },
                                          .levels_len = 6,
                                          .ramp = kind_real(k, &none, "ramp"),
                                          .seed = 1,
                                          .batch = (size_t)kind_int(k, &none, "batch") };
}

void embedded_open_as(struct embedded *e, enum train_gemm gemm, uint64_t steps, struct pool *pool,
                      void (*change)(struct embedded *e))
{
    struct err err = { 0 };
    *e = (struct embedded){ 0 };
    bench_must(tokenizer_from_alphabet(&e->tok, task_alphabet(), &err), &err, "tokenizer");
    read_defaults(e);
    if (change)
        change(e);
    e->problems.positions = e->conf.model.positions;
    e->conf.gemm = gemm;
    e->conf.steps = e->problems.steps = steps;
    e->conf.warmup = MIN(e->conf.warmup, steps / 10);
    bench_must(trainer_new(&e->trainer, &e->conf, pool, NULL, &err), &err, "trainer");
}

void embedded_open(struct embedded *e, enum train_gemm gemm, uint64_t steps, struct pool *pool)
{
    embedded_open_as(e, gemm, steps, pool, NULL);
}

void embedded_train(struct embedded *e)
{
    while (e->step < e->problems.steps) {
        embedded_draw(e);
        embedded_step(e);
    }
}

struct model *embedded_finish(struct embedded *e)
{
    struct model *m;
    struct err err = { 0 };
    embedded_train(e);
    bench_must(model_from_weights(&m, &e->conf.model, trainer_weights(e->trainer), NULL, &err),
               &err, "model");
    m->tok = e->tok; /* the model frees it */
    e->tok = NULL;
    embedded_close(e);
    return m;
}

void embedded_close(struct embedded *e)
{
    trainer_free(e->trainer);
    tokenizer_free(e->tok);
    problems_release(&e->batch);
}

void embedded_draw(struct embedded *e)
{
    struct err err = { 0 };
    bench_must(problems_draw(&e->batch, &e->problems, e->tok, e->step, &err), &err, "problems");
}

void embedded_step(struct embedded *e)
{
    struct err err = { 0 };
    struct train_report report;
    bench_must(trainer_step(e->trainer, &e->batch.batch, &report, &err), &err, "training step");
    e->step++;
}
