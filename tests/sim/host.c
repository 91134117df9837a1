/* SPDX-License-Identifier: Apache-2.0 */
/* host.c - a worker process: the real agent, and slots whose jobs take virtual time. */
#include <string.h>

#include "tests/sim/sim.h"

enum { DIES = -1000 }; /* instead of an exit code: the job kills its worker */

static const struct agent_times times = { .heartbeat_ms = HEARTBEAT_MS,
                                          .renew_ms = RENEW_MS,
                                          .resend_ms = 300,
                                          .hello_ms = 50,
                                          .hello_max_ms = 400,
                                          .drain_ms = 3000,
                                          .drain_short_ms = 100,
                                          .goodbye_ms = 100 };

static void post_slot(struct sim *m, uint32_t host, size_t slot, enum sim_event_kind kind,
                      uint64_t after_ms, int code)
{
    struct host *h = &m->host[host];
    h->slot[slot].turn = ++h->turn; /* what was planned for the slot before is void */
    sim_post(
        m,
        (struct sim_event){
            .kind = kind, .host = host, .slot = (uint32_t)slot, .turn = h->turn, .code = code },
        after_ms);
}

/* The exit code of a job that ran through. */
static int ending(struct sim *m, uint32_t job)
{
    static const int codes[] = { ERR_INTERNAL, ERR_NOMEM, ERR_TIMEOUT };
    const struct job_spec *spec = &m->spec[job];
    uint32_t spent = m->oracle.job[job].spent;
    if (spent < spec->fails) {
        m->fired[F_FAIL] = true;
        return codes[spent % ARRAY_LEN(codes)];
    }
    return spec->diverges ? ERR_DIVERGED : 0;
}

static void agent_run(struct sim *m, uint32_t host, struct agent_event e, const struct msg *msg);

/* Upload what the job has, and say so; while the coordinator is away the upload waits for it. */
static void save(struct sim *m, uint32_t host, size_t slot)
{
    struct host_slot *x = &m->host[host].slot[slot];

    if (!m->coord.up) {
        post_slot(m, host, slot, SE_SAVE, 50, 0);
        return;
    }
    m->db.files[x->job] |= 1ull << x->step;
    x->waits = x->saves = true;
    agent_run(m, host, (struct agent_event){ .kind = AGENT_EV_EXAMPLE, .slot = slot }, NULL);
}

/* The next step of training, a checkpoint, or the end. */
static void train(struct sim *m, uint32_t host, size_t slot, uint64_t ms)
{
    struct host_slot *x = &m->host[host].slot[slot];
    const struct job_spec *spec = &m->spec[x->job];
    bool due = x->step - x->saved >= spec->every && x->step < spec->steps;

    if (x->step > x->saved && (x->drain || (due && !x->stop)))
        post_slot(m, host, slot, SE_SAVE, 1, 0);
    else if (x->stop)
        post_slot(m, host, slot, SE_FINISH, sim_about(m, 20), ERR_CANCELLED);
    else if (x->step == spec->steps || (ending(m, x->job) < 0 && x->saved))
        post_slot(m, host, slot, SE_FINISH, 1, ending(m, x->job));
    else if (spec->poison)
        post_slot(m, host, slot, SE_FINISH, ms, DIES);
    else
        post_slot(m, host, slot, SE_COMPUTED, x->hung ? 4 * LEASE_MS : ms, 0);
}

/* The next example, or the end. */
static void go_on(struct sim *m, uint32_t host, size_t slot)
{
    struct host_slot *x = &m->host[host].slot[slot];
    const struct job_spec *spec = &m->spec[x->job];
    uint64_t ms = 1 + sim_about(m, spec->work_ms) * m->host[host].speed / 100;
    uint32_t example = 0;

    if (spec->steps > 0) {
        train(m, host, slot, ms);
        return;
    }
    if (x->stop) {
        post_slot(m, host, slot, SE_FINISH, sim_about(m, 20), ERR_CANCELLED);
        return;
    }
    while (example < spec->examples && (x->done >> example & 1))
        example++;
    x->example = example;
    if (spec->examples > 0 && (example == spec->examples || (ending(m, x->job) < 0 && x->done)))
        post_slot(m, host, slot, SE_FINISH, 1, ending(m, x->job));
    else if (spec->poison)
        post_slot(m, host, slot, SE_FINISH, ms, DIES);
    else
        post_slot(m, host, slot, SE_COMPUTED, x->hung ? 4 * LEASE_MS : ms, 0);
}

static void begin(struct sim *m, uint32_t host, const struct agent_action *a, const struct msg *msg)
{
    struct host_slot *x = &m->host[host].slot[a->slot];

    *x = (struct host_slot){ .busy = true, .held = a->held, .attempt = msg->attempt };
    x->epoch = msg->epoch;
    x->job = (uint32_t)msg->job;
    x->done = msg->finished;
    x->begun_ms = m->now_ms;
    if (m->db.files[x->job] >> msg->step & 1) /* else it begins at the start */
        x->step = x->saved = msg->step;
    m->fired[F_GO_ON] |= x->step > 0;
    oracle_lease_arrived(m, msg);
    x->hung = m->spec[x->job].hangs && msg->epoch == 1;
    m->fired[F_HANG] |= x->hung;
    go_on(m, host, a->slot);
}

static void stop(struct sim *m, uint32_t host, size_t slot, bool drain)
{
    struct host_slot *x = &m->host[host].slot[slot];
    x->stop = true;
    x->drain = drain;
    if (x->waits || x->hung)
        return;
    if (m->spec[x->job].steps > 0)
        train(m, host, slot, 1);
    else
        post_slot(m, host, slot, SE_FINISH, sim_about(m, 30), ERR_CANCELLED);
}

static void end_example(struct sim *m, uint32_t host, const struct agent_action *a)
{
    struct host_slot *x = &m->host[host].slot[a->slot];
    if (!x->waits)
        sim_fail(m, "the agent ends an example that nobody waits for");
    x->waits = false;
    if (x->saves) {
        x->saves = false;
        x->points_acked = a->code == 0 ? x->points : x->points_acked;
        x->saved = a->code == 0 ? x->step : x->saved;
        if (a->code == 0 || a->code == ERR_NOT_FOUND) /* the file went: once more */
            go_on(m, host, a->slot);
        else
            post_slot(m, host, a->slot, SE_FINISH, sim_about(m, 10), a->code);
    } else if (a->code == 0) {
        x->done |= 1u << x->example;
        go_on(m, host, a->slot);
    } else {
        post_slot(m, host, a->slot, SE_FINISH, sim_about(m, 10), a->code);
    }
}

static void put_held(struct msg *msg, const struct agent_held *x)
{
    msg->keep[msg->keep_len++] = (struct sched_held){ .attempt = x->id.attempt,
                                                      .epoch = x->id.epoch,
                                                      .progress = x->counter,
                                                      .finished = x->state == AGENT_FINISHED };
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
    struct msg msg = { .kind = kinds[a->kind], .worker = h->worker, .seq = a->seq };

    msg.attempt = a->attempt.attempt;
    msg.epoch = a->attempt.epoch;
    msg.total = msg.kind == M_HELLO ? (uint32_t)h->agent.slots : a->total;
    msg.classes = h->classes;
    if (msg.kind == M_HELLO) {
        for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
            if (h->agent.held[i].state != AGENT_FREE && msg.keep_len == HELD_MAX)
                sim_fail(m, "a worker holds more than %d attempts", HELD_MAX);
            if (h->agent.held[i].state != AGENT_FREE)
                put_held(&msg, &h->agent.held[i]);
        }
    } else if (msg.kind == M_RENEW) {
        put_held(&msg, &h->agent.held[a->held]);
    } else if (msg.kind == M_EXAMPLE && h->slot[a->slot].saves) {
        const struct host_slot *x = &h->slot[a->slot];
        msg.kind = M_CHECKPOINT;
        msg.step = x->step;
        msg.points = x->points & ~x->points_acked;
        msg.value = sim_value(x->job, SIM_STEP + msg.step);
    } else if (msg.kind == M_EXAMPLE) {
        msg.example = h->slot[a->slot].example;
        msg.value = sim_value(h->slot[a->slot].job, msg.example);
    } else if (msg.kind == M_RESULT) {
        msg.outcome = (enum sched_cause)a->outcome;
        msg.value = sim_value(h->held_job[a->held], 1000);
        msg.points = h->held_points[a->held];
    }
    net_send(m, host, TO_COORDINATOR, &msg);
}

static void process_ends(struct sim *m, uint32_t host)
{
    m->host[host].alive = false;
    m->host[host].turn++;
    sim_post(m, (struct sim_event){ .kind = SE_HOST_START, .host = host }, sim_about(m, 300));
}

static void carry_out(struct sim *m, uint32_t host, const struct agent_action *a,
                      const struct msg *msg)
{
    struct host *h = &m->host[host];

    if (a->kind <= AGENT_SEND_GOODBYE) {
        if (msg && msg->kind == M_LEASE && a->attempt.attempt == msg->attempt) {
            h->held_job[a->held] = msg->job;
            h->held_points[a->held] = 0;
        }
        send(m, host, a);
    } else if (a->kind == AGENT_START) {
        h->held_job[a->held] = msg->job;
        begin(m, host, a, msg);
    } else if (a->kind == AGENT_STOP) {
        stop(m, host, a->slot, a->reason == AGENT_PREEMPTED);
    } else if (a->kind == AGENT_END_EXAMPLE) {
        end_example(m, host, a);
    } else if (a->kind == AGENT_EXIT) {
        sim_trace(m, "worker=%u exits (%d)", (unsigned)h->worker, a->code);
        process_ends(m, host);
    }
}

static void agent_run(struct sim *m, uint32_t host, struct agent_event e, const struct msg *msg)
{
    static struct agent_actions out;
    struct host *h = &m->host[host];
    struct agent_progress progress[SLOTS_MAX];

    for (size_t i = 0; i < m->conf.slots; i++) {
        struct host_slot *x = &h->slot[i];
        if (x->busy && !x->hung && !x->waits && m->now_ms > x->moved_ms)
            x->counter++;
        x->moved_ms = m->now_ms;
        progress[i] = (struct agent_progress){ .counter = x->counter };
    }
    e.progress = progress;
    agent_step(&h->agent, m->now_ms, &e, &out);
    sim_mix(m, (uint64_t)e.kind << 56 | (uint64_t)host << 48 | m->now_ms);
    for (size_t i = 0; i < out.len && h->alive; i++)
        carry_out(m, host, &out.v[i], msg);
    uint64_t at_ms = MAX(agent_deadline_ms(&h->agent), m->now_ms + 1);
    if (!h->alive || at_ms == UINT64_MAX || (h->wake_ms > m->now_ms && h->wake_ms <= at_ms))
        return;
    h->wake_ms = at_ms;
    sim_post(m, (struct sim_event){ .kind = SE_HOST_WAKE, .host = host }, at_ms - m->now_ms);
}

void host_agent(struct sim *m, uint32_t host, enum agent_event_kind kind)
{
    agent_run(m, host, (struct agent_event){ .kind = kind }, NULL);
}

void host_message(struct sim *m, uint32_t host, const struct msg *msg)
{
    static const enum agent_event_kind kinds[] = { [M_WELCOME] = AGENT_EV_WELCOME,
                                                   [M_REFUSE] = AGENT_EV_REFUSE,
                                                   [M_LEASE] = AGENT_EV_LEASE,
                                                   [M_ACK] = AGENT_EV_ACK,
                                                   [M_CANCEL] = AGENT_EV_CANCEL };
    struct agent_attempt keep[HELD_MAX], drop[HELD_MAX];
    struct agent_event e = { .kind = kinds[msg->kind], .code = msg->code };

    e.attempt = (struct agent_attempt){ .attempt = msg->attempt, .epoch = msg->epoch };
    e.seqs = &msg->seq;
    e.seqs_len = 1;
    e.incarnation = msg->incarnation;
    e.renew_ms = RENEW_MS;
    e.heartbeat_ms = HEARTBEAT_MS;
    for (uint32_t i = 0; i < msg->keep_len; i++)
        keep[i] = (struct agent_attempt){ msg->keep[i].attempt, msg->keep[i].epoch };
    for (uint32_t i = 0; i < msg->drop_len; i++)
        drop[i] = (struct agent_attempt){ msg->drop[i].attempt, msg->drop[i].epoch };
    e.keep = keep;
    e.drop = drop;
    e.keep_len = msg->keep_len;
    e.drop_len = msg->drop_len;
    agent_run(m, host, e, msg);
}

void host_start(struct sim *m, uint32_t host)
{
    struct host *h = &m->host[host];
    uint64_t turn = h->turn;

    if (m->workers + 1 == PROCESSES_MAX)
        sim_fail(m, "%d worker processes: something kills them in circles", PROCESSES_MAX);
    *h = (struct host){ .alive = true, .worker = ++m->workers, .turn = turn + 1 };
    h->speed = m->conf.steady ? 100 : 50 + rng_below(&m->rng, 150);
    h->classes = host == 0 ? 3 : 1;
    agent_init(&h->agent, m->conf.slots, &times);
    net_connect(m, host, true);
    sim_trace(m, "worker=%u starts on host %u", (unsigned)h->worker, host);
    sim_post(m,
             (struct sim_event){ .kind = SE_CONNECTED, .host = host, .turn = m->link[host].turn },
             1 + sim_about(m, 10));
}

void host_kill(struct sim *m, uint32_t host)
{
    sim_trace(m, "fault: worker=%u killed", (unsigned)m->host[host].worker);
    m->fired[F_KILL] = true;
    process_ends(m, host);
}

static void computed(struct sim *m, struct sim_event *e)
{
    struct host_slot *x = &m->host[e->host].slot[e->slot];
    x->hung = false;
    if (m->spec[x->job].steps > 0) {
        oracle_computed(m, x->job, x->attempt);
        x->step++;
        x->points |= 1ull << x->step;
        train(m, e->host, e->slot,
              1 + sim_about(m, m->spec[x->job].work_ms) * m->host[e->host].speed / 100);
        return;
    }
    if (x->stop) {
        post_slot(m, e->host, e->slot, SE_FINISH, 1, ERR_CANCELLED);
        return;
    }
    oracle_computed(m, x->job, x->attempt);
    if (m->spec[x->job].examples == 0) {
        post_slot(m, e->host, e->slot, SE_FINISH, 1, ending(m, x->job));
        return;
    }
    x->waits = true;
    agent_run(m, e->host, (struct agent_event){ .kind = AGENT_EV_EXAMPLE, .slot = e->slot }, NULL);
}

/* Still worth saving? Not when the job is cancelled meanwhile. */
static void go_save(struct sim *m, uint32_t host, size_t slot)
{
    const struct host_slot *x = &m->host[host].slot[slot];

    if (x->stop && !x->drain)
        train(m, host, slot, 1);
    else
        save(m, host, slot);
}

static void finish(struct sim *m, struct sim_event *e)
{
    struct host *h = &m->host[e->host];
    if (e->code == DIES) {
        m->fired[F_POISON] = true;
        sim_trace(m, "job=%u kills its worker=%u", h->slot[e->slot].job, (unsigned)h->worker);
        process_ends(m, e->host);
        return;
    }
    h->slot[e->slot].busy = false;
    h->held_points[h->slot[e->slot].held] = h->slot[e->slot].points;
    struct agent_event f = { .kind = AGENT_EV_FINISHED, .slot = e->slot, .code = e->code };
    agent_run(m, e->host, f, NULL);
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
    if (e->kind == SE_HOST_WAKE) {
        h->wake_ms = 0;
        host_agent(m, e->host, AGENT_EV_TICK);
    } else if (e->kind == SE_COMPUTED || e->kind == SE_FINISH) {
        if (h->slot[e->slot].busy && h->slot[e->slot].turn == e->turn)
            (e->kind == SE_COMPUTED ? computed : finish)(m, e);
    } else if (e->kind == SE_SAVE) {
        if (h->slot[e->slot].busy && h->slot[e->slot].turn == e->turn)
            go_save(m, e->host, e->slot);
    } else if (m->link[e->host].turn == e->turn) {
        if (e->kind == SE_DISCONNECTED)
            host_agent(m, e->host, AGENT_EV_DISCONNECTED);
        else if (m->coord.up)
            host_agent(m, e->host, AGENT_EV_CONNECTED);
    }
}
