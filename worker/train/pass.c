/* SPDX-License-Identifier: Apache-2.0 */
/* One application of a layer, forward and backward. */
#include <string.h>

#include "worker/train/micro.h"

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

static void attend(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                   float *ctx)
{
    const struct model_conf *c = &mm->conf;
    size_t e = c->head_dim, nq = c->heads * e, nk = c->kv_heads * e, ld = nq + 2 * nk, at = 0;
    float *att = p->att;

    for (size_t s = 0; s < p->sequences; s++) {
        size_t t = p->length[s];
        const float *q = p->qkv + at * ld, *k = q + nq, *v = k + nk;

        mm->kern->attention(ctx + at * nq, nq, att, q, ld,
                            &(struct kv_view){ &k, &v, t, ld, false }, m->scores, t, t, c->heads,
                            c->kv_heads, e);
        att += c->heads * t * t;
        at += t;
    }
}

void pass_forward(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                  size_t kept, float *next)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    size_t d = c->dim, h = c->hidden, e = c->head_dim, nq = c->heads * e, l = p->layer;
    size_t ld = nq + 2 * c->kv_heads * e, rows = p->rows;
    const float *x = p->x;

    k->rmsnorm(p->h1, p->rstd1, p->x, mm->w.norm1[l], c->rms_eps, rows, d);
    dense_forward(&mm->wqkv[l], k, p->qkv, p->h1, rows);
    k->rope(p->qkv, ld, p->position, mm->angles.cos, mm->angles.sin, 1, c->rope_interleaved, rows,
            c->heads, e);
    k->rope(p->qkv + nq, ld, p->position, mm->angles.cos, mm->angles.sin, 1, c->rope_interleaved,
            rows, c->kv_heads, e);
    attend(m, mm, p, p->picks ? m->ctx_all : p->ctx);
    if (p->picks) {
        gather(p->ctx, m->ctx_all, m->keep, kept, nq);
        gather(m->dh, p->x, m->keep, kept, d);
        x = m->dh;
        rows = kept;
    }
    dense_forward(&mm->wo[l], k, p->mid, p->ctx, rows);
    k->add(p->mid, x, rows * d);
    k->rmsnorm(p->h2, p->rstd2, p->mid, mm->w.norm2[l], c->rms_eps, rows, d);
    dense_forward(&mm->w13[l], k, p->gate_up, p->h2, rows);
    for (size_t r = 0; r < rows; r++)
        k->swiglu(p->act + r * h, p->gate_up + r * 2 * h, p->gate_up + r * 2 * h + h, h);
    if (!next)
        return;
    dense_forward(&mm->w2[l], k, next, p->act, rows);
    k->add(next, p->mid, rows * d);
}

/* Gradients of a pass's matrices: into GRAD, or added to it. */
static void weight_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                        const struct dense *dense, float *const *grad, const float *dy,
                        const float *x, size_t rows)
{
    if (p->adds)
        dense_add_weight(dense, mm->kern, mm->gemm, grad, dy, x, rows, m->part, m->part_floats,
                         &m->dense);
    else
        dense_back_weight(dense, mm->kern, mm->gemm, grad, dy, x, rows, &m->dense);
}

/* Feed-forward half: m->dx is the gradient behind the layer and becomes the one behind its
 * attention. */
static void feed_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
                      size_t rows, struct model_weights *grad)
{
    const struct kernels *k = mm->kern;
    size_t h = mm->conf.hidden, l = p->layer;

    weight_back(m, mm, p, &mm->w2[l], (float *[]){ grad->w2[l] }, m->dx, p->act, rows);
    dense_back_bias(&mm->w2[l], k, (float *[]){ grad->b2[l] }, m->dx, rows);
    dense_back_input(&mm->w2[l], k, mm->gemm, m->dact, m->dx, rows, &m->dense);
    for (size_t r = 0; r < rows; r++) {
        size_t gate = r * 2 * h, up = gate + h;

        k->swiglu_back(m->dgate_up + gate, m->dgate_up + up, m->dact + r * h, p->gate_up + gate,
                       p->gate_up + up, h);
    }
    weight_back(m, mm, p, &mm->w13[l], (float *[]){ grad->w1[l], grad->w3[l] }, m->dgate_up, p->h2,
                rows);
    dense_back_bias(&mm->w13[l], k, (float *[]){ grad->b1[l], grad->b3[l] }, m->dgate_up, rows);
    dense_back_input(&mm->w13[l], k, mm->gemm, m->dh, m->dgate_up, rows, &m->dense);
    k->rmsnorm_back(m->dx, grad->norm2[l], m->dh, p->mid, mm->w.norm2[l], p->rstd2, rows,
                    mm->conf.dim);
}

static void attend_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p)
{
    const struct model_conf *c = &mm->conf;
    size_t e = c->head_dim, nq = c->heads * e, nk = c->kv_heads * e, ld = nq + 2 * nk, at = 0;
    const float *att = p->att;

    for (size_t s = 0; s < p->sequences; s++) {
        size_t t = p->length[s];
        const float *q = p->qkv + at * ld;
        float *dq = m->dqkv + at * ld;

        mm->kern->attention_back(dq, ld, dq + nq, dq + nq + nk, ld, m->dctx + at * nq, nq, att, q,
                                 ld, q + nq, ld, q + nq + nk, ld, m->scores, t, c->heads,
                                 c->kv_heads, e);
        att += c->heads * t * t;
        at += t;
    }
}

/* Attention half: m->dx is the gradient behind it and becomes the one in front of the layer, for
 * all rows. */
static void attention_back(struct micro *m, const struct micro_model *mm,
                           const struct micro_pass *p, size_t kept, struct model_weights *grad)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    size_t e = c->head_dim, nq = c->heads * e, ld = nq + 2 * c->kv_heads * e, l = p->layer;
    size_t rows = p->rows, behind = p->picks ? kept : rows;

    weight_back(m, mm, p, &mm->wo[l], (float *[]){ grad->wo[l] }, m->dx, p->ctx, behind);
    dense_back_bias(&mm->wo[l], k, (float *[]){ grad->bo[l] }, m->dx, behind);
    dense_back_input(&mm->wo[l], k, mm->gemm, p->picks ? m->ctx_all : m->dctx, m->dx, behind,
                     &m->dense);
    if (p->picks) {
        scatter(m->dctx, m->ctx_all, m->keep, kept, rows, nq);
        scatter(m->dmid, m->dx, m->keep, kept, rows, c->dim);
        memcpy(m->dx, m->dmid, rows * c->dim * sizeof(float));
    }
    attend_back(m, mm, p);
    k->rope(m->dqkv, ld, p->position, mm->angles.cos, mm->angles.sin, -1, c->rope_interleaved, rows,
            c->heads, e);
    k->rope(m->dqkv + nq, ld, p->position, mm->angles.cos, mm->angles.sin, -1, c->rope_interleaved,
            rows, c->kv_heads, e);
    weight_back(m, mm, p, &mm->wqkv[l], (float *[]){ grad->wq[l], grad->wk[l], grad->wv[l] },
                m->dqkv, p->h1, rows);
    dense_back_bias(&mm->wqkv[l], k, (float *[]){ grad->bq[l], grad->bk[l], grad->bv[l] }, m->dqkv,
                    rows);
    dense_back_input(&mm->wqkv[l], k, mm->gemm, m->dh, m->dqkv, rows, &m->dense);
    k->rmsnorm_back(m->dx, grad->norm1[l], m->dh, p->x, mm->w.norm1[l], p->rstd1, rows, c->dim);
}

void pass_back(struct micro *m, const struct micro_model *mm, const struct micro_pass *p,
               size_t kept, struct model_weights *grad)
{
    feed_back(m, mm, p, p->picks ? kept : p->rows, grad);
    attention_back(m, mm, p, kept, grad);
}
