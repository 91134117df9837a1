/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - a hand-driven worker or client of a coordinator, for the tests of this folder. */
#ifndef TESTS_UNIT_COORDINATOR_PEER_H
#define TESTS_UNIT_COORDINATOR_PEER_H

#include "common/net/loop.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "tests/unit/coordinator/child.h"

struct peer {
    struct transport *t;
    struct loop *loop;
    Drover__Envelope *last; /* the last message */
    unsigned messages, disconnects;
    uint64_t seq, progress;
    struct peer_queue {
        Drover__Envelope *m[256];
        size_t first, len;
    } queue;
};

static inline void peer_event(void *arg, const struct transport_event *e)
{
    struct peer *p = arg;
    struct err err = { 0 };

    if (e->type == TRANSPORT_DISCONNECTED)
        p->disconnects++;
    if (e->type != TRANSPORT_MESSAGE)
        return;
    assert_true(p->queue.len < ARRAY_LEN(p->queue.m));
    assert_int_equal(wire_decode(e->bytes, e->len,
                                 &p->queue.m[(p->queue.first + p->queue.len++) % 256], NULL, &err),
                     0);
}

static inline void peer_open(struct peer *p, const char *endpoint)
{
    struct err err = { 0 };

    *p = (struct peer){ 0 };
    assert_int_equal(loop_new(&p->loop, &err), 0);
    assert_int_equal(transport_connect(&p->t, endpoint, &transport_insecure, &err), 0);
    loop_add_transport(p->loop, p->t, peer_event, p);
}

static inline void peer_close(struct peer *p)
{
    transport_close(p->t);
    loop_free(p->loop);
    wire_free(p->last);
    while (p->queue.len > 0) {
        wire_free(p->queue.m[p->queue.first]);
        p->queue.first = (p->queue.first + 1) % 256;
        p->queue.len--;
    }
}

static inline void peer_send(struct peer *p, Drover__Envelope__BodyCase body, void *message)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    assert_int_equal(wire_encode(&b, body, message, 77, &err), 0);
    assert_int_equal(transport_send(p->t, 0, buf_str(&b), b.len, &err), 0);
}

/* The next message, whatever it is; NULL after WAIT_MS without one. */
static inline Drover__Envelope *peer_next(struct peer *p, uint64_t wait_ms)
{
    uint64_t end_ms = clock_ms() + wait_ms;
    struct err err = { 0 };

    while (p->queue.len == 0 && clock_ms() < end_ms)
        assert_int_equal(loop_step(p->loop, 10, &err), 0);
    if (p->queue.len == 0)
        return NULL;
    wire_free(p->last);
    p->last = p->queue.m[p->queue.first];
    p->queue.first = (p->queue.first + 1) % 256;
    p->queue.len--;
    return p->last;
}

/* The next message, which must be a BODY. */
static inline Drover__Envelope *peer_take(struct peer *p, Drover__Envelope__BodyCase body)
{
    Drover__Envelope *m = peer_next(p, 60000);

    assert_non_null(m);
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE && body != DROVER__ENVELOPE__BODY_REFUSE)
        print_error("refused: %s\n", m->refuse->text);
    assert_string_equal(wire_name(m->body_case), wire_name(body));
    return m;
}

/* Say Hello as worker number ID with one slot, holding HELD (or NULL). */
static inline void peer_hello(struct peer *p, uint8_t id, Drover__Held *held)
{
    Drover__Hello m = DROVER__HELLO__INIT;
    uint8_t worker[16] = { id, id, id };
    char *classes[] = { (char *)(uintptr_t) "packed-1" };

    m.worker = (ProtobufCBinaryData){ sizeof(worker), worker };
    m.name = (char *)(uintptr_t) "test:1";
    m.slots = 1;
    m.classes = classes;
    m.n_classes = 1;
    m.held = &held;
    m.n_held = held != NULL;
    peer_send(p, DROVER__ENVELOPE__BODY_HELLO, &m);
}

/* Progress of the attempt of L; returns when that is durable: its attempt has its row then. */
static inline void peer_renew(struct peer *p, const Drover__Lease *l)
{
    Drover__Renew m = DROVER__RENEW__INIT;
    Drover__Held held = DROVER__HELD__INIT, *list = &held;
    Drover__StatusRequest ask = DROVER__STATUS_REQUEST__INIT;

    held.attempt = l->attempt;
    held.epoch = l->epoch;
    held.progress = ++p->progress;
    m.held = &list;
    m.n_held = 1;
    peer_send(p, DROVER__ENVELOPE__BODY_RENEW, &m);
    peer_send(p, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &ask);
    (void)peer_take(p, DROVER__ENVELOPE__BODY_STATUS);
}

static inline void peer_example(struct peer *p, const Drover__Lease *l, uint64_t index,
                                bool correct)
{
    Drover__ExampleResult m = DROVER__EXAMPLE_RESULT__INIT;
    Drover__Example e = DROVER__EXAMPLE__INIT;
    Drover__Label label = DROVER__LABEL__INIT;
    uint8_t routing[4] = { 1, 2, 0, 1 };

    e.id = 1000 + index;
    e.index = index;
    e.task = (char *)(uintptr_t) "math";
    e.split = (char *)(uintptr_t) "train";
    e.level = 1;
    label.base_correct = correct;
    label.has_label = true;
    label.routing = (ProtobufCBinaryData){ sizeof(routing), routing };
    label.layers = 4;
    label.label_layers = 4;
    m.attempt = l->attempt;
    m.epoch = l->epoch;
    m.seq = ++p->seq;
    m.example = &e;
    m.label = &label;
    peer_send(p, DROVER__ENVELOPE__BODY_EXAMPLE_RESULT, &m);
}

static inline void peer_result(struct peer *p, const Drover__Lease *l, Drover__Outcome outcome,
                               const char *output, const struct digest *digest)
{
    Drover__JobResult m = DROVER__JOB_RESULT__INIT;
    Drover__Output o = DROVER__OUTPUT__INIT, *list = &o;

    m.attempt = l->attempt;
    m.epoch = l->epoch;
    m.seq = ++p->seq;
    m.outcome = outcome;
    m.text = (char *)(uintptr_t) "as the test says";
    if (output) {
        o.name = (char *)(uintptr_t)output;
        o.digest = wire_bytes(digest);
        o.size = 5;
        m.outputs = &list;
        m.n_outputs = 1;
    }
    peer_send(p, DROVER__ENVELOPE__BODY_JOB_RESULT, &m);
}

/* Wait for the ack of the last message; its code. */
static inline int peer_ack(struct peer *p)
{
    const Drover__Ack *a = peer_take(p, DROVER__ENVELOPE__BODY_ACK)->ack;

    assert_int_equal(a->n_seq, 1);
    assert_true(a->seq[0] == p->seq);
    return a->code;
}

/* A copy of the lease that comes next. */
static inline Drover__Lease *peer_lease(struct peer *p)
{
    Drover__Lease *l = peer_take(p, DROVER__ENVELOPE__BODY_LEASE)->lease;
    struct buf b CLEANUP(buf_release) = { 0 };
    size_t len = drover__lease__get_packed_size(l);

    (void)drover__lease__pack(l, (uint8_t *)buf_reserve(&b, len));
    return drover__lease__unpack(NULL, len, (uint8_t *)b.data);
}

static inline void lease_cleanup(Drover__Lease **l)
{
    if (*l)
        drover__lease__free_unpacked(*l, NULL);
    *l = NULL;
}

/* Put BYTES on the blob socket; its digest. */
static inline struct digest put_blob(const char *endpoint, const char *bytes)
{
    struct digest d = digest_of(bytes, strlen(bytes));
    Drover__BlobPut m = DROVER__BLOB_PUT__INIT;
    struct peer p;

    peer_open(&p, endpoint);
    m.digest = wire_bytes(&d);
    m.size = strlen(bytes);
    m.data = (ProtobufCBinaryData){ strlen(bytes), (uint8_t *)(uintptr_t)bytes };
    peer_send(&p, DROVER__ENVELOPE__BODY_BLOB_PUT, &m);
    assert_true(peer_take(&p, DROVER__ENVELOPE__BODY_BLOB_STATE)->blob_state->complete);
    peer_close(&p);
    return d;
}

#endif
