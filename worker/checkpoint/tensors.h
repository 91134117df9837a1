/* SPDX-License-Identifier: Apache-2.0 */
/* tensors.h - the table of all tensors of a model, and float weights laid out by it: what training
 * changes, checkpoints are written from, and tests make up. */
#ifndef WORKER_CHECKPOINT_TENSORS_H
#define WORKER_CHECKPOINT_TENSORS_H

#include "worker/checkpoint/conf.h"

/* All tensors of a model, once: X(field, Hugging Face name, GGUF name, per_layer, rows, cols,
 * decay). rows/cols are expressions over `c` (const struct model_conf *); rows 0: the model has no
 * such tensor. Weight matrices are (out, in); vectors (norms, biases) have one row. */
#define MODEL_TENSORS(X)                                                                           \
    X(embed, "model.embed_tokens.weight", "token_embd.weight", 0, c->vocab, c->dim, 1)             \
    X(norm1, "model.layers.%zu.input_layernorm.weight", "blk.%zu.attn_norm.weight", 1, 1, c->dim,  \
      0)                                                                                           \
    X(wq, "model.layers.%zu.self_attn.q_proj.weight", "blk.%zu.attn_q.weight", 1,                  \
      c->heads * c->head_dim, c->dim, 1)                                                           \
    X(wk, "model.layers.%zu.self_attn.k_proj.weight", "blk.%zu.attn_k.weight", 1,                  \
      c->kv_heads * c->head_dim, c->dim, 1)                                                        \
    X(wv, "model.layers.%zu.self_attn.v_proj.weight", "blk.%zu.attn_v.weight", 1,                  \
      c->kv_heads * c->head_dim, c->dim, 1)                                                        \
    X(wo, "model.layers.%zu.self_attn.o_proj.weight", "blk.%zu.attn_output.weight", 1, c->dim,     \
      c->heads * c->head_dim, 1)                                                                   \
    X(norm2, "model.layers.%zu.post_attention_layernorm.weight", "blk.%zu.ffn_norm.weight", 1, 1,  \
      c->dim, 0)                                                                                   \
    X(w1, "model.layers.%zu.mlp.gate_proj.weight", "blk.%zu.ffn_gate.weight", 1, c->hidden,        \
      c->dim, 1)                                                                                   \
    X(w3, "model.layers.%zu.mlp.up_proj.weight", "blk.%zu.ffn_up.weight", 1, c->hidden, c->dim, 1) \
    X(w2, "model.layers.%zu.mlp.down_proj.weight", "blk.%zu.ffn_down.weight", 1, c->dim,           \
      c->hidden, 1)                                                                                \
    X(norm, "model.norm.weight", "output_norm.weight", 0, 1, c->dim, 0)                            \
    X(head, "lm_head.weight", "output.weight", 0, c->tied ? 0 : c->vocab, c->dim, 1)               \
    X(bq, "model.layers.%zu.self_attn.q_proj.bias", "blk.%zu.attn_q.bias", 1, c->qkv_bias,         \
      c->heads * c->head_dim, 0)                                                                   \
    X(bk, "model.layers.%zu.self_attn.k_proj.bias", "blk.%zu.attn_k.bias", 1, c->qkv_bias,         \
      c->kv_heads * c->head_dim, 0)                                                                \
    X(bv, "model.layers.%zu.self_attn.v_proj.bias", "blk.%zu.attn_v.bias", 1, c->qkv_bias,         \
      c->kv_heads * c->head_dim, 0)                                                                \
    X(bo, "model.layers.%zu.self_attn.o_proj.bias", "blk.%zu.attn_output.bias", 1, c->o_bias,      \
      c->dim, 0)                                                                                   \
    X(b1, "model.layers.%zu.mlp.gate_proj.bias", "blk.%zu.ffn_gate.bias", 1, c->mlp_bias,          \
      c->hidden, 0)                                                                                \
    X(b3, "model.layers.%zu.mlp.up_proj.bias", "blk.%zu.ffn_up.bias", 1, c->mlp_bias, c->hidden,   \
      0)                                                                                           \
    X(b2, "model.layers.%zu.mlp.down_proj.bias", "blk.%zu.ffn_down.bias", 1, c->mlp_bias, c->dim, 0)

/* Two allocations: the floats, and one block of pointers into them (starting at embed). head[0] is
 * embed[0] when tied. Every tensor starts at a multiple of 16 floats; the gaps are zero. */
struct model_weights {
    float *all; /* floats_len floats, 64-byte aligned; gradients and Adam moments have the same
                   layout */
    size_t floats_len;
#define X(F, NAME, GGUF, PER_LAYER, ROWS, COLS, DECAY) float **F;
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
    bool vector; /* one-dimensional in files: norms and biases */
};
/* Calls FN for each tensor in table order, layers ascending inside a tensor kind (no lm_head when
 * tied); stops at the first non-zero and returns it. */
typedef int (*model_tensor_fn)(const struct model_tensor *t, void *arg);
int model_each_tensor(const struct model_conf *c, model_tensor_fn fn, void *arg);
/* Floats of model_weights.all. */
size_t model_floats(const struct model_conf *c);

#endif
