/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the dashboard over HTTP: one thread of libmicrohttpd that never waits for the store.
 *
 *   connection:  waiting --(a whole request)--> answering --(sent)--> waiting
 *                   |                             |
 *                   +--(HTTP_WAITING_MS)--> shut  +--(event stream)--> listening
 *
 * A request whose answer is to be computed is set aside (suspended) until a thread of answers.h has
 * it. Limits, with what they cost at most:
 *
 *   connections        1,024 of 32 KiB each: 32 MiB; from three quarters on, idle ones are shut
 *                      after HTTP_CROWDED_MS
 *   one address        256 of them, unless bound to loopback (tunnels all come from there)
 *   a request          32 KiB of request line and headers, 8 KiB of address, 64 KiB of body, all of
 *                      it within 30 s
 *   sending            60 s without a byte taken, 300 s in all */
#ifndef DASHBOARDS_HTTP_H
#define DASHBOARDS_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "dashboards/auth.h"
#include "dashboards/page.h"
#include "dashboards/service.h"

enum {
    HTTP_CONNECTIONS_MAX = 1024,
    HTTP_PER_ADDRESS_MAX = 256,
    HTTP_MEMORY = 32 << 10,
    HTTP_STALLED_S = 60,
    HTTP_WAITING_MS = 30000,
    HTTP_CROWDED_MS = 3000,
    HTTP_ANSWERING_MS = 300000,
    HTTP_DRAIN_MS = 2000, /* at the end, for what is being sent */
};

struct http_options {
    const char *bind; /* address */
    uint16_t port;    /* 0: a free one */
    struct auth auth;
    const struct page *page; /* NULL: only the API */
    struct service *service;
    const struct api_route *const *tables;
    int schema; /* of the store, for /version */
};

struct http;
/* Listen. O must stay. ERR_CONFLICT: the port is taken; ERR_INVALID: no address; ERR_IO. */
int http_start(struct http **ret, const struct http_options *o, struct err *err) MUST_CHECK;
/* Shut connections whose time is over; once a second. */
void http_tick(struct http *h);
/* No new connections, then end the service, then wait a moment for what is being sent. */
void http_stop(struct http *h); /* NULL is fine */
uint16_t http_port(const struct http *h);
/* "http://127.0.0.1:8420/" */
const char *http_url(const struct http *h);

#endif
