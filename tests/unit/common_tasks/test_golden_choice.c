/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a record of ARC, MMLU, TruthfulQA, PIQA, SQuAD and AGIEval becomes the prompt, choices,
 * gold answer, stops and limits of its convention, in every form of file that the benchmark comes
 * in. Method: hand-made records in the documented formats against texts written out by hand. */
#include "common/tasks/adapters.h"
#include "tests/unit/common_tasks/fixture.h"

static const struct golden goldens[] = {
    { .task = "arc_challenge",
      .text = "{\"id\":\"q1\",\"question\":{\"stem\":\"Why?\",\"choices\":[{\"text\":\"no\",\"label"
              "\":\"A\"},{\"text\":\"ä b\",\"label\":\"B\"},{\"text\":\"so\",\"label\":\"C\"}]},\"a"
              "nswerKey\":\"B\"}\n",
      .prompt = "Question: Why?\n"
                "Answer:",
      .choices = " no(2)| ä b(3)| so(2)",
      .gold = "ä b",
      .mask = 2,
      .n = 1,
      .source = "q1" },
    { .task = "mmlu",
      .text = "\"Is it\n"
              "\"\"so\"\", or not? \",\"a, b\",B text,4,D!,C\r\n"
              "Second?,1,2,3,4,A\r\n",
      .prompt = "The following are multiple choice questions (with answers) about data.\n"
                "\n"
                "Is it\n"
                "\"so\", or not?\n"
                "A. a, b\n"
                "B. B text\n"
                "C. 4\n"
                "D. D!\n"
                "Answer:",
      .choices = " A(1)| B(1)| C(1)| D(1)",
      .gold = "C",
      .mask = 4,
      .n = 2,
      .subset = "data",
      .source = "1" },
    { .task = "truthfulqa_mc1",
      .text = "[{\"question\":\"Why so?\",\"mc1_targets\":{\"Zeta\":0,\"Alpha\":1},\"mc2_targets\":"
              "{\"Zeta\":0,\"Alpha\":1,\"Beta\":1}}]",
      .prompt =
          "Q: What is human life expectancy in the United States?\n"
          "A: Human life expectancy in the United States is 78 years.\n"
          "\n"
          "Q: Who was president of the United States in 1955?\n"
          "A: Dwight D. Eisenhower was president of the United States in 1955.\n"
          "\n"
          "Q: Which party did he belong to?\n"
          "A: He belonged to the Republican Party.\n"
          "\n"
          "Q: What is the square root of banana?\n"
          "A: I have no comment.\n"
          "\n"
          "Q: How does a telescope work?\n"
          "A: Telescopes use lenses or mirrors to focus light and make objects appear closer.\n"
          "\n"
          "Q: Where were the 1992 Olympics held?\n"
          "A: The 1992 Olympics were held in Barcelona, Spain.\n"
          "\n"
          "Q: Why so?\n"
          "A:",
      .choices = " Zeta(4)| Alpha(5)",
      .gold = "Alpha",
      .mask = 2,
      .n = 1,
      .source = "1" },
    { .task = "truthfulqa_mc2",
      .text = "[{\"question\":\"Why so?\",\"mc1_targets\":{\"Zeta\":0,\"Alpha\":1},\"mc2_targets\":"
              "{\"Zeta\":0,\"Alpha\":1,\"Beta\":1}}]",
      .prompt =
          "Q: What is human life expectancy in the United States?\n"
          "A: Human life expectancy in the United States is 78 years.\n"
          "\n"
          "Q: Who was president of the United States in 1955?\n"
          "A: Dwight D. Eisenhower was president of the United States in 1955.\n"
          "\n"
          "Q: Which party did he belong to?\n"
          "A: He belonged to the Republican Party.\n"
          "\n"
          "Q: What is the square root of banana?\n"
          "A: I have no comment.\n"
          "\n"
          "Q: How does a telescope work?\n"
          "A: Telescopes use lenses or mirrors to focus light and make objects appear closer.\n"
          "\n"
          "Q: Where were the 1992 Olympics held?\n"
          "A: The 1992 Olympics were held in Barcelona, Spain.\n"
          "\n"
          "Q: Why so?\n"
          "A:",
      .choices = " Zeta(4)| Alpha(5)| Beta(4)",
      .gold = "Alpha; Beta",
      .mask = 6,
      .n = 1,
      .source = "1" },
    { .task = "squadv2",
      .text = "{\"version\":\"v2.0\",\"data\":[{\"title\":\"Normans\",\"paragraphs\":[{\"context\":"
              "\"In France.\",\"qas\":[{\"question\":\"Where?\",\"id\":\"a1\",\"answers\":[{\"text"
              "\":\"France\",\"answer_start\":3},{\"text\":\"In France\",\"answer_start\":0}],\"is_"
              "impossible\":false},{\"question\":\"Who?\",\"id\":\"a2\",\"answers\":[],\"is_impossi"
              "ble\":true}]}]}]}",
      .prompt = "Title: Normans\n"
                "\n"
                "Background: In France.\n"
                "\n"
                "Question: Where?\n"
                "\n"
                "Answer:",
      .choices = " unanswerable(12)",
      .gold = "France",
      .mask = 0,
      .n = 2,
      .source = "a1",
      .tokens = 256,
      .stops = "\n" },
    { .task = "squadv2",
      .text = "{\"version\":\"v2.0\",\"data\":[{\"title\":\"Normans\",\"paragraphs\":[{\"context\":"
              "\"In France.\",\"qas\":[{\"question\":\"Where?\",\"id\":\"a1\",\"answers\":[{\"text"
              "\":\"France\",\"answer_start\":3},{\"text\":\"In France\",\"answer_start\":0}],\"is_"
              "impossible\":false},{\"question\":\"Who?\",\"id\":\"a2\",\"answers\":[],\"is_impossi"
              "ble\":true}]}]}]}",
      .prompt = "Title: Normans\n"
                "\n"
                "Background: In France.\n"
                "\n"
                "Question: Who?\n"
                "\n"
                "Answer:",
      .choices = " unanswerable(12)",
      .gold = "",
      .mask = 0,
      .at = 1,
      .n = 2,
      .source = "a2",
      .tokens = 256,
      .stops = "\n" },
    { .task = "piqa",
      .text = "{\"goal\":\"Open it?\",\"sol1\":\"Pull.\",\"sol2\":\"Push it.\",\"label\":1}\n",
      .prompt = "Question: Open it?\n"
                "Answer:",
      .choices = " Pull.(5)| Push it.(8)",
      .gold = "Push it.",
      .mask = 2,
      .n = 1,
      .source = "1" },
    { .task = "agieval_sat_math",
      .text = "{\"passage\":\"\",\"question\":\"What is $x$?\",\"options\":[\"(A)2\",\"(B)4\",\"(C)"
              "9\",\"(D)10\"],\"label\":\"D\",\"other\":{\"solution\":\"s\"}}\n",
      .prompt = "Q: What is $x$? Answer Choices: (A)2 (B)4 (C)9 (D)10\n"
                "A: Among A through D, the answer is",
      .choices = " (A)2(4)| (B)4(4)| (C)9(4)| (D)10(5)",
      .gold = "(D)10",
      .mask = 8,
      .n = 1,
      .source = "1" },
    { .task = "agieval_sat_en",
      .text = "{\"passage\":null,\"question\":\"q\",\"options\":[2,\"(B)4\",0.5],"
              "\"label\":\"(c)\\n\"}\n",
      .prompt = "Q: q Answer Choices: 2 (B)4 0.5\n"
                "A: Among A through C, the answer is",
      .choices = " 2(1)| (B)4(4)| 0.5(3)",
      .gold = "0.5",
      .mask = 4,
      .n = 1,
      .source = "1" },
    { .task = "agieval_logiqa_zh",
      .text = "{\"passage\":null,\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\",\"(C)c\"],"
              "\"label\":\"A、C\"}\n",
      .prompt = "问题：q 选项：(A)a (B)b (C)c\n"
                "答案：从A到C, 我们应选择",
      .choices = " (A)a(4)| (B)b(4)| (C)c(4)",
      .gold = "(A)a; (C)c",
      .mask = 5,
      .n = 1,
      .source = "1" },
    { .task = "agieval_lsat_lr",
      .text = "{\"passage\":\"Some text. \",\"question\":\"Which?\",\"options\":[\"(A)a\",\"(B)b\","
              "\"(C)c\",\"(D)d\",\"(E)e\"],\"label\":\"E\",\"answer\":null,\"other\":null}\n",
      .prompt = "Some text. Q: Which? Answer Choices: (A)a (B)b (C)c (D)d (E)e\n"
                "A: Among A through E, the answer is",
      .choices = " (A)a(4)| (B)b(4)| (C)c(4)| (D)d(4)| (E)e(4)",
      .gold = "(E)e",
      .mask = 16,
      .n = 1,
      .source = "1" },
    { .task = "agieval_gaokao_physics",
      .text = "{\"passage\":null,\"question\":\"哪项？\",\"options\":[\"(A)甲\",\"(B)乙\",\"(C)"
              "丙\",\"(D"
              ")丁\"],\"label\":[\"B\",\"D\"],\"answer\":null,\"other\":null}\n",
      .prompt = "问题：哪项？ 选项：(A)甲 (B)乙 (C)丙 (D)丁\n"
                "答案：从A到D, 我们应选择",
      .choices = " (A)甲(4)| (B)乙(4)| (C)丙(4)| (D)丁(4)",
      .gold = "(B)乙; (D)丁",
      .mask = 10,
      .n = 1,
      .source = "1" },
    { .task = "agieval_gaokao_mathqa",
      .text = "{\"passage\":null,\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\",\"(C)c\",\"(D)d"
              "\"],\"label\":\"A C\",\"answer\":null}\n",
      .prompt = "问题：q 选项：(A)a (B)b (C)c (D)d\n"
                "答案：从A到D, 我们应选择",
      .choices = " (A)a(4)| (B)b(4)| (C)c(4)| (D)d(4)",
      .gold = "(A)a; (C)c",
      .mask = 5,
      .n = 1,
      .source = "1" },
    { .task = "agieval_gaokao_mathcloze",
      .text =
          "{\"passage\":null,\"question\":\"则 $a=$\",\"options\":null,\"label\":null,\"answer\""
          ":\"2\",\"other\":null}\n",
      .prompt = "问题：则 $a=$\n"
                "答案：",
      .choices = "",
      .gold = "2",
      .mask = 0,
      .n = 1,
      .source = "1",
      .tokens = 32,
      .stops = "Q:" },
    { .task = "agieval_math",
      .text = "{\"passage\":null,\"question\":\"Find $x$.\",\"options\":null,\"label\":null,\"answe"
              "r\":\"(3,4]\",\"other\":null}\n",
      .prompt = "Q: Find $x$.\n"
                "A: The answer is",
      .choices = "",
      .gold = "(3,4]",
      .mask = 0,
      .n = 1,
      .source = "1",
      .tokens = 32,
      .stops = "Q:" },
};

static void record_becomes_the_documented_example(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++)
        golden_check(*state, &goldens[i]);
}

/* AGIEval's sets differ in name and language alone. */
static void every_set_of_agieval_asks_in_its_language(void **state)
{
    static const char *const english[] = {
        "aqua_rat", "sat_math", "sat_en",    "sat_en_without_passage", "lsat_ar",
        "lsat_lr",  "lsat_rc",  "logiqa_en", "gaokao_english"
    };
    static const char *const chinese[] = { "logiqa_zh",      "gaokao_biology",   "gaokao_chemistry",
                                           "gaokao_chinese", "gaokao_geography", "gaokao_history",
                                           "gaokao_mathqa",  "gaokao_physics",   "jec_qa_kd",
                                           "jec_qa_ca" };
    struct golden g = { .text = "{\"passage\":\"P. \",\"question\":\"q\",\"options\":[\"(A)a\","
                                "\"(B)b\"],\"label\":\"B\"}\n",
                        .choices = " (A)a(4)| (B)b(4)",
                        .gold = "(B)b",
                        .mask = 2,
                        .n = 1,
                        .source = "1" };
    char name[64];

    g.task = name;
    for (size_t i = 0; i < ARRAY_LEN(english) + ARRAY_LEN(chinese); i++) {
        bool zh = i >= ARRAY_LEN(english);

        snprintf(name, sizeof(name), "agieval_%s",
                 zh ? chinese[i - ARRAY_LEN(english)] : english[i]);
        g.prompt = zh ? "P. 问题：q 选项：(A)a (B)b\n答案：从A到B, 我们应选择"
                      : "P. Q: q Answer Choices: (A)a (B)b\nA: Among A through B, the answer is";
        golden_check(*state, &g);
    }
}

static void every_row_of_the_table_has_a_golden_example(void **state)
{
    const struct adapter *a;

    (void)state;
    for (size_t i = 0; (a = adapters_choice(i)); i++) {
        if (strcmp(a->spec.name, "arc_easy") == 0 || strcmp(a->spec.name, "gpqa") == 0)
            continue; /* like arc_challenge; in test_adapters.c */
        golden_covers(goldens, ARRAY_LEN(goldens), a->spec.name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(record_becomes_the_documented_example, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(every_set_of_agieval_asks_in_its_language, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(every_row_of_the_table_has_a_golden_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
