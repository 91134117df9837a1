/* SPDX-License-Identifier: Apache-2.0 */
/* api_reports.c - what the command line's --json gives: GET reports/:name?args=JSON, GET schema. */
#include <string.h>

#include "dashboards/api_labels.h"
#include "store/reports/reports.h"

enum { ROWS_MAX = 100000 };

int api_report(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "args", NULL };
    const struct report_limits limits = { .time_ms = c->time_ms,
                                          .rows_max = ROWS_MAX,
                                          .bytes_max = API_BYTES_MAX };
    int rc = request_only(c->request, names, err);

    if (rc)
        return rc;
    if (c->request->parts < 2)
        return err_set(err, ERR_NOT_FOUND, "which report? reports/status, reports/runs...");
    if (strcmp(c->request->part[1], "query") == 0)
        return err_set(err, ERR_INVALID, "SQL is asked by POST /api/v1/query");
    rc = report_make(c->store, c->request->part[1], api_text(c->request, "args"), &limits, c->out,
                     err);
    if (rc == ERR_TIMEOUT)
        rc = err_set(err, ERR_TIMEOUT,
                     "report %s took longer than %u ms and was stopped; ask for less (args), or "
                     "use the command, which waits",
                     c->request->part[1], c->time_ms);
    return rc;
}

int api_schema(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "name", NULL };
    const struct report_limits limits = { .time_ms = c->time_ms, .bytes_max = API_BYTES_MAX };
    struct buf args CLEANUP(buf_release) = { 0 };
    struct jsonw w = { .to = &args };
    const char *name = api_text(c->request, "name");
    int rc = request_only(c->request, names, err);

    if (rc)
        return rc;
    jsonw_open(&w, '{');
    if (name)
        jsonw_text(&w, "name", name);
    jsonw_close(&w, '}');
    return report_make(c->store, "schema", buf_str(&args), &limits, c->out, err);
}
