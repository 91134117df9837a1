/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - who is connected, who can take a lease now, and which blobs each one has. */
#include <assert.h>

#include "coordinator/core/core.h"

void worker_init(struct sched *s)
{
    uint32_t n = s->limits.workers;
    struct worker *first = &s->workers[0];
    for (uint32_t i = 0; i < n; i++)
        s->workers[i] = (struct worker){ .by_heard.next = i + 1 < n ? i + 1 : NONE };
    s->workers_free = 0;
    list_init(&s->awake, &first->by_heard, sizeof *first);
    list_init(&s->quiet, &first->by_heard, sizeof *first);
    list_init(&s->paused, &first->by_pause, sizeof *first);
}

struct worker *worker_of_peer(const struct sched *s, uint64_t peer)
{
    uint32_t i = map_get(&s->worker_by_peer, peer);
    return i != NONE ? &s->workers[i] : NULL;
}

struct worker *worker_of_id(const struct sched *s, uint64_t id)
{
    uint32_t i = map_get(&s->worker_by_id, id);
    return i != NONE ? &s->workers[i] : NULL;
}

/* Add BY (1 or -1) to COUNT of each class of W. */
static void count_classes(uint32_t *count, const struct worker *w, int by)
{
    for (uint64_t left = w->classes; left != 0; left &= left - 1)
        count[__builtin_ctzll(left)] += (uint32_t)by;
}

void worker_refresh(struct sched *s, struct worker *w)
{
    bool can = w->peer != 0 && !w->quiet && !w->by_pause.linked && w->used_len < w->credits;

    if (can == (w->free_at != NONE))
        return;
    count_classes(s->class_free, w, can ? 1 : -1);
    if (can) {
        w->free_at = s->free_len;
        s->free[s->free_len++] = index_of_worker(s, w);
    } else {
        uint32_t moved = s->free[--s->free_len];
        s->free[w->free_at] = moved;
        s->workers[moved].free_at = w->free_at;
        w->free_at = NONE;
    }
}

struct worker *worker_add(struct sched *s, uint64_t id, uint32_t credits)
{
    uint32_t i = s->workers_free;
    if (i == NONE)
        return NULL;
    struct worker *w = &s->workers[i];
    s->workers_free = w->by_heard.next;
    *w = (struct worker){ .used = true, .id = id, .order = ++s->orders, .free_at = NONE };
    w->credits = MIN(credits, SCHED_CREDITS_MAX);
    w->heard_ms = s->now_ms;
    list_init(&w->leases, &s->leases[0].by_owner, sizeof(struct lease));
    list_push(&s->awake, i);
    map_put(&s->worker_by_id, id, i);
    s->workers_len++;
    for (uint32_t k = 0; k < s->limits.worker_blobs; k++)
        s->blobs[(size_t)i * s->limits.worker_blobs + k] = 0;
    return w;
}

void worker_disconnect(struct sched *s, struct worker *w)
{
    if (w->peer != 0)
        map_remove(&s->worker_by_peer, w->peer);
    w->peer = 0;
    worker_refresh(s, w);
    count_classes(s->class_workers, w, -1);
    w->classes = 0;
}

void worker_connect(struct sched *s, struct worker *w, uint64_t peer, uint64_t classes)
{
    struct worker *before = worker_of_peer(s, peer);
    if (before && before != w)
        worker_disconnect(s, before);
    worker_disconnect(s, w);
    map_put(&s->worker_by_peer, peer, index_of_worker(s, w));
    w->peer = peer;
    w->classes = classes;
    count_classes(s->class_workers, w, 1);
    worker_refresh(s, w);
}

void worker_heard(struct sched *s, struct worker *w)
{
    uint32_t i = index_of_worker(s, w);
    list_remove(w->quiet ? &s->quiet : &s->awake, i);
    list_push(&s->awake, i);
    w->heard_ms = s->now_ms;
    w->quiet = false;
    worker_refresh(s, w);
}

void worker_pause(struct sched *s, struct worker *w)
{
    uint32_t i = index_of_worker(s, w);
    if (w->by_pause.linked)
        list_remove(&s->paused, i);
    w->paused_ms = s->now_ms + s->limits.pause_ms;
    list_push(&s->paused, i);
    worker_refresh(s, w);
    act_trace(s, TRACE_WORKER_PAUSED, NULL)->worker = w->id;
}

void worker_remove(struct sched *s, struct worker *w, enum sched_cause cause)
{
    uint32_t i = index_of_worker(s, w);
    worker_disconnect(s, w);
    while (w->leases.head != NONE)
        lease_end(s, &s->leases[w->leases.head], cause, cause == CAUSE_LOST);
    act_trace(s, TRACE_WORKER_GONE, NULL)->worker = w->id;
    list_remove(w->quiet ? &s->quiet : &s->awake, i);
    if (w->by_pause.linked)
        list_remove(&s->paused, i);
    map_remove(&s->worker_by_id, w->id);
    *w = (struct worker){ .by_heard.next = s->workers_free };
    s->workers_free = i;
    s->workers_len--;
}

/* The ways of the set that BLOB belongs to. */
static uint64_t *blob_set(const struct sched *s, const struct worker *w, uint64_t blob)
{
    uint64_t *all = s->blobs + (size_t)index_of_worker(s, w) * s->limits.worker_blobs;
    return all + blob % (s->limits.worker_blobs / BLOB_WAYS) * BLOB_WAYS;
}

bool worker_has_blob(const struct sched *s, const struct worker *w, uint64_t blob)
{
    const uint64_t *set = blob_set(s, w, blob);
    for (int way = 0; way < BLOB_WAYS; way++)
        if (set[way] == blob)
            return true;
    return false;
}

void worker_remember(struct sched *s, struct worker *w, const uint64_t *blobs, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!worker_has_blob(s, w, blobs[i]))
            blob_set(s, w, blobs[i])[w->blob_turn++ % BLOB_WAYS] = blobs[i];
}

void worker_tick(struct sched *s)
{
    while (s->paused.head != NONE && s->workers[s->paused.head].paused_ms <= s->now_ms) {
        struct worker *w = &s->workers[s->paused.head];
        list_remove(&s->paused, s->paused.head);
        worker_refresh(s, w);
    }
    if (s->now_ms < s->grace_ms)
        return;
    while (s->awake.head != NONE) {
        struct worker *w = &s->workers[s->awake.head];
        if (w->heard_ms + s->limits.quiet_ms > s->now_ms || !out_room(s))
            break;
        list_remove(&s->awake, index_of_worker(s, w));
        list_push(&s->quiet, index_of_worker(s, w));
        w->quiet = true;
        worker_refresh(s, w);
        act_trace(s, TRACE_WORKER_QUIET, NULL)->worker = w->id;
    }
    while (s->quiet.head != NONE) {
        struct worker *w = &s->workers[s->quiet.head];
        if (w->heard_ms + s->limits.lease_ms > s->now_ms || !out_room(s))
            break;
        worker_remove(s, w, CAUSE_LOST);
    }
}
