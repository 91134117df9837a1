/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - after a restart: what the store shows as begun goes back into the core, or is ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

enum { NOBODY = INT32_MAX }; /* the experiment of jobs that are on nobody's account */

/* Nobody waits for this attempt any more. */
static int end_open(struct server *s, const struct store_attempt *a, struct err *err)
{
    struct store_result r = {
        .attempt = a->attempt,
        .epoch = a->epoch,
        .outcome = a->job_open ? STORE_LOST : STORE_CANCELLED,
        .text = "the coordinator was restarted",
    };

    return store_attempt_end(s->store, &r, false, NULL, err);
}

/* Are JOB's inputs there? Else its next lease will say so. */
static int check_inputs(struct server *s, uint64_t job, struct err *err)
{
    struct store_job all CLEANUP(store_job_release) = { 0 };

    return store_job_load(s->store, job, &all, err);
}

static int take_up(struct server *s, const struct store_attempt *a, struct err *err)
{
    struct sched_event e = { .kind = EV_OPEN,
                             .open = { .attempt = a->attempt, .holder = a->worker } };
    struct store_changes held CLEANUP(store_changes_release) = { 0 };
    struct store_change change;
    struct store_ready job;
    int rc;

    if (!a->job_open || !a->latest)
        return end_open(s, a, err);
    rc = check_inputs(s, a->job, err);
    if (rc == ERR_NOT_FOUND)
        return end_open(s, a, err);
    if (rc == 0)
        rc = store_job_change(s->store, a->job, &change, err);
    if (rc == 0)
        rc = store_ready_job(s->store, a->job, &job, err);
    if (rc < 0)
        return rc;
    if (!shell_job(s, &job, &e.open.job))
        return end_open(s, a, err);
    e.open.job.epoch = a->epoch;
    if (!e.open.job.experiment)
        e.open.job.experiment = NOBODY;
    (void)attempts_add(s->attempts, a->attempt, a->epoch, a->job, s->now_ms);
    shell_step(s, &e);
    if (change.paused) {
        store_changes_add(&held, change);
        shell_changes(s, &held);
    }
    return 0;
}

int shell_start(struct server *s, struct err *err)
{
    struct sched_event start = { .kind = EV_START };
    struct store_attempt *open CLEANUP(mem_cleanup) = NULL;
    size_t open_len = 0;
    int rc = store_new_incarnation(s->store, &s->incarnation, err);

    if (rc == 0)
        rc = store_attempts_next(s->store, &start.start.first_attempt, err);
    if (rc < 0)
        return rc;
    start.start.incarnation = (uint32_t)s->incarnation;
    s->starting = true;
    shell_step(s, &start);
    rc = store_list_open(s->store, &open, &open_len, err);
    if (rc == 0 && open_len > 0 && !shell_transaction(s))
        rc = s->failed;
    for (size_t i = 0; i < open_len && rc == 0 && !s->failed; i++)
        rc = take_up(s, &open[i], err);
    if (rc < 0)
        return rc;
    if (open_len > 0)
        log_info("restarted", "incarnation=%llu attempts=%zu", (unsigned long long)s->incarnation,
                 open_len);
    s->starting = false;
    shell_ready(s, 0, 0);
    shell_flush(s);
    if (s->failed)
        *err = s->failure;
    return s->failed;
}
