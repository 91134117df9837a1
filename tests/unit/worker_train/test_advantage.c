/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: rewards of a group become GRPO's advantages, and tokens the weights of the normalisation
 * asked for. Method: golden values, properties over random groups, every fate of a group without
 * variance, sums of weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "common/base/rng.h"
#include "worker/train/advantage.h"

static void advantage_divides_by_the_population_deviation(void **state)
{
    /* mean 0.5, population deviation 0.5 (the sample's would be 0.577) */
    static const double reward[] = { 1, 0, 0, 1 };
    double a[4];

    (void)state;
    advantage_group(a, reward, 4, true, 1e-12);
    for (size_t i = 0; i < 4; i++)
        assert_true(fabs(a[i] - (reward[i] > 0 ? 1 : -1)) < 1e-9);
    advantage_group(a, reward, 4, false, 1e-12);
    for (size_t i = 0; i < 4; i++)
        assert_true(a[i] == (reward[i] > 0 ? 0.5 : -0.5));
}

/* sqrt(0.25 + 0.11) = 0.6; outside the root it would be 0.5 + 0.11. */
static void stabiliser_is_inside_the_root(void **state)
{
    static const double reward[] = { 1, 0 };
    double a[2];

    (void)state;
    advantage_group(a, reward, 2, true, 0.11);
    assert_true(fabs(a[0] - 0.5 / 0.6) < 1e-15 && fabs(a[1] + 0.5 / 0.6) < 1e-15);
}

static void advantages_sum_to_zero_keep_order_and_ignore_shift_and_scale(void **state)
{
    enum { N = 8 };

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rng r = rng_stream("test-advantage", seed, 0);
        double reward[N], moved[N], a[N], b[N], sum = 0, squares = 0;

        for (size_t i = 0; i < N; i++) {
            reward[i] = rng_normal(&r);
            moved[i] = 3 * reward[i] + 7;
        }
        advantage_group(a, reward, N, true, 1e-12);
        advantage_group(b, moved, N, true, 1e-12);
        for (size_t i = 0; i < N; i++) {
            sum += a[i];
            squares += a[i] * a[i];
            assert_true(fabs(a[i] - b[i]) < 1e-9);
            for (size_t j = 0; j < N; j++)
                assert_true((a[i] < a[j]) == (reward[i] < reward[j]));
        }
        assert_true(fabs(sum) < 1e-12 && fabs(squares - N) < 1e-6);
        assert_false(advantage_flat(reward, N));
    }
}

/* The mean of three times 0.1 is not 0.1 in doubles. */
static void flat_groups_have_exactly_no_advantage(void **state)
{
    static const double reward[] = { 0.1, 0.1, 0.1 };
    double a[3] = { 1, 1, 1 };

    (void)state;
    assert_true(advantage_flat(reward, 3));
    for (int scale = 0; scale < 2; scale++) {
        advantage_group(a, reward, 3, scale, ADVANTAGE_STABILISER);
        assert_true(a[0] == 0 && a[1] == 0 && a[2] == 0);
        assert_true(advantage_size(a, 3) == 0);
    }
}

/* SEC's theory: 2 sqrt(p (1 - p)) for a share P of right answers. */
static void size_of_binary_rewards_is_largest_at_one_half(void **state)
{
    enum { N = 8 };

    (void)state;
    for (size_t right = 0; right <= N; right++) {
        double reward[N] = { 0 }, a[N], p = (double)right / N;

        for (size_t i = 0; i < right; i++)
            reward[i] = 1;
        advantage_group(a, reward, N, true, 1e-14);
        assert_true(fabs(advantage_size(a, N) - 2 * sqrt(p * (1 - p))) < 1e-6);
    }
    assert_true(advantage_size(NULL, 0) == 0);
}

static void groups_without_variance_meet_the_fate_of_the_rule(void **state)
{
    static const double flat[] = { 0.7, 0.7 }, mixed[] = { 0.7, 0.6 };

    (void)state;
    for (int r = 0; r < GROUP_RULES; r++)
        assert_int_equal(group_decide((enum group_rule)r, mixed, 2, 0, 3), GROUP_USE);
    assert_int_equal(group_decide(GROUP_KEEP, flat, 2, 0, 3), GROUP_USE);
    assert_int_equal(group_decide(GROUP_DROP, flat, 2, 0, 3), GROUP_DROPPED);
    assert_int_equal(group_decide(GROUP_RESAMPLE, flat, 2, 0, 3), GROUP_AGAIN);
    assert_int_equal(group_decide(GROUP_RESAMPLE, flat, 2, 2, 3), GROUP_AGAIN);
    assert_int_equal(group_decide(GROUP_RESAMPLE, flat, 2, 3, 3), GROUP_DROPPED);
}

static void weights_are_those_of_the_three_means(void **state)
{
    static const size_t tokens[] = { 4, 10, 0, 2 };
    static const double want[LOSS_NORMS][4] = { { 1 / 16.0, 1 / 40.0, 0, 1 / 8.0 },
                                                { 1 / 16.0, 1 / 16.0, 0, 1 / 16.0 },
                                                { 1 / 80.0, 1 / 80.0, 0, 1 / 80.0 } };

    (void)state;
    for (int n = 0; n < LOSS_NORMS; n++) {
        double w[4];

        loss_weights(w, tokens, 4, (enum loss_norm)n, 20);
        for (size_t i = 0; i < 4; i++)
            assert_true(fabs(w[i] - want[n][i]) < 1e-16);
    }
}

static void words_are_read_and_misspelt_ones_get_the_nearest(void **state)
{
    struct err err = { 0 };
    enum group_rule rule = GROUP_KEEP;
    enum loss_norm norm = LOSS_TOKEN;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(group_rule_of(group_rule_name((enum group_rule)i), &rule, &err), 0);
        assert_int_equal(rule, i);
        assert_int_equal(loss_norm_of(loss_norm_name((enum loss_norm)i), &norm, &err), 0);
        assert_int_equal(norm, i);
    }
    assert_int_equal(group_rule_of("resampel", &rule, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"resample\"?"));
    assert_int_equal(loss_norm_of("tokens", &norm, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"token\"?"));
    assert_int_equal(loss_norm_of("", &norm, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advantage_divides_by_the_population_deviation),
        cmocka_unit_test(stabiliser_is_inside_the_root),
        cmocka_unit_test(advantages_sum_to_zero_keep_order_and_ignore_shift_and_scale),
        cmocka_unit_test(flat_groups_have_exactly_no_advantage),
        cmocka_unit_test(size_of_binary_rewards_is_largest_at_one_half),
        cmocka_unit_test(groups_without_variance_meet_the_fate_of_the_rule),
        cmocka_unit_test(weights_are_those_of_the_three_means),
        cmocka_unit_test(words_are_read_and_misspelt_ones_get_the_nearest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
