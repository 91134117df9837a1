/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the benchmarks' real files are read whole, with their official numbers of rows; each task
 * is in docs/benchmarks.md.
 * Method: every benchmark file of the shared data is opened (which builds every example), counted,
 * and its last example read; lookups in the page's text. */
#include "tests/unit/common_tasks/fixture.h"

static const struct {
    const char *task, *path;
    enum split split;
    uint64_t n;
    bool own; /* not among the shared data: its owner may put it there */
} files[] = {
    { "arc_easy", "arc", SPLIT_TRAIN, 2251, false },
    { "arc_easy", "arc", SPLIT_VALIDATION, 570, false },
    { "arc_easy", "arc", SPLIT_TEST, 2376, false },
    { "arc_challenge", "arc", SPLIT_TRAIN, 1119, false },
    { "arc_challenge", "arc", SPLIT_VALIDATION, 299, false },
    { "arc_challenge", "arc/ARC-Challenge-Test.jsonl", SPLIT_TEST, 1172, false },
    { "mmlu", "mmlu", SPLIT_TRAIN, 285, false },
    { "mmlu", "mmlu", SPLIT_VALIDATION, 1531, false },
    { "mmlu", "mmlu", SPLIT_TEST, 14042, false },
    { "gsm8k", "gsm8k", SPLIT_TRAIN, 7473, false },
    { "gsm8k", "gsm8k", SPLIT_TEST, 1319, false },
    { "gsm_plus", "gsm_plus", SPLIT_TEST, 2400, false },
    { "svamp", "svamp", SPLIT_TEST, 1000, false },
    { "college_math", "college_math", SPLIT_TEST, 1260, false },
    { "truthfulqa_mc1", "truthfulqa", SPLIT_TEST, 817, false },
    { "truthfulqa_mc2", "truthfulqa/v0/mc_task.json", SPLIT_TEST, 817, false },
    { "truthfulqa_mc1", "truthfulqa/mc_task.json", SPLIT_TEST, 790, false },
    { "truthfulqa_mc2", "truthfulqa/mc_task.json", SPLIT_VALIDATION, 790, false },
    { "squadv2", "squad2", SPLIT_VALIDATION, 6078, false },
    { "piqa", "piqa", SPLIT_VALIDATION, 1838, false },
    { "agieval_aqua_rat", "agieval", SPLIT_TEST, 254, false },
    { "agieval_sat_math", "agieval", SPLIT_TEST, 220, false },
    { "agieval_sat_en", "agieval/sat-en.jsonl", SPLIT_TEST, 206, true },
    { "agieval_sat_en_without_passage", "agieval", SPLIT_TEST, 206, false },
    { "agieval_lsat_ar", "agieval/lsat-ar.jsonl", SPLIT_TEST, 230, true },
    { "agieval_lsat_lr", "agieval", SPLIT_TEST, 510, false },
    { "agieval_lsat_rc", "agieval/lsat-rc.jsonl", SPLIT_TEST, 269, true },
    { "agieval_math", "agieval", SPLIT_TEST, 1000, false },
    { "agieval_gaokao_english", "agieval", SPLIT_TEST, 306, false },
    { "agieval_gaokao_biology", "agieval/gaokao-biology.jsonl", SPLIT_TEST, 210, true },
    { "agieval_gaokao_chemistry", "agieval/gaokao-chemistry.jsonl", SPLIT_TEST, 207, true },
    { "agieval_gaokao_chinese", "agieval/gaokao-chinese.jsonl", SPLIT_TEST, 246, true },
    { "agieval_gaokao_geography", "agieval/gaokao-geography.jsonl", SPLIT_TEST, 199, true },
    { "agieval_gaokao_history", "agieval/gaokao-history.jsonl", SPLIT_TEST, 235, true },
    { "agieval_gaokao_mathcloze", "agieval", SPLIT_TEST, 118, false },
    { "agieval_gaokao_mathqa", "agieval", SPLIT_TEST, 351, false },
    { "agieval_gaokao_physics", "agieval", SPLIT_TEST, 200, false },
    { "agieval_logiqa_en", "agieval/logiqa-en.jsonl", SPLIT_TEST, 651, true },
    { "agieval_logiqa_zh", "agieval/logiqa-zh.jsonl", SPLIT_TEST, 651, true },
    { "boolq", "superglue", SPLIT_VALIDATION, 3270, false },
    { "boolq", "superglue/BoolQ/train.jsonl", SPLIT_TRAIN, 32, false },
    { "boolq", "superglue/BoolQ/dev32.jsonl", SPLIT_TRAIN, 32, false },
    { "copa", "superglue", SPLIT_VALIDATION, 100, false },
    { "copa", "superglue/COPA/train.jsonl", SPLIT_TRAIN, 32, false },
    { "copa", "superglue/COPA/dev32.jsonl", SPLIT_TRAIN, 32, false },
    { "wsc", "superglue", SPLIT_VALIDATION, 104, false },
    { "wsc", "superglue/WSC/train.jsonl", SPLIT_TRAIN, 32, false },
    { "wsc", "superglue/WSC/dev32.jsonl", SPLIT_TRAIN, 32, false },
    { "hendrycks_math", "math", SPLIT_TRAIN, 7500, true },
    { "hendrycks_math", "math", SPLIT_TEST, 5000, true },
    { "dart_math", "math", SPLIT_TRAIN, 7500, true },
    { "math500", "math500", SPLIT_TEST, 500, true },
};

static void real_files_have_their_official_numbers_of_rows(void **state)
{
    size_t read = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const char *path =
            files[i].own ? fixture_own(files[i].path) : fixture_shared(files[i].path);
        uint64_t n = 0;
        if (!path)
            continue;
        struct task_query q = fixture_query(files[i].task, path);
        q.split = files[i].split;
        struct task_source *s = fixture_open(q);
        struct example e;
        assert_int_equal(task_count(s, &n, NULL), 0);
        if (n != files[i].n)
            fail_msg("%s, %s: %llu rows", files[i].task, path, (unsigned long long)n);
        assert_int_equal(task_get(s, n, &e, NULL), ERR_LIMIT);
        assert_int_equal(task_get(s, n - 1, &e, NULL), 0);
        example_release(&e);
        task_close(s);
        read++;
    }
    if (read == 0)
        skip();
}

/* 2376 ids in one number: what results that were stored before are found by. */
static void ids_of_arc_are_those_of_the_first_release(void **state)
{
    static const struct {
        const char *task, *file;
        uint64_t sum;
    } sums[] = { { "arc_easy", "arc/ARC-Easy-Test.jsonl", UINT64_C(0xaec93ca8d71ec653) },
                 { "arc_challenge", "arc/ARC-Challenge-Test.jsonl",
                   UINT64_C(0xc87b602da8073550) } };

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(sums); k++) {
        const char *path = fixture_shared(sums[k].file);
        uint64_t n = 0, sum = 0;
        if (!path)
            skip();
        struct task_source *s = fixture_open(fixture_query(sums[k].task, path));
        assert_int_equal(task_count(s, &n, NULL), 0);
        for (uint64_t i = 0; i < n; i++) {
            struct example e;
            assert_int_equal(task_get(s, i, &e, NULL), 0);
            sum = sum * 31 + e.id;
            example_release(&e);
        }
        assert_true(sum == sums[k].sum);
        task_close(s);
    }
}

static void every_task_is_in_the_page(void **state)
{
    struct buf page CLEANUP(buf_release) = { 0 };
    const struct task_spec *t;
    struct err err = { 0 };

    (void)state;
    if (buf_read_file(&page, "docs/benchmarks.md", 1 << 20, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; (t = task_at(i)); i++) {
        char row[128];
        snprintf(row, sizeof(row), "\n| `%s` |", t->name);
        const char *at = strstr(buf_str(&page), row);
        if (!at)
            fail_msg("docs/benchmarks.md has no row of %s", t->name);
        size_t len = strcspn(at + 1, "\n");
        for (size_t k = 0; k < t->metrics_len; k++) {
            snprintf(row, sizeof(row), "`%s`", t->metric[k].name);
            const char *hit = strstr(at + 1, row);
            if (!hit || (size_t)(hit - at) > len)
                fail_msg("the row of %s lacks the metric %s", t->name, t->metric[k].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_files_have_their_official_numbers_of_rows),
        cmocka_unit_test(ids_of_arc_are_those_of_the_first_release),
        cmocka_unit_test(every_task_is_in_the_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
