/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/model_private.h"
#include "worker/tokenizer/tokenizer.h"

int model_build(struct model *m, const struct checkpoint *files, const struct model_options *o,
                struct err *err)
{
    int rc = model_conf_check(&files->conf, err);

    m->conf = files->conf;
    m->kern = o->kern ? o->kern : kernels_best();
    m->embed = files->embed[0];
    rc = rc ? rc : rope_new(&m->rope, &m->conf, err);
    rc = rc ? rc : model_alloc(m, files, err);
    return rc ? rc : model_pack(m, files, o->pool, o->progress, err);
}

int model_from_views(struct model **ret, const struct checkpoint *files, const struct kernels *kern,
                     struct pool *pool, struct err *err)
{
    struct model *m = mem_calloc(1, sizeof(*m));
    struct model_options o = { .kern = kern, .pool = pool };
    int rc = model_build(m, files, &o, err);

    if (rc) {
        model_free(m);
        return rc;
    }
    *ret = m;
    return 0;
}

/* Pointers to views of one tensor kind, N of them; W NULL where the model has no such tensor. */
static struct tensor_view *view_weights(float *const *w, size_t n, size_t rows, size_t cols)
{
    struct tensor_view *v = mem_calloc(n, sizeof(*v));

    for (size_t i = 0; i < n && rows; i++)
        v[i] = (struct tensor_view){ w[i], WEIGHT_F32, rows, cols };
    return v;
}

static void view_all(struct checkpoint *files, const struct model_conf *c,
                     const struct model_weights *w)
{
    files->conf = *c;
    files->format = "memory";
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    files->F = view_weights(w->F, (PER_LAYER) ? c->layers : 1, ROWS, COLS);
    MODEL_TENSORS(X)
#undef X
    if (c->tied)
        files->head[0] = files->embed[0];
}

static void view_release(struct checkpoint *files)
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) free(files->F);
    MODEL_TENSORS(X)
#undef X
}

int model_from_weights(struct model **ret, const struct model_conf *c,
                       const struct model_weights *w, const struct kernels *kern, struct err *err)
{
    struct checkpoint files = { 0 };
    struct model *m = NULL;
    int rc = model_conf_check(c, err);

    if (rc)
        return rc;
    view_all(&files, c, w);
    rc = model_from_views(&m, &files, kern, NULL, err);
    view_release(&files);
    if (rc)
        return rc;
    m->own_embed = mem_try_aligned(c->vocab * c->dim, sizeof(float));
    if (!m->own_embed) {
        model_free(m);
        return err_set(err, ERR_NOMEM, "%zu bytes for the embedding",
                       c->vocab * c->dim * sizeof(float));
    }
    memcpy(m->own_embed, w->embed[0], c->vocab * c->dim * sizeof(float));
    m->embed.data = m->own_embed;
    *ret = m;
    return 0;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (size_t l = 0; m->layer && l < m->conf.layers; l++) {
        packed_release(&m->layer[l].wqkv);
        packed_release(&m->layer[l].wo);
        packed_release(&m->layer[l].w13);
        packed_release(&m->layer[l].w2);
    }
    packed_release(&m->head);
    free(m->layer);
    free(m->vectors);
    free(m->own_embed);
    rope_free(m->rope);
    tokenizer_free(m->tok);
    checkpoint_close(m->files);
    free(m);
}
