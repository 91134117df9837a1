/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of the agent -> messages to the coordinator and orders to slots. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/cache.h"
#include "worker/joblog.h"
#include "worker/jobs/job.h"
#include "worker/office.h"

static_assert((int)AGENT_OUTCOME_DONE == (int)DROVER__OUTCOME__OUTCOME_DONE &&
                  (int)AGENT_OUTCOME_FAILED == (int)DROVER__OUTCOME__OUTCOME_FAILED &&
                  (int)AGENT_OUTCOME_OOM == (int)DROVER__OUTCOME__OUTCOME_OOM &&
                  (int)AGENT_OUTCOME_TIMEOUT == (int)DROVER__OUTCOME__OUTCOME_TIMEOUT &&
                  (int)AGENT_OUTCOME_PREEMPTED == (int)DROVER__OUTCOME__OUTCOME_PREEMPTED &&
                  (int)AGENT_OUTCOME_CANCELLED == (int)DROVER__OUTCOME__OUTCOME_CANCELLED &&
                  (int)AGENT_OUTCOME_DIVERGED == (int)DROVER__OUTCOME__OUTCOME_DIVERGED,
              "agent.h and drover.proto number outcomes alike");
static_assert((int)JOBLOG_BYTES <= (int)WIRE_LOG_MAX, "a job's log fits in its result");
static_assert((int)AGENT_HELD_MAX <= (int)WIRE_HELD_MAX, "all that is held fits in one Hello");

/* Queue MESSAGE. What is not taken now is lost; results and examples are sent again in time. */
static int send_message(struct office *o, Drover__Envelope__BodyCase body, void *message,
                        uint64_t request, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };

    int rc = wire_encode(&bytes, body, message, request, err);
    if (rc)
        return rc;
    struct err full = { 0 };
    if (transport_send(o->transport, 0, bytes.data, bytes.len, &full) != 0)
        log_warn("send_failed", "message=%s text=\"%s\"", wire_name(body), full.text);
    return 0;
}

/* For messages of our own making, which break no rule. */
static void send_plain(struct office *o, Drover__Envelope__BodyCase body, void *message)
{
    struct err err = { 0 };
    if (send_message(o, body, message, 0, &err) != 0)
        log_error("encode_failed", "message=%s text=\"%s\"", wire_name(body), err.text);
}

static void fill_held(Drover__Held *ret, const struct agent_held *h)
{
    drover__held__init(ret);
    ret->attempt = h->id.attempt;
    ret->epoch = h->id.epoch;
    ret->progress = h->counter;
    ret->done = h->done;
    ret->total = h->total;
    ret->finished = h->state == AGENT_FINISHED;
}

static void send_hello(struct office *o)
{
    static const char *const no_classes[] = { NULL };
    Drover__Hello m = DROVER__HELLO__INIT;
    Drover__Held held[AGENT_HELD_MAX], *held_list[AGENT_HELD_MAX];
    struct digest blob[WIRE_BLOBS_MAX];
    ProtobufCBinaryData blob_list[WIRE_BLOBS_MAX];
    const char *const *classes = job_classes() ? job_classes() : no_classes;

    m.worker = (ProtobufCBinaryData){ .len = sizeof(o->id), .data = o->id };
    m.name = o->name;
    m.host = o->host;
    m.pid = (uint32_t)getpid();
    m.slots = (uint32_t)o->conf->slots;
    m.threads = (uint32_t)o->conf->threads;
    m.version = (char *)(uintptr_t)DROVER_VERSION;
    m.classes = (char **)(uintptr_t)classes;
    while (m.n_classes < WIRE_CLASSES_MAX && classes[m.n_classes] != NULL)
        m.n_classes++;
    m.incarnation = o->agent.incarnation;
    m.held = held_list;
    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        if (o->agent.held[i].state == AGENT_FREE)
            continue;
        fill_held(&held[m.n_held], &o->agent.held[i]);
        held_list[m.n_held] = &held[m.n_held];
        m.n_held++;
    }
    m.blobs = blob_list;
    m.n_blobs = cache_list(o->cache, blob, WIRE_BLOBS_MAX);
    for (size_t i = 0; i < m.n_blobs; i++)
        blob_list[i] = wire_bytes(&blob[i]);
    log_debug("hello", "held=%zu blobs=%zu", m.n_held, m.n_blobs);
    send_plain(o, DROVER__ENVELOPE__BODY_HELLO, &m);
}

static void send_renew(struct office *o, size_t held)
{
    Drover__Renew m = DROVER__RENEW__INIT;
    Drover__Held one, *list = &one;

    /* One attempt per message: so the metrics are its own. */
    fill_held(&one, &o->agent.held[held]);
    m.held = &list;
    m.n_held = 1;
    m.metrics = slot_take_metrics(o->slot[o->agent.held[held].slot], &m.n_metrics);
    send_plain(o, DROVER__ENVELOPE__BODY_RENEW, &m);
    slot_free_metrics(m.metrics, m.n_metrics);
}

/* The answer to a lease that was never started. */
static Drover__JobResult *refused_lease(const struct agent_action *x)
{
    Drover__JobResult *r = mem_calloc(1, sizeof(*r));
    drover__job_result__init(r);
    r->attempt = x->attempt.attempt;
    r->epoch = x->attempt.epoch;
    r->text = mem_strdup("the worker has no free slot");
    return r;
}

/* Keep the attempt's bytes light enough to be sent: a result that breaks a rule becomes a failure
 * that says so. */
static void make_failure(Drover__JobResult *r, enum agent_outcome *outcome, const struct err *why)
{
    for (size_t i = 0; i < r->n_outputs; i++)
        drover__output__free_unpacked(r->outputs[i], NULL);
    for (size_t i = 0; i < r->n_metrics; i++)
        drover__metric__free_unpacked(r->metrics[i], NULL);
    r->n_outputs = r->n_metrics = 0;
    if (r->text != protobuf_c_empty_string)
        free(r->text);
    r->text = mem_strdup(why->text);
    *outcome = AGENT_OUTCOME_FAILED;
}

static void send_result(struct office *o, const struct agent_action *x)
{
    struct err err = { 0 };
    enum agent_outcome outcome = x->outcome;

    if (o->result[x->held] == NULL)
        o->result[x->held] = refused_lease(x);
    Drover__JobResult *r = o->result[x->held];
    r->seq = x->seq;
    r->outcome = (Drover__Outcome)outcome;
    if (send_message(o, DROVER__ENVELOPE__BODY_JOB_RESULT, r, x->seq, &err) == 0)
        return;
    log_error("result_unsendable", "attempt=%" PRIu64 " text=\"%s\"", r->attempt, err.text);
    make_failure(r, &outcome, &err);
    r->outcome = (Drover__Outcome)outcome;
    send_plain(o, DROVER__ENVELOPE__BODY_JOB_RESULT, r);
}

static void send_example(struct office *o, const struct agent_action *x)
{
    struct slot_message m = slot_message(o->slot[x->slot]);
    struct err err = { 0 };
    int rc;

    if (m.checkpoint != NULL) {
        m.checkpoint->seq = x->seq;
        rc = send_message(o, DROVER__ENVELOPE__BODY_CHECKPOINT, m.checkpoint, x->seq, &err);
    } else {
        m.example->seq = x->seq;
        rc = send_message(o, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, m.example, x->seq, &err);
    }
    if (rc != 0)
        log_error("encode_failed", "message=%s text=\"%s\"",
                  m.checkpoint != NULL ? "checkpoint" : "example_result", err.text);
}

static void forget(struct office *o, size_t held)
{
    if (o->result[held] != NULL)
        drover__job_result__free_unpacked(o->result[held], NULL);
    o->result[held] = NULL;
}

void office_carry(struct office *o, const struct agent_action *x)
{
    Drover__Heartbeat heartbeat = DROVER__HEARTBEAT__INIT;
    Drover__Goodbye goodbye = DROVER__GOODBYE__INIT;
    Drover__Credits credits = DROVER__CREDITS__INIT;

    switch (x->kind) {
    case AGENT_SEND_HELLO:
        send_hello(o);
        break;
    case AGENT_SEND_HEARTBEAT:
        send_plain(o, DROVER__ENVELOPE__BODY_HEARTBEAT, &heartbeat);
        break;
    case AGENT_SEND_CREDITS:
        credits.total = x->total;
        send_plain(o, DROVER__ENVELOPE__BODY_CREDITS, &credits);
        break;
    case AGENT_SEND_RENEW:
        send_renew(o, x->held);
        break;
    case AGENT_SEND_EXAMPLE:
        send_example(o, x);
        break;
    case AGENT_SEND_RESULT:
        send_result(o, x);
        break;
    case AGENT_SEND_GOODBYE:
        send_plain(o, DROVER__ENVELOPE__BODY_GOODBYE, &goodbye);
        break;
    case AGENT_START:
        assert(o->lease != NULL);
        slot_start(o->slot[x->slot], o->lease);
        o->lease = NULL;
        break;
    case AGENT_STOP:
        log_info("job_stop", "attempt=%" PRIu64 " drain=%d", x->attempt.attempt,
                 x->reason == AGENT_PREEMPTED);
        slot_stop(o->slot[x->slot], x->reason == AGENT_PREEMPTED);
        break;
    case AGENT_END_EXAMPLE:
        slot_end_example(o->slot[x->slot], x->code);
        break;
    case AGENT_FORGET:
        forget(o, x->held);
        break;
    case AGENT_EXIT:
        o->over = true;
        o->code = x->code;
        loop_stop(o->loop);
        break;
    case AGENT_ACTIONS:
        assert(false && "not an action");
    }
}
