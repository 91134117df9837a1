/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the checkers of the kernel tests reject wrong kernels. Method: plant the errors that
 * kernels really have (all zeros, a transposed result, rows shifted by one, a forgotten term, a
 * wrong sign, a NaN) and ask for a verdict. */
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

enum { M = 12, K = 12, N = 12 };

/* Float results of a product, spoilt by PLANT. */
static double nmse_of(void (*plant)(float *y))
{
    BOTH x = both_normal(M * K, 1, 1), w = both_normal(N * K, 2, 1), y = both_zero(M * N);
    naive_matmul(y.d, x.d, w.d, M, N, K);
    for (size_t i = 0; i < M * N; i++)
        y.f[i] = (float)y.d[i];
    plant(y.f);
    return nmse(y.f, y.d, M * N);
}

static void plant_nothing(float *y)
{
    (void)y;
}

static void plant_zeros(float *y)
{
    memset(y, 0, M * N * sizeof(*y));
}

static void plant_transposed(float *y)
{
    for (size_t r = 0; r < M; r++) {
        for (size_t c = 0; c < r; c++) {
            float t = y[r * N + c];
            y[r * N + c] = y[c * N + r];
            y[c * N + r] = t;
        }
    }
}

static void plant_off_by_one_row(float *y)
{
    memmove(y, y + N, (M - 1) * N * sizeof(*y));
}

static void plant_one_element(float *y)
{
    y[M * N / 2] *= 1.001f;
}

static void plant_nan(float *y)
{
    y[3] = NAN;
}

static void nmse_rejects_planted_wrong_kernels(void **state)
{
    (void)state;
    assert_true(nmse_of(plant_nothing) < 1e-13);
    assert_true(nmse_of(plant_zeros) > 0.99);
    assert_true(nmse_of(plant_transposed) > 0.1);
    assert_true(nmse_of(plant_off_by_one_row) > 0.1);
    assert_true(nmse_of(plant_one_element) > 1e-10);
    assert_true(isinf(nmse_of(plant_nan)));
}

/* dX and dW of a product, as the gradient checker sees them. */
struct product {
    struct both x, w, dy, y, dx, dw;
};

static double product_loss(void *arg)
{
    struct product *p = arg;
    double loss = 0;
    naive_matmul(p->y.d, p->x.d, p->w.d, M, N, K);
    for (size_t i = 0; i < M * N; i++)
        loss += p->y.d[i] * p->dy.d[i];
    return loss;
}

static double error_of(void (*plant)(double *dx))
{
    struct product p = { both_normal(M * K, 1, 1), both_normal(N * K, 2, 1),
                         both_normal(M * N, 3, 1), both_zero(M * N),
                         both_zero(M * K),         both_zero(N * K) };
    naive_matmul_back(p.dx.d, p.dw.d, p.dy.d, p.x.d, p.w.d, M, N, K);
    plant(p.dx.d);
    struct gradient_check c = {
        .loss = product_loss, .arg = &p, .x = p.x.d, .dx = p.dx.d, .n = M * K
    };
    const double error = gradient_error(&c);
    struct both *all[] = { &p.x, &p.w, &p.dy, &p.y, &p.dx, &p.dw };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        both_free(all[i]);
    return error;
}

static void gradient_right(double *dx)
{
    (void)dx;
}

static void gradient_zeros(double *dx)
{
    memset(dx, 0, M * K * sizeof(*dx));
}

static void gradient_transposed(double *dx)
{
    for (size_t r = 0; r < M; r++) {
        for (size_t c = 0; c < r; c++) {
            double t = dx[r * K + c];
            dx[r * K + c] = dx[c * K + r];
            dx[c * K + r] = t;
        }
    }
}

static void gradient_off_by_one_row(double *dx)
{
    memmove(dx, dx + K, (M - 1) * K * sizeof(*dx));
}

static void gradient_of_other_sign(double *dx)
{
    for (size_t i = 0; i < M * K; i++)
        dx[i] = -dx[i];
}

static void gradient_one_per_mille_off(double *dx)
{
    for (size_t i = 0; i < M * K; i++)
        dx[i] *= 1.001;
}

static void gradient_nan(double *dx)
{
    dx[5] = NAN;
}

static void gradient_check_rejects_planted_wrong_kernels(void **state)
{
    (void)state;
    assert_true(error_of(gradient_right) < GRADIENT_ERROR_MAX / 10);
    assert_true(error_of(gradient_zeros) > 1e-2);
    assert_true(error_of(gradient_transposed) > 1e-2);
    assert_true(error_of(gradient_off_by_one_row) > 1e-2);
    assert_true(error_of(gradient_of_other_sign) > 1e-2);
    assert_true(error_of(gradient_one_per_mille_off) > 10 * GRADIENT_ERROR_MAX);
    assert_true(isinf(error_of(gradient_nan)));
}

/* A backward with a term left out (RMSNorm without the pull of the mean, softmax without the mean's
 * term) is the error that a shape check never finds. */
struct norm {
    struct both x, w, dy, y;
};

static double norm_loss(void *arg)
{
    struct norm *n = arg;
    double loss = 0;
    naive_rmsnorm(n->y.d, n->x.d, n->w.d, 1e-5, M, K);
    for (size_t i = 0; i < M * K; i++)
        loss += n->y.d[i] * n->dy.d[i];
    return loss;
}

static void gradient_check_rejects_a_forgotten_term(void **state)
{
    (void)state;
    BOTH dx = both_zero(M * K);
    BOTH dw = both_zero(K);
    struct norm n = { both_normal(M * K, 1, 1), both_normal(K, 2, 1), both_normal(M * K, 3, 1),
                      both_zero(M * K) };
    struct gradient_check c = { .loss = norm_loss, .arg = &n, .x = n.x.d, .dx = dx.d, .n = M * K };
    naive_rmsnorm_back(dx.d, dw.d, n.dy.d, n.x.d, n.w.d, 1e-5, M, K);
    assert_true(gradient_error(&c) < GRADIENT_ERROR_MAX);
    for (size_t r = 0; r < M; r++) {
        double squares = 1e-5;
        for (size_t i = 0; i < K; i++)
            squares += n.x.d[r * K + i] * n.x.d[r * K + i] / K;
        for (size_t i = 0; i < K; i++)
            dx.d[r * K + i] = n.dy.d[r * K + i] * n.w.d[i] / sqrt(squares);
    }
    assert_true(gradient_error(&c) > 1e-2);
    both_free(&n.x);
    both_free(&n.w);
    both_free(&n.dy);
    both_free(&n.y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nmse_rejects_planted_wrong_kernels),
        cmocka_unit_test(gradient_check_rejects_planted_wrong_kernels),
        cmocka_unit_test(gradient_check_rejects_a_forgotten_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
