/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/checkpoint/views.h"

enum {
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) TENSOR_##F,
    MODEL_TENSORS(X)
#undef X
        TENSORS
};

struct tensor_kind {
    const char *name, *gguf;
    bool per_layer, decay;
    size_t rows, cols;
};

static void tensor_kinds(const struct model_conf *c, struct tensor_kind out[TENSORS])
{
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    out[TENSOR_##F] = (struct tensor_kind){ NAME, GGUF, PER_LAYER, DECAY, ROWS, COLS };
    MODEL_TENSORS(X)
#undef X
}

/* Put LAYER in the place of "%zu" in PATTERN. */
static void tensor_name(char *out, size_t size, const char *pattern, size_t layer)
{
    const char *mark = strstr(pattern, "%zu");

    if (mark)
        snprintf(out, size, "%.*s%zu%s", (int)(mark - pattern), pattern, layer, mark + 3);
    else
        snprintf(out, size, "%s", pattern);
}

/* 16 floats are a cache line and a vector: every tensor starts on one. */
static size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

int model_walk(const struct model_conf *c, bool gguf_names, model_walk_fn fn, void *arg)
{
    struct tensor_kind kind[TENSORS];
    size_t offset = 0;

    tensor_kinds(c, kind);
    for (size_t k = 0; k < TENSORS; k++) {
        size_t n = kind[k].per_layer ? c->layers : 1;

        for (size_t layer = 0; layer < n && kind[k].rows; layer++) {
            struct model_tensor t = { .rows = kind[k].rows,
                                      .cols = kind[k].cols,
                                      .offset = offset,
                                      .decay = kind[k].decay,
                                      .vector = !kind[k].decay };
            int rc;

            tensor_name(t.name, sizeof(t.name), gguf_names ? kind[k].gguf : kind[k].name, layer);
            rc = fn(&t, k, layer, arg);
            if (rc)
                return rc;
            offset += padded(t.rows * t.cols);
        }
    }
    return 0;
}

struct each {
    model_tensor_fn fn;
    void *arg;
};

static int each_tensor(const struct model_tensor *t, size_t kind, size_t layer, void *arg)
{
    const struct each *e = arg;

    (void)kind, (void)layer;
    return e->fn(t, e->arg);
}

int model_each_tensor(const struct model_conf *c, model_tensor_fn fn, void *arg)
{
    return model_walk(c, false, each_tensor, &(struct each){ fn, arg });
}

size_t model_floats(const struct model_conf *c)
{
    struct tensor_kind kind[TENSORS];
    size_t total = 0;

    tensor_kinds(c, kind);
    for (size_t k = 0; k < TENSORS; k++)
        total += (kind[k].per_layer ? c->layers : 1) * padded(kind[k].rows * kind[k].cols);
    return total;
}

int model_weights_alloc(struct model_weights *w, const struct model_conf *c, struct err *err)
{
    struct tensor_kind kind[TENSORS];
    float **pointer, *at;

    memset(w, 0, sizeof(*w));
    w->floats_len = model_floats(c);
    w->all = mem_try_aligned(w->floats_len, sizeof(float));
    if (!w->all)
        return err_set(err, ERR_NOMEM, "%zu bytes for the model's weights",
                       w->floats_len * sizeof(float));
    tensor_kinds(c, kind);
    pointer = mem_calloc(TENSORS * c->layers, sizeof(*pointer));
    at = w->all;
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    w->F = pointer;                                                                                \
    for (size_t layer = 0; layer < ((PER_LAYER) ? c->layers : 1); layer++) {                       \
        *pointer++ = at;                                                                           \
        at += padded(kind[TENSOR_##F].rows * kind[TENSOR_##F].cols);                               \
    }
    MODEL_TENSORS(X)
#undef X
    assert(at == w->all + w->floats_len);
    if (c->tied)
        w->head[0] = w->embed[0];
    return 0;
}

void model_weights_release(struct model_weights *w)
{
    free(w->all);
    free(w->embed); /* the block of pointers */
    memset(w, 0, sizeof(*w));
}

void checkpoint_alloc_views(struct checkpoint *c)
{
    struct tensor_view *view = mem_calloc(TENSORS * c->conf.layers, sizeof(*view));

#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY)                                             \
    c->F = view;                                                                                   \
    view += (PER_LAYER) ? c->conf.layers : 1;
    MODEL_TENSORS(X)
#undef X
}

struct tensor_view *checkpoint_view(const struct checkpoint *c, size_t kind, size_t layer)
{
    struct tensor_view *const view[TENSORS] = {
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) c->F,
        MODEL_TENSORS(X)
#undef X
    };

    return view[kind] + layer;
}
