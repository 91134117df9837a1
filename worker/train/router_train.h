/* SPDX-License-Identifier: Apache-2.0 */
/* router_train.h - training of routers (worker/model/router.h) on features that are constants:
 * execution follows the labels (teacher forcing), so every layer's network learns alone.
 *
 * Networks are spread over the threads of a pool, epoch by epoch; bits depend on (router, data,
 * conf) alone: not on threads nor on the kernel level (class "packed-1", no libm). AdamW (decay for
 * matrices), linear warm-up, cosine to 0. Weights start Xavier-uniform, biases at zero; for kind
 * "success" the output biases at the log-odds of the paths. A share of the examples, chosen by a
 * hash of (id, seed), is held out; the epoch that does best on it is kept: by macro-F1 over the
 * pooled decisions of all layers (labels; loss would reward always executing), or by log-loss
 * (success). */
#ifndef WORKER_TRAIN_ROUTER_TRAIN_H
#define WORKER_TRAIN_ROUTER_TRAIN_H

#include "worker/model/router.h"

enum router_loss { ROUTER_FOCAL, ROUTER_CE, ROUTER_WEIGHTED_CE };
/* Class weights of focal and weighted_ce: (1 - beta) / (1 - beta^n) (effective numbers, Cui et al.
 * 2019), 1 / n, or 1; divided by their mean over the classes that occur. */
enum router_balance { ROUTER_EFFECTIVE, ROUTER_INVERSE, ROUTER_UNIFORM };

struct router_train_conf {
    enum router_loss loss; /* labels; success has binary cross-entropy */
    enum router_balance balance;
    double gamma, beta;
    bool standardize;     /* inputs to mean 0, deviation 1; folded into the weights at the end */
    size_t epochs, batch; /* batch: examples per step */
    double learning_rate, weight_decay;
    double dropout;    /* share of the elements behind GELU, below 1; 0: none */
    double noise;      /* deviation of Gaussian noise on (standardised) features; 0: none */
    uint64_t warmup;   /* steps; at most a tenth of all are used */
    double validation; /* share held out, 0..0.9; 0: the last epoch is kept */
    size_t patience;   /* stop after so many epochs without a better one; 0: never */
    uint64_t seed;     /* weights, order, validation split */
};
/* The table's defaults (common/kinds): focal, gamma 2, effective numbers of beta 0.999, 25 epochs
 * of batches of 16, rate 0.001, decay 0.01, warm-up 500, a tenth held out, no early stop, seed 1.
 */
struct router_train_conf router_train_default(void);

struct router_data {
    size_t examples;
    const uint64_t *id;           /* [examples] */
    const uint8_t *rows;          /* [examples]: feature rows, 1..stride */
    size_t stride;                /* room for rows per example */
    const float *const *features; /* [heads]: (examples, stride, router_inputs) */
    const uint8_t *label;         /* labels: [examples][layers] */
    const int8_t *outcome;        /* success: [examples][paths]: 1 right, 0 wrong, -1 unknown */
};

/* Epochs count from 1. Labels: loss, validation_loss, macro_f1, f1_skip, f1_execute, f1_repeat,
 * accuracy, layer_00.macro_f1...; success: loss, validation_loss, brier, auc, base_accuracy,
 * layers_at_0.01, accuracy_at_0.01 (over examples whose chosen path was evaluated). On the examples
 * held out, or, with validation 0, on the training examples. */
typedef void (*router_metric_fn)(void *arg, const char *name, uint64_t epoch, double value);

struct router_trained {
    size_t trained, validated; /* examples */
    size_t epochs, best;       /* run; kept, from 1 */
    double score;              /* of the best: macro-F1, or minus the log-loss */
};

/* Train R (of router_new; its weights are overwritten). POOL, METRIC, PROGRESS may be NULL.
 * ERR_INVALID: no examples, or all are held out; ERR_DIVERGED, ERR_CANCELLED, ERR_NOMEM. */
int router_train(struct router *r, const struct router_data *d, const struct router_train_conf *c,
                 struct pool *pool, router_metric_fn metric, void *arg, struct progress *progress,
                 struct router_trained *ret, struct err *err) MUST_CHECK;
/* Is example ID held out? */
bool router_held_out(uint64_t id, uint64_t seed, double share);

#endif
