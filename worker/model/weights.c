/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/model.h"

enum {
#define X(F, NAME, PER_LAYER, ROWS, COLS, DECAY) TENSOR_##F,
    MODEL_TENSORS(X)
#undef X
        TENSORS
};

struct tensor_kind {
    const char *name;
    bool per_layer, decay;
    size_t rows, cols;
};

static void tensor_kinds(const struct model_conf *c, struct tensor_kind out[TENSORS])
{
#define X(F, NAME, PER_LAYER, ROWS, COLS, DECAY)                                                   \
    out[TENSOR_##F] = (struct tensor_kind){ NAME, PER_LAYER, DECAY, ROWS, COLS };
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

int model_each_tensor(const struct model_conf *c, model_tensor_fn fn, void *arg)
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
                                      .vector = k == TENSOR_norm1 || k == TENSOR_norm2 ||
                                                k == TENSOR_norm };
            int rc;

            tensor_name(t.name, sizeof(t.name), kind[k].name, layer);
            rc = fn(&t, arg);
            if (rc)
                return rc;
            offset += padded(t.rows * t.cols);
        }
    }
    return 0;
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
#define X(F, NAME, PER_LAYER, ROWS, COLS, DECAY)                                                   \
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
