/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: evaluations of many examples and paths that share what their paths have in common have the
 * outcomes of whole paths alone, whatever is cached, and cost what a trie of their prefixes costs.
 * Method: a random model of 6 layers, random paths by edits of earlier ones, limits from none to
 * plenty; outcomes compared as bytes, costs with a naive list of prefixes. */
#include "tests/unit/worker_jobs/talkers.h"

#include "worker/jobs/evaluator.h"

enum { LAYERS = 6, EXAMPLES = 5, PATHS_MAX = 64, CALLS = 6 };

static const char *const words[] = { " Paris", " the sea", " of", " Rome, I think", NULL };
static const char *const single[] = { "A", "B", "C", "D", NULL };
static const char *const none[] = { " unanswerable", NULL };

static struct model *deep_model(size_t vocab, size_t positions)
{
    struct tokenizer *tok = NULL;
    struct err err = { 0 };

    assert_int_equal(tokenizer_from_alphabet(&tok, letters, &err), 0);
    return talker_deep(tok, LAYERS, vocab, positions);
}

static struct evaluator *evaluator_of(const struct model *m, const char *task, struct pool *pool,
                                      uint64_t cache_bytes)
{
    const struct evaluator_conf conf = { .model = m,
                                         .task = task_find(task),
                                         .pool = pool,
                                         .cache_bytes = cache_bytes,
                                         .sampling = { .top_p = 1 } };
    struct evaluator *e = NULL;
    struct err err = { 0 };

    if (evaluator_new(&e, &conf, &err) < 0)
        fail_msg("%s", err.text);
    return e;
}

/* Examples of one task: choices; or answers of one token, of many, and with a choice beside. */
static const char *make_examples(struct example *x, bool choices)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        char prompt[80];

        snprintf(prompt, sizeof(prompt), "%.*s%zu?", (int)(3 + 5 * i), "Tell me why it is so or",
                 i);
        if (choices) {
            example_make(&x[i], TASK_CHOICE, prompt, i % 2 ? words : single);
            continue;
        }
        example_make(&x[i], TASK_ANSWER, prompt, i == 3 ? none : NULL);
        if (i >= 2)
            x[i].answer_tokens_max = 4 + i;
    }
    return choices ? "arc_easy" : "squadv2";
}

static void begin(struct evaluator *e, const struct example *x, size_t n)
{
    const struct example *at[EXAMPLES];
    struct err err = { 0 };

    for (size_t i = 0; i < n; i++)
        at[i] = &x[i];
    if (evaluator_begin(e, at, n, &err) < 0)
        fail_msg("%s", err.text);
}

static void must_run(struct evaluator *e, const struct evaluation *v, size_t n, bool reuse,
                     struct outcome *ret)
{
    struct err err = { 0 };

    if (evaluator_run(e, v, n, reuse, ret, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void release_examples(struct example *x)
{
    for (size_t i = 0; i < EXAMPLES; i++)
        example_release(&x[i]);
}

/* ROUTING with one to three layers changed. */
static void edit(struct rng *r, uint8_t *routing)
{
    uint8_t sum = 0;

    for (uint32_t n = 1 + rng_below(r, 3); n > 0; n--)
        routing[rng_below(r, LAYERS)] = (uint8_t)rng_below(r, 3);
    for (size_t l = 0; l < LAYERS; l++)
        sum += routing[l];
    if (sum == 0)
        routing[0] = ROUTING_EXECUTE;
}

/* N evaluations of random examples by edits of the paths in PATH; equal ones occur. */
static void draw(struct rng *r, uint8_t (*path)[LAYERS], struct evaluation *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rng_below(r, 4) > 0)
            memcpy(path[i], path[rng_below(r, PATHS_MAX)], LAYERS);
        if (rng_below(r, 4) > 0)
            edit(r, path[i]);
        v[i] = (struct evaluation){ .example = rng_below(r, EXAMPLES), .routing = path[i] };
    }
}

static void assert_equal_outcomes(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->correct, b->correct);
    assert_int_equal(a->pick, b->pick);
    assert_string_equal(a->answer, b->answer);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->generated, b->generated);
    assert_int_equal(a->logprobs_len, b->logprobs_len);
    assert_memory_equal(a->logprob, b->logprob, sizeof(a->logprob));
}

static void compare_with_whole_paths(const struct model *m, bool choices, uint64_t cache_bytes,
                                     struct pool *pool)
{
    struct rng r = rng_stream("test walkers", cache_bytes, choices);
    uint8_t path[PATHS_MAX][LAYERS];
    struct evaluation v[PATHS_MAX];
    struct outcome shared[PATHS_MAX], whole;
    struct example x[EXAMPLES];
    const char *task = make_examples(x, choices);
    struct evaluator *e = evaluator_of(m, task, pool, cache_bytes);
    struct evaluator *alone = evaluator_of(m, task, NULL, 0);

    memset(path, ROUTING_EXECUTE, sizeof(path));
    begin(e, x, EXAMPLES);
    begin(alone, x, EXAMPLES);
    for (size_t call = 0; call < CALLS; call++) {
        size_t n = 1 + rng_below(&r, PATHS_MAX);

        draw(&r, path, v, n);
        must_run(e, v, n, true, shared);
        for (size_t i = 0; i < n; i++) {
            must_run(alone, &v[i], 1, false, &whole);
            assert_equal_outcomes(&whole, &shared[i]);
        }
        for (size_t i = 0; i < EXAMPLES; i++)
            assert_true(evaluator_stats(e, i).bytes_peak <= cache_bytes);
    }
    assert_true(evaluator_total(e).found > 0);
    assert_int_equal(evaluator_total(e).layer_rows_whole, evaluator_layer_rows(alone));
    evaluator_free(e);
    evaluator_free(alone);
    release_examples(x);
}

static void any_mixture_has_the_outcomes_of_whole_paths(void **state)
{
    static const uint64_t limit[] = { 0, 3000, 20000, 1 << 20 };
    struct model *m = deep_model(0, 96);
    struct pool *pool = pool_new(2);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(limit); i++) {
        compare_with_whole_paths(m, true, limit[i], i % 2 ? pool : NULL);
        compare_with_whole_paths(m, false, limit[i], i % 2 ? NULL : pool);
    }
    pool_free(pool);
    model_free(m);
}

/* ------------------------------------------------------------------------------------------- */

/* States behind paths, as a list. */
struct known {
    struct {
        size_t example, len;
        uint8_t key[LAYERS];
    } state[4096];
    size_t len;
};

static bool knows(const struct known *k, size_t example, const uint8_t *key, size_t len)
{
    for (size_t i = 0; i < k->len; i++)
        if (k->state[i].example == example && k->state[i].len == len &&
            memcmp(k->state[i].key, key, len) == 0)
            return true;
    return false;
}

static void learn(struct known *k, size_t example, const uint8_t *key, size_t len)
{
    assert_true(k->len < ARRAY_LEN(k->state));
    k->state[k->len].example = example;
    k->state[k->len].len = len;
    memcpy(k->state[k->len++].key, key, len);
}

/* Applications that N evaluations need beyond what K knows; it learns all states, those behind the
 * last layer only where a path of this call repeats it. */
static uint64_t naive_cost(struct known *k, const struct evaluation *v, size_t n)
{
    static struct known now;
    uint64_t made = 0;

    now = *k;
    for (size_t i = 0; i < n; i++) {
        uint8_t key[LAYERS];

        memcpy(key, v[i].routing, LAYERS);
        for (size_t len = 1; len <= LAYERS; len++) {
            for (uint8_t times = 1; times <= v[i].routing[len - 1]; times++) {
                key[len - 1] = times;
                if (knows(&now, v[i].example, key, len))
                    continue;
                learn(&now, v[i].example, key, len);
                made++;
                if (len < LAYERS || times < v[i].routing[len - 1])
                    learn(k, v[i].example, key, len);
            }
        }
    }
    /* A state that one path ends with and another one goes on from is kept. */
    for (size_t i = 0; i < n; i++) {
        uint8_t key[LAYERS];

        memcpy(key, v[i].routing, LAYERS);
        if (key[LAYERS - 1] != ROUTING_REPEAT)
            continue;
        key[LAYERS - 1] = ROUTING_EXECUTE;
        if (!knows(k, v[i].example, key, LAYERS))
            learn(k, v[i].example, key, LAYERS);
    }
    return made;
}

static void applications_are_those_of_a_trie(void **state)
{
    static struct known known;
    struct rng r = rng_stream("test trie", 1, 1);
    uint8_t path[PATHS_MAX][LAYERS];
    struct evaluation v[PATHS_MAX];
    struct outcome o[PATHS_MAX];
    struct example x[EXAMPLES];
    struct model *m = deep_model(0, 96);
    const char *task = make_examples(x, true);
    struct evaluator *e = evaluator_of(m, task, NULL, 1 << 24);
    uint64_t needed = 0, made = 0, rows = 0;

    (void)state;
    known.len = 0;
    memset(path, ROUTING_EXECUTE, sizeof(path));
    begin(e, x, EXAMPLES);
    for (size_t call = 0; call < CALLS; call++) {
        size_t n = PATHS_MAX / 2;

        draw(&r, path, v, n);
        must_run(e, v, n, true, o);
        for (size_t i = 0; i < n; i++)
            for (size_t l = 0; l < LAYERS; l++)
                needed += v[i].routing[l];
        made += naive_cost(&known, v, n);
        assert_int_equal(evaluator_total(e).needed, needed);
        assert_int_equal(evaluator_total(e).needed - evaluator_total(e).found, made);
    }
    for (size_t i = 0; i < EXAMPLES; i++)
        rows += evaluator_stats(e, i).layer_rows;
    assert_int_equal(rows, evaluator_layer_rows(e));
    assert_true(evaluator_total(e).found > 0);
    evaluator_free(e);
    release_examples(x);
    model_free(m);
}

static void a_known_sequence_of_calls_costs_what_it_must(void **state)
{
    static const uint8_t base[] = { 1, 1, 1, 1, 1, 1 }, skip_last[] = { 1, 1, 1, 1, 1, 0 },
                         repeat3[] = { 1, 1, 1, 2, 1, 1 }, repeat3_skip[] = { 1, 1, 1, 2, 0, 1 },
                         skip0[] = { 0, 1, 1, 1, 1, 1 };
    const struct evaluation first[] = { { .routing = base }, { .routing = base } },
                            second[] = { { .routing = skip_last },
                                         { .routing = repeat3 },
                                         { .routing = repeat3_skip },
                                         { .routing = skip0 } };
    struct example x[EXAMPLES];
    struct model *m = deep_model(0, 96);
    struct evaluator *e = evaluator_of(m, make_examples(x, true), NULL, 1 << 20);
    struct outcome o[4];
    uint64_t rows;

    (void)state;
    begin(e, x, 1);
    must_run(e, first, 2, true, o);
    rows = o[0].rows;
    assert_int_equal(evaluator_stats(e, 0).found, 6); /* the same path twice */
    assert_int_equal(evaluator_layer_rows(e), 6 * rows);
    must_run(e, second, 4, true, o);
    /* 0: only the head; the second pass of layer 3 is shared, then 2 and 1; 5 from the tokens. */
    assert_int_equal(evaluator_layer_rows(e), (6 + 0 + 1 + 2 + 1 + 5) * rows);
    assert_int_equal(evaluator_stats(e, 0).needed, 6 + 6 + 5 + 7 + 6 + 5);
    assert_int_equal(evaluator_stats(e, 0).found, 35 - 15);
    assert_int_equal(evaluator_stats(e, 0).layer_rows_whole, 35 * rows);
    assert_int_equal(evaluator_stats(e, 0).ended, 1 + 3);
    must_run(e, second, 4, false, o);
    assert_int_equal(evaluator_stats(e, 0).found, 35 - 15); /* whole paths find nothing */
    assert_int_equal(evaluator_stats(e, 0).layer_rows, (15 + 23) * rows);
    assert_int_equal(evaluator_stats(e, 0).evaluations, 10);
    evaluator_free(e);
    release_examples(x);
    model_free(m);
}

/* Room for the states of two paths: those of the base path survive many others. */
static void what_many_paths_pass_stays_cached(void **state)
{
    uint8_t base[LAYERS] = { 1, 1, 1, 1, 1, 1 }, other[LAYERS];
    struct evaluation v = { .routing = base };
    struct example x[EXAMPLES];
    struct model *m = deep_model(0, 96);
    const char *task = make_examples(x, true);
    struct evaluator *plenty = evaluator_of(m, task, NULL, 1 << 20), *e;
    struct rng r = rng_stream("test recent", 1, 1);
    struct outcome o;
    uint64_t before;

    (void)state;
    begin(plenty, x, 1);
    must_run(plenty, &v, 1, true, &o);
    e = evaluator_of(m, task, NULL, 2 * evaluator_total(plenty).bytes_peak);
    begin(e, x, 1);
    must_run(e, &v, 1, true, &o);
    for (size_t i = 0; i < 40; i++) { /* from layer 3 on all kinds of ends */
        memcpy(other, base, LAYERS);
        for (size_t l = 3; l < LAYERS; l++)
            other[l] = (uint8_t)rng_below(&r, 3);
        before = evaluator_stats(e, 0).found;
        v.routing = other;
        must_run(e, &v, 1, true, &o);
        assert_true(evaluator_stats(e, 0).found - before >= 3);
    }
    assert_true(evaluator_stats(e, 0).bytes_peak <= 2 * evaluator_total(plenty).bytes_peak);
    evaluator_free(plenty);
    evaluator_free(e);
    release_examples(x);
    model_free(m);
}

static void a_stopped_call_leaves_nothing_behind(void **state)
{
    uint8_t path[PATHS_MAX][LAYERS];
    struct evaluation v[PATHS_MAX];
    struct outcome o[PATHS_MAX], whole;
    struct example x[EXAMPLES];
    struct model *m = deep_model(0, 96);
    const char *task = make_examples(x, true);
    struct evaluator *e = evaluator_of(m, task, NULL, 1 << 20);
    struct evaluator *alone = evaluator_of(m, task, NULL, 0);
    struct rng r = rng_stream("test stop", 1, 1);
    struct progress p = { 0 };
    struct err err = { 0 };

    (void)state;
    memset(path, ROUTING_EXECUTE, sizeof(path));
    begin(e, x, EXAMPLES);
    begin(alone, x, EXAMPLES);
    draw(&r, path, v, PATHS_MAX);
    must_run(e, v, PATHS_MAX, true, o);
    atomic_store(&p.stop, true);
    draw(&r, path, v, PATHS_MAX);
    assert_int_equal(evaluator_run(e, v, PATHS_MAX, true, o, &p, &err), ERR_CANCELLED);
    must_run(e, v, PATHS_MAX, true, o);
    for (size_t i = 0; i < PATHS_MAX; i++) {
        must_run(alone, &v[i], 1, false, &whole);
        assert_equal_outcomes(&whole, &o[i]);
    }
    evaluator_free(e);
    evaluator_free(alone);
    release_examples(x);
    model_free(m);
}

/* 64 MiB are 256 rows of 65,536 logits. */
static void logits_in_pieces_are_those_of_whole_paths(void **state)
{
    static const uint8_t routing[][LAYERS] = { { 1, 1, 0, 0, 1, 1 }, { 1, 1, 0, 0, 2, 0 } };
    char longer[401];
    const char *choices[] = { longer, " of", NULL };
    struct model *m = deep_model(65536, 500);
    struct evaluator *e = evaluator_of(m, "arc_easy", NULL, 1 << 24);
    struct evaluation v[4];
    struct outcome o[4], whole;
    struct example x;

    (void)state;
    for (size_t i = 0; i < 400; i++)
        longer[i] = letters[i * i % 62];
    longer[400] = '\0';
    example_make(&x, TASK_CHOICE, "Tell:", choices);
    for (size_t i = 0; i < 4; i++)
        v[i] = (struct evaluation){ .routing = routing[i % 2] };
    begin(e, &x, 1);
    for (int again = 0; again < 2; again++) {
        must_run(e, v, 4, true, o);
        for (size_t i = 0; i < 4; i++) {
            must_run(e, &v[i % 2], 1, false, &whole);
            assert_equal_outcomes(&whole, &o[i]);
        }
    }
    example_release(&x);
    evaluator_free(e);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_mixture_has_the_outcomes_of_whole_paths),
        cmocka_unit_test(applications_are_those_of_a_trie),
        cmocka_unit_test(a_known_sequence_of_calls_costs_what_it_must),
        cmocka_unit_test(what_many_paths_pass_stays_cached),
        cmocka_unit_test(a_stopped_call_leaves_nothing_behind),
        cmocka_unit_test(logits_in_pieces_are_those_of_whole_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
