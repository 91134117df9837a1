/* SPDX-License-Identifier: Apache-2.0 */
/* zmq_private.h - between zmq_open.c (sockets), zmq.c (messages) and zmq_monitor.c (connections).
 * Nobody else includes this. */
#ifndef COMMON_NET_ZMQ_PRIVATE_H
#define COMMON_NET_ZMQ_PRIVATE_H

#include <zmq.h>

#include "common/net/crowd.h"
#include "common/net/tally.h"
#include "common/net/throttle.h"
#include "common/net/transport.h"
#include "common/net/zap.h"

enum {
    TRANSPORT_GONE_MAX = 256,   /* events kept; a peer more is told at its next message */
    TRANSPORT_LINGER_MS = 1000, /* for what is on its way when a socket is closed */
};

struct zmq_queue;

struct zmq_transport {
    struct transport base;
    void *context, *socket, *monitor;
    bool listening, connected, curve, ipc;
    char endpoint[TRANSPORT_ENDPOINT_MAX];
    char dial[TRANSPORT_ENDPOINT_MAX + 32]; /* connecting: as libzmq is told */
    struct zmq_queue *queues;
    struct {
        uint64_t peer;
        const char *why;
    } gone[TRANSPORT_GONE_MAX];
    size_t gone_len;
    zmq_msg_t message; /* of the last event */

    /* Listening: */
    struct zap *zap;
    struct keyring *allowed;
    uint64_t generation; /* of the keyring when it was last looked at */
    struct crowd *crowd;
    struct throttle *throttle; /* NULL: ipc */
    int door;                  /* the listening socket's descriptor; -1: none */
    struct tally tally;
    const char *why;       /* what is known of the connection that will be closed next */
    char address[64];      /* of the last event */
    struct tally_row told; /* of the last event about a stranger */

    /* Connecting: */
    uint64_t again_ms; /* when to try again after a refusal; 0: libzmq does it */
    unsigned refusals;
};

/* What a transport does once it is open; it closes one that was opened in part, too. */
extern const struct transport_ops zmq_transport_ops;

/* Receive one frame of SOCKET into the transport's message; false: there is none. */
bool zmq_transport_receive(struct zmq_transport *t, void *socket);

/* The monitor of the socket, which tells of connections by an inproc PAIR of the same context. */
int zmq_monitor_start(struct zmq_transport *t);
/* Take what it tells; true: *RET is an event of ours. */
bool zmq_monitor_next(struct zmq_transport *t, struct transport_event *ret);
/* The peer behind the transport's message said something: KEY is its, or "". */
void zmq_monitor_heard(struct zmq_transport *t, const char *key);
/* In how many ms it needs another call. */
uint64_t zmq_monitor_wait_ms(const struct zmq_transport *t);
/* Has it something now? */
bool zmq_monitor_pending(const struct zmq_transport *t);

#endif
