/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_count.c - one job's new state, one attempt's end: into the counts of whoever wants it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/ledger_private.h"

static const char *const states[LEDGER_STATES] = { "none",   "waiting",   "ready",  "done",
                                                   "failed", "cancelled", "skipped" };

static const char *const outcomes[LEDGER_OUTCOMES] = { "RUNNING",   "DONE",    "FAILED",
                                                       "OOM",       "TIMEOUT", "PREEMPTED",
                                                       "CANCELLED", "LOST",    "DIVERGED" };

const char *ledger_state_name(unsigned state)
{
    state &= LEDGER_STATE;
    return states[state < LEDGER_STATES ? state : LEDGER_NONE];
}

unsigned ledger_state_of(const char *word)
{
    for (unsigned i = LEDGER_WAITING; i < LEDGER_STATES; i++)
        if (strcasecmp(word, states[i]) == 0)
            return i;
    return LEDGER_NONE;
}

const char *ledger_outcome_name(unsigned outcome)
{
    return outcome < LEDGER_OUTCOMES ? outcomes[outcome] : "?";
}

unsigned ledger_outcome_of(const char *word)
{
    for (unsigned i = 0; i < LEDGER_OUTCOMES; i++)
        if (strcmp(word, outcomes[i]) == 0)
            return i;
    return LEDGER_OUTCOMES;
}

/* ---- pulse ---- */

static void coarser(struct ledger_pulse *p)
{
    for (size_t i = 0; i < LEDGER_BUCKETS / 2; i++) {
        p->done[i] = p->done[2 * i] + p->done[2 * i + 1];
        p->failed[i] = p->failed[2 * i] + p->failed[2 * i + 1];
        p->busy_ms[i] = p->busy_ms[2 * i] + p->busy_ms[2 * i + 1];
    }
    for (size_t i = LEDGER_BUCKETS / 2; i < LEDGER_BUCKETS; i++) {
        p->done[i] = p->failed[i] = 0;
        p->busy_ms[i] = 0;
    }
    p->bucket_ms *= 2;
    p->len = (p->len + 1) / 2;
}

static void shift(struct ledger_pulse *p, size_t by)
{
    memmove(p->done + by, p->done, p->len * sizeof(p->done[0]));
    memmove(p->failed + by, p->failed, p->len * sizeof(p->failed[0]));
    memmove(p->busy_ms + by, p->busy_ms, p->len * sizeof(p->busy_ms[0]));
    memset(p->done, 0, by * sizeof(p->done[0]));
    memset(p->failed, 0, by * sizeof(p->failed[0]));
    memset(p->busy_ms, 0, by * sizeof(p->busy_ms[0]));
    p->from_ms -= (int64_t)by * p->bucket_ms;
    p->len += by;
}

/* What began before the first bucket makes room in front of it. */
static void earlier(struct ledger_pulse *p, int64_t at_ms)
{
    while (at_ms < p->from_ms) {
        const int64_t by = (p->from_ms - at_ms + p->bucket_ms - 1) / p->bucket_ms;

        if ((int64_t)p->len + by <= LEDGER_BUCKETS)
            shift(p, (size_t)by);
        else
            coarser(p);
    }
}

static void add_busy(struct ledger_pulse *p, int64_t from, int64_t to)
{
    while (from < to) {
        const size_t at = (size_t)((from - p->from_ms) / p->bucket_ms);
        const int64_t end = MIN(to, p->from_ms + (int64_t)(at + 1) * p->bucket_ms);

        p->busy_ms[at] += (float)(end - from);
        from = end;
    }
}

void ledger_pulse_add(struct ledger_pulse *p, int64_t started_ms, int64_t ended_ms, bool good,
                      bool bad)
{
    if (started_ms <= 0 || ended_ms < started_ms)
        return; /* a clock that was set back */
    if (!p->from_ms)
        *p = (struct ledger_pulse){ .from_ms = started_ms, .bucket_ms = LEDGER_BUCKET_MS };
    /* A wrong clock must not cost the picture its sharpness for ever: a year is wide enough. */
    if (llabs(started_ms - p->from_ms) > INT64_C(31622400000) ||
        ended_ms - started_ms > INT64_C(31622400000))
        return;
    earlier(p, started_ms);
    while ((ended_ms - p->from_ms) / p->bucket_ms >= LEDGER_BUCKETS)
        coarser(p);
    const size_t at = (size_t)((ended_ms - p->from_ms) / p->bucket_ms);

    p->last_ms = MAX(p->last_ms, ended_ms);
    p->done[at] += good;
    p->failed[at] += bad;
    p->len = MAX(p->len, at + 1);
    add_busy(p, started_ms, ended_ms);
}

/* ---- jobs ---- */

static void count(struct ledger_counts *n, uint8_t state, int64_t by)
{
    n->state[state & LEDGER_STATE] += (uint64_t)by;
    if (state & LEDGER_DIVERGED)
        n->diverged += (uint64_t)by;
}

void ledger_put_state(struct ledger *l, uint64_t job, uint8_t state)
{
    if (job >= LEDGER_JOBS_MAX)
        return;
    if (job >= l->state_cap) {
        const size_t cap = MAX(2 * l->state_cap, (size_t)job + 4096);

        l->state = mem_realloc(l->state, cap, 1);
        memset(l->state + l->state_cap, 0, cap - l->state_cap);
        l->state_cap = cap;
        l->v.state = l->state;
    }
    l->v.jobs = MAX(l->v.jobs, job + 1);
    const uint8_t before = l->state[job];

    if (before == state)
        return;
    l->state[job] = state;
    l->changed = true;
    for (size_t i = 0; i < l->v.experiments; i++) {
        struct ledger_experiment *e = &l->experiment[i];

        if (job < l->range[i].base || job >= l->range[i].end || !e->step_of[job - e->base])
            continue;
        struct ledger_step *step = &e->step[e->step_of[job - e->base] - 1];

        count(&e->n, before, -1);
        count(&e->n, state, 1);
        count(&step->n, before, -1);
        count(&step->n, state, 1);
    }
}

/* ---- attempts ---- */

static bool is_good(unsigned outcome)
{
    return outcome == LEDGER_OK || outcome == LEDGER_DIVERGE;
}

static bool is_bad(unsigned outcome)
{
    return outcome == LEDGER_FAIL || outcome == LEDGER_OOM || outcome == LEDGER_TIMEOUT;
}

static void add_to_experiment(struct ledger_experiment *e, const struct ledger_attempt *a)
{
    struct ledger_step *step = &e->step[e->step_of[a->job - e->base] - 1];
    const int64_t end = a->started_ms + a->ms;

    e->outcome[a->outcome]++;
    step->outcome[a->outcome]++;
    step->seconds += a->ms / 1000.0;
    ledger_pulse_add(&e->pulse, a->started_ms, end, is_good(a->outcome), is_bad(a->outcome));
    ledger_pulse_add(&step->pulse, a->started_ms, end, is_good(a->outcome), is_bad(a->outcome));
}

static void add_to_worker(struct ledger *l, const struct ledger_attempt *a)
{
    size_t low = 0, high = l->v.workers;

    while (low < high) {
        const size_t mid = (low + high) / 2;

        if (l->worker[mid].id < a->worker)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == l->v.workers || l->worker[low].id != a->worker) {
        if (l->v.workers == l->worker_cap) {
            l->worker_cap = MAX(64, 2 * l->worker_cap);
            l->worker = mem_realloc(l->worker, l->worker_cap, sizeof(*l->worker));
            l->v.worker = l->worker;
        }
        memmove(l->worker + low + 1, l->worker + low, (l->v.workers++ - low) * sizeof(*l->worker));
        l->worker[low] = (struct ledger_worker){ .id = a->worker };
    }
    struct ledger_worker *w = &l->worker[low];

    w->done += is_good(a->outcome);
    w->failed += is_bad(a->outcome);
    w->busy_ms += a->ms;
    w->last_ms = MAX(w->last_ms, a->started_ms + a->ms);
}

/* Room for one more: the oldest quarter goes when there are too many. */
static void make_room(struct ledger *l)
{
    if (l->v.attempts == LEDGER_ATTEMPTS_MAX) {
        const size_t drop = LEDGER_ATTEMPTS_MAX / 4;

        memmove(l->attempt, l->attempt + drop, (l->v.attempts - drop) * sizeof(*l->attempt));
        l->v.attempts -= drop;
        l->v.forgotten += drop;
    }
    if (l->v.attempts < l->attempt_cap)
        return;
    l->attempt_cap = MIN(MAX(4096, 2 * l->attempt_cap), (size_t)LEDGER_ATTEMPTS_MAX);
    l->attempt = mem_realloc(l->attempt, l->attempt_cap, sizeof(*l->attempt));
    l->v.attempt = l->attempt;
}

void ledger_put_attempt(struct ledger *l, const struct ledger_row *row)
{
    /* It waited in its worker's queue first; the worker knows how long it took. */
    const int64_t ms = row->wall_ms >= 0 ? row->wall_ms : MAX(row->ended_ms - row->started_ms, 0);
    struct ledger_attempt a = {
        .ms = (uint32_t)MIN(ms, (int64_t)UINT32_MAX),
        .id = (uint32_t)row->id,
        .job = (uint32_t)row->job,
        .worker = (uint32_t)row->worker,
        .outcome = (uint8_t)row->outcome,
    };

    a.started_ms = MAX(row->ended_ms - a.ms, 0);
    make_room(l);
    l->changed = true;
    l->attempt[l->v.attempts++] = a;
    if (a.worker)
        add_to_worker(l, &a);
    for (size_t i = 0; i < l->v.experiments; i++) {
        struct ledger_experiment *e = &l->experiment[i];

        if (a.job >= l->range[i].base && a.job < l->range[i].end && e->step_of[a.job - e->base])
            add_to_experiment(e, &a);
    }
}

void ledger_put_open(struct ledger *l, const struct ledger_row *row)
{
    for (size_t i = 0; i < l->v.opens; i++)
        if (l->open[i].id == row->id)
            return;
    if (l->v.opens == l->open_cap) {
        l->open_cap = MAX(64, 2 * l->open_cap);
        l->open = mem_realloc(l->open, l->open_cap, sizeof(*l->open));
        l->v.open = l->open;
    }
    l->changed = true;
    l->open[l->v.opens++] = (struct ledger_open){ row->id, row->job, row->worker, row->started_ms };
}

void ledger_drop_open(struct ledger *l, uint64_t attempt)
{
    for (size_t i = 0; i < l->v.opens; i++) {
        if (l->open[i].id == attempt) {
            l->open[i] = l->open[--l->v.opens];
            l->changed = true;
            return;
        }
    }
}

/* ---- experiments ---- */

void ledger_steps_free(struct ledger_step *step, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        free(step[i].name);
        free(step[i].kind);
    }
    free(step);
}

void ledger_experiment_release(struct ledger_experiment *e)
{
    ledger_steps_free(e->step, e->steps);
    free(e->step_of);
    free(e->edge);
    free(e->name);
}

static void recount(struct ledger *l, struct ledger_experiment *e)
{
    memset(&e->n, 0, sizeof(e->n));
    memset(e->outcome, 0, sizeof(e->outcome));
    e->pulse = (struct ledger_pulse){ 0 };
    for (uint64_t i = 0; i < e->span; i++) {
        const uint64_t job = e->base + i;
        const uint8_t state = job < l->v.jobs ? l->state[job] : LEDGER_NONE;

        if (!e->step_of[i])
            continue;
        struct ledger_counts *n = &e->step[e->step_of[i] - 1].n;

        n->jobs++;
        e->n.jobs++;
        count(n, state, 1);
        count(&e->n, state, 1);
    }
    for (size_t i = 0; i < l->v.attempts; i++) {
        const struct ledger_attempt *a = &l->attempt[i];

        if (a->job - e->base < e->span && e->step_of[a->job - e->base])
            add_to_experiment(e, a);
    }
}

void ledger_put_claims(struct ledger *l, size_t i, uint64_t base, uint64_t span, uint16_t *step_of,
                       struct ledger_step *step, size_t steps, struct ledger_edge *edge,
                       size_t edges)
{
    struct ledger_experiment *e = &l->experiment[i];

    ledger_steps_free(e->step, e->steps);
    free(e->step_of);
    free(e->edge);
    e->base = base;
    e->span = span;
    e->step_of = step_of;
    e->step = step;
    e->steps = steps;
    e->edge = edge;
    e->edges = edges;
    l->range[i] = (struct ledger_range){ base, base + span };
    recount(l, e);
    l->changed = true;
    e->ready = true;
    e->counted = 1;
}
