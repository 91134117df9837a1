/* SPDX-License-Identifier: Apache-2.0 */
/* zmq_monitor.c - connections that come and go: limits, strangers, refusals, revoked keys.
 *
 * libzmq's I/O thread tells of them through a pipe without bound, so that it never waits for us;
 * here everything that came is taken at once. Descriptors are never closed here: shutdown() makes
 * the I/O thread do it. Between its closing one and our hearing of it a number may stand for
 * another connection already; then that one is shut, and its peer connects again. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/net/doorkeeper.h"
#include "common/net/zmq_private.h"

enum {
    EVENTS_MAX = 65536,  /* taken in one call: messages wait for them */
    STRANGERS_MS = 1000, /* those of one kind are told so often */
    LOOK_MS = 500,       /* how soon connections of revoked keys are shut */
    AGAIN_MS = 250,      /* after a refusal, doubled each time */
    AGAIN_MS_MAX = 10000,
    RESERVED_FDS = 512, /* for the database, blobs, logs */
    LISTENERS = 2,      /* of a process: messages and blobs */
    DESCRIPTORS_MAX = 1 << 20,
};

static const char too_fast[] = "too many connections that prove nothing: its next ones wait";
static const char says_nothing[] = "it does not speak ZMTP, or says nothing";

void transport_raise_limits(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= DESCRIPTORS_MAX)
        return;
    r.rlim_cur = MIN(r.rlim_max, (rlim_t)DESCRIPTORS_MAX);
    (void)setrlimit(RLIMIT_NOFILE, &r); /* what is there must do */
}

static struct crowd_limits limits(void)
{
    struct rlimit r = { .rlim_cur = 1024 };
    struct crowd_limits l = { .address_total = TRANSPORT_ADDRESS_MAX };

    (void)getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = MIN(r.rlim_cur, (rlim_t)DESCRIPTORS_MAX);
    l.total = (unsigned)MAX(r.rlim_cur, (rlim_t)RESERVED_FDS + 128) - RESERVED_FDS;
    l.total /= LISTENERS;
    l.silent = MIN(l.total / 2, (unsigned)TRANSPORT_SILENT_MAX);
    l.address_silent = MIN(l.silent, (unsigned)TRANSPORT_SILENT_ADDRESS_MAX);
    return l;
}

int zmq_monitor_start(struct zmq_transport *t)
{
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPTED |
                 ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPT_FAILED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    int unbounded = 0;

    if (t->listening) {
        struct crowd_limits l = limits();

        t->crowd = crowd_new(&l);
        t->throttle = t->ipc ? NULL : throttle_new();
        t->door = -1;
        t->tally.every_ms = STRANGERS_MS;
        t->why = says_nothing;
    }
    if (zmq_socket_monitor(t->socket, "inproc://monitor", events) < 0)
        return -1;
    t->monitor = zmq_socket(t->context, ZMQ_PAIR);
    if (!t->monitor || zmq_setsockopt(t->monitor, ZMQ_RCVHWM, &unbounded, sizeof(unbounded)) < 0)
        return -1;
    return zmq_connect(t->monitor, "inproc://monitor");
}

/* ---- listening ---- */

static const char *address_text(struct zmq_transport *t, uint32_t address)
{
    struct in_addr a = { .s_addr = address };

    t->address[0] = '\0';
    if (address)
        (void)inet_ntop(AF_INET, &a, t->address, sizeof(t->address));
    return t->address;
}

/* 0: it is gone already, or ipc. */
static uint32_t address_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);

    if (getpeername(fd, (struct sockaddr *)&a, &len) < 0 || a.sin_family != AF_INET)
        return 0;
    return a.sin_addr.s_addr;
}

/* The system keeps connections to itself that say nothing: ZMTP begins at once, on both sides. */
static void defer_accept(int fd)
{
    int seconds = TRANSPORT_HANDSHAKE_MS / 1000;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

static void guard_door(struct zmq_transport *t)
{
    uint32_t shut[THROTTLE_SHUT_MAX];

    if (t->door >= 0)
        doorkeeper_set(t->door, shut, throttle_shut(t->throttle, shut));
}

static void on_accepted(struct zmq_transport *t, int fd)
{
    uint32_t address = address_of(fd);

    crowd_accept(t->crowd, fd, address);
    if (t->throttle && throttle_accept(t->throttle, address, clock_ms())) {
        guard_door(t);
        tally_add(&t->tally, too_fast, address, "", 1, clock_ms());
    }
    while (crowd_excess(t->crowd, &fd, &address)) {
        (void)shutdown(fd, SHUT_RDWR);
        tally_add(&t->tally, "too many connections that say nothing: the oldest were closed",
                  address, "", 1, clock_ms());
    }
}

/* Strangers whose keys the handler turned away: it knows more of them than the monitor. */
static void on_refused(struct zmq_transport *t)
{
    struct zap_denial d;

    while (t->zap && zap_take(t->zap, &d)) {
        struct in_addr a = { 0 };

        (void)inet_pton(AF_INET, d.address, &a);
        tally_add(&t->tally, "its key is not allowed here", a.s_addr, d.key, 1, clock_ms());
    }
}

static void on_left(struct zmq_transport *t, int fd, const char *why)
{
    uint32_t address;
    bool silent;

    if (crowd_leave(t->crowd, fd, &address, &silent) && silent && why)
        tally_add(&t->tally, why, address, "", 1, clock_ms());
}

/* The I/O thread tells why a handshake failed, then of which connection. */
static void listening_event(struct zmq_transport *t, uint16_t number, uint32_t value)
{
    switch (number) {
    case ZMQ_EVENT_LISTENING:
        defer_accept((int)value);
        t->door = (int)value;
        break;
    case ZMQ_EVENT_ACCEPTED:
        on_accepted(t, (int)value);
        break;
    case ZMQ_EVENT_ACCEPT_FAILED:
        tally_add(&t->tally,
                  t->ipc ? "another user at the socket's file was turned away"
                         : "a connection could not be accepted: no more descriptors?",
                  0, "", 1, clock_ms());
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        t->why = value == EAGAIN
                     ? "no handshake within the time limit"
                     : "it ended in the handshake (plaintext against keys, or the other "
                       "way round?)";
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        t->why = "its handshake is not for this coordinator (another server key, or plaintext)";
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        on_refused(t);
        t->why = NULL; /* told with its key */
        break;
    case ZMQ_EVENT_DISCONNECTED:
        on_left(t, (int)value, t->why);
        t->why = says_nothing;
        break;
    default: /* a handshake that succeeded */
        break;
    }
}

static bool still_allowed(void *arg, const char *key)
{
    struct keylist_row row;

    return keyring_find(arg, key, &row);
}

static void shut_revoked(struct zmq_transport *t)
{
    uint64_t generation;
    int at = 0, fd;

    if (!t->allowed)
        return;
    generation = keyring_generation(t->allowed);
    if (generation == t->generation)
        return;
    t->generation = generation;
    while (crowd_send_away(t->crowd, still_allowed, t->allowed, &at, &fd))
        (void)shutdown(fd, SHUT_RDWR);
}

void zmq_monitor_heard(struct zmq_transport *t, const char *key)
{
    int fd = zmq_msg_get(&t->message, ZMQ_SRCFD);
    uint32_t address;

    if (fd >= 0 && crowd_speak(t->crowd, fd, key, &address) && t->throttle)
        throttle_proved(t->throttle, address, clock_ms());
}

static bool next_stranger(struct zmq_transport *t, struct transport_event *ret)
{
    struct tally_row row;

    if (tally_due_ms(&t->tally) == UINT64_MAX || !tally_take(&t->tally, clock_ms(), &row))
        return false;
    t->told = row;
    *ret = (struct transport_event){ .type = TRANSPORT_BAD,
                                     .why = t->told.why,
                                     .key = t->told.key,
                                     .address = address_text(t, row.address),
                                     .count = row.count };
    return true;
}

/* ---- connecting ---- */

/* After a refusal in words libzmq gives up; we do not. */
static void try_again_later(struct zmq_transport *t)
{
    uint64_t wait_ms = (uint64_t)AGAIN_MS << MIN(t->refusals, 6u);

    t->refusals++;
    t->again_ms = clock_ms() + MIN(wait_ms, (uint64_t)AGAIN_MS_MAX);
}

static bool refused(struct zmq_transport *t, const char *why, bool certain,
                    struct transport_event *ret)
{
    *ret = (struct transport_event){
        .type = TRANSPORT_DENIED, .why = why, .key = "", .address = "", .certain = certain
    };
    if (certain)
        try_again_later(t);
    return true;
}

static const char *hung_up(const struct zmq_transport *t)
{
    if (t->ipc)
        return "the other side hung up: its socket belongs to another user, or it is no "
               "coordinator";
    return t->curve ? "the other side hung up during the handshake: it has another server key, "
                      "speaks plaintext, or is no coordinator"
                    : "the other side hung up during the handshake: it wants a key, or is no "
                      "coordinator";
}

static bool connecting_event(struct zmq_transport *t, uint16_t number, uint32_t value,
                             struct transport_event *ret)
{
    *ret = (struct transport_event){ .why = "", .key = "", .address = "" };
    switch (number) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        t->connected = true;
        t->refusals = 0;
        ret->type = TRANSPORT_CONNECTED;
        return true;
    case ZMQ_EVENT_DISCONNECTED:
        if (!t->connected)
            return false;
        t->connected = false;
        ret->type = TRANSPORT_DISCONNECTED;
        ret->why = "connection closed";
        return true;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return refused(t, "this key is not allowed there", true, ret);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return refused(t,
                       value != ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                           ? "the other side does not speak drover's protocol"
                       : t->curve
                           ? "the other side speaks plaintext (--insecure), this one CURVE"
                           : "the other side wants a key, this one speaks plaintext (--insecure)",
                       true, ret);
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return refused(t, hung_up(t), false, ret);
    default:
        return false;
    }
}

static void connect_again(struct zmq_transport *t)
{
    if (t->again_ms == 0 || clock_ms() < t->again_ms)
        return;
    t->again_ms = 0;
    (void)zmq_disconnect(t->socket, t->dial); /* what is left of the attempt before */
    if (zmq_connect(t->socket, t->dial) < 0)
        try_again_later(t);
}

/* ---- both ---- */

bool zmq_monitor_next(struct zmq_transport *t, struct transport_event *ret)
{
    for (int i = 0; i < EVENTS_MAX && zmq_transport_receive(t, t->monitor); i++) {
        uint16_t number = 0;
        uint32_t value = 0;

        if (zmq_msg_size(&t->message) >= sizeof(number) + sizeof(value)) {
            memcpy(&number, zmq_msg_data(&t->message), sizeof(number));
            memcpy(&value, (const char *)zmq_msg_data(&t->message) + sizeof(number), sizeof(value));
        }
        while (zmq_msg_more(&t->message) && zmq_transport_receive(t, t->monitor))
            continue;
        if (t->listening)
            listening_event(t, number, value);
        else if (connecting_event(t, number, value, ret))
            return true;
    }
    if (!t->listening) {
        connect_again(t);
        return false;
    }
    if (t->throttle && throttle_refill(t->throttle, clock_ms()))
        guard_door(t);
    shut_revoked(t);
    return next_stranger(t, ret);
}

uint64_t zmq_monitor_wait_ms(const struct zmq_transport *t)
{
    uint64_t now_ms = clock_ms(), at_ms = UINT64_MAX;

    if (t->listening) {
        at_ms = tally_due_ms(&t->tally);
        if (t->throttle)
            at_ms = MIN(at_ms, throttle_due_ms(t->throttle));
        if (t->allowed && crowd_count(t->crowd) > 0)
            at_ms = MIN(at_ms, now_ms + LOOK_MS);
    } else if (t->again_ms) {
        at_ms = t->again_ms;
    }
    if (at_ms == UINT64_MAX)
        return UINT64_MAX;
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

bool zmq_monitor_pending(const struct zmq_transport *t)
{
    int events = 0;
    size_t len = sizeof(events);

    return zmq_getsockopt(t->monitor, ZMQ_EVENTS, &events, &len) == 0 && (events & ZMQ_POLLIN);
}
