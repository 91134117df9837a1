/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: models in the Hugging Face layout survive a round trip, those of others load, and no
 * damaged folder does harm. Method: random models saved and opened again; shards and narrow types
 * written here; tables of wrong configurations and headers; every truncation and every flipped
 * header bit of a tiny model (under sanitizers this is the crash test). */
#include "tests/unit/worker_model/files.h"

#include <math.h>

#include "tests/support/twin.h"
#include "worker/model/formats.h"
#include "worker/model/safetensors.h"
#include "worker/model/tokenizer.h"

static void assert_same_conf(const struct model_conf *a, const struct model_conf *b)
{
    assert_int_equal(a->layers, b->layers);
    assert_int_equal(a->dim, b->dim);
    assert_int_equal(a->heads, b->heads);
    assert_int_equal(a->kv_heads, b->kv_heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->vocab, b->vocab);
    assert_int_equal(a->positions, b->positions);
    assert_int_equal(a->tied, b->tied);
    assert_int_equal(a->bos, b->bos);
    assert_int_equal(a->eos, b->eos);
    assert_memory_equal(&a->rms_eps, &b->rms_eps, sizeof(float));
    assert_memory_equal(&a->rope_theta, &b->rope_theta, sizeof(float));
}

static struct model *opened(const char *path)
{
    struct model *m = NULL;
    struct err err = { 0 };

    if (model_open(&m, path, NULL, NULL, &err))
        fail_msg("%s", err.text);
    return m;
}

static void saved(const char *dir, const struct model_conf *c, const struct model_weights *w,
                  const struct tokenizer *tok)
{
    struct err err = { 0 };

    if (model_save(dir, c, w, tok, &err))
        fail_msg("%s", err.text);
}

static void model_is_the_same_after_saving_and_opening(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct model_conf c = shapes[i].conf;
        struct model_weights w;
        struct model *m;

        if (c.rope_interleaved)
            continue;
        if (i == 0) /* awkward numbers, and no special tokens */
            c.bos = c.eos = UINT32_MAX, c.rms_eps = 1.1e-6f, c.rope_theta = 500000.1f;
        random_weights(&w, &c);
        saved(at("round"), &c, &w, NULL);
        m = opened(at("round"));
        assert_same_conf(&m->conf, &c);
        assert_null(m->tok);
        assert_memory_equal(m->w.all, w.all, w.floats_len * sizeof(float));
        model_free(m);
        model_weights_release(&w);
    }
}

static void saving_twice_gives_the_same_bytes_and_the_tokenizer_opens_with_them(void **state)
{
    static const char *const names[] = { "config.json", "model.safetensors", "tokenizer.json",
                                         "tokenizer_config.json" };
    struct buf first = { 0 }, second = { 0 };
    struct model_weights w;
    struct tokenizer *tok;
    struct model *m;

    (void)state;
    random_weights(&w, &tiny);
    assert_int_equal(tokenizer_from_alphabet(&tok, "0123+-=", NULL), 0);
    saved(at("one"), &tiny, &w, tok);
    saved(at("two"), &tiny, &w, tok);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64];

        snprintf(path, sizeof(path), "one/%s", names[i]);
        get(at(path), &first);
        snprintf(path, sizeof(path), "two/%s", names[i]);
        get(at(path), &second);
        assert_int_equal(first.len, second.len);
        assert_memory_equal(first.data, second.data, first.len);
    }
    m = opened(at("one"));
    assert_non_null(m->tok);
    assert_int_equal(tokenizer_vocab(m->tok), tokenizer_vocab(tok));
    model_free(m);
    buf_release(&first);
    buf_release(&second);
    tokenizer_free(tok);
    model_weights_release(&w);
}

static void saved_header_is_aligned_and_sorted(void **state)
{
    struct safetensors *s;
    struct model_weights w;
    struct buf file = { 0 };

    (void)state;
    random_weights(&w, &tiny);
    saved(at("aligned"), &tiny, &w, NULL);
    get(at("aligned/model.safetensors"), &file);
    assert_int_equal(file.data[0] % 8, 0); /* the header's length: its lowest byte is enough */
    assert_non_null(strstr(file.data + 8, "{\"__metadata__\":{\"format\":\"pt\"}"));
    assert_int_equal(safetensors_open(&s, at("aligned/model.safetensors"), NULL), 0);
    assert_int_equal(safetensors_len(s), 3 + 9 * tiny.layers);
    for (size_t i = 1, end = 0; i < safetensors_len(s); i++) {
        assert_true(strcmp(safetensors_at(s, i - 1)->name, safetensors_at(s, i)->name) < 0);
        assert_true(safetensors_at(s, i)->begin > end);
        end = safetensors_at(s, i)->begin;
    }
    safetensors_close(s);
    buf_release(&file);
    model_weights_release(&w);
}

/* Saving changes the rotary layout of llama2.c models; the model stays the same up to rounding. */
static void interleaved_model_saves_as_rotate_half(void **state)
{
    enum { ROWS = 6 };
    const struct model_conf *c = &shapes[1].conf;
    const uint8_t ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const uint32_t tokens[ROWS] = { 1, 5, 99, 400, 7, 1 };
    double *a = mem_calloc(ROWS * c->vocab, sizeof(*a)),
           *b = mem_calloc(ROWS * c->vocab, sizeof(*b));
    struct model_weights w;
    struct model *m;

    (void)state;
    assert_true(c->rope_interleaved);
    random_weights(&w, c);
    saved(at("turned"), c, &w, NULL);
    m = opened(at("turned"));
    assert_false(m->conf.rope_interleaved);
    twin_logits(a, c, &w, tokens, ROWS, ones);
    twin_logits(b, &m->conf, &m->w, tokens, ROWS, ones);
    for (size_t i = 0; i < ROWS * c->vocab; i++)
        assert_true(fabs(a[i] - b[i]) < 1e-9 * (1.0 + fabs(a[i])));
    free(a);
    free(b);
    model_free(m);
    model_weights_release(&w);
}

struct sharding {
    const struct model_weights *w;
    struct safetensor_source item[2][32];
    char name[64][96];
    size_t len[2], all;
    struct buf index;
};

static int assign(const struct model_tensor *t, void *arg)
{
    struct sharding *s = arg;
    size_t shard = s->all % 2;

    memcpy(s->name[s->all], t->name, sizeof(t->name));
    s->item[shard][s->len[shard]++] = (struct safetensor_source){
        .name = s->name[s->all],
        .data = s->w->all + t->offset,
        .dims = t->vector ? 1 : 2,
        .shape = { t->vector ? t->cols : t->rows, t->cols },
    };
    buf_printf(&s->index, "%s\"%s\":\"part-%zu.safetensors\"", s->all ? "," : "", t->name, shard);
    s->all++;
    return 0;
}

static void write_shards(const char *dir, const struct model_weights *w)
{
    struct sharding s = { .w = w };
    struct buf config = { 0 };
    char path[512];

    mkdir(dir, 0777);
    buf_adds(&s.index, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
    assert_int_equal(model_each_tensor(&tiny, assign, &s), 0);
    buf_adds(&s.index, "}}");
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/part-%zu.safetensors", dir, i);
        assert_int_equal(safetensors_write(path, s.item[i], s.len[i], NULL), 0);
    }
    snprintf(path, sizeof(path), "%s/model.safetensors.index.json", dir);
    put(path, s.index.data, s.index.len);
    hf_config_print(&tiny, &config);
    snprintf(path, sizeof(path), "%s/config.json", dir);
    put(path, config.data, config.len);
    buf_release(&s.index);
    buf_release(&config);
}

static void sharded_model_loads_and_a_missing_or_strange_shard_is_named(void **state)
{
    struct buf index = { 0 };
    struct model_weights w;
    struct err err = { 0 };
    struct model *m;
    char *slash;

    (void)state;
    random_weights(&w, &tiny);
    write_shards(at("shards"), &w);
    m = opened(at("shards"));
    assert_memory_equal(m->w.all, w.all, w.floats_len * sizeof(float));
    model_free(m);
    get(at("shards/model.safetensors.index.json"), &index);
    assert_int_equal(remove(at("shards/part-1.safetensors")), 0);
    expect_error(model_open(&m, at("shards"), NULL, NULL, &err), &err, ERR_NOT_FOUND,
                 "part-1.safetensors", "missing shard");
    slash = strstr(index.data, "part-0");
    memcpy(slash, "../../", 6);
    put(at("shards/model.safetensors.index.json"), index.data, index.len);
    expect_error(model_open(&m, at("shards"), NULL, NULL, &err), &err, ERR_CORRUPT,
                 "file of the folder", "a shard outside the folder");
    buf_release(&index);
    model_weights_release(&w);
}

/* A file with one 16-bit tensor "x" of all 65536 values. */
static void write_all_16_bit(const char *path, const char *dtype)
{
    struct buf file = { 0 };
    char header[128];
    int n =
        snprintf(header, sizeof(header),
                 "{\"x\":{\"dtype\":\"%s\",\"shape\":[65536],\"data_offsets\":[0,131072]}}", dtype);
    const char length[8] = { (char)n };

    buf_add(&file, length, 8);
    buf_add(&file, header, (size_t)n);
    for (unsigned v = 0; v < 65536; v++) {
        buf_addc(&file, (char)(v & 255));
        buf_addc(&file, (char)(v >> 8));
    }
    put(path, file.data, file.len);
    buf_release(&file);
}

static double half_value(unsigned v)
{
    int exponent = v >> 10 & 31;
    double fraction = v & 1023, sign = v & 0x8000 ? -1.0 : 1.0;

    if (exponent == 31)
        return fraction > 0.0 ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024.0 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static void narrow_types_are_widened_exactly(void **state)
{
    float *x = mem_aligned(65536, sizeof(float));

    (void)state;
    for (int half = 0; half < 2; half++) {
        struct safetensors *s;
        const struct safetensor *t;

        write_all_16_bit(at("narrow"), half ? "F16" : "BF16");
        assert_int_equal(safetensors_open(&s, at("narrow"), NULL), 0);
        t = safetensors_find(s, "x");
        assert_int_equal(safetensors_check(s, t, 1, 65536, 1, NULL), 0);
        assert_int_equal(safetensors_read(s, t, x, NULL), 0);
        for (unsigned v = 0; v < 65536; v++) {
            uint32_t bits;

            memcpy(&bits, &x[v], sizeof(bits));
            if (!half)
                assert_int_equal(bits, v << 16);
            else if (isnan(half_value(v)))
                assert_true(isnan(x[v]));
            else
                assert_true((double)x[v] == half_value(v) && !signbit(x[v]) == !(v >> 15));
        }
        safetensors_close(s);
    }
    free(x);
}

static void model_of_others_in_bf16_loads(void **state)
{
    const char *shared = getenv("DROVER_SHARED");
    const uint8_t ones[4] = { 1, 1, 1, 1 };
    const uint32_t tokens[3] = { 4, 2, 9 };
    float logits[3 * 16];
    double want[3 * 16];
    struct sweep_seq q = { .tokens = tokens, .rows = 3, .routing = ones, .logits = logits };
    struct model *m;
    struct sweep *s;
    char path[4096];

    (void)state;
    snprintf(path, sizeof(path), "%s/data/models/arith-seq-llama",
             shared && *shared ? shared : "../shared");
    if (access(path, R_OK)) {
        print_message("SKIP-DATA arith-seq-llama\n");
        skip();
    }
    m = opened(path);
    assert_int_equal(m->conf.layers, 4);
    assert_int_equal(m->conf.head_dim, 32);
    assert_int_equal(m->conf.hidden, 344);
    assert_int_equal(m->conf.bos, UINT32_MAX);
    assert_int_equal(m->conf.eos, 1);
    assert_false(m->conf.tied);
    s = sweep_new(m, NULL);
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    twin_logits(want, &m->conf, &m->w, tokens, 3, ones);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(fabs((double)logits[i] - want[i]) < 1e-5);
    sweep_free(s);
    model_free(m);
}

/* Replace OLD by NEW in the file at PATH. */
static void edit(const char *path, const char *old, const char *new)
{
    struct buf file = { 0 }, out = { 0 };
    const char *hit;

    get(path, &file);
    hit = memmem(file.data, file.len, old, strlen(old));
    if (!hit)
        fail_msg("%s: no '%s' to replace", path, old);
    buf_add(&out, file.data, (size_t)(hit - file.data));
    buf_adds(&out, new);
    buf_add(&out, hit + strlen(old), file.len - (size_t)(hit - file.data) - strlen(old));
    put(path, out.data, out.len);
    buf_release(&file);
    buf_release(&out);
}

static void wrong_configurations_are_refused_by_field(void **state)
{
    static const struct {
        const char *old, *new;
        int code;
        const char *text;
    } cases[] = {
        { "LlamaForCausalLM", "Qwen2ForCausalLM", ERR_INVALID,
          "'Qwen2ForCausalLM' is not supported" },
        { "\"silu\"", "\"gelu\"", ERR_INVALID, "hidden_act" },
        { "\"attention_bias\": false", "\"attention_bias\": true", ERR_INVALID, "attention_bias" },
        { "\"mlp_bias\": false", "\"mlp_bias\": true", ERR_INVALID, "mlp_bias" },
        { "\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", ERR_INVALID,
          "'llama3'" },
        { "\"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"yarn\"}", ERR_INVALID,
          "'yarn'" },
        { "\"hidden_size\": 8", "\"hidden_size\": -8", ERR_INVALID, "hidden_size" },
        { "\"hidden_size\": 8", "\"hidden_size\": 100000", ERR_INVALID, "1 to 65536" },
        { "\"hidden_size\": 8", "\"hidden_size\": \"8\"", ERR_INVALID, "whole number" },
        { "\"hidden_size\": 8", "\"hidden_sise\": 8", ERR_INVALID, "hidden_size is missing" },
        { "\"hidden_size\": 8", "\"hidden_size\": 12", ERR_INVALID,
          "[16, 8], but config.json asks for [16, 12]" },
        { "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", ERR_INVALID,
          "num_attention_heads" },
        { "\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", ERR_INVALID, "no multiple" },
        { "\"head_dim\": 4", "\"head_dim\": 3", ERR_INVALID, "even" },
        { "\"head_dim\": 4", "\"head_dim\": 6", ERR_INVALID, "self_attn.q_proj.weight" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", ERR_INVALID, "layers.2" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", ERR_INVALID, "has no place" },
        { "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 99999", ERR_INVALID, "1 to 256" },
        { "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0", ERR_INVALID, "rms_norm_eps" },
        { "\"rope_theta\": 10000.0", "\"rope_theta\": -1", ERR_INVALID, "rope_theta" },
        { "\"eos_token_id\": 1", "\"eos_token_id\": 16", ERR_INVALID, "eos_token_id" },
        { "\"eos_token_id\": 1", "\"eos_token_id\": [1.5]", ERR_INVALID, "eos_token_id" },
        { "\"vocab_size\": 16", "\"vocab_size\": 16,", ERR_INVALID, "config.json" },
    };
    struct buf pristine = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("wrong"), &tiny, &w, NULL);
    get(at("wrong/config.json"), &pristine);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };
        struct model *m;

        put(at("wrong/config.json"), pristine.data, pristine.len);
        edit(at("wrong/config.json"), cases[i].old, cases[i].new);
        expect_error(model_open(&m, at("wrong"), NULL, NULL, &err), &err, cases[i].code,
                     cases[i].text, cases[i].new);
        assert_non_null(strstr(err.text, "wrong"));
    }
    buf_release(&pristine);
    model_weights_release(&w);
}

static void absent_fields_have_the_defaults_of_the_format(void **state)
{
    struct model_conf c = tiny;
    struct model_weights w;
    struct model *m;

    (void)state;
    c.kv_heads = 2;
    random_weights(&w, &c);
    saved(at("defaults"), &c, &w, NULL);
    edit(at("defaults/config.json"), "\"head_dim\": 4,", "");
    edit(at("defaults/config.json"), "\"num_key_value_heads\": 2,", "");
    edit(at("defaults/config.json"), "\"rope_theta\": 10000.0,",
         "\"rope_parameters\": {\"rope_theta\": 77.0},");
    edit(at("defaults/config.json"), "\"rms_norm_eps\": 1e-05,", "");
    edit(at("defaults/config.json"), "\"eos_token_id\": 1,", "\"eos_token_id\": [3, 1],");
    m = opened(at("defaults"));
    assert_int_equal(m->conf.head_dim, 4);
    assert_int_equal(m->conf.kv_heads, 2);
    assert_true(m->conf.rope_theta == 77.0f);
    assert_true(m->conf.rms_eps == 1e-6f);
    assert_int_equal(m->conf.eos, 3);
    model_free(m);
    model_weights_release(&w);
}

static void damaged_headers_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *old, *new; /* of the same length, so that the header's length stays true */
        const char *text;
    } cases[] = {
        { "\"dtype\":\"F32\"", "\"dtype\":\"F31\"", "unknown dtype" },
        { "\"dtype\":\"F32\"", "\"dtipe\":\"F32\"", "unknown dtype" },
        { "\"shape\":[16,8]", "\"shape\":[16,9]", "need 576 bytes, data_offsets give 512" },
        { "\"shape\":[16,8]", "\"shape\":\"16,8", "line 1" },
        { "\"shape\":[16,8]", "\"shape\":[-1,8]", "bad dimension" },
        { "\"data_offsets\":[512,", "\"data_offsets\":[516,", "data_offsets" },
        { "\"data_offsets\":[0,512]", "\"data_offsets\":[5,512]", "data_offsets" },
        { "\"data_offsets\":[0,512]", "\"data_offsets\":[9,521]", "hole or overlap" },
        { "{\"__metadata__\"", " \"__metadata__\"", "'{'" },
    };
    struct buf pristine = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("damaged"), &tiny, &w, NULL);
    get(at("damaged/model.safetensors"), &pristine);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };
        struct model *m;

        put(at("damaged/model.safetensors"), pristine.data, pristine.len);
        edit(at("damaged/model.safetensors"), cases[i].old, cases[i].new);
        expect_error(model_open(&m, at("damaged"), NULL, NULL, &err), &err, ERR_CORRUPT,
                     cases[i].text, cases[i].new);
        assert_non_null(strstr(err.text, "model.safetensors"));
    }
    buf_release(&pristine);
    model_weights_release(&w);
}

static void every_truncation_and_every_excess_is_refused(void **state)
{
    struct buf file = { 0 };
    struct model_weights w;
    struct err err = { 0 };
    struct model *m;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("cut"), &tiny, &w, NULL);
    get(at("cut/model.safetensors"), &file);
    for (size_t len = 0; len < file.len; len += len < 3000 ? 7 : 61) {
        put(at("cut/model.safetensors"), file.data, len);
        expect_error(model_open(&m, at("cut"), NULL, NULL, &err), &err, ERR_CORRUPT,
                     "model.safetensors", "truncated");
    }
    buf_addc(&file, 'x');
    put(at("cut/model.safetensors"), file.data, file.len);
    expect_error(model_open(&m, at("cut"), NULL, NULL, &err), &err, ERR_CORRUPT, "1 bytes more",
                 "too long");
    buf_release(&file);
    model_weights_release(&w);
}

static void flipped_bits_of_the_header_never_crash(void **state)
{
    struct buf file = { 0 };
    struct model_weights w;
    size_t opened_all_the_same = 0, header;

    (void)state;
    random_weights(&w, &tiny);
    saved(at("flip"), &tiny, &w, NULL);
    get(at("flip/model.safetensors"), &file);
    header = 8 + (unsigned char)file.data[0] + 256 * (size_t)(unsigned char)file.data[1];
    for (size_t bit = 0; bit < 8 * header; bit += bit < 64 ? 1 : 5) {
        struct err err = { 0 };
        struct model *m;

        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        put(at("flip/model.safetensors"), file.data, file.len);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        if (!model_open(&m, at("flip"), NULL, NULL, &err)) {
            opened_all_the_same++; /* a flip inside "pt" or "format" */
            model_free(m);
            continue;
        }
        assert_true(strlen(err.text) > 20);
    }
    assert_true(opened_all_the_same < header / 20);
    buf_release(&file);
    model_weights_release(&w);
}

static void saving_where_nothing_can_be_written_is_an_error(void **state)
{
    struct model_weights w;
    struct err err = { 0 };

    (void)state;
    random_weights(&w, &tiny);
    put(at("a_file"), "x", 1);
    assert_true(model_save(at("a_file"), &tiny, &w, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "a_file"));
    assert_true(model_save(at("no/such"), &tiny, &w, NULL, &err) < 0);
    model_weights_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_is_the_same_after_saving_and_opening),
        cmocka_unit_test(saving_twice_gives_the_same_bytes_and_the_tokenizer_opens_with_them),
        cmocka_unit_test(saved_header_is_aligned_and_sorted),
        cmocka_unit_test(interleaved_model_saves_as_rotate_half),
        cmocka_unit_test(sharded_model_loads_and_a_missing_or_strange_shard_is_named),
        cmocka_unit_test(narrow_types_are_widened_exactly),
        cmocka_unit_test(model_of_others_in_bf16_loads),
        cmocka_unit_test(wrong_configurations_are_refused_by_field),
        cmocka_unit_test(absent_fields_have_the_defaults_of_the_format),
        cmocka_unit_test(damaged_headers_are_refused_with_the_reason),
        cmocka_unit_test(every_truncation_and_every_excess_is_refused),
        cmocka_unit_test(flipped_bits_of_the_header_never_crash),
        cmocka_unit_test(saving_where_nothing_can_be_written_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
