/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a text between quotes is the SQL literal of that text. Method: literals by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/quote.h"

static void quotes_are_doubled_and_nothing_else_changes(void **state)
{
    const char *const pairs[][2] = {
        { "", "''" }, { "it's", "'it''s'" }, { "'", "''''" }, { "a\"b\\%;--", "'a\"b\\%;--'" }
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct buf out CLEANUP(buf_release) = { 0 };
        quote_sql(&out, pairs[i][0]);
        assert_string_equal(buf_str(&out), pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_are_doubled_and_nothing_else_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
