/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of the agent -> messages to the coordinator and orders to slots. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/cache.h"
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
static_assert((int)AGENT_HELD_MAX <= (int)WIRE_HELD_MAX, "all that is held fits in one Hello");

/* For messages of our own making, which break no rule. */
static void send_plain(struct office *o, Drover__Envelope__BodyCase body, void *message)
{
    struct err err = { 0 };
    office_flush(o);
    if (office_send(o, body, message, 0, &err) != 0)
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

/* What began stands before what waits: so the coordinator knows which is which. */
static size_t list_held(const struct agent *a, Drover__Held *ret)
{
    size_t n = 0;

    for (int waits = 0; waits < 2; waits++)
        for (size_t i = 0; i < a->capacity; i++)
            if (a->held[i].state != AGENT_FREE && (a->held[i].state == AGENT_QUEUED) == waits)
                fill_held(&ret[n++], &a->held[i]);
    return n;
}

/* As Hello says it: 0 when there is no end, so 1 when it is over. */
static uint64_t remaining_ms(const struct office *o)
{
    const uint64_t now_ms = clock_ms();

    if (o->leave_at_ms == UINT64_MAX)
        return 0;
    return o->leave_at_ms > now_ms ? o->leave_at_ms - now_ms : 1;
}

static void send_hello(struct office *o)
{
    static const char *const no_classes[] = { NULL };
    Drover__Hello m = DROVER__HELLO__INIT;
    Drover__Held *held = mem_calloc(agent_held_count(&o->agent) + 1, sizeof(*held));
    Drover__Held **held_list = mem_calloc(agent_held_count(&o->agent) + 1, sizeof(struct Held *));
    struct digest blob[WIRE_BLOBS_MAX];
    ProtobufCBinaryData blob_list[WIRE_BLOBS_MAX];
    const char *const *classes = job_classes() ? job_classes() : no_classes;

    m.worker = (ProtobufCBinaryData){ .len = sizeof(o->id), .data = o->id };
    m.name = o->name;
    m.host = o->host;
    m.pid = (uint32_t)getpid();
    m.slots = (uint32_t)o->conf->slots;
    m.threads = (uint32_t)o->conf->threads;
    m.queue = (uint32_t)o->conf->queue;
    m.cores = (uint32_t)(o->conf->slots * o->conf->threads);
    m.memory_mib = o->conf->memory_mib;
    m.remaining_ms = remaining_ms(o);
    m.labels = (char **)(uintptr_t)o->conf->label;
    m.n_labels = o->conf->labels_len;
    m.environment = (char *)(uintptr_t)o->environment;
    m.version = (char *)(uintptr_t)DROVER_VERSION;
    m.classes = (char **)(uintptr_t)classes;
    while (m.n_classes < WIRE_CLASSES_MAX && classes[m.n_classes] != NULL)
        m.n_classes++;
    m.incarnation = o->agent.incarnation;
    m.held = held_list;
    m.n_held = list_held(&o->agent, held);
    for (size_t i = 0; i < m.n_held; i++)
        held_list[i] = &held[i];
    m.blobs = blob_list;
    m.n_blobs = cache_list(o->cache, blob, WIRE_BLOBS_MAX);
    for (size_t i = 0; i < m.n_blobs; i++)
        blob_list[i] = wire_bytes(&blob[i]);
    log_debug("hello", "held=%zu blobs=%zu", m.n_held, m.n_blobs);
    send_plain(o, DROVER__ENVELOPE__BODY_HELLO, &m);
    free(held_list);
    free(held);
}

static void send_renew(struct office *o, size_t held)
{
    Drover__Renew m = DROVER__RENEW__INIT;
    Drover__Held one, *list = &one;

    /* One attempt per message: so the metrics are its own. */
    fill_held(&one, &o->agent.held[held]);
    const struct agent_held *h = &o->agent.held[held];
    m.held = &list;
    m.n_held = 1;
    m.metrics = slot_take_metrics(o->slot[h->slot], h->id, &m.n_metrics);
    send_plain(o, DROVER__ENVELOPE__BODY_RENEW, &m);
    slot_free_metrics(m.metrics, m.n_metrics);
}

static void send_example(struct office *o, const struct agent_action *x)
{
    struct slot_message m = slot_message(o->slot[x->slot]);
    struct err err = { 0 };
    int rc;

    office_flush(o);
    if (m.checkpoint != NULL) {
        m.checkpoint->seq = x->seq;
        rc = office_send(o, DROVER__ENVELOPE__BODY_CHECKPOINT, m.checkpoint, x->seq, &err);
    } else {
        m.example->seq = x->seq;
        log_debug("sent", "seq=%" PRIu64 " attempt=%" PRIu64 " example=%016" PRIx64, x->seq,
                  m.example->attempt, m.example->example->id);
        rc = office_send(o, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, m.example, x->seq, &err);
    }
    if (rc != 0)
        log_error("encode_failed", "message=%s text=\"%s\"",
                  m.checkpoint != NULL ? "checkpoint" : "example_result", err.text);
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
        credits.queue = x->queue;
        send_plain(o, DROVER__ENVELOPE__BODY_CREDITS, &credits);
        break;
    case AGENT_SEND_RENEW:
        send_renew(o, x->held);
        break;
    case AGENT_SEND_EXAMPLE:
        send_example(o, x);
        break;
    case AGENT_SEND_RESULT:
        office_send_result(o, x);
        break;
    case AGENT_SEND_GOODBYE:
        send_plain(o, DROVER__ENVELOPE__BODY_GOODBYE, &goodbye);
        break;
    case AGENT_QUEUE:
        assert(o->lease.lease != NULL);
        o->held[x->held].job = o->lease.lease->job;
        job_queue_put(o->queue, x->held, o->lease);
        o->lease = (struct leased){ 0 };
        break;
    case AGENT_WITHDRAW: /* else a slot has it, and its post lies ready */
        if (job_queue_withdraw(o->queue, x->held))
            o->withdrawn[o->withdrawn_len++] = x->held;
        break;
    case AGENT_STOP:
        log_info("job_stop", "attempt=%" PRIu64 " drain=%d", x->attempt.attempt,
                 x->reason == AGENT_PREEMPTED);
        slot_stop(o->slot[x->slot], x->attempt, x->reason == AGENT_PREEMPTED);
        break;
    case AGENT_END_EXAMPLE:
        slot_end_example(o->slot[x->slot], x->code);
        break;
    case AGENT_FORGET:
        office_forget(o, x->held);
        break;
    case AGENT_EXIT:
        office_flush(o);
        o->over = true;
        o->code = x->code;
        loop_stop(o->loop);
        break;
    case AGENT_ACTIONS:
        assert(false && "not an action");
    }
}
