/* SPDX-License-Identifier: Apache-2.0 */
/* A trainer's weights seen as a model: nothing is copied. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "worker/train/trainer_private.h"

static void view_layer(struct model_layer *y, const struct micro_model *m, size_t l)
{
    *y = (struct model_layer){ .wqkv = m->wqkv[l].forward,
                               .wo = m->wo[l].forward,
                               .w13 = m->w13[l].forward,
                               .w2 = m->w2[l].forward,
                               .norm1 = m->w.norm1[l],
                               .norm2 = m->w.norm2[l],
                               .bqkv = m->wqkv[l].bias,
                               .bo = m->wo[l].bias,
                               .b13 = m->w13[l].bias,
                               .b2 = m->w2[l].bias };
}

static struct model *view(struct trainer *t)
{
    const struct micro_model *m = &t->model;

    if (t->view)
        return t->view;
    t->view = mem_calloc(1, sizeof(*t->view));
    *t->view = (struct model){
        .conf = m->conf,
        .layer = mem_calloc(m->conf.layers, sizeof(struct model_layer)),
        .norm = m->w.norm[0],
        .head = m->head.forward,
        .embed = { m->w.embed[0], WEIGHT_F32, m->conf.vocab, m->conf.dim },
        .rope = m->rope,
        .kern = m->kern,
        .weight_bytes = m->w.floats_len * sizeof(float),
    };
    for (size_t l = 0; l < m->conf.layers; l++)
        view_layer(&t->view->layer[l], m, l);
    return t->view;
}

const struct model *trainer_model(struct trainer *t)
{
    return view(t);
}

void trainer_set_tokenizer(struct trainer *t, struct tokenizer *tok)
{
    view(t)->tok = tok;
}

void trainer_model_release(struct trainer *t)
{
    if (t->view)
        free(t->view->layer);
    free(t->view);
    t->view = NULL;
}
