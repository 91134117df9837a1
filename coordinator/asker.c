/* SPDX-License-Identifier: Apache-2.0 */
/* asker.c - two lists under one lock; the thread works between them. */
#include "coordinator/asker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "store/control.h"
#include "store/reports/reports.h"
#include "store/store.h"

enum { NUDGE_MS = 20 }; /* between two interrupts of a report that is to end */

struct question {
    uint64_t peer, request;
    char *what, *arguments; /* of a report, else NULL */
    struct asker_work work;
    struct question *next;
};

struct given {
    struct asker_answer answer;
    struct given *next;
};

struct asker {
    struct store *store; /* a reading connection, of the thread */
    void (*wake)(void *arg);
    void *arg;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a question came, an answer was taken, stop, or the thread ended */
    /* Under the lock. */
    struct question *first, *last;
    struct given *given_first, *given_last;
    size_t questions, given_bytes;
    bool stop, ended;
};

static void free_question(struct question *q)
{
    if (!q)
        return;
    free(q->what);
    free(q->arguments);
    if (q->work.free)
        q->work.free(q->work.arg);
    free(q);
}

/* The next question, NULL when the thread is to end. Waits. */
static struct question *next_question(struct asker *a)
{
    struct question *q = NULL;

    (void)pthread_mutex_lock(&a->lock);
    while (!a->stop && (!a->first || a->given_bytes >= ASKER_ANSWERS_MAX))
        (void)pthread_cond_wait(&a->changed, &a->lock);
    if (!a->stop) {
        q = a->first;
        a->first = q->next;
        if (!a->first)
            a->last = NULL;
        a->questions--;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return q;
}

static struct given *answer(struct asker *a, const struct question *q)
{
    const struct report_limits limits = { .time_ms = ASKER_TIME_MS,
                                          .rows_max = ASKER_ROWS_MAX,
                                          .bytes_max = ASKER_BYTES_MAX };
    struct given *g = mem_calloc(1, sizeof(*g));
    struct err err = { 0 };

    g->answer.peer = q->peer;
    g->answer.request = q->request;
    g->answer.tag = q->work.tag;
    g->answer.code =
        q->work.make ? q->work.make(a->store, q->work.arg, &g->answer.text, &err)
                     : report_make(a->store, q->what, q->arguments, &limits, &g->answer.text, &err);
    if (g->answer.code == 0 && g->answer.text.len > ASKER_BYTES_MAX)
        g->answer.code = err_set(&err, ERR_LIMIT,
                                 "the answer has %zu bytes, more than the %d that a coordinator "
                                 "sends; narrow the question, or read the store's file",
                                 g->answer.text.len, ASKER_BYTES_MAX);
    if (g->answer.code < 0) {
        buf_clear(&g->answer.text);
        buf_adds(&g->answer.text, err.text);
    }
    return g;
}

static void give(struct asker *a, struct given *g)
{
    (void)pthread_mutex_lock(&a->lock);
    if (a->given_last)
        a->given_last->next = g;
    else
        a->given_first = g;
    a->given_last = g;
    a->given_bytes += g->answer.text.len;
    (void)pthread_mutex_unlock(&a->lock);
    a->wake(a->arg);
}

static void *run(void *arg)
{
    struct asker *a = arg;
    struct question *q;

    while ((q = next_question(a)) != NULL) {
        give(a, answer(a, q));
        free_question(q);
    }
    (void)pthread_mutex_lock(&a->lock);
    a->ended = true;
    (void)pthread_cond_broadcast(&a->changed);
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}

int asker_start(struct asker **ret, const char *store_path, void (*wake)(void *arg), void *arg,
                struct err *err)
{
    struct asker *a = mem_calloc(1, sizeof(*a));
    int rc = store_open_read(&a->store, store_path, err);

    a->wake = wake;
    a->arg = arg;
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->changed, NULL);
    if (rc == 0) {
        if (pthread_create(&a->thread, NULL, run, a) == 0)
            a->started = true;
        else
            rc = err_set(err, ERR_IO, "start the thread for questions: %s", strerror(errno));
    }
    if (rc < 0) {
        asker_stop(a);
        return rc;
    }
    *ret = a;
    return 0;
}

/* A report may be many statements: each is interrupted until the thread comes out. */
static void end_thread(struct asker *a)
{
    (void)pthread_mutex_lock(&a->lock);
    a->stop = true;
    (void)pthread_cond_broadcast(&a->changed);
    while (!a->ended) {
        struct timespec until;

        store_interrupt(a->store);
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NUDGE_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        (void)pthread_cond_timedwait(&a->changed, &a->lock, &until);
    }
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->thread, NULL);
}

void asker_stop(struct asker *a)
{
    struct asker_answer left;

    if (!a)
        return;
    if (a->started)
        end_thread(a);
    while (a->first) {
        struct question *q = a->first;

        a->first = q->next;
        free_question(q);
    }
    while (asker_take(a, &left))
        buf_release(&left.text);
    store_close(a->store);
    (void)pthread_cond_destroy(&a->changed);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
}

/* Put Q into the queue, or free it. */
static int enqueue(struct asker *a, struct question *q, struct err *err)
{
    const uint64_t peer = q->peer;
    size_t of_peer = 0, waiting;

    (void)pthread_mutex_lock(&a->lock);
    for (const struct question *x = a->first; x; x = x->next)
        of_peer += x->peer == peer;
    waiting = a->questions;
    if (waiting < ASKER_QUEUE_MAX && of_peer < ASKER_PEER_MAX) {
        if (a->last)
            a->last->next = q;
        else
            a->first = q;
        a->last = q;
        a->questions++;
        q = NULL;
        (void)pthread_cond_broadcast(&a->changed);
    }
    (void)pthread_mutex_unlock(&a->lock);
    if (!q)
        return 0;
    free_question(q);
    return err_set(err, ERR_LIMIT,
                   "the coordinator is busy: %zu questions wait, %zu of them yours; ask again in "
                   "a few seconds",
                   waiting, of_peer);
}

int asker_ask(struct asker *a, uint64_t peer, uint64_t request, const char *what,
              const char *arguments, struct err *err)
{
    struct question *q = mem_calloc(1, sizeof(*q));

    q->peer = peer;
    q->request = request;
    q->what = mem_strdup(what);
    q->arguments = mem_strdup(*arguments ? arguments : "{}");
    return enqueue(a, q, err);
}

int asker_do(struct asker *a, uint64_t peer, uint64_t request, const struct asker_work *w,
             struct err *err)
{
    struct question *q = mem_calloc(1, sizeof(*q));

    q->peer = peer;
    q->request = request;
    q->work = *w;
    return enqueue(a, q, err);
}

size_t asker_waiting(struct asker *a)
{
    size_t n;

    (void)pthread_mutex_lock(&a->lock);
    n = a->questions;
    (void)pthread_mutex_unlock(&a->lock);
    return n;
}

bool asker_take(struct asker *a, struct asker_answer *ret)
{
    struct given *g;

    (void)pthread_mutex_lock(&a->lock);
    g = a->given_first;
    if (g) {
        a->given_first = g->next;
        if (!g->next)
            a->given_last = NULL;
        a->given_bytes -= g->answer.text.len;
        (void)pthread_cond_broadcast(&a->changed);
    }
    (void)pthread_mutex_unlock(&a->lock);
    if (!g)
        return false;
    *ret = g->answer;
    free(g);
    return true;
}
