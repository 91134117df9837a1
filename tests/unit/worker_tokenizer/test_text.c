/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: any bytes survive encoding and decoding, at once and token by token; long words take no
 * quadratic time; words are cut and texts normalised as the families' own libraries do.
 * Method: random texts of bytes, scripts, marks and emoji; both ways of merging compared; cases by
 * hand. */
#include "tests/unit/worker_tokenizer/files.h"

#include "common/base/rng.h"
#include "worker/tokenizer/tokenizer_private.h"

static void add_point(struct buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(b, (char)c);
    } else if (c < 0x800) {
        buf_addc(b, (char)(0xc0 | c >> 6));
        buf_addc(b, (char)(0x80 | (c & 63)));
    } else if (c < 0x10000) {
        buf_addc(b, (char)(0xe0 | c >> 12));
        buf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_addc(b, (char)(0x80 | (c & 63)));
    } else {
        buf_addc(b, (char)(0xf0 | c >> 18));
        buf_addc(b, (char)(0x80 | (c >> 12 & 63)));
        buf_addc(b, (char)(0x80 | (c >> 6 & 63)));
        buf_addc(b, (char)(0x80 | (c & 63)));
    }
}

/* A text of up to 80 characters of mixed kinds, some of them no characters. */
static void random_text(struct rng *r, struct buf *out)
{
    static const uint32_t ranges[][2] = {
        { 0, 0x20 },        { 0x20, 0x7f },     { 0x20, 0x7f },       { 'a', 'z' + 1 },
        { '0', '9' + 1 },   { 0x20, 0x21 },     { 0x0a, 0x0e },       { 0x80, 0x250 },
        { 0x300, 0x370 },   { 0x370, 0x590 },   { 0x590, 0x900 },     { 0x1100, 0x1200 },
        { 0x1e00, 0x2000 }, { 0x2000, 0x2070 }, { 0x2580, 0x2584 },   { 0x3000, 0x30ff },
        { 0xac00, 0xd7a4 }, { 0xf900, 0xfb50 }, { 0x1f300, 0x1f700 }, { 0x10000, 0x10ffff },
    };
    size_t n = rng_below(r, 80);

    buf_clear(out);
    while (n--) {
        const uint32_t *range = ranges[rng_below(r, ARRAY_LEN(ranges))];
        uint32_t c = range[0] + rng_below(r, range[1] - range[0]);

        if (rng_below(r, 20) == 0)
            buf_addc(out, (char)rng_below(r, 256));
        else if (c < 0xd800 || c > 0xdfff)
            add_point(out, c);
    }
    (void)buf_str(out);
}

/* What Qwen gives back: its runs of UTF-8 in NFC. */
static void normal_form(const char *text, size_t len, struct buf *out)
{
    size_t start = 0, step;
    uint32_t c;
    bool done;

    buf_clear(out);
    for (size_t i = 0; i <= len; i += step ? step : 1) {
        step = i < len ? utf8_at(text + i, len - i, &c) : 0;
        if (step)
            continue;
        assert_int_equal(nfc_append(text + start, i - start, &done, out, NULL), 0);
        if (!done)
            buf_add(out, text + start, i - start);
        if (i < len)
            buf_addc(out, text[i]);
        start = i + 1;
    }
}

static void check_round_trips(const char *file, const char *pre, unsigned times)
{
    struct tokenizer *t = open_ok(shared(file), 0, pre);
    struct rng r = rng_stream("test-tokenizer", 1, 0);
    struct buf text = { 0 }, want = { 0 };

    for (unsigned i = 0; i < times; i++) {
        random_text(&r, &text);
        if (t->nfc) {
            normal_form(text.data, text.len, &want);
        } else {
            buf_clear(&want);
            buf_add(&want, buf_str(&text), text.len);
        }
        assert_round_trip(t, buf_str(&text), text.len, buf_str(&want), want.len);
    }
    tokenizer_free(t);
    buf_release(&text);
    buf_release(&want);
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    check_round_trips("gpt2/r50k_base.tiktoken", NULL, 3000);
    check_round_trips("gpt2/encoder.json", NULL, 3000);
    check_round_trips("qwen2/vocab.json", NULL, 3000);
    check_round_trips("tiny/tiktoken_small.model", NULL, 3000);
    check_round_trips("ggml-vocab/ggml-vocab-llama-spm.gguf", NULL, 3000);
    check_round_trips("ggml-vocab/ggml-vocab-phi-3.gguf", NULL, 1000);
}

static void both_ways_of_merging_agree(void **state)
{
    static const char *const files[] = { "gpt2/r50k_base.tiktoken", "gpt2/encoder.json" };
    struct merge_scratch m = { 0 };
    struct symbol a[MERGE_SHORT], b[MERGE_SHORT];

    (void)state;
    NEED_SHARED("gpt2/encoder.json");
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        struct tokenizer *t = open_ok(shared(files[f]), 0, NULL);
        struct rng r = rng_stream("test-tokenizer", 2, 0);

        for (unsigned i = 0; i < 20000; i++) {
            char word[MERGE_SHORT];
            uint32_t n = 2 + rng_below(&r, MERGE_SHORT - 1), letters = 1 + rng_below(&r, 26);
            size_t len, other;

            for (uint32_t k = 0; k < n; k++) {
                word[k] = (char)('a' + rng_below(&r, letters));
                a[k] = b[k] =
                    (struct symbol){ .at = k, .len = 1, .id = t->byte_id[(unsigned char)word[k]] };
            }
            len = merge_symbols(t, word, a, n, MERGE_SHORT, &m);
            other = merge_symbols(t, word, b, n, 0, &m);
            assert_int_equal(len, other);
            assert_memory_equal(a, b, len * sizeof(*a));
        }
        tokenizer_free(t);
    }
    merge_scratch_release(&m);
}

static void fill_with(struct buf *b, const char *pattern, size_t len)
{
    buf_clear(b);
    while (b->len < len)
        buf_adds(b, pattern);
}

/* A quadratic step would take minutes here. */
static void long_words_take_no_quadratic_time(void **state)
{
    static const char *const patterns[] = {
        "a", "ab",           " ", "\n",         " \t", "<", "<|", "\xcc\x81\xcc\xa3", "\xff",
        "1", "\xe4\xbd\xa0", "?", "the quick ",
    };
    static const char *const files[] = { "qwen2/vocab.json", "gpt2/r50k_base.tiktoken",
                                         "ggml-vocab/ggml-vocab-llama-spm.gguf" };
    struct buf text = { 0 };

    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    for (size_t f = 0; f < ARRAY_LEN(files); f++) {
        struct tokenizer *t = open_ok(shared(files[f]), 0, NULL);

        for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
            struct buf back = { 0 };
            uint32_t *ids;
            size_t len;

            fill_with(&text, patterns[i], 300000);
            assert_int_equal(
                tokenizer_encode(t, text.data, text.len, TOKENIZER_SPECIAL, &ids, &len, NULL), 0);
            tokenizer_decode(t, ids, len, true, &back);
            if (!t->nfc || patterns[i][0] != '\xcc') {
                assert_int_equal(back.len, text.len);
                assert_memory_equal(back.data, text.data, text.len);
            }
            buf_release(&back);
            free(ids);
        }
        tokenizer_free(t);
    }
    buf_release(&text);
}

static void texts_become_nfc(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: as it is */
    } cases[] = {
        { "plain", NULL },
        { "e\xcc\x81", "\xc3\xa9" },
        { "\xc3\xa9", NULL },
        { "\xe2\x84\xab", "\xc3\x85" },                             /* Angstrom sign */
        { "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81" }, /* Hangul from its letters */
        { "q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87" },               /* marks in order */
        { "d\xcc\x87\xcc\xa3", "\xe1\xb8\x8d\xcc\x87" },
        { "\xe1\xba\x9b\xcc\xa3", NULL },     /* composes no further */
        { "\xe0\xa4\x95\xe0\xa4\xbc", NULL }, /* excluded from composition */
        { "\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc" },
        { "\xef\xac\x81", NULL }, /* compatibility only */
        { "\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c" },
        { "\xef\xa4\x80", "\xe8\xb1\x88" },
        { "\xf0\x9d\x85\x9e", "\xf0\x9d\x85\x97\xf0\x9d\x85\xa5" },
        { "a\xcc\x81\xcc\x81\xcc\xa3", "\xe1\xba\xa1\xcc\x81\xcc\x81" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *want = cases[i].out ? cases[i].out : cases[i].in;
        struct buf out = { 0 };
        bool done;

        assert_int_equal(nfc_append(cases[i].in, strlen(cases[i].in), &done, &out, NULL), 0);
        if (done)
            assert_string_equal(buf_str(&out), want);
        else
            assert_string_equal(cases[i].in, want);
        buf_release(&out);
    }
}

/* The words of TEXT by PATTERN, joined with '|'. */
static void assert_words(const char *pattern, const char *text, const char *want)
{
    struct regex *r;
    struct regex_scratch *s = regex_scratch_new();
    struct buf words = { 0 };
    size_t begin, end;
    struct err err = { 0 };

    if (regex_new(&r, pattern, &err))
        fail_msg("%s", err.text);
    for (size_t from = 0; from < strlen(text); from = end) {
        assert_int_equal(regex_next(r, s, text, strlen(text), from, &begin, &end, NULL), 0);
        buf_add(&words, text + begin, end - begin);
        buf_addc(&words, '|');
    }
    assert_string_equal(buf_str(&words), want);
    buf_release(&words);
    regex_scratch_free(s);
    regex_free(r);
}

static const char llama3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static void words_are_cut_as_oniguruma_cuts_them(void **state)
{
    (void)state;
    assert_words(llama3, "I'm  here\n\n ok 12345!?\n", "I|'m| | here|\n\n| ok| |123|45|!?\n|");
    assert_words(llama3, "WE'LL go", "WE|'LL| go|");
    assert_words(llama3, "'\xc5\xbfx", "'\xc5\xbf|x|"); /* long s folds to s */
    assert_words(llama3, "a\xc2\x85z", "a|\xc2\x85z|"); /* NEL before letters, as any other */
    assert_words("\\s+", "a\xc2\x85\xe2\x80\xa8 b", "\xc2\x85\xe2\x80\xa8 ||");
    assert_words("\\s+",
                 "a\xe1\xa0\x8e"
                 "b",
                 "|"); /* U+180E is no white space */
    assert_words("\\S+",
                 "a\xe1\xa0\x8e"
                 "b c",
                 "a\xe1\xa0\x8e"
                 "b|c|");
    assert_words("[^\\s]+", "x\xe3\x80\x80y", "x|y|");
    assert_words("[]\\s]+", "a] ]b", "] ]||");
}

static void bad_patterns_are_refused(void **state)
{
    struct regex *r;
    struct err err = { 0 };

    (void)state;
    expect_error(regex_new(&r, "(a", &err), &err, ERR_INVALID, "'(a'", "open");
    expect_error(regex_new(&r, "[\\S]", &err), &err, ERR_INVALID, "inside a class", "class");
    expect_error(regex_new(&r, "\\p{Klingon}", &err), &err, ERR_INVALID, "Klingon", "property");
}

static void a_hostile_pattern_meets_a_limit(void **state)
{
    struct regex *r;
    struct regex_scratch *s = regex_scratch_new();
    struct err err = { 0 };
    struct buf text = { 0 };
    size_t begin, end;

    (void)state;
    fill_with(&text, "a", 60);
    assert_int_equal(regex_new(&r, "(?:(a+)+)+b|(?:a|a)+c", NULL), 0);
    expect_error(regex_next(r, s, text.data, text.len, 0, &begin, &end, &err), &err, ERR_LIMIT,
                 "offset 0", "backtracking");
    regex_free(r);
    regex_scratch_free(s);
    buf_release(&text);
}

static void characters_wait_for_their_last_byte(void **state)
{
    struct token_stream s = { 0 };
    struct tokenizer *t;
    struct buf out = { 0 };
    uint32_t *ids;
    size_t len;
    static const struct {
        const char *in;
        size_t held[5];
    } cases[] = {
        { "\xf0\x9f\x98\x80", { 1, 2, 3, 0 } },
        { "\xe2\x82"
          "a",
          { 1, 2, 0 } },
        { "\xc0\x80", { 0, 0 } },
        { "\xed\xa0", { 1, 0 } },
        { "\xe0\x9f", { 1, 0 } },
        { "\xf4\x90", { 1, 0 } },
        { "\xf5\x80", { 0, 0 } },
        { "\xe2\xe2\x82\xac", { 1, 1, 2, 0 } },
    };

    (void)state;
    NEED_SHARED("gpt2/r50k_base.tiktoken");
    t = open_ok(shared("gpt2/r50k_base.tiktoken"), 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&out);
        for (size_t k = 0; cases[i].in[k]; k++) {
            token_stream_push(&s, t, t->byte_id[(unsigned char)cases[i].in[k]], false, &out);
            assert_int_equal(s.held_len, cases[i].held[k]);
            assert_int_equal(out.len, k + 1 - s.held_len);
        }
        token_stream_end(&s, &out);
        assert_string_equal(out.data, cases[i].in);
    }
    assert_int_equal(tokenizer_encode(t, "", 0, 0, &ids, &len, NULL), 0);
    assert_int_equal(len, 0);
    free(ids);
    assert_ids_len(t, "a\0b", 3, 0, (uint32_t[]){ 64, 188, 65 }, 3); /* NUL is a byte like others */
    buf_release(&out);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(both_ways_of_merging_agree),
        cmocka_unit_test(long_words_take_no_quadratic_time),
        cmocka_unit_test(texts_become_nfc),
        cmocka_unit_test(words_are_cut_as_oniguruma_cuts_them),
        cmocka_unit_test(bad_patterns_are_refused),
        cmocka_unit_test(a_hostile_pattern_meets_a_limit),
        cmocka_unit_test(characters_wait_for_their_last_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
