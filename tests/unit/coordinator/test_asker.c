/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: questions are answered on a thread of their own, in order, within limits; too many are
 * refused; a slow one neither blocks the asker nor the end. Method: the asker itself over a real
 * store, with the test as its loop thread; under TSan. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/macros.h"
#include "coordinator/asker.h"
#include "store/store.h"
#include "tests/support/folder.h"

/* A query that would take hours. */
#define SLOW                                                                                       \
    "{\"sql\": \"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "         \
    "count(*) "                                                                                    \
    "FROM n\"}"

struct world {
    char folder[64], path[96];
    struct store *store; /* the writer */
    struct asker *asker;
    sem_t woken;
};

static void wake(void *arg)
{
    (void)sem_post(arg);
}

static int set_up(void **state)
{
    static struct world w;
    struct err err = { 0 };

    (void)snprintf(w.folder, sizeof(w.folder), "/tmp/test-asker-XXXXXX");
    assert_non_null(mkdtemp(w.folder));
    (void)snprintf(w.path, sizeof(w.path), "%s/results.db", w.folder);
    assert_int_equal(sem_init(&w.woken, 0, 0), 0);
    assert_int_equal(store_open(&w.store, w.path, "", &err), 0);
    assert_int_equal(asker_start(&w.asker, w.path, wake, &w.woken, &err), 0);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    asker_stop(w->asker);
    store_close(w->store);
    (void)sem_destroy(&w->woken);
    return folder_remove(w->folder);
}

static void ask(struct world *w, uint64_t request, const char *what, const char *arguments)
{
    struct err err = { 0 };

    assert_int_equal(asker_ask(w->asker, 7, request, what, arguments, &err), 0);
}

/* The next answer, waited for. */
static struct asker_answer take(struct world *w)
{
    struct asker_answer a;

    while (!asker_take(w->asker, &a))
        assert_int_equal(sem_wait(&w->woken), 0);
    return a;
}

static void answers_come_in_order_and_name_their_question(void **state)
{
    struct world *w = *state;
    char sql[64];

    for (uint64_t i = 1; i <= ASKER_PEER_MAX; i++) {
        (void)snprintf(sql, sizeof(sql), "{\"sql\": \"SELECT %d * 11 AS x\"}", (int)i);
        ask(w, i, "query", sql);
    }
    for (uint64_t i = 1; i <= ASKER_PEER_MAX; i++) {
        struct asker_answer a = take(w);

        (void)snprintf(sql, sizeof(sql), "[[%d]]", (int)i * 11);
        assert_int_equal(a.code, 0);
        assert_int_equal(a.request, i);
        assert_int_equal(a.peer, 7);
        assert_non_null(strstr(buf_str(&a.text), sql));
        assert_non_null(strstr(buf_str(&a.text), "\"version\":1"));
        buf_release(&a.text);
    }
}

static void what_was_committed_before_is_seen(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };

    for (int i = 1; i <= 20; i++) {
        struct asker_answer a;
        char expected[16];

        assert_int_equal(store_begin(w->store, &err), 0);
        assert_int_equal(store_event(w->store, "test", 0, 0, "x", &err), 0);
        assert_int_equal(store_commit(w->store, &err), 0);
        ask(w, 1, "query", "{\"sql\": \"SELECT count(*) FROM event WHERE kind = 'test'\"}");
        a = take(w);
        (void)snprintf(expected, sizeof(expected), "[[%d]]", i);
        assert_non_null(strstr(buf_str(&a.text), expected));
        buf_release(&a.text);
    }
}

static void wrong_questions_are_answered_with_the_right_spelling(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *what, *arguments, *expected;
        int code;
    } cases[] = {
        { "querry", "{}", "query", ERR_INVALID },
        { "query", "{\"sqll\": \"SELECT 1\"}", "\"sql\"", ERR_INVALID },
        { "query", "{\"sql\": 5}", "sql", ERR_INVALID },
        { "query", "no json", "", ERR_INVALID },
        { "query", "", "sql", ERR_INVALID },
        { "query", "{\"sql\": \"DELETE FROM event\"}", "only reading", ERR_INVALID },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asker_answer a;

        ask(w, i, cases[i].what, cases[i].arguments);
        a = take(w);
        assert_int_equal(a.code, cases[i].code);
        if (!strstr(buf_str(&a.text), cases[i].expected))
            fail_msg("%s: %s", cases[i].arguments, buf_str(&a.text));
        buf_release(&a.text);
    }
}

static void answer_over_the_limit_is_an_error(void **state)
{
    struct world *w = *state;
    struct asker_answer a;

    ask(w, 1, "query",
        "{\"sql\": \"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000) "
        "SELECT printf('%08000d', i) FROM n\"}");
    a = take(w);
    assert_int_equal(a.code, ERR_LIMIT);
    assert_true(a.text.len > 0 && a.text.len < 504);
    buf_release(&a.text);
}

static void busy_asker_refuses_and_goes_on(void **state)
{
    struct world *w = *state;
    struct err err = { 0 };
    int rc = 0, asked = 0;

    ask(w, 0, "query", SLOW);
    while (rc == 0 && asked <= ASKER_PEER_MAX) {
        rc = asker_ask(w->asker, 7, 1, "schema", "{}", &err);
        asked += rc == 0;
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_non_null(strstr(err.text, "busy"));
    /* Another connection still has room, until the whole queue is full. */
    rc = 0;
    for (uint64_t peer = 100; rc == 0; peer++) {
        rc = asker_ask(w->asker, peer, 1, "schema", "{}", &err);
        asked += rc == 0;
        assert_true(asked <= ASKER_QUEUE_MAX + 1);
    }
    assert_true(asked >= ASKER_QUEUE_MAX - 1); /* the slow one may wait there too */
} /* the end interrupts the slow query and drops the rest */

static void slow_question_does_not_hold_up_the_end(void **state)
{
    struct world *w = *state;
    uint64_t begun_ms = clock_ms();

    ask(w, 1, "query", SLOW);
    clock_sleep_ms(30);
    asker_stop(w->asker);
    w->asker = NULL;
    assert_true(clock_ms() - begun_ms < ASKER_TIME_MS);
}

static void no_store_is_an_error(void **state)
{
    struct asker *a = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(asker_start(&a, "/tmp/no/such/store.db", wake, NULL, &err), ERR_NOT_FOUND);
    assert_null(a);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_come_in_order_and_name_their_question),
        TEST(what_was_committed_before_is_seen),
        TEST(wrong_questions_are_answered_with_the_right_spelling),
        TEST(answer_over_the_limit_is_an_error),
        TEST(busy_asker_refuses_and_goes_on),
        TEST(slow_question_does_not_hold_up_the_end),
        cmocka_unit_test(no_store_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
