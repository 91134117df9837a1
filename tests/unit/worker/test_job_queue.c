/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what lies between the network thread and the slots loses and doubles nothing: every lease
 * is taken once or withdrawn, in order, every start and end is posted in order, leases of one
 * message are freed with the last of them, and the network thread never sleeps on a post. Method:
 * the queue alone; then threads as slots against one network thread that puts, withdraws and waits
 * as worker.c does, counted at the end (run it under ThreadSanitizer too). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "common/wire/wire.h"
#include "worker/job_queue.h"

/* A message with LEN leases of the attempts FIRST, FIRST + 1, ..., as it comes from the wire. */
static Drover__Envelope *message(uint64_t first, size_t len)
{
    static uint8_t key[DIGEST_BYTES];
    Drover__Lease *one = mem_calloc(len + 1, sizeof(*one));
    Drover__Lease **list = mem_calloc(len + 1, sizeof(struct Lease *));
    Drover__Leases m = DROVER__LEASES__INIT;
    Drover__Envelope *e = NULL;
    struct buf bytes = { 0 };
    struct err err = { 0 };

    for (size_t i = 0; i < len; i++) {
        drover__lease__init(&one[i]);
        one[i].attempt = first + i;
        one[i].key = (ProtobufCBinaryData){ .len = sizeof(key), .data = key };
        list[i] = &one[i];
    }
    m.v = list;
    m.n_v = len;
    assert_int_equal(wire_encode(&bytes, DROVER__ENVELOPE__BODY_LEASES, &m, 0, &err), 0);
    assert_int_equal(wire_decode(bytes.data, bytes.len, &e, NULL, &err), 0);
    buf_release(&bytes);
    free(list);
    free(one);
    return e;
}

static struct lease_group *group(uint64_t first, size_t len)
{
    size_t n;
    struct lease_group *g = lease_group_new(message(first, len), &n);
    assert_int_equal(n, len);
    return g;
}

static Drover__JobResult *result_of(uint64_t attempt)
{
    Drover__JobResult *r = mem_calloc(1, sizeof(*r));
    drover__job_result__init(r);
    r->attempt = attempt;
    return r;
}

static unsigned wakes;

static void count_wake(void *arg)
{
    (void)arg;
    wakes++;
}

static struct job_queue *queue_of(size_t len)
{
    struct job_queue *q = job_queue_new(count_wake, NULL);
    struct lease_group *g = len ? group(1, len) : NULL;

    wakes = 0;
    for (size_t i = 0; i < len; i++)
        job_queue_put(q, 10 + i, leased_at(g, i));
    assert_int_equal(job_queue_flush(q), len > 0);
    return q;
}

/* One slot, on the test's thread: takes the next, which must be ATTEMPT. */
static void take(struct job_queue *q, const struct job_done *done, uint64_t attempt,
                 struct job_taken *ret)
{
    assert_true(job_queue_next(q, 0, done, ret));
    assert_int_equal(ret->lease.lease->attempt, attempt);
}

static const struct job_post *posts(struct job_queue *q, size_t len)
{
    size_t n;
    bool again;
    const struct job_post *p = job_queue_posts(q, &n, &again);

    assert_int_equal(n, len);
    return p;
}

static void leases_are_taken_in_order_and_posted_in_order(void **state)
{
    (void)state;
    struct job_queue *q = queue_of(3);
    struct job_taken t;

    take(q, NULL, 1, &t);
    for (uint64_t i = 2; i <= 3; i++) {
        const struct job_done done = { .held = t.held, .result = result_of(i - 1) };
        leased_release(&t.lease);
        take(q, &done, i, &t);
    }
    const struct job_post *p = posts(q, 5);
    static const enum job_post_kind kinds[] = { JOB_STARTED, JOB_FINISHED, JOB_STARTED,
                                                JOB_FINISHED, JOB_STARTED };
    static const size_t held[] = { 10, 10, 11, 11, 12 };
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(p[i].kind, kinds[i]);
        assert_int_equal(p[i].held, held[i]);
        if (p[i].kind == JOB_FINISHED)
            drover__job_result__free_unpacked(p[i].result, NULL);
    }
    (void)posts(q, 0);
    leased_release(&t.lease);
    job_queue_free(q);
}

static void withdrawn_ones_are_never_taken(void **state)
{
    (void)state;
    struct job_queue *q = queue_of(4);
    struct job_taken t;

    assert_true(job_queue_withdraw(q, 10)); /* the first, one between, the last */
    assert_true(job_queue_withdraw(q, 13));
    assert_false(job_queue_withdraw(q, 13));
    take(q, NULL, 2, &t);
    assert_false(job_queue_withdraw(q, 11)); /* it runs, and that was posted */
    assert_int_equal(posts(q, 1)->held, 11);
    assert_true(job_queue_withdraw(q, 12));
    job_queue_put(q, 12, t.lease); /* its number is free again */
    assert_true(job_queue_withdraw(q, 12));
    job_queue_free(q);
}

static void network_thread_is_woken_once_and_then_looks_by_itself(void **state)
{
    (void)state;
    struct job_queue *q = queue_of(3);
    struct job_taken t;
    size_t len;
    bool again;

    take(q, NULL, 1, &t); /* a flush promises a look: no need to wake */
    assert_int_equal(wakes, 0);
    (void)job_queue_posts(q, &len, &again);
    assert_true(again);
    (void)job_queue_posts(q, &len, &again);
    assert_false(again); /* from now on it rests */
    for (uint64_t i = 2; i <= 3; i++) {
        const struct job_done done = { .held = t.held };
        leased_release(&t.lease);
        take(q, &done, i, &t);
        assert_int_equal(wakes, 1); /* for the first, not for the second */
    }
    job_queue_post_example(q, 0, t.held);
    assert_int_equal(wakes, 1); /* it is awake already */
    (void)posts(q, 5);
    job_queue_post_example(q, 0, t.held);
    assert_int_equal(wakes, 2); /* a job waits: at once */
    leased_release(&t.lease);
    job_queue_free(q);
}

static void quit_ends_slots_and_counts_those_that_run(void **state)
{
    (void)state;
    struct job_queue *q = queue_of(2);
    struct job_taken t, none;

    take(q, NULL, 1, &t);
    assert_int_equal(job_queue_quit(q), 1);
    const struct job_done done = { .held = t.held, .result = result_of(1) };
    assert_false(job_queue_next(q, 0, &done, &none));
    assert_int_equal(job_queue_quit(q), 0);
    leased_release(&t.lease);
    job_queue_free(q); /* with a lease that waits and a result nobody took */
}

static void message_without_leases_is_freed_at_once(void **state)
{
    (void)state;
    size_t n = 1;

    assert_null(lease_group_new(message(1, 0), &n));
    assert_int_equal(n, 0);
}

/* ---- threads ---- */

enum { SLOTS = 4, JOBS = 40000, AHEAD = 300 };

static struct {
    struct job_queue *q;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool woken;
    uint8_t ended[JOBS + 1]; /* per attempt: 1 taken, 2 withdrawn */
    uint64_t at[AGENT_HELD_MAX];
    bool running[AGENT_HELD_MAX], examples[AGENT_HELD_MAX];
    pthread_mutex_t example_mutex;
    pthread_cond_t example_cond;
    unsigned example_open; /* bit per slot */
} net;

static void wake_net(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&net.mutex);
    net.woken = true;
    pthread_cond_signal(&net.cond);
    pthread_mutex_unlock(&net.mutex);
}

/* Wait for a wake-up: as the loop's poll, for ever unless a look is due. */
static void rest(bool look)
{
    struct timespec t;

    pthread_mutex_lock(&net.mutex);
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 1000000L * JOB_QUEUE_LOOK_MS;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    bool due = false;
    while (!net.woken && !due) {
        if (look)
            due = pthread_cond_timedwait(&net.cond, &net.mutex, &t) != 0;
        else
            pthread_cond_wait(&net.cond, &net.mutex);
    }
    net.woken = false;
    pthread_mutex_unlock(&net.mutex);
}

static void *slot_thread(void *arg)
{
    const size_t slot = (size_t)(uintptr_t)arg;
    struct job_done done;
    struct job_taken t;

    for (const struct job_done *last = NULL; job_queue_next(net.q, slot, last, &t); last = &done) {
        const uint64_t attempt = t.lease.lease->attempt;
        if (attempt % 97 == 0) { /* an example, answered by the network thread */
            pthread_mutex_lock(&net.example_mutex);
            net.example_open |= 1u << slot;
            pthread_mutex_unlock(&net.example_mutex);
            job_queue_post_example(net.q, slot, t.held);
            pthread_mutex_lock(&net.example_mutex);
            while (net.example_open >> slot & 1)
                pthread_cond_wait(&net.example_cond, &net.example_mutex);
            pthread_mutex_unlock(&net.example_mutex);
        }
        if (attempt % 1009 == 0)
            clock_sleep_ms(2);
        done = (struct job_done){ .held = t.held, .code = (int)(attempt % 7) };
        done.result = result_of(attempt);
        leased_release(&t.lease);
    }
    return NULL;
}

static void take_post(const struct job_post *p, size_t *ended)
{
    const uint64_t attempt = net.at[p->held];

    assert_true(attempt != 0 && p->slot < SLOTS);
    switch (p->kind) {
    case JOB_STARTED:
        assert_false(net.running[p->held]);
        net.running[p->held] = true;
        break;
    case JOB_EXAMPLE:
        assert_true(net.running[p->held]);
        pthread_mutex_lock(&net.example_mutex);
        net.example_open &= ~(1u << p->slot);
        pthread_cond_broadcast(&net.example_cond);
        pthread_mutex_unlock(&net.example_mutex);
        break;
    case JOB_FINISHED:
        assert_true(net.running[p->held]);
        assert_int_equal(p->result->attempt, attempt);
        assert_int_equal(p->code, attempt % 7);
        assert_int_equal(net.ended[attempt], 0);
        net.ended[attempt] = 1;
        net.running[p->held] = false;
        net.at[p->held] = 0;
        drover__job_result__free_unpacked(p->result, NULL);
        (*ended)++;
        break;
    }
}

/* A group of new leases in free places. */
static uint64_t put_some(struct rng *r, uint64_t next, size_t held_len)
{
    const size_t room = MIN((size_t)(JOBS + 1 - next), AHEAD - held_len);
    const size_t want = 1 + rng_below(r, 40), len = MIN(want, room);
    struct lease_group *g = group(next, len);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        while (net.at[at] != 0)
            at++;
        net.at[at] = next + i;
        job_queue_put(net.q, at, leased_at(g, i));
    }
    return next + len;
}

static void nothing_is_lost_between_many_threads(void **state)
{
    (void)state;
    struct rng r = rng_stream("test", 1, 0);
    pthread_t thread[SLOTS];
    uint64_t next = 1;
    size_t ended = 0, withdrawn = 0, len;
    bool look = false;

    memset(&net, 0, sizeof(net));
    pthread_mutex_init(&net.mutex, NULL);
    pthread_cond_init(&net.cond, NULL);
    pthread_mutex_init(&net.example_mutex, NULL);
    pthread_cond_init(&net.example_cond, NULL);
    net.q = job_queue_new(wake_net, NULL);
    for (size_t i = 0; i < SLOTS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, slot_thread, (void *)(uintptr_t)i), 0);
    while (ended + withdrawn < JOBS) {
        const size_t held_len = (size_t)(next - 1) - ended - withdrawn;
        if (next <= JOBS && held_len < AHEAD)
            next = put_some(&r, next, held_len);
        look = job_queue_flush(net.q) || look;
        const size_t some = rng_below(&r, AHEAD);
        if (net.at[some] != 0 && !net.running[some] && job_queue_withdraw(net.q, some)) {
            assert_int_equal(net.ended[net.at[some]], 0);
            net.ended[net.at[some]] = 2;
            net.at[some] = 0;
            withdrawn++;
        }
        rest(look);
        bool again;
        const struct job_post *p = job_queue_posts(net.q, &len, &again);
        for (size_t i = 0; i < len; i++)
            take_post(&p[i], &ended);
        look = again;
        if (look == false && ended + withdrawn == (size_t)(next - 1) && next <= JOBS)
            wake_net(NULL); /* nothing is held: as a message that comes in */
    }
    assert_int_equal(job_queue_quit(net.q), 0);
    for (size_t i = 0; i < SLOTS; i++)
        pthread_join(thread[i], NULL);
    for (size_t i = 1; i <= JOBS; i++)
        assert_true(net.ended[i] == 1 || net.ended[i] == 2);
    assert_true(withdrawn > 0 && ended > withdrawn);
    job_queue_free(net.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_are_taken_in_order_and_posted_in_order),
        cmocka_unit_test(withdrawn_ones_are_never_taken),
        cmocka_unit_test(network_thread_is_woken_once_and_then_looks_by_itself),
        cmocka_unit_test(quit_ends_slots_and_counts_those_that_run),
        cmocka_unit_test(message_without_leases_is_freed_at_once),
        cmocka_unit_test(nothing_is_lost_between_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
