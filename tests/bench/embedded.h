/* SPDX-License-Identifier: Apache-2.0 */
/* embedded.h - a model of the quickstart's shape in the bench: 8 layers, width 64, trained on both
 * synthetic tasks together as the job kind "pretrain" does with its defaults. */
#ifndef TESTS_BENCH_EMBEDDED_H
#define TESTS_BENCH_EMBEDDED_H

#include "worker/jobs/problems.h"
#include "worker/kernels/pool.h"
#include "worker/train/train.h"

/* Training that can go on: batches of both tasks, all levels. */
struct embedded {
    struct tokenizer *tok;
    struct trainer *trainer;
    struct train_conf conf;
    struct problems_conf problems;
    struct problems batch;
    uint64_t step;
};

/* STEPS: length of the schedule. Ends the program with a message on failure. */
void embedded_open(struct embedded *e, enum train_gemm gemm, uint64_t steps, struct pool *pool);
/* The same with another model, other problems: what CHANGE makes of e->conf and e->problems. */
void embedded_open_as(struct embedded *e, enum train_gemm gemm, uint64_t steps, struct pool *pool,
                      void (*change)(struct embedded *e));
void embedded_train(struct embedded *e); /* the steps that are left */
/* The same, then the model, with the tokenizer, which it owns; E is closed. */
struct model *embedded_finish(struct embedded *e);
void embedded_close(struct embedded *e);
/* Draw the next batch; one step on it. */
void embedded_draw(struct embedded *e);
void embedded_step(struct embedded *e);

/* Print what FAILED and end the program, if RC is an error. */
void bench_must(int rc, const struct err *err, const char *failed);

#endif
