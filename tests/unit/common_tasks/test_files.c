/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a path leads to the files of a split and of its few-shot examples, whether it is a file or
 * a folder; the same files in one flat folder under the names of task_files give the same examples;
 * what is missing is named with what to do.
 * Method: folders of our own making, opened both ways and compared example by example. */
#include "tests/unit/common_tasks/fixture.h"

#define Q(N, A)  "{\"question\":\"q" N "\",\"answer\":\"a\\n#### " A "\"}\n"
#define PIQA(N)  "{\"goal\":\"g" N "\",\"sol1\":\"x\",\"sol2\":\"y\"}\n"
#define BOOLQ(N) "{\"question\":\"q" N "\",\"passage\":\"p\",\"label\":true,\"idx\":" N "}\n"

/* Copies the files of Q into FOLDER/flat under their plain names. */
static struct task_query flatten(const char *folder, struct task_query q)
{
    static char flat[600];
    struct task_files files;
    struct err err = { 0 };

    if (task_files(&q, &files, &err))
        fail_msg("%s", err.text);
    snprintf(flat, sizeof(flat), "%s/flat", folder);
    if (access(flat, F_OK) == 0)
        assert_int_equal(folder_remove(flat), 0);
    for (size_t i = 0; i < files.len; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        char name[128];
        assert_int_equal(buf_read_file(&text, files.file[i].path, 1 << 20, &err), 0);
        assert_null(strchr(files.file[i].name, '/'));
        snprintf(name, sizeof(name), "flat/%s", files.file[i].name);
        fixture_file(folder, name, buf_str(&text));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(files.file[k].name, files.file[i].name);
    }
    task_files_release(&files);
    q.path = flat;
    return q;
}

static void same_examples(struct task_query a, struct task_query b, uint64_t want)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < want; i++) {
        struct example x = fixture_example(a, i, &n), y = fixture_example(b, i, NULL);
        assert_int_equal(n, want);
        assert_true(x.id == y.id);
        assert_string_equal(x.prompt, y.prompt);
        assert_string_equal(x.gold, y.gold);
        assert_string_equal(x.subset, y.subset);
        example_release(&x);
        example_release(&y);
    }
}

static void a_flat_folder_gives_the_same_examples(void **state)
{
    const struct {
        const char *task, *path;
        enum split split;
        int fewshot;
        size_t files;
        uint64_t n;
    } cases[] = {
        { "gsm8k", "gsm", SPLIT_TEST, 2, 2, 2 },
        { "gsm8k", "gsm/test.jsonl", SPLIT_TEST, 2, 2, 2 },
        { "gsm8k", "gsm/test.jsonl", SPLIT_TEST, 0, 1, 2 },
        { "gsm8k", "gsm", SPLIT_TRAIN, 1, 1, 3 },
        { "gsm8k", "gsm/train.jsonl", SPLIT_TEST, 1, 1, 3 },
        { "piqa", "piqa", SPLIT_VALIDATION, 1, 3, 2 },
        { "piqa", "piqa/train.jsonl", SPLIT_TEST, 0, 2, 1 },
        { "boolq", "sg", SPLIT_VALIDATION, 1, 2, 2 },
        { "boolq", "sg/BoolQ/val.jsonl", SPLIT_TEST, 0, 1, 2 },
        { "mmlu", "mmlu", SPLIT_TEST, 1, 4, 3 },
        { "mmlu", "mmlu/test/art_test.csv", SPLIT_TEST, 1, 2, 1 },
        { "mmlu", "mmlu/test/big_maths_test.csv", SPLIT_VALIDATION, 0, 1, 2 },
    };
    const char *dir = *state;
    char path[300];

    fixture_file(dir, "gsm/test.jsonl", Q("1", "1") Q("2", "2"));
    fixture_file(dir, "gsm/train.jsonl", Q("3", "3") Q("4", "4") Q("5", "5"));
    fixture_file(dir, "piqa/valid.jsonl", PIQA("1") PIQA("2"));
    fixture_file(dir, "piqa/valid-labels.lst", "1\n0\n");
    fixture_file(dir, "piqa/train.jsonl",
                 "{\"goal\":\"g9\",\"sol1\":\"x\",\"sol2\":\"y\",\"label\":1}\n");
    fixture_file(dir, "piqa/train-labels.lst", "1\n");
    fixture_file(dir, "sg/BoolQ/val.jsonl", BOOLQ("1") BOOLQ("2"));
    fixture_file(dir, "sg/BoolQ/train.jsonl", BOOLQ("3"));
    fixture_file(dir, "mmlu/test/big_maths_test.csv", "q1,1,2,3,4,A\nq2,1,2,3,4,B\n");
    fixture_file(dir, "mmlu/test/art_test.csv", "q3,1,2,3,4,C\n");
    fixture_file(dir, "mmlu/dev/big_maths_dev.csv", "d1,1,2,3,4,D\n");
    fixture_file(dir, "mmlu/dev/art_dev.csv", "d2,1,2,3,4,D\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct task_files files;
        snprintf(path, sizeof(path), "%s/%s", dir, cases[i].path);
        struct task_query q = fixture_query(cases[i].task, path);
        q.split = cases[i].split;
        q.fewshot = cases[i].fewshot;
        assert_int_equal(task_files(&q, &files, NULL), 0);
        if (files.len != cases[i].files)
            fail_msg("case %zu: %zu files", i, files.len);
        if (files.folder)
            same_examples(q, flatten(dir, q), cases[i].n);
        else
            same_examples(q, q, cases[i].n);
        task_files_release(&files);
    }
}

#define NLI(LABEL) "{\"premise\":\"p\",\"hypothesis\":\"h\",\"label\":" LABEL "}\n"

static void glue_files_are_found_under_their_usual_names(void **state)
{
    static const struct {
        const char *task, *name, *text, *gold;
    } cases[] = {
        { "cola", "CoLA/val.jsonl", "{\"sentence\":\"s\",\"label\":1}\n", "yes" },
        { "sst2", "SST-2/val.jsonl", "{\"sentence\":\"s\",\"label\":0}\n", "negative" },
        { "mrpc", "MRPC/dev.jsonl", "{\"sentence1\":\"s\",\"sentence2\":\"t\",\"label\":1}\n",
          "yes" },
        { "mnli", "MNLI/validation_matched.jsonl", NLI("0"), "True" },
        { "mnli_mismatch", "MNLI/validation_mismatched.jsonl", NLI("2"), "False" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        fixture_file(*state, cases[i].name, cases[i].text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct task_query q = fixture_query(cases[i].task, *state);
        q.split = SPLIT_VALIDATION;
        struct example e = fixture_example(q, 0, NULL);
        assert_string_equal(e.gold, cases[i].gold);
        example_release(&e);
    }
}

static void shots_are_the_first_of_the_file_and_never_the_example_itself(void **state)
{
    const char *dir = *state;

    fixture_file(dir, "train.jsonl", Q("3", "3") Q("4", "4") Q("5", "5"));
    fixture_file(dir, "test.jsonl", Q("1", "1"));
    struct task_query q = fixture_query("gsm8k", dir);
    q.fewshot = 2;
    struct example e = fixture_example(q, 0, NULL);
    assert_string_equal(e.prompt, "Question: q3\nAnswer: a\n#### 3\n\nQuestion: q4\nAnswer: a\n"
                                  "#### 4\n\nQuestion: q1\nAnswer:");
    example_release(&e);
    q.split = SPLIT_TRAIN;
    e = fixture_example(q, 1, NULL);
    assert_string_equal(e.prompt, "Question: q3\nAnswer: a\n#### 3\n\nQuestion: q5\nAnswer: a\n"
                                  "#### 5\n\nQuestion: q4\nAnswer:");
    example_release(&e);
}

static void mmlu_shots_stand_behind_the_description_and_are_of_the_subject(void **state)
{
    const char *dir = *state;

    fixture_file(dir, "test/big_maths_test.csv", "q1,1,2,3,4,A\n");
    fixture_file(dir, "dev/art_dev.csv", "d2,1,2,3,4,B\n");
    fixture_file(dir, "dev/big_maths_dev.csv", "d1,1,2,3,4,D\n");
    struct task_query q = fixture_query("mmlu", dir);
    q.fewshot = 1;
    struct example e = fixture_example(q, 0, NULL);
    assert_string_equal(e.prompt,
                        "The following are multiple choice questions (with answers) about big "
                        "maths.\n\nd1\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: D\n\nq1\nA. 1\nB. 2\nC. "
                        "3\nD. 4\nAnswer:");
    assert_string_equal(e.subset, "big_maths");
    example_release(&e);
    assert_int_equal(task_find("mmlu")->fewshot, 0);
}

/* 5 shots by default where GSM8K's train file is, none where it is not. */
static void default_shots_need_their_file(void **state)
{
    const char *dir = *state;

    fixture_file(dir, "test.jsonl", Q("1", "1"));
    struct example e = fixture_example(fixture_query("gsm8k", dir), 0, NULL);
    assert_string_equal(e.prompt, "Question: q1\nAnswer:");
    example_release(&e);
    fixture_file(dir, "train.jsonl", Q("3", "3") Q("4", "4") Q("5", "5") Q("6", "6") Q("7", "7"));
    e = fixture_example(fixture_query("gsm8k", dir), 0, NULL);
    assert_memory_equal(e.prompt, "Question: q3\nAnswer: a\n#### 3\n\n", 31);
    assert_non_null(strstr(e.prompt, "q7"));
    example_release(&e);
}

static void what_is_missing_is_named(void **state)
{
    const struct {
        const char *task, *path;
        enum split split;
        int fewshot;
        enum task_prompts prompts;
        int code;
        const char *says;
    } cases[] = {
        { "boolq", "", SPLIT_TEST, -1, 0, ERR_INVALID, "split = \"train\" or \"validation\"" },
        { "boolq", "", SPLIT_VALIDATION, -1, 0, ERR_NOT_FOUND, "looked for val.jsonl" },
        { "gsm8k", "nowhere", SPLIT_TEST, -1, 0, ERR_NOT_FOUND, "nowhere" },
        { "gsm8k", "", SPLIT_TEST, 3, 0, ERR_LIMIT, "has 1 few-shot examples, asked for 3" },
        { "gsm8k", "lone/test.jsonl", SPLIT_TEST, 3, 0, ERR_NOT_FOUND, "no few-shot file" },
        { "gsm8k", "", SPLIT_TEST, 1, PROMPTS_DR_LLM, ERR_INVALID, "take no few-shot" },
        { "dart_math", "", SPLIT_TEST, 1, 0, ERR_INVALID, "take no few-shot" },
        { "truthfulqa_mc1", "", SPLIT_TEST, 1, 0, ERR_INVALID, "leave fewshot out" },
        { "mmlu", "", SPLIT_TEST, -1, 0, ERR_NOT_FOUND, "no test file of mmlu" },
        { "boolq", "", SPLIT_TEST, -1, PROMPTS_DR_LLM, ERR_INVALID, "has no dr_llm prompts" },
    };
    const char *dir = *state;

    fixture_file(dir, "test.jsonl", Q("1", "1"));
    fixture_file(dir, "lone/test.jsonl", Q("1", "1"));
    fixture_file(dir, "train.jsonl", Q("3", "3"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct task_source *s = NULL;
        struct err err = { 0 };
        char path[300];
        snprintf(path, sizeof(path), "%s/%s", dir, cases[i].path);
        struct task_query q = fixture_query(cases[i].task, path);
        q.split = cases[i].split;
        q.fewshot = cases[i].fewshot;
        q.prompts = cases[i].prompts;
        int rc = task_open(&s, &q, &err);
        if (rc != cases[i].code || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %d, \"%s\"", i, rc, err.text);
    }
}

int main(void)
{
#define FIXED(F) cmocka_unit_test_setup_teardown(F, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        FIXED(a_flat_folder_gives_the_same_examples),
        FIXED(glue_files_are_found_under_their_usual_names),
        FIXED(shots_are_the_first_of_the_file_and_never_the_example_itself),
        FIXED(mmlu_shots_stand_behind_the_description_and_are_of_the_subject),
        FIXED(default_shots_need_their_file),
        FIXED(what_is_missing_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
