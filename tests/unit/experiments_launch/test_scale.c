/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pilots follow the queue, never more than asked for, with a bounded backlog; a broken
 * cluster is left in peace. Method: a cluster by hand, step by step; random walks for the bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/macros.h"
#include "common/base/rng.h"
#include "experiments/launch/scale.h"

static struct scale new_scale(unsigned target)
{
    struct scale_limits l = scale_limits_default(target, 2);
    struct scale s;

    scale_init(&s, &l);
    return s;
}

static void pilots_follow_a_queue_that_fills_and_empties(void **state)
{
    struct scale s = new_scale(8);
    struct scale_action a;

    (void)state;
    a = scale_step(&s, 0, &(struct scale_look){ .jobs = 0 });
    assert_int_equal(a.submit, 0);
    a = scale_step(&s, 1000, &(struct scale_look){ .jobs = 5 }); /* 2 slots each */
    assert_int_equal(a.submit, 3);
    a = scale_step(&s, 2000, &(struct scale_look){ .jobs = 5, .pending = 1, .running = 2 });
    assert_int_equal(a.submit, 0);
    a = scale_step(&s, 3000, &(struct scale_look){ .jobs = 1000, .running = 3, .joined = 3 });
    assert_int_equal(a.submit, 5); /* never more than the target */
    a = scale_step(&s, 4000,
                   &(struct scale_look){ .jobs = 2, .pending = 4, .running = 4, .joined = 4 });
    assert_int_equal(a.submit, 0);
    assert_int_equal(a.cancel, 4); /* those that have not begun; the others leave by themselves */
}

static void backlog_is_bounded(void **state)
{
    struct scale s = new_scale(1000);
    struct scale_action a;

    (void)state;
    a = scale_step(&s, 0, &(struct scale_look){ .jobs = 100000 });
    assert_int_equal(a.submit, 10);
    a = scale_step(&s, 1000,
                   &(struct scale_look){ .jobs = 100000, .pending = 7, .running = 3, .joined = 3 });
    assert_int_equal(a.submit, 3);
    a = scale_step(
        &s, 2000, &(struct scale_look){ .jobs = 100000, .pending = 10, .running = 3, .joined = 3 });
    assert_int_equal(a.submit, 0);
}

static void failures_in_a_row_pause_ever_longer(void **state)
{
    struct scale s = new_scale(4);
    struct scale_action a;
    const struct scale_look refused = { .jobs = 9, .refused = true };

    (void)state;
    assert_int_equal(scale_step(&s, 0, &refused).submit, 4);
    assert_int_equal(scale_step(&s, 1000, &refused).submit, 4);
    a = scale_step(&s, 2000, &refused);
    assert_true(a.paused);
    assert_int_equal(a.submit, 0);
    assert_true(s.resume_ms == 62000);
    assert_true(scale_step(&s, 61999, &(struct scale_look){ .jobs = 9 }).paused);
    assert_int_equal(scale_step(&s, 62000, &(struct scale_look){ .jobs = 9 }).submit, 4);
    /* Three pilots that died before they joined: two minutes. */
    a = scale_step(&s, 70000, &(struct scale_look){ .jobs = 9, .failed = 3 });
    assert_true(a.paused);
    assert_true(s.resume_ms == 190000);
    /* One that joins shows that all is well. */
    (void)scale_step(&s, 200000, &(struct scale_look){ .jobs = 9, .running = 1, .joined = 1 });
    (void)scale_step(&s, 201000, &refused);
    (void)scale_step(&s, 202000, &refused);
    (void)scale_step(&s, 203000, &refused);
    assert_true(s.resume_ms == 263000);
}

/* A cluster that does what it likes. */
static void bounds_hold_on_random_walks(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct rng rng = rng_stream("scale", seed, 0);
        const unsigned target = 1 + rng_below(&rng, 50);
        struct scale s = new_scale(target);
        unsigned pending = 0, running = 0;

        for (uint64_t now_ms = 0; now_ms < 200000; now_ms += 1000) {
            struct scale_look look = { .jobs = rng_below(&rng, 200),
                                       .pending = pending,
                                       .running = running,
                                       .joined = running,
                                       .failed = rng_below(&rng, 10) == 0,
                                       .refused = rng_below(&rng, 10) == 0 };
            struct scale_action a = scale_step(&s, now_ms, &look);

            assert_true(a.cancel <= pending);
            assert_true(a.submit == 0 || a.cancel == 0);
            pending += a.submit - a.cancel;
            assert_true(a.submit == 0 ||
                        (pending <= s.limits.backlog && pending + running <= target));
            assert_true(a.submit == 0 || !a.paused);
            const unsigned begin = rng_below(&rng, pending + 1);
            pending -= begin;
            running += begin;
            running -= rng_below(&rng, running + 1) / 4;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pilots_follow_a_queue_that_fills_and_empties),
        cmocka_unit_test(backlog_is_bounded),
        cmocka_unit_test(failures_in_a_row_pause_ever_longer),
        cmocka_unit_test(bounds_hold_on_random_walks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
