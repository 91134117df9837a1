/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: 95 % intervals hold the truth in 93 to 97 of 100 samples, and p values below 0.05 come from
 * no difference in 3 to 7 of 100. Method: simulated data whose truth is known, seeds fixed; shares
 * by summing over all outcomes. The check itself is checked: the plain two-level bootstrap and the
 * seeds' normal interval must fail it. Under a sanitizer fewer samples are drawn, so the bound is
 * wider there: it is the memory that is watched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "common/stats/stats.h"

#ifdef __SANITIZE_ADDRESS__
enum { SAMPLES = 120 };
static const double within = 0.06; /* 2 points and twice the noise of 120 samples */
#else
enum { SAMPLES = 1200 };
static const double within = 0.02; /* the noise of 1,200 samples is 0.6 points */
#endif

enum { SEEDS = 5, EXAMPLES = 500 };

static bool holds(struct stats_interval i, double truth)
{
    assert_true(i.valid);
    return i.lo <= truth && truth <= i.hi;
}

static bool fine(double coverage)
{
    return fabs(coverage - 0.95) <= within;
}

static void expect(const char *what, double coverage)
{
    print_message("%s: %.1f %%\n", what, 100.0 * coverage);
    if (!fine(coverage))
        fail_msg("%s covers %.2f %%", what, 100.0 * coverage);
}

static double normal(struct rng *r)
{
    return rng_normal(r);
}

static double exponential(struct rng *r)
{
    return -log1p(-rng_double(r));
}

static double bernoulli(struct rng *r)
{
    return rng_double(r) < 0.3 ? 1.0 : 0.0;
}

static double thirds(struct rng *r) /* a mean over three seeds */
{
    return (double)(rng_below(r, 3) + rng_below(r, 2)) / 3.0;
}

static void bca_covers_from_50_examples_on(void **state)
{
    static const struct {
        const char *name;
        double (*draw)(struct rng *r);
        double truth;
    } from[] = { { "normal", normal, 0.0 },
                 { "exponential", exponential, 1.0 },
                 { "Bernoulli(0.3)", bernoulli, 0.3 },
                 { "thirds", thirds, 0.5 } };
    static const size_t sizes[] = { 50, 200 };
    double x[200];
    char what[64];

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(from); f++) {
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            struct rng r = rng_stream("coverage", f, sizes[s]);
            int held = 0;

            for (int k = 0; k < SAMPLES; k++) {
                for (size_t i = 0; i < sizes[s]; i++)
                    x[i] = from[f].draw(&r);
                held += holds(stats_bca(x, sizes[s]), from[f].truth);
            }
            snprintf(what, sizeof what, "BCa, %s, n = %zu", from[f].name, sizes[s]);
            expect(what, (double)held / SAMPLES);
        }
    }
}

static void shares_cover_exactly_summed(void **state)
{
    static const uint64_t sizes[] = { 50, 200 };
    struct stats_interval i[201];

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        uint64_t n = sizes[s];
        double covered = 0.0;

        for (uint64_t k = 0; k <= n; k++)
            i[k] = stats_share(k, n);
        for (uint64_t k = 0; k <= n; k++) {
            double x = (double)k, m = (double)n;

            if (holds(i[k], 0.3))
                covered += exp(lgamma(m + 1) - lgamma(x + 1) - lgamma(m - x + 1) + x * log(0.3) +
                               (m - x) * log(0.7));
        }
        print_message("share 0.3 of %d: %.2f %%\n", (int)n, 100.0 * covered);
        assert_true(covered > 0.93 && covered < 0.97);
    }
}

static void t_covers_with_five_seeds(void **state)
{
    struct rng r = rng_stream("coverage", 5, 5);
    double mean[SEEDS], z = 1.959963984540054;
    int held = 0, by_normal = 0;

    (void)state;
    for (int k = 0; k < 4 * SAMPLES; k++) {
        for (int s = 0; s < SEEDS; s++)
            mean[s] = normal(&r);
        held += holds(stats_seeds(mean, SEEDS), 0.0);
        by_normal += fabs(stats_mean(mean, SEEDS)) <= z * stats_se(mean, SEEDS);
    }
    expect("t, 5 seeds", (double)held / (4 * SAMPLES));
    assert_false(fine((double)by_normal / (4 * SAMPLES))); /* the check sees a wrong method */
}

/* Mean over the logit-normal distribution around BASE. */
static double truth_of(double base, double sd)
{
    double sum = 0.0, weight = 0.0;

    for (double z = -6.0; z <= 6.0; z += 0.01) {
        sum += exp(-z * z / 2.0) / (1.0 + exp(-base - sd * z));
        weight += exp(-z * z / 2.0);
    }
    return sum / weight;
}

/* Seeds' skills vary by SEED_SD, examples' ease by EXAMPLE_SD (common to all seeds), in logits. */
static void draw_scores(struct rng *r, double seed_sd, double example_sd, double x[SEEDS][EXAMPLES])
{
    double skill[SEEDS];

    for (int s = 0; s < SEEDS; s++)
        skill[s] = seed_sd * rng_normal(r);
    for (int j = 0; j < EXAMPLES; j++) {
        double ease = example_sd > 0.0 ? example_sd * rng_normal(r) : 0.0;

        for (int s = 0; s < SEEDS; s++)
            x[s][j] = rng_double(r) < 1.0 / (1.0 + exp(-0.5 - skill[s] - ease)) ? 1.0 : 0.0;
    }
}

/* A's outcomes, and D = A - B, of models whose skills vary by SKILL_SD and A's gain by GAIN_SD. */
static void draw_pairs(struct rng *r, double gain, double gain_sd, double skill_sd,
                       double example_sd, double a[SEEDS][EXAMPLES], double d[SEEDS][EXAMPLES])
{
    double skill[SEEDS], more[SEEDS];

    for (int s = 0; s < SEEDS; s++) {
        skill[s] = skill_sd * rng_normal(r);
        more[s] = gain + gain_sd * rng_normal(r);
    }
    for (int j = 0; j < EXAMPLES; j++) {
        double ease = example_sd * rng_normal(r);

        for (int s = 0; s < SEEDS; s++) {
            double of_b = 0.5 + skill[s] + ease;

            a[s][j] = rng_double(r) < 1.0 / (1.0 + exp(-of_b - more[s])) ? 1.0 : 0.0;
            d[s][j] = a[s][j] - (rng_double(r) < 1.0 / (1.0 + exp(-of_b)) ? 1.0 : 0.0);
        }
    }
}

static void count_hits(double x[SEEDS][EXAMPLES], uint64_t hits[SEEDS])
{
    for (int s = 0; s < SEEDS; s++)
        hits[s] = (uint64_t)stats_sum(x[s], EXAMPLES);
}

/* What two_level.h corrects: draw seeds, then their examples, take the percentiles. */
static struct stats_interval plain_two_level(const uint64_t hits[SEEDS], struct rng *r)
{
    enum { RESAMPLES = 400 };
    double mean[RESAMPLES];

    for (int i = 0; i < RESAMPLES; i++) {
        mean[i] = 0.0;
        for (int s = 0; s < SEEDS; s++) {
            double p = (double)hits[rng_below(r, SEEDS)] / EXAMPLES;

            mean[i] += (p + sqrt(p * (1.0 - p) / EXAMPLES) * rng_normal(r)) / SEEDS;
        }
    }
    stats_sort(mean, RESAMPLES);
    return (struct stats_interval){ true, stats_quantile_sorted(mean, RESAMPLES, 0.025),
                                    stats_quantile_sorted(mean, RESAMPLES, 0.975) };
}

static void two_levels_of_counts_cover_at_5_by_500(void **state)
{
    static const double sds[] = { 0.1, 0.2, 0.5, 1.0 };
    static double x[SEEDS][EXAMPLES];
    uint64_t hits[SEEDS], n[SEEDS];
    char what[64];

    (void)state;
    for (int s = 0; s < SEEDS; s++)
        n[s] = EXAMPLES;
    for (size_t k = 0; k < ARRAY_LEN(sds); k++) {
        double truth = truth_of(0.5, sds[k]);
        struct rng r = rng_stream("coverage", 500, k);
        int held = 0, plain = 0;

        for (int i = 0; i < SAMPLES; i++) {
            draw_scores(&r, sds[k], 0.0, x);
            count_hits(x, hits);
            held += holds(stats_two_level(hits, n, SEEDS), truth);
            plain += holds(plain_two_level(hits, &r), truth);
        }
        snprintf(what, sizeof what, "two-level, seeds' sd %.1f logits", sds[k]);
        expect(what, (double)held / SAMPLES);
        print_message("  (plain two-level bootstrap: %.1f %%)\n", 100.0 * plain / SAMPLES);
        if (sds[k] >= 0.5)
            assert_false(fine((double)plain / SAMPLES)); /* planted: the check sees it */
    }
}

static void two_levels_of_shared_examples_cover_at_5_by_500(void **state)
{
    static const double sds[][2] = { { 0.1, 1.0 }, { 0.2, 2.0 }, { 0.5, 1.0 }, { 0.05, 3.0 } };
    static double x[SEEDS][EXAMPLES];
    const double *rows[SEEDS];
    uint64_t hits[SEEDS];
    size_t n[SEEDS];
    char what[64];

    (void)state;
    for (int s = 0; s < SEEDS; s++) {
        rows[s] = x[s];
        n[s] = EXAMPLES;
    }
    for (size_t k = 0; k < ARRAY_LEN(sds); k++) {
        double truth = truth_of(0.5, hypot(sds[k][0], sds[k][1]));
        struct rng r = rng_stream("coverage", 501, k);
        int held = 0, unaligned = 0;

        for (int i = 0; i < SAMPLES; i++) {
            uint64_t of[SEEDS];

            draw_scores(&r, sds[k][0], sds[k][1], x);
            count_hits(x, hits);
            for (int s = 0; s < SEEDS; s++)
                of[s] = EXAMPLES;
            held += holds(stats_two_level_values(rows, n, SEEDS, true), truth);
            unaligned += holds(stats_two_level(hits, of, SEEDS), truth);
        }
        snprintf(what, sizeof what, "two-level aligned, sd %.2f and %.0f", sds[k][0], sds[k][1]);
        expect(what, (double)held / SAMPLES);
        if (sds[k][1] >= 3.0) /* planted: as if each seed had examples of its own */
            assert_false(fine((double)unaligned / SAMPLES));
    }
}

/* Two ways on the same models and examples: B as above, A better by a gain that differs by seed. */
static void two_levels_of_differences_cover_at_5_by_500(void **state)
{
    static const double sds[][2] = { { 0.1, 1.0 }, { 0.2, 1.0 }, { 0.5, 1.0 }, { 0.2, 3.0 } };
    static double a[SEEDS][EXAMPLES], d[SEEDS][EXAMPLES];
    const double gain = 0.3, skill_sd = 0.3, *rows[SEEDS];
    size_t n[SEEDS];
    char what[64];

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(sds); k++) {
        double all = hypot(skill_sd, sds[k][1]);
        double truth = truth_of(0.5 + gain, hypot(all, sds[k][0])) - truth_of(0.5, all);
        struct rng r = rng_stream("coverage", 502, k);
        int held = 0, apart = 0;

        for (int i = 0; i < SAMPLES; i++) {
            struct stats_interval one[2] = { { 0 } };

            draw_pairs(&r, gain, sds[k][0], skill_sd, sds[k][1], a, d);
            for (int s = 0; s < SEEDS; s++) {
                rows[s] = a[s];
                n[s] = EXAMPLES;
            }
            if (sds[k][1] >= 3.0)
                one[0] = stats_two_level_values(rows, n, SEEDS, true);
            for (int s = 0; s < SEEDS; s++)
                rows[s] = d[s];
            one[1] = stats_differences(rows, n, SEEDS, true, true);
            held += holds(one[1], truth);
            apart += one[1].hi - one[1].lo > one[0].hi - one[0].lo;
        }
        snprintf(what, sizeof what, "differences, gain's sd %.2f, examples' %.0f", sds[k][0],
                 sds[k][1]);
        expect(what, (double)held / SAMPLES);
        if (sds[k][1] >= 3.0) /* hard examples are hard for both: pairs are what narrows it */
            assert_true(apart < SAMPLES / 4);
    }
}

static void tests_of_no_difference_reject_one_in_twenty(void **state)
{
    struct rng r = rng_stream("coverage", 20, 20);
    double a[30], b[30];
    int by_t = 0, by_flip = 0, by_rank = 0, samples = MIN(SAMPLES, 1000);

    (void)state;
    for (int k = 0; k < samples; k++) {
        struct stats_paired p;

        for (size_t i = 0; i < ARRAY_LEN(a); i++) {
            double ease = normal(&r);

            a[i] = ease + exponential(&r);
            b[i] = ease + exponential(&r);
        }
        p = stats_paired(a, b, ARRAY_LEN(a));
        by_t += p.p_t < 0.05;
        by_flip += p.p_flip < 0.05;
        by_rank += stats_wilcoxon(a, b, ARRAY_LEN(a)) < 0.05;
    }
    expect("paired t keeps", 1.0 - (double)by_t / samples);
    expect("sign flips keep", 1.0 - (double)by_flip / samples);
    expect("Wilcoxon keeps", 1.0 - (double)by_rank / samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bca_covers_from_50_examples_on),
        cmocka_unit_test(shares_cover_exactly_summed),
        cmocka_unit_test(t_covers_with_five_seeds),
        cmocka_unit_test(two_levels_of_counts_cover_at_5_by_500),
        cmocka_unit_test(two_levels_of_shared_examples_cover_at_5_by_500),
        cmocka_unit_test(two_levels_of_differences_cover_at_5_by_500),
        cmocka_unit_test(tests_of_no_difference_reject_one_in_twenty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
