/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each difficulty rule does what its paper says, by correctness alone. Method: the formulas
 * evaluated with libm; a learner that gets better at what it practises. */
#include "tests/unit/common_curriculum/rules.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/rng.h"

enum { PROBLEMS = 16 };

static void weights_are(const struct difficulty_conf *c, const struct difficulty_state *s,
                        uint64_t update, const double *expected)
{
    double w[DIFFICULTY_LEVELS_MAX], sum = 0;

    for (size_t i = 0; i < c->levels; i++)
        sum += expected[i];
    difficulty_weights(c, s, update, w);
    for (size_t i = 0; i < c->levels; i++)
        if (fabs(w[i] - expected[i] / sum) > 1e-10)
            fail_msg("level %zu of %s at %llu: %.12f, not %.12f", i, difficulty_name(c->rule),
                     (unsigned long long)update, w[i], expected[i] / sum);
}

static struct difficulty_state *start(const struct difficulty_conf *c)
{
    static struct difficulty_state s;
    const char *field = NULL;
    struct err err = { 0 };

    if (difficulty_check(c, &field, &err) != 0)
        fail_msg("%s: %s", field, err.text);
    difficulty_start(c, &s);
    return &s;
}

static void a_mixture_is_its_weights(void **state)
{
    struct difficulty_conf c = usual(DIFFICULTY_MIXTURE, 3);
    const double expected[] = { 3, 0, 1 };

    (void)state;
    memcpy(c.mixture, expected, sizeof(expected));
    weights_are(&c, start(&c), 0, expected);
    weights_are(&c, start(&c), 99, expected);
}

static void levels_follow_each_other_in_equal_parts(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_LEVELS, 4);

    (void)state;
    for (uint64_t t = 0; t < 120; t++) {
        double expected[4] = { 0 };
        expected[MIN(t / 25, 3)] = 1;
        weights_are(&c, start(&c), t, expected);
    }
}

/* E2H: p_i from (K - i) to (i + 1) along half a cosine; the least ever is 2 / (K (K + 1)). */
static void e2h_cosine_is_the_papers(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_E2H_COSINE, 4);
    const double begin[] = { 4, 3, 2, 1 }, middle[] = { 1, 1, 1, 1 }, end[] = { 1, 2, 3, 4 };

    (void)state;
    weights_are(&c, start(&c), 0, begin);
    weights_are(&c, start(&c), 50, middle);
    weights_are(&c, start(&c), 100, end);
    for (uint64_t t = 0; t <= 100; t++) {
        double expected[4], w[4];
        const double a = 0.5 * (1 + cos(3.14159265358979323846 * (double)t / 100));
        for (int i = 0; i < 4; i++)
            expected[i] = a * (4 - i) + (1 - a) * (i + 1);
        weights_are(&c, start(&c), t, expected);
        difficulty_weights(&c, start(&c), t, w);
        for (int i = 0; i < 4; i++)
            assert_true(w[i] > 2.0 / 20 - 1e-12);
    }
}

/* E2H: a bell of width sigma around (t/T)^beta (K - 1), each level at least 1 %. */
static void e2h_gaussian_is_the_papers_with_a_floor(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_E2H_GAUSSIAN, 4);

    (void)state;
    for (uint64_t t = 0; t <= 100; t++) {
        double bell[4], expected[4], sum = 0;
        const double at = 3 * pow((double)t / 100, 0.5);
        for (int i = 0; i < 4; i++)
            sum += bell[i] = exp(-(i - at) * (i - at) / (2 * 0.5 * 0.5));
        for (int i = 0; i < 4; i++)
            expected[i] = 0.01 + 0.96 * bell[i] / sum;
        weights_are(&c, start(&c), t, expected);
    }
}

static void adarft_follows_the_accuracy(void **state)
{
    struct difficulty_conf c = usual(DIFFICULTY_ADARFT, 5);
    struct difficulty_state *s = start(&c);
    const uint64_t some[] = { 4, 4, 4, 2, 2 };
    const double all[] = { 1, 1, 1, 1, 1 }, none[] = { 0, 0, 0, 0, 0 }, half[] = { 1, 1, 0, 0, 0 };
    double target = 0;

    (void)state;
    for (int i = 0; i < 20; i++) {
        tell(&c, s, some, all);
        target = MIN(4, target + 0.5 * tanh(2 * 0.5));
        assert_true(fabs(s->target - target) < 1e-12);
    }
    assert_true(s->target >= 4);
    const double before = s->target;
    tell(&c, s, some, half); /* 8 of 16 problems right: what it aims at */
    assert_true(fabs(s->target - before) < 1e-12);
    tell(&c, s, some, none);
    assert_true(s->target < before);
    for (int i = 0; i < 20; i++)
        tell(&c, s, some, none);
    assert_true(s->target <= 0);
    s->target = 1.25;
    double expected[5];
    for (int i = 0; i < 5; i++)
        expected[i] = exp(-(i - 1.25) * (i - 1.25) / (2 * 0.25));
    weights_are(&c, s, 7, expected);
    c.width = 0.01; /* the nearest level alone */
    const double nearest[] = { 0, 1, 0, 0, 0 };
    weights_are(&c, s, 7, nearest);
}

static void a_window_moves_at_both_thresholds(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_WINDOW, 3);
    struct difficulty_state *s = start(&c);
    const uint64_t one[] = { 16, 0, 0 }, two[] = { 8, 8, 0 }, three[] = { 6, 5, 5 };
    const double good[] = { 1, 0.75, 0.75 }, fair[] = { 1, 0.5, 0.5 }, bad[] = { 1, 0.25, 0.25 };
    const double w1[] = { 1, 0, 0 }, w2[] = { 1, 1, 0 }, w3[] = { 1, 1, 1 };

    (void)state;
    for (int i = 0; i < 3; i++)
        tell(&c, s, one, good);
    weights_are(&c, s, 0, w1); /* four updates decide */
    tell(&c, s, one, good);
    weights_are(&c, s, 0, w2);
    for (int i = 0; i < 12; i++)
        tell(&c, s, two, fair); /* between the thresholds */
    weights_are(&c, s, 0, w2);
    for (int i = 0; i < 4; i++)
        tell(&c, s, two, good);
    weights_are(&c, s, 0, w3);
    for (int i = 0; i < 8; i++)
        tell(&c, s, three, good); /* there is no fourth */
    weights_are(&c, s, 0, w3);
    for (int i = 0; i < 4; i++)
        tell(&c, s, three, bad); /* the easy ones are right, the hardest is not */
    weights_are(&c, s, 0, w2);
    for (int i = 0; i < 20; i++)
        tell(&c, s, two, bad);
    weights_are(&c, s, 0, w1);
}

static void rlve_moves_a_window_of_four_levels_up(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_RLVE, 7);
    struct difficulty_state *s = start(&c);
    double right[7] = { 0.875, 0.875, 0.875, 0.875, 0.875, 0.875, 0.875 };

    (void)state;
    for (uint64_t hardest = 0; hardest < 7; hardest++) {
        const uint64_t low = hardest > 3 ? hardest - 3 : 0;
        uint64_t problems[7] = { 0 };
        assert_int_equal(s->high, hardest);
        assert_int_equal(s->low, low);
        problems[hardest] = 8;
        right[hardest] = 0.875; /* 7 of 8: below 0.9 */
        tell(&c, s, problems, right);
        assert_int_equal(s->high, hardest);
        right[hardest] = 1;
        problems[hardest] = 7; /* too few to judge */
        tell(&c, s, problems, right);
        assert_int_equal(s->high, hardest);
        problems[hardest] = 1;
        tell(&c, s, problems, right);
        assert_int_equal(s->high, MIN(hardest + 1, 6));
    }
    const double expected[] = { 0, 0, 0, 1, 1, 1, 1 };
    weights_are(&c, s, 0, expected);
}

static void advantages_are_those_of_binary_rewards(void **state)
{
    (void)state;
    for (uint64_t right = 0; right <= GROUP; right++) {
        struct difficulty_count c = { 0 };
        const double mean = (double)right / GROUP, sd = sqrt(mean * (1 - mean));
        double sum = 0;
        for (uint64_t i = 0; i < GROUP && sd > 0; i++)
            sum += fabs(((i < right) - mean) / sd) / GROUP;
        difficulty_count_group(&c, GROUP, right);
        assert_true(fabs(c.advantage - sum) < 1e-12);
        assert_int_equal(c.correct, right);
    }
}

static void sec_prefers_levels_that_are_half_solved(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_SEC, 3);
    struct difficulty_state *s = start(&c);
    const uint64_t some[] = { 6, 5, 5 }, first[] = { 16, 0, 0 };
    const double right[] = { 1, 0.5, 0 }, even[] = { 1, 1, 1 };
    double q = 0;

    (void)state;
    weights_are(&c, s, 0, even);
    for (int i = 0; i < 5; i++) {
        tell(&c, s, some, right);
        q = 0.5 * 1 + 0.5 * q;
        const double expected[] = { 1, exp(q / 0.1), 1 };
        weights_are(&c, s, 0, expected);
    }
    tell(&c, s, first, right); /* levels that were not drawn keep their value */
    const double expected[] = { 1, exp(q / 0.1), 1 };
    weights_are(&c, s, 0, expected);
}

static void dump_adds_a_bonus_for_what_was_drawn_little(void **state)
{
    struct difficulty_conf c = usual(DIFFICULTY_DUMP, 3);
    struct difficulty_state *s = start(&c);
    const uint64_t some[] = { 12, 3, 1 };
    const double half[] = { 0.5, 0.5, 0.5 }, solved[] = { 1, 0.5, 0.5 };
    double n[3] = { 0 }, w[3];

    (void)state;
    c.temperature = 1;
    for (int t = 0; t < 30; t++) {
        double expected[3], all = 0;
        tell(&c, s, some, half);
        for (int i = 0; i < 3; i++)
            all += n[i] += (double)some[i];
        for (int i = 0; i < 3; i++)
            expected[i] = exp(1 + sqrt(2 * log(all + 1) / (n[i] + 1)));
        weights_are(&c, s, 0, expected);
    }
    difficulty_weights(&c, s, 0, w);
    assert_true(w[0] < w[1] && w[1] < w[2]);
    for (int t = 0; t < 12; t++) { /* what was before the last 12 updates is forgotten */
        assert_true(s->value[0] > 0);
        tell(&c, s, some, solved);
    }
    assert_true(s->value[0] <= 0);
    assert_int_equal(s->remembered[0], 12);
}

/* ---- a learner ---- */

/* Knows level i with probability 1 / (1 + exp(-4 (skill - i))); skill grows with what is half
 * solved. */
struct learner {
    double skill;
    struct rng r;
};

static double chance(const struct learner *l, size_t level)
{
    return 1 / (1 + exp(-4 * (l->skill - (double)level)));
}

/* TOTAL updates of PROBLEMS problems; returns the mean level of the last tenth. */
static double teach(const struct difficulty_conf *c, struct difficulty_state *s, struct learner *l,
                    uint64_t total)
{
    double w[DIFFICULTY_LEVELS_MAX], sum = 0;
    uint64_t n = 0;

    for (uint64_t t = 0; t < total; t++) {
        struct difficulty_count count[DIFFICULTY_LEVELS_MAX] = { { 0 } };
        double learnt = 0;
        difficulty_weights(c, s, t, w);
        for (int k = 0; k < PROBLEMS; k++) {
            const size_t level = difficulty_pick(w, c->levels, rng_double(&l->r));
            uint64_t right = 0;
            for (int g = 0; g < GROUP; g++)
                right += rng_double(&l->r) < chance(l, level);
            difficulty_count_group(&count[level], GROUP, right);
            learnt += chance(l, level) * (1 - chance(l, level));
            if (t >= total - total / 10) {
                sum += (double)level;
                n++;
            }
        }
        l->skill += 0.1 * learnt / PROBLEMS;
        difficulty_tell(c, s, count);
    }
    return sum / (double)n;
}

static void every_adaptive_rule_leads_a_learner_up(void **state)
{
    static const enum difficulty_rule rules[] = { DIFFICULTY_ADARFT, DIFFICULTY_WINDOW,
                                                  DIFFICULTY_RLVE, DIFFICULTY_SEC,
                                                  DIFFICULTY_DUMP };
    const struct difficulty_conf fixed = usual(DIFFICULTY_MIXTURE, 6);
    struct learner plain = { .skill = 0, .r = rng_stream("test", 1, 0) };

    (void)state;
    (void)teach(&fixed, start(&fixed), &plain, 400);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct difficulty_conf c = usual(rules[i], 6);
        struct learner l = { .skill = 0, .r = rng_stream("test", 1, 0) };
        struct difficulty_state *s = start(&c);
        const double level = teach(&c, s, &l, 400);
        assert_true(difficulty_adapts(rules[i]));
        if (l.skill <= plain.skill)
            fail_msg("%s: skill %.2f, a fixed mixture %.2f", difficulty_name(rules[i]), l.skill,
                     plain.skill);
        assert_true(level > 1);
    }
}

static void adarft_keeps_a_learner_near_its_target(void **state)
{
    const struct difficulty_conf c = usual(DIFFICULTY_ADARFT, 6);
    struct learner l = { .skill = 2.3, .r = rng_stream("test", 2, 0) };
    struct difficulty_state *s = start(&c);

    (void)state;
    (void)teach(&c, s, &l, 100);
    assert_true(fabs(s->target - l.skill) < 1);
}

/* ---- drawing ---- */

static void levels_are_drawn_by_their_weights(void **state)
{
    const double w[] = { 0, 0.25, 0, 0.75, 0 }, third[] = { 1.0 / 3, 1.0 / 3, 1.0 / 3 };
    struct rng r = rng_stream("test", 3, 0);
    size_t n[5] = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++)
        n[difficulty_pick(w, 5, rng_double(&r))]++;
    assert_int_equal(n[0] + n[2] + n[4], 0);
    assert_true(n[1] > 24400 && n[1] < 25600);
    assert_int_equal(difficulty_pick(w, 5, 0), 1);
    assert_int_equal(difficulty_pick(w, 5, 0.25), 3);
    assert_int_equal(difficulty_pick(w, 5, 0x1.fffffffffffffp-1), 3);
    assert_int_equal(difficulty_pick(third, 3, 0x1.fffffffffffffp-1), 2);
}

static void weights_sum_to_one_whatever_happens(void **state)
{
    struct rng r = rng_stream("test", 4, 0);

    (void)state;
    for (int i = 0; i < 400; i++) {
        struct difficulty_conf c =
            usual((enum difficulty_rule)(i % DIFFICULTY_RULES), 1 + rng_below(&r, 8));
        struct difficulty_state *s;
        c.width = 0.01 + rng_double(&r);
        c.temperature = 0.001 + rng_double(&r);
        c.rate = c.rule == DIFFICULTY_SEC ? rng_double(&r) : 3 * rng_double(&r);
        s = start(&c);
        for (uint64_t t = 0; t < 100; t++) {
            uint64_t problems[8];
            double right[8], w[8], sum = 0;
            difficulty_weights(&c, s, t, w);
            for (size_t k = 0; k < c.levels; k++) {
                assert_true(w[k] >= 0 && w[k] <= 1);
                sum += w[k];
                problems[k] = rng_below(&r, 4);
                right[k] = rng_double(&r);
            }
            assert_true(fabs(sum - 1) < 1e-12);
            tell(&c, s, problems, right);
        }
    }
}

/* ---- checks ---- */

static void assert_refused(const struct difficulty_conf *c, const char *field)
{
    const char *at = NULL;
    struct err err = { 0 };

    assert_int_equal(difficulty_check(c, &at, &err), ERR_INVALID);
    assert_string_equal(at, field);
}

static void impossible_rules_are_refused_by_name(void **state)
{
    struct difficulty_conf c = usual(DIFFICULTY_MIXTURE, 3);

    (void)state;
    c.mixture[1] = -1;
    assert_refused(&c, "mixture");
    memset(c.mixture, 0, sizeof(c.mixture));
    assert_refused(&c, "mixture");
    c.mixture[0] = NAN;
    assert_refused(&c, "mixture");
    c = usual(DIFFICULTY_MIXTURE, 0);
    assert_refused(&c, "levels");
    c = usual(DIFFICULTY_MIXTURE, 9);
    assert_refused(&c, "levels");
    c = usual(DIFFICULTY_LEVELS, 3);
    c.total = 2;
    assert_refused(&c, "updates");
    c = usual(DIFFICULTY_WINDOW, 3);
    c.down = 0.7;
    assert_refused(&c, "difficulty_down");
    c = usual(DIFFICULTY_DUMP, 3);
    c.window = DIFFICULTY_MEMORY_MAX + 1;
    assert_refused(&c, "difficulty_window");
    c = usual(DIFFICULTY_SEC, 3);
    c.rate = 1.5;
    assert_refused(&c, "difficulty_rate");
    c.rate = 0.5;
    c.temperature = 0;
    assert_refused(&c, "difficulty_temperature");
    c = usual(DIFFICULTY_ADARFT, 3);
    c.width = 0;
    assert_refused(&c, "difficulty_width");
    c = usual(DIFFICULTY_ADARFT, 3);
    c.target = 1.1;
    assert_refused(&c, "difficulty_target");
    c = usual(DIFFICULTY_ADARFT, 3);
    c.sharpness = NAN;
    assert_refused(&c, "difficulty_sharpness");
}

static void every_rule_is_found_by_its_name_and_described(void **state)
{
    (void)state;
    for (int i = 0; i < DIFFICULTY_RULES; i++) {
        const struct difficulty_conf c = usual((enum difficulty_rule)i, 3);
        struct buf text = { 0 };
        assert_int_equal(difficulty_find(difficulty_name(c.rule)), i);
        assert_true(strlen(difficulty_help(c.rule)) > 5);
        difficulty_describe(&c, &text);
        assert_int_equal(
            strncmp(buf_str(&text), difficulty_name(c.rule), strlen(difficulty_name(c.rule))), 0);
        buf_release(&text);
    }
    assert_int_equal(difficulty_find("adarf"), DIFFICULTY_RULES);
    assert_true(difficulty_needs_total(DIFFICULTY_E2H_COSINE));
    assert_false(difficulty_needs_total(DIFFICULTY_SEC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixture_is_its_weights),
        cmocka_unit_test(levels_follow_each_other_in_equal_parts),
        cmocka_unit_test(e2h_cosine_is_the_papers),
        cmocka_unit_test(e2h_gaussian_is_the_papers_with_a_floor),
        cmocka_unit_test(adarft_follows_the_accuracy),
        cmocka_unit_test(a_window_moves_at_both_thresholds),
        cmocka_unit_test(rlve_moves_a_window_of_four_levels_up),
        cmocka_unit_test(advantages_are_those_of_binary_rewards),
        cmocka_unit_test(sec_prefers_levels_that_are_half_solved),
        cmocka_unit_test(dump_adds_a_bonus_for_what_was_drawn_little),
        cmocka_unit_test(every_adaptive_rule_leads_a_learner_up),
        cmocka_unit_test(adarft_keeps_a_learner_near_its_target),
        cmocka_unit_test(levels_are_drawn_by_their_weights),
        cmocka_unit_test(weights_sum_to_one_whatever_happens),
        cmocka_unit_test(impossible_rules_are_refused_by_name),
        cmocka_unit_test(every_rule_is_found_by_its_name_and_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
