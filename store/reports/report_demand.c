/* SPDX-License-Identifier: Apache-2.0 */
/* report_demand.c - what the jobs that could run now ask of a worker: {"demand": [{"class",
 * "labels", "cores", "memory_mib", "jobs"}...], "more"}, most jobs first. Jobs that run are among
 * them (they are READY until they end), those of paused experiments are not. */
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { 0 } };

enum { ROWS = 1000 };

static int make(struct report_call *c, struct err *err)
{
    struct stmt *st = USE(c->s, REPORT_DEMAND);
    int64_t n = 0;
    int rc;

    stmt_int(st, ":max", ROWS + 1);
    jsonw_open_at(&c->w, "demand", '[');
    while ((rc = stmt_step(st, err)) > 0 && ++n <= ROWS) {
        jsonw_open(&c->w, '{');
        put_column(&c->w, "class", st, 0);
        put_column(&c->w, "labels", st, 1);
        put_column(&c->w, "cores", st, 2);
        put_column(&c->w, "memory_mib", st, 3);
        put_column(&c->w, "jobs", st, 4);
        jsonw_close(&c->w, '}');
    }
    if (rc > 0)
        stmt_reset(st);
    jsonw_close(&c->w, ']');
    jsonw_bool(&c->w, "more", n > ROWS);
    return rc < 0 ? rc : 0;
}

const struct report report_demand = {
    "demand", "What jobs that could run now ask of a worker, and how many ask for it.", args, make
};
