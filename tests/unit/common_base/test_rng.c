/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: streams are Philox4x32-10, depend on nothing but their names, and never change.
 * Method: Random123's published known answers; golden values from an independent implementation;
 * coarse statistics with fixed seeds (so a run is the same every time). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/rng.h"

static void philox_gives_random123s_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u },
          { ~0u, ~0u },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rng r = { .left = 0 };

        memcpy(r.counter, cases[i].counter, sizeof(r.counter));
        memcpy(r.key, cases[i].key, sizeof(r.key));
        for (int k = 0; k < 4; k++)
            assert_int_equal(rng_u32(&r), cases[i].out[k]);
    }
}

static void named_streams_have_golden_values(void **state)
{
    static const uint32_t search[] = { 0x958e63c7, 0x913c5797, 0x93c21123,
                                       0x55916f41, 0xd4faefab, 0x8030e0c1 };
    static const uint32_t weights[] = { 0x166bb536, 0xf11b227b, 0xcdb7b536, 0xbd28e23c };
    static const uint32_t order[] = { 0xa55b6c72, 0xe1d049e0, 0x552c9a37, 0xca6d9820 };
    struct rng a = rng_stream("search", 42, 7);
    struct rng b = rng_stream("weights", 0, 0);
    struct rng c = rng_stream("order", (UINT64_C(1) << 63) + 5, UINT64_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(search); i++)
        assert_int_equal(rng_u32(&a), search[i]);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rng_u32(&b), weights[i]);
        assert_int_equal(rng_u32(&c), order[i]);
    }
}

static void reals_have_golden_bits(void **state)
{
    struct rng a = rng_stream("order", 1, 2), b = a, c = a, d = a;

    (void)state;
    assert_true(rng_double(&a) == 0x1.4e8d3010d2e98p-1);
    assert_true(rng_float(&b) == 0x1.a5d30cp-2f);
    assert_true(rng_normal(&c) == 0x1.953e01d900000p+0);
    assert_int_equal(rng_u64(&d) >> 11, (uint64_t)(0x1.4e8d3010d2e98p-1 * 0x1p53));
}

static void streams_differ_by_every_part_of_their_name(void **state)
{
    struct rng base = rng_stream("order", 1, 2);
    struct rng others[] = { rng_stream("order", 1, 3), rng_stream("order", 2, 2),
                            rng_stream("ordes", 1, 2) };
    uint64_t first = rng_u64(&base);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_not_equal(rng_u64(&others[i]), first);
}

static void counter_carries_into_its_second_word(void **state)
{
    struct rng r = { .counter = { UINT32_MAX, 0, 5, 6 } };
    struct rng next = { .counter = { 0, 1, 5, 6 } };

    (void)state;
    for (int i = 0; i < 4; i++)
        (void)rng_u32(&r);
    assert_int_equal(rng_u32(&r), rng_u32(&next));
}

static void below_is_in_range_and_even(void **state)
{
    struct rng r = rng_stream("test", 1, 1);
    unsigned seen[7] = { 0 };

    (void)state;
    for (int i = 0; i < 70000; i++) {
        uint32_t v = rng_below(&r, 7);

        assert_true(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9600, 10400);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(rng_below(&r, 1), 0);
        assert_true(rng_below(&r, 0x80000001u) < 0x80000001u);
    }
}

static void normal_has_mean_0_and_variance_1(void **state)
{
    struct rng r = rng_stream("test", 1, 2);
    double sum = 0, squares = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = rng_normal(&r);

        assert_true(v > -6.0 && v < 6.0);
        sum += v;
        squares += v * v;
    }
    assert_true(sum / 100000 > -0.02 && sum / 100000 < 0.02);
    assert_true(squares / 100000 > 0.98 && squares / 100000 < 1.02);
}

static void shuffle_keeps_every_element_and_moves_them(void **state)
{
    struct rng r = rng_stream("test", 1, 3);
    uint16_t v[100];
    unsigned seen[100] = { 0 }, fixed = 0;

    (void)state;
    for (uint16_t i = 0; i < 100; i++)
        v[i] = i;
    rng_shuffle(&r, v, 100, sizeof(v[0]));
    for (unsigned i = 0; i < 100; i++) {
        seen[v[i]]++;
        fixed += v[i] == i;
    }
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_true(fixed < 10);
    rng_shuffle(&r, v, 0, sizeof(v[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_random123s_known_answers),
        cmocka_unit_test(named_streams_have_golden_values),
        cmocka_unit_test(reals_have_golden_bits),
        cmocka_unit_test(streams_differ_by_every_part_of_their_name),
        cmocka_unit_test(counter_carries_into_its_second_word),
        cmocka_unit_test(below_is_in_range_and_even),
        cmocka_unit_test(normal_has_mean_0_and_variance_1),
        cmocka_unit_test(shuffle_keeps_every_element_and_moves_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
