/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/train/micro.h"

#include <string.h>

/* Positions, lengths, rows with targets, and the embeddings of the job's rows into X; returns how
 * many targets. */
static size_t micro_begin(struct micro *m, const struct micro_model *mm,
                          const struct micro_job *job, float *x)
{
    const struct train_batch *b = job->batch;
    size_t row = 0, kept = 0, d = mm->conf.dim;

    for (size_t s = job->from; s < job->to; s++) {
        m->length[s - job->from] = (uint32_t)micro_length(job, s);
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
        uint32_t t = (uint32_t)micro_length(job, s);

        for (uint32_t i = 0; i < t && micro_times(job, c, s, p->layer) > p->turn; i++) {
            *to_row++ = at + i;
            *position++ = i;
            if (i == 0)
                *length++ = t;
        }
        at += t;
    }
}

/* The work goes on; true: it is to stop. */
static bool stopped(const struct micro_model *mm)
{
    progress_tick(mm->progress);
    return progress_stopped(mm->progress);
}

/* Every row through every pass of its sequence, behind them the rows with targets in m->out. False:
 * stopped. */
static bool forward(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                    size_t kept)
{
    size_t d = mm->conf.dim;

    for (size_t i = 0; i < m->passes_len; i++) {
        struct micro_pass *p = &m->pass[i];

        if (stopped(mm))
            return false;
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
    return true;
}

/* Zeros in what layer L's passes add to rather than overwrite: norms and biases; all of it when
 * nobody goes through it. */
static void layer_begin(const struct model_conf *c, struct model_weights *grad, size_t l,
                        bool empty)
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    if ((PER_LAYER) && (empty || !(DECAY)))                                                        \
        memset(grad->F[l], 0, (size_t)(ROWS) * (COLS) * sizeof(float));
    MODEL_TENSORS(X)
#undef X
}

/* The same for what is of no layer; the head is overwritten, and with it a tied embedding. */
static void rest_begin(const struct model_conf *c, struct model_weights *grad, bool empty)
{
    memset(grad->norm[0], 0, c->dim * sizeof(float));
    if (empty || !c->tied)
        memset(grad->embed[0], 0, c->vocab * c->dim * sizeof(float));
    if (empty && !c->tied)
        memset(grad->head[0], 0, c->vocab * c->dim * sizeof(float));
}

static bool piece_end(const struct micro_model *mm, const struct micro_job *job, size_t piece,
                      const struct model_weights *grad)
{
    return !job->sum || micro_sum_add(job->sum, mm, job->index, piece, grad);
}

/* Pass I of M backward: m->dx behind it becomes m->dx in front of it, for its rows. */
static void one_back(struct micro *m, const struct micro_model *mm, size_t i, size_t kept,
                     struct model_weights *grad)
{
    const struct micro_pass *p = &m->pass[i];
    size_t d = mm->conf.dim;

    for (size_t r = 0; p->row && r < p->rows; r++)
        memcpy(m->dx + r * d, m->back + p->row[r] * d, d * sizeof(float));
    if (mm->recompute && i + 1 < m->passes_len) /* the last one's activations are still there */
        pass_forward(m, mm, p, kept, NULL);
    pass_back(m, mm, p, kept, grad);
    for (size_t r = 0; p->row && r < p->rows; r++)
        memcpy(m->back + p->row[r] * d, m->dx + r * d, d * sizeof(float));
}

/* From m->dx behind the last pass (rows with targets) to the gradient of all rows in front of the
 * first, which is returned. NULL: stopped. */
static const float *backward(struct micro *m, const struct micro_model *mm,
                             const struct micro_job *job, size_t kept, struct model_weights *grad)
{
    size_t d = mm->conf.dim, i = m->passes_len;

    if (job->batch->times) {
        memset(m->back, 0, micro_rows(job) * d * sizeof(float));
        for (size_t r = 0; r < kept; r++)
            memcpy(m->back + m->keep[r] * d, m->dx + r * d, d * sizeof(float));
    }
    for (size_t l = mm->conf.layers; l-- > 0;) {
        layer_begin(&mm->conf, grad, l, i == 0 || m->pass[i - 1].layer != l);
        for (; i > 0 && m->pass[i - 1].layer == l; i--) {
            if (stopped(mm))
                return NULL;
            one_back(m, mm, i - 1, kept, grad);
        }
        if (!piece_end(mm, job, l, grad))
            return NULL;
    }
    return job->batch->times ? m->back : m->dx;
}

/* Loss of kept rows [first, first + n), whose LOGITS become gradients. */
static void loss_rows(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                      size_t first, size_t n, struct micro_result *result)
{
    const struct kernels *k = mm->kern;
    size_t v = mm->conf.vocab;

    if (job->extra) {
        policy_rows(m, mm, job, first, n, m->logits, result);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        result->correct += k->argmax(m->logits + i * v, v) == m->keep_target[first + i];
        m->weight[i] = job->target_weight;
    }
    k->cross_entropy(m->loss, m->logits, m->logits, m->keep_target + first, m->weight, n, v);
    for (size_t i = 0; i < n; i++)
        result->loss += (double)m->loss[i];
}

/* Final norm, head, loss, a piece of rows at a time; leaves the gradient behind the last layer in
 * m->dx (kept rows). False: stopped. */
static bool head_both(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                      size_t kept, struct model_weights *grad, struct micro_result *result)
{
    const struct model_conf *c = &mm->conf;
    const struct kernels *k = mm->kern;
    const struct dense *head = &mm->head;
    float **to = grad ? grad->head : NULL;
    bool forward_only = job->extra && job->extra->forward_only;

    k->rmsnorm(m->out_norm, m->out_rstd, m->out, mm->w.norm[0], c->rms_eps, kept, c->dim);
    for (size_t first = 0, n; first < kept; first += n) {
        const float *x = m->out_norm + first * c->dim;

        n = micro_piece(mm, kept - first);
        if (stopped(mm))
            return false;
        dense_forward(head, k, m->logits, x, n);
        loss_rows(m, mm, job, first, n, result);
        if (forward_only)
            continue;
        if (first == 0)
            dense_back_weight(head, k, mm->gemm, to, m->logits, x, n, &m->dense);
        else
            dense_add_weight(head, k, mm->gemm, to, m->logits, x, n, m->part, m->part_floats,
                             &m->dense);
        dense_back_input(head, k, mm->gemm, m->dh + first * c->dim, m->logits, n, &m->dense);
    }
    if (forward_only)
        return true;
    memset(m->dx, 0, kept * c->dim * sizeof(float));
    k->rmsnorm_back(m->dx, grad->norm[0], m->dh, m->out, mm->w.norm[0], m->out_rstd, kept, c->dim);
    return true;
}

/* A job without targets: zeros. */
static bool nothing(const struct micro_model *mm, const struct micro_job *job,
                    struct model_weights *grad)
{
    if (job->extra && job->extra->forward_only)
        return true;
    for (size_t l = mm->conf.layers; l-- > 0;) {
        layer_begin(&mm->conf, grad, l, true);
        if (!piece_end(mm, job, l, grad))
            return false;
    }
    rest_begin(&mm->conf, grad, true);
    return piece_end(mm, job, mm->conf.layers, grad);
}

static bool both(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                 size_t kept, struct model_weights *grad, struct micro_result *result)
{
    const struct train_batch *b = job->batch;
    size_t first = b->start[job->from], rows = micro_rows(job), d = mm->conf.dim;
    bool forward_only = job->extra && job->extra->forward_only;
    const float *dx;

    if (!forward_only)
        rest_begin(&mm->conf, grad, false);
    if (!forward(m, mm, job, kept) || !head_both(m, mm, job, kept, grad, result))
        return false;
    if (forward_only)
        return true;
    dx = backward(m, mm, job, kept, grad);
    for (size_t r = 0; dx && r < rows; r++)
        mm->kern->add(grad->embed[0] + b->tokens[first + r] * d, dx + r * d, d);
    return dx && piece_end(mm, job, mm->conf.layers, grad);
}

struct micro_result micro_run(struct micro *m, const struct micro_model *mm,
                              const struct micro_job *job, struct model_weights *grad)
{
    struct micro_result result = { 0 };
    size_t kept = 0;

    if (job->sum)
        grad = &m->grad;
    micro_lay_out(m, mm, job);
    if (micro_rows(job) > 0)
        kept = micro_begin(m, mm, job, job->batch->times ? m->stream : m->pass[0].x);
    result.stopped = kept == 0 ? !nothing(mm, job, grad) : !both(m, mm, job, kept, grad, &result);
    if (result.stopped && job->sum)
        micro_sum_stop(job->sum);
    return result;
}

void micro_result_add(struct micro_result *a, const struct micro_result *b)
{
    a->loss += b->loss;
    a->correct += b->correct;
    a->stopped |= b->stopped;
    a->surrogate += b->surrogate;
    a->ratio += b->ratio;
    a->ratio_max = MAX(a->ratio_max, b->ratio_max);
    a->kl_old += b->kl_old;
    a->kl_reference += b->kl_reference;
    a->entropy += b->entropy;
    a->logprob += b->logprob;
    a->clipped_low += b->clipped_low;
    a->clipped_high += b->clipped_high;
    a->infinite |= b->infinite;
}
