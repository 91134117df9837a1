/* SPDX-License-Identifier: Apache-2.0 */
/* zmq.c - messages of the transport over ZeroMQ: ROUTER listens, DEALER connects (zmq_open.c).
 *
 * A ROUTER names a peer that brings no name by five bytes, new for every connection; they become
 * the 64-bit peer id (length in the top byte). Peers that bring longer names of their own are no
 * drover programs: their messages are bad. Each transport has a context of its own: one I/O thread,
 * and closing one never waits for another. */
#include "common/net/transport.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/net/zmq_private.h"

enum {
    QUEUE_RETRY_MS = 2,
    NAME_BYTES_MAX = 7,
};

struct waiting {
    struct waiting *next;
    size_t len;
    char bytes[];
};

/* Messages that one peer did not take yet. Exists only while it is not empty. */
struct zmq_queue {
    uint64_t peer;
    struct waiting *first, **last;
    size_t bytes;
    UT_hash_handle hh;
};

static struct zmq_transport *of(struct transport *t)
{
    return (struct zmq_transport *)t;
}

/* --- peers --- */

static uint64_t peer_of(const void *name, size_t len)
{
    uint64_t peer = (uint64_t)len << 56;

    if (len == 0 || len > NAME_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < len; i++)
        peer |= (uint64_t)((const uint8_t *)name)[i] << (8 * i);
    return peer;
}

static size_t name_of(uint64_t peer, uint8_t name[NAME_BYTES_MAX])
{
    size_t len = peer >> 56;

    assert(len >= 1 && len <= NAME_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        name[i] = (uint8_t)(peer >> (8 * i));
    return len;
}

static void add_gone(struct zmq_transport *t, uint64_t peer, const char *why)
{
    if (t->gone_len == TRANSPORT_GONE_MAX)
        return;
    t->gone[t->gone_len].peer = peer;
    t->gone[t->gone_len++].why = why;
}

/* --- sending --- */

static void queue_drop(struct zmq_transport *t, struct zmq_queue *q)
{
    while (q->first) {
        struct waiting *w = q->first;

        q->first = w->next;
        free(w);
    }
    HASH_DEL(t->queues, q);
    free(q);
}

static int queue_add(struct zmq_transport *t, struct zmq_queue *q, uint64_t peer, const void *bytes,
                     size_t len, struct err *err)
{
    struct waiting *w;

    if (q && q->bytes + len > TRANSPORT_QUEUE_BYTES_MAX) {
        if (t->listening) {
            queue_drop(t, q);
            add_gone(t, peer, "it takes no messages");
        }
        return err_set(err, ERR_LIMIT, "%d MiB wait for a peer that takes no messages",
                       TRANSPORT_QUEUE_BYTES_MAX >> 20);
    }
    if (!q) {
        q = mem_calloc(1, sizeof(*q));
        q->peer = peer;
        q->last = &q->first;
        HASH_ADD(hh, t->queues, peer, sizeof(q->peer), q);
    }
    w = mem_calloc(1, sizeof(*w) + len);
    w->len = len;
    memcpy(w->bytes, bytes, len);
    *q->last = w;
    q->last = &w->next;
    q->bytes += len + sizeof(*w);
    return 0;
}

/* 0 sent, else EAGAIN, or what makes the peer gone. */
static int send_now(struct zmq_transport *t, uint64_t peer, const void *bytes, size_t len)
{
    if (t->listening) {
        uint8_t name[NAME_BYTES_MAX];
        size_t name_len = name_of(peer, name);

        if (zmq_send(t->socket, name, name_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
            return zmq_errno();
    }
    /* After a ROUTER took the name it takes the rest or drops both. */
    if (zmq_send(t->socket, bytes, len, ZMQ_DONTWAIT) < 0)
        return zmq_errno();
    return 0;
}

static int zmq_transport_send(struct transport *base, uint64_t peer, const void *bytes, size_t len,
                              struct err *err)
{
    struct zmq_transport *t = of(base);
    struct zmq_queue *q;
    int rc;

    assert(t->listening == (peer != 0));
    HASH_FIND(hh, t->queues, &peer, sizeof(peer), q);
    if (q)
        return queue_add(t, q, peer, bytes, len, err);
    rc = send_now(t, peer, bytes, len);
    if (rc == EAGAIN)
        return queue_add(t, NULL, peer, bytes, len, err);
    if (rc != 0)
        add_gone(t, peer, rc == EHOSTUNREACH ? "its connection is closed" : zmq_strerror(rc));
    return 0;
}

static size_t zmq_transport_waiting(struct transport *base, uint64_t peer)
{
    struct zmq_queue *q;

    HASH_FIND(hh, of(base)->queues, &peer, sizeof(peer), q);
    return q ? q->bytes : 0;
}

static void queues_flush(struct zmq_transport *t)
{
    struct zmq_queue *q, *tmp;

    HASH_ITER(hh, t->queues, q, tmp)
    {
        int rc = 0;

        while (q->first && (rc = send_now(t, q->peer, q->first->bytes, q->first->len)) == 0) {
            struct waiting *w = q->first;

            q->first = w->next;
            q->bytes -= w->len + sizeof(*w);
            free(w);
        }
        if (rc != 0 && rc != EAGAIN)
            add_gone(t, q->peer,
                     rc == EHOSTUNREACH ? "its connection is closed" : zmq_strerror(rc));
        if (rc != EAGAIN)
            queue_drop(t, q);
    }
}

/* --- receiving --- */

bool zmq_transport_receive(struct zmq_transport *t, void *socket)
{
    int rc;

    do
        rc = zmq_msg_recv(&t->message, socket, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc >= 0;
}

static size_t skip_frames(struct zmq_transport *t)
{
    size_t skipped = 0;

    while (zmq_msg_more(&t->message) && zmq_transport_receive(t, t->socket))
        skipped++;
    return skipped;
}

/* What libzmq knows of the message's sender; the texts live as long as the message. */
static void name_sender(struct zmq_transport *t, struct transport_event *ret)
{
    const char *key = t->curve ? zmq_msg_gets(&t->message, "User-Id") : NULL;
    const char *address = zmq_msg_gets(&t->message, "Peer-Address");

    ret->key = key ? key : "";
    ret->address = address ? address : "";
    ret->count = 1;
    ret->ipc = t->ipc;
    zmq_monitor_heard(t, ret->key);
}

static bool next_message(struct zmq_transport *t, struct transport_event *ret)
{
    uint64_t peer = 0;
    bool named = true;

    if (!zmq_transport_receive(t, t->socket))
        return false;
    if (t->listening) {
        peer = peer_of(zmq_msg_data(&t->message), zmq_msg_size(&t->message));
        named = peer != 0;
        if (!zmq_msg_more(&t->message) || !zmq_transport_receive(t, t->socket)) {
            *ret = (struct transport_event){ .type = TRANSPORT_BAD,
                                             .peer = peer,
                                             .why = "empty message" };
            name_sender(t, ret);
            return true;
        }
    }
    *ret = (struct transport_event){
        .type = TRANSPORT_BAD, .peer = peer, .why = "", .key = "", .address = ""
    };
    bool several = skip_frames(t) > 0;

    if (t->listening)
        name_sender(t, ret);
    if (several)
        ret->why = "message of several frames";
    else if (!named)
        ret->why = "message from a peer with a name of its own";
    else if (zmq_msg_size(&t->message) > TRANSPORT_MESSAGE_MAX)
        ret->why = "message longer than 16 MiB";
    else {
        ret->type = TRANSPORT_MESSAGE;
        ret->bytes = zmq_msg_data(&t->message);
        ret->len = zmq_msg_size(&t->message);
    }
    return true;
}

static bool zmq_transport_next(struct transport *base, struct transport_event *ret)
{
    struct zmq_transport *t = of(base);

    if (t->queues)
        queues_flush(t);
    if (t->gone_len > 0) {
        t->gone_len--;
        *ret = (struct transport_event){ .type = TRANSPORT_GONE,
                                         .peer = t->gone[t->gone_len].peer,
                                         .why = t->gone[t->gone_len].why,
                                         .key = "",
                                         .address = "" };
        return true;
    }
    if (zmq_monitor_next(t, ret)) {
        if (ret->type == TRANSPORT_DISCONNECTED && t->queues)
            queue_drop(t, t->queues);
        return true;
    }
    return next_message(t, ret);
}

/* --- polling --- */

static bool readable(void *socket)
{
    int events = 0;
    size_t len = sizeof(events);

    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &len) == 0 && (events & ZMQ_POLLIN);
}

static bool zmq_transport_pending(struct transport *base)
{
    struct zmq_transport *t = of(base);

    return t->gone_len > 0 || zmq_monitor_pending(t) || readable(t->socket);
}

static uint64_t zmq_transport_retry_ms(struct transport *base)
{
    struct zmq_transport *t = of(base);
    uint64_t wait_ms = zmq_monitor_wait_ms(t);

    return t->queues ? MIN(wait_ms, (uint64_t)QUEUE_RETRY_MS) : wait_ms;
}

static size_t zmq_transport_fds(struct transport *base, int fds[TRANSPORT_FDS_MAX])
{
    struct zmq_transport *t = of(base);
    size_t len = sizeof(fds[0]);
    int rc = zmq_getsockopt(t->socket, ZMQ_FD, &fds[0], &len);

    assert(rc == 0);
    len = sizeof(fds[1]);
    rc = zmq_getsockopt(t->monitor, ZMQ_FD, &fds[1], &len);
    assert(rc == 0);
    return 2;
}

static const char *zmq_transport_endpoint(struct transport *base)
{
    return of(base)->endpoint;
}

static void close_socket(void *socket, int linger_ms)
{
    if (!socket)
        return;
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    (void)zmq_close(socket);
}

static void zmq_transport_close(struct transport *base)
{
    struct zmq_transport *t = of(base);

    while (t->queues)
        queue_drop(t, t->queues);
    if (t->socket)
        (void)zmq_socket_monitor(t->socket, NULL, 0);
    close_socket(t->monitor, 0);
    close_socket(t->socket, TRANSPORT_LINGER_MS);
    (void)zmq_msg_close(&t->message);
    if (t->context) {
        /* After the linger above: ends the handler's waiting, too. */
        while (zmq_ctx_term(t->context) < 0 && zmq_errno() == EINTR)
            continue;
    }
    zap_stop(t->zap);
    crowd_free(t->crowd);
    throttle_free(t->throttle);
    free(t);
}

const struct transport_ops zmq_transport_ops = {
    .send = zmq_transport_send,
    .waiting = zmq_transport_waiting,
    .next = zmq_transport_next,
    .pending = zmq_transport_pending,
    .retry_ms = zmq_transport_retry_ms,
    .fds = zmq_transport_fds,
    .endpoint = zmq_transport_endpoint,
    .close = zmq_transport_close,
};
