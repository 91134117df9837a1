/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - what a decoder-only Llama-like model is made of: sizes, options of the architecture,
 * special tokens. LlamaForCausalLM (2, 3, 3.1, 3.2) and Qwen2ForCausalLM (2, 2.5) differ in these
 * options alone. */
#ifndef WORKER_CHECKPOINT_CONF_H
#define WORKER_CHECKPOINT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

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
    MODEL_EOS_MAX = 8,             /* ids that end a text: Llama-3.1 has three */
};

/* How rotary frequencies f(i) = theta^(-2i/e) are changed for contexts longer than the trained one.
 * LINEAR divides all by factor. LLAMA3: with wavelength 2 pi / f, above original/low_freq divided
 * by factor, below original/high_freq as they are, between the two mixed by s =
 * (original/wavelength - low_freq)/(high_freq - low_freq): f ((1-s)/factor + s). TABLE: f(i)
 * divided by table[i] (GGUF's rope_freqs.weight). */
enum rope_scaling_kind { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3, ROPE_TABLE };
struct rope_scaling {
    enum rope_scaling_kind kind;
    float factor, low_freq, high_freq;
    size_t original;                     /* positions of the trained context */
    float table[MODEL_HEAD_DIM_MAX / 2]; /* TABLE only */
};

struct model_conf {
    size_t layers, dim, heads, kv_heads, head_dim, hidden, vocab, positions;
    float rms_eps, rope_theta;
    bool tied;             /* the head is the embedding */
    bool rope_interleaved; /* pairs (2i, 2i+1): llama2.c, GGUF llama; else (i, i+e/2): Hugging Face
                            */
    struct rope_scaling rope_scaling;
    bool qkv_bias, o_bias, mlp_bias; /* Qwen2: q, k, v; Llama's attention_bias: q, k, v and o */
    uint32_t bos;                    /* token id; UINT32_MAX when there is none */
    uint32_t eos[MODEL_EOS_MAX];     /* ids that end a text, the first is the tokenizer's own */
    size_t eos_len;                  /* 0: none */
};

static inline bool model_conf_is_eos(const struct model_conf *c, uint32_t id)
{
    for (size_t i = 0; i < c->eos_len; i++)
        if (c->eos[i] == id)
            return true;
    return false;
}

/* Checks ranges and divisibility (heads % kv_heads, even head_dim, ...). ERR_INVALID names the
 * field and its range. */
int model_conf_check(const struct model_conf *c, struct err *err) MUST_CHECK;

#endif
