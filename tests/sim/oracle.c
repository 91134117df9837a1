/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.c - judges what the coordinator stores and sends, from the messages and the store alone.
 * A simulator finds only what its oracle knows: each rule here has a mutant that breaks it. */
#include <string.h>

#include "tests/sim/oracle.h"

struct book_attempt *book_find(struct sim *m, uint64_t id)
{
    struct oracle *o = &m->oracle;
    uint32_t i = o->bucket[id % BUCKETS];
    while (i != 0 && o->attempt[i - 1].id != id)
        i = o->attempt[i - 1].next;
    return i != 0 ? &o->attempt[i - 1] : NULL;
}

struct book_attempt *book_add(struct sim *m, const struct book_attempt *t)
{
    struct oracle *o = &m->oracle;
    if (o->attempts_len == ATTEMPTS_MAX || o->live_len == JOBS_MAX)
        sim_fail(m, "more than %d attempts: something runs in circles", ATTEMPTS_MAX);
    struct book_attempt *to = &o->attempt[o->attempts_len++];
    *to = *t;
    to->index = o->attempts_len;
    to->next = o->bucket[t->id % BUCKETS];
    o->bucket[t->id % BUCKETS] = o->attempts_len;
    if (!t->ended)
        o->live[o->live_len++] = t->id;
    o->job[t->job].newest = o->attempts_len;
    o->job[t->job].epoch = MAX(o->job[t->job].epoch, t->epoch);
    o->job[t->job].attempts++;
    return to;
}

struct book_attempt *book_current(struct sim *m, uint64_t job)
{
    uint32_t newest = m->oracle.job[job].newest;
    if (newest == 0 || m->oracle.attempt[newest - 1].ended)
        return NULL;
    return &m->oracle.attempt[newest - 1];
}

static void book_end(struct oracle *o, struct book_attempt *t)
{
    t->ended = true;
    for (uint32_t i = 0; i < o->live_len; i++)
        if (o->live[i] == t->id)
            o->live[i] = o->live[--o->live_len];
}

static void moved(struct sim *m, const struct msg *msg, uint64_t attempt, uint64_t progress,
                  bool surely)
{
    struct book_attempt *a = book_find(m, attempt);
    if (!a || a->ended || a->worker != msg->worker || (!a->attached && msg->kind != M_HELLO))
        return;
    bool first = msg->kind != M_HELLO && !a->seen;
    bool cancelling = m->db.job[a->job].state == DB_CANCELLING; /* moves no more */
    if (!a->attached || (!cancelling && (surely || first || progress > a->progress)))
        a->moved_ms = coord_clock(m);
    if (msg->kind == M_RENEW && progress > a->progress && !cancelling && !a->stored)
        m->oracle.moved = a->id;
    a->seen = a->attached = true;
    a->progress = MAX(a->progress, progress);
}

void oracle_message(struct sim *m, const struct msg *msg)
{
    struct book_worker *w = &m->oracle.worker[msg->worker];

    /* Does the coordinator know the connection? Otherwise it answers Refuse and nothing else. */
    for (size_t i = m->out.stores_len; i < m->out.len; i++)
        if (m->out.v[i].kind == ACT_SEND_REFUSE && m->out.v[i].peer == msg->peer)
            return;
    if (msg->kind == M_GOODBYE)
        return; /* acked, whoever says it */
    /* A connection that got the name of another worker's old one speaks for that, until its Hello.
     */
    uint64_t *speaker = &m->oracle.speaker[msg->peer % ARRAY_LEN(m->oracle.speaker)];
    if (msg->kind == M_HELLO)
        *speaker = msg->worker;
    else if (*speaker != msg->worker)
        return;
    if (coord_clock(m) - w->heard_ms + TOLERANCE_MS >= LEASE_MS)
        w->drained = false; /* it was forgotten meanwhile, and the wish with it */
    w->heard_ms = coord_clock(m);
    if (msg->kind == M_HELLO || msg->kind == M_CREDITS) {
        w->slots = msg->total;
        w->queue = msg->queue;
        w->changed_ms = coord_clock(m);
    }
    if (msg->kind == M_HELLO) {
        w->classes = msg->classes;
        w->labels = msg->labels;
        w->cores = msg->cores;
        w->memory_mib = msg->memory_mib;
        w->until_ms = msg->remaining_ms ? coord_clock(m) + msg->remaining_ms : 0;
        w->gone = false;
    }
    for (uint32_t i = 0; i < msg->keep_len; i++)
        moved(m, msg, msg->held[i].attempt, msg->held[i].progress, msg->held[i].finished);
    if (msg->kind == M_EXAMPLE || msg->kind == M_CHECKPOINT)
        moved(m, msg, msg->attempt, 0, true);
}

/* Was it stored in this step already, before its lease? */
static bool stored_first(struct sim *m, const struct sched_action *a)
{
    struct oracle *o = &m->oracle;
    for (uint32_t i = 0; i < o->early_len; i++) {
        if (o->early[i] != a->attempt)
            continue;
        o->early[i] = o->early[--o->early_len];
        return true;
    }
    return false;
}

void oracle_lease(struct sim *m, const struct sched_action *a)
{
    bool stored = stored_first(m, a);
    check_lease(m, a, stored);
    book_find(m, a->attempt)->stored = stored;
}

/* An attempt's row comes before all that hangs on it; perhaps even before its lease, which is then
 * in the same step: what leases were given before it is seen there. */
static void check_begun(struct sim *m, const struct sched_action *a)
{
    struct book_attempt *t = book_find(m, a->attempt);

    if (!t && m->oracle.early_len < ARRAY_LEN(m->oracle.early)) {
        m->oracle.early[m->oracle.early_len++] = a->attempt;
        return;
    }
    if (!t || t->ended || t->stored || t->job != a->job || t->epoch != a->epoch)
        sim_fail(m, "attempt %llx is stored, and is none", (unsigned long long)a->attempt);
    t->stored = true;
}

/* A result, an example or a checkpoint: only from the current lease, only what the work yields. */
static void check_accepted(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    const struct book_attempt *t = book_current(m, a->job);
    uint64_t piece = a->kind == ACT_STORE_EXAMPLE      ? msg->example
                     : a->kind == ACT_STORE_CHECKPOINT ? SIM_STEP + msg->step
                                                       : 1000;

    if (!t || t->stored == a->whole)
        sim_fail(m, "job %u: something is stored of an attempt without a row", (unsigned)a->job);
    if (!msg || t->id != msg->attempt || t->epoch != msg->epoch || t->worker != msg->worker ||
        a->attempt != msg->attempt)
        sim_fail(m, "job %u: a message of an attempt that is over is stored", (unsigned)a->job);
    if (msg->value != sim_value(a->job, piece))
        sim_fail(m, "job %u: what is stored is another job's", (unsigned)a->job);
    if (m->db.job[a->job].state != (a->whole ? DB_READY : DB_RUNNING) &&
        m->db.job[a->job].state != DB_CANCELLING)
        sim_fail(m, "job %u has a second effective result", (unsigned)a->job);
    if (a->kind == ACT_STORE_CHECKPOINT && m->db.job[a->job].state == DB_CANCELLING)
        sim_fail(m, "job %u: a checkpoint of cancelled work is stored", (unsigned)a->job);
}

/* Attempts of before the restart belong to more experiments than the core has places for. */
static bool no_place(const struct sim *m)
{
    uint32_t owners = 0;
    for (uint32_t j = 1; j <= m->conf.jobs && m->coord.opening; j++)
        owners |= m->db.job[j].open ? 1u << db_owner(m, j) : 0;
    return (uint32_t)__builtin_popcount(owners) > m->conf.experiments;
}

static void check_lost(struct sim *m, const struct book_attempt *t, const struct msg *msg)
{
    uint64_t term_ms = t->attached ? LEASE_MS : REATTACH_MS;

    if (coord_clock(m) - t->moved_ms + TOLERANCE_MS >= term_ms || no_place(m))
        return;
    if (msg && msg->kind == M_HELLO && msg->worker == t->worker) {
        for (uint32_t i = 0; i < msg->keep_len; i++)
            if (msg->held[i].attempt == t->id && msg->held[i].epoch == t->epoch)
                sim_fail(m, "job %u: the lease that its worker offers is taken away", t->job);
        return; /* it came back without the attempt */
    }
    if (t->attached &&
        coord_clock(m) - m->oracle.worker[t->worker].heard_ms + TOLERANCE_MS >= LEASE_MS)
        return; /* the whole worker is gone */
    sim_fail(m, "job %u loses a lease that moved %u ms ago", t->job,
             (unsigned)(coord_clock(m) - t->moved_ms));
}

/* A job is blamed for its worker's end only if it ran there: it moved, or it was among the first,
 * as many as there are slots, when the worker was last heard of. */
static void check_blame(struct sim *m, const struct book_attempt *t, enum sched_cause cause,
                        const struct msg *msg)
{
    if (cause != CAUSE_LOST || !t->attached)
        sim_fail(m, "job %u is blamed for what is not its doing", t->job);
    /* A worker that speaks in the moment when its leases expire may have begun the next one. */
    bool speaks = msg && msg->worker == t->worker;
    if (t->progress == 0 && !t->ran && !speaks)
        sim_fail(m, "job %u waited, and is blamed for its worker's end", t->job);
}

/* The worker lives: those of its leases that came first run. */
static void see_run(struct sim *m, uint64_t worker)
{
    struct oracle *o = &m->oracle;
    uint32_t slots = o->worker[worker].slots;
    struct book_attempt *first[SLOTS_MAX] = { NULL };

    for (uint32_t i = 0; i < o->live_len; i++) {
        struct book_attempt *t = book_find(m, o->live[i]);
        if (t->worker != worker || !t->attached)
            continue;
        for (uint32_t k = 0; k < MIN(slots, SLOTS_MAX) && t; k++) {
            if (first[k] && first[k]->index < t->index)
                continue;
            struct book_attempt *next = first[k];
            first[k] = t;
            t = next;
        }
    }
    for (uint32_t k = 0; k < SLOTS_MAX && first[k]; k++)
        first[k]->ran = true;
}

static void check_end(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    struct book_attempt *t = book_find(m, a->attempt);
    struct book_job *j = &m->oracle.job[a->job];

    if (!t || t->ended || t->stored == a->whole || t->job != a->job)
        sim_fail(m, "attempt %llx ends twice, or never began", (unsigned long long)a->attempt);
    /* (Of one that waits for its worker's Hello nobody takes a result.) */
    if (msg && msg->kind == M_RESULT && msg->attempt == a->attempt && t->attached &&
        msg->outcome != a->cause)
        sim_fail(m, "job %u: another cause is stored than was told", (unsigned)a->job);
    if (a->cause == CAUSE_LOST && !(msg && msg->attempt == a->attempt))
        check_lost(m, t, msg);
    m->oracle.worker[t->worker].stuck |= a->cause == CAUSE_LOST && t->seen;
    t->stored |= !a->whole || a->began; /* what only waited leaves no row */
    if (!t->stored && a->cause != CAUSE_LOST && a->cause != CAUSE_PREEMPTED)
        sim_fail(m, "attempt %llx is %s, and leaves no row", (unsigned long long)a->attempt,
                 sched_cause_name(a->cause));
    book_end(&m->oracle, t);
    m->oracle.worker[t->worker].changed_ms = coord_clock(m);
    j->spent += a->cause == CAUSE_FAILED || a->cause == CAUSE_OOM || a->cause == CAUSE_TIMEOUT;
    if (a->counted)
        check_blame(m, t, a->cause, msg);
    j->lost += a->cause == CAUSE_LOST && a->counted;
    lease_ended(m, t, a->cause, a->counted);
}

static void check_job(struct sim *m, const struct sched_action *a)
{
    const struct book_job *j = &m->oracle.job[a->job];
    uint32_t retries = m->spec[a->job].row.retries;
    bool user = a->cause == CAUSE_FAILED || a->cause == CAUSE_OOM || a->cause == CAUSE_TIMEOUT;
    bool fails =
        user ? j->spent > retries : a->cause == CAUSE_LOST && a->losses >= m->conf.losses_max;

    if (a->tries != j->spent || a->losses != j->lost)
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
    if (a->kind == ACT_STORE_RESERVE && a->attempt < m->db.reserved)
        sim_fail(m, "a reservation of what was reserved before");
    if (a->kind == ACT_STORE_ATTEMPT_START) {
        check_begun(m, a);
    } else if (a->kind == ACT_STORE_EXAMPLE || a->kind == ACT_STORE_CHECKPOINT ||
               a->kind == ACT_STORE_RESULT) {
        check_accepted(m, a, msg);
        book_find(m, a->attempt)->stored = true;
        if (a->kind == ACT_STORE_RESULT)
            time_learn(&m->oracle.shape[m->spec[a->job].row.shape], 1000ull * msg->wall_ms);
    } else if (a->kind == ACT_STORE_ATTEMPT_END) {
        check_end(m, a, msg);
    } else if (a->kind == ACT_STORE_JOB) {
        check_job(m, a);
    } else if (a->kind == ACT_COMPARE) {
        m->fired[F_LATE_RESULT] = true;
        m->fired[F_UNSTORED_LATE] |= !book_find(m, msg->attempt);
        if (m->db.job[msg->job].state == DB_DONE && msg->value != m->db.job[msg->job].result)
            sim_fail(m, "job %u: a late result is another one", (unsigned)msg->job);
        const struct book_attempt *t = book_find(m, msg->attempt);
        if (t && !t->ended && t->worker == msg->worker && t->epoch == msg->epoch)
            sim_fail(m, "job %u: its current result is taken for a late one", t->job);
    }
}

/* Leases that should have ended. */
void oracle_step(struct sim *m, const struct msg *msg)
{
    if (msg)
        see_run(m, msg->worker);
    if (m->oracle.early_len > 0)
        sim_fail(m, "attempt %llx is stored, and is none", (unsigned long long)m->oracle.early[0]);
    shares_step(m);
    time_step(m);
    const struct book_attempt *t = m->oracle.moved ? book_find(m, m->oracle.moved) : NULL;
    if (t && !t->stored && !t->ended)
        sim_fail(m, "job %u moved, and a restart would not know of it", t->job);
    m->oracle.moved = 0;
    if (m->now_ms <= m->oracle.slack_until_ms)
        return;
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        t = book_current(m, j);
        if (t && t->attached && coord_clock(m) - t->moved_ms > LEASE_MS + TOLERANCE_MS)
            sim_fail(m, "job %u keeps a lease that has not moved for %u ms", j,
                     (unsigned)(coord_clock(m) - t->moved_ms));
    }
}

/* What was not committed never was. */
void oracle_restart(struct sim *m)
{
    struct oracle *o = &m->oracle;

    memset(o->speaker, 0, sizeof o->speaker);
    o->attempts_len = o->live_len = o->early_len = 0;
    memset(o->shape, 0, sizeof o->shape);
    memset(o->share, 0, sizeof o->share);
    o->shares_ms = o->looked_ms = coord_clock(m);
    for (uint32_t w = 0; w <= m->workers; w++)
        o->worker[w] = (struct book_worker){ 0 };
    memset(o->bucket, 0, sizeof o->bucket);
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct book_job *b = &o->job[j];
        b->newest = b->epoch = b->attempts = b->spent = b->lost = 0;
        b->rests_ms = 0;
        b->here_ms = coord_clock(m);
    }
    for (uint32_t i = 0; i < m->db.attempts_len; i++) {
        const struct db_attempt *row = &m->db.attempt[i];
        struct book_job *b = &o->job[row->job];
        struct book_attempt t = { .id = row->id,
                                  .worker = row->worker,
                                  .moved_ms = coord_clock(m),
                                  .job = (uint32_t)row->job,
                                  .epoch = (uint32_t)row->epoch,
                                  .ended = row->ended != 0,
                                  .stored = true };
        (void)book_add(m, &t);
        if (i < m->db.job[row->job].retried_at)
            continue;
        b->spent += row->ended && (row->cause == CAUSE_FAILED || row->cause == CAUSE_OOM ||
                                   row->cause == CAUSE_TIMEOUT);
        b->lost += row->ended && row->cause == CAUSE_LOST && row->counted;
    }
    m->oracle.slack_until_ms = m->now_ms;
}

void oracle_slack(struct sim *m, uint64_t until_ms)
{
    uint64_t *slack_ms = &m->oracle.slack_until_ms;
    *slack_ms = MAX(*slack_ms, until_ms + LEASE_MS + QUIET_MS);
    for (uint32_t g = 0; g < GROUPS; g++)
        m->oracle.share[g].here = false; /* its clock and theirs tell different things now */
}

/* It answers the message that it came from, and nothing else. */
void oracle_ack(struct sim *m, const struct sched_action *a, const struct msg *cause)
{
    if (!cause || cause->seq != a->seq || cause->peer != a->peer ||
        (cause->kind != M_EXAMPLE && cause->kind != M_CHECKPOINT && cause->kind != M_RESULT &&
         cause->kind != M_GOODBYE))
        sim_fail(m, "an ack of nothing: seq %u", (unsigned)a->seq);
}

/* What is acked is durable. */
static void check_ack(struct sim *m, const struct msg *msg)
{
    const struct db_job *row = &m->db.job[msg->job];
    unsigned job = (unsigned)msg->job;

    if (msg->code != 0 || msg->acks == M_GOODBYE)
        return;
    const struct book_attempt *t = book_find(m, msg->attempt);
    if (!t || t->job != job || (!t->stored && msg->outcome != CAUSE_PREEMPTED))
        sim_fail(m, "job %u: something of an unknown attempt is acked", job);
    if (msg->acks == M_CHECKPOINT && row->step < msg->step && !db_final(row->state))
        sim_fail(m, "job %u: checkpoint %u is acked and not stored", job, msg->step);
    if (msg->acks == M_EXAMPLE && !(row->examples >> msg->example & 1))
        sim_fail(m, "job %u: example %u is acked and not stored", job, msg->example);
    if (msg->acks != M_RESULT)
        return;
    if (!t->ended)
        sim_fail(m, "job %u: a result is acked and its attempt goes on", job);
    if ((msg->outcome == CAUSE_DONE || msg->outcome == CAUSE_DIVERGED) && row->state != DB_DONE)
        sim_fail(m, "job %u: a result is acked and not stored", job);
}

/* What its worker offers and is somebody's current attempt is kept; so is a result that nobody
 * knows, or it would never be compared. */
void oracle_welcome(struct sim *m, const struct msg *msg, const struct msg *hello)
{
    for (uint32_t i = 0; i < hello->keep_len; i++) {
        const struct sched_held *x = &hello->held[i];
        const struct book_attempt *t = book_find(m, x->attempt);
        bool kept = false;
        for (uint32_t k = 0; k < msg->keep_len; k++)
            kept |= msg->held[k].attempt == x->attempt && msg->held[k].epoch == x->epoch;
        m->fired[F_UNSTORED_DROPPED] |= !kept && !t;
        if (kept && !x->finished && !t)
            sim_fail(m, "attempt %llx: nobody knows it, and it is to go on",
                     (unsigned long long)x->attempt);
        if (!kept && t && !t->ended && t->epoch == x->epoch && t->worker == hello->worker)
            sim_fail(m, "job %u: its running attempt is not kept", t->job);
        if (!kept && x->finished)
            sim_fail(m, "attempt %llx: its result is not wanted", (unsigned long long)x->attempt);
    }
}

/* A lease that leaves is another one than all that left before, whoever remembers them. */
static void check_new(struct sim *m, uint64_t attempt, uint64_t job)
{
    uint64_t *sent = m->oracle.sent, i = attempt * 0x9e3779b97f4a7c15u >> 49;

    const struct book_attempt *t = book_find(m, attempt);
    if (attempt > m->db.reserved)
        sim_fail(m, "attempt id %llx is not reserved", (unsigned long long)attempt);
    if (m->spec[job].row.eager && (!t || !t->stored))
        sim_fail(m, "job %u must not run twice, and is leased without a row", (unsigned)job);
    for (uint32_t looked = 0; sent[i % SENT_MAX] != 0; i++, looked++) {
        if (sent[i % SENT_MAX] == attempt)
            sim_fail(m, "attempt id %llx was used before", (unsigned long long)attempt);
        if (looked == SENT_MAX / 2)
            sim_fail(m, "more than %d leases", SENT_MAX / 2);
    }
    sent[i % SENT_MAX] = attempt;
}

void oracle_send(struct sim *m, const struct msg *msg)
{
    if (msg->kind == M_ACK)
        check_ack(m, msg);
    else if (msg->kind == M_LEASE)
        check_new(m, msg->attempt, msg->job);
}

void oracle_unreachable(struct sim *m, uint64_t peer)
{
    m->oracle.worker[m->oracle.speaker[peer % ARRAY_LEN(m->oracle.speaker)]].gone = true;
}

void oracle_begun(struct sim *m, uint32_t job)
{
    m->oracle.job[job].arrived++;
}

void oracle_lease_arrived(struct sim *m, const struct msg *msg)
{
    const struct book_attempt *t = book_find(m, msg->attempt);

    if (!t || t->ended || t->epoch != msg->epoch)
        return; /* of a coordinator that is no more, or late */
    if (msg->finished != m->db.job[msg->job].examples)
        sim_fail(m, "job %u: the lease does not name all durable examples", (unsigned)msg->job);
    if (msg->step != m->db.job[msg->job].step)
        sim_fail(m, "job %u: the lease goes on from step %u, durable is %u", (unsigned)msg->job,
                 msg->step, (unsigned)m->db.job[msg->job].step);
    if (!(m->db.files[msg->job] >> msg->step & 1))
        sim_fail(m, "job %u: the file of its checkpoint %u is gone", (unsigned)msg->job, msg->step);
}
