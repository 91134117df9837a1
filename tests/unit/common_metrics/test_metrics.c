/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: metrics and their standard errors are those of lm-evaluation-harness. Method: values by
 * hand, naive formulas and a plain bootstrap by drawn indices written here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "common/metrics/metrics.h"

#define assert_near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static void means_have_the_sample_standard_error(void **state)
{
    const double x[] = { 1, 0, 1, 1 }, one[] = { 0.5 };
    struct metric_value v = metric_mean(x, 4), s = metric_mean_sums(4, 3, 3);

    (void)state;
    assert_near(v.value, 0.75, 1e-15);
    assert_near(v.stderr_, 0.25, 1e-15); /* variance 0.75 / 3, over 4 */
    assert_int_equal(v.n, 4);
    assert_near(s.value, v.value, 1e-15);
    assert_near(s.stderr_, v.stderr_, 1e-15);
    v = metric_mean(one, 1);
    assert_true(v.value == 0.5 && isnan(v.stderr_));
    assert_true(isnan(metric_mean(one, 0).value));
    assert_true(isnan(metric_mean_sums(0, 0, 0).value));
    assert_true(isnan(metric_mean_sums(1, 1, 1).stderr_));
    assert_true(metric_mean_sums(3, 3, 3).stderr_ == 0);
}

static void pooled_means_weigh_groups_by_size(void **state)
{
    const double a[] = { 1, 0, 1, 1 }, b[] = { 0, 0, 1, 0, 0, 1 };
    struct metric_value g[3] = { metric_mean(a, 4), metric_mean(b, 6), { NAN, NAN, 0 } };
    struct metric_value v = metric_pooled(g, 3);
    double variance = 3 * 0.25 * 0.25 * 4 + 5 * g[1].stderr_ * g[1].stderr_ * 6;

    (void)state;
    assert_near(v.value, 0.5, 1e-15);
    assert_near(v.stderr_, sqrt(variance / (10 - 2) / 10), 1e-15);
    assert_int_equal(v.n, 10);
    assert_true(isnan(metric_pooled(g + 2, 1).value));
}

static double naive_mcc(const uint8_t *chosen, const uint8_t *gold, size_t n)
{
    double tp = 0, tn = 0, fp = 0, fn = 0, under;

    for (size_t i = 0; i < n; i++) {
        tp += chosen[i] && gold[i];
        tn += !chosen[i] && !gold[i];
        fp += chosen[i] && !gold[i];
        fn += !chosen[i] && gold[i];
    }
    under = sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
    return under > 0 ? (tp * tn - fp * fn) / under : 0;
}

/* Covariance form of the many-class coefficient, straight from the definition. */
static double naive_mcc_many(const uint8_t *chosen, const uint8_t *gold, size_t n)
{
    double xy = 0, xx = 0, yy = 0;

    for (int k = 0; k < 8; k++) {
        double x = 0, y = 0;
        for (size_t i = 0; i < n; i++) {
            x += chosen[i] == k;
            y += gold[i] == k;
        }
        for (size_t i = 0; i < n; i++) {
            double dx = (chosen[i] == k) - x / (double)n, dy = (gold[i] == k) - y / (double)n;
            xy += dx * dy;
            xx += dx * dx;
            yy += dy * dy;
        }
    }
    return xx * yy > 1e-12 ? xy / sqrt(xx * yy) : 0;
}

static double naive_f1(const uint8_t *chosen, const uint8_t *gold, size_t n, int k)
{
    double tp = 0, c = 0, g = 0;

    for (size_t i = 0; i < n; i++) {
        tp += chosen[i] == k && gold[i] == k;
        c += chosen[i] == k;
        g += gold[i] == k;
    }
    return tp > 0 ? 2 * (tp / c) * (tp / g) / (tp / c + tp / g) : 0;
}

static double naive_macro(const uint8_t *chosen, const uint8_t *gold, size_t n)
{
    return (naive_f1(chosen, gold, n, 0) + naive_f1(chosen, gold, n, 1) +
            naive_f1(chosen, gold, n, 2)) /
           3;
}

static double naive_f1_binary(const uint8_t *chosen, const uint8_t *gold, size_t n)
{
    return naive_f1(chosen, gold, n, 1);
}

static void class_metrics_equal_their_definitions(void **state)
{
    static const uint8_t gold[] = { 1, 1, 1, 0, 0 }, same[] = { 1, 1, 1, 0, 0 },
                         turned[] = { 0, 0, 0, 1, 1 }, ones[] = { 1, 1, 1, 1, 1 },
                         some[] = { 1, 1, 0, 0, 1 };
    struct rng rng = rng_stream("test", 1, 1);

    (void)state;
    assert_near(metric_classes(METRIC_MCC, same, gold, 5, 1).value, 1, 1e-12);
    assert_near(metric_classes(METRIC_MCC, turned, gold, 5, 1).value, -1, 1e-12);
    assert_true(metric_classes(METRIC_MCC, ones, gold, 5, 1).value == 0);
    assert_near(metric_classes(METRIC_MCC, some, gold, 5, 1).value, 1.0 / 6, 1e-12);
    assert_near(metric_classes(METRIC_F1, some, gold, 5, 1).value, 2.0 / 3, 1e-12);
    assert_near(metric_classes(METRIC_MACRO_F1, some, gold, 5, 1).value, 7.0 / 12, 1e-12);
    assert_true(isnan(metric_classes(METRIC_F1, some, gold, 0, 1).value));
    assert_true(isnan(metric_classes(METRIC_F1, some, gold, 1, 1).stderr_));
    for (int round = 0; round < 20; round++) {
        uint8_t c[60], g[60];
        for (int i = 0; i < 60; i++) {
            g[i] = (uint8_t)rng_below(&rng, 3);
            c[i] = rng_below(&rng, 2) ? g[i] : (uint8_t)rng_below(&rng, 3);
        }
        assert_near(metric_classes(METRIC_MCC, c, g, 60, 1).value, naive_mcc_many(c, g, 60), 1e-12);
        assert_near(metric_classes(METRIC_MACRO_F1, c, g, 60, 1).value, naive_macro(c, g, 60),
                    1e-12);
        for (int i = 0; i < 60; i++) {
            g[i] &= 1;
            c[i] &= 1;
        }
        assert_near(metric_classes(METRIC_MCC, c, g, 60, 1).value, naive_mcc(c, g, 60), 1e-12);
    }
}

static double naive_bootstrap(double (*f)(const uint8_t *, const uint8_t *, size_t),
                              const uint8_t *chosen, const uint8_t *gold, uint32_t n)
{
    enum { TIMES = 20000 };
    struct rng rng = rng_stream("test", 2, 2);
    uint8_t c[512], g[512];
    double sum = 0, squares = 0;

    for (int t = 0; t < TIMES; t++) {
        double v;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t at = rng_below(&rng, n);
            c[i] = chosen[at];
            g[i] = gold[at];
        }
        v = f(c, g, n);
        sum += v;
        squares += v * v;
    }
    return sqrt((squares - sum * sum / TIMES) / (TIMES - 1));
}

static void bootstrap_errors_equal_drawing_indices(void **state)
{
    struct rng rng = rng_stream("test", 3, 3);
    uint8_t c[200], g[200];
    struct metric_value v;

    (void)state;
    for (int i = 0; i < 200; i++) {
        g[i] = (uint8_t)(rng_below(&rng, 10) < 7);
        c[i] = rng_below(&rng, 4) ? g[i] : (uint8_t)rng_below(&rng, 2);
    }
    /* The standard deviation of 20,000 values has an error of about 0.5 %. */
    v = metric_classes(METRIC_MCC, c, g, 200, 42);
    assert_near(v.stderr_ / naive_bootstrap(naive_mcc, c, g, 200), 1, 0.03);
    v = metric_classes(METRIC_F1, c, g, 200, 42);
    assert_near(v.stderr_ / naive_bootstrap(naive_f1_binary, c, g, 200), 1, 0.03);
    for (int i = 0; i < 200; i += 3)
        g[i] = 2;
    for (int i = 0; i < 200; i += 5)
        c[i] = 2;
    v = metric_classes(METRIC_MACRO_F1, c, g, 200, 42);
    assert_near(v.stderr_ / naive_bootstrap(naive_macro, c, g, 200), 1, 0.03);
}

static void bootstrap_is_a_function_of_its_seed_and_of_counts(void **state)
{
    uint8_t c[] = { 0, 1, 1, 0, 1, 1, 0 }, g[] = { 0, 1, 0, 0, 1, 1, 1 };
    double a = metric_classes(METRIC_MCC, c, g, 7, 1).stderr_;
    double b = metric_classes(METRIC_MCC, c, g, 7, 1).stderr_;
    double other = metric_classes(METRIC_MCC, c, g, 7, 2).stderr_, turned;

    (void)state;
    for (int i = 0; i < 3; i++) {
        uint8_t t = c[i];
        c[i] = c[6 - i];
        c[6 - i] = t;
        t = g[i];
        g[i] = g[6 - i];
        g[6 - i] = t;
    }
    turned = metric_classes(METRIC_MCC, c, g, 7, 1).stderr_;
    assert_true(a == b && a == turned && a != other);
    assert_near(a, other, 0.02 * a);
}

static void large_sets_are_drawn_in_time(void **state)
{
    enum { N = 400000 };
    uint8_t *c = calloc(N, 1), *g = calloc(N, 1);
    struct rng rng = rng_stream("test", 4, 4);
    struct metric_value v;

    (void)state;
    for (int i = 0; i < N; i++) {
        g[i] = (uint8_t)rng_below(&rng, 2);
        c[i] = rng_below(&rng, 10) ? g[i] : !g[i];
    }
    /* MCC of a balanced table is 2p - 1: standard error 2 sqrt(p q / n). */
    v = metric_classes(METRIC_MCC, c, g, N, 7);
    assert_near(v.stderr_ / (2 * sqrt(0.09 / N)), 1, 0.1);
    free(c);
    free(g);
}

static void squad_thresholds_are_the_best_there_are(void **state)
{
    struct rng rng = rng_stream("test", 5, 5);

    (void)state;
    for (int round = 0; round < 200; round++) {
        double score[20], p[20], best = -1, threshold, found;
        uint8_t has[20];
        size_t n = 1 + rng_below(&rng, 20);
        for (size_t i = 0; i < n; i++) {
            has[i] = (uint8_t)rng_below(&rng, 2);
            score[i] = has[i] ? rng_double(&rng) : rng_below(&rng, 2);
            p[i] = rng_double(&rng);
        }
        /* Every cut: below it the answer counts, from it on "unanswerable". */
        for (size_t k = 0; k <= n; k++) {
            double cut = k < n ? p[k] : -1, sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += p[i] <= cut ? score[i] : !has[i];
            best = sum / (double)n > best ? sum / (double)n : best;
        }
        found = metric_squad_best(score, p, has, n, &threshold);
        assert_near(found, best, 1e-12);
        assert_near(metric_squad_best(score, p, has, n, NULL), found, 0);
        assert_true(threshold >= 0 && threshold < 1);
    }
    assert_true(isnan(metric_squad_best(NULL, NULL, NULL, 0, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_have_the_sample_standard_error),
        cmocka_unit_test(pooled_means_weigh_groups_by_size),
        cmocka_unit_test(class_metrics_equal_their_definitions),
        cmocka_unit_test(bootstrap_errors_equal_drawing_indices),
        cmocka_unit_test(bootstrap_is_a_function_of_its_seed_and_of_counts),
        cmocka_unit_test(large_sets_are_drawn_in_time),
        cmocka_unit_test(squad_thresholds_are_the_best_there_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
