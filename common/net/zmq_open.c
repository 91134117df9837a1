/* SPDX-License-Identifier: Apache-2.0 */
/* zmq_open.c - what an endpoint may be, and how its socket is set up: limits, keys, addresses. */
#include "common/net/transport.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/net/zmq_private.h"

enum {
    RECONNECT_MS = 100,
    RECONNECT_MS_MAX = 10000,
    HEARTBEAT_MS = 2000,          /* ZMTP ping: finds dead hosts, not hung programs */
    HEARTBEAT_TIMEOUT_MS = 10000, /* no answer for so long ends the connection */
    BACKLOG = 4096,
};

static int set_int(struct zmq_transport *t, int option, int value)
{
    return zmq_setsockopt(t->socket, option, &value, sizeof(value));
}

static int set_options(struct zmq_transport *t)
{
    int64_t frame_max = TRANSPORT_FRAME_MAX;
    int rc = 0;

    rc |= zmq_setsockopt(t->socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max));
    rc |= set_int(t, ZMQ_LINGER, TRANSPORT_LINGER_MS);
    rc |= set_int(t, ZMQ_HANDSHAKE_IVL, TRANSPORT_HANDSHAKE_MS);
    rc |= set_int(t, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS);
    rc |= set_int(t, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS);
    rc |= set_int(t, ZMQ_IPV6, 0);
    if (t->listening) {
        rc |= set_int(t, ZMQ_ROUTER_MANDATORY, 1);
        rc |= set_int(t, ZMQ_SNDHWM, TRANSPORT_PIPE_MAX);
        rc |= set_int(t, ZMQ_BACKLOG, BACKLOG);
        return rc;
    }
    rc |= set_int(t, ZMQ_IMMEDIATE, 1);
    rc |= set_int(t, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    rc |= set_int(t, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX);
    return rc;
}

/* Who one is. The secrets stay in libzmq until the socket is closed. */
static int set_curve(struct zmq_transport *t, const struct transport_keys *keys)
{
    int rc = zmq_setsockopt(t->socket, ZMQ_CURVE_SECRETKEY, keys->own.secret, KEY_TEXT);

    rc |= zmq_setsockopt(t->socket, ZMQ_CURVE_PUBLICKEY, keys->own.key.text, KEY_TEXT);
    if (t->listening) {
        rc |= set_int(t, ZMQ_CURVE_SERVER, 1);
        rc |= zmq_setsockopt(t->socket, ZMQ_ZAP_DOMAIN, "drover", 6);
    } else {
        rc |= zmq_setsockopt(t->socket, ZMQ_CURVE_SERVERKEY, keys->server.text, KEY_TEXT);
    }
    return rc;
}

/* A socket file is for its owner (and root, who may do everything anyway). */
static int set_ipc(struct zmq_transport *t)
{
    int rc = set_int(t, ZMQ_IPC_FILTER_UID, (int)geteuid());

    return rc | set_int(t, ZMQ_IPC_FILTER_UID, 0);
}

/* The handler of keys comes before anything is bound. */
static int set_security(struct zmq_transport *t, const char *endpoint,
                        const struct transport_keys *keys, struct err *err)
{
    int rc = 0;

    if (t->ipc)
        rc = t->listening ? set_ipc(t) : 0;
    else if (t->curve)
        rc = set_curve(t, keys);
    if (rc != 0)
        return err_set(err, ERR_IO, "set up the security of %s: %s", endpoint,
                       zmq_strerror(zmq_errno()));
    if (!t->curve || !t->listening)
        return 0;
    assert(keys->allowed);
    t->allowed = keys->allowed;
    t->generation = keyring_generation(keys->allowed);
    return zap_start(&t->zap, t->context, keys->allowed, err);
}

static int endpoint_error(int number, const char *verb, const char *endpoint, struct err *err)
{
    enum err_code code = ERR_IO;

    if (number == EADDRINUSE)
        code = ERR_CONFLICT;
    else if (number == EINVAL || number == EPROTONOSUPPORT || number == ENODEV ||
             number == ENAMETOOLONG)
        code = ERR_INVALID;
    return err_set(err, code, "%s %s: %s", verb, endpoint, zmq_strerror(number));
}

static bool may_bind(uint32_t address)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

    if (fd >= 0)
        (void)close(fd);
    return ok;
}

/* Programs of one machine meet on loopback, all from 127.0.0.1: one that floods would be taken for
 * all others (throttle.h). So each comes from an address of its own, made of its pid. */
static void set_dial(struct zmq_transport *t)
{
    static const char loopback[] = "tcp://127.0.0.1:";
    uint32_t pid = (uint32_t)getpid(),
             from = 127u << 24 | (64 + (pid >> 16) % 128) << 16 | (pid & 0xffff);

    if (strncmp(t->endpoint, loopback, sizeof(loopback) - 1) != 0 || !may_bind(from)) {
        (void)snprintf(t->dial, sizeof(t->dial), "%s", t->endpoint);
        return;
    }
    (void)snprintf(t->dial, sizeof(t->dial), "tcp://%u.%u.%u.%u:0;%s", from >> 24, from >> 16 & 255,
                   from >> 8 & 255, from & 255, t->endpoint + strlen("tcp://"));
}

static int attach(struct zmq_transport *t, const char *endpoint, struct err *err)
{
    size_t len = sizeof(t->endpoint);

    if (t->listening) {
        if (zmq_bind(t->socket, endpoint) < 0)
            return endpoint_error(zmq_errno(), "listen on", endpoint, err);
        if (zmq_getsockopt(t->socket, ZMQ_LAST_ENDPOINT, t->endpoint, &len) < 0)
            return err_set(err, ERR_IO, "listen on %s: %s", endpoint, zmq_strerror(zmq_errno()));
        return 0;
    }
    (void)snprintf(t->endpoint, sizeof(t->endpoint), "%s", endpoint);
    set_dial(t);
    if (zmq_connect(t->socket, t->dial) < 0)
        return endpoint_error(zmq_errno(), "connect to", endpoint, err);
    return 0;
}

/* libzmq takes many malformed endpoints and then never connects. */
static bool endpoint_valid(const char *endpoint, bool listening)
{
    const char *port;
    int number = 0, digits = 0;

    if (strlen(endpoint) >= TRANSPORT_ENDPOINT_MAX)
        return false;
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return endpoint[6] != '\0';
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return false;
    port = strrchr(endpoint + 6, ':');
    if (!port || port == endpoint + 6)
        return false;
    if (strcmp(port + 1, "*") == 0)
        return listening;
    if (!listening && endpoint[6] == '*')
        return false;
    for (port++; *port >= '0' && *port <= '9' && number <= UINT16_MAX; port++, digits++)
        number = 10 * number + (*port - '0');
    return digits > 0 && *port == '\0' && number >= !listening && number <= UINT16_MAX;
}

static int check_keys(const char *endpoint, const struct transport_keys *keys, struct err *err)
{
    if (strncmp(endpoint, "tcp:", 4) == 0 && (!keys || (!keys->insecure && !*keys->own.secret)))
        return err_set(err, ERR_INVALID,
                       "%s: no key; give one (--key, --server-key), or say --insecure on both "
                       "sides of a network that you trust",
                       endpoint);
    return 0;
}

static int open_transport(struct transport **ret, bool listening, const char *endpoint,
                          const struct transport_keys *keys, struct err *err)
{
    struct zmq_transport *t;
    int rc;

    if (!endpoint_valid(endpoint, listening))
        return err_set(err, ERR_INVALID,
                       "\"%.256s\" is no endpoint; write tcp://ADDRESS:PORT or ipc://PATH",
                       endpoint);
    rc = check_keys(endpoint, keys, err);
    if (rc < 0)
        return rc;
    t = mem_calloc(1, sizeof(*t));
    t->base.ops = &zmq_transport_ops;
    t->listening = listening;
    t->ipc = strncmp(endpoint, "ipc:", 4) == 0;
    t->curve = !t->ipc && !keys->insecure;
    (void)zmq_msg_init(&t->message);
    t->context = zmq_ctx_new();
    if (t->context)
        t->socket = zmq_socket(t->context, listening ? ZMQ_ROUTER : ZMQ_DEALER);
    if (!t->socket || set_options(t) != 0 || zmq_monitor_start(t) != 0)
        rc = err_set(err, ERR_IO, "open a socket for %s: %s", endpoint, zmq_strerror(zmq_errno()));
    else
        rc = set_security(t, endpoint, keys, err);
    if (rc == 0)
        rc = attach(t, endpoint, err);
    if (rc < 0) {
        zmq_transport_ops.close(&t->base);
        return rc;
    }
    *ret = &t->base;
    return 0;
}

int transport_listen(struct transport **ret, const char *endpoint,
                     const struct transport_keys *keys, struct err *err)
{
    return open_transport(ret, true, endpoint, keys, err);
}

int transport_connect(struct transport **ret, const char *endpoint,
                      const struct transport_keys *keys, struct err *err)
{
    return open_transport(ret, false, endpoint, keys, err);
}
