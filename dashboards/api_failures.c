/* SPDX-License-Identifier: Apache-2.0 */
/* api_failures.c - /experiments/:id/failures: which runs failed and why. */
#include "dashboards/api_farm.h"
#include "store/browse/failures.h"

static int collect(struct api_call *c, uint64_t id, struct failures *failures, struct jsonw *w,
                   struct err *err)
{
    struct farm f CLEANUP(farm_release) = { 0 };
    const struct ledger_experiment *e;
    int rc;

    farm_hold(&f, c);
    rc = farm_experiment(&f, c, id, &e, err);
    if (rc)
        return rc;
    failures_collect(f.v, e, failures);
    jsonw_text(w, "experiment", e->name);
    jsonw_int(w, "runs", (int64_t)e->runs);
    farm_put_state(&f, w);
    jsonw_bool(w, "counted", e->ready);
    return 0;
}

int api_failures(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct failures failures CLEANUP(failures_release) = { 0 };
    struct jsonw w = { .to = c->out };
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    rc = collect(c, id, &failures, &w, err);
    if (!rc)
        rc = failures_put(c->store, &failures, &w, err);
    jsonw_close(&w, '}');
    return rc;
}
