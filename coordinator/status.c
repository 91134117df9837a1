/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how far everything is: what the loop has in its memory, taken down; the rest of the
 * answer is made on a thread (status_report.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"
#include "coordinator/status_report.h"

/* The names behind the bits of MASK. */
static void name_bits(uint64_t mask, char *const *names, size_t len, char ***ret, size_t *ret_len)
{
    for (size_t i = 0; i < len; i++)
        if (mask >> i & 1 && names[i])
            STATUS_APPEND(*ret, *ret_len, mem_strdup(names[i]));
}

static void describe_worker(const struct status_report *r, const struct server *s,
                            const struct shell_worker *w, const struct sched_worker_view *view,
                            Drover__WorkerStatus *m)
{
    m->host = mem_strdup(w->host);
    m->pid = w->pid;
    m->version = mem_strdup(w->version);
    m->queue = view->queue;
    m->cores = view->cores;
    m->cores_used = view->cores_used;
    m->memory_mib = view->memory_mib;
    m->memory_used_mib = view->memory_used_mib;
    m->quiet = view->quiet;
    m->paused = view->paused;
    m->unreachable = view->peer == 0;
    if (view->until_ms != UINT64_MAX)
        m->remaining_ms = MAX(view->until_ms - MIN(view->until_ms, r->now_ms), UINT64_C(1));
    m->joined_ms = r->now_ms - MIN(w->joined_ms, r->now_ms);
    m->jobs_done = w->jobs_done;
    m->jobs_failed = w->jobs_failed;
    name_bits(view->labels, s->labels, SCHED_LABELS, &m->labels, &m->n_labels);
    name_bits(view->classes, s->classes, SCHED_CLASSES, &m->classes, &m->n_classes);
}

/* Of each worker the oldest attempt that runs. */
static void find_doing(struct server *s)
{
    for (struct shell_worker *w = s->workers; w; w = w->hh.next)
        w->doing = 0;
    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next) {
        struct sched_attempt_view view;
        struct shell_worker *w = NULL;

        if (sched_attempt(s->sched, t->id, &view) && view.worker && view.ran)
            HASH_FIND(hh, s->workers, &view.worker, sizeof(view.worker), w);
        if (w && !w->doing) {
            w->doing = t->job;
            w->doing_since_ms = t->begun_ms;
        }
    }
}

static void add_workers(struct status_report *r, const struct server *s)
{
    for (const struct shell_worker *w = s->workers; w; w = w->hh.next) {
        Drover__WorkerStatus *m;
        struct sched_worker_view view;

        if (!sched_worker(s->sched, w->id, &view))
            continue;
        m = mem_calloc(1, sizeof(*m));
        drover__worker_status__init(m);
        m->name = mem_strdup(w->name);
        m->slots = w->slots;
        m->running = view.ran;
        m->waiting = view.used - view.ran;
        m->last_seen_ms = r->now_ms - MIN(view.heard_ms, r->now_ms);
        m->draining = view.draining || view.slots == 0;
        describe_worker(r, s, w, &view, m);
        if (r->doing && w->doing) {
            r->doing[r->m.n_workers] = w->doing;
            m->doing_ms = r->now_ms - MIN(w->doing_since_ms, r->now_ms);
        }
        STATUS_APPEND(r->m.workers, r->m.n_workers, m);
    }
}

/* The name of worker ID, kept in R; there are few, and those of one come together. */
static const char *name_of(struct status_report *r, const struct server *s, uint64_t id)
{
    struct shell_worker *w = NULL;

    if (id)
        HASH_FIND(hh, s->workers, &id, sizeof(id), w);
    if (!w)
        return "";
    for (size_t i = r->names_len; i-- > 0;)
        if (strcmp(r->names[i], w->name) == 0)
            return r->names[i];
    STATUS_APPEND(r->names, r->names_len, mem_strdup(w->name));
    return r->names[r->names_len - 1];
}

static void take_running(struct status_report *r, const struct server *s)
{
    size_t n = 0;

    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next)
        n++;
    r->running = mem_calloc(n, sizeof(*r->running));
    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next) {
        struct sched_attempt_view view = { 0 };

        /* What waits in a worker's queue does not run yet. */
        if (sched_attempt(s->sched, t->id, &view) && view.worker && !view.ran)
            continue;
        r->running[r->running_len++] = (struct status_running){
            .job = t->job,
            .begun_ms = t->begun_ms,
            .done = t->done,
            .total = t->total,
            .worker = name_of(r, s, view.worker),
        };
    }
}

static void add_number(const struct metric_row *row, void *arg)
{
    struct status_report *r = arg;
    Drover__Number *m = mem_calloc(1, sizeof(*m));

    drover__number__init(m);
    m->name = mem_strdup(row->name);
    m->label = mem_strdup(row->value ? row->value : "");
    m->value = row->number;
    STATUS_APPEND(r->m.numbers, r->m.n_numbers, m);
}

static void add_last_failures(struct status_report *r, const struct server *s)
{
    const struct failure *f;

    for (size_t i = 0; (f = failures_at(&s->failures, i)) != NULL; i++) {
        Drover__Failure *m = mem_calloc(1, sizeof(*m));

        drover__failure__init(m);
        m->outcome = mem_strdup(sched_cause_name(f->cause));
        m->ago_ms = r->now_ms - MIN(f->at_ms, r->now_ms);
        m->job = f->job;
        m->worker = mem_strdup(f->worker);
        m->text = mem_strdup(f->text);
        STATUS_APPEND(r->m.failures, r->m.n_failures, m);
    }
}

static void add_numbers(struct status_report *r, struct server *s)
{
    const int64_t up_ms = clock_wall_ms() - (int64_t)s->metrics.start_ms;

    metric_each(shell_metrics(s), add_number, r);
    add_last_failures(r, s);
    find_doing(s);
    r->doing = mem_calloc(HASH_COUNT(s->workers) + 1, sizeof(*r->doing));
    r->m.version = (char *)(uintptr_t)DROVER_VERSION;
    r->m.up_ms = (uint64_t)MAX(up_ms, 0);
}

void shell_status(struct server *s, const Drover__StatusRequest *m, uint64_t request)
{
    struct status_report *r = mem_calloc(1, sizeof(*r));
    const struct asker_work work = { DROVER__ENVELOPE__BODY_STATUS, status_report_make,
                                     status_report_free, r };
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    r->only = mem_strdup(m->experiment);
    r->now_ms = clock_ms();
    drover__status__init(&r->m);
    r->m.incarnation = s->incarnation;
    r->only_workers = m->only_workers;
    if (!m->only_workers || m->running)
        take_running(r, s);
    if (m->numbers)
        add_numbers(r, s);
    if (m->workers)
        add_workers(r, s);
    shell_flush(s); /* show what is committed */
    rc = asker_do(s->status_asker, peer, request, &work, &err);
    if (rc < 0)
        shell_refuse(s, peer, request, rc, err.text);
}
