/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - policy gradient steps of a trainer (train.h): GRPO's clipped objective (Shao et al.
 * 2024; clip-higher of DAPO, Yu et al. 2025) with Schulman's k3 estimate of the KL divergence from
 * a reference.
 *
 * With l the log-probability of a target's token under the present weights, r = exp(l - old):
 *
 *   loss = sum over the targets of weight * (-min(r A, clip(r, 1 - clip_low, 1 + clip_high) A)
 *                                            + kl * (exp(d) - d - 1)),       d = reference - l
 *
 * Log-probabilities are those of logits / temperature, the policy that sampled. Normalisation is in
 * the weights (advantage.h). Micro-batches, threads, bits: as a supervised step. No libm. */
#ifndef WORKER_TRAIN_POLICY_H
#define WORKER_TRAIN_POLICY_H

#include "worker/train/train.h"

struct policy_conf {
    double temperature;         /* > 0; 1 */
    double clip_low, clip_high; /* 0..1; >= 0; 0.2 each */
    double kl;                  /* weight of k3, >= 0; 0: the reference is only measured */
    double rate;                /* learning rate of this step; 0: the trainer's schedule */
};
struct policy_conf policy_conf_default(void);
/* ERR_INVALID names the field and its range. */
int policy_conf_check(const struct policy_conf *c, struct err *err) MUST_CHECK;

struct policy_report;
/* What goes with a batch: arrays over its rows, read where the row has a target. */
struct policy {
    struct policy_conf conf;
    const double *weight; /* >= 0 */
    const double *advantage;
    const double *old;       /* log-probabilities when sampled; NULL: the present ones, r = 1 */
    const double *reference; /* NULL: none, conf.kl must be 0 */
    double *logprob; /* NULL, or written: the present log-probabilities, before the update; what a
                      * second step on the same batch takes as OLD */
    /* NULL, or asked when all is measured and before the weights move: < 0 with ERR, and they stay
     * as they are. */
    int (*accept)(void *arg, const struct policy_report *report, struct err *err);
    void *arg;
};

/* Before the update; means are over the targets, each counted once. */
struct policy_report {
    double loss, surrogate; /* the weighted sums: with and without the KL term */
    double ratio, ratio_max;
    double clipped, clipped_low, clipped_high; /* shares of targets without a gradient of r */
    double kl_old;       /* mean of (r - 1) - log r: how far the steps of this batch went */
    double kl_reference; /* mean of k3; 0 without a reference */
    double entropy;      /* of the whole softmax, nats per token */
    double logprob;      /* mean log-probability of the targets */
    double grad_norm;    /* before clipping */
    double rate;         /* learning rate used */
    size_t targets, rows;
};

/* Schulman's estimate e^x - x - 1 >= 0 of the KL divergence from a reference, of one token; X: its
 * log-probability under the reference minus that under the policy that drew it. NaN stays. */
double policy_k3(double x);

/* One step, as trainer_step. ERR_DIVERGED: the loss or the gradient is not finite, weights
 * unchanged. ERR_INVALID also: a number of P that is not finite, a negative weight, a
 * log-probability above 0, kl without a reference. */
int trainer_policy_step(struct trainer *t, const struct train_batch *b, const struct policy *p,
                        struct policy_report *ret, struct err *err) MUST_CHECK;
/* Loss and gradient, unclipped, without moving the weights: for tests. GRAD may be NULL. */
int trainer_policy_gradient(struct trainer *t, const struct train_batch *b, const struct policy *p,
                            struct policy_report *ret, float *grad, struct err *err) MUST_CHECK;
/* Log-probabilities of the targets of B under the present weights into LOGPROB and, unless NULL,
 * entropies into ENTROPY: [rows of the batch], 0 in rows without a target. A row's bits do not
 * depend on the batch around its sequence, and a step sees the same bits: r is exactly 1 then.
 * ERR_DIVERGED: a logit is not finite. */
int trainer_logprobs(struct trainer *t, const struct train_batch *b, double temperature,
                     double *logprob, double *entropy, struct err *err) MUST_CHECK;

#endif
