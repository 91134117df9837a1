/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the elementary functions of our own are right to the stated errors. Method: libm over dense
 * ranges; exact values where there are some. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/base/dmath.h"

static void log_and_exp_are_right_to_14_digits(void **state)
{
    (void)state;
    for (double x = 1e-12; x < 1e12; x *= 1.0137)
        assert_true(fabs(dmath_log(x) - log(x)) <= 1e-14 * fabs(log(x)) + 1e-16);
    for (double x = -100; x < 100; x += 0.0173)
        assert_true(fabs(dmath_exp(x) / exp(x) - 1) < 1e-14);
    assert_true(dmath_log(1) == 0 && dmath_exp(0) == 1);
    for (double x = -689; x < 689; x += 1.7)
        assert_true(fabs(dmath_exp(x) / exp(x) - 1) < 1e-13);
}

static void tanh_is_right_odd_and_bounded(void **state)
{
    (void)state;
    for (double x = -30; x < 30; x += 0.00173) {
        assert_true(fabs(dmath_tanh(x) - tanh(x)) < 1e-14);
        assert_true(dmath_tanh(-x) == -dmath_tanh(x));
        assert_true(fabs(dmath_tanh(x)) <= 1);
    }
    assert_true(dmath_tanh(1e300) == 1 && dmath_tanh(-1e300) == -1 && dmath_tanh(0) == 0);
}

static void cosine_is_right_on_half_a_wave(void **state)
{
    (void)state;
    for (double x = 0; x <= 1; x += 0.0007)
        assert_true(fabs(dmath_cos_pi(x) - cos(3.14159265358979323846 * x)) < 1e-11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_and_exp_are_right_to_14_digits),
        cmocka_unit_test(tanh_is_right_odd_and_bounded),
        cmocka_unit_test(cosine_is_right_on_half_a_wave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
