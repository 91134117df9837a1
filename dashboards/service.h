/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - the dashboard without HTTP: the store, the threads that answer, who watches, who
 * listens. */
#ifndef DASHBOARDS_SERVICE_H
#define DASHBOARDS_SERVICE_H

#include "dashboards/answers.h"
#include "dashboards/api.h"
#include "dashboards/events.h"
#include "dashboards/lookout.h"

struct service_options {
    const char *store;
    uint32_t time_ms;             /* for one answer */
    size_t threads;               /* that answer quick questions */
    size_t memory;                /* bytes of grids */
    const char *key, *server_key; /* for the coordinator; NULL: the store's */
    bool insecure;                /* the coordinator was started so */
};

struct service;
/* Errors as of store_open_read(). O must stay. */
int service_start(struct service **ret, const struct service_options *o,
                  struct err *err) MUST_CHECK;
/* Who waits gets 503, who listens is told to go. Then nothing is computed any more. */
void service_stop(struct service *s);
void service_free(struct service *s); /* stops; all listeners must have left. NULL is fine */

struct answers *service_answers(struct service *s);
struct events *service_events(struct service *s);
struct lookout *service_lookout(struct service *s);

/* What is asked: a row of a table and a request, on the heap; given away with the question. */
struct asked {
    const struct api_route *route;
    struct request request;
    struct buf body;
};
struct asked *asked_new(void);
void asked_free(void *asked);

#endif
