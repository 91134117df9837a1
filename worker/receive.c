/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the coordinator -> events of the agent. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "worker/office.h"

/* The attempts of LEN HELD; free() them. */
static struct agent_attempt *attempts_of(Drover__Held *const *held, size_t len)
{
    struct agent_attempt *list = mem_calloc(len + 1, sizeof(*list));

    for (size_t i = 0; i < len; i++)
        list[i] = (struct agent_attempt){ held[i]->attempt, held[i]->epoch };
    return list;
}

/* An endpoint for everybody ("tcp://0.0.0.0:7001", "tcp://<any>:7001") is reached where the
 * coordinator is. */
static void set_blob_place(struct office *o, const char *endpoint)
{
    static const char *const everybody[] = { "tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:" };
    const char *port = NULL;

    for (size_t i = 0; i < ARRAY_LEN(everybody); i++)
        if (strncmp(endpoint, everybody[i], strlen(everybody[i])) == 0)
            port = endpoint + strlen(everybody[i]);
    const char *host_end = strrchr(o->conf->coordinator, ':');
    char here[TRANSPORT_ENDPOINT_MAX];
    if (port != NULL && host_end != NULL) {
        (void)snprintf(here, sizeof(here), "%.*s:%s", (int)(host_end - o->conf->coordinator),
                       o->conf->coordinator, port);
        endpoint = here;
    }
    blob_place_set(o->place, endpoint);
}

static void on_welcome(struct office *o, const Drover__Welcome *m)
{
    struct agent_attempt *keep = attempts_of(m->keep, m->n_keep);
    struct agent_attempt *drop = attempts_of(m->drop, m->n_drop);
    const struct agent_event e = { .kind = AGENT_EV_WELCOME,
                                   .incarnation = m->incarnation,
                                   .renew_ms = m->renew_ms,
                                   .heartbeat_ms = m->heartbeat_ms,
                                   .keep = keep,
                                   .keep_len = m->n_keep,
                                   .drop = drop,
                                   .drop_len = m->n_drop };

    (void)notify_send("READY=1\nSTATUS=connected to %s", o->conf->coordinator);
    log_info("welcome", "incarnation=%" PRIu64 " blobs=%s keep=%zu drop=%zu", m->incarnation,
             m->blob_endpoint, m->n_keep, m->n_drop);
    set_blob_place(o, m->blob_endpoint);
    office_step(o, &e);
    free(keep);
    free(drop);
}

static void on_refuse(struct office *o, const Drover__Refuse *m, uint64_t request)
{
    const struct agent_event e = { .kind = AGENT_EV_REFUSE,
                                   .code = m->code < 0 ? m->code : ERR_PROTO,
                                   .seq = request };

    log_warn("refused", "code=%d protocol=%" PRIu32 " request=%" PRIu64 " text=\"%s\"", m->code,
             m->protocol, request, m->text);
    if (m->code == ERR_VERSION)
        (void)snprintf(o->refusal, sizeof(o->refusal),
                       "it speaks protocol %" PRIu32 ", this worker (drover %s) %d: %.300s",
                       m->protocol, DROVER_VERSION, WIRE_PROTOCOL, m->text);
    else
        (void)snprintf(o->refusal, sizeof(o->refusal), "%.400s", m->text);
    office_step(o, &e);
}

static void on_ack(struct office *o, const Drover__Ack *m)
{
    const struct agent_event e = {
        .kind = AGENT_EV_ACK, .code = m->code, .seqs = m->seq, .seqs_len = m->n_seq
    };
    /* What a chaos run holds against the store: see tests/system/chaos.py. */
    for (size_t i = 0; i < m->n_seq; i++)
        log_debug("acked", "seq=%" PRIu64 " code=%d", m->seq[i], m->code);
    office_step(o, &e);
}

static void on_attempt(struct office *o, enum agent_event_kind kind, uint64_t attempt,
                       uint32_t epoch)
{
    const struct agent_event e = { .kind = kind, .attempt = { attempt, epoch } };
    office_step(o, &e);
}

/* M with a Lease or Leases is taken over: each lease goes to the agent in its turn. */
static void on_leases(struct office *o, Drover__Envelope *m)
{
    size_t len;
    struct lease_group *group = lease_group_new(m, &len);

    for (size_t i = 0; i < len; i++) {
        o->lease = leased_at(group, i);
        const Drover__Lease *l = o->lease.lease;
        on_attempt(o, AGENT_EV_LEASE, l->attempt, l->epoch);
        leased_release(&o->lease); /* unless the queue took it */
    }
    if (job_queue_flush(o->queue))
        loop_timer_set(o->loop, o->look_timer, clock_ms() + JOB_QUEUE_LOOK_MS);
}

/* A coordinator that wants the worker to leave says so again after each Welcome. */
static void on_drain(struct office *o, const Drover__Drain *m)
{
    log_info("drain_asked", "why=\"%s\"", m->why);
    if (!o->agent.draining)
        office_drain(o, "coordinator");
}

static void on_message(struct office *o, const void *bytes, size_t len)
{
    Drover__Envelope *m CLEANUP(wire_cleanup) = NULL;
    struct err err = { 0 };
    uint32_t protocol = 0;

    int rc = wire_decode(bytes, len, &m, &protocol, &err);
    if (rc == ERR_VERSION) {
        Drover__Refuse refuse = DROVER__REFUSE__INIT;
        refuse.code = ERR_VERSION;
        refuse.protocol = protocol;
        refuse.text = err.text;
        on_refuse(o, &refuse, 0);
        return;
    }
    if (rc) {
        log_warn("bad_message", "bytes=%zu ignoring text=\"%s\"", len, err.text);
        return;
    }
    switch ((int)m->body_case) { /* what a coordinator says to a worker; the rest is ignored */
    case DROVER__ENVELOPE__BODY_WELCOME:
        on_welcome(o, m->welcome);
        break;
    case DROVER__ENVELOPE__BODY_REFUSE:
        on_refuse(o, m->refuse, m->request);
        break;
    case DROVER__ENVELOPE__BODY_ACK:
        on_ack(o, m->ack);
        break;
    case DROVER__ENVELOPE__BODY_LEASE:
    case DROVER__ENVELOPE__BODY_LEASES:
        on_leases(o, m);
        m = NULL;
        break;
    case DROVER__ENVELOPE__BODY_DRAIN:
        on_drain(o, m->drain);
        break;
    case DROVER__ENVELOPE__BODY_CANCEL:
        log_info("cancel", "attempt=%" PRIu64 " why=\"%s\"", m->cancel->attempt, m->cancel->why);
        on_attempt(o, AGENT_EV_CANCEL, m->cancel->attempt, m->cancel->epoch);
        break;
    default:
        log_warn("unexpected_message", "message=%s ignoring", wire_name(m->body_case));
    }
}

/* It goes on trying: the key may be allowed later, and finished work is worth waiting for that. */
static void on_denied(const struct office *o, const struct transport_event *t)
{
    char line[KEY_LINE_MAX];

    if (o->conf->keys->insecure || !t->certain)
        log_warn("denied", "coordinator=%s why=\"%s\" retrying", o->conf->coordinator, t->why);
    else
        log_warn("denied",
                 "coordinator=%s why=\"%s\" retrying remedy=\"there: drover key allow '%s' --role "
                 "work\"",
                 o->conf->coordinator, t->why, key_line(&o->conf->keys->own.key, line));
}

void office_receive(void *arg, const struct transport_event *t)
{
    struct office *o = arg;
    const struct agent_event connected = { .kind = AGENT_EV_CONNECTED };
    const struct agent_event disconnected = { .kind = AGENT_EV_DISCONNECTED };

    switch (t->type) {
    case TRANSPORT_MESSAGE:
        on_message(o, t->bytes, t->len);
        break;
    case TRANSPORT_CONNECTED:
        log_info("connected", "coordinator=%s", o->conf->coordinator);
        o->disconnected_ms = 0;
        office_step(o, &connected);
        break;
    case TRANSPORT_DISCONNECTED:
        log_warn("disconnected", "coordinator=%s why=\"%s\" retrying", o->conf->coordinator,
                 t->why);
        if (o->disconnected_ms == 0)
            o->disconnected_ms = clock_ms();
        office_step(o, &disconnected);
        break;
    case TRANSPORT_BAD:
        log_warn("bad_message", "why=\"%s\" ignoring", t->why);
        break;
    case TRANSPORT_DENIED:
        on_denied(o, t);
        break;
    case TRANSPORT_GONE:
    case TRANSPORT_EVENTS:
        break;
    }
}
