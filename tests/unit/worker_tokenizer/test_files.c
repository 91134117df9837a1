/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a vocabulary's files say is heeded, what is not supported is refused by its name, and
 * a cut or damaged file gives an error or a tokenizer that works, never a crash.
 * Method: small files by hand, one change each; the shared files cut at many places and with bytes
 * changed. */
#include "tests/unit/worker_tokenizer/files.h"

#include "common/base/rng.h"

/* A byte-level tokenizer.json with members replaced: letters a to d, space, "ab" (6), " c" (7). */
static const char *const members[] = {
    "\"added_tokens\":[{\"id\":8,\"content\":\"<s>\",\"special\":true}]",
    "\"normalizer\":null",
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}",
    "\"post_processor\":null",
    "\"decoder\":{\"type\":\"ByteLevel\"}",
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"\xc4\xa0\":4,\"x\":5,"
    "\"ab\":6,\"\xc4\xa0"
    "c\":7},\"merges\":[\"a b\",[\"\xc4\xa0\",\"c\"]]}",
};

static const char *write_json(const char *replaced)
{
    struct buf b = { 0 };
    const char *colon = replaced ? strchr(replaced, ':') : NULL;

    buf_addc(&b, '{');
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        bool other = colon && !strncmp(members[i], replaced, (size_t)(colon - replaced));

        buf_printf(&b, "%s%s", i ? "," : "", other ? replaced : members[i]);
    }
    buf_addc(&b, '}');
    put(at("t.json"), b.data, b.len);
    buf_release(&b);
    return at("t.json");
}

static const struct {
    const char *member, *text;
    unsigned flags;
    uint32_t want[8];
    size_t len;
} heeded[] = {
    { NULL, "ab c", 0, { 6, 7 }, 2 },
    { NULL, "ab<s>c", TOKENIZER_SPECIAL, { 6, 8, 2 }, 3 },
    { NULL, "a<s>c", 0, { 0, 2 }, 2 }, /* bytes without tokens give none */
    { NULL, "aeb", 0, { 0, 1 }, 2 },   /* and part their neighbours */
    { "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "c", 0, { 7 }, 1 },
    { "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
      "\"pattern\":{\"String\":\"b\"},\"behavior\":\"Isolated\",\"invert\":false},"
      "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}",
      "ab",
      0,
      { 0, 1 },
      2 },
    { "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
      "\"id\":\"<s>\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[8]"
      "}}}",
      "a",
      TOKENIZER_BOS,
      { 8, 0 },
      2 },
    /* special or not, an added token that is not special is always found */
    { "\"added_tokens\":[{\"id\":8,\"content\":\"ab\",\"special\":false},{\"id\":9,\"content\":"
      "\"abc\",\"special\":false}]",
      "abcab",
      0,
      { 9, 8 },
      2 },
    { "\"added_tokens\":[{\"id\":8,\"content\":\"d\",\"lstrip\":true,\"rstrip\":true}]",
      "a  d \nb",
      0,
      { 0, 8, 1 },
      3 },
    { "\"added_tokens\":[{\"id\":8,\"content\":\"ab\",\"single_word\":true}]",
      "cab ab,",
      0,
      { 2, 6, 4, 8 },
      4 },
    { "\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,\"b\":1,\"c\":2,"
      "\"abc\":3},\"merges\":[]}",
      "abc",
      0,
      { 3 },
      1 },
};

static void json_members_are_heeded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(heeded); i++) {
        struct tokenizer *t = open_ok(write_json(heeded[i].member), 16, NULL);

        assert_ids(t, heeded[i].text, heeded[i].flags, heeded[i].want, heeded[i].len);
        tokenizer_free(t);
    }
}

static const struct {
    const char *member, *part;
} lacking[] = {
    { "\"normalizer\":{\"type\":\"NFKC\"}", "normalizer 'NFKC'" },
    { "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"}]}",
      "'Lowercase'" },
    { "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"},{"
      "\"type\":\"ByteLevel\"}]}",
      "'Whitespace'" },
    { "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\","
      "\"add_prefix_space\":false},{\"type\":\"Digits\"}]}",
      "behind ByteLevel 'Digits'" },
    { "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
      "\"pattern"
      "\":{\"Regex\":\"a\"},\"behavior\":\"Removed\"},{\"type\":\"ByteLevel\"}]}",
      "'Removed'" },
    { "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\","
      "\"pattern"
      "\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\"}]}",
      "pattern '(a'" },
    { "\"pre_tokenizer\":{\"type\":\"Whitespace\"}", "needs a ByteLevel" },
    { "\"post_processor\":{\"type\":\"BertProcessing\"}", "'BertProcessing'" },
    { "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":"
      "\"A\"}},{\"SpecialToken\":{\"id\":\"</s>\"}}]}",
      "behind the text '</s>'" },
    { "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
      "\"id\":\"<b>\"}}],\"special_tokens\":{}}",
      "'<b>'" },
    { "\"model\":{\"type\":\"Unigram\",\"vocab\":[]}", "'Unigram'" },
    { "\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}",
      "model.dropout" },
    { "\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0},"
      "\"merges\":[]}",
      "end_of_word_suffix" },
    { "\"model\":{\"type\":\"BPE\",\"unk_token\":\"a\",\"vocab\":{\"a\":0},\"merges\":[]}",
      "unk_token" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}", "twice" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}", "no id" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4194304},\"merges\":[]}", "no id" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}",
      "lacks what they make" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}",
      "lacks one of them" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}", "merge 1" },
    { "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}", "element 0" },
    { "\"added_tokens\":[{\"id\":8,\"content\":\"\"}]", "0 bytes" },
    { "\"added_tokens\":[{\"content\":\"z\"}]", "no id" },
    { "\"added_tokens\":[{\"id\":16,\"content\":\"z\"}]", "17 tokens, but the model has only 16" },
};

static void what_json_needs_and_we_lack_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
        struct tokenizer *t = NULL;
        struct err err = { 0 };
        int rc = tokenizer_open(&t, write_json(lacking[i].member), 16, NULL, &err);

        if (!rc || !strstr(err.text, lacking[i].part) || !strstr(err.text, "t.json"))
            fail_msg("%s: expected '%s', got '%s'", lacking[i].member, lacking[i].part, err.text);
        assert_null(t);
    }
}

static void the_config_beside_says_bos_eos_and_tokens(void **state)
{
    static const char config[] =
        "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"add_bos_token\":true,\"bos_token\":{"
        "\"content\":\"<s>\"},\"eos_token\":\"<end>\",\"added_tokens_decoder\":{\"8\":{\"content\":"
        "\"<s>\",\"special\":true},\"11\":{\"content\":\"<end>\",\"special\":true}}}";
    static const char map[] = "{\"eos_token\":{\"content\":\"<s>\"}}";
    struct tokenizer *t;
    struct err err = { 0 };

    (void)state;
    write_json(NULL);
    put(at("tokenizer_config.json"), config, strlen(config));
    put(at("special_tokens_map.json"), map, strlen(map));
    t = open_ok(at("t.json"), 0, NULL);
    assert_int_equal(tokenizer_vocab(t), 12);
    assert_int_equal(tokenizer_bos(t), 8);
    assert_int_equal(tokenizer_eos(t), 11);
    assert_true(tokenizer_is_special(t, 11) && tokenizer_is_special(t, 9));
    assert_false(tokenizer_is_special(t, 6));
    assert_ids(t, "a<end>", TOKENIZER_BOS | TOKENIZER_SPECIAL, (uint32_t[]){ 8, 0, 11 }, 3);
    assert_text(t, (uint32_t[]){ 8, 6, 11, 10, 7, 99 }, 6, "ab c");
    assert_text_len(t, (uint32_t[]){ 8, 6, 11 }, 3, true, "<s>ab<end>", 10);
    tokenizer_free(t);
    put(at("tokenizer_config.json"), "{}", 2);
    t = open_ok(at("t.json"), 0, NULL);
    assert_int_equal(tokenizer_eos(t), 8); /* the map's */
    tokenizer_free(t);
    put(at("tokenizer_config.json"), "{\"eos_token\":\"<no>\"}", 20);
    expect_error(tokenizer_open(&t, at("t.json"), 0, NULL, &err), &err, ERR_INVALID,
                 "eos_token '<no>'", "unknown eos");
    put(at("tokenizer_config.json"), "{\"eos_tok", 9);
    expect_error(tokenizer_open(&t, at("t.json"), 0, NULL, &err), &err, ERR_INVALID,
                 "tokenizer_config.json", "cut config");
    unlink(at("tokenizer_config.json"));
    unlink(at("special_tokens_map.json"));
}

static void a_pre_tokenizer_is_for_files_that_name_none(void **state)
{
    struct tokenizer *t = NULL;
    struct err err = { 0 };

    (void)state;
    expect_error(tokenizer_open(&t, write_json(NULL), 0, "qwen2", &err), &err, ERR_INVALID,
                 "itself", "json");
    expect_error(tokenizer_open(&t, write_json(NULL), 0, "bert", &err), &err, ERR_INVALID, "'bert'",
                 "unknown");
    expect_error(tokenizer_open(&t, scratch, 0, NULL, &err), &err, ERR_NOT_FOUND,
                 "without a tokenizer", "folder");
    NEED_SHARED("ggml-vocab/ggml-vocab-gpt-2.gguf");
    expect_error(tokenizer_open(&t, shared("ggml-vocab/ggml-vocab-gpt-2.gguf"), 0, "qwen2", &err),
                 &err, ERR_INVALID, "itself ('gpt-2')", "gguf");
    expect_error(tokenizer_open(&t, shared("ggml-vocab/ggml-vocab-gpt-2.gguf"), 50256, NULL, &err),
                 &err, ERR_INVALID, "50257 tokens, but the model has only 50256", "too many");
}

/* NAME cut to LEN bytes (or with what is changed already) must not open. */
static void assert_refused(const char *name, const struct buf *file, size_t len, size_t vocab)
{
    struct tokenizer *t = NULL;
    struct err err = { 0 };

    put(at(name), file->data, len);
    if (!tokenizer_open(&t, at(name), vocab, NULL, &err))
        fail_msg("%s cut to %zu of %zu bytes was opened", name, len, file->len);
    if (!strstr(err.text, scratch))
        fail_msg("%s cut to %zu bytes: '%s' names no file", name, len, err.text);
    assert_null(t);
}

static void cut_files_are_refused_wherever_they_are_cut(void **state)
{
    static const struct {
        const char *file, *name;
        unsigned cuts;
    } cases[] = {
        { "tiny/tiny_bpe_tokenizer.json", "cut.json", 60 },
        { "tiny/llama3_style_tokenizer.json", "cut.json", 30 },
        { "ggml-vocab/ggml-vocab-gpt-2.gguf", "cut.gguf", 12 },
        { "ggml-vocab/ggml-vocab-llama-spm.gguf", "cut.gguf", 12 },
        { "gpt2/r50k_base.tiktoken", "cut.tiktoken", 6 },
        { "qwen2/vocab.json", "cut.json", 3 },
    };
    struct rng r = rng_stream("test-tokenizer-cut", 1, 0);
    struct buf file = { 0 };

    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        get(shared(cases[i].file), &file);
        for (unsigned k = 0; k < cases[i].cuts; k++)
            assert_refused(cases[i].name, &file, k < 3 ? k : rng_below(&r, (uint32_t)file.len - 2),
                           0);
    }
    /* behind a line too */
    get(shared("gpt2/r50k_base.tiktoken"), &file);
    for (size_t len = 1000; len < file.len; len += file.len / 4)
        assert_refused("cut.tiktoken", &file,
                       (size_t)(strchr(file.data + len, '\n') + 1 - file.data), 0);
    buf_release(&file);
}

static void cut_merges_are_noticed_behind_a_line_too(void **state)
{
    struct buf file = { 0 }, vocab = { 0 };

    (void)state;
    NEED_SHARED("tiny/tiny_bpe_vocab.json");
    get(shared("tiny/tiny_bpe_vocab.json"), &vocab);
    get(shared("tiny/tiny_bpe_merges.txt"), &file);
    for (size_t len = 0; len + 1 < file.len; len += 997) {
        struct tokenizer *t = NULL;
        struct err err = { 0 };
        size_t line = (size_t)(strchr(file.data + len, '\n') + 1 - file.data);

        put(at("vocab.json"), vocab.data, vocab.len);
        put(at("merges.txt"), file.data, len);
        expect_error(tokenizer_open(&t, at("vocab.json"), 0, NULL, &err), &err, ERR_CORRUPT,
                     "merges.txt", "cut");
        if (line == file.len)
            break;
        put(at("merges.txt"), file.data, line);
        expect_error(tokenizer_open(&t, at("vocab.json"), 0, NULL, &err), &err, ERR_CORRUPT,
                     "come from none", "cut behind a line");
    }
    unlink(at("vocab.json"));
    unlink(at("merges.txt"));
    buf_release(&file);
    buf_release(&vocab);
}

/* A model of a few pieces: the 3 special ones, 256 bytes, then letters. */
static void small_spm(struct buf *b)
{
    /* The last two letters apart: \x81a would be one number. */
    static const char *const pieces[] = { "\xe2\x96\x81", "a", "b", "ab", "\xe2\x96\201a" };
    char text[16];

    for (int i = 0; i < 259 + (int)ARRAY_LEN(pieces); i++) {
        float score = (float)-i;
        int type = i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1;
        const char *names[] = { "<unk>", "<s>", "</s>" };

        snprintf(text, sizeof(text), "<0x%02X>", (unsigned)(i - 3));
        const char *p = i < 3 ? names[i] : i < 259 ? text : pieces[i - 259];
        size_t n = strlen(p);
        char head[] = { 0x0a, (char)(n + 9), 0x0a, (char)n };

        buf_add(b, head, 4);
        buf_add(b, p, n);
        buf_addc(b, 0x15);
        buf_add(b, &score, 4);
        buf_addc(b, 0x18);
        buf_addc(b, (char)type);
    }
    buf_add(b, "\x12\x02\x18\x02", 4);         /* trainer: BPE */
    buf_add(b, "\x1a\x04\x18\x01\x20\x00", 6); /* dummy prefix, spaces kept */
}

static void sentencepiece_settings_are_heeded(void **state)
{
    struct buf file = { 0 };
    struct tokenizer *t;
    struct err err = { 0 };

    (void)state;
    small_spm(&file);
    for (size_t len = 0; len < file.len; len += len + 12 < file.len ? 41 : 1)
        assert_refused("cut.model", &file, len, 0);
    put(at("t.model"), file.data, file.len);
    t = open_ok(at("t.model"), 300, NULL);
    assert_ids(t, "ab  a", TOKENIZER_BOS, (uint32_t[]){ 1, 259, 262, 259, 263 }, 5);
    assert_ids(t, "", 0, NULL, 0);
    assert_ids(t, "<s>a\xff", TOKENIZER_SPECIAL, (uint32_t[]){ 1, 263, 3 + 255 }, 3);
    tokenizer_free(t);
    file.data[file.len - 1] = 1; /* remove_extra_whitespaces */
    file.data[file.len - 3] = 0; /* no dummy prefix */
    put(at("t.model"), file.data, file.len);
    t = open_ok(at("t.model"), 300, NULL);
    assert_ids(t, " ab  a ", 0, (uint32_t[]){ 262, 263 }, 2);
    tokenizer_free(t);
    file.data[file.len - 7] = 1; /* unigram */
    put(at("t.model"), file.data, file.len);
    expect_error(tokenizer_open(&t, at("t.model"), 0, NULL, &err), &err, ERR_INVALID,
                 "type unigram", "unigram");
    file.data[file.len - 7] = 2;
    file.data[file.len - 4] = 0x10; /* field 2, but as a number: ignored; then a charsmap */
    file.data[file.len - 5] = 4 + 3;
    buf_add(&file, "\x12\x01x", 3);
    put(at("t.model"), file.data, file.len);
    expect_error(tokenizer_open(&t, at("t.model"), 0, NULL, &err), &err, ERR_INVALID, "identity is",
                 "charsmap");
    buf_release(&file);
}

static void damaged_files_never_crash(void **state)
{
    static const char *const files[] = { "tiny/tiny_bpe_tokenizer.json",
                                         "tiny/tiktoken_small.model", NULL };
    struct rng r = rng_stream("test-tokenizer-flip", 1, 0);
    struct buf file = { 0 };
    unsigned opened = 0, refused = 0;

    (void)state;
    NEED_SHARED("tiny/tiktoken_small.model");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        for (unsigned k = 0; k < 60; k++) {
            struct tokenizer *t = NULL;
            struct err err = { 0 };
            uint32_t *ids;
            size_t len, flips = 1 + rng_below(&r, 3);

            buf_clear(&file);
            if (files[i])
                get(shared(files[i]), &file);
            else
                small_spm(&file);
            while (flips--)
                file.data[rng_below(&r, (uint32_t)file.len)] ^= (char)(1u << rng_below(&r, 8));
            put(at(i ? "flip.model" : "flip.json"), file.data, file.len);
            if (tokenizer_open(&t, at(i ? "flip.model" : "flip.json"), 0, NULL, &err)) {
                assert_true(err.text[0]);
                refused++;
                continue;
            }
            opened++;
            if (!tokenizer_encode(t, "Hello \xf0\x9f\x98\x80 world 123\xff", 20, 3, &ids, &len,
                                  &err))
                free(ids);
            tokenizer_free(t);
        }
    assert_true(opened > 0 && refused > 0);
    buf_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_members_are_heeded),
        cmocka_unit_test(what_json_needs_and_we_lack_is_refused_by_name),
        cmocka_unit_test(the_config_beside_says_bos_eos_and_tokens),
        cmocka_unit_test(a_pre_tokenizer_is_for_files_that_name_none),
        cmocka_unit_test(cut_files_are_refused_wherever_they_are_cut),
        cmocka_unit_test(cut_merges_are_noticed_behind_a_line_too),
        cmocka_unit_test(sentencepiece_settings_are_heeded),
        cmocka_unit_test(damaged_files_never_crash),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
