/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: attention agrees with its twin in double; a row's bits depend only on the keys that it
 * sees, so cached decoding equals the full pass, and not on the pages that hold them; all levels
 * agree bit for bit. Method: shapes of many head widths, groupings and lengths, split in every way.
 */
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

struct shape {
    size_t rows, t, heads, kv_heads, e;
};

struct problem {
    struct shape s;
    struct both q, k, v, out, att;
    float *scratch;
};

static struct problem problem_new(struct shape s)
{
    struct problem p = { .s = s };
    p.q = both_normal(s.rows * s.heads * s.e, 1, 1.5);
    p.k = both_normal(s.t * s.kv_heads * s.e, 2, 1);
    p.v = both_normal(s.t * s.kv_heads * s.e, 3, 1);
    p.out = both_zero(s.rows * s.heads * s.e);
    p.att = both_zero(s.heads * s.rows * s.t);
    p.scratch = mem_aligned(attention_scratch_floats(s.t), sizeof(float));
    return p;
}

static void problem_free(struct problem *p)
{
    both_free(&p->q);
    both_free(&p->k);
    both_free(&p->v);
    both_free(&p->out);
    both_free(&p->att);
    free(p->scratch);
}

/* Rows [from, to) with the keys up to their end. */
static void run(struct problem *p, const struct kernels *kern, float *out, float *att, size_t from,
                size_t to)
{
    const size_t ldq = p->s.heads * p->s.e, ldk = p->s.kv_heads * p->s.e;
    const float *k = p->k.f, *v = p->v.f;
    kern->attention(out + from * ldq, ldq, att, p->q.f + from * ldq, ldq,
                    &(struct kv_view){ &k, &v, p->s.t, ldk, false }, p->scratch, to - from,
                    p->s.t - p->s.rows + to, p->s.heads, p->s.kv_heads, p->s.e);
}

static const struct shape SHAPES[] = {
    { 1, 1, 1, 1, 16 },    { 20, 20, 4, 4, 16 },  { 32, 32, 4, 4, 16 },   { 33, 33, 2, 1, 32 },
    { 5, 17, 4, 2, 8 },    { 1, 40, 8, 2, 64 },   { 16, 100, 2, 2, 128 }, { 70, 70, 3, 3, 48 },
    { 7, 90, 8, 2, 64 },   { 3, 300, 12, 2, 32 }, { 1, 77, 14, 2, 64 },   { 9, 9, 1, 1, 2 },
    { 40, 200, 6, 2, 24 }, { 3, 1030, 2, 1, 80 }, { 17, 19, 2, 2, 256 },  { 1, 50, 4, 4, 32 },
    { 1, 70, 5, 5, 16 },   { 1, 33, 6, 6, 32 },   { 1, 96, 9, 9, 48 },
};

static void agrees_with_the_twin_and_on_all_levels(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        const struct shape s = SHAPES[i];
        CLEANUP(problem_free) struct problem p = problem_new(s);
        BOTH first = both_zero(p.out.n), first_att = both_zero(p.att.n);
        naive_attention(p.out.d, p.att.d, p.q.d, p.k.d, p.v.d, s.rows, s.t, s.heads, s.kv_heads,
                        s.e);
        for (size_t l = 0; l < levels; l++) {
            run(&p, level[l], l == 0 ? first.f : p.out.f, l == 0 ? first_att.f : p.att.f, 0,
                s.rows);
            if (l == 0) {
                assert_true(nmse(first.f, p.out.d, p.out.n) < 1e-11);
                assert_true(nmse(first_att.f, p.att.d, p.att.n) < 1e-11);
            } else if (memcmp(first.f, p.out.f, p.out.n * sizeof(float)) != 0 ||
                       memcmp(first_att.f, p.att.f, p.att.n * sizeof(float)) != 0) {
                fail_msg("level %s differs at shape %zu", level[l]->name, i);
            }
        }
    }
}

static void probabilities_beyond_the_reach_are_zero(void **state)
{
    (void)state;
    CLEANUP(problem_free) struct problem p = problem_new((struct shape){ 6, 23, 2, 1, 16 });
    memset(p.att.f, 0xff, p.att.n * sizeof(float));
    run(&p, kernels_best(), p.out.f, p.att.f, 0, 6);
    for (size_t h = 0; h < 2; h++)
        for (size_t r = 0; r < 6; r++)
            for (size_t j = 0; j < 23; j++)
                assert_true((p.att.f[(h * 6 + r) * 23 + j] > 0) == (j <= 17 + r));
}

static void asking_for_probabilities_changes_no_bit(void **state)
{
    (void)state;
    CLEANUP(problem_free) struct problem p = problem_new((struct shape){ 37, 37, 4, 2, 16 });
    BOTH other = both_zero(p.out.n);
    run(&p, kernels_best(), p.out.f, NULL, 0, 37);
    run(&p, kernels_best(), other.f, p.att.f, 0, 37);
    assert_memory_equal(p.out.f, other.f, other.n * sizeof(float));
}

static void row_by_row_with_a_cache_equals_the_full_pass(void **state)
{
    (void)state;
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        const struct shape s = SHAPES[i];
        CLEANUP(problem_free) struct problem p = problem_new(s);
        BOTH one = both_zero(p.out.n);
        run(&p, level[levels - 1], p.out.f, NULL, 0, s.rows);
        for (size_t step = 1; step <= s.rows; step += step < 4 ? 1 : 13) {
            memset(one.f, 0, one.n * sizeof(float));
            for (size_t r = 0; r < s.rows; r += step)
                run(&p, level[levels - 1], one.f, NULL, r, MIN(r + step, s.rows));
            assert_memory_equal(p.out.f, one.f, one.n * sizeof(float));
        }
    }
}

/* The keys or values of P in pages of PAGE positions, each its own array, TURNED if so asked; what
 * is behind the last key is NaN. */
static const float **pages_new(const struct problem *p, const float *x, size_t page, size_t count,
                               bool turned)
{
    const size_t width = p->s.kv_heads * p->s.e;
    const float **ret = mem_calloc(count, sizeof(*ret));
    for (size_t i = 0; i < count; i++) {
        const size_t held = MIN(page, p->s.t - i * page);
        float *copy = mem_aligned(page * width, sizeof(*copy));
        for (size_t j = 0; j < page * width; j++)
            copy[turned ? j % width * page + j / width : j] =
                j < held * width ? x[i * page * width + j] : NAN;
        ret[i] = copy;
    }
    return ret;
}

static void pages_free(const float **page, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)page[i]);
    free(page);
}

static void check_pages(bool turned)
{
    static const size_t size[] = { 16, 48, 64, 2048 };
    const struct kernels *level[KERNELS_LEVELS];
    const size_t levels = runnable_levels(level);
    for (size_t i = 0; i < ARRAY_LEN(SHAPES) * ARRAY_LEN(size); i++) {
        const struct shape s = SHAPES[i / ARRAY_LEN(size)];
        const size_t page = size[i % ARRAY_LEN(size)], count = (s.t + page - 1) / page;
        const size_t ldq = s.heads * s.e;
        CLEANUP(problem_free) struct problem p = problem_new(s);
        BOTH other = both_zero(p.out.n);
        const float **k = pages_new(&p, p.k.f, page, count, turned);
        const float **v = pages_new(&p, p.v.f, page, count, false);
        run(&p, level[0], p.out.f, NULL, 0, s.rows);
        for (size_t l = 0; l < levels; l++) {
            level[l]->attention(other.f, ldq, p.att.f, p.q.f, ldq,
                                &(struct kv_view){ k, v, page, s.kv_heads * s.e, turned },
                                p.scratch, s.rows, s.t, s.heads, s.kv_heads, s.e);
            if (memcmp(other.f, p.out.f, other.n * sizeof(float)) != 0)
                fail_msg("level %s, shape %zu, pages of %zu, turned: %d", level[l]->name,
                         i / ARRAY_LEN(size), page, turned);
        }
        pages_free(k, count);
        pages_free(v, count);
    }
}

static void keys_and_values_in_pages_change_no_bit(void **state)
{
    (void)state;
    check_pages(false);
}

static void turned_keys_change_no_bit(void **state)
{
    (void)state;
    check_pages(true);
}

static void keys_that_a_row_does_not_see_may_be_anything(void **state)
{
    (void)state;
    const struct shape s = { 21, 21, 2, 2, 16 };
    CLEANUP(problem_free) struct problem p = problem_new(s);
    BOTH other = both_zero(p.out.n);
    run(&p, kernels_best(), p.out.f, NULL, 0, s.rows);
    for (size_t i = 11 * 32; i < p.k.n; i++)
        p.k.f[i] = p.v.f[i] = NAN;
    run(&p, kernels_best(), other.f, NULL, 0, s.rows);
    assert_memory_equal(p.out.f, other.f, 11 * 32 * sizeof(float));
    assert_true(isnan(other.f[11 * 32]));
}

static void huge_scores_do_not_overflow(void **state)
{
    (void)state;
    CLEANUP(problem_free) struct problem p = problem_new((struct shape){ 8, 8, 1, 1, 16 });
    for (size_t i = 0; i < p.q.n; i++)
        p.q.d[i] = p.q.f[i] *= 1000;
    naive_attention(p.out.d, NULL, p.q.d, p.k.d, p.v.d, 8, 8, 1, 1, 16);
    run(&p, kernels_best(), p.out.f, NULL, 0, 8);
    assert_true(nmse(p.out.f, p.out.d, p.out.n) < 1e-6); /* scores of 1e4 carry an error of 1e-3 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_twin_and_on_all_levels),
        cmocka_unit_test(probabilities_beyond_the_reach_are_zero),
        cmocka_unit_test(asking_for_probabilities_changes_no_bit),
        cmocka_unit_test(row_by_row_with_a_cache_equals_the_full_pass),
        cmocka_unit_test(keys_and_values_in_pages_change_no_bit),
        cmocka_unit_test(turned_keys_change_no_bit),
        cmocka_unit_test(keys_that_a_row_does_not_see_may_be_anything),
        cmocka_unit_test(huge_scores_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
