/* SPDX-License-Identifier: Apache-2.0 */
/* answers.h - answers to questions: computed by a few threads, once for all who ask the same, and
 * kept until the store changes.
 *
 *   asked --(kept, of this change)--------------------------------------> given at once
 *   asked --(nobody asked yet)--> waiting --(a thread is free, it is time)--> computed --> given
 *   asked --(computed now, of this change)--> given with that one
 *   asked --(computed now, of an older change)--> waiting for the next one
 *
 * So nobody gets an answer that is older than what the change number promised when he asked. A
 * question that is costly and asked at every change would keep a thread busy: what took T is
 * computed again after ANSWERS_REST * T at the earliest, and those who ask wait.
 *
 * Two lanes, each with threads of its own: quick questions never wait for slow ones (people's SQL,
 * tables). Thread-safe. */
#ifndef DASHBOARDS_ANSWERS_H
#define DASHBOARDS_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum answers_lane { LANE_QUICK, LANE_SLOW, LANES };

enum {
    ANSWERS_QUICK_MAX = 256,       /* different questions that wait; beyond: 503 */
    ANSWERS_SLOW_MAX = 16,         /* at 5 s each the last waits 80 s */
    ANSWERS_BYTES = 64 << 20,      /* kept; some 1,000 pages of 64 KiB */
    ANSWERS_LIVE_MS = 1000,        /* live answers and errors are kept so long */
    ANSWERS_REST = 2,              /* a question takes at most 1/3 of a thread */
    ANSWERS_REST_MS_MAX = 2000,    /* so long after its last answer it is computed in any case */
    ANSWERS_THREADS_MAX = 64,      /* quick ones */
    ANSWERS_COMPRESS_BYTES = 1024, /* shorter bodies gain nothing: they fit a packet */
};

/* One answer, shared by reference; it never changes. */
struct answer {
    unsigned status;   /* of HTTP */
    unsigned retry_s;  /* 503: ask again after so long; 0: nothing said */
    struct buf body;   /* JSON */
    struct buf packed; /* the same as gzip; empty: not worth it */
    char etag[40];     /* W/"..." of the body */
    uint64_t change;   /* of the store it is of at least */
    _Atomic unsigned references;
};
struct answer *answer_keep(struct answer *a); /* one more reference; returns A */
void answer_drop(struct answer *a);           /* NULL is fine */
/* An answer that says what went wrong: {"version":1,"error":{"code","text"}}. STATUS 0: the one
 * that fits ERR. */
struct answer *answer_of_error(unsigned status, const struct err *err);
/* IF_NONE_MATCH (may be NULL) names ETAG, or is "*". Weak comparison. */
bool answer_matches(const char *etag, const char *if_none_match);
/* gzip of LEN bytes into OUT, cleared before; LEVEL 1..9. False: it gains less than a tenth. */
bool answer_pack(const void *bytes, size_t len, int level, struct buf *out);

/* A question. KEY: questions of equal key have equal answers; NULL: neither shared nor kept. */
struct question {
    const char *key;
    enum answers_lane lane;
    bool live;  /* kept for ANSWERS_LIVE_MS */
    void *what; /* for make(); freed by drop() */
    void (*drop)(void *what);
};

/* How they are answered. BEGIN is called on each thread and gives what is its own, END takes it
 * back. MAKE appends JSON to OUT. INTERRUPT, from another thread: MAKE is to end soon. CHANGE
 * grows when the answers may have changed, those to live questions or to others; any thread. */
struct answers_maker {
    void *(*begin)(void *arg);
    int (*make)(void *own, const void *what, uint64_t change, struct buf *out, struct err *err);
    void (*interrupt)(void *own);
    void (*end)(void *own);
    uint64_t (*change)(void *arg, bool live);
    void *arg;
};

struct answers;
/* THREADS quick ones, and one slow. BYTES: what is kept. MAKER must stay. */
struct answers *answers_start(const struct answers_maker *maker, size_t threads, size_t bytes);
/* Everybody who waits gets 503, computations are interrupted, threads end. Then nothing is computed
 * any more: who asks gets 503. */
void answers_stop(struct answers *a);
void answers_free(struct answers *a); /* stops; NULL is fine */

/* The answer with KEY that is kept and still right; NULL: answers_ask(). */
struct answer *answers_look(struct answers *a, const char *key, bool live);

/* FN gets the answer (a reference of its own), once: from a thread of A's, or from within. */
typedef void (*answer_fn)(struct answer *answer, void *arg);
void answers_ask(struct answers *a, const struct question *q, answer_fn fn, void *arg);

struct answers_tally {
    uint64_t made, kept, refused; /* computed; given from what was kept; 503 */
    size_t bytes, entries, waiting;
};
void answers_tally(struct answers *a, struct answers_tally *ret);

#endif
