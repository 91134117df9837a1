/* SPDX-License-Identifier: Apache-2.0 */
/* why.c - every rule that keeps a job from running, with what explains it. */
#include "coordinator/core/core.h"

/* What the connected workers offer, each line of those of the line before. */
struct offer {
    uint32_t class, labels, cores, memory, time, now;
    uint32_t stay; /* of those with the memory, as many as are not leaving already */
    uint64_t most_cores, most_memory, most_ms;
};

static struct offer look_at_workers(const struct sched *s, const struct job *j)
{
    struct offer o = { 0 };
    const struct demand d = { .class = j->row.class,
                              .cores = j->row.cores,
                              .memory_mib = j->row.memory_mib,
                              .need = s->demands[j->demand].need,
                              .alone = job_alone(s, &j->row) };

    for (uint32_t i = 0; i < s->workers_top; i++) {
        const struct worker *w = &s->workers[i];
        if (!w->used || w->peer == 0 || !(w->classes >> j->row.class & 1))
            continue;
        o.class ++;
        if (j->row.labels & ~w->labels)
            continue;
        o.labels++;
        o.most_cores = MAX(o.most_cores, w->cores);
        if (j->row.cores > w->cores)
            continue;
        o.cores++;
        o.most_memory = MAX(o.most_memory, w->memory_mib);
        if (j->row.memory_mib > w->memory_mib)
            continue;
        o.memory++;
        if (w->draining || w->slots == 0)
            continue;
        o.stay++;
        o.most_ms = MAX(o.most_ms, w->until_ms - MIN(w->until_ms, s->now_ms));
        if (d.need > w->serves)
            continue;
        o.time++;
        o.now += w->free_at != NONE && worker_has_room(w, &d) && i != s->reserved_worker;
    }
    return o;
}

static unsigned why_workers(const struct sched *s, const struct job *j, uint64_t *ret_best)
{
    struct offer o = look_at_workers(s, j);
    if (o.class == 0)
        return WHY_NO_CLASS;
    if (o.labels == 0)
        return WHY_NO_LABEL;
    *ret_best = o.most_cores;
    if (o.cores == 0)
        return WHY_NO_CORES;
    *ret_best = o.most_memory;
    if (o.memory == 0)
        return WHY_NO_MEMORY;
    *ret_best = o.most_ms;
    if (o.stay > 0 && o.time == 0)
        return WHY_NO_TIME;
    *ret_best = 0;
    return o.now == 0 ? WHY_NO_CREDIT : 0;
}

/* Ready jobs of its class that go before J: of its experiment, or of a higher priority. */
static uint32_t jobs_before(const struct sched *s, const struct job *j)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->jobs_top; i++) {
        const struct job *x = &s->jobs[i];
        if (x->used && x->state == JOB_READY && x->row.class == j->row.class)
            n += x->account == j->account ? job_before(x, j) : x->row.priority > j->row.priority;
    }
    return n;
}

/* The experiment that goes before J's, at the same priority, because it used least. */
static void why_share(const struct sched *s, const struct job *j, struct sched_why *why)
{
    for (uint32_t i = 0; i < s->live_len; i++) {
        const struct job *x = queue_head(s, s->live[i]);
        const struct account *a = &s->accounts[x->account];
        uint64_t used_us = account_used(s, a);
        if (x->account == j->account || x->row.class != j->row.class ||
            x->row.priority != j->row.priority || used_us >= why->used_us)
            continue;
        if (!(why->rules & WHY_SHARE) || used_us < why->other_us) {
            why->other = a->id;
            why->other_us = used_us;
        }
        why->rules |= WHY_SHARE;
    }
}

static void why_ready(const struct sched *s, const struct job *j, struct sched_why *why)
{
    why->rules |= why_workers(s, j, &why->best);
    why->ahead = jobs_before(s, j);
    if (why->ahead > 0)
        why->rules |= WHY_BEHIND;
    why_share(s, j, why);
    if (s->reserved_queue != NONE && queue_head(s, s->reserved_queue) == j) {
        why->rules |= WHY_RESERVED;
        why->worker = s->workers[s->reserved_worker].id;
    }
}

static void why_leased(const struct sched *s, const struct job *j, struct sched_why *why)
{
    const struct lease *l = &s->leases[j->lease];
    why->attempt = l->attempt;
    why->epoch = l->epoch;
    why->until_ms = l->expires_ms;
    if (l->worker != NONE) {
        const struct worker *w = &s->workers[l->worker];
        why->worker = w->id;
        for (uint32_t i = w->leases.head; i != j->lease; i = list_next(&w->leases, i))
            why->ahead++;
        if (why->ahead >= w->slots && !lease_ran(l))
            why->rules |= WHY_WAITS;
    }
    if (l->state == LEASE_WAITING)
        why->rules |= WHY_REATTACH;
    else
        why->rules |= j->state == JOB_CANCELLING ? WHY_CANCELLING : WHY_RUNNING;
    if (j->held)
        why->rules |= WHY_HELD;
}

struct sched_why sched_why(const struct sched *s, uint64_t job)
{
    const struct job *j = job_find(s, job);
    if (!j)
        return (struct sched_why){ .rules = WHY_NOT_HERE };
    struct sched_why why = { .class = j->row.class,
                             .tries = j->row.tries,
                             .losses = j->row.losses,
                             .cores = j->row.cores,
                             .labels = j->row.labels,
                             .memory_mib = j->row.memory_mib,
                             .experiment = j->row.experiment,
                             .used_us = account_used(s, &s->accounts[j->account]),
                             .est_us = shape_est(s, &j->row) };
    if (job_alone(s, &j->row))
        why.rules |= WHY_QUARANTINE;
    if (j->state == JOB_READY) {
        why_ready(s, j, &why);
    } else if (j->state == JOB_RESTING) {
        why.rules |= WHY_BACKOFF;
        why.until_ms = j->due_ms;
    } else {
        why_leased(s, j, &why);
    }
    return why;
}
