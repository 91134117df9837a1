/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pretrain teaches whole traces, from the prompt's end to the token that ends texts, and its
 * model is a function of parameters and seed; saved and opened again it reads tags as one token.
 * Evaluate says how long responses are, how much of that is thinking and whether they were cut,
 * whatever the batch and the threads. Method: batches decoded again; a tiny model trained for a
 * moment; real job kinds behind fake services. */
#include "tests/support/fake_job.h"

#include "common/tasks/think.h"
#include "worker/jobs/problems.h"
#include "worker/jobs/thought.h"
#include "worker/model/model.h"
#include "worker/tokenizer/tokenizer.h"

enum { EXAMPLES = 40 };

static char model_dir[512];
static struct fake_job trainer_job;

static void start(struct fake_job *f, int64_t steps)
{
    static const char *const tasks[] = { "math" };
    static const int64_t levels[] = { 1 }, budgets[] = { 7, 12 };
    static const double traces[] = { 1, 0, 1, 0, 1 };

    fake_job_init(f, KIND_PRETRAIN);
    fake_job_texts(f, "tasks", tasks, 1);
    fake_job_ints(f, "levels", levels, 1);
    fake_job_reals(f, "traces", traces, 5);
    fake_job_ints(f, "budgets", budgets, 2);
    fake_job_text(f, "prompts", "think");
    fake_job_int(f, "layers", 2);
    fake_job_int(f, "dim", 32);
    fake_job_int(f, "heads", 2);
    fake_job_int(f, "hidden", 32);
    fake_job_int(f, "positions", 64);
    fake_job_int(f, "batch", 32);
    fake_job_int(f, "warmup", 5);
    fake_job_int(f, "steps", steps);
    fake_job_real(f, "learning_rate", 0.01);
    fake_job_text(f, "gemm", "packed");
    f->lease.seed = 3;
}

static int make_model(void **state)
{
    (void)state;
    start(&trainer_job, 80);
    fake_job_run_or_fail(&trainer_job);
    snprintf(model_dir, sizeof(model_dir), "%s", trainer_job.folder);
    return 0;
}

static int remove_model(void **state)
{
    (void)state;
    job_models_drop();
    fake_job_release(&trainer_job);
    return 0;
}

/* ---- batches -------------------------------------------------------------------------------- */

static struct problems_conf conf_of(size_t positions)
{
    return (struct problems_conf){ .task = { "math", "logic" },
                                   .level = { 1, 3, 5 },
                                   .tasks_len = 2,
                                   .levels_len = 3,
                                   .seed = 5,
                                   .steps = 10,
                                   .batch = 400,
                                   .positions = positions,
                                   .think = true,
                                   .trace = { 0.5, 0, 0.25, 0.25, 0 } };
}

static struct tokenizer *thinking_tokenizer(void)
{
    struct tokenizer *t = NULL;

    assert_int_equal(
        tokenizer_from_alphabet_tags(&t, think_alphabet(), think_tag, THINK_TAGS, NULL), 0);
    return t;
}

/* What was drawn, by style and by budget stated. */
struct tally {
    size_t style[TRACE_STYLES], stated, lowest, highest;
};

/* Sequence S: prompt without targets, the completion as targets, EOS last. */
static void check_sequence(const struct problems *p, size_t s, const struct tokenizer *t,
                           struct tally *sum)
{
    const uint32_t *tokens = p->tokens + p->start[s], *target = p->target + p->start[s];
    size_t rows = p->start[s + 1] - p->start[s], first = 0;
    struct buf prompt CLEANUP(buf_release) = { 0 }, said CLEANUP(buf_release) = { 0 };
    const char *problem, *task;
    size_t budget = 0, found = TRACE_STYLES;

    while (target[first] == TRAIN_NO_TARGET)
        first++;
    assert_int_equal(tokens[0], tokenizer_bos(t));
    for (size_t i = first; i + 1 < rows; i++)
        assert_int_equal(target[i], tokens[i + 1]);
    assert_int_equal(target[rows - 1], tokenizer_eos(t));
    tokenizer_decode(t, tokens + 1, first, false, &prompt);
    tokenizer_decode(t, target + first, rows - 1 - first, false, &said);
    problem = buf_str(&prompt);
    if (*problem == '#') {
        budget = strtoul(problem + 1, NULL, 10);
        problem = strchr(problem, ':') + 1;
        sum->stated++;
        sum->lowest = MIN(sum->lowest, budget);
        sum->highest = MAX(sum->highest, budget);
    }
    task = strchr(problem, '?') ? "logic" : "math";
    for (size_t k = 0; k < TRACE_STYLES; k++) {
        struct buf want CLEANUP(buf_release) = { 0 };

        if (k == TRACE_MIXED)
            continue;
        trace_completion(task, problem, (enum trace_style)k, &want);
        if (strcmp(buf_str(&want), buf_str(&said)) == 0)
            found = k;
    }
    assert_true(found < TRACE_STYLES);
    sum->style[found]++;
}

static struct tally check_batch(const struct problems_conf *c)
{
    struct tokenizer *t = thinking_tokenizer();
    struct tally sum = { .lowest = SIZE_MAX };
    struct problems p = { 0 };
    struct err err = { 0 };

    assert_int_equal(problems_draw(&p, c, t, 7, &err), 0);
    for (size_t s = 0; s < c->batch; s++)
        check_sequence(&p, s, t, &sum);
    problems_release(&p);
    tokenizer_free(t);
    return sum;
}

/* 400 draws: 4 standard deviations are 40 or less. */
static void batches_teach_whole_traces_by_their_weights(void **state)
{
    struct problems_conf c = conf_of(128);
    struct tally sum = check_batch(&c);

    (void)state;
    assert_in_range(sum.style[TRACE_VERBOSE], 160, 240);
    assert_in_range(sum.style[TRACE_MERGED], 65, 135);
    assert_in_range(sum.style[TRACE_SPARSE], 65, 135);
    assert_int_equal(sum.style[TRACE_DIRECT], 0);
}

static void half_of_the_prompts_state_a_budget(void **state)
{
    struct problems_conf c = conf_of(128);
    struct tally sum = check_batch(&c);

    (void)state;
    assert_in_range(sum.stated, 160, 240);
    assert_in_range(sum.lowest, 5, 12); /* from the direct trace's tokens */
    assert_in_range(sum.highest, 30, trace_completion_tokens("math", 5, TRACE_VERBOSE));
    c.budget[0] = 15;
    c.budget[1] = 46;
    c.budgets_len = 2;
    sum = check_batch(&c);
    assert_in_range(sum.stated, 160, 240);
    assert_int_equal(sum.lowest, 15);
    assert_int_equal(sum.highest, 46);
}

static void problems_longer_than_the_positions_are_refused_beforehand(void **state)
{
    struct problems_conf c = conf_of(128);
    struct err err = { 0 };

    (void)state;
    /* logic, level 5: BOS, "#46:", 41 of prompt, 40 of completion. */
    c.positions = 86;
    assert_int_equal(problems_check(&c, &err), 0);
    assert_in_range(check_batch(&c).stated, 1, 400);
    c.positions = 85;
    assert_int_equal(problems_check(&c, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "logic level 5"));
    assert_non_null(strstr(err.text, "verbose"));
    assert_non_null(strstr(err.text, "86 tokens"));
    assert_non_null(strstr(err.text, "positions = 85"));
    c.trace[TRACE_VERBOSE] = 0;
    assert_int_equal(problems_check(&c, &err), 0);
    c.budget[0] = 4096;
    c.budgets_len = 1;
    c.positions = 62;
    assert_int_equal(problems_check(&c, &err), 0);
    c.positions = 61;
    assert_int_equal(problems_check(&c, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "merged"));
}

/* ---- pretrain ------------------------------------------------------------------------------- */

static void train(uint64_t seed, size_t threads, struct buf *out)
{
    struct fake_job f;

    start(&f, 6);
    f.lease.seed = seed;
    f.job.pool = pool_new(threads);
    fake_job_run_or_fail(&f);
    fake_model_read(f.folder, out);
    pool_free(f.job.pool);
    fake_job_release(&f);
}

static void thinking_model_is_a_function_of_parameters_and_seed(void **state)
{
    struct buf one CLEANUP(buf_release) = { 0 }, two CLEANUP(buf_release) = { 0 };
    struct buf other CLEANUP(buf_release) = { 0 };

    (void)state;
    train(1, 1, &one);
    train(1, 2, &two);
    train(2, 1, &other);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.data, two.data, one.len);
    assert_int_equal(one.len, other.len);
    assert_true(memcmp(one.data, other.data, one.len) != 0);
}

static void saved_model_opened_again_reads_tags_as_one_token(void **state)
{
    static const char text[] = "#15:3+5=<think>3+5=8</think><answer>8</answer>";
    struct model *m = NULL;
    struct err err = { 0 };
    uint32_t *ids = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(model_open(&m, model_dir, NULL, NULL, &err), 0);
    assert_int_equal(m->conf.vocab, 56);
    assert_int_equal(tokenizer_encode(m->tok, text, strlen(text), 0, &ids, &len, &err), 0);
    assert_int_equal(len, 8 + 4 + 5 + 1);
    assert_int_equal(ids[8], tokenizer_id(m->tok, "<think>"));
    assert_int_equal(ids[17], tokenizer_id(m->tok, "</answer>"));
    free(ids);
    model_free(m);
}

static void refusal(const char *name, const struct param_value *v, const char *part)
{
    struct fake_job f;
    struct err err = { 0 };

    start(&f, 2);
    assert_int_equal(params_set(&f.job.params, name, v, &err), 0);
    assert_true(fake_job_run(&f, &err) < 0);
    if (!strstr(err.text, part))
        fail_msg("%s", err.text);
    fake_job_release(&f);
}

static void senseless_thinking_is_refused(void **state)
{
    static char lists[] = "lists", *tasks[] = { lists };
    static double three[] = { 1, 1, 1 }, zero[] = { 0, 0, 0, 0, 0 };

    (void)state;
    refusal("tasks", &(struct param_value){ .type = PARAM_TEXTS, .texts = tasks, .len = 1 },
            "lists has no written traces");
    refusal("traces", &(struct param_value){ .type = PARAM_REALS, .reals = three, .len = 3 },
            "3 weights; verbose, mixed, merged, sparse and direct make 5");
    refusal("traces", &(struct param_value){ .type = PARAM_REALS, .reals = zero, .len = 5 },
            "all 0");
    refusal("positions", &(struct param_value){ .type = PARAM_INT, .i = 32 },
            "raise positions or leave the level out");
}

/* ---- evaluate ------------------------------------------------------------------------------- */

static void ask(struct fake_job *f, int64_t budget, int64_t max_new, double temperature)
{
    fake_job_init(f, KIND_EVALUATE);
    fake_job_input(f, "model", model_dir);
    fake_job_text(f, "task", "math");
    fake_job_text(f, "prompts", "think");
    fake_job_int(f, "level", 1);
    fake_job_int(f, "examples", EXAMPLES);
    fake_job_int(f, "budget", budget);
    fake_job_int(f, "max_new", max_new);
    fake_job_real(f, "temperature", temperature);
    f->lease.end = EXAMPLES;
}

static double value(const Drover__Score *s, const char *name)
{
    for (size_t i = 0; i < s->n_values; i++)
        if (strcmp(s->values[i]->name, name) == 0)
            return s->values[i]->value;
    return -1;
}

static void add_canonical(const struct fake_job *f, struct buf *out)
{
    for (size_t i = 0; i < f->results_len; i++) {
        Drover__ExampleResult copy = *f->result[i];
        size_t size;

        copy.wall_us = 0;
        size = drover__example_result__get_packed_size(&copy);
        out->len += drover__example_result__pack(&copy, (uint8_t *)buf_reserve(out, size));
    }
}

static void evaluate(int64_t batch, size_t threads, double temperature, struct buf *out)
{
    struct fake_job f;

    ask(&f, 7, 0, temperature);
    if (batch)
        fake_job_int(&f, "batch", batch);
    f.job.pool = pool_new(threads);
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, EXAMPLES);
    add_canonical(&f, out);
    pool_free(f.job.pool);
    fake_job_release(&f);
}

static void batch_and_threads_change_no_bit(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++) {
        struct buf one CLEANUP(buf_release) = { 0 }, all CLEANUP(buf_release) = { 0 };
        struct buf seven CLEANUP(buf_release) = { 0 };

        evaluate(1, 1, t, &one);
        evaluate(0, 2, t, &all);
        evaluate(7, 3, t, &seven);
        assert_true(one.len > 0 && one.len == all.len && one.len == seven.len);
        assert_memory_equal(one.data, all.data, one.len);
        assert_memory_equal(one.data, seven.data, one.len);
    }
}

/* Sampled from a model that was hardly trained there are all kinds of responses. */
static void scores_say_how_long_a_response_is_and_what_of_it_is_thinking(void **state)
{
    struct fake_job f;
    size_t well = 0, cut = 0, right = 0;

    (void)state;
    ask(&f, 12, 30, 1);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < f.results_len; i++) {
        const Drover__Score *s = f.result[i]->score;
        double response = value(s, "response_tokens"), think = value(s, "think_tokens");
        bool truncated = value(s, "truncated") == 1;

        assert_true(response >= 0 && response <= 30 && think >= 0 && think <= response);
        assert_int_equal((uint64_t)response, s->generated - !truncated);
        assert_true(value(s, "untruncated_tokens") == (truncated ? -1 : response));
        if (value(s, "well_formed") == 1)
            assert_true(response >= think + 4);
        assert_true(!truncated || response == 30);
        well += value(s, "well_formed") == 1;
        cut += truncated;
        right += s->correct;
    }
    assert_true(well > 0 && right > 0 && cut > 0 && cut < f.results_len);
    fake_job_release(&f);
}

static void short_limit_cuts_and_says_so(void **state)
{
    struct fake_job f;

    (void)state;
    ask(&f, 0, 3, 0);
    fake_job_run_or_fail(&f);
    for (size_t i = 0; i < f.results_len; i++) {
        const Drover__Score *s = f.result[i]->score;

        assert_true(value(s, "truncated") == 1 && value(s, "response_tokens") == 3);
        assert_true(value(s, "well_formed") == 0 && value(s, "untruncated_tokens") == -1);
        assert_false(s->correct);
        assert_string_equal(s->answer, "[invalid]");
    }
    fake_job_release(&f);
}

static void other_prompts_have_no_such_values(void **state)
{
    struct fake_job f;

    (void)state;
    ask(&f, 0, 0, 0);
    fake_job_text(&f, "prompts", "harness");
    f.lease.end = 2;
    fake_job_run_or_fail(&f);
    assert_int_equal(f.results_len, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(f.result[i]->score->n_values, 0);
    fake_job_release(&f);
}

/* ---- counting ------------------------------------------------------------------------------- */

static struct thought count(const struct tokenizer *t, const char *text, bool eos)
{
    struct thought ret;
    struct buf again CLEANUP(buf_release) = { 0 };
    uint32_t *ids = NULL;
    size_t len = 0;

    assert_int_equal(tokenizer_encode(t, text, strlen(text), 0, &ids, &len, NULL), 0);
    ids = mem_realloc(ids, len + 1, sizeof(*ids));
    ids[len] = tokenizer_eos(t);
    buf_adds(&again, "x"); /* what is there already stays */
    thought_read(&ret, t, ids, len + eos, eos, &again);
    assert_string_equal(buf_str(&again) + 1, text);
    free(ids);
    return ret;
}

static void tokens_between_the_tags_are_counted(void **state)
{
    struct tokenizer *tags = thinking_tokenizer(), *letters = NULL;
    static const char text[] = "<think>1;2;3</think><answer>3</answer>";
    struct thought t;

    (void)state;
    assert_int_equal(tokenizer_from_alphabet(&letters, "<>/thinkaswer123;", NULL), 0);
    t = count(tags, text, true);
    assert_true(t.response_tokens == 10 && t.think_tokens == 5 && t.parts.well_formed);
    t = count(tags, text, false);
    assert_true(t.response_tokens == 10 && t.think_tokens == 5);
    /* Tags of several tokens are no thinking either. */
    t = count(letters, text, true);
    assert_true(t.response_tokens == strlen(text) && t.think_tokens == 5 && t.parts.well_formed);
    t = count(tags, "<think>1;2", true);
    assert_true(t.response_tokens == 4 && t.think_tokens == 3 && !t.parts.well_formed);
    t = count(tags, "12", true);
    assert_true(t.response_tokens == 2 && t.think_tokens == 0);
    t = count(tags, "", true);
    assert_true(t.response_tokens == 0 && t.think_tokens == 0);
    t = count(tags, "<think></think><answer>1</answer>", true);
    assert_true(t.response_tokens == 5 && t.think_tokens == 0 && t.parts.well_formed);
    tokenizer_free(tags);
    tokenizer_free(letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_teach_whole_traces_by_their_weights),
        cmocka_unit_test(half_of_the_prompts_state_a_budget),
        cmocka_unit_test(problems_longer_than_the_positions_are_refused_beforehand),
        cmocka_unit_test(thinking_model_is_a_function_of_parameters_and_seed),
        cmocka_unit_test(saved_model_opened_again_reads_tags_as_one_token),
        cmocka_unit_test(senseless_thinking_is_refused),
        cmocka_unit_test(batch_and_threads_change_no_bit),
        cmocka_unit_test(scores_say_how_long_a_response_is_and_what_of_it_is_thinking),
        cmocka_unit_test(short_limit_cuts_and_says_so),
        cmocka_unit_test(other_prompts_have_no_such_values),
        cmocka_unit_test(tokens_between_the_tags_are_counted),
    };

    return cmocka_run_group_tests(tests, make_model, remove_model);
}
