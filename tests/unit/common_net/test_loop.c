/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: timers, signals, wake-ups and after-functions of the loop run as loop.h says.
 * Method: a loop without transports; what ran is written down in order. Times are only compared as
 * order. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/loop.h"

struct note {
    struct loop *loop;
    struct buf *trace;
    const char *word;
    int timer;
};

static void write_down(void *arg)
{
    struct note *n = arg;

    buf_printf(n->trace, "%s ", n->word);
}

static void write_down_and_stop(void *arg)
{
    struct note *n = arg;

    write_down(n);
    loop_stop(n->loop);
}

static void set_again(void *arg)
{
    struct note *n = arg;

    write_down(n);
    loop_timer_set(n->loop, n->timer, 0);
}

static void on_signal(void *arg, int signal)
{
    struct note *n = arg;

    buf_printf(n->trace, "%s%d ", n->word, signal == SIGUSR1);
    loop_stop(n->loop);
}

static struct loop *new_loop(void)
{
    struct loop *l = NULL;
    struct err err = { 0 };

    assert_int_equal(loop_new(&l, &err), 0);
    return l;
}

static void timers_run_in_order_of_time_then_of_creation(void **state)
{
    struct loop *l = new_loop();
    struct buf trace = { 0 };
    struct note a = { l, &trace, "a", 0 }, b = { l, &trace, "b", 0 }, c = { l, &trace, "c", 0 },
                off = { l, &trace, "off", 0 }, end = { l, &trace, "end", 0 };
    uint64_t now_ms = clock_ms();
    struct err err = { 0 };

    (void)state;
    loop_timer_set(l, loop_add_timer(l, write_down, &a), now_ms + 20);
    loop_timer_set(l, loop_add_timer(l, write_down, &b), now_ms + 10);
    loop_timer_set(l, loop_add_timer(l, write_down, &c), now_ms + 10);
    off.timer = loop_add_timer(l, write_down, &off);
    loop_timer_set(l, off.timer, now_ms);
    loop_timer_set(l, off.timer, UINT64_MAX);
    loop_timer_set(l, loop_add_timer(l, write_down_and_stop, &end), now_ms + 30);
    assert_int_equal(loop_run(l, &err), 0);
    assert_string_equal(buf_str(&trace), "b c a end ");
    assert_true(clock_ms() >= now_ms + 30);
    buf_release(&trace);
    loop_free(l);
}

static void timer_that_sets_itself_does_not_hold_the_round(void **state)
{
    struct loop *l = new_loop();
    struct buf trace = { 0 };
    struct note again = { l, &trace, "again", 0 }, after = { l, &trace, "after", 0 };
    struct err err = { 0 };

    (void)state;
    again.timer = loop_add_timer(l, set_again, &again);
    loop_timer_set(l, again.timer, 0);
    loop_add_after(l, write_down, &after);
    assert_int_equal(loop_step(l, 1000, &err), 0);
    assert_int_equal(loop_step(l, 1000, &err), 0);
    assert_string_equal(buf_str(&trace), "again after again after ");
    buf_release(&trace);
    loop_free(l);
}

static void *wake(void *arg)
{
    loop_wake(arg);
    loop_wake(arg);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    struct loop *l = new_loop();
    struct buf trace = { 0 };
    struct note woken = { l, &trace, "woken", 0 };
    struct err err = { 0 };
    pthread_t thread;

    (void)state;
    loop_on_wake(l, write_down_and_stop, &woken);
    assert_int_equal(pthread_create(&thread, NULL, wake, l), 0);
    assert_int_equal(loop_run(l, &err), 0);
    pthread_join(thread, NULL);
    assert_int_equal(loop_step(l, 0, &err), 0);
    assert_true(trace.len == 6 || trace.len == 12);
    buf_release(&trace);
    loop_free(l);
}

static void signals_come_as_events(void **state)
{
    struct loop *l = new_loop();
    struct buf trace = { 0 };
    struct note n = { l, &trace, "signal", 0 };
    static const int signals[] = { SIGUSR1, SIGUSR2 };
    struct err err = { 0 };

    (void)state;
    assert_int_equal(loop_add_signals(l, signals, 2, on_signal, &n, &err), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(loop_run(l, &err), 0);
    assert_string_equal(buf_str(&trace), "signal1 ");
    buf_release(&trace);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order_of_time_then_of_creation),
        cmocka_unit_test(timer_that_sets_itself_does_not_hold_the_round),
        cmocka_unit_test(another_thread_wakes_the_loop),
        cmocka_unit_test(signals_come_as_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
