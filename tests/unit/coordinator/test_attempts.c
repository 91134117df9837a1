/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an attempt is found by both of its names, also after its end, in bounded memory; options
 * are checked. Method: the table alone, more ends than it keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/attempts.h"
#include "coordinator/server.h"

static void attempt_is_found_by_both_names(void **state)
{
    struct attempts *a = attempts_new();
    struct attempt *t = attempts_add(a, UINT64_C(1) << 40 | 1, 1, 7, 3, 99);

    (void)state;
    assert_ptr_equal(attempts_by_core(a, UINT64_C(1) << 40 | 1), t);
    assert_ptr_equal(attempts_by_row(a, 7), t);
    assert_null(attempts_by_row(a, 8));
    assert_null(attempts_by_core(a, 7));
    assert_ptr_equal(attempts_running(a), t);
    attempts_end(a, t);
    attempts_end(a, t);
    assert_null(attempts_running(a));
    assert_ptr_equal(attempts_by_row(a, 7), t);
    attempts_free(a);
}

static void ended_attempts_are_forgotten_oldest_first(void **state)
{
    struct attempts *a = attempts_new();
    struct attempt *running = attempts_add(a, 1, 1, 1000000, 1, 1);

    (void)state;
    for (uint64_t i = 2; i < ATTEMPTS_ENDED_MAX + 12; i++)
        attempts_end(a, attempts_add(a, i, 1, i, 1, i));
    assert_null(attempts_by_row(a, 2));
    assert_null(attempts_by_core(a, 11));
    assert_non_null(attempts_by_core(a, 12));
    assert_ptr_equal(attempts_by_core(a, 1), running);
    attempts_free(a);
}

/* Forty attempts; some end, in no order: the others are listed, oldest first. */
static void running_ones_are_listed_oldest_first(void **state)
{
    struct attempts *a = attempts_new();
    uint64_t seen = 0, last = 0;

    (void)state;
    for (uint64_t i = 1; i <= 40; i++)
        (void)attempts_add(a, i, 1, 100 + i, 1, i);
    for (uint64_t i = 1; i <= 40; i += 3)
        attempts_end(a, attempts_by_core(a, 41 - i));
    attempts_running(a)->claims_known = true;
    attempts_forget_claims(a);
    for (const struct attempt *t = attempts_running(a); t; t = t->next, seen++) {
        assert_true(t->core > last && !t->ended && !t->claims_known);
        last = t->core;
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
        cmocka_unit_test(attempt_is_found_by_both_names),
        cmocka_unit_test(running_ones_are_listed_oldest_first),
        cmocka_unit_test(ended_attempts_are_forgotten_oldest_first),
        cmocka_unit_test(options_out_of_range_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
