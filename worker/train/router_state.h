/* SPDX-License-Identifier: Apache-2.0 */
/* router_state.h - inside of one training of a router. Private to worker/train/router_*.c. */
#ifndef WORKER_TRAIN_ROUTER_STATE_H
#define WORKER_TRAIN_ROUTER_STATE_H

#include "worker/train/router_net.h"

/* What one network did in one epoch. */
struct router_tally {
    double train_loss, valid_loss; /* sums of means per step; sums over examples (or outcomes) */
    uint64_t steps, valid;         /* terms of the two */
    uint64_t confusion[3][3];      /* [label][decision] of the judged examples */
};

struct router_training {
    struct router *router;
    const struct router_data *data;
    const struct router_train_conf *conf;
    struct progress *progress;
    uint32_t *train, *valid; /* examples; train in the order of the epoch */
    size_t train_len, valid_len;
    double alpha[3];
    double gamma;
    uint64_t epoch, steps, steps_per_epoch; /* epoch from 0; steps of the whole training */
    size_t heads;
    struct router_moments *moments; /* [heads] */
    struct router_tally *tally;     /* [heads] */
    float *mean, *inverse;          /* [heads][inputs], or NULL */
    double *correction;             /* [2]: beta^t in front of the epoch's first step */
    float *probability;             /* success: [heads][judged][paths], the epoch's */
    struct router_scratch *scratch; /* [threads] */
    atomic_int failed;              /* 0 or an error code, of any network */
    size_t best;                    /* epoch from 1; 0: none yet */
    double best_score;
};

/* The examples whose decisions are reported: those held out, else those trained on. */
static inline const uint32_t *router_judged(const struct router_training *t, size_t *ret_len)
{
    *ret_len = t->valid_len ? t->valid_len : t->train_len;
    return t->valid_len ? t->valid : t->train;
}

/* Initial weights and standardization (router_start.c). */
int router_start(struct router_training *t, struct pool *pool, struct err *err) MUST_CHECK;
/* Standardization into the weights. */
void router_fold(struct router_training *t);

/* Score of the epoch (larger is better), its metrics through METRIC (router_report.c). */
double router_report(const struct router_training *t, router_metric_fn metric, void *arg);

#endif
