/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the client that pauses, resumes, reorders and tries again, and what the modelled
 * store makes of it. A request is sent again until it is durable; only then comes the next. */
#include "tests/sim/sim.h"

enum { CONTROLS_END_MS = 9000, PRIORITIES = 4 };

void controls_of_seed(struct sim *m)
{
    struct rng r = rng_stream("sim", m->seed, 4);
    struct client *c = &m->client;
    uint64_t at_ms = 0;

    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        m->spec[j].groups = 1 + rng_below(&r, (1 << GROUPS) - 1);
    if (m->conf.controls == 0)
        return;
    for (uint32_t i = 0; i < m->conf.controls; i++) {
        at_ms += rng_below(&r, 2 * CONTROLS_END_MS / m->conf.controls);
        c->v[c->len++] = (struct control){ .at_ms = at_ms,
                                           .verb = (enum control_verb)rng_below(&r, CONTROL_VERBS),
                                           .group = rng_below(&r, GROUPS), /* C_DRAIN: the host */
                                           .priority = rng_below(&r, PRIORITIES) };
    }
    for (uint32_t g = 0; g < GROUPS; g++) /* or it would never end */
        c->v[c->len++] = (struct control){ .at_ms = at_ms, .verb = C_RESUME, .group = g };
    sim_post(m, (struct sim_event){ .kind = SE_CONTROL }, c->v[0].at_ms);
}

static bool dead(uint64_t state)
{
    return state == DB_FAILED || state == DB_CANCELLED || state == DB_SKIPPED;
}

static void put_back(struct sim *m, uint32_t job)
{
    struct db *d = &m->db;
    struct db_job *j = &d->job[job];

    db_set(d, &j->state, j->waits_for ? DB_WAITING : DB_READY);
}

/* What failed gets fresh tries; what was skipped and whose needs may be met again waits. Needed
 * jobs have smaller ids. */
static void retry(struct sim *m, uint32_t group)
{
    struct db *d = &m->db;

    for (uint32_t i = 1; i <= m->conf.jobs; i++) {
        struct db_job *j = &d->job[i];
        bool hopeless = false;

        for (uint32_t k = 0; k < m->spec[i].needs_len; k++)
            hopeless |= dead(d->job[m->spec[i].needs[k]].state);
        if (j->state == DB_SKIPPED && !hopeless) {
            put_back(m, i);
        } else if (j->state == DB_FAILED && m->spec[i].groups >> group & 1 && !hopeless) {
            db_set(d, &j->tries, 0);
            db_set(d, &j->losses, 0);
            db_set(d, &j->retried, j->retried + 1);
            db_set(d, &j->retried_at, d->attempts_len);
            m->oracle.job[i].spent = m->oracle.job[i].lost = 0;
            put_back(m, i);
            m->fired[F_RETRY] = true;
        }
    }
}

static void set_group(struct sim *m, const struct control *c)
{
    struct db *d = &m->db;

    switch (c->verb) {
    case C_PAUSE:
        db_set(d, &d->paused[c->group], 1);
        m->fired[F_PAUSE] = true;
        break;
    case C_RESUME:
        db_set(d, &d->paused[c->group], 0);
        m->oracle.paused[c->group] = false; /* from now on its jobs may run */
        break;
    case C_PRIORITY:
        db_set(d, &d->priority[c->group], c->priority);
        m->fired[F_PRIORITY] = true;
        break;
    case C_RETRY:
        retry(m, c->group);
        break;
    case C_DRAIN:
    case CONTROL_VERBS:
        break; /* nothing is written */
    }
}

static struct sched_change change_of(const struct sim *m, uint32_t j)
{
    return (struct sched_change){ .job = j,
                                  .experiment = db_owner(m, j) + 1,
                                  .priority = db_priority(m, j),
                                  .held = db_paused(m, j) };
}

size_t control_apply(struct sim *m, const struct control *c, struct sched_change *ret)
{
    static const char *const names[] = { "pauses", "resumes", "reorders", "tries again",
                                         "drains the host of" };
    struct db *d = &m->db;
    struct sched_change before[JOBS_MAX] = { 0 };
    size_t n = 0;

    sim_trace(m, "client %s experiment %u (priority %u)", names[c->verb], c->group, c->priority);
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        before[j] = change_of(m, j);
    set_group(m, c);
    db_owners(m);
    for (uint32_t j = 1; j <= m->conf.jobs; j++) {
        struct sched_change now = change_of(m, j);

        if (db_final(d->job[j].state) || d->job[j].state == DB_WAITING)
            continue;
        db_ready(m, j);
        m->fired[F_MOVED] |= now.experiment != before[j].experiment;
        if (now.priority != before[j].priority || now.held != before[j].held ||
            now.experiment != before[j].experiment)
            ret[n++] = now;
    }
    return n;
}

void control_acked(struct sim *m)
{
    struct client *c = &m->client;

    if (!c->sent)
        return;
    if (c->v[c->next].verb == C_PAUSE)
        m->oracle.paused[c->v[c->next].group] = true;
    c->sent = false;
    if (++c->next == c->len)
        return;
    uint64_t at_ms = MAX(c->v[c->next].at_ms, m->now_ms);
    sim_post(m, (struct sim_event){ .kind = SE_CONTROL }, at_ms - m->now_ms);
}

void control_lost(struct sim *m)
{
    if (m->client.sent)
        sim_post(m, (struct sim_event){ .kind = SE_CONTROL }, 100);
    m->client.sent = false;
}
