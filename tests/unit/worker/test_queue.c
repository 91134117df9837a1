/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a whole worker with leases that wait: groups of leases are taken apart, short jobs come
 * back in groups, each with its job's number and time, what waits goes back at once when the worker
 * drains and when it is cancelled, and what was not acked is sent again. Method: as test_worker.c,
 * with noop jobs that make nothing. */
#include "tests/unit/worker/rig.h"

#include <signal.h>

enum { QUEUE = 300 };

static int setup_queue(void **state)
{
    return setup_slots(state, 1, QUEUE);
}

static int setup_queue_two(void **state)
{
    return setup_slots(state, 2, QUEUE);
}

/* LEN leases of the attempts FIRST..., in one message; each sleeps for SLEEP_MS. */
static void lease_many(uint64_t first, size_t len, int64_t sleep_ms)
{
    struct leasing *all = mem_calloc(len, sizeof(*all));
    Drover__Lease **list = mem_calloc(len, sizeof(struct Lease *));
    Drover__Leases m = DROVER__LEASES__INIT;
    static uint8_t key[DIGEST_BYTES];

    for (size_t i = 0; i < len; i++) {
        begin_lease(&all[i], first + i, "noop", "packed-1");
        all[i].m.job = 1000 + first + i;
        all[i].m.key = (ProtobufCBinaryData){ .len = sizeof(key), .data = key };
        Drover__Param *p = add_param(&all[i], "makes");
        p->value_case = DROVER__PARAM__VALUE_S;
        p->s = (char *)(uintptr_t) "nothing";
        add_int(&all[i], "sleep_ms", sleep_ms);
        list[i] = &all[i].m;
    }
    m.v = list;
    m.n_v = len;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_LEASES, &m, 0);
    free(list);
    free(all);
}

enum { SEEN_MAX = 4096 };
static struct {
    unsigned times[SEEN_MAX]; /* per attempt: results that came */
    Drover__Outcome outcome[SEEN_MAX];
    uint64_t seq[SEEN_MAX], last_seq;
    size_t messages;
} seen;

static void look_at(const Drover__JobResult *x)
{
    assert_true(x->attempt < SEEN_MAX);
    assert_int_equal(x->job, 1000 + x->attempt);
    seen.times[x->attempt]++;
    seen.outcome[x->attempt] = x->outcome;
    seen.seq[x->attempt] = x->seq;
    seen.last_seq = x->seq;
    if (x->outcome == DROVER__OUTCOME__OUTCOME_DONE) {
        assert_string_equal(x->log, "");
        assert_string_equal(x->text, "");
        assert_string_equal(x->environment, "");
    } else {
        assert_true(x->text[0] != '\0');
    }
}

/* Until LEN more results are here. */
static void expect_results(size_t len)
{
    while (len > 0) {
        Drover__Envelope *e = fake_next(&r.fake, FAKE_WAIT_MS);
        assert_non_null(e);
        if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULTS) {
            assert_true(e->job_results->n_v >= 2 && e->job_results->n_v <= len);
            for (size_t i = 0; i < e->job_results->n_v; i++)
                look_at(e->job_results->v[i]);
            len -= e->job_results->n_v;
            seen.messages++;
        } else if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULT) {
            look_at(e->job_result);
            len--;
            seen.messages++;
        } else {
            assert_true(e->body_case == DROVER__ENVELOPE__BODY_HEARTBEAT ||
                        e->body_case == DROVER__ENVELOPE__BODY_RENEW ||
                        e->body_case == DROVER__ENVELOPE__BODY_CREDITS);
        }
        wire_free(e);
    }
}

static void ack_all(uint64_t first, size_t len)
{
    Drover__Ack m = DROVER__ACK__INIT;
    m.seq = &seen.seq[first];
    m.n_seq = len;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_ACK, &m, 0);
}

static size_t count_outcomes(uint64_t first, size_t len, Drover__Outcome outcome)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(seen.times[first + i], 1);
        n += seen.outcome[first + i] == outcome;
    }
    return n;
}

static void begin(void)
{
    memset(&seen, 0, sizeof(seen));
    greet();
}

static void short_jobs_come_back_in_groups(void **state)
{
    (void)state;
    begin();
    for (uint64_t first = 1; first < 2001; first += 250) {
        lease_many(first, 250, 0);
        expect_results(250);
        ack_all(first, 250);
    }
    assert_int_equal(count_outcomes(1, 2000, DROVER__OUTCOME__OUTCOME_DONE), 2000);
    assert_true(seen.messages < 1000); /* one each would be 2000 */
    leave();
}

static void leases_beyond_the_queue_come_back(void **state)
{
    (void)state;
    begin();
    lease_many(1, QUEUE + 11, 20); /* one runs; ten too many */
    expect_results(10);
    size_t back = 0;
    for (size_t i = 1; i <= QUEUE + 11; i++)
        back += seen.times[i] && seen.outcome[i] == DROVER__OUTCOME__OUTCOME_PREEMPTED;
    assert_true(back >= 9); /* short ones may end before the last lease is looked at */
    Drover__Envelope *e;
    close_parent();
    while ((e = fake_next(&r.fake, FAKE_WAIT_MS)) != NULL &&
           e->body_case != DROVER__ENVELOPE__BODY_GOODBYE) {
        if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULTS)
            for (size_t i = 0; i < e->job_results->n_v; i++)
                look_at(e->job_results->v[i]);
        if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULT)
            look_at(e->job_result);
        wire_free(e);
        ack_all(0, QUEUE + 12);
    }
    assert_non_null(e);
    wire_free(e);
    ack(0, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    (void)count_outcomes(1, QUEUE + 11, DROVER__OUTCOME__OUTCOME_DONE); /* each came once */
}

static void drained_worker_returns_what_waits_at_once(void **state)
{
    (void)state;
    begin();
    lease_many(1, 200, 60000);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW)); /* the first runs */
    Drover__Drain drain = DROVER__DRAIN__INIT;
    drain.why = (char *)(uintptr_t) "this host is needed";
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_DRAIN, &drain, 0);
    expect_results(200);
    assert_int_equal(count_outcomes(1, 200, DROVER__OUTCOME__OUTCOME_PREEMPTED), 200);
    ack_all(1, 200);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_GOODBYE));
    ack(0, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_int_equal(r.rc, 0);
}

static void signals_of_batch_systems_drain(void **state)
{
    (void)state;
    begin();
    lease_many(1, 3, 60000);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW));
    assert_int_equal(pthread_kill(r.thread, SIGUSR1), 0);
    expect_results(3);
    assert_int_equal(count_outcomes(1, 3, DROVER__OUTCOME__OUTCOME_PREEMPTED), 3);
    ack_all(1, 3);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_GOODBYE));
    ack(0, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
}

static void queued_one_is_cancelled_without_having_begun(void **state)
{
    (void)state;
    Drover__Cancel cancel = DROVER__CANCEL__INIT;
    begin();
    lease_many(1, 3, 60000);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW));
    cancel.epoch = 1;
    cancel.attempt = 2;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_CANCEL, &cancel, 0);
    expect_results(1);
    assert_int_equal(seen.outcome[2], DROVER__OUTCOME__OUTCOME_CANCELLED);
    cancel.attempt = 1;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_CANCEL, &cancel, 0);
    expect_results(1);
    assert_int_equal(seen.outcome[1], DROVER__OUTCOME__OUTCOME_CANCELLED);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW)); /* the third runs now */
    cancel.attempt = 3;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_CANCEL, &cancel, 0);
    expect_results(1);
    ack_all(1, 3);
    leave();
}

static void what_was_not_acked_and_what_waits_is_offered_to_the_next_coordinator(void **state)
{
    (void)state;
    begin();
    lease_many(1, 100, 0);
    expect_results(100);
    lease_many(101, 20, 60000);
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_RENEW));
    fake_close(&r.fake); /* no ack */
    fake_open(&r.fake, r.endpoint);
    Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO);
    assert_int_equal(e->hello->n_held, 120);
    size_t finished = 0, moved = 0;
    for (size_t i = 0; i < 120; i++) {
        finished += e->hello->held[i]->finished;
        moved += !e->hello->held[i]->finished && e->hello->held[i]->progress > 0;
    }
    for (size_t i = 0; i <= 100; i++) /* what began stands first */
        assert_true(e->hello->held[i]->finished || e->hello->held[i]->attempt == 101);
    assert_int_equal(finished, 100);
    assert_int_equal(moved, 1);
    Drover__Welcome w = DROVER__WELCOME__INIT;
    w.incarnation = 2;
    w.lease_ms = 30000;
    w.renew_ms = w.heartbeat_ms = 100;
    w.blob_endpoint = r.endpoint;
    w.keep = e->hello->held;
    w.n_keep = 110; /* the rest it does not know */
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_WELCOME, &w, 0);
    size_t kept = 0;
    for (size_t i = 0; i < 110; i++)
        kept += e->hello->held[i]->finished;
    wire_free(e);
    memset(seen.times, 0, sizeof(seen.times));
    expect_results(kept);
    for (size_t i = 1; i <= 100; i++)
        assert_true(seen.times[i] <= 1);
    ack_all(1, 100);
    close_parent();
    while ((e = fake_next(&r.fake, FAKE_WAIT_MS)) != NULL &&
           e->body_case != DROVER__ENVELOPE__BODY_GOODBYE) {
        if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULTS)
            for (size_t i = 0; i < e->job_results->n_v; i++)
                look_at(e->job_results->v[i]);
        if (e->body_case == DROVER__ENVELOPE__BODY_JOB_RESULT)
            look_at(e->job_result);
        wire_free(e);
        ack_all(101, 20);
    }
    assert_non_null(e);
    wire_free(e);
    ack(0, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
}

static void two_slots_share_the_queue(void **state)
{
    (void)state;
    begin();
    lease_many(1, 1, 60000); /* one slot is busy for long */
    lease_many(2, 200, 0);
    expect_results(200);
    assert_int_equal(count_outcomes(2, 200, DROVER__OUTCOME__OUTCOME_DONE), 200);
    ack_all(2, 200);
    close_parent();
    expect_results(1);
    ack_all(1, 1);
    leave();
}

#define WITH_RIG(F) cmocka_unit_test_setup_teardown(F, setup_queue, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(short_jobs_come_back_in_groups),
        WITH_RIG(leases_beyond_the_queue_come_back),
        WITH_RIG(drained_worker_returns_what_waits_at_once),
        WITH_RIG(signals_of_batch_systems_drain),
        WITH_RIG(queued_one_is_cancelled_without_having_begun),
        WITH_RIG(what_was_not_acked_and_what_waits_is_offered_to_the_next_coordinator),
        cmocka_unit_test_setup_teardown(two_slots_share_the_queue, setup_queue_two, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
