/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the maps and lists of the core keep what they are given.
 * Method: random puts and removes beside a plain array, with keys that collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "coordinator/core/map.h"

enum { KEYS = 200, CAPACITY = 64 };

static void map_agrees_with_a_plain_array(void **state)
{
    static struct map_slot slots[256];
    struct map m;
    struct rng rng = rng_stream("test", 1, 0);
    uint32_t model[KEYS + 1];

    (void)state;
    size_t n = map_slots(CAPACITY);
    assert_true(n <= ARRAY_LEN(slots));
    map_init(&m, slots, n);
    for (size_t k = 0; k <= KEYS; k++)
        model[k] = NONE;
    for (int round = 0; round < 100000; round++) {
        uint64_t key = 1 + rng_below(&rng, KEYS);
        if (model[key] != NONE) {
            map_remove(&m, key << 40);
            model[key] = NONE;
        } else if (m.len < CAPACITY) {
            model[key] = (uint32_t)round;
            map_put(&m, key << 40, model[key]);
        }
        uint64_t other = 1 + rng_below(&rng, KEYS);
        assert_int_equal(map_get(&m, other << 40), model[other]);
        assert_int_equal(map_get(&m, key << 40), model[key]);
    }
    for (uint64_t k = 1; k <= KEYS; k++)
        assert_int_equal(map_get(&m, k << 40), model[k]);
}

struct item {
    int before;
    struct link link;
};

static void list_keeps_order_over_removals_anywhere(void **state)
{
    struct item items[5] = { 0 };
    struct list l;

    (void)state;
    list_init(&l, &items[0].link, sizeof items[0]);
    for (uint32_t i = 0; i < 5; i++)
        list_push(&l, i);
    list_remove(&l, 2);
    list_remove(&l, 0);
    list_remove(&l, 4);
    list_push(&l, 0);
    assert_int_equal(l.head, 1);
    assert_int_equal(list_next(&l, 1), 3);
    assert_int_equal(list_next(&l, 3), 0);
    assert_int_equal(list_next(&l, 0), NONE);
    assert_int_equal(l.tail, 0);
    assert_false(items[2].link.linked);
    list_remove(&l, 1);
    list_remove(&l, 3);
    list_remove(&l, 0);
    assert_int_equal(l.head, NONE);
    assert_int_equal(l.tail, NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_agrees_with_a_plain_array),
        cmocka_unit_test(list_keeps_order_over_removals_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
