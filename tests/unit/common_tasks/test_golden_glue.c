/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a record of GLUE and SuperGLUE becomes the prompt, choices, gold answer, stops and limits
 * of its convention, in every form of file that the benchmark comes in. Method: hand-made records
 * in the documented formats against texts written out by hand. */
#include "common/tasks/adapters.h"
#include "tests/unit/common_tasks/fixture.h"

static const struct golden goldens[] = {
    { .task = "cola",
      .text = "gj04\t1\t\tThe sailors rode the breeze.\n"
              "bc01\t0\t*\tThem did it.\n",
      .prompt = "The sailors rode the breeze.\n"
                "Question: Does this sentence make sense?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .n = 2,
      .source = "1" },
    { .task = "cola",
      .text = "{\"sentence\":\"Them did it.\",\"label\":0,\"idx\":7}\n",
      .prompt = "Them did it.\n"
                "Question: Does this sentence make sense?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "no",
      .mask = 1,
      .n = 1,
      .source = "7" },
    { .task = "sst2",
      .text = "sentence\tlabel\r\n"
              "it 's a \"charming journey . \t1\r\n",
      .prompt = "it 's a \"charming journey . \n"
                "Question: Is this sentence positive or negative?\n"
                "Answer:",
      .choices = " negative(8)| positive(8)",
      .gold = "positive",
      .mask = 2,
      .n = 1,
      .source = "2" },
    { .task = "mrpc",
      .text = "﻿Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n"
              "1\t702876\t702977\tA \"b.\tC.\r\n",
      .prompt = "Sentence 1: A \"b.\n"
                "Sentence 2: C.\n"
                "Question: Do both sentences mean the same thing?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .n = 1,
      .source = "2" },
    { .task = "mrpc",
      .text = "{\"sentence1\":\"A \\\"b.\",\"sentence2\":\"C.\",\"label\":0,\"idx\":3}\n",
      .prompt = "Sentence 1: A \"b.\n"
                "Sentence 2: C.\n"
                "Question: Do both sentences mean the same thing?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "no",
      .mask = 1,
      .n = 1,
      .source = "3" },
    { .task = "qqp",
      .text = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
              "133273\t1\t2\tHow?\tWhy?\t0\n"
              "broken\trow\n"
              "9\t3\t4\tA?\tB?\t1\n",
      .prompt = "Question 1: A?\n"
                "Question 2: B?\n"
                "Question: Do both questions ask the same thing?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .at = 1,
      .n = 2,
      .source = "9" },
    { .task = "mnli",
      .text = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsent"
              "ence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
              "0\t1\t1\tx\tp\tp\tp\tp\tIt rains.\tIt is wet \tneutral\t-\n"
              "1\t1\t1\tx\tp\tp\tp\tp\tIt rains.\tIt is wet \tneutral\tcontradiction\n",
      .prompt = "It rains.\n"
                "Question: It is wet. True, False or Neither?\n"
                "Answer:",
      .choices = " True(4)| Neither(7)| False(5)",
      .gold = "False",
      .mask = 4,
      .n = 1,
      .source = "1" },
    { .task = "mnli_mismatch",
      .text = "{\"premise\":\"It rains.\",\"hypothesis\":\"It is wet.\",\"label\":1,\"idx\":0}\n",
      .prompt = "It rains.\n"
                "Question: It is wet. True, False or Neither?\n"
                "Answer:",
      .choices = " True(4)| Neither(7)| False(5)",
      .gold = "Neither",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "qnli",
      .text = "index\tquestion\tsentence\tlabel\n"
              "5\tWho?\tHe did.\tnot_entailment\n",
      .prompt = "Who?\n"
                "He did.\n"
                "Question: Does this response answer the question?\n"
                "Answer:",
      .choices = " yes(3)| no(2)",
      .gold = "no",
      .mask = 2,
      .n = 1,
      .source = "5" },
    { .task = "rte",
      .text = "index\tsentence1\tsentence2\tlabel\n"
              "0\tP.\tH.\tentailment\n",
      .prompt = "P.\n"
                "Question: H. True or False?\n"
                "Answer:",
      .choices = " True(4)| False(5)",
      .gold = "True",
      .mask = 1,
      .n = 1,
      .source = "0" },
    { .task = "sglue_rte",
      .text = "{\"premise\":\"P.\",\"hypothesis\":\"H.\",\"label\":\"not_entailment\",\"idx\":0}\n",
      .prompt = "P.\n"
                "Question: H. True or False?\n"
                "Answer:",
      .choices = " True(4)| False(5)",
      .gold = "False",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "wnli",
      .text = "index\tsentence1\tsentence2\tlabel\n"
              "0\tP.\tH.\t1\n",
      .prompt = "P.\n"
                "Question: H. True or False?\n"
                "Answer:",
      .choices = " False(5)| True(4)",
      .gold = "True",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "boolq",
      .text = "{\"question\":\"is it\",\"passage\":\"Text.\",\"idx\":4,\"label\":true}\n",
      .prompt = "Text.\n"
                "Question: is it?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .n = 1,
      .source = "4" },
    { .task = "cb",
      .text = "{\"premise\":\"P.\",\"hypothesis\":\"he did\",\"label\":\"contradiction\",\"idx\":0}"
              "\n",
      .prompt = "P.\n"
                "Question: he did. True, False, or Neither?\n"
                "Answer:",
      .choices = " True(4)| False(5)| Neither(7)",
      .gold = "False",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "copa",
      .text = "{\"premise\":\"The man fell.\",\"choice1\":\"He slept.\",\"choice2\":\"It was icy.\""
              ",\"question\":\"cause\",\"label\":1,\"idx\":0}\n",
      .prompt = "The man fell because",
      .choices = " he slept.(9)| it was icy.(11)",
      .gold = "it was icy.",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "copa",
      .text = "{\"premise\":\"She said “hi.”\",\"choice1\":\"He did.\",\"choice2\":\"I did.\","
              "\"question\":\"effect\",\"label\":0,\"idx\":1}\n",
      .prompt = "She said “hi. therefore",
      .choices = " he did.(7)| i did.(6)",
      .gold = "he did.",
      .mask = 1,
      .n = 1,
      .source = "1" },
    { .task = "wic",
      .text = "{\"word\":\"go\",\"sentence1\":\"He went.\",\"sentence2\":\"Go.\",\"idx\":1,"
              "\"label\":\"true\",\"start1\":\"3\",\"end1\":\"7\"}\n",
      .prompt = "Sentence 1: He went.\n"
                "Sentence 2: Go.\n"
                "Question: Is the word 'went' used in the same way in the two sentences above?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .n = 1,
      .source = "1" },
    { .task = "wic",
      .text = "{\"word\":\"place\",\"sentence1\":\"Do you want to come over to my pläce later?\",\""
              "sentence2\":\"A place.\",\"idx\":0,\"label\":false,\"start1\":31,\"start2\":2,\"end1"
              "\":36,\"end2\":7,\"version\":1.1}\n",
      .prompt = "Sentence 1: Do you want to come over to my pläce later?\n"
                "Sentence 2: A place.\n"
                "Question: Is the word 'pläce' used in the same way in the two sentences above?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "no",
      .mask = 1,
      .n = 1,
      .source = "0" },
    { .task = "wsc",
      .text = "{\"text\":\"Ann , who did n't know ( Bob ) , met him .\",\"target\":{\"span1_text\":"
              "\"Bob\",\"span1_index\":7,\"span2_text\":\"him\",\"span2_index\":11},\"idx\":0,\"lab"
              "el\":true}\n",
      .prompt = "Passage: Ann, who didn't know (Bob), met *him*.\n"
                "Question: In the passage above, does the pronoun \"*him*\" refer to \"*Bob*\"?\n"
                "Answer:",
      .choices = " no(2)| yes(3)",
      .gold = "yes",
      .mask = 2,
      .n = 1,
      .source = "0" },
    { .task = "multirc",
      .text = "{\"idx\":0,\"version\":1.1,\"passage\":{\"text\":\"Para.\",\"questions\":[{\"questio"
              "n\":\"Who?\",\"answers\":[{\"text\":\"Ann\",\"idx\":0,\"label\":0},{\"text\":\"Bob\""
              ",\"idx\":1,\"label\":1}],\"idx\":0}]}}\n",
      .prompt = "Para.\n"
                "Question: Who?\n"
                "Answer:",
      .choices = " Bob\n"
                 "Is the answer correct? yes(30)| Bob\n"
                 "Is the answer correct? no(29)",
      .gold = "Bob\n"
              "Is the answer correct? yes",
      .mask = 1,
      .at = 1,
      .n = 2,
      .source = "1" },
    { .task = "multirc",
      .text = "{\"paragraph\":\"Para.\",\"question\":\"Who?\",\"answer\":\"Ann\",\"label\":0}\n",
      .prompt = "Para.\n"
                "Question: Who?\n"
                "Answer:",
      .choices = " Ann\n"
                 "Is the answer correct? yes(30)| Ann\n"
                 "Is the answer correct? no(29)",
      .gold = "Ann\n"
              "Is the answer correct? no",
      .mask = 2,
      .n = 1,
      .source = "1" },
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
    for (size_t i = 0; (a = adapters_glue(i)); i++) {
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
