/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - looking at the scheduler without changing it: gauges and names. */
#include <assert.h>

#include "coordinator/core/core.h"

bool sched_has_job(const struct sched *s, uint64_t job)
{
    return job_find(s, job) != NULL;
}

bool sched_attempt(const struct sched *s, uint64_t attempt, struct sched_attempt_view *ret)
{
    uint32_t i = attempt != 0 ? map_get(&s->lease_by_attempt, attempt) : NONE;
    if (i == NONE)
        return false;
    const struct lease *l = &s->leases[i];
    *ret = (struct sched_attempt_view){ .job = l->job != NONE ? s->jobs[l->job].row.id : 0,
                                        .begun_ms = l->begun_ms,
                                        .epoch = l->epoch,
                                        .active = l->state == LEASE_ACTIVE,
                                        .stored = l->stored,
                                        .ran = l->ran };
    if (l->worker != NONE) {
        ret->worker = s->workers[l->worker].id;
        ret->peer = s->workers[l->worker].peer;
    }
    return true;
}

struct sched_counts sched_counts(const struct sched *s)
{
    return (struct sched_counts){ .ready = s->ready_len,
                                  .resting = s->resting_len,
                                  .leased =
                                      s->jobs_len - s->ready_len - s->resting_len - s->waiting_len,
                                  .waiting = s->waiting_len,
                                  .workers = s->workers_len,
                                  .workers_free = s->free_len,
                                  .experiments = s->accounts_len };
}

bool sched_worker(const struct sched *s, uint64_t worker, struct sched_worker_view *ret)
{
    const struct worker *w = worker_of_id(s, worker);
    if (!w)
        return false;
    *ret = (struct sched_worker_view){ .worker = w->id,
                                       .peer = w->peer,
                                       .heard_ms = w->heard_ms,
                                       .slots = w->slots,
                                       .queue = w->queue,
                                       .used = w->used_len,
                                       .ran = w->ran_len,
                                       .cores = w->cores,
                                       .cores_used = worker_cores_used(w),
                                       .memory_mib = w->memory_mib,
                                       .memory_used_mib = w->memory_used,
                                       .ahead_us = w->ahead_us,
                                       .quiet = w->quiet,
                                       .paused = w->by_pause.linked,
                                       .draining = w->draining,
                                       .classes = w->classes,
                                       .labels = w->labels,
                                       .until_ms = w->until_ms };
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
        [JOB_READY] = "ready",           [JOB_RESTING] = "resting", [JOB_LEASED] = "leased",
        [JOB_CANCELLING] = "cancelling", [JOB_DONE] = "done",       [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
    };
    assert(state < SCHED_JOB_STATES);
    return names[state];
}
