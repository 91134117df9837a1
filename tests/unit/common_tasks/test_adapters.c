/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what holds across rows of the table: Dr.LLM's prompts, GPQA's order of options, equal
 * records, levels.
 * Method: hand-made files; texts written out by hand. */
#include "tests/unit/common_tasks/fixture.h"

#define GPQA_HEAD                                                                                  \
    "Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n"

/* The order is a function of the question alone: position in the file and neighbours do not
 * matter, and over many questions the right option is everywhere. */
static void gpqa_options_stand_in_an_order_of_the_question(void **state)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int at[4] = { 0 };

    buf_adds(&text, GPQA_HEAD);
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "rec%d,\"Which, of %d?\", right  one [x],w1,w2,w3 \n", i, i);
    struct task_query q = fixture_query("gpqa", fixture_file(*state, "all.csv", buf_str(&text)));
    for (uint64_t i = 0; i < 200; i++) {
        struct example e = fixture_example(q, i, NULL);
        at[e.gold_choice]++;
        char line[64];
        snprintf(line, sizeof(line), "\n(%c) right one [x]\n", 'A' + e.gold_choice);
        assert_non_null(strstr(e.prompt, line));
        assert_non_null(strstr(e.prompt, ") w3\n"));
        if (i == 7) {
            const char *one = fixture_file(*state, "one.csv",
                                           GPQA_HEAD "rec7,\"Which, of 7?\", right  one "
                                                     "[x],w1,w2,w3 \n");
            struct example alone = fixture_example(fixture_query("gpqa", one), 0, NULL);
            assert_true(alone.id == e.id);
            assert_string_equal(alone.prompt, e.prompt);
            assert_memory_equal(e.prompt,
                                "What is the correct answer to this question:Which, of "
                                "7?\nChoices:\n(A) ",
                                70);
            assert_string_equal(e.choice[1], " (B)");
            assert_string_equal(e.source_id, "rec7");
            example_release(&alone);
        }
        example_release(&e);
    }
    for (int c = 0; c < 4; c++)
        assert_true(at[c] > 25);
}

#define ARC5                                                                                       \
    "{\"id\":\"q\",\"question\":{\"stem\":\"Why?\",\"choices\":[{\"text\":\"a\",\"label\":\"1\"}," \
    "{\"text\":\"b\",\"label\":\"2\"}]},\"answerKey\":\"2\"}\n"

static void dr_llm_prompts_ask_for_a_letter_or_a_box(void **state)
{
    static const struct {
        const char *task, *text, *prompt, *gold;
        enum task_prompts prompts;
        size_t tokens;
    } cases[] = {
        { "arc_easy", ARC5, "Question: Why?\n\n(A) a\n(B) b\n\nAnswer: The correct answer is ", "B",
          PROMPTS_DR_LLM, 2 },
        { "arc_easy", ARC5,
          "Question: Why?\nA. a\nB. b\nAnswer with a single letter. Start your answer with "
          "\"Answer: \".",
          "B", PROMPTS_DR_LLM_CHAT, 10 },
        { "hendrycks_math", "{\"problem\":\"P?\",\"level\":\"Level 1\",\"answer\":\"2\"}\n",
          "Question: What is 2+3?\nAnswer: \\boxed{5}\nQuestion: What is 10/2?\nAnswer: "
          "\\boxed{5}\nQuestion: P?\nAnswer: \\boxed{",
          "2", PROMPTS_DR_LLM, 15 },
        { "dart_math", "{\"problem\":\"P?\",\"level\":\"Level 1\",\"answer\":\"2\"}\n",
          "Question: P?\nThe final answer MUST BE put in \\boxed{} and no explanation.", "2",
          PROMPTS_DR_LLM_CHAT, 15 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct task_query q =
            fixture_query(cases[i].task, fixture_file(*state, "data", cases[i].text));
        q.prompts = cases[i].prompts;
        struct example e = fixture_example(q, 0, NULL);
        assert_string_equal(e.prompt, cases[i].prompt);
        assert_string_equal(e.gold, cases[i].gold);
        assert_int_equal(e.form, TASK_ANSWER);
        assert_int_equal(e.answer_tokens_max, cases[i].tokens);
        assert_int_equal(e.choices_len, 0);
        assert_true(e.chat == (cases[i].prompts == PROMPTS_DR_LLM_CHAT));
        assert_int_equal(e.prompts, cases[i].prompts);
        q.prompts = PROMPTS_HARNESS;
        struct example plain = fixture_example(q, 0, NULL);
        assert_true(plain.id == e.id); /* ids know nothing of prompts */
        example_release(&plain);
        example_release(&e);
    }
}

/* Not one more record than the file has, and none twice with one id. */
static void equal_records_are_counted_but_have_ids_of_their_own(void **state)
{
    const char *path =
        fixture_file(*state, "data", "Q?,1,2,3,4,A\nQ?,1,2,3,4,A\nR?,1,2,3,4,B\nQ?,1,2,3,4,A\n");
    uint64_t n = 0, id[4];

    for (uint64_t i = 0; i < 4; i++) {
        struct example e = fixture_example(fixture_query("mmlu", path), i, &n);
        id[i] = e.id;
        for (uint64_t k = 0; k < i; k++)
            assert_true(id[k] != e.id);
        example_release(&e);
    }
    assert_int_equal(n, 4);
}

static void levels_select_records(void **state)
{
    static const char text[] = "{\"problem\":\"a\",\"level\":\"Level 1\",\"answer\":\"1\"}\n"
                               "{\"problem\":\"b\",\"level\":\"Level 5\",\"answer\":\"1\"}\n"
                               "{\"problem\":\"c\",\"level\":\"Level ?\",\"answer\":\"1\"}\n"
                               "{\"problem\":\"d\",\"level\":\"Level 5\",\"answer\":\"1\"}\n";
    static const uint64_t count[] = { 4, 1, 0, 0, 0, 2 };
    struct err err = { 0 };
    uint64_t n = 0;

    for (int level = 0; level <= 5; level++) {
        struct task_query q = fixture_query("dart_math", fixture_file(*state, "data", text));
        struct task_source *s = NULL;
        q.level = level;
        if (count[level] == 0) {
            assert_int_equal(task_open(&s, &q, &err), ERR_INVALID);
            assert_non_null(strstr(err.text, "no record of level"));
            continue;
        }
        struct example e = fixture_example(q, count[level] - 1, &n);
        assert_int_equal(n, count[level]);
        assert_true(level == 0 || e.level == level);
        example_release(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gpqa_options_stand_in_an_order_of_the_question,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(dr_llm_prompts_ask_for_a_letter_or_a_box, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(equal_records_are_counted_but_have_ids_of_their_own,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(levels_select_records, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
