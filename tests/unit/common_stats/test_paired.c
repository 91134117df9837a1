/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: paired comparisons count what they say and keep their symmetries. Method: small data whose
 * p values are counted by hand; the fast resampling paths against the plain one; seeds that widen
 * an interval; degenerate inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "common/stats/draws.h"
#include "common/stats/stats.h"

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

static void few_pairs_are_flipped_in_all_ways(void **state)
{
    const double a[] = { 1.0, 2.0, 4.0 }, zero[] = { 0.0, 0.0, 0.0 };
    const double b[] = { 1.0, 2.0, -4.0 };

    (void)state;
    near(stats_paired(a, zero, 3).p_flip, 2.0 / 8.0, 1e-15); /* +7, -7 */
    near(stats_paired(b, zero, 3).p_flip, 1.0, 1e-15);       /* every sum is at least 1 away */
    near(stats_paired(zero, zero, 3).p_flip, 1.0, 1e-15);
}

static void pairs_without_a_partner_are_dropped_and_counted(void **state)
{
    const double a[] = { 1.0, NAN, 3.0, 4.0, NAN }, b[] = { 0.5, 1.0, NAN, 3.0, NAN };
    struct stats_paired p = stats_paired(a, b, 5);

    (void)state;
    assert_int_equal(p.n, 2);
    assert_int_equal(p.dropped, 3);
    near(p.difference, 0.75, 1e-15);
    near(p.mean_a, 2.5, 1e-15);
    near(p.mean_b, 1.75, 1e-15);
}

static void nothing_to_compare_has_no_p(void **state)
{
    const double nan[] = { NAN, NAN };
    struct stats_paired none = stats_paired(NULL, NULL, 0), lost = stats_paired(nan, nan, 2);

    (void)state;
    assert_true(isnan(none.p_t) && isnan(none.p_flip) && isnan(none.difference));
    assert_false(none.interval.valid);
    assert_true(lost.n == 0 && lost.dropped == 2 && isnan(lost.p_flip));
}

static void a_constant_advantage_is_certain(void **state)
{
    const double a[] = { 3.0, 4.0, 5.0 }, b[] = { 1.0, 2.0, 3.0 };
    struct stats_paired p = stats_paired(a, b, 3);

    (void)state;
    assert_true(p.p_t == 0.0 && p.interval.valid && p.interval.lo == 2.0 && p.interval.hi == 2.0);
    near(p.p_flip, 0.25, 1e-15);
    assert_true(stats_paired(a, a, 3).p_t == 1.0);
}

static void always_right_against_always_wrong_is_a_share_on_both_sides(void **state)
{
    const double right[] = { 1.0, 1.0, 1.0, 1.0 }, wrong[] = { 0.0, 0.0, 0.0, 0.0 };
    struct stats_interval up = stats_paired(right, wrong, 4).interval,
                          down = stats_paired(wrong, right, 4).interval;

    (void)state;
    assert_true(up.lo == stats_share(4, 4).lo && up.hi == 1.0);
    assert_true(down.lo == -1.0 && down.hi == -up.lo);
}

static void outcomes_of_one_model_are_mcnemars(void **state)
{
    double a[100], b[100];

    (void)state;
    for (int i = 0; i < 100; i++) {
        a[i] = i < 60;
        b[i] = i < 42 || (i >= 60 && i < 67);
    }
    near(stats_paired(a, b, 100).p_flip, stats_mcnemar(18, 7), 1e-15);
}

static void sides_and_order_do_not_matter(void **state)
{
    struct rng r = rng_stream("test", 1, 2);
    double a[200], b[200], back_a[200], back_b[200];
    struct stats_paired p, mirrored, turned;

    (void)state;
    for (int i = 0; i < 200; i++) {
        back_a[199 - i] = a[i] = rng_normal(&r) + 0.1;
        back_b[199 - i] = b[i] = rng_normal(&r);
    }
    p = stats_paired(a, b, 200);
    mirrored = stats_paired(b, a, 200);
    turned = stats_paired(back_a, back_b, 200);
    near(p.difference, -mirrored.difference, 1e-15);
    assert_true(p.p_flip == mirrored.p_flip && p.p_t == mirrored.p_t);
    near(p.interval.lo, -mirrored.interval.hi, 0.1 * (p.interval.hi - p.interval.lo));
    assert_true(p.interval.lo == turned.interval.lo && p.interval.hi == turned.interval.hi);
    assert_true(p.p_flip == turned.p_flip);
}

/* Draws of means by counts, by half words and by words have one distribution. */
static void fast_draws_are_draws(void **state)
{
    enum { N = 2000 };
    static double coarse[N], fine[N], out[STATS_RESAMPLES];
    struct rng r = rng_stream("test", 3, 4);
    double sd;

    (void)state;
    for (int i = 0; i < N; i++) {
        coarse[i] = (double)(i / 400); /* five values: by counts */
        fine[i] = (double)(i / 400) + 1e-9 * (double)i;
    }
    sd = stats_sd(coarse, N) / sqrt((double)N);
    draws_means(coarse, N, &r, out, STATS_RESAMPLES);
    near(stats_mean(out, STATS_RESAMPLES), 2.0, 4.0 * sd / sqrt((double)STATS_RESAMPLES));
    near(stats_sd(out, STATS_RESAMPLES), sd, 0.08 * sd);
    draws_means(fine, N, &r, out, STATS_RESAMPLES);
    near(stats_mean(out, STATS_RESAMPLES), 2.0, 1e-5 + 4.0 * sd / sqrt((double)STATS_RESAMPLES));
    near(stats_sd(out, STATS_RESAMPLES), sd, 0.08 * sd);
}

static void half_words_reach_every_place(void **state)
{
    static const size_t sizes[] = { 1, 2, 3, 33, 5000, 32768 };
    struct rng r = rng_stream("test", 5, 6);
    static double x[32768], out[64];

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        double n = (double)sizes[s];

        for (size_t i = 0; i < sizes[s]; i++)
            x[i] = (double)i;
        draws_means(x, sizes[s], &r, out, ARRAY_LEN(out));
        near(stats_mean(out, ARRAY_LEN(out)), (n - 1.0) / 2.0,
             5.0 * n / sqrt(12.0 * n * (double)ARRAY_LEN(out)));
    }
}

static void binomials_have_their_moments(void **state)
{
    static const struct {
        uint64_t n;
        double p;
    } cases[] = { { 5, 0.3 }, { 1000, 0.001 }, { 40, 0.5 }, { 5000, 0.9 }, { 1000000, 0.02 } };
    struct rng r = rng_stream("test", 7, 8);
    enum { DRAWS = 20000 };

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double sum = 0.0, squares = 0.0, n = (double)cases[c].n, p = cases[c].p;
        double variance = n * p * (1.0 - p), mean;

        for (int i = 0; i < DRAWS; i++) {
            double k = (double)draws_binomial(&r, cases[c].n, p);

            assert_true(k <= n);
            sum += k - n * p;
            squares += (k - n * p) * (k - n * p);
        }
        mean = sum / DRAWS;
        near(mean, 0.0, 4.5 * sqrt(variance / DRAWS));
        near(squares / DRAWS - mean * mean, variance, 0.06 * variance);
    }
    assert_int_equal(draws_binomial(&r, 9, 0.0), 0);
    assert_int_equal(draws_binomial(&r, 9, 1.0), 9);
}

enum { N = 300 };

/* A is better by 0.1 on average; seeds of either side vary by SD. */
static void fill(double x[5][N], double plus, double sd, uint64_t stream)
{
    for (uint64_t s = 0; s < 5; s++) {
        struct rng own = rng_stream("seed", stream, s), r = rng_stream("noise", stream, s),
                   common = rng_stream("ease", 0, 0);
        double skill = sd * rng_normal(&own);

        for (int j = 0; j < N; j++)
            x[s][j] = plus + skill + rng_normal(&common) + 0.3 * rng_normal(&r);
    }
}

static double width(struct stats_interval i)
{
    assert_true(i.valid);
    return i.hi - i.lo;
}

static void seeds_that_differ_widen_a_paired_interval(void **state)
{
    static double a[5][N], b[5][N];
    const double *ra[] = { a[0], a[1], a[2], a[3], a[4] }, *rb[] = { b[0], b[1], b[2], b[3], b[4] };
    struct stats_paired fixed, free_, same;

    (void)state;
    fill(a, 0.1, 0.2, 1);
    fill(b, 0.0, 0.2, 2);
    fixed = stats_paired_seeds(ra, 5, rb, 5, N, (struct stats_paired_options){ false, false });
    free_ = stats_paired_seeds(ra, 5, rb, 5, N, (struct stats_paired_options){ true, false });
    same = stats_paired_seeds(ra, 5, rb, 5, N, (struct stats_paired_options){ true, true });
    assert_true(width(free_.interval) > 4.0 * width(fixed.interval));
    assert_true(width(same.interval) > 4.0 * width(fixed.interval));
    near(fixed.difference, free_.difference, 1e-15);
    /* The examples' ease is common to both sides: it cancels, as it does in the pairs. */
    assert_true(width(fixed.interval) < 0.12);
    /* Two seeds say nothing about seeds. */
    fixed = stats_paired_seeds(ra, 2, rb, 5, N, (struct stats_paired_options){ false, false });
    free_ = stats_paired_seeds(ra, 2, rb, 5, N, (struct stats_paired_options){ true, false });
    near(width(fixed.interval), width(free_.interval), 0.0);
}

static void an_example_that_one_seed_lacks_still_has_its_mean(void **state)
{
    const double a0[] = { 1.0, NAN }, a1[] = { 0.0, 1.0 }, b0[] = { 0.0, 0.0 };
    const double *a[] = { a0, a1 }, *b[] = { b0 };
    struct stats_paired p =
        stats_paired_seeds(a, 2, b, 1, 2, (struct stats_paired_options){ true, false });

    (void)state;
    assert_int_equal(p.n, 2);
    near(p.mean_a, 0.75, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_pairs_are_flipped_in_all_ways),
        cmocka_unit_test(pairs_without_a_partner_are_dropped_and_counted),
        cmocka_unit_test(nothing_to_compare_has_no_p),
        cmocka_unit_test(a_constant_advantage_is_certain),
        cmocka_unit_test(always_right_against_always_wrong_is_a_share_on_both_sides),
        cmocka_unit_test(outcomes_of_one_model_are_mcnemars),
        cmocka_unit_test(sides_and_order_do_not_matter),
        cmocka_unit_test(fast_draws_are_draws),
        cmocka_unit_test(half_words_reach_every_place),
        cmocka_unit_test(binomials_have_their_moments),
        cmocka_unit_test(seeds_that_differ_widen_a_paired_interval),
        cmocka_unit_test(an_example_that_one_seed_lacks_still_has_its_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
