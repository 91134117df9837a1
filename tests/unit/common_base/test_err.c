/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: failing is one statement, context is kept, nothing overflows, and the numbers never change.
 * Method: records on the stack, codes by table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/err.h"

static void failing_returns_the_code_and_fills_the_record(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(err_set(&err, ERR_LIMIT, "%d of %s", 3, "them"), ERR_LIMIT);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.text, "3 of them");
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
}

static void context_goes_in_front(void **state)
{
    struct err err = { 0 };

    (void)state;
    (void)err_set(&err, ERR_IO, "disk gone");
    assert_int_equal(err_wrap(&err, ERR_FULL, "load %s", "x.cfg"), ERR_FULL);
    assert_string_equal(err.text, "load x.cfg: disk gone");
    assert_int_equal(err.code, ERR_FULL);
}

static void long_text_is_cut_at_its_end(void **state)
{
    struct err err = { 0 };
    char word[1000];

    (void)state;
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    (void)err_set(&err, ERR_IO, "%s", word);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    memset(word, 'b', sizeof(word) - 1);
    (void)err_wrap(&err, ERR_IO, "%s", word);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(err.text[0], 'b');
    (void)err_set(&err, ERR_IO, "tail");
    for (int i = 0; i < 200; i++)
        (void)err_wrap(&err, ERR_IO, "round %d", i);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strncmp(err.text, "round 199: round 198: ", 22), 0);
}

static void errno_becomes_the_code_that_fits(void **state)
{
    static const struct {
        int number;
        enum err_code code;
    } cases[] = {
        { ENOSPC, ERR_FULL },      { EROFS, ERR_READONLY }, { EACCES, ERR_READONLY },
        { ENOENT, ERR_NOT_FOUND }, { EIO, ERR_IO },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { 0 };

        assert_int_equal(err_errno(&err, cases[i].number, "open f"), cases[i].code);
        assert_int_equal(strncmp(err.text, "open f: ", 8), 0);
        assert_non_null(strstr(err.text, strerror(cases[i].number)));
    }
}

static void numbers_of_the_codes_never_change(void **state)
{
    (void)state;
    assert_int_equal(ERR_INVALID, -1);
    assert_int_equal(ERR_PROTO, -6);
    assert_int_equal(ERR_VERSION, -9);
    assert_int_equal(ERR_STALE, -14);
    assert_int_equal(ERR_DIVERGED, -17);
    assert_string_equal(err_name(ERR_STALE), "stale");
    assert_string_equal(err_name(-99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_returns_the_code_and_fills_the_record),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(long_text_is_cut_at_its_end),
        cmocka_unit_test(errno_becomes_the_code_that_fits),
        cmocka_unit_test(numbers_of_the_codes_never_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
