/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what goes to the wire for people is UTF-8 within its limit, whatever the text. Method:
 * texts with bytes of every value, cut at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/utf8.h"
#include "worker/jobs/display.h"

static void texts_that_fit_are_left_alone(void **state)
{
    char out[64];

    (void)state;
    display_text(out, "caf\xC3\xA9", 5);
    assert_string_equal(out, "caf\xC3\xA9");
    display_text(out, "", 3);
    assert_string_equal(out, "");
    char *copy = display_copy(NULL, 8);
    assert_string_equal(copy, "");
    free(copy);
    copy = display_copy("as it is", 8);
    assert_string_equal(copy, "as it is");
    free(copy);
}

static void long_texts_are_cut_between_characters(void **state)
{
    char out[64];

    (void)state;
    display_text(out, "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 7);
    assert_string_equal(out, "\xC3\xA9\xC3\xA9\xE2\x80\xA6");
    display_text(out, "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 6);
    assert_string_equal(out, "\xC3\xA9\xE2\x80\xA6");
    char *copy = display_copy("123456789", 8);
    assert_string_equal(copy, "12345\xE2\x80\xA6");
    free(copy);
}

static void any_bytes_become_utf8_within_the_limit(void **state)
{
    char text[520] = "", out[600];
    uint32_t x = 1;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        x = x * 1664525u + 1013904223u;
        text[i] = (char)(1 + (x >> 24) % 255);
    }
    for (size_t max = 3; max < 560; max++) {
        memset(out, 'x', sizeof(out));
        display_text(out, text, max);
        assert_true(strlen(out) <= max && utf8_valid(out));
        assert_int_equal(out[max + 1], 'x');
        char *copy = display_copy(text, max);
        assert_string_equal(copy, out);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_fit_are_left_alone),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(any_bytes_become_utf8_within_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
