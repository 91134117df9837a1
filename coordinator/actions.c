/* SPDX-License-Identifier: Apache-2.0 */
/* actions.c - carrying out what the core says: rows into the round's transaction, messages into the
 * outbox, and then the commit before the messages. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
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

bool shell_transaction(struct server *s)
{
    struct err err = { 0 };
    int rc;

    if (s->failed)
        return false;
    if (store_in_transaction(s->store))
        return true;
    rc = store_begin(s->store, &err);
    if (rc < 0)
        shell_fail(s, rc, &err);
    return rc == 0;
}

static int store_start(struct server *s, const struct sched_action *a, struct err *err)
{
    struct shell_worker *w;
    struct attempt *t;
    uint64_t row;
    uint32_t epoch;
    int rc;

    HASH_FIND(hh, s->workers, &a->worker, sizeof(a->worker), w);
    rc = store_attempt_start(s->store, a->job, w ? w->row : 0, &row, &epoch, err);
    if (rc < 0)
        return rc;
    t = attempts_add(s->attempts, a->attempt, a->epoch, row, epoch, a->job);
    (void)t;
    return 0;
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
    struct attempt *t = attempts_by_core(s->attempts, a->attempt);
    int rc = 0;

    assert(t);
    if (a->cause != CAUSE_DONE && a->cause != CAUSE_DIVERGED) /* those are in the result's row */
        rc = shell_store_end(s, t, a->cause, is_final(s, a), err);
    attempts_end(s->attempts, t);
    return rc;
}

static int store_result(struct server *s, const struct sched_action *a, struct err *err)
{
    enum store_verdict verdict;

    (void)a;
    /* The inbox has put it there already, to learn whether it is whole. */
    if (s->result_stored)
        return 0;
    return shell_store_done(s, &verdict, err);
}

static void compare(struct server *s)
{
    enum store_verdict verdict;
    struct err err = { 0 };
    int rc = s->message ? shell_store_done(s, &verdict, &err) : 0;

    if (shell_fatal(rc))
        shell_fail(s, rc, &err);
    else if (rc < 0)
        log_info("late_result", "reason=\"%s\"", err.text);
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

static void carry_out_store(struct server *s, const struct sched_action *a)
{
    struct err err = { 0 };
    int rc = 0;

    if (!shell_transaction(s))
        return;
    if (a->kind == ACT_STORE_ATTEMPT_START)
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
        compare(s);
    /* ACT_STORE_JOB: the attempt's end and store_cancel() have written it. */
    if (rc < 0)
        shell_fail(s, rc, &err); /* the core is ahead of the store: whatever the code, stop */
}

static void send_held(struct server *s, const struct sched_held *held, uint32_t len,
                      Drover__Held *ret, Drover__Held **ret_list)
{
    for (uint32_t i = 0; i < len; i++) {
        const struct attempt *t = attempts_by_core(s->attempts, held[i].attempt);

        drover__held__init(&ret[i]);
        ret[i].attempt = t ? t->row : held[i].attempt;
        ret[i].epoch = t ? t->row_epoch : held[i].epoch;
        ret_list[i] = &ret[i];
    }
}

static void send_welcome(struct server *s, const struct sched_action *a)
{
    Drover__Held keep[SCHED_HELD_MAX], drop[SCHED_HELD_MAX];
    Drover__Held *keep_list[SCHED_HELD_MAX], *drop_list[SCHED_HELD_MAX];
    Drover__Welcome m = DROVER__WELCOME__INIT;

    send_held(s, a->keep, a->keep_len, keep, keep_list);
    send_held(s, a->drop, a->drop_len, drop, drop_list);
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

static void send_ack(struct server *s, const struct sched_action *a)
{
    Drover__Ack m = DROVER__ACK__INIT;
    uint64_t seq = a->seq;

    m.seq = &seq;
    m.n_seq = 1;
    m.code = a->code ? a->code : s->message_code;
    shell_send(s, a->peer, DROVER__ENVELOPE__BODY_ACK, &m, 0);
}

static void send_cancel(struct server *s, const struct sched_action *a)
{
    const struct attempt *t = attempts_by_core(s->attempts, a->attempt);
    Drover__Cancel m = DROVER__CANCEL__INIT;

    m.attempt = t ? t->row : a->attempt;
    m.epoch = t ? t->row_epoch : a->epoch;
    m.why = (char *)(uintptr_t) "no longer wanted";
    shell_send(s, a->peer, DROVER__ENVELOPE__BODY_CANCEL, &m, 0);
}

static void send_lease(struct server *s, const struct sched_action *a)
{
    struct attempt *t = attempts_by_core(s->attempts, a->attempt);
    struct err err = { 0 };
    int rc;

    assert(t);
    rc = shell_send_lease(s, a->peer, t, &err);
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
    s->lost[s->lost_len].core = a->attempt;
    s->lost[s->lost_len].core_epoch = a->epoch;
    (void)snprintf(s->lost[s->lost_len].why, sizeof(s->lost[0].why), "%.255s", err.text);
    s->lost_len++;
}

static void trace(struct server *s, const struct sched_action *a)
{
    struct shell_worker *w;
    struct err err = { 0 };
    bool goodbye;
    int rc;

    HASH_FIND(hh, s->workers, &a->worker, sizeof(a->worker), w);
    log_write(a->trace == TRACE_LEASED || a->trace == TRACE_ENDED ? LOG_DEBUG : LOG_INFO,
              sched_trace_name(a->trace), "job=%llu attempt=%llu worker=\"%s\" cause=%s",
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
        send_ack(s, a);
        break;
    case ACT_SEND_CANCEL:
        send_cancel(s, a);
        break;
    case ACT_LOAD:
        s->load_want = a->want;
        break;
    case ACT_TRACE:
        trace(s, a);
        break;
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

static void one_step(struct server *s, struct sched_event *e)
{
    e->now_ms = clock_ms();
    sched_step(s->sched, e, s->actions);
    for (size_t i = 0; i < s->actions->len && !s->failed; i++) {
        if (i < s->actions->stores_len)
            carry_out_store(s, &s->actions->v[i]);
        else
            carry_out_rest(s, &s->actions->v[i]);
    }
    s->message = NULL;
    s->message_code = 0;
    s->result_stored = false;
    s->end_why = NULL;
}

/* Give the core the jobs it asked for. */
static void load(struct server *s)
{
    enum { PAGE = 256 };
    struct store_cursor cursor = { .priority = INT32_MAX };
    uint32_t want = s->load_want, given = 0;
    struct store_ready *page CLEANUP(mem_cleanup) = mem_calloc(PAGE, sizeof(*page));
    size_t len = PAGE;

    s->load_want = 0;
    while (given < want && len == PAGE && !s->failed) {
        struct err err = { 0 };
        int rc = store_list_ready(s->store, 0, cursor, page, PAGE, &len, &err);

        if (rc < 0) {
            shell_fail(s, rc, &err);
            return;
        }
        for (size_t i = 0; i < len && given < want && !s->failed; i++) {
            struct sched_event e = { .kind = EV_JOB };
            int class = shell_class(s, page[i].numeric_class);

            cursor = (struct store_cursor){ page[i].priority, page[i].job };
            if (class < 0 || sched_has_job(s->sched, page[i].job))
                continue;
            e.job = (struct sched_job){ .id = page[i].job,
                                        .priority = page[i].priority,
                                        .class = (uint8_t) class,
                                        .tries = page[i].tries,
                                        .losses = page[i].losses,
                                        .retries = page[i].retries };
            for (size_t k = 0; k < page[i].affinity_len && k < SCHED_JOB_BLOBS; k++)
                e.job.blobs[e.job.blobs_len++] = digest_u64(&page[i].affinity[k]);
            one_step(s, &e);
            given++;
        }
    }
    one_step(s, &(struct sched_event){ .kind = EV_LOADED, .loaded.given = given });
}

/* End an attempt whose lease could not be built. */
static void end_lost(struct server *s)
{
    struct sched_event e = { .kind = EV_RESULT };
    char why[sizeof(s->lost[0].why)];

    s->lost_len--;
    e.result.attempt = s->lost[s->lost_len].core;
    e.result.epoch = s->lost[s->lost_len].core_epoch;
    e.result.outcome = CAUSE_FAILED;
    memcpy(why, s->lost[s->lost_len].why, sizeof(why));
    s->end_why = why;
    s->end_core = e.result.attempt;
    one_step(s, &e);
}

void shell_step(struct server *s, struct sched_event *e)
{
    if (s->failed)
        return;
    one_step(s, e);
    while (!s->failed && !s->starting && (s->load_want || s->lost_len)) {
        if (s->lost_len)
            end_lost(s);
        else
            load(s);
    }
}

void shell_flush(struct server *s)
{
    do {
        struct err err = { 0 };
        int rc = store_in_transaction(s->store) && !s->failed ? store_commit(s->store, &err) : 0;

        if (rc < 0)
            shell_fail(s, rc, &err);
        if (s->failed)
            return;
        shell_send_all(s);
        if (s->ready) {
            s->ready = false;
            shell_step(
                s, &(struct sched_event){ .kind = EV_READY, .ready.priority = s->ready_priority });
        }
    } while (s->ready || s->sends_len || store_in_transaction(s->store));
    if (!s->failed)
        loop_timer_set(s->loop, s->tick_timer, sched_next_timeout(s->sched));
}
