/* SPDX-License-Identifier: Apache-2.0 */
/* asker.h - questions about the store (store/reports), answered one after the other on a thread of
 * their own with a reading connection of its own, so that a slow one delays nothing but the next
 * question. The loop thread hands questions in and takes answers out; nobody waits for anybody. */
#ifndef COORDINATOR_ASKER_H
#define COORDINATOR_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

struct store;

enum {
    ASKER_QUEUE_MAX = 64,       /* questions that wait: some minutes' worth of slow ones */
    ASKER_PEER_MAX = 8,         /* of them of one connection */
    ASKER_TIME_MS = 10000,      /* for one answer */
    ASKER_ROWS_MAX = 100000,    /* in one answer */
    ASKER_BYTES_MAX = 15 << 20, /* of one answer: it fits a message */
    ASKER_ANSWERS_MAX =
        256 << 20, /* bytes of answers that nobody took yet: then the thread waits */
};

struct asker_answer {
    uint64_t peer, request;
    int tag;         /* of the work; 0: a report */
    int code;        /* 0, or an error whose text is in TEXT */
    struct buf text; /* the answer; the taker releases it */
};

/* Something to look up that is no report. MAKE, on the thread, appends the answer to RET; a code <
 * 0 and its text are the answer else. FREE (on either thread) ends ARG, whatever happened. */
struct asker_work {
    int tag;
    int (*make)(struct store *s, void *arg, struct buf *ret, struct err *err);
    void (*free)(void *arg);
    void *arg;
};

struct asker;

/* WAKE(ARG) is called from the thread when there is an answer to take. Call after signals were
 * blocked: the thread inherits the mask. Errors of store_open_read(). */
int asker_start(struct asker **ret, const char *store_path, void (*wake)(void *arg), void *arg,
                struct err *err) MUST_CHECK;
/* Ends the thread, also in the middle of an answer. NULL is fine. */
void asker_stop(struct asker *a);

/* Queue a question; texts are copied. What was committed before the call is seen by the answer.
 * ERR_LIMIT: too many wait. */
int asker_ask(struct asker *a, uint64_t peer, uint64_t request, const char *what,
              const char *arguments, struct err *err) MUST_CHECK;
/* The same with W, which belongs to the asker from now on, also when it refuses. */
int asker_do(struct asker *a, uint64_t peer, uint64_t request, const struct asker_work *w,
             struct err *err) MUST_CHECK;
/* Questions that wait. */
size_t asker_waiting(struct asker *a);
/* Take an answer; false: there is none. */
bool asker_take(struct asker *a, struct asker_answer *ret);

#endif
