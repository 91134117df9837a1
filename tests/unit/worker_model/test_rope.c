/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the rotary tables, made without libm, are as exact as rope.c says.
 * Method: libm in long double at every position of small tables and of the largest allowed, with
 * every scaling; tables filled bit by bit by several threads against those filled at once. */
#include "tests/unit/worker_model/models.h"

#include <math.h>

/* By the rules as conf.h states them. */
static long double frequency(const struct model_conf *c, size_t i)
{
    const struct rope_scaling *s = &c->rope_scaling;
    long double f =
        powl((long double)c->rope_theta, -2.0L * (long double)i / (long double)c->head_dim);
    long double wave = 2.0L * acosl(-1.0L) / f, original = (long double)s->original, mix;
    long double low = (long double)s->low_freq, high = (long double)s->high_freq;

    if (s->kind == ROPE_LINEAR)
        return f / (long double)s->factor;
    if (s->kind == ROPE_TABLE)
        return f / (long double)s->table[i];
    if (s->kind != ROPE_LLAMA3 || wave < original / high)
        return f;
    if (wave > original / low)
        return f / (long double)s->factor;
    mix = (original / wave - low) / (high - low);
    return f * ((1.0L - mix) / (long double)s->factor + mix);
}

static double worst_error(const struct model_conf *c, double *ret_allowed_share)
{
    size_t half = c->head_dim / 2;
    float *cosine = mem_aligned(c->positions * half, sizeof(float));
    float *sine = mem_aligned(c->positions * half, sizeof(float));
    double worst = 0.0;

    *ret_allowed_share = 0.0;
    rope_tables(cosine, sine, c, 0, c->positions);
    for (size_t i = 0; i < half; i++) {
        long double f = frequency(c, i);

        for (size_t p = 0; p < c->positions; p++) {
            double a = (double)fabsl(cosl((long double)p * f) - (long double)cosine[p * half + i]);
            double b = (double)fabsl(sinl((long double)p * f) - (long double)sine[p * half + i]);
            double allowed = 0x1p-25 + (double)p * 0x1p-46;

            worst = fmax(worst, fmax(a, b));
            *ret_allowed_share = fmax(*ret_allowed_share, fmax(a, b) / allowed);
        }
    }
    free(cosine);
    free(sine);
    return worst;
}

static void tables_are_within_the_stated_bound(void **state)
{
    static const struct {
        size_t head_dim, positions;
        float theta;
        struct rope_scaling scaling;
    } cases[] = {
        { 16, 512, 10000.0f, { 0 } },
        { 8, 2048, 10000.0f, { 0 } },
        { 64, 8192, 500000.0f, { 0 } },
        { 128, 4096, 1000000.0f, { 0 } },
        { 2, 1 << 20, 1.0f, { 0 } },
        { 4, 1 << 18, 1e12f, { 0 } },
        { 64, 20000, 500000.0f, { ROPE_LLAMA3, 32.0f, 1.0f, 4.0f, 8192, { 0 } } },
        { 128, 20000, 500000.0f, { ROPE_LLAMA3, 8.0f, 1.0f, 4.0f, 8192, { 0 } } },
        { 64, 8192, 10000.0f, { ROPE_LINEAR, 2.5f, 0, 0, 0, { 0 } } },
        { 8, 1 << 16, 10000.0f, { ROPE_TABLE, 0, 0, 0, 0, { 1.0f, 1.3f, 7.0f, 32.0f } } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct model_conf c = { .head_dim = cases[i].head_dim,
                                .positions = cases[i].positions,
                                .rope_theta = cases[i].theta,
                                .rope_scaling = cases[i].scaling };
        double share, worst = worst_error(&c, &share);

        print_message("head_dim %zu, %zu positions: worst %.3g, %.2f of what is allowed\n",
                      c.head_dim, c.positions, worst, share);
        assert_true(share <= 1.0);
    }
}

static void fill_to(void *arg, size_t i, size_t thread)
{
    (void)thread;
    (void)rope_need(arg, 17 * (i + 1));
}

static void tables_filled_by_several_threads_are_the_whole_tables(void **state)
{
    struct model_conf c = { .head_dim = 32, .positions = 5000, .rope_theta = 10000.0f };
    size_t floats = c.positions * c.head_dim / 2;
    float *cosine = mem_aligned(floats, sizeof(float)), *sine = mem_aligned(floats, sizeof(float));
    struct pool *pool = pool_new(3);
    struct rope *r = NULL;
    struct rope_view view;

    (void)state;
    rope_tables(cosine, sine, &c, 0, c.positions);
    assert_int_equal(rope_new(&r, &c, NULL), 0);
    pool_run(pool, fill_to, r, 200);
    view = rope_need(r, 3400);
    assert_memory_equal(view.cos, cosine, 3400 * c.head_dim / 2 * sizeof(float));
    assert_memory_equal(view.sin, sine, 3400 * c.head_dim / 2 * sizeof(float));
    view = rope_need(r, c.positions);
    assert_memory_equal(view.cos, cosine, floats * sizeof(float));
    assert_memory_equal(view.sin, sine, floats * sizeof(float));
    rope_free(r);
    pool_free(pool);
    free(cosine);
    free(sine);
}

static void scaling_that_enlarges_angles_is_refused(void **state)
{
    struct model_conf c = { .head_dim = 8,
                            .positions = 64,
                            .rope_theta = 10000.0f,
                            .rope_scaling = { .kind = ROPE_LINEAR, .factor = 0.5f } };
    struct rope *r = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(rope_new(&r, &c, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "factor"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_within_the_stated_bound),
        cmocka_unit_test(tables_filled_by_several_threads_are_the_whole_tables),
        cmocka_unit_test(scaling_that_enlarges_angles_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
