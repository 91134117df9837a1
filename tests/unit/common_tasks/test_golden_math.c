/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a record of mathematics becomes the prompt, choices, gold answer, stops and limits of its
 * convention, in every form of file that the benchmark comes in.
 * Method: hand-made records in the documented formats against texts written out by hand. */
#include "common/tasks/adapters.h"
#include "tests/unit/common_tasks/fixture.h"

static const struct golden goldens[] = {
    { .task = "dart_math",
      .text = "{\"query\":\"Half?\",\"gt_ans\":\"1/2\",\"query_metadata\":{\"level\":4}}\n",
      .prompt = "Question: What is 2+3?\nAnswer: \\boxed{5}\nQuestion: What is 10/2?\nAnswer: "
                "\\boxed{5}\nQuestion: Half?\nAnswer: \\boxed{",
      .choices = "",
      .gold = "1/2",
      .n = 1,
      .level = 4,
      .source = "1",
      .tokens = 15 },
    { .task = "gsm8k",
      .text = "{\"question\":\"How many?\",\"answer\":\"1 + 1 = <<1+1=2>>2 eggs.\\n#### 1,002\"}\n",
      .prompt = "Question: How many?\n"
                "Answer:",
      .choices = "",
      .gold = "1,002",
      .mask = 0,
      .n = 1,
      .source = "1",
      .tokens = 256,
      .stops = "Question:|</s>|<|im_end|>" },
    { .task = "gsm_plus",
      .text = "{\"question\":\"How many?\",\"solution\":\"It is 4.\\n#### 4.33\",\"answer\":\"4.33"
              "\",\"perturbation_type\":\"digit expansion\",\"seed_question\":\"s\",\"seed_solution"
              "\":\"s\",\"seed_answer\":\"4\"}\n",
      .prompt = "Question: How many?\n"
                "Answer:",
      .choices = "",
      .gold = "4.33",
      .mask = 0,
      .n = 1,
      .subset = "digit expansion",
      .source = "1",
      .tokens = 256,
      .stops = "Question:|</s>|<|im_end|>" },
    { .task = "svamp",
      .text = "[{\"ID\":\"chal-1\",\"Body\":\"A pack costs 76 dollars\",\"Question\":\"What do two "
              "cost?\",\"Equation\":\"( 2 * 76 )\",\"Answer\":152.0,\"Type\":\"Multiplication\"},\n"
              " {\"ID\":\"chal-2\",\"Body\":\"Ann has 3.\",\"Question\":\"How many?\",\"Equation\":"
              "\"3\",\"Answer\":2.5,\"Type\":\"Addition\"}]",
      .prompt = "Question: A pack costs 76 dollars. What do two cost?\n"
                "Answer:",
      .choices = "",
      .gold = "152",
      .mask = 0,
      .n = 2,
      .subset = "Multiplication",
      .source = "chal-1",
      .tokens = 256,
      .stops = "Question:|</s>|<|im_end|>" },
    { .task = "hendrycks_math",
      .text = "{\"problem\":\"What is $1+1$?\",\"level\":\"Level 3\",\"subject\":\"Prealgebra\",\"u"
              "nique_id\":\"test/prealgebra/126.json\",\"answer\":\"2\"}\n",
      .prompt = "Problem: What is $1+1$?\n"
                "Answer:",
      .choices = "",
      .gold = "2",
      .mask = 0,
      .n = 1,
      .level = 3,
      .subset = "Prealgebra",
      .source = "test/prealgebra/126.json",
      .tokens = 256,
      .stops = "Problem:" },
    { .task = "hendrycks_math",
      .text = "{\"problem\":\"Half?\",\"level\":\"Level ?\",\"type\":\"Algebra\",\"solution\":\"Fir"
              "st $\\\\boxed{7}$, then $\\\\boxed{\\\\frac{1}{2}}$.\"}\n",
      .prompt = "Problem: Half?\n"
                "Answer:",
      .choices = "",
      .gold = "\\frac{1}{2}",
      .mask = 0,
      .n = 1,
      .subset = "Algebra",
      .source = "1",
      .tokens = 256,
      .stops = "Problem:" },
    { .task = "dart_math",
      .text = "{\"problem\":\"What is $1+1$?\",\"level\":\"Level 1\",\"subject\":\"Prealgebra\",\"u"
              "nique_id\":\"u\",\"answer\":\"2\"}\n",
      .prompt = "Question: What is 2+3?\n"
                "Answer: \\boxed{5}\n"
                "Question: What is 10/2?\n"
                "Answer: \\boxed{5}\n"
                "Question: What is $1+1$?\n"
                "Answer: \\boxed{",
      .choices = "",
      .gold = "2",
      .mask = 0,
      .n = 1,
      .level = 1,
      .subset = "Prealgebra",
      .source = "u",
      .tokens = 15 },
    { .task = "hendrycks_math",
      .text = "{\"problem\":\"p\",\"level\":\"Level 2\",\"type\":\"Algebra\",\"answer\":\"\","
              "\"solution\":\"so $\\\\boxed{3}$\"}\n",
      .prompt = "Problem: p\n"
                "Answer:",
      .choices = "",
      .gold = "3",
      .n = 1,
      .level = 2,
      .subset = "Algebra",
      .source = "1",
      .tokens = 256,
      .stops = "Problem:" },
    { .task = "math500",
      .text = "{\"problem\":\"P\",\"solution\":\"S $\\\\boxed{3}$\",\"answer\":\"\\\\left( 3, \\\\f"
              "rac{\\\\pi}{2} \\\\right)\",\"subject\":\"Precalculus\",\"level\":2,\"unique_id\":\""
              "test/precalculus/807.json\"}\n",
      .prompt = "Problem: P\n"
                "Answer:",
      .choices = "",
      .gold = "\\left( 3, \\frac{\\pi}{2} \\right)",
      .mask = 0,
      .n = 1,
      .level = 2,
      .subset = "Precalculus",
      .source = "test/precalculus/807.json",
      .tokens = 256,
      .stops = "Problem:" },
    { .task = "college_math",
      .text = "{\"data_source\":\"s\",\"question_number\":\"exercise.1\",\"question\":\"Simplify: $"
              "-10-4(n-5)$\",\"answer\":\"$10-4 n$\",\"license\":\"CC BY\",\"data_topic\":\"college"
              "_math.algebra\"}\n",
      .prompt = "Question: Simplify: $-10-4(n-5)$\n"
                "Answer:",
      .choices = "",
      .gold = "$10-4 n$",
      .mask = 0,
      .n = 1,
      .subset = "college_math.algebra",
      .source = "exercise.1",
      .tokens = 256,
      .stops = "Question:|</s>|<|im_end|>" },
    { .task = "aime24",
      .text = "{\"id\":60,\"problem\":\"Find it.\",\"solution\":\"s\",\"answer\":\"025\",\"url\":\""
              "u\",\"question\":\"Find it.\"}\n",
      .prompt = "Question: Find it.\n"
                "Answer:",
      .choices = "",
      .gold = "25",
      .mask = 0,
      .n = 1,
      .source = "60",
      .tokens = 32768,
      .stops = "Question:|</s>|<|im_end|>|<|eot_id|>" },
    { .task = "aime24",
      .text = "[{\"ID\":\"2024-I-1\",\"Problem\":\"Find it.\",\"Answer\":204}]",
      .prompt = "Question: Find it.\n"
                "Answer:",
      .choices = "",
      .gold = "204",
      .mask = 0,
      .n = 1,
      .source = "2024-I-1",
      .tokens = 32768,
      .stops = "Question:|</s>|<|im_end|>|<|eot_id|>" },
};

static void record_becomes_the_documented_example(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(goldens); i++)
        golden_check(*state, &goldens[i]);
}

static void every_row_of_the_table_has_a_golden_example(void **state)
{
    const struct adapter *a;

    (void)state;
    for (size_t i = 0; (a = adapters_math(i)); i++) {
        golden_covers(goldens, ARRAY_LEN(goldens), a->spec.name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(record_becomes_the_documented_example, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test(every_row_of_the_table_has_a_golden_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
