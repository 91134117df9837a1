/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_lease.c - may this lease be given? From what workers said of themselves, what clients
 * asked for and what happened to the job before. */
#include "tests/sim/oracle.h"

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

/* It asks for no more than a slot. */
static bool plain(const struct sim *m, uint32_t job)
{
    const struct sched_job *row = &m->spec[job].row;
    return row->cores == 0 && row->memory_mib == 0 && m->db.job[job].losses < m->conf.quarantine;
}

/* May both go to the same workers, now? */
static bool alike(const struct sim *m, uint32_t a, uint32_t b)
{
    const struct sched_job *x = &m->spec[a].row, *y = &m->spec[b].row;
    return x->class == y->class && x->labels == y->labels && plain(m, a) && plain(m, b);
}

/* (With fewer places for experiments than there are some jobs run on another one's account.) Nobody
 * like it, for the same experiment, that the core has at hand and WORKER has the time for comes
 * before it, unless it is too long to wait and queued apart, and this one is to wait (AHEAD); nor
 * does anybody like it of a higher priority, unless it may not wait. */
static void check_order(struct sim *m, uint32_t job, uint64_t worker, bool ahead)
{
    int32_t mine = db_priority(m, job);
    uint32_t owner = db_owner(m, job);

    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        if (j == job || m->db.job[j].state != DB_READY || !alike(m, j, job) || book_current(m, j))
            continue;
        int32_t his = db_priority(m, j);
        bool same = db_owner(m, j) == owner && m->conf.experiments == GROUPS;
        bool before = same ? his > mine || (his == mine && j < job) : his > mine && !ahead;
        if (!before || m->oracle.job[j].rests_ms > coord_clock(m) ||
            !sched_has_job(m->coord.core, j))
            continue;
        bool fits = time_suffices(m, j, worker);
        m->fired[F_PASSED] |= !fits;
        if (fits && !(ahead && time_apart(m, j)))
            sim_fail(m, "job %u (experiment %u, priority %d) overtakes job %u (%u, %d)", job, owner,
                     mine, j, db_owner(m, j), his);
    }
}

/* The plainest jobs, which go to any worker: by them the experiments are compared. */
static bool common(const struct sim *m, uint32_t job)
{
    const struct sched_job *row = &m->spec[job].row;
    return row->class == 0 && row->labels == 0 && plain(m, job);
}

/* Is there a plain job of experiment G and of PRIORITY at hand that might have got the lease at
 * WORKER? */
static bool waits(struct sim *m, uint32_t g, int32_t priority, uint64_t worker)
{
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        if (m->db.job[j].state == DB_READY && db_owner(m, j) == g && common(m, j) &&
            db_priority(m, j) == priority && !book_current(m, j) && !db_paused(m, j) &&
            time_suffices(m, j, worker) && m->oracle.job[j].rests_ms <= coord_clock(m) &&
            sched_has_job(m->coord.core, j))
            return true;
    return false;
}

/* Clients move jobs from one experiment to another; with fewer places than experiments one is
 * forgotten and begins anew; a job of many cores weighs so much that all others are far behind it:
 * no fair comparison. */
static bool comparable(const struct sim *m)
{
    return m->conf.experiments == GROUPS && m->conf.controls == 0 && !m->conf.resources;
}

/* Experiments get about the same core-time as long as both are here: whoever gets a lease is not
 * far ahead of anybody who waits with a job of the same priority. */
static void check_share(struct sim *m, uint32_t job, uint64_t worker)
{
    struct oracle *o = &m->oracle;
    uint32_t mine = db_owner(m, job);
    int32_t priority = db_priority(m, job);

    if (!common(m, job) || !comparable(m))
        return;
    for (uint32_t g = 0; g < GROUPS; g++) {
        int64_t lead = o->share[mine].lead_ms[g];
        if (g == mine || lead <= o->lead_ms || !waits(m, g, priority, worker))
            continue;
        o->lead_ms = MAX(o->lead_ms, lead);
        if (lead > LEAD_MAX_MS)
            sim_fail(m, "experiment %u is %d ms ahead of %u, which waits, and gets job %u", mine,
                     (int)lead, g, job);
    }
}

static void has_come(struct oracle *o, uint32_t g)
{
    for (uint32_t k = 0; k < GROUPS; k++)
        o->share[g].lead_ms[k] = o->share[k].lead_ms[g] = 0;
}

/* What experiments got in the time since the last step, and who waits now. */
void shares_step(struct sim *m)
{
    struct oracle *o = &m->oracle;
    if (!comparable(m) || coord_clock(m) == o->shares_ms)
        return;
    uint64_t now_ms = coord_clock(m), dt = now_ms - o->shares_ms, weight[GROUPS] = { 0 };
    bool here[GROUPS] = { false };

    o->shares_ms = now_ms;
    for (uint32_t i = 0; i < o->live_len; i++) {
        const struct book_attempt *t = book_find(m, o->live[i]);
        uint32_t g = db_owner(m, t->job);
        here[g] = true;
        weight[g] += t->attached && t->ran ? MAX(m->spec[t->job].row.cores, 1) : 0;
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        for (uint32_t k = 0; k < GROUPS; k++)
            o->share[g].lead_ms[k] += (int64_t)(dt * weight[g]) - (int64_t)(dt * weight[k]);
    }
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        here[db_owner(m, j)] |= m->db.job[j].state == DB_READY && sched_has_job(m->coord.core, j);
    for (uint32_t g = 0; g < GROUPS; g++) {
        if (here[g] && !o->share[g].here)
            has_come(o, g);
        o->share[g].here = here[g];
    }
}

/* What WORKER holds. */
struct load {
    uint32_t live, special, cores, alone; /* special: more than slots, with their cores */
    uint64_t memory_mib, least_us;        /* of time: surely so much */
};
static struct load load_of(struct sim *m, uint64_t worker)
{
    struct load load = { 0 };

    for (uint32_t i = 0; i < m->oracle.live_len; i++) {
        const struct book_attempt *t = book_find(m, m->oracle.live[i]);
        if (t->worker != worker || !t->attached)
            continue;
        const struct sched_job *row = &m->spec[t->job].row;
        load.live++;
        bool more = t->alone || row->cores != 0 || row->memory_mib != 0;
        load.special += more;
        load.cores += more ? MAX(row->cores, 1) : 0;
        load.memory_mib += row->memory_mib;
        load.alone += t->alone;
        load.least_us += m->oracle.shape[row->shape].least_us;
    }
    return load;
}

static void check_ahead(struct sim *m, uint32_t job, const struct book_worker *w,
                        const struct load *load)
{
    const struct sched_job *row = &m->spec[job].row;

    m->fired[F_AHEAD] = true;
    if (load->live >= w->slots + w->queue)
        sim_fail(m, "job %u: the worker holds %u leases for %u slots and %u places", job,
                 load->live, w->slots, w->queue);
    if (row->cores != 0 || row->memory_mib != 0)
        sim_fail(m, "job %u asks for cores or memory, and waits at a worker", job);
    if (row->shape == 0 || !m->oracle.shape[row->shape].known)
        sim_fail(m, "job %u waits at a worker, and nobody knows how long it takes", job);
    if (load->least_us >= 1000ull * AHEAD_MS * w->slots)
        sim_fail(m, "job %u waits at a worker behind %u ms of work", job,
                 (unsigned)(load->least_us / 1000));
}

static void check_worker(struct sim *m, const struct sched_action *a, bool alone)
{
    const struct book_worker *w = &m->oracle.worker[a->worker];
    const struct sched_job *row = &m->spec[a->job].row;
    struct load load = load_of(m, a->worker);
    uint32_t job = (uint32_t)a->job;

    if (!(w->classes >> row->class & 1))
        sim_fail(m, "job %u goes to a worker of another class", job);
    if ((row->labels & ~w->labels) != 0)
        sim_fail(m, "job %u goes to a worker without its labels", job);
    if (w->slots == 0 || w->drained)
        sim_fail(m, "job %u goes to worker %u, which drains", job, (unsigned)a->worker);
    if (load.live >= w->slots)
        check_ahead(m, job, w, &load);
    /* Others take a slot's share each, as far as they run. */
    uint32_t share = w->cores / w->slots, mine = plain(m, job) ? share : MAX(row->cores, 1);
    uint32_t taken = load.cores + share * (load.live - load.special);
    if (load.live < w->slots && taken + mine > w->cores)
        sim_fail(m, "job %u asks for %u cores, %u of %u are taken", job, mine, taken, w->cores);
    if (row->memory_mib != 0 && load.memory_mib + row->memory_mib > w->memory_mib)
        sim_fail(m, "job %u asks for %u MiB, %u of %u are taken", job, (unsigned)row->memory_mib,
                 (unsigned)load.memory_mib, (unsigned)w->memory_mib);
    if (load.alone != 0 || (alone && load.live != 0))
        sim_fail(m, "job %u gets company in quarantine", job);
}

void check_lease(struct sim *m, const struct sched_action *a, bool stored)
{
    const struct db_job *row = &m->db.job[a->job];
    const struct book_job *b = &m->oracle.job[a->job];
    bool alone = row->losses >= m->conf.quarantine;
    uint32_t job = (uint32_t)a->job;

    if (row->state != (stored ? DB_RUNNING : DB_READY) || row->waits_for != 0 ||
        (row->open != 0) != stored || book_current(m, job))
        sim_fail(m, "job %u is leased, but it is not ready", job);
    if (a->epoch < row->epoch + !stored || a->epoch > b->epoch + 1)
        sim_fail(m, "job %u gets epoch %u", job, a->epoch);
    if (book_find(m, a->attempt))
        sim_fail(m, "attempt id %llx is given out twice", (unsigned long long)a->attempt);
    if (coord_clock(m) < b->rests_ms)
        sim_fail(m, "job %u should rest for another %u ms", job,
                 (unsigned)(b->rests_ms - coord_clock(m)));
    check_wanted(m, job);
    const struct book_worker *w = &m->oracle.worker[a->worker];
    struct load load = load_of(m, a->worker);
    check_order(m, job, a->worker, load.live >= w->slots || w->stuck);
    check_share(m, job, a->worker);
    check_worker(m, a, alone);
    check_time(m, a);
    m->oracle.worker[a->worker].changed_ms = coord_clock(m);
    struct book_attempt t = { .id = a->attempt,
                              .worker = a->worker,
                              .begun_ms = coord_clock(m),
                              .moved_ms = coord_clock(m),
                              .job = job,
                              .epoch = a->epoch,
                              .alone = alone,
                              .ran = load.live < w->slots,
                              .attached = true };
    (void)book_add(m, &t);
}

/* Rest after the N-th failure. */
static uint64_t rest_ms(uint64_t n)
{
    return n == 0 ? 0 : MIN((uint64_t)BACKOFF_MS << MIN(n - 1, 20), BACKOFF_MAX_MS);
}

void lease_ended(struct sim *m, const struct book_attempt *t, enum sched_cause cause, bool counted)
{
    struct book_job *b = &m->oracle.job[t->job];

    if (counted && b->lost >= m->conf.quarantine) {
        b->rests_ms = coord_clock(m) + rest_ms(b->lost - m->conf.quarantine + 1);
    } else if (cause == CAUSE_FAILED || cause == CAUSE_OOM || cause == CAUSE_TIMEOUT) {
        b->rests_ms = coord_clock(m) + rest_ms(b->spent);
        m->fired[F_BACKOFF] = true;
    }
}

void oracle_given(struct sim *m, uint32_t job, bool open)
{
    const struct db_job *row = &m->db.job[job];
    const struct sched_job *spec = &m->spec[job].row;
    uint64_t us = m->db.shape_us[spec->shape];

    if (!open)
        m->oracle.job[job].rests_ms = coord_clock(m) + rest_ms(row->tries);
    if (us != 0)
        time_learn(&m->oracle.shape[spec->shape], us);
}

void oracle_drain(struct sim *m, uint64_t worker)
{
    struct book_worker *w = &m->oracle.worker[worker];
    w->drained = w->heard_ms != 0; /* else the coordinator does not know it */
}
