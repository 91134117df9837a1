/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the coordinator -> events of the agent. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/office.h"

static size_t attempts_of(Drover__Held *const *held, size_t len,
                          struct agent_attempt ret[AGENT_HELD_MAX])
{
    size_t n = MIN(len, (size_t)AGENT_HELD_MAX);
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct agent_attempt){ held[i]->attempt, held[i]->epoch };
    return n;
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
    struct agent_attempt keep[AGENT_HELD_MAX], drop[AGENT_HELD_MAX];
    struct agent_event e = { .kind = AGENT_EV_WELCOME,
                             .incarnation = m->incarnation,
                             .renew_ms = m->renew_ms,
                             .heartbeat_ms = m->heartbeat_ms,
                             .keep = keep,
                             .drop = drop };

    e.keep_len = attempts_of(m->keep, m->n_keep, keep);
    e.drop_len = attempts_of(m->drop, m->n_drop, drop);
    log_info("welcome", "incarnation=%" PRIu64 " blobs=%s keep=%zu drop=%zu", m->incarnation,
             m->blob_endpoint, m->n_keep, m->n_drop);
    set_blob_place(o, m->blob_endpoint);
    office_step(o, &e);
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
    office_step(o, &e);
}

static void on_attempt(struct office *o, enum agent_event_kind kind, uint64_t attempt,
                       uint32_t epoch)
{
    const struct agent_event e = { .kind = kind, .attempt = { attempt, epoch } };
    office_step(o, &e);
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
        log_debug("lease", "attempt=%" PRIu64 " kind=%s", m->lease->attempt, m->lease->kind);
        o->lease = m;
        m = NULL;
        on_attempt(o, AGENT_EV_LEASE, o->lease->lease->attempt, o->lease->lease->epoch);
        wire_free(o->lease); /* unless a slot took it */
        o->lease = NULL;
        break;
    case DROVER__ENVELOPE__BODY_CANCEL:
        log_info("cancel", "attempt=%" PRIu64 " why=\"%s\"", m->cancel->attempt, m->cancel->why);
        on_attempt(o, AGENT_EV_CANCEL, m->cancel->attempt, m->cancel->epoch);
        break;
    default:
        log_warn("unexpected_message", "message=%s ignoring", wire_name(m->body_case));
    }
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
    case TRANSPORT_GONE:
    case TRANSPORT_EVENTS:
        break;
    }
}
