/* SPDX-License-Identifier: Apache-2.0 */
/* coord.c - the coordinator's shell as sched.h asks for it: steps, one transaction for a group of
 * them, then their sends. It may vanish in front of any action, commit or send. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/sim.h"

static const struct sched_limits limits = { .window = 8,
                                            .leases = 24,
                                            .workers = 32,
                                            .worker_blobs = 8,
                                            .lease_ms = LEASE_MS,
                                            .quiet_ms = QUIET_MS,
                                            .pause_ms = PAUSE_MS,
                                            .reattach_ms = REATTACH_MS };

/* Does it vanish here? */
static bool crashes(struct sim *m)
{
    if (!m->faults_on || !sim_chance(m, m->conf.crash) || m->db.incarnation + 2 >= INCARNATIONS_MAX)
        return false;
    coord_crash(m);
    return true;
}

void coord_crash(struct sim *m)
{
    sim_trace(m, "fault: coordinator killed");
    m->fired[F_CRASH] = true;
    db_rollback(&m->db);
    m->coord.up = false;
    m->coord.outbox_len = 0;
    m->coord.load_want = 0;
    m->coord.commit_ms = 0;
    control_lost(m);
    for (uint32_t h = 0; h < m->conf.hosts; h++) {
        if (m->conf.silent)
            continue;
        net_connect(m, h, true);
        sim_post(m,
                 (struct sim_event){ .kind = SE_DISCONNECTED, .host = h, .turn = m->link[h].turn },
                 sim_about(m, 20));
    }
    sim_post(m, (struct sim_event){ .kind = SE_COORD_START }, sim_about(m, 300));
}

static void add_send(struct sim *m, const struct sched_action *a, struct msg *msg)
{
    struct coord *c = &m->coord;
    if (c->outbox_len == c->outbox_cap) {
        c->outbox_cap = MAX(16, 2 * c->outbox_cap);
        c->outbox = mem_realloc(c->outbox, c->outbox_cap, sizeof *c->outbox);
    }
    msg->peer = a->peer;
    msg->attempt = a->attempt;
    msg->epoch = a->epoch;
    msg->worker = a->worker;
    c->outbox[c->outbox_len++].msg = *msg;
}

static void queue_send(struct sim *m, const struct sched_action *a)
{
    struct msg msg = { .seq = a->seq, .code = a->code, .job = a->job };

    if (a->kind == ACT_SEND_WELCOME) {
        msg.kind = M_WELCOME;
        msg.incarnation = m->db.incarnation;
        if (a->keep_len > HELD_MAX || a->drop_len > HELD_MAX)
            sim_fail(m, "a Welcome that names %u + %u attempts", a->keep_len, a->drop_len);
        msg.keep_len = a->keep_len;
        msg.drop_len = a->drop_len;
        memcpy(msg.keep, a->keep, a->keep_len * sizeof *msg.keep);
        memcpy(msg.drop, a->drop, a->drop_len * sizeof *msg.drop);
    } else if (a->kind == ACT_SEND_REFUSE) {
        msg.kind = M_REFUSE;
    } else if (a->kind == ACT_SEND_LEASE) {
        msg.kind = M_LEASE;
        msg.finished = (uint32_t)m->db.job[a->job].examples;
        msg.step = (uint32_t)m->db.job[a->job].step;
    } else if (a->kind == ACT_SEND_ACK) {
        msg.kind = M_ACK;
        msg.code = a->code ? a->code : m->db.code;
    } else {
        msg.kind = M_CANCEL;
    }
    add_send(m, a, &msg);
}

static void trace_action(struct sim *m, const struct sched_action *a)
{
    static const char *const names[SCHED_ACTION_KINDS] = {
        "store_attempt_start",
        "store_example",
        "store_checkpoint",
        "store_result",
        "store_attempt_end",
        "store_job",
        "compare",
        "welcome",
        "refuse",
        "lease",
        "ack",
        "cancel",
        "load",
        "trace",
    };
    const char *name = a->kind == ACT_TRACE ? sched_trace_name(a->trace) : names[a->kind];

    if (a->kind == ACT_LOAD)
        sim_trace(m, "  %s want=%u", name, a->want);
    else if (a->kind == ACT_STORE_JOB)
        sim_trace(m, "  %s job=%u %s (%s) tries=%u losses=%u", name, (unsigned)a->job,
                  sched_job_state_name(a->state), sched_cause_name(a->cause), a->tries, a->losses);
    else if (a->kind == ACT_SEND_WELCOME)
        sim_trace(m, "  %s worker=%u keep=%u drop=%u", name, (unsigned)a->worker, a->keep_len,
                  a->drop_len);
    else if (a->kind == ACT_SEND_ACK || a->kind == ACT_SEND_REFUSE)
        sim_trace(m, "  %s seq=%u code=%d", name, (unsigned)a->seq, a->code);
    else if (a->kind != ACT_TRACE || a->trace >= TRACE_WORKER_NEW || a->trace == TRACE_EXPIRED ||
             a->trace == TRACE_ADOPTED || a->trace == TRACE_STALE)
        sim_trace(m, "  %s job=%u attempt=%u.%u epoch=%u worker=%u %s", name, (unsigned)a->job,
                  (unsigned)(a->attempt >> SCHED_ATTEMPT_BITS), (unsigned)a->attempt, a->epoch,
                  (unsigned)a->worker,
                  a->kind == ACT_STORE_ATTEMPT_END ? sched_cause_name(a->cause) : "");
}

static void carry_out(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    trace_action(m, a);
    sim_mix(m, (uint64_t)a->kind << 32 | a->epoch);
    sim_mix(m, a->job ^ a->attempt << 8 ^ a->peer << 16 ^ a->seq << 24 ^ (uint64_t)a->state << 50);
    if (a->kind <= ACT_COMPARE) {
        oracle_store(m, a, msg);
        db_apply(m, a, msg);
    } else if (a->kind <= ACT_SEND_CANCEL) {
        queue_send(m, a);
    } else if (a->kind == ACT_LOAD) {
        m->coord.load_want = a->want;
    } else if (a->trace == TRACE_ADOPTED) {
        m->fired[F_ADOPTED] = true;
    }
}

static void plan_wake(struct sim *m)
{
    struct coord *c = &m->coord;
    uint64_t at_ms = MAX(sched_next_timeout(c->core), m->now_ms);
    if (at_ms == UINT64_MAX || (c->wake_ms > m->now_ms && c->wake_ms <= at_ms))
        return;
    c->wake_ms = at_ms;
    sim_post(m, (struct sim_event){ .kind = SE_COORD_WAKE }, at_ms - m->now_ms);
}

/* One step and its actions; false when the coordinator vanished meanwhile. */
static bool step(struct sim *m, struct sched_event e, const struct msg *msg)
{
    e.now_ms = m->now_ms;
    sim_mix(m, (uint64_t)e.kind << 48 | m->now_ms);
    m->core_steps++;
    m->coord.steps_now = m->now_ms == m->coord.steps_ms ? m->coord.steps_now + 1 : 0;
    m->coord.steps_ms = m->now_ms;
    if (m->coord.steps_now > STEPS_PER_MS_MAX)
        sim_fail(m, "the coordinator turns in circles");
    m->db.code = 0;
    sched_step(m->coord.core, &e, &m->out);
    if (!sched_invariant(m->coord.core))
        sim_fail(m, "the core's invariant is broken");
    for (size_t i = 0; i < m->out.len; i++) {
        if ((m->out.v[i].kind <= ACT_COMPARE) != (i < m->out.stores_len))
            sim_fail(m, "a STORE action behind another one");
        if (crashes(m))
            return false;
        carry_out(m, &m->out.v[i], msg);
    }
    oracle_step(m, &e);
    plan_wake(m);
    return true;
}

static bool answer_load(struct sim *m)
{
    uint32_t given = 0, want = m->coord.load_want;
    m->coord.load_want = 0;
    while (given < want) {
        uint32_t best = 0;
        for (uint32_t j = 1; j <= m->conf.jobs; j++) {
            if (m->db.job[j].state == DB_READY && !sched_has_job(m->coord.core, j) &&
                !db_paused(m, j) && (best == 0 || db_priority(m, j) > db_priority(m, best)))
                best = j;
        }
        if (best == 0)
            break;
        struct sched_event e = { .kind = EV_JOB, .job = m->spec[best].row };
        e.job.priority = db_priority(m, best);
        e.job.epoch = (uint32_t)m->db.job[best].epoch;
        e.job.tries = (uint32_t)m->db.job[best].tries;
        e.job.losses = (uint32_t)m->db.job[best].losses;
        given++;
        if (!step(m, e, NULL))
            return false;
        if (!sched_has_job(m->coord.core, best))
            break; /* an answer that is not wanted; real LOADs run into the same end */
    }
    return step(m, (struct sched_event){ .kind = EV_LOADED, .loaded.given = given }, NULL);
}

/* An event and what it brings: LOADs, and a commit to come. */
static void feed(struct sim *m, struct sched_event e, const struct msg *msg)
{
    if (!step(m, e, msg))
        return;
    while (m->coord.load_want > 0)
        if (!answer_load(m))
            return;
    if (m->coord.commit_ms != 0 || (m->db.undo_len == 0 && m->coord.outbox_len == 0))
        return;
    m->coord.commit_ms = m->now_ms + 1;
    sim_post(m, (struct sim_event){ .kind = SE_COMMIT },
             m->conf.group_ms ? rng_below(&m->rng, m->conf.group_ms + 1) : 0);
}

static void send_one(struct sim *m, const struct msg *msg)
{
    uint32_t host = net_host_of(m, msg->peer);
    if (host < HOSTS_MAX) {
        oracle_send(m, host, msg);
        net_send(m, host, TO_HOST, msg);
    } else if (rng_below(&m->rng, 2)) {
        feed(m, (struct sched_event){ .kind = EV_UNREACHABLE, .peer = msg->peer }, NULL);
    }
}

void coord_commit(struct sim *m)
{
    struct coord *c = &m->coord;
    if (!c->up || c->commit_ms == 0)
        return;
    if (c->stopped_until_ms > m->now_ms) {
        sim_post(m, (struct sim_event){ .kind = SE_COMMIT }, c->stopped_until_ms - m->now_ms);
        return;
    }
    if (crashes(m))
        return;
    db_commit(&m->db);
    if (crashes(m))
        return;
    db_sweep(m);
    control_acked(m);
    c->commit_ms = 0;
    bool ready = m->db.ready;
    m->db.ready = false;
    struct pending_send *sends = c->outbox;
    size_t sends_len = c->outbox_len;
    c->outbox = NULL;
    c->outbox_len = c->outbox_cap = 0;
    for (size_t i = 0; i < sends_len && c->up; i++)
        if (!crashes(m))
            send_one(m, &sends[i].msg);
    free(sends);
    if (ready && c->up) {
        struct sched_event e = { .kind = EV_READY };
        e.ready.priority = m->db.ready_priority;
        feed(m, e, NULL);
    }
}

static void open_attempts(struct sim *m)
{
    for (uint32_t j = 1; j <= m->conf.jobs && m->coord.up; j++) {
        const struct db_job *row = &m->db.job[j];
        if (row->open == 0)
            continue;
        struct sched_event e = { .kind = EV_OPEN };
        e.open.job = m->spec[j].row;
        e.open.job.priority = db_priority(m, j);
        e.open.job.epoch = (uint32_t)row->epoch;
        e.open.job.tries = (uint32_t)row->tries;
        e.open.job.losses = (uint32_t)row->losses;
        e.open.attempt = m->db.attempt[row->open - 1].id;
        e.open.holder = m->db.attempt[row->open - 1].worker;
        e.open.cancelling = row->state == DB_CANCELLING;
        feed(m, e, NULL);
        struct sched_change held = { .job = j, .priority = db_priority(m, j), .held = true };
        e = (struct sched_event){ .kind = EV_CHANGE, .change.v = &held, .change.len = 1 };
        if (m->coord.up && db_paused(m, j))
            feed(m, e, NULL);
    }
}

void coord_start(struct sim *m)
{
    struct coord *c = &m->coord;
    struct sched_limits l = limits;

    l.losses_max = m->conf.losses_max;
    if (!c->core)
        c->core = mem_aligned(1, sched_size(&l));
    (void)sched_init(c->core, &l);
    db_set(&m->db, &m->db.incarnation, m->db.incarnation + 1);
    db_commit(&m->db);
    c->up = true;
    c->wake_ms = c->commit_ms = 0;
    sim_trace(m, "coordinator starts, incarnation %u", (unsigned)m->db.incarnation);
    oracle_restart(m);
    struct sched_event e = { .kind = EV_START };
    e.start.incarnation = (uint32_t)m->db.incarnation;
    feed(m, e, NULL);
    if (c->up)
        open_attempts(m);
    for (uint32_t h = 0; h < m->conf.hosts && c->up; h++)
        if (!m->conf.silent || m->host[h].agent.link == AGENT_OFFLINE)
            sim_post(m,
                     (struct sim_event){ .kind = SE_CONNECTED, .host = h, .turn = m->link[h].turn },
                     45 + sim_about(m, 100));
}

void coord_wake(struct sim *m)
{
    struct coord *c = &m->coord;
    if (!c->up)
        return;
    if (c->stopped_until_ms > m->now_ms) {
        sim_post(m, (struct sim_event){ .kind = SE_COORD_WAKE }, c->stopped_until_ms - m->now_ms);
    } else if (sched_next_timeout(c->core) <= m->now_ms) {
        c->wake_ms = 0;
        feed(m, (struct sched_event){ .kind = EV_TICK }, NULL);
    } else {
        plan_wake(m);
    }
}

void coord_cancel(struct sim *m, uint32_t job)
{
    if (db_final(m->db.job[job].state) ||
        (m->db.job[job].state == DB_CANCELLING && m->db.undo_len == 0))
        return;
    /* The client asks again until it knows that its wish is durable. */
    sim_post(m, (struct sim_event){ .kind = SE_CANCEL, .slot = job }, 300);
    if (!m->coord.up || m->coord.stopped_until_ms > m->now_ms)
        return;
    sim_trace(m, "client cancels job=%u", job);
    m->fired[F_CANCEL] = true;
    m->oracle.job[job].cancel_asked = true;
    if (!sched_has_job(m->coord.core, job))
        db_cancel(m, job);
    feed(m, (struct sched_event){ .kind = EV_CANCEL, .cancel.job = job }, NULL);
}

void coord_control(struct sim *m)
{
    struct client *c = &m->client;
    struct sched_change changes[JOBS_MAX];
    struct sched_event e = { .kind = EV_CHANGE, .change.v = changes };

    if (c->sent || c->next == c->len)
        return;
    if (!m->coord.up || m->coord.stopped_until_ms > m->now_ms) {
        sim_post(m, (struct sim_event){ .kind = SE_CONTROL }, 100);
        return;
    }
    c->sent = true;
    e.change.len = control_apply(m, &c->v[c->next], changes);
    feed(m, e, NULL);
    if (c->sent && m->coord.up && m->coord.commit_ms == 0)
        control_acked(m); /* there was nothing to write */
}

static struct sched_event event_of(const struct msg *msg)
{
    static const enum sched_event_kind kinds[] = {
        [M_HELLO] = EV_HELLO,   [M_CREDITS] = EV_CREDITS, [M_HEARTBEAT] = EV_HEARTBEAT,
        [M_RENEW] = EV_RENEW,   [M_EXAMPLE] = EV_EXAMPLE, [M_CHECKPOINT] = EV_CHECKPOINT,
        [M_RESULT] = EV_RESULT, [M_GOODBYE] = EV_GOODBYE,
    };
    struct sched_event e = { .kind = kinds[msg->kind], .peer = msg->peer };

    if (msg->kind == M_HELLO) {
        e.hello.worker = e.hello.holder = msg->worker;
        e.hello.credits = msg->total;
        e.hello.classes = msg->classes;
        e.hello.held = msg->keep;
        e.hello.held_len = msg->keep_len;
    } else if (msg->kind == M_CREDITS) {
        e.credits.total = msg->total;
    } else if (msg->kind == M_RENEW) {
        e.renew.held = msg->keep;
        e.renew.held_len = msg->keep_len;
    } else if (msg->kind == M_GOODBYE) {
        e.goodbye.seq = msg->seq;
    } else if (msg->kind == M_EXAMPLE || msg->kind == M_CHECKPOINT || msg->kind == M_RESULT) {
        e.result.attempt = msg->attempt;
        e.result.epoch = msg->epoch;
        e.result.seq = msg->seq;
        e.result.outcome = msg->outcome;
    }
    return e;
}

void coord_message(struct sim *m, const struct msg *msg)
{
    static const char *const names[] = { "Hello",   "Credits",    "Heartbeat", "Renew",
                                         "Example", "Checkpoint", "Result",    "Goodbye" };
    if (msg->kind != M_HEARTBEAT)
        sim_trace(m, "%s from worker=%u attempt=%u.%u held=%u seq=%u", names[msg->kind],
                  (unsigned)msg->worker, (unsigned)(msg->attempt >> SCHED_ATTEMPT_BITS),
                  (unsigned)msg->attempt, msg->keep_len, (unsigned)msg->seq);
    oracle_message(m, msg);
    feed(m, event_of(msg), msg);
}
