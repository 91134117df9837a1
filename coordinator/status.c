/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how far everything is: the store's counts, and who runs what from the core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

enum {
    EXPERIMENTS_MAX = 1000,
    STEPS_MAX = 1000,
    FAILURES_MAX = 100,
    RUNNING_MAX = 64, /* jobs of an experiment that are named */
};

/* A Status under construction; all its memory is its own. */
struct report {
    struct server *s;
    const char *only; /* name of the one that is asked for, "" for all */
    Drover__Status m;
    struct {
        uint64_t id;
        char *name;
        uint64_t revision;
        bool cancelled;
    } found[EXPERIMENTS_MAX];
    size_t found_len;
};

static int add_found(const struct store_experiment *e, void *arg)
{
    struct report *r = arg;

    if (*r->only && strcmp(r->only, e->name) != 0)
        return 0;
    if (r->found_len == EXPERIMENTS_MAX)
        return 1;
    r->found[r->found_len].id = e->id;
    r->found[r->found_len].name = mem_strdup(e->name);
    r->found[r->found_len].cancelled = e->cancelled;
    r->found[r->found_len++].revision = e->revision_number;
    return 0;
}

/* Arrays of pointers that grow by one: lists here are short. */
#define APPEND(LIST, COUNT, VALUE)                                                                 \
    do {                                                                                           \
        (LIST) = mem_realloc((LIST), (COUNT) + 1, sizeof(*(LIST)));                                \
        (LIST)[(COUNT)++] = (VALUE);                                                               \
    } while (0)

struct step_target {
    struct server *s;
    uint64_t experiment;
    Drover__ExperimentStatus *e;
};

/* Under which step EXPERIMENT wants the attempt's job; NULL: it does not. */
static const struct attempt_claim *claim_of(const struct attempt *t, uint64_t experiment)
{
    for (size_t i = 0; i < t->claims_len; i++)
        if (t->claims[i].experiment == experiment)
            return &t->claims[i];
    return NULL;
}

static int add_claim(uint64_t experiment, const char *step, const char *what, void *arg)
{
    struct attempt *t = arg;

    t->claims = mem_realloc(t->claims, t->claims_len + 1, sizeof(*t->claims));
    t->claims[t->claims_len] = (struct attempt_claim){ .experiment = experiment };
    (void)snprintf(t->claims[t->claims_len].step, sizeof(t->claims[0].step), "%.63s", step);
    (void)snprintf(t->claims[t->claims_len++].what, sizeof(t->claims[0].what), "%.39s", what);
    return 0;
}

/* Look up who wants the running jobs, as far as it is not known. */
static int know_claims(struct server *s, struct err *err)
{
    int rc = 0;

    for (struct attempt *t = attempts_running(s->attempts); t && rc == 0; t = t->next) {
        if (t->claims_known)
            continue;
        t->claims_len = 0;
        rc = store_list_claims(s->store, t->job, add_claim, t, err);
        t->claims_known = rc == 0;
    }
    return rc;
}

/* Running attempts of STEP, and how much of them is done, summed: 1.5 for one that is done and one
 * half-way; 0 for those that did not tell. */
static uint32_t count_running(const struct step_target *target, const char *step, double *ret_share)
{
    uint32_t n = 0;

    *ret_share = 0;
    for (const struct attempt *t = attempts_running(target->s->attempts); t; t = t->next) {
        const struct attempt_claim *of = claim_of(t, target->experiment);

        if (!of || strcmp(of->step, step) != 0)
            continue;
        n++;
        if (t->total > 0)
            *ret_share += (double)MIN(t->done, t->total) / (double)t->total;
    }
    return n;
}

static int add_step(const struct store_step_status *st, void *arg)
{
    struct step_target *t = arg;
    Drover__StepStatus *m;
    double share;

    if (t->e->n_steps == STEPS_MAX)
        return 1;
    m = mem_calloc(1, sizeof(*m));
    drover__step_status__init(m);
    m->step = mem_strdup(st->step);
    m->kind = mem_strdup(st->kind);
    m->jobs = st->jobs;
    m->done = st->done;
    m->running = MIN(count_running(t, st->step, &share), st->ready);
    m->ready = st->ready - m->running;
    m->failed = st->failed;
    m->cancelled = st->cancelled;
    m->skipped = st->skipped;
    m->unchosen = st->unchosen;
    m->diverged = st->diverged;
    m->waiting = st->waiting;
    m->units_done = st->units_done;
    m->units_total = st->units_total;
    m->seconds_spent = st->seconds_spent;
    if (st->units_total == st->jobs) /* a job is a unit: training, collect */
        m->running_share = share;
    APPEND(t->e->steps, t->e->n_steps, m);
    return 0;
}

static int add_failure(const char *text, void *arg)
{
    Drover__ExperimentStatus *e = arg;
    size_t len = strlen(text);

    if (e->n_failures == FAILURES_MAX)
        return 1;
    APPEND(e->failures, e->n_failures,
           mem_strdup(len > WIRE_TEXT_MAX ? text + len - WIRE_TEXT_MAX : text));
    return 0;
}

/* The jobs that run now, oldest first. */
static void add_running(const struct step_target *target)
{
    uint64_t now_ms = clock_ms();

    for (const struct attempt *t = attempts_running(target->s->attempts); t; t = t->next) {
        const struct attempt_claim *claim = claim_of(t, target->experiment);
        struct sched_why why;
        struct shell_worker *w = NULL;
        Drover__RunningJob *m;

        if (!claim || target->e->running_all++ >= RUNNING_MAX)
            continue;
        why = sched_why(target->s->sched, t->job);
        if (why.worker)
            HASH_FIND(hh, target->s->workers, &why.worker, sizeof(why.worker), w);
        m = mem_calloc(1, sizeof(*m));
        drover__running_job__init(m);
        m->job = t->job;
        m->step = mem_strdup(claim->step);
        m->what = mem_strdup(claim->what);
        m->worker = mem_strdup(w ? w->name : "");
        m->seconds = (double)(now_ms - MIN(t->begun_ms, now_ms)) / 1000;
        m->done = t->done;
        m->total = t->total;
        APPEND(target->e->running, target->e->n_running, m);
    }
}

static int add_experiment(struct report *r, size_t i, struct err *err)
{
    Drover__ExperimentStatus *e = mem_calloc(1, sizeof(*e));
    uint64_t id = r->found[i].id;
    struct step_target target = { r->s, id, e };
    bool finished = false, paused = false;
    int rc;

    drover__experiment_status__init(e);
    e->name = mem_strdup(r->found[i].name);
    e->revision = r->found[i].revision;
    APPEND(r->m.experiments, r->m.n_experiments, e);
    rc = store_status(r->s->store, id, add_step, &target, err);
    if (rc >= 0)
        rc = store_finished(r->s->store, id, &finished, err);
    if (rc >= 0)
        rc = store_failures(r->s->store, id, add_failure, e, err);
    if (rc >= 0)
        rc = store_experiment_control(r->s->store, id, &paused, &e->priority, err);
    add_running(&target);
    e->finished = finished;
    e->paused = paused;
    e->cancelled = r->found[i].cancelled;
    return MIN(rc, 0); /* a full list is no error */
}

static void add_workers(struct report *r)
{
    uint64_t now_ms = clock_ms();

    for (struct shell_worker *w = r->s->workers; w; w = w->hh.next) {
        Drover__WorkerStatus *m;
        struct sched_worker_view view;

        if (!sched_worker(r->s->sched, w->id, &view))
            continue;
        m = mem_calloc(1, sizeof(*m));
        drover__worker_status__init(m);
        m->name = mem_strdup(w->name);
        m->slots = w->slots;
        m->running = view.used;
        m->last_seen_ms = now_ms - MIN(view.heard_ms, now_ms);
        m->draining = view.credits == 0;
        APPEND(r->m.workers, r->m.n_workers, m);
    }
}

/* Everything in the report was made by malloc: as an unpacked message is. */
static void report_release(struct report *r)
{
    for (size_t i = 0; i < r->m.n_experiments; i++)
        drover__experiment_status__free_unpacked(r->m.experiments[i], NULL);
    for (size_t i = 0; i < r->m.n_workers; i++)
        drover__worker_status__free_unpacked(r->m.workers[i], NULL);
    free(r->m.experiments);
    free(r->m.workers);
    for (size_t i = 0; i < r->found_len; i++)
        free(r->found[i].name);
    free(r);
}

static void report_cleanup(struct report **r)
{
    report_release(*r);
}

static int make_report(struct report *r, bool workers, struct err *err)
{
    uint64_t id;
    int rc = 0;

    drover__status__init(&r->m);
    r->m.incarnation = r->s->incarnation;
    if (*r->only) /* for its message that lists the names there are */
        rc = store_find_experiment(r->s->store, r->only, &id, err);
    if (rc >= 0)
        rc = store_list_experiments(r->s->store, add_found, r, err);
    if (rc >= 0)
        rc = know_claims(r->s, err);
    for (size_t i = 0; i < r->found_len && rc >= 0; i++)
        rc = add_experiment(r, i, err);
    if (rc >= 0 && workers)
        add_workers(r);
    return MIN(rc, 0);
}

void shell_status(struct server *s, const Drover__StatusRequest *m, uint64_t request)
{
    struct report *r CLEANUP(report_cleanup) = mem_calloc(1, sizeof(*r));
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    r->s = s;
    r->only = m->experiment;
    shell_flush(s); /* show what is committed */
    if (s->failed)
        return;
    rc = make_report(r, m->workers, &err);
    if (rc < 0)
        shell_refuse(s, peer, request, rc, err.text);
    else
        shell_send(s, peer, DROVER__ENVELOPE__BODY_STATUS, &r->m, request);
}
