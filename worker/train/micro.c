/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/micro.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Hands out consecutive 64-byte aligned arrays; with base NULL it only counts. */
struct carver {
    float *base;
    size_t used;
};

static float *carve(struct carver *c, size_t floats)
{
    size_t at = c->used;

    c->used += (floats + 15) / 16 * 16;
    return c->base ? c->base + at : NULL;
}

static void micro_carve(struct micro *m, const struct model_conf *c, enum train_gemm gemm,
                        size_t rows, size_t squares, struct carver *v)
{
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;
    size_t widest = MAX(MAX(qkv, 2 * c->hidden), MAX(c->vocab, c->dim));
    size_t deepest = MAX(MAX(ctx, c->hidden), c->dim);

    for (size_t l = 0; l < c->layers; l++) {
        m->layer[l] = (struct micro_layer){
            .x = carve(v, rows * c->dim),
            .h1 = carve(v, rows * c->dim),
            .rstd1 = carve(v, rows),
            .qkv = carve(v, rows * qkv),
            .att = carve(v, squares * c->heads),
            .ctx = carve(v, rows * ctx),
            .mid = carve(v, rows * c->dim),
            .h2 = carve(v, rows * c->dim),
            .rstd2 = carve(v, rows),
            .gate_up = carve(v, rows * 2 * c->hidden),
            .act = carve(v, rows * c->hidden),
        };
    }
    m->out = carve(v, rows * c->dim);
    m->out_rstd = carve(v, rows);
    m->out_norm = carve(v, rows * c->dim);
    m->logits = carve(v, rows * c->vocab);
    m->loss = carve(v, rows);
    m->weight = carve(v, rows);
    m->ctx_all = carve(v, rows * ctx);
    m->dx = carve(v, rows * c->dim);
    m->dmid = carve(v, rows * c->dim);
    m->dh = carve(v, rows * c->dim);
    m->dctx = carve(v, rows * ctx);
    m->dqkv = carve(v, rows * qkv);
    m->dgate_up = carve(v, rows * 2 * c->hidden);
    m->dact = carve(v, rows * c->hidden);
    m->scores = carve(v, attention_scratch_floats(rows));
    m->dense.transposed = carve(v, gemm == TRAIN_GEMM_PACKED ? rows * widest : 0);
    m->dense.panel = carve(v, gemm == TRAIN_GEMM_PACKED ? packed_floats(rows, deepest) : 0);
    m->position = (uint32_t *)(void *)carve(v, rows);
    m->keep = (uint32_t *)(void *)carve(v, rows);
    m->keep_target = (uint32_t *)(void *)carve(v, rows);
}

int micro_reserve(struct micro *m, const struct micro_model *model, size_t rows, size_t squares,
                  struct err *err)
{
    struct carver count = { 0 }, give = { 0 };

    if (rows <= m->rows_max && squares <= m->att_max)
        return 0;
    rows = MAX(rows, m->rows_max);
    squares = MAX(squares, m->att_max);
    free(m->all);
    m->all = NULL;
    m->rows_max = m->att_max = 0;
    if (!m->layer)
        m->layer = mem_calloc(model->conf.layers, sizeof(*m->layer));
    micro_carve(m, &model->conf, model->gemm, rows, squares, &count);
    m->all = mem_try_aligned(count.used, sizeof(float));
    if (!m->all)
        return err_set(err, ERR_NOMEM,
                       "training: no memory for the activations of %zu tokens (%zu MiB)", rows,
                       count.used >> 18);
    give.base = m->all;
    micro_carve(m, &model->conf, model->gemm, rows, squares, &give);
    m->rows_max = rows;
    m->att_max = squares;
    return 0;
}

void micro_release(struct micro *m)
{
    free(m->all);
    free(m->layer);
    *m = (struct micro){ 0 };
}

/* Positions, rows with targets, and the embeddings of the job's rows; returns how many targets. */
static size_t micro_begin(struct micro *m, const struct micro_model *mm,
                          const struct micro_job *job)
{
    const struct train_batch *b = job->batch;
    size_t row = 0, kept = 0, d = mm->conf.dim;

    for (size_t s = job->from; s < job->to; s++) {
        for (size_t i = b->start[s]; i < b->start[s + 1]; i++, row++) {
            m->position[row] = (uint32_t)(i - b->start[s]);
            memcpy(m->layer[0].x + row * d, mm->w.embed[0] + b->tokens[i] * d, d * sizeof(float));
            if (b->target[i] == TRAIN_NO_TARGET)
                continue;
            m->keep[kept] = (uint32_t)row;
            m->keep_target[kept++] = b->target[i];
        }
    }
    return kept;
}

static void gather(float *out, const float *x, const uint32_t *row, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * d, x + row[i] * d, d * sizeof(float));
}

static void scatter(float *out, const float *x, const uint32_t *row, size_t n, size_t rows,
                    size_t d)
{
    memset(out, 0, rows * d * sizeof(float));
    for (size_t i = 0; i < n; i++)
        memcpy(out + row[i] * d, x + i * d, d * sizeof(float));
}

static void attend(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                   struct micro_layer *a, float *ctx)
{
    const struct model_conf *c = &mm->conf;
    size_t e = c->head_dim, nq = c->heads * e, nk = c->kv_heads * e, ld = nq + 2 * nk, at = 0;
    float *att = a->att;

    for (size_t s = job->from; s < job->to; s++) {
        size_t t = job->batch->start[s + 1] - job->batch->start[s];
        const float *q = a->qkv + at * ld, *k = q + nq, *v = k + nk;

        mm->kern->attention(ctx + at * nq, nq, att, q, ld, &(struct kv_view){ &k, &v, t, ld },
                            m->scores, t, t, c->heads, c->kv_heads, e);
        att += c->heads * t * t;
        at += t;
    }
}

/* X of layer l -> NEXT; the rows of NEXT are ROWS, or the KEPT ones with targets in the last layer.
 */
static void layer_forward(struct micro *m, const struct micro_model *mm,
                          const struct micro_job *job, size_t l, size_t rows, size_t kept,
                          float *next)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    struct micro_layer *a = &m->layer[l];
    size_t d = c->dim, h = c->hidden, e = c->head_dim, nq = c->heads * e;
    size_t ld = nq + 2 * c->kv_heads * e;
    bool last = l + 1 == c->layers;
    const float *x = a->x;

    k->rmsnorm(a->h1, a->rstd1, a->x, mm->w.norm1[l], c->rms_eps, rows, d);
    dense_forward(&mm->wqkv[l], k, a->qkv, a->h1, rows);
    k->rope(a->qkv, ld, m->position, mm->rope_cos, mm->rope_sin, 1, c->rope_interleaved, rows,
            c->heads, e);
    k->rope(a->qkv + nq, ld, m->position, mm->rope_cos, mm->rope_sin, 1, c->rope_interleaved, rows,
            c->kv_heads, e);
    attend(m, mm, job, a, last ? m->ctx_all : a->ctx);
    if (last) {
        gather(a->ctx, m->ctx_all, m->keep, kept, nq);
        gather(m->dh, a->x, m->keep, kept, d);
        x = m->dh;
        rows = kept;
    }
    dense_forward(&mm->wo[l], k, a->mid, a->ctx, rows);
    k->add(a->mid, x, rows * d);
    k->rmsnorm(a->h2, a->rstd2, a->mid, mm->w.norm2[l], c->rms_eps, rows, d);
    dense_forward(&mm->w13[l], k, a->gate_up, a->h2, rows);
    for (size_t r = 0; r < rows; r++)
        k->swiglu(a->act + r * h, a->gate_up + r * 2 * h, a->gate_up + r * 2 * h + h, h);
    dense_forward(&mm->w2[l], k, next, a->act, rows);
    k->add(next, a->mid, rows * d);
}

/* Final norm, head, loss; leaves the gradient behind the last layer in m->dx (kept rows). */
static struct micro_result head_both(struct micro *m, const struct micro_model *mm,
                                     const struct micro_job *job, size_t kept,
                                     struct model_weights *grad)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    struct micro_result result = { 0 };

    k->rmsnorm(m->out_norm, m->out_rstd, m->out, mm->w.norm[0], c->rms_eps, kept, c->dim);
    dense_forward(&mm->head, k, m->logits, m->out_norm, kept);
    for (size_t i = 0; i < kept; i++) {
        result.correct += k->argmax(m->logits + i * c->vocab, c->vocab) == m->keep_target[i];
        m->weight[i] = job->target_weight;
    }
    k->cross_entropy(m->loss, m->logits, m->logits, m->keep_target, m->weight, kept, c->vocab);
    for (size_t i = 0; i < kept; i++)
        result.loss += (double)m->loss[i];

    dense_back_weight(&mm->head, k, mm->gemm, (float *[]){ grad->head[0] }, m->logits, m->out_norm,
                      kept, &m->dense);
    dense_back_input(&mm->head, k, mm->gemm, m->dh, m->logits, kept);
    memset(m->dx, 0, kept * c->dim * sizeof(float));
    k->rmsnorm_back(m->dx, grad->norm[0], m->dh, m->out, mm->w.norm[0], m->out_rstd, kept, c->dim);
    return result;
}

/* Feed-forward half: m->dx is the gradient behind the layer and becomes the one behind its
 * attention. */
static void feed_back(struct micro *m, const struct micro_model *mm, size_t l, size_t rows,
                      struct model_weights *grad)
{
    const struct kernels *k = mm->kern;
    struct micro_layer *a = &m->layer[l];
    size_t h = mm->conf.hidden;

    dense_back_weight(&mm->w2[l], k, mm->gemm, (float *[]){ grad->w2[l] }, m->dx, a->act, rows,
                      &m->dense);
    dense_back_input(&mm->w2[l], k, mm->gemm, m->dact, m->dx, rows);
    for (size_t r = 0; r < rows; r++) {
        size_t gate = r * 2 * h, up = gate + h;

        k->swiglu_back(m->dgate_up + gate, m->dgate_up + up, m->dact + r * h, a->gate_up + gate,
                       a->gate_up + up, h);
    }
    dense_back_weight(&mm->w13[l], k, mm->gemm, (float *[]){ grad->w1[l], grad->w3[l] },
                      m->dgate_up, a->h2, rows, &m->dense);
    dense_back_input(&mm->w13[l], k, mm->gemm, m->dh, m->dgate_up, rows);
    k->rmsnorm_back(m->dx, grad->norm2[l], m->dh, a->mid, mm->w.norm2[l], a->rstd2, rows,
                    mm->conf.dim);
}

static void attend_back(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                        const struct micro_layer *a)
{
    const struct model_conf *c = &mm->conf;
    size_t e = c->head_dim, nq = c->heads * e, nk = c->kv_heads * e, ld = nq + 2 * nk, at = 0;
    const float *att = a->att;

    for (size_t s = job->from; s < job->to; s++) {
        size_t t = job->batch->start[s + 1] - job->batch->start[s];
        const float *q = a->qkv + at * ld;
        float *dq = m->dqkv + at * ld;

        mm->kern->attention_back(dq, ld, dq + nq, dq + nq + nk, ld, m->dctx + at * nq, nq, att, q,
                                 ld, q + nq, ld, q + nq + nk, ld, m->scores, t, c->heads,
                                 c->kv_heads, e);
        att += c->heads * t * t;
        at += t;
    }
}

/* Attention half: m->dx is the gradient behind it and becomes the one in front of the layer, for
 * all ROWS. */
static void attention_back(struct micro *m, const struct micro_model *mm,
                           const struct micro_job *job, size_t l, size_t rows, size_t kept,
                           struct model_weights *grad)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    struct micro_layer *a = &m->layer[l];
    size_t e = c->head_dim, nq = c->heads * e, ld = nq + 2 * c->kv_heads * e;
    bool last = l + 1 == c->layers;

    dense_back_weight(&mm->wo[l], k, mm->gemm, (float *[]){ grad->wo[l] }, m->dx, a->ctx,
                      last ? kept : rows, &m->dense);
    dense_back_input(&mm->wo[l], k, mm->gemm, last ? m->ctx_all : m->dctx, m->dx,
                     last ? kept : rows);
    if (last) {
        scatter(m->dctx, m->ctx_all, m->keep, kept, rows, nq);
        scatter(m->dmid, m->dx, m->keep, kept, rows, c->dim);
        memcpy(m->dx, m->dmid, rows * c->dim * sizeof(float));
    }
    attend_back(m, mm, job, a);
    k->rope(m->dqkv, ld, m->position, mm->rope_cos, mm->rope_sin, -1, c->rope_interleaved, rows,
            c->heads, e);
    k->rope(m->dqkv + nq, ld, m->position, mm->rope_cos, mm->rope_sin, -1, c->rope_interleaved,
            rows, c->kv_heads, e);
    dense_back_weight(&mm->wqkv[l], k, mm->gemm,
                      (float *[]){ grad->wq[l], grad->wk[l], grad->wv[l] }, m->dqkv, a->h1, rows,
                      &m->dense);
    dense_back_input(&mm->wqkv[l], k, mm->gemm, m->dh, m->dqkv, rows);
    k->rmsnorm_back(m->dx, grad->norm1[l], m->dh, a->x, mm->w.norm1[l], a->rstd1, rows, c->dim);
}

/* What the backward pass adds to rather than overwrites. */
static void grad_begin(const struct model_conf *c, struct model_weights *grad)
{
    for (size_t l = 0; l < c->layers; l++) {
        memset(grad->norm1[l], 0, c->dim * sizeof(float));
        memset(grad->norm2[l], 0, c->dim * sizeof(float));
    }
    memset(grad->norm[0], 0, c->dim * sizeof(float));
    if (!c->tied)
        memset(grad->embed[0], 0, c->vocab * c->dim * sizeof(float));
}

struct micro_result micro_run(struct micro *m, const struct micro_model *mm,
                              const struct micro_job *job, struct model_weights *grad)
{
    const struct train_batch *b = job->batch;
    const struct model_conf *c = &mm->conf;
    size_t first = b->start[job->from], rows = b->start[job->to] - first, kept;
    struct micro_result result;

    assert(rows <= m->rows_max);
    kept = rows > 0 ? micro_begin(m, mm, job) : 0;
    if (kept == 0) {
        memset(grad->all, 0, grad->floats_len * sizeof(float));
        return (struct micro_result){ 0 };
    }
    grad_begin(c, grad);
    for (size_t l = 0; l < c->layers; l++)
        layer_forward(m, mm, job, l, rows, kept, l + 1 < c->layers ? m->layer[l + 1].x : m->out);
    result = head_both(m, mm, job, kept, grad);
    for (size_t l = c->layers; l-- > 0;) {
        feed_back(m, mm, l, l + 1 == c->layers ? kept : rows, grad);
        attention_back(m, mm, job, l, rows, kept, grad);
    }
    for (size_t r = 0; r < rows; r++)
        mm->kern->add(grad->embed[0] + b->tokens[first + r] * c->dim, m->dx + r * c->dim, c->dim);
    return result;
}
