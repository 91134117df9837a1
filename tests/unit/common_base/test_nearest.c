/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a misspelt word finds the known one, a foreign word finds none; heaps give back in order.
 * Method: tables; a heap against sorted input with ties. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/heap.h"
#include "common/base/macros.h"
#include "common/base/nearest.h"
#include "common/base/rng.h"

static void misspelt_words_find_the_known_one(void **state)
{
    static const char *const known[] = { "simulations", "exploration", "seed", "level",
                                         "levels",      "split",       NULL };
    static const struct {
        const char *word, *found;
    } cases[] = {
        { "simulation", "simulations" },
        { "explortaion", "exploration" },
        { "sede", "seed" },
        { "Level", "level" },
        { "lvels", "levels" },
        { "splits", "split" },
        { "bottleneck", NULL },
        { "x", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *found = nearest_find(cases[i].word, known);

        if (cases[i].found)
            assert_string_equal(found, cases[i].found);
        else
            assert_null(found);
    }
}

static void heap_gives_back_by_key_and_then_by_arrival(void **state)
{
    struct heap_entry memory[500];
    struct heap h;
    struct rng r = rng_stream("test", 1, 1);
    uint64_t key = 0, order = 0;

    (void)state;
    heap_init(&h, memory, ARRAY_LEN(memory));
    assert_null(heap_top(&h));
    for (uint64_t i = 0; i < 500; i++)
        heap_push(&h, rng_below(&r, 20), i);
    for (size_t i = 0; i < 500; i++) {
        struct heap_entry e = heap_pop(&h);

        assert_true(e.key > key || (e.key == key && (i == 0 || e.value > order)));
        key = e.key;
        order = e.value;
    }
    assert_int_equal(h.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misspelt_words_find_the_known_one),
        cmocka_unit_test(heap_gives_back_by_key_and_then_by_arrival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
