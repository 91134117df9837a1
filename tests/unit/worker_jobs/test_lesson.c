/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: lessons teach what is true, begin with the prompt as it is asked, and fit.
 * Method: two problems by hand; then random ones of every level, each further question checked
 * against the facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/macros.h"
#include "worker/jobs/lesson.h"

static void assert_says(const struct lesson *l, const char *want)
{
    for (size_t i = 0; i < strlen(want); i++)
        if (l->say[i] != (want[i] == '.' ? '\0' : want[i]))
            fail_msg("at %zu of \"%s\": says '%c', not '%c'", i, l->text, l->say[i], want[i]);
}

static void math_lessons_say_the_value_at_every_digit(void **state)
{
    char prompt[] = "3+9>1-4<5=", gold[] = "5";
    struct example e = { .prompt = prompt, .gold = gold, .source_id = prompt };
    struct rng r = rng_stream("test", 1, 1);
    struct lesson l;
    struct err err = { 0 };

    (void)state; /* 3+9 = 2; 2>1 = 2; 2-4 = 8; 8<5 = 5 */
    assert_int_equal(lesson_make(&l, "math", &e, &r, 100, &err), 0);
    assert_int_equal(l.len, strlen(prompt));
    assert_string_equal(l.text, prompt);
    assert_says(&l, "..2.2.8.55");
}

static void logic_lessons_name_ends_and_owners(void **state)
{
    char prompt[] = "bc,xy,ab,yAcBxCbD?a=", gold[] = "B";
    struct example e = { .prompt = prompt, .gold = gold, .source_id = prompt };
    struct rng r = rng_stream("test", 1, 2);
    struct lesson l;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(lesson_make(&l, "logic", &e, &r, strlen(prompt) + 5, &err), 0);
    assert_int_equal(l.len, strlen(prompt) + 4); /* one more question fits */
    assert_memory_equal(l.text, prompt, strlen(prompt));
    assert_says(&l, ".b..x..a..y.c.x.b.cB");
    assert_memory_equal(l.text + strlen(prompt), "B?", 2);
}

/* Where the chain from ENTITY ends, by the facts of PROMPT alone. */
static char follow(const char *prompt, char entity)
{
    for (size_t hop = 0; hop < 20; hop++) {
        const char *p = prompt;

        while (p[2] == ',' && *p != entity)
            p += 3;
        if (p[2] != ',')
            return entity;
        entity = p[1];
    }
    fail_msg("a circle in %s", prompt);
    return 0;
}

static char letter_of(const char *prompt, char entity)
{
    for (const char *p = strrchr(prompt, ',') + 1; *p != '?'; p += 2)
        if (*p == entity)
            return p[1];
    return 0;
}

static void check_logic(const struct lesson *l, const struct example *e)
{
    size_t at = strlen(e->prompt);
    char before = e->gold[0];

    assert_int_equal(l->say[at - 1], e->gold[0]);
    for (; at < l->len; at += 4) {
        char entity = l->text[at + 2], end = follow(e->prompt, entity);
        char letter = letter_of(e->prompt, end);

        assert_true(letter >= 'A' && letter <= 'D');
        assert_int_equal(l->text[at], before);
        assert_int_equal(l->text[at + 1], '?');
        assert_int_equal(l->say[at + 2], end);
        assert_int_equal(l->text[at + 3], '=');
        assert_int_equal(l->say[at + 3], letter);
        assert_int_equal(l->say[at] | l->say[at + 1], 0);
        before = letter;
    }
    assert_int_equal(at, l->len);
}

static void every_further_question_is_answered_right(void **state)
{
    struct rng r = rng_stream("test", 1, 3);
    size_t further = 0;

    (void)state;
    for (int level = 1; level <= 6; level++)
        for (int i = 0; i < 50; i++) {
            struct example e CLEANUP(example_release) = { 0 };
            struct err err = { 0 };
            struct lesson l;

            assert_int_equal(task_draw("logic", level, &r, &e, &err), 0);
            assert_int_equal(lesson_make(&l, "logic", &e, &r, 70, &err), 0);
            assert_true(l.len <= 70);
            check_logic(&l, &e);
            further += l.len > strlen(e.prompt);
        }
    assert_int_equal(further, 300);
}

/* The answer about the first N characters of TEXT by counting what is smaller or larger. */
static char ask_list(const char *text, size_t n, char operation, char argument)
{
    if (operation == '-')
        return text[n - (size_t)(argument - '0')];
    for (const char *c = text; c < text + n; c++) {
        int before = 0, equal = 0, place = argument - '0';

        for (const char *o = text; o < text + n; o++) {
            before += operation == '<' ? *o < *c : *o > *c;
            equal += *o == *c;
        }
        if (operation == '?' && *c == argument)
            return (char)('0' + equal);
        if (operation != '?' && before < place && place <= before + equal)
            return *c;
    }
    return '0';
}

static void lists_lessons_answer_further_questions_and_name_the_smallest(void **state)
{
    struct rng r = rng_stream("test", 1, 4);

    (void)state;
    for (int level = 1; level <= 6; level++)
        for (int i = 0; i < 100; i++) {
            struct example e CLEANUP(example_release) = { 0 };
            struct err err = { 0 };
            struct lesson l;
            size_t n = (size_t)level + 4;
            char smallest = 127;

            assert_int_equal(task_draw("lists", level, &r, &e, &err), 0);
            assert_int_equal(lesson_make(&l, "lists", &e, &r, 31, &err), 0);
            assert_true(l.len <= 31 && l.len > 31 - 4);
            assert_memory_equal(l.text, e.prompt, strlen(e.prompt));
            for (size_t k = 0; k < n; k++) {
                smallest = l.text[k] < smallest ? l.text[k] : smallest;
                assert_int_equal(l.say[k], smallest);
            }
            for (size_t at = n; at < l.len; at += 4) {
                bool turned = l.text[at] == '-';
                size_t place = turned ? n - (size_t)(l.text[at + 1] - '1') : 0;

                assert_int_equal(l.say[at], 0);
                assert_int_equal(l.say[at + 1], turned ? '0' + place % 10 : 0);
                assert_int_equal(l.text[at + 2], '=');
                assert_int_equal(l.say[at + 2], ask_list(l.text, n, l.text[at], l.text[at + 1]));
                if (at + 3 < l.len)
                    assert_int_equal(l.text[at + 3], l.say[at + 2]);
            }
        }
}

static void problem_that_does_not_fit_is_refused(void **state)
{
    char prompt[] = "3+9>1-4<5=", gold[] = "5";
    struct example e = { .prompt = prompt, .gold = gold, .source_id = prompt };
    struct rng r = rng_stream("test", 1, 1);
    struct lesson l;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(lesson_make(&l, "math", &e, &r, strlen(prompt) - 1, &err), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(math_lessons_say_the_value_at_every_digit),
        cmocka_unit_test(logic_lessons_name_ends_and_owners),
        cmocka_unit_test(every_further_question_is_answered_right),
        cmocka_unit_test(lists_lessons_answer_further_questions_and_name_the_smallest),
        cmocka_unit_test(problem_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
