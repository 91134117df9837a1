/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_rows.c - laws of the store that no constraint of SQLite states: one query each, which
 * counts the rows that break it. */
#include "common/base/macros.h"
#include "store/keep/doctor_private.h"
#include "store/sqlite.h"
#include "store/store_private.h"

struct law {
    const char *check, *holds, *broken; /* BROKEN follows the number */
    const char *sql, *remedy;
    enum doctor_state state;
};

static const char report[] = "this is a fault of drover or of the disk: please report it with the "
                             "output of drover doctor --json";

static const struct law laws[] = {
    { "results", "every done job has one effective attempt, of its own, with a result",
      "done jobs whose effective attempt is another job's or has no result",
      "SELECT count(*) FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.state = 'DONE' "
      "AND (attempt.job <> job.id OR attempt.outcome NOT IN ('DONE', 'DIVERGED'))",
      report, DOCTOR_BAD },
    { "results", "no attempt is effective for two jobs", "attempts are effective for several jobs",
      "SELECT count(*) FROM (SELECT attempt FROM job WHERE state = 'DONE' AND attempt IS NOT NULL "
      "GROUP BY attempt HAVING count(*) > 1)",
      report, DOCTOR_BAD },
    { "needs", "no job is ready before what it needs",
      "jobs are ready though a job that they need is not done",
      "SELECT count(DISTINCT n.job) FROM job AS j JOIN job_need AS n ON n.job = j.id JOIN job AS p "
      "ON p.id = n.need WHERE j.state = 'READY' AND p.state IN ('WAITING', 'READY')",
      report, DOCTOR_BAD },
    { "claims", "points that were left out claim nothing",
      "claims of points that are no longer in their experiment are alive",
      "SELECT count(*) FROM run_job AS c JOIN run ON run.id = c.run WHERE c.live = 1 AND "
      "run.superseded = 1",
      report, DOCTOR_BAD },
    { "sums", "sums of complete evaluations agree with their rows",
      "sums of evaluations differ from their rows",
      "SELECT count(*) FROM tally AS t WHERE t.part = 0 AND t.search = 0 AND (t.n <> t.examples OR "
      "t.correct <> (SELECT sum(correct) FROM score AS s WHERE s.family = t.family AND s.idx < "
      "t.examples))",
      report, DOCTOR_BAD },
    { "incidents", "no result ever differed from a committed one",
      "results differed from the committed ones",
      "SELECT count(*) FROM event WHERE kind = 'incident'",
      "drover query \"SELECT text FROM event WHERE kind = 'incident'\" shows both environments",
      DOCTOR_WARNING },
};

int doctor_rows(struct doctor *d, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
        const struct law *law = &laws[i];
        int64_t n = 0;
        int rc = sqlite_number(d->s->db, law->sql, &n, err);

        if (rc < 0)
            return rc;
        if (n > 0)
            doctor_tell(d, law->check, law->state, law->remedy, "%lld %s", (long long)n,
                        law->broken);
        else
            doctor_tell(d, law->check, DOCTOR_OK, "", "%s", law->holds);
    }
    return 0;
}
