/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/jsonw.h"
#include "dashboards/api_runs.h"
#include "store/browse/compare.h"
#include "store/browse/stages.h"

int api_compare(struct api_call *c, struct err *err)
{
    static const char *const known[] = { "measure", "step", "by", "baseline", "filter", NULL };
    const struct request *r = c->request;
    const char *filters[REQUEST_ARGS_MAX + 1];
    struct compare_question q = { .measure = request_text(r, "measure"),
                                  .step = request_text(r, "step"),
                                  .by = request_text(r, "by"),
                                  .baseline = request_text(r, "baseline"),
                                  .filters = filters };
    struct jsonw w = api_open(c);
    int rc = request_only(r, known, err);

    api_filters(r, filters);
    rc = rc ? rc : request_id(r, 1, &q.experiment, err);
    rc = rc ? rc : compare_put(c->store, c->grids, &q, &w, err);
    return api_close(c, &w, rc);
}

int api_curriculum(struct api_call *c, struct err *err)
{
    static const char *const known[] = { "by", "filter", NULL };
    const struct request *r = c->request;
    const char *filters[REQUEST_ARGS_MAX + 1];
    struct stages_question q = { .by = request_text(r, "by"), .filters = filters };
    struct jsonw w = api_open(c);
    int rc = request_only(r, known, err);

    api_filters(r, filters);
    rc = rc ? rc : request_id(r, 1, &q.experiment, err);
    rc = rc ? rc : stages_put(c->store, c->grids, &q, &w, err);
    return api_close(c, &w, rc);
}
