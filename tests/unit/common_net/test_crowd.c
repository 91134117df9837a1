/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whoever floods a listener loses his own connections first, and telling of strangers stays
 * cheap. Method: descriptors and times by hand; a random walk against a plain model's sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/rng.h"
#include "common/net/crowd.h"
#include "common/net/tally.h"

static const struct crowd_limits limits = {
    .total = 20, .silent = 8, .address_total = 10, .address_silent = 4
};

static void silent_ones_of_a_flooding_address_go_first_the_oldest(void **state)
{
    struct crowd *c = crowd_new(&limits);
    uint32_t address;
    int fd;

    (void)state;
    crowd_accept(c, 100, 7); /* a quiet neighbour, older than the flood */
    for (int i = 0; i < 4; i++)
        crowd_accept(c, i, 9);
    assert_false(crowd_excess(c, &fd, &address));
    crowd_accept(c, 4, 9);
    assert_true(crowd_excess(c, &fd, &address));
    assert_int_equal(fd, 0);
    assert_int_equal(address, 9);
    assert_false(crowd_excess(c, &fd, &address));
    (void)crowd_speak(c, 1, "", &address);
    crowd_accept(c, 5, 9);
    assert_false(crowd_excess(c, &fd, &address)); /* one of them has spoken */
    crowd_free(c);
}

static void who_speaks_is_not_shut_for_silence(void **state)
{
    struct crowd *c = crowd_new(&limits);
    uint32_t address;
    int fd;

    (void)state;
    for (int i = 0; i < 10; i++) {
        crowd_accept(c, i, 9);
        (void)crowd_speak(c, i, "key", &address);
    }
    assert_false(crowd_excess(c, &fd, &address));
    crowd_accept(c, 10, 9); /* the eleventh of this address */
    assert_true(crowd_excess(c, &fd, &address));
    assert_int_equal(fd, 10);
    crowd_free(c);
}

static bool keep_all_but_eve(void *arg, const char *key)
{
    (void)arg;
    return strcmp(key, "eve") != 0;
}

static void revoked_key_loses_all_its_connections(void **state)
{
    struct crowd *c = crowd_new(&limits);
    bool silent;
    uint32_t address;
    int at = 0, fd;

    (void)state;
    for (int i = 0; i < 6; i++) {
        crowd_accept(c, i, (uint32_t)i + 1);
        (void)crowd_speak(c, i, i % 2 ? "eve" : "ada", &address);
    }
    for (int i = 1; i < 6; i += 2) {
        assert_true(crowd_send_away(c, keep_all_but_eve, NULL, &at, &fd));
        assert_int_equal(fd, i);
    }
    assert_false(crowd_send_away(c, keep_all_but_eve, NULL, &at, &fd));
    assert_int_equal(crowd_count(c), 3);
    assert_true(crowd_leave(c, 1, &address, &silent));
    assert_false(silent); /* it was sent away: nothing to tell */
    assert_false(crowd_leave(c, 1, &address, &silent));
    crowd_free(c);
}

static void limits_hold_whatever_comes(void **state)
{
    struct crowd *c = crowd_new(&limits);
    bool open[64] = { false };
    struct rng r = rng_stream("crowd", 1, 1);

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int fd = (int)rng_below(&r, 64);
        uint32_t address;
        bool silent;

        switch (rng_below(&r, 3)) {
        case 0:
            crowd_accept(c, fd, rng_below(&r, 4));
            open[fd] = true;
            while (crowd_excess(c, &fd, &address))
                open[fd] = false;
            break;
        case 1:
            (void)crowd_speak(c, fd, "key", &address);
            break;
        default:
            (void)crowd_leave(c, fd, &address, &silent);
            open[fd] = false;
        }
        unsigned count = 0;
        for (size_t k = 0; k < 64; k++)
            count += open[k];
        assert_int_equal(crowd_count(c), count);
        assert_true(count <= limits.total);
    }
    crowd_free(c);
}

static void first_of_a_kind_is_told_at_once_and_the_rest_counted(void **state)
{
    struct tally t = { .every_ms = 1000 };
    struct tally_row r;

    (void)state;
    tally_add(&t, "x", 1, "", 1, 5000);
    assert_true(tally_take(&t, 5000, &r));
    assert_int_equal(r.count, 1);
    for (int i = 0; i < 500; i++)
        tally_add(&t, "x", 1, "", 1, 5100);
    assert_false(tally_take(&t, 5100, &r));
    assert_true(tally_due_ms(&t) == 6000);
    assert_true(tally_take(&t, 6000, &r));
    assert_int_equal(r.count, 500);
    assert_true(tally_due_ms(&t) == UINT64_MAX);
}

static void many_kinds_take_bounded_room_and_none_is_lost(void **state)
{
    struct tally t = { .every_ms = 1000 };
    struct tally_row r;
    unsigned told = 0, rows = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        tally_add(&t, "x", i + 1, "", 1, 10);
    while (tally_take(&t, 10, &r)) {
        told += r.count;
        rows++;
    }
    assert_int_equal(told, 1000);
    assert_true(rows <= TALLY_ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_ones_of_a_flooding_address_go_first_the_oldest),
        cmocka_unit_test(who_speaks_is_not_shut_for_silence),
        cmocka_unit_test(revoked_key_loses_all_its_connections),
        cmocka_unit_test(limits_hold_whatever_comes),
        cmocka_unit_test(first_of_a_kind_is_told_at_once_and_the_rest_counted),
        cmocka_unit_test(many_kinds_take_bounded_room_and_none_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
