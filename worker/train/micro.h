/* SPDX-License-Identifier: Apache-2.0 */
/* micro.h - one micro-batch, forward and backward, on one thread. Private to worker/train. */
#ifndef WORKER_TRAIN_MICRO_H
#define WORKER_TRAIN_MICRO_H

#include <stddef.h>
#include <stdint.h>

#include "worker/train/dense.h"
#include "worker/train/train.h"

/* What all threads share while a step runs; read-only then. */
struct micro_model {
    struct model_conf conf;
    struct model_weights w;
    struct dense *wqkv, *wo, *w13, *w2; /* [layers] */
    struct dense head;
    float *rope_cos, *rope_sin;
    const struct kernels *kern;
    enum train_gemm gemm;
};

/* Activations of one layer that the backward pass reads. The last layer's ctx, mid, h2, rstd2,
 * gate_up, act hold the rows with a target only. */
struct micro_layer {
    float *x;          /* (rows, D) in front of the layer */
    float *h1, *rstd1; /* normalised, (rows, D), (rows) */
    float *qkv;        /* rotated, (rows, (H + 2 G) E) */
    float *att;        /* per sequence (H, t, t) */
    float *ctx;        /* (rows, H E) */
    float *mid;        /* (rows, D) between attention and feed-forward */
    float *h2, *rstd2;
    float *gate_up; /* (rows, 2 hidden) */
    float *act;     /* (rows, hidden) */
};

/* Activations and scratch of one thread. */
struct micro {
    float *all;
    size_t rows_max, att_max;
    struct micro_layer *layer;        /* [layers] */
    float *out, *out_rstd, *out_norm; /* target rows behind the last layer: (k, D), (k), (k, D) */
    float *logits, *loss, *weight;    /* (k, vocab), (k), (k) */
    float *ctx_all;        /* last layer: (rows, H E) before the target rows are picked */
    float *dx, *dmid, *dh; /* (rows, D) */
    float *dctx, *dqkv, *dgate_up, *dact;
    float *scores; /* of the kernels of attention: enough for one sequence of all rows */
    struct dense_scratch dense;
    uint32_t *position, *keep, *keep_target; /* per row; rows with a target and what it is */
};

/* A micro-batch: sequences [from, to) of BATCH. */
struct micro_job {
    const struct train_batch *batch;
    size_t from, to;
    float target_weight; /* 1 / targets of the whole batch */
};

struct micro_result {
    double loss; /* sum over the targets */
    size_t correct;
};

/* Room for ROWS rows whose squared sequence lengths add up to SQUARES. ERR_NOMEM. */
int micro_reserve(struct micro *m, const struct micro_model *model, size_t rows, size_t squares,
                  struct err *err) MUST_CHECK;
void micro_release(struct micro *m);

/* GRAD is overwritten with the gradient of target_weight * (sum of the job's losses). */
struct micro_result micro_run(struct micro *m, const struct micro_model *model,
                              const struct micro_job *job, struct model_weights *grad);

#endif
