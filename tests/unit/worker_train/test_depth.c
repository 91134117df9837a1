/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: stochastic depth skips and repeats as often as it is told, from when it is told, within the
 * limits of a path, and each step's draw stands alone. Method: shares counted over many draws
 * against the probability of a two-state chain worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "common/base/macros.h"
#include "worker/train/depth.h"

enum { SEQUENCES = 4000, LAYERS = 12 };

static uint8_t times[SEQUENCES * LAYERS], again[SEQUENCES * LAYERS];

static double share_of(const uint8_t *t, size_t n, unsigned value)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        found += t[i] == value;
    return (double)found / (double)n;
}

/* Chance that layer l is skipped: state 0, 1, 2 layers skipped so far in a row. */
static double skipped_share(double skip)
{
    double at[3] = { 1, 0, 0 }, sum = 0;

    for (size_t l = 0; l < LAYERS; l++) {
        double one = at[0] * skip, two = at[1] * skip;

        sum += one + two;
        at[0] = 1 - one - two;
        at[1] = one;
        at[2] = two;
    }
    return sum / LAYERS;
}

static void shares_are_those_asked_for(void **state)
{
    static const struct depth_conf conf[] = {
        { .skip = 0.2, .repeat = 0.1, .seed = 1, .steps = 10 },
        { .skip = 0.5, .repeat = 0.0, .seed = 2, .steps = 10 },
        { .skip = 0.0, .repeat = 0.3, .seed = 3, .steps = 10 },
        { .skip = 0.9, .repeat = 1.0, .seed = 4, .steps = 10 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(conf); i++) {
        double skip = skipped_share(conf[i].skip);

        depth_draw(times, &conf[i], 3, SEQUENCES, LAYERS);
        /* 48,000 layers: four standard errors are below 0.01 */
        assert_true(fabs(share_of(times, ARRAY_LEN(times), 0) - skip) < 0.01);
        assert_true(fabs(share_of(times, ARRAY_LEN(times), 2) - (1 - skip) * conf[i].repeat) <
                    0.01);
        for (size_t k = 0; k < ARRAY_LEN(times); k++)
            assert_true(times[k] <= 2);
    }
}

static void never_more_than_two_in_a_row_nor_all_are_skipped(void **state)
{
    struct depth_conf c = { .skip = 0.9, .seed = 7, .steps = 1 };

    (void)state;
    for (size_t layers = 1; layers <= LAYERS; layers++) {
        depth_draw(times, &c, 0, SEQUENCES, layers);
        for (size_t s = 0; s < SEQUENCES; s++) {
            size_t row = 0, run = 0;

            for (size_t l = 0; l < layers; l++) {
                row = times[s * layers + l] == 0 ? row + 1 : 0;
                run += times[s * layers + l] > 0;
                assert_true(row <= 2);
            }
            assert_true(run > 0);
        }
    }
}

static void draw_depends_on_seed_and_step_not_on_how_many(void **state)
{
    struct depth_conf c = { .skip = 0.3, .repeat = 0.2, .seed = 1, .steps = 10 };

    (void)state;
    depth_draw(times, &c, 4, SEQUENCES, LAYERS);
    depth_draw(again, &c, 4, 100, LAYERS);
    assert_memory_equal(times, again, 100 * LAYERS);
    depth_draw(again, &c, 5, SEQUENCES, LAYERS);
    assert_memory_not_equal(times, again, sizeof(times));
    c.seed = 2;
    depth_draw(again, &c, 4, SEQUENCES, LAYERS);
    assert_memory_not_equal(times, again, sizeof(times));
}

static void probabilities_start_and_rise_as_told(void **state)
{
    struct depth_conf c = { .skip = 0.5, .start = 0.5, .ramp = 0.25, .seed = 1, .steps = 1000 };

    (void)state;
    assert_false(depth_active(&c, 0));
    assert_false(depth_active(&c, 499));
    assert_false(depth_active(&c, 500)); /* the ramp begins at 0 */
    assert_true(depth_active(&c, 501));
    assert_true(depth_share(&c, 625) == 0.5);
    assert_true(depth_share(&c, 750) == 1 && depth_share(&c, 999) == 1);
    depth_draw(times, &c, 625, SEQUENCES, LAYERS);
    assert_true(fabs(share_of(times, ARRAY_LEN(times), 0) - skipped_share(0.25)) < 0.01);
    c.ramp = 0;
    assert_true(depth_share(&c, 499) == 0 && depth_share(&c, 500) == 1);
    c.start = 0;
    assert_true(depth_share(&c, 0) == 1);
    c.skip = 0;
    assert_false(depth_active(&c, 999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_asked_for),
        cmocka_unit_test(never_more_than_two_in_a_row_nor_all_are_skipped),
        cmocka_unit_test(draw_depends_on_seed_and_step_not_on_how_many),
        cmocka_unit_test(probabilities_start_and_rise_as_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
