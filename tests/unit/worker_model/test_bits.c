/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a row's result does not depend on who shares the pass, on threads, or on the CPU's level.
 * Method: for each shape and each level that this machine runs, one evaluation alone on the best
 * level is the reference; then it takes part in passes of every size 1..64 with random company, at
 * a random place, with one and two threads. Where a sanitizer makes each pass ten times as slow,
 * the sizes are those around the kernels' tiles and blocks: it looks for other faults. */
#include "tests/unit/worker_model/models.h"

#include <stdio.h>

enum { ROWS = 7, LAYERS_MAX = 8, BATCH_MAX = 64, COMPANY_ROWS = 3 };

/* The evaluation that is watched. */
struct watched {
    uint32_t tokens[ROWS];
    uint8_t routing[LAYERS_MAX];
    float *want, *got; /* (ROWS, vocab) */
    size_t bytes;
};

static void watched_init(struct watched *w, const struct model_conf *c, uint64_t seed)
{
    struct rng r = rng_stream("test", 11, seed);
    static const uint8_t routing[LAYERS_MAX] = { 1, 2, 1, 0, 2, 1, 1, 1 };

    random_tokens(&r, w->tokens, ROWS, c);
    memcpy(w->routing, routing, LAYERS_MAX);
    w->bytes = ROWS * c->vocab * sizeof(float);
    w->want = mem_aligned(w->bytes, 1);
    w->got = mem_aligned(w->bytes, 1);
}

static void watched_run(struct watched *w, struct sweep *s, const struct model_conf *c,
                        size_t batch, float *logits)
{
    static uint32_t tokens[BATCH_MAX][COMPANY_ROWS];
    static uint8_t routing[BATCH_MAX][LAYERS_MAX];
    struct sweep_seq q[BATCH_MAX];
    struct rng r = rng_stream("test", 12, batch);
    size_t place = rng_below(&r, (uint32_t)batch);

    for (size_t i = 0; i < batch; i++) {
        size_t rows = 1 + rng_below(&r, COMPANY_ROWS);

        random_tokens(&r, tokens[i], rows, c);
        random_routing(&r, routing[i], c);
        q[i] = (struct sweep_seq){ .tokens = tokens[i],
                                   .rows = rows,
                                   .routing = routing[i],
                                   .logits_from = rng_below(&r, (uint32_t)rows + 1),
                                   .logits = logits };
    }
    q[place] = (struct sweep_seq){
        .tokens = w->tokens, .rows = ROWS, .routing = w->routing, .logits = w->got
    };
    memset(w->got, 0xff, w->bytes);
    assert_int_equal(sweep_run(s, q, batch, NULL, NULL), 0);
}

static void check_level(struct watched *w, const struct model_conf *c, const struct kernels *kern,
                        size_t threads, const char *name)
{
    struct model *m = random_model(c, kern);
    struct pool *pool = threads > 1 ? pool_new(threads) : NULL;
    struct sweep *s = sweep_new(m, pool);
    float *company = mem_aligned(COMPANY_ROWS * c->vocab, sizeof(float));

    /* With more threads the blocks' cuts change, for which some sizes are enough. */
    for (size_t batch = 1; batch <= BATCH_MAX; batch += threads > 1 ? 7 : 1) {
        if (TESTS_SANITIZED && batch % 8 > 1 && batch % 8 < 7)
            continue;
        watched_run(w, s, c, batch, company);
        if (memcmp(w->got, w->want, w->bytes))
            fail_msg("%s, level %s, %zu threads, %zu in the pass: other bits", name, kern->name,
                     threads, batch);
    }
    free(company);
    sweep_free(s);
    pool_free(pool);
    model_free(m);
}

static void rows_are_bit_equal_in_any_company_on_any_level_and_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct model_conf *c = &shapes[i].conf;
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct watched w;
        struct sweep_seq alone;

        watched_init(&w, c, i);
        alone = (struct sweep_seq){
            .tokens = w.tokens, .rows = ROWS, .routing = w.routing, .logits = w.want
        };
        assert_int_equal(sweep_run(s, &alone, 1, NULL, NULL), 0);
        for (int level = 0; level < KERNELS_LEVELS; level++) {
            const struct kernels *kern = kernels_at((enum kernels_level)level);

            for (size_t threads = 1; kern && threads <= 2; threads++)
                check_level(&w, c, kern, threads, shapes[i].name);
        }
        free(w.want);
        free(w.got);
        sweep_free(s);
        model_free(m);
    }
}

/* Long sequences alone make the threads share each step of a block, not whole blocks. */
static void one_long_sequence_has_the_same_bits_with_more_threads(void **state)
{
    struct model_conf c = shapes[0].conf;
    const uint8_t routing[LAYERS_MAX] = { 1, 2, 1, 2 };
    size_t rows = c.positions = 1500, floats = 40 * c.vocab;
    float *want = mem_aligned(floats, sizeof(float)), *got = mem_aligned(floats, sizeof(float));
    uint32_t *tokens = mem_calloc(rows, sizeof(*tokens));
    struct rng r = rng_stream("test", 13, 0);
    struct sweep_seq q = {
        .tokens = tokens, .rows = rows, .routing = routing, .logits_from = rows - 40
    };
    struct model *m;

    (void)state;
    c.hidden = 600;
    m = random_model(&c, NULL);
    random_tokens(&r, tokens, rows, &c);
    for (size_t threads = 1; threads <= 3; threads++) {
        struct pool *pool = pool_new(threads);
        struct sweep *s = sweep_new(m, pool);

        q.logits = threads == 1 ? want : got;
        assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
        if (threads > 1)
            assert_memory_equal(got, want, floats * sizeof(float));
        sweep_free(s);
        pool_free(pool);
    }
    free(tokens);
    free(got);
    free(want);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_bit_equal_in_any_company_on_any_level_and_threads),
        cmocka_unit_test(one_long_sequence_has_the_same_bits_with_more_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
