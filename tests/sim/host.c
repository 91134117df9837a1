/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - a worker process: the real agent between the network and its slots
 * (slots.c). */
#include <string.h>

#include "common/base/mem.h"
#include "tests/sim/sim.h"

static const struct agent_times times = { .heartbeat_ms = HEARTBEAT_MS,
                                          .renew_ms = RENEW_MS,
                                          .resend_ms = 300,
                                          .hello_ms = 50,
                                          .hello_max_ms = 400,
                                          .queue_ms = WAIT_MS,
                                          .drain_ms = 3000,
                                          .drain_short_ms = 100,
                                          .goodbye_ms = 100 };

static void put_held(struct msg *msg, const struct agent_held *x)
{
    msg->held[msg->keep_len++] = (struct sched_held){ .attempt = x->id.attempt,
                                                      .epoch = x->id.epoch,
                                                      .progress = x->counter,
                                                      .finished = x->state == AGENT_FINISHED };
}

static void put_all_held(struct sim *m, const struct agent *a, struct msg *msg)
{
    for (size_t i = 0; i < a->capacity; i++) {
        if (a->held[i].state == AGENT_FREE)
            continue;
        if (msg->keep_len == HELD_MAX)
            sim_fail(m, "a worker holds more than %d attempts", HELD_MAX);
        put_held(msg, &a->held[i]);
    }
}

static void put_work(struct sim *m, const struct host *h, const struct agent_action *a,
                     struct msg *msg)
{
    const struct host_lease *l = &h->lease[a->held];
    const struct host_slot *x = &h->slot[a->slot];

    msg->job = l->job;
    if (msg->kind == M_RESULT) {
        msg->outcome = (enum sched_cause)a->outcome;
        msg->value = sim_value(l->job, 1000);
        msg->points = l->points;
        msg->wall_ms = (uint32_t)(m->now_ms - l->begun_ms);
        m->fired[F_REFUSED] |= !l->ran && msg->outcome == CAUSE_PREEMPTED;
    } else if (x->saves) {
        msg->kind = M_CHECKPOINT;
        msg->step = x->step;
        msg->points = x->points & ~x->points_acked;
        msg->value = sim_value(l->job, SIM_STEP + msg->step);
    } else {
        msg->example = x->example;
        msg->value = sim_value(l->job, msg->example);
    }
}

static void send(struct sim *m, uint32_t host, const struct agent_action *a)
{
    static const enum msg_kind kinds[AGENT_ACTIONS] = {
        [AGENT_SEND_HELLO] = M_HELLO,     [AGENT_SEND_HEARTBEAT] = M_HEARTBEAT,
        [AGENT_SEND_CREDITS] = M_CREDITS, [AGENT_SEND_RENEW] = M_RENEW,
        [AGENT_SEND_EXAMPLE] = M_EXAMPLE, [AGENT_SEND_RESULT] = M_RESULT,
        [AGENT_SEND_GOODBYE] = M_GOODBYE,
    };
    const struct host *h = &m->host[host];
    struct msg msg;

    msg_init(&msg, kinds[a->kind]);
    msg.worker = h->worker;
    msg.seq = a->seq;
    msg.attempt = a->attempt.attempt;
    msg.epoch = a->attempt.epoch;
    msg.classes = h->classes;
    if (msg.kind == M_HELLO) {
        msg.labels = m->machine[host].labels;
        msg.memory_mib = m->machine[host].memory_mib;
        msg.cores = m->machine[host].cores;
        if (h->end_ms != 0)
            msg.remaining_ms = h->end_ms > m->now_ms ? h->end_ms - m->now_ms : 1;
        msg.total = (uint32_t)h->agent.slots;
        msg.queue = (uint32_t)h->agent.queue;
        put_all_held(m, &h->agent, &msg);
    } else if (msg.kind == M_CREDITS) {
        msg.total = a->total;
        msg.queue = a->queue;
    } else if (msg.kind == M_RENEW) {
        put_held(&msg, &h->agent.held[a->held]);
    } else if (msg.kind == M_EXAMPLE || msg.kind == M_RESULT) {
        put_work(m, h, a, &msg);
    }
    net_send(m, host, TO_COORDINATOR, &msg);
    bool acked = msg.kind == M_EXAMPLE || msg.kind == M_CHECKPOINT || msg.kind == M_RESULT;
    if (acked && m->faults_on && sim_chance(m, m->conf.twice))
        sim_post(m,
                 (struct sim_event){ .kind = SE_AGAIN,
                                     .host = host,
                                     .turn = h->worker,
                                     .msg = mem_dup(&msg, msg_size(&msg)) },
                 sim_about(m, 2 * LEASE_MS));
}

void host_end(struct sim *m, uint32_t host)
{
    m->host[host].alive = false;
    m->host[host].turn++;
    sim_post(m, (struct sim_event){ .kind = SE_HOST_START, .host = host }, sim_about(m, 300));
}

static void take_lease(struct sim *m, struct host *h, size_t held, const struct msg *msg)
{
    h->lease[held] = (struct host_lease){ .attempt = msg->attempt,
                                          .epoch = msg->epoch,
                                          .job = (uint32_t)msg->job,
                                          .finished = msg->finished,
                                          .step = msg->step,
                                          .begun_ms = m->now_ms };
}

static void carry_out(struct sim *m, uint32_t host, const struct agent_action *a,
                      const struct msg *msg)
{
    struct host *h = &m->host[host];

    if (a->kind <= AGENT_SEND_GOODBYE) {
        if (msg && msg->kind == M_LEASE && a->attempt.attempt == msg->attempt)
            take_lease(m, h, a->held, msg); /* it is refused */
        send(m, host, a);
    } else if (a->kind == AGENT_QUEUE) {
        take_lease(m, h, a->held, msg);
        oracle_lease_arrived(m, msg);
        slots_queue(m, host, a->held);
    } else if (a->kind == AGENT_WITHDRAW) {
        if (slots_withdraw(m, host, a->held))
            h->withdrawn[h->withdrawn_len++] = a->held;
    } else if (a->kind == AGENT_STOP) {
        slots_stop(m, host, a->slot, a->held, a->reason == AGENT_PREEMPTED);
    } else if (a->kind == AGENT_END_EXAMPLE) {
        slots_end_example(m, host, a->slot, a->code);
    } else if (a->kind == AGENT_EXIT) {
        sim_trace(m, "worker=%u exits (%d)", (unsigned)h->worker, a->code);
        host_end(m, host);
    }
}

static void one_step(struct sim *m, uint32_t host, struct agent_event e, const struct msg *msg)
{
    static struct agent_actions out;
    struct host *h = &m->host[host];
    struct agent_progress progress[SLOTS_MAX];

    for (size_t i = 0; i < m->conf.slots; i++) {
        struct host_slot *x = &h->slot[i];
        if (x->busy && !x->hung && !x->waits && m->now_ms > x->moved_ms)
            x->counter++;
        x->moved_ms = m->now_ms;
        progress[i] = (struct agent_progress){ .counter = x->busy && x->told ? x->counter : 0 };
    }
    e.progress = progress;
    agent_step(&h->agent, m->now_ms + h->clock, &e, &out);
    sim_mix(m, (uint64_t)e.kind << 56 | (uint64_t)host << 48 | m->now_ms);
    for (size_t i = 0; i < out.len && h->alive; i++)
        carry_out(m, host, &out.v[i], msg);
}

static void agent_run(struct sim *m, uint32_t host, struct agent_event e, const struct msg *msg)
{
    struct host *h = &m->host[host];

    h->draining |= e.kind == AGENT_EV_DRAIN;
    one_step(m, host, e, msg);
    while (h->alive && h->withdrawn_len > 0)
        one_step(m, host,
                 (struct agent_event){ .kind = AGENT_EV_WITHDRAWN,
                                       .held = h->withdrawn[--h->withdrawn_len] },
                 NULL);
    uint64_t at_ms = agent_deadline_ms(&h->agent);
    if (!h->alive || at_ms == UINT64_MAX)
        return;
    at_ms = MAX(at_ms, m->now_ms + h->clock + 1) - h->clock;
    if (h->wake_ms > m->now_ms && h->wake_ms <= at_ms)
        return;
    h->wake_ms = at_ms;
    sim_post(m, (struct sim_event){ .kind = SE_HOST_WAKE, .host = host }, at_ms - m->now_ms);
}

void host_agent(struct sim *m, uint32_t host, enum agent_event_kind kind)
{
    agent_run(m, host, (struct agent_event){ .kind = kind }, NULL);
}

/* Tell the agent what the slots posted. */
static void read_posts(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    struct slot_post posts[POSTS_MAX];
    size_t len = h->posts_len;

    memcpy(posts, h->post, len * sizeof *posts);
    h->posts_len = 0;
    for (size_t i = 0; i < len && h->alive; i++) {
        struct host_slot *x = &h->slot[posts[i].slot];
        if (posts[i].kind == AGENT_EV_STARTED && x->busy && x->held == posts[i].held)
            x->told = true;
        agent_run(m, host,
                  (struct agent_event){ .kind = posts[i].kind,
                                        .slot = posts[i].slot,
                                        .held = posts[i].held,
                                        .code = posts[i].code },
                  NULL);
    }
}

void host_message(struct sim *m, uint32_t host, const struct msg *msg)
{
    static const enum agent_event_kind kinds[] = {
        [M_WELCOME] = AGENT_EV_WELCOME, [M_REFUSE] = AGENT_EV_REFUSE, [M_LEASE] = AGENT_EV_LEASE,
        [M_ACK] = AGENT_EV_ACK,         [M_CANCEL] = AGENT_EV_CANCEL, [M_DRAIN] = AGENT_EV_DRAIN
    };
    if (msg->kind == M_DRAIN && m->host[host].draining)
        return; /* a second request of a person's would shorten it; this is the same one */
    struct agent_attempt keep[HELD_MAX], drop[HELD_MAX];
    const struct sched_held *dropped = msg_drop(msg);
    struct agent_event e = { .kind = kinds[msg->kind], .code = msg->code };

    e.attempt = (struct agent_attempt){ .attempt = msg->attempt, .epoch = msg->epoch };
    e.seqs = &msg->seq;
    e.seqs_len = 1;
    e.incarnation = msg->incarnation;
    e.renew_ms = RENEW_MS;
    e.heartbeat_ms = HEARTBEAT_MS;
    for (uint32_t i = 0; i < msg->keep_len; i++)
        keep[i] = (struct agent_attempt){ msg->held[i].attempt, msg->held[i].epoch };
    for (uint32_t i = 0; i < msg->drop_len; i++)
        drop[i] = (struct agent_attempt){ dropped[i].attempt, dropped[i].epoch };
    e.keep = keep;
    e.drop = drop;
    e.keep_len = msg->keep_len;
    e.drop_len = msg->drop_len;
    agent_run(m, host, e, msg);
}

/* After the faults nobody leaves by itself: what is too long for all others is to run at last. */
static void draw_end(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    if (!m->faults_on || !sim_chance(m, m->conf.ends))
        return;
    h->end_ms = m->now_ms + sim_about(m, m->conf.ends_ms);
    sim_trace(m, "worker=%u is to leave at %u", (unsigned)h->worker, (unsigned)h->end_ms);
    sim_post(m, (struct sim_event){ .kind = SE_HOST_LEAVES, .host = host, .turn = h->worker },
             h->end_ms - m->now_ms);
}

static void leave(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    if (h->draining)
        return;
    m->fired[F_LEAVES] = true;
    sim_trace(m, "worker=%u leaves: its time is over", (unsigned)h->worker);
    host_agent(m, host, AGENT_EV_DRAIN);
}

void host_start(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    uint64_t turn = h->turn;

    if (m->workers + 1 == PROCESSES_MAX)
        sim_fail(m, "%d worker processes: something kills them in circles", PROCESSES_MAX);
    memset(h, 0, offsetof(struct host, agent));
    h->alive = true;
    h->worker = ++m->workers;
    h->turn = turn + 1;
    h->clock = m->conf.steady ? 0 : rng_below(&m->rng, 100000);
    h->speed = m->conf.steady ? 100 : 50 + rng_below(&m->rng, 150);
    h->classes = host == 0 ? 3 : 1;
    agent_init(&h->agent, m->conf.slots, m->conf.queue, &times);
    net_connect(m, host, true);
    sim_trace(m, "worker=%u starts on host %u", (unsigned)h->worker, host);
    draw_end(m, host);
    sim_post(m,
             (struct sim_event){ .kind = SE_CONNECTED, .host = host, .turn = m->link[host].turn },
             1 + sim_about(m, 10));
}

void host_kill(struct sim *m, uint32_t host)
{
    sim_trace(m, "fault: worker=%u killed", (unsigned)m->host[host].worker);
    m->fired[F_KILL] = true;
    m->fired[F_KILL_QUEUE] |= m->host[host].queue_len > 0;
    host_end(m, host);
}

void host_event(struct sim *m, struct sim_event *e)
{
    struct host *h = &m->host[e->host];

    if (e->kind == SE_HOST_START) {
        if (!h->alive)
            host_start(m, e->host);
        return;
    }
    if (!h->alive)
        return;
    if (h->stopped_until_ms > m->now_ms) {
        sim_post(m, *e, h->stopped_until_ms - m->now_ms);
        return;
    }
    if (e->kind == SE_HOST_LEAVES) {
        if (h->worker == e->turn)
            leave(m, e->host);
    } else if (e->kind == SE_HOST_WAKE) {
        h->wake_ms = 0;
        host_agent(m, e->host, AGENT_EV_TICK);
    } else if (e->kind == SE_COMPUTED || e->kind == SE_FINISH || e->kind == SE_SAVE) {
        slots_event(m, e);
    } else if (e->kind == SE_POSTED) {
        if (h->worker == e->turn)
            read_posts(m, e->host);
    } else if (m->link[e->host].turn == e->turn) {
        if (e->kind == SE_DISCONNECTED)
            host_agent(m, e->host, AGENT_EV_DISCONNECTED);
        else if (m->coord.up)
            host_agent(m, e->host, AGENT_EV_CONNECTED);
    }
}
