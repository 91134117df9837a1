/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the time that is announced follows from what was seen, and nothing is announced before
 * enough was. Method: progress by hand on a clock by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/stats/pace.h"

static void nothing_is_announced_before_two_percent(void **state)
{
    struct pace p = { 0 };
    double low, high;

    (void)state;
    for (unsigned t = 0; t <= 10; t++)
        pace_add(&p, t * 1000, t, true); /* 10 of 1,000 */
    assert_false(pace_left(&p, 1000, &low, &high));
    assert_true(pace_left(&p, 500, &low, &high));
}

static void waiting_is_not_counted(void **state)
{
    struct pace p = { 0 };
    double low, high;

    (void)state;
    pace_add(&p, 0, 0, false);
    pace_add(&p, 100000, 0, false);
    for (unsigned t = 0; t <= 10; t++)
        pace_add(&p, 200000 + t * 1000, t, true);
    assert_true(pace_left(&p, 100, &low, &high));
    assert_float_equal(low, 90, 1e-9);
    assert_float_equal(high, 90, 1e-9);
}

static void what_was_there_before_is_no_speed(void **state)
{
    struct pace p = { 0 };
    double low, high;

    (void)state;
    for (unsigned t = 0; t <= 5; t++)
        pace_add(&p, t * 1000, 900 + 4 * t, true); /* 900 came from the store */
    assert_true(pace_left(&p, 1000, &low, &high));
    assert_float_equal(low, 20, 1e-9); /* 80 left at 4 per second */
}

static void an_uneven_pace_gives_an_interval_around_the_mean(void **state)
{
    struct pace p = { 0 };
    double low, high, units = 0;

    (void)state;
    pace_add(&p, 0, 0, true);
    for (unsigned t = 1; t <= 20; t++) {
        units += t % 2 ? 1 : 3;
        pace_add(&p, t * 1000, units, true);
    }
    assert_true(pace_left(&p, 80, &low, &high)); /* 40 left at 2 per second */
    assert_true(low < 20 && low > 10);
    assert_true(high > 20 && high < 40);
}

static void a_stall_moves_the_end_away(void **state)
{
    struct pace p = { 0 };
    double low, high, later_low, later_high;

    (void)state;
    for (unsigned t = 0; t <= 10; t++)
        pace_add(&p, t * 1000, t, true);
    assert_true(pace_left(&p, 100, &low, &high));
    pace_add(&p, 40000, 10, true);
    assert_true(pace_left(&p, 100, &later_low, &later_high));
    assert_true(later_low > 2 * low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_announced_before_two_percent),
        cmocka_unit_test(waiting_is_not_counted),
        cmocka_unit_test(what_was_there_before_is_no_speed),
        cmocka_unit_test(an_uneven_pace_gives_an_interval_around_the_mean),
        cmocka_unit_test(a_stall_moves_the_end_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
