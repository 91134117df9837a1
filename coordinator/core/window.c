/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - which of the store's jobs are here: loading, taking up what ran before a restart,
 * cancelling, pausing. */
#include <assert.h>

#include "coordinator/core/core.h"

/* The next LOAD for an experiment whose last one brought only jobs that nobody can run; the next
 * question which experiments there are. */
enum { LATER_MS = 20 };

void on_job(struct sched *s, const struct sched_event *e)
{
    struct job j = { .row = e->job };

    assert(e->job.id != 0 && e->job.experiment != 0);
    if (job_find(s, e->job.id))
        return;
    struct account *a = account_get(s, e->job.experiment);
    if (!a) {
        s->accounts_more = true;
        return;
    }
    if (e->job.tries == 0 && demand_refuses(s, a, demand_get(s, &e->job))) {
        a->shut = true;
        return;
    }
    if (account_room(s, a) == 0) {
        /* Full: the new one, or the last of ours, goes back to the store. */
        struct job *last = account_last(s, a);
        account_more(s, a, true);
        if (!last || !job_before(&j, last) || e->job.tries > 0)
            return;
        job_forget(s, last);
    }
    if (job_add(s, &e->job, index_of_account(s, a), NONE) && s->loading == index_of_account(s, a))
        s->load_taken++;
}

void on_loaded(struct sched *s, const struct sched_event *e)
{
    if (e->loaded.experiment == 0) {
        s->loading = s->loading == ASKING ? NONE : s->loading;
        return;
    }
    struct account *a = account_find(s, e->loaded.experiment);
    if (!a || s->loading != index_of_account(s, a))
        return;
    s->loading = NONE;
    if (e->loaded.given < s->load_want && !a->more_since)
        a->more = false;
    a->urgent = false;
    if (a->more && e->loaded.given > 0 && s->load_taken == 0) {
        a->later = true;
        s->later_ms = s->later_ms ? s->later_ms : s->now_ms + LATER_MS;
    }
    account_hunger(s, a);
    account_tidy(s, a);
}

void on_ready(struct sched *s, const struct sched_event *e)
{
    assert(e->ready.experiment != 0);
    struct account *a = account_get(s, e->ready.experiment);
    if (!a && account_evict(s, e->ready.priority))
        a = account_get(s, e->ready.experiment);
    if (!a) {
        s->accounts_more = true;
        return;
    }
    a->told = e->ready.priority;
    a->later = false;
    if (account_room(s, a) <= s->limits.window / 2 && e->ready.priority > a->low) {
        const struct job *last = account_last(s, a);
        a->low = last ? last->row.priority : a->low;
        a->urgent |= e->ready.priority > a->low;
    }
    account_more(s, a, true);
}

static void ask_for(struct sched *s, struct account *a)
{
    uint32_t window = s->limits.window, room = account_room(s, a);
    struct sched_action *load = act(s, ACT_LOAD);

    /* An urgent answer displaces ready jobs; an eighth of the window at a time bounds that
     * work. */
    s->load_want = room > window / 2 ? room : MAX(room, (window + 7) / 8);
    s->load_taken = 0;
    s->loading = index_of_account(s, a);
    load->experiment = a->id;
    load->want = s->load_want;
    load->fresh = a->fresh;
    a->more_since = a->fresh = false;
}

void window_load(struct sched *s)
{
    if (s->later_ms != 0 && s->later_ms <= s->now_ms) {
        s->later_ms = 0;
        for (uint32_t i = 0; i < s->limits.experiments; i++) {
            s->accounts[i].later = false;
            if (s->accounts[i].used)
                account_hunger(s, &s->accounts[i]);
        }
    }
    if (s->loading != NONE)
        return;
    if (s->ask && s->ask_ms <= s->now_ms) {
        s->ask = false;
        s->ask_ms = s->now_ms + LATER_MS;
        s->loading = ASKING;
        act(s, ACT_LOAD)->fresh = true;
        return;
    }
    while (s->hungry.head != NONE) {
        struct account *a = &s->accounts[s->hungry.head];
        list_remove(&s->hungry, s->hungry.head);
        if (account_wants(s, a)) {
            ask_for(s, a);
            return;
        }
    }
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
    struct account *of = account_get(s, e->open.job.experiment);
    if (of && state == JOB_READY)
        account_more(s, of, true);
    s->accounts_more |= !of;
}

void on_open(struct sched *s, const struct sched_event *e)
{
    const struct sched_job *row = &e->open.job;

    assert(e->open.attempt > 0 && e->open.attempt < s->next_attempt && row->experiment != 0);
    struct account *a = account_get(s, row->experiment);
    if (!a && account_evict(s, INT32_MAX)) /* work that runs goes before work that may */
        a = account_get(s, row->experiment);
    if (e->open.cancelling) {
        end_open(s, e, CAUSE_CANCELLED, JOB_CANCELLED);
    } else if (s->leases_len == s->limits.leases || job_find(s, row->id)) {
        end_open(s, e, CAUSE_LOST, JOB_READY);
    } else {
        struct sched_job guest = *row;
        if (!a) { /* every place is somebody's who runs: it goes on at the first one's expense */
            a = &s->accounts[0];
            guest.experiment = a->id;
        }
        struct lease *l = lease_wait(s, e->open.attempt, row->epoch, e->open.holder);
        lease_of_job(s, l, job_add(s, &guest, index_of_account(s, a), index_of_lease(s, l)));
    }
    if (a)
        account_tidy(s, a);
}

void on_cancel(struct sched *s, const struct sched_event *e)
{
    struct job *j = job_find(s, e->cancel.job);

    if (!j || j->state == JOB_CANCELLING)
        return;
    if (j->state == JOB_READY || j->state == JOB_RESTING) {
        job_move(s, j, JOB_CANCELLED, CAUSE_CANCELLED, NONE);
        return;
    }
    struct lease *l = &s->leases[j->lease];
    lease_store(s, l); /* so that a restart hears of the cancel */
    job_move(s, j, JOB_CANCELLING, CAUSE_CANCELLED, j->lease);
    if (l->state == LEASE_WAITING)
        lease_end(s, l, CAUSE_CANCELLED, false, 0);
    else
        lease_send_cancel(s, l);
}

/* The running J goes to the account of EXPERIMENT, if that has a place here. */
static void move_account(struct sched *s, struct job *j, uint64_t experiment)
{
    struct lease *l = &s->leases[j->lease];
    struct account *from = &s->accounts[j->account], *to = account_get(s, experiment);

    if (!to || to == from)
        return;
    account_settle(s, from, l, 0);
    from->leased_len--;
    to->leased_len++;
    j->account = index_of_account(s, to);
    j->row.experiment = experiment;
    account_charge(s, to, l, j);
    account_tidy(s, from);
}

void on_change(struct sched *s, const struct sched_event *e)
{
    for (size_t i = 0; i < e->change.len; i++) {
        const struct sched_change *c = &e->change.v[i];
        struct job *j = job_find(s, c->job);

        if (!j)
            continue;
        uint64_t experiment = c->experiment ? c->experiment : j->row.experiment;
        if (j->state == JOB_READY || j->state == JOB_RESTING) {
            account_more(s, &s->accounts[j->account], true);
            job_forget(s, j);
            struct account *a = account_get(s, experiment);
            s->accounts_more |= !a;
            if (a)
                account_more(s, a, true);
        } else {
            j->row.priority = c->priority;
            j->held = c->held;
            move_account(s, j, experiment);
        }
    }
}
