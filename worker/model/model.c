/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/formats.h"
#include "worker/model/tokenizer.h"

/* Allocate what depends on the configuration alone. */
static int alloc_packed(struct model *m, struct err *err)
{
    const struct model_conf *c = &m->conf;
    size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    size_t table = c->positions * (c->head_dim / 2);
    int rc = 0;

    m->wqkv = mem_calloc(c->layers, sizeof(*m->wqkv));
    m->wo = mem_calloc(c->layers, sizeof(*m->wo));
    m->w13 = mem_calloc(c->layers, sizeof(*m->w13));
    m->w2 = mem_calloc(c->layers, sizeof(*m->w2));
    for (size_t l = 0; l < c->layers && !rc; l++) {
        rc = packed_alloc(&m->wqkv[l], c->dim, q + 2 * kv, err);
        if (!rc)
            rc = packed_alloc(&m->wo[l], q, c->dim, err);
        if (!rc)
            rc = packed_alloc(&m->w13[l], c->dim, 2 * c->hidden, err);
        if (!rc)
            rc = packed_alloc(&m->w2[l], c->hidden, c->dim, err);
    }
    if (!rc)
        rc = packed_alloc(&m->head, c->dim, c->vocab, err);
    if (rc)
        return rc;
    m->rope_cos = mem_try_aligned(table, sizeof(float));
    m->rope_sin = mem_try_aligned(table, sizeof(float));
    if (!m->rope_cos || !m->rope_sin)
        return err_set(err, ERR_NOMEM, "%zu bytes for %zu positions", 2 * table * sizeof(float),
                       c->positions);
    return 0;
}

/* One matrix of K columns after another in ROWS: a row of the result is an output of the stacked
 * weight. */
static void stack(float **at, const float *w, size_t rows, size_t k)
{
    memcpy(*at, w, rows * k * sizeof(float));
    *at += rows * k;
}

void model_repack(struct model *m)
{
    const struct model_conf *c = &m->conf;
    size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    CLEANUP(mem_cleanup)
    float *stacked = mem_aligned(MAX(q + 2 * kv, 2 * c->hidden) * c->dim, sizeof(float));

    for (size_t l = 0; l < c->layers; l++) {
        float *at = stacked;

        stack(&at, m->w.wq[l], q, c->dim);
        stack(&at, m->w.wk[l], kv, c->dim);
        stack(&at, m->w.wv[l], kv, c->dim);
        packed_fill(&m->wqkv[l], stacked, c->dim);
        at = stacked;
        stack(&at, m->w.w1[l], c->hidden, c->dim);
        stack(&at, m->w.w3[l], c->hidden, c->dim);
        packed_fill(&m->w13[l], stacked, c->dim);
        packed_fill(&m->wo[l], m->w.wo[l], q);
        packed_fill(&m->w2[l], m->w.w2[l], c->hidden);
    }
    packed_fill(&m->head, m->w.head[0], c->dim);
}

int model_complete(struct model *m, const struct kernels *kern, struct err *err)
{
    int rc;

    m->kern = kern ? kern : kernels_best();
    rc = alloc_packed(m, err);
    if (rc)
        return rc;
    rope_tables(m->rope_cos, m->rope_sin, &m->conf);
    model_repack(m);
    return 0;
}

int model_from_weights(struct model **ret, const struct model_conf *c,
                       const struct model_weights *w, const struct kernels *kern, struct err *err)
{
    struct model *m;
    int rc = model_conf_check(c, err);

    if (rc)
        return rc;
    m = mem_calloc(1, sizeof(*m));
    m->conf = *c;
    rc = model_weights_alloc(&m->w, c, err);
    if (!rc) {
        memcpy(m->w.all, w->all, w->floats_len * sizeof(float));
        rc = model_complete(m, kern, err);
    }
    if (rc) {
        model_free(m);
        return rc;
    }
    *ret = m;
    return 0;
}

static void release_each(struct packed *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++)
        packed_release(&p[i]);
    free(p);
}

void model_free(struct model *m)
{
    if (!m)
        return;
    release_each(m->wqkv, m->conf.layers);
    release_each(m->wo, m->conf.layers);
    release_each(m->w13, m->conf.layers);
    release_each(m->w2, m->conf.layers);
    packed_release(&m->head);
    free(m->rope_cos);
    free(m->rope_sin);
    model_weights_release(&m->w);
    tokenizer_free(m->tok);
    free(m);
}
