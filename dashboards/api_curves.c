/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/jsonw.h"
#include "dashboards/api_runs.h"
#include "store/browse/curves.h"
#include "store/browse/pareto.h"

static int curves(struct api_call *c, uint64_t experiment, struct jsonw *w, struct err *err)
{
    const struct request *r = c->request;
    const char *filters[REQUEST_ARGS_MAX + 1];
    struct buf usual CLEANUP(buf_release) = { 0 };
    struct curves_question q = { .experiment = experiment,
                                 .metric = request_text(r, "metric"),
                                 .step = request_text(r, "step"),
                                 .by = request_text(r, "by"),
                                 .filters = filters };
    int64_t points = 0, from = 0, to = 0, each = 0, run = 0;
    int rc = request_integer(r, "points", CURVES_POINTS, 2, CURVES_POINTS_MAX, &points, err);

    rc = rc ? rc : request_integer(r, "from", 0, 0, INT64_MAX, &from, err);
    rc = rc ? rc : request_integer(r, "to", 0, 0, INT64_MAX, &to, err);
    rc = rc ? rc : request_integer(r, "each", 0, 0, 1, &each, err);
    rc = rc ? rc : request_integer(r, "run", 0, 0, INT64_MAX, &run, err);
    if (rc < 0)
        return rc;
    if (!q.metric || !q.metric[0]) {
        rc = curves_usual_metric(c->store, experiment, &usual, err);
        q.metric = buf_str(&usual);
    }
    if (rc < 0)
        return rc;
    api_filters(r, filters);
    q.points = (size_t)points;
    q.from = (uint64_t)from;
    q.to = (uint64_t)to;
    q.each = each != 0;
    q.run = (uint64_t)run;
    return curves_put(c->store, c->grids, &q, w, err);
}

int api_curves(struct api_call *c, struct err *err)
{
    static const char *const known[] = { "metric", "step", "by",   "filter", "points",
                                         "from",   "to",   "each", "run",    NULL };
    struct jsonw w = api_open(c);
    uint64_t experiment = 0;
    int rc = request_only(c->request, known, err);

    rc = rc ? rc : request_id(c->request, 1, &experiment, err);
    rc = rc ? rc : curves(c, experiment, &w, err);
    return api_close(c, &w, rc);
}

int api_pareto(struct api_call *c, struct err *err)
{
    static const char *const known[] = { "x", "y", "by", "filter", "better_x", "better_y", NULL };
    const struct request *r = c->request;
    const char *filters[REQUEST_ARGS_MAX + 1];
    struct pareto_question q = { .x = request_text(r, "x"),
                                 .y = request_text(r, "y"),
                                 .better_x = request_text(r, "better_x"),
                                 .better_y = request_text(r, "better_y"),
                                 .by = request_text(r, "by"),
                                 .filters = filters };
    struct jsonw w = api_open(c);
    int rc = request_only(r, known, err);

    api_filters(r, filters);
    rc = rc ? rc : request_id(r, 1, &q.experiment, err);
    rc = rc ? rc : pareto_put(c->grids, &q, &w, err);
    return api_close(c, &w, rc);
}
