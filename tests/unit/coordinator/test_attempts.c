/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an attempt is found as long as it has a lease, in bounded memory; options are checked.
 * Method: the table alone, more ends than it keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/attempts.h"
#include "coordinator/server.h"

static void an_attempt_is_found_until_it_ends(void **state)
{
    struct attempts *a = attempts_new();
    struct attempt *t = attempts_add(a, 7, 3, 99, 5);

    (void)state;
    assert_ptr_equal(attempts_find(a, 7), t);
    assert_true(t->id == 7 && t->epoch == 3 && t->job == 99);
    assert_null(attempts_find(a, 8));
    assert_null(attempts_find(a, 7 + (1 << 16)));
    assert_ptr_equal(attempts_running(a), t);
    attempts_end(a, 7);
    attempts_end(a, 7);
    assert_null(attempts_running(a));
    assert_null(attempts_find(a, 7));
    attempts_free(a);
}

/* Many come and go, far more than are kept for later; those that stay are found all the time. */
static void memory_is_used_again_and_nothing_is_mixed_up(void **state)
{
    struct attempts *a = attempts_new();
    uint64_t first = 1;

    (void)state;
    for (uint64_t i = 1; i <= 300000; i++) {
        struct attempt *t = attempts_add(a, i, (uint32_t)i, 2 * i, 5);

        assert_true(t->done == 0 && t->total == 0);
        t->done = t->total = i;
        if (i % 3 == 0) /* behind each other in the same bucket */
            attempts_end(a, i - 1);
        if (i - first == 100000)
            for (; first < i - 50000; first++)
                attempts_end(a, first);
    }
    for (uint64_t i = 1; i <= 300000; i++) {
        const struct attempt *t = attempts_find(a, i);

        assert_int_equal(t != NULL, i >= first && i % 3 != 2);
        assert_true(!t || (t->id == i && t->job == 2 * i && t->done == i));
    }
    attempts_free(a);
}

/* Forty attempts; some end, in no order: the others are listed, oldest first. */
static void running_ones_are_listed_oldest_first(void **state)
{
    struct attempts *a = attempts_new();
    uint64_t seen = 0, last = 0;

    (void)state;
    for (uint64_t i = 1; i <= 40; i++)
        (void)attempts_add(a, i, 1, i, 5);
    for (uint64_t i = 1; i <= 40; i += 3)
        attempts_end(a, 41 - i);
    for (const struct attempt *t = attempts_running(a); t; t = t->next, seen++) {
        assert_true(t->id > last);
        last = t->id;
    }
    assert_int_equal(seen, 40 - 14);
    attempts_free(a);
}

static void options_out_of_range_are_named(void **state)
{
    struct server_options o = server_options_default();
    struct err err = { 0 };

    (void)state;
    assert_int_equal(server_options_check(&o, &err), 0);
    o.renew_ms = 20000;
    assert_int_equal(server_options_check(&o, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "--renew-ms"));
    o.lease_ms = 0;
    assert_int_equal(server_options_check(&o, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "--lease-ms=0 is out of range"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_found_until_it_ends),
        cmocka_unit_test(running_ones_are_listed_oldest_first),
        cmocka_unit_test(memory_is_used_again_and_nothing_is_mixed_up),
        cmocka_unit_test(options_out_of_range_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
