/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - a decoder-only Llama: configuration, float32 weights, packed weights, and the files
 * they come from. */
#ifndef WORKER_MODEL_MODEL_H
#define WORKER_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "worker/kernels/kernels.h"

struct tokenizer;

/* Limits, so that no product of two fields of a hostile header overflows: the largest tensor has
 * 2^40 elements, a model fewer than 2^51. */
enum {
    MODEL_LAYERS_MAX = 256, /* a routing configuration is one byte per layer */
    MODEL_DIM_MAX = 1 << 16,
    MODEL_HEADS_MAX = 1 << 10,
    MODEL_HEAD_DIM_MAX = 256, /* what the attention kernel takes */
    MODEL_HIDDEN_MAX = 1 << 20,
    MODEL_VOCAB_MAX = 1 << 22,
    MODEL_POSITIONS_MAX = 1 << 20, /* rope.c's argument reduction is exact up to here */
};

struct model_conf {
    size_t layers, dim, heads, kv_heads, head_dim, hidden, vocab, positions;
    float rms_eps, rope_theta;
    bool tied;             /* the head is the embedding */
    bool rope_interleaved; /* pairs (2i, 2i+1): llama2.c; else (i, i+e/2): Hugging Face */
    uint32_t bos, eos;     /* token ids; UINT32_MAX when there is none */
};

/* Checks ranges and divisibility (heads % kv_heads, even head_dim, ...). ERR_INVALID names the
 * field and its range. */
int model_conf_check(const struct model_conf *c, struct err *err) MUST_CHECK;

/* All tensors of a model, once: X(field, Hugging Face name, per_layer, rows, cols, decay).
 * rows/cols are expressions over `c` (const struct model_conf *). Weight matrices are (out, in). */
#define MODEL_TENSORS(X)                                                                           \
    X(embed, "model.embed_tokens.weight", 0, c->vocab, c->dim, 1)                                  \
    X(norm1, "model.layers.%zu.input_layernorm.weight", 1, 1, c->dim, 0)                           \
    X(wq, "model.layers.%zu.self_attn.q_proj.weight", 1, c->heads * c->head_dim, c->dim, 1)        \
    X(wk, "model.layers.%zu.self_attn.k_proj.weight", 1, c->kv_heads * c->head_dim, c->dim, 1)     \
    X(wv, "model.layers.%zu.self_attn.v_proj.weight", 1, c->kv_heads * c->head_dim, c->dim, 1)     \
    X(wo, "model.layers.%zu.self_attn.o_proj.weight", 1, c->dim, c->heads * c->head_dim, 1)        \
    X(norm2, "model.layers.%zu.post_attention_layernorm.weight", 1, 1, c->dim, 0)                  \
    X(w1, "model.layers.%zu.mlp.gate_proj.weight", 1, c->hidden, c->dim, 1)                        \
    X(w3, "model.layers.%zu.mlp.up_proj.weight", 1, c->hidden, c->dim, 1)                          \
    X(w2, "model.layers.%zu.mlp.down_proj.weight", 1, c->dim, c->hidden, 1)                        \
    X(norm, "model.norm.weight", 0, 1, c->dim, 0)                                                  \
    X(head, "lm_head.weight", 0, c->tied ? 0 : c->vocab, c->dim, 1)

/* Two allocations: the floats, and one block of pointers into them (starting at embed). head[0] is
 * embed[0] when tied. Every tensor starts at a multiple of 16 floats; the gaps are zero. */
struct model_weights {
    float *all; /* floats_len floats, 64-byte aligned; gradients and Adam moments have the same
                   layout */
    size_t floats_len;
#define X(F, NAME, PER_LAYER, ROWS, COLS, DECAY) float **F;
    MODEL_TENSORS(X) /* F[0] for the whole-model ones, F[layer] for the others */
#undef X
};
/* Zeroed weights for C, which must have passed model_conf_check. ERR_NOMEM. */
int model_weights_alloc(struct model_weights *w, const struct model_conf *c,
                        struct err *err) MUST_CHECK;
void model_weights_release(struct model_weights *w);

/* One tensor as a place in model_weights.all: for checkpoints, decay masks and gradient tests. */
struct model_tensor {
    char name[96];             /* Hugging Face name with the layer filled in */
    size_t rows, cols, offset; /* offset in floats from .all; rows of a norm: 1 */
    bool decay;
    bool vector; /* one-dimensional in files: the norms */
};
/* Calls FN for each tensor in table order, layers ascending inside a tensor kind (no lm_head when
 * tied); stops at the first non-zero and returns it. */
typedef int (*model_tensor_fn)(const struct model_tensor *t, void *arg);
int model_each_tensor(const struct model_conf *c, model_tensor_fn fn, void *arg);
/* Floats of model_weights.all. */
size_t model_floats(const struct model_conf *c);

/* A model ready to run. Read-only after opening: may be shared by slots. */
struct model {
    struct model_conf conf;
    struct model_weights w;
    struct packed *wqkv, *wo, *w13,
        *w2; /* [layers]; wqkv: q, k, v stacked; w13: gate, up stacked */
    struct packed head;
    float *rope_cos, *rope_sin; /* (positions, head_dim/2) */
    const struct kernels *kern;
    struct tokenizer *tok; /* NULL when the checkpoint has none and none was given */
};

/* PATH is a Hugging Face folder (config.json; model.safetensors, or model.safetensors.index.json
 * and its shards; tokenizer.json of drover's own), a llama2.c checkpoint (.bin, v0 or v1), or a
 * folder with one of those and no config.json. TOKENIZER: a tokenizer.bin or tokenizer.json, or
 * NULL: the folder's tokenizer.json, the only tok*.bin beside the checkpoint, or none. Everything
 * is checked against the file's size and header before memory is taken. ERR_CORRUPT (truncated,
 * oversized, torn), ERR_INVALID (unknown architecture, wrong shape: tensor, expected, found),
 * ERR_NOT_FOUND, ERR_VERSION, ERR_NOMEM, ERR_LIMIT; the text names the file. KERN NULL:
 * kernels_best(). */
int model_open(struct model **ret, const char *path, const char *tokenizer,
               const struct kernels *kern, struct err *err) MUST_CHECK;
void model_free(struct model *m);
/* From weights in memory (copied): what training and tests use. No tokenizer. ERR_INVALID,
 * ERR_NOMEM. */
int model_from_weights(struct model **ret, const struct model_conf *c,
                       const struct model_weights *w, const struct kernels *kern,
                       struct err *err) MUST_CHECK;
/* Pack m->w again after it was changed. */
void model_repack(struct model *m);
/* Tables of cos and sin, (positions, head_dim/2) each; libm-free, error bound in rope.c. */
void rope_tables(float *cos, float *sin, const struct model_conf *c);

/* Write model.safetensors (F32, rotate-half layout), tokenizer.json and tokenizer_config.json (when
 * TOK is not NULL and is of that form) and, last, config.json into folder DIR (made when absent).
 * Bytes are a function of the arguments. ERR_IO, ERR_FULL, ERR_READONLY, ERR_NOMEM. */
int model_save(const char *dir, const struct model_conf *c, const struct model_weights *w,
               const struct tokenizer *tok, struct err *err) MUST_CHECK;

#endif
