/* SPDX-License-Identifier: Apache-2.0 */
/* actions.c - carrying out what the core says: rows into the round's transaction, messages into
 * the outbox; round.c commits the one before the other leaves. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

/* The wall time of BEGUN_MS of the core's clock. */
static int64_t wall_of(const struct server *s, uint64_t begun_ms)
{
    return s->wall_ms - (int64_t)(s->now_ms - begun_ms);
}

static uint64_t row_of_worker(const struct server *s, uint64_t worker)
{
    struct shell_worker *w;

    HASH_FIND(hh, s->workers, &worker, sizeof(worker), w);
    return w ? w->row : 0;
}

bool shell_begun(const struct server *s, uint64_t attempt, struct store_begun *ret)
{
    struct sched_attempt_view view;

    if (!sched_attempt(s->sched, attempt, &view) || view.stored || !view.job)
        return false;
    *ret = (struct store_begun){ .attempt = attempt,
                                 .job = view.job,
                                 .worker = row_of_worker(s, view.worker),
                                 .epoch = view.epoch,
                                 .started_ms = wall_of(s, view.begun_ms) };
    return true;
}

static struct store_begun begun_of(const struct server *s, const struct sched_action *a)
{
    return (struct store_begun){ .attempt = a->attempt,
                                 .job = a->job,
                                 .worker = row_of_worker(s, a->worker),
                                 .epoch = a->epoch,
                                 .started_ms = a->begun_ms ? wall_of(s, a->begun_ms) : 0 };
}

static int store_start(struct server *s, const struct sched_action *a, struct err *err)
{
    const struct store_begun begun = begun_of(s, a);

    return store_attempt_begin(s->store, &begun, err);
}

/* Will this step's actions make the job of A failed for good? */
static bool is_final(const struct server *s, const struct sched_action *a)
{
    for (size_t i = 0; i < s->actions->stores_len; i++) {
        const struct sched_action *b = &s->actions->v[i];

        if (b->kind == ACT_STORE_JOB && b->job == a->job && b->state == JOB_FAILED)
            return true;
    }
    return false;
}

static int store_end(struct server *s, const struct sched_action *a, struct err *err)
{
    const struct store_begun begun = begun_of(s, a);

    return shell_store_end(s, a, a->whole ? &begun : NULL, is_final(s, a), err);
}

static int store_result(struct server *s, const struct sched_action *a, struct err *err)
{
    const struct store_begun begun = begun_of(s, a);
    enum store_verdict verdict;

    return shell_store_done(s, a->whole ? &begun : NULL, false, &verdict, err);
}

/* Of an attempt that may never have been stored: then only its worker knows whose it was. */
static void compare(struct server *s, const struct sched_action *a)
{
    const struct store_begun begun = begun_of(s, a);
    enum store_verdict verdict;
    struct err err = { 0 };
    int rc = 0;

    if (s->result)
        rc = shell_store_done(s, a->job ? &begun : NULL, true, &verdict, &err);
    if (shell_fatal(rc) && rc != ERR_CONFLICT)
        shell_fail(s, rc, &err);
    else if (rc < 0)
        log_info("late_result", "attempt=%llu reason=\"%s\"", (unsigned long long)a->attempt,
                 err.text);
}

/* An example or a checkpoint. */
static void piece(struct server *s, int (*store)(struct server *s, struct err *err),
                  const char *event)
{
    struct err err = { 0 };
    int rc = store(s, &err);

    if (shell_fatal(rc))
        shell_fail(s, rc, &err);
    else if (rc < 0) {
        /* It is acked with the reason: sent again it would fail again. */
        s->message_code = rc;
        log_warn(event, "peer=%llx reason=\"%s\"", (unsigned long long)s->peer, err.text);
    }
}

static bool is_result(const struct sched_action *a)
{
    return a->cause == CAUSE_DONE || a->cause == CAUSE_DIVERGED;
}

/* Is nothing (more) to be written for A? */
static bool is_written(const struct server *s, const struct sched_action *a)
{
    /* The inbox has put it there already, to learn whether it is whole. */
    if (a->kind == ACT_STORE_RESULT)
        return s->result_stored;
    /* Results are in their row; what waited at a worker and never began leaves none. */
    return a->kind == ACT_STORE_ATTEMPT_END && (is_result(a) || (!a->began && a->whole));
}

static void carry_out_store(struct server *s, const struct sched_action *a)
{
    struct err err = { 0 };
    int rc = 0;

    if (!shell_transaction(s))
        return;
    if (a->kind == ACT_STORE_RESERVE)
        rc = store_attempts_reserve(s->store, a->attempt, &err);
    else if (a->kind == ACT_STORE_ATTEMPT_START)
        rc = store_start(s, a, &err);
    else if (a->kind == ACT_STORE_EXAMPLE)
        piece(s, shell_store_example, "bad_example");
    else if (a->kind == ACT_STORE_CHECKPOINT)
        piece(s, shell_store_checkpoint, "bad_checkpoint");
    else if (a->kind == ACT_STORE_RESULT)
        rc = store_result(s, a, &err);
    else if (a->kind == ACT_STORE_ATTEMPT_END)
        rc = store_end(s, a, &err);
    else if (a->kind == ACT_COMPARE)
        compare(s, a);
    /* ACT_STORE_JOB: the attempt's end and store_cancel() have written it. */
    if (rc < 0)
        shell_fail(s, rc, &err); /* the core is ahead of the store: whatever the code, stop */
}

static void name_held(const struct sched_held *held, uint32_t len, Drover__Held *ret,
                      Drover__Held **ret_list)
{
    for (uint32_t i = 0; i < len; i++) {
        drover__held__init(&ret[i]);
        ret[i].attempt = held[i].attempt;
        ret[i].epoch = held[i].epoch;
        ret_list[i] = &ret[i];
    }
}

static void send_welcome(struct server *s, const struct sched_action *a)
{
    /* Each attempt of the Hello is in one of the two. */
    Drover__Held held[SCHED_HELD_MAX], *list[SCHED_HELD_MAX];
    Drover__Held **keep_list = list, **drop_list = list + a->keep_len;
    Drover__Welcome m = DROVER__WELCOME__INIT;

    name_held(a->keep, a->keep_len, held, keep_list);
    name_held(a->drop, a->drop_len, held + a->keep_len, drop_list);
    m.incarnation = s->incarnation;
    m.lease_ms = s->options.lease_ms;
    m.renew_ms = s->options.renew_ms;
    m.heartbeat_ms = s->options.heartbeat_ms;
    m.blob_endpoint = (char *)(uintptr_t)blob_server_endpoint(s->blobs);
    m.keep = keep_list;
    m.n_keep = a->keep_len;
    m.drop = drop_list;
    m.n_drop = a->drop_len;
    shell_send(s, a->peer, DROVER__ENVELOPE__BODY_WELCOME, &m, 0);
}

static void send_cancel(struct server *s, const struct sched_action *a)
{
    Drover__Cancel m = DROVER__CANCEL__INIT;

    m.attempt = a->attempt;
    m.epoch = a->epoch;
    m.why = (char *)(uintptr_t) "no longer wanted";
    shell_send(s, a->peer, DROVER__ENVELOPE__BODY_CANCEL, &m, 0);
}

static void send_drain(struct server *s, const struct sched_action *a)
{
    Drover__Drain m = DROVER__DRAIN__INIT;

    m.why = (char *)(uintptr_t) "asked for";
    shell_send(s, a->peer, DROVER__ENVELOPE__BODY_DRAIN, &m, 0);
}

static void send_lease(struct server *s, const struct sched_action *a)
{
    struct attempt *t = attempts_add(s->attempts, a->attempt, a->epoch, a->job, s->now_ms);
    struct err err; /* not cleared: it is read when it is set */
    int rc = shell_send_lease(s, a->peer, t, &err);

    if (rc == 0)
        return;
    if (shell_fatal(rc)) {
        shell_fail(s, rc, &err);
        return;
    }
    log_warn("lease_failed", "job=%llu reason=\"%s\"", (unsigned long long)a->job, err.text);
    if (s->lost_len == s->lost_cap) {
        s->lost_cap = s->lost_cap ? 2 * s->lost_cap : 16;
        s->lost = mem_realloc(s->lost, s->lost_cap, sizeof(*s->lost));
    }
    s->lost[s->lost_len].attempt = a->attempt;
    s->lost[s->lost_len].epoch = a->epoch;
    (void)snprintf(s->lost[s->lost_len].why, sizeof(s->lost[0].why), "%.255s", err.text);
    s->lost_len++;
}

static void count_of_worker(struct server *s, const struct sched_action *a, bool done)
{
    struct shell_worker *w;

    HASH_FIND(hh, s->workers, &a->worker, sizeof(a->worker), w);
    if (w && done)
        w->jobs_done++;
    else if (w)
        w->jobs_failed++;
}

static void count_trace(struct server *s, const struct sched_action *a)
{
    s->metrics.stale += a->trace == TRACE_STALE;
    if (a->trace != TRACE_ENDED)
        return;
    s->metrics.ended[a->cause]++;
    if (a->cause != CAUSE_PREEMPTED && a->cause != CAUSE_CANCELLED)
        count_of_worker(s, a, a->cause == CAUSE_DONE || a->cause == CAUSE_DIVERGED);
}

/* Leases come and go by the ten thousand: they are told to those who want to know all. */
static bool is_told(const struct sched_action *a)
{
    return (a->trace != TRACE_LEASED && a->trace != TRACE_ENDED) || log_on(LOG_DEBUG);
}

static void trace(struct server *s, const struct sched_action *a)
{
    struct shell_worker *w;
    const enum log_level level =
        a->trace == TRACE_LEASED || a->trace == TRACE_ENDED ? LOG_DEBUG : LOG_INFO;
    struct err err = { 0 };
    bool goodbye;
    int rc;

    HASH_FIND(hh, s->workers, &a->worker, sizeof(a->worker), w);
    log_write(level, sched_trace_name(a->trace), "job=%llu attempt=%llu worker=\"%s\" cause=%s",
              (unsigned long long)a->job, (unsigned long long)a->attempt, w ? w->name : "-",
              a->trace == TRACE_ENDED ? sched_cause_name(a->cause) : "-");
    if (a->trace != TRACE_WORKER_GONE || !w || !shell_transaction(s))
        return;
    goodbye = s->message && s->message->body_case == DROVER__ENVELOPE__BODY_GOODBYE;
    rc = store_worker_gone(s->store, w->row, goodbye ? "goodbye" : "lost", &err);
    if (shell_fatal(rc))
        shell_fail(s, rc, &err);
    HASH_DEL(s->workers, w);
    free(w);
}

static void carry_out_rest(struct server *s, const struct sched_action *a)
{
    switch (a->kind) {
    case ACT_SEND_WELCOME:
        send_welcome(s, a);
        break;
    case ACT_SEND_REFUSE:
        shell_refuse(s, a->peer, 0, a->code,
                     a->code == ERR_STALE ? "this connection is not known: say Hello"
                                          : "too many workers");
        break;
    case ACT_SEND_LEASE:
        send_lease(s, a);
        break;
    case ACT_SEND_ACK:
        shell_send_ack(s, a->peer, a->seq, a->code ? a->code : s->message_code);
        break;
    case ACT_SEND_CANCEL:
        send_cancel(s, a);
        break;
    case ACT_SEND_DRAIN:
        send_drain(s, a);
        break;
    case ACT_LOAD:
        s->load.wanted = true;
        s->load.experiment = a->experiment;
        s->load.want = a->want;
        s->load.fresh = a->fresh;
        s->load.given = 0;
        break;
    case ACT_TRACE:
        count_trace(s, a);
        if (is_told(a))
            trace(s, a);
        break;
    case ACT_STORE_RESERVE:
    case ACT_STORE_ATTEMPT_START:
    case ACT_STORE_EXAMPLE:
    case ACT_STORE_CHECKPOINT:
    case ACT_STORE_RESULT:
    case ACT_STORE_ATTEMPT_END:
    case ACT_STORE_JOB:
    case ACT_COMPARE:
    case SCHED_ACTION_KINDS:
        assert(false); /* a STORE action among the others */
    }
}

void shell_one_step(struct server *s, struct sched_event *e)
{
    e->now_ms = shell_now_ms(s);
    sched_step(s->sched, e, s->actions);
    for (size_t i = 0; i < s->actions->len && !s->failed; i++) {
        const struct sched_action *a = &s->actions->v[i];

        if (i >= s->actions->stores_len)
            carry_out_rest(s, a);
        else if (!is_written(s, a))
            carry_out_store(s, a);
        if (a->kind == ACT_STORE_ATTEMPT_END) {
            if (a->began && a->begun_ms)
                metric_observe(&s->metrics.attempt, METRIC_LONG, (e->now_ms - a->begun_ms) * 1000);
            attempts_end(s->attempts, a->attempt);
        }
    }
    s->message = NULL;
    s->result = NULL;
    s->message_code = 0;
    s->result_stored = false;
    s->end_why = NULL;
}

/* End an attempt whose lease could not be built. */
static void end_lost(struct server *s)
{
    struct sched_event e = { .kind = EV_RESULT };
    char why[sizeof(s->lost[0].why)];

    s->lost_len--;
    e.result.attempt = s->lost[s->lost_len].attempt;
    e.result.epoch = s->lost[s->lost_len].epoch;
    e.result.outcome = CAUSE_FAILED;
    memcpy(why, s->lost[s->lost_len].why, sizeof(why));
    s->end_why = why;
    s->end_attempt = e.result.attempt;
    shell_one_step(s, &e);
}

enum { ROUND_LOADS_MAX = 8 }; /* about 1 ms each; more of them in the next round */

void shell_follow_up(struct server *s)
{
    while (!s->failed && !s->starting &&
           (s->lost_len || (s->load.wanted && s->round_loads < ROUND_LOADS_MAX))) {
        if (s->lost_len) {
            end_lost(s);
            continue;
        }
        s->round_loads++;
        shell_load(s);
    }
}

void shell_step(struct server *s, struct sched_event *e)
{
    if (s->failed)
        return;
    shell_one_step(s, e);
    shell_follow_up(s);
}
