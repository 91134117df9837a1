/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an outcome is a function of (model, example, routing, limits): the company, the threads,
 * the order and the pieces change no bit, and log-likelihoods are those of one sequence after the
 * other. Method: random models with a tokenizer of one token per letter; every choice once more by
 * a plain sweep of its own, compared with ==. */
#include "tests/unit/worker_jobs/talkers.h"

#include "worker/jobs/evaluator.h"
#include "worker/tokenizer/chat.h"

static const char *const words[] = { " Paris", " the sea", " of", " Rome, I think", NULL };
static const char *const single[] = { "A", "B", "C", "D", NULL };
static const char *const mixed[] = { "A", " no", "B", NULL };

static const struct task_spec *must_find(const char *name)
{
    const struct task_spec *t = task_find(name);

    if (!t)
        fail_msg("no task %s", name);
    return t;
}

static struct evaluator *evaluator_make(const struct model *m, const char *task, struct pool *pool)
{
    const struct evaluator_conf conf = { .model = m,
                                         .model_name = "models/tiny",
                                         .task = must_find(task),
                                         .pool = pool,
                                         .cache_bytes = 1 << 20,
                                         .sampling = { .top_p = 1 } };
    struct evaluator *e = NULL;
    struct err err = { 0 };

    if (evaluator_new(&e, &conf, &err) < 0)
        fail_msg("%s", err.text);
    return e;
}

static void run(struct evaluator *e, const struct example *x, size_t n, const uint8_t *routing,
                struct outcome *ret)
{
    const struct example *at[64];
    struct evaluation v[64];
    struct err err = { 0 };

    assert_true(n <= 64);
    for (size_t i = 0; i < n; i++) {
        at[i] = &x[i];
        v[i] = (struct evaluation){ .example = i, .routing = routing };
    }
    if (evaluator_begin(e, at, n, &err) < 0)
        fail_msg("%s", err.text);
    if (evaluator_run(e, v, n, false, ret, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

/* The log-likelihood of CHOICE behind PROMPT: BOS, the letters, the last positions + 1 of them. */
static double judge(const struct model *m, const char *prompt, const char *choice,
                    const uint8_t *routing, size_t *ret_cut)
{
    struct sweep *s = sweep_new(m, NULL);
    uint32_t *ids = NULL;
    size_t len = 0, vocab = m->conf.vocab, tail = strlen(choice), cut, from;
    char text[4096];
    struct err err = { 0 };
    float *logits;
    double sum = 0;

    while (prompt[0] && prompt[strlen(prompt) - 1] == ' ' && tail == strlen(choice))
        tail++; /* these tests have at most one blank there */
    snprintf(text, sizeof(text), "%s%s", prompt, choice);
    assert_int_equal(tokenizer_encode(m->tok, text, strlen(text), TOKENIZER_BOS, &ids, &len, &err),
                     0);
    assert_int_equal(len, strlen(text) + 1);
    cut = len > m->conf.positions + 1 ? len - m->conf.positions - 1 : 0;
    *ret_cut = MAX(*ret_cut, cut);
    len -= cut;
    from = len - tail - 1;
    logits = mem_calloc(tail * vocab, sizeof(float));
    struct sweep_seq seq = { .tokens = ids + cut,
                             .rows = len - 1,
                             .routing = routing,
                             .logits_from = from,
                             .logits = logits };
    assert_int_equal(sweep_run(s, &seq, 1, NULL, &err), 0);
    for (size_t i = 0; i < tail; i++) {
        const float *row = logits + i * vocab;

        sum += (double)row[ids[cut + from + i + 1]] - (double)m->kern->logsumexp(row, vocab);
    }
    free(logits);
    free(ids);
    sweep_free(s);
    return sum;
}

/* The log-likelihood of all letters of TEXT but the first, nothing in front. */
static double judge_tail(const struct model *m, const char *text, const uint8_t *routing)
{
    size_t len = 0, vocab = m->conf.vocab;
    CLEANUP(mem_cleanup) uint32_t *ids = NULL;
    struct sweep *s = sweep_new(m, NULL);
    double sum = 0;

    assert_int_equal(tokenizer_encode(m->tok, text, strlen(text), 0, &ids, &len, NULL), 0);
    CLEANUP(mem_cleanup) float *logits = mem_calloc(len * vocab, sizeof(float));
    struct sweep_seq seq = { .tokens = ids, .rows = len - 1, .routing = routing, .logits = logits };
    assert_int_equal(sweep_run(s, &seq, 1, NULL, NULL), 0);
    for (size_t i = 0; i + 1 < len; i++)
        sum += (double)logits[i * vocab + ids[i + 1]] -
               (double)m->kern->logsumexp(logits + i * vocab, vocab);
    sweep_free(s);
    return sum;
}

static void assert_judged(const struct model *m, const struct example *e, const uint8_t *routing,
                          const struct outcome *o)
{
    size_t cut = 0;

    assert_int_equal(o->logprobs_len, e->choices_len);
    for (size_t c = 0; c < e->choices_len; c++)
        assert_true(o->logprob[c] == judge(m, e->prompt, e->choice[c], routing, &cut));
}

static void make_choices(struct example *x, size_t n)
{
    static const char *const *const set[] = { words, single, mixed };

    for (size_t i = 0; i < n; i++) {
        struct buf prompt CLEANUP(buf_release) = { 0 };

        for (size_t k = 0; k <= i * 7 % 23; k++)
            buf_adds(&prompt, k % 2 ? "What is it " : "Why, ");
        buf_adds(&prompt, i % 3 ? "Answer:" : "Answer: ");
        example_make(&x[i], TASK_CHOICE, buf_str(&prompt), set[i % ARRAY_LEN(set)]);
    }
}

static void release_all(struct example *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        example_release(&x[i]);
}

static void choices_are_those_of_one_sequence_after_the_other(void **state)
{
    static const uint8_t routing[][3] = { { 1, 1, 1 }, { 2, 0, 1 }, { 0, 1, 2 } };
    struct model *m = letter_talker(0, 512);
    struct pool *pool = pool_new(2);
    struct evaluator *one = evaluator_make(m, "arc_easy", NULL);
    struct evaluator *two = evaluator_make(m, "arc_easy", pool);
    struct example x[20];
    struct outcome batch[20], threads[20], alone;

    (void)state;
    make_choices(x, 20);
    for (size_t r = 0; r < ARRAY_LEN(routing); r++) {
        run(one, x, 20, routing[r], batch);
        run(two, x, 20, routing[r], threads);
        for (size_t i = 0; i < 20; i++) {
            assert_judged(m, &x[i], routing[r], &batch[i]);
            run(one, &x[i], 1, routing[r], &alone);
            assert_memory_equal(alone.logprob, batch[i].logprob, sizeof(alone.logprob));
            assert_memory_equal(threads[i].logprob, batch[i].logprob, sizeof(alone.logprob));
            assert_string_equal(alone.answer, batch[i].answer);
            assert_int_equal(alone.rows, batch[i].rows);
            assert_int_equal(alone.pick, task_pick(alone.logprob, alone.logprobs_len));
        }
    }
    release_all(x, 20);
    evaluator_free(one);
    evaluator_free(two);
    pool_free(pool);
    model_free(m);
}

static void choices_of_one_token_share_a_pass(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    struct model *m = letter_talker(0, 64);
    struct evaluator *e = evaluator_make(m, "arc_easy", NULL);
    struct example x[2];
    struct outcome o[2];
    uint64_t before = evaluator_layer_rows(e);

    (void)state;
    example_make(&x[0], TASK_CHOICE, "Which? Answer:", single);
    example_make(&x[1], TASK_CHOICE, "Which? Answer:", mixed);
    run(e, x, 2, ones, o);
    assert_int_equal(o[0].rows, 1 + strlen(x[0].prompt));
    assert_int_equal(o[1].rows, 2 * (1 + strlen(x[1].prompt)) + 2); /* " no" has a row of its own */
    assert_int_equal(evaluator_layer_rows(e) - before, 3 * (o[0].rows + o[1].rows));
    assert_judged(m, &x[0], ones, &o[0]);
    assert_judged(m, &x[1], ones, &o[1]);
    release_all(x, 2);
    evaluator_free(e);
    model_free(m);
}

static void what_does_not_fit_is_cut_on_the_left_and_counted(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    struct model *m = letter_talker(0, 32);
    struct evaluator *e = evaluator_make(m, "arc_easy", NULL);
    struct example x[2];
    struct outcome o[2];
    size_t cut = 0;

    (void)state;
    example_make(&x[0], TASK_CHOICE, "A question of many words that goes on. Answer:", words);
    example_make(&x[1], TASK_CHOICE, "short:", words);
    run(e, x, 2, ones, o);
    for (size_t c = 0; c < x[0].choices_len; c++)
        (void)judge(m, x[0].prompt, x[0].choice[c], ones, &cut);
    assert_true(cut > 0);
    assert_int_equal(evaluator_truncated(e, 0), cut);
    assert_int_equal(evaluator_truncated(e, 1), 0);
    assert_judged(m, &x[0], ones, &o[0]);
    assert_judged(m, &x[1], ones, &o[1]);
    release_all(x, 2);
    evaluator_free(e);
    model_free(m);
}

/* 64 MiB are 256 rows of 65,536 logits. */
static void logits_of_long_continuations_come_in_pieces(void **state)
{
    static const uint8_t routing[] = { 1, 2, 1 };
    char longer[601], shorter[201];
    const char *choices[] = { longer, " of", shorter, NULL };
    struct model *m = letter_talker(65536, 700);
    struct evaluator *e = evaluator_make(m, "arc_easy", NULL);
    struct example x[2];
    struct outcome o[2];

    (void)state;
    for (size_t i = 0; i < 600; i++)
        longer[i] = letters[i * i % 62];
    longer[600] = '\0';
    memcpy(shorter, longer + 100, 200);
    shorter[200] = '\0';
    example_make(&x[0], TASK_CHOICE, "Tell:", choices);
    example_make(&x[1], TASK_CHOICE, "Tell me:", choices);
    run(e, x, 2, routing, o);
    assert_judged(m, &x[0], routing, &o[0]);
    assert_judged(m, &x[1], routing, &o[1]);
    release_all(x, 2);
    evaluator_free(e);
    model_free(m);
}

static void an_empty_context_is_the_first_token(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    struct model *m = letter_talker(0, 32);
    struct evaluator *e = evaluator_make(m, "arc_easy", NULL);
    struct example x;
    struct outcome o;

    (void)state;
    example_make(&x, TASK_CHOICE, "", words);
    run(e, &x, 1, ones, &o);
    assert_judged(m, &x, ones, &o); /* BOS is the first token here */
    example_release(&x);
    evaluator_free(e);
    model_free(m);
}

/* ------------------------------------------------------------------------------------------- */

static void make_texts(struct example *x, size_t n, size_t max_new)
{
    for (size_t i = 0; i < n; i++) {
        char prompt[100];

        snprintf(prompt, sizeof(prompt), "%.*sQuestion %zu?\nAnswer:", (int)(i * 5 % 17),
                 "a long introduction", i);
        example_make(&x[i], TASK_ANSWER, prompt, NULL);
        x[i].answer_tokens_max = max_new;
        if (i % 2)
            example_stop(&x[i], "e");
    }
}

static void assert_same_outcome(const struct outcome *a, const struct outcome *b)
{
    assert_string_equal(a->answer, b->answer);
    assert_int_equal(a->correct, b->correct);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->generated, b->generated);
    assert_int_equal(a->logprobs_len, b->logprobs_len);
    assert_memory_equal(a->logprob, b->logprob, sizeof(a->logprob));
}

static void answers_do_not_depend_on_company_or_threads(void **state)
{
    static const uint8_t routing[][3] = { { 1, 1, 1 }, { 2, 0, 1 } };
    struct model *m = letter_talker(0, 128);
    struct pool *pool = pool_new(2);
    struct evaluator *one = evaluator_make(m, "squadv2", NULL);
    struct evaluator *two = evaluator_make(m, "squadv2", pool);
    struct example x[18];
    struct outcome batch[18], threads[18], alone;
    size_t short_ones = 0;

    (void)state;
    make_texts(x, 18, 24);
    for (size_t r = 0; r < ARRAY_LEN(routing); r++) {
        run(one, x, 18, routing[r], batch);
        run(two, x, 18, routing[r], threads);
        for (size_t i = 0; i < 18; i++) {
            run(one, &x[i], 1, routing[r], &alone);
            assert_same_outcome(&alone, &batch[i]);
            assert_same_outcome(&threads[i], &batch[i]);
            assert_true(alone.generated >= 1 && alone.generated <= 24);
            assert_null(x[i].stops_len ? strchr(alone.answer, 'e') : NULL);
            assert_int_equal(alone.rows, strlen(x[i].prompt) + alone.generated);
            short_ones += alone.generated < 24;
        }
    }
    assert_true(short_ones > 0); /* else no stop was ever seen */
    release_all(x, 18);
    evaluator_free(one);
    evaluator_free(two);
    pool_free(pool);
    model_free(m);
}

/* Several paths of one example in one call, as the search asks. */
static void paths_together_are_paths_alone(void **state)
{
    static const uint8_t routing[][3] = { { 1, 1, 1 }, { 2, 0, 1 }, { 0, 1, 1 }, { 1, 2, 2 } };
    static const char *const none[] = { " unanswerable", NULL };
    struct model *m = letter_talker(0, 128);
    struct evaluator *e = evaluator_make(m, "squadv2", NULL);
    struct evaluation v[4];
    struct outcome together[4], alone;
    struct example x;
    const struct example *at = &x;
    struct err err = { 0 };

    (void)state;
    example_make(&x, TASK_ANSWER, "Background: it is so.\n\nQuestion: is it?\n\nAnswer:", none);
    x.answer_tokens_max = 20;
    example_stop(&x, "\n");
    for (size_t i = 0; i < 4; i++)
        v[i] = (struct evaluation){ .routing = routing[i] };
    assert_int_equal(evaluator_begin(e, &at, 1, &err), 0);
    for (int reuse = 0; reuse < 3; reuse++) { /* the second time from states that are there */
        assert_int_equal(evaluator_run(e, v, 4, reuse > 0, together, NULL, &err), 0);
        for (size_t i = 0; i < 4; i++) {
            struct evaluator *fresh = evaluator_make(m, "squadv2", NULL);

            run(fresh, &x, 1, routing[i], &alone);
            assert_same_outcome(&alone, &together[i]);
            assert_judged(m, &x, routing[i], &together[i]);
            evaluator_free(fresh);
        }
    }
    example_release(&x);
    evaluator_free(e);
    model_free(m);
}

/* An answer of one token by the fast way and, with a stop that never comes, by generation. */
static void one_token_is_the_first_of_many(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    struct model *m = letter_talker(0, 128);
    struct evaluator *e = evaluator_make(m, "squadv2", NULL);
    struct example x[12];
    struct outcome fast[12], slow[12];

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        char prompt[40];

        snprintf(prompt, sizeof(prompt), "%zu and %zu is", i, i * i);
        example_make(&x[i], TASK_ANSWER, prompt, NULL);
    }
    run(e, x, 12, ones, fast);
    for (size_t i = 0; i < 12; i++)
        example_stop(&x[i], "nothing says this");
    run(e, x, 12, ones, slow);
    for (size_t i = 0; i < 12; i++)
        assert_same_outcome(&fast[i], &slow[i]);
    release_all(x, 12);
    evaluator_free(e);
    model_free(m);
}

static void long_prompts_leave_room_for_the_answer(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    static const char prompt[] = "a prompt of fifty letters is what is needed here..";
    struct model *m = letter_talker(0, 32);
    struct evaluator *e = evaluator_make(m, "squadv2", NULL);
    struct example x[2], tail;
    struct outcome o[2], want;

    (void)state;
    example_make(&x[0], TASK_ANSWER, prompt, NULL);
    x[0].answer_tokens_max = 12; /* 20 of 51 tokens stay */
    example_make(&x[1], TASK_ANSWER, prompt, NULL);
    x[1].answer_tokens_max = 3000; /* more than there are: half of the positions */
    example_make(&tail, TASK_ANSWER, prompt + strlen(prompt) - 19, NULL);
    tail.answer_tokens_max = 12;
    run(e, x, 2, ones, o);
    assert_int_equal(evaluator_truncated(e, 0), 31);
    assert_int_equal(evaluator_truncated(e, 1), 51 - 16);
    assert_true(o[0].generated <= 12 && o[1].generated <= 16);
    run(e, &tail, 1, ones, &want); /* BOS and 19 letters: as long, but another first token */
    assert_int_equal(evaluator_truncated(e, 0), 0);
    assert_int_equal(want.rows - want.generated, o[0].rows - o[0].generated);
    release_all(x, 2);
    example_release(&tail);
    evaluator_free(e);
    model_free(m);
}

static void chat_prompts_are_wrapped_or_refused(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    struct model *chat = llama3_talker(512), *base = letter_talker(0, 512);
    struct evaluator *e = evaluator_make(chat, "arc_easy", NULL);
    struct evaluator *refuses = evaluator_make(base, "arc_easy", NULL);
    const struct chat_message message[] = { { "system", "Be short." }, { "user", "Which one?" } };
    struct buf text CLEANUP(buf_release) = { 0 };
    uint32_t *ids CLEANUP(mem_cleanup) = NULL;
    size_t len = 0;
    struct example x;
    const struct example *at = &x;
    struct outcome o;
    struct err err = { 0 };

    (void)state;
    example_make(&x, TASK_ANSWER, "Which one?", NULL);
    x.begin = mem_strdup("It is");
    x.chat = true;
    x.system = mem_strdup("Be short.");
    x.answer_tokens_max = 6;
    run(e, &x, 1, ones, &o);
    assert_int_equal(chat_render(CHAT_LLAMA3, message, 2, NULL, &text, &err), 0);
    buf_adds(&text, x.begin);
    assert_int_equal(
        tokenizer_encode(chat->tok, buf_str(&text), text.len, TOKENIZER_SPECIAL, &ids, &len, &err),
        0);
    assert_int_equal(ids[0], tokenizer_bos(chat->tok)); /* the template's own, and only one */
    assert_int_not_equal(ids[1], ids[0]);
    assert_int_equal(o.rows, len + o.generated - 1);
    assert_true(o.generated >= 1 && o.generated <= 6);
    assert_int_equal(evaluator_begin(refuses, &at, 1, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "models/tiny"));
    assert_non_null(strstr(err.text, "by hand"));
    example_release(&x);
    evaluator_free(e);
    evaluator_free(refuses);
    model_free(chat);
    model_free(base);
}

static void of_a_choice_longer_than_the_positions_the_end_is_scored(void **state)
{
    static const uint8_t ones[] = { 1, 1, 1 };
    static const char *const choices[] = { " a choice of more than sixteen letters", " no", NULL };
    struct model *m = letter_talker(0, 16);
    struct evaluator *e = evaluator_make(m, "arc_easy", NULL);
    struct example x;
    struct outcome o;
    size_t cut = 0, len = strlen(choices[0]);

    (void)state;
    example_make(&x, TASK_CHOICE, "Q:", choices);
    run(e, &x, 1, ones, &o);
    assert_int_equal(evaluator_truncated(e, 0), 1 + strlen("Q:") + len - 17);
    /* Seventeen letters, of which the first only is read. */
    assert_true(o.logprob[0] == judge_tail(m, choices[0] + len - 17, ones));
    assert_true(o.logprob[1] == judge(m, x.prompt, choices[1], ones, &cut));
    example_release(&x);
    evaluator_free(e);
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_those_of_one_sequence_after_the_other),
        cmocka_unit_test(choices_of_one_token_share_a_pass),
        cmocka_unit_test(what_does_not_fit_is_cut_on_the_left_and_counted),
        cmocka_unit_test(logits_of_long_continuations_come_in_pieces),
        cmocka_unit_test(an_empty_context_is_the_first_token),
        cmocka_unit_test(answers_do_not_depend_on_company_or_threads),
        cmocka_unit_test(paths_together_are_paths_alone),
        cmocka_unit_test(one_token_is_the_first_of_many),
        cmocka_unit_test(long_prompts_leave_room_for_the_answer),
        cmocka_unit_test(chat_prompts_are_wrapped_or_refused),
        cmocka_unit_test(of_a_choice_longer_than_the_positions_the_end_is_scored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
