/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a question is computed once for all who ask it at the same time, kept until something
 * changes, never answered with less than what the change number promised, and never by the threads
 * of another lane; limits and the end leave nobody without an answer. Method: a maker that waits at
 * a gate which the test opens, counts its calls and answers with its count; many threads that ask
 * at random while the number grows (also under TSan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "dashboards/answers.h"

/* ---- a maker ---- */

enum { THREADS = 2 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool closed; /* make() waits */
    atomic_bool interrupted;
    atomic_uint made, inside, dropped, threads;
    _Atomic uint64_t change, live;
} gate = { .mutex = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };

static void set_closed(bool closed)
{
    pthread_mutex_lock(&gate.mutex);
    gate.closed = closed;
    pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.mutex);
}

static void *begin(void *arg)
{
    gate.threads++;
    return arg;
}

/* WHAT: a text; "quick" does not wait at the gate, "fail" fails, "large" is long. */
static int make(void *own, const void *what, uint64_t change, struct buf *out, struct err *err)
{
    const char *text = what;

    (void)own;
    gate.inside++;
    if (strcmp(text, "quick") != 0) {
        pthread_mutex_lock(&gate.mutex);
        while (gate.closed && !gate.interrupted) {
            struct timespec at;

            clock_gettime(CLOCK_REALTIME, &at);
            at.tv_nsec = (at.tv_nsec + 5000000) % 1000000000;
            pthread_cond_timedwait(&gate.opened, &gate.mutex, &at);
        }
        pthread_mutex_unlock(&gate.mutex);
    }
    gate.inside--;
    if (strcmp(text, "fail") == 0)
        return err_set(err, ERR_NOT_FOUND, "nothing there");
    if (strcmp(text, "large") == 0)
        for (int i = 0; i < 4000; i++)
            buf_adds(out, "abcdefgh");
    buf_printf(out, "{\"made\":%u,\"change\":%llu}", ++gate.made, (unsigned long long)change);
    return 0;
}

static void interrupt(void *own)
{
    (void)own;
    gate.interrupted = true;
}

static void end(void *own)
{
    (void)own;
    gate.threads--;
}

static uint64_t change(void *arg, bool live)
{
    (void)arg;
    return gate.change + (live ? gate.live : 0);
}

static const struct answers_maker maker = { begin, make, interrupt, end, change, NULL };

static void drop(void *what)
{
    gate.dropped++;
    free(what);
}

static struct answers *start(size_t bytes)
{
    gate.interrupted = false;
    gate.made = gate.dropped = 0;
    gate.change = 1;
    gate.live = 0;
    set_closed(false);
    return answers_start(&maker, THREADS, bytes);
}

/* ---- who asks ---- */

struct inbox {
    pthread_mutex_t mutex;
    struct answer *answer[512];
    size_t len;
};

static void deliver(struct answer *answer, void *arg)
{
    struct inbox *in = arg;

    pthread_mutex_lock(&in->mutex);
    assert_true(in->len < ARRAY_LEN(in->answer));
    in->answer[in->len++] = answer;
    pthread_mutex_unlock(&in->mutex);
}

static size_t delivered(struct inbox *in)
{
    pthread_mutex_lock(&in->mutex);
    size_t len = in->len;
    pthread_mutex_unlock(&in->mutex);
    return len;
}

static bool wait_for(struct inbox *in, size_t len)
{
    for (int i = 0; i < 4000 && delivered(in) < len; i++)
        clock_sleep_ms(5);
    return delivered(in) == len;
}

static void wait_inside(unsigned n)
{
    for (int i = 0; i < 4000 && gate.inside < n; i++)
        clock_sleep_ms(5);
    assert_int_equal(gate.inside, n);
}

static void inbox_release(struct inbox *in)
{
    for (size_t i = 0; i < in->len; i++)
        answer_drop(in->answer[i]);
    in->len = 0;
}

static void ask(struct answers *a, struct inbox *in, const char *key, const char *what,
                enum answers_lane lane)
{
    const struct question q = { .key = key, .lane = lane, .what = mem_strdup(what), .drop = drop };

    answers_ask(a, &q, deliver, in);
}

#define INBOX                                                                                      \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }

/* ---- claims ---- */

static void all_who_ask_the_same_get_one_computation(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;

    (void)state;
    set_closed(true);
    for (int i = 0; i < 100; i++)
        ask(a, &in, "k", "x", LANE_QUICK);
    wait_inside(1);
    for (int i = 0; i < 100; i++)
        ask(a, &in, "k", "x", LANE_QUICK);
    set_closed(false);
    assert_true(wait_for(&in, 200));
    assert_int_equal(gate.made, 1);
    for (size_t i = 0; i < in.len; i++)
        assert_ptr_equal(in.answer[i], in.answer[0]);
    inbox_release(&in);
    answers_free(a);
    assert_int_equal(gate.dropped, 200); /* every question's own is freed */
    assert_int_equal(gate.threads, 0);
}

static void answers_are_kept_until_something_changes(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;
    struct answer *kept;

    (void)state;
    assert_null(answers_look(a, "k", false));
    ask(a, &in, "k", "x", LANE_QUICK);
    assert_true(wait_for(&in, 1));
    kept = answers_look(a, "k", false);
    assert_ptr_equal(kept, in.answer[0]);
    answer_drop(kept);
    ask(a, &in, "k", "x", LANE_QUICK);
    assert_int_equal(delivered(&in), 2); /* at once */
    gate.change++;
    assert_null(answers_look(a, "k", false));
    ask(a, &in, "k", "x", LANE_QUICK);
    assert_true(wait_for(&in, 3));
    assert_int_equal(gate.made, 2);
    assert_string_not_equal(in.answer[2]->etag, in.answer[0]->etag);
    inbox_release(&in);
    answers_free(a);
}

/* Who asks after a change must not get what was begun before it. */
static void nobody_gets_what_was_begun_before_his_change(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox early = INBOX, late = INBOX;

    (void)state;
    set_closed(true);
    ask(a, &early, "k", "x", LANE_QUICK);
    wait_inside(1);
    gate.change = 7;
    ask(a, &late, "k", "x", LANE_QUICK);
    set_closed(false);
    assert_true(wait_for(&early, 1) && wait_for(&late, 1));
    assert_int_equal(early.answer[0]->change, 1);
    assert_int_equal(late.answer[0]->change, 7);
    assert_non_null(strstr(buf_str(&late.answer[0]->body), "\"change\":7"));
    inbox_release(&early);
    inbox_release(&late);
    answers_free(a);
}

static void quick_questions_do_not_wait_for_slow_ones(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox slow = INBOX, quick = INBOX;
    struct answers_tally tally;

    (void)state;
    set_closed(true);
    for (int i = 0; i < 1 + ANSWERS_SLOW_MAX; i++) {
        ask(a, &slow, NULL, "x", LANE_SLOW);
        if (i == 0)
            wait_inside(1); /* the others stand in the queue */
    }
    assert_int_equal(delivered(&slow), 0);
    ask(a, &slow, NULL, "x", LANE_SLOW); /* one too many */
    assert_int_equal(delivered(&slow), 1);
    assert_int_equal(slow.answer[0]->status, 503);
    assert_true(slow.answer[0]->retry_s > 0);
    ask(a, &quick, "q", "quick", LANE_QUICK);
    assert_true(wait_for(&quick, 1));
    assert_int_equal(quick.answer[0]->status, 200);
    answers_tally(a, &tally);
    assert_int_equal(tally.waiting, ANSWERS_SLOW_MAX);
    assert_int_equal(tally.refused, 1);
    set_closed(false);
    assert_true(wait_for(&slow, 2 + ANSWERS_SLOW_MAX));
    inbox_release(&slow);
    inbox_release(&quick);
    answers_free(a);
}

/* What took long is computed again later; who asks waits for that. */
static void costly_questions_leave_room_for_others(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;

    (void)state;
    set_closed(true);
    ask(a, &in, "k", "x", LANE_QUICK);
    wait_inside(1);
    clock_sleep_ms(200);
    set_closed(false);
    assert_true(wait_for(&in, 1));
    gate.change++;
    uint64_t asked = clock_ms();
    ask(a, &in, "k", "x", LANE_QUICK);
    assert_int_equal(delivered(&in), 1);
    assert_true(wait_for(&in, 2));
    assert_true(clock_ms() - asked >= 300); /* 2 x 200, less what has passed */
    inbox_release(&in);
    answers_free(a);
}

static void errors_say_what_is_wrong_and_are_not_kept_for_long(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;

    (void)state;
    ask(a, &in, "k", "fail", LANE_QUICK);
    assert_true(wait_for(&in, 1));
    assert_int_equal(in.answer[0]->status, 404);
    assert_string_equal(buf_str(&in.answer[0]->body),
                        "{\"version\":1,\"error\":{\"code\":\"not_found\",\"text\":\"nothing "
                        "there\"}}");
    clock_sleep_ms(ANSWERS_LIVE_MS + 50);
    assert_null(answers_look(a, "k", false));
    inbox_release(&in);
    answers_free(a);
}

static void live_answers_follow_a_number_of_their_own(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;
    const struct question q = { .key = "k", .live = true, .what = mem_strdup("x"), .drop = drop };
    struct answer *kept;

    (void)state;
    answers_ask(a, &q, deliver, &in);
    assert_true(wait_for(&in, 1));
    kept = answers_look(a, "k", true);
    assert_non_null(kept);
    answer_drop(kept);
    gate.live++;
    assert_null(answers_look(a, "k", true));
    inbox_release(&in);
    answers_free(a);
}

static void what_is_kept_stays_within_its_bytes(void **state)
{
    struct answers *a = start(200 << 10);
    struct inbox in = INBOX;
    struct answers_tally tally;
    struct answer *kept;
    char key[16];

    (void)state;
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        ask(a, &in, key, "large", LANE_QUICK);
        assert_true(wait_for(&in, (size_t)i + 1));
    }
    answers_tally(a, &tally);
    assert_true(tally.bytes <= 200 << 10);
    assert_true(tally.entries > 1 && tally.entries < 8);
    kept = answers_look(a, "k39", false);
    assert_non_null(kept); /* the newest stays */
    answer_drop(kept);
    assert_null(answers_look(a, "k0", false));
    inbox_release(&in);
    answers_free(a);
}

static void the_end_leaves_nobody_waiting(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;
    size_t stopped = 0;

    (void)state;
    set_closed(true);
    for (int i = 0; i < 20; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i);
        ask(a, &in, key, "x", LANE_QUICK);
    }
    wait_inside(THREADS);
    answers_stop(a);
    assert_int_equal(delivered(&in), 20);
    ask(a, &in, "late", "x", LANE_QUICK);
    assert_int_equal(delivered(&in), 21);
    for (size_t i = 0; i < in.len; i++)
        stopped += in.answer[i]->status == 503;
    assert_int_equal(stopped, 21 - THREADS);
    inbox_release(&in);
    answers_free(a);
    assert_int_equal(gate.dropped, 21);
    set_closed(false);
}

static void bodies_are_packed_when_it_pays(void **state)
{
    struct answers *a = start(1 << 20);
    struct inbox in = INBOX;
    unsigned char plain[40000];
    z_stream z = { 0 };

    (void)state;
    ask(a, &in, "s", "x", LANE_QUICK);
    assert_true(wait_for(&in, 1));
    assert_int_equal(in.answer[0]->packed.len, 0);
    ask(a, &in, "l", "large", LANE_QUICK);
    assert_true(wait_for(&in, 2));
    assert_true(in.answer[1]->packed.len > 0 && in.answer[1]->packed.len < 2000);
    z.next_in = (Bytef *)in.answer[1]->packed.data;
    z.avail_in = (uInt)in.answer[1]->packed.len;
    z.next_out = plain;
    z.avail_out = sizeof plain;
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, in.answer[1]->body.len);
    assert_memory_equal(plain, in.answer[1]->body.data, z.total_out);
    (void)inflateEnd(&z);
    inbox_release(&in);
    answers_free(a);
}

static void etags_match_as_lists(void **state)
{
    static const struct {
        const char *given;
        bool matches;
    } cases[] = {
        { "W/\"abc\"", true },
        { "\"abc\"", true },
        { "*", true },
        { "\"x\", W/\"abc\"", true },
        { "\"x\",\"abc\" , \"y\"", true },
        { "\"ab\"", false },
        { "\"abcd\"", false },
        { "abc", false },
        { "", false },
        { "W/", false },
        { "\"abc", false },
        { "\"x\" \"", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (answer_matches("W/\"abc\"", cases[i].given) != cases[i].matches)
            fail_msg("%s", cases[i].given);
    }
    assert_false(answer_matches("W/\"abc\"", NULL));
    assert_false(answer_matches("", "*"));
}

/* ---- a crowd ---- */

enum { ASKERS = 6, QUESTIONS = 400 };

struct asker {
    struct answers *a;
    struct inbox in;
    unsigned number;
    uint64_t promised[QUESTIONS];
};

static void *ask_often(void *arg)
{
    struct asker *me = arg;

    for (int i = 0; i < QUESTIONS; i++) {
        char key[16];
        struct inbox one = INBOX;

        (void)snprintf(key, sizeof key, "k%u", (me->number * 7 + (unsigned)i * 13) % 5);
        me->promised[i] = gate.change;
        ask(me->a, &one, i % 10 ? key : NULL, i % 3 ? "quick" : "large",
            i % 4 ? LANE_QUICK : LANE_SLOW);
        if (!wait_for(&one, 1) ||
            (one.answer[0]->status == 200 && one.answer[0]->change < me->promised[i]))
            return (void *)1;
        inbox_release(&one);
        if (i % 16 == 0)
            gate.change++;
    }
    return NULL;
}

static void a_crowd_gets_right_answers(void **state)
{
    struct answers *a = start(64 << 10);
    struct asker *askers = mem_calloc(ASKERS, sizeof *askers);
    pthread_t thread[ASKERS];

    (void)state;
    for (unsigned i = 0; i < ASKERS; i++) {
        askers[i].a = a;
        askers[i].number = i;
        assert_int_equal(pthread_create(&thread[i], NULL, ask_often, &askers[i]), 0);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        void *ret = NULL;

        assert_int_equal(pthread_join(thread[i], &ret), 0);
        assert_null(ret);
    }
    free(askers);
    answers_free(a);
    assert_int_equal(gate.dropped, ASKERS * QUESTIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_who_ask_the_same_get_one_computation),
        cmocka_unit_test(answers_are_kept_until_something_changes),
        cmocka_unit_test(nobody_gets_what_was_begun_before_his_change),
        cmocka_unit_test(quick_questions_do_not_wait_for_slow_ones),
        cmocka_unit_test(costly_questions_leave_room_for_others),
        cmocka_unit_test(errors_say_what_is_wrong_and_are_not_kept_for_long),
        cmocka_unit_test(live_answers_follow_a_number_of_their_own),
        cmocka_unit_test(what_is_kept_stays_within_its_bytes),
        cmocka_unit_test(the_end_leaves_nobody_waiting),
        cmocka_unit_test(bodies_are_packed_when_it_pays),
        cmocka_unit_test(etags_match_as_lists),
        cmocka_unit_test(a_crowd_gets_right_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
