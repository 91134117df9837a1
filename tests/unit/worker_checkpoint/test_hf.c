/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: models in the Hugging Face layout survive a round trip with every option, those of others
 * open, and no damaged folder does harm. Method: random models saved and opened again; headers and
 * configurations edited as text; every truncation and every flipped header bit of a tiny model
 * (under sanitizers this is the crash test). */
#include "tests/unit/worker_checkpoint/files.h"

#include <math.h>

static struct model_conf option(size_t i)
{
    struct model_conf c = tiny;

    switch (i) {
    case 0: /* awkward numbers, and no special tokens */
        c.bos = UINT32_MAX, c.eos_len = 0, c.rms_eps = 1.1e-6f, c.rope_theta = 500000.1f;
        break;
    case 1:
        c.tied = true;
        break;
    case 2:
        c.qkv_bias = c.o_bias = true;
        break;
    case 3:
        c.mlp_bias = true;
        break;
    case 4:
        c.qkv_bias = c.o_bias = c.mlp_bias = c.tied = true;
        break;
    case 5: /* Qwen2 */
        c.qkv_bias = true;
        break;
    case 6:
        c.rope_scaling = (struct rope_scaling){ .kind = ROPE_LINEAR, .factor = 2.5f };
        break;
    case 7:
        c.rope_scaling = (struct rope_scaling){ .kind = ROPE_LLAMA3,
                                                .factor = 32.0f,
                                                .low_freq = 1.0f,
                                                .high_freq = 4.0f,
                                                .original = 8192 };
        break;
    case 8:
        c.rope_scaling = (struct rope_scaling){ .kind = ROPE_TABLE, .table = { 1.0f, 7.3214f } };
        break;
    case 9:
        c.eos_len = 3, c.eos[0] = 4, c.eos[1] = 15, c.eos[2] = 2;
        break;
    default: /* heads that are wider than the model */
        c.head_dim = 256, c.kv_heads = 2;
        break;
    }
    return c;
}
enum { OPTIONS = 11 };

static void model_is_the_same_after_saving_and_opening(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTIONS; i++) {
        struct model_conf c = option(i);
        struct model_weights w, back;
        struct checkpoint *m;
        size_t tensors = 3 + 9 * c.layers;

        random_weights(&w, &c);
        saved(at("round"), &c, &w);
        m = opened(at("round"));
        assert_same_conf(&m->conf, &c);
        assert_string_equal(m->format, "safetensors");
        tensors += c.layers * (3u * c.qkv_bias + c.o_bias + 3u * c.mlp_bias) - c.tied;
        assert_int_equal(m->tensors, tensors);
        assert_int_equal(m->tensor_bytes, 4 * m->parameters);
        assert_int_equal(m->head[0].data == m->embed[0].data, c.tied);
        assert_int_equal(m->bq[0].data != NULL, c.qkv_bias);
        assert_int_equal(m->b2[1].data != NULL, c.mlp_bias);
        back = widened(m);
        assert_int_equal(back.floats_len, w.floats_len);
        assert_memory_equal(back.all, w.all, w.floats_len * sizeof(float));
        checkpoint_close(m);
        model_weights_release(&w);
        model_weights_release(&back);
    }
}

static void saving_twice_gives_the_same_bytes_and_leaves_nothing_else(void **state)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    struct buf first = { 0 }, second = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("one"), &tiny, &w);
    saved(at("two"), &tiny, &w);
    saved(at("two"), &tiny, &w);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64];

        snprintf(path, sizeof(path), "one/%s", names[i]);
        get(at(path), &first);
        assert_int_equal(remove(at(path)), 0);
        snprintf(path, sizeof(path), "two/%s", names[i]);
        get(at(path), &second);
        assert_int_equal(first.len, second.len);
        assert_memory_equal(first.data, second.data, first.len);
    }
    assert_int_equal(rmdir(at("one")), 0); /* nothing else was in it */
    buf_release(&first);
    buf_release(&second);
    model_weights_release(&w);
}

/* Digests of stored results depend on these bytes. */
static void saved_configuration_has_the_bytes_that_it_always_had(void **state)
{
    static const char expected[] =
        "{\n  \"architectures\": [\n    \"LlamaForCausalLM\"\n  ],\n  \"attention_bias\": false,\n"
        "  \"attention_dropout\": 0.0,\n  \"bos_token_id\": 0,\n  \"eos_token_id\": 1,\n"
        "  \"head_dim\": 4,\n  \"hidden_act\": \"silu\",\n  \"hidden_size\": 8,\n"
        "  \"initializer_range\": 0.02,\n  \"intermediate_size\": 6,\n"
        "  \"max_position_embeddings\": 10,\n  \"mlp_bias\": false,\n"
        "  \"model_type\": \"llama\",\n  \"num_attention_heads\": 2,\n"
        "  \"num_hidden_layers\": 2,\n  \"num_key_value_heads\": 1,\n  \"pretraining_tp\": 1,\n"
        "  \"rms_norm_eps\": 1e-05,\n  \"rope_scaling\": null,\n  \"rope_theta\": 10000.0,\n"
        "  \"tie_word_embeddings\": false,\n  \"torch_dtype\": \"float32\",\n"
        "  \"use_cache\": true,\n  \"vocab_size\": 16\n}\n";
    struct model_weights w;
    struct buf file = { 0 };

    (void)state;
    random_weights(&w, &tiny);
    saved(at("bytes"), &tiny, &w);
    get(at("bytes/config.json"), &file);
    assert_string_equal(buf_str(&file), expected);
    buf_release(&file);
    model_weights_release(&w);
}

/* Text, sorted names, tensors back to back from an offset that is a multiple of 8. */
static void saved_header_is_aligned_and_sorted(void **state)
{
    struct model_weights w;
    struct buf file = { 0 };
    char last[96] = "";
    size_t header, n = 0;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("aligned"), &tiny, &w);
    get(at("aligned/model.safetensors"), &file);
    header = (unsigned char)file.data[0] + 256 * (size_t)(unsigned char)file.data[1];
    assert_int_equal(header % 8, 0);
    assert_memory_equal(file.data + 8, "{\"__metadata__\":{\"format\":\"pt\"},", 31);
    for (char *p = file.data + 8 + 31; (p = strstr(p, "\":{\"dtype\":\"F32\"")); n++) {
        char *begin = p, name[96];

        while (begin[-1] != '"')
            begin--;
        snprintf(name, sizeof(name), "%.*s", (int)(p - begin), begin);
        assert_true(strcmp(last, name) < 0);
        memcpy(last, name, sizeof(last));
        p++;
        if (p > file.data + 8 + header)
            break;
    }
    assert_int_equal(n, 3 + 9 * tiny.layers);
    buf_release(&file);
    model_weights_release(&w);
}

/* Row I of a head in rotate-half order is row 2i (or 2i+1) of interleaved pairs. */
static void assert_turned(const float *halves, const float *pairs, size_t heads, size_t e, size_t n)
{
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < e; i++)
            assert_memory_equal(halves + (h * e + i) * n,
                                pairs + (h * e + (i < e / 2 ? 2 * i : 2 * (i - e / 2) + 1)) * n,
                                n * sizeof(float));
}

static void interleaved_model_saves_as_rotate_half(void **state)
{
    struct model_conf c = tiny;
    struct model_weights w, back;
    struct checkpoint *m;

    (void)state;
    c.rope_interleaved = c.qkv_bias = c.o_bias = true;
    c.head_dim = 6;
    random_weights(&w, &c);
    saved(at("turned"), &c, &w);
    m = opened(at("turned"));
    back = widened(m);
    assert_false(m->conf.rope_interleaved);
    for (size_t l = 0; l < c.layers; l++) {
        assert_turned(back.wq[l], w.wq[l], c.heads, c.head_dim, c.dim);
        assert_turned(back.wk[l], w.wk[l], c.kv_heads, c.head_dim, c.dim);
        assert_turned(back.bq[l], w.bq[l], c.heads, c.head_dim, 1);
        assert_turned(back.bk[l], w.bk[l], c.kv_heads, c.head_dim, 1);
        assert_memory_equal(back.wv[l], w.wv[l], c.kv_heads * c.head_dim * c.dim * sizeof(float));
        assert_memory_equal(back.bo[l], w.bo[l], c.dim * sizeof(float));
    }
    checkpoint_close(m);
    model_weights_release(&w);
    model_weights_release(&back);
}

static void model_of_others_in_bf16_opens(void **state)
{
    const char *path = shared("models/arith-seq-llama");
    const uint64_t bytes = 1595672;
    struct checkpoint *m;
    struct model_weights w;

    (void)state;
    m = opened(path);
    assert_int_equal(m->conf.layers, 4);
    assert_int_equal(m->conf.head_dim, 32);
    assert_int_equal(m->conf.hidden, 344);
    assert_int_equal(m->conf.bos, UINT32_MAX);
    assert_int_equal(m->conf.eos_len, 1); /* generation_config.json says the same one */
    assert_int_equal(m->conf.eos[0], 1);
    assert_false(m->conf.tied || m->conf.qkv_bias);
    assert_int_equal(m->tensors, 3 + 9 * 4);
    assert_int_equal(m->wq[3].type, WEIGHT_BF16);
    assert_int_equal(m->tensor_bytes, 2 * m->parameters);
    assert_true(m->tensor_bytes < bytes && m->tensor_bytes > bytes - 8192);
    w = widened(m);
    for (size_t i = 0; i < m->conf.dim; i++) {
        uint16_t narrow;
        uint32_t wide;

        memcpy(&narrow, (const char *)m->w2[2].data + 2 * i, 2);
        memcpy(&wide, &w.w2[2][i], 4);
        assert_int_equal(wide, (uint32_t)narrow << 16);
        assert_true(fabsf(w.norm[0][i] - 1.0f) < 0.5f);
    }
    model_weights_release(&w);
    checkpoint_close(m);
}

#define SCALING(...) "\"rope_scaling\": {" __VA_ARGS__ "}"
#define LLAMA3(FACTOR, LOW, HIGH, ORIGINAL)                                                        \
    SCALING("\"rope_type\": \"llama3\", \"factor\": " FACTOR ", \"low_freq_factor\": " LOW         \
            ", \"high_freq_factor\": " HIGH ", \"original_max_position_embeddings\": " ORIGINAL)

static const struct {
    const char *old, *new;
    const char *text;
} wrong[] = {
    { "LlamaForCausalLM", "GemmaForCausalLM", "'GemmaForCausalLM' is not supported" },
    { "LlamaForCausalLM", "Qwen2ForCausalLM", "q_proj.bias is missing" },
    { "[\n    \"LlamaForCausalLM\"\n  ]", "null, \"model_type2\": 1", "" }, /* fine: model_type */
    { "\"silu\"", "\"gelu\"", "hidden_act 'gelu'" },
    { "\"silu\"", "7", "hidden_act" },
    { "\"attention_bias\": false", "\"attention_bias\": true", "q_proj.bias is missing" },
    { "\"attention_bias\": false", "\"attention_bias\": 1",
      "attention_bias must be true or false" },
    { "\"mlp_bias\": false", "\"mlp_bias\": true", "gate_proj.bias is missing" },
    { "\"use_cache\": true", "\"quantization_config\": {\"bits\": 4}", "quantization_config" },
    { "\"use_cache\": true", "\"use_sliding_window\": true", "use_sliding_window" },
    { "\"use_cache\": true", "\"layer_types\": [\"full_attention\", \"sliding_attention\"]",
      "'sliding_attention'" },
    { "\"use_cache\": true", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor is 0.5" },
    { "\"rope_scaling\": null", SCALING("\"rope_type\": \"yarn\", \"factor\": 4.0"), "'yarn'" },
    { "\"rope_scaling\": null", SCALING("\"type\": \"dynamic\", \"factor\": 4.0"), "'dynamic'" },
    { "\"rope_scaling\": null", SCALING("\"type\": \"mrope\""), "'mrope'" },
    { "\"rope_scaling\": null", SCALING("\"factor\": 2.0"), "'(none)'" },
    { "\"rope_scaling\": null", "\"rope_scaling\": [1]", "rope_scaling must be an object" },
    { "\"rope_scaling\": null", SCALING("\"type\": \"linear\""), "factor is missing" },
    { "\"rope_scaling\": null", SCALING("\"type\": \"linear\", \"factor\": 0"),
      "factor is 0; it must be above 0" },
    { "\"rope_scaling\": null", SCALING("\"type\": \"linear\", \"factor\": \"2\""),
      "factor must be a number" },
    { "\"rope_scaling\": null",
      SCALING("\"rope_type\": \"longrope\", \"short_factor\": [1, 2], \"long_factor\": [1, 3], "
              "\"attention_factor\": 1"),
      "'longrope'" },
    { "\"rope_scaling\": null",
      SCALING("\"rope_type\": \"longrope\", \"short_factor\": [1, 2], \"long_factor\": [1, 2]"),
      "'longrope'" },
    { "\"rope_scaling\": null",
      SCALING("\"rope_type\": \"longrope\", \"short_factor\": [1, 2, 3], \"long_factor\": [1]"),
      "list of 2 numbers" },
    { "\"rope_scaling\": null", LLAMA3("8", "4", "4", "8192"), "must be below high_freq_factor" },
    { "\"rope_scaling\": null", LLAMA3("8", "1", "4", "0"), "original_max_position_embeddings" },
    { "\"rope_scaling\": null", LLAMA3("-8", "1", "4", "8192"), "factor is -8" },
    { "\"rope_scaling\": null", LLAMA3("8", "1", "1e38", "8192"), "high_freq_factor is 1e+38" },
    { "\"rope_scaling\": null", LLAMA3("8", "1", "null", "8192"), "high_freq_factor is missing" },
    { "\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"yarn\"}", "'yarn'" },
    { "\"rope_scaling\": null", "\"rope_parameters\": 5", "rope_parameters must be an object" },
    { "\"rope_scaling\": null",
      SCALING("\"type\": \"linear\", \"factor\": 2") ", \"rope_parameters\": {\"rope_type\": "
                                                     "\"linear\", \"factor\": 3}",
      "disagree" },
    { "\"hidden_size\": 8", "\"hidden_size\": -8", "hidden_size" },
    { "\"hidden_size\": 8", "\"hidden_size\": 100000", "1 to 65536" },
    { "\"hidden_size\": 8", "\"hidden_size\": \"8\"", "whole number" },
    { "\"hidden_size\": 8", "\"hidden_sise\": 8", "hidden_size is missing" },
    { "\"hidden_size\": 8", "\"hidden_size\": 12", "[16, 8], but config.json asks for [16, 12]" },
    { "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", "num_attention_heads" },
    { "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", "no multiple" },
    { "\"head_dim\": 4", "\"head_dim\": 3", "even" },
    { "\"head_dim\": 4", "\"head_dim\": 258", "2 to 256" },
    { "\"head_dim\": 4", "\"head_dim\": 6", "self_attn.q_proj.weight" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "layers.2" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", "has no place" },
    { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999", "1 to 256" },
    { "\"intermediate_size\": 6", "\"intermediate_size\": 9223372036854775807", "1048576" },
    { "\"max_position_embeddings\": 10", "\"max_position_embeddings\": 1048577", "1048576" },
    { "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0", "rms_norm_eps" },
    { "\"rope_theta\": 10000.0", "\"rope_theta\": -1", "rope_theta" },
    { "\"rope_theta\": 10000.0", "\"rope_theta\": 1e300", "rope_theta" },
    { "\"rope_theta\": 10000.0", "\"rope_theta\": 1e999", "config.json" },
    { "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": \"no\"", "true or false" },
    { "\"eos_token_id\": 1", "\"eos_token_id\": 16", "eos_token_id" },
    { "\"eos_token_id\": 1", "\"eos_token_id\": [1.5]", "eos_token_id" },
    { "\"eos_token_id\": 1", "\"eos_token_id\": [1, null]", "eos_token_id" },
    { "\"eos_token_id\": 1", "\"eos_token_id\": [0, 1, 2, 3, 4, 5, 6, 7, 8]", "more than 8 ids" },
    { "\"bos_token_id\": 0", "\"bos_token_id\": [0]", "bos_token_id" },
    { "\"vocab_size\": 16", "\"vocab_size\": 16,", "config.json" },
};

static void wrong_configurations_are_refused_by_field(void **state)
{
    struct buf pristine = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("wrong"), &tiny, &w);
    get(at("wrong/config.json"), &pristine);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        put(at("wrong/config.json"), pristine.data, pristine.len);
        edit(at("wrong/config.json"), wrong[i].old, wrong[i].new);
        if (*wrong[i].text) {
            refused(at("wrong"), ERR_INVALID, wrong[i].text, wrong[i].new);
            refused(at("wrong"), ERR_INVALID, "wrong", wrong[i].new); /* the folder */
        } else {
            checkpoint_close(opened(at("wrong")));
        }
    }
    buf_release(&pristine);
    model_weights_release(&w);
}

static void absent_fields_have_the_defaults_of_the_architecture(void **state)
{
    (void)state;
    for (int qwen2 = 0; qwen2 < 2; qwen2++) {
        struct model_conf c = tiny;
        struct model_weights w;
        struct checkpoint *m;

        c.kv_heads = 2;
        c.qkv_bias = qwen2;
        random_weights(&w, &c);
        saved(at("defaults"), &c, &w);
        edit(at("defaults/config.json"), "\"head_dim\": 4,", "\"head_dim\": null,");
        edit(at("defaults/config.json"), "\"num_key_value_heads\": 2,", "");
        edit(at("defaults/config.json"), "\"rope_theta\": 10000.0,", "");
        edit(at("defaults/config.json"), "\"rope_scaling\": null,", "");
        edit(at("defaults/config.json"), "\"rms_norm_eps\": 1e-05,", "");
        edit(at("defaults/config.json"), "\"max_position_embeddings\": 10,", "");
        edit(at("defaults/config.json"), "\"tie_word_embeddings\": false,", "");
        edit(at("defaults/config.json"), "\"hidden_act\": \"silu\",", "");
        edit(at("defaults/config.json"), "\"architectures\"", "\"arch\"");
        edit(at("defaults/config.json"), "\"eos_token_id\": 1,", "\"eos_token_id\": [3, 1, 3],");
        m = opened(at("defaults"));
        c.positions = qwen2 ? 32768 : 2048;
        c.rms_eps = 1e-6f;
        c.eos[0] = 3, c.eos[1] = 1, c.eos_len = 2;
        assert_same_conf(&m->conf, &c);
        checkpoint_close(m);
        model_weights_release(&w);
    }
}

static void each_way_to_say_rope_scaling_is_read(void **state)
{
    static const struct {
        const char *text;
        float theta;
        struct rope_scaling scaling;
    } ways[] = {
        { "\"rope_parameters\": {\"rope_theta\": 77.0}", 77.0f, { 0 } },
        { "\"rope_parameters\": {\"rope_theta\": 77.0, \"rope_type\": \"default\"}", 77.0f, { 0 } },
        { SCALING("\"type\": \"default\""), 10000.0f, { 0 } },
        { SCALING("\"type\": \"linear\", \"factor\": 3"),
          10000.0f,
          { .kind = ROPE_LINEAR, .factor = 3.0f } },
        { SCALING("\"rope_type\": null, \"type\": \"linear\", \"factor\": 3.5"),
          10000.0f,
          { .kind = ROPE_LINEAR, .factor = 3.5f } },
        { LLAMA3("8.0", "1.0", "4.0", "8192"),
          10000.0f,
          { .kind = ROPE_LLAMA3,
            .factor = 8.0f,
            .low_freq = 1.0f,
            .high_freq = 4.0f,
            .original = 8192 } },
        { "\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 5e5, \"factor\": 32, "
          "\"low_freq_factor\": 1, \"high_freq_factor\": 4, "
          "\"original_max_position_embeddings\": 8192}",
          500000.0f,
          { .kind = ROPE_LLAMA3,
            .factor = 32.0f,
            .low_freq = 1.0f,
            .high_freq = 4.0f,
            .original = 8192 } },
        { SCALING("\"type\": \"linear\", \"factor\": 2") ", \"rope_parameters\": {\"rope_type\": "
                                                         "\"linear\", \"factor\": 2}",
          10000.0f,
          { .kind = ROPE_LINEAR, .factor = 2.0f } },
    };
    struct buf pristine = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("ways"), &tiny, &w);
    get(at("ways/config.json"), &pristine);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct model_conf c = tiny;
        struct checkpoint *m;

        put(at("ways/config.json"), pristine.data, pristine.len);
        edit(at("ways/config.json"), "\"rope_scaling\": null", ways[i].text);
        m = opened(at("ways"));
        c.rope_theta = ways[i].theta;
        c.rope_scaling = ways[i].scaling;
        assert_same_conf(&m->conf, &c);
        checkpoint_close(m);
    }
    buf_release(&pristine);
    model_weights_release(&w);
}

static void generation_config_adds_the_ids_that_end_a_text(void **state)
{
    static const struct {
        const char *text;
        uint32_t eos[3];
        size_t len;
        const char *error; /* NULL: fine */
    } cases[] = {
        { "{\"eos_token_id\": [9, 1, 4]}", { 1, 9, 4 }, 3, NULL },
        { "{\"eos_token_id\": 7}", { 1, 7 }, 2, NULL },
        { "{\"eos_token_id\": null}", { 1 }, 1, NULL },
        { "{}", { 1 }, 1, NULL },
        { "{\"eos_token_id\": 16}", { 0 }, 0, "generation_config.json: eos_token_id is 16" },
        { "{\"eos_token_id\": \"x\"}", { 0 }, 0, "generation_config.json: eos_token_id" },
        { "[]", { 0 }, 0, "generation_config.json: must be" },
        { "{", { 0 }, 0, "generation_config.json" },
    };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("generation"), &tiny, &w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct checkpoint *m;

        put(at("generation/generation_config.json"), cases[i].text, strlen(cases[i].text));
        if (cases[i].error) {
            refused(at("generation"), ERR_INVALID, cases[i].error, cases[i].text);
            continue;
        }
        m = opened(at("generation"));
        assert_int_equal(m->conf.eos_len, cases[i].len);
        assert_memory_equal(m->conf.eos, cases[i].eos, cases[i].len * sizeof(uint32_t));
        checkpoint_close(m);
    }
    model_weights_release(&w);
}

static void models_that_cannot_be_said_in_a_file_are_not_saved(void **state)
{
    struct model_conf c = tiny;
    struct model_weights w;
    struct err err = { 0 };

    (void)state;
    c.o_bias = true;
    random_weights(&w, &c);
    mkdir(at("unsaid"), 0777);
    expect_error(checkpoint_save(at("unsaid"), &c, &w, &err), &err, ERR_INVALID, "biases",
                 "o only");
    model_weights_release(&w);
    assert_int_equal(rmdir(at("unsaid")), 0);
}

static void saving_where_nothing_can_be_written_is_an_error(void **state)
{
    struct model_weights w;
    struct err err = { 0 };

    (void)state;
    random_weights(&w, &tiny);
    put(at("a_file"), "x", 1);
    assert_true(checkpoint_save(at("a_file"), &tiny, &w, &err) < 0);
    assert_non_null(strstr(err.text, "a_file"));
    assert_int_equal(checkpoint_save(at("no/such"), &tiny, &w, &err), ERR_NOT_FOUND);
    mkdir(at("taken"), 0777);
    mkdir(at("taken/model.safetensors"), 0777);
    assert_true(checkpoint_save(at("taken"), &tiny, &w, &err) < 0);
    assert_int_equal(access(at("taken/model.safetensors.tmp"), F_OK), -1);
    model_weights_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_is_the_same_after_saving_and_opening),
        cmocka_unit_test(saving_twice_gives_the_same_bytes_and_leaves_nothing_else),
        cmocka_unit_test(saved_configuration_has_the_bytes_that_it_always_had),
        cmocka_unit_test(saved_header_is_aligned_and_sorted),
        cmocka_unit_test(interleaved_model_saves_as_rotate_half),
        cmocka_unit_test(model_of_others_in_bf16_opens),
        cmocka_unit_test(wrong_configurations_are_refused_by_field),
        cmocka_unit_test(absent_fields_have_the_defaults_of_the_architecture),
        cmocka_unit_test(each_way_to_say_rope_scaling_is_read),
        cmocka_unit_test(generation_config_adds_the_ids_that_end_a_text),
        cmocka_unit_test(models_that_cannot_be_said_in_a_file_are_not_saved),
        cmocka_unit_test(saving_where_nothing_can_be_written_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
