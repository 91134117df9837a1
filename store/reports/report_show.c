/* SPDX-License-Identifier: Apache-2.0 */
/* report_show.c - everything about one run ("run": {...}, "steps", "jobs"...) or one job ("job":
 * {...}, "attempts"...). */
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { "of", ARG_TEXT, true }, /* a run or a job */
                                          { "jobs", ARG_INTEGER,
                                            false }, /* of a run: at most so many; default 1000 */
                                          { 0 } };

enum { JOBS = 1000, JOBS_MAX = 1000000, RUNS = 100 };

/* A statement about one run or job as a list. */
struct list {
    enum stmt_id id;
    const char *key;
    bool limited; /* has :max */
};

static int put_lists(struct report_call *c, const struct list *list, size_t len, const char *param,
                     uint64_t id, int64_t max, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < len; i++) {
        struct stmt *st = stmt_use(&c->s->q, list[i].id);

        stmt_u64(st, param, id);
        if (list[i].limited)
            stmt_int(st, ":max", max);
        rc = put_rows(c, list[i].key, st, err);
    }
    return rc;
}

int report_put_params(struct report_call *c, const char *key, uint64_t run, struct err *err)
{
    struct stmt *st = USE(c->s, REPORT_RUN_PARAMS);
    int rc;

    stmt_u64(st, ":run", run);
    jsonw_open_at(&c->w, key, '{');
    while ((rc = stmt_step(st, err)) > 0)
        jsonw_text(&c->w, stmt_col_text(st, 0), stmt_col_text(st, 1));
    jsonw_close(&c->w, '}');
    return rc;
}

static int show_run(struct report_call *c, uint64_t run, int64_t jobs, struct err *err)
{
    static const struct list lists[] = {
        { STMT_REPORT_RUN_STEPS, "steps", false },
        { STMT_REPORT_RUN_JOBS, "jobs", true },
        { STMT_REPORT_RUN_SCORES, "scores", false },
        { STMT_REPORT_RUN_LABELS, "labels", false },
        { STMT_REPORT_RUN_SUMMARIES, "metrics", false },
        { STMT_REPORT_RUN_TRAINING, "training", false },
        { STMT_REPORT_RUN_ENVIRONMENTS, "environments", false },
        { STMT_REPORT_RUN_INPUTS, "inputs", false },
        { STMT_REPORT_RUN_OUTPUTS, "outputs", false },
        { STMT_REPORT_RUN_FAILURES, "failures", false },
    };
    struct stmt *st = USE(c->s, REPORT_RUN);

    stmt_u64(st, ":run", run);
    jsonw_open_at(&c->w, "run", '{');
    int rc = put_members(c, st, err);
    jsonw_close(&c->w, '}');
    rc = rc ? rc : report_put_params(c, "params", run, err);
    return rc ? rc : put_lists(c, lists, ARRAY_LEN(lists), ":run", run, jobs, err);
}

static int show_job(struct report_call *c, uint64_t job, struct err *err)
{
    static const struct list lists[] = {
        { STMT_REPORT_JOB_ATTEMPTS, "attempts", false },
        { STMT_REPORT_JOB_INPUTS, "inputs", false },
        { STMT_REPORT_JOB_OUTPUTS, "outputs", false },
        { STMT_REPORT_JOB_NEEDS, "needs", true },
        { STMT_REPORT_JOB_RUNS, "runs", true },
        { STMT_REPORT_JOB_FAMILIES, "families", false },
    };
    struct stmt *st = USE(c->s, REPORT_JOB);

    stmt_u64(st, ":job", job);
    jsonw_open_at(&c->w, "job", '{');
    int rc = put_members(c, st, err);
    jsonw_close(&c->w, '}');
    return rc ? rc : put_lists(c, lists, ARRAY_LEN(lists), ":job", job, RUNS, err);
}

static int make(struct report_call *c, struct err *err)
{
    const int64_t jobs = arg_integer(c, "jobs", JOBS);
    struct target t;
    int rc = report_target(c->s, arg_text(c, "of", ""), &t, err);

    if (!rc && (jobs < 1 || jobs > JOBS_MAX))
        rc = err_set(err, ERR_INVALID, "report show: jobs is 1..%d", JOBS_MAX);
    if (rc)
        return rc;
    return t.job ? show_job(c, t.id, err) : show_run(c, t.id, jobs, err);
}

const struct report report_show = { "show", "Everything about one run or job.", args, make };
