/* SPDX-License-Identifier: Apache-2.0 */
/* api_farm.h - what the handlers of overview, workers, graph, jobs and failures share. */
#ifndef DASHBOARDS_API_FARM_H
#define DASHBOARDS_API_FARM_H

#include "common/base/jsonw.h"
#include "dashboards/api.h"
#include "dashboards/running.h"
#include "store/browse/overview.h"

enum {
    FARM_WAIT_MS = 40,       /* for a ledger that slept, and for a coordinator */
    FARM_WORKERS_MAX = 2000, /* rows that are looked through */
};

/* The ledger and the coordinator's last answer, both held. */
struct farm {
    struct ledger *ledger;
    const struct ledger_view *v;
    struct live *asks;
    const struct live_view *live;
    struct running running;
};
/* Nothing may be asked of the store until farm_release(). */
void farm_hold(struct farm *f, const struct api_call *c);
void farm_release(struct farm *f); /* also for CLEANUP, and twice */
/* Experiment ID. ERR_NOT_FOUND; ERR_AGAIN: the store is being read still. */
int farm_experiment(const struct farm *f, const struct api_call *c, uint64_t id,
                    const struct ledger_experiment **ret, struct err *err) MUST_CHECK;
/* Members coordinator, ready (false: jobs are being counted still), loaded, as_of_ms. */
void farm_put_state(const struct farm *f, struct jsonw *w);
/* Member workers of /overview: those that are here, and the newest that are gone. */
void farm_put_workers(const struct farm *f, const struct browse_workers *list, struct jsonw *w);
/* Members step, kind, experiment, experiment_id of JOB, by the first experiment that wants it. */
void farm_put_whose(const struct ledger_view *v, uint64_t job, struct jsonw *w);
/* Members of step I of E. */
void farm_put_step(const struct ledger_experiment *e, size_t i, uint64_t running, int64_t now_ms,
                   struct jsonw *w);

int api_overview(struct api_call *c, struct err *err);
int api_experiment(struct api_call *c, struct err *err);
int api_recipe(struct api_call *c, struct err *err);
int api_timeline(struct api_call *c, struct err *err);
int api_graph(struct api_call *c, struct err *err);
int api_jobs(struct api_call *c, struct err *err);
int api_job(struct api_call *c, struct err *err);
int api_failures(struct api_call *c, struct err *err);
int api_run(struct api_call *c, struct err *err);

#endif
