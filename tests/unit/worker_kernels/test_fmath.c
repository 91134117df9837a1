/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the error bounds that worker/kernels/fmath.h states. Method: every 41st float of the range
 * (every float at DROVER_EXHAUSTIVE=1, minutes) against libm's double functions; all levels
 * bit-equal on a sparser set. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "tests/unit/worker_kernels/fill.h"
#include "worker/kernels/fmath.h"

enum { CHUNK = 4096 };

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

static uint32_t to_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static double in_ulps(float got, double want)
{
    const double ulp = ldexp(1.0, ilogb(want) - 23);
    return fabs(got - want) / ulp;
}

typedef void (*map_fn)(float *out, const float *x, size_t n);

/* Largest error of FN against WANT over the floats of one sign with bits [FROM, TO], every STEP-th.
 */
static double worst(map_fn fn, double (*want)(double), uint32_t from, uint32_t to, uint32_t step)
{
    static float x[CHUNK], y[CHUNK];
    double max = 0;
    for (uint64_t at = from; at <= to;) {
        size_t n = 0;
        for (; n < CHUNK && at <= to; n++, at += step)
            x[n] = from_bits((uint32_t)at);
        fn(y, x, n);
        for (size_t i = 0; i < n; i++)
            max = fmax(max, in_ulps(y[i], want((double)x[i])));
    }
    return max;
}

static uint32_t density(void)
{
    const char *all = getenv("DROVER_EXHAUSTIVE");
    return all != NULL && all[0] == '1' ? 1 : 41;
}

static void exp_is_within_one_ulp(void **state)
{
    (void)state;
    const map_fn fn = kernels_best()->exp;
    const double up = worst(fn, exp, 0, to_bits(88.3f), density());
    const double down = worst(fn, exp, 0x80000000u, to_bits(-87.3f), density());
    print_message("exp: worst error %.4f ulp for x >= 0, %.4f for x <= 0\n", up, down);
    assert_true(up <= 1.0 && down <= 1.0);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void sigmoid_is_within_two_and_a_half_ulp(void **state)
{
    (void)state;
    const map_fn fn = kernels_best()->sigmoid;
    const double up = worst(fn, sigmoid, 0, to_bits(200.0f), density());
    const double down = worst(fn, sigmoid, 0x80000000u, to_bits(-87.0f), density());
    print_message("sigmoid: worst error %.4f ulp for x >= 0, %.4f for x <= 0\n", up, down);
    assert_true(up <= 2.5 && down <= 2.5);
    const float far[] = { -87.5f, -88.4f, -100.0f, -1e30f, -INFINITY };
    float y[ARRAY_LEN(far)];
    fn(y, far, ARRAY_LEN(far));
    for (size_t i = 0; i < ARRAY_LEN(far); i++)
        assert_true(y[i] >= 0 && fabs(y[i] - sigmoid((double)far[i])) < 2e-38);
}

static void exp_of_special_values(void **state)
{
    (void)state;
    const float x[] = { 0.0f, -0.0f, -INFINITY, -1e30f, -87.31f, INFINITY, 89.0f, NAN };
    for (int level = 0; level < KERNELS_LEVELS; level++) {
        const struct kernels *kern = kernels_at((enum kernels_level)level);
        float y[ARRAY_LEN(x)];
        if (kern == NULL)
            continue;
        kern->exp(y, x, ARRAY_LEN(x));
        assert_true(y[0] == 1 && y[1] == 1 && y[2] == 0 && y[3] == 0 && y[4] == 0);
        assert_true(isfinite(y[5]) && y[5] > 2e38f && y[5] == y[6] && isnan(y[7]));
    }
}

static void all_levels_give_the_same_bits(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    static float x[CHUNK], want[CHUNK], got[CHUNK];
    for (uint64_t at = 0; at <= 0xff800000u;) {
        size_t n = 0;
        for (; n < CHUNK && at <= 0xff800000u; at += 40009) /* a prime: all kinds of mantissas */
            if (!isnan(from_bits((uint32_t)at)))
                x[n++] = from_bits((uint32_t)at);
        for (size_t l = 0; l < levels; l++) {
            level[l]->exp(l == 0 ? want : got, x, n);
            assert_memory_equal(want, l == 0 ? want : got, n * sizeof(float));
        }
        for (size_t l = 0; l < levels; l++) {
            level[l]->sigmoid(l == 0 ? want : got, x, n);
            assert_memory_equal(want, l == 0 ? want : got, n * sizeof(float));
        }
    }
}

static void logarithm_is_within_its_bound(void **state)
{
    (void)state;
    struct rng r = rng_stream("test", 7, 0);
    for (int i = 0; i < 300000; i++) {
        const double x = ldexp(1 + rng_double(&r), (int)rng_below(&r, 40) - 4), want = log(x);
        const double error = fabs(log_exact(x) - want);
        assert_true(x >= 0.7 && x <= 1.4 ? error < 2e-16 : error < 4e-16 * fabs(want));
    }
    assert_true(log_exact(1.0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_one_ulp),
        cmocka_unit_test(sigmoid_is_within_two_and_a_half_ulp),
        cmocka_unit_test(exp_of_special_values),
        cmocka_unit_test(all_levels_give_the_same_bits),
        cmocka_unit_test(logarithm_is_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
