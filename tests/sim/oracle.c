/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.c - judges what the coordinator stores and sends, from the messages and the store alone.
 * A simulator finds only what its oracle knows: each rule here has a mutant that breaks it. */
#include <string.h>

#include "tests/sim/sim.h"

/* A few ms for timers that fire in the same moment as messages. */
enum { TOLERANCE_MS = 2 };

static struct book_attempt *find(struct sim *m, uint64_t id)
{
    for (uint32_t i = m->oracle.attempts_len; i-- > 0;)
        if (m->oracle.attempt[i].id == id)
            return &m->oracle.attempt[i];
    return NULL;
}

/* The attempt that the newest lease of JOB is, NULL when it has ended. */
static struct book_attempt *current(struct sim *m, uint64_t job)
{
    uint32_t newest = m->oracle.job[job].newest;
    if (newest == 0 || m->oracle.attempt[newest - 1].ended)
        return NULL;
    return &m->oracle.attempt[newest - 1];
}

static uint32_t host_of_worker(const struct sim *m, uint64_t worker)
{
    for (uint32_t h = 0; h < m->conf.hosts; h++)
        if (m->host[h].worker == worker)
            return h;
    return HOSTS_MAX;
}

/* Does the coordinator know the connection? Otherwise it answers Refuse and nothing else. */
static bool connected(const struct sim *m, const struct msg *msg)
{
    struct sched_worker_view view;
    return sched_worker(m->coord.core, msg->worker, &view) && view.peer == msg->peer;
}

static void moved(struct sim *m, const struct msg *msg, uint64_t attempt, uint64_t progress,
                  bool surely)
{
    struct book_attempt *a = find(m, attempt);
    if (!a || a->ended || a->worker != msg->worker || (!a->attached && msg->kind != M_HELLO))
        return;
    bool first = msg->kind != M_HELLO && !a->seen;
    bool cancelling = m->db.job[a->job].state == DB_CANCELLING; /* moves no more */
    if (!a->attached || (!cancelling && (surely || first || progress > a->progress)))
        a->moved_ms = m->now_ms;
    a->seen = a->attached = true;
    a->progress = MAX(a->progress, progress);
}

void oracle_message(struct sim *m, const struct msg *msg)
{
    uint32_t host = host_of_worker(m, msg->worker);

    if (msg->kind != M_HELLO && !connected(m, msg))
        return;
    m->oracle.heard_ms[msg->worker] = m->now_ms;
    if (host < HOSTS_MAX && msg->kind == M_HELLO)
        m->oracle.credits[host] = m->conf.slots;
    if (host < HOSTS_MAX && msg->kind == M_CREDITS)
        m->oracle.credits[host] = msg->total;
    for (uint32_t i = 0; i < msg->keep_len; i++)
        moved(m, msg, msg->keep[i].attempt, msg->keep[i].progress, msg->keep[i].finished);
    if (msg->kind == M_EXAMPLE || msg->kind == M_CHECKPOINT)
        moved(m, msg, msg->attempt, 0, true);
}

/* Of the experiments that want it one is not paused, as far as the client was told. */
static void check_wanted(struct sim *m, uint32_t job)
{
    uint32_t groups = m->spec[job].groups;
    bool wanted = groups == 0;

    for (uint32_t g = 0; g < GROUPS; g++)
        wanted |= groups >> g & 1 && !m->oracle.paused[g];
    if (!wanted)
        sim_fail(m, "job %u is leased, and all that want it are paused", job);
}

static void check_start(struct sim *m, const struct sched_action *a)
{
    const struct job_spec *spec = &m->spec[a->job];
    const struct db_job *row = &m->db.job[a->job];
    uint32_t host = host_of_worker(m, a->worker);
    uint32_t live = 0;

    if (row->state != DB_READY || row->waits_for != 0 || row->open != 0)
        sim_fail(m, "job %u is leased, but it is not ready", (unsigned)a->job);
    if (a->epoch != m->oracle.job[a->job].epoch + 1)
        sim_fail(m, "job %u gets epoch %u", (unsigned)a->job, a->epoch);
    if (a->attempt >> SCHED_ATTEMPT_BITS != m->db.incarnation || find(m, a->attempt))
        sim_fail(m, "attempt id %llx was used before", (unsigned long long)a->attempt);
    check_wanted(m, (uint32_t)a->job);
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        const struct sched_job *other = &m->spec[j].row;
        int32_t his = db_priority(m, j), mine = db_priority(m, (uint32_t)a->job);
        bool before = his > mine || (his == mine && j < a->job);
        if (m->db.job[j].state == DB_READY && other->class == spec->row.class && before &&
            sched_has_job(m->coord.core, j))
            sim_fail(m, "job %u overtakes job %u", (unsigned)a->job, j);
    }
    if (host == HOSTS_MAX)
        return; /* its process is gone, which nobody knows yet */
    if (!(m->host[host].classes >> spec->row.class & 1))
        sim_fail(m, "job %u goes to a worker of another class", (unsigned)a->job);
    for (uint32_t i = 0; i < m->oracle.attempts_len; i++) {
        const struct book_attempt *t = &m->oracle.attempt[i];
        live += t->worker == a->worker && t->attached && !t->ended;
    }
    if (live >= m->oracle.credits[host])
        sim_fail(m, "worker %u gets %u leases for %u credits", (unsigned)a->worker, live + 1,
                 (unsigned)m->oracle.credits[host]);
}

static void book_start(struct sim *m, const struct sched_action *a)
{
    struct oracle *o = &m->oracle;
    if (o->attempts_len == ATTEMPTS_MAX)
        sim_fail(m, "more than %d attempts: something runs in circles", ATTEMPTS_MAX);
    o->attempt[o->attempts_len++] = (struct book_attempt){ .id = a->attempt,
                                                           .worker = a->worker,
                                                           .begun_ms = m->now_ms,
                                                           .moved_ms = m->now_ms,
                                                           .job = (uint32_t)a->job,
                                                           .epoch = a->epoch,
                                                           .attached = true };
    o->job[a->job].newest = o->attempts_len;
    o->job[a->job].epoch = a->epoch;
    o->job[a->job].attempts++;
}

/* A result, an example or a checkpoint: only from the current lease, only what the work yields. */
static void check_accepted(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    const struct book_attempt *t = current(m, a->job);
    uint64_t piece = a->kind == ACT_STORE_EXAMPLE      ? msg->example
                     : a->kind == ACT_STORE_CHECKPOINT ? SIM_STEP + msg->step
                                                       : 1000;

    if (!msg || !t || t->id != msg->attempt || t->epoch != msg->epoch || t->worker != msg->worker ||
        a->attempt != msg->attempt)
        sim_fail(m, "job %u: a message of an attempt that is over is stored", (unsigned)a->job);
    if (msg->value != sim_value(a->job, piece))
        sim_fail(m, "job %u: what is stored is another job's", (unsigned)a->job);
    if (m->db.job[a->job].state != DB_RUNNING && m->db.job[a->job].state != DB_CANCELLING)
        sim_fail(m, "job %u has a second effective result", (unsigned)a->job);
    if (a->kind == ACT_STORE_CHECKPOINT && m->db.job[a->job].state == DB_CANCELLING)
        sim_fail(m, "job %u: a checkpoint of cancelled work is stored", (unsigned)a->job);
}

static void check_lost(struct sim *m, const struct book_attempt *t, const struct msg *msg)
{
    if (msg && msg->kind == M_HELLO && msg->worker == t->worker) {
        for (uint32_t i = 0; i < msg->keep_len; i++)
            if (msg->keep[i].attempt == t->id && msg->keep[i].epoch == t->epoch)
                sim_fail(m, "job %u: the lease that its worker offers is taken away", t->job);
        return; /* it came back without the attempt */
    }
    if (t->attached && m->now_ms - m->oracle.heard_ms[t->worker] + TOLERANCE_MS >= LEASE_MS)
        return; /* the whole worker is gone */
    uint64_t term_ms = t->attached ? LEASE_MS : REATTACH_MS;
    if (m->now_ms - t->moved_ms + TOLERANCE_MS < term_ms)
        sim_fail(m, "job %u loses a lease that moved %u ms ago", t->job,
                 (unsigned)(m->now_ms - t->moved_ms));
}

static void check_end(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    struct book_attempt *t = find(m, a->attempt);
    struct book_job *j = &m->oracle.job[a->job];

    if (!t || t->ended || t->job != a->job)
        sim_fail(m, "attempt %llx ends twice", (unsigned long long)a->attempt);
    if (msg && msg->kind == M_RESULT && msg->attempt == a->attempt && msg->outcome != a->cause)
        sim_fail(m, "job %u: another cause is stored than was told", (unsigned)a->job);
    if (a->cause == CAUSE_LOST && !(msg && msg->attempt == a->attempt))
        check_lost(m, t, msg);
    t->ended = true;
    j->spent += a->cause == CAUSE_FAILED || a->cause == CAUSE_OOM || a->cause == CAUSE_TIMEOUT;
    j->lost += a->cause == CAUSE_LOST;
}

static void check_job(struct sim *m, const struct sched_action *a)
{
    const struct book_job *j = &m->oracle.job[a->job];
    uint32_t retries = m->spec[a->job].row.retries;
    bool user = a->cause == CAUSE_FAILED || a->cause == CAUSE_OOM || a->cause == CAUSE_TIMEOUT;
    bool fails =
        user ? j->spent > retries : a->cause == CAUSE_LOST && a->losses >= m->conf.losses_max;

    if (a->tries != j->spent || a->losses > j->lost)
        sim_fail(m, "job %u: %u tries and %u losses are stored, there were %u and %u",
                 (unsigned)a->job, a->tries, a->losses, j->spent, j->lost);
    if (db_final(m->db.job[a->job].state))
        sim_fail(m, "job %u is final and changes", (unsigned)a->job);
    if ((a->state == JOB_CANCELLED || a->state == JOB_CANCELLING) && !j->cancel_asked)
        sim_fail(m, "job %u is cancelled and nobody asked", (unsigned)a->job);
    if (a->state == JOB_READY && m->db.job[a->job].state == DB_CANCELLING)
        sim_fail(m, "the cancel of job %u is forgotten", (unsigned)a->job);
    if ((a->state == JOB_FAILED && !fails) || (a->state == JOB_READY && fails))
        sim_fail(m, "job %u is %s by %s after %u tries and %u losses", (unsigned)a->job,
                 sched_job_state_name(a->state), sched_cause_name(a->cause), a->tries, a->losses);
}

void oracle_store(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    if (a->kind == ACT_STORE_ATTEMPT_START) {
        check_start(m, a);
        book_start(m, a);
    } else if (a->kind == ACT_STORE_EXAMPLE || a->kind == ACT_STORE_CHECKPOINT ||
               a->kind == ACT_STORE_RESULT) {
        check_accepted(m, a, msg);
    } else if (a->kind == ACT_STORE_ATTEMPT_END) {
        check_end(m, a, msg);
    } else if (a->kind == ACT_STORE_JOB) {
        check_job(m, a);
    } else if (a->kind == ACT_COMPARE) {
        m->fired[F_LATE_RESULT] = true;
        const struct book_attempt *t = find(m, msg->attempt);
        if (t && !t->ended && t->worker == msg->worker && t->epoch == msg->epoch)
            sim_fail(m, "job %u: its current result is taken for a late one", t->job);
    }
}

/* Leases that should have ended. */
void oracle_step(struct sim *m, const struct sched_event *e)
{
    (void)e;
    if (m->now_ms <= m->oracle.slack_until_ms)
        return;
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        const struct book_attempt *t = current(m, j);
        if (t && t->attached && m->now_ms - t->moved_ms > LEASE_MS + TOLERANCE_MS)
            sim_fail(m, "job %u keeps a lease that has not moved for %u ms", j,
                     (unsigned)(m->now_ms - t->moved_ms));
    }
}

/* What was not committed never was. */
void oracle_restart(struct sim *m)
{
    struct oracle *o = &m->oracle;

    o->attempts_len = (uint32_t)m->db.attempts_len;
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct book_job *b = &o->job[j];
        b->newest = b->epoch = b->attempts = b->spent = b->lost = 0;
    }
    for (uint32_t i = 0; i < o->attempts_len; i++) {
        const struct db_attempt *row = &m->db.attempt[i];
        struct book_job *b = &o->job[row->job];
        struct book_attempt *t = &o->attempt[i];
        t->ended = row->ended != 0;
        t->attached = t->seen = false;
        t->progress = 0;
        t->moved_ms = m->now_ms;
        b->newest = i + 1;
        b->epoch = (uint32_t)row->epoch;
        b->attempts++;
        if (i < m->db.job[row->job].retried_at)
            continue;
        b->spent += row->ended && (row->cause == CAUSE_FAILED || row->cause == CAUSE_OOM ||
                                   row->cause == CAUSE_TIMEOUT);
        b->lost += row->ended && row->cause == CAUSE_LOST;
    }
    m->oracle.slack_until_ms = m->now_ms;
}

static void check_ack(struct sim *m, uint32_t host, const struct msg *msg)
{
    const struct host *h = &m->host[host];

    if (msg->code != 0)
        return;
    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        const struct agent_held *x = &h->agent.held[i];
        uint64_t job = h->held_job[i];
        const struct host_slot *slot = &h->slot[x->slot];
        if (x->state == AGENT_RUNNING && x->example && x->example_seq == msg->seq && slot->saves &&
            m->db.job[job].step < slot->step && !db_final(m->db.job[job].state))
            sim_fail(m, "job %u: checkpoint %u is acked and not stored", (unsigned)job, slot->step);
        if (x->state == AGENT_RUNNING && x->example && x->example_seq == msg->seq && !slot->saves &&
            !(m->db.job[job].examples >> slot->example & 1))
            sim_fail(m, "job %u: example %u is acked and not stored", (unsigned)job, slot->example);
        if (x->state != AGENT_FINISHED || x->result_seq != msg->seq)
            continue;
        const struct book_attempt *t = find(m, x->id.attempt);
        if (!t || !t->ended)
            sim_fail(m, "job %u: a result is acked and its attempt goes on", (unsigned)job);
        if (x->outcome == AGENT_OUTCOME_DONE && m->db.job[job].state != DB_DONE)
            sim_fail(m, "job %u: a result is acked and not stored", (unsigned)job);
    }
}

/* A running attempt that its worker offers and that is its job's current one is kept. */
static void check_welcome(struct sim *m, uint32_t host, const struct msg *msg)
{
    const struct agent *a = &m->host[host].agent;

    for (size_t i = 0; i < AGENT_HELD_MAX; i++) {
        const struct agent_held *x = &a->held[i];
        bool kept = false;
        if (x->state == AGENT_FREE || !x->offered || msg->worker != m->host[host].worker)
            continue;
        for (uint32_t k = 0; k < msg->keep_len; k++)
            kept |= msg->keep[k].attempt == x->id.attempt && msg->keep[k].epoch == x->id.epoch;
        const struct book_attempt *t = find(m, x->id.attempt);
        if (t && !t->ended && t->epoch == x->id.epoch && t->begun_ms < m->now_ms && !kept &&
            t->attached && t->seen)
            sim_fail(m, "job %u: its running attempt is not kept", t->job);
    }
}

void oracle_send(struct sim *m, uint32_t host, const struct msg *msg)
{
    if (msg->kind == M_ACK)
        check_ack(m, host, msg);
    else if (msg->kind == M_WELCOME && !m->conf.reorder && m->conf.duplicate == 0)
        check_welcome(m, host, msg);
}

void oracle_computed(struct sim *m, uint32_t job, uint64_t attempt)
{
    (void)attempt;
    m->oracle.job[job].computed++;
}

void oracle_lease_arrived(struct sim *m, const struct msg *msg)
{
    const struct book_attempt *t = find(m, msg->attempt);

    if (!t || t->epoch != msg->epoch)
        sim_fail(m, "job %u: a lease left before it was committed", (unsigned)msg->job);
    m->oracle.job[msg->job].arrived++;
    if (!t->ended && msg->finished != m->db.job[msg->job].examples)
        sim_fail(m, "job %u: the lease does not name all durable examples", (unsigned)msg->job);
    if (t->ended)
        return;
    if (msg->step != m->db.job[msg->job].step)
        sim_fail(m, "job %u: the lease goes on from step %u, durable is %u", (unsigned)msg->job,
                 msg->step, (unsigned)m->db.job[msg->job].step);
    if (!(m->db.files[msg->job] >> msg->step & 1))
        sim_fail(m, "job %u: the file of its checkpoint %u is gone", (unsigned)msg->job, msg->step);
}

/* The effective attempt of training shows every step; nothing but orphans is left of checkpoints:
 * files that were uploaded and never committed, because somebody died in between. */
static void check_training(struct sim *m, uint32_t j)
{
    const struct db_job *row = &m->db.job[j];

    if (row->state != DB_FAILED && row->step != 0)
        sim_fail(m, "job %u is over and has a checkpoint", j);
    if (row->gone != 0)
        sim_fail(m, "job %u: files of checkpoints are left to nobody", j);
    m->fired[F_ORPHAN] |= (m->db.files[j] & ~(1ull | 1ull << row->step)) != 0;
    for (uint64_t i = 0; row->state == DB_DONE && i < m->db.attempts_len; i++) {
        const struct db_attempt *t = &m->db.attempt[i];
        if (t->job == j && t->ended && t->cause == CAUSE_DONE &&
            t->points != db_points_of(m->spec[j].steps))
            sim_fail(m, "job %u: its curve has holes: %llx", j, (unsigned long long)t->points);
    }
}

static void check_final(struct sim *m, uint32_t j)
{
    const struct db_job *row = &m->db.job[j];
    const struct book_job *b = &m->oracle.job[j];
    const struct job_spec *spec = &m->spec[j];
    uint32_t results = 0;

    for (uint64_t i = 0; i < m->db.attempts_len; i++) {
        const struct db_attempt *t = &m->db.attempt[i];
        results +=
            t->job == j && (t->cause == CAUSE_DONE || t->cause == CAUSE_DIVERGED) && t->ended;
    }
    if (row->open != 0)
        sim_fail(m, "job %u is final with an open attempt", j);
    if (results != (row->state == DB_DONE))
        sim_fail(m, "job %u has %u effective results", j, results);
    if (row->state == DB_DONE && row->result != sim_value(j, 1000))
        sim_fail(m, "job %u has a wrong result", j);
    if (row->state == DB_DONE && row->cause == CAUSE_DONE && spec->examples > 0 &&
        row->examples != (1ull << spec->examples) - 1)
        sim_fail(m, "job %u is done without all of its examples", j);
    if (row->state == DB_DONE &&
        (spec->poison || (spec->fails > spec->row.retries && row->retried == 0)))
        sim_fail(m, "job %u cannot be done", j);
    if (row->state == DB_CANCELLED && !b->cancel_asked)
        sim_fail(m, "job %u is cancelled and nobody asked", j);
    /* A kill, a lost lease, an old epoch: each wasted at most the example that was being computed.
     */
    uint32_t wasted = b->arrived - MIN(b->arrived, row->state == DB_DONE ? 1 : 0);
    if (spec->steps > 0) {
        check_training(m, j);
        if (b->computed > spec->steps + wasted * spec->every)
            sim_fail(m, "job %u: %u steps computed %u times in %u attempts, a checkpoint each %u",
                     j, spec->steps, b->computed, b->arrived, spec->every);
        return;
    }
    if (b->computed > MAX(spec->examples, 1) + wasted)
        sim_fail(m, "job %u: %u examples computed %u times in %u attempts", j, spec->examples,
                 b->computed, b->arrived);
}

void oracle_end(struct sim *m)
{
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        check_final(m, j);
}
