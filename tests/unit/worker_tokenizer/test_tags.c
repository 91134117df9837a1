/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the tags of a thinking model are one token each, shown by decoding, and have the same ids
 * after saving and opening; files that do not fit are refused. Method: ids by hand; the saved file
 * read as JSON; damaged copies of it. */
#include "tests/unit/worker_tokenizer/files.h"

#include "common/base/json.h"
#include "worker/tokenizer/tokenizer.h"

static const char *const tag[] = { "<think>", "</think>", "<answer>", "</answer>" };

/* '<' = 6, so it also stands alone. */
static struct tokenizer *make(void)
{
    struct tokenizer *t = NULL;

    assert_int_equal(tokenizer_from_alphabet_tags(&t, "0123<;", tag, 4, NULL), 0);
    return t;
}

static void check(const struct tokenizer *t)
{
    static const uint32_t ids[] = { 0, 5, 6, 4, 8, 3, 7, 9, 10, 2, 11 };
    static const char text[] = "3<2<think>1;</think><answer>0</answer>";

    assert_int_equal(tokenizer_vocab(t), 16); /* 2 + 6 + 4, rounded up to a multiple of 8 */
    assert_ids(t, text, TOKENIZER_BOS, ids, 11);
    assert_ids(t, text, 0, ids + 1, 10);
    assert_text(t, ids, 11, text);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(tokenizer_id(t, tag[i]), 8 + i);
        assert_false(tokenizer_is_special(t, 8 + i));
    }
    assert_true(tokenizer_is_special(t, tokenizer_eos(t)));
}

static void tags_are_single_tokens_that_decoding_shows(void **state)
{
    struct tokenizer *t = make();

    (void)state;
    check(t);
    tokenizer_free(t);
}

static void saved_and_opened_again_the_ids_are_the_same(void **state)
{
    struct tokenizer *t = make(), *again = NULL;
    struct json *root, *added;

    (void)state;
    assert_true(tokenizer_is_json(t));
    assert_int_equal(tokenizer_save(t, at("tokenizer.json"), NULL), 0);
    assert_int_equal(tokenizer_open(&again, at("tokenizer.json"), 16, NULL, NULL), 0);
    check(again);
    assert_true(tokenizer_is_json(again));
    /* The field's usual way: added tokens behind the model's vocabulary. */
    assert_int_equal(json_parse_file(at("tokenizer.json"), 1 << 20, &root, NULL), 0);
    added = json_get(root, "added_tokens");
    assert_int_equal(json_len(added), 6);
    for (size_t i = 0; i < 4; i++) {
        const struct json *o = json_at(added, 2 + i);

        assert_int_equal(json_integer(json_get(o, "id"), -1), 8 + i);
        assert_string_equal(json_text(json_get(o, "content")), tag[i]);
        assert_false(json_bool(json_get(o, "special"), true));
    }
    assert_int_equal(json_len(json_get(json_get(root, "model"), "vocab")), 8);
    json_free(root);
    tokenizer_free(t);
    tokenizer_free(again);
}

static void byte_behind_a_tag_is_refused_with_its_offset(void **state)
{
    struct tokenizer *t = make();
    struct err err = { 0 };
    uint32_t *ids;
    size_t len;

    (void)state;
    expect_error(tokenizer_encode(t, "1<think>x", 9, 0, &ids, &len, &err), &err, ERR_INVALID,
                 "0x78 at offset 8", "x");
    /* A tag that is cut is characters. */
    expect_error(tokenizer_encode(t, "1<thin", 6, 0, &ids, &len, &err), &err, ERR_INVALID,
                 "0x74 at offset 2", "t");
    tokenizer_free(t);
}

static void senseless_tags_are_refused(void **state)
{
    static const char *const twice[] = { "<a>", "<a>" }, *const empty[] = { "" };
    struct tokenizer *t = NULL;
    struct err err = { 0 };

    (void)state;
    expect_error(tokenizer_from_alphabet_tags(&t, "ab", twice, 2, &err), &err, ERR_INVALID,
                 "<a> twice", "twice");
    expect_error(tokenizer_from_alphabet_tags(&t, "ab", empty, 1, &err), &err, ERR_INVALID,
                 "0 bytes", "empty");
    assert_null(t);
}

#define FILE_WITH(ADDED)                                                                           \
    "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":0,\"</s>\":1,\"a\":2}},"        \
    "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}" ADDED "]}"

static void added_tokens_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { FILE_WITH(",{\"id\":4,\"content\":\"<t>\"}"), "gaps" },
        { FILE_WITH(",{\"id\":2,\"content\":\"<t>\"}"), "'<t>' does not fit" },
        { FILE_WITH(",{\"id\":-1,\"content\":\"<t>\"}"), "does not fit" },
        { FILE_WITH(",{\"id\":3}"), "does not fit" },
        { FILE_WITH(",{\"id\":3,\"content\":\"\"}"), "0 bytes" },
        { FILE_WITH(",{\"id\":3,\"content\":\"<t>\"},{\"id\":3,\"content\":\"<u>\"}"),
          "does not fit" },
        { FILE_WITH(",{\"id\":3,\"content\":\"<t>\"},{\"id\":4,\"content\":\"<t>\"}"), "twice" },
        { FILE_WITH(",{\"id\":67,\"content\":\"<t>\"}"), "at most 64" },
        { FILE_WITH(",{\"id\":4294967299,\"content\":\"<t>\"}"), "does not fit" },
        { FILE_WITH(",7"), "does not fit" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tokenizer *t = NULL;
        struct err err = { 0 };

        put(at("other.json"), cases[i].text, strlen(cases[i].text));
        expect_error(tokenizer_open(&t, at("other.json"), 0, NULL, &err), &err, ERR_INVALID,
                     cases[i].part, cases[i].text);
        assert_non_null(strstr(err.text, "other.json"));
        assert_null(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_are_single_tokens_that_decoding_shows),
        cmocka_unit_test(saved_and_opened_again_the_ids_are_the_same),
        cmocka_unit_test(byte_behind_a_tag_is_refused_with_its_offset),
        cmocka_unit_test(senseless_tags_are_refused),
        cmocka_unit_test(added_tokens_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
