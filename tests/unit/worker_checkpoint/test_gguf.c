/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: GGUF headers are read as the format says, and no damaged one does harm. Method: headers
 * written here field by field, with counts, lengths and types that lie; the vocabularies of others.
 */
#include "tests/unit/worker_checkpoint/bytes.h"

static int open_bytes(struct gguf **ret, const struct buf *b, struct err *err)
{
    put(at("x.gguf"), b->data, b->len);
    return gguf_open(ret, at("x.gguf"), err);
}

static void bad(const struct buf *b, int code, const char *part, const char *what)
{
    struct gguf *g = NULL;
    struct err err = { 0 };

    expect_error(open_bytes(&g, b, &err), &err, code, part, what);
    assert_non_null(strstr(err.text, "x.gguf"));
}

static void values_of_every_type_are_read(void **state)
{
    static const struct {
        enum gguf_type type;
        uint64_t bits, size;
        double number;
    } cases[] = {
        { GGUF_U8, 255, 255, 255.0 },
        { GGUF_I8, 127, 127, 127.0 },
        { GGUF_U16, 65535, 65535, 65535.0 },
        { GGUF_I16, 32767, 32767, 32767.0 },
        { GGUF_U32, 0xfffffffe, 0xfffffffe, 4294967294.0 },
        { GGUF_I32, 0x7fffffff, 0x7fffffff, 2147483647.0 },
        { GGUF_U64, 1ull << 63, 1ull << 63, 9223372036854775808.0 },
        { GGUF_I64, 5, 5, 5.0 },
        { GGUF_I8, 0xfe, UINT64_MAX, -2.0 },
        { GGUF_I16, 0xfffe, UINT64_MAX, -2.0 },
        { GGUF_I32, 0xfffffffe, UINT64_MAX, -2.0 },
        { GGUF_I64, (uint64_t)-2, UINT64_MAX, -2.0 },
        { GGUF_F32, 0x40490000, UINT64_MAX, 3.140625 },
        { GGUF_F64, 0x4009200000000000, UINT64_MAX, 3.140625 },
    };
    struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gguf *g = NULL;
        struct gguf_text none;
        struct err err = { 0 };
        uint64_t size = 7;
        double value = 7.0;
        bool yes = true;

        start(&b, 0, 2);
        number(&b, "n", cases[i].type, cases[i].bits);
        number(&b, "yes", GGUF_BOOL, 1);
        assert_int_equal(open_bytes(&g, &b, &err), 0);
        assert_int_equal(gguf_get_number(g, "n", 0.0, &value, &err), 0);
        assert_true(value == cases[i].number);
        if (cases[i].size == UINT64_MAX) {
            expect_error(gguf_get_size(g, "n", 0, &size, &err), &err, ERR_INVALID, "key n is", "n");
        } else {
            assert_int_equal(gguf_get_size(g, "n", 0, &size, &err), 0);
            assert_int_equal(size, cases[i].size);
        }
        assert_int_equal(gguf_get_bool(g, "yes", false, &yes, NULL), 0);
        assert_true(yes);
        expect_error(gguf_get_bool(g, "n", true, &yes, &err), &err, ERR_INVALID, "expected bool",
                     "n is no bool");
        expect_error(gguf_get_text(g, "n", &none, &err), &err, ERR_INVALID, "expected text", "n");
        expect_error(gguf_get_size(g, "yes", 0, &size, &err), &err, ERR_INVALID, "whole number",
                     "bool");
        assert_int_equal(gguf_get_size(g, "absent", 77, &size, NULL), 0);
        assert_int_equal(size, 77);
        assert_false(gguf_has(g, "absent"));
        gguf_close(g);
    }
    buf_release(&b);
}

static void lists_are_walked_in_place(void **state)
{
    static const char *const words[] = { "", "a", "two words", "\xc3\xa4" };
    struct buf b = { 0 };
    struct gguf *g = NULL;
    struct gguf_list l;
    struct gguf_text t;
    struct err err = { 0 };

    (void)state;
    start(&b, 0, 4);
    list(&b, "words", GGUF_TEXT, 4);
    for (size_t i = 0; i < 4; i++)
        text(&b, words[i]);
    list(&b, "scores", GGUF_F32, 2);
    u32(&b, 0x3f800000);
    u32(&b, 0xc0000000);
    list(&b, "types", GGUF_I32, 2);
    u32(&b, 3);
    u32(&b, 0xffffffff);
    list(&b, "lists", GGUF_LIST, 2); /* allowed, and of no use to this version */
    u32(&b, GGUF_U8), u64(&b, 3), buf_add(&b, "\1\2\3", 3);
    u32(&b, GGUF_LIST), u64(&b, 1), u32(&b, GGUF_TEXT), u64(&b, 1), text(&b, "deep");
    if (open_bytes(&g, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(gguf_get_list(g, "words", GGUF_TEXT, &l, NULL), 0);
    assert_int_equal(l.len, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(gguf_next_text(&l, &t));
        assert_true(gguf_text_is(t, words[i]));
    }
    assert_false(gguf_next_text(&l, &t));
    assert_int_equal(gguf_get_list(g, "scores", GGUF_F32, &l, NULL), 0);
    assert_true(gguf_list_f32(&l, 0) == 1.0f && gguf_list_f32(&l, 1) == -2.0f);
    assert_int_equal(gguf_get_list(g, "types", GGUF_I32, &l, NULL), 0);
    assert_int_equal(gguf_list_i32(&l, 1), -1);
    expect_error(gguf_get_list(g, "types", GGUF_TEXT, &l, &err), &err, ERR_INVALID,
                 "key types is a list of i32, expected text", "another type");
    assert_int_equal(gguf_get_list(g, "absent", GGUF_TEXT, &l, NULL), 0);
    assert_int_equal(l.len, 0);
    assert_false(gguf_next_text(&l, &t));
    gguf_close(g);
    buf_release(&b);
}

static void counts_and_lengths_that_lie_are_refused(void **state)
{
    static const uint64_t lies[] = { 2,          1000,       0xffffffff,         1ull << 32,
                                     1ull << 60, 1ull << 61, 0x7fffffffffffffff, UINT64_MAX };
    struct buf b = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        for (enum gguf_type type = GGUF_U8; type < GGUF_TYPES; type++) {
            if (type == GGUF_LIST)
                continue;
            start(&b, 0, 1);
            list(&b, "l", type, lies[i]);
            buf_addc(&b, 1);
            bad(&b, ERR_CORRUPT, "leaves the file", "length of a list");
        }
        start(&b, 0, 1);
        list(&b, "l", GGUF_LIST, lies[i]);
        u32(&b, GGUF_U8), u64(&b, 0);
        bad(&b, ERR_CORRUPT, "leaves the file", "lists in a list");
        start(&b, 0, 1);
        text(&b, "t"), u32(&b, GGUF_TEXT), u64(&b, lies[i]), buf_addc(&b, 'x');
        bad(&b, ERR_CORRUPT, "leaves the file", "length of a text");
        start(&b, 0, 1);
        u64(&b, lies[i]), u32(&b, 0), buf_addc(&b, 'x');
        bad(&b, ERR_CORRUPT, lies[i] > 4 ? "a key at offset" : "x.gguf", "length of a key");
        start(&b, lies[i], 0);
        pad(&b, 1, 24);
        bad(&b, ERR_CORRUPT, "tensors", "number of tensors");
        start(&b, 0, lies[i]);
        number(&b, "n", GGUF_U8, 1);
        bad(&b, ERR_CORRUPT, "keys", "number of keys");
        start(&b, 1, 0);
        tensor(&b, "t", 1, &lies[i], 0, 0);
        bad(&b, ERR_CORRUPT, "tensor t", "elements of a tensor");
        start(&b, 1, 0);
        tensor(&b, "t", 1, &(uint64_t){ 1 }, 0, lies[i] & ~31ull);
        bad(&b, ERR_CORRUPT, "tensor t", "offset of a tensor");
    }
    buf_release(&b);
}

static void strange_headers_are_refused_with_the_reason(void **state)
{
    struct buf b = { 0 };

    (void)state;
    start(&b, 0, 0);
    b.data[4] = 1;
    bad(&b, ERR_VERSION, "GGUF of version 1; this version reads 2 and 3", "version 1");
    b.data[4] = 4;
    bad(&b, ERR_VERSION, "version 4", "version 4");
    memcpy(b.data + 4, "\0\0\0\3", 4);
    bad(&b, ERR_VERSION, "(big-endian)", "big-endian");
    b.data[0] = 'g';
    bad(&b, ERR_CORRUPT, "no GGUF file", "magic");
    start(&b, 0, 1);
    number(&b, "n", GGUF_BOOL, 2);
    bad(&b, ERR_CORRUPT, "neither true nor false", "bool");
    start(&b, 0, 1);
    text(&b, "n"), u32(&b, 13), u64(&b, 0);
    bad(&b, ERR_CORRUPT, "unknown type 13", "type");
    start(&b, 0, 1);
    text(&b, ""), u32(&b, 0), u64(&b, 0);
    bad(&b, ERR_CORRUPT, "a name of 0 bytes", "key without a name");
    start(&b, 0, 1);
    u64(&b, 2), buf_add(&b, "a\0", 2), u32(&b, 0), u64(&b, 0);
    bad(&b, ERR_CORRUPT, "no NUL", "key with a NUL");
    start(&b, 0, 3);
    number(&b, "n", GGUF_U8, 1), number(&b, "m", GGUF_U8, 1), number(&b, "n", GGUF_U16, 1);
    bad(&b, ERR_CORRUPT, "key n is there twice", "twice");
    buf_release(&b);
}

static void alignments_and_depths_beyond_the_format_are_refused(void **state)
{
    struct buf b = { 0 };

    (void)state;
    start(&b, 0, 1);
    list(&b, "l", GGUF_LIST, 1);
    for (int i = 0; i < 8; i++)
        u32(&b, GGUF_LIST), u64(&b, 1);
    bad(&b, ERR_LIMIT, "more than 4 lists in one another", "depth");
    for (uint64_t a = 0; a < 64; a = a ? 2 * a + a % 3 : 1) {
        start(&b, 0, 1);
        number(&b, "general.alignment", GGUF_U32, a);
        if (a < 8 || (a & (a - 1)))
            bad(&b, ERR_CORRUPT, "power of two", "alignment");
    }
    start(&b, 0, 1);
    number(&b, "general.alignment", GGUF_U64, 1ull << 62);
    bad(&b, ERR_CORRUPT, "power of two", "alignment");
    start(&b, 0, 1);
    number(&b, "general.alignment", GGUF_F32, 0);
    bad(&b, ERR_INVALID, "general.alignment", "alignment of another type");
    buf_release(&b);
}

static void strange_tensors_are_refused_with_the_reason(void **state)
{
    static const uint64_t one = 1, zero = 0, pair[] = { 1ull << 32, 1ull << 32 };
    struct buf b = { 0 };

    (void)state;
    start(&b, 1, 0);
    tensor(&b, "t", 5, (const uint64_t[]){ 1, 1, 1, 1, 1 }, 0, 0);
    bad(&b, ERR_CORRUPT, "5 dimensions", "dimensions");
    start(&b, 1, 0);
    tensor(&b, "t", 2, pair, 0, 0);
    bad(&b, ERR_CORRUPT, "bad dimension 1", "overflow");
    start(&b, 1, 0);
    tensor(&b, "t", 1, &zero, 0, 0);
    bad(&b, ERR_CORRUPT, "bad dimension 0", "nothing in it");
    start(&b, 1, 0);
    tensor(&b, "t", 1, &one, 0, 4);
    pad(&b, 32, 64);
    bad(&b, ERR_CORRUPT, "not aligned", "unaligned");
    start(&b, 2, 0);
    tensor(&b, "t", 1, &(uint64_t){ 9 }, 0, 0), tensor(&b, "u", 1, &one, 0, 32);
    pad(&b, 32, 64);
    bad(&b, ERR_CORRUPT, "tensor u at data offset 32: overlaps", "overlap");
    start(&b, 2, 0);
    tensor(&b, "t", 1, &one, 0, 0), tensor(&b, "t", 1, &one, 0, 32);
    pad(&b, 32, 64);
    bad(&b, ERR_CORRUPT, "tensor t is there twice", "twice");
    start(&b, 1, 0);
    tensor(&b, "t", 1, &one, 0, 0);
    pad(&b, 32, 64);
    bad(&b, ERR_CORRUPT, "60 bytes more than its header describes", "excess");
    start(&b, 1, 0);
    tensor(&b, "t", 1, &(uint64_t){ 33 }, 30, 0);
    pad(&b, 32, 64);
    bad(&b, ERR_CORRUPT, "needs 66 bytes", "cut by two bytes");
    buf_release(&b);
}

static void tensors_are_found_by_name_and_placed_in_the_file(void **state)
{
    struct buf b = { 0 };
    struct gguf *g = NULL;
    struct err err = { 0 };
    const struct gguf_tensor *t;
    char name[24];

    (void)state;
    start(&b, 3, 1);
    number(&b, "general.alignment", GGUF_U32, 64);
    tensor(&b, "b", 2, (const uint64_t[]){ 5, 3 }, 1, 64);
    tensor(&b, "aa", 1, &(uint64_t){ 2 }, 0, 0);
    tensor(&b, "c", 1, &(uint64_t){ 32 }, 2, 128);
    pad(&b, 64, 200);
    if (open_bytes(&g, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(gguf_tensors(g), 3);
    assert_true(gguf_text_is(gguf_tensor_at(g, 0)->name, "aa"));
    t = gguf_find_tensor(g, "b");
    assert_int_equal(t->dims, 2);
    assert_int_equal(t->shape[0], 5);
    assert_int_equal(t->shape[1], 3);
    assert_int_equal(t->shape[2], 1);
    assert_int_equal(t->begin, b.len - 200 + 64);
    assert_int_equal(t->bytes, 30);
    assert_string_equal(gguf_type_name(gguf_find_tensor(g, "c")->type, name), "Q4_0");
    assert_int_equal(gguf_find_tensor(g, "c")->bytes, 0); /* unknown to this version */
    assert_string_equal(gguf_type_name(77, name), "type 77");
    assert_null(gguf_find_tensor(g, "a"));
    gguf_close(g);
    buf_release(&b);
}

static void vocabularies_of_others_are_read_and_are_no_models(void **state)
{
    static const struct {
        const char *name, *model;
        size_t tokens, merges;
        uint64_t bos, eos;
    } files[] = {
        { "tokenizers/ggml-vocab/ggml-vocab-gpt-2.gguf", "gpt2", 50257, 50000, 50256, 50256 },
        { "tokenizers/ggml-vocab/ggml-vocab-llama-spm.gguf", "llama", 32000, 0, 1, 2 },
        { "tokenizers/ggml-vocab/ggml-vocab-phi-3.gguf", "llama", 32064, 0, 1, 32000 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *path = shared(files[i].name);
        struct gguf *g = NULL;
        struct gguf_list tokens, types;
        struct gguf_text t;
        struct err err = { 0 };
        uint64_t id = 0;
        size_t n = 0;

        if (gguf_open(&g, path, &err))
            fail_msg("%s", err.text);
        assert_int_equal(gguf_tensors(g), 0);
        assert_string_equal(gguf_path(g), path);
        assert_int_equal(gguf_get_text(g, "tokenizer.ggml.model", &t, NULL), 0);
        assert_true(gguf_text_is(t, files[i].model));
        assert_int_equal(gguf_get_list(g, "tokenizer.ggml.tokens", GGUF_TEXT, &tokens, NULL), 0);
        assert_int_equal(tokens.len, files[i].tokens);
        while (gguf_next_text(&tokens, &t))
            n += t.len > 0;
        assert_int_equal(n, files[i].tokens);
        assert_int_equal(gguf_get_list(g, "tokenizer.ggml.token_type", GGUF_I32, &types, NULL), 0);
        assert_int_equal(types.len, files[i].tokens);
        assert_in_range(gguf_list_i32(&types, types.len - 1), 1, 6);
        assert_int_equal(gguf_get_list(g, "tokenizer.ggml.merges", GGUF_TEXT, &tokens, NULL), 0);
        assert_int_equal(tokens.len, files[i].merges);
        assert_int_equal(gguf_get_size(g, "tokenizer.ggml.bos_token_id", 9, &id, NULL), 0);
        assert_int_equal(id, files[i].bos);
        assert_int_equal(gguf_get_size(g, "tokenizer.ggml.eos_token_id", 9, &id, NULL), 0);
        assert_int_equal(id, files[i].eos);
        gguf_close(g);
        assert_true(gguf_probe(path));
        refused(path, ERR_INVALID, "has no tensors", files[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_read),
        cmocka_unit_test(lists_are_walked_in_place),
        cmocka_unit_test(counts_and_lengths_that_lie_are_refused),
        cmocka_unit_test(strange_headers_are_refused_with_the_reason),
        cmocka_unit_test(alignments_and_depths_beyond_the_format_are_refused),
        cmocka_unit_test(strange_tensors_are_refused_with_the_reason),
        cmocka_unit_test(tensors_are_found_by_name_and_placed_in_the_file),
        cmocka_unit_test(vocabularies_of_others_are_read_and_are_no_models),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
