/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the ids of published vectors, by every form in which a vocabulary comes.
 * Method: the texts and ids that llama.cpp ships with its vocabularies, and 242 texts encoded with
 * Hugging Face's library; where a form's file is not in the data (tokenizer.model, tokenizer.bin,
 * tokenizer.json), it is made here from one that is. */
#include "tests/unit/worker_tokenizer/files.h"

#include "common/base/json.h"
#include "worker/checkpoint/gguf.h"

static const char mark[] = "\n__ggml_vocab_test__\n";

/* Every text of BASE.inp gives the line of BASE.out, and comes back. NFC: its texts are normal
 * already, but for none. */
static void check_vectors(const struct tokenizer *t, const char *base)
{
    struct buf in = { 0 }, out = { 0 };
    char name[128];
    size_t n = 0;
    char *line;

    snprintf(name, sizeof(name), "ggml-vocab/%s.gguf.inp", base);
    get(shared(name), &in);
    snprintf(name, sizeof(name), "ggml-vocab/%s.gguf.out", base);
    get(shared(name), &out);
    line = out.data;
    for (size_t at_byte = 0; at_byte < in.len; n++) {
        const char *end = strstr(in.data + at_byte, mark);
        size_t len = end ? (size_t)(end - in.data) - at_byte : in.len - at_byte;
        uint32_t want[1024];
        size_t want_len = 0;

        for (line += strspn(line, " "); *line != '\n'; line += strspn(line, " "))
            want[want_len++] = (uint32_t)strtoul(line, &line, 10);
        line++; /* each text ends in the mark, each line in a line feed */
        assert_ids_len(t, in.data + at_byte, len, 0, want, want_len);
        assert_round_trip(t, in.data + at_byte, len, in.data + at_byte, len);
        at_byte += len + strlen(mark);
    }
    assert_int_equal(n, 46);
    buf_release(&in);
    buf_release(&out);
}

static void gpt2_by_every_route(void **state)
{
    static const char *const files[] = { "gpt2/encoder.json", "gpt2/r50k_base.tiktoken", "gpt2",
                                         "ggml-vocab/ggml-vocab-gpt-2.gguf" };

    (void)state;
    NEED_SHARED("gpt2/encoder.json");
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct tokenizer *t = open_ok(shared(files[i]), 50257, NULL);

        assert_int_equal(tokenizer_vocab(t), 50257);
        assert_int_equal(tokenizer_eos(t), 50256);
        assert_int_equal(tokenizer_id(t, "<|endoftext|>"), 50256);
        check_vectors(t, "ggml-vocab-gpt-2");
        assert_ids(t, "a<|endoftext|>b", TOKENIZER_BOS | TOKENIZER_SPECIAL,
                   (uint32_t[]){ 64, 50256, 65 }, 3);
        tokenizer_free(t);
    }
}

static void qwen2_by_every_route(void **state)
{
    struct tokenizer *t;

    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    t = open_ok(shared("qwen2/vocab.json"), 151936, NULL);
    assert_int_equal(tokenizer_vocab(t), 151646);
    assert_int_equal(tokenizer_bos(t), UINT32_MAX);
    assert_int_equal(tokenizer_eos(t), 151643);
    assert_int_equal(tokenizer_id(t, "<|im_end|>"), 151645);
    check_vectors(t, "ggml-vocab-qwen2");
    check_vectors(t, "ggml-vocab-deepseek-r1-qwen");
    tokenizer_free(t);
}

static void llama2_and_phi3_from_gguf(void **state)
{
    struct tokenizer *t;

    (void)state;
    NEED_SHARED("ggml-vocab/ggml-vocab-phi-3.gguf");
    t = open_ok(shared("ggml-vocab/ggml-vocab-llama-spm.gguf"), 32000, NULL);
    check_vectors(t, "ggml-vocab-llama-spm");
    assert_int_equal(tokenizer_bos(t), 1);
    assert_int_equal(tokenizer_eos(t), 2);
    tokenizer_free(t);
    t = open_ok(shared("ggml-vocab/ggml-vocab-phi-3.gguf"), 0, NULL);
    check_vectors(t, "ggml-vocab-phi-3");
    assert_int_equal(tokenizer_eos(t), 32000);
    tokenizer_free(t);
}

/* Lists of the Llama-2 GGUF. */
struct llama2 {
    struct gguf *g;
    struct gguf_list tokens, scores, types;
};

static void open_llama2(struct llama2 *l)
{
    assert_int_equal(gguf_open(&l->g, shared("ggml-vocab/ggml-vocab-llama-spm.gguf"), NULL), 0);
    assert_int_equal(gguf_get_list(l->g, "tokenizer.ggml.tokens", GGUF_TEXT, &l->tokens, NULL), 0);
    assert_int_equal(gguf_get_list(l->g, "tokenizer.ggml.scores", GGUF_F32, &l->scores, NULL), 0);
    assert_int_equal(gguf_get_list(l->g, "tokenizer.ggml.token_type", GGUF_I32, &l->types, NULL),
                     0);
}

static void add_varint(struct buf *b, uint64_t v)
{
    for (; v > 127; v >>= 7)
        buf_addc(b, (char)(v | 0x80));
    buf_addc(b, (char)v);
}

static void add_bytes(struct buf *b, unsigned field, const void *bytes, size_t len)
{
    add_varint(b, field << 3 | 2);
    add_varint(b, len);
    buf_add(b, bytes, len);
}

static void llama2_as_sentencepiece_model(void **state)
{
    struct buf file = { 0 }, one = { 0 };
    struct gguf_text text;
    struct llama2 l;
    struct tokenizer *t;

    (void)state;
    NEED_SHARED("ggml-vocab/ggml-vocab-llama-spm.gguf");
    open_llama2(&l);
    for (size_t i = 0; gguf_next_text(&l.tokens, &text); i++) {
        float score = gguf_list_f32(&l.scores, i);

        buf_clear(&one);
        add_bytes(&one, 1, text.text, text.len);
        add_varint(&one, 2 << 3 | 5);
        buf_add(&one, &score, 4);
        if (gguf_list_i32(&l.types, i) != 1) {
            add_varint(&one, 3 << 3);
            add_varint(&one, (uint64_t)gguf_list_i32(&l.types, i));
        }
        add_bytes(&file, 1, one.data, one.len);
    }
    add_bytes(&file, 2, "\x18\x02\x20\x80\xfa\x01", 6); /* BPE, 32000 tokens */
    add_bytes(&file, 3, "\x0a\x08identity\x18\x01\x20\x00\x28\x01", 16);
    put(at("tokenizer.model"), file.data, file.len);
    t = open_ok(at("tokenizer.model"), 32000, NULL);
    check_vectors(t, "ggml-vocab-llama-spm");
    assert_int_equal(tokenizer_bos(t), 1);
    assert_ids(t, "Hello", TOKENIZER_BOS, (uint32_t[]){ 1, 15043 }, 2);
    tokenizer_free(t);
    unlink(at("tokenizer.model"));
    gguf_close(l.g);
    buf_release(&file);
    buf_release(&one);
}

static void llama2_as_llama2c_bin(void **state)
{
    struct buf file = { 0 };
    struct gguf_text text;
    struct llama2 l;
    struct tokenizer *t;
    uint32_t word = 27;

    (void)state;
    NEED_SHARED("ggml-vocab/ggml-vocab-llama-spm.gguf");
    open_llama2(&l);
    buf_add(&file, &word, 4);
    for (size_t i = 0; gguf_next_text(&l.tokens, &text); i++) {
        float score = gguf_list_f32(&l.scores, i);
        struct buf plain = { 0 };

        for (size_t k = 0; k < text.len; k++)
            if (text.len - k >= 3 && !memcmp(text.text + k, "\xe2\x96\x81", 3)) {
                buf_addc(&plain, ' ');
                k += 2;
            } else {
                buf_addc(&plain, text.text[k]);
            }
        word = (uint32_t)plain.len;
        buf_add(&file, &score, 4);
        buf_add(&file, &word, 4);
        buf_add(&file, plain.data, plain.len);
        buf_release(&plain);
    }
    put(at("tokenizer.bin"), file.data, file.len);
    t = open_ok(at("tokenizer.bin"), 32000, NULL);
    check_vectors(t, "ggml-vocab-llama-spm");
    tokenizer_free(t);
    gguf_close(l.g);
    buf_release(&file);
}

/* The texts of tiny/golden.jsonl with the ids under KEY. */
static void check_golden(const struct tokenizer *t, const char *key, unsigned flags)
{
    struct buf file = { 0 };
    size_t n = 0;

    get(shared("tiny/golden.jsonl"), &file);
    for (char *line = file.data, *end; *line; line = end + 1, n++) {
        struct json *o;
        const struct json *ids;
        uint32_t want[4096];

        end = strchr(line, '\n');
        assert_int_equal(json_parse(line, (size_t)(end - line), &o, NULL), 0);
        ids = json_get(o, key);
        assert_true(json_len(ids) <= ARRAY_LEN(want));
        for (size_t i = 0; i < json_len(ids); i++)
            want[i] = (uint32_t)json_integer(json_at(ids, i), -1);
        assert_ids_len(t, json_text(json_get(o, "text")), json_text_len(json_get(o, "text")), flags,
                       want, json_len(ids));
        json_free(o);
    }
    assert_int_equal(n, 242);
    buf_release(&file);
}

static void tiny_tokenizers_by_every_route(void **state)
{
    static const struct {
        const char *file, *pre, *key;
        size_t vocab;
    } cases[] = {
        { "tiny/tiny_bpe_tokenizer.json", NULL, "tiny_bpe", 2003 },
        { "tiny/tiny_bpe_vocab.json", NULL, "tiny_bpe", 2003 },
        { "tiny/tiny_bpe_vocab.json", "qwen2", "tiny_bpe", 2003 },
        { "tiny/llama3_style_tokenizer.json", NULL, "llama3_style", 2000 },
        { "tiny/tiktoken_small.model", NULL, "llama3_style", 2256 },
        { "tiny/tiktoken_small.model", "llama3", "llama3_style", 2256 },
    };

    (void)state;
    NEED_SHARED("tiny/golden.jsonl");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tokenizer *t = open_ok(shared(cases[i].file), 0, cases[i].pre);

        assert_int_equal(tokenizer_vocab(t), cases[i].vocab);
        /* Hugging Face's library always takes the added tokens of its file; the Llama-3 one has
         * none, a rank file gets them. */
        check_golden(t, cases[i].key, strcmp(cases[i].key, "tiny_bpe") ? 0 : TOKENIZER_SPECIAL);
        tokenizer_free(t);
    }
}

/* A tokenizer.json with these vocabulary and merges, which it takes. BYTES: Qwen2's kind, else
 * Llama 2's. */
static struct tokenizer *open_made_json(struct json *vocab, struct json *merges, bool bytes)
{
    static const char qwen2[] =
        "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\","
        "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":"
        "false,\"trim_offsets\":false,\"use_regex\":false}]}}";
    static const char llama2[] =
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"
        "\"\xe2\x96\x81\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"
        "\"\xe2\x96\x81\"}]},\"pre_tokenizer\":null}";
    const char *rest = bytes ? qwen2 : llama2;
    struct json *root, *model = json_new_object();
    struct tokenizer *t;
    char *text;

    assert_int_equal(json_parse(rest, strlen(rest), &root, NULL), 0);
    json_set(model, "type", json_new_text("BPE"));
    json_set(model, "byte_fallback", json_new_bool(!bytes));
    json_set(model, "vocab", vocab);
    json_set(model, "merges", merges);
    json_set(root, "model", model);
    text = json_dump(root, 0);
    json_free(root);
    put(at("made.json"), text, strlen(text));
    free(text);
    t = open_ok(at("made.json"), 0, NULL);
    unlink(at("made.json"));
    return t;
}

static void qwen2_as_tokenizer_json(void **state)
{
    struct buf file = { 0 };
    struct json *vocab, *merges = json_new_array();
    struct tokenizer *t;

    (void)state;
    NEED_SHARED("qwen2/vocab.json");
    assert_int_equal(json_parse_file(shared("qwen2/vocab.json"), 1 << 24, &vocab, NULL), 0);
    get(shared("qwen2/merges.txt"), &file);
    for (char *line = strchr(file.data, '\n') + 1, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        json_push(merges, json_new_text(line));
    }
    t = open_made_json(vocab, merges, true);
    assert_int_equal(tokenizer_vocab(t), 151643);
    check_vectors(t, "ggml-vocab-qwen2");
    tokenizer_free(t);
    buf_release(&file);
}

struct made {
    char *left, *right;
    float score;
    int64_t ids[2];
};

/* The best score first, then the ids of both parts, as Hugging Face's converter has them. */
static int by_score(const void *a, const void *b)
{
    const struct made *p = a, *q = b;

    if (p->score > q->score || p->score < q->score)
        return p->score > q->score ? -1 : 1;
    for (size_t i = 0; i < 2; i++)
        if (p->ids[i] != q->ids[i])
            return p->ids[i] < q->ids[i] ? -1 : 1;
    return 0;
}

static void llama2_as_tokenizer_json(void **state)
{
    struct json *vocab = json_new_object(), *merges = json_new_array();
    struct made *m = NULL;
    size_t len = 0, cap = 0;
    struct gguf_text text;
    struct gguf_list again;
    struct llama2 l;
    struct tokenizer *t;

    (void)state;
    NEED_SHARED("ggml-vocab/ggml-vocab-llama-spm.gguf");
    open_llama2(&l);
    again = l.tokens;
    for (int64_t i = 0; gguf_next_text(&l.tokens, &text); i++) {
        char *s = mem_calloc(text.len + 1, 1);

        memcpy(s, text.text, text.len);
        json_set(vocab, s, json_new_integer(i));
        free(s);
    }
    for (size_t i = 0; gguf_next_text(&again, &text); i++)
        for (size_t k = 1; k < text.len && i >= 259; k++) {
            char *left = mem_calloc(k + 1, 1), *right = mem_calloc(text.len - k + 1, 1);
            int64_t a, b;

            memcpy(left, text.text, k);
            memcpy(right, text.text + k, text.len - k);
            a = json_integer(json_get(vocab, left), -1);
            b = json_integer(json_get(vocab, right), -1);
            if (a < 0 || b < 0) {
                free(left);
                free(right);
                continue;
            }
            if (len == cap) {
                cap = MAX(2 * cap, (size_t)1024);
                m = mem_realloc(m, cap, sizeof(*m));
            }
            m[len++] = (struct made){ left, right, gguf_list_f32(&l.scores, i), { a, b } };
        }
    assert_true(len > 32000);
    qsort(m, len, sizeof(*m), by_score);
    for (size_t i = 0; i < len; i++) {
        struct json *pair = json_new_array();

        json_push(pair, json_new_text(m[i].left));
        json_push(pair, json_new_text(m[i].right));
        json_push(merges, pair);
        free(m[i].left);
        free(m[i].right);
    }
    free(m);
    gguf_close(l.g);
    t = open_made_json(vocab, merges, false);
    check_vectors(t, "ggml-vocab-llama-spm");
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_by_every_route),
        cmocka_unit_test(qwen2_by_every_route),
        cmocka_unit_test(llama2_and_phi3_from_gguf),
        cmocka_unit_test(llama2_as_sentencepiece_model),
        cmocka_unit_test(llama2_as_llama2c_bin),
        cmocka_unit_test(tiny_tokenizers_by_every_route),
        cmocka_unit_test(qwen2_as_tokenizer_json),
        cmocka_unit_test(llama2_as_tokenizer_json),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
