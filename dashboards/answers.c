/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/answers.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/mem.h"
#include "dashboards/api.h"

enum { ENTRY_BYTES = 512 /* of an entry and an answer besides key and bodies */ };

struct waiter {
    answer_fn fn;
    void *arg;
};

struct waiters {
    struct waiter *v;
    size_t len, cap;
};

/* A question: what is known of it, and who waits. In the table when it has a key; in a lane's queue
 * while somebody waits and nobody computes for him. Freed when it is neither kept nor asked. */
struct entry {
    UT_hash_handle hh;
    char *key; /* NULL: not shared */
    struct question q;
    struct answer *answer; /* NULL: none yet */
    uint64_t made_ms, rest_ms;
    bool brief;                     /* the answer is kept for ANSWERS_LIVE_MS only */
    struct waiters waiting, served; /* for the next computation; by the present one */
    bool queued, running;
    uint64_t running_change;
    struct entry *next;          /* in the queue */
    struct entry *newer, *older; /* by last use; only those with an answer */
};

struct lane {
    struct entry *first, *last;
    size_t len, max;
    pthread_cond_t wake;
};

struct thread {
    struct answers *of;
    enum answers_lane lane;
    pthread_t id;
    void *own;
};

struct answers {
    const struct answers_maker *maker;
    pthread_mutex_t mutex; /* guards all below */
    struct lane lane[LANES];
    struct entry *table;
    struct entry *newest, *oldest;
    size_t bytes, bytes_max;
    struct answers_tally tally;
    bool stopping;
    struct thread thread[ANSWERS_THREADS_MAX + 1];
    size_t threads;
};

/* ---- who waits ---- */

static void waiters_add(struct waiters *w, answer_fn fn, void *arg)
{
    if (w->len == w->cap) {
        w->cap = MAX(4, 2 * w->cap);
        w->v = mem_realloc(w->v, w->cap, sizeof *w->v);
    }
    w->v[w->len++] = (struct waiter){ fn, arg };
}

/* Give ANSWER to all of W and forget them; without the mutex. */
static void waiters_give(struct waiters *w, struct answer *answer)
{
    for (size_t i = 0; i < w->len; i++)
        w->v[i].fn(answer_keep(answer), w->v[i].arg);
    free(w->v);
    *w = (struct waiters){ 0 };
}

/* ---- what is kept ---- */

static size_t entry_bytes(const struct entry *e)
{
    return ENTRY_BYTES + strlen(e->key) + e->answer->body.cap + e->answer->packed.cap;
}

static void unlink_kept(struct answers *a, struct entry *e)
{
    *(e->newer ? &e->newer->older : &a->newest) = e->older;
    *(e->older ? &e->older->newer : &a->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void link_kept(struct answers *a, struct entry *e)
{
    e->older = a->newest;
    *(a->newest ? &a->newest->newer : &a->oldest) = e;
    a->newest = e;
}

static void forget_answer(struct answers *a, struct entry *e)
{
    if (!e->answer)
        return;
    a->bytes -= entry_bytes(e);
    unlink_kept(a, e);
    answer_drop(e->answer);
    e->answer = NULL;
}

/* What a handler needs, only as long as somebody waits for it. */
static void drop_what(struct entry *e)
{
    if (e->q.what && e->q.drop)
        e->q.drop(e->q.what);
    e->q.what = NULL;
}

static void entry_free(struct entry *e)
{
    drop_what(e);
    free(e->waiting.v);
    free(e->served.v);
    free(e->key);
    free(e);
}

static void let_go(struct answers *a, struct entry *e)
{
    if (e->answer || e->queued || e->running)
        return;
    if (e->key)
        HASH_DEL(a->table, e);
    entry_free(e);
}

static void keep_within(struct answers *a)
{
    while (a->bytes > a->bytes_max && a->oldest) {
        struct entry *e = a->oldest;

        forget_answer(a, e);
        let_go(a, e);
    }
}

static struct entry *find(struct answers *a, const char *key)
{
    struct entry *e = NULL;

    if (key)
        HASH_FIND_STR(a->table, key, e);
    return e;
}

/* The answer of E, when it is still right. */
static struct answer *still_right(struct answers *a, struct entry *e, uint64_t change)
{
    if (!e || !e->answer || e->answer->change != change)
        return NULL;
    if (e->brief && clock_ms() - e->made_ms >= ANSWERS_LIVE_MS)
        return NULL;
    unlink_kept(a, e);
    link_kept(a, e);
    a->tally.kept++;
    return answer_keep(e->answer);
}

/* ---- queues ---- */

static uint64_t due_ms(const struct entry *e)
{
    return e->made_ms + e->rest_ms;
}

static void enqueue(struct answers *a, struct entry *e)
{
    struct lane *l = &a->lane[e->q.lane];

    assert(!e->queued);
    e->queued = true;
    e->next = NULL;
    *(l->last ? &l->last->next : &l->first) = e;
    l->last = e;
    l->len++;
    pthread_cond_signal(&l->wake);
}

static void dequeue(struct lane *l, struct entry *before, struct entry *e)
{
    *(before ? &before->next : &l->first) = e->next;
    if (l->last == e)
        l->last = before;
    e->next = NULL;
    e->queued = false;
    l->len--;
}

/* Take the first one whose time has come; else NULL, and *RET_MS is when to look again. */
static struct entry *take(struct lane *l, uint64_t now_ms, uint64_t *ret_ms)
{
    *ret_ms = UINT64_MAX;
    for (struct entry *e = l->first, *before = NULL; e; before = e, e = e->next) {
        if (e->running) /* its end signals */
            continue;
        if (due_ms(e) <= now_ms) {
            dequeue(l, before, e);
            return e;
        }
        *ret_ms = MIN(*ret_ms, due_ms(e));
    }
    return NULL;
}

static void wait_until(struct lane *l, pthread_mutex_t *mutex, uint64_t until_ms)
{
    struct timespec at = { .tv_sec = (time_t)(until_ms / 1000),
                           .tv_nsec = (long)(until_ms % 1000) * 1000000 };

    if (until_ms == UINT64_MAX)
        pthread_cond_wait(&l->wake, mutex);
    else
        pthread_cond_timedwait(&l->wake, mutex, &at);
}

/* ---- computing ---- */

static void finish_form(struct answer *answer)
{
    char hex[DIGEST_HEX];
    struct digest d = digest_of(buf_str(&answer->body), answer->body.len);

    (void)snprintf(answer->etag, sizeof answer->etag, "W/\"%.32s\"", digest_hex(&d, hex));
    if (answer->body.len >= ANSWERS_COMPRESS_BYTES)
        (void)answer_pack(answer->body.data, answer->body.len, 3, &answer->packed);
}

static struct answer *compute(struct thread *t, const struct entry *e, uint64_t change)
{
    const struct answers_maker *m = t->of->maker;
    struct answer *answer = mem_calloc(1, sizeof *answer);
    struct err err = { 0 };
    int rc = m->make(t->own, e->q.what, change, &answer->body, &err);

    if (rc == 0 && answer->body.len > API_BYTES_MAX)
        rc = err_set(&err, ERR_LIMIT,
                     "the answer would be larger than %d MiB; ask for fewer rows or points",
                     API_BYTES_MAX >> 20);
    answer->references = 1;
    if (rc < 0) {
        answer_drop(answer);
        if (!err.code) /* a handler that failed without a word */
            (void)err_set(&err, (enum err_code)rc, "%s", err_name(rc));
        answer = answer_of_error(0, &err);
    } else {
        answer->status = 200;
        finish_form(answer);
    }
    answer->change = change;
    return answer;
}

/* What was computed for E: keep it, let those who came too late be served next, give it. */
static void completed(struct answers *a, struct entry *e, struct answer *answer, uint64_t took_ms)
{
    struct waiters served = e->served;

    e->served = (struct waiters){ 0 };
    e->running = false;
    a->tally.made++;
    if (e->key) {
        forget_answer(a, e);
        e->made_ms = clock_ms();
        e->rest_ms = MIN(ANSWERS_REST * took_ms, ANSWERS_REST_MS_MAX);
        e->brief = e->q.live || answer->status != 200;
        e->answer = answer_keep(answer);
        a->bytes += entry_bytes(e);
        link_kept(a, e);
    }
    if (e->queued)
        pthread_cond_signal(&a->lane[e->q.lane].wake);
    else
        drop_what(e);
    let_go(a, e);
    keep_within(a);
    pthread_mutex_unlock(&a->mutex);
    waiters_give(&served, answer);
    answer_drop(answer);
    pthread_mutex_lock(&a->mutex);
}

static void *work(void *arg)
{
    struct thread *t = arg;
    struct answers *a = t->of;
    struct lane *l = &a->lane[t->lane];
    uint64_t until_ms;

    pthread_mutex_lock(&a->mutex);
    while (!a->stopping) {
        struct entry *e = take(l, clock_ms(), &until_ms);

        if (!e) {
            wait_until(l, &a->mutex, until_ms);
            continue;
        }
        if (l->first) /* another thread is to see when that one is due */
            pthread_cond_signal(&l->wake);
        e->running = true;
        e->served = e->waiting;
        e->waiting = (struct waiters){ 0 };
        e->running_change = a->maker->change(a->maker->arg, e->q.live);
        pthread_mutex_unlock(&a->mutex);
        uint64_t begun_ms = clock_ms();
        struct answer *answer = compute(t, e, e->running_change);
        uint64_t took_ms = clock_ms() - begun_ms;
        pthread_mutex_lock(&a->mutex);
        completed(a, e, answer, took_ms);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

/* ---- asking ---- */

struct answer *answers_look(struct answers *a, const char *key, bool live)
{
    uint64_t change = a->maker->change(a->maker->arg, live);
    struct answer *answer;

    pthread_mutex_lock(&a->mutex);
    answer = still_right(a, find(a, key), change);
    pthread_mutex_unlock(&a->mutex);
    return answer;
}

static struct entry *entry_new(struct answers *a, const struct question *q)
{
    struct entry *e = mem_calloc(1, sizeof *e);

    e->q = *q;
    if (q->key) {
        e->key = mem_strdup(q->key);
        HASH_ADD_KEYPTR(hh, a->table, e->key, strlen(e->key), e);
    }
    e->q.key = e->key;
    return e;
}

/* NULL: FN waits now; else what he gets at once. Takes Q->what over, or drops it. */
static struct answer *join(struct answers *a, const struct question *q, answer_fn fn, void *arg)
{
    uint64_t change = a->maker->change(a->maker->arg, q->live);
    struct entry *e = find(a, q->key);
    struct answer *answer = still_right(a, e, change);
    struct err err = { 0 };

    if (answer)
        return answer;
    if (a->stopping || ((!e || !e->queued) && a->lane[q->lane].len >= a->lane[q->lane].max)) {
        a->tally.refused++;
        (void)err_set(&err, ERR_AGAIN,
                      a->stopping ? "the server is being stopped"
                                  : "too many questions wait; ask again in a moment");
        return answer_of_error(0, &err);
    }
    if (!e)
        e = entry_new(a, q);
    else if (!e->q.what)
        e->q.what = q->what;
    else if (q->drop)
        q->drop(q->what);
    if (e->running && e->running_change == change && e->key) {
        waiters_add(&e->served, fn, arg);
        return NULL;
    }
    waiters_add(&e->waiting, fn, arg);
    if (!e->queued)
        enqueue(a, e);
    return NULL;
}

void answers_ask(struct answers *a, const struct question *q, answer_fn fn, void *arg)
{
    struct answer *answer;

    pthread_mutex_lock(&a->mutex);
    answer = join(a, q, fn, arg);
    pthread_mutex_unlock(&a->mutex);
    if (!answer)
        return;
    if (q->drop)
        q->drop(q->what);
    fn(answer, arg);
}

/* ---- life ---- */

struct answers *answers_start(const struct answers_maker *maker, size_t threads, size_t bytes)
{
    struct answers *a = mem_calloc(1, sizeof *a);
    pthread_condattr_t monotonic;

    assert(threads > 0 && threads <= ANSWERS_THREADS_MAX);
    a->maker = maker;
    a->bytes_max = bytes;
    a->lane[LANE_QUICK].max = ANSWERS_QUICK_MAX;
    a->lane[LANE_SLOW].max = ANSWERS_SLOW_MAX;
    pthread_mutex_init(&a->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (int i = 0; i < LANES; i++)
        pthread_cond_init(&a->lane[i].wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < threads + 1; i++) {
        struct thread *t = &a->thread[i];

        t->of = a;
        t->lane = i < threads ? LANE_QUICK : LANE_SLOW;
        t->own = maker->begin(maker->arg);
        if (pthread_create(&t->id, NULL, work, t) != 0) {
            maker->end(t->own);
            break;
        }
        a->threads++;
    }
    assert(a->threads == threads + 1); /* no memory for a stack: nothing else would work either */
    return a;
}

/* All who wait in lane L. */
static void refuse_all(struct answers *a, struct lane *l)
{
    struct err err = { 0 };

    (void)err_set(&err, ERR_AGAIN, "the server is being stopped");
    while (l->first) {
        struct entry *e = l->first;
        struct waiters waiting = e->waiting;
        struct answer *answer = answer_of_error(0, &err);

        e->waiting = (struct waiters){ 0 };
        dequeue(l, NULL, e);
        let_go(a, e);
        pthread_mutex_unlock(&a->mutex);
        waiters_give(&waiting, answer);
        answer_drop(answer);
        pthread_mutex_lock(&a->mutex);
    }
}

/* An interruption between two statements hits nothing: said again until it is heard. */
static void join_thread(struct answers *a, struct thread *t)
{
    for (;;) {
        struct timespec at;

        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_nsec += 20 * 1000000;
        if (at.tv_nsec >= 1000000000) {
            at.tv_nsec -= 1000000000;
            at.tv_sec++;
        }
        if (pthread_timedjoin_np(t->id, NULL, &at) == 0)
            return;
        a->maker->interrupt(t->own);
    }
}

void answers_stop(struct answers *a)
{
    bool first;

    pthread_mutex_lock(&a->mutex);
    first = !a->stopping;
    a->stopping = true;
    for (int i = 0; i < LANES; i++)
        pthread_cond_broadcast(&a->lane[i].wake);
    pthread_mutex_unlock(&a->mutex);
    if (!first)
        return;
    for (size_t i = 0; i < a->threads; i++)
        a->maker->interrupt(a->thread[i].own);
    for (size_t i = 0; i < a->threads; i++) {
        join_thread(a, &a->thread[i]);
        a->maker->end(a->thread[i].own);
    }
    pthread_mutex_lock(&a->mutex);
    for (int i = 0; i < LANES; i++)
        refuse_all(a, &a->lane[i]);
    pthread_mutex_unlock(&a->mutex);
}

void answers_free(struct answers *a)
{
    if (!a)
        return;
    answers_stop(a);
    while (a->oldest) {
        struct entry *e = a->oldest;

        forget_answer(a, e);
        let_go(a, e);
    }
    assert(!a->table);
    for (int i = 0; i < LANES; i++)
        pthread_cond_destroy(&a->lane[i].wake);
    pthread_mutex_destroy(&a->mutex);
    free(a);
}

void answers_tally(struct answers *a, struct answers_tally *ret)
{
    pthread_mutex_lock(&a->mutex);
    *ret = a->tally;
    ret->bytes = a->bytes;
    ret->entries = HASH_COUNT(a->table);
    ret->waiting = a->lane[LANE_QUICK].len + a->lane[LANE_SLOW].len;
    pthread_mutex_unlock(&a->mutex);
}
