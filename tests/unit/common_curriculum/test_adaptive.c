/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the adaptive budget tightens while accuracy holds its reference, stands still at its slack,
 * backs off below, never halves at once, stays between its bounds, and goes on from its text as if
 * nothing had happened. Method: constant and drawn accuracies; a learner whose accuracy falls when
 * it is pressed too fast and recovers with training; texts saved, cut and changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "common/curriculum/adaptive.h"

#define GOLDEN "adaptive-1 10 401508816c1e623c 3fec000000000000 0000000000000000 3fe999999999999a"

static struct adaptive_conf usual(void)
{
    return (struct adaptive_conf){ .first = 256,
                                   .last = 87,
                                   .interval = 10,
                                   .reference = 0.8,
                                   .slack = 0.02,
                                   .rate = 0.3,
                                   .sharpness = 20,
                                   .memory = 0.8 };
}

/* Tell UPDATES times ACCURACY; returns the last move that was no wait. */
static enum adaptive_move tell(const struct adaptive_conf *c, struct adaptive_state *s,
                               double accuracy, int updates)
{
    enum adaptive_move last = ADAPTIVE_WAIT;

    for (int i = 0; i < updates; i++) {
        const enum adaptive_move m = adaptive_tell(c, s, accuracy);
        last = m == ADAPTIVE_WAIT ? last : m;
    }
    return last;
}

static void one_change_is_the_formula(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;

    (void)state;
    adaptive_start(&c, &s);
    assert_int_equal(adaptive_budget(&c, &s), 256);
    assert_int_equal(tell(&c, &s, 0.83, 9), ADAPTIVE_WAIT);
    assert_int_equal(adaptive_budget(&c, &s), 256);
    assert_int_equal(tell(&c, &s, 0.83, 1), ADAPTIVE_TIGHTEN);
    assert_true(fabs(s.moving - 0.83) < 1e-15);
    assert_true(fabs(s.log_budget - (log(256) - 0.3 * tanh(20 * 0.05))) < 1e-13);
    assert_int_equal(adaptive_budget(&c, &s), 204);
}

static void the_moving_accuracy_forgets_as_told(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;
    double m = 0;

    (void)state;
    adaptive_start(&c, &s);
    for (int i = 0; i < 50; i++) {
        const double a = 0.5 + 0.5 * sin(i);
        (void)adaptive_tell(&c, &s, a);
        m = i ? 0.8 * m + 0.2 * a : a;
        assert_true(fabs(s.moving - m) < 1e-12);
    }
}

static void good_accuracy_tightens_to_the_floor_and_stays(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;
    int64_t before = 256;

    (void)state;
    adaptive_start(&c, &s);
    for (int i = 0; i < 40; i++) {
        (void)tell(&c, &s, 0.85, 10);
        assert_true(adaptive_budget(&c, &s) <= before);
        before = adaptive_budget(&c, &s);
    }
    assert_int_equal(before, 87);
    assert_int_equal(tell(&c, &s, 0.85, 10), ADAPTIVE_HOLD);
}

static void accuracy_at_the_slack_holds_the_budget(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;

    (void)state;
    adaptive_start(&c, &s);
    (void)tell(&c, &s, 0.85, 20);
    const int64_t then = adaptive_budget(&c, &s);
    assert_true(then < 256);
    s.moving = 0.78;
    assert_int_equal(tell(&c, &s, 0.78, 30), ADAPTIVE_HOLD);
    assert_int_equal(adaptive_budget(&c, &s), then);
}

static void bad_accuracy_backs_off_up_to_the_first_budget(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;

    (void)state;
    adaptive_start(&c, &s);
    (void)tell(&c, &s, 0.9, 100);
    assert_int_equal(adaptive_budget(&c, &s), 87);
    (void)tell(&c, &s, 0.3, 10); /* the memory turns */
    assert_int_equal(tell(&c, &s, 0.3, 10), ADAPTIVE_BACK_OFF);
    assert_true(adaptive_budget(&c, &s) > 87);
    (void)tell(&c, &s, 0.3, 100);
    assert_int_equal(adaptive_budget(&c, &s), 256);
}

static void without_a_reference_the_first_interval_measures_it(void **state)
{
    struct adaptive_conf c = usual();
    struct adaptive_state s;

    (void)state;
    c.reference = 0;
    adaptive_start(&c, &s);
    for (int i = 0; i < 10; i++)
        assert_int_equal(adaptive_tell(&c, &s, i % 2 ? 0.7 : 0.5), ADAPTIVE_WAIT);
    assert_true(fabs(s.reference - 0.6) < 1e-12);
    assert_int_equal(adaptive_budget(&c, &s), 256);
    assert_int_equal(tell(&c, &s, 0.7, 10), ADAPTIVE_TIGHTEN);
    assert_true(fabs(s.reference - 0.6) < 1e-12);
}

/* Whatever the rate: whole tokens never halve in one change, nor more than double. */
static void one_change_never_halves_the_budget(void **state)
{
    struct rng r = rng_stream("test", 1, 0);

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct adaptive_conf c = { .last = 1,
                                   .interval = 1,
                                   .reference = 0.5,
                                   .slack = 0.02,
                                   .sharpness = 1000,
                                   .memory = 0 };
        struct adaptive_state s;
        c.first = 1 + rng_below(&r, i % 2 ? 20 : 60000);
        c.rate = 10 * rng_double(&r);
        adaptive_start(&c, &s);
        for (int k = 0; k < 30; k++) {
            const int64_t old = adaptive_budget(&c, &s);
            (void)adaptive_tell(&c, &s, k < 20 ? 1 : rng_double(&r));
            const int64_t new = adaptive_budget(&c, &s);
            assert_true(2 * new > old &&new >= 1 && new <= c.first);
            assert_true(new <= 2 * old);
        }
    }
}

/* ---- a learner ---- */

/* Thinks in LENGTH tokens, which follow the budget slowly; what it can do in so few tokens is
 * SKILL * (1 - PRESSURE (budget / length)), and training raises what short answers can do. */
struct learner {
    double length, accuracy, trained;
};

static double train(struct learner *l, double budget, double least)
{
    const double press = MAX(0.0, 1 - budget / l->length); /* 0: at ease */

    l->length += 0.15 * (budget - l->length);
    l->trained = MIN(1.0, l->trained + 0.004);
    /* Below LEAST tokens it cannot, however long it trains. */
    l->accuracy = 0.8 + 0.1 * l->trained - 0.5 * press - (l->length < least ? 0.3 : 0);
    return MAX(0.0, l->accuracy);
}

static void a_learner_that_can_is_led_to_the_floor(void **state)
{
    struct adaptive_conf c = usual();
    struct learner l = { .length = 256 };
    struct adaptive_state s;

    (void)state;
    adaptive_start(&c, &s);
    for (int t = 0; t < 600; t++)
        (void)adaptive_tell(&c, &s, train(&l, (double)adaptive_budget(&c, &s), 0));
    assert_int_equal(adaptive_budget(&c, &s), 87);
    assert_true(l.length < 95 && s.moving > 0.8);
}

static void a_learner_that_cannot_is_left_near_its_limit(void **state)
{
    struct adaptive_conf c = usual();
    struct learner l = { .length = 256 };
    struct adaptive_state s;
    int backed = 0, held = 0;
    double sum = 0;

    (void)state;
    adaptive_start(&c, &s);
    for (int t = 0; t < 2000; t++) {
        const enum adaptive_move m =
            adaptive_tell(&c, &s, train(&l, (double)adaptive_budget(&c, &s), 150));
        backed += m == ADAPTIVE_BACK_OFF;
        held += t >= 500 && adaptive_budget(&c, &s) > 100;
        sum += t >= 500 ? l.accuracy : 0;
    }
    assert_true(backed > 10);
    assert_true(held == 1500); /* it hovers about 150 tokens: never near the floor of 87 */
    assert_true(sum / 1500 > 0.7);
}

/* ---- text ---- */

static void a_state_goes_on_from_its_text_with_the_same_bits(void **state)
{
    struct adaptive_conf c = usual();
    struct adaptive_state a, b;
    struct rng r = rng_stream("test", 2, 0);

    (void)state;
    c.reference = 0;
    adaptive_start(&c, &a);
    for (int t = 0; t < 100; t++) {
        struct buf text = { 0 }, again = { 0 };
        struct err err = { 0 };
        adaptive_save(&a, &text);
        if (adaptive_load(&c, buf_str(&text), &b, &err) != 0)
            fail_msg("%s", err.text);
        adaptive_save(&b, &again);
        assert_string_equal(buf_str(&text), buf_str(&again));
        assert_null(strpbrk(buf_str(&text), "\n\"\\"));
        const double accuracy = rng_double(&r);
        assert_int_equal(adaptive_tell(&c, &a, accuracy), adaptive_tell(&c, &b, accuracy));
        assert_memory_equal(&a, &b, sizeof(a));
        buf_release(&text);
        buf_release(&again);
    }
}

static void the_text_is_what_it_was(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;
    struct buf text = { 0 };

    (void)state;
    adaptive_start(&c, &s);
    (void)tell(&c, &s, 0.875, 10);
    adaptive_save(&s, &text);
    assert_string_equal(buf_str(&text), GOLDEN);
    buf_release(&text);
}

static void damaged_texts_are_refused(void **state)
{
    const struct adaptive_conf c = usual();
    struct adaptive_state s;
    struct buf text = { 0 };
    struct err err = { 0 };
    char cut[256];

    (void)state;
    adaptive_start(&c, &s);
    (void)tell(&c, &s, 0.85, 25);
    adaptive_save(&s, &text);
    for (size_t len = 0; len < text.len; len++) {
        snprintf(cut, sizeof(cut), "%.*s", (int)len, buf_str(&text));
        assert_int_equal(adaptive_load(&c, cut, &s, &err), ERR_INVALID);
        memcpy(cut, buf_str(&text), text.len + 1);
        cut[len] = 'x';
        assert_int_equal(adaptive_load(&c, cut, &s, &err), ERR_INVALID);
    }
    buf_adds(&text, " ");
    assert_int_equal(adaptive_load(&c, buf_str(&text), &s, &err), ERR_INVALID);
    buf_release(&text);
    /* NaN, infinity, an accuracy of 2, a budget beyond its bounds, a leading zero */
    static const char *const bad[] = {
        "adaptive-1 10 7ff8000000000000 3feb333333333333 0000000000000000 3fe999999999999a",
        "adaptive-1 10 7ff0000000000000 3feb333333333333 0000000000000000 3fe999999999999a",
        "adaptive-1 10 4015000000000000 4000000000000000 0000000000000000 3fe999999999999a",
        "adaptive-1 10 4035000000000000 3feb333333333333 0000000000000000 3fe999999999999a",
        "adaptive-1 010 4015000000000000 3feb333333333333 0000000000000000 3fe999999999999a",
        "adaptive-1 99999999999999999999 4015000000000000 3feb333333333333 0000000000000000 "
        "3fe999999999999a",
        "difficulty-1 10 4015000000000000 3feb333333333333 0000000000000000 3fe999999999999a",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(adaptive_load(&c, bad[i], &s, &err), ERR_INVALID);
    assert_int_equal(adaptive_load(&c,
                                   "adaptive-1 10 4015000000000000 3feb333333333333 "
                                   "0000000000000000 3fe999999999999a",
                                   &s, &err),
                     0);
}

static void assert_refused(const struct adaptive_conf *c, const char *field)
{
    const char *at = NULL;
    struct err err = { 0 };

    assert_int_equal(adaptive_check(c, &at, &err), ERR_INVALID);
    assert_string_equal(at, field);
}

static void impossible_controllers_are_refused_by_name(void **state)
{
    struct adaptive_conf c = usual();

    (void)state;
    assert_int_equal(adaptive_check(&c, NULL, NULL), 0);
    c.last = 300;
    assert_refused(&c, "budget_last");
    c = usual();
    c.first = 0;
    assert_refused(&c, "budget_first");
    c = usual();
    c.last = 0;
    assert_refused(&c, "budget_last");
    c = usual();
    c.interval = 0;
    assert_refused(&c, "adapt_interval");
    c = usual();
    c.rate = -0.1;
    assert_refused(&c, "adapt_rate");
    c = usual();
    c.memory = 1;
    assert_refused(&c, "adapt_memory");
    c = usual();
    c.sharpness = NAN;
    assert_refused(&c, "adapt_sharpness");
    c = usual();
    c.slack = 1.1;
    assert_refused(&c, "adapt_slack");
    c = usual();
    c.reference = -1;
    assert_refused(&c, "adapt_reference");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_change_is_the_formula),
        cmocka_unit_test(the_moving_accuracy_forgets_as_told),
        cmocka_unit_test(good_accuracy_tightens_to_the_floor_and_stays),
        cmocka_unit_test(accuracy_at_the_slack_holds_the_budget),
        cmocka_unit_test(bad_accuracy_backs_off_up_to_the_first_budget),
        cmocka_unit_test(without_a_reference_the_first_interval_measures_it),
        cmocka_unit_test(one_change_never_halves_the_budget),
        cmocka_unit_test(a_learner_that_can_is_led_to_the_floor),
        cmocka_unit_test(a_learner_that_cannot_is_left_near_its_limit),
        cmocka_unit_test(a_state_goes_on_from_its_text_with_the_same_bits),
        cmocka_unit_test(the_text_is_what_it_was),
        cmocka_unit_test(damaged_texts_are_refused),
        cmocka_unit_test(impossible_controllers_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
