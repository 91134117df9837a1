/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a response with visible reasoning is taken apart as it stands, whatever a model writes;
 * prompts state the budget and change nothing else of an example; grading takes the answer span.
 * Method: responses by hand, with spans and flags worked out by hand; the same examples asked in
 * several ways. */
#include "tests/unit/common_tasks/fixture.h"

#include "common/tasks/think.h"

/* THINK, ANSWER: the spans' texts, NULL: there is none. */
static const struct {
    const char *text, *think, *answer;
    bool think_ok, answer_ok, well_formed;
} responses[] = {
    { "<think>1;2</think><answer>2</answer>", "1;2", "2", true, true, true },
    { " <think></think>\n<answer> 2 </answer>\n", "", " 2 ", true, true, true },
    { "<think><</think><answer></answer>", "<", "", true, true, true },
    { "", NULL, NULL, false, false, false },
    { "2", NULL, NULL, false, false, false },
    { "<answer>2</answer>", NULL, "2", false, true, false },
    { "<think>1</think>", "1", NULL, true, false, false },
    { "<think>1", "1", NULL, false, false, false },
    { "<think>", "", NULL, false, false, false },
    { "</think>", NULL, NULL, false, false, false },
    { "</think><think>1", "1", NULL, false, false, false },
    { "</answer><answer>1", NULL, NULL, false, false, false },
    { "<think>1</think><answer>2", "1", NULL, true, false, false },
    { "x<think>1</think><answer>2</answer>", "1", "2", true, true, false },
    { "<think>1</think>x<answer>2</answer>", "1", "2", true, true, false },
    { "<think>1</think><answer>2</answer>x", "1", "2", true, true, false },
    { "<answer>2</answer><think>1</think>", "1", "2", true, true, false },
    { "<think>1</think><answer>2</answer><answer>3</answer>", "1", "2", true, false, false },
    { "<think>1</think><think>1</think><answer>2</answer>", "1", "2", false, true, false },
    { "<think>1</think></think><answer>2</answer>", "1", "2", false, true, false },
    { "<think><think>1</think><answer>2</answer>", "<think>1", "2", false, true, false },
    { "<think>1<answer>2</think></answer>", "1<answer>2", "2</think>", false, false, false },
    { "<think>1<answer>2</answer></think>", "1<answer>2</answer>", "2", false, true, false },
    { "<think>1</thin><answer>2</answer>", "1</thin><answer>2</answer>", "2", false, true, false },
    { "<think>1</think><answer>2</answer", "1", NULL, true, false, false },
};

static void same_span(const char *text, bool has, struct think_span s, const char *want)
{
    assert_int_equal(has, want != NULL);
    assert_true(s.begin <= s.end && s.end <= strlen(text));
    assert_int_equal(s.end - s.begin, want ? strlen(want) : 0);
    assert_memory_equal(text + s.begin, want ? want : "", s.end - s.begin);
}

static void spans_and_flags_of_any_response_are_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(responses); i++) {
        const char *text = responses[i].text;
        struct think_parts p;

        think_parse(text, strlen(text), &p);
        if (p.think_ok != responses[i].think_ok || p.answer_ok != responses[i].answer_ok ||
            p.well_formed != responses[i].well_formed)
            fail_msg("%s: %d %d %d", text, p.think_ok, p.answer_ok, p.well_formed);
        same_span(text, p.has_think, p.think, responses[i].think);
        same_span(text, p.has_answer, p.answer, responses[i].answer);
    }
}

/* Every sequence of up to five of these pieces. */
static void random_pieces_never_lead_out_of_the_text(void **state)
{
    static const char *const piece[] = { "<think>", "</think>", "<answer>", "</answer>", "7", "<" };
    enum { PIECES = ARRAY_LEN(piece), LONGEST = 5 };
    size_t well = 0;

    (void)state;
    for (size_t n = 0, all = 1; n <= LONGEST; n++, all *= PIECES)
        for (size_t code = 0; code < all; code++) {
            struct buf text CLEANUP(buf_release) = { 0 };
            struct think_parts p;
            size_t rest = code;

            for (size_t i = 0; i < n; i++, rest /= PIECES)
                buf_adds(&text, piece[rest % PIECES]);
            /* A copy of that very size: what is read behind it is seen by the sanitizer. */
            char *copy = malloc(text.len + 1);
            memcpy(copy, buf_str(&text), text.len);
            copy[text.len] = '\xff';
            think_parse(copy, text.len, &p);
            assert_true(p.think.begin <= p.think.end && p.think.end <= text.len);
            assert_true(p.answer.begin <= p.answer.end && p.answer.end <= text.len);
            assert_true(!p.well_formed || (p.think_ok && p.answer_ok));
            well += p.well_formed;
            free(copy);
        }
    assert_int_equal(well, 1 + 4); /* empty spans; and 7 or < in one of the two */
}

static void compact_prompt_states_the_budget_in_front(void **state)
{
    struct task_query q = { .task = "math", .level = 2, .prompts = PROMPTS_THINK };
    struct task_query plain = { .task = "math", .level = 2 };

    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        struct example e, with, without;
        struct buf want CLEANUP(buf_release) = { 0 };

        e = fixture_example(plain, i, NULL);
        q.budget = 0;
        without = fixture_example(q, i, NULL);
        q.budget = 15;
        with = fixture_example(q, i, NULL);
        assert_true(e.id == with.id && e.id == without.id);
        assert_string_equal(without.prompt, e.prompt);
        buf_printf(&want, "#15:%s", e.prompt);
        assert_string_equal(with.prompt, buf_str(&want));
        assert_string_equal(with.question, e.question);
        assert_string_equal(with.gold, e.gold);
        assert_int_equal(with.answer_tokens_max, 128);
        assert_int_equal(with.prompts, PROMPTS_THINK);
        assert_true(!with.chat && !with.system && with.stops_len == 0);
        example_release(&e);
        example_release(&with);
        example_release(&without);
    }
}

#define GSM "{\"question\":\"How many?\",\"answer\":\"so\\n#### 1,002\"}\n"

static void text_prompt_has_preamble_budget_and_question(void **state)
{
    struct task_query q = fixture_query("gsm8k", fixture_file(*state, "data", GSM));
    struct example plain = fixture_example(q, 0, NULL), e;
    const char *at;

    q.prompts = PROMPTS_THINK;
    e = fixture_example(q, 0, NULL);
    assert_true(e.id == plain.id);
    assert_null(strstr(e.prompt, "IMPORTANT"));
    assert_non_null(strstr(e.prompt, "<think>"));
    assert_non_null(at = strstr(e.prompt, "\nUser: How many?\nAssistant:"));
    assert_string_equal(at, "\nUser: How many?\nAssistant:");
    assert_int_equal(e.stops_len, 1);
    assert_string_equal(e.stop[0], "\nUser:");
    assert_int_equal(e.answer_tokens_max, 1024);
    assert_false(e.chat);
    /* Asked again with another budget, as often as wanted. */
    for (size_t budget = 87; budget <= 88; budget++) {
        char sentence[64];

        snprintf(sentence, sizeof(sentence), "exactly %zu tokens.", budget);
        think_ask(task_find("gsm8k"), &e, PROMPTS_THINK, budget);
        assert_non_null(at = strstr(e.prompt, "IMPORTANT"));
        assert_non_null(strstr(at, sentence));
        assert_null(strstr(at + 1, "IMPORTANT"));
        assert_int_equal(e.stops_len, 1);
    }
    example_release(&e);
    example_release(&plain);
}

static void chat_models_get_the_preamble_as_system_message(void **state)
{
    struct task_query q = fixture_query("gsm8k", fixture_file(*state, "data", GSM));
    struct example e;

    q.prompts = PROMPTS_THINK_CHAT;
    q.budget = 87;
    e = fixture_example(q, 0, NULL);
    assert_true(e.chat);
    assert_string_equal(e.prompt, "How many?");
    assert_non_null(strstr(e.system, "exactly 87 tokens"));
    assert_int_equal(e.stops_len, 0);
    think_ask(task_find("gsm8k"), &e, PROMPTS_THINK, 0);
    assert_true(!e.chat && !e.system);
    example_release(&e);
}

static const struct {
    const char *task, *record, *text, *answer;
    bool correct;
} graded[] = {
    { "gsm8k", GSM, "<think>It is 7.</think><answer>1002</answer>", "1002", true },
    { "gsm8k", GSM, "<think>1002</think><answer>7</answer>", "7", false },
    { "gsm8k", GSM, "<answer>$1,002.00</answer>", "$1,002.00", true },
    { "gsm8k", GSM, "<answer>1,002 apples</answer>", "1,002", true },
    { "gsm8k", GSM, "#### 1002", "[invalid]", false },
    { "gsm8k", GSM, "<think>1002</think><answer>1002", "[invalid]", false },
    { "gsm8k", GSM, "<answer></answer>1002", "[invalid]", false },
    { "gsm8k", GSM, "<answer>7</answer><answer>1002</answer>", "7", false },
#define MATH "{\"problem\":\"p\",\"level\":\"Level 1\",\"answer\":\"\\\\frac{1}{2}\"}\n"
    { "hendrycks_math", MATH, "<think></think><answer>$\\dfrac12$</answer>", "\\dfrac12", true },
    { "dart_math", MATH, "<answer>0.5</answer>", "0.5", true },
    { "dart_math", MATH, "<answer>\\boxed{\\frac{1}{2}}</answer>", "\\frac{1}{2}", true },
    { "dart_math", MATH, "\\boxed{\\frac{1}{2}}", "[invalid]", false },
#define SVAMP "[{\"Body\":\"b\",\"Question\":\"q\",\"Answer\":2.5}]"
    { "svamp", SVAMP, "<answer>2.50</answer>", "2.50", true },
    { "svamp", SVAMP, "<answer>3</answer>", "3", false },
};

static void answer_span_is_compared_by_the_tasks_own_rule(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(graded); i++) {
        struct task_query q =
            fixture_query(graded[i].task, fixture_file(*state, "data", graded[i].record));
        struct example e;
        struct marks m;

        q.prompts = PROMPTS_THINK;
        e = fixture_example(q, 0, NULL);
        task_grade(task_find(graded[i].task), &e, &(struct response){ .text = graded[i].text }, &m);
        if (m.correct != graded[i].correct || strcmp(buf_str(&m.answer), graded[i].answer) != 0)
            fail_msg("%s: %s: %d \"%s\"", graded[i].task, graded[i].text, m.correct,
                     buf_str(&m.answer));
        assert_true(m.value[0] == (m.correct ? 1 : 0));
        marks_release(&m);
        example_release(&e);
    }
}

static void drawn_problems_are_graded_too(void **state)
{
    struct rng r = rng_stream("test", 1, 0);

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        const char *task = i % 2 ? "logic" : "math";
        struct buf text CLEANUP(buf_release) = { 0 };
        struct example e;
        struct marks m;

        assert_int_equal(task_draw(task, 3, &r, &e, NULL), 0);
        think_ask(task_find(task), &e, PROMPTS_THINK, 9);
        assert_memory_equal(e.prompt, "#9:", 3);
        buf_printf(&text, "<think>zz</think><answer>%s</answer>", e.gold);
        task_grade(task_find(task), &e, &(struct response){ .text = buf_str(&text) }, &m);
        assert_true(m.correct);
        marks_release(&m);
        task_grade(task_find(task), &e, &(struct response){ .text = e.gold }, &m);
        assert_false(m.correct);
        marks_release(&m);
        example_release(&e);
    }
}

static void alphabet_has_all_that_prompts_and_answers_use_once(void **state)
{
    const char *all = think_alphabet();

    (void)state;
    for (const char *c = task_alphabet(); *c; c++)
        assert_non_null(strchr(all, *c));
    for (const char *c = "#:;"; *c; c++)
        assert_non_null(strchr(all, *c));
    for (const char *c = all; *c; c++)
        assert_null(strchr(c + 1, *c));
    assert_int_equal(strlen(all), strlen(task_alphabet()) + 3);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    static const struct {
        struct task_query q;
        const char *part;
    } cases[] = {
        { { .task = "lists", .level = 1, .prompts = PROMPTS_THINK }, "has no think prompts" },
        { { .task = "lists", .level = 1, .prompts = PROMPTS_THINK_CHAT },
          "has no think_chat prompts" },
        { { .task = "boolq", .path = "x", .prompts = PROMPTS_THINK }, "has no think prompts" },
        { { .task = "squadv2", .path = "x", .prompts = PROMPTS_THINK }, "has no think prompts" },
        { { .task = "math", .level = 1, .prompts = PROMPTS_THINK, .fewshot = 2 },
          "takes no few-shot" },
        { { .task = "math", .level = 1, .budget = 15 }, "say prompts = \"think\"" },
        { { .task = "math", .level = 1, .prompts = PROMPTS_THINK, .budget = 65537 }, "at most" },
        { { .task = "math", .level = 7, .prompts = PROMPTS_THINK }, "out of range" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct task_source *s = NULL;
        struct err err = { 0 };

        assert_int_equal(task_open(&s, &cases[i].q, &err), ERR_INVALID);
        if (!strstr(err.text, cases[i].part))
            fail_msg("%s", err.text);
        assert_null(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_and_flags_of_any_response_are_known),
        cmocka_unit_test(random_pieces_never_lead_out_of_the_text),
        cmocka_unit_test(compact_prompt_states_the_budget_in_front),
        cmocka_unit_test_setup_teardown(text_prompt_has_preamble_budget_and_question, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(chat_models_get_the_preamble_as_system_message,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(answer_span_is_compared_by_the_tasks_own_rule,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test(drawn_problems_are_graded_too),
        cmocka_unit_test(alphabet_has_all_that_prompts_and_answers_use_once),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
