/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a model said becomes the metrics that each benchmark is known by.
 * Method: hand-made records, texts and log-likelihoods with values worked out by hand. */
#include <math.h>

#include "tests/unit/common_tasks/fixture.h"

#define NA NAN

static const struct {
    const char *task, *record;
    enum task_prompts prompts;
    const char *text; /* ANSWER */
    double logprob[5];
    double value[6]; /* NA: none */
    const char *answer;
    int pick;
    bool correct, correct_norm;
} cases[] = {
#define GSM "{\"question\":\"q\",\"answer\":\"so\\n#### 1,002\"}\n"
    { "gsm8k", GSM, 0, " It is 7.\n#### 1002.", { 0 }, { 1, 1, NA }, "1002.", -1, true, true },
    { "gsm8k",
      GSM,
      0,
      " The answer is $1,002.",
      { 0 },
      { 0, 1, NA },
      "[invalid]",
      -1,
      false,
      true },
    { "gsm8k", GSM, 0, "none", { 0 }, { 0, 0, NA }, "[invalid]", -1, false, false },
    { "gsm8k", GSM, PROMPTS_DR_LLM, "1002}\nQ", { 0 }, { 1, 1, NA }, "1002", -1, true, true },
    { "gsm_plus",
      "{\"question\":\"q\",\"solution\":\"#### None\",\"answer\":\"None\"}\n",
      0,
      "#### 4",
      { 0 },
      { 0, 0, NA },
      "4",
      -1,
      false,
      false },
#define SVAMP "[{\"Body\":\"b\",\"Question\":\"q\",\"Answer\":2.5}]"
    { "svamp", SVAMP, 0, "3 - 0.5 = 2.5004", { 0 }, { 1, NA }, "2.5004", -1, true, true },
    { "svamp", SVAMP, 0, "2.5 or 2.6", { 0 }, { 0, NA }, "2.6", -1, false, false },
#define MATH "{\"problem\":\"p\",\"level\":\"Level 1\",\"answer\":\"\\\\frac{1}{2}\"}\n"
    { "hendrycks_math",
      MATH,
      0,
      " It is $\\dfrac12$.",
      { 0 },
      { 1, 1, NA },
      "\\dfrac12",
      -1,
      true,
      true },
    { "hendrycks_math",
      MATH,
      0,
      " so \\boxed{\\frac{2}{4}}",
      { 0 },
      { 0, 0, NA },
      "so \\boxed{\\frac{2}{4}}",
      -1,
      false,
      false }, /* two fractions: literally */
    { "math500",
      "{\"problem\":\"p\",\"level\":2,\"answer\":\"x^2+2x+1\"}\n",
      0,
      "\\boxed{(x+1)^2}",
      { 0 },
      { 0, 1, NA },
      "\\boxed{(x+1)^2}",
      -1,
      false,
      true },
    { "hendrycks_math",
      MATH,
      PROMPTS_DR_LLM_CHAT,
      "\\boxed{\\frac12}",
      { 0 },
      { 1, 1, NA },
      "\\frac12",
      -1,
      true,
      true },
    { "dart_math", MATH, 0, "\\frac{1}{2}} and", { 0 }, { 1, NA }, "\\frac{1}{2}", -1, true, true },
    { "dart_math", MATH, PROMPTS_DR_LLM_CHAT, "1/2", { 0 }, { 0, NA }, "None", -1, false, false },
    { "college_math",
      "{\"question\":\"q\",\"answer\":\"$10-4 n$\"}\n",
      0,
      "Thus \\boxed{-4n+10}.",
      { 0 },
      { 1, NA },
      "-4n+10",
      -1,
      true,
      true },
    { "college_math",
      "{\"question\":\"q\",\"answer\":\"1000\"}\n",
      0,
      " 1000.05 ",
      { 0 },
      { 1, NA },
      "1000.05",
      -1,
      true,
      true },
    { "college_math",
      "{\"question\":\"q\",\"answer\":\"1000\"}\n",
      0,
      "1000.5",
      { 0 },
      { 0, NA },
      "1000.5",
      -1,
      false,
      false },
#define AIME "{\"problem\":\"p\",\"answer\":\"025\"}\n"
    { "aime24", AIME, 0, "so $x=3$, \\boxed{025}", { 0 }, { 1, NA }, "025", -1, true, true },
    { "aime24", AIME, 0, "It is $25$", { 0 }, { 1, NA }, "25", -1, true, true },
    { "aime24", AIME, 0, "250", { 0 }, { 0, NA }, "250", -1, false, false },
#define CLOZE(GOLD)                                                                                \
    "{\"passage\":null,\"question\":\"q\",\"options\":null,\"label\":null,\"answer\":\"" GOLD      \
    "\"}\n"
    { "agieval_math", CLOZE("2"), 0, " $x = 2$.", { 0 }, { 1, NA }, "2", -1, true, true },
    { "agieval_math", CLOZE("2"), 0, " x = 2.", { 0 }, { 1, NA }, "2", -1, true, true },
    { "agieval_math", CLOZE("2"), 0, " two, or 2 apples", { 0 }, { 1, NA }, "2", -1, true, true },
    { "agieval_math",
      CLOZE("(3,4]"),
      0,
      "\\boxed{(3,4]}",
      { 0 },
      { 1, NA },
      "(3,4]",
      -1,
      true,
      true },
    { "agieval_math", CLOZE("2"), 0, "none", { 0 }, { 0, NA }, "[invalid]", -1, false, false },
#define ARC                                                                                        \
    "{\"id\":\"q\",\"question\":{\"stem\":\"s\",\"choices\":[{\"text\":\"long text\",\"label\":"   \
    "\"A\"},{\"text\":\"no\",\"label\":\"B\"}]},\"answerKey\":\"A\"}\n"
    { "arc_easy", ARC, 0, NULL, { -5, -4 }, { 0, 1, NA }, "no", 1, false, true },
    { "arc_easy", ARC, 0, NULL, { -4, -4 }, { 1, 1, NA }, "long text", 0, true, true },
    { "arc_easy", ARC, PROMPTS_DR_LLM, " a.", { 0 }, { 1, 1, NA }, "A", -1, true, true },
    { "arc_easy", ARC, PROMPTS_DR_LLM_CHAT, "Answer: A", { 0 }, { 1, 1, NA }, "A", -1, true, true },
    { "arc_easy",
      ARC,
      PROMPTS_DR_LLM,
      "A long",
      { 0 },
      { 0, 0, NA },
      "[invalid]",
      -1,
      false,
      false },
#define TQA                                                                                        \
    "[{\"question\":\"q\",\"mc1_targets\":{\"a\":1,\"b\":0},\"mc2_targets\":{\"a\":1,\"b\":0,"     \
    "\"c\":1}}]"
    { "truthfulqa_mc1", TQA, 0, NULL, { -3, -2 }, { 0, NA }, "b", 1, false, false },
    { "truthfulqa_mc2",
      TQA,
      0,
      NULL,
      { -1000.0, -1000.0, -1000.0 },
      { 2.0 / 3, NA },
      "a",
      0,
      true,
      true },
    { "truthfulqa_mc2",
      TQA,
      0,
      NULL,
      { -20, -20.7, -29.25 },
      { 0.66820907999029988, NA },
      "a",
      0,
      true,
      true },
    { "agieval_jec_qa_kd",
      "{\"passage\":null,\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\",\"(C)c\"],\"label\":"
      "[\"A\",\"C\"]}\n",
      0,
      NULL,
      { -9, -8, -7 },
      { 1, 1, NA },
      "(C)c",
      2,
      true,
      true },
    { "cola", "x\t1\t\tGood.\n", 0, NULL, { -2, -1 }, { NA, 1 }, "yes", 1, true, true },
    { "mrpc",
      "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"label\":0}\n",
      0,
      NULL,
      { -2, -1 },
      { 0, NA },
      "yes",
      1,
      false,
      false },
#define SQUAD(ANSWERS, NONE)                                                                       \
    "{\"data\":[{\"title\":\"t\",\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"question\":\"q\"," \
    "\"id\":\"i\",\"answers\":[" ANSWERS "],\"is_impossible\":" NONE "}]}]}]}"
    { "squadv2",
      SQUAD("{\"text\":\"old Paris\"},{\"text\":\"Paris\"}", "false"),
      0,
      " the Paris.",
      { -3 },
      { 1, 1, 1, 1, NA, NA },
      "the Paris.",
      -1,
      true,
      true },
    { "squadv2",
      SQUAD("{\"text\":\"Paris, France\"}", "false"),
      0,
      "Paris",
      { -3 },
      { 0, 2.0 / 3, 0, 2.0 / 3, NA, NA },
      "Paris",
      -1,
      false,
      false },
    { "squadv2", SQUAD("", "true"), 0, "", { -3 }, { 1, 1, NA, NA, 1, 1 }, "", -1, true, true },
    { "squadv2",
      SQUAD("", "true"),
      0,
      "Paris",
      { -3 },
      { 0, 0, NA, NA, 0, 0 },
      "Paris",
      -1,
      false,
      false },
};

static void answers_become_the_benchmarks_metrics(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct task_spec *t = task_find(cases[i].task);
        struct task_query q =
            fixture_query(cases[i].task, fixture_file(*state, "data", cases[i].record));
        struct marks m;
        q.prompts = cases[i].prompts;
        struct example e = fixture_example(q, 0, NULL);
        task_grade(t, &e, &(struct response){ .text = cases[i].text, .logprob = cases[i].logprob },
                   &m);
        for (size_t k = 0; k < ARRAY_LEN(cases[i].value); k++) {
            double want = k < t->metrics_len ? cases[i].value[k] : NA;
            if (isnan(want) ? !isnan(m.value[k]) : !(fabs(m.value[k] - want) < 1e-12))
                fail_msg("case %zu, %s: %s is %g, not %g (\"%s\")", i, cases[i].task,
                         t->metric[k].name, m.value[k], want, buf_str(&m.answer));
        }
        if (strcmp(buf_str(&m.answer), cases[i].answer) != 0 || m.pick != cases[i].pick ||
            m.correct != cases[i].correct || m.correct_norm != cases[i].correct_norm)
            fail_msg("case %zu, %s: answer \"%s\", pick %d, correct %d, %d", i, cases[i].task,
                     buf_str(&m.answer), m.pick, m.correct, m.correct_norm);
        marks_release(&m);
        example_release(&e);
    }
}

/* No text may break a grader: it is whatever a model wrote. */
static void any_text_is_graded(void **state)
{
    static const char *const texts[] = { "",         "\\boxed{",  "$",         "$$",      "####",
                                         "\xff\xfe", "\\frac{",   "=",         "1e999",   "((((",
                                         "^^^",      "\\boxed{}", "$=$ = . .", "-.,$.,-", "\\" };
    static const char *const records[][2] = {
        { "gsm8k", GSM },
        { "svamp", SVAMP },
        { "math500", "{\"problem\":\"p\",\"answer\":\"1\"}\n" },
        { "aime24", AIME },
        { "college_math", "{\"question\":\"q\",\"answer\":\"$1$\"}\n" },
        { "agieval_math", CLOZE("2") },
        { "squadv2", SQUAD("{\"text\":\"x\"}", "false") }
    };

    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        struct task_query q =
            fixture_query(records[i][0], fixture_file(*state, "data", records[i][1]));
        struct example e = fixture_example(q, 0, NULL);
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
            struct marks m;
            double logprob[1] = { -1 };
            task_grade(task_find(records[i][0]), &e,
                       &(struct response){ .text = texts[k], .logprob = logprob }, &m);
            assert_false(m.correct);
            assert_true(m.value[0] == 0);
            marks_release(&m);
        }
        example_release(&e);
    }
}

static void groups_name_the_members_that_are_missing(void **state)
{
    static const char *const some[] = { "cola", "sst2", "mrpc",          "qqp",  "mnli",
                                        "qnli", "rte",  "mnli_mismatch", "boolq" };
    struct buf out CLEANUP(buf_release) = { 0 };
    size_t members = 0;

    (void)state;
    assert_int_equal(task_group_lacks("glue", some, ARRAY_LEN(some), &out, &members), 1);
    assert_string_equal(buf_str(&out), "wnli");
    assert_int_equal(members, 9);
    buf_clear(&out);
    assert_int_equal(task_group_lacks("superglue", some, ARRAY_LEN(some), &out, &members), 7);
    assert_string_equal(buf_str(&out), "cb, copa, wic, wsc, multirc, sglue_rte, record");
    assert_int_equal(members, 8);
    assert_int_equal(task_group_lacks("agieval", NULL, 0, &out, &members), 21);
    assert_int_equal(task_group_lacks("nothing", NULL, 0, &out, &members), 0);
    assert_int_equal(members, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_become_the_benchmarks_metrics, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(any_text_is_graded, fixture_setup, fixture_teardown),
        cmocka_unit_test(groups_name_the_members_that_are_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
