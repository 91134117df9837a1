/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the rotary tables, made without libm, are as exact as rope.c says.
 * Method: libm in long double at every position of small tables and of the largest allowed. */
#include "tests/unit/worker_model/models.h"

#include <math.h>

static double worst_error(const struct model_conf *c, double *ret_allowed_share)
{
    size_t half = c->head_dim / 2;
    float *cosine = mem_aligned(c->positions * half, sizeof(float));
    float *sine = mem_aligned(c->positions * half, sizeof(float));
    double worst = 0.0;

    *ret_allowed_share = 0.0;
    rope_tables(cosine, sine, c);
    for (size_t i = 0; i < half; i++) {
        long double f =
            powl((long double)c->rope_theta, -2.0L * (long double)i / (long double)c->head_dim);

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
    } cases[] = {
        { 16, 512, 10000.0f },     { 8, 2048, 10000.0f }, { 64, 8192, 500000.0f },
        { 128, 4096, 1000000.0f }, { 2, 1 << 20, 1.0f },  { 4, 1 << 18, 1e12f },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct model_conf c = { .head_dim = cases[i].head_dim,
                                .positions = cases[i].positions,
                                .rope_theta = cases[i].theta };
        double share, worst = worst_error(&c, &share);

        print_message("head_dim %zu, %zu positions: worst %.3g, %.2f of what is allowed\n",
                      c.head_dim, c.positions, worst, share);
        assert_true(share <= 1.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tables_are_within_the_stated_bound) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
