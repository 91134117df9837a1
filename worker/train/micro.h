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

/* One application of a layer and the activations that the backward pass reads. A batch without
 * times has one pass per layer, of all rows; in its last one (picks) ctx, mid, h2, rstd2, gate_up,
 * act hold the rows with a target only. Else a layer has a pass of the sequences that go through it
 * at least once, and one of those that go through it twice; a pass of nobody is left out. */
struct micro_pass {
    size_t layer, rows, sequences, squares; /* squares: sum of the squared sequence lengths */
    size_t turn;                            /* 0: a sequence's first time, 1: its second */
    bool picks;
    bool adds;          /* its weights' gradients are added to those of the second turn */
    uint32_t *row;      /* its rows in the micro-batch; NULL: all of them */
    uint32_t *position; /* per row */
    uint32_t *length;   /* per sequence */
    float *x;           /* (rows, D) in front of the layer */
    float *h1, *rstd1;  /* normalised, (rows, D), (rows) */
    float *qkv;         /* rotated, (rows, (H + 2 G) E) */
    float *att;         /* per sequence (H, t, t) */
    float *ctx;         /* (rows, H E) */
    float *mid;         /* (rows, D) between attention and feed-forward */
    float *h2, *rstd2;
    float *gate_up; /* (rows, 2 hidden) */
    float *act;     /* (rows, hidden) */
};

/* Activations and scratch of one thread. */
struct micro {
    float *all;
    size_t floats_max;
    struct micro_pass *pass; /* [2 layers] */
    size_t passes_len;
    float *stream, *back; /* (rows, D) between the passes, with times only; and its gradient */
    float *out, *out_rstd, *out_norm; /* target rows behind the last layer: (k, D), (k), (k, D) */
    float *logits, *loss, *weight;    /* (k, vocab), (k), (k) */
    float *ctx_all;        /* a pass that picks: (rows, H E) before the target rows are picked */
    float *dx, *dmid, *dh; /* (rows, D) */
    float *dctx, *dqkv, *dgate_up, *dact;
    float *scores; /* of the kernels of attention: enough for one sequence of all rows */
    float *part;   /* a gradient of one stack of matrices, for passes that add */
    struct dense_scratch dense;
    /* Per row; per sequence; rows with a target and what it is. */
    uint32_t *position, *length, *keep, *keep_target;
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

/* Room for JOB. ERR_NOMEM. */
int micro_reserve(struct micro *m, const struct micro_model *model, const struct micro_job *job,
                  struct err *err) MUST_CHECK;
void micro_release(struct micro *m);

/* GRAD is overwritten with the gradient of target_weight * (sum of the job's losses). */
struct micro_result micro_run(struct micro *m, const struct micro_model *model,
                              const struct micro_job *job, struct model_weights *grad);

/* pass.c. P->x -> NEXT: p->rows rows, or the KEPT ones with targets (m->keep) if it picks. */
void pass_forward(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                  size_t kept, float *next);
/* M->dx: the gradient behind the pass (rows as NEXT above) becomes the one in front of it, of all
 * its rows. The gradients of the layer's matrices are overwritten unless it adds; norms' always
 * added to. */
void pass_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
               size_t kept, struct model_weights *grad);

#endif
