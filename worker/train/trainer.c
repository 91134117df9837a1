/* SPDX-License-Identifier: Apache-2.0 */
/* The step: micro-batches over the pool's threads, sum, clip, AdamW, pack. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/kernels/blas.h"
#include "worker/train/micro.h"

/* Floats that one thread sums or updates at a time: 16 KiB stay in the first-level cache while the
 * micro-batches' buffers are added to them. Fixed, because the norm is summed per span, in order.
 */
enum { SPAN = 4096 };

struct span {
    size_t at, len;
    bool decay;
};

struct trainer {
    struct train_conf conf;
    struct pool *pool;
    struct micro_model model;
    struct model_weights moment1, moment2;
    struct model_weights *grad;  /* [micro_batches]; grad[0] is the sum in the end */
    struct micro_job *job;       /* [micro_batches] */
    struct micro_result *result; /* [micro_batches] */
    struct micro *micro;         /* [threads] */
    size_t threads;
    struct span *span;
    double *squares; /* [spans_len] */
    size_t spans_len;
    uint64_t steps;
    double beta1_power, beta2_power;
    float scale, rate; /* of the step in progress */
};

/* Spans of all tensors and, the first time, the initial weights. */
struct tensor_walk {
    struct trainer *t;
    uint64_t index;
};

static int add_spans(const struct model_tensor *tensor, void *arg)
{
    struct trainer *t = arg;
    size_t size = tensor->rows * tensor->cols;

    for (size_t at = 0; at < size; at += SPAN) {
        t->span = mem_realloc(t->span, t->spans_len + 1, sizeof(*t->span));
        t->span[t->spans_len++] = (struct span){ .at = tensor->offset + at,
                                                 .len = MIN((size_t)SPAN, size - at),
                                                 .decay = tensor->decay };
    }
    return 0;
}

/* Norms are 1. Matrices are normal with variance 1 / inputs, so that a row keeps its size; what is
 * added to the residual stream (wo, w2) is smaller by sqrt(2 layers), so that the sum over all
 * layers keeps its size, too. Embeddings are four times larger: tokens that stand out from what the
 * layers add are matched sooner (measured: in-context lookup is learnt after a third of the steps).
 */
static int draw_tensor(const struct model_tensor *tensor, void *arg)
{
    struct tensor_walk *walk = arg;
    const struct model_conf *c = &walk->t->conf.model;
    float *w = walk->t->model.w.all + tensor->offset;
    struct rng r = rng_stream("weights", walk->t->conf.seed, walk->index++);
    double std = 1.0 / sqrt((double)tensor->cols);

    if (strstr(tensor->name, "o_proj") || strstr(tensor->name, "down_proj"))
        std /= sqrt(2.0 * (double)c->layers);
    if (strstr(tensor->name, "embed_tokens"))
        std *= 4.0;
    for (size_t i = 0; i < tensor->rows * tensor->cols; i++)
        w[i] = tensor->decay ? (float)(std * rng_normal(&r)) : 1.0f;
    return 0;
}

static int alloc_layers(struct micro_model *m, struct err *err)
{
    const struct model_conf *c = &m->conf;
    size_t nq = c->heads * c->head_dim, nk = c->kv_heads * c->head_dim;
    int rc = 0;

    m->wqkv = mem_calloc(c->layers, sizeof(struct dense));
    m->wo = mem_calloc(c->layers, sizeof(struct dense));
    m->w13 = mem_calloc(c->layers, sizeof(struct dense));
    m->w2 = mem_calloc(c->layers, sizeof(struct dense));
    for (size_t l = 0; rc == 0 && l < c->layers; l++) {
        m->wqkv[l] = (struct dense){ .in = c->dim,
                                     .parts = 3,
                                     .part = { m->w.wq[l], m->w.wk[l], m->w.wv[l] },
                                     .rows = { nq, nk, nk } };
        m->wo[l] =
            (struct dense){ .in = nq, .parts = 1, .part = { m->w.wo[l] }, .rows = { c->dim } };
        m->w13[l] = (struct dense){ .in = c->dim,
                                    .parts = 2,
                                    .part = { m->w.w1[l], m->w.w3[l] },
                                    .rows = { c->hidden, c->hidden } };
        m->w2[l] = (struct dense){
            .in = c->hidden, .parts = 1, .part = { m->w.w2[l] }, .rows = { c->dim }
        };
        rc = dense_alloc(&m->wqkv[l], m->gemm, err);
        rc = rc == 0 ? dense_alloc(&m->wo[l], m->gemm, err) : rc;
        rc = rc == 0 ? dense_alloc(&m->w13[l], m->gemm, err) : rc;
        rc = rc == 0 ? dense_alloc(&m->w2[l], m->gemm, err) : rc;
    }
    m->head =
        (struct dense){ .in = c->dim, .parts = 1, .part = { m->w.head[0] }, .rows = { c->vocab } };
    return rc == 0 ? dense_alloc(&m->head, m->gemm, err) : rc;
}

static int alloc_buffers(struct trainer *t, struct err *err)
{
    struct micro_model *m = &t->model;
    size_t table = m->conf.positions * m->conf.head_dim / 2;
    int rc = model_weights_alloc(&m->w, &m->conf, err);

    rc = rc == 0 ? model_weights_alloc(&t->moment1, &m->conf, err) : rc;
    rc = rc == 0 ? model_weights_alloc(&t->moment2, &m->conf, err) : rc;
    t->grad = mem_calloc(t->conf.micro_batches, sizeof(*t->grad));
    for (size_t i = 0; rc == 0 && i < t->conf.micro_batches; i++)
        rc = model_weights_alloc(&t->grad[i], &m->conf, err);
    t->job = mem_calloc(t->conf.micro_batches, sizeof(*t->job));
    t->result = mem_calloc(t->conf.micro_batches, sizeof(*t->result));
    m->rope_cos = mem_try_aligned(table, sizeof(float));
    m->rope_sin = mem_try_aligned(table, sizeof(float));
    if (rc == 0 && (!m->rope_cos || !m->rope_sin))
        rc = err_set(err, ERR_NOMEM, "training: no memory for %zu positions", m->conf.positions);
    return rc;
}

static void pack_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    struct micro_model *m = &t->model;
    size_t l = i / 4;

    (void)thread;
    if (l == m->conf.layers) {
        dense_pack(&m->head, m->gemm);
        return;
    }
    dense_pack(i % 4 == 0   ? &m->wqkv[l]
               : i % 4 == 1 ? &m->wo[l]
               : i % 4 == 2 ? &m->w13[l]
                            : &m->w2[l],
               m->gemm);
}

static void pack_all(struct trainer *t)
{
    pool_run(t->pool, pack_one, t, 4 * t->model.conf.layers + 1);
}

int trainer_new(struct trainer **ret, const struct train_conf *c, struct pool *pool,
                const struct kernels *kern, struct err *err)
{
    struct trainer *t;
    int rc = train_conf_check(c, err);

    if (rc < 0)
        return rc;
    blas_init();
    t = mem_calloc(1, sizeof(*t));
    t->conf = *c;
    t->pool = pool;
    t->beta1_power = t->beta2_power = 1.0;
    t->model.conf = c->model;
    t->model.gemm = c->gemm;
    t->model.kern = kern ? kern : kernels_best();
    rc = alloc_buffers(t, err);
    rc = rc == 0 ? alloc_layers(&t->model, err) : rc;
    if (rc < 0) {
        trainer_free(t);
        return rc;
    }
    rope_tables(t->model.rope_cos, t->model.rope_sin, &t->model.conf, 0, c->model.positions);
    (void)model_each_tensor(&t->model.conf, add_spans, t);
    (void)model_each_tensor(&t->model.conf, draw_tensor, &(struct tensor_walk){ .t = t });
    t->squares = mem_calloc(t->spans_len, sizeof(*t->squares));
    pack_all(t);
    *ret = t;
    return 0;
}

void trainer_free(struct trainer *t)
{
    if (!t)
        return;
    for (size_t l = 0; t->model.w2 && l < t->model.conf.layers; l++) {
        dense_release(&t->model.wqkv[l]);
        dense_release(&t->model.wo[l]);
        dense_release(&t->model.w13[l]);
        dense_release(&t->model.w2[l]);
    }
    dense_release(&t->model.head);
    free(t->model.wqkv);
    free(t->model.wo);
    free(t->model.w13);
    free(t->model.w2);
    free(t->model.rope_cos);
    free(t->model.rope_sin);
    model_weights_release(&t->model.w);
    model_weights_release(&t->moment1);
    model_weights_release(&t->moment2);
    for (size_t i = 0; t->grad && i < t->conf.micro_batches; i++)
        model_weights_release(&t->grad[i]);
    for (size_t i = 0; i < t->threads; i++)
        micro_release(&t->micro[i]);
    free(t->micro);
    free(t->grad);
    free(t->job);
    free(t->result);
    free(t->span);
    free(t->squares);
    free(t);
}

void trainer_set_pool(struct trainer *t, struct pool *pool)
{
    t->pool = pool;
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

/* Split the batch's sequences evenly and make every thread's scratch large enough for any part. */
static int split_batch(struct trainer *t, const struct train_batch *b, size_t targets,
                       struct err *err)
{
    size_t n = t->conf.micro_batches, threads = pool_threads(t->pool);
    int rc = 0;

    if (threads > t->threads) {
        t->micro = mem_realloc(t->micro, threads, sizeof(*t->micro));
        memset(t->micro + t->threads, 0, (threads - t->threads) * sizeof(*t->micro));
        t->threads = threads;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        t->job[i] = (struct micro_job){ .batch = b,
                                        .from = b->sequences * i / n,
                                        .to = b->sequences * (i + 1) / n,
                                        .target_weight = (float)(1.0 / (double)targets) };
        for (size_t k = 0; rc == 0 && k < threads; k++)
            rc = micro_reserve(&t->micro[k], &t->model, &t->job[i], err);
    }
    return rc;
}

static void run_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;

    t->result[i] = micro_run(&t->micro[thread], &t->model, &t->job[i], &t->grad[i]);
}

static void sum_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    float *sum = t->grad[0].all + t->span[i].at;

    (void)thread;
    for (size_t g = 1; g < t->conf.micro_batches; g++)
        t->model.kern->add(sum, t->grad[g].all + t->span[i].at, t->span[i].len);
    t->squares[i] = t->model.kern->sum_squares(sum, t->span[i].len);
}

static void update_one(void *arg, size_t i, size_t thread)
{
    struct trainer *t = arg;
    const struct span *s = &t->span[i];

    (void)thread;
    t->model.kern->adamw(t->model.w.all + s->at, t->moment1.all + s->at, t->moment2.all + s->at,
                         t->grad[0].all + s->at, t->scale, t->rate, (float)t->conf.beta1,
                         (float)t->conf.beta2, (float)t->conf.eps,
                         s->decay ? (float)t->conf.weight_decay : 0.0f,
                         (float)(1.0 - t->beta1_power), (float)(1.0 - t->beta2_power), s->len);
}

/* Loss and summed gradient (in grad[0]). */
static int compute(struct trainer *t, const struct train_batch *b, struct train_report *ret,
                   struct err *err)
{
    size_t targets;
    double squares = 0.0;
    int rc = check_batch(&t->conf, b, &targets, err);

    rc = rc == 0 ? split_batch(t, b, targets, err) : rc;
    if (rc < 0)
        return rc;
    pool_run(t->pool, run_one, t, t->conf.micro_batches);
    pool_run(t->pool, sum_one, t, t->spans_len);
    *ret = (struct train_report){ .targets = targets,
                                  .rows = b->start[b->sequences],
                                  .rate = train_rate(&t->conf, t->steps) };
    for (size_t i = 0; i < t->conf.micro_batches; i++) {
        ret->loss += t->result[i].loss;
        ret->correct += t->result[i].correct;
    }
    ret->loss /= (double)targets;
    for (size_t i = 0; i < t->spans_len; i++)
        squares += t->squares[i];
    ret->grad_norm = sqrt(squares);
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
    t->beta1_power *= t->conf.beta1;
    t->beta2_power *= t->conf.beta2;
    t->rate = (float)ret->rate;
    t->scale = t->conf.clip > 0 && ret->grad_norm > t->conf.clip
                   ? (float)(t->conf.clip / ret->grad_norm)
                   : 1.0f;
    pool_run(t->pool, update_one, t, t->spans_len);
    pack_all(t);
    t->steps++;
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
    pack_all(t);
}
