/* SPDX-License-Identifier: Apache-2.0 */
/* A trainer's memory and its first weights: drawn, or a checkpoint's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/rng.h"
#include "worker/kernels/blas.h"
#include "worker/train/trainer_private.h"

/* Floats that one thread sums or updates at a time: 16 KiB stay in the first-level cache while the
 * micro-batches' buffers are added to them. Fixed, because the norm is summed per span, in order.
 */
enum { SPAN = 4096 };

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
        if (t->spans_len == t->spans_max) {
            t->spans_max = 2 * t->spans_max + 64;
            t->span = mem_realloc(t->span, t->spans_max, sizeof(*t->span));
        }
        t->span[t->spans_len++] = (struct trainer_span){ .at = tensor->offset + at,
                                                         .len = MIN((size_t)SPAN, size - at),
                                                         .decay = tensor->decay };
    }
    return 0;
}

/* Norms are 1, biases 0. Matrices are normal with variance 1 / inputs, so that a row keeps its
 * size; what is added to the residual stream (wo, w2) is smaller by sqrt(2 layers), so that the sum
 * over all layers keeps its size, too. Embeddings are four times larger: tokens that stand out from
 * what the layers add are matched sooner (measured: in-context lookup is learnt after a third of
 * the steps).
 */
static int draw_tensor(const struct model_tensor *tensor, void *arg)
{
    struct tensor_walk *walk = arg;
    const struct model_conf *c = &walk->t->conf.model;
    float *w = walk->t->model.w.all + tensor->offset;
    struct rng r = rng_stream("weights", walk->t->conf.seed, walk->index++);
    double std = 1.0 / sqrt((double)tensor->cols);
    float vector = strstr(tensor->name, ".bias") ? 0.0f : 1.0f;

    if (strstr(tensor->name, "o_proj") || strstr(tensor->name, "down_proj"))
        std /= sqrt(2.0 * (double)c->layers);
    if (strstr(tensor->name, "embed_tokens"))
        std *= 4.0;
    for (size_t i = 0; i < tensor->rows * tensor->cols; i++)
        w[i] = tensor->decay ? (float)(std * rng_normal(&r)) : vector;
    return 0;
}

static const float *bias(bool has, const float *b)
{
    return has ? b : NULL;
}

static int alloc_layers(struct micro_model *m, bool keep, struct err *err)
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
                                     .part_bias = { bias(c->qkv_bias, m->w.bq[l]),
                                                    bias(c->qkv_bias, m->w.bk[l]),
                                                    bias(c->qkv_bias, m->w.bv[l]) },
                                     .rows = { nq, nk, nk } };
        m->wo[l] = (struct dense){ .in = nq,
                                   .parts = 1,
                                   .part = { m->w.wo[l] },
                                   .part_bias = { bias(c->o_bias, m->w.bo[l]) },
                                   .rows = { c->dim } };
        m->w13[l] = (struct dense){ .in = c->dim,
                                    .parts = 2,
                                    .part = { m->w.w1[l], m->w.w3[l] },
                                    .part_bias = { bias(c->mlp_bias, m->w.b1[l]),
                                                   bias(c->mlp_bias, m->w.b3[l]) },
                                    .rows = { c->hidden, c->hidden } };
        m->w2[l] = (struct dense){ .in = c->hidden,
                                   .parts = 1,
                                   .part = { m->w.w2[l] },
                                   .part_bias = { bias(c->mlp_bias, m->w.b2[l]) },
                                   .rows = { c->dim } };
        rc = dense_alloc(&m->wqkv[l], m->gemm, keep, err);
        rc = rc == 0 ? dense_alloc(&m->wo[l], m->gemm, keep, err) : rc;
        rc = rc == 0 ? dense_alloc(&m->w13[l], m->gemm, keep, err) : rc;
        rc = rc == 0 ? dense_alloc(&m->w2[l], m->gemm, keep, err) : rc;
    }
    m->head =
        (struct dense){ .in = c->dim, .parts = 1, .part = { m->w.head[0] }, .rows = { c->vocab } };
    return rc == 0 ? dense_alloc(&m->head, m->gemm, keep, err) : rc;
}

static int alloc_buffers(struct trainer *t, struct err *err)
{
    struct micro_model *m = &t->model;
    size_t n = t->conf.micro_batches;
    int rc = model_weights_alloc(&m->w, &m->conf, err);

    if (!t->conf.frozen) {
        rc = rc == 0 ? model_weights_alloc(&t->moment1, &m->conf, err) : rc;
        rc = rc == 0 ? model_weights_alloc(&t->moment2, &m->conf, err) : rc;
        t->grads_len = t->small ? 1 : n;
        t->grad = mem_calloc(t->grads_len, sizeof(*t->grad));
        for (size_t i = 0; rc == 0 && i < t->grads_len; i++)
            rc = model_weights_alloc(&t->grad[i], &m->conf, err);
    }
    t->sum.total = t->grad;
    t->sum.turn = mem_calloc(m->conf.layers + 1, sizeof(*t->sum.turn));
    t->job = mem_calloc(n, sizeof(*t->job));
    t->result = mem_calloc(n, sizeof(*t->result));
    return rc == 0 ? rope_new(&m->rope, &m->conf, err) : rc;
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

void trainer_pack(struct trainer *t)
{
    pool_run(t->pool, pack_one, t, 4 * t->model.conf.layers + 1);
}

/* FAST would take too much. */
static bool is_large(const struct train_conf *c)
{
    return c->memory == TRAIN_MEMORY_SMALL ||
           (c->memory == TRAIN_MEMORY_AUTO &&
            model_floats(&c->model) > TRAIN_FAST_BYTES / sizeof(float) / c->micro_batches);
}

/* All but the weights' values. */
static int trainer_make(struct trainer **ret, const struct train_conf *c, struct pool *pool,
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
    t->small = is_large(c);
    t->beta1_power = t->beta2_power = 1.0;
    t->model.conf = c->model;
    t->model.gemm = c->gemm;
    t->model.logits_max = MICRO_LOGITS_MAX;
    t->model.kern = kern ? kern : kernels_best();
    (void)pthread_mutex_init(&t->sum.mutex, NULL); /* neither can fail here */
    (void)pthread_cond_init(&t->sum.moved, NULL);
    rc = alloc_buffers(t, err);
    rc = rc == 0 ? alloc_layers(&t->model, !t->small && !c->frozen, err) : rc;
    if (rc < 0) {
        trainer_free(t);
        return rc;
    }
    (void)model_each_tensor(&t->model.conf, add_spans, t);
    t->squares = mem_calloc(t->spans_len, sizeof(*t->squares));
    *ret = t;
    return 0;
}

int trainer_new(struct trainer **ret, const struct train_conf *c, struct pool *pool,
                const struct kernels *kern, struct err *err)
{
    struct trainer *t = NULL;
    int rc = trainer_make(&t, c, pool, kern, err);

    if (rc < 0)
        return rc;
    (void)model_each_tensor(&t->model.conf, draw_tensor, &(struct tensor_walk){ .t = t });
    trainer_pack(t);
    *ret = t;
    return 0;
}

struct widening {
    struct trainer *t;
    const struct checkpoint *files;
    size_t tensor;
    struct place {
        const struct tensor_view *from;
        struct model_tensor to;
    } * place;
};

static int count_place(const struct model_tensor *tensor, const struct tensor_view *v, void *arg)
{
    struct widening *w = arg;

    w->place = mem_realloc(w->place, w->tensor + 1, sizeof(*w->place));
    w->place[w->tensor++] = (struct place){ v, *tensor };
    return 0;
}

/* TO = FROM with the rows of each head changed from interleaved pairs to rotate-half order. */
static void turn_rows(float *to, const struct tensor_view *v, size_t head_dim, size_t rows,
                      size_t cols)
{
    size_t half = head_dim / 2, bytes = cols * weight_type_bytes(v->type);

    for (size_t r = 0; r < rows; r++) {
        size_t i = r % head_dim, from = r - i + (i < half ? 2 * i : 2 * (i - half) + 1);

        weight_widen(to + r * cols, (const char *)v->data + from * bytes, v->type, cols);
    }
}

static void widen_one(void *arg, size_t i, size_t thread)
{
    const struct widening *w = arg;
    const struct place *p = &w->place[i];
    const struct model_conf *c = &w->files->conf;
    float *to = w->t->model.w.all + p->to.offset;
    bool key = to >= w->t->model.w.wq[0] && to < w->t->model.w.wv[0];

    (void)thread;
    if (c->qkv_bias)
        key |= to >= w->t->model.w.bq[0] && to < w->t->model.w.bv[0];
    if (c->rope_interleaved && key)
        turn_rows(to, p->from, c->head_dim, p->to.rows * p->to.cols / (p->to.vector ? 1 : c->dim),
                  p->to.vector ? 1 : c->dim);
    else
        weight_widen(to, p->from->data, p->from->type, p->to.rows * p->to.cols);
    checkpoint_drop(w->files, p->from);
}

int trainer_new_from(struct trainer **ret, const struct train_conf *c,
                     const struct checkpoint *files, struct pool *pool, const struct kernels *kern,
                     struct err *err)
{
    struct train_conf own = *c;
    struct widening w = { .files = files };
    struct trainer *t = NULL;
    int rc;

    own.model = files->conf;
    own.model.rope_interleaved = false;
    rc = trainer_make(&t, &own, pool, kern, err);
    if (rc < 0)
        return rc;
    w.t = t;
    (void)checkpoint_each(files, count_place, &w);
    pool_run(pool, widen_one, &w, w.tensor);
    free(w.place);
    trainer_pack(t);
    *ret = t;
    return 0;
}

int trainer_open(struct trainer **ret, const struct train_conf *c, const char *path,
                 struct pool *pool, const struct kernels *kern, struct err *err)
{
    struct checkpoint *files = NULL;
    int rc = checkpoint_open(&files, path, err);

    rc = rc == 0 ? trainer_new_from(ret, c, files, pool, kern, err) : rc;
    checkpoint_close(files);
    return rc;
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
    rope_free(t->model.rope);
    model_weights_release(&t->model.w);
    model_weights_release(&t->moment1);
    model_weights_release(&t->moment2);
    for (size_t i = 0; i < t->grads_len; i++)
        model_weights_release(&t->grad[i]);
    for (size_t i = 0; i < t->threads; i++)
        micro_release(&t->micro[i]);
    pthread_mutex_destroy(&t->sum.mutex);
    pthread_cond_destroy(&t->sum.moved);
    trainer_model_release(t);
    free(t->sum.turn);
    free(t->micro);
    free(t->grad);
    free(t->job);
    free(t->result);
    free(t->span);
    free(t->squares);
    free(t);
}
