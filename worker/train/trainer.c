/* SPDX-License-Identifier: Apache-2.0 */
/* The step: micro-batches over the pool's threads, sum, clip, AdamW, pack. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/train/trainer_private.h"

void trainer_set_pool(struct trainer *t, struct pool *pool)
{
    t->pool = pool;
}

void trainer_set_progress(struct trainer *t, struct progress *progress)
{
    t->model.progress = progress;
}

const struct train_conf *trainer_conf(const struct trainer *t)
{
    return &t->conf;
}

int trainer_set_schedule(struct trainer *t, const struct train_conf *c, struct err *err)
{
    struct train_conf next = t->conf;
    int rc;

    next.steps = c->steps;
    next.warmup = c->warmup;
    next.learning_rate = c->learning_rate;
    next.final_rate = c->final_rate;
    next.weight_decay = c->weight_decay;
    next.clip = c->clip;
    rc = train_conf_check(&next, err);
    if (rc == 0)
        t->conf = next;
    return rc;
}

static int check_batch(const struct train_conf *c, const struct train_batch *b, size_t *ret_targets,
                       struct err *err)
{
    *ret_targets = 0;
    if (b->sequences == 0)
        return err_set(err, ERR_INVALID, "training: a batch without sequences");
    for (size_t s = 0; s < b->sequences; s++) {
        if (b->start[s + 1] <= b->start[s])
            return err_set(err, ERR_INVALID, "training: sequence %zu of the batch is empty", s);
        if (b->start[s + 1] - b->start[s] > c->model.positions)
            return err_set(err, ERR_LIMIT,
                           "training: sequence %zu has %zu tokens, the model takes %zu positions",
                           s, b->start[s + 1] - b->start[s], c->model.positions);
    }
    if (b->start[b->sequences] > TRAIN_ROWS_MAX)
        return err_set(err, ERR_LIMIT, "training: a batch of %zu tokens; at most %d",
                       b->start[b->sequences], TRAIN_ROWS_MAX);
    for (size_t i = 0; i < b->start[b->sequences]; i++) {
        bool aim = b->target[i] != TRAIN_NO_TARGET;

        if (b->tokens[i] >= c->model.vocab || (aim && b->target[i] >= c->model.vocab))
            return err_set(err, ERR_INVALID, "training: row %zu: a token outside 0 to %zu", i,
                           c->model.vocab - 1);
        *ret_targets += aim;
    }
    if (*ret_targets == 0)
        return err_set(err, ERR_INVALID, "training: a batch without targets");
    for (size_t i = 0; b->times && i < b->sequences * c->model.layers; i++)
        if (b->times[i] > 2)
            return err_set(err, ERR_INVALID,
                           "training: sequence %zu goes %d times through layer %zu; 0 to 2",
                           i / c->model.layers, b->times[i], i % c->model.layers);
    return 0;
}

/* A thread's activations, kept, would be too large: they are computed again. */
static bool recomputes(struct trainer *t)
{
    bool large = t->conf.memory == TRAIN_MEMORY_SMALL;

    t->model.recompute = false;
    for (size_t i = 0; i < t->conf.micro_batches && !large; i++)
        large =
            t->conf.memory == TRAIN_MEMORY_AUTO &&
            micro_floats(&t->micro[0], &t->model, &t->job[i]) > TRAIN_FAST_BYTES / sizeof(float);
    return large;
}

/* Split the batch's sequences evenly and make every thread's scratch large enough for any part. */
static int split_batch(struct trainer *t, const struct train_batch *b,
                       const struct micro_extra *extra, size_t targets, struct err *err)
{
    size_t n = t->conf.micro_batches, threads = pool_threads(t->pool);
    bool adds = t->small && !(extra && extra->forward_only);
    int rc = 0;

    if (threads > t->threads) {
        t->micro = mem_realloc(t->micro, threads, sizeof(*t->micro));
        memset(t->micro + t->threads, 0, (threads - t->threads) * sizeof(*t->micro));
        t->threads = threads;
    }
    for (size_t i = 0; i < n; i++)
        t->job[i] = (struct micro_job){ .batch = b,
                                        .from = b->sequences * i / n,
                                        .to = b->sequences * (i + 1) / n,
                                        .target_weight = (float)(1.0 / (double)targets),
                                        .extra = extra,
                                        .sum = adds ? &t->sum : NULL,
                                        .index = i };
    t->model.recompute = recomputes(t);
    for (size_t k = 0; rc == 0 && k < threads; k++) {
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = micro_reserve(&t->micro[k], &t->model, &t->job[i], err);
        if (rc == 0 && adds)
            rc = micro_grad_alloc(&t->micro[k], &t->model.conf, err);
    }
    return rc;
}

static void run_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    bool own = !t->job[i].sum && t->grads_len > i;

    t->result[i] = micro_run(&t->micro[thread], &t->model, &t->job[i], own ? &t->grad[i] : NULL);
}

static void sum_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    float *sum = t->grad[0].all + t->span[i].at;

    (void)thread;
    for (size_t g = 1; g < t->grads_len; g++)
        t->model.kern->add(sum, t->grad[g].all + t->span[i].at, t->span[i].len);
    t->squares[i] = t->model.kern->sum_squares(sum, t->span[i].len);
    progress_tick(t->model.progress);
}

static void update_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    const struct trainer_span *s = &t->span[i];

    (void)thread;
    t->model.kern->adamw(t->model.w.all + s->at, t->moment1.all + s->at, t->moment2.all + s->at,
                         t->grad[0].all + s->at, t->scale, t->rate, (float)t->conf.beta1,
                         (float)t->conf.beta2, (float)t->conf.eps,
                         s->decay ? (float)t->conf.weight_decay : 0.0f,
                         (float)(1.0 - t->beta1_power), (float)(1.0 - t->beta2_power), s->len);
    progress_tick(t->model.progress);
}

static double norm_of(const struct trainer *t)
{
    double squares = 0.0;

    for (size_t i = 0; i < t->spans_len; i++)
        squares += t->squares[i];
    return sqrt(squares);
}

static size_t longest(const struct train_batch *b)
{
    size_t most = 0;

    for (size_t s = 0; s < b->sequences; s++)
        most = MAX(most, b->start[s + 1] - b->start[s]);
    return most;
}

int trainer_run(struct trainer *t, const struct train_batch *b, const struct micro_extra *extra,
                struct micro_result *ret, size_t *ret_targets, double *ret_norm, struct err *err)
{
    bool forward_only = extra && extra->forward_only;
    int rc = check_batch(&t->conf, b, ret_targets, err);

    assert(forward_only || !t->conf.frozen);
    rc = rc == 0 ? split_batch(t, b, extra, *ret_targets, err) : rc;
    if (rc < 0)
        return rc;
    t->model.angles = rope_need(t->model.rope, longest(b));
    memset(t->sum.turn, 0, (t->model.conf.layers + 1) * sizeof(*t->sum.turn));
    t->sum.stopped = false;
    pool_run(t->pool, run_one, t, t->conf.micro_batches);
    *ret = (struct micro_result){ 0 };
    for (size_t i = 0; i < t->conf.micro_batches; i++)
        micro_result_add(ret, &t->result[i]);
    if (ret->stopped)
        return err_set(err, ERR_CANCELLED, "training: stopped during step %llu",
                       (unsigned long long)t->steps);
    if (!forward_only)
        pool_run(t->pool, sum_one, t, t->spans_len);
    if (ret_norm)
        *ret_norm = norm_of(t);
    return 0;
}

void trainer_move(struct trainer *t, double norm, double rate)
{
    t->beta1_power *= t->conf.beta1;
    t->beta2_power *= t->conf.beta2;
    t->rate = (float)rate;
    t->scale = t->conf.clip > 0 && norm > t->conf.clip ? (float)(t->conf.clip / norm) : 1.0f;
    pool_run(t->pool, update_one, t, t->spans_len);
    trainer_pack(t);
    t->steps++;
}

/* Loss and summed gradient (in grad[0]). */
static int compute(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                   struct err *err)
{
    struct micro_result sum;
    size_t targets;
    double norm;
    int rc = trainer_run(t, b, NULL, &sum, &targets, &norm, err);

    if (rc < 0)
        return rc;
    *ret = (struct train_report){ .loss = sum.loss / (double)targets,
                                  .grad_norm = norm,
                                  .rate = train_rate(&t->conf, t->steps),
                                  .targets = targets,
                                  .correct = sum.correct,
                                  .rows = b->start[b->sequences] };
    return 0;
}

int trainer_step(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                 struct err *err)
{
    int rc = compute(t, b, ret, err);

    if (rc < 0)
        return rc;
    if (!isfinite(ret->loss) || !isfinite(ret->grad_norm))
        return err_set(err, ERR_DIVERGED,
                       "step %llu: loss %g, gradient norm %g at learning rate %g",
                       (unsigned long long)t->steps, ret->loss, ret->grad_norm, ret->rate);
    trainer_move(t, ret->grad_norm, ret->rate);
    return 0;
}

int trainer_gradient(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                     float *grad, struct err *err)
{
    int rc = compute(t, b, ret, err);

    if (rc == 0 && grad)
        memcpy(grad, t->grad[0].all, t->grad[0].floats_len * sizeof(float));
    return rc;
}

uint64_t trainer_steps(const struct trainer *t)
{
    return t->steps;
}

const struct model_weights *trainer_weights(const struct trainer *t)
{
    return &t->model.w;
}

void trainer_set_weights(struct trainer *t, const float *all)
{
    memcpy(t->model.w.all, all, t->model.w.floats_len * sizeof(float));
    trainer_pack(t);
}
