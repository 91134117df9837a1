/* SPDX-License-Identifier: Apache-2.0 */
/* transport.h - messages (byte strings) to and from peers: an interface with two sides.
 *
 *   listening   many peers, each named by a 64-bit id that is never 0 and new for every connection
 *   connecting  one peer, named 0; reconnects by itself for ever
 *
 * A message is delivered whole or not at all. Messages to and from one peer keep their order as
 * long as the connection lives; what was under way when it breaks is lost. The listening side
 * learns that a peer is gone only when it sends to it. Sending never blocks: what the peer does not
 * take yet waits in a bounded queue.
 *
 * A transport belongs to one thread. zmq.c implements it over ZeroMQ (tcp over IPv4 with CURVE,
 * ipc); tests have one in memory. */
#ifndef COMMON_NET_TRANSPORT_H
#define COMMON_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/net/key.h"

struct keyring;

enum {
    TRANSPORT_MESSAGE_MAX = 16 << 20, /* bytes; a plan of 100,000 jobs of 150 bytes fits */
    /* Up to here a message is read and reported as TRANSPORT_BAD; a longer one ends the connection.
     */
    TRANSPORT_FRAME_MAX = 32 << 20,
    TRANSPORT_QUEUE_BYTES_MAX = 64 << 20, /* waiting for one peer, beyond libzmq's own messages */
    TRANSPORT_PIPE_MAX = 64, /* messages to one peer in libzmq: blobs' chunks are 1 MiB */
    TRANSPORT_FDS_MAX = 2,
    TRANSPORT_ENDPOINT_MAX = 256,
};

enum transport_event_type {
    TRANSPORT_MESSAGE,      /* PEER sent BYTES */
    TRANSPORT_CONNECTED,    /* connecting side: say Hello (again) */
    TRANSPORT_DISCONNECTED, /* connecting side: what waited to be sent has been dropped;
                               reconnecting */
    TRANSPORT_GONE, /* listening side: PEER is unreachable or takes nothing; what waited for it was
                       dropped */
    TRANSPORT_BAD,  /* PEER (0: before it had a name) broke the rules as WHY says; nothing was
                       delivered. Strangers come in groups: COUNT like that since the last one */
    TRANSPORT_DENIED, /* connecting side: refused as WHY says (wrong key, plaintext against CURVE);
                         it goes on trying, ever more slowly */
    TRANSPORT_EVENTS
};

struct transport_event {
    enum transport_event_type type;
    uint64_t peer;
    const void *bytes; /* MESSAGE: valid until the next call with this transport */
    size_t len;
    const char *why; /* GONE, BAD, DENIED, DISCONNECTED: a few words for the log; never NULL */
    /* Listening side, MESSAGE and BAD; never NULL: */
    const char *key;     /* the peer's public key, proved (keyring_find tells what it may do); ""
                            when there is none: plaintext, ipc, or a stranger */
    const char *address; /* of the peer, "" when not known */
    bool ipc;            /* it came by a socket file: from this user */
    unsigned count;      /* BAD: how many events it stands for */
    bool certain;        /* DENIED: the other side said so; else it hung up in the handshake */
};

struct transport;

struct transport_ops {
    int (*send)(struct transport *t, uint64_t peer, const void *bytes, size_t len, struct err *err);
    size_t (*waiting)(struct transport *t, uint64_t peer);
    bool (*next)(struct transport *t, struct transport_event *ret);
    bool (*pending)(struct transport *t);
    uint64_t (*retry_ms)(struct transport *t);
    size_t (*fds)(struct transport *t, int fds[TRANSPORT_FDS_MAX]);
    const char *(*endpoint)(struct transport *t);
    void (*close)(struct transport *t);
};

/* First member of every implementation. */
struct transport {
    const struct transport_ops *ops;
};

/* Encryption and who one is. Nobody gets plaintext over tcp by leaving something out. */
struct transport_keys {
    bool insecure;           /* plaintext, on both sides, without any check */
    struct key_secret own;   /* of this side */
    struct key server;       /* connecting: whom to believe */
    struct keyring *allowed; /* listening: who may come; it must outlive the transport */
};
void transport_keys_wipe(struct transport_keys *k); /* also for CLEANUP */
extern const struct transport_keys transport_insecure;

/* The most connections of a listening transport, of one address, and of those that have not said
 * anything yet (half-open ones, which end by themselves after TRANSPORT_HANDSHAKE_MS). Beyond, the
 * oldest silent ones are closed. */
enum {
    TRANSPORT_HANDSHAKE_MS = 5000,
    TRANSPORT_SILENT_MAX = 4096,
    TRANSPORT_SILENT_ADDRESS_MAX = 2048, /* a rack that comes back after a restart */
    TRANSPORT_ADDRESS_MAX = 8192,        /* a thousand workers behind one address */
};
/* Let this process have as many descriptors as it may: before the first listening transport. */
void transport_raise_limits(void);

/* The ZeroMQ implementation. ENDPOINT is "tcp://ADDRESS:PORT" (IPv4 address or interface;
 * listening: ADDRESS or PORT may be "*") or "ipc://PATH". transport_listen binds: ERR_CONFLICT when
 * the address is taken. transport_connect returns at once; TRANSPORT_CONNECTED comes when the other
 * side is there. ERR_INVALID for a malformed endpoint, and for tcp without KEYS (copied; may be
 * NULL for ipc, where the socket's file belongs to one user and others are turned away). */
int transport_listen(struct transport **ret, const char *endpoint,
                     const struct transport_keys *keys, struct err *err) MUST_CHECK;
int transport_connect(struct transport **ret, const char *endpoint,
                      const struct transport_keys *keys, struct err *err) MUST_CHECK;
/* Waits at most 1 s for messages that were sent already. NULL is fine. */
void transport_close(struct transport *t);

/* Send LEN bytes (copied), at most TRANSPORT_MESSAGE_MAX (asserted). 0: sent or queued; a peer that
 * is gone is told by an event, not here. ERR_LIMIT: the queue is full and the message was dropped;
 * the listening side also reports GONE, the connecting side's caller is to try again later or wait
 * for DISCONNECTED. */
int transport_send(struct transport *t, uint64_t peer, const void *bytes, size_t len,
                   struct err *err) MUST_CHECK;

/* Bytes that wait in this process for a peer that does not take them (what libzmq has, at most
 * TRANSPORT_PIPE_MAX messages, is not counted): with 0 the next message is not held up here. */
size_t transport_waiting(struct transport *t, uint64_t peer);

/* Take the next event; false when there is none now. Never blocks. */
bool transport_next(struct transport *t, struct transport_event *ret);

/* The real endpoint of a listening side ("tcp://127.0.0.1:40123" after binding port *), as given
 * for a connecting one. */
const char *transport_endpoint(struct transport *t);

/* For event loops (loop.h): descriptors to poll for input; whether transport_next has something now
 * in spite of quiet descriptors (libzmq's are edge-triggered: ask before every poll); in how many
 * ms at the latest to call transport_next again for the sake of queued messages (UINT64_MAX: no
 * need). */
size_t transport_fds(struct transport *t, int fds[TRANSPORT_FDS_MAX]);
bool transport_pending(struct transport *t);
uint64_t transport_retry_ms(struct transport *t);

#endif
