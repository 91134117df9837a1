/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one model is the same model in every format, and what a path means is found. Method: the
 * test tool's writers, which share no code with the readers, write one seed in each format; values
 * are compared with the generator's. */
#include "tests/unit/worker_checkpoint/files.h"

#include <math.h>

#include "tests/tools/maker.h"

static const struct model_conf shape = {
    .layers = 3,
    .dim = 24,
    .heads = 4,
    .kv_heads = 2,
    .head_dim = 6,
    .hidden = 20,
    .vocab = 33,
    .positions = 40,
    .rms_eps = 1e-5f,
    .rope_theta = 10000.0f,
    .bos = 1,
    .eos = { 2 },
    .eos_len = 1,
};

static struct model_conf variant(size_t i)
{
    struct model_conf c = shape;

    if (i == 1)
        c.tied = true;
    if (i == 2) {
        c.qkv_bias = c.o_bias = c.mlp_bias = true;
        c.head_dim = 10;
        c.eos_len = 2, c.eos[1] = 30, c.bos = UINT32_MAX;
    }
    if (i == 3) { /* Qwen2 */
        c.qkv_bias = c.tied = true;
        c.rope_theta = 1e6f, c.rms_eps = 1e-6f;
    }
    if (i == 4)
        c.rope_scaling = (struct rope_scaling){ .kind = ROPE_LINEAR, .factor = 4.0f };
    if (i == 5) {
        c.head_dim = 64;
        c.rope_scaling = (struct rope_scaling){ .kind = ROPE_LLAMA3,
                                                .factor = 32.0f,
                                                .low_freq = 1.0f,
                                                .high_freq = 4.0f,
                                                .original = 8192 };
    }
    return c;
}
enum { VARIANTS = 6 };

static struct checkpoint *made(const struct maker *m, const char *name)
{
    struct err err = { 0 };

    if (maker_write(m, at(name), &err))
        fail_msg("%s", err.text);
    return opened(at(name));
}

struct comparison {
    const struct maker *m;
    const struct model_conf *c;
    const struct model_weights *w;
};

/* Rows of q and k of an interleaved model: new[2i] = old[i], new[2i + 1] = old[i + e/2]. */
static size_t place(const struct comparison *k, const struct model_tensor *t, size_t row)
{
    size_t e = k->c->head_dim, in = row % e;

    if (!k->c->rope_interleaved || (!strstr(t->name, "q_proj") && !strstr(t->name, "k_proj")))
        return row;
    return row - in + (in < e / 2 ? 2 * in : 2 * (in - e / 2) + 1);
}

static int compare_tensor(const struct model_tensor *t, void *arg)
{
    struct comparison *k = arg;
    const float *w = k->w->all + t->offset;
    float row[1024];

    assert_true(t->cols <= ARRAY_LEN(row));
    for (size_t i = 0; i < t->rows; i++) {
        maker_row(row, k->m, t->name, i, t->cols);
        for (size_t j = 0; j < t->cols; j++) {
            float got = t->vector ? w[place(k, t, j)] : w[place(k, t, i) * t->cols + j];

            assert_memory_equal(&got, &row[j], sizeof(float));
        }
    }
    return 0;
}

static bool llama2c_can(const struct maker *m)
{
    const struct model_conf *c = &m->conf;

    return c->heads * c->head_dim == c->dim && !c->qkv_bias && !c->rope_scaling.kind;
}

static void every_format_of_one_seed_has_the_same_weights(void **state)
{
    static const char *const names[] = { "hf", "sharded", "a.gguf", "v0.bin", "v1.bin" };
    size_t compared = 0;

    (void)state;
    for (size_t i = 0; i < VARIANTS * 3 * 5; i++) {
        struct maker m = { .format = (enum maker_format)(i % 5),
                           .dtype = (enum weight_type)(i / 5 % 3),
                           .conf = variant(i / 15),
                           .seed = 42 + i / 15 };
        bool llama2c = m.format >= MAKER_LLAMA2C_V0;
        struct model_weights w;
        struct checkpoint *c;

        if (llama2c && !llama2c_can(&m))
            continue;
        c = made(&m, names[i % 5]);
        w = widened(c);
        assert_int_equal(c->wq[1].type, llama2c ? WEIGHT_F32 : m.dtype);
        assert_int_equal(c->mappings_len, m.format == MAKER_SHARDED ? 3 : 1);
        assert_int_equal(c->conf.rope_interleaved,
                         llama2c || (m.format == MAKER_GGUF && i / 15 != 3));
        (void)model_each_tensor(&c->conf, compare_tensor,
                                &(struct comparison){ .m = &m, .c = &c->conf, .w = &w });
        if (m.format == MAKER_GGUF && m.conf.rope_scaling.kind == ROPE_LLAMA3)
            m.conf.rope_scaling = c->conf.rope_scaling; /* the next test's matter */
        assert_same_conf(&c->conf, &m.conf);
        model_weights_release(&w);
        checkpoint_close(c);
        compared++;
    }
    assert_int_equal(compared, VARIANTS * 3 * 3 + 2 * 3 * 2);
}

static void llama3_scaling_in_gguf_is_a_table_of_divisors(void **state)
{
    struct maker m = { .format = MAKER_GGUF, .conf = variant(5) };
    struct checkpoint *c = made(&m, "table.gguf");
    const struct rope_scaling *s = &c->conf.rope_scaling;

    (void)state;
    assert_int_equal(s->kind, ROPE_TABLE);
    assert_true(s->table[0] == 1.0f && s->table[31] == 32.0f);
    for (size_t i = 1; i < 32; i++)
        assert_true(s->table[i] >= s->table[i - 1]);
    assert_true(s->table[32] == 0.0f);
    checkpoint_close(c);
}

static void checkpoint_from_gguf_is_the_same_after_saving_as_hugging_face(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANTS; i++) {
        struct maker m = { .format = MAKER_GGUF, .dtype = WEIGHT_F16, .conf = variant(i) };
        struct checkpoint *a = made(&m, "from.gguf"), *b;
        struct model_weights w = widened(a), back;

        saved(at("to"), &a->conf, &w);
        b = opened(at("to"));
        back = widened(b);
        assert_same_conf(&a->conf, &b->conf);
        assert_false(b->conf.rope_interleaved);
        (void)model_each_tensor(&b->conf, compare_tensor,
                                &(struct comparison){ .m = &m, .c = &b->conf, .w = &back });
        model_weights_release(&w);
        model_weights_release(&back);
        checkpoint_close(a);
        checkpoint_close(b);
    }
}

static void tools_rounding_is_to_nearest_even(void **state)
{
    (void)state;
    for (enum weight_type type = WEIGHT_F16; type <= WEIGHT_BF16; type++)
        for (unsigned v = 0; v < 0x7b00; v++) { /* below the largest half and far below infinity */
            uint16_t in[2] = { (uint16_t)v, (uint16_t)(v + 1) }, out[4];
            float f[2], x[4];

            weight_widen(f, in, type, 2);
            x[0] = f[0];
            x[1] = -f[1];
            x[2] = f[0] + (f[1] - f[0]) / 2.0f; /* exact in float, for halves; a tie */
            x[3] = nextafterf(x[2], f[1]);
            maker_narrow(out, x, type, 4);
            assert_int_equal(out[0], v);
            assert_int_equal(out[1], (v + 1) | 0x8000);
            if (x[2] <= f[0] || x[2] >= f[1] || fpclassify(x[2]) == FP_SUBNORMAL)
                continue;
            assert_int_equal(out[2], v % 2 ? v + 1 : v);
            assert_int_equal(out[3], v + 1);
        }
}

struct names {
    const char *first, *some;
    size_t n, found;
    const struct checkpoint *c;
};

static int look(const struct model_tensor *t, const struct tensor_view *v, void *arg)
{
    struct names *n = arg;

    if (n->n++ == 0)
        assert_string_equal(t->name, n->first);
    if (!strcmp(t->name, n->some)) {
        assert_ptr_equal(v, &n->c->w2[1]);
        n->found++;
    }
    assert_int_equal(v->rows, t->rows);
    assert_int_equal(v->cols, t->cols);
    assert_non_null(v->data);
    return n->found == 2;
}

static void each_tensor_comes_with_its_name_in_the_file(void **state)
{
    struct maker m = { .conf = variant(3) };

    (void)state;
    for (int gguf = 0; gguf < 2; gguf++) {
        struct names n = { "model.embed_tokens.weight", "model.layers.1.mlp.down_proj.weight", 0, 0,
                           NULL };

        if (gguf)
            n = (struct names){ "token_embd.weight", "blk.1.ffn_down.weight", 0, 0, NULL };
        m.format = gguf ? MAKER_GGUF : MAKER_HF;
        n.c = made(&m, gguf ? "each.gguf" : "each");
        assert_int_equal(checkpoint_each(n.c, look, &n), 0);
        assert_int_equal(n.n, n.c->tensors);
        assert_int_equal(n.found, 1);
        checkpoint_close((struct checkpoint *)(uintptr_t)n.c);
    }
}

static void dropped_pages_come_back(void **state)
{
    struct maker m = { .format = MAKER_GGUF, .conf = shape };
    struct checkpoint *c;
    float before[2], after[2];

    (void)state;
    m.conf.vocab = 4000; /* some pages */
    c = made(&m, "drop.gguf");
    weight_widen(before, (const float *)c->embed[0].data + 95000, WEIGHT_F32, 2);
    checkpoint_drop(c, &c->embed[0]);
    checkpoint_drop(c, &c->bq[0]); /* none */
    weight_widen(after, (const float *)c->embed[0].data + 95000, WEIGHT_F32, 2);
    assert_memory_equal(before, after, sizeof(before));
    assert_true(before[0] != before[1]);
    checkpoint_close(c);
}

static const char *tokenizer_of(const char *path)
{
    static struct buf found;
    struct err err = { 0 };

    buf_clear(&found);
    if (checkpoint_tokenizer(path, &found, &err))
        fail_msg("%s", err.text);
    if (!found.len)
        buf_release(&found);
    return buf_str(&found);
}

static void tokenizer_of_a_folder_is_the_best_of_its_files(void **state)
{
    struct maker m = { .conf = shape };
    struct err err = { 0 };
    struct buf none = { 0 };

    (void)state;
    checkpoint_close(made(&m, "tok"));
    assert_string_equal(tokenizer_of(at("tok")), "");
    put(at("tok/vocab.json"), "{}", 2);
    assert_string_equal(tokenizer_of(at("tok")), ""); /* merges.txt is missing */
    put(at("tok/tokenizer.bin"), "", 0);
    assert_string_equal(tokenizer_of(at("tok")), at("tok/tokenizer.bin"));
    put(at("tok/merges.txt"), "", 0);
    assert_string_equal(tokenizer_of(at("tok")), at("tok/vocab.json"));
    put(at("tok/tokenizer.model"), "", 0);
    assert_string_equal(tokenizer_of(at("tok")), at("tok/tokenizer.model"));
    put(at("tok/tokenizer.json"), "{}", 2);
    assert_string_equal(tokenizer_of(at("tok")), at("tok/tokenizer.json"));
    m.format = MAKER_GGUF;
    checkpoint_close(made(&m, "bare.gguf"));
    assert_string_equal(tokenizer_of(at("bare.gguf")), ""); /* it has no vocabulary */
    expect_error(checkpoint_tokenizer(at("nothing"), &none, &err), &err, ERR_NOT_FOUND, "nothing",
                 "no such path");
    assert_int_equal(none.len, 0);
}

static void vocabulary_of_a_gguf_is_its_own_unless_another_lies_in_its_folder(void **state)
{
    const char *real = shared("tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf");
    char *full = realpath(real, NULL);

    (void)state;
    assert_string_equal(tokenizer_of(real), real);
    mkdir(at("gg"), 0777);
    assert_int_equal(symlink(full, at("gg/model.gguf")), 0);
    assert_string_equal(tokenizer_of(at("gg")), at("gg/model.gguf"));
    put(at("gg/tokenizer.json"), "{}", 2);
    assert_string_equal(tokenizer_of(at("gg")), at("gg/tokenizer.json"));
    assert_string_equal(tokenizer_of(at("gg/model.gguf")), at("gg/model.gguf"));
    free(full);
}

static void path_that_is_no_model_says_what_to_do(void **state)
{
    struct maker m = { .format = MAKER_GGUF, .conf = shape };

    (void)state;
    mkdir(at("folder"), 0777);
    refused(at("folder"), ERR_NOT_FOUND, "neither a config.json nor", "empty");
    checkpoint_close(made(&m, "folder/one.gguf"));
    checkpoint_close(opened(at("folder")));
    checkpoint_close(made(&m, "folder/two.gguf"));
    refused(at("folder"), ERR_INVALID, "more than one .bin or .gguf", "two");
    put(at("folder/config.json"), "{}", 2);
    refused(at("folder"), ERR_INVALID, "architecture '(none)'", "config.json counts");
    refused(at("nothing"), ERR_NOT_FOUND, "nothing", "no such path");
    put(at("x.safetensors"), "x", 1);
    refused(at("x.safetensors"), ERR_INVALID, "name the folder", "a shard");
    put(at("x.gguf"), "GGML", 4);
    refused(at("x.gguf"), ERR_CORRUPT, "no GGUF file", "another magic");
    put(at("empty.bin"), "", 0);
    refused(at("empty.bin"), ERR_CORRUPT, "0 bytes are no llama2.c checkpoint", "empty");
    refused("/dev/null", ERR_INVALID, "is no file", "a device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_of_one_seed_has_the_same_weights),
        cmocka_unit_test(llama3_scaling_in_gguf_is_a_table_of_divisors),
        cmocka_unit_test(checkpoint_from_gguf_is_the_same_after_saving_as_hugging_face),
        cmocka_unit_test(tools_rounding_is_to_nearest_even),
        cmocka_unit_test(each_tensor_comes_with_its_name_in_the_file),
        cmocka_unit_test(dropped_pages_come_back),
        cmocka_unit_test(tokenizer_of_a_folder_is_the_best_of_its_files),
        cmocka_unit_test(vocabulary_of_a_gguf_is_its_own_unless_another_lies_in_its_folder),
        cmocka_unit_test(path_that_is_no_model_says_what_to_do),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
