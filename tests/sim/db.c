/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - the modelled store: rows as numbers, one open transaction, undone by a crash. It keeps the
 * real store's contract: readiness counters fall in the result's transaction. */
#include <string.h>

#include "tests/sim/sim.h"

bool db_final(uint64_t state)
{
    return state >= DB_DONE;
}

void db_set(struct db *d, uint64_t *at, uint64_t value)
{
    if (*at == value)
        return;
    if (d->undo_len == ARRAY_LEN(d->undo))
        __builtin_trap(); /* a transaction of 65536 writes: the simulator forgot to commit */
    d->undo[d->undo_len].at = at;
    d->undo[d->undo_len++].before = *at;
    *at = value;
}

void db_commit(struct db *d)
{
    d->undo_len = 0;
}

/* After a commit; a crash in between leaves them to the next one. The masks themselves need no
 * transaction here: taking away what is away changes nothing. */
void db_sweep(struct sim *m)
{
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct db_job *row = &m->db.job[j];
        m->db.files[j] &= ~(row->gone & ~(1ull << row->step)) | 1;
        row->gone = 0;
    }
}

uint64_t db_points_of(uint32_t step)
{
    return ((1ull << step) - 1) << 1;
}

void db_rollback(struct sim *m)
{
    struct db *d = &m->db;

    while (d->undo_len > 0) {
        d->undo_len--;
        *d->undo[d->undo_len].at = d->undo[d->undo_len].before;
    }
    d->ready = 0;
    db_owners(m);
}

/* The highest in priority, then the oldest, of those that want it and are not paused, if any. */
static uint32_t owner(const struct sim *m, uint32_t job)
{
    const struct job_spec *spec = &m->spec[job];
    uint32_t best = GROUPS;
    bool all = db_paused(m, job);

    for (uint32_t g = 0; g < GROUPS; g++)
        if (spec->groups >> g & 1 && (all || !m->db.paused[g]) &&
            (best == GROUPS || m->db.priority[g] > m->db.priority[best]))
            best = g;
    return best == GROUPS ? 0 : best;
}

void db_owners(struct sim *m)
{
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        m->owner[j] = owner(m, j);
}

uint32_t db_owner(const struct sim *m, uint32_t job)
{
    return m->owner[job];
}

int32_t db_priority(const struct sim *m, uint32_t job)
{
    return m->spec[job].row.priority + (int32_t)m->db.priority[db_owner(m, job)];
}

void db_ready(struct sim *m, uint32_t job)
{
    struct db *d = &m->db;
    uint32_t owner = db_owner(m, job);
    int32_t priority = db_priority(m, job), *highest = &d->ready_priority[owner];

    *highest = d->ready >> owner & 1 ? MAX(*highest, priority) : priority;
    d->ready |= 1u << owner;
}

struct sched_job db_row(const struct sim *m, uint32_t job)
{
    const struct db_job *j = &m->db.job[job];
    struct sched_job row = m->spec[job].row;

    row.experiment = db_owner(m, job) + 1;
    row.priority = db_priority(m, job);
    row.epoch = (uint32_t)j->epoch;
    row.tries = (uint32_t)j->tries;
    row.losses = (uint32_t)j->losses;
    row.est_us = m->db.shape_us[row.shape % SHAPES];
    return row;
}

bool db_paused(const struct sim *m, uint32_t job)
{
    for (uint32_t g = 0; g < GROUPS; g++)
        if (m->spec[job].groups >> g & 1 && !m->db.paused[g])
            return false;
    return m->spec[job].groups != 0;
}

static void make_ready(struct sim *m, uint32_t job)
{
    db_set(&m->db, &m->db.job[job].state, DB_READY);
    db_ready(m, job);
}

void db_init(struct sim *m)
{
    db_owners(m);
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        m->db.job[j].waits_for = m->spec[j].needs_len;
        m->db.files[j] = 1; /* step 0: the start is always there */
        if (m->spec[j].needs_len == 0)
            m->db.job[j].state = DB_READY;
    }
}

static bool needs(const struct sim *m, uint32_t job, uint32_t other)
{
    for (uint32_t i = 0; i < m->spec[job].needs_len; i++)
        if (m->spec[job].needs[i] == other)
            return true;
    return false;
}

/* The job's checkpoint is no more, or another one takes its place. */
static void drop_checkpoint(struct db *d, struct db_job *j, uint64_t step, uint64_t saver)
{
    if (j->step != 0 && j->step != step)
        db_set(d, &j->gone, j->gone | 1ull << j->step);
    db_set(d, &j->step, step);
    db_set(d, &j->saver, saver);
}

static void done(struct sim *m, uint32_t job)
{
    struct db *d = &m->db;
    db_set(d, &d->job[job].state, DB_DONE);
    drop_checkpoint(d, &d->job[job], 0, 0);
    for (uint32_t j = job + 1; j <= m->conf.jobs; j++) {
        if (!needs(m, j, job))
            continue;
        db_set(d, &d->job[j].waits_for, d->job[j].waits_for - 1);
        if (d->job[j].waits_for == 0 && d->job[j].state == DB_WAITING)
            make_ready(m, j);
    }
}

/* JOB will have no result: neither will those that need it. Needed jobs have smaller ids. */
static void skip_dependents(struct sim *m, uint32_t job)
{
    for (uint32_t j = job + 1; j <= m->conf.jobs; j++) {
        if (needs(m, j, job) && m->db.job[j].state == DB_WAITING) {
            db_set(&m->db, &m->db.job[j].state, DB_SKIPPED);
            skip_dependents(m, j);
        }
    }
}

void db_cancel(struct sim *m, uint32_t job)
{
    if (db_final(m->db.job[job].state))
        return;
    db_set(&m->db, &m->db.job[job].state, DB_CANCELLED);
    drop_checkpoint(&m->db, &m->db.job[job], 0, 0);
    skip_dependents(m, job);
}

/* The attempt gets its row. */
static void insert(struct sim *m, const struct sched_action *a, struct db_job *j)
{
    struct db *d = &m->db;
    if (d->attempts_len == ATTEMPTS_MAX)
        sim_fail(m, "more than %d attempts: something runs in circles", ATTEMPTS_MAX);
    for (uint64_t i = 0; i < d->attempts_len; i++)
        if (d->attempt[i].job == a->job && d->attempt[i].epoch == a->epoch)
            sim_fail(m, "job %u has two attempts of epoch %u", (unsigned)a->job, a->epoch);
    struct db_attempt *t = &d->attempt[d->attempts_len];
    /* A place beyond attempts_len needs no undo. */
    *t = (struct db_attempt){
        .id = a->attempt, .job = a->job, .epoch = a->epoch, .worker = a->worker
    };
    /* What it goes on from brings the metrics of the attempt before. */
    if (j->step != 0)
        t->points = d->attempt[j->saver - 1].points & db_points_of((uint32_t)j->step);
    db_set(d, &d->attempts_len, d->attempts_len + 1);
    db_set(d, &j->state, DB_RUNNING);
    db_set(d, &j->epoch, MAX(a->epoch, j->epoch));
    db_set(d, &j->open, d->attempts_len);
}

static void job_state(struct sim *m, const struct sched_action *a, struct db_job *j)
{
    struct db *d = &m->db;
    db_set(d, &j->tries, a->tries);
    db_set(d, &j->losses, a->losses);
    db_set(d, &j->cause, a->cause);
    if (a->state == JOB_READY) {
        db_set(d, &j->state, DB_READY);
    } else if (a->state == JOB_CANCELLING) {
        db_set(d, &j->state, DB_CANCELLING);
    } else {
        db_set(d, &j->state, a->state == JOB_FAILED ? DB_FAILED : DB_CANCELLED);
        if (a->state != JOB_FAILED)
            drop_checkpoint(d, j, 0, 0);
        skip_dependents(m, (uint32_t)a->job);
    }
}

static struct db_attempt *attempt_of(struct db *d, uint64_t id, uint64_t *ret_place)
{
    for (uint64_t i = d->attempts_len; i-- > 0;) {
        if (d->attempt[i].id == id) {
            *ret_place = i + 1;
            return &d->attempt[i];
        }
    }
    return NULL;
}

static void checkpoint(struct sim *m, const struct sched_action *a, const struct msg *msg,
                       struct db_job *j)
{
    struct db *d = &m->db;
    uint64_t place = 0;
    struct db_attempt *t = attempt_of(d, a->attempt, &place);

    if (j->saver == place && j->step > msg->step)
        return; /* an old one, once more */
    if (!(d->files[a->job] >> msg->step & 1)) {
        d->code = ERR_NOT_FOUND;
        return;
    }
    db_set(d, &t->points, t->points | msg->points);
    drop_checkpoint(d, j, msg->step, place);
}

/* What the next one of its shape will take. */
static void learn(struct sim *m, uint64_t job, uint32_t wall_ms)
{
    uint64_t *us = &m->db.shape_us[m->spec[job].row.shape % SHAPES];
    if (m->spec[job].row.shape != 0)
        db_set(&m->db, us, *us ? (3 * *us + 1000ull * wall_ms) / 4 : 1000ull * wall_ms);
}

void db_apply(struct sim *m, const struct sched_action *a, const struct msg *msg)
{
    struct db *d = &m->db;
    struct db_job *j = &d->job[a->job];

    if (a->kind == ACT_STORE_RESERVE)
        db_set(d, &d->reserved, a->attempt);
    else if (a->kind == ACT_STORE_ATTEMPT_START ||
             (a->whole && (a->began || a->kind != ACT_STORE_ATTEMPT_END)))
        insert(m, a, j);
    if (a->kind == ACT_STORE_EXAMPLE) {
        db_set(d, &j->examples, j->examples | (1ull << msg->example));
    } else if (a->kind == ACT_STORE_CHECKPOINT) {
        checkpoint(m, a, msg, j);
    } else if (a->kind == ACT_STORE_RESULT) {
        uint64_t place = 0;
        struct db_attempt *t = attempt_of(d, a->attempt, &place);
        db_set(d, &t->points, t->points | msg->points);
        db_set(d, &j->result, msg->value);
        db_set(d, &j->cause, a->cause);
        learn(m, a->job, msg->wall_ms);
        done(m, (uint32_t)a->job);
    } else if (a->kind == ACT_STORE_ATTEMPT_END) {
        for (uint64_t i = d->attempts_len; i-- > 0;) {
            if (d->attempt[i].id != a->attempt)
                continue;
            db_set(d, &d->attempt[i].ended, 1);
            db_set(d, &d->attempt[i].cause, a->cause);
            db_set(d, &d->attempt[i].counted, a->counted);
            if (j->open == i + 1)
                db_set(d, &j->open, 0);
            break;
        }
    } else if (a->kind == ACT_STORE_JOB) {
        job_state(m, a, j);
    } else if (a->kind == ACT_COMPARE) {
        d->repeats += d->job[msg->job].state == DB_DONE;
    }
}
