/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - a decoder-only Llama or Qwen2 ready to run: its weights packed for the kernels in the
 * type that the file has (F32, F16, BF16; float rows of the embedding are widened when they are
 * looked up), norms and biases as floats, rotary tables, tokenizer. */
#ifndef WORKER_MODEL_MODEL_H
#define WORKER_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/progress.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/kernels/kernels.h"
#include "worker/kernels/pool.h"

struct tokenizer;
struct rope;

/* One layer. Biases are NULL where the model has none. */
struct model_layer {
    struct packed wqkv, wo, w13, w2; /* wqkv: q, k, v stacked; w13: gate, up stacked */
    const float *norm1, *norm2;      /* [dim] */
    const float *bqkv, *bo, *b13, *b2;
};

/* Read-only after opening: may be shared by slots. */
struct model {
    struct model_conf conf;
    struct model_layer *layer; /* [layers] */
    const float *norm;         /* [dim] */
    struct packed head;
    struct tensor_view embed; /* into the mapped file, or into memory of the model's own */
    struct rope *rope;
    const struct kernels *kern;
    struct tokenizer *tok;    /* NULL when the checkpoint has none and none was given */
    uint64_t weight_bytes;    /* memory taken by packed weights and vectors */
    struct checkpoint *files; /* NULL: made from weights in memory; private below */
    void *own_embed;
    float *vectors;
};

struct model_options {
    const char *tokenizer;      /* NULL: what checkpoint_tokenizer() finds, or none */
    const char *pre;            /* tokenizer_open()'s PRE; NULL: told by the vocabulary */
    bool no_tokenizer;          /* do not look for one */
    const struct kernels *kern; /* NULL: kernels_best() */
    struct pool *pool;          /* layers are packed by all of its threads; NULL: by the caller */
    struct progress *progress;  /* ticked per layer; ERR_CANCELLED when it is stopped; or NULL */
};

/* PATH: whatever checkpoint_open() takes. TOKENIZER: whatever tokenizer_open() takes, or NULL (see
 * struct model_options). Everything is checked before memory is taken; while weights are packed the
 * file's pages are given back, so that a model is in memory once. ERR_CORRUPT, ERR_INVALID (also: a
 * tokenizer with more tokens than the model's vocabulary, with both numbers), ERR_NOT_FOUND,
 * ERR_VERSION, ERR_NOMEM, ERR_LIMIT; the text names the file. KERN NULL: kernels_best(). */
int model_open(struct model **ret, const char *path, const char *tokenizer,
               const struct kernels *kern, struct err *err) MUST_CHECK;
int model_open_with(struct model **ret, const char *path, const struct model_options *o,
                    struct err *err) MUST_CHECK;
void model_free(struct model *m);
/* From weights in memory (copied): what training and tests use. No tokenizer. ERR_INVALID,
 * ERR_NOMEM. */
int model_from_weights(struct model **ret, const struct model_conf *c,
                       const struct model_weights *w, const struct kernels *kern,
                       struct err *err) MUST_CHECK;
/* From views of tensors of any type, as checkpoint_open() gives them; they are copied, but for the
 * embedding, which FILES must keep. POOL may be NULL. ERR_INVALID, ERR_NOMEM. */
int model_from_views(struct model **ret, const struct checkpoint *files, const struct kernels *kern,
                     struct pool *pool, struct err *err) MUST_CHECK;

/* Rotary tables, cos and sin (positions, head_dim/2) each. They are filled as positions are asked
 * for, in place: any thread may ask at any time. Libm-free, error bound in rope.c. */
struct rope_view {
    const float *cos, *sin;
};
/* ERR_NOMEM: no address space. ERR_INVALID: a scaling that enlarges angles (a factor below 1). */
int rope_new(struct rope **ret, const struct model_conf *c, struct err *err) MUST_CHECK;
void rope_free(struct rope *r);
/* Tables whose rows below POSITIONS (<= conf.positions, asserted) are filled. */
struct rope_view rope_need(struct rope *r, size_t positions);
/* Rows [from, to) of tables in the caller's memory. */
void rope_tables(float *cos, float *sin, const struct model_conf *c, size_t from, size_t to);

/* Write model.safetensors (F32, rotate-half layout), config.json and, when TOK is not NULL and is
 * of that form, tokenizer.json and tokenizer_config.json into folder DIR (made when absent). Bytes
 * are a function of the arguments. ERR_IO, ERR_FULL, ERR_READONLY, ERR_NOMEM. */
int model_save(const char *dir, const struct model_conf *c, const struct model_weights *w,
               const struct tokenizer *tok, struct err *err) MUST_CHECK;

#endif
