/* SPDX-License-Identifier: Apache-2.0 */
/* trainer_private.h - inside of trainer*.c and policy.c. */
#ifndef WORKER_TRAIN_TRAINER_PRIVATE_H
#define WORKER_TRAIN_TRAINER_PRIVATE_H

#include "worker/train/micro.h"

struct trainer_span {
    size_t at, len;
    bool decay;
};

struct trainer {
    struct train_conf conf;
    struct pool *pool;
    struct micro_model model;
    bool small; /* one gradient; transposed weights are not kept */
    struct model_weights moment1, moment2;
    struct model_weights *grad; /* [grads_len]; grad[0] is the sum in the end */
    size_t grads_len;           /* micro_batches; 1 when small; 0 when frozen */
    struct micro_sum sum;
    struct micro_job *job;       /* [micro_batches] */
    struct micro_result *result; /* [micro_batches] */
    struct micro *micro;         /* [threads] */
    size_t threads;
    struct trainer_span *span;
    double *squares; /* [spans_len] */
    size_t spans_len, spans_max;
    uint64_t steps;
    double beta1_power, beta2_power;
    float scale, rate;  /* of the step in progress */
    struct model *view; /* trainer_model() */
};

/* Check the batch, run its micro-batches forward and, unless EXTRA says otherwise, backward; the
 * gradient is in t->grad[0], its norm in *RET_NORM (NULL: not wanted). Sums over the targets are in
 * *RET, in the order of the micro-batches. ERR_CANCELLED, and what trainer_step() says. */
int trainer_run(struct trainer *t, const struct train_batch *b, const struct micro_extra *extra,
                struct micro_result *ret, size_t *ret_targets, double *ret_norm,
                struct err *err) MUST_CHECK;
/* Move the weights by the gradient in t->grad[0], whose norm is NORM, at RATE: clip, AdamW, pack;
 * the step is counted. */
void trainer_move(struct trainer *t, double norm, double rate);

/* trainer_new.c: pack all matrices again after the weights changed. */
void trainer_pack(struct trainer *t);
/* trainer_model.c. */
void trainer_model_release(struct trainer *t);

#endif
