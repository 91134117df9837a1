/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a listener learns of changes at once and then not more often than once a second, of the
 * newest state always, of life after silence, and of the end; one who does not read costs nothing.
 * Method: ticks of an invented clock, a listener that counts how often it sleeps and is woken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dashboards/events.h"

struct ear {
    struct listener *l;
    unsigned wakes, sleeps;
    char text[4096];
    size_t len;
};

static void wake(void *arg)
{
    struct ear *ear = arg;

    ear->wakes++;
}

static void go_to_sleep(void *arg)
{
    struct ear *ear = arg;

    ear->sleeps++;
}

/* Read all there is, PIECE bytes at a time; how it ended. */
static enum events_read hear(struct ear *ear, size_t piece)
{
    enum events_read what;
    size_t len;

    ear->len = 0;
    do {
        assert_true(ear->len + piece < sizeof ear->text);
        what = events_take(ear->l, ear->text + ear->len, piece, &len, go_to_sleep, ear);
        ear->len += len;
    } while (what == EVENTS_SOME);
    ear->text[ear->len] = '\0';
    return what;
}

static void changes_are_told_at_most_once_a_second(void **state)
{
    struct events *e = events_new();
    struct lookout_state s = { .change = 5, .generation = 1 };
    struct ear ear = { 0 };

    (void)state;
    events_tick(e, &s, 100000);
    ear.l = events_join(e, wake, &ear);
    assert_int_equal(hear(&ear, 7), EVENTS_NONE); /* in pieces */
    assert_non_null(strstr(ear.text, "retry: 2000\n\n"));
    assert_non_null(strstr(ear.text, "event: change\ndata: {\"version\":1,\"change\":5,\"live\":0,"
                                     "\"store\":\"open\"}\n\n"));
    assert_int_equal(ear.sleeps, 1);
    events_tick(e, &s, 100250);
    assert_int_equal(ear.wakes, 0); /* nothing new */
    s.change = 6;
    events_tick(e, &s, 100500);
    assert_int_equal(ear.wakes, 0); /* too early */
    s.change = 7;
    events_tick(e, &s, 101001);
    assert_int_equal(ear.wakes, 1);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    assert_non_null(strstr(ear.text, "\"change\":7"));
    assert_null(strstr(ear.text, "\"change\":6"));
    s.live = 3;
    events_tick(e, &s, 103000);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    assert_non_null(strstr(ear.text, "\"live\":3"));
    (void)err_set(&s.trouble, ERR_NOT_FOUND, "the \"store\"\nis gone");
    events_tick(e, &s, 105000);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    assert_non_null(strstr(ear.text, "\"store\":\"the \\\"store\\\"\\nis gone\""));
    events_leave(ear.l);
    events_free(e);
}

static void silence_is_broken_and_slow_readers_cost_nothing(void **state)
{
    struct events *e = events_new();
    struct lookout_state s = { .change = 1 };
    struct ear ear = { 0 };

    (void)state;
    events_tick(e, &s, 1000);
    ear.l = events_join(e, wake, &ear);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    events_tick(e, &s, 1000 + EVENTS_ALIVE_MS);
    assert_int_equal(ear.wakes, 1);
    for (int i = 0; i < 100; i++) { /* he does not read */
        s.change++;
        events_tick(e, &s, 20000 + (uint64_t)i * 2000);
    }
    assert_int_equal(ear.wakes, 1);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    assert_string_equal(ear.text, ": here\n\n");
    events_tick(e, &s, 300000);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    assert_non_null(strstr(ear.text, "\"change\":101"));
    events_leave(ear.l);
    events_free(e);
}

static void there_is_room_for_so_many_and_an_end_for_all(void **state)
{
    struct events *e = events_new();
    struct listener *all[EVENTS_LISTENERS_MAX];
    struct ear ear = { 0 };

    (void)state;
    ear.l = events_join(e, wake, &ear);
    assert_int_equal(hear(&ear, 100), EVENTS_NONE);
    for (int i = 1; i < EVENTS_LISTENERS_MAX; i++) {
        all[i] = events_join(e, wake, &ear);
        assert_non_null(all[i]);
    }
    assert_null(events_join(e, wake, &ear));
    events_leave(all[1]);
    all[1] = events_join(e, wake, &ear);
    assert_non_null(all[1]);
    assert_int_equal(events_count(e), EVENTS_LISTENERS_MAX);
    events_end(e);
    assert_int_equal(ear.wakes, 1); /* the others do not sleep */
    assert_int_equal(hear(&ear, 100), EVENTS_END);
    assert_null(events_join(e, wake, &ear));
    events_leave(ear.l);
    for (int i = 1; i < EVENTS_LISTENERS_MAX; i++)
        events_leave(all[i]);
    events_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_told_at_most_once_a_second),
        cmocka_unit_test(silence_is_broken_and_slow_readers_cost_nothing),
        cmocka_unit_test(there_is_room_for_so_many_and_an_end_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
