/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/client.h"

#include <assert.h>

#include "common/base/clock.h"
#include "common/net/loop.h"
#include "common/net/transport.h"

struct call {
    struct transport *t;
    Drover__Envelope__BodyCase body, wanted;
    void *message;
    Drover__Envelope *answer;
    bool connected, over;
    int rc;
    struct err err;
};

static void end(struct call *c, int rc)
{
    c->rc = rc;
    c->over = true;
}

static void send_question(struct call *c)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int rc = wire_encode(&bytes, c->body, c->message, 1, &c->err);

    if (!rc)
        rc = transport_send(c->t, 0, bytes.data, bytes.len, &c->err);
    if (rc)
        end(c, rc);
}

static void on_event(void *arg, const struct transport_event *e)
{
    struct call *c = arg;
    Drover__Envelope *envelope = NULL;

    if (e->type == TRANSPORT_CONNECTED) {
        c->connected = true;
        send_question(c);
    }
    if (e->type != TRANSPORT_MESSAGE || c->over)
        return;
    int rc = wire_decode(e->bytes, e->len, &envelope, NULL, &c->err);
    if (rc) {
        end(c, rc);
        return;
    }
    if (envelope->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        end(c, client_refused(envelope->refuse, &c->err));
        wire_free(envelope);
    } else if (envelope->body_case == c->wanted) {
        c->answer = envelope;
        end(c, 0);
    } else {
        wire_free(envelope); /* not for us */
    }
}

int client_refused(const Drover__Refuse *r, struct err *err)
{
    const char *text = r->text && *r->text ? r->text : "the coordinator refuses without a reason";

    if (r->code == ERR_VERSION)
        return err_set(err, ERR_VERSION,
                       "%s (this drover speaks protocol %d, the coordinator %u); use the same "
                       "version on both sides",
                       text, WIRE_PROTOCOL, r->protocol);
    return err_set(err, r->code < 0 ? (enum err_code)r->code : ERR_INTERNAL, "%s", text);
}

static int wait(struct call *c, struct loop *l, const char *endpoint, uint64_t timeout_ms,
                struct err *err)
{
    const uint64_t until = clock_ms() + timeout_ms;

    while (!c->over) {
        uint64_t now = clock_ms();
        if (now >= until)
            return err_set(err, ERR_TIMEOUT,
                           c->connected ? "%s does not answer within %llu ms"
                                        : "no coordinator at %s (waited %llu ms)",
                           endpoint, (unsigned long long)timeout_ms);
        int rc = loop_step(l, MIN(until - now, 100), err);
        if (rc)
            return rc;
    }
    if (c->rc && err)
        *err = c->err;
    return c->rc;
}

static void close_transport(struct transport **t)
{
    transport_close(*t);
}

static void close_loop(struct loop **l)
{
    if (*l)
        loop_free(*l);
}

int client_call(const char *endpoint, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted, uint64_t timeout_ms, Drover__Envelope **ret,
                struct err *err)
{
    struct transport *t CLEANUP(close_transport) = NULL;
    struct loop *l CLEANUP(close_loop) = NULL;
    struct call c = { .body = body, .message = message, .wanted = wanted };
    int rc = transport_connect(&t, endpoint, err);

    *ret = NULL;
    if (!rc)
        rc = loop_new(&l, err);
    if (rc)
        return rc;
    c.t = t;
    loop_add_transport(l, t, on_event, &c);
    rc = wait(&c, l, endpoint, timeout_ms, err);
    *ret = c.answer;
    return rc;
}
