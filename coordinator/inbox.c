/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - messages become events of the core, or are answered. Whatever comes, the worst answer
 * is Refuse. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

/* The core's own attempts have higher bits: what is not in our list is never one of them. */
#define FOREIGN ((UINT64_C(1) << SCHED_ATTEMPT_BITS) - 1)

/* A worker's 16 random bytes as the core's number for it. */
static uint64_t worker_number(ProtobufCBinaryData b)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | b.data[i];
    return v ? v : 1;
}

/* The core's names for what the worker calls HELD. */
static void take_held(const struct server *s, Drover__Held **held, size_t len,
                      struct sched_held *ret)
{
    for (size_t i = 0; i < len; i++) {
        struct attempt *t = attempts_by_row(s->attempts, held[i]->attempt);
        bool same = t && t->row_epoch == held[i]->epoch;

        ret[i] = (struct sched_held){
            /* An unknown one keeps its name, so that the answer can tell the worker to drop it. */
            .attempt = same ? t->core : held[i]->attempt & FOREIGN,
            .epoch = same ? t->core_epoch : held[i]->epoch,
            .progress = held[i]->progress,
            .finished = held[i]->finished,
        };
        if (same) {
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
        HASH_ADD(hh, s->workers, id, sizeof(w->id), w);
    }
    w->row = row;
    w->slots = m->slots;
    (void)snprintf(w->name, sizeof(w->name), "%s", m->name);
}

static int store_hello(struct server *s, const Drover__Hello *m, uint64_t *ret_row, struct err *err)
{
    struct buf classes CLEANUP(buf_release) = { 0 };
    struct store_worker w = { .name = m->name,
                              .host = m->host,
                              .version = m->version,
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
    e.hello.credits = MIN(m->slots, (uint32_t)SCHED_CREDITS_MAX);
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

static void on_renew(struct server *s, const Drover__Renew *m)
{
    struct sched_held held[WIRE_HELD_MAX];
    struct sched_event e = { .kind = EV_RENEW, .peer = s->peer };

    take_held(s, m->held, m->n_held, held);
    e.renew.held = held;
    e.renew.held_len = m->n_held;
    /* Metrics belong to an attempt: only a worker that holds a single one says whose they are. */
    if (m->n_metrics > 0 && m->n_held == 1 && attempts_by_row(s->attempts, m->held[0]->attempt) &&
        shell_transaction(s)) {
        struct store_metric *metrics CLEANUP(mem_cleanup) =
            mem_calloc(m->n_metrics, sizeof(*metrics));
        struct err err = { 0 };
        int rc;

        for (size_t i = 0; i < m->n_metrics; i++)
            metrics[i] = (struct store_metric){ m->metrics[i]->name, m->metrics[i]->step,
                                                m->metrics[i]->value };
        rc = store_metrics(s->store, m->held[0]->attempt, metrics, m->n_metrics, &err);
        if (shell_fatal(rc))
            shell_fail(s, rc, &err);
    }
    shell_step(s, &e);
}

/* Name the attempt for the core. */
static void name_attempt(const struct server *s, uint64_t row, uint32_t epoch,
                         struct sched_event *e)
{
    const struct attempt *t = attempts_by_row(s->attempts, row);

    e->result.attempt = t && t->row_epoch == epoch ? t->core : row & FOREIGN;
    e->result.epoch = t && t->row_epoch == epoch ? t->core_epoch : epoch;
}

static void on_example(struct server *s, const Drover__ExampleResult *m)
{
    struct sched_event e = { .kind = EV_EXAMPLE, .peer = s->peer };

    name_attempt(s, m->attempt, m->epoch, &e);
    e.result.seq = m->seq;
    shell_step(s, &e);
}

static void on_checkpoint(struct server *s, const Drover__Checkpoint *m)
{
    struct sched_event e = { .kind = EV_CHECKPOINT, .peer = s->peer };

    name_attempt(s, m->attempt, m->epoch, &e);
    e.result.seq = m->seq;
    shell_step(s, &e);
}

/* Is the attempt the one that its job waits for, and the sender the worker that runs it? What is
 * stored ahead of the core's decision must be what the core will accept: a forged result of
 * another peer never reaches the store. One kept for re-attachment has no worker yet: the core
 * decides about it first. */
static bool is_current(const struct server *s, const struct attempt *t, uint32_t epoch)
{
    struct sched_worker_view view;

    if (!t || t->row_epoch != epoch || t->ended)
        return false;
    struct sched_why why = sched_why(s->sched, t->job);
    return why.attempt == t->core && (why.rules & (WHY_RUNNING | WHY_CANCELLING)) &&
           sched_worker(s->sched, why.worker, &view) && view.peer == s->peer;
}

static void on_result(struct server *s, const Drover__JobResult *m)
{
    struct attempt *t = attempts_by_row(s->attempts, m->attempt);
    struct sched_event e = { .kind = EV_RESULT, .peer = s->peer };
    struct err err = { 0 };
    enum store_verdict verdict;
    int rc;

    name_attempt(s, m->attempt, m->epoch, &e);
    e.result.seq = m->seq;
    e.result.outcome = (enum sched_cause)m->outcome;
    if (m->outcome == DROVER__OUTCOME__OUTCOME_LOST) /* not for a worker to say */
        e.result.outcome = CAUSE_FAILED;
    if ((e.result.outcome == CAUSE_DONE || e.result.outcome == CAUSE_DIVERGED) &&
        is_current(s, t, m->epoch)) {
        /* Only the store knows whether the result is whole; the core must not believe one that is
         * not. */
        if (!shell_transaction(s))
            return;
        rc = shell_store_done(s, &verdict, &err);
        if (shell_fatal(rc)) {
            shell_fail(s, rc, &err);
            return;
        }
        s->result_stored = rc == 0;
        if (rc < 0) {
            log_warn("bad_result", "attempt=%llu reason=\"%s\"", (unsigned long long)m->attempt,
                     err.text);
            e.result.outcome = CAUSE_FAILED;
            s->end_why = err.text;
            s->end_core = t->core;
        }
    }
    shell_step(s, &e);
}

static void on_heartbeat(struct server *s)
{
    shell_step(s, &(struct sched_event){ .kind = EV_HEARTBEAT, .peer = s->peer });
}

static void on_credits(struct server *s, uint32_t total)
{
    struct sched_event e = { .kind = EV_CREDITS, .peer = s->peer };

    e.credits.total = MIN(total, (uint32_t)SCHED_CREDITS_MAX);
    shell_step(s, &e);
}

static void on_goodbye(struct server *s, uint64_t request)
{
    struct sched_event e = { .kind = EV_GOODBYE, .peer = s->peer };

    e.goodbye.seq = request;
    shell_step(s, &e);
}

static void dispatch(struct server *s, const Drover__Envelope *m)
{
    switch (m->body_case) {
    case DROVER__ENVELOPE__BODY_HELLO:
        on_hello(s, m->hello, m->request);
        break;
    case DROVER__ENVELOPE__BODY_HEARTBEAT:
        on_heartbeat(s);
        break;
    case DROVER__ENVELOPE__BODY_RENEW:
        on_renew(s, m->renew);
        break;
    case DROVER__ENVELOPE__BODY_CREDITS:
        on_credits(s, m->credits->total);
        break;
    case DROVER__ENVELOPE__BODY_GOODBYE:
        on_goodbye(s, m->request);
        break;
    case DROVER__ENVELOPE__BODY_EXAMPLE_RESULT:
        on_example(s, m->example_result);
        break;
    case DROVER__ENVELOPE__BODY_JOB_RESULT:
        on_result(s, m->job_result);
        break;
    case DROVER__ENVELOPE__BODY_CHECKPOINT:
        on_checkpoint(s, m->checkpoint);
        break;
    case DROVER__ENVELOPE__BODY_SUBMIT:
        shell_submit(s, m->submit->plan, m->request);
        break;
    case DROVER__ENVELOPE__BODY_STATUS_REQUEST:
        shell_status(s, m->status_request, m->request);
        break;
    case DROVER__ENVELOPE__BODY_CANCEL_REQUEST:
        shell_cancel(s, m->cancel_request->experiment, m->request);
        break;
    case DROVER__ENVELOPE__BODY_CONTROL:
        shell_control(s, m->control, m->request);
        break;
    case DROVER__ENVELOPE__BODY_ASK:
        shell_ask(s, m->ask, m->request);
        break;
    case DROVER__ENVELOPE__BODY_CONTROLLED:
    case DROVER__ENVELOPE__BODY_ANSWER:
    case DROVER__ENVELOPE__BODY__NOT_SET:
    case DROVER__ENVELOPE__BODY_WELCOME:
    case DROVER__ENVELOPE__BODY_REFUSE:
    case DROVER__ENVELOPE__BODY_ACK:
    case DROVER__ENVELOPE__BODY_LEASE:
    case DROVER__ENVELOPE__BODY_CANCEL:
    case DROVER__ENVELOPE__BODY_SUBMITTED:
    case DROVER__ENVELOPE__BODY_STATUS:
    case DROVER__ENVELOPE__BODY_CANCELLED:
    case DROVER__ENVELOPE__BODY_BLOB_GET:
    case DROVER__ENVELOPE__BODY_BLOB_CHUNK:
    case DROVER__ENVELOPE__BODY_BLOB_PUT:
    case DROVER__ENVELOPE__BODY_BLOB_STATE:
    case _DROVER__ENVELOPE__BODY__CASE_IS_INT_SIZE:
        log_warn("unexpected", "peer=%llx message=%s", (unsigned long long)s->peer,
                 wire_name(m->body_case));
        shell_refuse(s, s->peer, m->request, ERR_PROTO, "a coordinator takes no such message");
    }
}

static void on_message(struct server *s, const struct transport_event *event)
{
    Drover__Envelope *m CLEANUP(wire_cleanup) = NULL;
    struct err err = { 0 };
    uint32_t protocol = 0;
    int rc = wire_decode(event->bytes, event->len, &m, &protocol, &err);

    if (rc < 0) {
        log_warn("refused", "peer=%llx code=%d protocol=%u bytes=%zu reason=\"%s\"",
                 (unsigned long long)event->peer, rc, protocol, event->len, err.text);
        shell_refuse(s, event->peer, 0, rc, err.text);
        return;
    }
    s->message = m;
    s->peer = event->peer;
    dispatch(s, m);
    s->message = NULL;
    s->message_code = 0;
    s->result_stored = false;
    s->end_why = NULL;
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
        log_warn("bad_message", "peer=%llx reason=\"%s\"", (unsigned long long)event->peer,
                 event->why);
        if (event->peer)
            shell_refuse(s, event->peer, 0, ERR_PROTO, event->why);
        break;
    case TRANSPORT_CONNECTED:
    case TRANSPORT_DISCONNECTED:
    case TRANSPORT_EVENTS:
        break;
    }
}
