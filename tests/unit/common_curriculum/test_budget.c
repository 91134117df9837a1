/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every schedule has the budgets that its formula says, falls from its first to its last and
 * is cut into slices that say the same. Method: the values of the paper's tables; properties over
 * thousands of schedules drawn at random; a slice's budgets against the schedule's, update by
 * update; refusals by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "common/curriculum/budget.h"

static struct budget_schedule paper(enum budget_kind kind, uint64_t drops)
{
    return (struct budget_schedule){
        .kind = kind, .updates = 600, .first = 256, .last = 87, .drops = drops
    };
}

/* The schedule passes its check and piece K (of equal ones) has EXPECTED[K] tokens before rounding,
 * within 0.05. */
static void assert_pieces(const struct budget_schedule *s, const double *expected, size_t len)
{
    struct err err = { 0 };

    if (budget_check(s, NULL, &err) != 0)
        fail_msg("%s", err.text);
    for (uint64_t t = 0; t < s->updates; t++) {
        const double want = expected[t * len / s->updates];
        if (fabs(budget_exact(s, t) - want) > 0.05)
            fail_msg("update %llu: %f, not %f", (unsigned long long)t, budget_exact(s, t), want);
        assert_int_equal(budget_at(s, t), (int64_t)floor(budget_exact(s, t) + 0.5));
    }
}

static void exponential_has_the_papers_budgets(void **state)
{
    const double slow[] = { 256, 87 }, usual[] = { 256, 178.65, 124.67, 87 };
    const double fast[] = { 256, 219.42, 188.07, 161.2, 138.17, 118.42, 101.5, 87 };
    const int64_t usual_whole[] = { 256, 179, 125, 87 };
    const int64_t fast_whole[] = { 256, 219, 188, 161, 138, 118, 102, 87 };
    const struct budget_schedule one = paper(BUDGET_EXPONENTIAL, 1),
                                 three = paper(BUDGET_EXPONENTIAL, 3),
                                 seven = paper(BUDGET_EXPONENTIAL, 7);

    (void)state;
    assert_pieces(&one, slow, 2);
    assert_pieces(&three, usual, 4);
    assert_pieces(&seven, fast, 8);
    for (uint64_t t = 0; t < 600; t++) {
        assert_int_equal(budget_at(&three, t), usual_whole[t / 150]);
        assert_int_equal(budget_at(&seven, t), fast_whole[t / 75]);
    }
}

static void exponential_by_gamma_has_the_papers_budgets(void **state)
{
    struct budget_schedule s = { .kind = BUDGET_EXPONENTIAL,
                                 .updates = 600,
                                 .first = 256,
                                 .last = 1,
                                 .gamma = 0.7,
                                 .interval = 150 };
    const double usual[] = { 256, 179.2, 125.44, 87.808 };
    const double figure[] = { 256, 179.2, 125.44, 87.808, 61.4656, 43.0259, 30.1181 };

    (void)state;
    assert_pieces(&s, usual, 4);
    s.updates = 700; /* the paper's first figure: gamma 0.7 every 100 updates, down to 30 */
    s.interval = 100;
    assert_pieces(&s, figure, 7);
    s.last = 50;
    assert_int_equal(budget_at(&s, 699), 50);
    s.last = 1;
    s.updates = 100000; /* 0.7^1000: never below one token */
    assert_int_equal(budget_at(&s, 99999), 1);
}

static void linear_cosine_and_constant_have_the_papers_budgets(void **state)
{
    const double linear[] = { 256, 199.667, 143.333, 87 }, fixed[] = { 87 };
    const double cosine[] = { 256, 213.75, 129.25, 87 };
    const struct budget_schedule l = paper(BUDGET_LINEAR, 3), c = paper(BUDGET_CONSTANT, 3),
                                 w = paper(BUDGET_COSINE, 3), none = paper(BUDGET_NONE, 3);

    (void)state;
    assert_pieces(&l, linear, 4);
    assert_pieces(&c, fixed, 1);
    assert_pieces(&w, cosine, 4);
    assert_int_equal(budget_at(&l, 150), 200);
    assert_int_equal(budget_at(&l, 449), 143);
    assert_int_equal(budget_check(&none, NULL, NULL), 0);
    assert_int_equal(budget_at(&none, 5), 0);
}

static void assert_refused(const struct budget_schedule *s, const char *field, const char *text)
{
    const char *at = NULL;
    struct err err = { 0 };

    assert_int_equal(budget_check(s, &at, &err), ERR_INVALID);
    assert_string_equal(at, field);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err.text);
}

static void drops_by_interval_leave_the_rest_to_the_last_budget(void **state)
{
    struct budget_schedule s = paper(BUDGET_LINEAR, 3);
    const int64_t budgets[] = { 256, 200, 143, 87 };

    (void)state;
    s.interval = 10;
    assert_int_equal(budget_check(&s, NULL, NULL), 0);
    for (uint64_t t = 0; t < s.updates; t++)
        assert_int_equal(budget_at(&s, t), budgets[MIN(t / 10, 3)]);
    s.kind = BUDGET_EXPONENTIAL;
    assert_int_equal(budget_at(&s, 9), 256);
    assert_int_equal(budget_at(&s, 10), 179);
    assert_int_equal(budget_at(&s, 29), 125);
    assert_int_equal(budget_at(&s, 30), 87);
    s.interval = 200; /* the third drop would come behind the last update */
    assert_refused(&s, "interval", "say at most 199");
    s.interval = 199;
    assert_int_equal(budget_check(&s, NULL, NULL), 0);
    assert_int_equal(budget_at(&s, 596), 125);
    assert_int_equal(budget_at(&s, 597), 87);
}

/* Means over the training of 600 updates, from the table. */
static void schedules_have_the_papers_mean_budgets(void **state)
{
    const struct {
        struct budget_schedule s;
        double mean;
    } rows[] = { { paper(BUDGET_EXPONENTIAL, 1), 171.5 },
                 { paper(BUDGET_EXPONENTIAL, 3), 161.6 },
                 { paper(BUDGET_EXPONENTIAL, 7), 158.7 },
                 { paper(BUDGET_LINEAR, 3), 171.5 },
                 { paper(BUDGET_CONSTANT, 0), 87 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double sum = 0;
        for (uint64_t t = 0; t < 600; t++)
            sum += budget_exact(&rows[i].s, t);
        assert_true(fabs(sum / 600 - rows[i].mean) < 0.06);
    }
}

static void steps_begin_where_they_say_or_are_spread_evenly(void **state)
{
    const int64_t steps[] = { 60, 41, 20 }, at[] = { 0, 7, 9 };
    struct budget_schedule s = { .kind = BUDGET_STEPS, .updates = 10, .steps = steps };
    const int64_t even[] = { 60, 60, 60, 60, 41, 41, 41, 20, 20, 20 };
    const int64_t given[] = { 60, 60, 60, 60, 60, 60, 60, 41, 41, 20 };

    (void)state;
    s.steps_len = 3;
    assert_int_equal(budget_check(&s, NULL, NULL), 0);
    for (uint64_t t = 0; t < 10; t++)
        assert_int_equal(budget_at(&s, t), even[t]);
    s.steps_at = at;
    s.steps_at_len = 3;
    assert_int_equal(budget_check(&s, NULL, NULL), 0);
    for (uint64_t t = 0; t < 10; t++)
        assert_int_equal(budget_at(&s, t), given[t]);
}

static uint64_t drawn(struct rng *r, uint64_t n)
{
    return rng_below(r, (uint32_t)n);
}

static struct budget_schedule random_schedule(struct rng *r)
{
    static const enum budget_kind kinds[] = { BUDGET_CONSTANT, BUDGET_LINEAR, BUDGET_EXPONENTIAL,
                                              BUDGET_COSINE };
    struct budget_schedule s = { .kind = kinds[drawn(r, ARRAY_LEN(kinds))] };

    s.updates = 2 + drawn(r, 700);
    s.first = 2 + (int64_t)drawn(r, 500);
    s.last = 1 + (int64_t)drawn(r, (uint64_t)s.first - 1);
    s.drops = 1 + drawn(r, MIN(s.updates - 1, 40));
    if (s.kind == BUDGET_EXPONENTIAL && drawn(r, 2)) {
        s.gamma = 0.05 + 0.9 * rng_double(r);
        s.interval = 1 + drawn(r, 100);
    } else if (drawn(r, 2))
        s.interval = drawn(r, (s.updates - 1) / s.drops + 1);
    return s;
}

static void budgets_fall_from_the_first_to_the_last(void **state)
{
    struct rng r = rng_stream("test", 1, 0);

    (void)state;
    for (int i = 0; i < 3000; i++) {
        const struct budget_schedule s = random_schedule(&r);
        int64_t before = INT64_MAX;
        assert_int_equal(budget_check(&s, NULL, NULL), 0);
        for (uint64_t t = 0; t < s.updates; t++) {
            const int64_t b = budget_at(&s, t);
            assert_true(b <= before && b >= s.last && b <= s.first);
            before = b;
        }
        assert_int_equal(budget_at(&s, 0), s.kind == BUDGET_CONSTANT ? s.last : s.first);
        if (s.gamma <= 0)
            assert_int_equal(before, s.last);
        assert_true(budget_steepest(&s) <= 1 && budget_steepest(&s) > 0);
    }
}

static void slices_say_what_the_schedule_says(void **state)
{
    struct rng r = rng_stream("test", 2, 0);
    static struct budget_slice slice;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        const struct budget_schedule s = random_schedule(&r);
        const uint64_t first = drawn(&r, s.updates), updates = 1 + drawn(&r, s.updates - first);
        assert_int_equal(budget_slice(&s, first, updates, &slice, NULL), 0);
        assert_int_equal(
            budget_slice_check(slice.budget, slice.len, slice.at, slice.len, updates, NULL), 0);
        for (uint64_t t = 0; t < updates; t++)
            assert_int_equal(budget_slice_at(slice.budget, slice.at, slice.len, t),
                             budget_at(&s, first + t));
        for (size_t k = 1; k < slice.len; k++)
            assert_int_not_equal(slice.budget[k], slice.budget[k - 1]);
    }
    const struct budget_schedule none = paper(BUDGET_NONE, 3);
    assert_int_equal(budget_slice(&none, 0, 600, &slice, NULL), 0);
    assert_int_equal(slice.len, 0);
    assert_int_equal(budget_slice_at(NULL, NULL, 0, 3), 0);
}

static void a_slice_of_too_many_budgets_is_refused(void **state)
{
    static struct budget_slice slice;
    struct budget_schedule s = {
        .kind = BUDGET_LINEAR, .updates = 1000, .first = 5000, .last = 10, .drops = 900
    };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(budget_slice(&s, 0, 1000, &slice, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "more stages or fewer drops"));
    assert_int_equal(budget_slice(&s, 500, 250, &slice, NULL), 0);
}

static void impossible_schedules_are_refused_by_name(void **state)
{
    const int64_t steps[] = { 60, 41, 20 }, grows[] = { 20, 60 }, zero[] = { 60, 0 };
    const int64_t late[] = { 1, 5, 7 }, back[] = { 0, 5, 5 }, behind[] = { 0, 5, 600 };
    struct budget_schedule s = paper(BUDGET_LINEAR, 3);

    (void)state;
    s.last = 257;
    for (int k = BUDGET_LINEAR; k <= BUDGET_ADAPTIVE; k++) {
        s.kind = (enum budget_kind)k;
        if (k != BUDGET_STEPS)
            assert_refused(&s, "budget_last", "above the first");
    }
    s = paper(BUDGET_EXPONENTIAL, 3);
    s.interval = 150;
    const double gammas[] = { 1, 1.5, -0.5, NAN }; /* 0: by drops */
    for (size_t i = 0; i < ARRAY_LEN(gammas); i++) {
        s.gamma = gammas[i];
        assert_refused(&s, "gamma", "not between 0 and 1");
    }
    s.gamma = 0.7;
    s.interval = 0;
    assert_refused(&s, "interval", "1 or more");
    s = paper(BUDGET_COSINE, 0);
    assert_refused(&s, "drops", "never lead");
    s.drops = 600;
    assert_refused(&s, "drops", "do not fit");
    s = paper(BUDGET_CONSTANT, 0);
    s.last = 0;
    assert_refused(&s, "budget_last", "1 to");
    s.updates = 0;
    assert_refused(&s, "updates", "1 to");
    s = paper(BUDGET_STEPS, 0);
    assert_refused(&s, "steps", "missing");
    s.steps = grows;
    s.steps_len = 2;
    assert_refused(&s, "steps", "above the first");
    s.steps = zero;
    assert_refused(&s, "steps", "0 tokens");
    s.steps = steps;
    s.steps_len = 3;
    s.steps_at = late;
    s.steps_at_len = 2;
    assert_refused(&s, "steps_at", "2 values, but steps has 3");
    s.steps_at_len = 3;
    assert_refused(&s, "steps_at", "begin at 0");
    s.steps_at = back;
    assert_refused(&s, "steps_at", "must rise");
    s.steps_at = behind;
    assert_refused(&s, "steps_at", "behind the last");
}

static void lists_that_are_no_slice_are_refused(void **state)
{
    const int64_t budget[] = { 9, 5 }, at[] = { 0, 4 }, late[] = { 1, 4 }, zero[] = { 9, 0 };

    (void)state;
    assert_int_equal(budget_slice_check(budget, 2, at, 2, 5, NULL), 0);
    assert_int_equal(budget_slice_check(budget, 2, at, 1, 5, NULL), ERR_INVALID);
    assert_int_equal(budget_slice_check(budget, 2, at, 2, 4, NULL), ERR_INVALID);
    assert_int_equal(budget_slice_check(budget, 2, late, 2, 5, NULL), ERR_INVALID);
    assert_int_equal(budget_slice_check(zero, 2, at, 2, 5, NULL), ERR_INVALID);
    assert_int_equal(budget_slice_check(NULL, 0, NULL, 0, 5, NULL), 0);
}

/* What is left of the length reward at the old length behind a drop by f is max(0, 2 - 1/f). */
static void the_steepest_drop_is_found(void **state)
{
    const int64_t steps[] = { 100, 90, 30, 29 };
    struct budget_schedule s = paper(BUDGET_STEPS, 0);

    (void)state;
    s.steps = steps;
    s.steps_len = 4;
    assert_true(fabs(budget_steepest(&s) - 1.0 / 3) < 1e-12);
    s = paper(BUDGET_EXPONENTIAL, 1);
    assert_true(fabs(budget_steepest(&s) - 87.0 / 256) < 1e-12);
    s = paper(BUDGET_EXPONENTIAL, 7);
    assert_true(fabs(budget_steepest(&s) - 0.857) < 1e-3);
    s = paper(BUDGET_CONSTANT, 3);
    assert_true(budget_steepest(&s) >= 1);
}

static void every_schedule_is_found_by_its_name_and_described(void **state)
{
    const int64_t steps[] = { 60, 41 };

    (void)state;
    for (int i = 0; i < BUDGET_KINDS; i++) {
        struct buf text = { 0 };
        struct budget_schedule s = paper((enum budget_kind)i, 3);
        s.steps = steps;
        s.steps_len = 2;
        assert_int_equal(budget_find(budget_name(s.kind)), i);
        assert_true(strlen(budget_help(s.kind)) > 10);
        budget_describe(&s, &text);
        assert_int_equal(strncmp(buf_str(&text), budget_name(s.kind), strlen(budget_name(s.kind))),
                         0);
        buf_release(&text);
    }
    assert_int_equal(budget_find("lineal"), BUDGET_KINDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_has_the_papers_budgets),
        cmocka_unit_test(exponential_by_gamma_has_the_papers_budgets),
        cmocka_unit_test(linear_cosine_and_constant_have_the_papers_budgets),
        cmocka_unit_test(drops_by_interval_leave_the_rest_to_the_last_budget),
        cmocka_unit_test(schedules_have_the_papers_mean_budgets),
        cmocka_unit_test(steps_begin_where_they_say_or_are_spread_evenly),
        cmocka_unit_test(budgets_fall_from_the_first_to_the_last),
        cmocka_unit_test(slices_say_what_the_schedule_says),
        cmocka_unit_test(a_slice_of_too_many_budgets_is_refused),
        cmocka_unit_test(impossible_schedules_are_refused_by_name),
        cmocka_unit_test(lists_that_are_no_slice_are_refused),
        cmocka_unit_test(the_steepest_drop_is_found),
        cmocka_unit_test(every_schedule_is_found_by_its_name_and_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
