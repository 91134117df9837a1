/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a broken or unlabelled record is refused with its file, its line and the field; no file,
 * however damaged, does anything worse.
 * Method: one broken file per way to break; good files of every form cut at every byte and with
 * every byte changed. */
#include "tests/unit/common_tasks/fixture.h"

#define MATH(LEVEL)   "{\"problem\":\"p\",\"level\":\"" LEVEL "\",\"answer\":\"1\"}\n"
#define SG_RTE(LABEL) "{\"premise\":\"p\",\"hypothesis\":\"h\",\"label\":" LABEL "}\n"
#define SQUAD(QA)                                                                                  \
    "{\"data\":[{\"title\":\"t\",\"paragraphs\":[{\"context\":\"c\",\"qas\":[" QA "]}]}]}"

static const struct {
    const char *task, *text, *says;
} bad[] = {
    { "gsm8k", "{\"question\":\"q\",\"answer\":\"#### 1\"}\n\n{\"question\":\"q\"}\n",
      "data:3: the field answer is missing" },
    { "gsm8k", "{\"question\":\"q\",\"answer\":\"1\"}\n", "data:1: the field answer has no line" },
    { "gsm8k", "{\"question\":\"q\"", "data:1: " },
    { "gsm8k", "[]", "no records" },
    { "gsm8k", "", "no records" },
    { "gsm8k", "7\n", "data:1: a record is no JSON object" },
    { "gsm8k", "{\"question\":\"q\",\"answer\":\"\\u0000#### 1\"}\n", "data:1: " },
    { "svamp", "[{\"Body\":\"b\",\"Question\":\"q\",\"Answer\":1},{\"Body\":\"b\"}]",
      "data: record 2: the field Question is missing" },
    { "svamp", "[{\"Body\":\"b\"", "data: line 1" },
    { "dart_math", MATH("Level 1") MATH("Level 6"), "data:2: the level \"Level 6\"" },
    { "dart_math", "{\"problem\":\"p\",\"level\":1,\"solution\":\"none\"}\n",
      "data:1: the solution has no \\boxed{}" },
    { "mmlu", "q,1,2,3,4,A\n\"q\nr\",1,2,3,4,B\nq,1,2,3\n", "data:4: 4 columns where 6" },
    { "mmlu", "q,1,2,3,4,A\nq,1,2,3,4,E\n", "data:2: the label E (field answer)" },
    { "mmlu", "q,1,2,3,4,A\nq,\"1,2\n,3,4,E\n", "data:2: the row that starts here" },
    { "mmlu", "q,\"1\"x,2,3,4,A\n", "data:1: a quoted field goes on" },
    { "mmlu", "q,\xff,2,3,4,A\n", "data:1: column 2 is not UTF-8" },
    { "gpqa", "Question,Correct Answer\nq,a\n", "data:2: the field Incorrect Answer" },
    { "sglue_rte", SG_RTE("\"entailment\"") "{\"premise\":\"p\",\"hypothesis\":\"h\"}\n",
      "data:2: there is no label" },
    { "sglue_rte", SG_RTE("-1"), "data:1: the label -1 (field label)" },
    { "sglue_rte", SG_RTE("\"maybe\""), "the label maybe" },
    { "rte", "index\tsentence1\tsentence2\n0\ta\tb\n", "data:2: there is no label" },
    { "rte", "index\tsentence1\tsentence2\tlabel\n0\ta\tb\n", "data:2: 3 columns where 4" },
    { "cola", "x\t1\t\tGood.\nx\t1\tGood.\n", "data:2: 3 columns where 4" },
    { "mnli", "{\"premise\":\"p\",\"hypothesis\":\"h\",\"label\":3}\n", "the label 3" },
    { "squadv2", "{\"data\":{}}", "no list \"data\"" },
    { "squadv2", SQUAD("{\"id\":\"i\",\"question\":\"q\"}"),
      "data: question 1: answers and is_impossible are missing" },
    { "squadv2", SQUAD("{\"id\":\"i\",\"question\":\"q\",\"answers\":[]}"),
      "data: question 1: answers and is_impossible are missing" },
    { "squadv2", SQUAD("{\"id\":\"i\",\"answers\":[],\"is_impossible\":true}"),
      "data: question 1: the field question is missing" },
    { "piqa", "{\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\"}\n", "data:1: there is no label" },
    { "truthfulqa_mc1", "[{\"question\":\"q\",\"mc1_targets\":{\"a\":0,\"b\":0}}]",
      "data: record 1: no choice is right" },
    { "truthfulqa_mc2", "[{\"question\":\"q\",\"mc1_targets\":{\"a\":1,\"b\":0}}]",
      "the field mc2_targets is missing" },
    { "agieval_sat_math", "{\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\"],\"label\":\"C\"}\n",
      "the label C is no letter of the 2 options" },
    { "agieval_sat_math", "{\"question\":\"q\",\"options\":null,\"label\":\"C\"}\n",
      "data:1: the field options" },
    { "agieval_sat_math", "{\"question\":\"q\",\"options\":[\"(A)a\",null],\"label\":\"A\"}\n",
      "data:1: option 2 of the field options is no text" },
    { "agieval_sat_math", "{\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\"],\"label\":\"c\"}\n",
      "the label c is no letter of the 2 options" },
    { "agieval_math", "{\"question\":\"q\",\"answer\":null}\n", "the field answer is missing" },
    { "copa",
      "{\"premise\":\"p.\",\"choice1\":\"a\",\"choice2\":\"b\",\"question\":\"why\",\"label\":"
      "0}"
      "\n",
      "neither cause nor effect" },
    { "wsc",
      "{\"text\":\"a b\",\"target\":{\"span1_text\":\"a\",\"span2_text\":\"b\",\"span2_index\":"
      "9},\"label\":true}\n",
      "span2_index 9 is beyond" },
    { "wic", "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"label\":true}\n", "start1" },
    { "wic", "{\"sentence1\":\"a\",\"sentence2\":\"b\",\"start1\":5,\"end1\":9,\"label\":true}\n",
      "data:1: start1 5 is beyond sentence1" },
    { "math500", "{\"problem\":\"p\",\"answer\":[\"1\"]}\n",
      "data:1: the answer (field answer|gt_ans) is neither a text nor a number" },
    { "math500", "{\"problem\":\"p\",\"answer\":\"\"}\n", "answer (or solution) is missing" },
    { "aime24", "{\"problem\":\"p\",\"answer\":\" \"}\n", "the field answer is missing" },
    { "math500", "{\n\"problem\":\"p\"\n}\n", "one JSON object in each line, or one JSON array" },
};

static void broken_record_is_named_by_file_line_and_field(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct task_source *s = NULL;
        struct err err = { 0 };
        struct task_query q = fixture_query(bad[i].task, fixture_file(*state, "data", bad[i].text));
        int rc = task_open(&s, &q, &err);
        if (rc != ERR_INVALID || !strstr(err.text, bad[i].says) || !strstr(err.text, q.path))
            fail_msg("case %zu, %s: %d, \"%s\" does not say \"%s\"", i, bad[i].task, rc, err.text,
                     bad[i].says);
    }
}

static void labels_must_be_as_many_as_records(void **state)
{
    struct task_source *s = NULL;
    struct err err = { 0 };
    const char *path =
        fixture_file(*state, "valid.jsonl", "{\"goal\":\"g\",\"sol1\":\"a\",\"sol2\":\"b\"}\n");
    struct task_query q = fixture_query("piqa", path);

    fixture_file(*state, "valid-labels.lst", "0\n1\n");
    assert_int_equal(task_open(&s, &q, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "has 2 labels but"));
}

/* Opens whatever is there; reads everything when it can. */
static void survive(const char *task, const char *path)
{
    struct task_query q = fixture_query(task, path);
    struct task_source *s = NULL;
    struct err err = { 0 };
    uint64_t n = 0;
    int rc = task_open(&s, &q, &err);

    if (rc) {
        assert_true(rc == ERR_INVALID || rc == ERR_LIMIT);
        assert_true(err.text[0] != '\0');
        return;
    }
    assert_int_equal(task_count(s, &n, NULL), 0);
    for (uint64_t i = 0; i < n; i++) {
        struct example e;
        assert_int_equal(task_get(s, i, &e, NULL), 0);
        example_release(&e);
    }
    task_close(s);
}

static const char *const whole[][2] = {
    { "gsm8k", "{\"question\":\"q\",\"answer\":\"#### 1\"}\n{\"question\":\"r\",\"answer\":\"#### "
               "2\"}\n" },
    { "svamp", "[{\"Body\":\"b\",\"Question\":\"q\",\"Answer\":1.5,\"ID\":\"i\"}]" },
    { "mmlu", "\"q\n\"\"r\",1,2,3,4,A\r\ns,\"5\",6,7,8,B\n" },
    { "gpqa", "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n"
              "q,\"a\",b,c,d\n" },
    { "mrpc", "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t2\t3\ta\tb\r\n" },
    { "cola", "x\t1\t*\tGood.\n" },
    { "truthfulqa_mc2", "[{\"question\":\"q\",\"mc2_targets\":{\"a\":1,\"b\":0}}]" },
    { "squadv2", SQUAD("{\"id\":\"i\",\"question\":\"q\",\"answers\":[{\"text\":\"a\"}],"
                       "\"is_impossible\":false}") },
    { "multirc", "{\"passage\":{\"text\":\"p\",\"questions\":[{\"question\":\"q\",\"answers\":[{"
                 "\"text\":\"a\",\"label\":1}]}]}}\n" },
    { "wsc", "{\"text\":\"a b c\",\"target\":{\"span1_text\":\"a\",\"span2_text\":\"b\","
             "\"span2_index\":1},\"label\":true}\n" },
    { "wic", "{\"sentence1\":\"\xC3\xA4 b\",\"sentence2\":\"c\",\"start1\":0,\"end1\":1,"
             "\"label\":false}\n" },
    { "agieval_gaokao_physics",
      "{\"passage\":null,\"question\":\"q\",\"options\":[\"(A)a\",\"(B)b\"],\"label\":[\"A\","
      "\"B\"]}\n" },
};

static void cut_files_are_refused_or_read(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        size_t len = strlen(whole[i][1]);
        char *text = strdup(whole[i][1]);
        survive(whole[i][0], fixture_file(*state, "data", text));
        for (size_t n = len; n > 0; n--) {
            text[n - 1] = '\0';
            survive(whole[i][0], fixture_file(*state, "data", text));
        }
        free(text);
    }
}

static void changed_bytes_are_refused_or_read(void **state)
{
    static const char bytes[] = "\"\t\n,{[}]:0\xff\\";

    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        char *text = strdup(whole[i][1]);
        for (size_t n = 0; text[n]; n++) {
            char old = text[n];
            for (size_t k = 0; bytes[k]; k++) {
                text[n] = bytes[k];
                survive(whole[i][0], fixture_file(*state, "data", text));
            }
            text[n] = old;
        }
        free(text);
    }
}

int main(void)
{
#define FIXED(F) cmocka_unit_test_setup_teardown(F, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FIXED(broken_record_is_named_by_file_line_and_field),
        FIXED(labels_must_be_as_many_as_records),
        FIXED(cut_files_are_refused_or_read),
        FIXED(changed_bytes_are_refused_or_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
