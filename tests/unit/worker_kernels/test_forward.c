/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every forward kernel agrees with its double-precision twin within a stated bound, and all
 * CPU levels agree bit for bit. Method: random arrays of shapes that are and are not multiples of
 * sixteen. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include "tests/support/naive.h"
#include "tests/unit/worker_kernels/fill.h"

/* Float rounding leaves about (2^-24)^2 = 3.6e-15 per step; few steps here. */
#define BOUND 1e-12

static const struct kernels *level[KERNELS_LEVELS];
static size_t levels;

static int find_levels(void **state)
{
    (void)state;
    levels = runnable_levels(level);
    return 0;
}

/* Call once per level: the first result is compared with WANT, later ones with the first. */
static void agree(size_t l, float *first, const float *got, const double *want, size_t n)
{
    if (l == 0) {
        memcpy(first, got, n * sizeof(*got));
        const double error = nmse(got, want, n);
        if (!(error < BOUND))
            fail_msg("NMSE %g", error);
    } else if (memcmp(first, got, n * sizeof(*got)) != 0) {
        fail_msg("level %s differs from %s", level[l]->name, level[0]->name);
    }
}

static void rmsnorm_agrees(void **state)
{
    (void)state;
    static const size_t width[] = { 1, 8, 16, 17, 63, 64, 288, 1000 };
    for (size_t i = 0; i < ARRAY_LEN(width); i++) {
        const size_t d = width[i], n = 5 * d;
        BOTH x = both_normal(n, 1, 2), w = both_normal(d, 2, 1), y = both_zero(n),
             first = both_zero(n);
        float rstd[5];
        naive_rmsnorm(y.d, x.d, w.d, 1e-5, 5, d);
        for (size_t l = 0; l < levels; l++) {
            level[l]->rmsnorm(y.f, l % 2 ? NULL : rstd, x.f, w.f, 1e-5f, 5, d);
            agree(l, first.f, y.f, y.d, n);
            assert_true(rstd[4] > 0);
        }
    }
}

static void rope_agrees_and_minus_one_undoes_it(void **state)
{
    (void)state;
    enum { ROWS = 6, HEADS = 3, POSITIONS = 9 };
    static const uint32_t position[ROWS] = { 0, 1, 2, 7, 8, 3 };
    static const size_t width[] = { 2, 8, 16, 30, 64, 128 };
    for (size_t i = 0; i < 2 * ARRAY_LEN(width); i++) {
        const size_t e = width[i / 2], half = e / 2, n = ROWS * HEADS * e;
        BOTH angle = both_normal(POSITIONS * half, 1, 3), c = both_zero(POSITIONS * half),
             s = both_zero(POSITIONS * half);
        BOTH start = both_normal(n, 2, 1), x = both_normal(n, 2, 1), first = both_zero(n);
        for (size_t j = 0; j < angle.n; j++) {
            c.d[j] = c.f[j] = (float)cos(angle.d[j]);
            s.d[j] = s.f[j] = (float)sin(angle.d[j]);
        }
        naive_rope(x.d, position, c.d, s.d, 1, i % 2, ROWS, HEADS, e);
        for (size_t l = 0; l < levels; l++) {
            memcpy(x.f, start.f, n * sizeof(float));
            level[l]->rope(x.f, HEADS * e, position, c.f, s.f, 1, i % 2, ROWS, HEADS, e);
            agree(l, first.f, x.f, x.d, n);
            level[l]->rope(x.f, HEADS * e, position, c.f, s.f, -1, i % 2, ROWS, HEADS, e);
            assert_true(nmse(x.f, start.d, n) < BOUND);
        }
    }
}

static void swiglu_add_and_scale_add_agree(void **state)
{
    (void)state;
    static const size_t size[] = { 1, 15, 16, 100, 4097 };
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        const size_t n = size[i];
        BOTH a = both_normal(n, 1, 4), b = both_normal(n, 2, 1), y = both_zero(n),
             first = both_zero(n);
        naive_swiglu(y.d, a.d, b.d, n);
        for (size_t l = 0; l < levels; l++) {
            level[l]->swiglu(y.f, a.f, b.f, n);
            agree(l, first.f, y.f, y.d, n);
        }
        for (size_t j = 0; j < n; j++)
            y.d[j] = a.d[j] + b.d[j];
        for (size_t l = 0; l < levels; l++) {
            memcpy(y.f, a.f, n * sizeof(float));
            level[l]->add(y.f, b.f, n);
            agree(l, first.f, y.f, y.d, n);
        }
        for (size_t j = 0; j < n; j++)
            y.d[j] = a.d[j] + 0.25 * b.d[j];
        for (size_t l = 0; l < levels; l++) {
            memcpy(y.f, a.f, n * sizeof(float));
            level[l]->scale_add(y.f, b.f, 0.25f, n);
            agree(l, first.f, y.f, y.d, n);
        }
    }
}

static void logsumexp_and_argmax_agree(void **state)
{
    (void)state;
    static const size_t size[] = { 1, 2, 16, 72, 513, 32000 };
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        const size_t v = size[i];
        BOTH x = both_normal(v, 3, 5);
        const double want = naive_logsumexp(x.d, v);
        size_t top = 0;
        for (size_t j = 0; j < v; j++)
            top = x.d[j] > x.d[top] ? j : top;
        const float first = level[0]->logsumexp(x.f, v);
        assert_true(fabs(first - want) < 1e-6 * (1 + fabs(want)));
        for (size_t l = 0; l < levels; l++) {
            const float got = level[l]->logsumexp(x.f, v);
            assert_memory_equal(&got, &first, sizeof(got));
            assert_int_equal(level[l]->argmax(x.f, v), top);
        }
    }
}

static void of_equal_logits_the_first_wins(void **state)
{
    (void)state;
    float x[40] = { 0 };
    x[7] = x[23] = x[39] = 2;
    for (size_t l = 0; l < levels; l++) {
        assert_int_equal(level[l]->argmax(x, 40), 7);
        assert_int_equal(level[l]->argmax(x + 8, 32), 15);
        assert_int_equal(level[l]->argmax(x + 8, 3), 0);
    }
}

static void a_nan_logit_makes_the_loss_nan(void **state)
{
    (void)state;
    float x[20] = { 0 };
    x[19] = NAN;
    for (size_t l = 0; l < levels; l++)
        assert_true(isnan(level[l]->logsumexp(x, 20)));
}

/* In double, apart from the kernels. */
static void naive_log_prob(double *logprob, double *entropy, const double *x, double scale,
                           const uint32_t *target, size_t rows, size_t v)
{
    for (size_t r = 0; r < rows; r++, x += v) {
        double top = -INFINITY, sum = 0;
        for (size_t i = 0; i < v; i++)
            top = fmax(top, x[i] * scale);
        for (size_t i = 0; i < v; i++)
            sum += exp(x[i] * scale - top);
        logprob[r] = x[target[r]] * scale - top - log(sum);
        entropy[r] = 0;
        for (size_t i = 0; i < v; i++) {
            const double l = x[i] * scale - top - log(sum);
            entropy[r] -= exp(l) * l;
        }
    }
}

static void log_prob_agrees_for_every_scale(void **state)
{
    (void)state;
    enum { ROWS = 7 };
    static const size_t size[] = { 1, 2, 16, 72, 515, 5000 };
    static const double scale[] = { 1, 0.5, 3, 40 }; /* 40: far tails are exact zeros */
    for (size_t i = 0; i < ARRAY_LEN(size) * ARRAY_LEN(scale); i++) {
        const size_t v = size[i / 4], n = ROWS * v;
        const double s = scale[i % 4];
        BOTH x = both_normal(n, 1, 3), scaled = both_zero(n);
        double want[2][ROWS], got[2][ROWS], first[2][ROWS], only[ROWS];
        uint32_t target[ROWS];
        for (size_t r = 0; r < ROWS; r++)
            target[r] = (uint32_t)(r * 31 % v);
        naive_log_prob(want[0], want[1], x.d, s, target, ROWS, v);
        for (size_t l = 0; l < levels; l++) {
            memcpy(scaled.f, x.f, n * sizeof(float));
            level[l]->log_prob(got[0], got[1], scaled.f, target, (float)s, ROWS, v);
            for (size_t k = 0; k < n; k++)
                assert_true(scaled.f[k] == x.f[k] * (float)s);
            memcpy(scaled.f, x.f, n * sizeof(float));
            level[l]->log_prob(only, NULL, scaled.f, target, (float)s, ROWS, v);
            assert_memory_equal(only, got[0], sizeof(only));
            if (l == 0)
                memcpy(first, got, sizeof(got));
            assert_memory_equal(got, first, sizeof(got));
        }
        for (size_t r = 0; r < ROWS; r++) {
            assert_true(fabs(got[0][r] - want[0][r]) < 1e-6 * (1 + fabs(want[0][r])));
            assert_true(fabs(got[1][r] - want[1][r]) < 1e-5);
            assert_true(got[0][r] <= 0 && got[1][r] >= 0);
        }
    }
}

/* Cross entropy is what training minimises, log_prob what a policy compares: the same bits. */
static void log_prob_is_the_opposite_of_cross_entropy(void **state)
{
    (void)state;
    enum { ROWS = 9, V = 70 };
    BOTH x = both_normal(ROWS * V, 5, 4);
    uint32_t target[ROWS];
    double logprob[ROWS];
    float loss[ROWS];
    for (size_t r = 0; r < ROWS; r++)
        target[r] = (uint32_t)(r * 7);
    for (size_t l = 0; l < levels; l++) {
        level[l]->cross_entropy(loss, NULL, x.f, target, NULL, ROWS, V);
        level[l]->log_prob(logprob, NULL, x.f, target, 1, ROWS, V);
        for (size_t r = 0; r < ROWS; r++)
            assert_true((float)-logprob[r] == loss[r]);
    }
}

static void log_prob_of_no_number_is_no_number(void **state)
{
    (void)state;
    static const float bad[] = { NAN, INFINITY };
    static const uint32_t target[1] = { 3 };
    for (size_t l = 0; l < levels; l++)
        for (size_t i = 0; i < 2 * 20; i++) {
            float x[20] = { 0 };
            double logprob[1], entropy[1];
            x[i / 2] = bad[i % 2];
            level[l]->log_prob(logprob, entropy, x, target, 1, 1, 20);
            assert_true(isnan(logprob[0]) && isnan(entropy[0]));
        }
    float x[20] = { [5] = -INFINITY }; /* a masked token takes no part */
    double logprob[1], entropy[1];
    level[0]->log_prob(logprob, entropy, x, target, 1, 1, 20);
    assert_true(fabs(logprob[0] + log(19)) < 1e-6 && fabs(entropy[0] - log(19)) < 1e-6);
}

static void cross_entropy_agrees_also_in_place(void **state)
{
    (void)state;
    enum { ROWS = 7 };
    static const size_t size[] = { 2, 16, 72, 515 };
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        const size_t v = size[i], n = ROWS * v;
        BOTH x = both_normal(n, 1, 3), w = both_normal(ROWS, 2, 1), d = both_zero(n),
             first = both_zero(n);
        BOTH loss = both_zero(ROWS), first_loss = both_zero(ROWS);
        uint32_t target[ROWS];
        for (size_t r = 0; r < ROWS; r++)
            target[r] = (uint32_t)(r * 31 % v);
        naive_cross_entropy(loss.d, d.d, x.d, target, w.d, ROWS, v);
        for (size_t l = 0; l < levels; l++) {
            memcpy(d.f, x.f, n * sizeof(float));
            level[l]->cross_entropy(loss.f, d.f, d.f, target, w.f, ROWS, v);
            agree(l, first.f, d.f, d.d, n);
            agree(l, first_loss.f, loss.f, loss.d, ROWS);
            level[l]->cross_entropy(loss.f, NULL, x.f, target, w.f, ROWS, v);
            assert_memory_equal(loss.f, first_loss.f, ROWS * sizeof(float));
        }
    }
}

static void sum_of_squares_is_exact_to_double(void **state)
{
    (void)state;
    static const size_t size[] = { 0, 1, 15, 33, 10000 };
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        BOTH x = both_normal(size[i], 1, 1);
        double want = 0, first = level[0]->sum_squares(x.f, x.n);
        for (size_t j = 0; j < x.n; j++)
            want += x.d[j] * x.d[j];
        assert_true(fabs(first - want) <= 1e-13 * want);
        for (size_t l = 1; l < levels; l++)
            assert_true(level[l]->sum_squares(x.f, x.n) == first);
    }
}

static void adamw_agrees_over_several_steps(void **state)
{
    (void)state;
    enum { N = 77 };
    BOTH w0 = both_normal(N, 1, 1), w = both_normal(N, 1, 1), m = both_zero(N), v = both_zero(N),
         first = both_zero(N);
    BOTH g = both_normal(N, 2, 0.1);
    double b1 = 1, b2 = 1;
    for (int step = 0; step < 5; step++) {
        b1 *= (double)0.9f;
        b2 *= (double)0.999f;
        naive_adamw(w.d, m.d, v.d, g.d, 0.5, (double)0.01f, (double)0.9f, (double)0.999f,
                    (double)1e-8f, (double)0.1f, 1 - b1, 1 - b2, N);
    }
    for (size_t l = 0; l < levels; l++) {
        memcpy(w.f, w0.f, N * sizeof(float));
        memset(m.f, 0, N * sizeof(float));
        memset(v.f, 0, N * sizeof(float));
        b1 = b2 = 1;
        for (int step = 0; step < 5; step++) {
            b1 *= (double)0.9f;
            b2 *= (double)0.999f;
            level[l]->adamw(w.f, m.f, v.f, g.f, 0.5f, 0.01f, 0.9f, 0.999f, 1e-8f, 0.1f,
                            (float)(1 - b1), (float)(1 - b2), N);
        }
        agree(l, first.f, w.f, w.d, N);
    }
}

static void a_bias_is_added_to_every_row(void **state)
{
    (void)state;
    static const size_t width[] = { 1, 16, 50, 2048 };
    for (size_t i = 0; i < ARRAY_LEN(width); i++) {
        const size_t n = width[i], rows = 5;
        BOTH x = both_normal(rows * n, 1, 4), b = both_normal(n, 2, 1), y = both_zero(rows * n);
        for (size_t l = 0; l < levels; l++) {
            memcpy(y.f, x.f, y.n * sizeof(float));
            level[l]->add_bias(y.f, b.f, rows, n);
            for (size_t j = 0; j < y.n; j++)
                assert_true(y.f[j] == x.f[j] + b.f[j % n]);
        }
    }
}

static void the_environment_forces_a_level(void **state)
{
    (void)state;
    for (size_t l = 0; l < levels; l++) {
        setenv("DROVER_KERNELS", level[l]->name, 1);
        assert_ptr_equal(kernels_best(), level[l]);
    }
    unsetenv("DROVER_KERNELS");
    assert_ptr_equal(kernels_best(), level[levels - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rmsnorm_agrees),
        cmocka_unit_test(rope_agrees_and_minus_one_undoes_it),
        cmocka_unit_test(swiglu_add_and_scale_add_agree),
        cmocka_unit_test(a_bias_is_added_to_every_row),
        cmocka_unit_test(logsumexp_and_argmax_agree),
        cmocka_unit_test(of_equal_logits_the_first_wins),
        cmocka_unit_test(a_nan_logit_makes_the_loss_nan),
        cmocka_unit_test(log_prob_agrees_for_every_scale),
        cmocka_unit_test(log_prob_is_the_opposite_of_cross_entropy),
        cmocka_unit_test(log_prob_of_no_number_is_no_number),
        cmocka_unit_test(cross_entropy_agrees_also_in_place),
        cmocka_unit_test(sum_of_squares_is_exact_to_double),
        cmocka_unit_test(adamw_agrees_over_several_steps),
        cmocka_unit_test(the_environment_forces_a_level),
    };
    return cmocka_run_group_tests(tests, find_levels, NULL);
}
