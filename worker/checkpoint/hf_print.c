/* SPDX-License-Identifier: Apache-2.0 */
/* hf_print.c - config.json of a model, such that hf_config_read gives the same model back. */
#include <stdio.h>
#include <stdlib.h>

#include "worker/checkpoint/views.h"

/* The shortest decimal number that reads back as F, as JSON: whole numbers in full, others by
 * digits. */
static void add_float(struct buf *out, float f)
{
    char text[64];

    snprintf(text, sizeof(text), "%.1f", (double)f);
    for (int digits = 1; digits <= 9 && strtof(text, NULL) != f; digits++)
        snprintf(text, sizeof(text), "%.*g", digits, (double)f);
    buf_adds(out, text);
}

static void print_float(struct buf *out, const char *indent, const char *key, float f)
{
    buf_printf(out, "%s\"%s\": ", indent, key);
    add_float(out, f);
    buf_adds(out, ",\n");
}

static void print_flag(struct buf *out, const char *key, bool value)
{
    buf_printf(out, "  \"%s\": %s,\n", key, value ? "true" : "false");
}

/* One id, null for none, or a list. */
static void print_tokens(struct buf *out, const char *key, const uint32_t *id, size_t n)
{
    buf_printf(out, "  \"%s\": ", key);
    if (n == 0)
        buf_adds(out, "null,\n");
    if (n == 1)
        buf_printf(out, "%u,\n", id[0]);
    for (size_t i = 0; n > 1 && i < n; i++)
        buf_printf(out, "%s    %u%s", i ? "" : "[\n", id[i], i + 1 < n ? ",\n" : "\n  ],\n");
}

static void print_table(struct buf *out, const char *key, const float *table, size_t n)
{
    buf_printf(out, "    \"%s\": [", key);
    for (size_t i = 0; i < n; i++) {
        buf_adds(out, i ? ", " : "");
        add_float(out, table[i]);
    }
    buf_adds(out, "],\n");
}

static void print_scaling(struct buf *out, const struct model_conf *c)
{
    const struct rope_scaling *s = &c->rope_scaling;

    if (s->kind == ROPE_PLAIN) {
        buf_adds(out, "  \"rope_scaling\": null,\n");
        return;
    }
    buf_adds(out, "  \"rope_scaling\": {\n");
    if (s->kind == ROPE_TABLE) {
        print_float(out, "    ", "attention_factor", 1.0f);
        print_table(out, "long_factor", s->table, c->head_dim / 2);
        print_table(out, "short_factor", s->table, c->head_dim / 2);
        buf_adds(out, "    \"rope_type\": \"longrope\"\n");
    } else {
        print_float(out, "    ", "factor", s->factor);
    }
    if (s->kind == ROPE_LINEAR)
        buf_adds(out, "    \"rope_type\": \"linear\"\n");
    if (s->kind == ROPE_LLAMA3) {
        print_float(out, "    ", "high_freq_factor", s->high_freq);
        print_float(out, "    ", "low_freq_factor", s->low_freq);
        buf_printf(out, "    \"original_max_position_embeddings\": %zu,\n", s->original);
        buf_adds(out, "    \"rope_type\": \"llama3\"\n");
    }
    buf_adds(out, "  },\n");
}

static bool is_qwen2(const struct model_conf *c)
{
    return c->qkv_bias && !c->o_bias;
}

const char *hf_architecture(const struct model_conf *c)
{
    return is_qwen2(c) ? "Qwen2ForCausalLM" : "LlamaForCausalLM";
}

/* Keys in alphabetic order, as Transformers writes them. */
void hf_config_print(const struct model_conf *c, struct buf *out)
{
    buf_printf(out, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n", hf_architecture(c));
    if (!is_qwen2(c))
        print_flag(out, "attention_bias", c->qkv_bias);
    buf_adds(out, "  \"attention_dropout\": 0.0,\n");
    print_tokens(out, "bos_token_id", &c->bos, c->bos != UINT32_MAX);
    print_tokens(out, "eos_token_id", c->eos, c->eos_len);
    buf_printf(out, "  \"head_dim\": %zu,\n  \"hidden_act\": \"silu\",\n", c->head_dim);
    buf_printf(out, "  \"hidden_size\": %zu,\n  \"initializer_range\": 0.02,\n", c->dim);
    buf_printf(out, "  \"intermediate_size\": %zu,\n", c->hidden);
    buf_printf(out, "  \"max_position_embeddings\": %zu,\n", c->positions);
    if (!is_qwen2(c))
        print_flag(out, "mlp_bias", c->mlp_bias);
    buf_printf(out, "  \"model_type\": \"%s\",\n", is_qwen2(c) ? "qwen2" : "llama");
    buf_printf(out, "  \"num_attention_heads\": %zu,\n", c->heads);
    buf_printf(out, "  \"num_hidden_layers\": %zu,\n", c->layers);
    buf_printf(out, "  \"num_key_value_heads\": %zu,\n", c->kv_heads);
    if (!is_qwen2(c))
        buf_adds(out, "  \"pretraining_tp\": 1,\n");
    print_float(out, "  ", "rms_norm_eps", c->rms_eps);
    print_scaling(out, c);
    print_float(out, "  ", "rope_theta", c->rope_theta);
    print_flag(out, "tie_word_embeddings", c->tied);
    buf_adds(out, "  \"torch_dtype\": \"float32\",\n  \"use_cache\": true,\n");
    if (is_qwen2(c))
        print_flag(out, "use_sliding_window", false);
    buf_printf(out, "  \"vocab_size\": %zu\n}\n", c->vocab);
}
