/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config.c - config.json of LlamaForCausalLM and Qwen2ForCausalLM, and what
 * generation_config.json adds. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "worker/checkpoint/hf_fields.h"
#include "worker/checkpoint/views.h"

enum { CONFIG_MAX = 1 << 20 }; /* real ones have a few KB */

/* What the architectures differ in, where a field is absent. */
struct architecture {
    const char *name, *type;
    bool qkv_bias;
    size_t positions;
};
static const struct architecture architectures[] = {
    { "LlamaForCausalLM", "llama", false, 2048 },
    { "Qwen2ForCausalLM", "qwen2", true, 32768 },
};

static int find_architecture(const struct fields *f, const struct architecture **ret)
{
    const char *name = json_text(json_at(json_get(f->root, "architectures"), 0));
    const char *type = json_text(json_get(f->root, "model_type"));
    const char *said = name ? name : type;

    for (size_t i = 0; said && i < ARRAY_LEN(architectures); i++)
        if (!strcmp(said, name ? architectures[i].name : architectures[i].type)) {
            *ret = &architectures[i];
            return 0;
        }
    return err_set(f->err, ERR_INVALID,
                   "%s: architecture '%.64s' is not supported; this version reads "
                   "LlamaForCausalLM and Qwen2ForCausalLM",
                   f->path, said ? said : "(none)");
}

/* Windows of attention, in each of the ways that Qwen2's files tell them. */
static int check_windows(const struct fields *f)
{
    const struct json *types = json_get(f->root, "layer_types");
    bool window = false;
    int rc = fields_bool(f, "use_sliding_window", false, &window);

    if (!rc && window)
        rc = err_set(f->err, ERR_INVALID,
                     "%s: use_sliding_window is true; this version has full attention only",
                     f->path);
    for (size_t i = 0; json_is_array(types) && i < json_len(types) && !rc; i++) {
        const char *type = json_text(json_at(types, i));

        if (!type || strcmp(type, "full_attention") != 0)
            rc = err_set(f->err, ERR_INVALID,
                         "%s: layer_types: '%.32s' is not supported, only full_attention", f->path,
                         type ? type : "(no text)");
    }
    return rc;
}

static int check_others(const struct fields *f)
{
    const struct json *act = json_get(f->root, "hidden_act");
    const struct json *quantised = json_get(f->root, "quantization_config");

    if (act && !json_is_null(act) && (!json_text(act) || strcmp(json_text(act), "silu") != 0))
        return err_set(f->err, ERR_INVALID, "%s: hidden_act '%.32s' is not supported, only silu",
                       f->path, json_text(act) ? json_text(act) : "(no text)");
    if (quantised && !json_is_null(quantised))
        return err_set(f->err, ERR_INVALID,
                       "%s: quantization_config: quantised weights are not supported; take the "
                       "model's F32, F16 or BF16 files",
                       f->path);
    return check_windows(f);
}

static int read_biases(const struct fields *f, const struct architecture *a, struct model_conf *c)
{
    int rc;

    c->qkv_bias = a->qkv_bias;
    if (a->qkv_bias)
        return 0;
    rc = fields_bool(f, "attention_bias", false, &c->qkv_bias);
    c->o_bias = c->qkv_bias;
    return rc ? rc : fields_bool(f, "mlp_bias", false, &c->mlp_bias);
}

static int read_sizes(const struct fields *f, const struct architecture *a, struct model_conf *c)
{
    int rc = fields_size(f, "num_hidden_layers", SIZE_MAX, &c->layers);

    if (!rc)
        rc = fields_size(f, "hidden_size", SIZE_MAX, &c->dim);
    if (!rc)
        rc = fields_size(f, "num_attention_heads", SIZE_MAX, &c->heads);
    if (!rc)
        rc = fields_size(f, "num_key_value_heads", c->heads, &c->kv_heads);
    if (!rc)
        rc = fields_size(f, "head_dim", c->heads ? c->dim / c->heads : 0, &c->head_dim);
    if (!rc)
        rc = fields_size(f, "intermediate_size", SIZE_MAX, &c->hidden);
    if (!rc)
        rc = fields_size(f, "vocab_size", SIZE_MAX, &c->vocab);
    if (!rc)
        rc = fields_size(f, "max_position_embeddings", a->positions, &c->positions);
    return rc ? rc : fields_float(f, "rms_norm_eps", 1e-6, &c->rms_eps);
}

static int read_fields(const struct fields *f, struct model_conf *c)
{
    const struct architecture *a = NULL;
    int rc = find_architecture(f, &a);

    if (!rc)
        rc = check_others(f);
    if (!rc)
        rc = read_sizes(f, a, c);
    if (!rc)
        rc = read_biases(f, a, c);
    if (!rc)
        rc = hf_rope_read(f, c);
    if (!rc)
        rc = fields_token(f, "bos_token_id", &c->bos);
    if (!rc)
        rc = fields_eos(f, c);
    return rc ? rc : fields_bool(f, "tie_word_embeddings", false, &c->tied);
}

static int read_object(const char *path, struct json **ret, struct err *err)
{
    int rc = json_parse_file(path, CONFIG_MAX, ret, err);

    if (!rc && !json_is_object(*ret))
        rc = err_set(err, ERR_INVALID, "%s: must be a JSON object", path);
    return rc;
}

/* generation_config.json beside PATH may know more ids that end a text. */
static int read_generation(const char *path, struct model_conf *c, struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    CLEANUP(buf_release) struct buf own = { 0 };
    const char *slash = strrchr(path, '/');
    struct fields f;
    int rc;

    buf_add(&own, path, slash ? (size_t)(slash - path) + 1 : 0);
    buf_adds(&own, "generation_config.json");
    if (access(buf_str(&own), F_OK))
        return 0;
    rc = read_object(buf_str(&own), &root, err);
    if (rc)
        return rc;
    f = (struct fields){ buf_str(&own), root, err };
    rc = fields_eos(&f, c);
    for (size_t i = 0; i < c->eos_len && !rc; i++)
        if (c->eos[i] >= c->vocab)
            rc = err_set(err, ERR_INVALID,
                         "%s: eos_token_id is %" PRIu32 ", but the vocabulary has only %zu tokens",
                         buf_str(&own), c->eos[i], c->vocab);
    return rc;
}

int hf_config_read(const char *path, struct model_conf *c, struct err *err)
{
    CLEANUP(json_cleanup) struct json *root = NULL;
    int rc = read_object(path, &root, err);

    if (rc)
        return rc;
    memset(c, 0, sizeof(*c));
    rc = read_fields(&(struct fields){ path, root, err }, c);
    if (rc)
        return rc;
    rc = model_conf_check(c, err);
    return rc ? err_wrap(err, rc, "%s", path) : read_generation(path, c, err);
}
