/* SPDX-License-Identifier: Apache-2.0 */
/* running.h - the jobs that run now: the coordinator's word on who runs what, with the ledger's on
 * whose they are. */
#ifndef DASHBOARDS_RUNNING_H
#define DASHBOARDS_RUNNING_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/jsonw.h"
#include "dashboards/live.h"
#include "store/browse/ledger.h"

struct running_job {
    uint64_t job, done, total;
    double seconds;
    const char *worker; /* of the live view */
};

struct running {
    const struct running_job *v; /* by job */
    size_t len;
    uint64_t all; /* how many there are; more than LEN when the coordinator named some only */
    uint64_t *of; /* by place of experiment in the ledger's view: how many of its jobs run */
    struct running_job *own;
};

/* Both views must be held as long as it is used. */
void running_make(const struct live_view *live, const struct ledger_view *v, struct running *ret);
void running_release(struct running *r);
/* NULL: it does not run, as far as is known. */
const struct running_job *running_find(const struct running *r, uint64_t job);
/* By step of E; STEPS is of E's steps' length. */
void running_steps(const struct running *r, const struct ledger_experiment *e, uint64_t *ret_steps);
uint64_t running_of(const struct running *r, const struct ledger_view *v,
                    const struct ledger_experiment *e);

/* Member "coordinator": null, {pid, endpoint, incarnation} or {pid, endpoint, why}. */
void running_put_coordinator(const struct live_view *live, struct jsonw *w);

#endif
