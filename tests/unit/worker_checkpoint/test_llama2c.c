/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: llama2.c checkpoints of both versions load exactly, and no damaged one does harm.
 * Method: tiny random models written here as export.py lays them out; truncations, excess, hostile
 * and flipped headers. */
#include "tests/unit/worker_checkpoint/files.h"

static void put_word(struct buf *b, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        buf_addc(b, (char)(v >> 8 * i & 255));
}

static void put_floats(struct buf *b, float *const *tensor, size_t count, size_t floats)
{
    for (size_t i = 0; i < count; i++)
        buf_add(b, tensor[i], floats * sizeof(float));
}

static void put_numbers(struct buf *b, const struct model_conf *c, bool signed_vocab)
{
    put_word(b, (uint32_t)c->dim);
    put_word(b, (uint32_t)c->hidden);
    put_word(b, (uint32_t)c->layers);
    put_word(b, (uint32_t)c->heads);
    put_word(b, (uint32_t)c->kv_heads);
    put_word(b, signed_vocab && !c->tied ? 0 - (uint32_t)c->vocab : (uint32_t)c->vocab);
    put_word(b, (uint32_t)c->positions);
}

static void put_matrices(struct buf *b, const struct model_conf *c, const struct model_weights *w,
                         int version)
{
    size_t l = c->layers, q = c->heads * c->head_dim * c->dim,
           kv = c->kv_heads * c->head_dim * c->dim;

    put_floats(b, w->wq, l, q);
    put_floats(b, w->wk, l, kv);
    put_floats(b, w->wv, l, kv);
    put_floats(b, w->wo, l, q);
    if (version == 0)
        put_floats(b, w->norm2, l, c->dim);
    put_floats(b, w->w1, l, c->hidden * c->dim);
    put_floats(b, w->w2, l, c->hidden * c->dim);
    put_floats(b, w->w3, l, c->hidden * c->dim);
}

static void print_checkpoint(struct buf *b, const struct model_conf *c,
                             const struct model_weights *w, int version)
{
    float zeros[64] = { 0 }, *zero = zeros;

    buf_clear(b);
    if (version == 0) {
        put_numbers(b, c, true);
        put_floats(b, w->embed, 1, c->vocab * c->dim);
        put_floats(b, w->norm1, c->layers, c->dim);
        put_matrices(b, c, w, 0);
        put_floats(b, w->norm, 1, c->dim);
        for (int i = 0; i < 2; i++)
            put_floats(b, &zero, 1, c->positions * c->head_dim / 2);
    } else {
        put_word(b, 0x616b3432);
        put_word(b, 1);
        put_numbers(b, c, false);
        buf_addc(b, c->tied);
        while (b->len < 256)
            buf_addc(b, '\0');
        put_floats(b, w->norm1, c->layers, c->dim);
        put_floats(b, w->norm2, c->layers, c->dim);
        put_floats(b, w->norm, 1, c->dim);
        put_floats(b, w->embed, 1, c->vocab * c->dim);
        put_matrices(b, c, w, 1);
    }
    if (!c->tied)
        put_floats(b, w->head, 1, c->vocab * c->dim);
}

static void both_versions_load_exactly_tied_and_untied(void **state)
{
    struct buf file = { 0 };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct model_conf c = tiny;
        struct model_weights w, back;
        struct err err = { 0 };
        struct checkpoint *m;

        c.tied = i % 2;
        random_weights(&w, &c);
        print_checkpoint(&file, &c, &w, i / 2);
        put(at("model.bin"), file.data, file.len);
        if (checkpoint_open(&m, at("model.bin"), &err))
            fail_msg("%s", err.text);
        back = widened(m);
        assert_memory_equal(back.all, w.all, w.floats_len * sizeof(float));
        assert_string_equal(m->format, "llama2.c");
        assert_int_equal(m->tensors, 3 + 9 * c.layers - c.tied);
        model_weights_release(&back);
        assert_int_equal(m->conf.tied, c.tied);
        assert_int_equal(m->conf.positions, c.positions);
        assert_true(m->conf.rope_interleaved && m->conf.rms_eps == 1e-5f &&
                    m->conf.rope_theta == 10000.0f);
        checkpoint_close(m);
        model_weights_release(&w);
    }
    buf_release(&file);
}

static void folder_with_one_checkpoint_opens(void **state)
{
    struct buf file = { 0 };
    struct model_weights w;
    struct err err = { 0 };
    struct checkpoint *m;

    (void)state;
    random_weights(&w, &tiny);
    print_checkpoint(&file, &tiny, &w, 0);
    mkdir(at("folder"), 0777);
    expect_error(checkpoint_open(&m, at("folder"), &err), &err, ERR_NOT_FOUND, "config.json",
                 "empty folder");
    put(at("folder/some.bin"), file.data, file.len);
    assert_int_equal(checkpoint_open(&m, at("folder"), NULL), 0);
    checkpoint_close(m);
    put(at("folder/other.bin"), file.data, file.len);
    expect_error(checkpoint_open(&m, at("folder"), &err), &err, ERR_INVALID, "more than one",
                 "two");
    expect_error(checkpoint_open(&m, at("nothing"), &err), &err, ERR_NOT_FOUND, "nothing",
                 "no file");
    model_weights_release(&w);
    buf_release(&file);
}

static void tokenizer_beside_the_checkpoint_is_named_when_it_is_the_only_one(void **state)
{
    struct buf file = { 0 }, found = { 0 };
    struct model_weights w;
    struct err err = { 0 };

    (void)state;
    random_weights(&w, &tiny);
    print_checkpoint(&file, &tiny, &w, 1);
    mkdir(at("beside"), 0777);
    put(at("beside/a.bin"), file.data, file.len);
    assert_int_equal(checkpoint_tokenizer(at("beside"), &found, NULL), 0);
    assert_int_equal(found.len, 0);
    put(at("beside/tokenizer.model"), "x", 1);
    assert_int_equal(checkpoint_tokenizer(at("beside/a.bin"), &found, NULL), 0);
    assert_string_equal(buf_str(&found), at("beside/tokenizer.model"));
    put(at("beside/tok16.bin"), "x", 1);
    for (int i = 0; i < 2; i++) {
        buf_clear(&found);
        assert_int_equal(checkpoint_tokenizer(at(i ? "beside/a.bin" : "beside"), &found, NULL), 0);
        assert_string_equal(buf_str(&found), at("beside/tok16.bin"));
    }
    put(at("beside/tok17.bin"), "x", 1);
    expect_error(checkpoint_tokenizer(at("beside"), &found, &err), &err, ERR_INVALID,
                 "more than one tok*.bin", "two");
    model_weights_release(&w);
    buf_release(&file);
    buf_release(&found);
}

static void every_truncation_and_every_excess_is_refused(void **state)
{
    struct buf file = { 0 };

    (void)state;
    for (int version = 0; version < 2; version++) {
        struct model_weights w;
        struct err err = { 0 };
        struct checkpoint *m;

        random_weights(&w, &tiny);
        print_checkpoint(&file, &tiny, &w, version);
        for (size_t len = 0; len < file.len; len += len < 600 ? 1 : 4) {
            put(at("cut.bin"), file.data, len);
            expect_error(checkpoint_open(&m, at("cut.bin"), &err), &err, ERR_CORRUPT, "cut.bin",
                         "cut");
        }
        buf_addc(&file, 'x');
        put(at("cut.bin"), file.data, file.len);
        expect_error(checkpoint_open(&m, at("cut.bin"), &err), &err, ERR_CORRUPT, "too long",
                     "long");
        model_weights_release(&w);
    }
    buf_release(&file);
}

static void hostile_headers_are_refused_before_memory_is_taken(void **state)
{
    static const uint32_t values[] = { 0,          1,          3,       7,      0x7fffffff,
                                       0x80000000, 0xffffffff, 0x10000, 1 << 20 };
    struct buf file = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    for (int version = 0; version < 2; version++) {
        print_checkpoint(&file, &tiny, &w, version);
        for (size_t field = 0; field < 7; field++) {
            char *word = file.data + (version ? 8 : 0) + 4 * field, kept[4];

            memcpy(kept, word, 4);
            for (size_t v = 0; v < ARRAY_LEN(values); v++) {
                struct err err = { 0 };
                struct checkpoint *m;

                for (int i = 0; i < 4; i++)
                    word[i] = (char)(values[v] >> 8 * i & 255);
                if (!memcmp(word, kept, 4) ||
                    (version == 1 && field == 6 && values[v] - 1 < 1 << 20))
                    continue; /* v1 says nothing else about the number of positions */
                put(at("hostile.bin"), file.data, file.len);
                expect_error(checkpoint_open(&m, at("hostile.bin"), &err), &err, ERR_CORRUPT,
                             "hostile.bin", "hostile field");
            }
            memcpy(word, kept, 4);
        }
    }
    model_weights_release(&w);
    buf_release(&file);
}

static void flipped_bits_of_the_header_never_crash(void **state)
{
    struct buf file = { 0 };
    struct model_weights w;

    (void)state;
    random_weights(&w, &tiny);
    for (int version = 0; version < 2; version++) {
        print_checkpoint(&file, &tiny, &w, version);
        for (size_t bit = 0; bit < 8 * (version ? 44 : 28); bit++) {
            struct err err = { 0 };
            struct checkpoint *m = NULL;

            file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
            put(at("flip.bin"), file.data, file.len);
            file.data[bit / 8] = (char)(file.data[bit / 8] ^ 1 << bit % 8);
            if (checkpoint_open(&m, at("flip.bin"), &err))
                assert_non_null(strstr(err.text, "flip.bin"));
            else /* nothing but the positions of v1 and its padding may be changed unnoticed */
                assert_true(version == 1 && (bit / 8 >= 32));
            checkpoint_close(m);
        }
    }
    model_weights_release(&w);
    buf_release(&file);
}

static void other_versions_are_named(void **state)
{
    struct buf file = { 0 };
    struct model_weights w;
    struct err err = { 0 };
    struct checkpoint *m;

    (void)state;
    random_weights(&w, &tiny);
    print_checkpoint(&file, &tiny, &w, 1);
    file.data[4] = 2;
    put(at("v2.bin"), file.data, file.len);
    expect_error(checkpoint_open(&m, at("v2.bin"), &err), &err, ERR_VERSION, "version 2",
                 "quantised");
    model_weights_release(&w);
    buf_release(&file);
}

/* stories260K is in both versions: the same weights, and the frequency tables only in one. */
static void real_checkpoint_has_the_same_weights_in_both_versions(void **state)
{
    struct checkpoint *a, *b;
    struct model_weights w, x;
    struct err err = { 0 };
    struct buf found = { 0 };

    (void)state;
    a = opened(shared("models/stories260K/stories260K.bin"));
    b = opened(shared("models/stories260K/stories260K_v1.bin"));
    assert_same_conf(&a->conf, &b->conf);
    assert_int_equal(a->conf.dim, 64);
    assert_int_equal(a->conf.layers, 5);
    assert_int_equal(a->conf.kv_heads, 4);
    assert_true(a->conf.tied && a->conf.rope_interleaved);
    assert_int_equal(a->parameters, (1040384 - 256) / 4);
    w = widened(a);
    x = widened(b);
    assert_memory_equal(w.all, x.all, w.floats_len * sizeof(float));
    model_weights_release(&w);
    model_weights_release(&x);
    checkpoint_close(a);
    checkpoint_close(b);
    expect_error(checkpoint_open(&a, shared("models/stories260K"), &err), &err, ERR_INVALID,
                 "more than one", "two checkpoints");
    assert_int_equal(
        checkpoint_tokenizer(shared("models/stories260K/stories260K.bin"), &found, NULL), 0);
    assert_non_null(strstr(buf_str(&found), "stories260K/tok512.bin"));
    buf_release(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_load_exactly_tied_and_untied),
        cmocka_unit_test(folder_with_one_checkpoint_opens),
        cmocka_unit_test(tokenizer_beside_the_checkpoint_is_named_when_it_is_the_only_one),
        cmocka_unit_test(every_truncation_and_every_excess_is_refused),
        cmocka_unit_test(hostile_headers_are_refused_before_memory_is_taken),
        cmocka_unit_test(flipped_bits_of_the_header_never_crash),
        cmocka_unit_test(other_versions_are_named),
        cmocka_unit_test(real_checkpoint_has_the_same_weights_in_both_versions),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
