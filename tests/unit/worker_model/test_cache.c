/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: running with a cache, in whatever pieces, gives the bits of running without.
 * Method: random texts and paths (skips, repeats) evaluated whole, then through caches in chunks of
 * random length, several caches in one pass, some copied and truncated on the way. */
#include "tests/unit/worker_model/models.h"

enum { ROWS = 64, SEQS = 5, LAYERS_MAX = 8 }; /* rows: two pages */

struct text {
    uint32_t tokens[ROWS];
    uint8_t routing[LAYERS_MAX];
    float *want, *got; /* (ROWS, vocab) */
    struct kv *kv;
    size_t done;
};

static void text_init(struct text *t, const struct model_conf *c, struct sweep *s, struct rng *r,
                      size_t i)
{
    struct sweep_seq q = { .tokens = t->tokens, .rows = ROWS, .routing = t->routing };

    random_tokens(r, t->tokens, ROWS, c);
    random_routing(r, t->routing, c);
    if (i == 0)
        memset(t->routing, 2, c->layers);
    if (i == 1)
        memset(t->routing, 0, c->layers);
    t->want = q.logits = mem_aligned(ROWS * c->vocab, sizeof(float));
    t->got = mem_aligned(ROWS * c->vocab, sizeof(float));
    t->done = 0;
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    assert_int_equal(kv_new(&t->kv, c, t->routing, ROWS, NULL), 0);
}

static void text_release(struct text *t)
{
    free(t->want);
    free(t->got);
    kv_free(t->kv);
}

/* Replace a cache by a copy, or forget its last position, now and then. */
static void disturb(struct text *t, struct rng *r)
{
    struct kv *copy;

    if (rng_below(r, 3) == 0) {
        assert_int_equal(kv_copy(&copy, t->kv, NULL), 0);
        assert_int_equal(kv_len(copy), kv_len(t->kv));
        kv_free(t->kv);
        t->kv = copy;
    }
    if (t->done && rng_below(r, 4) == 0)
        kv_truncate(t->kv, --t->done);
}

/* One pass over a random chunk of each unfinished text; false when all are finished. */
static bool step(struct text *t, struct sweep *s, const struct model_conf *c, struct rng *r)
{
    struct sweep_seq q[SEQS];
    size_t n = 0, rows[SEQS] = { 0 };

    for (size_t i = 0; i < SEQS; i++) {
        if (t[i].done == ROWS)
            continue;
        disturb(&t[i], r);
        rows[i] = 1 + rng_below(r, 20);
        rows[i] = MIN(rows[i], ROWS - t[i].done);
        q[n++] = (struct sweep_seq){ .tokens = t[i].tokens + t[i].done,
                                     .rows = rows[i],
                                     .routing = t[i].routing,
                                     .kv = t[i].kv,
                                     .logits = t[i].got + t[i].done * c->vocab };
    }
    if (!n)
        return false;
    assert_int_equal(sweep_run(s, q, n, NULL, NULL), 0);
    for (size_t i = 0; i < SEQS; i++) {
        t[i].done += rows[i];
        assert_int_equal(kv_len(t[i].kv), t[i].done);
    }
    return true;
}

static void cached_in_any_pieces_is_uncached_bit_for_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct model *m = random_model(c, NULL);
        struct pool *pool = pool_new(1 + i % 2);
        struct sweep *s = sweep_new(m, pool);
        struct rng r = rng_stream("test", 21, i);
        struct text t[SEQS];

        for (size_t k = 0; k < SEQS; k++)
            text_init(&t[k], c, s, &r, k);
        while (step(t, s, c, &r))
            continue;
        for (size_t k = 0; k < SEQS; k++) {
            assert_memory_equal(t[k].got, t[k].want, ROWS * c->vocab * sizeof(float));
            text_release(&t[k]);
        }
        sweep_free(s);
        pool_free(pool);
        model_free(m);
    }
}

static void cache_beyond_its_capacity_is_an_error_and_keeps_what_it_has(void **state)
{
    const struct model_conf *c = &shapes[0].conf;
    const uint8_t ones[LAYERS_MAX] = { 1, 1, 1, 1 };
    const uint32_t tokens[6] = { 1, 2, 3, 4, 5, 6 };
    struct model *m = random_model(c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    struct kv *kv;
    struct sweep_seq q = { .tokens = tokens, .rows = 4, .routing = ones, .logits_from = 4 };

    (void)state;
    assert_int_equal(kv_new(&kv, c, ones, c->positions + 1, NULL), ERR_LIMIT);
    assert_int_equal(kv_new(&kv, c, ones, 5, NULL), 0);
    q.kv = kv;
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), ERR_LIMIT);
    assert_int_equal(kv_len(kv), 4);
    kv_free(kv);
    sweep_free(s);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cached_in_any_pieces_is_uncached_bit_for_bit),
        cmocka_unit_test(cache_beyond_its_capacity_is_an_error_and_keeps_what_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
