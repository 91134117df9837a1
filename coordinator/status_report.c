/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/status_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/macros.h"
#include "common/wire/wire.h"
#include "store/control.h"
#include "store/read.h"
#include "store/store.h"

static int add_found(const struct store_experiment *e, void *arg)
{
    struct status_report *r = arg;

    if (*r->only && strcmp(r->only, e->name) != 0)
        return 0;
    if (r->found_len == STATUS_EXPERIMENTS_MAX)
        return 1;
    r->found[r->found_len].id = e->id;
    r->found[r->found_len].name = mem_strdup(e->name);
    r->found[r->found_len].cancelled = e->cancelled;
    r->found[r->found_len++].revision = e->revision_number;
    return 0;
}

struct step_target {
    const struct status_report *r;
    uint64_t experiment;
    Drover__ExperimentStatus *e;
};

/* Under which step EXPERIMENT wants the job; NULL: it does not. */
static const struct status_claim *claim_of(const struct status_running *t, uint64_t experiment)
{
    for (size_t i = 0; i < t->claims_len; i++)
        if (t->claims[i].experiment == experiment)
            return &t->claims[i];
    return NULL;
}

static int add_claim(uint64_t experiment, const char *step, const char *what, void *arg)
{
    struct status_running *t = arg;

    t->claims = mem_realloc(t->claims, t->claims_len + 1, sizeof(*t->claims));
    t->claims[t->claims_len] = (struct status_claim){ .experiment = experiment };
    (void)snprintf(t->claims[t->claims_len].step, sizeof(t->claims[0].step), "%.63s", step);
    (void)snprintf(t->claims[t->claims_len++].what, sizeof(t->claims[0].what), "%.39s", what);
    return 0;
}

/* Look up who wants the running jobs. */
static int know_claims(struct status_report *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < r->running_len && rc == 0; i++)
        rc = store_list_claims(r->store, r->running[i].job, add_claim, &r->running[i], err);
    return rc;
}

/* Running attempts of STEP, and how much of them is done, summed: 1.5 for one that is done and one
 * half-way; 0 for those that did not tell. */
static uint32_t count_running(const struct step_target *target, const char *step, double *ret_share)
{
    uint32_t n = 0;

    *ret_share = 0;
    for (size_t i = 0; i < target->r->running_len; i++) {
        const struct status_running *t = &target->r->running[i];
        const struct status_claim *of = claim_of(t, target->experiment);

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

    if (t->e->n_steps == STATUS_STEPS_MAX)
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
    STATUS_APPEND(t->e->steps, t->e->n_steps, m);
    return 0;
}

static int add_failure(const char *text, void *arg)
{
    Drover__ExperimentStatus *e = arg;
    size_t len = strlen(text);

    if (e->n_failures == STATUS_FAILURES_MAX)
        return 1;
    STATUS_APPEND(e->failures, e->n_failures,
                  mem_strdup(len > WIRE_TEXT_MAX ? text + len - WIRE_TEXT_MAX : text));
    return 0;
}

static Drover__RunningJob *running_job(const struct status_report *r,
                                       const struct status_running *t, const char *step,
                                       const char *what)
{
    Drover__RunningJob *m = mem_calloc(1, sizeof(*m));

    drover__running_job__init(m);
    m->job = t->job;
    m->step = mem_strdup(step);
    m->what = mem_strdup(what);
    m->worker = mem_strdup(t->worker);
    m->seconds = (double)(r->now_ms - MIN(t->begun_ms, r->now_ms)) / 1000;
    m->done = t->done;
    m->total = t->total;
    return m;
}

/* The jobs that run now, oldest first. */
static void add_running(const struct step_target *target)
{
    const struct status_report *r = target->r;

    for (size_t i = 0; i < r->running_len; i++) {
        const struct status_running *t = &r->running[i];
        const struct status_claim *claim = claim_of(t, target->experiment);

        if (claim && target->e->running_all++ < STATUS_RUNNING_MAX)
            STATUS_APPEND(target->e->running, target->e->n_running,
                          running_job(r, t, claim->step, claim->what));
    }
}

/* All of them, whoever wants them: nothing is asked of the store. */
static void add_all_running(struct status_report *r)
{
    const size_t n = MIN(r->running_len, STATUS_RUNNING_ALL_MAX);

    r->m.running_all = (uint32_t)r->running_len;
    r->m.running = mem_calloc(n + 1, sizeof(*r->m.running));
    for (; r->m.n_running < n; r->m.n_running++)
        r->m.running[r->m.n_running] = running_job(r, &r->running[r->m.n_running], "", "");
}

static int add_experiment(struct status_report *r, size_t i, struct err *err)
{
    Drover__ExperimentStatus *e = mem_calloc(1, sizeof(*e));
    uint64_t id = r->found[i].id;
    struct step_target target = { r, id, e };
    bool finished = false, paused = false;
    int rc;

    drover__experiment_status__init(e);
    e->name = mem_strdup(r->found[i].name);
    e->revision = r->found[i].revision;
    STATUS_APPEND(r->m.experiments, r->m.n_experiments, e);
    rc = store_status(r->store, id, add_step, &target, err);
    if (rc >= 0)
        rc = store_finished(r->store, id, &finished, err);
    if (rc >= 0)
        rc = store_failures(r->store, id, add_failure, e, err);
    if (rc >= 0)
        rc = store_experiment_control(r->store, id, &paused, &e->priority, err);
    add_running(&target);
    e->finished = finished;
    e->paused = paused;
    e->cancelled = r->found[i].cancelled;
    return MIN(rc, 0); /* a full list is no error */
}

void status_report_free(void *arg)
{
    struct status_report *r = arg;

    for (size_t i = 0; i < r->m.n_experiments; i++)
        drover__experiment_status__free_unpacked(r->m.experiments[i], NULL);
    for (size_t i = 0; i < r->m.n_workers; i++)
        drover__worker_status__free_unpacked(r->m.workers[i], NULL);
    for (size_t i = 0; i < r->m.n_running; i++)
        drover__running_job__free_unpacked(r->m.running[i], NULL);
    for (size_t i = 0; i < r->m.n_numbers; i++)
        drover__number__free_unpacked(r->m.numbers[i], NULL);
    for (size_t i = 0; i < r->m.n_failures; i++)
        drover__failure__free_unpacked(r->m.failures[i], NULL);
    free(r->m.numbers);
    free(r->m.failures);
    free(r->m.experiments);
    free(r->m.workers);
    free(r->m.running);
    for (size_t i = 0; i < r->found_len; i++)
        free(r->found[i].name);
    for (size_t i = 0; i < r->running_len; i++)
        free(r->running[i].claims);
    for (size_t i = 0; i < r->names_len; i++)
        free(r->names[i]);
    free(r->names);
    free(r->doing);
    free(r->running);
    free(r->only);
    free(r);
}

/* What each worker does, in words. */
static int name_doing(struct status_report *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; r->doing && i < r->m.n_workers && rc == 0; i++) {
        struct status_running t = { .job = r->doing[i] };
        char text[128];

        if (!t.job)
            continue;
        rc = store_list_claims(r->store, t.job, add_claim, &t, err);
        if (t.claims_len) {
            (void)snprintf(text, sizeof(text), "%s %s", t.claims[0].step, t.claims[0].what);
            r->m.workers[i]->doing = mem_strdup(text);
        }
        free(t.claims);
    }
    return rc;
}

static int make_report(struct status_report *r, struct err *err)
{
    uint64_t id;
    int rc = 0;

    if (r->only_workers) {
        if (r->running_len)
            add_all_running(r);
        return name_doing(r, err);
    }
    if (*r->only) /* for its message that lists the names there are */
        rc = store_find_experiment(r->store, r->only, &id, err);
    if (rc >= 0)
        rc = store_list_experiments(r->store, add_found, r, err);
    if (rc >= 0)
        rc = know_claims(r, err);
    for (size_t i = 0; i < r->found_len && rc >= 0; i++)
        rc = add_experiment(r, i, err);
    if (rc >= 0)
        rc = name_doing(r, err);
    return MIN(rc, 0);
}

int status_report_make(struct store *store, void *arg, struct buf *ret, struct err *err)
{
    struct status_report *r = arg;
    int rc;

    r->store = store;
    rc = make_report(r, err);
    if (rc == 0)
        ret->len += drover__status__pack(
            &r->m, (uint8_t *)buf_reserve(ret, drover__status__get_packed_size(&r->m)));
    return rc;
}
