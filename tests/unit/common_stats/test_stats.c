/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: intervals are what their names say. Method: published quantiles; the coverage of
 * stats_share computed exactly by summing over all outcomes; comparison with Wilson's interval;
 * symmetry; degenerate inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "common/base/macros.h"
#include "common/stats/stats.h"

static void assert_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.15g is not within %g of %.15g", a, tolerance, b);
}

static void quantiles_agree_with_published_tables(void **state)
{
    static const struct {
        double p, z;
    } normal[] = { { 0.975, 1.959963984540054 },
                   { 0.5, 0.0 },
                   { 0.025, -1.959963984540054 },
                   { 0.999, 3.090232306167813 },
                   { 1e-6, -4.753424308822899 } };
    static const struct {
        double freedom, t;
    } student[] = { { 1, 12.706204736174698 },  { 2, 4.302652729749464 },
                    { 4, 2.7764451051977987 },  { 9, 2.2621571627982 },
                    { 30, 2.0422724563012373 }, { 1000, 1.9623390808264078 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(normal); i++)
        assert_near(stats_normal_quantile(normal[i].p), normal[i].z, 1e-12);
    for (size_t i = 0; i < ARRAY_LEN(student); i++)
        assert_near(stats_t_quantile(0.975, student[i].freedom), student[i].t, 1e-8);
}

static void seeds_get_a_t_interval_from_three_on(void **state)
{
    const double mean[] = { 1.0, 2.0, 3.0 };
    struct stats_interval i = stats_seeds(mean, 3);

    (void)state;
    assert_true(i.valid);
    assert_near(i.lo, 2.0 - 4.302652729749464 / sqrt(3.0), 1e-8);
    assert_near(i.hi, 2.0 + 4.302652729749464 / sqrt(3.0), 1e-8);
    assert_false(stats_seeds(mean, 2).valid);
    assert_false(stats_seeds(mean, 0).valid);
}

static void share_is_near_wilsons_interval(void **state)
{
    static const struct {
        uint64_t hits, n;
    } cases[] = { { 30, 60 }, { 50, 60 }, { 200, 300 }, { 1900, 2000 }, { 10, 4000 } };

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
        double n = (double)cases[c].n, p = (double)cases[c].hits / n, z = 1.959963984540054,
               zz = z * z / n;
        double center = (p + zz / 2) / (1 + zz),
               half = z / (1 + zz) * sqrt(p * (1 - p) / n + zz / (4 * n));
        struct stats_interval i = stats_share(cases[c].hits, cases[c].n);

        assert_true(i.valid && i.lo < p && p < i.hi);
        assert_near(i.lo, center - half, 0.25 * half + 1.0 / n);
        assert_near(i.hi, center + half, 0.25 * half + 1.0 / n);
    }
}

static double log_binomial(uint64_t k, uint64_t n, double p)
{
    return lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) +
           (double)k * log(p) + (double)(n - k) * log1p(-p);
}

static void share_covers_the_truth_about_95_times_in_100(void **state)
{
    static const double truth[] = { 0.3, 0.5, 0.7, 0.85 };
    const uint64_t n = 80;
    double sum = 0.0;

    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(truth); t++) {
        double covered = 0.0;

        for (uint64_t k = 0; k <= n; k++) {
            struct stats_interval i = stats_share(k, n);

            if (i.lo <= truth[t] && truth[t] <= i.hi)
                covered += exp(log_binomial(k, n, truth[t]));
        }
        assert_true(covered > 0.90 && covered < 0.99);
        sum += covered;
    }
    assert_near(sum / ARRAY_LEN(truth), 0.95, 0.025);
}

static void share_is_the_same_every_time_and_nearly_symmetric(void **state)
{
    struct stats_interval a = stats_share(70, 100), b = stats_share(70, 100),
                          c = stats_share(30, 100);

    (void)state;
    assert_true(a.lo == b.lo && a.hi == b.hi);
    assert_near(a.lo, 1.0 - c.hi, 0.02);
    assert_near(a.hi, 1.0 - c.lo, 0.02);
}

static void share_without_a_hit_or_a_miss_is_exact(void **state)
{
    struct stats_interval none = stats_share(0, 60), all = stats_share(60, 60);

    (void)state;
    assert_true(none.valid && none.lo == 0.0);
    assert_near(none.hi, 1.0 - pow(0.025, 1.0 / 60.0), 1e-12);
    assert_true(all.hi == 1.0);
    assert_near(all.lo, 1.0 - none.hi, 1e-12);
    assert_false(stats_share(0, 0).valid);
}

static void large_n_is_quick_and_narrow(void **state)
{
    struct stats_interval i = stats_share(500000, 1000000);

    (void)state;
    assert_near(i.lo, 0.49902, 0.0002);
    assert_near(i.hi, 0.50098, 0.0002);
}

static void seeds_that_differ_widen_the_two_level_interval(void **state)
{
    const uint64_t n[] = { 100, 100, 100, 100, 100 }, same[] = { 80, 80, 80, 80, 80 },
                   spread[] = { 60, 70, 80, 90, 100 };
    struct stats_interval a = stats_two_level(same, n, 5), b = stats_two_level(spread, n, 5),
                          pooled = stats_share(400, 500);

    (void)state;
    assert_true(a.valid && b.valid);
    assert_true(b.hi - b.lo > 2.0 * (a.hi - a.lo));
    assert_near(a.hi - a.lo, pooled.hi - pooled.lo, 0.02);
    assert_true(a.lo < 0.8 && 0.8 < a.hi);
    assert_false(stats_two_level(same, n, 2).valid);
    assert_true(stats_two_level(same, n, 1).lo == stats_share(80, 100).lo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_published_tables),
        cmocka_unit_test(seeds_get_a_t_interval_from_three_on),
        cmocka_unit_test(share_is_near_wilsons_interval),
        cmocka_unit_test(share_covers_the_truth_about_95_times_in_100),
        cmocka_unit_test(share_is_the_same_every_time_and_nearly_symmetric),
        cmocka_unit_test(share_without_a_hit_or_a_miss_is_exact),
        cmocka_unit_test(large_n_is_quick_and_narrow),
        cmocka_unit_test(seeds_that_differ_widen_the_two_level_interval),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
