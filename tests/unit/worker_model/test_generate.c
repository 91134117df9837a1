/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a text becomes depends on its prompt, path and sampling alone, and ends where it was
 * told to.
 * Method: random models. Greedy generation against choosing tokens without a cache; many texts that
 * join and leave at every batch size against each alone; samplers on logits made by hand, whose
 * sets and frequencies are known; stop strings that begin and end inside tokens, by a tokenizer of
 * one character per token. */
#include "tests/unit/worker_model/models.h"

#include <math.h>
#include <stdio.h>

#include "worker/model/generate.h"
#include "worker/model/sampling.h"
#include "worker/model/stops.h"
#include "worker/tokenizer/tokenizer.h"

enum { LAYERS_MAX = 8, TEXTS = 9, NEW = 40, SAMPLED = 5 };

/* The greedy continuation without a cache: the whole text again for every token. */
static size_t greedy_uncached(struct sweep *s, const struct model *m, uint32_t *tokens, size_t len,
                              size_t max_new, const uint8_t *routing)
{
    float *logits = mem_aligned(m->conf.vocab, sizeof(float));
    size_t made = 0;

    while (made < max_new && len + made <= m->conf.positions) {
        struct sweep_seq q = { .tokens = tokens,
                               .rows = len + made,
                               .routing = routing,
                               .logits_from = len + made - 1,
                               .logits = logits };
        uint32_t next;

        assert_int_equal(sweep_run(s, &q, 1, NULL, NULL), 0);
        next = (uint32_t)m->kern->argmax(logits, m->conf.vocab);
        tokens[len + made++] = next;
        if (next == m->conf.bos || model_conf_is_eos(&m->conf, next))
            break;
    }
    free(logits);
    return made;
}

static void greedy_decoding_is_the_same_with_and_without_cache(void **state)
{
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < 2 * ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i % ALL_SHAPES);
        struct model *m = random_model(c, NULL);
        struct sweep *s = sweep_new(m, NULL);
        struct rng r = rng_stream("test", 22, i);
        uint32_t tokens[80];
        uint8_t routing[LAYERS_MAX];
        size_t len = 1 + rng_below(&r, 9), made;
        struct generation g = { .prompt = tokens, .routing = routing, .max_new = 70 };

        random_tokens(&r, tokens, len, c);
        random_routing(&r, routing, c);
        g.prompt_len = len;
        assert_int_equal(generate_run(s, &g, 1, 1, NULL, NULL), 0);
        made = greedy_uncached(s, m, tokens, len, 70, routing);
        assert_int_equal(g.ids_len, made);
        assert_memory_equal(g.ids, tokens + len, made * sizeof(*g.ids));
        assert_int_equal(g.finish,
                         model_conf_is_eos(c, g.ids[made - 1]) || g.ids[made - 1] == c->bos
                             ? FINISH_EOS
                             : FINISH_CONTEXT);
        total += made;
        generation_release(&g);
        sweep_free(s);
        model_free(m);
    }
    assert_true(total > 200); /* the comparison is not about empty texts */
}

/* Texts of several lengths, paths, limits and ways of sampling. */
struct many {
    uint32_t prompt[TEXTS][48];
    uint8_t routing[TEXTS][LAYERS_MAX];
    struct generation g[TEXTS];
};

static void many_init(struct many *m, const struct model_conf *c, uint64_t seed)
{
    struct rng r = rng_stream("test", 23, seed);

    for (size_t i = 0; i < TEXTS; i++) {
        m->g[i] = (struct generation){
            .prompt = m->prompt[i],
            .prompt_len = 1 + rng_below(&r, i % 3 ? 9 : 48),
            .routing = m->routing[i],
            .max_new = i == 4 ? 0 : 1 + rng_below(&r, NEW),
            .sampling = { .temperature = i % 2 ? 0.9 : 0.0,
                          .top_k = i % 4 == 1 ? 20 : 0,
                          .top_p = i % 3 ? 1.0 : 0.8,
                          .seed = 5,
                          .stream = i },
        };
        random_tokens(&r, m->prompt[i], m->g[i].prompt_len, c);
        random_routing(&r, m->routing[i], c);
    }
    for (size_t i = SAMPLED + 1; i < SAMPLED + 3; i++) { /* samples of one prompt, read once */
        m->g[i].prompt = m->g[SAMPLED].prompt;
        m->g[i].prompt_len = m->g[SAMPLED].prompt_len;
        m->g[i].routing = m->g[SAMPLED].routing;
        m->g[i].max_new = m->g[SAMPLED].max_new;
    }
}

static void many_release(struct many *m)
{
    for (size_t i = 0; i < TEXTS; i++)
        generation_release(&m->g[i]);
}

static void joining_and_leaving_in_any_batch_equals_being_alone(void **state)
{
    static const size_t batches[] = { 1, 2, 3, 5, 64 };
    size_t tokens = 0;

    (void)state;
    for (size_t i = 0; i < ALL_SHAPES; i++) {
        const struct model_conf *c = shape_conf(i);
        struct model *m = random_model(c, NULL);
        struct many alone, together;

        many_init(&alone, c, i);
        for (size_t k = 0; k < TEXTS; k++) {
            struct sweep *s = sweep_new(m, NULL);

            assert_int_equal(generate_run(s, &alone.g[k], 1, 1, NULL, NULL), 0);
            tokens += alone.g[k].ids_len;
            sweep_free(s);
        }
        for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
            struct pool *pool = pool_new(1 + b % 2);
            struct sweep *s = sweep_new(m, pool);

            many_init(&together, c, i);
            assert_int_equal(generate_run(s, together.g, TEXTS, batches[b], NULL, NULL), 0);
            for (size_t k = 0; k < TEXTS; k++) {
                assert_int_equal(together.g[k].ids_len, alone.g[k].ids_len);
                assert_int_equal(together.g[k].finish, alone.g[k].finish);
                if (alone.g[k].ids_len)
                    assert_memory_equal(together.g[k].ids, alone.g[k].ids,
                                        alone.g[k].ids_len * sizeof(uint32_t));
            }
            many_release(&together);
            sweep_free(s);
            pool_free(pool);
        }
        many_release(&alone);
        model_free(m);
    }
    assert_true(tokens > 500);
}

static void top_k_and_top_p_keep_exactly_the_right_ids(void **state)
{
    /* Probabilities at temperature 1: 1/2, 1/4, 1/8, 1/16, 1/32, 1/32, at mixed places. */
    const float l2 = 0.6931472f, logits[] = { -2 * l2, 0, -4 * l2, -l2, -4 * l2, -3 * l2 };
    static const struct {
        size_t k;
        double p;
        size_t n;
        uint32_t kept[6];
    } cases[] = {
        { 0, 0.4, 1, { 1 } },
        { 0, 0.51, 2, { 1, 3 } },
        { 0, 0.76, 3, { 1, 3, 0 } },
        { 0, 0.96, 5, { 1, 3, 0, 5, 2 } }, /* of equal ones the first id */
        { 3, 1.0, 3, { 1, 3, 0 } },
        { 5, 1.0, 5, { 1, 3, 0, 5, 2 } },
        { 1, 0.1, 1, { 1 } },
        { 2, 0.7, 2, { 1, 3 } }, /* 2/3 and 1/3 of what the two have: 0.7 needs both */
        { 2, 0.6, 1, { 1 } },
        { 99, 1.0, 6, { 0, 1, 2, 3, 4, 5 } },
    };
    struct sampler p = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sampling s = { .temperature = 1.0, .top_k = cases[i].k, .top_p = cases[i].p };

        sampler_keep(&p, kernels_best(), &s, logits, 6);
        assert_int_equal(p.kept_len, cases[i].n);
        assert_memory_equal(p.kept, cases[i].kept, cases[i].n * sizeof(uint32_t));
    }
    sampler_release(&p);
}

/* Draws at 8,000 positions: Pearson's chi-square against the exact probabilities stays below its
 * 99.9th percentile (5 degrees of freedom: 20.5). The seed is fixed, so the test never wavers. */
static void draws_follow_the_distribution_and_the_position(void **state)
{
    const float logits[] = { 0.3f, -1.0f, 2.0f, 0.0f, 1.2f, -0.4f };
    enum { DRAWS = 8000 };
    static const double temperature[] = { 1.0, 0.5, 3.0 };
    struct sampler p = { 0 };

    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(temperature); t++) {
        struct sampling s = { temperature[t], 0, 1.0, 11, t };
        double all = 0, chi = 0, seen[6] = { 0 };
        uint32_t id, again;

        for (size_t i = 0; i < 6; i++)
            all += exp((double)logits[i] / temperature[t]);
        for (size_t i = 0; i < DRAWS; i++) {
            assert_int_equal(sampler_draw(&p, kernels_best(), &s, logits, 6, i, &id, NULL), 0);
            seen[id]++;
        }
        for (size_t i = 0; i < 6; i++) {
            double want = DRAWS * exp((double)logits[i] / temperature[t]) / all;

            chi += (seen[i] - want) * (seen[i] - want) / want;
        }
        print_message("temperature %g: chi-square %.1f\n", temperature[t], chi);
        assert_true(chi < 20.5);
        assert_int_equal(sampler_draw(&p, kernels_best(), &s, logits, 6, 7, &id, NULL), 0);
        assert_int_equal(sampler_draw(&p, kernels_best(), &s, logits, 6, 7, &again, NULL), 0);
        assert_int_equal(id, again); /* the position decides, not what was drawn before */
    }
    sampler_release(&p);
}

static void temperature_0_takes_the_first_largest_and_nan_is_an_error(void **state)
{
    float logits[] = { 1.0f, 3.0f, 2.0f, 3.0f };
    struct sampler p = { 0 };
    struct sampling greedy = { 0 }, hot = { .temperature = 1.0 };
    struct err err = { 0 };
    uint32_t id;

    (void)state;
    assert_int_equal(sampling_check(&greedy, NULL), 0);
    assert_int_equal(sampling_check(&hot, &err), ERR_INVALID); /* top_p 0 */
    assert_non_null(strstr(err.text, "top_p"));
    hot.temperature = (double)NAN;
    assert_int_equal(sampling_check(&hot, &err), ERR_INVALID);
    assert_int_equal(sampler_draw(&p, kernels_best(), &greedy, logits, 4, 0, &id, NULL), 0);
    assert_int_equal(id, 1);
    logits[2] = NAN;
    assert_int_equal(sampler_draw(&p, kernels_best(), &greedy, logits, 4, 0, &id, &err),
                     ERR_DIVERGED);
    logits[2] = INFINITY;
    assert_int_equal(sampler_draw(&p, kernels_best(), &greedy, logits, 4, 0, &id, &err),
                     ERR_DIVERGED);
    sampler_release(&p);
}

static void stop_strings_are_found_across_pieces_and_held_back(void **state)
{
    const char *const stop[] = { "abab", "end", "" };
    const char *text = "xababend";

    (void)state;
    assert_int_equal(stops_find(text, 8, 0, stop, 3), 1);
    assert_int_equal(stops_find(text, 4, 0, stop, 3), 4);
    assert_int_equal(stops_find(text, 5, 4, stop, 3), 1); /* begins in front of what is new */
    assert_int_equal(stops_find(text, 8, 6, stop, 3), 5);
    assert_int_equal(stops_held("xaba", 4, stop, 3), 3);
    assert_int_equal(stops_held("xabae", 5, stop, 3), 1);
    assert_int_equal(stops_held("xabx", 4, stop, 3), 0);
    assert_int_equal(stops_held("", 0, stop, 3), 0);
}

/* What on_text was given, and when it wants the end. */
struct heard {
    struct buf text;
    size_t calls, limit;
};

static bool hear(void *arg, const char *text, size_t len)
{
    struct heard *h = arg;

    assert_true(len > 0);
    buf_add(&h->text, text, len);
    return ++h->calls == h->limit;
}

/* A random model that writes letters: its text without stops is TEXT. */
struct writer {
    struct model *m;
    struct sweep *s;
    struct buf text;
    uint32_t prompt[3];
};

static const uint8_t plain[LAYERS_MAX] = { 1, 1, 1, 1 };

static void writer_init(struct writer *w)
{
    struct model_conf c = shapes[0].conf;
    struct generation g = { .prompt = w->prompt,
                            .prompt_len = 3,
                            .routing = plain,
                            .max_new = NEW,
                            .sampling = { .temperature = 2.0, .top_p = 1.0, .seed = 3 } };

    *w = (struct writer){ .prompt = { 0, 5, 9 } };
    c.eos_len = 0;
    c.bos = UINT32_MAX;
    w->m = random_model(&c, NULL);
    assert_int_equal(
        tokenizer_from_alphabet(&w->m->tok, "abcdefghijklmnopqrstuvwxyz0123456789 .,+-*/=()", NULL),
        0);
    w->s = sweep_new(w->m, NULL);
    assert_int_equal(generate_run(w->s, &g, 1, 1, NULL, NULL), 0);
    assert_int_equal(g.finish, FINISH_LENGTH);
    buf_add(&w->text, g.text.data, g.text.len);
    assert_true(w->text.len > NEW / 2);
    generation_release(&g);
}

static void writer_release(struct writer *w)
{
    buf_release(&w->text);
    sweep_free(w->s);
    model_free(w->m);
}

static struct generation writer_text(struct writer *w, struct heard *h, const char *const *stop,
                                     size_t n)
{
    struct generation g = { .prompt = w->prompt,
                            .prompt_len = 3,
                            .routing = plain,
                            .max_new = NEW,
                            .stop = stop,
                            .stops_len = n,
                            .sampling = { .temperature = 2.0, .top_p = 1.0, .seed = 3 },
                            .on_text = hear,
                            .arg = h };

    buf_clear(&h->text);
    h->calls = 0;
    assert_int_equal(generate_run(w->s, &g, 1, 1, NULL, NULL), 0);
    assert_int_equal(h->text.len, g.text.len); /* all of the text was heard, and nothing else */
    if (g.text.len)
        assert_memory_equal(h->text.data, g.text.data, g.text.len);
    return g;
}

static void text_ends_in_front_of_the_first_stop_wherever_tokens_end(void **state)
{
    struct writer w;
    struct heard h = { 0 };

    (void)state;
    writer_init(&w);
    for (size_t at = 0; at + 5 <= w.text.len; at += 3) {
        char five[6] = { 0 };
        const char *stop[] = { "no such text", five };
        struct generation g;
        size_t first;

        memcpy(five, w.text.data + at, 5);
        first = (size_t)(strstr(buf_str(&w.text), five) - w.text.data);
        g = writer_text(&w, &h, stop, 2);
        assert_int_equal(g.finish, FINISH_STOP);
        assert_int_equal(g.text.len, first);
        assert_memory_equal(buf_str(&g.text), w.text.data, first);
        generation_release(&g);
    }
    buf_release(&h.text);
    writer_release(&w);
}

static void caller_ends_a_text_and_what_is_held_back_comes_in_the_end(void **state)
{
    struct writer w;
    struct heard h = { 0 };
    char tail[8] = { 0 };
    const char *stop[] = { tail };
    struct generation g;

    (void)state;
    writer_init(&w);
    memcpy(tail, w.text.data + w.text.len - 4, 4);
    tail[4] = '#'; /* never comes: the beginning waits until the text ends */
    g = writer_text(&w, &h, stop, 1);
    assert_int_equal(g.finish, FINISH_LENGTH);
    assert_int_equal(g.text.len, w.text.len);
    generation_release(&g);
    h.limit = 3;
    g = writer_text(&w, &h, NULL, 0);
    assert_int_equal(g.finish, FINISH_CALLER);
    assert_int_equal(h.calls, 3);
    assert_true(g.ids_len < NEW);
    generation_release(&g);
    buf_release(&h.text);
    writer_release(&w);
}

static void too_long_a_prompt_and_a_stop_are_errors(void **state)
{
    struct writer w;
    uint32_t prompt[65] = { 0 };
    struct progress progress = { .stop = true };
    struct err err = { 0 };
    struct generation g[2] = {
        { .prompt = prompt, .prompt_len = 64, .routing = plain, .max_new = 9 },
        { .prompt = prompt, .prompt_len = 65, .routing = plain, .max_new = 9 },
    };

    (void)state;
    writer_init(&w);
    assert_int_equal(generate_run(w.s, g, 2, 2, NULL, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "65"));
    assert_int_equal(generate_run(w.s, g, 1, 1, NULL, &err), 0);
    assert_int_equal(g[0].finish, FINISH_CONTEXT);
    assert_int_equal(g[0].ids_len, 1); /* behind the last position */
    assert_int_equal(generate_run(w.s, g, 1, 1, &progress, &err), ERR_CANCELLED);
    generation_release(&g[0]);
    generation_release(&g[1]);
    writer_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_decoding_is_the_same_with_and_without_cache),
        cmocka_unit_test(joining_and_leaving_in_any_batch_equals_being_alone),
        cmocka_unit_test(top_k_and_top_p_keep_exactly_the_right_ids),
        cmocka_unit_test(draws_follow_the_distribution_and_the_position),
        cmocka_unit_test(temperature_0_takes_the_first_largest_and_nan_is_an_error),
        cmocka_unit_test(stop_strings_are_found_across_pieces_and_held_back),
        cmocka_unit_test(text_ends_in_front_of_the_first_stop_wherever_tokens_end),
        cmocka_unit_test(caller_ends_a_text_and_what_is_held_back_comes_in_the_end),
        cmocka_unit_test(too_long_a_prompt_and_a_stop_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
