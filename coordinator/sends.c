/* SPDX-License-Identifier: Apache-2.0 */
/* sends.c - messages into the outbox, and out of it after the commit. */
#include "common/base/log.h"
#include "coordinator/shell.h"

void shell_send(struct server *s, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
                uint64_t request)
{
    struct err err = { 0 };

    if (outbox_add(s->outbox, peer, body, message, request, &err) == 0)
        return;
    log_error("send", "message=%s reason=\"%s\"", wire_name(body), err.text);
    if (body != DROVER__ENVELOPE__BODY_REFUSE)
        shell_refuse(s, peer, request, err.code, err.text);
}

void shell_send_ack(struct server *s, uint64_t peer, uint64_t seq, int code)
{
    outbox_ack(s->outbox, peer, seq, code);
    s->metrics.acks++;
}

void shell_refuse(struct server *s, uint64_t peer, uint64_t request, int code, const char *text)
{
    Drover__Refuse refuse = DROVER__REFUSE__INIT;

    s->metrics.refused++;
    refuse.code = code;
    refuse.text = (char *)(uintptr_t)text;
    refuse.protocol = WIRE_PROTOCOL;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_REFUSE, &refuse, request);
}

static void send_one(void *arg, uint64_t peer, const void *bytes, size_t len)
{
    struct server *s = arg;
    struct err err = { 0 };

    s->metrics.bytes_out += len;
    /* A peer that takes nothing comes back as TRANSPORT_GONE. */
    if (transport_send(s->transport, peer, bytes, len, &err) < 0)
        log_warn("dropped", "peer=%llx reason=\"%s\"", (unsigned long long)peer, err.text);
}

bool shell_sends_wait(const struct server *s)
{
    return outbox_counts(s->outbox).messages > 0;
}

void shell_send_all(struct server *s)
{
    struct outbox_counts c = outbox_counts(s->outbox);

    s->metrics.outbox_bytes = c.bytes;
    outbox_flush(s->outbox, send_one, s);
    c = outbox_counts(s->outbox);
    s->metrics.ack_groups = c.ack_groups;
    s->metrics.lease_groups = c.lease_groups;
}

void shell_send_leases(struct server *s)
{
    outbox_flush_leases(s->outbox, send_one, s);
}

void shell_send_drop(struct server *s)
{
    outbox_drop(s->outbox);
}
