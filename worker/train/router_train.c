/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/router_train.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/train/router_loss.h"
#include "worker/train/router_state.h"
#include "worker/train/train.h"

static const double adam_beta[2] = { 0.9, 0.999 };

struct router_train_conf router_train_default(void)
{
    return (struct router_train_conf){
        .loss = ROUTER_FOCAL,
        .balance = ROUTER_EFFECTIVE,
        .gamma = 2.0,
        .beta = 0.999,
        .epochs = 25,
        .batch = 16,
        .learning_rate = 1e-3,
        .weight_decay = 0.01,
        .warmup = 500,
        .validation = 0.1,
        .seed = 1,
    };
}

bool router_held_out(uint64_t id, uint64_t seed, double share)
{
    struct rng rng = rng_stream("held-out", seed, id);

    return rng_double(&rng) < share;
}

/* ---- one step ------------------------------------------------------------------------------- */

/* Loss of the N examples AT whose logits are in S: a sum, of which *RET_TERMS; gradients of the
 * mean into s->dy unless PROBABILITY or JUDGE says that they are only judged. */
static double label_loss(struct router_training *t, size_t head, const uint32_t *at, size_t n,
                         struct router_scratch *s, bool judge, bool train)
{
    size_t layers = t->router->conf.layers;
    const float *logit = s->h[t->router->conf.depth - 1];
    double sum = 0.0, grad[3];

    for (size_t e = 0; e < n; e++, logit += 3) {
        unsigned label = t->data->label[(size_t)at[e] * layers + head];

        sum += router_focal(logit, label, t->alpha[label], t->gamma, train ? grad : NULL);
        for (size_t k = 0; train && k < 3; k++)
            s->dy[3 * e + k] = (float)(grad[k] / (double)n);
        if (judge)
            t->tally[head].confusion[label][router_mix(logit, -0.5, t->router->kern)]++;
    }
    return sum;
}

/* The same for outcomes; those that are not known count nothing. PROBABILITY (n, paths) or NULL. */
static double success_loss(struct router_training *t, const uint32_t *at, size_t n,
                           struct router_scratch *s, float *probability, uint64_t *ret_terms)
{
    size_t paths = t->router->conf.paths;
    const float *logit = s->h[t->router->conf.depth - 1];
    double sum = 0.0;

    *ret_terms = 0;
    for (size_t e = 0; e < n; e++)
        for (size_t p = 0; p < paths; p++)
            *ret_terms += t->data->outcome[(size_t)at[e] * paths + p] >= 0;
    for (size_t e = 0; e < n; e++)
        for (size_t p = 0; p < paths; p++, logit++) {
            int outcome = t->data->outcome[(size_t)at[e] * paths + p];
            double grad = 0.0, chance = 0.5, loss;

            loss = router_binary(*logit, MAX(outcome, 0), &grad, &chance);
            sum += outcome >= 0 ? loss : 0.0;
            s->dy[e * paths + p] = outcome >= 0 ? (float)(grad / (double)*ret_terms) : 0.0f;
            if (probability)
                probability[e * paths + p] = (float)chance;
        }
    return sum;
}

static void train_step(struct router_training *t, size_t head, size_t step, const uint32_t *at,
                       size_t n, struct router_scratch *s, double correction[2])
{
    const struct train_conf schedule = { .steps = t->steps,
                                         .warmup = MIN(t->conf->warmup, t->steps / 10),
                                         .learning_rate = t->conf->learning_rate };
    size_t in = router_inputs(&t->router->conf);
    const float *mean = t->mean ? t->mean + head * in : NULL;
    const float *inverse = t->mean ? t->inverse + head * in : NULL;
    size_t rows = router_gather(t->router, t->data, head, at, n, mean, inverse, s);
    uint64_t terms = n;
    double loss;
    struct router_dropout drop = { .share = t->conf->dropout };

    if (t->conf->noise > 0) {
        struct rng rng = rng_stream("router-noise", t->conf->seed, step * t->heads + head);

        router_noise(t->router, s, rows, t->conf->noise, &rng);
    }
    if (drop.share > 0)
        drop.rng = rng_stream("router-dropout", t->conf->seed, step * t->heads + head);
    router_net_forward(t->router, head, s, n, rows, &drop);
    if (t->router->conf.kind == ROUTER_LABELS)
        loss = label_loss(t, head, at, n, s, t->valid_len == 0, true);
    else
        loss = success_loss(t, at, n, s, NULL, &terms);
    t->tally[head].train_loss += terms ? loss / (double)terms : 0.0;
    t->tally[head].steps++;
    for (size_t k = 0; k < 2; k++)
        correction[k] *= adam_beta[k];
    if (terms == 0)
        return;
    if (!isfinite(loss)) {
        atomic_store(&t->failed, ERR_DIVERGED);
        return;
    }
    router_net_backward(t->router, head, s, n, rows);
    const struct router_rate rate = { .rate = (float)train_rate(&schedule, step),
                                      .decay = (float)t->conf->weight_decay,
                                      .bc1 = (float)(1.0 - correction[0]),
                                      .bc2 = (float)(1.0 - correction[1]) };
    router_net_update(t->router, head, &t->moments[head], s, &rate);
}

/* Judge HEAD on the examples held out; success: on those judged, whose probabilities are kept. */
static void judge(struct router_training *t, size_t head, struct router_scratch *s)
{
    size_t in = router_inputs(&t->router->conf), paths = t->router->conf.paths, len, n;
    const uint32_t *at = router_judged(t, &len);
    bool labels = t->router->conf.kind == ROUTER_LABELS;
    float *kept = labels ? NULL : t->probability + head * len * paths;

    if (labels)
        len = t->valid_len;
    for (size_t i = 0; i < len; i += n) {
        uint64_t terms = n = MIN(t->conf->batch, len - i);
        size_t rows =
            router_gather(t->router, t->data, head, at + i, n, t->mean ? t->mean + head * in : NULL,
                          t->mean ? t->inverse + head * in : NULL, s);
        double loss;

        router_net_forward(t->router, head, s, n, rows, NULL);
        loss = labels ? label_loss(t, head, at + i, n, s, true, false)
                      : success_loss(t, at + i, n, s, kept + i * paths, &terms);
        if (t->valid_len > 0) {
            t->tally[head].valid_loss += loss;
            t->tally[head].valid += terms;
        }
    }
}

static void run_head(void *arg, size_t head, size_t thread)
{
    struct router_training *t = arg;
    struct router_scratch *s = &t->scratch[thread];
    double correction[2] = { t->correction[0], t->correction[1] };
    size_t n;

    t->tally[head] = (struct router_tally){ 0 };
    for (size_t i = 0, step = t->epoch * t->steps_per_epoch; i < t->train_len; i += n, step++) {
        n = MIN(t->conf->batch, t->train_len - i);
        if (step % 64 == 0) {
            progress_tick(t->progress);
            if (progress_stopped(t->progress))
                atomic_store(&t->failed, ERR_CANCELLED);
        }
        if (atomic_load(&t->failed))
            return;
        train_step(t, head, step, t->train + i, n, s, correction);
    }
    judge(t, head, s);
}

/* ---- all epochs ------------------------------------------------------------------------------ */

static void split_examples(struct router_training *t)
{
    t->train = mem_calloc(t->data->examples, sizeof(*t->train));
    t->valid = mem_calloc(t->data->examples, sizeof(*t->valid));
    for (size_t i = 0; i < t->data->examples; i++) {
        if (router_held_out(t->data->id[i], t->conf->seed, t->conf->validation))
            t->valid[t->valid_len++] = (uint32_t)i;
        else
            t->train[t->train_len++] = (uint32_t)i;
    }
}

static void weigh_classes(struct router_training *t)
{
    size_t layers = t->router->conf.layers;
    uint64_t count[3] = { 0 };

    t->gamma = t->conf->loss == ROUTER_FOCAL ? t->conf->gamma : 0.0;
    for (size_t i = 0; i < 3; i++)
        t->alpha[i] = 1.0;
    if (t->conf->loss == ROUTER_CE || t->router->conf.kind == ROUTER_SUCCESS)
        return;
    for (size_t i = 0; i < t->train_len; i++)
        for (size_t l = 0; l < layers; l++)
            count[t->data->label[(size_t)t->train[i] * layers + l]]++;
    router_class_weights(t->conf->balance, t->conf->beta, count, t->alpha);
}

static int prepare(struct router_training *t, struct pool *pool, struct err *err)
{
    const struct router_conf *c = &t->router->conf;
    size_t threads = pool_threads(pool);
    int rc = 0;

    split_examples(t);
    if (t->train_len == 0)
        return err_set(err, ERR_INVALID,
                       "%zu examples to train a router on, of which %zu are held out: more labels, "
                       "or a smaller validation, are needed",
                       t->data->examples, t->valid_len);
    weigh_classes(t);
    t->steps_per_epoch = (t->train_len + t->conf->batch - 1) / t->conf->batch;
    t->steps = t->steps_per_epoch * t->conf->epochs;
    t->heads = router_heads(c);
    t->moments = mem_calloc(t->heads, sizeof(*t->moments));
    t->tally = mem_calloc(t->heads, sizeof(*t->tally));
    t->scratch = mem_calloc(threads, sizeof(*t->scratch));
    if (c->kind == ROUTER_SUCCESS)
        t->probability = mem_calloc(
            (t->valid_len ? t->valid_len : t->train_len) * c->paths * t->heads, sizeof(float));
    for (size_t h = 0; rc == 0 && h < t->heads; h++)
        rc = router_moments_alloc(&t->moments[h], c, err);
    for (size_t i = 0; rc == 0 && i < threads; i++)
        rc = router_scratch_alloc(&t->scratch[i], c, t->conf->batch, t->data->stride, err);
    return rc ? rc : router_start(t, pool, err);
}

/* A score of its own epoch; true: go on. */
static bool end_epoch(struct router_training *t, double score)
{
    bool better = t->best == 0 || score > t->best_score || t->valid_len == 0;

    if (better) {
        t->best = t->epoch + 1;
        t->best_score = score;
        for (size_t h = 0; h < t->heads; h++)
            router_keep_best(t->router, h, &t->moments[h]);
    }
    return t->conf->patience == 0 || t->epoch + 1 - t->best < t->conf->patience;
}

static int train_all(struct router_training *t, struct pool *pool, router_metric_fn metric,
                     void *arg, struct err *err)
{
    double correction[2] = { 1.0, 1.0 };
    bool more = true;

    t->correction = correction;
    for (t->epoch = 0; more && t->epoch < t->conf->epochs; t->epoch++) {
        struct rng rng = rng_stream("router-order", t->conf->seed, t->epoch);

        rng_shuffle(&rng, t->train, t->train_len, sizeof(*t->train));
        pool_run(pool, run_head, t, t->heads);
        if (atomic_load(&t->failed) == ERR_CANCELLED)
            return err_set(err, ERR_CANCELLED, "stopped in epoch %llu of %zu",
                           (unsigned long long)t->epoch + 1, t->conf->epochs);
        if (atomic_load(&t->failed))
            return err_set(err, ERR_DIVERGED,
                           "the router's loss is not finite in epoch %llu: lower learning_rate, or "
                           "the model's states are broken",
                           (unsigned long long)t->epoch + 1);
        for (size_t i = 0; i < t->steps_per_epoch; i++)
            for (size_t k = 0; k < 2; k++)
                correction[k] *= adam_beta[k];
        more = end_epoch(t, router_report(t, metric, arg));
        if (t->progress)
            atomic_store(&t->progress->done, t->epoch + 1);
    }
    for (size_t h = 0; h < t->heads; h++)
        router_take_best(t->router, h, &t->moments[h]);
    router_fold(t);
    return 0;
}

static void release(struct router_training *t, size_t threads)
{
    for (size_t h = 0; t->moments && h < t->heads; h++)
        router_moments_release(&t->moments[h]);
    for (size_t i = 0; t->scratch && i < threads; i++)
        router_scratch_release(&t->scratch[i]);
    free(t->moments);
    free(t->scratch);
    free(t->tally);
    free(t->probability);
    free(t->mean);
    free(t->inverse);
    free(t->train);
    free(t->valid);
}

int router_train(struct router *r, const struct router_data *d, const struct router_train_conf *c,
                 struct pool *pool, router_metric_fn metric, void *arg, struct progress *progress,
                 struct router_trained *ret, struct err *err)
{
    struct router_training t = { .router = r, .data = d, .conf = c, .progress = progress };
    int rc;

    assert(c->epochs >= 1 && c->batch >= 1 && d->examples < UINT32_MAX);
    if (progress)
        atomic_store(&progress->total, c->epochs);
    rc = prepare(&t, pool, err);
    rc = rc ? rc : train_all(&t, pool, metric, arg, err);
    *ret = (struct router_trained){ .trained = t.train_len,
                                    .validated = t.valid_len,
                                    .epochs = t.epoch,
                                    .best = t.best,
                                    .score = t.best_score };
    release(&t, pool_threads(pool));
    return rc;
}
