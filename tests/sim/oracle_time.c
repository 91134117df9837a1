/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_time.c - is there time for it? From the ends that workers said of themselves, and from how
 * long jobs of a shape took. Between what surely lacks the time and what surely has it there is a
 * gap, as the estimate is somewhere between the shortest and the longest of them. */
#include "tests/sim/oracle.h"

enum {
    IDLE_MAX_MS = 1500, /* an idle worker, and a job that could run there: not for longer */
    LIVE_MAX = 20,      /* near the end of the core's leases nobody gets more */
    LOOK_EVERY_MS = 40,
};

static uint64_t left_ms(const struct sim *m, const struct book_worker *w)
{
    uint64_t now_ms = coord_clock(m);
    if (w->until_ms == 0)
        return UINT64_MAX;
    return w->until_ms > now_ms ? w->until_ms - now_ms : 0;
}

bool time_suffices(const struct sim *m, uint32_t job, uint64_t worker)
{
    const struct sched_job *row = &m->spec[job].row;
    const struct book_shape *s = &m->oracle.shape[row->shape];
    uint64_t ms = left_ms(m, &m->oracle.worker[worker]);

    if (ms == UINT64_MAX)
        return true;
    if (ms < LEFT_MIN_MS + TOLERANCE_MS)
        return false;
    /* Needs are rounded up, by a quarter at most. */
    return row->resumes || row->shape == 0 || !s->known ||
           ms >= s->most_us / 1000 * 5 / 4 + TOLERANCE_MS + 2;
}

bool time_apart(const struct sim *m, uint32_t job)
{
    const struct sched_job *row = &m->spec[job].row;
    const struct book_shape *s = &m->oracle.shape[row->shape];
    return m->conf.ends > 0 && !row->resumes && row->shape != 0 && s->known &&
           s->most_us > 1000ull * LEFT_MIN_MS;
}

void check_time(struct sim *m, const struct sched_action *a)
{
    const struct sched_job *row = &m->spec[a->job].row;
    const struct book_shape *s = &m->oracle.shape[row->shape];
    const struct book_worker *w = &m->oracle.worker[a->worker];
    uint64_t ms = left_ms(m, w);

    if (ms == UINT64_MAX)
        return;
    m->fired[F_ENDS] = true;
    if (ms < LEFT_MIN_MS)
        sim_fail(m, "job %u goes to worker %u, which leaves in %u ms", (unsigned)a->job,
                 (unsigned)a->worker, (unsigned)ms);
    if (!row->resumes && row->shape != 0 && s->known && s->least_us > ms * 1000)
        sim_fail(m, "job %u takes %u ms, and goes to worker %u, which leaves in %u ms",
                 (unsigned)a->job, (unsigned)(s->least_us / 1000), (unsigned)a->worker,
                 (unsigned)ms);
}

void time_learn(struct book_shape *s, uint64_t us)
{
    s->least_us = s->known ? MIN(s->least_us, us) : us;
    s->most_us = s->known ? MAX(s->most_us, us) : us;
    s->known = true;
}

/* Has it waited here for so long, as a job that any worker with a slot may take? */
static bool waits_long(struct sim *m, uint32_t j)
{
    struct book_job *b = &m->oracle.job[j];
    const struct sched_job *row = &m->spec[j].row;
    bool ready = m->db.job[j].state == DB_READY && !book_current(m, j) && !db_paused(m, j) &&
                 b->rests_ms <= coord_clock(m) && sched_has_job(m->coord.core, j);

    if (!ready || row->cores != 0 || row->memory_mib != 0 ||
        m->db.job[j].losses >= m->conf.quarantine)
        b->here_ms = coord_clock(m);
    return coord_clock(m) - b->here_ms > IDLE_MAX_MS;
}

/* Does W do nothing for so long, though it could? */
static bool idles_long(const struct sim *m, const struct book_worker *w)
{
    uint64_t now_ms = coord_clock(m);
    return w->heard_ms != 0 && now_ms - w->heard_ms < QUIET_MS / 2 &&
           now_ms - w->changed_ms > IDLE_MAX_MS && w->slots > 0 && !w->drained && !w->gone &&
           !w->stuck;
}

static bool holds_nothing(struct sim *m, uint64_t worker)
{
    for (uint32_t i = 0; i < m->oracle.live_len; i++)
        if (book_find(m, m->oracle.live[i])->worker == worker)
            return false;
    return true;
}

/* What is too long for the one is not in the way of what is short enough, and no worker idles while
 * there is something that it has the time for. */
void time_step(struct sim *m)
{
    struct oracle *o = &m->oracle;
    bool waits[JOBS_MAX] = { false };

    if (coord_clock(m) - o->looked_ms < LOOK_EVERY_MS)
        return;
    o->looked_ms = coord_clock(m);
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        waits[j] = waits_long(m, j);
    for (uint64_t w = m->workers - MIN(m->workers, 4 * HOSTS_MAX) + 1; w <= m->workers; w++) {
        const struct book_worker *x = &o->worker[w];
        if (!idles_long(m, x) || o->live_len >= LIVE_MAX || m->now_ms <= o->slack_until_ms ||
            !holds_nothing(m, w))
            continue;
        for (uint32_t j = 1; j <= m->conf.jobs; j++) {
            const struct sched_job *row = &m->spec[j].row;
            if (!waits[j] || !(x->classes >> row->class & 1) || (row->labels & ~x->labels) != 0)
                continue;
            if (time_suffices(m, j, w))
                sim_fail(m, "job %u waits for %u ms, and worker %u idles", j,
                         (unsigned)(coord_clock(m) - o->job[j].here_ms), (unsigned)w);
        }
    }
}
