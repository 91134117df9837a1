/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - which of the store's jobs are here: loading, taking up what ran before a restart,
 * cancelling, pausing. */
#include <assert.h>

#include "coordinator/core/core.h"

static void store_has_more(struct sched *s)
{
    s->more = s->more_since = true;
}

/* The ready job that would go last; NULL when there is none. O(jobs), for rare events. */
static struct job *last_ready(const struct sched *s)
{
    struct job *last = NULL;
    for (uint32_t i = 0; i < s->jobs_cap; i++) {
        struct job *j = &s->jobs[i];
        if (j->used && j->state == JOB_READY && (!last || job_before(last, j)))
            last = j;
    }
    return last;
}

void on_job(struct sched *s, const struct sched_event *e)
{
    struct job j = { .row = e->job };

    assert(e->job.id != 0);
    if (job_find(s, e->job.id))
        return;
    if (s->ready_len >= s->limits.window) {
        /* Full: the new one, or the last of ours, goes back to the store. */
        struct job *last = last_ready(s);
        store_has_more(s);
        if (!job_before(&j, last))
            return;
        job_forget(s, last);
    }
    (void)job_add(s, &e->job, NONE);
}

void on_loaded(struct sched *s, const struct sched_event *e)
{
    if (e->loaded.given < s->load_want && !s->more_since)
        s->more = false;
    s->load_pending = s->urgent = false;
}

void on_ready(struct sched *s, const struct sched_event *e)
{
    store_has_more(s);
    if (s->ready_len >= s->limits.window / 2)
        s->urgent |= e->ready.priority > last_ready(s)->row.priority;
}

void window_load(struct sched *s)
{
    uint32_t window = s->limits.window;
    bool low = s->ready_len < (window + 1) / 2;

    if (!s->more || s->load_pending || !(low || s->urgent))
        return;
    /* An urgent answer displaces ready jobs; an eighth of the window at a time bounds that work. */
    uint32_t want = s->ready_len < window ? window - s->ready_len : 0;
    s->load_want = low ? want : MAX(want, (window + 7) / 8);
    s->load_pending = true;
    s->more_since = false;
    act(s, ACT_LOAD)->want = s->load_want;
}

/* End an attempt that gets no lease. */
static void end_open(struct sched *s, const struct sched_event *e, enum sched_cause cause,
                     enum sched_job_state state)
{
    struct sched_action *a = act(s, ACT_STORE_ATTEMPT_END);
    a->job = e->open.job.id;
    a->attempt = e->open.attempt;
    a->epoch = e->open.job.epoch;
    a->cause = cause;
    if (job_find(s, e->open.job.id))
        return;
    a = act(s, ACT_STORE_JOB);
    a->job = e->open.job.id;
    a->state = state;
    a->cause = cause;
    a->tries = e->open.job.tries;
    a->losses = e->open.job.losses;
    store_has_more(s);
}

void on_open(struct sched *s, const struct sched_event *e)
{
    const struct sched_job *row = &e->open.job;

    assert(e->open.attempt >> SCHED_ATTEMPT_BITS < s->incarnation);
    if (e->open.cancelling) {
        end_open(s, e, CAUSE_CANCELLED, JOB_CANCELLED);
    } else if (s->leases_free == NONE || job_find(s, row->id)) {
        end_open(s, e, CAUSE_LOST, JOB_READY);
    } else {
        struct lease *l = lease_wait(s, e->open.attempt, row->epoch);
        l->holder = e->open.holder;
        (void)job_add(s, row, index_of_lease(s, l));
    }
}

void on_cancel(struct sched *s, const struct sched_event *e)
{
    struct job *j = job_find(s, e->cancel.job);

    if (!j || j->state == JOB_CANCELLING)
        return;
    if (j->state == JOB_READY) {
        job_move(s, j, JOB_CANCELLED, CAUSE_CANCELLED, NONE);
        return;
    }
    struct lease *l = &s->leases[j->lease];
    job_move(s, j, JOB_CANCELLING, CAUSE_CANCELLED, j->lease);
    if (l->state == LEASE_WAITING)
        lease_end(s, l, CAUSE_CANCELLED, false);
    else
        lease_send_cancel(s, l);
}

void on_change(struct sched *s, const struct sched_event *e)
{
    for (size_t i = 0; i < e->change.len; i++) {
        const struct sched_change *c = &e->change.v[i];
        struct job *j = job_find(s, c->job);

        if (j && j->state == JOB_READY) {
            job_forget(s, j);
            store_has_more(s);
        } else if (j) {
            j->row.priority = c->priority;
            j->held = c->held;
        }
    }
}
