/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a product's bits are those of one scalar fmaf chain per element, whatever M, the columns
 * asked for, the place of a row in its batch, and the CPU level. Method: compare with memcmp
 * against a chain written here, for every M of 1..64 and odd shapes; the strides are larger than
 * the rows and what lies between must stay untouched. */
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

struct product {
    size_t m, n, k, ldx, ldy;
    struct both x, w;
    struct packed packed;
    float *want, *got;
};

static void chain(float *y, size_t ldy, const float *x, size_t ldx, const float *w, size_t m,
                  size_t n, size_t k)
{
    for (size_t r = 0; r < m; r++) {
        for (size_t c = 0; c < n; c++) {
            float sum = 0;
            for (size_t i = 0; i < k; i++)
                sum = fmaf(x[r * ldx + i], w[c * k + i], sum);
            y[r * ldy + c] = sum;
        }
    }
}

static struct product product_new(size_t m, size_t n, size_t k)
{
    struct product p = { .m = m, .n = n, .k = k, .ldx = k + 3, .ldy = n + 5 };
    p.x = both_normal(m * p.ldx, 1, 1);
    p.w = both_normal(n * k, 2, 0.1);
    struct err err;
    assert_int_equal(packed_alloc(&p.packed, WEIGHT_F32, k, n, &err), 0);
    packed_fill(&p.packed, p.w.f, k);
    p.want = mem_aligned(m * p.ldy, sizeof(float));
    p.got = mem_aligned(m * p.ldy, sizeof(float));
    for (size_t i = 0; i < m * p.ldy; i++)
        p.want[i] = p.got[i] = 77;
    chain(p.want, p.ldy, p.x.f, p.ldx, p.w.f, m, n, k);
    return p;
}

static void product_free(struct product *p)
{
    both_free(&p->x);
    both_free(&p->w);
    packed_release(&p->packed);
    free(p->want);
    free(p->got);
}

static void check_product(size_t m, size_t n, size_t k)
{
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    CLEANUP(product_free) struct product p = product_new(m, n, k);
    for (size_t l = 0; l < levels; l++) {
        for (size_t i = 0; i < m * p.ldy; i++)
            p.got[i] = i % p.ldy < n ? -1.0f : 77.0f;
        level[l]->gemm(p.got, p.ldy, p.x.f, p.ldx, &p.packed, m, 0, n);
        if (memcmp(p.got, p.want, m * p.ldy * sizeof(float)) != 0)
            fail_msg("level %s differs from the chain at M=%zu N=%zu K=%zu", level[l]->name, m, n,
                     k);
    }
}

static void every_m_up_to_64_is_the_scalar_chain(void **state)
{
    (void)state;
    for (size_t m = 1; m <= 64; m++) {
        check_product(m, 100, 37);
        check_product(m, 48, 64);
    }
}

static void odd_shapes_are_the_scalar_chain(void **state)
{
    (void)state;
    static const size_t shape[][3] = { { 1, 1, 1 },      { 7, 1, 1 },      { 3, 47, 1 },
                                       { 5, 49, 2 },     { 9, 95, 3 },     { 8, 97, 191 },
                                       { 8, 97, 192 },   { 11, 200, 193 }, { 2, 500, 385 },
                                       { 1, 1000, 130 }, { 17, 288, 577 }, { 4, 144, 700 },
                                       { 70, 52, 400 } };
    for (size_t i = 0; i < ARRAY_LEN(shape); i++)
        check_product(shape[i][0], shape[i][1], shape[i][2]);
}

static void blocks_for_the_cache_change_no_bit(void **state)
{
    (void)state;
    check_product(300, 150,
                  700); /* more rows than a row block, K in blocks, several column groups */
    check_product(257, 400, 600);
    check_product(33, 100, 2048);
}

static void shapes_of_real_models_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    static const size_t shape[][2] = {
        /* n, k: d64, stories260K, stories15M and Qwen-like projections */
        { 192, 64 },  { 64, 128 },  { 512, 64 },  { 344, 64 },
        { 864, 288 }, { 288, 768 }, { 1152, 896 }
    };
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level), best = levels - 1;
    for (size_t i = 0; i < ARRAY_LEN(shape); i++) {
        const size_t n = shape[i][0], k = shape[i][1];
        CLEANUP(product_free) struct product p = product_new(64, n, k);
        for (size_t m = 1; m <= 64;
             m++) { /* the last M rows alone, as they were in the full batch */
            float *y = p.got + (64 - m) * p.ldy;
            level[best]->gemm(y, p.ldy, p.x.f + (64 - m) * p.ldx, p.ldx, &p.packed, m, 0, n);
            assert_memory_equal(y, p.want + (64 - m) * p.ldy, m * p.ldy * sizeof(float));
        }
    }
}

static void column_ranges_add_up_to_the_whole(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    CLEANUP(product_free) struct product p = product_new(13, 250, 300);
    for (size_t l = 0; l < levels; l++) {
        for (size_t i = 0; i < p.m * p.ldy; i++)
            p.got[i] = 77;
        static const size_t cut[] = { 0, 48, 192, 250 };
        for (size_t c = 0; c + 1 < ARRAY_LEN(cut); c++) {
            level[l]->gemm(p.got, p.ldy, p.x.f, p.ldx, &p.packed, p.m, cut[c], cut[c + 1]);
            assert_float_equal(p.got[0], p.want[0], 0);
            for (size_t r = 0; r < p.m && cut[c + 1] < p.n; r++)
                assert_float_equal(p.got[r * p.ldy + cut[c + 1]], 77, 0); /* not yet */
        }
        assert_memory_equal(p.got, p.want, p.m * p.ldy * sizeof(float));
    }
}

static void transposed_filling_gives_the_same_panels(void **state)
{
    (void)state;
    enum { N = 131, K = 29 };
    CLEANUP(product_free) struct product p = product_new(1, N, K);
    float *wt = mem_aligned(N * K, sizeof(float));
    for (size_t n = 0; n < N; n++)
        for (size_t k = 0; k < K; k++)
            wt[k * N + n] = p.w.f[n * K + k];
    struct packed other;
    assert_int_equal(packed_alloc(&other, WEIGHT_F32, K, N, NULL), 0);
    packed_fill_transposed(&other, wt, N);
    assert_memory_equal(other.panel, p.packed.panel, packed_floats(K, N) * sizeof(float));
    packed_release(&other);
    free(wt);
}

static void special_values_pass_through(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    CLEANUP(product_free) struct product p = product_new(9, 50, 4);
    p.x.f[0] = NAN;
    p.x.f[p.ldx] = INFINITY;
    p.x.f[2 * p.ldx] = 1e-41f; /* a subnormal is not flushed */
    p.x.f[2 * p.ldx + 1] = p.x.f[2 * p.ldx + 2] = p.x.f[2 * p.ldx + 3] = 0;
    for (size_t l = 0; l < levels; l++) {
        level[l]->gemm(p.got, p.ldy, p.x.f, p.ldx, &p.packed, 9, 0, 50);
        assert_true(isnan(p.got[0]) && isnan(p.got[49]) && isinf(p.got[p.ldy]));
        assert_true(p.got[2 * p.ldy] != 0 && fabsf(p.got[2 * p.ldy]) < 1e-40f);
    }
}

static void too_large_a_matrix_is_no_memory(void **state)
{
    (void)state;
    struct packed p;
    struct err err = { 0 };
    assert_int_equal(packed_alloc(&p, WEIGHT_F32, SIZE_MAX / 8, 1024, &err), ERR_NOMEM);
    assert_int_equal(packed_alloc(&p, WEIGHT_F32, 1, SIZE_MAX - 10, &err), ERR_NOMEM);
    assert_null(p.panel);
    packed_release(&p);
}

/* The naive twin in double gives the size of the rounding error: K steps of 2^-24 each. */
static void error_against_double_is_rounding_only(void **state)
{
    (void)state;
    CLEANUP(product_free) struct product p = product_new(40, 96, 512);
    BOTH x = both_zero(40 * 512), y = both_zero(40 * 96);
    for (size_t r = 0; r < 40; r++)
        memcpy(x.d + r * 512, p.x.d + r * p.ldx, 512 * sizeof(double));
    naive_matmul(y.d, x.d, p.w.d, 40, 96, 512);
    for (size_t r = 0; r < 40; r++)
        kernels_best()->gemm(y.f + r * 96, 96, p.x.f + r * p.ldx, p.ldx, &p.packed, 1, 0, 96);
    assert_true(nmse(y.f, y.d, y.n) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_m_up_to_64_is_the_scalar_chain),
        cmocka_unit_test(odd_shapes_are_the_scalar_chain),
        cmocka_unit_test(blocks_for_the_cache_change_no_bit),
        cmocka_unit_test(shapes_of_real_models_do_not_depend_on_the_batch),
        cmocka_unit_test(column_ranges_add_up_to_the_whole),
        cmocka_unit_test(transposed_filling_gives_the_same_panels),
        cmocka_unit_test(special_values_pass_through),
        cmocka_unit_test(too_large_a_matrix_is_no_memory),
        cmocka_unit_test(error_against_double_is_rounding_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
