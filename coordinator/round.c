/* SPDX-License-Identifier: Apache-2.0 */
/* round.c - the round's transaction: what came together is committed together, and only then
 * answered. A round ends when the inbox is empty, or when it is full. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "coordinator/shell.h"

bool shell_fatal(int code)
{
    switch (code) {
    case ERR_OK:
    case ERR_STALE:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_LIMIT:
        return false;
    default:
        return true;
    }
}

void shell_fail(struct server *s, int code, const struct err *err)
{
    if (s->failed)
        return;
    s->failed = code;
    s->failure = *err;
    log_error("store_failed", "code=%d reason=\"%s\"", code, err->text);
    shell_send_drop(s);
    store_rollback(s->store);
    loop_stop(s->loop);
}

static bool begin(struct server *s)
{
    struct err err = { 0 };
    int rc = store_begin(s->store, &err);

    if (rc < 0)
        shell_fail(s, rc, &err);
    return rc == 0;
}

bool shell_transaction(struct server *s)
{
    if (s->failed)
        return false;
    return store_in_transaction(s->store) || begin(s);
}

/* A look at the clock costs as much as a tenth of the core's work for a result: one is good for a
 * few steps, which together take less than its millisecond. */
enum { STEPS_PER_LOOK = 16 };

uint64_t shell_now_ms(struct server *s)
{
    if (s->now_steps == 0) {
        s->now_ms = clock_ms();
        s->wall_ms = clock_wall_ms();
    }
    s->now_steps = (s->now_steps + 1) % STEPS_PER_LOOK;
    return s->now_ms;
}

/* Results and other messages of a round: 2048 at 10 us each keep everybody else waiting for 20 ms,
 * and share one fsync (0.2 ms on a good disk, 10 ms on a slow one). */
enum { ROUND_MAX = 2048 };

static int commit(struct server *s, struct err *err)
{
    uint64_t begin_ns = clock_ns(), us;
    int rc = store_commit(s->store, err);

    us = (clock_ns() - begin_ns) / 1000;
    metric_observe(&s->metrics.commit, METRIC_SHORT, us);
    s->metrics.commit_us_max = MAX(s->metrics.commit_us_max, us);
    return rc;
}

static void end_round(struct server *s)
{
    uint64_t us = s->round_ns ? (clock_ns() - s->round_ns) / 1000 : 0;

    if (s->round_ns)
        metric_observe(&s->metrics.round, METRIC_SHORT, us);
    s->metrics.round_us_max = MAX(s->metrics.round_us_max, us);
    s->round_ns = 0;
    s->round_weight = 0;
    s->round_loads = 0;
    s->now_steps = 0;
}

/* A submission is committed, but not on the disk yet. Who submitted it must wait for that; a worker
 * need not, so what it begins is begun meanwhile: should a power cut take the submission, then
 * nobody was told of it, and the worker, that holds an attempt nobody knows, is told to drop it. */
static int make_durable(struct server *s, struct err *err)
{
    shell_send_leases(s);
    return store_sync(s->store, err);
}

void shell_flush(struct server *s)
{
    do {
        struct err err = { 0 };
        int rc = store_in_transaction(s->store) && !s->failed ? commit(s, &err) : 0;

        if (rc == 0 && !s->failed && !store_synced(s->store) && !shell_ready_waits(s))
            rc = make_durable(s, &err);
        if (rc < 0)
            shell_fail(s, rc, &err);
        if (s->failed)
            return;
        s->now_steps = 0; /* a disk may take its time */
        if (store_synced(s->store))
            shell_send_all(s);
        if (shell_ready_waits(s))
            shell_tell_ready(s);
    } while (!store_synced(s->store) || shell_ready_waits(s) || shell_sends_wait(s) ||
             store_in_transaction(s->store));
    if (!s->failed) /* everybody has heard; it takes milliseconds */
        store_tidy(s->store);
    if (!s->failed) /* a load that waits goes on in the next round */
        loop_timer_set(s->loop, s->tick_timer,
                       s->load.wanted ? clock_ms() : sched_next_timeout(s->sched));
    end_round(s);
}

void shell_weigh(struct server *s, size_t n)
{
    s->round_weight += n;
    if (s->round_weight >= ROUND_MAX && !s->failed)
        shell_flush(s);
}
