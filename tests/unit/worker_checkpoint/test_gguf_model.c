/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: models in GGUF files open, and what is wrong with one is named. Method: models of the test
 * tool with keys and tensors changed; every truncation and every flipped header bit (under
 * sanitizers this is the crash test). */
#include "tests/tools/maker.h"
#include "tests/unit/worker_checkpoint/bytes.h"

static void made(const char *name, bool qwen2)
{
    struct maker m = { .format = MAKER_GGUF, .conf = tiny };
    struct err err = { 0 };

    m.conf.qkv_bias = qwen2;
    if (maker_write(&m, at(name), &err))
        fail_msg("%s", err.text);
}

/* Where the data begins but for padding: behind the entry of the last tensor, output.weight. */
static size_t header_end(const struct buf *file)
{
    static const char name[] = "\x0d\0\0\0\0\0\0\0output.weight";
    const char *hit = memmem(file->data, file->len, name, sizeof(name) - 1);

    assert_non_null(hit);
    return (size_t)(hit - file->data) + sizeof(name) - 1 + 4 + 16 + 4 + 8;
}

/* Give the file at PATH, whose last key is tokenizer.ggml.eos_token_id, one more key. */
static void add_key(const char *path, const struct buf *key)
{
    static const char last[] = "tokenizer.ggml.eos_token_id";
    struct buf file = { 0 }, out = { 0 };
    size_t end, header;

    get(path, &file);
    end = (size_t)((char *)memmem(file.data, file.len, last, strlen(last)) - file.data) +
          strlen(last) + 8;
    file.data[16]++;
    header = header_end(&file);
    buf_add(&out, file.data, end);
    buf_add(&out, key->data, key->len);
    buf_add(&out, file.data + end, header - end);
    pad(&out, 32, 0);
    header = (header + 31) / 32 * 32;
    buf_add(&out, file.data + header, file.len - header);
    put(path, out.data, out.len);
    buf_release(&file);
    buf_release(&out);
}

static void keys_that_this_version_does_not_know_are_refused_by_name(void **state)
{
    static const struct {
        const char *key;
        enum gguf_type type;
        uint64_t v;
        const char *value; /* text */
        const char *error; /* NULL: fine */
    } cases[] = {
        { "general.author", GGUF_TEXT, 0, "x", NULL },
        { "llama.rope.scaling.type", GGUF_TEXT, 0, "none", NULL },
        { "llama.rope.scaling.type", GGUF_TEXT, 0, "yarn", "rope.scaling.type 'yarn'" },
        { "llama.rope.scaling.type", GGUF_TEXT, 0, "linear", NULL }, /* factor 1 */
        { "llama.rope.scaling.factor", GGUF_F32, 0x7f800000, NULL, "factor is inf" },
        { "llama.rope.scaling.factor", GGUF_F32, 0x40000000, NULL, NULL },
        { "llama.rope.scale_linear", GGUF_F32, 0xbf800000, NULL, "factor is -1" },
        { "llama.expert_count", GGUF_U32, 8, NULL, "8 experts" },
        { "split.count", GGUF_U16, 2, NULL, "one of 2 parts" },
        { "split.count", GGUF_U16, 1, NULL, NULL },
        { "tokenizer.ggml.eot_token_id", GGUF_U32, 16, NULL, "eos_token_id is 16" },
        { "tokenizer.ggml.eot_token_id", GGUF_U32, 15, NULL, NULL },
        { "tokenizer.ggml.eom_token_id", GGUF_U64, 1ull << 32, NULL, "is no token id" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf key = { 0 };

        made("key.gguf", false);
        if (cases[i].value) {
            text(&key, cases[i].key);
            u32(&key, GGUF_TEXT);
            text(&key, cases[i].value);
        } else {
            number(&key, cases[i].key, cases[i].type, cases[i].v);
        }
        add_key(at("key.gguf"), &key);
        if (cases[i].error)
            refused(at("key.gguf"), ERR_INVALID, cases[i].error, cases[i].key);
        else
            checkpoint_close(opened(at("key.gguf")));
        buf_release(&key);
    }
}

/* Change V, the 4 bytes behind the name of key NAME and its type. */
static void set_number(const char *path, const char *name, uint64_t v)
{
    struct buf file = { 0 };
    char *hit;

    get(path, &file);
    hit = memmem(file.data, file.len, name, strlen(name));
    assert_non_null(hit);
    for (int i = 0; i < 4; i++)
        hit[strlen(name) + 4 + (size_t)i] = (char)(v >> 8 * i & 255);
    put(path, file.data, file.len);
    buf_release(&file);
}

static void absurd_numbers_and_wrong_tensors_are_refused_by_name(void **state)
{
    static const struct {
        const char *key;
        uint64_t v;
        const char *error;
    } numbers[] = {
        { "block_count", 3, "tensor blk.2.attn_norm.weight is missing" },
        { "block_count", 1, "has no place in a llama of 1 layers" },
        { "block_count", 0xffffffff, "num_hidden_layers is 4294967295" },
        { "embedding_length", 0, "hidden_size is 0" },
        { "embedding_length", 12, "token_embd.weight has shape {8, 16, 1, 1}, but its keys ask" },
        { "feed_forward_length", 7, "ffn_gate.weight has shape" },
        { "head_count", 0, "num_attention_heads" },
        { "head_count_kv", 7, "no multiple" },
        { "key_length", 3, "value_length is 4, but heads have 3" },
        { "value_length", 8, "value_length is 8" },
        { "dimension_count", 2, "dimension_count is 2" },
        { "context_length", 0, "max_position_embeddings" },
        { "rms_epsilon", 0x7fc00000, "rms_norm_eps is" },
        { "freq_base", 0xff800000, "rope_theta is -inf" },
        { "bos_token_id", 16, "bos_token_id is 16" },
    };
    static const struct {
        const char *old, *new, *error;
    } names[] = {
        { "\5\0\0\0\0\0\0\0llama", "\5\0\0\0\0\0\0\0gemma", "architecture 'gemma'" },
        { "general.architecture", "general.architectuer", "architecture ''" },
        { "llama.block_count", "llama.block_cuont", "key llama.block_count is missing" },
        { "token_embd.weight", "token_emdb.weight", "token_embd.weight is missing" },
        { "blk.1.ffn_up.weight", "blk.1.ffn_pu.weight", "blk.1.ffn_up.weight is missing" },
        { "llama.context_length\4", "llama.context_length\6", "expected a whole number" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        made("number.gguf", false);
        set_number(at("number.gguf"), numbers[i].key, numbers[i].v);
        refused(at("number.gguf"), ERR_INVALID, numbers[i].error, numbers[i].key);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf file = { 0 };
        size_t n = strlen(names[i].new + (i ? 0 : 8)) + (i ? 0 : 8);
        char *hit;

        made("name.gguf", false);
        get(at("name.gguf"), &file);
        hit = memmem(file.data, file.len, names[i].old, n);
        assert_non_null(hit);
        memcpy(hit, names[i].new, n);
        put(at("name.gguf"), file.data, file.len);
        refused(at("name.gguf"), ERR_INVALID, names[i].error, names[i].new);
        buf_release(&file);
    }
}

/* The type of a tensor stands 8 bytes before the end of its entry. */
static void quantised_tensors_are_refused_by_the_name_of_their_type(void **state)
{
    static const struct {
        uint8_t type;
        const char *name;
    } types[] = {
        { 2, "Q4_0" }, { 8, "Q8_0" }, { 12, "Q4_K" }, { 14, "Q6_K" }, { 200, "type 200" }
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct buf file = { 0 };
        char expected[64], *hit;

        made("quant.gguf", true);
        get(at("quant.gguf"), &file);
        hit = memmem(file.data, file.len, "blk.0.ffn_up.weight", 19);
        hit[19 + 4 + 16] = (char)types[i].type;
        put(at("quant.gguf"), file.data, file.len);
        snprintf(expected, sizeof(expected),
                 "has type %s; this version reads F32, F16 and BF16: "
                 "convert",
                 types[i].name);
        refused(at("quant.gguf"), ERR_INVALID, expected, types[i].name);
        buf_release(&file);
    }
}

static void version_2_is_read_like_version_3(void **state)
{
    struct buf file = { 0 };

    (void)state;
    made("v2.gguf", false);
    get(at("v2.gguf"), &file);
    file.data[4] = 2;
    put(at("v2.gguf"), file.data, file.len);
    checkpoint_close(opened(at("v2.gguf")));
    buf_release(&file);
}

static void every_truncation_is_refused(void **state)
{
    struct buf file = { 0 };

    (void)state;
    for (int qwen2 = 0; qwen2 < 2; qwen2++) {
        made("cut.gguf", qwen2);
        get(at("cut.gguf"), &file);
        for (size_t len = 0; len < file.len; len++) {
            if (len > 3500 && len % 4)
                continue;
            if (qwen2 && file.len - len <= 16)
                continue; /* the padding behind the last tensor, blk.1.attn_v.bias */
            put(at("cut.gguf"), file.data, len);
            refused(at("cut.gguf"), ERR_CORRUPT, "cut.gguf", "truncated");
        }
    }
    buf_release(&file);
}

static void flipped_bits_of_the_header_never_crash(void **state)
{
    struct buf file = { 0 };
    size_t header, fine = 0;

    (void)state;
    made("flip.gguf", false);
    get(at("flip.gguf"), &file);
    header = header_end(&file);
    for (size_t bit = 0; bit < 8 * header; bit++) {
        struct err err = { 0 };
        struct checkpoint *c = NULL;

        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        put(at("flip.gguf"), file.data, file.len);
        file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
        if (checkpoint_open(&c, at("flip.gguf"), &err)) {
            assert_non_null(strstr(err.text, "flip.gguf"));
        } else {
            struct model_weights w = widened(c); /* every view can be read */

            fine++;
            model_weights_release(&w);
            checkpoint_close(c);
        }
    }
    assert_true(fine < 8 * header / 8); /* values that may be any, optional keys by another name */
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_this_version_does_not_know_are_refused_by_name),
        cmocka_unit_test(absurd_numbers_and_wrong_tensors_are_refused_by_name),
        cmocka_unit_test(quantised_tensors_are_refused_by_the_name_of_their_type),
        cmocka_unit_test(version_2_is_read_like_version_3),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_of_the_header_never_crash),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
