/* SPDX-License-Identifier: Apache-2.0 */
/* http_private.h - what http.c (connections) and exchange.c (requests) share. */
#ifndef DASHBOARDS_HTTP_PRIVATE_H
#define DASHBOARDS_HTTP_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>

#include "dashboards/http.h"

enum peer_state { PEER_WAITING, PEER_ANSWERING, PEER_LISTENING };

/* A connection, from accept to close. */
struct peer {
    struct peer *next, *prev;
    int fd;
    enum peer_state state;
    uint64_t since_ms;
};

struct http {
    const struct http_options *o;
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1: closed, or libmicrohttpd's */
    uint16_t port;
    char url[128];
    pthread_mutex_t mutex; /* guards all below */
    struct peer *peers;
    size_t peers_len;
};

void peer_set(struct http *h, struct MHD_Connection *c, enum peer_state state);

/* Callbacks of libmicrohttpd with ARG = struct http. */
void *exchange_begin(void *arg, const char *uri, struct MHD_Connection *c);
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *c, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *len, void **own);
void exchange_end(void *arg, struct MHD_Connection *c, void **own,
                  enum MHD_RequestTerminationCode why);

/* reply.c: queue what is sent. */
struct reply {
    unsigned status;
    const char *type, *etag, *cache, *allow; /* headers; NULL: none */
    unsigned retry_s;                        /* 0: none */
    bool packed, challenge;                  /* gzip; WWW-Authenticate */
};
enum MHD_Result reply_answer(struct MHD_Connection *c, struct answer *answer, const char *allow);
enum MHD_Result reply_item(struct MHD_Connection *c, const struct page_item *item);
enum MHD_Result reply_text(struct MHD_Connection *c, unsigned status, const char *text,
                           const char *allow);
enum MHD_Result reply_events(struct MHD_Connection *c, struct events *events);

#endif
