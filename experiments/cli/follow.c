/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/follow.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/loop.h"
#include "experiments/cli/question.h"
#include "store/store.h"

enum {
    STATUS_MS = 250,
    CANCEL_MS = 10000,
    LOST_MS = 3000,     /* of silence before a joined coordinator's lock is looked at */
    IDLE_MS = 3000,     /* without any worker before a joined coordinator gets some of ours */
    SUBMIT_MS = 60000,  /* a plan of 100,000 jobs is written in less on an idle machine */
    HANG_UPS_MAX = 3,   /* in the handshake, before it is believed to be meant */
    SUBMIT_JOB_MS = 10, /* more for each job: the machine may be busy */
};

struct session {
    struct follow *f;
    struct loop *loop;
    struct transport *t;
    int timer;
    bool connected, submitted, asked, over, workers_seen;
    uint64_t request, heard_ms, alone_ms, submit_ms;
    struct transport_keys keys;
    unsigned hang_ups;
    unsigned signals;
    enum follow_end end;
    int rc;
    struct err err;
};

static void end(struct session *s, enum follow_end how)
{
    if (!s->over)
        s->end = how;
    s->over = true;
    loop_stop(s->loop);
}

static void fail(struct session *s, int rc)
{
    if (!s->rc)
        s->rc = rc;
    s->over = true;
    loop_stop(s->loop);
}

static void send(struct session *s, Drover__Envelope__BodyCase body, void *message)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    int rc = wire_encode(&bytes, body, message, ++s->request, &err);

    if (!rc)
        rc = transport_send(s->t, 0, bytes.data, bytes.len, &err);
    if (rc && rc != ERR_LIMIT) { /* ERR_LIMIT: the queue is full; the next tick tries again */
        s->err = err;
        fail(s, rc);
    }
}

static void ask_status(struct session *s)
{
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;

    request.experiment = (char *)s->f->experiment;
    request.workers = !s->f->embedded;
    send(s, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request);
}

static void report(void *arg, const char *line)
{
    struct session *s = arg;
    view_note(s->f->view, line);
}

/* ---- answers ---- */

static void on_submitted(struct session *s, const Drover__Submitted *m)
{
    const uint32_t to_run = m->jobs - m->cached - m->skipped;
    char line[200];
    int n;

    if (s->submitted)
        return;
    s->submitted = true;
    s->f->submitted = *m;
    s->f->was_submitted = true;
    n = snprintf(line, sizeof(line), "%s: %u jobs: %u cached", s->f->experiment, m->jobs,
                 m->cached);
    if (to_run > 0 && n > 0)
        snprintf(line + n, sizeof(line) - (size_t)n, ", %u to run", to_run);
    if (!s->f->quiet)
        view_note(s->f->view, line);
    if (to_run > 0 && s->f->embedded && !embedded_working(s->f->embedded)) {
        int rc = embedded_work(s->f->embedded, &s->err);
        if (rc)
            fail(s, rc);
    }
    if (s->f->detach)
        end(s, to_run > 0 ? FOLLOW_LEFT : FOLLOW_FINISHED);
    else
        ask_status(s);
}

/* A joined coordinator whose own workers are gone would let us wait for ever. */
static void lend_workers(struct session *s, const Drover__Status *m)
{
    uint64_t now = clock_ms();

    if (s->f->embedded || s->f->spare.workers == 0)
        return;
    if (m->n_workers > 0)
        s->alone_ms = 0;
    else if (s->alone_ms == 0)
        s->alone_ms = now;
    if (s->alone_ms == 0 || now - s->alone_ms < IDLE_MS)
        return;
    view_note(s->f->view, "the coordinator has no workers; starting some");
    int rc = embedded_new(&s->f->spare, &s->f->embedded, &s->err);
    if (!rc)
        rc = embedded_work(s->f->embedded, &s->err);
    if (rc)
        fail(s, rc);
}

static void on_status(struct session *s, const Drover__Status *m)
{
    for (size_t i = 0; i < m->n_experiments; i++) {
        const Drover__ExperimentStatus *x = m->experiments[i];
        if (strcmp(x->name, s->f->experiment) != 0)
            continue;
        view_update(s->f->view, x, clock_ms());
        s->f->failed = s->f->unchosen = s->f->cancelled = s->f->blocked = 0;
        s->f->diverged = 0;
        for (size_t k = 0; k < x->n_steps; k++) {
            s->f->failed += x->steps[k]->failed + x->steps[k]->cancelled + x->steps[k]->skipped -
                            x->steps[k]->unchosen;
            s->f->unchosen += x->steps[k]->unchosen;
            s->f->diverged += x->steps[k]->diverged;
            s->f->cancelled += x->steps[k]->cancelled;
            s->f->blocked += x->steps[k]->skipped - x->steps[k]->unchosen;
        }
        if (x->finished) {
            end(s, FOLLOW_FINISHED);
            return;
        }
    }
    lend_workers(s, m);
}

static void on_envelope(struct session *s, const Drover__Envelope *e)
{
    if (e->body_case == DROVER__ENVELOPE__BODY_SUBMITTED) {
        on_submitted(s, e->submitted);
    } else if (e->body_case == DROVER__ENVELOPE__BODY_STATUS) {
        if (s->submitted)
            on_status(s, e->status);
    } else if (e->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        /* Too many questions wait, as after a time without a network: ask again later. */
        if (!s->submitted || (e->refuse->code != ERR_AGAIN && e->refuse->code != ERR_LIMIT))
            fail(s, client_refused(e->refuse, &s->err));
    }
}

static void on_event(void *arg, const struct transport_event *e)
{
    struct session *s = arg;
    Drover__Envelope *envelope = NULL;

    if (s->over)
        return;
    s->heard_ms = clock_ms();
    switch (e->type) {
    case TRANSPORT_CONNECTED:
        s->connected = true;
        if (!s->submitted) {
            s->submit_ms = clock_ms();
            send(s, DROVER__ENVELOPE__BODY_SUBMIT, s->f->submit);
        }
        break;
    case TRANSPORT_DISCONNECTED:
        s->connected = false;
        break;
    case TRANSPORT_MESSAGE: {
        int rc = wire_decode(e->bytes, e->len, &envelope, NULL, &s->err);
        if (rc)
            fail(s, rc);
        else
            on_envelope(s, envelope);
        wire_free(envelope);
        break;
    }
    case TRANSPORT_DENIED:
        if (e->certain || (!s->submitted && ++s->hang_ups == HANG_UPS_MAX))
            fail(s, client_denied(e, s->f->endpoint, &s->keys, &s->err));
        break;
    case TRANSPORT_GONE:
    case TRANSPORT_BAD:
    case TRANSPORT_EVENTS:
        break;
    }
}

/* ---- time and signals ---- */

/* Nothing heard: is a joined coordinator gone? A remote one may come back. */
static void check_lost(struct session *s, uint64_t now)
{
    char endpoint[STORE_ENDPOINT_MAX];
    int pid;

    if (s->f->embedded || !s->f->store || now - s->heard_ms < LOST_MS)
        return;
    s->heard_ms = now;
    if (store_lock_holder(s->f->store, &pid, endpoint, NULL) != 0 ||
        strcmp(endpoint, s->f->endpoint) != 0)
        end(s, FOLLOW_LOST);
}

/* Did another run take the store while our coordinator, killed, was being started again? */
static bool another_has_it(const struct session *s)
{
    char endpoint[STORE_ENDPOINT_MAX];
    int pid;

    return s->f->store && store_lock_holder(s->f->store, &pid, endpoint, NULL) == 0 &&
           strcmp(endpoint, s->f->endpoint) != 0;
}

/* A coordinator stores some thousand jobs a second; on a busy machine fewer. */
static uint64_t submit_limit_ms(const struct session *s)
{
    return SUBMIT_MS + SUBMIT_JOB_MS * (uint64_t)s->f->submit->plan->n_jobs;
}

static void on_tick(void *arg)
{
    struct session *s = arg;
    const uint64_t now = clock_ms();

    loop_timer_set(s->loop, s->timer, now + STATUS_MS);
    if (s->f->embedded) {
        int rc = embedded_watch(s->f->embedded, now, report, s, &s->err);
        if (rc && another_has_it(s)) {
            end(s, FOLLOW_LOST); /* join it */
            return;
        }
        if (rc) {
            fail(s, rc);
            return;
        }
    }
    if (s->connected && s->submitted)
        ask_status(s);
    else if (s->connected && now - s->submit_ms > submit_limit_ms(s))
        fail(s, err_set(&s->err, ERR_TIMEOUT,
                        "%s did not take the plan within %llu s; it may still be at it: the same "
                        "command again joins it",
                        s->f->endpoint, (unsigned long long)submit_limit_ms(s) / 1000));
    check_lost(s, now);
}

static void interrupt(struct session *s, int signal)
{
    const bool ours = s->f->embedded != NULL;
    enum question_answer answer = ANSWER_STOP;

    view_end(s->f->view);
    if (signal == SIGINT && s->submitted && !s->f->quiet)
        answer = question_ask(ours);
    if (answer == ANSWER_STOP && ours)
        view_note(s->f->view, "stopping: running jobs end at their next example; once more to "
                              "stop at once");
    end(s, answer == ANSWER_LEAVE    ? FOLLOW_LEFT
           : answer == ANSWER_CANCEL ? FOLLOW_CANCELLED
                                     : FOLLOW_INTERRUPTED);
}

static int cancel(const struct follow *f, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__CancelRequest request = DROVER__CANCEL_REQUEST__INIT;

    request.experiment = (char *)f->experiment;
    return client_call(f->endpoint, DROVER__ENVELOPE__BODY_CANCEL_REQUEST, &request,
                       DROVER__ENVELOPE__BODY_CANCELLED, CANCEL_MS, &answer, err);
}

static void on_signal(void *arg, int signal)
{
    struct session *s = arg;

    s->signals++;
    if (s->signals == 1)
        interrupt(s, signal);
    else if (s->f->embedded)
        embedded_kill(s->f->embedded);
}

static void stop_embedded(struct session *s)
{
    if (!s->f->embedded)
        return;
    embedded_stop(s->f->embedded);
    while (!embedded_stopped(s->f->embedded))
        if (loop_step(s->loop, 20, NULL) != 0)
            break;
}

static int start(struct session *s, struct err *err)
{
    static const int signals[] = { SIGINT, SIGTERM };
    int rc = loop_add_signals(s->loop, signals, ARRAY_LEN(signals), on_signal, s, err);

    if (!rc)
        rc = client_keys(s->f->endpoint, &s->keys, err);
    if (!rc)
        rc = transport_connect(&s->t, s->f->endpoint, &s->keys, err);
    if (rc)
        return rc;
    loop_add_transport(s->loop, s->t, on_event, s);
    s->timer = loop_add_timer(s->loop, on_tick, s);
    s->heard_ms = clock_ms();
    loop_timer_set(s->loop, s->timer, s->heard_ms);
    return 0;
}

int follow(struct follow *f, enum follow_end *ret, struct err *err)
{
    struct session s = { .f = f, .end = FOLLOW_LOST };
    int rc = loop_new(&s.loop, err);

    if (rc)
        return rc;
    rc = start(&s, err);
    if (!rc)
        rc = loop_run(s.loop, err);
    if (!rc && s.rc) {
        rc = s.rc;
        if (err)
            *err = s.err;
    }
    view_end(f->view);
    if (!rc && s.end == FOLLOW_CANCELLED)
        rc = cancel(f, err);
    if (!rc && s.end == FOLLOW_LEFT && f->embedded)
        embedded_leave(f->embedded);
    stop_embedded(&s);
    if (s.t)
        loop_remove_transport(s.loop, s.t);
    transport_close(s.t);
    transport_keys_wipe(&s.keys);
    loop_free(s.loop);
    *ret = s.end;
    return rc;
}
