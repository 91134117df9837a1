/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: GELU (tanh form) and its slope are right to a few units in the last place of the argument's
 * size, and the same bits on every level. Method: a grid of floats over [-12, 12] and far beyond it
 * against libm's double functions; the slope against the formula and against central differences in
 * double; every level against the generic one with memcmp, for lengths that leave tails. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/macros.h"
#include "worker/kernels/kernels.h"

enum { N = 4801 };

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static float grid(size_t i)
{
    return ((float)i - 2400.0f) / 200.0f;
}

static void gelu_is_the_tanh_form(void **state)
{
    static float x[N], y[N];
    double worst = 0;

    (void)state;
    for (size_t i = 0; i < N; i++)
        x[i] = grid(i);
    kernels_best()->gelu(y, x, N);
    for (size_t i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)y[i] - gelu((double)x[i])) / fmax(1, fabs((double)x[i])));
    print_message("gelu: worst error %.2e of max(1, |x|)\n", worst);
    assert_true(worst < 4e-7);
}

static void gelu_is_finite_for_huge_arguments(void **state)
{
    float x[] = { -3e38f, -1e6f, -100.0f, 0.0f, 100.0f, 1e6f }, y[6], d[6], one[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        one[i] = 1.0f;
    kernels_best()->gelu(y, x, 6);
    assert_true(fabsf(y[1]) < 1e-20f && fabsf(y[2]) < 1e-20f && y[3] >= 0 && y[3] <= 0);
    assert_true(y[4] >= 100.0f && y[4] <= 100.0f && y[5] >= 1e6f && y[5] <= 1e6f);
    kernels_best()->gelu_back(d, one, x + 1, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(isfinite(d[i]));
}

static void gelu_back_is_the_slope(void **state)
{
    static float x[N], dy[N], dx[N];
    const double h = 1e-5;
    double worst = 0;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        x[i] = grid(i);
        dy[i] = 0.5f + (float)(i % 7);
    }
    kernels_best()->gelu_back(dx, dy, x, N);
    for (size_t i = 0; i < N; i++) {
        double slope = (gelu((double)x[i] + h) - gelu((double)x[i] - h)) / (2 * h);
        worst = fmax(worst, fabs((double)dx[i] - (double)dy[i] * slope) / (double)dy[i]);
    }
    print_message("gelu_back: worst error %.2e\n", worst);
    assert_true(worst < 4e-6); /* where 1 - S is small and X^3 is not */
}

static void levels_agree_bit_for_bit(void **state)
{
    static float x[N], want[2 * N], got[2 * N];
    const size_t lengths[] = { N, 1, 15, 16, 17, 63, 64, 65, 100 };

    (void)state;
    for (size_t i = 0; i < N; i++)
        x[i] = grid(i) * 1.37f;
    for (int level = KERNELS_GENERIC; level < KERNELS_LEVELS; level++) {
        const struct kernels *k = kernels_at((enum kernels_level)level);

        for (size_t l = 0; k && l < ARRAY_LEN(lengths); l++) {
            memset(want, 0, sizeof(want));
            memset(got, 0, sizeof(got));
            kernels_at(KERNELS_GENERIC)->gelu(want, x, lengths[l]);
            kernels_at(KERNELS_GENERIC)->gelu_back(want + N, x, x, lengths[l]);
            k->gelu(got, x, lengths[l]);
            memcpy(got + N, x, lengths[l] * sizeof(float)); /* in place */
            k->gelu_back(got + N, got + N, x, lengths[l]);
            assert_memory_equal(want, got, sizeof(want));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_the_tanh_form),
        cmocka_unit_test(gelu_is_finite_for_huge_arguments),
        cmocka_unit_test(gelu_back_is_the_slope),
        cmocka_unit_test(levels_agree_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
