/* SPDX-License-Identifier: Apache-2.0 */
/* submit.c - a plan is submitted in a transaction of its own; cancelling. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "coordinator/plan_rows.h"
#include "coordinator/shell.h"

static int submit_all(struct server *s, const Drover__Plan *plan, struct plan_rows *p,
                      struct store_ids *withdrawn, struct err *err)
{
    int rc = plan_rows_put(s->store, plan, p, err);

    if (rc == 0)
        shell_audit(s); /* who did it, in the same transaction: one fsync, not two */
    if (rc == 0 && s->failed) {
        *err = s->failure;
        rc = s->failed;
    }
    if (rc == 0)
        rc = store_submit_end(s->store, &p->sub, withdrawn, err);
    return rc;
}

/* Jobs without a claim leave the core; running ones go on unless STOP. */
static void withdraw(struct server *s, const struct store_ids *ids, bool stop)
{
    for (size_t i = 0; i < ids->len; i++) {
        const unsigned runs = WHY_RUNNING | WHY_REATTACH;

        if (stop || !(sched_why(s->sched, ids->v[i]).rules & runs))
            shell_step(s, &(struct sched_event){ .kind = EV_CANCEL, .cancel.job = ids->v[i] });
    }
}

/* The experiment's jobs may go before what the scheduler has. */
static void priority_of(struct server *s, uint64_t experiment)
{
    int32_t priority = 0;
    bool paused;
    struct err err = { 0 };

    if (store_experiment_control(s->store, experiment, &paused, &priority, &err) < 0)
        priority = 0; /* the store fails: the next transaction tells */
    shell_ready(s, experiment, priority);
}

static void count_submit(struct server *s, uint64_t begin_ns)
{
    uint64_t us = (clock_ns() - begin_ns) / 1000;

    s->metrics.submits++;
    s->metrics.submit_us += us;
    s->metrics.submit_us_max = MAX(s->metrics.submit_us_max, us);
}

void shell_submit(struct server *s, const Drover__Plan *plan, uint64_t request)
{
    struct plan_rows p CLEANUP(plan_rows_release) = { 0 };
    struct store_ids withdrawn CLEANUP(store_ids_release) = { 0 };
    Drover__Submitted m = DROVER__SUBMITTED__INIT;
    struct err err = { 0 };
    uint64_t peer = s->peer, begin_ns = clock_ns();
    int rc;

    shell_flush(s); /* the plan's transaction is its own */
    if (s->failed)
        return;
    rc = submit_all(s, plan, &p, &withdrawn, &err);
    count_submit(s, begin_ns);
    if (rc < 0) {
        store_submit_abort(s->store);
        log_warn("submit_refused", "experiment=\"%s\" reason=\"%s\"", plan->name, err.text);
        shell_refuse(s, peer, request, rc, err.text);
        return;
    }
    log_info("submitted", "experiment=\"%s\" jobs=%u cached=%u added=%u", plan->name, p.sub.jobs,
             p.sub.cached, p.sub.added);
    m.experiment = p.sub.experiment;
    m.revision = p.sub.revision;
    m.jobs = p.sub.jobs;
    m.cached = p.sub.cached;
    m.added = p.sub.added + p.sub.restarted;
    m.skipped = p.sub.skipped;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_SUBMITTED, &m, request);
    s->message = NULL;
    withdraw(s, &withdrawn, false);
    shell_changes(s, &p.changes);
    priority_of(s, p.sub.experiment);
}

void shell_cancel(struct server *s, const char *experiment, uint64_t request)
{
    struct store_ids withdrawn CLEANUP(store_ids_release) = { 0 };
    Drover__Cancelled m = DROVER__CANCELLED__INIT;
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    if (!shell_transaction(s))
        return;
    rc = store_cancel(s->store, experiment, &withdrawn, &err);
    if (rc < 0) {
        if (shell_fatal(rc))
            shell_fail(s, rc, &err);
        else
            shell_refuse(s, peer, request, rc, err.text);
        return;
    }
    log_info("cancelled", "experiment=\"%s\" jobs=%zu", experiment, withdrawn.len);
    m.jobs = (uint32_t)withdrawn.len;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_CANCELLED, &m, request);
    s->message = NULL;
    withdraw(s, &withdrawn, true);
    if (withdrawn.len > 0) /* select jobs of others may have waited for them */
        shell_ready(s, 0, 0);
}
