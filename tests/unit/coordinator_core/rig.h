/* SPDX-License-Identifier: Apache-2.0 */
/* rig.h - a scheduler on a bench: events by one line each, and questions about the actions of the
 * last step. The invariant and the order law are checked after every step. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_RIG_H
#define TESTS_UNIT_COORDINATOR_CORE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "coordinator/core/sched.h"

struct rig {
    struct sched *s;
    struct sched_actions out;
    uint64_t now_ms;
};

enum {
    LEASE_MS = 1000,
    QUIET_MS = 400,
    PAUSE_MS = 100,
    REATTACH_MS = 3000,
    AHEAD_MS = 50,
    LEFT_MIN_MS = 1000,
    BACKOFF_MS = 10,
    BACKOFF_MAX_MS = 70,
    LOSSES_MAX = 4,
    QUARANTINE = 5,
    RESERVE = 5,
    FIRST_ATTEMPT = 100,
};

static const struct sched_limits rig_limits = { .window = 64,
                                                .experiments = 4,
                                                .shapes = 16,
                                                .reserve = RESERVE,
                                                .ahead_ms = AHEAD_MS,
                                                .left_min_ms = LEFT_MIN_MS,
                                                .backoff_ms = BACKOFF_MS,
                                                .backoff_max_ms = BACKOFF_MAX_MS,
                                                .quarantine = QUARANTINE,
                                                .leases = 128,
                                                .workers = 16,
                                                .worker_blobs = 16,
                                                .lease_ms = LEASE_MS,
                                                .quiet_ms = QUIET_MS,
                                                .pause_ms = PAUSE_MS,
                                                .reattach_ms = REATTACH_MS,
                                                .losses_max = LOSSES_MAX };

static void rig_step(struct rig *r, struct sched_event e)
{
    e.now_ms = r->now_ms;
    sched_step(r->s, &e, &r->out);
    assert_true(sched_invariant(r->s));
    for (size_t i = 0; i < r->out.len; i++)
        assert_true((r->out.v[i].kind <= ACT_COMPARE) == (i < r->out.stores_len));
}

static inline void rig_ready(struct rig *r, uint64_t experiment, int32_t priority)
{
    rig_step(r,
             (struct sched_event){ .kind = EV_READY,
                                   .ready = { .experiment = experiment, .priority = priority } });
}

static inline void rig_loaded(struct rig *r, uint64_t experiment, uint32_t given)
{
    rig_step(r, (struct sched_event){ .kind = EV_LOADED,
                                      .loaded = { .experiment = experiment, .given = given } });
}

/* A scheduler started as INCARNATION; the store has ready jobs of experiment 1, and the LOAD for
 * them is left unanswered. */
static struct rig *rig_new_as(const struct sched_limits *limits, uint32_t incarnation)
{
    struct rig *r = mem_calloc(1, sizeof *r);
    r->s = sched_init(mem_aligned(1, sched_size(limits)), limits);
    struct sched_event e = { .kind = EV_START };
    e.start.incarnation = incarnation;
    e.start.first_attempt = FIRST_ATTEMPT;
    rig_step(r, e);
    assert_int_equal(r->out.len, 1);
    assert_int_equal(r->out.v[0].kind, ACT_LOAD);
    assert_int_equal(r->out.v[0].experiment, 0);
    rig_ready(r, 1, 0);
    rig_loaded(r, 0, 1);
    return r;
}

static inline struct rig *rig_new(void)
{
    return rig_new_as(&rig_limits, 1);
}

static void rig_free(struct rig *r)
{
    free(r->s);
    free(r);
}

/* One event of nothing but its kind and peer. */
static inline void rig_say(struct rig *r, enum sched_event_kind kind, uint64_t peer)
{
    rig_step(r, (struct sched_event){ .kind = kind, .peer = peer });
}

/* Time goes on by MS; all timeouts on the way are served. The actions are those of the last one. */
static inline void rig_pass(struct rig *r, uint64_t ms)
{
    uint64_t end_ms = r->now_ms + ms;
    while (sched_next_timeout(r->s) <= end_ms) {
        r->now_ms = MAX(r->now_ms, sched_next_timeout(r->s));
        rig_step(r, (struct sched_event){ .kind = EV_TICK });
    }
    r->now_ms = end_ms;
}

/* Of experiment 1 unless it says another. */
static inline void rig_job_row(struct rig *r, struct sched_job row)
{
    row.experiment = row.experiment ? row.experiment : 1;
    rig_step(r, (struct sched_event){ .kind = EV_JOB, .job = row });
}

static inline void rig_job(struct rig *r, uint64_t id)
{
    rig_job_row(r, (struct sched_job){ .id = id, .retries = 1 });
}

static inline void rig_hello_held(struct rig *r, uint64_t worker, uint64_t peer, uint32_t credits,
                                  const struct sched_held *held, size_t held_len)
{
    struct sched_event e = { .kind = EV_HELLO, .peer = peer };
    e.hello.worker = worker;
    e.hello.slots = credits;
    e.hello.classes = 1;
    e.hello.held = held;
    e.hello.held_len = held_len;
    rig_step(r, e);
}

/* Worker N comes as peer N, with what HELLO says (classes 1 unless it says others). */
static inline void rig_hello_as(struct rig *r, uint64_t n, struct sched_event hello)
{
    hello.kind = EV_HELLO;
    hello.peer = hello.hello.worker = n;
    hello.hello.classes = hello.hello.classes ? hello.hello.classes : 1;
    rig_step(r, hello);
}

/* Worker N comes as peer N with CREDITS. */
static inline void rig_hello(struct rig *r, uint64_t n, uint32_t credits)
{
    rig_hello_held(r, n, n, credits, NULL, 0);
}

/* Worker N is a healthy one: it says that it lives and that every attempt in HELD moves. */
static inline void rig_renew(struct rig *r, uint64_t peer, uint64_t attempt, uint32_t epoch,
                             uint64_t progress)
{
    struct sched_held held = { .attempt = attempt, .epoch = epoch, .progress = progress };
    struct sched_event e = { .kind = EV_RENEW, .peer = peer };
    e.renew.held = &held;
    e.renew.held_len = 1;
    rig_step(r, e);
}

static inline void rig_result(struct rig *r, uint64_t peer, struct sched_action lease,
                              enum sched_cause outcome)
{
    struct sched_event e = { .kind = EV_RESULT, .peer = peer };
    e.result.attempt = lease.attempt;
    e.result.epoch = lease.epoch;
    e.result.outcome = outcome;
    e.result.seq = 77;
    rig_step(r, e);
}

/* LEASE is done after WALL_US. */
static inline void rig_done_after(struct rig *r, struct sched_action lease, uint64_t wall_us)
{
    struct sched_event e = { .kind = EV_RESULT, .peer = lease.peer };
    e.result.attempt = lease.attempt;
    e.result.epoch = lease.epoch;
    e.result.wall_us = wall_us;
    rig_step(r, e);
}

static inline void rig_example(struct rig *r, uint64_t peer, struct sched_action lease)
{
    struct sched_event e = { .kind = EV_EXAMPLE, .peer = peer };
    e.result.attempt = lease.attempt;
    e.result.epoch = lease.epoch;
    e.result.seq = 78;
    rig_step(r, e);
}

static inline void rig_checkpoint(struct rig *r, uint64_t peer, struct sched_action lease)
{
    struct sched_event e = { .kind = EV_CHECKPOINT, .peer = peer };
    e.result.attempt = lease.attempt;
    e.result.epoch = lease.epoch;
    e.result.seq = 79;
    rig_step(r, e);
}

static inline void rig_cancel(struct rig *r, uint64_t job)
{
    rig_step(r, (struct sched_event){ .kind = EV_CANCEL, .cancel.job = job });
}

/* How many actions of KIND the last step returned. */
static inline size_t rig_count(const struct rig *r, enum sched_action_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < r->out.len; i++)
        n += r->out.v[i].kind == kind;
    return n;
}

/* The last step's only action of KIND. */
static inline struct sched_action rig_only(const struct rig *r, enum sched_action_kind kind)
{
    assert_int_equal(rig_count(r, kind), 1);
    size_t i = 0;
    while (r->out.v[i].kind != kind)
        i++;
    return r->out.v[i];
}

/* Job 1 leased to worker 1 (peer 1, one credit). */
static inline struct sched_action rig_one_lease(struct rig *r)
{
    rig_hello(r, 1, 1);
    rig_job(r, 1);
    return rig_only(r, ACT_SEND_LEASE);
}

#endif
