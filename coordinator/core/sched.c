/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/core/sched.h"

#include <assert.h>
#include <string.h>

#include "coordinator/core/core.h"

/* Takes LEN items of SIZE bytes from the block at *AT, which may be NULL to measure only. */
static void *carve(char *block, size_t *at, size_t len, size_t size)
{
    void *here = block ? block + *at : NULL;
    *at += (len * size + 63) / 64 * 64;
    return here;
}

static void map_carve(char *block, size_t *at, struct map *m, size_t len)
{
    struct map_slot *slots = carve(block, at, map_slots(len), sizeof *slots);
    if (block)
        map_init(m, slots, map_slots(len));
}

/* Lay S out over BLOCK; returns the bytes that takes. BLOCK NULL: only measure. */
static size_t lay_out(struct sched *s, char *block)
{
    const struct sched_limits *x = &s->limits;
    size_t at = 0;
    (void)carve(block, &at, 1, sizeof *s);
    s->jobs_cap = x->experiments * (x->window + (x->window + 3) / 4) + x->leases;
    s->jobs = carve(block, &at, s->jobs_cap, sizeof *s->jobs);
    s->leases = carve(block, &at, x->leases, sizeof *s->leases);
    s->workers = carve(block, &at, x->workers, sizeof *s->workers);
    s->free = carve(block, &at, x->workers, sizeof *s->free);
    s->ahead = carve(block, &at, x->workers, sizeof *s->ahead);
    s->accounts = carve(block, &at, x->experiments, sizeof *s->accounts);
    s->queues = carve(block, &at, (size_t)x->experiments * DEMANDS, sizeof *s->queues);
    s->live = carve(block, &at, (size_t)x->experiments * DEMANDS, sizeof *s->live);
    s->shapes = carve(block, &at, x->shapes, sizeof *s->shapes);
    s->blobs = carve(block, &at, (size_t)x->workers * x->worker_blobs, sizeof *s->blobs);
    map_carve(block, &at, &s->job_by_id, s->jobs_cap);
    map_carve(block, &at, &s->lease_by_attempt, x->leases);
    map_carve(block, &at, &s->waiting_by_holder, x->leases);
    map_carve(block, &at, &s->account_by_id, x->experiments);
    map_carve(block, &at, &s->worker_by_id, x->workers);
    map_carve(block, &at, &s->worker_by_peer, x->workers);
    return at;
}

size_t sched_size(const struct sched_limits *limits)
{
    struct sched s = { .limits = *limits };
    return lay_out(&s, NULL);
}

static void check_limits(const struct sched_limits *x)
{
    assert(x->window > 0 && x->experiments > 0 && x->leases > 0 && x->workers > 0);
    assert((uint64_t)x->window * x->experiments < NONE / 8 && x->leases < NONE / 8);
    assert(x->workers < NONE / 8 && x->reserve > 0);
    assert(x->worker_blobs > 0 && x->worker_blobs % BLOB_WAYS == 0);
    assert(x->shapes > 0 && x->shapes % SHAPE_WAYS == 0);
    assert(x->lease_ms > 0 && x->pause_ms > 0 && x->reattach_ms > 0 && x->ahead_ms > 0);
    assert(x->quiet_ms > 0 && x->quiet_ms <= x->lease_ms);
    assert(x->left_min_ms >= 2 * x->ahead_ms && x->left_min_ms <= INT32_MAX);
    assert(x->backoff_ms > 0 && x->backoff_ms <= x->backoff_max_ms);
    assert(x->losses_max > 0 && x->quarantine > 0);
}

struct sched *sched_init(void *memory, const struct sched_limits *limits)
{
    struct sched *s = memory;

    assert((uintptr_t)memory % 64 == 0);
    check_limits(limits);
    memset(s, 0, sizeof *s);
    s->limits = *limits;
    (void)lay_out(s, memory);
    memset(s->shapes, 0, limits->shapes * sizeof *s->shapes);
    s->jobs_free = s->resting_root = NONE;
    account_init(s);
    lease_init(s);
    worker_init(s);
    return s;
}

static void on_start(struct sched *s, const struct sched_event *e)
{
    assert(s->incarnation == 0 && e->start.incarnation > 0);
    assert(e->start.first_attempt > 0);
    s->incarnation = e->start.incarnation;
    s->next_attempt = e->start.first_attempt;
    s->reserved_upto = e->start.first_attempt - 1;
    s->ask = true;
}

/* A message of a worker. */
static void on_message(struct sched *s, const struct sched_event *e)
{
    struct worker *w = e->peer != 0 ? worker_of_peer(s, e->peer) : NULL;

    assert(e->peer != 0 || e->kind == EV_RESULT);
    if (e->kind == EV_HELLO) {
        on_hello(s, e);
    } else if (e->kind == EV_GOODBYE) {
        on_goodbye(s, w, e);
    } else if (!w && e->peer != 0) {
        if (e->kind == EV_UNREACHABLE)
            return;
        struct sched_action *a = act(s, ACT_SEND_REFUSE);
        a->peer = e->peer;
        a->code = ERR_STALE;
    } else if (e->kind == EV_UNREACHABLE) {
        worker_disconnect(s, w);
    } else {
        if (w)
            worker_heard(s, w);
        if (e->kind == EV_HEARTBEAT)
            worker_remind(s, w);
        else if (e->kind == EV_CREDITS)
            on_credits(s, w, e);
        else if (e->kind == EV_RENEW)
            on_renew(s, w, e);
        else if (e->kind == EV_CHECKPOINT)
            on_checkpoint(s, w, e);
        else if (e->kind == EV_EXAMPLE)
            on_example(s, w, e);
        else if (e->kind == EV_RESULT)
            on_result(s, w, e);
    }
}

static void handle(struct sched *s, const struct sched_event *e)
{
    switch (e->kind) {
    case EV_START:
        on_start(s, e);
        break;
    case EV_OPEN:
        on_open(s, e);
        break;
    case EV_JOB:
        on_job(s, e);
        break;
    case EV_LOADED:
        on_loaded(s, e);
        break;
    case EV_READY:
        on_ready(s, e);
        break;
    case EV_CANCEL:
        on_cancel(s, e);
        break;
    case EV_CHANGE:
        on_change(s, e);
        break;
    case EV_DRAIN:
        on_drain(s, e);
        break;
    case EV_TICK:
        break; /* every step looks at the time */
    case EV_HELLO:
    case EV_CREDITS:
    case EV_HEARTBEAT:
    case EV_RENEW:
    case EV_EXAMPLE:
    case EV_CHECKPOINT:
    case EV_RESULT:
    case EV_GOODBYE:
    case EV_UNREACHABLE:
        on_message(s, e);
        break;
    case SCHED_EVENTS:
        assert(e->kind < SCHED_EVENTS);
    }
}

static void review(struct sched *s)
{
    if (!s->demands_changed && !s->demand_free && !s->needs_changed)
        return;
    s->demands_changed = false;
    demands_review(s);
}

void sched_step(struct sched *s, const struct sched_event *e, struct sched_actions *ret)
{
    assert(e->now_ms >= s->now_ms);
    assert(s->incarnation != 0 || e->kind == EV_START);
    /* A shell that was away (a slow disk, SIGSTOP) finds renewals that wait in its sockets: give
     * them the time to be read, or its own pause would cost every lease. */
    uint64_t due_ms = sched_next_timeout(s);
    if (e->now_ms > due_ms && e->now_ms - due_ms > s->limits.quiet_ms / 2)
        s->grace_ms = e->now_ms + s->limits.quiet_ms / 2;
    s->now_ms = e->now_ms;
    out_begin(s, ret);
    /* The message first: what it says may save a lease whose time is over this very moment. */
    handle(s, e);
    lease_tick(s);
    worker_tick(s);
    job_tick(s);
    review(s);
    dispatch(s);
    review(s);
    window_load(s);
    out_end(s);
}

uint64_t sched_next_timeout(const struct sched *s)
{
    uint64_t at = UINT64_MAX;
    if (s->work_left)
        return s->now_ms;
    if (s->active.head != NONE)
        at = MIN(at, s->leases[s->active.head].expires_ms);
    if (s->waiting.head != NONE)
        at = MIN(at, s->leases[s->waiting.head].expires_ms);
    if (s->awake.head != NONE)
        at = MIN(at, s->workers[s->awake.head].heard_ms + s->limits.quiet_ms);
    if (s->quiet.head != NONE)
        at = MIN(at, s->workers[s->quiet.head].heard_ms + s->limits.lease_ms);
    at = MAX(at, s->grace_ms);
    if (s->paused.head != NONE)
        at = MIN(at, s->workers[s->paused.head].paused_ms);
    at = MIN(at, s->need_tick_ms);
    if (s->resting_root != NONE)
        at = MIN(at, s->jobs[s->resting_root].due_ms);
    if (s->later_ms != 0)
        at = MIN(at, s->later_ms);
    if (s->ask && s->loading == NONE)
        at = MIN(at, MAX(s->ask_ms, s->now_ms));
    return at;
}
