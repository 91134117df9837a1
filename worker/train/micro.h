/* SPDX-License-Identifier: Apache-2.0 */
/* micro.h - one micro-batch, forward and backward, on one thread. Private to worker/train. */
#ifndef WORKER_TRAIN_MICRO_H
#define WORKER_TRAIN_MICRO_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/macros.h"
#include "worker/train/dense.h"
#include "worker/train/policy.h"
#include "worker/train/train.h"

/* What all threads share while a step runs; read-only then. */
struct micro_model {
    struct model_conf conf;
    struct model_weights w;
    struct dense *wqkv, *wo, *w13, *w2; /* [layers] */
    struct dense head;
    struct rope *rope;
    struct rope_view angles; /* of all positions of the batch */
    const struct kernels *kern;
    enum train_gemm gemm;
    size_t logits_max; /* MICRO_LOGITS_MAX; tests take less */
    bool recompute;    /* a pass keeps its input only and is run again on the way back */
    struct progress *progress;
};

/* What a policy step adds to a batch; with FORWARD_ONLY logprob and entropy are all there is. */
struct micro_extra {
    const struct policy *policy; /* NULL: log-probabilities only (forward_only) */
    double temperature;
    double *logprob, *entropy; /* over the batch's rows, or NULL */
    bool forward_only;
};

/* One gradient that micro-batches add to in their order: TOTAL = ((g0 + g1) + g2)..., piece by
 * piece, a piece being a layer or (the last) all the rest. Threads wait for their turn; items of a
 * pool begin in order, so the first that is not done never waits. */
struct micro_sum {
    struct model_weights *total;
    size_t *turn; /* [layers + 1]: micro-batches that have added this piece */
    bool stopped; /* somebody gave up: nobody is waited for */
    pthread_mutex_t mutex;
    pthread_cond_t moved;
};

/* One application of a layer and the activations that the backward pass reads (x and row to length
 * its own, the rest shared by all passes of a model that recomputes). A batch without
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
    float *part;   /* gradient rows on their way to be added: part_floats of them */
    size_t part_floats;
    struct model_weights grad; /* micro_grad_alloc(): one layer, all layers' pointers to it */
    struct dense_scratch dense;
    /* Per row; per sequence; rows with a target and what it is. */
    uint32_t *position, *length, *keep, *keep_target;
};

/* A micro-batch: sequences [from, to) of BATCH. */
struct micro_job {
    const struct train_batch *batch;
    size_t from, to;
    float target_weight;             /* 1 / targets of the whole batch */
    const struct micro_extra *extra; /* NULL: supervised */
    struct micro_sum *sum;           /* NULL: the gradient is the micro-batch's own */
    size_t index;                    /* which micro-batch this is, for its turn */
};

static inline size_t micro_length(const struct micro_job *job, size_t s)
{
    return job->batch->start[s + 1] - job->batch->start[s];
}

static inline size_t micro_rows(const struct micro_job *job)
{
    return job->batch->start[job->to] - job->batch->start[job->from];
}

/* How often sequence S of the batch goes through layer L. */
static inline size_t micro_times(const struct micro_job *job, const struct model_conf *c, size_t s,
                                 size_t l)
{
    return job->batch->times ? job->batch->times[s * c->layers + l] : 1;
}

struct micro_result {
    double loss; /* sum over the targets */
    size_t correct;
    bool stopped; /* progress was stopped: nothing else counts */
    /* Of a policy, sums over the targets (policy.c). */
    double surrogate, ratio, ratio_max, kl_old, kl_reference, entropy, logprob;
    size_t clipped_low, clipped_high;
    bool infinite; /* a logit is not finite */
};
/* A += B. */
void micro_result_add(struct micro_result *a, const struct micro_result *b);

/* Logits that the head has at a time. */
#define MICRO_LOGITS_MAX ((size_t)1 << 24)
/* Rows that the head takes at a time, of ROWS. */
static inline size_t micro_piece(const struct micro_model *m, size_t rows)
{
    return MIN(rows, MAX(m->logits_max / m->conf.vocab, (size_t)1));
}

/* micro_plan.c. Room for JOB. ERR_NOMEM. */
int micro_reserve(struct micro *m, const struct micro_model *model, const struct micro_job *job,
                  struct err *err) MUST_CHECK;
/* Floats that micro_reserve would take if the model recomputed or not. */
size_t micro_floats(struct micro *m, const struct micro_model *model, const struct micro_job *job);
/* Lays out the memory reserved, fills the passes' sizes. */
void micro_lay_out(struct micro *m, const struct micro_model *model, const struct micro_job *job);
/* M's own gradient, for micro-batches that add to a sum. ERR_NOMEM. */
int micro_grad_alloc(struct micro *m, const struct model_conf *c, struct err *err) MUST_CHECK;
void micro_release(struct micro *m);

/* GRAD is overwritten with the gradient of target_weight * (sum of the job's losses), or of the
 * policy's loss; NULL for a job with a sum (which gets it) or forward only. */
struct micro_result micro_run(struct micro *m, const struct micro_model *model,
                              const struct micro_job *job, struct model_weights *grad);

/* micro_sum.c. PIECE of the micro-batch's gradient is complete: add it in turn. False: stopped. */
bool micro_sum_add(struct micro_sum *sum, const struct micro_model *model, size_t index,
                   size_t piece, const struct model_weights *grad);
void micro_sum_stop(struct micro_sum *sum);

/* policy.c. Kept rows [first, first + n): LOGITS (n, vocab) become their gradients unless the job
 * is forward only; row i is row m->keep[first + i] of the micro-batch. */
void policy_rows(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                 size_t first, size_t n, float *logits, struct micro_result *result);

/* pass.c. P->x -> NEXT: p->rows rows, or the KEPT ones with targets (m->keep) if it picks. NEXT
 * NULL: only what the backward pass reads. */
void pass_forward(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                  size_t kept, float *next);
/* M->dx: the gradient behind the pass (rows as NEXT above) becomes the one in front of it, of all
 * its rows. The gradients of the layer's matrices are overwritten unless it adds; norms' always
 * added to. */
void pass_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
               size_t kept, struct model_weights *grad);

#endif
