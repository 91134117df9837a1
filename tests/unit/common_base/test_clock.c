/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: times are shown as they are, to the last digit, of any year that a clock may have. Method:
 * instants whose text is known; the clock against itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"

static void times_are_shown_in_utc_to_the_last_digit(void **state)
{
    static const struct {
        int64_t us;
        const char *ms_text, *us_text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000000Z" },
        { 1, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000001Z" },
        { 1732213247123456, "2024-11-21T18:20:47.123Z", "2024-11-21T18:20:47.123456Z" },
        { 951782399999999, "2000-02-28T23:59:59.999Z", "2000-02-28T23:59:59.999999Z" },
        { 951782400000000, "2000-02-29T00:00:00.000Z", "2000-02-29T00:00:00.000000Z" },
        { 4102444800000005, "2100-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000005Z" },
    };
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(clock_iso(cases[i].us / 1000, text), cases[i].ms_text);
        assert_string_equal(clock_iso_us(cases[i].us, text), cases[i].us_text);
    }
}

/* A clock that was never set may be before its epoch. */
static void times_before_1970_are_shown_too(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(clock_iso(-1, text), "1969-12-31T23:59:59.999Z");
    assert_string_equal(clock_iso(-1000, text), "1969-12-31T23:59:59.000Z");
    assert_string_equal(clock_iso_us(-1, text), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(clock_iso_us(-86400000000, text), "1969-12-31T00:00:00.000000Z");
}

static void both_units_tell_the_same_time(void **state)
{
    (void)state;
    int64_t before_ms = clock_wall_ms(), us = clock_wall_us(), after_ms = clock_wall_ms();

    if (before_ms <= after_ms) /* nobody set the clock back */
        assert_true(us / 1000 >= before_ms && us / 1000 <= after_ms);
    uint64_t ms = clock_ms(), ns = clock_ns();
    assert_true(ns / 1000000 >= ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_shown_in_utc_to_the_last_digit),
        cmocka_unit_test(times_before_1970_are_shown_too),
        cmocka_unit_test(both_units_tell_the_same_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
