/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a router's paths are decided in the pass to the bits of those paths given, whatever the
 * batch, shards, threads and kernels.
 * Method: a random model and random routers (routed_rig.h); evaluators on choices, one-token
 * answers and texts, and evaluate jobs behind fake services. */
#include "tests/unit/worker_jobs/routed_rig.h"
#include "tests/unit/worker_model/decider.h"

enum { HAND = 20 };

/* ---- bits ----------------------------------------------------------------------------------- */

/* Choices of several parts and of one, one-token answers, texts, texts with choices. */
static void make_examples(struct example *x)
{
    static const char *const words[] = { " Paris", " the sea", " of", " Rome, I think", NULL };
    static const char *const single[] = { "A", "B", "C", "D", NULL };
    static const char *const none[] = { " no answer", NULL };

    for (size_t i = 0; i < HAND; i++) {
        struct buf prompt CLEANUP(buf_release) = { 0 };

        for (size_t k = 0; k <= i * 7 % 5; k++)
            buf_printf(&prompt, "%s%zu, ", k % 2 ? "what is " : "Why ", i * i + k);
        example_make(&x[i], i % 5 < 2 ? TASK_CHOICE : TASK_ANSWER, buf_str(&prompt),
                     i % 5 == 0   ? words
                     : i % 5 == 1 ? single
                     : i % 5 == 4 ? none
                                  : NULL);
        x[i].id = 1000 + i;
        if (i % 5 >= 3)
            x[i].answer_tokens_max = 12;
    }
}

static void release_examples(struct example *x)
{
    for (size_t i = 0; i < HAND; i++)
        example_release(&x[i]);
}

struct answers {
    struct outcome outcome[HAND];
    uint8_t routing[HAND][LAYERS];
};

/* By what ROUTED says, BATCH at a time; or, ROUTED NULL, by the routings that are in RET. */
static void answer(const struct model *m, struct routed *routed, const struct example *x,
                   size_t batch, struct pool *pool, struct answers *ret)
{
    const struct evaluator_conf conf = {
        .model = m, .task = task_find("arc_easy"), .pool = pool, .sampling = { .top_p = 1 }
    };
    struct evaluator *e = NULL;
    struct err err = { 0 };

    assert_int_equal(evaluator_new(&e, &conf, &err), 0);
    for (size_t from = 0; from < HAND; from += batch) {
        size_t n = MIN(batch, HAND - from);
        const struct example *at[HAND];
        struct evaluation v[HAND];

        for (size_t i = 0; i < n; i++) {
            at[i] = &x[from + i];
            v[i] = (struct evaluation){ .example = i, .routing = ret->routing[from + i] };
            if (routed)
                assert_int_equal(routed_choose(routed, at[i], ret->routing[from + i], &v[i], &err),
                                 0);
        }
        assert_int_equal(evaluator_begin(e, at, n, &err), 0);
        if (evaluator_run(e, v, n, false, ret->outcome + from, NULL, &err) < 0)
            fail_msg("%s", err.text);
    }
    evaluator_free(e);
}

static void assert_same_answers(const struct answers *a, const struct answers *b)
{
    for (size_t i = 0; i < HAND; i++) {
        const struct outcome *x = &a->outcome[i], *y = &b->outcome[i];

        assert_memory_equal(a->routing[i], b->routing[i], LAYERS);
        assert_memory_equal(x->logprob, y->logprob, sizeof(x->logprob));
        assert_string_equal(x->answer, y->answer);
        assert_int_equal(x->correct, y->correct);
        assert_int_equal(x->pick, y->pick);
        assert_int_equal(x->rows, y->rows);
        assert_int_equal(x->generated, y->generated);
    }
}

static size_t distinct_paths(const struct answers *a)
{
    size_t n = 0;

    for (size_t i = 0; i < HAND; i++) {
        bool again = false;

        for (size_t k = 0; k < i; k++)
            again = again || memcmp(a->routing[i], a->routing[k], LAYERS) == 0;
        n += !again;
    }
    return n;
}

static void a_router_gives_the_bits_of_its_paths_in_any_company_at_any_level(void **state)
{
    static const size_t batches[] = { 1, 3, 16 };
    struct example x[HAND];

    (void)state;
    make_examples(x);
    for (size_t r = 0; r < ROUTERS; r++) {
        struct answers want, got;
        bool first = true;

        for (int level = 0; level < KERNELS_LEVELS; level++) {
            const struct kernels *kern = kernels_at((enum kernels_level)level);
            struct model *m = NULL;
            struct routed *routed = NULL;
            struct fake_job f;
            struct err err = { 0 };

            if (!kern)
                continue;
            start(&f, "router");
            fake_job_input(&f, "router", router_dir[r]);
            fake_job_real(&f, "price", 0.001);
            assert_int_equal(model_open(&m, model_dir, NULL, kern, &err), 0);
            if (routed_new(&routed, &f.job, m, &err) < 0)
                fail_msg("%s", err.text);
            for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
                struct pool *pool = pool_new(1 + b % 2);

                answer(m, routed, x, batches[b], pool, first ? &want : &got);
                if (!first)
                    assert_same_answers(&got, &want);
                first = false;
                pool_free(pool);
            }
            memcpy(got.routing, want.routing, sizeof(got.routing));
            answer(m, NULL, x, 7, NULL, &got);
            assert_same_answers(&got, &want);
            routed_free(routed);
            model_free(m);
            fake_job_release(&f);
        }
        assert_true(distinct_paths(&want) >= 3);
        for (size_t i = 0; i < HAND; i++)
            assert_true(routing_legal(want.routing[i], LAYERS));
    }
    release_examples(x);
}

static void the_decision_is_the_routers_on_the_context_that_choices_share(void **state)
{
    struct example x[HAND];
    struct answers got;
    struct router *r = NULL;
    struct model *m = NULL;
    struct routed *routed = NULL;
    struct router_work work = { 0 };
    struct fake_job f;
    struct err err = { 0 };

    (void)state;
    make_examples(x);
    start(&f, "router");
    fake_job_input(&f, "router", router_dir[SUCCESS_ROUTER]);
    fake_job_real(&f, "epsilon", 0);
    assert_int_equal(model_open(&m, model_dir, NULL, NULL, &err), 0);
    assert_int_equal(routed_new(&routed, &f.job, m, &err), 0);
    assert_int_equal(router_open(&r, router_dir[SUCCESS_ROUTER], m->kern, &err), 0);
    answer(m, routed, x, 16, NULL, &got);
    for (size_t i = 0; i < HAND; i++) {
        static const uint8_t ones[LAYERS] = { 1, 1, 1, 1, 1, 1 };
        const struct router_options options = { .knob = -0.5, .epsilon = 0.0, .price = 0.0 };
        struct sweep *s = sweep_new(m, NULL);
        uint32_t *ids CLEANUP(mem_cleanup) = NULL;
        uint8_t path[LAYERS];
        size_t len = 0, text = strlen(x[i].prompt);

        /* Blanks at the end of a context are the choice's. */
        while (x[i].form == TASK_CHOICE && text > 0 && x[i].prompt[text - 1] == ' ')
            text--;
        assert_int_equal(
            tokenizer_encode(m->tok, x[i].prompt, text, TOKENIZER_BOS, &ids, &len, &err), 0);
        CLEANUP(mem_cleanup) float *state_2 = mem_calloc(len * DIM, sizeof(float));
        float *save[LAYERS + 1] = { [2] = state_2 };
        struct sweep_seq seq = {
            .tokens = ids, .rows = len, .routing = ones, .save = save, .logits_from = len
        };
        struct router_prompt prompt = { .state = state_2, .rows = len, .ld = DIM, .routing = path };

        assert_int_equal(sweep_run(s, &seq, 1, NULL, &err), 0);
        memcpy(path, ones, LAYERS);
        assert_int_equal(router_decide(r, 2, &options, &prompt, 1, &work, &err), 0);
        assert_memory_equal(got.routing[i], path, LAYERS);
        sweep_free(s);
    }
    router_work_release(&work);
    router_free(r);
    routed_free(routed);
    model_free(m);
    release_examples(x);
    fake_job_release(&f);
}

/* 64 MiB are 256 rows of 65,536 logits: parts of one question go through several sweeps, and the
 * longest one's logits come piece by piece. */
static void parts_in_later_sweeps_go_by_the_decision_of_the_first(void **state)
{
    char longer[601], shorter[201];
    const char *first[] = { longer, " of", shorter, NULL },
               *last[] = { " of", shorter, longer, NULL };
    struct model *m = letter_talker(65536, 700);
    struct example x[2];
    size_t changed = 0;

    (void)state;
    for (size_t i = 0; i < 600; i++)
        longer[i] = letters[i * i % 62];
    longer[600] = '\0';
    memcpy(shorter, longer + 100, 200);
    shorter[200] = '\0';
    example_make(&x[0], TASK_CHOICE, "Tell:", first);
    example_make(&x[1], TASK_CHOICE, "Tell me:", last);
    for (uint64_t salt = 0; salt < 3; salt++) {
        struct bits_decider bits = { .layers = 3, .dim = DIM, .salt = salt };
        const struct sweep_decider decider = { bits_decide, &bits };
        const struct evaluator_conf conf = { .model = m,
                                             .task = task_find("arc_easy"),
                                             .sampling = { .top_p = 1 } };
        const struct example *at[] = { &x[0], &x[1] };
        uint8_t decided[2][3];
        struct evaluation v[2] = { { .example = 0, .decider = &decider, .decided = decided[0] },
                                   { .example = 1, .decider = &decider, .decided = decided[1] } };
        struct outcome routed[2], given[2];
        struct evaluator *e = NULL;
        struct err err = { 0 };

        assert_int_equal(evaluator_new(&e, &conf, &err), 0);
        assert_int_equal(evaluator_begin(e, at, 2, &err), 0);
        assert_int_equal(evaluator_run(e, v, 2, false, routed, NULL, &err), 0);
        assert_int_equal(bits.sequences, 2 * 3); /* each question once per layer */
        for (size_t i = 0; i < 2; i++)
            v[i] = (struct evaluation){ .example = i, .routing = decided[i] };
        assert_int_equal(evaluator_run(e, v, 2, false, given, NULL, &err), 0);
        for (size_t i = 0; i < 2; i++) {
            assert_memory_equal(routed[i].logprob, given[i].logprob, sizeof(given[i].logprob));
            changed += memcmp(decided[i], "\1\1\1", 3) != 0;
        }
        evaluator_free(e);
    }
    assert_true(changed > 0);
    example_release(&x[0]);
    example_release(&x[1]);
    model_free(m);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void canonical(const struct fake_job *f, struct buf *out)
{
    for (size_t i = 0; i < f->results_len; i++) {
        Drover__ExampleResult copy = *f->result[i];
        size_t size;

        copy.wall_us = 0;
        size = drover__example_result__get_packed_size(&copy);
        out->len += drover__example_result__pack(&copy, (uint8_t *)buf_reserve(out, size));
    }
}

static void scores_depend_on_no_batch_and_no_shard(void **state)
{
    static const struct {
        int64_t batch;
        uint64_t shard;
    } ways[] = { { 16, EXAMPLES }, { 1, EXAMPLES }, { 5, 7 }, { 16, 1 } };
    struct buf want CLEANUP(buf_release) = { 0 };

    (void)state;
    for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
        struct buf got CLEANUP(buf_release) = { 0 };

        for (uint64_t from = 0; from < EXAMPLES; from += ways[w].shard) {
            struct fake_job f;

            start(&f, "router");
            fake_job_input(&f, "router", router_dir[LABEL_ROUTER]);
            fake_job_int(&f, "batch", ways[w].batch);
            f.lease.begin = from;
            f.lease.end = MIN(from + ways[w].shard, (uint64_t)EXAMPLES);
            fake_job_run_or_fail(&f);
            for (size_t i = 0; i < f.results_len; i++) {
                const Drover__Score *s = f.result[i]->score;

                assert_int_equal(s->layer_rows,
                                 routing_length(s->routing.data, LAYERS) * s->tokens);
                assert_int_equal(s->n_values, 0); /* no labels beside it: nothing to compare */
            }
            canonical(&f, w == 0 ? &want : &got);
            fake_job_release(&f);
        }
        if (w > 0) {
            assert_int_equal(got.len, want.len);
            assert_memory_equal(got.data, want.data, want.len);
        }
    }
}

static void the_knob_leads_to_skip_execute_and_repeat(void **state)
{
    static const double knobs[] = { -1.0, 0.5, 1.0 };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(knobs); k++) {
        struct fake_job f;

        start(&f, "router");
        fake_job_input(&f, "router", router_dir[LABEL_ROUTER]);
        fake_job_real(&f, "knob", knobs[k]);
        fake_job_run_or_fail(&f);
        for (size_t i = 0; i < EXAMPLES; i++)
            assert_memory_equal(f.result[i]->score->routing.data,
                                k == 0   ? "\0\0\1\0\0\1" /* never three skips in a row */
                                : k == 1 ? "\1\1\1\1\1\1"
                                         : "\2\2\2\2\2\2",
                                LAYERS);
        fake_job_release(&f);
    }
}

static void time_of_a_batch_is_shared_by_what_examples_cost(void **state)
{
    struct fake_job f;
    double all_us = 0, all_rows = 0;

    (void)state;
    start(&f, "router");
    fake_job_input(&f, "router", router_dir[LABEL_ROUTER]);
    fake_job_int(&f, "batch", EXAMPLES);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < EXAMPLES; i++) {
        all_us += (double)f.result[i]->wall_us;
        all_rows += (double)f.result[i]->score->layer_rows;
    }
    assert_true(all_us > 0);
    for (size_t i = 0; i < EXAMPLES; i++) {
        const Drover__ExampleResult *r = f.result[i];
        double share = all_us * (double)r->score->layer_rows / all_rows;

        assert_true((double)r->wall_us < share + 1.001 && (double)r->wall_us > share - 1.001);
    }
    fake_job_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_router_gives_the_bits_of_its_paths_in_any_company_at_any_level),
        cmocka_unit_test(the_decision_is_the_routers_on_the_context_that_choices_share),
        cmocka_unit_test(parts_in_later_sweeps_go_by_the_decision_of_the_first),
        cmocka_unit_test(scores_depend_on_no_batch_and_no_shard),
        cmocka_unit_test(the_knob_leads_to_skip_execute_and_repeat),
        cmocka_unit_test(time_of_a_batch_is_shared_by_what_examples_cost),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}
