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

static uint32_t *carve_words(struct carver *c, size_t words)
{
    return (uint32_t *)(void *)carve(c, words);
}

static size_t job_rows(const struct micro_job *job)
{
    return job->batch->start[job->to] - job->batch->start[job->from];
}

static size_t length_of(const struct micro_job *job, size_t s)
{
    return job->batch->start[s + 1] - job->batch->start[s];
}

/* How often sequence S of the batch goes through layer L. */
static size_t times_of(const struct micro_job *job, const struct model_conf *c, size_t s, size_t l)
{
    return job->batch->times ? job->batch->times[s * c->layers + l] : 1;
}

/* The passes of JOB in order, with their sizes; TURN 1 follows its layer's turn 0. */
static void plan_passes(struct micro *m, const struct model_conf *c, const struct micro_job *job)
{
    m->passes_len = 0;
    for (size_t l = 0; l < c->layers; l++)
        for (size_t turn = 0; turn < 2; turn++) {
            struct micro_pass p = { .layer = l, .turn = turn };

            for (size_t s = job->from; s < job->to; s++) {
                size_t t = times_of(job, c, s, l) > turn ? length_of(job, s) : 0;

                p.sequences += t > 0;
                p.rows += t;
                p.squares += t * t;
            }
            if (p.sequences == 0)
                break;
            p.picks = !job->batch->times && l + 1 == c->layers;
            if (turn == 1)
                m->pass[m->passes_len - 1].adds = true;
            m->pass[m->passes_len++] = p;
        }
}

static void carve_pass(struct micro_pass *p, const struct model_conf *c, struct carver *v)
{
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;

    p->x = carve(v, p->rows * c->dim);
    p->h1 = carve(v, p->rows * c->dim);
    p->rstd1 = carve(v, p->rows);
    p->qkv = carve(v, p->rows * qkv);
    p->att = carve(v, p->squares * c->heads);
    p->ctx = carve(v, p->rows * ctx);
    p->mid = carve(v, p->rows * c->dim);
    p->h2 = carve(v, p->rows * c->dim);
    p->rstd2 = carve(v, p->rows);
    p->gate_up = carve(v, p->rows * 2 * c->hidden);
    p->act = carve(v, p->rows * c->hidden);
}

/* Scratch of the passes: they run one at a time and have at most ROWS rows. */
static void carve_scratch(struct micro *m, const struct micro_model *mm, size_t rows,
                          struct carver *v)
{
    const struct model_conf *c = &mm->conf;
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;
    size_t widest = MAX(MAX(qkv, 2 * c->hidden), MAX(c->vocab, c->dim));
    size_t deepest = MAX(MAX(ctx, c->hidden), c->dim);
    bool packed = mm->gemm == TRAIN_GEMM_PACKED;

    m->ctx_all = carve(v, rows * ctx);
    m->dx = carve(v, rows * c->dim);
    m->dmid = carve(v, rows * c->dim);
    m->dh = carve(v, rows * c->dim);
    m->dctx = carve(v, rows * ctx);
    m->dqkv = carve(v, rows * qkv);
    m->dgate_up = carve(v, rows * 2 * c->hidden);
    m->dact = carve(v, rows * c->hidden);
    m->scores = carve(v, attention_scratch_floats(rows));
    m->dense.transposed = carve(v, packed ? rows * widest : 0);
    m->dense.panel = carve(v, packed ? packed_floats(rows, deepest) : 0);
}

/* What only a batch with times needs; part: the largest stack of matrices of a layer. */
static void carve_times(struct micro *m, const struct model_conf *c, size_t rows, struct carver *v)
{
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;
    bool adds = false;

    for (size_t i = 0; i < m->passes_len; i++) {
        m->pass[i].row = carve_words(v, m->pass[i].rows);
        m->pass[i].position = carve_words(v, m->pass[i].rows);
        m->pass[i].length = carve_words(v, m->pass[i].sequences);
        adds |= m->pass[i].adds;
    }
    m->stream = carve(v, rows * c->dim);
    m->back = carve(v, rows * c->dim);
    m->part = carve(v, adds ? c->dim * MAX(MAX(qkv, ctx), 2 * c->hidden) : 0);
}

static void carve_job(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                      struct carver *v)
{
    const struct model_conf *c = &mm->conf;
    size_t rows = job_rows(job);

    for (size_t i = 0; i < m->passes_len; i++)
        carve_pass(&m->pass[i], c, v);
    m->out = carve(v, rows * c->dim);
    m->out_rstd = carve(v, rows);
    m->out_norm = carve(v, rows * c->dim);
    m->logits = carve(v, rows * c->vocab);
    m->loss = carve(v, rows);
    m->weight = carve(v, rows);
    carve_scratch(m, mm, rows, v);
    m->position = carve_words(v, rows);
    m->length = carve_words(v, job->to - job->from);
    m->keep = carve_words(v, rows);
    m->keep_target = carve_words(v, rows);
    if (job->batch->times)
        carve_times(m, c, rows, v);
}

int micro_reserve(struct micro *m, const struct micro_model *model, const struct micro_job *job,
                  struct err *err)
{
    struct carver count = { 0 };

    if (!m->pass)
        m->pass = mem_calloc(2 * model->conf.layers, sizeof(*m->pass));
    plan_passes(m, &model->conf, job);
    carve_job(m, model, job, &count);
    if (count.used <= m->floats_max)
        return 0;
    free(m->all);
    m->floats_max = 0;
    m->all = mem_try_aligned(count.used, sizeof(float));
    if (!m->all)
        return err_set(err, ERR_NOMEM,
                       "training: no memory for the activations of %zu tokens (%zu MiB)",
                       job_rows(job), count.used >> 18);
    m->floats_max = count.used;
    return 0;
}

void micro_release(struct micro *m)
{
    free(m->all);
    free(m->pass);
    *m = (struct micro){ 0 };
}

/* Positions, lengths, rows with targets, and the embeddings of the job's rows into X; returns how
 * many targets. */
static size_t micro_begin(struct micro *m, const struct micro_model *mm,
                          const struct micro_job *job, float *x)
{
    const struct train_batch *b = job->batch;
    size_t row = 0, kept = 0, d = mm->conf.dim;

    for (size_t s = job->from; s < job->to; s++) {
        m->length[s - job->from] = (uint32_t)length_of(job, s);
        for (size_t i = b->start[s]; i < b->start[s + 1]; i++, row++) {
            m->position[row] = (uint32_t)(i - b->start[s]);
            memcpy(x + row * d, mm->w.embed[0] + b->tokens[i] * d, d * sizeof(float));
            if (b->target[i] == TRAIN_NO_TARGET)
                continue;
            m->keep[kept] = (uint32_t)row;
            m->keep_target[kept++] = b->target[i];
        }
    }
    return kept;
}

/* Which rows go through pass P of a batch with times. */
static void fill_pass(const struct micro_pass *p, const struct model_conf *c,
                      const struct micro_job *job)
{
    uint32_t *to_row = p->row, *position = p->position, *length = p->length, at = 0;

    for (size_t s = job->from; s < job->to; s++) {
        uint32_t t = (uint32_t)length_of(job, s);

        for (uint32_t i = 0; i < t && times_of(job, c, s, p->layer) > p->turn; i++) {
            *to_row++ = at + i;
            *position++ = i;
            if (i == 0)
                *length++ = t;
        }
        at += t;
    }
}

/* Every row through every pass of its sequence, behind them the rows with targets in m->out. */
static void forward(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                    size_t kept)
{
    size_t d = mm->conf.dim;

    for (size_t i = 0; i < m->passes_len; i++) {
        struct micro_pass *p = &m->pass[i];

        if (!job->batch->times) {
            p->position = m->position;
            p->length = m->length;
            pass_forward(m, mm, p, kept, p->picks ? m->out : p[1].x);
            continue;
        }
        fill_pass(p, &mm->conf, job);
        for (size_t r = 0; r < p->rows; r++)
            memcpy(p->x + r * d, m->stream + p->row[r] * d, d * sizeof(float));
        pass_forward(m, mm, p, kept, m->dx);
        for (size_t r = 0; r < p->rows; r++)
            memcpy(m->stream + p->row[r] * d, m->dx + r * d, d * sizeof(float));
    }
    for (size_t r = 0; job->batch->times && r < kept; r++)
        memcpy(m->out + r * d, m->stream + m->keep[r] * d, d * sizeof(float));
}

/* From m->dx behind the last pass (rows with targets) to the gradient of all rows in front of the
 * first, which is returned. */
static const float *backward(struct micro *m, const struct micro_model *mm,
                             const struct micro_job *job, size_t kept, struct model_weights *grad)
{
    size_t d = mm->conf.dim;

    if (job->batch->times) {
        memset(m->back, 0, job_rows(job) * d * sizeof(float));
        for (size_t r = 0; r < kept; r++)
            memcpy(m->back + m->keep[r] * d, m->dx + r * d, d * sizeof(float));
    }
    for (size_t i = m->passes_len; i-- > 0;) {
        const struct micro_pass *p = &m->pass[i];

        for (size_t r = 0; p->row && r < p->rows; r++)
            memcpy(m->dx + r * d, m->back + p->row[r] * d, d * sizeof(float));
        pass_back(m, mm, p, kept, grad);
        for (size_t r = 0; p->row && r < p->rows; r++)
            memcpy(m->back + p->row[r] * d, m->dx + r * d, d * sizeof(float));
    }
    return job->batch->times ? m->back : m->dx;
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

/* What the backward pass adds to rather than overwrites; with times, layers that nobody goes
 * through as well. */
static void grad_begin(const struct model_conf *c, const struct micro_job *job,
                       struct model_weights *grad)
{
    if (job->batch->times) {
        memset(grad->all, 0, grad->floats_len * sizeof(float));
        return;
    }
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
    size_t first = b->start[job->from], rows = job_rows(job), kept = 0, d = mm->conf.dim;
    struct carver give = { .base = m->all };
    struct micro_result result;
    const float *dx;

    plan_passes(m, &mm->conf, job);
    carve_job(m, mm, job, &give);
    assert(give.used <= m->floats_max);
    if (rows > 0)
        kept = micro_begin(m, mm, job, b->times ? m->stream : m->pass[0].x);
    if (kept == 0) {
        memset(grad->all, 0, grad->floats_len * sizeof(float));
        return (struct micro_result){ 0 };
    }
    grad_begin(&mm->conf, job, grad);
    forward(m, mm, job, kept);
    result = head_both(m, mm, job, kept, grad);
    dx = backward(m, mm, job, kept, grad);
    for (size_t r = 0; r < rows; r++)
        mm->kern->add(grad->embed[0] + b->tokens[first + r] * d, dx + r * d, d);
    return result;
}
