/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the dashboard knows of the coordinator is at most a second old while somebody looks,
 * is said to be absent when it is, and never makes anybody wait, whatever the coordinator does:
 * ends, comes back elsewhere, refuses, talks nonsense, says nothing. Method: a coordinator of the
 * test's own on a loopback socket, in a thread, that behaves as it is told; the store's lock file
 * names it. */
#include "tests/unit/store/fixture.h"

#include <pthread.h>

#include "common/base/clock.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "dashboards/live.h"

enum manner { ANSWERS, IS_SILENT, TALKS_NONSENSE, REFUSES, IS_SLOW, ANSWERS_OTHERS };

struct coordinator {
    pthread_t thread;
    struct loop *loop;
    struct transport *t;
    char endpoint[256];
    pthread_mutex_t lock;
    enum manner manner;
    bool stop;
    unsigned asked, whys;
    uint64_t running; /* job that it says runs */
};

static void answer(struct coordinator *c, uint64_t peer, Drover__Envelope__BodyCase body,
                   void *message, uint64_t request)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(wire_encode(&b, body, message, request, &err), 0);
    (void)!transport_send(c->t, peer, b.data, b.len, &err);
}

static void answer_status(struct coordinator *c, uint64_t peer, uint64_t request)
{
    Drover__Status s = DROVER__STATUS__INIT;
    Drover__WorkerStatus worker = DROVER__WORKER_STATUS__INIT, *workers = &worker;
    Drover__RunningJob job = DROVER__RUNNING_JOB__INIT, *jobs = &job;

    worker.name = (char *)(uintptr_t) "here:1";
    worker.slots = 2;
    worker.running = 1;
    job.job = c->running;
    job.worker = worker.name;
    s.workers = &workers;
    s.n_workers = 1;
    s.running = &jobs;
    s.n_running = s.running_all = 1;
    s.incarnation = 7;
    answer(c, peer, DROVER__ENVELOPE__BODY_STATUS, &s, request);
}

static void refuse(struct coordinator *c, uint64_t peer, uint64_t request)
{
    Drover__Refuse r = DROVER__REFUSE__INIT;

    r.code = ERR_DENIED;
    r.text = (char *)(uintptr_t) "status takes the role view, this key has work";
    answer(c, peer, DROVER__ENVELOPE__BODY_REFUSE, &r, request);
}

static void answer_why(struct coordinator *c, uint64_t peer, const Drover__Envelope *m)
{
    Drover__Controlled r = DROVER__CONTROLLED__INIT;
    char text[80];

    snprintf(text, sizeof text, "{\"version\":1,\"job\":%s}", m->control->job);
    r.text = text;
    answer(c, peer, DROVER__ENVELOPE__BODY_CONTROLLED, &r, m->request);
}

static void behave(struct coordinator *c, enum manner manner, uint64_t peer,
                   const Drover__Envelope *m)
{
    const bool status = m->body_case == DROVER__ENVELOPE__BODY_STATUS_REQUEST;

    switch (manner) {
    case TALKS_NONSENSE:
        (void)!transport_send(c->t, peer, "\xff\xfe nonsense", 11, NULL);
        break;
    case REFUSES:
        refuse(c, peer, m->request);
        break;
    case IS_SLOW:
        clock_sleep_ms(300);
        /* fall through */
    case ANSWERS:
        if (status)
            answer_status(c, peer, m->request);
        else
            answer_why(c, peer, m);
        break;
    case ANSWERS_OTHERS:
        answer_status(c, peer, m->request + 1000);
        break;
    case IS_SILENT:
        break;
    }
}

static void on_event(void *arg, const struct transport_event *e)
{
    struct coordinator *c = arg;
    Drover__Envelope *m = NULL;

    if (e->type != TRANSPORT_MESSAGE || wire_decode(e->bytes, e->len, &m, NULL, NULL) != 0)
        return;
    pthread_mutex_lock(&c->lock);
    c->asked += m->body_case == DROVER__ENVELOPE__BODY_STATUS_REQUEST;
    c->whys += m->body_case == DROVER__ENVELOPE__BODY_CONTROL;
    const enum manner manner = c->manner;
    pthread_mutex_unlock(&c->lock);
    behave(c, manner, e->peer, m);
    wire_free(m);
}

static void *serve(void *arg)
{
    struct coordinator *c = arg;

    for (;;) {
        pthread_mutex_lock(&c->lock);
        const bool stop = c->stop;
        pthread_mutex_unlock(&c->lock);
        if (stop)
            return NULL;
        (void)!loop_step(c->loop, 20, NULL);
    }
}

static void appear(struct coordinator *c, enum manner manner, uint64_t running)
{
    *c = (struct coordinator){ .manner = manner, .running = running };
    pthread_mutex_init(&c->lock, NULL);
    OK(loop_new(&c->loop, err));
    OK(transport_listen(&c->t, "tcp://127.0.0.1:*", &transport_insecure, err));
    snprintf(c->endpoint, sizeof c->endpoint, "%s", transport_endpoint(c->t));
    loop_add_transport(c->loop, c->t, on_event, c);
    assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
}

static void vanish(struct coordinator *c)
{
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    loop_remove_transport(c->loop, c->t);
    transport_close(c->t);
    loop_free(c->loop);
    pthread_mutex_destroy(&c->lock);
}

static void become(struct coordinator *c, enum manner manner)
{
    pthread_mutex_lock(&c->lock);
    c->manner = manner;
    pthread_mutex_unlock(&c->lock);
}

static unsigned asked(struct coordinator *c)
{
    pthread_mutex_lock(&c->lock);
    const unsigned n = c->asked;
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* ---- the side that looks ---- */

static struct live *look_at(const struct fixture *f, bool insecure)
{
    struct live *l;

    OK(live_new(&l, &(struct live_options){ .store = f->path, .insecure = insecure }, err));
    return l;
}

/* Until the coordinator is HERE (or not) and, when it is not, WHY holds PART; a minute at most. */
static void expect(struct live *l, bool here, const char *part, uint64_t job)
{
    for (int i = 0; i < 1200; i++) {
        const uint64_t before = clock_ms();
        const struct live_view *v = live_hold(l);
        const bool good =
            v->here == here && (here || strstr(v->why, part)) &&
            IMPLIES(here, v->status->n_running == 1 && v->status->running[0]->job == job);

        live_give(l);
        if (clock_ms() - before > 2000)
            fail_msg("live_hold took %d ms", (int)(clock_ms() - before));
        if (good)
            return;
        clock_sleep_ms(50);
    }
    fail_msg("never came: here %d, \"%s\"", here, part);
}

static void tells_what_runs_and_who_works(void **state)
{
    struct fixture *f = *state;
    struct coordinator c;

    appear(&c, ANSWERS, 42);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    struct live *l = look_at(f, true);
    expect(l, true, "", 42);
    const struct live_view *v = live_hold(l);
    assert_int_equal(v->status->incarnation, 7);
    assert_string_equal(v->status->workers[0]->name, "here:1");
    assert_string_equal(v->endpoint, c.endpoint);
    assert_int_equal(v->pid, getpid());
    assert_string_equal(v->why, "");
    live_give(l);
    live_free(l);
    vanish(&c);
}

static void nobody_holds_the_store(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    f->s = NULL;
    struct live *l = look_at(f, true);
    clock_sleep_ms(300);
    const struct live_view *v = live_hold(l);
    assert_false(v->here);
    assert_int_equal(v->pid, 0);
    assert_string_equal(v->why, "");
    live_give(l);
    struct buf text = { 0 };
    FAILS(ERR_NOT_FOUND, "no coordinator", live_why(l, 3, 5000, &text, err));
    buf_release(&text);
    live_free(l);
    OK(store_open(&f->s, f->path, "", err));
}

static void coordinator_that_ended_is_gone_and_one_that_comes_back_is_found(void **state)
{
    struct fixture *f = *state;
    struct coordinator c;

    appear(&c, ANSWERS, 1);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    struct live *l = look_at(f, true);
    expect(l, true, "", 1);
    const uint64_t change = live_change(l);
    vanish(&c);
    store_close(f->s);
    f->s = NULL;
    expect(l, false, "", 0);
    OK(store_open(&f->s, f->path, "", err));
    expect(l, false, "has not said yet", 0);
    appear(&c, ANSWERS, 2); /* another port */
    OK(store_set_endpoint(f->s, c.endpoint, err));
    expect(l, true, "", 2);
    assert_true(live_change(l) > change);
    live_free(l);
    vanish(&c);
}

static void one_that_falls_silent_or_raves_is_said_to_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct coordinator c;

    appear(&c, TALKS_NONSENSE, 5);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    struct live *l = look_at(f, true);
    expect(l, false, "cannot be read", 0);
    become(&c, REFUSES);
    expect(l, false, "role view", 0);
    become(&c, IS_SLOW);
    expect(l, true, "", 5);
    become(&c, IS_SILENT);
    expect(l, false, "does not answer", 0);
    become(&c, ANSWERS_OTHERS); /* numbers that nobody asked with */
    expect(l, false, "does not answer", 0);
    become(&c, ANSWERS);
    expect(l, true, "", 5);
    live_free(l);
    vanish(&c);
}

static void without_a_key_says_so_and_works(void **state)
{
    struct fixture *f = *state;
    struct coordinator c;

    appear(&c, ANSWERS, 5);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    setenv("XDG_CONFIG_HOME", f->dir, 1); /* no keys there */
    unsetenv("DROVER_INSECURE");
    struct live *l = look_at(f, false);
    expect(l, false, "key", 0);
    struct buf text = { 0 };
    const uint64_t before = clock_ms();
    struct err why = { 0 };
    assert_true(live_why(l, 3, 300, &text, &why) < 0);
    assert_true(clock_ms() - before < 5000);
    buf_release(&text);
    live_free(l);
    vanish(&c);
}

static void why_is_asked_on_demand_and_not_longer_than_told(void **state)
{
    struct fixture *f = *state;
    struct buf text = { 0 };
    struct coordinator c;

    appear(&c, ANSWERS, 5);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    struct live *l = look_at(f, true);
    OK(live_why(l, 31, 30000, &text, err)); /* before anything is known */
    assert_string_equal(buf_str(&text), "{\"version\":1,\"job\":31}");
    become(&c, REFUSES);
    FAILS(ERR_DENIED, "role view", live_why(l, 31, 30000, &text, err));
    become(&c, IS_SILENT);
    const uint64_t before = clock_ms();
    FAILS(ERR_TIMEOUT, "200 ms", live_why(l, 31, 200, &text, err));
    assert_true(clock_ms() - before < 5000);
    assert_int_equal(text.len, strlen("{\"version\":1,\"job\":31}"));
    buf_release(&text);
    live_free(l);
    vanish(&c);
}

static void nobody_looks_nobody_is_asked(void **state)
{
    struct fixture *f = *state;
    struct coordinator c;

    appear(&c, ANSWERS, 5);
    OK(store_set_endpoint(f->s, c.endpoint, err));
    struct live *l = look_at(f, true);
    expect(l, true, "", 5);
    clock_sleep_ms(LIVE_AWAKE_MS + 1500);
    const unsigned n = asked(&c);
    clock_sleep_ms(2500);
    assert_int_equal(asked(&c), n);
    live_wait(l, 30000); /* what it had is too old */
    expect(l, true, "", 5);
    assert_true(asked(&c) > n);
    live_free(l);
    vanish(&c);
}

static void nothing_to_ask_is_fine(void **state)
{
    struct buf text = { 0 };

    (void)state;
    const struct live_view *v = live_hold(NULL);
    assert_false(v->here);
    assert_null(v->status);
    live_give(NULL);
    live_wait(NULL, 10);
    assert_int_equal(live_change(NULL), 0);
    FAILS(ERR_NOT_FOUND, "", live_why(NULL, 1, 10, &text, err));
    live_free(NULL);
}

#define WITH(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(tells_what_runs_and_who_works),
        WITH(nobody_holds_the_store),
        WITH(coordinator_that_ended_is_gone_and_one_that_comes_back_is_found),
        WITH(one_that_falls_silent_or_raves_is_said_to_and_comes_back),
        WITH(without_a_key_says_so_and_works),
        WITH(why_is_asked_on_demand_and_not_longer_than_told),
        WITH(nobody_looks_nobody_is_asked),
        cmocka_unit_test(nothing_to_ask_is_fine),
    };

    return cmocka_run_group_tests_name("dashboards.live", tests, NULL, NULL);
}
