/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the paired interval of a difference is the two-level one over seeds, BCa for one seed, and
 * sane where nothing varies. Method: widths from the analysis of variance as numpy and scipy
 * compute it (golden.py's formulas on the same data), BCa of scipy with 400,000 resamples, exact
 * bounds, and symmetries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/base/macros.h"
#include "common/stats/stats.h"

enum { SEEDS = 5, EXAMPLES = 40 };

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

struct data {
    double x[SEEDS][EXAMPLES];
    const double *row[SEEDS];
    size_t n[SEEDS];
};

/* SHIFT: how far apart seeds lie. */
static void fill(struct data *d, double shift)
{
    for (int s = 0; s < SEEDS; s++) {
        for (int j = 0; j < EXAMPLES; j++)
            d->x[s][j] = (double)((s * 7 + j * 13 + s * j) % 11) / 10.0 - 0.4 + shift * s;
        d->row[s] = d->x[s];
        d->n[s] = EXAMPLES;
    }
}

static void width_is_that_of_the_analysis_of_variance(void **state)
{
    struct data d;
    struct stats_interval i;

    (void)state;
    fill(&d, 0.03);
    i = stats_differences(d.row, d.n, SEEDS, true, false);
    assert_true(i.valid && i.lo < 0.159 && 0.159 < i.hi);
    near(i.hi - i.lo, 0.138863895691, 1e-8);
    fill(&d, 0.0); /* seeds agree better than chance: what the examples allow is left */
    i = stats_differences(d.row, d.n, SEEDS, true, false);
    near(i.hi - i.lo, 0.090482509287, 1e-8);
}

static void pairs_of_other_examples_are_seeds_of_their_own(void **state)
{
    struct data d;
    struct stats_interval i;

    (void)state;
    fill(&d, 0.03);
    for (int s = 0; s < SEEDS; s++) {
        d.n[s] = (size_t)(EXAMPLES - 3 * s);
        for (int j = 0; j < EXAMPLES; j++)
            d.x[s][j] += 0.02 * s * s;
    }
    i = stats_differences(d.row, d.n, SEEDS, false, false);
    near(i.hi - i.lo, 0.440428509030, 1e-8);
    assert_true(i.lo < 0.280068640883 && 0.280068640883 < i.hi);
}

static void one_seed_has_the_bootstrap_of_its_examples(void **state)
{
    double x[200], mirrored[200];
    const double *row = x, *other = mirrored;
    const size_t n = ARRAY_LEN(x);
    struct stats_interval i, m;

    (void)state;
    for (size_t j = 0; j < n; j++) {
        x[j] = j % 9 == 0 ? 1.0 : j % 31 == 0 ? -1.0 : 0.0;
        mirrored[j] = -x[j];
    }
    i = stats_differences(&row, &n, 1, true, true);
    m = stats_differences(&other, &n, 1, true, true);
    near(i.lo, 0.035, 0.006); /* scipy.stats.bootstrap, BCa, in steps of 1/200 */
    near(i.hi, 0.14, 0.006);
    near(m.lo, -i.hi, 0.004);
    near(m.hi, -i.lo, 0.004);
}

static void what_never_differs_has_the_exact_bound_on_both_sides(void **state)
{
    static const double zero[200], *rows[] = { zero, zero, zero };
    const size_t n[] = { 200, 200, 200 };

    (void)state;
    for (size_t seeds = 1; seeds <= 3; seeds += 2) { /* seeds that agree are no more examples */
        struct stats_interval share = stats_differences(rows, n, seeds, true, true),
                              plain = stats_differences(rows, n, seeds, true, false);

        near(share.hi, 0.018275340355, 1e-9);
        near(share.lo, -share.hi, 0.0);
        assert_true(plain.valid && plain.lo == 0.0 && plain.hi == 0.0);
    }
}

static void one_layer_less_everywhere_has_no_width_and_one_loss_everywhere_has(void **state)
{
    double less[200];
    const double *row = less;
    const size_t n = ARRAY_LEN(less);
    struct stats_interval layers, outcomes;

    (void)state;
    for (size_t j = 0; j < n; j++)
        less[j] = -1.0;
    layers = stats_differences(&row, &n, 1, true, false);
    outcomes = stats_differences(&row, &n, 1, true, true);
    assert_true(layers.valid && layers.lo == -1.0 && layers.hi == -1.0);
    assert_true(outcomes.lo == -1.0);
    near(outcomes.hi, -0.981724659645, 1e-9);
}

static void two_seeds_none_and_nothing_have_no_interval(void **state)
{
    static const double x[] = { 0.0, 1.0, NAN }, *rows[] = { x, x, x };
    const size_t two[] = { 2, 2, 2 }, none[] = { 2, 0, 2 }, bad[] = { 3, 3, 3 };

    (void)state;
    assert_false(stats_differences(rows, two, 2, true, true).valid);
    assert_false(stats_differences(rows, two, 0, true, true).valid);
    assert_false(stats_differences(rows, none, 3, false, true).valid);
    assert_false(stats_differences(rows, bad, 3, true, true).valid);
    assert_true(stats_differences(rows, two, 3, true, true).valid);
}

static void shares_end_at_one(void **state)
{
    struct data d;
    struct stats_interval i;

    (void)state;
    for (int s = 0; s < SEEDS; s++) {
        for (int j = 0; j < EXAMPLES; j++)
            d.x[s][j] = s == 0 && j > 0 ? 0.0 : 1.0;
        d.row[s] = d.x[s];
        d.n[s] = EXAMPLES;
    }
    i = stats_differences(d.row, d.n, SEEDS, true, false);
    assert_true(i.hi > 1.0);
    assert_true(stats_differences(d.row, d.n, SEEDS, true, true).hi == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(width_is_that_of_the_analysis_of_variance),
        cmocka_unit_test(pairs_of_other_examples_are_seeds_of_their_own),
        cmocka_unit_test(one_seed_has_the_bootstrap_of_its_examples),
        cmocka_unit_test(what_never_differs_has_the_exact_bound_on_both_sides),
        cmocka_unit_test(one_layer_less_everywhere_has_no_width_and_one_loss_everywhere_has),
        cmocka_unit_test(two_seeds_none_and_nothing_have_no_interval),
        cmocka_unit_test(shares_end_at_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
