/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "dashboards/http_private.h"

enum { BACKLOG = 256 };

/* ---- connections ---- */

static void peer_add(struct http *h, struct MHD_Connection *c, void **own)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct peer *p = mem_calloc(1, sizeof *p);

    p->fd = info ? info->connect_fd : -1;
    p->since_ms = clock_ms();
    *own = p;
    pthread_mutex_lock(&h->mutex);
    p->next = h->peers;
    if (p->next)
        p->next->prev = p;
    h->peers = p;
    h->peers_len++;
    pthread_mutex_unlock(&h->mutex);
}

static void peer_remove(struct http *h, struct peer *p)
{
    pthread_mutex_lock(&h->mutex);
    *(p->prev ? &p->prev->next : &h->peers) = p->next;
    if (p->next)
        p->next->prev = p->prev;
    h->peers_len--;
    pthread_mutex_unlock(&h->mutex);
    free(p);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **own,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        peer_add(arg, c, own);
    else if (*own)
        peer_remove(arg, *own);
}

void peer_set(struct http *h, struct MHD_Connection *c, enum peer_state state)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *p = info ? info->socket_context : NULL;

    if (!p)
        return;
    pthread_mutex_lock(&h->mutex);
    if (p->state != state)
        p->since_ms = clock_ms();
    p->state = state;
    pthread_mutex_unlock(&h->mutex);
}

static bool over(const struct peer *p, uint64_t now_ms, bool crowded)
{
    uint64_t age = now_ms - p->since_ms;

    switch (p->state) {
    case PEER_WAITING:
        return age > (crowded ? HTTP_CROWDED_MS : HTTP_WAITING_MS);
    case PEER_ANSWERING:
        return age > HTTP_ANSWERING_MS;
    case PEER_LISTENING:
        return false;
    }
    return false;
}

void http_tick(struct http *h)
{
    uint64_t now_ms = clock_ms();

    pthread_mutex_lock(&h->mutex);
    bool crowded = h->peers_len > HTTP_CONNECTIONS_MAX / 4 * 3;
    for (struct peer *p = h->peers; p; p = p->next) {
        /* Its owner finds it closed; the number stays taken until it has left the list. */
        if (p->fd >= 0 && over(p, now_ms, crowded))
            (void)shutdown(p->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&h->mutex);
}

static bool anybody_answering(struct http *h)
{
    bool found = false;

    pthread_mutex_lock(&h->mutex);
    for (struct peer *p = h->peers; p; p = p->next)
        found |= p->state != PEER_WAITING;
    pthread_mutex_unlock(&h->mutex);
    return found;
}

/* ---- listening ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static int parse_address(const char *bind, uint16_t port, union address *ret, socklen_t *ret_len,
                         struct err *err)
{
    *ret = (union address){ 0 };
    if (inet_pton(AF_INET, bind, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons(port);
        *ret_len = sizeof ret->four;
        return 0;
    }
    if (inet_pton(AF_INET6, bind, &ret->six.sin6_addr) == 1) {
        ret->six.sin6_family = AF_INET6;
        ret->six.sin6_port = htons(port);
        *ret_len = sizeof ret->six;
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "--bind=%.80s is no address; write e.g. 127.0.0.1, 0.0.0.0 or ::1", bind);
}

static int explain(int errnum, const struct http_options *o, struct err *err)
{
    if (errnum == EADDRINUSE)
        return err_set(err, ERR_CONFLICT,
                       "port %u of %s is taken, perhaps by another dashboard; choose one with "
                       "--port %u, or --port 0 for a free one",
                       o->port, o->bind, o->port < UINT16_MAX ? o->port + 1 : 8420);
    if (errnum == EACCES)
        return err_set(err, ERR_READONLY,
                       "port %u may not be used by this user; choose one above 1023 with --port",
                       o->port);
    if (errnum == EADDRNOTAVAIL)
        return err_set(err, ERR_INVALID, "%s is no address of this machine; see `ip address`",
                       o->bind);
    return err_errno(err, errnum, "listen on %s port %u", o->bind, o->port);
}

static int open_socket(struct http *h, struct err *err)
{
    const int on = 1;
    union address at;
    socklen_t len = 0;
    int rc = parse_address(h->o->bind, h->o->port, &at, &len, err);

    if (rc < 0)
        return rc;
    h->listen_fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h->listen_fd < 0)
        return err_errno(err, errno, "a socket");
    (void)setsockopt(h->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(h->listen_fd, &at.any, len) < 0 || listen(h->listen_fd, BACKLOG) < 0)
        return explain(errno, h->o, err);
    if (getsockname(h->listen_fd, &at.any, &len) < 0)
        return err_errno(err, errno, "the socket's port");
    h->port = ntohs(at.any.sa_family == AF_INET ? at.four.sin_port : at.six.sin6_port);
    (void)snprintf(h->url, sizeof h->url,
                   strchr(h->o->bind, ':') ? "http://[%s]:%u/" : "http://%s:%u/", h->o->bind,
                   h->port);
    return 0;
}

/* Names stay as they came: request.h takes them apart. */
static size_t leave(void *arg, struct MHD_Connection *c, char *text)
{
    (void)arg;
    (void)c;
    return strlen(text);
}

static int start_daemon(struct http *h, struct err *err)
{
    unsigned per_address = auth_is_loopback(h->o->bind) ? 0 : HTTP_PER_ADDRESS_MAX;

    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, exchange_handle, h,
        MHD_OPTION_LISTEN_SOCKET, h->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, h,
        MHD_OPTION_UNESCAPE_CALLBACK, leave, NULL, MHD_OPTION_NOTIFY_COMPLETED, exchange_end, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_STALLED_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!h->daemon)
        return err_set(err, ERR_IO, "the HTTP server does not start on %s", h->url);
    h->listen_fd = -1;
    return 0;
}

int http_start(struct http **ret, const struct http_options *o, struct err *err)
{
    struct http *h = mem_calloc(1, sizeof *h);
    int rc;

    h->o = o;
    h->listen_fd = -1;
    pthread_mutex_init(&h->mutex, NULL);
    rc = open_socket(h, err);
    if (rc == 0)
        rc = start_daemon(h, err);
    if (rc < 0) {
        http_stop(h);
        return rc;
    }
    *ret = h;
    return 0;
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    if (h->daemon) {
        uint64_t end_ms = clock_ms() + HTTP_DRAIN_MS;

        h->listen_fd = MHD_quiesce_daemon(h->daemon);
        /* Whoever was set aside is taken up again: none may be left when the daemon stops. */
        service_stop(h->o->service);
        while (anybody_answering(h) && clock_ms() < end_ms)
            clock_sleep_ms(5);
        MHD_stop_daemon(h->daemon);
    }
    if (h->listen_fd >= 0)
        (void)close(h->listen_fd);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

uint16_t http_port(const struct http *h)
{
    return h->port;
}

const char *http_url(const struct http *h)
{
    return h->url;
}
