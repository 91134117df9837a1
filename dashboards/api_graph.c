/* SPDX-License-Identifier: Apache-2.0 */
/* api_graph.c - /experiments/:id/graph: steps and which needs which. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "dashboards/api_farm.h"

static void put_nodes(const struct farm *f, const struct ledger_experiment *e, int64_t now_ms,
                      struct jsonw *w)
{
    uint64_t *running = mem_calloc(e->steps + 1, sizeof(*running));

    running_steps(&f->running, e, running);
    jsonw_open_at(w, "nodes", '[');
    for (size_t i = 0; i < e->steps; i++) {
        jsonw_open(w, '{');
        farm_put_step(e, i, running[i], now_ms, w);
        jsonw_int(w, "first_job", (int64_t)e->step[i].first_job);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    free(running);
}

static void put_edges(const struct ledger_experiment *e, struct jsonw *w)
{
    jsonw_open_at(w, "edges", '[');
    for (size_t i = 0; i < e->edges; i++) {
        jsonw_open(w, '[');
        jsonw_text(w, NULL, e->step[e->edge[i].from].name);
        jsonw_text(w, NULL, e->step[e->edge[i].to].name);
        jsonw_int(w, NULL, (int64_t)e->edge[i].needs);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
}

int api_graph(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct farm f CLEANUP(farm_release) = { 0 };
    struct jsonw w = { .to = c->out };
    const struct ledger_experiment *e;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (rc)
        return rc;
    farm_hold(&f, c);
    rc = farm_experiment(&f, c, id, &e, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    farm_put_state(&f, &w);
    jsonw_bool(&w, "counted", e->ready);
    put_nodes(&f, e, c->now_ms, &w);
    put_edges(e, &w);
    jsonw_close(&w, '}');
    return 0;
}
