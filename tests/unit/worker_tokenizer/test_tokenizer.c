/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: both tokenizers turn text into the ids their models were trained with, and back.
 * Method: known ids by hand; a small tokenizer.bin made here; stories260K's own; damaged
 * files. */
#include "tests/unit/worker_tokenizer/files.h"

#include "common/base/json.h"
#include "worker/tokenizer/tokenizer.h"

static const char alphabet[] = "0123456789+-<>=abc,?\"\\ \n";

static void one_token_per_character(void **state)
{
    struct tokenizer *t;

    (void)state;
    assert_int_equal(tokenizer_from_alphabet(&t, alphabet, NULL), 0);
    assert_int_equal(tokenizer_vocab(t), 32); /* 2 + 24, rounded up to a multiple of 8 */
    assert_int_equal(tokenizer_bos(t), 0);
    assert_int_equal(tokenizer_eos(t), 1);
    assert_ids(t, "3+5=", TOKENIZER_BOS, (uint32_t[]){ 0, 5, 12, 7, 16 }, 5);
    assert_ids(t, "3+5=", 0, (uint32_t[]){ 5, 12, 7, 16 }, 4);
    assert_ids(t, "", TOKENIZER_BOS, (uint32_t[]){ 0 }, 1);
    assert_text(t, (uint32_t[]){ 0, 5, 12, 7, 16, 31, 1, 99 }, 8, "3+5=");
    tokenizer_free(t);
}

static void byte_without_token_is_refused_with_its_offset(void **state)
{
    struct tokenizer *t;
    struct err err = { 0 };
    uint32_t *ids;
    size_t len;

    (void)state;
    assert_int_equal(tokenizer_from_alphabet(&t, alphabet, NULL), 0);
    expect_error(tokenizer_encode(t, "12x", 3, TOKENIZER_BOS, &ids, &len, &err), &err, ERR_INVALID,
                 "0x78 at offset 2", "x");
    expect_error(tokenizer_encode(t, "\xc3\xa4", 2, 0, &ids, &len, &err), &err, ERR_INVALID,
                 "offset 0", "ae");
    tokenizer_free(t);
}

static void senseless_alphabets_are_refused(void **state)
{
    struct tokenizer *t;
    struct err err = { 0 };

    (void)state;
    expect_error(tokenizer_from_alphabet(&t, "", &err), &err, ERR_INVALID, "empty", "empty");
    expect_error(tokenizer_from_alphabet(&t, "abca", &err), &err, ERR_INVALID, "'a' twice",
                 "twice");
    expect_error(tokenizer_from_alphabet(&t, "ab\xe4", &err), &err, ERR_INVALID, "byte 2",
                 "not ASCII");
}

static void json_file_is_what_hugging_face_reads_and_survives_a_round_trip(void **state)
{
    struct tokenizer *t, *again;
    struct json *root;
    const struct json *model;

    (void)state;
    assert_int_equal(tokenizer_from_alphabet(&t, alphabet, NULL), 0);
    assert_int_equal(tokenizer_save(t, at("tokenizer.json"), NULL), 0);
    assert_int_equal(json_parse_file(at("tokenizer.json"), 1 << 20, &root, NULL), 0);
    model = json_get(root, "model");
    assert_string_equal(json_text(json_get(model, "type")), "BPE");
    assert_int_equal(json_len(json_get(model, "merges")), 0);
    assert_true(json_is_array(json_get(model, "merges")));
    assert_int_equal(json_len(json_get(model, "vocab")), 2 + strlen(alphabet));
    assert_int_equal(json_integer(json_get(json_get(model, "vocab"), "</s>"), -1), 1);
    assert_int_equal(json_integer(json_get(json_get(model, "vocab"), "\n"), -1), 2 + 23);
    assert_string_equal(json_text(json_get(json_at(json_get(root, "added_tokens"), 0), "content")),
                        "<s>");
    assert_string_equal(json_text(json_get(json_get(root, "decoder"), "type")), "Fuse");
    json_free(root);
    assert_int_equal(tokenizer_open(&again, at("tokenizer.json"), 32, NULL, NULL), 0);
    assert_true(tokenizer_is_json(again));
    assert_int_equal(tokenizer_vocab(again), 32);
    assert_ids(again, "\"a\\ \n?", TOKENIZER_BOS, (uint32_t[]){ 0, 22, 17, 23, 24, 25, 21 }, 7);
    tokenizer_free(again);
    tokenizer_free(t);
}

static void other_json_tokenizers_are_refused(void **state)
{
    static const struct {
        const char *text, *part;
        int code;
    } cases[] = {
        { "{", "line 1", ERR_INVALID },
        { "{\"model\":{\"type\":\"Unigram\"}}", "not a tokenizer that this version reads",
          ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[\"a b\"],\"vocab\":{}}}", "not a tokenizer",
          ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{}}}", "gaps or lacks",
          ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"</s>\":1,\"a\":3}}}",
          "gaps", ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"</s>\":1,\"ab\":2}}}",
          "'ab'", ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"</"
          "s>\":1,\"a\":2,\"b\":2}}}",
          "'b'", ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"a\":2}}}", "lacks",
          ERR_INVALID },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"</s>\":1,\"a\":2}}}",
          "only 4", ERR_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tokenizer *t = NULL;
        struct err err = { 0 };

        put(at("other.json"), cases[i].text, strlen(cases[i].text));
        expect_error(tokenizer_open(&t, at("other.json"), 4, NULL, &err), &err, cases[i].code,
                     cases[i].part, cases[i].text);
        assert_non_null(strstr(err.text, "other.json"));
        assert_null(t);
    }
}

static void add_piece(struct buf *b, float score, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);

    buf_add(b, &score, 4);
    buf_add(b, &len, 4);
    buf_add(b, text, len);
}

/* 3 special, 256 bytes, then a few pieces from id 259 on. */
static const char *const pieces[] = {
    " ", "a", "b", "c", "ab", "bc", "abc", " a", "\xc3\xa4", "d"
};
static const float scores[] = { -9, -9, -9, -9, -2, -1, -5, -3, -9, -9 };
enum { BIN_VOCAB = 259 + ARRAY_LEN(pieces) };

static void print_bin(struct buf *b)
{
    const uint32_t longest = 7;
    char byte[8];

    buf_add(b, &longest, 4);
    add_piece(b, 0, "<unk>");
    add_piece(b, 0, "\n<s>\n");
    add_piece(b, 0, "\n</s>\n");
    for (unsigned i = 0; i < 256; i++) {
        snprintf(byte, sizeof(byte), "<0x%02X>", i);
        add_piece(b, 0, byte);
    }
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
        add_piece(b, scores[i], pieces[i]);
}

static void pairs_merge_by_score_and_unknown_bytes_fall_back(void **state)
{
    struct buf file = { 0 };
    struct tokenizer *t;

    (void)state;
    print_bin(&file);
    put(at("tokenizer.bin"), file.data, file.len);
    assert_int_equal(tokenizer_open(&t, at("tokenizer.bin"), BIN_VOCAB, NULL, NULL), 0);
    assert_int_equal(tokenizer_bos(t), 1);
    /* " abc": bc (-1) first, then " a" (-3) before abc (-5) */
    assert_ids(t, "abc", TOKENIZER_BOS, (uint32_t[]){ 1, 266, 264 }, 3);
    assert_ids(t, "cabab", 0, (uint32_t[]){ 259, 262, 263, 263 }, 4);
    assert_ids(t, "", TOKENIZER_BOS, (uint32_t[]){ 1 }, 1);
    assert_ids(t, "", 0, NULL, 0);
    assert_ids(t, "d\xc3\xa4", 0, (uint32_t[]){ 259, 268, 267 }, 3);
    assert_ids(t, "\xe2\x82\xac", 0, (uint32_t[]){ 259, 3 + 0xe2, 3 + 0x82, 3 + 0xac }, 4);
    /* text that looks like a byte token or a special one is text */
    assert_ids(t, "<", 0, (uint32_t[]){ 259, 3 + '<' }, 2);
    assert_text(t, (uint32_t[]){ 1, 266, 264, 2 }, 4, "abc");
    assert_text(t, (uint32_t[]){ 262, 266, 3 + 0xe2, 3 + 0x82, 3 + 0xac, 259 }, 6,
                "c a\xe2\x82\xac ");
    tokenizer_free(t);
    buf_release(&file);
}

static void damaged_bin_files_are_refused(void **state)
{
    struct buf file = { 0 };
    struct tokenizer *t;
    struct err err = { 0 };

    (void)state;
    print_bin(&file);
    for (size_t len = 0; len < file.len; len += 3) {
        put(at("cut.bin"), file.data, len);
        expect_error(tokenizer_open(&t, at("cut.bin"), BIN_VOCAB, NULL, &err), &err, ERR_CORRUPT,
                     "cut.bin", "cut");
    }
    put(at("whole.bin"), file.data, file.len);
    expect_error(tokenizer_open(&t, at("whole.bin"), BIN_VOCAB - 1, NULL, &err), &err, ERR_CORRUPT,
                 "another model", "fewer tokens in the model");
    expect_error(tokenizer_open(&t, at("whole.bin"), BIN_VOCAB + 1, NULL, &err), &err, ERR_CORRUPT,
                 "ends at offset", "more tokens in the model");
    expect_error(tokenizer_open(&t, at("whole.bin"), 0, NULL, &err), &err, ERR_INVALID,
                 "needs a model", "no model");
    expect_error(tokenizer_open(&t, at("none.bin"), 5, NULL, &err), &err, ERR_NOT_FOUND, "none.bin",
                 "no file");
    memset(file.data + 8, 0xff, 4);
    put(at("long.bin"), file.data, file.len);
    expect_error(tokenizer_open(&t, at("long.bin"), BIN_VOCAB, NULL, &err), &err, ERR_CORRUPT,
                 "4294967295 bytes long", "length");
    buf_release(&file);
}

static void stories_text_survives_encoding_and_decoding(void **state)
{
    static const char *const texts[] = {
        "Once upon a time, there was a little girl named Lily.",
        "Tom's dog said: \"Hello!\"\n\nThe end.",
        " two  spaces",
        "\xc3\xa4\xe2\x82\xac~{}",
        "<s> <0x41> </s>",
    };
    struct tokenizer *t;
    const char *path;

    (void)state;
    path = shared("../models/stories260K/tok512.bin");
    if (!path) {
        print_message("SKIP-DATA stories260K\n");
        skip();
    }
    assert_int_equal(tokenizer_open(&t, path, 512, NULL, NULL), 0);
    /* Made with another program that follows run.c's rule. */
    assert_ids(t, texts[1], TOKENIZER_BOS,
               (uint32_t[]){ 1,   274, 287, 439, 419, 400, 428, 336, 467, 313, 440, 411,
                             306, 414, 443, 436, 13,  13,  434, 260, 344, 264, 426 },
               23);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        uint32_t *ids;
        size_t len;

        assert_int_equal(
            tokenizer_encode(t, texts[i], strlen(texts[i]), TOKENIZER_BOS, &ids, &len, NULL), 0);
        assert_true(len > 1 && len <= strlen(texts[i]) + 2);
        assert_text(t, ids, len, texts[i]);
        free(ids);
    }
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_token_per_character),
        cmocka_unit_test(byte_without_token_is_refused_with_its_offset),
        cmocka_unit_test(senseless_alphabets_are_refused),
        cmocka_unit_test(json_file_is_what_hugging_face_reads_and_survives_a_round_trip),
        cmocka_unit_test(other_json_tokenizers_are_refused),
        cmocka_unit_test(pairs_merge_by_score_and_unknown_bytes_fall_back),
        cmocka_unit_test(damaged_bin_files_are_refused),
        cmocka_unit_test(stories_text_survives_encoding_and_decoding),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
