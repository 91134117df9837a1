/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the gauges, looked at when somebody wants to see them; the numbers by their names. */
#include "coordinator/metrics.h"

#include <stdio.h>
#include <sys/stat.h>

#include "coordinator/shell.h"

const uint64_t metric_bounds_us[METRIC_BOUNDS_KINDS][METRIC_BOUNDS] = {
    [METRIC_SHORT] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
                       1000000, 2500000, 5000000, 10000000 },
    [METRIC_LONG] = { 5000, 25000, 100000, 500000, 1000000, 5000000, 10000000, 30000000, 60000000,
                      120000000, 300000000, 600000000, 1800000000, 3600000000, 14400000000,
                      43200000000 },
};

void metric_observe(struct metric_histogram *h, enum metric_bounds bounds, uint64_t us)
{
    const uint64_t *bound = metric_bounds_us[bounds];
    unsigned i = 0;

    while (i < METRIC_BOUNDS && us > bound[i])
        i++;
    h->n[i]++;
    h->sum_us += us;
}

static uint64_t file_bytes(const struct server *s, const char *suffix)
{
    char path[STORE_PATH_MAX + 8];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s%s", store_path(s->store), suffix);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The words of `drover workers`. */
static enum shell_worker_state state_of(const struct sched_worker_view *v)
{
    return v->peer == 0                   ? SHELL_WORKER_gone
           : v->quiet                     ? SHELL_WORKER_quiet
           : v->draining || v->slots == 0 ? SHELL_WORKER_draining
           : v->paused                    ? SHELL_WORKER_paused
                                          : SHELL_WORKER_working;
}

static void look_at_workers(const struct server *s, struct shell_metrics *m)
{
    struct sched_worker_view view;

    m->slots = m->slots_busy = m->queued = 0;
    for (int i = 0; i < SHELL_WORKER_STATES_LEN; i++)
        m->workers[i] = 0;
    for (const struct shell_worker *w = s->workers; w; w = w->hh.next) {
        if (!sched_worker(s->sched, w->id, &view))
            continue;
        m->workers[state_of(&view)]++;
        m->slots += w->slots;
        m->slots_busy += view.ran;
        m->queued += view.used - view.ran;
    }
}

const struct shell_metrics *shell_metrics(struct server *s)
{
    struct sched_counts c = sched_counts(s->sched);
    struct shell_metrics *m = &s->metrics;

    m->jobs[SHELL_JOB_ready] = c.ready;
    m->jobs[SHELL_JOB_resting] = c.resting;
    m->jobs[SHELL_JOB_leased] = c.leased;
    m->jobs[SHELL_JOB_waiting] = c.waiting;
    m->workers_free = c.workers_free;
    m->incarnation = s->incarnation;
    m->strangers = guard_refusals(s->guard);
    m->questions = asker_waiting(s->asker) + asker_waiting(s->status_asker);
    m->store_bytes = file_bytes(s, "");
    m->wal_bytes = file_bytes(s, "-wal");
    look_at_workers(s, m);
    return m;
}

uint64_t shell_workers(const struct shell_metrics *m)
{
    uint64_t all = 0;

    for (int i = 0; i < SHELL_WORKER_STATES_LEN; i++)
        all += m->workers[i];
    return all;
}

static const char *const job_states[] = {
#define X(NAME) #NAME,
    SHELL_JOB_STATES(X)
#undef X
};
static const char *const worker_states[] = {
#define X(NAME) #NAME,
    SHELL_WORKER_STATES(X)
#undef X
};

static void each_labelled(const struct shell_metrics *m, metric_fn fn, void *arg)
{
    struct metric_row row = {
        "drover_attempts_ended_total", "counter", "Attempts, by how they ended", "outcome", NULL, 0
    };

    for (int i = 0; i < SCHED_CAUSES_LEN; i++) {
        if (i == CAUSE_SKIPPED) /* jobs are, attempts are not */
            continue;
        row.value = sched_cause_name((enum sched_cause)i);
        row.number = (double)m->ended[i];
        fn(&row, arg);
    }
    row = (struct metric_row){ "drover_jobs", "gauge", "Jobs that the scheduler has in memory",
                               "state",       NULL,    0 };
    for (int i = 0; i < SHELL_JOB_STATES_LEN; i++) {
        row.value = job_states[i];
        row.number = (double)m->jobs[i];
        fn(&row, arg);
    }
    row = (struct metric_row){ "drover_workers", "gauge", "Workers that said hello, by state",
                               "state",          NULL,    0 };
    for (int i = 0; i < SHELL_WORKER_STATES_LEN; i++) {
        row.value = worker_states[i];
        row.number = (double)m->workers[i];
        fn(&row, arg);
    }
}

void metric_each(const struct shell_metrics *m, metric_fn fn, void *arg)
{
    struct metric_row row = { .type = "counter" };

#define X(MEMBER, NAME, UNIT, TEXT)                                                                \
    row.name = "drover_" NAME "_total";                                                            \
    row.text = TEXT;                                                                               \
    row.number = (double)m->MEMBER * (UNIT);                                                       \
    fn(&row, arg);
    SHELL_COUNTERS(X)
#undef X
    row.type = "gauge";
#define X(MEMBER, NAME, UNIT, TEXT)                                                                \
    row.name = "drover_" NAME;                                                                     \
    row.text = TEXT;                                                                               \
    row.number = (double)m->MEMBER * (UNIT);                                                       \
    fn(&row, arg);
    SHELL_GAUGES(X)
#undef X
    each_labelled(m, fn, arg);
}
