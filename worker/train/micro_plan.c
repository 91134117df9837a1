/* SPDX-License-Identifier: Apache-2.0 */
/* Which passes a micro-batch makes, and where everything lies in a thread's memory. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/train/micro.h"

/* Gradient rows of the head that are added at a time when its rows come in pieces: 4 MiB. */
enum { PART_FLOATS = 1 << 20 };

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

/* The passes of JOB in order, with their sizes; TURN 1 follows its layer's turn 0. */
static void plan_passes(struct micro *m, const struct model_conf *c, const struct micro_job *job)
{
    m->passes_len = 0;
    for (size_t l = 0; l < c->layers; l++)
        for (size_t turn = 0; turn < 2; turn++) {
            struct micro_pass p = { .layer = l, .turn = turn };

            for (size_t s = job->from; s < job->to; s++) {
                size_t t = micro_times(job, c, s, l) > turn ? micro_length(job, s) : 0;

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

/* What the backward pass reads besides x, of a pass of ROWS rows and SQUARES. */
static void carve_kept(struct micro_pass *p, const struct model_conf *c, size_t rows,
                       size_t squares, struct carver *v)
{
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;

    p->h1 = carve(v, rows * c->dim);
    p->rstd1 = carve(v, rows);
    p->qkv = carve(v, rows * qkv);
    p->att = carve(v, squares * c->heads);
    p->ctx = carve(v, rows * ctx);
    p->mid = carve(v, rows * c->dim);
    p->h2 = carve(v, rows * c->dim);
    p->rstd2 = carve(v, rows);
    p->gate_up = carve(v, rows * 2 * c->hidden);
    p->act = carve(v, rows * c->hidden);
}

static void carve_passes(struct micro *m, const struct micro_model *mm, struct carver *v)
{
    struct carver shared;
    size_t rows = 0, squares = 0;

    for (size_t i = 0; i < m->passes_len; i++) {
        struct micro_pass *p = &m->pass[i];

        p->x = carve(v, p->rows * mm->conf.dim);
        rows = MAX(rows, p->rows);
        squares = MAX(squares, p->squares);
        if (!mm->recompute)
            carve_kept(p, &mm->conf, p->rows, p->squares, v);
    }
    shared = *v;
    for (size_t i = 0; i < m->passes_len && mm->recompute; i++) {
        *v = shared;
        carve_kept(&m->pass[i], &mm->conf, rows, squares, v);
    }
}

/* Scratch of the passes: they run one at a time and have at most ROWS rows. */
static void carve_scratch(struct micro *m, const struct micro_model *mm, size_t rows,
                          struct carver *v)
{
    const struct model_conf *c = &mm->conf;
    size_t ctx = c->heads * c->head_dim, qkv = ctx + 2 * c->kv_heads * c->head_dim;
    size_t widest = MAX(MAX(qkv, 2 * c->hidden), c->dim), logits = micro_piece(mm, rows) * c->vocab;
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
    m->dense.transposed = carve(v, packed ? MAX(rows * widest, logits) : 0);
    m->dense.panel = carve(v, packed ? packed_floats(rows, deepest) : 0);
    m->dense.weight =
        carve(v, packed && !mm->head.backward.panel ? DENSE_COLUMNS * MAX(widest, c->vocab) : 0);
}

/* What only a batch with times needs. */
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
    if (adds) /* the largest stack of matrices of a layer */
        m->part_floats = MAX(m->part_floats, c->dim * MAX(MAX(qkv, ctx), 2 * c->hidden));
}

static void carve_job(struct micro *m, const struct micro_model *mm, const struct micro_job *job,
                      struct carver *v)
{
    const struct model_conf *c = &mm->conf;
    size_t rows = micro_rows(job);

    carve_passes(m, mm, v);
    m->out = carve(v, rows * c->dim);
    m->out_rstd = carve(v, rows);
    m->out_norm = carve(v, rows * c->dim);
    m->logits = carve(v, micro_piece(mm, rows) * c->vocab);
    m->loss = carve(v, rows);
    m->weight = carve(v, rows);
    carve_scratch(m, mm, rows, v);
    m->position = carve_words(v, rows);
    m->length = carve_words(v, job->to - job->from);
    m->keep = carve_words(v, rows);
    m->keep_target = carve_words(v, rows);
    m->part_floats = micro_piece(mm, rows) < rows ? MAX(PART_FLOATS, c->dim) : 0;
    if (job->batch->times)
        carve_times(m, c, rows, v);
    m->part = carve(v, m->part_floats);
}

size_t micro_floats(struct micro *m, const struct micro_model *model, const struct micro_job *job)
{
    struct carver count = { 0 };

    if (!m->pass)
        m->pass = mem_calloc(2 * model->conf.layers, sizeof(*m->pass));
    plan_passes(m, &model->conf, job);
    carve_job(m, model, job, &count);
    return count.used;
}

int micro_reserve(struct micro *m, const struct micro_model *model, const struct micro_job *job,
                  struct err *err)
{
    size_t floats = micro_floats(m, model, job);

    if (floats <= m->floats_max)
        return 0;
    free(m->all);
    m->floats_max = 0;
    m->all = mem_try_aligned(floats, sizeof(float));
    if (!m->all)
        return err_set(err, ERR_NOMEM,
                       "training: no memory for the activations of %zu tokens (%zu MiB)",
                       micro_rows(job), floats >> 18);
    m->floats_max = floats;
    return 0;
}

void micro_lay_out(struct micro *m, const struct micro_model *model, const struct micro_job *job)
{
    struct carver give = { .base = m->all };

    plan_passes(m, &model->conf, job);
    carve_job(m, model, job, &give);
    assert(give.used <= m->floats_max);
}

/* Floats of a tensor kind, so that the next begins at a multiple of 16. */
static size_t padded(size_t rows, size_t cols)
{
    return (rows * cols + 15) / 16 * 16;
}

int micro_grad_alloc(struct micro *m, const struct model_conf *c, struct err *err)
{
    struct model_weights *g = &m->grad;
    float *at;

    if (g->all)
        return 0;
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) g->floats_len += padded(ROWS, COLS);
    MODEL_TENSORS(X)
#undef X
    g->all = at = mem_try_aligned(g->floats_len, sizeof(float));
    if (!at)
        return err_set(err, ERR_NOMEM, "training: no memory for a layer's gradient (%zu MiB)",
                       g->floats_len >> 18);
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    g->F = mem_calloc(c->layers, sizeof(*g->F));                                                   \
    for (size_t l = 0; l < c->layers; l++)                                                         \
        g->F[l] = at;                                                                              \
    at += padded(ROWS, COLS);
    MODEL_TENSORS(X)
#undef X
    if (c->tied)
        g->head[0] = g->embed[0];
    return 0;
}

void micro_release(struct micro *m)
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) free(m->grad.F);
    MODEL_TENSORS(X)
#undef X
    free(m->grad.all);
    free(m->all);
    free(m->pass);
    *m = (struct micro){ 0 };
}
