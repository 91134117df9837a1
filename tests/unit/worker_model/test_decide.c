/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a path that is decided while the pass is under way gives the bits of the same path given,
 * whatever the company, threads and kernels; caches get exactly its slots; texts go on by it.
 * Method: random models of all shapes and a decider whose decisions hang on every bit of the rows
 * that it sees (decider.h), so that any difference changes the path. */
#include "tests/unit/worker_model/models.h"

#include "tests/unit/worker_model/decider.h"
#include "worker/model/generate.h"

enum { LAYERS_MAX = 8, SEQS = 16, ROWS_MAX = 48 };

struct deck {
    uint32_t tokens[SEQS][ROWS_MAX];
    size_t rows[SEQS], looked_at[SEQS];
    uint8_t decided[SEQS][LAYERS_MAX];
    float *logits[SEQS];
    struct bits_decider bits;
    struct sweep_decider decider;
};

static void deck_init(struct deck *d, const struct model_conf *c, uint64_t seed)
{
    struct rng r = rng_stream("test", 51, seed);

    memset(d, 0, sizeof(*d));
    memset(d->decided, 1, sizeof(d->decided)); /* what was there before must not count */
    d->bits = (struct bits_decider){ .layers = c->layers,
                                     .dim = c->dim,
                                     .together = seed % 2,
                                     .at = seed / 2 % c->layers,
                                     .salt = seed };
    d->decider = (struct sweep_decider){ bits_decide, &d->bits };
    for (size_t i = 0; i < SEQS; i++) {
        /* 32 rows alone are cut by rows between two threads (sweep_rows.c). */
        d->rows[i] = i % 2 ? 32 + rng_below(&r, ROWS_MAX - 31) : 1 + rng_below(&r, ROWS_MAX);
        d->looked_at[i] = 1 + rng_below(&r, (uint32_t)d->rows[i]);
        random_tokens(&r, d->tokens[i], d->rows[i], c);
        d->logits[i] = mem_aligned(c->vocab, sizeof(float));
    }
}

static void deck_release(struct deck *d)
{
    for (size_t i = 0; i < SEQS; i++)
        free(d->logits[i]);
}

static struct sweep_seq deck_seq(struct deck *d, size_t i)
{
    return (struct sweep_seq){ .tokens = d->tokens[i],
                               .rows = d->rows[i],
                               .logits_from = d->rows[i] - 1,
                               .logits = d->logits[i],
                               .decider = &d->decider,
                               .decided = d->decided[i],
                               .decide_rows = d->looked_at[i] };
}

/* BATCH sequences at a time. */
static void deck_run(struct deck *d, struct sweep *s, size_t batch)
{
    for (size_t from = 0; from < SEQS; from += batch) {
        struct sweep_seq q[SEQS];
        size_t n = MIN(batch, SEQS - from);

        for (size_t i = 0; i < n; i++)
            q[i] = deck_seq(d, from + i);
        assert_int_equal(sweep_run(s, q, n, NULL, NULL), 0);
    }
}

static void assert_same(const struct deck *a, const struct deck *b, const struct model_conf *c)
{
    for (size_t i = 0; i < SEQS; i++) {
        assert_memory_equal(a->decided[i], b->decided[i], c->layers);
        assert_memory_equal(a->logits[i], b->logits[i], c->vocab * sizeof(float));
    }
}

static void a_path_decided_in_the_pass_is_the_same_path_given(void **state)
{
    size_t skipped = 0, repeated = 0, distinct = 0;

    (void)state;
    for (size_t i = 0; i < 4 * ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i % ALL_SHAPES);
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct sweep_seq q[SEQS];
        struct deck d, given;

        deck_init(&d, c, i);
        deck_init(&given, c, i);
        deck_run(&d, s, SEQS);
        assert_int_equal(d.bits.calls, d.bits.together ? 1 + (d.bits.at > 0) : c->layers);
        for (size_t k = 0; k < SEQS; k++) {
            q[k] = deck_seq(&given, k);
            q[k].decider = NULL;
            q[k].routing = d.decided[k];
            memcpy(given.decided[k], d.decided[k], c->layers);
            for (size_t l = 0; l < c->layers; l++) {
                skipped += d.decided[k][l] == 0;
                repeated += d.decided[k][l] == 2;
            }
            distinct += k > 0 && memcmp(d.decided[k], d.decided[k - 1], c->layers) != 0;
        }
        assert_int_equal(sweep_run(s, q, SEQS, NULL, NULL), 0);
        assert_same(&d, &given, c);
        deck_release(&d);
        deck_release(&given);
        sweep_free(s);
        model_free(m);
    }
    assert_true(skipped > 100 && repeated > 100 && distinct > 100);
}

static void company_threads_and_kernels_change_no_decision(void **state)
{
    static const size_t batches[] = { 1, 3, 16 };

    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct deck want;
        bool first = true;

        for (int level = 0; level < KERNELS_LEVELS; level++) {
            const struct kernels *kern = kernels_at((enum kernels_level)level);
            struct model *m = kern ? random_model(c, kern) : NULL;

            for (size_t b = 0; m && b < 2 * ARRAY_LEN(batches); b++) {
                struct pool *pool = pool_new(1 + b / ARRAY_LEN(batches));
                struct sweep *s = sweep_new(m, pool);
                struct deck d;

                deck_init(&d, c, i);
                deck_run(&d, s, batches[b % ARRAY_LEN(batches)]);
                if (!first)
                    assert_same(&d, &want, c);
                if (first)
                    want = d;
                else
                    deck_release(&d);
                first = false;
                sweep_free(s);
                pool_free(pool);
            }
            model_free(m);
        }
        deck_release(&want);
    }
}

/* As choices do: several continuations of one context, which is decided once. */
static void a_sequence_goes_by_the_decision_of_the_one_in_front(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct sweep_seq q[SEQS];
        struct deck d, given;

        deck_init(&d, c, 2 * i);
        deck_init(&given, c, 2 * i);
        for (size_t k = 0; k < SEQS; k++) {
            q[k] = deck_seq(&d, k);
            if (k % 4 == 0)
                continue;
            q[k].decided = d.decided[k / 4 * 4];
            q[k].decide_rows = 0;
        }
        assert_int_equal(sweep_run(s, q, SEQS, NULL, NULL), 0);
        assert_int_equal(d.bits.sequences, SEQS / 4 * d.bits.calls);
        for (size_t k = 0; k < SEQS; k++) {
            q[k] = deck_seq(&given, k);
            q[k].decider = NULL;
            q[k].routing = d.decided[k / 4 * 4];
        }
        assert_int_equal(sweep_run(s, q, SEQS, NULL, NULL), 0);
        for (size_t k = 0; k < SEQS; k++)
            assert_memory_equal(d.logits[k], given.logits[k], c->vocab * sizeof(float));
        deck_release(&d);
        deck_release(&given);
        sweep_free(s);
        model_free(m);
    }
}

static void the_cache_gets_the_slots_of_the_path_decided(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct sweep_seq q[SEQS];
        struct kv *kv[SEQS], *given;
        struct deck d;

        deck_init(&d, c, i);
        for (size_t k = 0; k < SEQS; k++) {
            assert_int_equal(kv_new(&kv[k], c, NULL, c->positions, NULL), 0);
            q[k] = deck_seq(&d, k);
            q[k].kv = kv[k];
        }
        assert_int_equal(sweep_run(s, q, SEQS, NULL, NULL), 0);
        for (size_t k = 0; k < SEQS; k++) {
            uint32_t next = d.tokens[k][0];
            float *one = mem_aligned(c->vocab, sizeof(float));
            float *two = mem_aligned(c->vocab, sizeof(float));
            struct sweep_seq more = {
                .tokens = &next, .rows = 1, .routing = d.decided[k], .kv = kv[k], .logits = one
            };

            assert_int_equal(kv_new(&given, c, d.decided[k], c->positions, NULL), 0);
            q[k].decider = NULL;
            q[k].kv = given;
            assert_int_equal(sweep_run(s, &q[k], 1, NULL, NULL), 0);
            assert_int_equal(kv_bytes(kv[k]), kv_bytes(given));
            assert_int_equal(kv_len(kv[k]), d.rows[k]);
            assert_int_equal(sweep_run(s, &more, 1, NULL, NULL), 0);
            more.kv = given;
            more.logits = two;
            assert_int_equal(sweep_run(s, &more, 1, NULL, NULL), 0);
            assert_memory_equal(one, two, c->vocab * sizeof(float));
            kv_free(given);
            kv_free(kv[k]);
            free(one);
            free(two);
        }
        deck_release(&d);
        sweep_free(s);
        model_free(m);
    }
}

static int refuse(void *arg, size_t layer, const struct sweep_decision *d, size_t n,
                  size_t *ret_layers, struct err *err)
{
    const size_t *at = arg;

    if (layer == *at)
        return err_set(err, ERR_DIVERGED, "no");
    for (size_t i = 0; i < n; i++)
        d[i].routing[layer] = 2;
    *ret_layers = layer + 1;
    return 0;
}

static void a_decider_that_fails_leaves_the_cache_as_it_was(void **state)
{
    const struct model_conf *c = shape_conf(0);
    struct model *m = random_model(c, NULL);
    struct sweep *s = sweep_new(m, NULL);
    size_t at = 2;
    struct sweep_decider failing = { refuse, &at };
    struct sweep_seq q;
    struct err err = { 0 };
    struct kv *kv = NULL, *fresh = NULL;
    struct deck d, want;

    (void)state;
    deck_init(&d, c, 3);
    deck_init(&want, c, 3);
    assert_int_equal(kv_new(&kv, c, NULL, c->positions, NULL), 0);
    assert_int_equal(kv_new(&fresh, c, NULL, c->positions, NULL), 0);
    q = deck_seq(&d, 0);
    q.kv = kv;
    q.decider = &failing;
    assert_int_equal(sweep_run(s, &q, 1, NULL, &err), ERR_DIVERGED);
    assert_string_equal(err.text, "no");
    assert_int_equal(kv_len(kv), 0);
    assert_int_equal(kv_bytes(kv), 0);
    q.decider = &d.decider;
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    q = deck_seq(&want, 0);
    q.kv = fresh;
    assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
    assert_memory_equal(d.decided[0], want.decided[0], c->layers);
    assert_memory_equal(d.logits[0], want.logits[0], c->vocab * sizeof(float));
    assert_int_equal(kv_bytes(kv), kv_bytes(fresh));
    kv_free(kv);
    kv_free(fresh);
    deck_release(&d);
    deck_release(&want);
    sweep_free(s);
    model_free(m);
}

static void texts_go_on_by_the_path_decided_on_their_prompt(void **state)
{
    size_t tokens = 0;

    (void)state;
    for (size_t i = 0; i < 2 * ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i % ALL_SHAPES);
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct generation g[SEQS];
        struct deck d;

        deck_init(&d, c, i);
        for (size_t k = 0; k < SEQS; k++)
            g[k] = (struct generation){ .prompt = d.tokens[k],
                                        .prompt_len = d.rows[k],
                                        .max_new = 12,
                                        .decider = &d.decider,
                                        .decided = d.decided[k] };
        assert_int_equal(generate_run(s, g, SEQS, 1 + i % 5, NULL, NULL), 0);
        for (size_t k = 0; k < SEQS; k++) {
            struct sweep_seq whole = deck_seq(&d, k); /* without a cache, deciding on the prompt */
            uint32_t text[ROWS_MAX + 12];
            uint8_t again[LAYERS_MAX];

            memcpy(text, d.tokens[k], d.rows[k] * sizeof(*text));
            for (size_t t = 0; t < g[k].ids_len; t++) {
                whole.tokens = text;
                whole.rows = d.rows[k] + t;
                whole.decide_rows = d.rows[k];
                whole.logits_from = whole.rows - 1;
                whole.decided = again;
                assert_int_equal(sweep_run(s, &whole, 1, NULL, NULL), 0);
                assert_memory_equal(again, d.decided[k], c->layers);
                assert_int_equal(g[k].ids[t], m->kern->argmax(d.logits[k], c->vocab));
                text[d.rows[k] + t] = g[k].ids[t];
                tokens++;
            }
            generation_release(&g[k]);
        }
        deck_release(&d);
        sweep_free(s);
        model_free(m);
    }
    assert_true(tokens > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_decided_in_the_pass_is_the_same_path_given),
        cmocka_unit_test(company_threads_and_kernels_change_no_decision),
        cmocka_unit_test(a_sequence_goes_by_the_decision_of_the_one_in_front),
        cmocka_unit_test(the_cache_gets_the_slots_of_the_path_decided),
        cmocka_unit_test(a_decider_that_fails_leaves_the_cache_as_it_was),
        cmocka_unit_test(texts_go_on_by_the_path_decided_on_their_prompt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
