/* SPDX-License-Identifier: Apache-2.0 */
/* api_farm.c - what runs where: the routes, and what their handlers share. */
#include "dashboards/api_farm.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"

/* All follow the coordinator or the ledger, which is up to half a second behind the store. */
const struct api_route api_farm_routes[] = {
    { "overview", api_overview, API_LIVE },
    { "experiments/:id", api_experiment, API_LIVE },
    { "experiments/:id/recipe", api_recipe, 0 },
    { "experiments/:id/graph", api_graph, API_LIVE },
    { "experiments/:id/jobs", api_jobs, API_LIVE },
    { "experiments/:id/failures", api_failures, API_LIVE },
    { "jobs/:id", api_job, API_LIVE },
    { "runs/:id", api_run, 0 },
    { "workers/timeline", api_timeline, API_LIVE },
    { NULL, NULL, 0 },
};

void farm_hold(struct farm *f, const struct api_call *c)
{
    static const struct ledger_view nothing = { .ready = false };

    *f = (struct farm){ .ledger = c->ledger, .asks = c->live };
    live_wait(c->live, FARM_WAIT_MS / 2);
    f->v = c->ledger ? ledger_hold(c->ledger, FARM_WAIT_MS) : &nothing;
    f->live = live_hold(c->live);
    running_make(f->live, f->v, &f->running);
}

void farm_release(struct farm *f)
{
    if (!f->v)
        return;
    running_release(&f->running);
    live_give(f->asks);
    if (f->ledger)
        ledger_give(f->ledger);
    *f = (struct farm){ 0 };
}

int farm_experiment(const struct farm *f, const struct api_call *c, uint64_t id,
                    const struct ledger_experiment **ret, struct err *err)
{
    *ret = ledger_experiment(f->v, id);
    if (*ret)
        return 0;
    if (!f->v->ready)
        return err_set(err, ERR_AGAIN, "the store is being read; try again in a moment");
    return browse_no_experiment(c->store, id, err);
}

void farm_put_state(const struct farm *f, struct jsonw *w)
{
    running_put_coordinator(f->live, w);
    jsonw_bool(w, "ready", f->v->ready);
    jsonw_real(w, "loaded", f->v->share);
}

/* ---- workers ---- */

enum { JOBS_SHOWN = 32, GONE_SHOWN = 20, SEEN_MS = 5000 };

static const Drover__WorkerStatus *status_of(const struct live_view *live, const char *name)
{
    for (size_t i = 0; live->status && i < live->status->n_workers; i++)
        if (strcmp(live->status->workers[i]->name, name) == 0)
            return live->status->workers[i];
    return NULL;
}

/* Step, kind and experiment of a job, by the first experiment that wants it. */
void farm_put_whose(const struct ledger_view *v, uint64_t job, struct jsonw *w)
{
    for (size_t i = 0; i < v->experiments; i++) {
        const struct ledger_experiment *e = &v->experiment[i];
        const int step = ledger_step_of(e, job);

        if (step < 0)
            continue;
        jsonw_text(w, "step", e->step[step].name);
        jsonw_text(w, "kind", e->step[step].kind);
        jsonw_text(w, "experiment", e->name);
        jsonw_int(w, "experiment_id", (int64_t)e->id);
        return;
    }
    jsonw_text(w, "step", "");
    jsonw_text(w, "kind", "");
    jsonw_null(w, "experiment");
}

static void put_jobs(const struct farm *f, const char *worker, struct jsonw *w)
{
    size_t shown = 0;

    jsonw_open_at(w, "jobs", '[');
    for (size_t i = 0; i < f->running.len && shown < JOBS_SHOWN; i++) {
        const struct running_job *r = &f->running.v[i];

        if (strcmp(r->worker, worker) != 0)
            continue;
        shown++;
        jsonw_open(w, '{');
        jsonw_int(w, "job", (int64_t)r->job);
        farm_put_whose(f->v, r->job, w);
        jsonw_real(w, "seconds", r->seconds);
        jsonw_int(w, "done", (int64_t)r->done);
        jsonw_int(w, "total", (int64_t)r->total);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

static const char *state_of(const Drover__WorkerStatus *s, bool here)
{
    if (!s)
        return here ? "unknown" : "gone";
    return s->unreachable ? "lost" : wire_worker_state(s);
}

static void put_status(const struct farm *f, const Drover__WorkerStatus *s, struct jsonw *w)
{
    jsonw_int(w, "running", s->running);
    jsonw_int(w, "waiting", s->waiting);
    jsonw_bool(w, "draining", s->draining);
    jsonw_real(w, "busy", s->slots ? (double)s->running / s->slots : 0);
    jsonw_int(w, "cores", s->cores);
    jsonw_int(w, "cores_used", s->cores_used);
    jsonw_int(w, "memory_mib", (int64_t)s->memory_mib);
    jsonw_int(w, "memory_used_mib", (int64_t)s->memory_used_mib);
    put_jobs(f, s->name, w);
}

static void put_idle(struct jsonw *w)
{
    jsonw_int(w, "running", 0);
    jsonw_int(w, "waiting", 0);
    jsonw_bool(w, "draining", false);
    jsonw_null(w, "busy");
    jsonw_open_at(w, "jobs", '[');
    jsonw_close(w, ']');
}

static void put_worker(const struct farm *f, const struct browse_worker *row,
                       const Drover__WorkerStatus *s, bool here, struct jsonw *w)
{
    const struct ledger_worker *sums = ledger_worker(f->v, row->id);
    int64_t seen = MAX(row->last_ms, sums ? sums->last_ms : 0);

    if (s)
        seen = MAX(seen, clock_wall_ms() - (int64_t)(f->live->age_ms + s->last_seen_ms));
    if (s) /* heard all the time: coarse, so that answers stay the same for a while */
        seen -= seen % SEEN_MS;
    jsonw_open(w, '{');
    jsonw_int(w, "id", (int64_t)row->id);
    jsonw_text(w, "name", row->name);
    jsonw_text(w, "host", row->host);
    jsonw_int(w, "pid", row->pid);
    jsonw_text(w, "version", row->version);
    jsonw_bool(w, "here", here);
    jsonw_text(w, "state", state_of(s, here));
    jsonw_text(w, "gone", here ? NULL : row->gone ? row->gone : "the coordinator ended");
    jsonw_int(w, "first_ms", row->first_ms);
    jsonw_int(w, "last_seen_ms", seen);
    jsonw_int(w, "slots", row->slots);
    jsonw_int(w, "done", sums ? (int64_t)sums->done : 0);
    jsonw_int(w, "failed", sums ? (int64_t)sums->failed : 0);
    jsonw_real(w, "busy_s", sums ? sums->busy_ms / 1000 : 0);
    if (s)
        put_status(f, s, w);
    else
        put_idle(w);
    jsonw_close(w, '}');
}

void farm_put_workers(const struct farm *f, const struct browse_workers *list, struct jsonw *w)
{
    const bool told = f->live->here;
    size_t gone = 0;

    jsonw_open_at(w, "workers", '[');
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < list->len; i++) {
            const struct browse_worker *row = &list->v[i];
            const Drover__WorkerStatus *s = row->gone ? NULL : status_of(f->live, row->name);
            /* Without a coordinator nobody is here; one that does not answer us may have them. */
            const bool here = told ? s != NULL : f->live->pid && !row->gone;

            if (here == (pass == 1) || (pass == 1 && ++gone > GONE_SHOWN))
                continue;
            put_worker(f, row, s, here, w);
        }
    }
    jsonw_close(w, ']');
}
