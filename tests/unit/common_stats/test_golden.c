/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: our statistics are those of scipy and statsmodels. Method: golden.inc, which golden.py made
 * with them (functions named there, beside each table); resampling methods are compared with runs
 * of 400,000 resamples within what 2,000 of ours can miss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/base/macros.h"
#include "common/stats/stats.h"

struct golden2 {
    double x, y;
};
struct golden3 {
    double x, freedom, y;
};
struct golden_mcnemar {
    uint64_t only_a, only_b;
    double exact, chi2;
};

#include "tests/unit/common_stats/golden.inc"

enum { X = ARRAY_LEN(golden_x), PAIRS = ARRAY_LEN(golden_a) };

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not within %g of %.17g", a, tolerance, b);
}

/* Within RELATIVE of GOLDEN, which may be tiny. */
static void same(double a, double golden, double relative)
{
    near(a, golden, relative * fabs(golden) + 1e-300);
}

static void tails_of_t_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden_t); i++) {
        const struct golden3 *g = &golden_t[i];

        same(stats_t_two_sided(g->x, g->freedom), g->y, 1e-10);
        same(stats_t_two_sided(-g->x, g->freedom), g->y, 1e-10);
        near(stats_t_cdf(g->x, g->freedom), 1.0 - g->y / 2.0, 1e-11);
    }
    /* scipy's own quantile is off by up to 2e-9: at one degree it is cot(0.0005 pi) =
     * 636.619248768720, which it misses by 1e-9. */
    for (size_t i = 0; i < ARRAY_LEN(golden_t_quantile); i++) {
        const struct golden3 *g = &golden_t_quantile[i];
        double t = stats_t_quantile(g->x, g->freedom);

        near(t, g->y, 1e-8 * fmax(1.0, fabs(g->y)));
        near(stats_t_cdf(t, g->freedom), g->x, 1e-11);
    }
    same(stats_t_quantile(0.9995, 1.0), 636.619248768720, 1e-11);
}

static void normal_and_chi_squared_are_scipys(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden_normal); i++)
        near(stats_normal_quantile(golden_normal[i].x), golden_normal[i].y, 1e-11);
    for (size_t i = 0; i < ARRAY_LEN(golden_chi2); i++)
        same(stats_chi2_upper(golden_chi2[i].x, golden_chi2[i].freedom), golden_chi2[i].y, 1e-10);
}

static void a_sample_is_described_as_by_numpy(void **state)
{
    (void)state;
    same(stats_mean(golden_x, X), golden_moments[0], 1e-14);
    same(stats_variance(golden_x, X), golden_moments[1], 1e-13);
    same(stats_sd(golden_x, X), golden_moments[2], 1e-13);
    same(stats_se(golden_x, X), golden_moments[3], 1e-13);
    same(stats_median(golden_x, X), golden_moments[4], 1e-15);
    for (size_t i = 0; i < ARRAY_LEN(golden_quantile); i++)
        same(stats_quantile(golden_x, X, golden_quantile[i].x), golden_quantile[i].y, 1e-14);
}

static void what_is_not_defined_is_nan(void **state)
{
    const double one = 3.0, odd[] = { 1.0, NAN, 2.0 };

    (void)state;
    assert_true(isnan(stats_mean(NULL, 0)) && isnan(stats_median(NULL, 0)));
    assert_true(isnan(stats_sd(&one, 1)) && isnan(stats_se(&one, 1)));
    assert_true(stats_median(&one, 1) == 3.0 && stats_mean(&one, 1) == 3.0);
    assert_true(isnan(stats_mean(odd, 3)) && isnan(stats_quantile(odd, 3, 0.1)));
    assert_false(stats_bca(odd, 3).valid);
    assert_false(stats_seeds(odd, 3).valid);
    assert_false(stats_bca(&one, 1).valid);
    assert_true(isnan(stats_t_two_sided(NAN, 3.0)) && stats_t_two_sided(INFINITY, 3.0) == 0.0);
}

static void sums_do_not_lose_small_terms(void **state)
{
    const double x[] = { 1e100, 1.0, -1e100, 1.0 };

    (void)state;
    assert_true(stats_sum(x, 4) == 2.0);
}

static void seeds_get_scipys_interval(void **state)
{
    struct stats_interval i = stats_seeds(golden_x, 5);

    (void)state;
    assert_true(i.valid);
    same(i.lo, golden_seeds[0], 1e-9);
    same(i.hi, golden_seeds[1], 1e-9);
}

static void difference_of(double *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        d[i] = golden_a[i] - golden_b[i];
}

/* Ours is wider than scipy's by sqrt(n / (n - 1)) t / z (interval.h); what remains is the noise of
 * 2,000 resamples. */
static void bca_near(const double *x, size_t n, const double *golden)
{
    struct stats_interval i = stats_bca(x, n);
    double wide = sqrt((double)n / (double)(n - 1)) * stats_t_quantile(0.975, (double)(n - 1)) /
                  stats_normal_quantile(0.975);
    double mean = stats_mean(x, n), width = golden[1] - golden[0];

    assert_true(i.valid);
    near(i.lo, mean - wide * (mean - golden[0]), 0.035 * width);
    near(i.hi, mean + wide * (golden[1] - mean), 0.06 * width);
}

static void bca_is_scipys_but_for_few_examples_spread(void **state)
{
    double d[PAIRS];

    (void)state;
    difference_of(d, PAIRS);
    bca_near(golden_x, X, golden_bca_x); /* log-normal: lopsided */
    bca_near(d, PAIRS, golden_bca_d);
    assert_true(golden_bca_x[1] - stats_mean(golden_x, X) >
                1.3 * (stats_mean(golden_x, X) - golden_bca_x[0]));
}

static void pairs_are_judged_as_by_scipy(void **state)
{
    struct stats_paired all = stats_paired(golden_a, golden_b, PAIRS);
    struct stats_paired few = stats_paired(golden_a, golden_b, 12);

    (void)state;
    same(all.difference, golden_paired[0], 1e-12);
    same(all.p_t, golden_paired[1], 1e-9);
    same(few.p_t, golden_paired[2], 1e-9);
    same(few.p_flip, golden_paired[3], 1e-12); /* exact */
    near(all.p_flip, golden_paired[7], 4.0 * sqrt(golden_paired[7] / STATS_FLIPS));
    assert_int_equal(all.n, PAIRS);
}

static void wilcoxon_is_scipys(void **state)
{
    double a[PAIRS], b[PAIRS];

    (void)state;
    same(stats_wilcoxon(golden_a, golden_b, 20), golden_paired[4], 1e-12);
    same(stats_wilcoxon(golden_a, golden_b, PAIRS), golden_paired[5], 1e-10);
    for (size_t i = 0; i < PAIRS; i++) { /* rounded: ties and zeros; whole numbers tie exactly */
        a[i] = rint(golden_a[i] * 10.0);
        b[i] = rint(golden_b[i] * 10.0);
    }
    same(stats_wilcoxon(a, b, PAIRS), golden_paired[6], 1e-10);
}

static void mcnemar_is_statsmodels(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(golden_mcnemar); i++) {
        const struct golden_mcnemar *g = &golden_mcnemar[i];

        same(stats_mcnemar(g->only_a, g->only_b), g->exact, 1e-10);
        same(stats_mcnemar(g->only_b, g->only_a), g->exact, 1e-10);
        same(stats_mcnemar_chi2(g->only_a, g->only_b), g->chi2, 1e-10);
    }
    assert_true(stats_mcnemar(0, 0) == 1.0 && stats_mcnemar_chi2(0, 0) == 1.0);
    assert_true(stats_mcnemar(7, 7) == 1.0);
}

static void seeds_are_compared_as_by_scipy(void **state)
{
    struct stats_difference w = stats_welch(golden_a, 5, golden_b + 10, 4),
                            p = stats_paired_t(golden_a, golden_b, 5);

    (void)state;
    same(w.t, golden_welch[0], 1e-10);
    same(w.p, golden_welch[1], 1e-10);
    same(w.freedom, golden_welch_interval[0], 1e-10);
    near(w.interval.lo, golden_welch_interval[1], 1e-8);
    near(w.interval.hi, golden_welch_interval[2], 1e-8);
    same(p.t, golden_welch[2], 1e-10);
    same(p.p, golden_welch[3], 1e-10);
}

static void holm_is_statsmodels(void **state)
{
    double adjusted[ARRAY_LEN(golden_p) + 1], p[ARRAY_LEN(golden_p) + 1];

    (void)state;
    stats_holm(golden_p, ARRAY_LEN(golden_p), adjusted);
    for (size_t i = 0; i < ARRAY_LEN(golden_p); i++)
        near(adjusted[i], golden_holm[i], 1e-14);
    p[0] = NAN; /* no test: not counted */
    for (size_t i = 0; i < ARRAY_LEN(golden_p); i++)
        p[i + 1] = golden_p[i];
    stats_holm(p, ARRAY_LEN(p), p);
    assert_true(isnan(p[0]));
    for (size_t i = 0; i < ARRAY_LEN(golden_p); i++)
        near(p[i + 1], golden_holm[i], 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_of_t_are_scipys),
        cmocka_unit_test(normal_and_chi_squared_are_scipys),
        cmocka_unit_test(a_sample_is_described_as_by_numpy),
        cmocka_unit_test(what_is_not_defined_is_nan),
        cmocka_unit_test(sums_do_not_lose_small_terms),
        cmocka_unit_test(seeds_get_scipys_interval),
        cmocka_unit_test(bca_is_scipys_but_for_few_examples_spread),
        cmocka_unit_test(pairs_are_judged_as_by_scipy),
        cmocka_unit_test(wilcoxon_is_scipys),
        cmocka_unit_test(mcnemar_is_statsmodels),
        cmocka_unit_test(seeds_are_compared_as_by_scipy),
        cmocka_unit_test(holm_is_statsmodels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
