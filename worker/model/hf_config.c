/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "worker/model/formats.h"

enum { CONFIG_MAX = 1 << 20 }; /* real ones have a few KB */

/* Field KEY as a size; FALLBACK when it is absent or null, and an error when FALLBACK is SIZE_MAX.
 */
static int get_size(const struct json *root, const char *path, const char *key, size_t fallback,
                    size_t *ret, struct err *err)
{
    const struct json *v = json_get(root, key);

    if (!v || json_is_null(v)) {
        if (fallback == SIZE_MAX)
            return err_set(err, ERR_INVALID, "%s: %s is missing", path, key);
        *ret = fallback;
        return 0;
    }
    if (!json_is_integer(v) || json_integer(v, -1) < 0)
        return err_set(err, ERR_INVALID, "%s: %s must be a whole number, 0 or more", path, key);
    *ret = (size_t)json_integer(v, -1);
    return 0;
}

static int get_float(const struct json *root, const char *path, const char *key, double fallback,
                     float *ret, struct err *err)
{
    const struct json *v = json_get(root, key);

    if (v && !json_is_null(v) && !json_is_number(v))
        return err_set(err, ERR_INVALID, "%s: %s must be a number", path, key);
    *ret = (float)json_number(v, fallback);
    return 0;
}

/* A token id, the first of a list of them, or none. */
static int get_token(const struct json *root, const char *path, const char *key, uint32_t *ret,
                     struct err *err)
{
    const struct json *v = json_get(root, key);

    if (json_is_array(v))
        v = json_at(v, 0);
    *ret = UINT32_MAX;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_integer(v) || json_integer(v, -1) < 0 || json_integer(v, -1) >= UINT32_MAX)
        return err_set(err, ERR_INVALID, "%s: %s must be a token id or a list of them", path, key);
    *ret = (uint32_t)json_integer(v, -1);
    return 0;
}

static int check_architecture(const struct json *root, const char *path, struct err *err)
{
    const char *name = json_text(json_at(json_get(root, "architectures"), 0));
    const char *type = json_text(json_get(root, "model_type"));
    const char *act = json_text(json_get(root, "hidden_act"));

    if (name ? strcmp(name, "LlamaForCausalLM") != 0 : !type || strcmp(type, "llama") != 0)
        return err_set(err, ERR_INVALID,
                       "%s: architecture '%.64s' is not supported; this version reads "
                       "LlamaForCausalLM",
                       path,
                       name   ? name
                       : type ? type
                              : "(none)");
    if (act && strcmp(act, "silu") != 0)
        return err_set(err, ERR_INVALID, "%s: hidden_act '%.32s' is not supported, only silu", path,
                       act);
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "mlp_bias" : "attention_bias";

        if (json_bool(json_get(root, key), false))
            return err_set(err, ERR_INVALID, "%s: %s is true; this version has no biases", path,
                           key);
    }
    return 0;
}

/* rope_theta and rope_scaling, or rope_parameters of newer files. */
static int get_rope(const struct json *root, const char *path, struct model_conf *c,
                    struct err *err)
{
    const struct json *parameters = json_get(root, "rope_parameters");
    const struct json *scaling = json_get(root, "rope_scaling");
    const char *type;

    if (json_is_object(parameters))
        root = scaling = parameters;
    if (scaling && !json_is_null(scaling)) {
        type = json_text(json_get(scaling, "rope_type"));
        if (!type)
            type = json_text(json_get(scaling, "type"));
        if (type ? strcmp(type, "default") != 0 : scaling != parameters)
            return err_set(err, ERR_INVALID,
                           "%s: rope_scaling of type '%.32s' is not supported by this version",
                           path, type ? type : "(none)");
    }
    return get_float(root, path, "rope_theta", 10000.0, &c->rope_theta, err);
}

static int read_fields(const struct json *root, const char *path, struct model_conf *c,
                       struct err *err)
{
    int rc = check_architecture(root, path, err);

    if (!rc)
        rc = get_size(root, path, "num_hidden_layers", SIZE_MAX, &c->layers, err);
    if (!rc)
        rc = get_size(root, path, "hidden_size", SIZE_MAX, &c->dim, err);
    if (!rc)
        rc = get_size(root, path, "num_attention_heads", SIZE_MAX, &c->heads, err);
    if (!rc)
        rc = get_size(root, path, "num_key_value_heads", c->heads, &c->kv_heads, err);
    if (!rc)
        rc = get_size(root, path, "head_dim", c->heads ? c->dim / c->heads : 0, &c->head_dim, err);
    if (!rc)
        rc = get_size(root, path, "intermediate_size", SIZE_MAX, &c->hidden, err);
    if (!rc)
        rc = get_size(root, path, "vocab_size", SIZE_MAX, &c->vocab, err);
    if (!rc)
        rc = get_size(root, path, "max_position_embeddings", 2048, &c->positions, err);
    if (!rc)
        rc = get_float(root, path, "rms_norm_eps", 1e-6, &c->rms_eps, err);
    if (!rc)
        rc = get_rope(root, path, c, err);
    if (!rc)
        rc = get_token(root, path, "bos_token_id", &c->bos, err);
    if (!rc)
        rc = get_token(root, path, "eos_token_id", &c->eos, err);
    c->tied = json_bool(json_get(root, "tie_word_embeddings"), false);
    c->rope_interleaved = false;
    return rc;
}

int hf_config_read(const char *path, struct model_conf *c, struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    int rc = json_parse_file(path, CONFIG_MAX, &root, err);

    if (rc)
        return rc;
    if (!json_is_object(root))
        return err_set(err, ERR_INVALID, "%s: must be a JSON object", path);
    memset(c, 0, sizeof(*c));
    rc = read_fields(root, path, c, err);
    if (rc)
        return rc;
    rc = model_conf_check(c, err);
    return rc ? err_wrap(err, rc, "%s", path) : 0;
}

/* The shortest decimal number that reads back as F, as JSON: whole numbers in full, others by
 * digits. */
static void print_float(struct buf *out, const char *key, float f)
{
    char text[64];

    snprintf(text, sizeof(text), "%.1f", (double)f);
    for (int digits = 1; digits <= 9 && strtof(text, NULL) != f; digits++)
        snprintf(text, sizeof(text), "%.*g", digits, (double)f);
    buf_printf(out, "  \"%s\": %s,\n", key, text);
}

static void print_token(struct buf *out, const char *key, uint32_t id)
{
    if (id == UINT32_MAX)
        buf_printf(out, "  \"%s\": null,\n", key);
    else
        buf_printf(out, "  \"%s\": %u,\n", key, id);
}

void hf_config_print(const struct model_conf *c, struct buf *out)
{
    buf_adds(out, "{\n  \"architectures\": [\n    \"LlamaForCausalLM\"\n  ],\n"
                  "  \"attention_bias\": false,\n  \"attention_dropout\": 0.0,\n");
    print_token(out, "bos_token_id", c->bos);
    print_token(out, "eos_token_id", c->eos);
    buf_printf(out, "  \"head_dim\": %zu,\n  \"hidden_act\": \"silu\",\n", c->head_dim);
    buf_printf(out, "  \"hidden_size\": %zu,\n  \"initializer_range\": 0.02,\n", c->dim);
    buf_printf(out, "  \"intermediate_size\": %zu,\n", c->hidden);
    buf_printf(out, "  \"max_position_embeddings\": %zu,\n", c->positions);
    buf_adds(out, "  \"mlp_bias\": false,\n  \"model_type\": \"llama\",\n");
    buf_printf(out, "  \"num_attention_heads\": %zu,\n", c->heads);
    buf_printf(out, "  \"num_hidden_layers\": %zu,\n", c->layers);
    buf_printf(out, "  \"num_key_value_heads\": %zu,\n  \"pretraining_tp\": 1,\n", c->kv_heads);
    print_float(out, "rms_norm_eps", c->rms_eps);
    buf_adds(out, "  \"rope_scaling\": null,\n");
    print_float(out, "rope_theta", c->rope_theta);
    buf_printf(out, "  \"tie_word_embeddings\": %s,\n", c->tied ? "true" : "false");
    buf_adds(out, "  \"torch_dtype\": \"float32\",\n  \"use_cache\": true,\n");
    buf_printf(out, "  \"vocab_size\": %zu\n}\n", c->vocab);
}
