/* SPDX-License-Identifier: Apache-2.0 */
/* Results of jobs -> messages: those that are ready together go out together. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/joblog.h"
#include "worker/office.h"

static_assert((int)JOBLOG_BYTES <= (int)WIRE_LOG_MAX, "a job's log fits in its result");

enum { GROUP_BYTES = 1 << 20 }; /* about: so that nobody waits long behind one message */

int office_send(struct office *o, Drover__Envelope__BodyCase body, void *message, uint64_t request,
                struct err *err)
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

/* The answer to a lease that was never begun. */
static Drover__JobResult *refused_lease(const struct office *o, const struct agent_action *x)
{
    Drover__JobResult *r = mem_calloc(1, sizeof(*r));
    drover__job_result__init(r);
    r->attempt = x->attempt.attempt;
    r->epoch = x->attempt.epoch;
    r->job = o->held[x->held].job;
    r->text = mem_strdup(x->outcome == AGENT_OUTCOME_CANCELLED ? "cancelled before it began"
                         : o->agent.draining                   ? "not begun: the worker leaves"
                                                               : "the worker has no free slot");
    return r;
}

/* Keep the attempt's bytes light enough to be sent: a result that breaks a rule becomes a failure
 * that says so. */
static void make_failure(Drover__JobResult *r, const struct err *why)
{
    for (size_t i = 0; i < r->n_outputs; i++)
        drover__output__free_unpacked(r->outputs[i], NULL);
    for (size_t i = 0; i < r->n_metrics; i++)
        drover__metric__free_unpacked(r->metrics[i], NULL);
    r->n_outputs = r->n_metrics = 0;
    if (r->text != protobuf_c_empty_string)
        free(r->text);
    r->text = mem_strdup(why->text);
    r->outcome = DROVER__OUTCOME__OUTCOME_FAILED;
}

static void send_one(struct office *o, Drover__JobResult *r)
{
    struct err err = { 0 };

    if (office_send(o, DROVER__ENVELOPE__BODY_JOB_RESULT, r, r->seq, &err) == 0)
        return;
    log_error("result_unsendable", "attempt=%" PRIu64 " text=\"%s\"", r->attempt, err.text);
    make_failure(r, &err);
    if (office_send(o, DROVER__ENVELOPE__BODY_JOB_RESULT, r, 0, &err) != 0)
        log_error("encode_failed", "message=job_result text=\"%s\"", err.text);
}

void office_flush(struct office *o)
{
    Drover__JobResult *list[WIRE_GROUP_MAX];
    Drover__JobResults m = DROVER__JOB_RESULTS__INIT;
    struct err err = { 0 };

    if (o->group_len == 0)
        return;
    for (size_t i = 0; i < o->group_len; i++) {
        list[i] = o->held[o->group[i]].result;
        o->held[o->group[i]].grouped = false;
    }
    m.v = list;
    m.n_v = o->group_len;
    o->group_len = o->group_bytes = 0;
    /* One of them breaks a rule, or they are more than a message holds: find out which. */
    if (m.n_v == 1 || office_send(o, DROVER__ENVELOPE__BODY_JOB_RESULTS, &m, 0, &err) != 0)
        for (size_t i = 0; i < m.n_v; i++)
            send_one(o, list[i]);
}

/* What R takes on the wire, about: names of metrics are short. */
static size_t about_bytes(const Drover__JobResult *r)
{
    return 128 + strlen(r->text) + strlen(r->log) + 48 * r->n_metrics + 128 * r->n_outputs;
}

void office_send_result(struct office *o, const struct agent_action *x)
{
    if (o->lease.lease != NULL && o->lease.lease->attempt == x->attempt.attempt)
        o->held[x->held].job = o->lease.lease->job; /* it never got into the queue */
    if (o->held[x->held].result == NULL)
        o->held[x->held].result = refused_lease(o, x);
    Drover__JobResult *r = o->held[x->held].result;
    if (o->held[x->held].grouped)
        return;
    r->seq = x->seq;
    r->outcome = (Drover__Outcome)x->outcome;
    /* With "acked" (receive.c) what chaos.py holds against the store. */
    log_debug("sent", "seq=%" PRIu64 " attempt=%" PRIu64 " outcome=%d", x->seq, x->attempt.attempt,
              (int)x->outcome);
    const size_t bytes = about_bytes(r);
    if (o->group_len == WIRE_GROUP_MAX || o->group_bytes + bytes > GROUP_BYTES)
        office_flush(o);
    o->group[o->group_len++] = x->held;
    o->group_bytes += bytes;
    o->held[x->held].grouped = true;
}

void office_forget(struct office *o, size_t held)
{
    if (o->held[held].grouped)
        office_flush(o);
    if (o->held[held].result != NULL)
        drover__job_result__free_unpacked(o->held[held].result, NULL);
    o->held[held].result = NULL;
}
