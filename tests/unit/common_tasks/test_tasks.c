/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: synthetic problems have right answers, levels and splits; lists are stable and free of
 * duplicates; files are read as lm-evaluation-harness reads them and broken lines are named.
 * Method: independent solvers written here; golden first examples; files of our own making. */
#include "common/base/buf.h"
#include "common/tasks/generate.h"
#include "common/tasks/source.h"
#include "common/tasks/task.h"
#include "tests/unit/common_tasks/fixture.h"

/* Follows the facts of a logic prompt by plain text search. */
static char solve_logic(const char *prompt, int *ret_hops)
{
    const char *question = strchr(prompt, '?');
    const char *choices = strrchr(prompt, ',') + 1;
    char at = question[1];

    *ret_hops = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (const char *f = prompt; f < choices; f += 3)
            if (f[0] == at) {
                at = f[1];
                moved = true;
                ++*ret_hops;
                break;
            }
    }
    for (const char *c = choices; c < question; c += 2)
        if (c[0] == at)
            return c[1];
    return '\0';
}

/* Evaluates a math prompt with a switch of its own. */
static int solve_math(const char *p)
{
    int v = p[0] - '0';

    for (p++; *p != '='; p += 2) {
        int d = p[1] - '0';
        if (*p == '+')
            v = v + d >= 10 ? v + d - 10 : v + d;
        else if (*p == '-')
            v = v - d < 0 ? v - d + 10 : v - d;
        else if (*p == '>')
            v = d > v ? d : v;
        else
            v = d < v ? d : v;
    }
    return v;
}

static void math_answers_are_right_and_levels_count_operators(void **state)
{
    (void)state;
    for (int level = 1; level <= 6; level++)
        for (uint64_t i = 0; i < 500; i++) {
            struct rng r = rng_stream("test", (uint64_t)level, i);
            struct problem p;
            math_draw(level, &r, &p);
            assert_int_equal(strlen(p.prompt), 2 * (level + 2) + 2);
            assert_int_equal(p.answer[0] - '0', solve_math(p.prompt));
        }
}

static void logic_answers_are_right_and_levels_count_hops(void **state)
{
    (void)state;
    for (int level = 1; level <= 6; level++) {
        int letters[4] = { 0 };
        for (uint64_t i = 0; i < 500; i++) {
            struct rng r = rng_stream("test", (uint64_t)level, i);
            struct problem p;
            int hops;
            logic_draw(level, &r, &p);
            assert_int_equal(solve_logic(p.prompt, &hops), p.answer[0]);
            assert_int_equal(hops, level);
            assert_true(p.answer[0] >= 'A' && p.answer[0] <= 'D');
            letters[p.answer[0] - 'A']++;
            assert_true(level > 3 || strlen(p.prompt) + 1 <= 32);
        }
        for (int c = 0; c < 4; c++)
            assert_true(letters[c] > 80 && letters[c] < 170); /* 125 expected */
    }
}

static int by_size(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

/* Solves a list problem by sorting and reversing a copy. */
static char solve_lists(const char *prompt, size_t n)
{
    char list[16], turned[16];
    char operation = prompt[n], argument = prompt[n + 1];
    int count = 0;

    memcpy(list, prompt, n);
    for (size_t i = 0; i < n; i++)
        count += list[i] == argument;
    if (operation == '?')
        return (char)('0' + count);
    if (operation != '-')
        qsort(list, n, 1, by_size);
    for (size_t i = 0; i < n; i++)
        turned[n - 1 - i] = list[i];
    return operation == '<' ? list[argument - '1'] : turned[argument - '1'];
}

static void lists_answers_are_right_and_levels_count_elements(void **state)
{
    (void)state;
    for (int level = 1; level <= 6; level++) {
        size_t n = (size_t)level + 4, operations[4] = { 0 }, zero = 0, letters = 0;

        for (uint64_t i = 0; i < 2000; i++) {
            struct rng r = rng_stream("test", (uint64_t)level, i);
            struct problem p;

            lists_draw(level, &r, &p);
            assert_int_equal(strlen(p.prompt), n + 3);
            assert_int_equal(p.prompt[n + 2], '=');
            assert_int_equal(p.answer[0], solve_lists(p.prompt, n));
            assert_int_equal(p.answer[1], '\0');
            assert_non_null(strchr("<>-?", p.prompt[n]));
            operations[strchr("<>-?", p.prompt[n]) - "<>-?"]++;
            letters += p.prompt[0] >= 'a';
            zero += p.answer[0] == '0' && p.prompt[n] == '?';
            if (p.prompt[n] != '?')
                assert_true(p.prompt[n + 1] >= '1' && p.prompt[n + 1] <= '9');
        }
        for (size_t k = 0; k < ARRAY_LEN(operations); k++)
            assert_true(operations[k] > 400 && operations[k] < 600); /* 500 expected */
        assert_true(letters > 900 && letters < 1100);
        assert_true(zero > 40 && zero < 160);
    }
}

static void lists_questions_by_hand(void **state)
{
    static const struct {
        const char *list, *question;
        char answer;
    } known[] = { { "cabba", "<3", 'b' }, { "cabba", ">1", 'c' }, { "cabba", ">5", 'a' },
                  { "cabba", "-1", 'a' }, { "cabba", "-5", 'c' }, { "cabba", "?a", '2' },
                  { "cabba", "?z", '0' }, { "73915", "<1", '1' }, { "73915", ">2", '7' },
                  { "cabba", "<6", 0 },   { "cabba", "<0", 0 },   { "cabba", "+1", 0 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        assert_int_equal(lists_answer(known[i].list, 5, known[i].question[0], known[i].question[1]),
                         known[i].answer);
    assert_string_equal(lists_subset("cabba<3="), "sort");
    assert_string_equal(lists_subset("73915>3="), "sort");
    assert_string_equal(lists_subset("73915-3="), "reverse");
    assert_string_equal(lists_subset("73915?3="), "count");
}

static void every_character_of_a_problem_is_in_the_alphabet(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200; i++) {
        struct rng r = rng_stream("test", 6, i);
        struct problem p;
        if (i % 3 == 0)
            math_draw(6, &r, &p);
        else if (i % 3 == 1)
            logic_draw(6, &r, &p);
        else
            lists_draw(6, &r, &p);
        assert_int_equal(strspn(p.prompt, task_alphabet()), strlen(p.prompt));
        assert_int_equal(strspn(p.answer, task_alphabet()), strlen(p.answer));
    }
}

static void check_distinct(const char *task)
{
    enum { N = 2000 };
    static uint64_t id[SPLITS][N];

    for (int split = 0; split < SPLITS; split++) {
        struct task_source *s = NULL;
        assert_int_equal(
            task_open(&s,
                      &(struct task_query){ .task = task, .level = 1, .split = (enum split)split },
                      NULL),
            0);
        for (uint64_t i = 0; i < N; i++) {
            struct example e;
            assert_int_equal(task_get(s, i, &e, NULL), 0);
            assert_int_equal(example_split(e.id), split);
            id[split][i] = e.id;
            for (uint64_t j = 0; j < i; j++)
                if (id[split][j] == e.id)
                    fail_msg("examples %llu and %llu are one", (unsigned long long)j,
                             (unsigned long long)i);
            example_release(&e);
        }
        task_close(s);
    }
}

static void sources_hold_distinct_examples_of_their_split_only(void **state)
{
    (void)state;
    check_distinct("math");
    check_distinct("logic");
    check_distinct("lists");
}

static void example_does_not_depend_on_the_order_of_asking(void **state)
{
    static const struct task_query logic = { .task = "logic", .level = 2, .split = SPLIT_TEST };
    struct task_source *a = NULL, *b = NULL;
    struct example x, y;

    (void)state;
    assert_int_equal(task_open(&a, &logic, NULL), 0);
    assert_int_equal(task_open(&b, &logic, NULL), 0);
    assert_int_equal(task_get(a, 300, &x, NULL), 0);
    example_release(&x);
    assert_int_equal(task_get(a, 7, &x, NULL), 0);
    assert_int_equal(task_get(b, 7, &y, NULL), 0);
    assert_true(x.id == y.id);
    assert_string_equal(x.prompt, y.prompt);
    example_release(&x);
    example_release(&y);
    task_close(a);
    task_close(b);
}

static void training_draws_never_leave_the_train_split(void **state)
{
    static const char *const task[] = { "math", "logic", "lists" };
    struct rng r = rng_stream("test", 1, 1);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct example e;
        assert_int_equal(task_draw(task[i % 3], 1 + i % 6, &r, &e, NULL), 0);
        assert_int_equal(example_split(e.id), SPLIT_TRAIN);
        example_release(&e);
    }
}

static void asking_for_more_than_exist_names_the_number(void **state)
{
    struct task_source *s = NULL;
    struct example e;
    struct err err = { 0 };
    uint64_t n = 0, sum = 0;

    (void)state;
    for (int split = 0; split < SPLITS; split++) {
        assert_int_equal(
            task_open(
                &s, &(struct task_query){ .task = "math", .level = 1, .split = (enum split)split },
                NULL),
            0);
        assert_int_equal(task_count(s, &n, NULL), 0);
        sum += n;
        if (split == SPLIT_TEST) {
            char number[32];
            snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
            assert_true(n > 60000 && n < 68000);
            assert_int_equal(task_get(s, n, &e, &err), ERR_LIMIT);
            assert_non_null(strstr(err.text, number));
        }
        task_close(s);
    }
    assert_int_equal(sum, 640000);
}

static void endless_levels_count_a_million(void **state)
{
    (void)state;
    for (int level = 1; level <= 6; level++) {
        struct task_source *s = NULL;
        uint64_t n = 0;

        assert_int_equal(
            task_open(&s,
                      &(struct task_query){ .task = "lists", .level = level, .split = SPLIT_TEST },
                      NULL),
            0);
        assert_int_equal(task_count(s, &n, NULL), 0);
        assert_int_equal(n, 1000000);
        task_close(s);
    }
}

static void first_examples_are_those_of_the_first_release(void **state)
{
    static const struct {
        const char *task, *prompt, *gold;
        int level;
    } golden[] = { { "math", "0<9<9<5=", "0", 1 },
                   { "math", "7-2-1>7+2>9+9<9+8=", "6", 6 },
                   { "logic", "el,am,hj,vr,lArBjCmD?e=", "A", 1 },
                   { "logic", "rg,wn,xq,zx,qf,nr,gAfBrCnD?z=", "B", 3 },
                   { "lists", "36448-5=", "3", 1 },
                   { "lists", "9243669109-9=", "2", 6 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
        struct task_source *s = NULL;
        struct example e;
        struct task_query q = { .task = golden[i].task,
                                .level = golden[i].level,
                                .split = SPLIT_TEST };
        assert_int_equal(task_open(&s, &q, NULL), 0);
        assert_int_equal(task_get(s, 0, &e, NULL), 0);
        assert_string_equal(e.prompt, golden[i].prompt);
        assert_string_equal(e.gold, golden[i].gold);
        assert_int_equal(e.level, golden[i].level);
        example_release(&e);
        task_close(s);
    }
}

static char *temporary(const char *text)
{
    static char path[64];

    snprintf(path, sizeof(path), "/tmp/drover-tasks-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

#define GOOD                                                                                       \
    "{\"id\":\"q1\",\"question\":{\"stem\":\"Why?\",\"choices\":[{\"text\":\"no\",\"label\":"      \
    "\"1\"},"                                                                                      \
    "{\"text\":\"yes\",\"label\":\"2\"}]},\"answerKey\":\"2\"}\n"

static void arc_record_becomes_the_harness_prompt(void **state)
{
    struct task_source *s = NULL;
    struct example e;
    uint64_t n = 0;
    char *path = temporary(GOOD "\n" GOOD);
    struct task_query q = fixture_query("arc_easy", path);

    (void)state;
    assert_int_equal(task_open(&s, &q, NULL), 0);
    assert_int_equal(task_count(s, &n, NULL), 0);
    assert_int_equal(n, 1); /* the second record is the first */
    assert_int_equal(task_get(s, 0, &e, NULL), 0);
    assert_string_equal(e.prompt, "Question: Why?\nAnswer:");
    assert_string_equal(e.gold, "yes");
    assert_int_equal(e.gold_choice, 1);
    assert_string_equal(e.source_id, "q1");
    example_release(&e);
    task_close(s);
    unlink(path);
}

static void broken_line_is_named_by_file_and_number(void **state)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { GOOD "{\"id\":", ":2:" },
        { GOOD GOOD "{\"id\":\"x\"}\n", ":3: a record needs" },
        { "{\"id\":\"q\",\"question\":{\"stem\":\"s\",\"choices\":[{\"text\":\"a\",\"label\":\"A\"}"
          "]},"
          "\"answerKey\":\"A\"}\n",
          ":1: question.choices" },
        { "{\"id\":\"q\",\"question\":{\"stem\":\"s\",\"choices\":[{\"text\":\"a\",\"label\":\"A\"}"
          ","
          "{\"text\":\"b\",\"label\":\"B\"}]},\"answerKey\":\"C\"}\n",
          "answerKey" },
        { "\n\n", "no records" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct task_source *s = NULL;
        struct err err = { 0 };
        char *path = temporary(bad[i].text);
        struct task_query q = fixture_query("arc_easy", path);
        assert_int_equal(task_open(&s, &q, &err), ERR_INVALID);
        if (!strstr(err.text, bad[i].says) || !strstr(err.text, path))
            fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
        unlink(path);
    }
}

static void picks_follow_the_harness_rules(void **state)
{
    /* Sums: the first of equals. Means: by Unicode characters without the delimiter. */
    struct example e = { .choice = { (char *)" abcd", (char *)" \xc3\xa4h", (char *)" x" },
                         .choice_chars = { 4, 2, 1 },
                         .choices_len = 3 };
    double equal[] = { -4, -2, -2 }, long_wins[] = { -2, -1.2, -0.9 };

    (void)state;
    assert_int_equal(task_pick(equal, 3), 1);
    assert_int_equal(task_pick(long_wins, 3), 2);
    assert_int_equal(task_pick_norm(&e, long_wins), 0);
    assert_int_equal(task_pick_norm(&e, equal), 0); /* -1, -1, -2 */
}

static bool is_right(const char *text)
{
    struct example e = { .gold = (char *)"7", .form = TASK_ANSWER };
    struct marks m;

    task_grade(task_find("math"), &e, &(struct response){ .text = text }, &m);
    bool right = m.correct && m.correct_norm && m.value[0] == 1;
    marks_release(&m);
    return right;
}

static void answers_are_graded_without_outer_blanks_only(void **state)
{
    (void)state;
    assert_true(is_right(" 7\n"));
    assert_false(is_right("77"));
    assert_false(is_right(""));
}

static int refusal(struct task_query q, struct err *err)
{
    struct task_source *s = NULL;

    q.split = SPLIT_TEST;
    q.fewshot = -1;
    return task_open(&s, &q, err);
}

static void unknown_tasks_levels_and_splits_are_refused(void **state)
{
    struct err err = { 0 };
    enum split split;
    enum task_prompts prompts;

    (void)state;
    assert_int_equal(refusal((struct task_query){ .task = "mth", .level = 1 }, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"math\""));
    assert_int_equal(refusal((struct task_query){ .task = "math", .level = 7 }, &err), ERR_INVALID);
    assert_int_equal(
        refusal((struct task_query){ .task = "arc_easy", .level = 1, .path = "x" }, &err),
        ERR_INVALID);
    assert_int_equal(refusal((struct task_query){ .task = "arc_easy" }, &err), ERR_INVALID);
    assert_int_equal(
        refusal((struct task_query){ .task = "arc_easy", .path = "/nonexistent" }, &err),
        ERR_NOT_FOUND);
    assert_int_equal(
        refusal((struct task_query){ .task = "math", .level = 1, .prompts = PROMPTS_DR_LLM }, &err),
        ERR_INVALID);
    assert_non_null(strstr(err.text, "no dr_llm prompts"));
    assert_int_equal(split_parse("dev", &split, &err), ERR_INVALID);
    assert_int_equal(task_prompts_parse("drllm", &prompts, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "harness, dr_llm, dr_llm_chat"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(math_answers_are_right_and_levels_count_operators),
        cmocka_unit_test(logic_answers_are_right_and_levels_count_hops),
        cmocka_unit_test(lists_answers_are_right_and_levels_count_elements),
        cmocka_unit_test(lists_questions_by_hand),
        cmocka_unit_test(every_character_of_a_problem_is_in_the_alphabet),
        cmocka_unit_test(sources_hold_distinct_examples_of_their_split_only),
        cmocka_unit_test(example_does_not_depend_on_the_order_of_asking),
        cmocka_unit_test(training_draws_never_leave_the_train_split),
        cmocka_unit_test(asking_for_more_than_exist_names_the_number),
        cmocka_unit_test(endless_levels_count_a_million),
        cmocka_unit_test(first_examples_are_those_of_the_first_release),
        cmocka_unit_test(arc_record_becomes_the_harness_prompt),
        cmocka_unit_test(broken_line_is_named_by_file_and_number),
        cmocka_unit_test(picks_follow_the_harness_rules),
        cmocka_unit_test(answers_are_graded_without_outer_blanks_only),
        cmocka_unit_test(unknown_tasks_levels_and_splits_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
