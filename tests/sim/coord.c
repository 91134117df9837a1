/* SPDX-License-Identifier: Apache-2.0 */
/* coord.c - the coordinator's shell as sched.h asks for it: steps, one transaction for a group of
 * them, then their sends. It may vanish in front of any action, commit or send. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/sim.h"

static const struct sched_limits limits = { .window = 8,
                                            .shapes = 4,
                                            .reserve = RESERVE,
                                            .ahead_ms = AHEAD_MS,
                                            .left_min_ms = LEFT_MIN_MS,
                                            .backoff_ms = BACKOFF_MS,
                                            .backoff_max_ms = BACKOFF_MAX_MS,
                                            .leases = 24,
                                            .workers = 32,
                                            .worker_blobs = 8,
                                            .lease_ms = LEASE_MS,
                                            .quiet_ms = QUIET_MS,
                                            .pause_ms = PAUSE_MS,
                                            .reattach_ms = REATTACH_MS };

uint64_t coord_clock(const struct sim *m)
{
    return m->now_ms + m->coord.clock;
}

/* Does it vanish here, with probability P? WHERE: what that is called. */
static bool crashes(struct sim *m, double p, enum fault where)
{
    if (!m->faults_on || !sim_chance(m, p) || m->db.incarnation + 2 >= INCARNATIONS_MAX)
        return false;
    m->fired[where] = true;
    coord_crash(m);
    return true;
}

void coord_crash(struct sim *m)
{
    sim_trace(m, "fault: coordinator killed");
    m->fired[F_CRASH] = true;
    db_rollback(m);
    m->coord.up = m->coord.committing = m->coord.opening = false;
    m->coord.outbox.len = 0;
    m->coord.load = false;
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
    struct outbox *o = &m->coord.outbox;
    if (o->len == o->cap) {
        o->cap = MAX(16, 2 * o->cap);
        o->v = mem_realloc(o->v, o->cap, sizeof *o->v);
    }
    msg->peer = a->peer;
    memcpy(&o->v[o->len++], msg, msg_size(msg));
}

static void queue_send(struct sim *m, const struct sched_action *a, const struct msg *cause)
{
    struct msg msg;

    msg_init(&msg, M_WELCOME);
    msg.seq = a->seq;
    msg.code = a->code;
    msg.job = a->job;
    msg.attempt = a->attempt;
    msg.epoch = a->epoch;
    msg.worker = a->worker;
    if (a->kind == ACT_SEND_WELCOME) {
        msg.incarnation = m->db.incarnation;
        if (a->keep_len > HELD_MAX || a->drop_len > HELD_MAX)
            sim_fail(m, "a Welcome that names %u + %u attempts", a->keep_len, a->drop_len);
        msg.keep_len = a->keep_len;
        msg.drop_len = a->drop_len;
        memcpy(msg.held, a->keep, a->keep_len * sizeof *msg.held);
        memcpy(msg.held + a->keep_len, a->drop, a->drop_len * sizeof *msg.held);
        oracle_welcome(m, &msg, cause);
    } else if (a->kind == ACT_SEND_REFUSE) {
        msg.kind = M_REFUSE;
    } else if (a->kind == ACT_SEND_LEASE) {
        oracle_lease(m, a);
        msg.kind = M_LEASE;
        msg.finished = (uint32_t)m->db.job[a->job].examples;
        msg.step = (uint32_t)m->db.job[a->job].step;
    } else if (a->kind == ACT_SEND_ACK) {
        oracle_ack(m, a, cause);
        memcpy(&msg, cause, offsetof(struct msg, held));
        msg.acks = cause->kind;
        msg.kind = M_ACK;
        msg.code = a->code ? a->code : m->db.code;
        msg.keep_len = msg.drop_len = 0;
    } else if (a->kind == ACT_SEND_DRAIN) {
        msg.kind = M_DRAIN;
    } else {
        msg.kind = M_CANCEL;
    }
    add_send(m, a, &msg);
}

static void carry_out(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    story_action(m, a);
    sim_mix(m, (uint64_t)a->kind << 32 | a->epoch);
    sim_mix(m, a->job ^ a->attempt << 8 ^ a->peer << 16 ^ a->seq << 24 ^ (uint64_t)a->state << 50);
    if (a->kind <= ACT_COMPARE) {
        oracle_store(m, a, msg);
        db_apply(m, a, msg);
    } else if (a->kind <= ACT_SEND_DRAIN) {
        queue_send(m, a, msg);
    } else if (a->kind == ACT_LOAD) {
        if (m->coord.load)
            sim_fail(m, "a second LOAD while one is answered");
        m->coord.load = true;
        m->coord.load_experiment = a->experiment;
        m->coord.load_want = a->want;
    } else {
        m->fired[F_ADOPTED] |= a->trace == TRACE_ADOPTED;
        m->fired[F_QUARANTINE] |= a->trace == TRACE_QUARANTINE;
        m->fired[F_RESERVED] |= a->trace == TRACE_RESERVED;
    }
}

static void plan_wake(struct sim *m)
{
    struct coord *c = &m->coord;
    uint64_t at_ms = sched_next_timeout(c->core);
    if (at_ms == UINT64_MAX)
        return;
    at_ms = MAX(at_ms, coord_clock(m)) - c->clock;
    if ((c->wake_ms > m->now_ms && c->wake_ms <= at_ms))
        return;
    c->wake_ms = at_ms;
    sim_post(m, (struct sim_event){ .kind = SE_COORD_WAKE }, at_ms - m->now_ms);
}

/* One step and its actions; false when the coordinator vanished meanwhile. */
static bool step(struct sim *m, struct sched_event e, const struct msg *msg)
{
    e.now_ms = coord_clock(m);
    sim_mix(m, (uint64_t)e.kind << 48 | m->now_ms);
    m->core_steps++;
    m->coord.steps_now = m->now_ms == m->coord.steps_ms ? m->coord.steps_now + 1 : 0;
    m->coord.steps_ms = m->now_ms;
    if (m->coord.steps_now > STEPS_PER_MS_MAX)
        sim_fail(m, "the coordinator turns in circles");
    m->db.code = 0;
    sched_step(m->coord.core, &e, &m->out);
    if (msg)
        oracle_message(m, msg);
    /* Most steps without actions are heartbeats: one in four of them is enough. */
    bool look = !m->again && (m->out.len > 0 || m->core_steps % 4 == 0);
    if (look && !sched_invariant(m->coord.core))
        sim_fail(m, "the core's invariant is broken");
    for (size_t i = 0; i < m->out.len; i++) {
        if ((m->out.v[i].kind <= ACT_COMPARE) != (i < m->out.stores_len))
            sim_fail(m, "a STORE action behind another one");
        bool between = i > 0 && i < m->out.stores_len;
        if (crashes(m, (between ? 6 : 1) * m->conf.crash_action, between ? F_CRASH_STORE : F_CRASH))
            return false;
        carry_out(m, &m->out.v[i], msg);
    }
    if (!m->again)
        oracle_step(m, msg);
    plan_wake(m);
    return true;
}

/* Which experiments have ready jobs? */
static bool answer_which(struct sim *m)
{
    bool has[GROUPS] = { false };
    int32_t highest[GROUPS];
    uint32_t given = 0;

    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        if (m->db.job[j].state != DB_READY || m->db.job[j].open != 0 || db_paused(m, j))
            continue;
        uint32_t g = db_owner(m, j);
        highest[g] = has[g] ? MAX(highest[g], db_priority(m, j)) : db_priority(m, j);
        has[g] = true;
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        struct sched_event e = { .kind = EV_READY, .ready.experiment = g + 1 };
        if (!has[g])
            continue;
        e.ready.priority = highest[g];
        given++;
        if (!step(m, e, NULL))
            return false;
    }
    m->coord.load = false;
    struct sched_event e = { .kind = EV_LOADED, .loaded.given = given };
    return step(m, e, NULL);
}

/* The best job of the experiment that the core does not know; 0: none. */
static uint32_t next_of(const struct sim *m, uint64_t experiment)
{
    uint32_t best = 0;

    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        if (m->db.job[j].state == DB_READY && m->db.job[j].open == 0 &&
            db_owner(m, j) + 1 == experiment && !db_paused(m, j) &&
            !sched_has_job(m->coord.core, j) &&
            (best == 0 || db_priority(m, j) > db_priority(m, best)))
            best = j;
    return best;
}

static bool answer_load(struct sim *m)
{
    uint32_t given = 0, want = m->coord.load_want;
    uint64_t experiment = m->coord.load_experiment;

    if (experiment == 0)
        return answer_which(m);
    while (given < want) {
        uint32_t best = next_of(m, experiment);
        if (best == 0)
            break;
        struct sched_event e = { .kind = EV_JOB, .job = db_row(m, best) };
        given++;
        oracle_given(m, best, false);
        if (!step(m, e, NULL))
            return false;
        if (!sched_has_job(m->coord.core, best))
            break; /* an answer that is not wanted; real LOADs run into the same end
                    */
    }
    m->coord.load = false;
    struct sched_event e = { .kind = EV_LOADED,
                             .loaded = { .experiment = experiment, .given = given } };
    return step(m, e, NULL);
}

/* An event and what it brings: LOADs, and a commit to come. */
static void feed(struct sim *m, struct sched_event e, const struct msg *msg)
{
    if (!step(m, e, msg))
        return;
    while (m->coord.load)
        if (!answer_load(m))
            return;
    if (m->coord.commit_ms != 0 || (m->db.undo_len == 0 && m->coord.outbox.len == 0))
        return;
    m->coord.commit_ms = m->now_ms + 1;
    sim_post(m, (struct sim_event){ .kind = SE_COMMIT },
             m->conf.group_ms ? rng_below(&m->rng, m->conf.group_ms + 1) : 0);
}

static void send_one(struct sim *m, const struct msg *msg)
{
    uint32_t host = net_host_of(m, msg->peer);
    if (host < HOSTS_MAX) {
        oracle_send(m, msg);
        net_send(m, host, TO_HOST, msg);
    } else if (rng_below(&m->rng, 2)) {
        oracle_unreachable(m, msg->peer);
        feed(m, (struct sched_event){ .kind = EV_UNREACHABLE, .peer = msg->peer }, NULL);
    }
}

/* The disk takes its time, and nobody reads messages or looks at the clock meanwhile. */
static void slow_commit(struct sim *m)
{
    struct coord *c = &m->coord;
    uint64_t ms = sim_about(m, m->conf.slow_ms);
    m->fired[F_SLOW_DISK] = true;
    sim_trace(m, "fault: a commit takes %u ms", (unsigned)ms);
    c->committing = true;
    c->stopped_until_ms = m->now_ms + ms;
    oracle_slack(m, c->stopped_until_ms);
    sim_post(m, (struct sim_event){ .kind = SE_COMMIT }, ms);
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
    if (c->full_until_ms > m->now_ms && m->db.undo_len > 0) {
        /* Nothing of it was acknowledged; the core is ahead of the store: the process ends. */
        sim_trace(m, "the commit fails: the disk is full");
        m->fired[F_FULL_DISK] = true;
        coord_crash(m);
        return;
    }
    if (crashes(m, m->conf.crash_commit, F_CRASH_COMMIT))
        return;
    if (!c->committing && m->faults_on && sim_chance(m, m->conf.slow_disk)) {
        slow_commit(m);
        return;
    }
    c->committing = false;
    db_commit(&m->db);
    if (crashes(m, m->conf.crash_commit, F_CRASH_ACK))
        return;
    db_sweep(m);
    control_acked(m);
    c->commit_ms = 0;
    uint32_t ready = m->db.ready;
    m->db.ready = 0;
    struct outbox sending = c->outbox;
    c->outbox = c->sending;
    c->outbox.len = 0;
    c->sending = sending;
    for (size_t i = 0; i < sending.len && c->up; i++)
        if (!crashes(m, m->conf.crash_send, F_CRASH_SEND))
            send_one(m, &sending.v[i]);
    for (uint32_t g = 0; g < GROUPS && c->up; g++) {
        struct sched_event e = { .kind = EV_READY, .ready.experiment = g + 1 };
        e.ready.priority = m->db.ready_priority[g];
        if (ready >> g & 1)
            feed(m, e, NULL);
    }
}

static void open_attempts(struct sim *m)
{
    m->coord.opening = true;
    for (uint32_t j = 1; j <= m->conf.jobs && m->coord.up; j++) {
        const struct db_job *row = &m->db.job[j];
        if (row->open == 0)
            continue;
        struct sched_event e = { .kind = EV_OPEN };
        e.open.job = db_row(m, j);
        oracle_given(m, j, true);
        e.open.attempt = m->db.attempt[row->open - 1].id;
        e.open.holder = m->db.attempt[row->open - 1].worker;
        e.open.cancelling = row->state == DB_CANCELLING;
        feed(m, e, NULL);
        struct sched_change held = { .job = j, .priority = db_priority(m, j), .held = true };
        e = (struct sched_event){ .kind = EV_CHANGE, .change.v = &held, .change.len = 1 };
        if (m->coord.up && db_paused(m, j))
            feed(m, e, NULL);
    }
    m->coord.opening = false;
}

void coord_start(struct sim *m)
{
    struct coord *c = &m->coord;
    if (c->full_until_ms > m->now_ms) { /* nor can it write its incarnation */
        sim_post(m, (struct sim_event){ .kind = SE_COORD_START }, 1 + sim_about(m, 100));
        return;
    }
    struct sched_limits l = limits;

    l.losses_max = m->conf.losses_max;
    l.quarantine = m->conf.quarantine;
    l.experiments = m->conf.experiments;
    if (m->conf.ends > 0)
        l.shapes = SHAPES; /* so that the oracle knows which times are known */
    if (!c->core)
        c->core = mem_aligned(1, sched_size(&l));
    (void)sched_init(c->core, &l);
    db_set(&m->db, &m->db.incarnation, m->db.incarnation + 1);
    db_commit(&m->db);
    c->up = true;
    c->clock = m->conf.steady ? 0 : rng_below(&m->rng, 100000); /* the machine's, not the world's */
    c->wake_ms = c->commit_ms = 0;
    sim_trace(m, "coordinator starts, incarnation %u", (unsigned)m->db.incarnation);
    db_sweep(m);
    oracle_restart(m);
    struct sched_event e = { .kind = EV_START };
    e.start.incarnation = (uint32_t)m->db.incarnation;
    e.start.first_attempt = m->db.reserved + 1;
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
    } else if (sched_next_timeout(c->core) <= coord_clock(m)) {
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

/* Nothing of it is durable: told once, and done with. */
void coord_drain(struct sim *m, uint32_t host)
{
    uint64_t worker = m->host[host].worker;

    if (worker == 0)
        return;
    m->fired[F_DRAIN_NAMED] = true;
    sim_trace(m, "client drains worker=%u", (unsigned)worker);
    oracle_drain(m, worker);
    feed(m, (struct sched_event){ .kind = EV_DRAIN, .drain.worker = worker }, NULL);
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
    if (c->v[c->next].verb == C_DRAIN) {
        coord_drain(m, c->v[c->next].group % m->conf.hosts);
    } else {
        e.change.len = control_apply(m, &c->v[c->next], changes);
        feed(m, e, NULL);
    }
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
        e.hello.slots = msg->total;
        e.hello.queue = msg->queue;
        e.hello.cores = msg->cores;
        e.hello.memory_mib = msg->memory_mib;
        e.hello.remaining_ms = msg->remaining_ms;
        e.hello.classes = msg->classes;
        e.hello.labels = msg->labels;
        e.hello.held = msg->held;
        e.hello.held_len = msg->keep_len;
    } else if (msg->kind == M_CREDITS) {
        e.credits.slots = msg->total;
        e.credits.queue = msg->queue;
    } else if (msg->kind == M_RENEW) {
        e.renew.held = msg->held;
        e.renew.held_len = msg->keep_len;
    } else if (msg->kind == M_GOODBYE) {
        e.goodbye.seq = msg->seq;
    } else if (msg->kind == M_EXAMPLE || msg->kind == M_CHECKPOINT || msg->kind == M_RESULT) {
        e.result.attempt = msg->attempt;
        e.result.epoch = msg->epoch;
        e.result.seq = msg->seq;
        e.result.outcome = msg->outcome;
        e.result.wall_us = 1000ull * msg->wall_ms;
        e.result.job = msg->kind == M_RESULT ? msg->job : 0;
    }
    return e;
}

void coord_message(struct sim *m, const struct msg *msg)
{
    story_message(m, msg);
    feed(m, event_of(msg), msg);
}
