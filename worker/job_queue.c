/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job_queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum {
    NOBODY = AGENT_HELD_MAX,
    /* Per job a start and an end, per slot an example: it waits for the network thread. */
    POSTS_MAX = 2 * AGENT_HELD_MAX + AGENT_SLOTS_MAX,
};

struct place {
    struct leased lease;
    uint32_t next, prev;
    bool waits;
};

struct posts {
    struct job_post v[POSTS_MAX];
    size_t len;
};

struct job_queue {
    void (*wake)(void *arg);
    void *wake_arg;
    size_t put_len; /* of the network thread: places not flushed yet */
    uint32_t put[AGENT_HELD_MAX];
    struct posts *read; /* of the network thread */

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t cond;
    struct place place[AGENT_HELD_MAX]; /* by held */
    uint32_t head, tail;
    size_t idle, running; /* slots */
    struct posts *posts;
    bool looked_at; /* the network thread looks by itself */
    bool woken;     /* and it was told to, besides */
    bool quit;
};

struct job_queue *job_queue_new(void (*wake)(void *arg), void *wake_arg)
{
    struct job_queue *q = mem_calloc(1, sizeof(*q));

    q->wake = wake;
    q->wake_arg = wake_arg;
    q->head = q->tail = NOBODY;
    q->read = mem_calloc(1, sizeof(*q->read));
    q->posts = mem_calloc(1, sizeof(*q->posts));
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->cond, NULL);
    return q;
}

void job_queue_free(struct job_queue *q)
{
    if (q == NULL)
        return;
    for (size_t i = 0; i < AGENT_HELD_MAX; i++)
        leased_release(&q->place[i].lease);
    for (size_t i = 0; i < q->posts->len; i++)
        if (q->posts->v[i].result != NULL)
            drover__job_result__free_unpacked(q->posts->v[i].result, NULL);
    free(q->posts);
    free(q->read);
    pthread_cond_destroy(&q->cond);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

/* ---- the list of those that wait ---- */

static void append(struct job_queue *q, uint32_t held)
{
    struct place *p = &q->place[held];

    p->prev = q->tail;
    p->next = NOBODY;
    p->waits = true;
    if (q->tail != NOBODY)
        q->place[q->tail].next = held;
    else
        q->head = held;
    q->tail = held;
}

static struct leased take_out(struct job_queue *q, uint32_t held)
{
    struct place *p = &q->place[held];
    struct leased lease = p->lease;

    if (p->prev != NOBODY)
        q->place[p->prev].next = p->next;
    else
        q->head = p->next;
    if (p->next != NOBODY)
        q->place[p->next].prev = p->prev;
    else
        q->tail = p->prev;
    *p = (struct place){ 0 };
    return lease;
}

/* ---- the network thread ---- */

void job_queue_put(struct job_queue *q, size_t held, struct leased lease)
{
    assert(held < AGENT_HELD_MAX && q->put_len < AGENT_HELD_MAX);
    assert(q->place[held].lease.lease == NULL); /* nobody else writes there before the flush */
    q->place[held].lease = lease;
    q->put[q->put_len++] = (uint32_t)held;
}

bool job_queue_flush(struct job_queue *q)
{
    if (q->put_len == 0)
        return false;
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < q->put_len; i++)
        append(q, q->put[i]);
    for (size_t i = 0; i < MIN(q->idle, q->put_len); i++)
        pthread_cond_signal(&q->cond);
    q->looked_at = true;
    pthread_mutex_unlock(&q->mutex);
    q->put_len = 0;
    return true;
}

bool job_queue_withdraw(struct job_queue *q, size_t held)
{
    struct leased lease = { 0 };

    assert(held < AGENT_HELD_MAX);
    (void)job_queue_flush(q);
    pthread_mutex_lock(&q->mutex);
    const bool waits = q->place[held].waits;
    if (waits)
        lease = take_out(q, (uint32_t)held);
    pthread_mutex_unlock(&q->mutex);
    leased_release(&lease);
    return waits;
}

const struct job_post *job_queue_posts(struct job_queue *q, size_t *ret_len, bool *ret_again)
{
    struct posts *empty = q->read;

    empty->len = 0;
    pthread_mutex_lock(&q->mutex);
    q->read = q->posts;
    q->posts = empty;
    q->woken = false;
    /* Something happens, or is about to: a slot wakes up for what was put. */
    q->looked_at = q->read->len > 0 || (q->head != NOBODY && q->idle > 0 && !q->quit);
    *ret_again = q->looked_at;
    pthread_mutex_unlock(&q->mutex);
    *ret_len = q->read->len;
    return q->read->v;
}

size_t job_queue_quit(struct job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->quit = true;
    const size_t running = q->running;
    pthread_cond_broadcast(&q->cond);
    pthread_mutex_unlock(&q->mutex);
    return running;
}

/* ---- the slots' threads ---- */

static void add_post(struct job_queue *q, const struct job_post *post)
{
    assert(q->posts->len < POSTS_MAX);
    q->posts->v[q->posts->len++] = *post;
}

/* With the lock: is the network thread to be woken now? HURRY: it is waited for. */
static bool must_wake(struct job_queue *q, bool hurry)
{
    if (q->woken || q->posts->len == 0)
        return false;
    q->woken = hurry || !q->looked_at || q->posts->len >= JOB_QUEUE_POSTS_ENOUGH;
    return q->woken;
}

bool job_queue_next(struct job_queue *q, size_t slot, const struct job_done *done,
                    struct job_taken *ret)
{
    bool wake = false;

    pthread_mutex_lock(&q->mutex);
    if (done != NULL) {
        q->running--;
        add_post(q, &(struct job_post){ JOB_FINISHED, done->held, slot, done->code, done->result });
        wake = must_wake(q, q->head == NOBODY);
    }
    if (wake && q->head == NOBODY) { /* before it rests */
        pthread_mutex_unlock(&q->mutex);
        q->wake(q->wake_arg);
        wake = false;
        pthread_mutex_lock(&q->mutex);
    }
    q->idle++;
    while (q->head == NOBODY && !q->quit)
        pthread_cond_wait(&q->cond, &q->mutex);
    q->idle--;
    const bool more = !q->quit;
    if (more) {
        ret->held = q->head;
        ret->lease = take_out(q, q->head);
        q->running++;
        add_post(q, &(struct job_post){ .kind = JOB_STARTED, .held = ret->held, .slot = slot });
    }
    pthread_mutex_unlock(&q->mutex);
    if (wake)
        q->wake(q->wake_arg);
    return more;
}

void job_queue_post_example(struct job_queue *q, size_t slot, size_t held)
{
    pthread_mutex_lock(&q->mutex);
    add_post(q, &(struct job_post){ .kind = JOB_EXAMPLE, .held = held, .slot = slot });
    const bool wake = must_wake(q, true);
    pthread_mutex_unlock(&q->mutex);
    if (wake)
        q->wake(q->wake_arg);
}
