/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whoever asks the blob thread for much does not keep others waiting, and what waits is
 * bounded. Method: fifty fake peers, forty-nine of which fetch a model of thousands of chunks and
 * always have as many requests under way as they may; items are numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/blob_turns.h"

enum { PEERS = 50, CHUNK = 1 << 20 };

static size_t freed;

static void count_free(void *item)
{
    (void)item;
    freed++;
}

static void *number(uint64_t n)
{
    return (void *)(uintptr_t)(n + 1);
}

static uint64_t value(const void *item)
{
    return (uint64_t)(uintptr_t)item - 1;
}

static void a_small_request_waits_for_one_turn_of_each(void **state)
{
    struct turns *t = turns_new(count_free);
    uint64_t peer, asked[PEERS + 1] = { 0 }, got[PEERS + 1] = { 0 };

    (void)state;
    for (uint64_t round = 0; round < 2000; round++) {
        for (uint64_t p = 1; p < PEERS; p++)
            while (turns_add(t, p, number(asked[p]), 0))
                asked[p]++;
        if (round == 1000)
            assert_true(turns_add(t, PEERS, number(0), 0));
        const void *item = turns_next(t, NULL, NULL, &peer);
        assert_non_null(item);
        assert_true(value(item) == got[peer]++); /* each in its order */
        if (round >= 1000 && round < 1000 + PEERS - 1)
            assert_true(peer != PEERS); /* it has no right of way either */
        if (round == 1000 + PEERS - 1)
            assert_true(peer == PEERS);
    }
    for (uint64_t p = 1; p < PEERS; p++) {
        assert_true(got[p] >= 2000 / (PEERS - 1) - 1 && got[p] <= 2000 / (PEERS - 1) + 1);
        assert_true(asked[p] - got[p] <= TURNS_PEER_MAX);
    }
    turns_free(t);
}

static bool is_odd(void *arg, uint64_t peer)
{
    size_t *asked = arg;

    ++*asked;
    return peer % 2 == 1;
}

static void a_peer_that_takes_nothing_is_passed_over_and_keeps_its_turn(void **state)
{
    struct turns *t = turns_new(count_free);
    uint64_t peer, served = 0;
    size_t asked = 0;

    (void)state;
    for (uint64_t p = 1; p <= PEERS; p++)
        assert_true(turns_add(t, p, number(p), 0));
    for (const void *item; (item = turns_next(t, is_odd, &asked, &peer)) != NULL; served++)
        assert_true(peer % 2 == 0 && value(item) == peer);
    assert_int_equal(served, PEERS / 2);
    assert_int_equal(turns_waiting(t), PEERS / 2);
    asked = 0;
    assert_null(turns_next(t, is_odd, &asked, &peer));
    assert_int_equal(asked, PEERS / 2); /* once each, not for ever */
    for (uint64_t p = 1; p <= PEERS; p += 2) {
        assert_non_null(turns_next(t, NULL, NULL, &peer));
        assert_true(peer % 2 == 1);
    }
    assert_null(turns_next(t, NULL, NULL, &peer));
    turns_free(t);
}

static void what_waits_is_bounded(void **state)
{
    struct turns *t = turns_new(count_free);
    size_t n = 0;

    (void)state;
    for (uint64_t p = 1; p <= TURNS_MAX; p++)
        for (size_t i = 0; i < TURNS_PEER_MAX + 1; i++)
            n += turns_add(t, p, number(n), CHUNK);
    assert_int_equal(n, TURNS_BYTES_MAX / CHUNK);
    freed = 0;
    turns_drop(t, 1);
    turns_drop(t, 1);
    turns_drop(t, 99999);
    assert_int_equal(freed, TURNS_PEER_MAX);
    assert_int_equal(turns_waiting(t), n - TURNS_PEER_MAX);
    assert_true(turns_add(t, 99999, number(n), TURNS_PEER_MAX * CHUNK));
    assert_false(turns_add(t, 99998, number(n), 1));
    turns_free(t);
    assert_int_equal(freed, n + 1);

    t = turns_new(count_free);
    n = 0;
    for (uint64_t p = 1; p <= TURNS_MAX; p++)
        for (size_t i = 0; i < TURNS_PEER_MAX + 1; i++)
            n += turns_add(t, p, number(n), 0);
    assert_int_equal(n, TURNS_MAX);
    turns_free(t);
}

static void one_request_may_be_larger_than_the_bound(void **state)
{
    struct turns *t = turns_new(count_free);
    uint64_t peer;

    (void)state;
    assert_true(turns_add(t, 1, number(1), (size_t)TURNS_BYTES_MAX + 1));
    assert_false(turns_add(t, 2, number(2), 1));
    assert_true(value(turns_next(t, NULL, NULL, &peer)) == 1);
    assert_true(turns_add(t, 2, number(2), 1));
    turns_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_request_waits_for_one_turn_of_each),
        cmocka_unit_test(a_peer_that_takes_nothing_is_passed_over_and_keeps_its_turn),
        cmocka_unit_test(what_waits_is_bounded),
        cmocka_unit_test(one_request_may_be_larger_than_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
