/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: scale asks for pilots only for jobs that one of them could run. Method: the options of a
 * launch, pilots that joined, wishes beside both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "experiments/launch/offer.h"

static char *gpu[] = { (char *)"gpu", (char *)"fast-disk" };
static char *packed[] = { (char *)"packed-1" };

static void options_alone_rule_out_what_they_name(void **state)
{
    struct offer o CLEANUP(offer_release) = { 0 };
    struct pilots p = { .slots = 4,
                        .threads = 2,
                        .memory = "16G",
                        .label = { "gpu" },
                        .labels = 1,
                        .worker_option = { "--label=big", "--models=/m" },
                        .worker_options = 2 };

    (void)state;
    offer_of_pilots(&p, &o);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "any class", "", 0, 0 }), 1);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "big gpu", 8, 16384 }), 4);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 3, 0 }), 2);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "gpu tpu", 0, 0 }), 0);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "gp", 0, 0 }), 0);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 9, 0 }), 0);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 0, 16385 }), 0);
}

static void what_options_do_not_say_is_taken_to_be_enough(void **state)
{
    struct offer o CLEANUP(offer_release) = { 0 };

    (void)state;
    offer_of_pilots(&(struct pilots){ .slots = 0, .memory = "16 apples" }, &o);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "x", "", 64, 1 << 20 }), 1);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "x", "gpu", 0, 0 }), 0);
}

static void pilots_that_joined_show_the_rest(void **state)
{
    struct offer o CLEANUP(offer_release) = { 0 };
    struct offer_worker small = {
        .class = packed, .classes = 1, .slots = 1, .cores = 8, .memory_mib = 1000
    };
    struct offer_worker large = { .label = gpu,
                                  .labels = 2,
                                  .class = packed,
                                  .classes = 1,
                                  .slots = 1,
                                  .cores = 2,
                                  .memory_mib = 9000 };

    (void)state;
    offer_of_pilots(&(struct pilots){ .slots = 1 }, &o);
    offer_learn(&o, &small);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 8, 1000 }), 1);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 9, 0 }), 0);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "", 0, 9000 }), 0);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-2", "", 0, 0 }), 0);
    offer_learn(&o, &large); /* of several the best */
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "fast-disk gpu", 8, 9000 }),
                     1);
    offer_learn(&o, &small);
    assert_int_equal(offer_slots(&o, &(struct offer_wish){ "packed-1", "gpu", 8, 9000 }), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_alone_rule_out_what_they_name),
        cmocka_unit_test(what_options_do_not_say_is_taken_to_be_enough),
        cmocka_unit_test(pilots_that_joined_show_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
