/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - messages become events of the core, or are answered. Whatever comes, the worst answer
 * is Refuse. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

static_assert((int)WIRE_HELD_MAX <= SCHED_HELD_MAX, "whoever passes the wire's check");

/* A worker's 16 random bytes as the core's number for it. */
static uint64_t worker_number(ProtobufCBinaryData b)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | b.data[i];
    return v ? v : 1;
}

static void take_held(const struct server *s, Drover__Held **held, size_t len,
                      struct sched_held *ret)
{
    for (size_t i = 0; i < len; i++) {
        struct attempt *t = attempts_find(s->attempts, held[i]->attempt);

        ret[i] = (struct sched_held){
            .attempt = held[i]->attempt,
            .epoch = held[i]->epoch,
            .progress = held[i]->progress,
            .finished = held[i]->finished,
        };
        if (t && t->epoch == held[i]->epoch) {
            t->done = held[i]->done;
            t->total = held[i]->total;
        }
    }
}

static void know_worker(struct server *s, uint64_t id, uint64_t row, const Drover__Hello *m)
{
    struct shell_worker *w;

    HASH_FIND(hh, s->workers, &id, sizeof(id), w);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->id = id;
        w->joined_ms = clock_ms();
        HASH_ADD(hh, s->workers, id, sizeof(w->id), w);
    }
    w->row = row;
    w->slots = m->slots;
    w->pid = m->pid;
    (void)snprintf(w->name, sizeof(w->name), "%s", m->name);
    (void)snprintf(w->host, sizeof(w->host), "%s", m->host);
    (void)snprintf(w->version, sizeof(w->version), "%.63s", m->version);
}

static int store_hello(struct server *s, const Drover__Hello *m, uint64_t *ret_row, struct err *err)
{
    struct buf classes CLEANUP(buf_release) = { 0 };
    struct store_worker w = { .name = m->name,
                              .host = m->host,
                              .version = m->version,
                              .environment = m->environment[0] ? m->environment : NULL,
                              .pid = m->pid,
                              .slots = m->slots,
                              .threads = m->threads };

    memcpy(w.uid, m->worker.data, sizeof(w.uid));
    for (size_t i = 0; i < m->n_classes; i++)
        buf_printf(&classes, "%s%s", i ? " " : "", m->classes[i]);
    w.classes = buf_str(&classes);
    return store_worker_seen(s->store, &w, ret_row, err);
}

static void on_hello(struct server *s, const Drover__Hello *m, uint64_t request)
{
    uint64_t blobs[WIRE_BLOBS_MAX], row = 0;
    struct sched_held held[WIRE_HELD_MAX];
    struct sched_event e = { .kind = EV_HELLO, .peer = s->peer };
    struct err err = { 0 };
    int rc;

    if (!shell_transaction(s))
        return;
    rc = store_hello(s, m, &row, &err);
    if (rc < 0) {
        if (shell_fatal(rc))
            shell_fail(s, rc, &err);
        else
            shell_refuse(s, s->peer, request, rc, err.text);
        return;
    }
    e.hello.worker = worker_number(m->worker);
    know_worker(s, e.hello.worker, row, m);
    e.hello.holder = row;
    e.hello.slots = MIN(m->slots, (uint32_t)SCHED_SLOTS_MAX);
    e.hello.queue = MIN(m->queue, (uint32_t)SCHED_QUEUE_MAX);
    e.hello.cores = m->cores;
    e.hello.memory_mib = m->memory_mib;
    e.hello.remaining_ms = m->remaining_ms;
    for (size_t i = 0; i < m->n_labels; i++) {
        int label = shell_label(s, m->labels[i]);

        if (label >= 0)
            e.hello.labels |= UINT64_C(1) << label;
    }
    for (size_t i = 0; i < m->n_classes; i++) {
        int class = shell_class(s, m->classes[i]);

        if (class >= 0)
            e.hello.classes |= UINT64_C(1) << class;
    }
    for (size_t i = 0; i < m->n_blobs; i++) {
        struct digest d = wire_digest(m->blobs[i]);

        blobs[i] = digest_u64(&d);
    }
    take_held(s, m->held, m->n_held, held);
    e.hello.blobs = blobs;
    e.hello.blobs_len = m->n_blobs;
    e.hello.held = held;
    e.hello.held_len = m->n_held;
    shell_step(s, &e);
}

/* Is the attempt the one that its job waits for, and the sender the worker that runs it? What is
 * stored ahead of the core's decision must be what the core will accept: a forged result of
 * another peer never reaches the store. One kept for re-attachment has no worker yet: the core
 * decides about it first. */
static bool is_current(const struct server *s, uint64_t attempt, uint32_t epoch)
{
    struct sched_attempt_view view;

    return sched_attempt(s->sched, attempt, &view) && view.epoch == epoch && view.active &&
           view.peer == s->peer;
}

/* Metrics belong to an attempt, which gets its row by them if it has none yet. */
static int store_renewed(struct server *s, uint64_t attempt, const Drover__Renew *m,
                         struct err *err)
{
    struct store_metric *metrics CLEANUP(mem_cleanup) = mem_calloc(m->n_metrics, sizeof(*metrics));
    struct store_begun begun;
    int rc = shell_begun(s, attempt, &begun) ? store_attempt_begin(s->store, &begun, err) : 0;

    for (size_t i = 0; i < m->n_metrics; i++)
        metrics[i] =
            (struct store_metric){ m->metrics[i]->name, m->metrics[i]->step, m->metrics[i]->value };
    return rc < 0 ? rc : store_metrics(s->store, attempt, metrics, m->n_metrics, err);
}

static void on_renew(struct server *s, const Drover__Renew *m)
{
    struct sched_held held[WIRE_HELD_MAX];
    struct sched_event e = { .kind = EV_RENEW, .peer = s->peer };
    struct err err = { 0 };
    int rc;

    take_held(s, m->held, m->n_held, held);
    e.renew.held = held;
    e.renew.held_len = m->n_held;
    shell_step(s, &e);
    /* Only a worker that holds a single attempt says whose they are. */
    if (m->n_metrics == 0 || m->n_held != 1 ||
        !is_current(s, m->held[0]->attempt, m->held[0]->epoch) || !shell_transaction(s))
        return;
    rc = store_renewed(s, m->held[0]->attempt, m, &err);
    if (shell_fatal(rc))
        shell_fail(s, rc, &err);
}

static void name_attempt(uint64_t attempt, uint32_t epoch, uint64_t seq, struct sched_event *e)
{
    e->result.attempt = attempt;
    e->result.epoch = epoch;
    e->result.seq = seq;
}

static void on_example(struct server *s, const Drover__ExampleResult *m)
{
    struct sched_event e = { .kind = EV_EXAMPLE, .peer = s->peer };

    name_attempt(m->attempt, m->epoch, m->seq, &e);
    shell_step(s, &e);
}

static void on_checkpoint(struct server *s, const Drover__Checkpoint *m)
{
    struct sched_event e = { .kind = EV_CHECKPOINT, .peer = s->peer };

    name_attempt(m->attempt, m->epoch, m->seq, &e);
    shell_step(s, &e);
}

/* Only the store knows whether the result is whole; the core must not believe one that is not. */
static void store_first(struct server *s, const Drover__JobResult *m, struct sched_event *e,
                        struct err *err)
{
    struct store_begun b;
    const struct store_begun *begun = shell_begun(s, m->attempt, &b) ? &b : NULL;
    enum store_verdict verdict;
    int rc = shell_store_done(s, begun, false, &verdict, err);

    if (shell_fatal(rc)) {
        shell_fail(s, rc, err);
        return;
    }
    s->result_stored = rc == 0;
    if (rc == 0)
        return;
    log_warn("bad_result", "attempt=%llu reason=\"%s\"", (unsigned long long)m->attempt, err->text);
    e->result.outcome = CAUSE_FAILED;
    s->end_why = err->text;
    s->end_attempt = m->attempt;
}

static void on_result(struct server *s, const Drover__JobResult *m)
{
    struct sched_event e = { .kind = EV_RESULT, .peer = s->peer };
    struct err err; /* not cleared, half a kilobyte for each result: it is read when it is set */

    s->result = m;
    s->metrics.results++;
    name_attempt(m->attempt, m->epoch, m->seq, &e);
    e.result.job = m->job;
    e.result.wall_us = m->wall_us ? m->wall_us : m->wall_ms * 1000;
    e.result.outcome = (enum sched_cause)m->outcome;
    if (m->outcome == DROVER__OUTCOME__OUTCOME_LOST) /* not for a worker to say */
        e.result.outcome = CAUSE_FAILED;
    if ((e.result.outcome == CAUSE_DONE || e.result.outcome == CAUSE_DIVERGED) &&
        is_current(s, m->attempt, m->epoch) && shell_transaction(s))
        store_first(s, m, &e, &err);
    shell_step(s, &e); /* nothing when the store failed */
}

static void on_credits(struct server *s, const Drover__Credits *m)
{
    struct sched_event e = { .kind = EV_CREDITS, .peer = s->peer };

    e.credits.slots = MIN(m->total, (uint32_t)SCHED_SLOTS_MAX);
    e.credits.queue = MIN(m->queue, (uint32_t)SCHED_QUEUE_MAX);
    shell_step(s, &e);
}

static void on_goodbye(struct server *s, uint64_t request)
{
    struct sched_event e = { .kind = EV_GOODBYE, .peer = s->peer };

    e.goodbye.seq = request;
    shell_step(s, &e);
}

/* --- every kind of message that a coordinator takes --- */

static void take_hello(struct server *s, const Drover__Envelope *m)
{
    on_hello(s, m->hello, m->request);
}

static void take_heartbeat(struct server *s, const Drover__Envelope *m)
{
    (void)m;
    shell_step(s, &(struct sched_event){ .kind = EV_HEARTBEAT, .peer = s->peer });
}

static void take_renew(struct server *s, const Drover__Envelope *m)
{
    on_renew(s, m->renew);
}

static void take_credits(struct server *s, const Drover__Envelope *m)
{
    on_credits(s, m->credits);
}

static void take_goodbye(struct server *s, const Drover__Envelope *m)
{
    on_goodbye(s, m->request);
}

static void take_example(struct server *s, const Drover__Envelope *m)
{
    on_example(s, m->example_result);
}

static void take_checkpoint(struct server *s, const Drover__Envelope *m)
{
    on_checkpoint(s, m->checkpoint);
}

static void take_result(struct server *s, const Drover__Envelope *m)
{
    s->metrics.result_groups++;
    on_result(s, m->job_result);
}

/* Each is an event of its own: a bad one is refused alone. The round's transaction holds all. */
static void take_results(struct server *s, const Drover__Envelope *m)
{
    s->metrics.result_groups++;
    for (size_t i = 0; i < m->job_results->n_v && !s->failed; i++)
        on_result(s, m->job_results->v[i]);
}

static void take_submit(struct server *s, const Drover__Envelope *m)
{
    shell_submit(s, m->submit->plan, m->request);
}

static void take_status(struct server *s, const Drover__Envelope *m)
{
    shell_status(s, m->status_request, m->request);
}

static void take_cancel(struct server *s, const Drover__Envelope *m)
{
    shell_cancel(s, m->cancel_request->experiment, m->request);
}

static void take_control(struct server *s, const Drover__Envelope *m)
{
    shell_control(s, m->control, m->request);
}

static void take_ask(struct server *s, const Drover__Envelope *m)
{
    shell_ask(s, m->ask, m->request);
}

static const struct handler {
    Drover__Envelope__BodyCase body;
    void (*take)(struct server *s, const Drover__Envelope *m);
} handlers[] = {
    { DROVER__ENVELOPE__BODY_JOB_RESULTS, take_results },
    { DROVER__ENVELOPE__BODY_JOB_RESULT, take_result },
    { DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, take_example },
    { DROVER__ENVELOPE__BODY_CHECKPOINT, take_checkpoint },
    { DROVER__ENVELOPE__BODY_RENEW, take_renew },
    { DROVER__ENVELOPE__BODY_HEARTBEAT, take_heartbeat },
    { DROVER__ENVELOPE__BODY_HELLO, take_hello },
    { DROVER__ENVELOPE__BODY_CREDITS, take_credits },
    { DROVER__ENVELOPE__BODY_GOODBYE, take_goodbye },
    { DROVER__ENVELOPE__BODY_SUBMIT, take_submit },
    { DROVER__ENVELOPE__BODY_STATUS_REQUEST, take_status },
    { DROVER__ENVELOPE__BODY_CANCEL_REQUEST, take_cancel },
    { DROVER__ENVELOPE__BODY_CONTROL, take_control },
    { DROVER__ENVELOPE__BODY_ASK, take_ask },
};

static void dispatch(struct server *s, const Drover__Envelope *m)
{
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
        if (handlers[i].body == m->body_case) {
            handlers[i].take(s, m);
            return;
        }
    log_warn("unexpected", "peer=%llx message=%s", (unsigned long long)s->peer,
             wire_name(m->body_case));
    shell_refuse(s, s->peer, m->request, ERR_PROTO, "a coordinator takes no such message");
}

static void on_message(struct server *s, const struct transport_event *event)
{
    Drover__Envelope *m CLEANUP(wire_cleanup) = NULL;
    struct guard_sender who;
    struct err err = { 0 };
    size_t weight;
    int rc;

    if (!s->round_ns)
        s->round_ns = clock_ns();
    s->now_steps = 0;
    if (!shell_admit(s, event, &who))
        return;
    rc = wire_decode(event->bytes, event->len, &m, NULL, &err);
    if (rc < 0) {
        guard_bad(s->guard, event, err.text);
        shell_refuse(s, event->peer, who.request, rc, err.text);
        return;
    }
    s->metrics.messages++;
    s->message = m;
    s->peer = event->peer;
    if (shell_allow(s, &who, m))
        dispatch(s, m);
    weight = m->body_case == DROVER__ENVELOPE__BODY_JOB_RESULTS ? m->job_results->n_v : 1;
    s->message = NULL;
    s->result = NULL;
    s->message_code = 0;
    s->result_stored = false;
    s->end_why = NULL;
    shell_weigh(s, weight);
}

void shell_on_transport(void *arg, const struct transport_event *event)
{
    struct server *s = arg;

    if (s->failed)
        return;
    switch (event->type) {
    case TRANSPORT_MESSAGE:
        on_message(s, event);
        break;
    case TRANSPORT_GONE:
        log_debug("peer_gone", "peer=%llx reason=\"%s\"", (unsigned long long)event->peer,
                  event->why);
        shell_step(s, &(struct sched_event){ .kind = EV_UNREACHABLE, .peer = event->peer });
        break;
    case TRANSPORT_BAD:
        guard_bad(s->guard, event, event->why);
        if (event->peer)
            shell_refuse(s, event->peer, 0, ERR_PROTO, event->why);
        break;
    case TRANSPORT_DENIED:
    case TRANSPORT_CONNECTED:
    case TRANSPORT_DISCONNECTED:
    case TRANSPORT_EVENTS:
        break;
    }
}
