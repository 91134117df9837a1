/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: texts longer than a block pass in pieces, with the bits that they have without; caches
 * share pages without showing it. Method: a text of 1,300 tokens whole, without a cache, in one
 * thread is the reference. The same in company, with more threads, with a cache, and in chunks of
 * 300 tokens, which are not cut. Copies of a cache continue in different ways and are compared with
 * caches of their own. */
#include "tests/unit/worker_model/models.h"

enum { ROWS = 1300, LAST = 30, CHUNK = 300, LAYERS = 3 };

static const uint8_t routing[LAYERS] = { 1, 2, 1 };

/* One and four key/value heads: attention is cut by rows, or by heads. */
static struct model_conf long_conf(size_t i)
{
    struct model_conf c = shapes[0].conf;

    c.layers = LAYERS;
    c.positions = ROWS + 10;
    c.kv_heads = i % 2 ? 4 : 1;
    c.hidden = i / 2 ? 2048 : 96; /* 2048: weights that do not fit the cache */
    return c;
}

/* Logits of the last rows through a cache, in pieces of CHUNK rows. */
static void run_chunks(struct sweep *s, const struct model_conf *c, const uint32_t *tokens,
                       size_t chunk, float *logits)
{
    struct kv *kv = NULL;

    assert_int_equal(kv_new(&kv, c, routing, ROWS, NULL), 0);
    for (size_t at = 0; at < ROWS; at += chunk) {
        size_t rows = MIN(chunk, ROWS - at);
        struct sweep_seq q = { .tokens = tokens + at,
                               .rows = rows,
                               .routing = routing,
                               .kv = kv,
                               .logits_from = at + rows == ROWS ? rows - LAST : rows,
                               .logits = logits };

        assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    }
    kv_free(kv);
}

static void check_long(const struct model *m, const uint32_t *tokens, size_t threads,
                       const float *want, float *got)
{
    const struct model_conf *c = &m->conf;
    size_t floats = LAST * c->vocab;
    struct pool *pool = pool_new(threads);
    struct sweep *s = sweep_new(m, pool);
    struct sweep_seq q[3] = {
        { .tokens = tokens, .rows = 40, .routing = routing, .logits_from = 40 },
        { .tokens = tokens,
          .rows = ROWS,
          .routing = routing,
          .logits_from = ROWS - LAST,
          .logits = got },
        { .tokens = tokens, .rows = 600, .routing = routing, .logits_from = 600 }
    };

    assert_int_equal(sweep_run(s, q, 3, NULL, NULL), 0);
    assert_memory_equal(got, want, floats * sizeof(float));
    for (size_t chunk = CHUNK; chunk <= ROWS; chunk += ROWS - CHUNK) {
        memset(got, 0xff, floats * sizeof(float));
        run_chunks(s, c, tokens, chunk, got);
        assert_memory_equal(got, want, floats * sizeof(float));
    }
    sweep_free(s);
    pool_free(pool);
}

static void pieces_threads_and_caches_change_no_bit_of_a_long_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct model_conf c = long_conf(i);
        struct model *m = random_model(&c, NULL);
        size_t floats = LAST * c.vocab;
        float *want = mem_aligned(floats, sizeof(float)), *got = mem_aligned(floats, sizeof(float));
        uint32_t *tokens = mem_calloc(ROWS, sizeof(*tokens));
        struct rng r = rng_stream("test", 41, i);
        struct sweep *s = sweep_new(m, NULL);

        random_tokens(&r, tokens, ROWS, &c);
        run_chunks(s, &c, tokens, 100, want); /* blocks of whole texts only */
        for (size_t threads = 1; threads <= 3; threads++)
            check_long(m, tokens, threads, want, got);
        sweep_free(s);
        free(tokens);
        free(want);
        free(got);
        model_free(m);
    }
}

/* Append ROWS tokens to KV; the last one's logits into LOGITS. */
static void append(struct sweep *s, struct kv *kv, const uint32_t *tokens, size_t rows,
                   float *logits)
{
    struct sweep_seq q = { .tokens = tokens,
                           .rows = rows,
                           .routing = routing,
                           .kv = kv,
                           .logits_from = rows - 1,
                           .logits = logits };

    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
}

static void copies_of_a_cache_do_not_see_each_other(void **state)
{
    struct model_conf c = long_conf(1);
    struct model *m = random_model(&c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    struct rng r = rng_stream("test", 42, 0);
    size_t bytes = c.vocab * sizeof(float);
    float *want = mem_aligned(bytes, 1), *got = mem_aligned(bytes, 1);
    uint32_t tokens[100], other[100];

    (void)state;
    random_tokens(&r, tokens, 100, &c);
    random_tokens(&r, other, 100, &c);
    for (size_t shared = 1; shared < 70; shared += 23) {
        struct kv *a = NULL, *b = NULL, *alone = NULL;

        assert_int_equal(kv_new(&a, &c, routing, 100, NULL), 0);
        append(s, a, tokens, shared, got);
        assert_int_equal(kv_copy(&b, a, NULL), 0);
        append(s, b, other, 40, got); /* must not reach a */
        append(s, a, tokens + shared, 10, got);
        assert_int_equal(kv_new(&alone, &c, routing, 100, NULL), 0);
        append(s, alone, tokens, shared + 10, want);
        assert_memory_equal(got, want, bytes);
        kv_truncate(alone, shared / 2); /* forgets, and writes again what others may hold */
        kv_free(b);
        assert_int_equal(kv_copy(&b, alone, NULL), 0);
        append(s, alone, tokens + shared / 2, 5, want);
        append(s, b, tokens + shared / 2, 5, got);
        assert_memory_equal(got, want, bytes);
        kv_free(a);
        kv_free(b);
        kv_free(alone);
    }
    free(want);
    free(got);
    sweep_free(s);
    model_free(m);
}

static void memory_of_a_cache_follows_its_use(void **state)
{
    struct model_conf c = long_conf(1);
    struct model *m = random_model(&c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    uint32_t tokens[200] = { 0 };
    float *logits = mem_aligned(c.vocab, sizeof(float));
    size_t ten, position = 2 * sizeof(float) * 4 * c.kv_heads * c.head_dim; /* of four slots */
    struct kv *kv = NULL;

    (void)state;
    assert_int_equal(kv_new(&kv, &c, routing, ROWS, NULL), 0);
    assert_int_equal(kv_bytes(kv), 0);
    append(s, kv, tokens, 10, logits);
    ten = kv_bytes(kv);
    assert_true(ten >= 10 * position && ten < 40 * position);
    append(s, kv, tokens, 190, logits);
    assert_true(kv_bytes(kv) >= 200 * position && kv_bytes(kv) < 240 * position);
    kv_truncate(kv, 10);
    assert_int_equal(kv_bytes(kv), ten);
    kv_free(kv);
    free(logits);
    sweep_free(s);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_threads_and_caches_change_no_bit_of_a_long_text),
        cmocka_unit_test(copies_of_a_cache_do_not_see_each_other),
        cmocka_unit_test(memory_of_a_cache_follows_its_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
