/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a completion is paid what "Train Long, Think Short" (section 3) says. Method: golden values
 * of both length shapes, properties over a grid of lengths and budgets, every combination of facts
 * with and without the gate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "worker/train/reward.h"

static void triangle_has_its_golden_values(void **state)
{
    static const struct {
        double length, budget, want;
    } golden[] = { { 0, 87, 0 },       { 87, 87, 1 },    { 174, 87, 0 },    { 175, 87, 0 },
                   { 1e9, 87, 0 },     { 64, 128, 0.5 }, { 192, 128, 0.5 }, { 32, 128, 0.25 },
                   { 224, 128, 0.25 }, { 1, 1, 1 },      { 2, 1, 0 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden); i++)
        assert_true(reward_length(REWARD_TRIANGLE, golden[i].length, golden[i].budget) ==
                    golden[i].want);
}

static void band_has_its_golden_values(void **state)
{
    static const struct {
        double length, budget, want;
    } golden[] = { { 0, 87, 1 },   { 1, 87, 1 },      { 87, 87, 1 },     { 174, 87, 0 },
                   { 500, 87, 0 }, { 192, 128, 0.5 }, { 224, 128, 0.25 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden); i++)
        assert_true(reward_length(REWARD_BAND, golden[i].length, golden[i].budget) ==
                    golden[i].want);
}

/* The old length after a step of the budget by gamma earns 2 - 1 / gamma (section 2.4). */
static void old_length_after_a_drop_earns_what_the_paper_derives(void **state)
{
    static const double gamma[] = { 0.34, 0.5, 0.7, 0.857 }, want[] = { 0, 0, 0.571, 0.833 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(gamma); i++)
        for (int s = 0; s < REWARD_SHAPES; s++)
            assert_true(fabs(reward_length((enum reward_shape)s, 256, 256 * gamma[i]) - want[i]) <
                        5e-4);
}

static void shapes_rise_to_the_budget_and_fall_to_twice_of_it(void **state)
{
    (void)state;
    for (int budget = 1; budget <= 300; budget += 13) {
        double b = budget;

        for (int l = 0; l <= 3 * budget; l++) {
            double t = reward_length(REWARD_TRIANGLE, l, b), f = reward_length(REWARD_BAND, l, b);
            double next = reward_length(REWARD_TRIANGLE, l + 1, b);

            assert_true(t >= 0 && t <= 1 && f >= 0 && f <= 1 && f >= t);
            assert_true(l < budget ? next > t && f == 1 : l < 2 * budget ? next < t : next == 0);
            assert_true(l < budget || t == f);
            assert_true((t == 0) == (l == 0 || l >= 2 * budget));
        }
    }
}

static void total_is_the_weighted_sum_of_the_parts(void **state)
{
    struct reward_conf c = reward_conf_default();

    (void)state;
    for (int i = 0; i < 32; i++) {
        struct reward_facts f = { .correct = i & 1,
                                  .length = 30,
                                  .budget = i & 2 ? 40 : 0,
                                  .think_ok = i & 4,
                                  .answer_ok = i & 8 };
        struct reward_parts p;
        double length;

        c.gate = i & 16;
        c.correct_weight = 0.4;
        c.length_weight = 0.5;
        c.format_weight = 0.2;
        c.think_weight = 0.25;
        c.answer_weight = 0.75;
        length = f.budget > 0 && (!c.gate || f.correct > 0) ? 0.75 : 0;
        p = reward_of(&c, &f);
        assert_true(p.correct == f.correct && p.length == length);
        assert_true(p.format == (i & 4 ? 0.25 : 0) + (i & 8 ? 0.75 : 0));
        assert_true(fabs(p.total - (0.4 * p.correct + 0.5 * p.length + 0.2 * p.format)) < 1e-15);
    }
}

/* The paper's ungated sum pays for short wrong answers; the gate does not. */
static void a_wrong_answer_of_the_right_length_earns_no_length_behind_the_gate(void **state)
{
    struct reward_conf c = reward_conf_default();
    struct reward_facts wrong = { .length = 20, .budget = 20, .think_ok = true, .answer_ok = true };

    (void)state;
    assert_true(fabs(reward_of(&c, &wrong).total - 0.1) < 1e-15);
    c.gate = false;
    assert_true(fabs(reward_of(&c, &wrong).total - 0.4) < 1e-15);
    c.gate = true;
    wrong.correct = 0.5; /* a soft grader */
    assert_true(reward_of(&c, &wrong).length == 0.5);
}

static void defaults_are_the_papers_weights(void **state)
{
    struct reward_conf c = reward_conf_default();
    struct reward_facts best = { 1, 87, 87, true, true }, shortest = { 1, 1, 1, true, true };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(reward_conf_check(&c, &err), 0);
    assert_true(c.correct_weight == 0.6 && c.length_weight == 0.3 && c.format_weight == 0.1);
    assert_true(fabs(reward_of(&c, &best).total - 1.0) < 1e-15);
    assert_true(fabs(reward_of(&c, &shortest).total - 1.0) < 1e-15); /* the smallest budget */
}

static void bad_configurations_name_the_field(void **state)
{
    struct err err = { 0 };
    enum reward_shape s = REWARD_TRIANGLE;

    (void)state;
    for (int i = 0; i < 15; i++) {
        struct reward_conf c = reward_conf_default();
        double *field[] = { &c.correct_weight, &c.length_weight, &c.format_weight, &c.think_weight,
                            &c.answer_weight };
        static const char *const name[] = { "correct_weight", "length_weight", "format_weight",
                                            "think_weight", "answer_weight" };
        static const double bad[] = { -1e-9, NAN, INFINITY };

        *field[i % 5] = bad[i / 5];
        assert_int_equal(reward_conf_check(&c, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, name[i % 5]));
    }
    struct reward_conf c = reward_conf_default();

    c.correct_weight = c.length_weight = c.format_weight = 0;
    assert_int_equal(reward_conf_check(&c, &err), ERR_INVALID);
    c = reward_conf_default();
    c.think_weight = 0.6;
    assert_int_equal(reward_conf_check(&c, &err), ERR_INVALID);
    assert_int_equal(reward_shape_of("band", &s, &err), 0);
    assert_int_equal(s, REWARD_BAND);
    assert_string_equal(reward_shape_name(REWARD_TRIANGLE), "triangle");
    assert_int_equal(reward_shape_of("triangel", &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "did you mean \"triangle\"?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(triangle_has_its_golden_values),
        cmocka_unit_test(band_has_its_golden_values),
        cmocka_unit_test(old_length_after_a_drop_earns_what_the_paper_derives),
        cmocka_unit_test(shapes_rise_to_the_budget_and_fall_to_twice_of_it),
        cmocka_unit_test(total_is_the_weighted_sum_of_the_parts),
        cmocka_unit_test(a_wrong_answer_of_the_right_length_earns_no_length_behind_the_gate),
        cmocka_unit_test(defaults_are_the_papers_weights),
        cmocka_unit_test(bad_configurations_name_the_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
