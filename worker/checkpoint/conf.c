/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkpoint/conf.h"

#define ROPE_FACTOR_MAX 1e6f

static int range(const char *field, size_t v, size_t min, size_t max, struct err *err)
{
    if (v >= min && v <= max)
        return 0;
    return err_set(err, ERR_INVALID, "%s is %zu; this version takes %zu to %zu", field, v, min,
                   max);
}

static int token_check(const char *field, uint32_t id, size_t vocab, struct err *err)
{
    if (id == UINT32_MAX || id < vocab)
        return 0;
    return err_set(err, ERR_INVALID, "%s is %u, but the vocabulary has only %zu tokens", field, id,
                   vocab);
}

static int rope_number(const char *field, float v, float max, struct err *err)
{
    if (v > 0.0f && v <= max)
        return 0;
    return err_set(err, ERR_INVALID, "rope_scaling: %s is %g; it must be above 0 and at most %g",
                   field, (double)v, (double)max);
}

static int llama3_check(const struct rope_scaling *s, struct err *err)
{
    int rc = rope_number("low_freq_factor", s->low_freq, ROPE_FACTOR_MAX, err);

    if (!rc)
        rc = rope_number("high_freq_factor", s->high_freq, ROPE_FACTOR_MAX, err);
    if (!rc && s->low_freq >= s->high_freq)
        rc = err_set(err, ERR_INVALID,
                     "rope_scaling: low_freq_factor (%g) must be below high_freq_factor (%g)",
                     (double)s->low_freq, (double)s->high_freq);
    if (!rc)
        rc = range("rope_scaling: original_max_position_embeddings", s->original, 1,
                   MODEL_POSITIONS_MAX, err);
    return rc;
}

static int rope_check(const struct model_conf *c, struct err *err)
{
    const struct rope_scaling *s = &c->rope_scaling;
    int rc = 0;

    if (!(c->rope_theta >= 1.0f && c->rope_theta <= 1e12f))
        return err_set(err, ERR_INVALID, "rope_theta is %g; it must be from 1 to 1e12",
                       (double)c->rope_theta);
    if (s->kind == ROPE_LINEAR || s->kind == ROPE_LLAMA3)
        rc = rope_number("factor", s->factor, ROPE_FACTOR_MAX, err);
    if (!rc && s->kind == ROPE_LLAMA3)
        rc = llama3_check(s, err);
    for (size_t i = 0; s->kind == ROPE_TABLE && i < c->head_dim / 2 && !rc; i++)
        rc = rope_number("a divisor of its table", s->table[i], ROPE_FACTOR_MAX, err);
    return rc;
}

/* The combinations that files can say. */
static int bias_check(const struct model_conf *c, struct err *err)
{
    if (c->qkv_bias ? c->o_bias || !c->mlp_bias : !c->o_bias)
        return 0;
    return err_set(err, ERR_INVALID,
                   "biases of q, k, v: %s, of o: %s, of the MLP: %s; LlamaForCausalLM has those of "
                   "attention together, Qwen2ForCausalLM those of q, k and v alone",
                   c->qkv_bias ? "yes" : "no", c->o_bias ? "yes" : "no",
                   c->mlp_bias ? "yes" : "no");
}

int model_conf_check(const struct model_conf *c, struct err *err)
{
    const struct {
        const char *field;
        size_t v, min, max;
    } rules[] = {
        { "num_hidden_layers", c->layers, 1, MODEL_LAYERS_MAX },
        { "hidden_size", c->dim, 1, MODEL_DIM_MAX },
        { "num_attention_heads", c->heads, 1, MODEL_HEADS_MAX },
        { "num_key_value_heads", c->kv_heads, 1, MODEL_HEADS_MAX },
        { "head_dim", c->head_dim, 2, MODEL_HEAD_DIM_MAX },
        { "intermediate_size", c->hidden, 1, MODEL_HIDDEN_MAX },
        { "vocab_size", c->vocab, 1, MODEL_VOCAB_MAX },
        { "max_position_embeddings", c->positions, 1, MODEL_POSITIONS_MAX },
    };
    int rc;

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        rc = range(rules[i].field, rules[i].v, rules[i].min, rules[i].max, err);
        if (rc)
            return rc;
    }
    if (c->heads % c->kv_heads)
        return err_set(err, ERR_INVALID,
                       "num_attention_heads (%zu) is no multiple of num_key_value_heads (%zu)",
                       c->heads, c->kv_heads);
    if (c->head_dim % 2)
        return err_set(err, ERR_INVALID, "head_dim is %zu; rotary positions need an even number",
                       c->head_dim);
    if (!(c->rms_eps > 0.0f && c->rms_eps <= 1.0f))
        return err_set(err, ERR_INVALID, "rms_norm_eps is %g; it must be above 0 and at most 1",
                       (double)c->rms_eps);
    rc = rope_check(c, err);
    if (!rc)
        rc = bias_check(c, err);
    if (!rc && c->eos_len > MODEL_EOS_MAX)
        rc = range("number of eos_token_id", c->eos_len, 0, MODEL_EOS_MAX, err);
    if (!rc)
        rc = token_check("bos_token_id", c->bos, c->vocab, err);
    for (size_t i = 0; i < c->eos_len && !rc; i++)
        rc = token_check("eos_token_id", c->eos[i], c->vocab, err);
    return rc;
}
