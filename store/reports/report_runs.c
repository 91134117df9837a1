/* SPDX-License-Identifier: Apache-2.0 */
/* report_runs.c - the runs of an experiment as a table: {"experiment", "revision", "runs": how many
 * there are, "columns": [...], "kinds": [...], "rows": [[...]...], "more": were there others?}.
 *
 * A million runs are listed in three steps, so that what is shown costs what is shown: the runs
 * that pass (by run_summary, and parameters where the condition names them), the names of their
 * parameters, then one row each. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/reports/columns.h"
#include "store/store_private.h"

static const struct report_arg args[] = {
    { "experiment", ARG_TEXT, false }, /* "": the one submitted last */
    { "where", ARG_TEXT, false },      /* a condition (common/conf/cond.h) */
    { "sort", ARG_TEXTS, false },      /* "accuracy", "-seconds" (downwards) */
    { "columns", ARG_TEXTS, false },   /* instead of the usual ones */
    { "metrics", ARG_TEXTS, false },   /* of training: their last values */
    { "limit", ARG_INTEGER, false },   /* 0: all */
    { "superseded", ARG_BOOL, false }, /* runs that the latest revision has no more, too */
    { 0 }
};

struct listing {
    struct report_call *c;
    struct columns columns;
    struct store_ids runs;
    bool more;
};

static void listing_release(struct listing *l)
{
    columns_release(&l->columns);
    store_ids_release(&l->runs);
}

/* ---- which runs ---- */

static int add_where(struct listing *l, struct buf *sql, struct err *err)
{
    const char *text = arg_text(l->c, "where", "");
    struct cond *c CLEANUP(cond_cleanup) = NULL;
    int rc;

    if (!text[strspn(text, " ")])
        return 0;
    rc = cond_parse(text, &c, err);
    buf_adds(sql, " AND ");
    rc = rc ? rc : cond_sql(c, columns_sql, &l->columns, sql, err);
    return rc ? err_wrap(err, rc, "--where") : 0;
}

static int add_sort(struct listing *l, struct buf *sql, struct err *err)
{
    const struct json *keys = json_get(l->c->args, "sort");

    buf_adds(sql, " ORDER BY ");
    for (size_t i = 0; i < json_len(keys); i++) {
        const char *key = json_text(json_at(keys, i));
        const bool down = *key == '-';
        struct buf column CLEANUP(buf_release) = { 0 };
        int rc = columns_sql(&l->columns, key + down, &column, err);

        if (rc)
            return err_wrap(err, rc, "--sort");
        /* What has no value stands last, whichever way. */
        buf_printf(sql, "%s IS NULL, %s%s, ", buf_str(&column), buf_str(&column),
                   down ? " DESC" : "");
    }
    buf_adds(sql, "s.run");
    return 0;
}

static int pick(struct listing *l, int64_t limit, struct err *err)
{
    struct buf sql CLEANUP(buf_release) = { 0 }, rest CLEANUP(buf_release) = { 0 };
    struct stmt st = { 0 };
    int rc = add_where(l, &rest, err);

    rc = rc ? rc : add_sort(l, &rest, err);
    buf_printf(&sql,
               "SELECT s.run FROM run_summary AS s CROSS JOIN run ON run.id = s.run%s "
               "WHERE s.experiment = :experiment AND run.superseded <= :superseded%s LIMIT :max",
               buf_str(&l->columns.joins), buf_str(&rest));
    rc = rc ? rc : stmt_prepare(&st, l->c->s->db, buf_str(&sql), NULL, err);
    if (rc)
        return rc;
    stmt_u64(&st, ":experiment", l->columns.experiment);
    stmt_int(&st, ":superseded", arg_bool(l->c, "superseded", false));
    stmt_int(&st, ":max", limit + 1);
    while ((rc = stmt_step(&st, err)) > 0) {
        if (l->runs.len == (uint64_t)limit)
            l->more = true;
        else
            store_ids_add(&l->runs, stmt_col_u64(&st, 0));
    }
    stmt_release(&st);
    return rc;
}

/* ---- what about them ---- */

static int choose(struct listing *l, struct err *err)
{
    const struct json *wanted = json_get(l->c->args, "columns");
    const struct json *metrics = json_get(l->c->args, "metrics");
    int rc = columns_add(&l->columns, "run", err);

    for (size_t i = 0; !rc && i < json_len(wanted); i++)
        rc = columns_add(&l->columns, json_text(json_at(wanted, i)), err);
    if (!rc && !json_len(wanted))
        rc = columns_add_usual(&l->columns, l->runs.v, l->runs.len, err);
    for (size_t i = 0; !rc && i < json_len(metrics); i++)
        rc = columns_add(&l->columns, json_text(json_at(metrics, i)), err);
    return rc ? err_wrap(err, rc, "--columns") : 0;
}

static int put_row(struct listing *l, struct stmt *st, uint64_t run, struct err *err)
{
    int rc;

    stmt_reset(st);
    stmt_u64(st, ":run", run);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc; /* gone in between: somebody deletes by hand */
    jsonw_open(&l->c->w, '[');
    for (int i = 0; i < stmt_columns(st); i++)
        put_column(&l->c->w, NULL, st, i);
    jsonw_close(&l->c->w, ']');
    return report_fits(l->c, err);
}

static int put_runs(struct listing *l, struct err *err)
{
    struct buf sql CLEANUP(buf_release) = { 0 };
    struct jsonw *w = &l->c->w;
    struct stmt st;
    int rc;

    jsonw_open_at(w, "columns", '[');
    for (size_t i = 0; i < l->columns.len; i++)
        jsonw_text(w, NULL, l->columns.one[i].name);
    jsonw_close(w, ']');
    jsonw_open_at(w, "kinds", '[');
    for (size_t i = 0; i < l->columns.len; i++)
        jsonw_text(w, NULL, l->columns.one[i].kind);
    jsonw_close(w, ']');
    buf_adds(&sql, "SELECT ");
    for (size_t i = 0; i < l->columns.len; i++)
        buf_printf(&sql, "%s%s", i ? ", " : "", l->columns.one[i].sql);
    buf_adds(&sql, " FROM run_summary AS s JOIN run ON run.id = s.run WHERE s.run = :run");
    rc = stmt_prepare(&st, l->c->s->db, buf_str(&sql), NULL, err);
    jsonw_open_at(w, "rows", '[');
    for (size_t i = 0; !rc && i < l->runs.len; i++)
        rc = put_row(l, &st, l->runs.v[i], err);
    jsonw_close(w, ']');
    stmt_release(&st);
    return rc;
}

static int put_head(struct report_call *c, uint64_t experiment, struct err *err)
{
    struct stmt *st = USE(c->s, REPORT_EXPERIMENT);

    stmt_u64(st, ":experiment", experiment);
    stmt_int(st, ":superseded", arg_bool(c, "superseded", false));
    return put_members(c, st, err);
}

static int make(struct report_call *c, struct err *err)
{
    struct listing l CLEANUP(listing_release) = { .c = c, .columns = { .s = c->s } };
    int64_t limit = arg_integer(c, "limit", 0);
    const int64_t most = (int64_t)MIN(c->limits.rows_max, INT64_MAX - 1);

    if (limit < 0)
        return err_set(err, ERR_INVALID, "report runs: limit is not negative");
    limit = limit ? MIN(limit, most) : most;
    l.columns.metrics = json_get(c->args, "metrics");
    int rc = report_experiment(c, "experiment", &l.columns.experiment, err);
    rc = rc ? rc : put_head(c, l.columns.experiment, err);
    rc = rc ? rc : pick(&l, limit, err);
    rc = rc ? rc : choose(&l, err);
    rc = rc ? rc : put_runs(&l, err);
    jsonw_bool(&c->w, "more", l.more);
    return rc;
}

const struct report report_runs = { "runs", "An experiment's runs: parameters, state, results.",
                                    args, make };
