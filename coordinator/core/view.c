/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - looking at the scheduler without changing it: why, gauges, names, the invariant. */
#include <assert.h>

#include "coordinator/core/core.h"

bool sched_has_job(const struct sched *s, uint64_t job)
{
    return job_find(s, job) != NULL;
}

static unsigned why_ready(const struct sched *s, const struct job *j, uint32_t *ret_ahead)
{
    unsigned rules = 0;

    for (uint32_t i = 0; i < s->jobs_cap; i++) {
        const struct job *x = &s->jobs[i];
        *ret_ahead +=
            x->used && x->state == JOB_READY && x->row.class == j->row.class && job_before(x, j);
    }
    if (*ret_ahead > 0)
        rules |= WHY_BEHIND;
    if (s->class_workers[j->row.class] == 0)
        rules |= WHY_NO_CLASS;
    else if (s->class_free[j->row.class] == 0)
        rules |= WHY_NO_CREDIT;
    return rules;
}

struct sched_why sched_why(const struct sched *s, uint64_t job)
{
    struct sched_why why = { 0 };
    const struct job *j = job_find(s, job);

    if (!j) {
        why.rules = WHY_NOT_HERE;
        return why;
    }
    why.class = j->row.class;
    if (j->state == JOB_READY) {
        why.rules = why_ready(s, j, &why.ahead);
        return why;
    }
    const struct lease *l = &s->leases[j->lease];
    why.attempt = l->attempt;
    why.epoch = l->epoch;
    why.until_ms = l->expires_ms;
    why.worker = l->worker != NONE ? s->workers[l->worker].id : 0;
    if (l->state == LEASE_WAITING)
        why.rules = WHY_REATTACH;
    else
        why.rules = j->state == JOB_CANCELLING ? WHY_CANCELLING : WHY_RUNNING;
    if (j->held)
        why.rules |= WHY_HELD;
    return why;
}

struct sched_counts sched_counts(const struct sched *s)
{
    return (struct sched_counts){ .ready = s->ready_len,
                                  .leased = s->jobs_len - s->ready_len - s->waiting_len,
                                  .waiting = s->waiting_len,
                                  .workers = s->workers_len,
                                  .workers_free = s->free_len };
}

bool sched_worker(const struct sched *s, uint64_t worker, struct sched_worker_view *ret)
{
    const struct worker *w = worker_of_id(s, worker);
    if (!w)
        return false;
    *ret = (struct sched_worker_view){ .worker = w->id,
                                       .peer = w->peer,
                                       .heard_ms = w->heard_ms,
                                       .credits = w->credits,
                                       .used = w->used_len,
                                       .quiet = w->quiet,
                                       .paused = w->by_pause.linked,
                                       .classes = w->classes };
    return true;
}

const char *sched_cause_name(enum sched_cause cause)
{
    static const char *const names[SCHED_CAUSES_LEN] = {
#define X(NAME, VALUE, TEXT) [VALUE] = TEXT,
        SCHED_CAUSES(X)
#undef X
    };
    assert(cause < SCHED_CAUSES_LEN);
    return names[cause];
}

const char *sched_trace_name(enum sched_trace trace)
{
    static const char *const names[SCHED_TRACES_LEN] = {
#define X(NAME, TEXT) [NAME] = TEXT,
        SCHED_TRACES(X)
#undef X
    };
    assert(trace < SCHED_TRACES_LEN);
    return names[trace];
}

const char *sched_job_state_name(enum sched_job_state state)
{
    static const char *const names[SCHED_JOB_STATES] = {
        [JOB_READY] = "ready", [JOB_LEASED] = "leased", [JOB_CANCELLING] = "cancelling",
        [JOB_DONE] = "done",   [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
    };
    assert(state < SCHED_JOB_STATES);
    return names[state];
}

static bool job_ok(const struct sched *s, uint32_t i)
{
    const struct job *j = &s->jobs[i];
    bool has_lease = j->state == JOB_LEASED || j->state == JOB_CANCELLING;

    if (map_get(&s->job_by_id, j->row.id) != i || j->state > JOB_CANCELLING)
        return false;
    if (has_lease != (j->lease != NONE) || (j->held && !has_lease))
        return false;
    if (has_lease)
        return s->leases[j->lease].job == i && s->leases[j->lease].epoch == j->row.epoch;
    /* The heap: nobody is better than the root, nor than the parent of the first child. */
    uint32_t root = s->ready_root[j->row.class];
    return root != NONE && !job_before(j, &s->jobs[root]) && (root == i) == (j->prev == NONE) &&
           IMPLIES(j->child != NONE,
                   s->jobs[j->child].prev == i && !job_before(&s->jobs[j->child], j)) &&
           IMPLIES(j->next != NONE, s->jobs[j->next].prev == i) && j->row.tries <= j->row.retries &&
           j->row.losses < s->limits.losses_max;
}

static bool lease_ok(const struct sched *s, uint32_t i)
{
    const struct lease *l = &s->leases[i];

    return map_get(&s->lease_by_attempt, l->attempt) == i && !l->listed &&
           (l->job != NONE) == (l->state != LEASE_REVOKED) &&
           (l->worker != NONE) == (l->state != LEASE_WAITING) &&
           (l->by_time.linked == 1) == (l->state != LEASE_REVOKED) &&
           (l->by_owner.linked == 1) == (l->worker != NONE) &&
           IMPLIES(l->job != NONE, s->jobs[l->job].used && s->jobs[l->job].lease == i) &&
           IMPLIES(l->worker != NONE, s->workers[l->worker].used);
}

static bool worker_ok(const struct sched *s, uint32_t i)
{
    const struct worker *w = &s->workers[i];
    bool can = w->peer != 0 && !w->quiet && !w->by_pause.linked && w->used_len < w->credits;
    uint32_t held = 0;

    for (uint32_t l = w->leases.head; l != NONE; l = list_next(&w->leases, l)) {
        if (s->leases[l].worker != i)
            return false;
        held++;
    }
    return held == w->used_len && can == (w->free_at != NONE) &&
           map_get(&s->worker_by_id, w->id) == i &&
           IMPLIES(w->peer != 0, map_get(&s->worker_by_peer, w->peer) == i) &&
           IMPLIES(can, w->free_at < s->free_len && s->free[w->free_at] == i);
}

/* Is LIST sorted by time, with LEN items? */
static bool sorted(const struct sched *s, const struct list *list, uint32_t len)
{
    uint64_t last_ms = 0;
    uint32_t n = 0;
    for (uint32_t i = list->head; i != NONE; i = list_next(list, i), n++) {
        if (s->leases[i].expires_ms < last_ms)
            return false;
        last_ms = s->leases[i].expires_ms;
    }
    return n == len;
}

bool sched_invariant(const struct sched *s)
{
    uint32_t jobs = 0, ready = 0, leases = 0, waiting = 0, active = 0, workers = 0, can = 0;

    for (uint32_t i = 0; i < s->jobs_cap; i++) {
        jobs += s->jobs[i].used;
        ready += s->jobs[i].used && s->jobs[i].state == JOB_READY;
        if (s->jobs[i].used && !job_ok(s, i))
            return false;
    }
    for (uint32_t i = 0; i < s->limits.leases; i++) {
        leases += s->leases[i].state != LEASE_FREE;
        waiting += s->leases[i].state == LEASE_WAITING;
        active += s->leases[i].state == LEASE_ACTIVE;
        if (s->leases[i].state != LEASE_FREE && !lease_ok(s, i))
            return false;
    }
    for (uint32_t i = 0; i < s->limits.workers; i++) {
        workers += s->workers[i].used;
        can += s->workers[i].free_at != NONE && s->workers[i].used;
        if (s->workers[i].used && !worker_ok(s, i))
            return false;
    }
    return jobs == s->jobs_len && ready == s->ready_len && leases == s->leases_len &&
           waiting == s->waiting_len && workers == s->workers_len && can == s->free_len &&
           jobs == ready + waiting + active && sorted(s, &s->active, active) &&
           sorted(s, &s->waiting, waiting);
}
