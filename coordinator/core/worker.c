/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - who is connected, what each can take now, and which blobs each one has. */
#include <assert.h>

#include "coordinator/core/core.h"

static const uint64_t FAR_MS = (uint64_t)1 << 42; /* 139 years: room for the arithmetic */

void worker_init(struct sched *s)
{
    struct worker *first = &s->workers[0];
    s->workers_free = s->reserved_worker = s->reserved_queue = NONE;
    s->need_tick_ms = UINT64_MAX;
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

uint32_t worker_cores_used(const struct worker *w)
{
    uint32_t plain = MIN(w->used_len - w->special_len, w->slots);
    return w->special_cores + plain * (w->cores / MAX(w->slots, 1));
}

/* W has a place in the array LIST, at *AT, or not. */
static void set_place(struct sched *s, struct worker *w, bool in, uint32_t *list, uint32_t *len,
                      uint32_t *at)
{
    if (in == (*at != NONE))
        return;
    if (in) {
        *at = *len;
        list[(*len)++] = index_of_worker(s, w);
        return;
    }
    uint32_t moved = list[--*len];
    list[*at] = moved;
    if (list == s->free)
        s->workers[moved].free_at = *at;
    else
        s->workers[moved].ahead_at = *at;
    *at = NONE;
}

/* Demands that W has a free slot for now. */
static uint64_t fitting(const struct sched *s, const struct worker *w)
{
    uint64_t fits = 0, left = w->offers;
    if (index_of_worker(s, w) == s->reserved_worker)
        left &= (uint64_t)1 << s->reserved_queue % DEMANDS;
    for (; left != 0; left &= left - 1)
        if (worker_has_room(w, &s->demands[__builtin_ctzll(left)]))
            fits |= left & -left;
    return fits;
}

/* May leases wait at W, for some time that is known? */
static bool has_room_ahead(const struct sched *s, const struct worker *w)
{
    return w->slots > 0 && w->used_len >= w->slots && w->used_len < w->slots + w->queue &&
           w->special_len == 0 && w->unknown_len == 0 &&
           w->ahead_us < (uint64_t)s->limits.ahead_ms * 1000 * w->slots &&
           index_of_worker(s, w) != s->reserved_worker;
}

void worker_refresh(struct sched *s, struct worker *w)
{
    bool can = w->peer != 0 && !w->quiet && !w->draining && !w->by_pause.linked;
    bool has_slot = can && w->used_len < w->slots, waits = can && has_room_ahead(s, w);
    uint64_t fits = has_slot ? fitting(s, w) : 0, ahead = waits ? w->offers & s->plain_mask : 0;

    for (uint64_t left = fits ^ w->fits; left != 0; left &= left - 1)
        s->demands[__builtin_ctzll(left)].free_len += left & -left & fits ? 1 : UINT32_MAX;
    for (uint64_t left = ahead ^ w->ahead; left != 0; left &= left - 1)
        s->demands[__builtin_ctzll(left)].ahead_len += left & -left & ahead ? 1 : UINT32_MAX;
    w->fits = fits;
    w->ahead = ahead;
    set_place(s, w, has_slot, s->free, &s->free_len, &w->free_at);
    set_place(s, w, waits, s->ahead, &s->ahead_len, &w->ahead_at);
}

/* W begins its leases in their order: as many run as it has slots. One that is not heard of begins
 * nothing, as far as anybody knows. */
static void begin_queued(struct sched *s, struct worker *w)
{
    while (w->heard_ms == s->now_ms && w->ran_len < w->slots && w->first_queued != NONE) {
        s->leases[w->first_queued].ran = true;
        w->ran_len++;
        w->first_queued = list_next(&w->leases, w->first_queued);
    }
}

void worker_attach(struct sched *s, struct worker *w, struct lease *l)
{
    bool special = l->cores > 0 || l->memory_mib > 0 || l->alone;
    l->worker = index_of_worker(s, w);
    list_push(&w->leases, index_of_lease(s, l));
    if (w->first_queued != NONE || w->ran_len >= w->slots) {
        w->first_queued = w->first_queued != NONE ? w->first_queued : index_of_lease(s, l);
    } else {
        l->ran = true;
        w->ran_len++;
    }
    w->used_len++;
    w->special_len += special;
    w->special_cores += special ? MAX(l->cores, 1) : 0;
    w->memory_used += l->memory_mib;
    w->alone_len += l->alone;
    w->unknown_len += l->est_us == 0;
    w->ahead_us += l->est_us;
    worker_refresh(s, w);
}

void worker_detach(struct sched *s, struct worker *w, struct lease *l)
{
    bool special = l->cores > 0 || l->memory_mib > 0 || l->alone;
    if (w->first_queued == index_of_lease(s, l))
        w->first_queued = list_next(&w->leases, w->first_queued);
    list_remove(&w->leases, index_of_lease(s, l));
    w->ran_len -= l->ran;
    begin_queued(s, w);
    w->used_len--;
    w->special_len -= special;
    w->special_cores -= special ? MAX(l->cores, 1) : 0;
    w->memory_used -= l->memory_mib;
    w->alone_len -= l->alone;
    w->unknown_len -= l->est_us == 0;
    w->ahead_us -= l->est_us;
    worker_refresh(s, w);
}

struct worker *worker_add(struct sched *s, uint64_t id)
{
    uint32_t i = s->workers_free;
    if (i == NONE && s->workers_top == s->limits.workers)
        return NULL;
    if (i == NONE)
        i = s->workers_top++;
    else
        s->workers_free = s->workers[i].by_heard.next;
    struct worker *w = &s->workers[i];
    *w = (struct worker){ .used = true, .new = true, .id = id, .order = ++s->orders };
    w->free_at = w->ahead_at = w->first_queued = NONE;
    w->heard_ms = s->now_ms;
    w->until_ms = UINT64_MAX;
    w->serves = NEED_MAX;
    list_init(&w->leases, &s->leases[0].by_owner, sizeof(struct lease));
    list_push(&s->awake, i);
    map_put(&s->worker_by_id, id, i);
    s->workers_len++;
    for (uint32_t k = 0; k < s->limits.worker_blobs; k++)
        s->blobs[(size_t)i * s->limits.worker_blobs + k] = 0;
    return w;
}

/* What W offers may have changed. */
static void look_at_offers(struct sched *s, struct worker *w)
{
    uint64_t offers = 0;
    for (uint64_t left = s->demands_mask; left != 0; left &= left - 1)
        if (worker_offers(w, &s->demands[__builtin_ctzll(left)]))
            offers |= left & -left;
    for (uint64_t left = offers ^ w->offers; left != 0; left &= left - 1)
        s->demands[__builtin_ctzll(left)].able += left & -left & offers ? 1 : UINT32_MAX;
    w->offers = offers;
    s->demands_changed = true;
    worker_refresh(s, w);
}

void worker_disconnect(struct sched *s, struct worker *w)
{
    if (w->peer == 0)
        return;
    map_remove(&s->worker_by_peer, w->peer);
    w->peer = 0;
    s->connected_len--;
    if (w->until_ms != UINT64_MAX)
        need_count_limited(s, -1);
    look_at_offers(s, w);
}

void worker_look_at_time(struct sched *s, struct worker *w)
{
    uint8_t before = w->serves;
    w->serves = need_served(s, w);
    s->need_tick_ms = MIN(s->need_tick_ms, need_changes_ms(s, w));
    if (w->serves != before)
        look_at_offers(s, w);
}

/* W, connected now (WAS: and before), leaves after MS; 0: it does not say. */
static void set_end(struct sched *s, struct worker *w, bool was, uint64_t ms)
{
    bool before = was && w->until_ms != UINT64_MAX;
    w->until_ms = ms > 0 ? s->now_ms + MIN(ms, FAR_MS) : UINT64_MAX;
    need_count_limited(s, (ms > 0) - before);
    worker_look_at_time(s, w);
}

void worker_connect(struct sched *s, struct worker *w, const struct sched_event *hello)
{
    struct worker *before = worker_of_peer(s, hello->peer);
    if (before && before != w)
        worker_disconnect(s, before);
    if (w->peer != 0)
        map_remove(&s->worker_by_peer, w->peer);
    bool was_connected = w->peer != 0;
    s->connected_len += !was_connected;
    map_put(&s->worker_by_peer, hello->peer, index_of_worker(s, w));
    w->peer = hello->peer;
    w->classes = hello->hello.classes;
    w->labels = hello->hello.labels;
    w->memory_mib = hello->hello.memory_mib;
    /* One that drains by itself says so in its Credits, not in its next Hello. */
    w->slots = w->new || w->slots > 0 ? MIN(hello->hello.slots, SCHED_SLOTS_MAX) : 0;
    w->queue = MIN(hello->hello.queue, SCHED_QUEUE_MAX);
    w->cores =
        hello->hello.cores > 0 ? hello->hello.cores : MIN(hello->hello.slots, SCHED_SLOTS_MAX);
    w->new = false;
    set_end(s, w, was_connected, hello->hello.remaining_ms);
    s->demand_free |= s->demand_lost; /* perhaps it serves that one */
    s->demand_lost = false;
    look_at_offers(s, w);
}

void worker_set_slots(struct sched *s, struct worker *w, uint32_t slots, uint32_t queue)
{
    w->slots = MIN(slots, SCHED_SLOTS_MAX);
    w->queue = MIN(queue, SCHED_QUEUE_MAX);
    look_at_offers(s, w);
}

void worker_heard(struct sched *s, struct worker *w)
{
    uint32_t i = index_of_worker(s, w);
    list_remove(w->quiet ? &s->quiet : &s->awake, i);
    list_push(&s->awake, i);
    w->heard_ms = s->now_ms;
    if (!w->quiet)
        return;
    w->quiet = false;
    worker_refresh(s, w);
}

void worker_pause(struct sched *s, struct worker *w)
{
    uint32_t i = index_of_worker(s, w);
    if (w->by_pause.linked)
        list_remove(&s->paused, i);
    else
        act_trace(s, TRACE_WORKER_PAUSED, NULL)->worker = w->id;
    w->paused_ms = s->now_ms + s->limits.pause_ms;
    list_push(&s->paused, i);
    worker_refresh(s, w);
}

void worker_remove(struct sched *s, struct worker *w, enum sched_cause cause)
{
    uint32_t i = index_of_worker(s, w);
    worker_disconnect(s, w);
    while (w->leases.head != NONE) {
        struct lease *l = &s->leases[w->leases.head];
        lease_end(s, l, cause, cause == CAUSE_LOST && lease_ran(l), 0);
    }
    act_trace(s, TRACE_WORKER_GONE, NULL)->worker = w->id;
    list_remove(w->quiet ? &s->quiet : &s->awake, i);
    if (w->by_pause.linked)
        list_remove(&s->paused, i);
    map_remove(&s->worker_by_id, w->id);
    *w = (struct worker){ .by_heard.next = s->workers_free };
    s->workers_free = i;
    s->workers_len--;
}

void on_drain(struct sched *s, const struct sched_event *e)
{
    struct worker *w = worker_of_id(s, e->drain.worker);
    if (!w)
        return;
    w->draining = true;
    look_at_offers(s, w);
    if (w->peer != 0) /* else it hears it after its next Hello */
        worker_send_drain(s, w);
}

void worker_send_drain(struct sched *s, struct worker *w)
{
    w->told_ms = s->now_ms;
    struct sched_action *a = act(s, ACT_SEND_DRAIN);
    a->peer = w->peer;
    a->worker = w->id;
}

/* The word may have been lost, on a connection of which nobody knew that it was broken. One that
 * heard it has no slots any more. */
void worker_remind(struct sched *s, struct worker *w)
{
    if (w->draining && w->slots > 0 && s->now_ms - w->told_ms >= s->limits.quiet_ms)
        worker_send_drain(s, w);
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
    need_tick(s);
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
