/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how far everything is: the store's counts, and who runs what from the core. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

enum { EXPERIMENTS_MAX = 1000, STEPS_MAX = 1000, FAILURES_MAX = 100 };

/* A Status under construction; all its memory is its own. */
struct report {
    struct server *s;
    const char *only; /* name of the one that is asked for, "" for all */
    Drover__Status m;
    struct {
        uint64_t id;
        char *name;
        uint64_t revision;
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
    Drover__ExperimentStatus *e;
};

static int add_step(const struct store_step_status *st, void *arg)
{
    struct step_target *t = arg;
    Drover__StepStatus *m;

    if (t->e->n_steps == STEPS_MAX)
        return 1;
    m = mem_calloc(1, sizeof(*m));
    drover__step_status__init(m);
    m->step = mem_strdup(st->step);
    m->kind = mem_strdup(st->kind);
    m->jobs = st->jobs;
    m->done = st->done;
    m->running = MIN(attempts_running(t->s->attempts, st->step), st->ready);
    m->ready = st->ready - m->running;
    m->failed = st->failed;
    m->cancelled = st->cancelled;
    m->skipped = st->skipped;
    m->waiting = st->waiting;
    m->units_done = st->units_done;
    m->units_total = st->units_total;
    m->seconds_spent = st->seconds_spent;
    if (st->units_total == st->jobs) /* a job is a unit: training, collect */
        m->running_share = attempts_share(t->s->attempts, st->step);
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

static int add_experiment(struct report *r, size_t i, struct err *err)
{
    Drover__ExperimentStatus *e = mem_calloc(1, sizeof(*e));
    struct step_target target = { r->s, e };
    uint64_t id = r->found[i].id;
    bool finished = false;
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
    e->finished = finished;
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
