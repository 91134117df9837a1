/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every backward kernel is the gradient of its forward kernel. Method, in two halves: (1) the
 * naive backward in double passes central differences of the naive forward in double; (2) the float
 * kernel agrees with the naive backward, and all levels agree bit for bit. The checkers themselves
 * are tested in test_checkers.c. */
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
#include "worker/kernels/blas.h"

#define BOUND 1e-11

static const struct kernels *level[KERNELS_LEVELS];
static size_t levels;

static int find_levels(void **state)
{
    (void)state;
    levels = runnable_levels(level);
    blas_init();
    return 0;
}

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

/* A kernel as the differences see it: up to three inputs, one output, and the loss sum(out *
 * weight). */
struct subject {
    void (*forward)(struct subject *s);
    double *in[3], *out;
    const double *weight;
    size_t out_n, a, b, c, d;
    const uint32_t *index;
    const double *extra;
};

static double subject_loss(void *arg)
{
    struct subject *s = arg;
    double loss = 0;
    s->forward(s);
    for (size_t i = 0; i < s->out_n; i++)
        loss += s->out[i] * s->weight[i];
    return loss;
}

static void gradient_holds(struct subject *s, double *x, const double *dx, size_t n)
{
    struct gradient_check c = { .loss = subject_loss, .arg = s, .x = x, .dx = dx, .n = n };
    const double error = gradient_error(&c);
    if (!(error < GRADIENT_ERROR_MAX))
        fail_msg("gradient error %g", error);
}

static void forward_matmul(struct subject *s)
{
    naive_matmul(s->out, s->in[0], s->in[1], s->a, s->b, s->c);
}

static void matmul_passes_differences_and_blas_agrees(void **state)
{
    (void)state;
    enum { M = 5, N = 7, K = 6 };
    BOTH x = both_normal(M * K, 1, 1), w = both_normal(N * K, 2, 1), dy = both_normal(M * N, 3, 1);
    BOTH y = both_zero(M * N), dx = both_zero(M * K), dw = both_zero(N * K);
    naive_matmul_back(dx.d, dw.d, dy.d, x.d, w.d, M, N, K);
    struct subject s = { forward_matmul, { x.d, w.d }, y.d, dy.d, M * N, M, N, K, 0, NULL, NULL };
    gradient_holds(&s, x.d, dx.d, x.n);
    gradient_holds(&s, w.d, dw.d, w.n);
    blas_gemm(0, 0, M, K, N, 1, dy.f, N, w.f, K, 0, dx.f, K);
    blas_gemm(1, 0, N, K, M, 1, dy.f, N, x.f, K, 0, dw.f, K);
    assert_true(nmse(dx.f, dx.d, dx.n) < BOUND);
    assert_true(nmse(dw.f, dw.d, dw.n) < BOUND);
}

/* gemm = "packed": dX = dY W is a product with W^T packed, dW = dY^T X one with X packed. */
static void matmul_back_by_the_packed_kernel_agrees(void **state)
{
    (void)state;
    enum { M = 50, N = 70, K = 60 };
    BOTH x = both_normal(M * K, 1, 1), w = both_normal(N * K, 2, 1), dy = both_normal(M * N, 3, 1),
         dyt = both_zero(M * N);
    BOTH dx = both_zero(M * K), dw = both_zero(N * K), first_dx = both_zero(M * K),
         first_dw = both_zero(N * K);
    naive_matmul_back(dx.d, dw.d, dy.d, x.d, w.d, M, N, K);
    for (size_t r = 0; r < M; r++)
        for (size_t c = 0; c < N; c++)
            dyt.f[c * M + r] = dy.f[r * N + c];
    struct packed pw, px;
    assert_int_equal(packed_alloc(&pw, WEIGHT_F32, N, K, NULL), 0);
    assert_int_equal(packed_alloc(&px, WEIGHT_F32, M, K, NULL), 0);
    packed_fill_transposed(&pw, w.f, K);
    packed_fill_transposed(&px, x.f, K);
    for (size_t l = 0; l < levels; l++) {
        level[l]->gemm(dx.f, K, dy.f, N, &pw, M, 0, K);
        level[l]->gemm(dw.f, K, dyt.f, M, &px, N, 0, K);
        agree(l, first_dx.f, dx.f, dx.d, dx.n);
        agree(l, first_dw.f, dw.f, dw.d, dw.n);
    }
    packed_release(&pw);
    packed_release(&px);
}

static void forward_rmsnorm(struct subject *s)
{
    naive_rmsnorm(s->out, s->in[0], s->in[1], 1e-5, s->a, s->b);
}

static void rmsnorm_passes_differences(void **state)
{
    (void)state;
    enum { ROWS = 3, D = 10, N = ROWS * D };
    BOTH x = both_normal(N, 1, 1), w = both_normal(D, 2, 1), dy = both_normal(N, 3, 1),
         y = both_zero(N);
    BOTH dx = both_zero(N), dw = both_zero(D);
    naive_rmsnorm_back(dx.d, dw.d, dy.d, x.d, w.d, 1e-5, ROWS, D);
    struct subject s = { forward_rmsnorm, { x.d, w.d }, y.d, dy.d, N, ROWS, D, 0, 0, NULL, NULL };
    gradient_holds(&s, x.d, dx.d, N);
    gradient_holds(&s, w.d, dw.d, D);
}

static void rmsnorm_back_agrees_and_adds(void **state)
{
    (void)state;
    static const size_t width[] = { 1, 10, 16, 64, 100 };
    enum { ROWS = 9 };
    for (size_t i = 0; i < ARRAY_LEN(width); i++) {
        const size_t d = width[i], n = ROWS * d;
        BOTH x = both_normal(n, 1, 1), w = both_normal(d, 2, 1), dy = both_normal(n, 3, 1),
             y = both_zero(n);
        BOTH dx = both_zero(n), dw = both_zero(d), first_dx = both_zero(n), first_dw = both_zero(d);
        float rstd[ROWS];
        naive_rmsnorm_back(dx.d, dw.d, dy.d, x.d, w.d, 1e-5, ROWS, d);
        for (size_t j = 0; j < n; j++)
            dx.d[j] += 0.5;
        for (size_t j = 0; j < d; j++)
            dw.d[j] += 0.25;
        for (size_t l = 0; l < levels; l++) {
            for (size_t j = 0; j < n; j++)
                dx.f[j] = 0.5f;
            for (size_t j = 0; j < d; j++)
                dw.f[j] = 0.25f;
            level[l]->rmsnorm(y.f, rstd, x.f, w.f, 1e-5f, ROWS, d);
            level[l]->rmsnorm_back(dx.f, dw.f, dy.f, x.f, w.f, rstd, ROWS, d);
            agree(l, first_dx.f, dx.f, dx.d, n);
            agree(l, first_dw.f, dw.f, dw.d, d);
        }
    }
}

static void forward_rope(struct subject *s)
{
    memcpy(s->out, s->in[0], s->out_n * sizeof(double));
    naive_rope(s->out, s->index, s->extra, s->extra + 8 * s->c / 2, 1, s->d != 0, s->a, s->b, s->c);
}

/* The kernel's sign -1 is checked against this twin in test_forward.c: it undoes a rotation, which
 * is its transpose. */
static void rope_backward_is_the_opposite_rotation(void **state)
{
    (void)state;
    enum { ROWS = 3, HEADS = 2, E = 8, N = ROWS * HEADS * E, TABLE = 8 * E / 2 };
    static const uint32_t position[ROWS] = { 0, 3, 7 };
    BOTH angle = both_normal(TABLE, 1, 2);
    BOTH table = both_zero(2 * TABLE), x = both_normal(N, 2, 1), y = both_zero(N),
         dy = both_normal(N, 3, 1), dx = both_normal(N, 3, 1);
    for (size_t i = 0; i < TABLE; i++) {
        table.f[i] = (float)(table.d[i] = cos(angle.d[i]));
        table.f[TABLE + i] = (float)(table.d[TABLE + i] = sin(angle.d[i]));
    }
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        memcpy(dx.d, dy.d, N * sizeof(double));
        naive_rope(dx.d, position, table.d, table.d + TABLE, -1, interleaved, ROWS, HEADS, E);
        struct subject s = { forward_rope,        { x.d },  y.d,    dy.d, N, ROWS, HEADS, E,
                             (size_t)interleaved, position, table.d };
        gradient_holds(&s, x.d, dx.d, N);
        for (size_t l = 0; l < levels; l++) {
            memcpy(dx.f, dy.f, N * sizeof(float));
            level[l]->rope(dx.f, HEADS * E, position, table.f, table.f + TABLE, -1, interleaved,
                           ROWS, HEADS, E);
            assert_true(nmse(dx.f, dx.d, N) < BOUND);
        }
    }
}

static void forward_attention(struct subject *s)
{
    naive_attention(s->out, NULL, s->in[0], s->in[1], s->in[2], s->a, s->a, s->b, s->c, s->d);
}

static void attention_passes_differences(void **state)
{
    (void)state;
    enum { T = 6, HEADS = 4, KV = 2, E = 5, NQ = T * HEADS * E, NK = T * KV * E };
    BOTH q = both_normal(NQ, 1, 1), k = both_normal(NK, 2, 1), v = both_normal(NK, 3, 1),
         dy = both_normal(NQ, 4, 1);
    BOTH y = both_zero(NQ), dq = both_zero(NQ), dk = both_zero(NK), dv = both_zero(NK);
    naive_attention_back(dq.d, dk.d, dv.d, dy.d, q.d, k.d, v.d, T, HEADS, KV, E);
    struct subject s = {
        forward_attention, { q.d, k.d, v.d }, y.d, dy.d, NQ, T, HEADS, KV, E, NULL, NULL
    };
    gradient_holds(&s, q.d, dq.d, NQ);
    gradient_holds(&s, k.d, dk.d, NK);
    gradient_holds(&s, v.d, dv.d, NK);
}

static void attention_back_agrees(void **state)
{
    (void)state;
    static const struct {
        size_t t, heads, kv, e;
    } shape[] = { { 1, 1, 1, 16 },   { 20, 4, 4, 16 }, { 32, 4, 2, 16 }, { 45, 6, 2, 8 },
                  { 100, 2, 1, 64 }, { 37, 2, 2, 40 }, { 19, 1, 1, 128 } };
    for (size_t i = 0; i < ARRAY_LEN(shape); i++) {
        const size_t t = shape[i].t, heads = shape[i].heads, kv = shape[i].kv, e = shape[i].e;
        const size_t nq = t * heads * e, nk = t * kv * e;
        BOTH q = both_normal(nq, 1, 1), k = both_normal(nk, 2, 1), v = both_normal(nk, 3, 1),
             dy = both_normal(nq, 4, 1);
        BOTH y = both_zero(nq), att = both_zero(heads * t * t),
             scratch = both_zero(attention_scratch_floats(t));
        BOTH dq = both_zero(nq), dk = both_zero(nk), dv = both_zero(nk);
        BOTH first_q = both_zero(nq), first_k = both_zero(nk), first_v = both_zero(nk);
        naive_attention_back(dq.d, dk.d, dv.d, dy.d, q.d, k.d, v.d, t, heads, kv, e);
        for (size_t l = 0; l < levels; l++) {
            const float *keys = k.f, *values = v.f;
            level[l]->attention(y.f, heads * e, att.f, q.f, heads * e,
                                &(struct kv_view){ &keys, &values, t, kv * e, false }, scratch.f, t,
                                t, heads, kv, e);
            level[l]->attention_back(dq.f, heads * e, dk.f, dv.f, kv * e, dy.f, heads * e, att.f,
                                     q.f, heads * e, k.f, kv * e, v.f, kv * e, scratch.f, t, heads,
                                     kv, e);
            agree(l, first_v.f, dv.f, dv.d, nk);
            if (t == 1) /* one key: its probability is 1 and no gradient flows into scores */
                continue;
            agree(l, first_q.f, dq.f, dq.d, nq);
            agree(l, first_k.f, dk.f, dk.d, nk);
        }
    }
}

static void forward_swiglu(struct subject *s)
{
    naive_swiglu(s->out, s->in[0], s->in[1], s->out_n);
}

static void swiglu_passes_differences_and_agrees(void **state)
{
    (void)state;
    enum { N = 53 };
    BOTH g = both_normal(N, 1, 3), u = both_normal(N, 2, 1), dy = both_normal(N, 3, 1),
         y = both_zero(N);
    BOTH dg = both_zero(N), du = both_zero(N), first_g = both_zero(N), first_u = both_zero(N);
    naive_swiglu_back(dg.d, du.d, dy.d, g.d, u.d, N);
    struct subject s = { forward_swiglu, { g.d, u.d }, y.d, dy.d, N, 0, 0, 0, 0, NULL, NULL };
    gradient_holds(&s, g.d, dg.d, N);
    gradient_holds(&s, u.d, du.d, N);
    for (size_t l = 0; l < levels; l++) {
        level[l]->swiglu_back(dg.f, du.f, dy.f, g.f, u.f, N);
        agree(l, first_g.f, dg.f, dg.d, N);
        agree(l, first_u.f, du.f, du.d, N);
    }
}

static void forward_cross_entropy(struct subject *s)
{
    naive_cross_entropy(s->out, NULL, s->in[0], s->index, s->extra, s->a, s->b);
}

/* The kernel itself is compared with this twin in test_forward.c. */
static void cross_entropy_passes_differences(void **state)
{
    (void)state;
    enum { ROWS = 4, V = 9 };
    static const uint32_t target[ROWS] = { 0, 8, 3, 3 };
    BOTH x = both_normal(ROWS * V, 1, 2), w = both_normal(ROWS, 2, 1), d = both_zero(ROWS * V);
    double loss[ROWS];
    naive_cross_entropy(loss, d.d, x.d, target, w.d, ROWS, V);
    struct subject s = {
        forward_cross_entropy, { x.d }, loss, w.d, ROWS, ROWS, V, 0, 0, target, w.d
    };
    gradient_holds(&s, x.d, d.d, ROWS * V);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul_passes_differences_and_blas_agrees),
        cmocka_unit_test(matmul_back_by_the_packed_kernel_agrees),
        cmocka_unit_test(rmsnorm_passes_differences),
        cmocka_unit_test(rmsnorm_back_agrees_and_adds),
        cmocka_unit_test(rope_backward_is_the_opposite_rotation),
        cmocka_unit_test(attention_passes_differences),
        cmocka_unit_test(attention_back_agrees),
        cmocka_unit_test(swiglu_passes_differences_and_agrees),
        cmocka_unit_test(cross_entropy_passes_differences),
    };
    return cmocka_run_group_tests(tests, find_levels, NULL);
}
