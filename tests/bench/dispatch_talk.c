/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_talk.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

enum { ANSWER_MS = 60000 };

struct talk {
    struct transport *transport;
    struct loop *loop;
    Drover__Envelope__BodyCase wanted;
    bool connected, answered;
};

static void on_event(void *arg, const struct transport_event *e)
{
    struct talk *t = arg;
    Drover__Envelope *m = NULL;
    struct err err = { 0 };

    t->connected |= e->type == TRANSPORT_CONNECTED;
    if (e->type != TRANSPORT_MESSAGE)
        return;
    bench_must(wire_decode(e->bytes, e->len, &m, NULL, &err), &err, "answer");
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        fprintf(stderr, "drover-bench: refused: %s\n", m->refuse->text);
        exit(1);
    }
    t->answered |= m->body_case == t->wanted;
    wire_free(m);
}

static void wait_for(struct talk *t, const bool *flag, const char *what)
{
    const uint64_t until = clock_ms() + ANSWER_MS;
    struct err err = { 0 };

    while (!*flag && clock_ms() < until)
        bench_must(loop_step(t->loop, 100, &err), &err, what);
    bench_must(*flag ? 0 : err_set(&err, ERR_TIMEOUT, "no answer"), &err, what);
}

struct talk *talk_open(const struct cluster *c)
{
    struct talk *t = mem_calloc(1, sizeof *t);
    struct err err = { 0 };

    bench_must(cluster_connect(c, &t->transport, &err), &err, c->endpoint);
    bench_must(loop_new(&t->loop, &err), &err, "loop");
    loop_add_transport(t->loop, t->transport, on_event, t);
    wait_for(t, &t->connected, "connect");
    return t;
}

void talk_close(struct talk *t)
{
    loop_free(t->loop);
    transport_close(t->transport);
    free(t);
}

double talk_ask(struct talk *t, Drover__Envelope__BodyCase body, void *message,
                Drover__Envelope__BodyCase wanted)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    double sent;

    bench_must(wire_encode(&bytes, body, message, 1, &err), &err, "encode");
    t->answered = false;
    t->wanted = wanted;
    sent = store_seconds();
    bench_must(transport_send(t->transport, 0, bytes.data, bytes.len, &err), &err, "send");
    wait_for(t, &t->answered, "answer");
    return sent;
}
