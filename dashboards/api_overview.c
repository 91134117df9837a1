/* SPDX-License-Identifier: Apache-2.0 */
/* api_overview.c - /overview, /experiments/:id, /experiments/:id/recipe. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "dashboards/api_farm.h"
#include "store/browse/curves.h"
#include "store/browse/grid.h"

enum {
    EXPERIMENTS_MAX = 1000,
    EXPERIMENTS_USUAL = 100,
    EVENTS = 30,
    RATE_MS = 10000,
    METRICS_FIRST = 40,  /* runs that are looked at for metrics in the first answer */
    RATE_ROWS = 1 << 18, /* attempts looked through for the rate */
};

/* ---- in which order ---- */

struct ranked {
    const struct ledger_experiment *e;
    uint64_t running;
    int rank; /* what runs first, then what can, then the rest */
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank - y->rank;
    return (x->e->submitted_ms < y->e->submitted_ms) - (x->e->submitted_ms > y->e->submitted_ms);
}

static struct ranked *rank(const struct ledger_view *v, const struct running *r, int64_t now_ms)
{
    struct ranked *list = mem_calloc(v->experiments + 1, sizeof(*list));

    for (size_t i = 0; i < v->experiments; i++) {
        const char *state = browse_state(&v->experiment[i], r->of[i], now_ms);

        list[i] = (struct ranked){ &v->experiment[i], r->of[i], 2 };
        if (strcmp(state, "running") == 0)
            list[i].rank = 0;
        else if (strcmp(state, "waiting") == 0)
            list[i].rank = 1;
    }
    qsort(list, v->experiments, sizeof(*list), by_rank);
    return list;
}

static bool has_kind(const struct ledger_experiment *e, const char *kind)
{
    for (size_t i = 0; i < e->steps; i++)
        if (strcmp(e->step[i].kind, kind) == 0)
            return true;
    return false;
}

/* Which views have something to show, by what its steps do. */
static void put_has(const struct ledger_experiment *e, struct jsonw *w)
{
    const bool stages = has_kind(e, "stage");

    jsonw_open_at(w, "has", '{');
    jsonw_bool(w, "labels", has_kind(e, "search"));
    jsonw_bool(w, "scores", has_kind(e, "evaluate"));
    jsonw_bool(w, "curriculum", stages);
    jsonw_bool(w, "metrics",
               stages || has_kind(e, "pretrain") || has_kind(e, "router") || has_kind(e, "exec"));
    jsonw_bool(w, "tables", true); /* every experiment has the usual one */
    jsonw_close(w, '}');
}

static void put_experiments(const struct farm *f, size_t max, int64_t now_ms, struct jsonw *w)
{
    struct ranked *list = rank(f->v, &f->running, now_ms);

    jsonw_open_at(w, "experiments", '[');
    for (size_t i = 0; i < MIN(f->v->experiments, max); i++) {
        jsonw_open(w, '{');
        browse_put_experiment(list[i].e, list[i].running, now_ms, w);
        put_has(list[i].e, w);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_int(w, "experiments_all", (int64_t)f->v->experiments);
    free(list);
}

/* ---- sums ---- */

static void put_totals(const struct farm *f, int64_t now_ms, struct jsonw *w)
{
    const struct ledger_view *v = f->v;
    uint64_t done = 0, failed = 0, ready = 0, waiting = 0, slots = 0, workers = 0, rows = 0;
    const Drover__Status *s = f->live->status;
    int64_t oldest = now_ms;

    for (size_t i = v->attempts; i-- > 0 && rows < RATE_ROWS; rows++) {
        const struct ledger_attempt *a = &v->attempt[i];
        const int64_t end = a->started_ms + a->ms;

        if (end < now_ms - 2 * RATE_MS)
            break;
        if (end < now_ms - RATE_MS)
            continue;
        oldest = MIN(oldest, end);
        if (a->outcome == LEDGER_OK || a->outcome == LEDGER_DIVERGE)
            done++;
        else
            failed++;
    }
    /* So many in 10 s that not all were looked through: their own time counts. */
    const double seconds =
        rows == RATE_ROWS && oldest < now_ms ? (double)(now_ms - oldest) / 1000 : RATE_MS / 1000.0;
    for (size_t i = 0; s && i < s->n_workers; i++) {
        workers += !s->workers[i]->unreachable;
        slots += s->workers[i]->unreachable ? 0 : s->workers[i]->slots;
    }
    for (size_t i = 0; i < v->experiments; i++) {
        ready += v->experiment[i].n.state[LEDGER_READY];
        waiting += v->experiment[i].n.state[LEDGER_WAITING];
    }
    jsonw_open_at(w, "totals", '{');
    jsonw_real(w, "done_per_s", (double)done / seconds);
    jsonw_real(w, "failed_per_s", (double)failed / seconds);
    jsonw_int(w, "running", (int64_t)f->running.all);
    jsonw_int(w, "ready", (int64_t)(ready - MIN(ready, f->running.all)));
    jsonw_int(w, "waiting", (int64_t)waiting);
    jsonw_int(w, "workers", (int64_t)workers);
    jsonw_int(w, "slots", (int64_t)slots);
    jsonw_int(w, "attempts", (int64_t)(v->attempts + v->forgotten));
    jsonw_close(w, '}');
}

/* ---- /overview ---- */

int api_overview(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "limit", NULL };
    struct browse_workers workers CLEANUP(browse_workers_release) = { 0 };
    struct farm f CLEANUP(farm_release) = { 0 };
    struct jsonw w = { .to = c->out };
    int64_t limit = EXPERIMENTS_USUAL;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_integer(c->request, "limit", EXPERIMENTS_USUAL, 1, EXPERIMENTS_MAX, &limit,
                             err);
    if (!rc)
        rc = browse_list_workers(c->store, FARM_WORKERS_MAX, &workers, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_int(&w, "change", (int64_t)c->change);
    browse_put_store(c->store, &w);
    rc = browse_put_events(c->store, EVENTS, &w, err);
    if (rc)
        return rc;
    farm_hold(&f, c);
    farm_put_state(&f, &w);
    put_experiments(&f, (size_t)limit, c->now_ms, &w);
    farm_put_workers(&f, &workers, &w);
    put_totals(&f, c->now_ms, &w);
    jsonw_close(&w, '}');
    return 0;
}

/* ---- /experiments/:id ---- */

static void put_needs(const struct ledger_experiment *e, size_t step, struct jsonw *w)
{
    jsonw_open_at(w, "needs", '[');
    for (size_t i = 0; i < e->edges; i++)
        if (e->edge[i].to == step && e->edge[i].from != step)
            jsonw_text(w, NULL, e->step[e->edge[i].from].name);
    jsonw_close(w, ']');
}

void farm_put_step(const struct ledger_experiment *e, size_t i, uint64_t running, int64_t now_ms,
                   struct jsonw *w)
{
    const struct ledger_step *s = &e->step[i];

    jsonw_text(w, "step", s->name);
    jsonw_text(w, "kind", s->kind);
    put_needs(e, i, w);
    browse_put_counts(&s->n, running, w);
    jsonw_real(w, "seconds", s->seconds);
    browse_put_pace(&s->pulse, &s->n, running, now_ms, w);
    browse_put_outcomes(s->outcome, w);
}

static void put_steps(const struct farm *f, const struct ledger_experiment *e, int64_t now_ms,
                      struct jsonw *w)
{
    uint64_t *running = mem_calloc(e->steps + 1, sizeof(*running));

    running_steps(&f->running, e, running);
    jsonw_open_at(w, "steps", '[');
    for (size_t i = 0; i < e->steps; i++) {
        jsonw_open(w, '{');
        farm_put_step(e, i, running[i], now_ms, w);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    free(running);
}

/* Experiment ID from the ledger: its members and steps; false: the ledger does not have it (yet).
 */
static bool put_counts(struct api_call *c, uint64_t id, struct jsonw *w)
{
    struct farm f CLEANUP(farm_release) = { 0 };

    farm_hold(&f, c);
    const struct ledger_experiment *e = ledger_experiment(f.v, id);
    if (!e)
        return false;
    jsonw_open_at(w, "experiment", '{');
    browse_put_experiment(e, running_of(&f.running, f.v, e), c->now_ms, w);
    jsonw_close(w, '}');
    put_steps(&f, e, c->now_ms, w);
    put_has(e, w);
    running_put_coordinator(f.live, w);
    return true;
}

/* Columns and metrics: they change slowly, and cost half a second at a million runs. */
static int put_columns(struct api_call *c, uint64_t id, struct jsonw *w, struct err *err)
{
    const size_t before = c->out->len;
    const uint64_t begin = clock_ms();
    int rc = 0;

    if (ledger_recall(c->ledger, id, c->out)) {
        w->comma = true;
        return 0;
    }
    if (c->grids)
        rc = grid_put_columns(c->grids, id, w, err);
    const bool soon = rc == 0 && strstr(buf_str(c->out) + before, "\"ready\":false") != NULL;

    if (!rc) /* while runs are still being read somebody waits for the first view: it is asked again
              */
        rc = curves_put_metrics(c->store, id, soon ? METRICS_FIRST : CURVES_METRICS_RUNS, w, err);
    if (!rc)
        ledger_remember(c->ledger, id, c->out->data + before, c->out->len - before,
                        clock_ms() - begin, soon);
    return rc;
}

int api_experiment(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct jsonw w = { .to = c->out };
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    rc = browse_put_revisions(c->store, id, &w, err);
    if (rc)
        return rc;
    if (!put_counts(c, id, &w))
        return err_set(err, ERR_AGAIN, "the store is being read; try again in a moment");
    rc = put_columns(c, id, &w, err);
    jsonw_close(&w, '}');
    return rc;
}

int api_recipe(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "revision", NULL };
    struct jsonw w = { .to = c->out };
    uint64_t id = 0;
    int64_t revision = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (!rc)
        rc = request_integer(c->request, "revision", 0, 1, INT32_MAX, &revision, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    rc = browse_put_recipe(c->store, id, (uint64_t)revision, &w, err);
    jsonw_close(&w, '}');
    return rc;
}
