/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - messages wait here until what they say is committed. */
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

void shell_send(struct server *s, uint64_t peer, Drover__Envelope__BodyCase body, void *message,
                uint64_t request)
{
    struct shell_send *send;
    struct err err = { 0 };

    if (s->sends_len == s->sends_cap) {
        s->sends_cap = s->sends_cap ? 2 * s->sends_cap : 64;
        s->sends = mem_realloc(s->sends, s->sends_cap, sizeof(*s->sends));
    }
    send = &s->sends[s->sends_len];
    *send = (struct shell_send){ .peer = peer };
    if (wire_encode(&send->bytes, body, message, request, &err) < 0) {
        log_error("send", "message=%s reason=\"%s\"", wire_name(body), err.text);
        buf_release(&send->bytes);
        if (body != DROVER__ENVELOPE__BODY_REFUSE)
            shell_refuse(s, peer, request, err.code, err.text);
        return;
    }
    s->sends_len++;
}

void shell_refuse(struct server *s, uint64_t peer, uint64_t request, int code, const char *text)
{
    Drover__Refuse refuse = DROVER__REFUSE__INIT;

    refuse.code = code;
    refuse.text = (char *)(uintptr_t)text;
    refuse.protocol = WIRE_PROTOCOL;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_REFUSE, &refuse, request);
}

void shell_send_all(struct server *s)
{
    for (size_t i = 0; i < s->sends_len; i++) {
        struct shell_send *send = &s->sends[i];
        struct err err = { 0 };

        /* A peer that takes nothing comes back as TRANSPORT_GONE. */
        if (transport_send(s->transport, send->peer, buf_str(&send->bytes), send->bytes.len, &err) <
            0)
            log_warn("dropped", "peer=%llx reason=\"%s\"", (unsigned long long)send->peer,
                     err.text);
        buf_release(&send->bytes);
    }
    s->sends_len = 0;
}

void shell_send_drop(struct server *s)
{
    for (size_t i = 0; i < s->sends_len; i++)
        buf_release(&s->sends[i].bytes);
    s->sends_len = 0;
}
