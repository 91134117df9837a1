/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an answer after Ctrl-C means what a person would expect, and nothing is guessed. Method:
 * lines as people type them; without a terminal nothing is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "experiments/cli/question.h"

static void a_word_or_its_beginning_chooses(void **state)
{
    static const struct {
        const char *line;
        bool ours, valid;
        enum question_answer answer;
    } rows[] = {
        { "s\n", true, true, ANSWER_STOP },          { "stop", true, true, ANSWER_STOP },
        { " LEAVE \n", true, true, ANSWER_LEAVE },   { "l", false, true, ANSWER_LEAVE },
        { "c\n", true, true, ANSWER_CANCEL },        { "cancel\n", false, true, ANSWER_CANCEL },
        { "\n", true, true, ANSWER_STOP },           { "\n", false, true, ANSWER_LEAVE },
        { "s\n", false, false, ANSWER_STOP },        { "x\n", true, false, ANSWER_STOP },
        { "cancelled\n", true, false, ANSWER_STOP }, { "yes", true, false, ANSWER_STOP },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum question_answer answer = ANSWER_STOP;
        bool valid = question_read(rows[i].line, rows[i].ours, &answer);

        assert_int_equal(valid, rows[i].valid);
        if (valid)
            assert_int_equal(answer, rows[i].answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_or_its_beginning_chooses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
