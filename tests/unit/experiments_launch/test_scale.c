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

/* A pilot that sits beside jobs that wait: they are not for it, whatever the reason. */
static void jobs_that_no_pilot_takes_start_no_more_of_them(void **state)
{
    const struct scale_look free_one = {
        .jobs = 6, .waiting = 6, .running = 1, .joined = 1, .idle = 1
    };
    const struct scale_look gone = { .jobs = 6, .waiting = 6 };
    struct scale s = new_scale(8);
    struct scale_action a;

    (void)state;
    assert_int_equal(scale_step(&s, 0, &gone).submit, 3);
    assert_int_equal(scale_step(&s, 1000, &free_one).submit, 2); /* once may be chance */
    for (uint64_t now_ms = 2000; now_ms <= 300000; now_ms += 1000) {
        a = scale_step(&s, now_ms, &free_one);
        assert_true(a.stuck);
        assert_int_equal(a.submit, 0);
    }
    /* They leave, idle; nobody follows them for a minute. */
    assert_int_equal(scale_step(&s, 301000, &gone).submit, 0);
    assert_int_equal(scale_step(&s, 359999, &gone).submit, 0);
    assert_int_equal(scale_step(&s, 360000, &gone).submit, 3);
    /* In vain: two minutes. */
    (void)scale_step(&s, 370000, &free_one);
    assert_true(scale_step(&s, 380000, &free_one).stuck);
    assert_int_equal(scale_step(&s, 499999, &gone).submit, 0);
    /* Something new: at once. */
    a = scale_step(&s, 499999, &(struct scale_look){ .jobs = 7, .waiting = 7 });
    assert_false(a.stuck);
    assert_int_equal(a.submit, 4);
    /* Nothing waits: as in the beginning. */
    (void)scale_step(&s, 500000, &(struct scale_look){ .jobs = 7, .running = 4, .joined = 4 });
    (void)scale_step(&s, 600000, &free_one);
    assert_true(scale_step(&s, 601000, &free_one).stuck);
    assert_true(scale_step(&s, 660999, &gone).stuck);
    assert_int_equal(scale_step(&s, 661000, &gone).submit, 3);
}

static void new_work_beside_an_idle_pilot_is_not_held_back(void **state)
{
    const struct scale_look old = { .jobs = 5, .waiting = 5, .running = 1, .joined = 1, .idle = 1 };
    struct scale s = new_scale(8);
    struct scale_action a;

    (void)state;
    (void)scale_step(&s, 0, &old);
    assert_true(scale_step(&s, 1000, &old).stuck);
    /* It came a moment ago: the idle one has had no time to take it. */
    a = scale_step(
        &s, 2000,
        &(struct scale_look){ .jobs = 105, .waiting = 105, .running = 1, .joined = 1, .idle = 1 });
    assert_int_equal(a.submit, 7);
    a = scale_step(&s, 3000,
                   &(struct scale_look){ .jobs = 105, .waiting = 103, .running = 1, .joined = 1 });
    assert_int_equal(a.submit, 7);
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
                                       .waiting = rng_below(&rng, 4),
                                       .idle = rng_below(&rng, 2),
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
            assert_true(a.submit == 0 || (!a.paused && !a.stuck));
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
        cmocka_unit_test(jobs_that_no_pilot_takes_start_no_more_of_them),
        cmocka_unit_test(new_work_beside_an_idle_pilot_is_not_held_back),
        cmocka_unit_test(bounds_hold_on_random_walks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
