/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/model.h"

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
    if (!(c->rope_theta >= 1.0f && c->rope_theta <= 1e12f))
        return err_set(err, ERR_INVALID, "rope_theta is %g; it must be from 1 to 1e12",
                       (double)c->rope_theta);
    rc = token_check("bos_token_id", c->bos, c->vocab, err);
    return rc ? rc : token_check("eos_token_id", c->eos, c->vocab, err);
}
