/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - what answers say, kept in a form that frames are made of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/top/private.h"

#define COPY(TO, FROM) (void)snprintf((TO), sizeof(TO), "%s", (FROM))

const char *const top_cause_names[TOP_CAUSES_LEN] = {
#define X(NAME) #NAME,
    TOP_CAUSES(X)
#undef X
};

struct top *top_new(void)
{
    return mem_calloc(1, sizeof(struct top));
}

void top_free(struct top *t)
{
    if (!t)
        return;
    free(t->number);
    free(t->worker);
    free(t);
}

double top_number(const struct top *t, const char *name, const char *label)
{
    for (size_t i = 0; i < t->numbers; i++)
        if (strcmp(t->number[i].name, name) == 0 && strcmp(t->number[i].label, label) == 0)
            return t->number[i].value;
    return 0;
}

/* ---- counters and rates ---- */

static void take_numbers(struct top *t, const Drover__Status *s)
{
    t->numbers = s->n_numbers;
    t->number = mem_realloc(t->number, s->n_numbers + 1, sizeof(*t->number));
    for (size_t i = 0; i < s->n_numbers; i++) {
        COPY(t->number[i].name, s->numbers[i]->name);
        COPY(t->number[i].label, s->numbers[i]->label);
        t->number[i].value = s->numbers[i]->value;
    }
}

/* The one that came I before the newest; NULL: forgotten, or never there. */
static const struct top_look *look_at(const struct top *t, size_t i)
{
    return i < MIN(t->looks, (size_t)LOOKS_MAX) ? &t->look[(t->looks - 1 - i) % LOOKS_MAX] : NULL;
}

static void add_look(struct top *t, uint64_t now_ms)
{
    const struct top_look *second = look_at(t, 1);
    struct top_look look = { .at_ms = now_ms,
                             .results = top_number(t, "drover_results_done_total", ""),
                             .attempts = top_number(t, "drover_leases_total", "") };

    for (int i = 0; i < TOP_CAUSES_LEN; i++)
        look.ended[i] = top_number(t, "drover_attempts_ended_total", top_cause_names[i]);
    if (second && now_ms - second->at_ms < LOOK_MS)
        t->looks--;
    t->look[t->looks++ % LOOKS_MAX] = look;
}

/* The oldest look of the last WINDOW_MS before the newest. */
static const struct top_look *begin_of(const struct top *t, uint64_t window_ms)
{
    const struct top_look *newest = look_at(t, 0), *begin = look_at(t, 1), *look;

    for (size_t i = 2; (look = look_at(t, i)) != NULL; i++) {
        if (newest->at_ms - look->at_ms > window_ms)
            break;
        begin = look;
    }
    return begin;
}

bool top_rates(const struct top *t, uint64_t window_ms, struct top_rates *ret)
{
    const struct top_look *b = look_at(t, 0), *a = begin_of(t, window_ms);
    double seconds;

    *ret = (struct top_rates){ 0 };
    if (!a || b->at_ms <= a->at_ms)
        return false;
    seconds = (double)(b->at_ms - a->at_ms) / 1000;
    ret->results = (b->results - a->results) / seconds;
    ret->attempts = (b->attempts - a->attempts) / seconds;
    return true;
}

double top_ended(const struct top *t, enum top_cause cause)
{
    return t->looks ? look_at(t, 0)->ended[cause] : 0;
}

/* Before it was watched only those count that the coordinator still tells. */
double top_recent(const struct top *t, enum top_cause cause)
{
    const struct top_look *a = begin_of(t, RECENT_MS);
    const double watched = a ? top_ended(t, cause) - a->ended[cause] : 0;
    double told = 0;

    for (size_t i = 0; i < t->lasts; i++)
        told += strcmp(t->last[i].outcome, top_cause_names[cause]) == 0 &&
                t->at_ms - MIN(t->last[i].at_ms, t->at_ms) <= RECENT_MS;
    return MAX(watched, told);
}

/* ---- failures ---- */

static void take_failures(struct top *t, const Drover__Status *s, uint64_t now_ms)
{
    t->lasts = MIN(s->n_failures, (size_t)LAST_MAX);
    for (size_t i = 0; i < t->lasts; i++) {
        const Drover__Failure *f = s->failures[i];
        struct top_failure *to = &t->last[i];

        COPY(to->outcome, f->outcome);
        COPY(to->worker, f->worker);
        COPY(to->text, f->text);
        to->job = f->job;
        to->at_ms = now_ms - MIN(f->ago_ms, now_ms);
    }
}

const struct top_failure *top_newest(const struct top *t, enum top_cause cause)
{
    for (size_t i = 0; i < t->lasts; i++)
        if (strcmp(t->last[i].outcome, top_cause_names[cause]) == 0)
            return &t->last[i];
    return NULL;
}

/* ---- workers ---- */

static int by_identity(const void *a, const void *b)
{
    const struct top_worker *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    if (order == 0)
        order = strcmp(x->host, y->host);
    return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static struct top_worker worker_of(const Drover__WorkerStatus *w)
{
    struct top_worker r = { .state = wire_worker_state(w),
                            .pid = w->pid,
                            .slots = w->slots,
                            .running = w->running,
                            .waiting = w->waiting,
                            .done = w->jobs_done,
                            .failed = w->jobs_failed,
                            .seen_ms = w->last_seen_ms,
                            .doing_ms = w->doing_ms,
                            .left_ms = w->remaining_ms };

    COPY(r.name, w->name);
    COPY(r.host, w->host);
    COPY(r.doing, w->doing);
    COPY(r.version, w->version);
    return r;
}

static void rate_worker(struct top_worker *w, const struct top_worker *before, uint64_t ms)
{
    const double now = ((double)w->done - (double)before->done) * 1000 / (double)ms;

    if (w->done < before->done)
        return; /* a new one of that name */
    w->rate = before->rated
                  ? before->rate + (now - before->rate) * (1 - exp(-(double)ms / (double)SMOOTH_MS))
                  : now;
    w->rated = true;
}

static void take_workers(struct top *t, const Drover__Status *s, uint64_t ms)
{
    struct top_worker *list = mem_calloc(s->n_workers + 1, sizeof(*list));

    for (size_t i = 0; i < s->n_workers; i++)
        list[i] = worker_of(s->workers[i]);
    qsort(list, s->n_workers, sizeof(*list), by_identity);
    for (size_t i = 0; ms > 0 && i < s->n_workers && t->workers > 0; i++) {
        const struct top_worker *before =
            bsearch(&list[i], t->worker, t->workers, sizeof(*list), by_identity);

        if (before)
            rate_worker(&list[i], before, ms);
    }
    free(t->worker);
    t->worker = list;
    t->workers = s->n_workers;
}

/* ---- answers ---- */

void top_take(struct top *t, const Drover__Status *s, uint64_t now_ms)
{
    uint64_t ms = now_ms - t->at_ms;

    if (!t->known || s->incarnation != t->incarnation) {
        ms = 0;
        t->looks = 0;
    }
    t->known = true;
    t->incarnation = s->incarnation;
    t->up_ms = s->up_ms;
    t->at_ms = now_ms;
    t->silent_ms = 0;
    COPY(t->version, s->version);
    take_numbers(t, s);
    add_look(t, now_ms);
    take_failures(t, s, now_ms);
    take_workers(t, s, ms);
}

void top_silent(struct top *t, const char *why, uint64_t now_ms)
{
    COPY(t->why, why);
    if (!t->silent_ms)
        t->silent_ms = t->known ? t->at_ms : now_ms;
}

static struct top_experiment experiment_of(const Drover__ExperimentStatus *e, double *ret_units)
{
    struct top_experiment x = { .priority = e->priority, .paused = e->paused };

    COPY(x.name, e->name);
    *ret_units = 0;
    for (size_t i = 0; i < e->n_steps; i++) {
        const Drover__StepStatus *s = e->steps[i];

        x.jobs += s->jobs;
        x.done += s->done;
        x.running += s->running;
        x.failed += s->failed;
        x.ready += s->ready;
        x.waiting += s->waiting;
        x.over += s->done + s->failed + s->cancelled + s->skipped;
        *ret_units += s->done + s->running_share;
    }
    return x;
}

static const struct top_experiment *find_experiment(const struct top_experiment *list, size_t len,
                                                    const char *name)
{
    for (size_t i = 0; i < len; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

/* X as it is now; OLD: the same at the look before, or NULL. */
static void look_again(struct top_experiment *x, const struct top_experiment *old, double units,
                       uint64_t now_ms)
{
    if (old) {
        x->pace = old->pace;
        x->rate = old->rate;
        x->seen = old->seen;
    }
    if (old && now_ms > old->at_ms) {
        x->rate = MAX(units - old->units, 0) * 1000 / (double)(now_ms - old->at_ms);
        x->seen = true;
    }
    x->at_ms = now_ms;
    x->units = units;
    pace_add(&x->pace, now_ms, units, x->running > 0);
}

void top_take_experiments(struct top *t, const Drover__Status *s, uint64_t now_ms)
{
    struct top_experiment *old = mem_dup(t->experiment, sizeof(t->experiment));
    const size_t olds = t->experiments;

    t->experiments = t->ended = t->hidden = 0;
    t->experiments_known = true;
    for (size_t i = 0; i < s->n_experiments; i++) {
        double units;
        struct top_experiment x = experiment_of(s->experiments[i], &units);

        if (s->experiments[i]->finished || s->experiments[i]->cancelled) {
            t->ended++;
            continue;
        }
        if (t->experiments == EXPERIMENTS_MAX) {
            t->hidden++;
            continue;
        }
        look_again(&x, find_experiment(old, olds, x.name), units, now_ms);
        t->experiment[t->experiments++] = x;
    }
    free(old);
}
