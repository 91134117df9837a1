/* SPDX-License-Identifier: Apache-2.0 */
/* report_logs.c - the ends of the logs that attempts left (64 KiB each), newest attempt first:
 * {"attempts": [{job, step, attempt, epoch, outcome, ..., "log": text or null}...]}. */
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { "of", ARG_TEXT, true }, /* a run or a job */
                                          { "attempt", ARG_INTEGER,
                                            false }, /* of the job, 1, 2...; 0: all */
                                          { "limit", ARG_INTEGER, false }, /* attempts; 0: 20 */
                                          { 0 } };

enum { LIMIT = 20, LIMIT_MAX = 10000 };

static int make(struct report_call *c, struct err *err)
{
    const int64_t epoch = arg_integer(c, "attempt", 0), limit = arg_integer(c, "limit", 0);
    struct target t;
    int rc = report_target(c->s, arg_text(c, "of", ""), &t, err);

    if (rc)
        return rc;
    if (epoch < 0 || limit < 0 || limit > LIMIT_MAX)
        return err_set(err, ERR_INVALID, "report logs: attempt is 1, 2..., limit at most %d",
                       LIMIT_MAX);
    struct stmt *st = t.job ? USE(c->s, REPORT_JOB_LOGS) : USE(c->s, REPORT_RUN_LOGS);
    stmt_u64(st, t.job ? ":job" : ":run", t.id);
    stmt_int(st, ":epoch", epoch);
    stmt_int(st, ":max", limit ? limit : LIMIT);
    jsonw_int(&c->w, t.job ? "job" : "run", (int64_t)t.id);
    return put_rows(c, "attempts", st, err);
}

const struct report report_logs = { "logs", "Logs of a job's or run's attempts, newest first.",
                                    args, make };
