/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - the wide rows of runs against the rows that they sum up, as the triggers define them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/macros.h"
#include "store/sqlite.h"
#include "tests/tools/store/make.h"

static const char jobs[] =
    "SELECT count(*) FROM run_summary AS x JOIN (SELECT run_job.run AS run, count(*) AS jobs, "
    "sum(state = 'WAITING') AS waiting, sum(state = 'READY') AS ready, sum(state = 'DONE') AS "
    "done, "
    "sum(state = 'FAILED') AS failed, sum(state = 'SKIPPED') AS skipped, sum(state = 'CANCELLED') "
    "AS "
    "cancelled, sum(job.diverged) AS diverged, total(attempt.wall_ms) AS wall_ms FROM run_job JOIN "
    "job ON job.id = run_job.job LEFT JOIN attempt ON attempt.id = job.attempt GROUP BY "
    "run_job.run) "
    "AS y ON y.run = x.run WHERE (x.jobs, x.waiting, x.ready, x.done, x.failed, x.skipped, "
    "x.cancelled, x.diverged, x.wall_ms) <> (y.jobs, y.waiting, y.ready, y.done, y.failed, "
    "y.skipped, y.cancelled, y.diverged, y.wall_ms)";

static const char times[] =
    "SELECT count(*) FROM run_summary AS x LEFT JOIN (SELECT run_job.run AS run, min(started_ms) "
    "AS "
    "first, max(ended_ms) AS last FROM run_job JOIN attempt ON attempt.job = run_job.job WHERE "
    "ended_ms IS NOT NULL GROUP BY run_job.run) AS y ON y.run = x.run WHERE x.first_ms IS NOT "
    "y.first OR x.last_ms IS NOT y.last";

static const char results[] =
    "SELECT count(*) FROM run_summary AS x WHERE x.accuracy IS NOT (SELECT sum(correct) * 1.0 / "
    "sum(n) FROM run_tally WHERE run_tally.run = x.run AND search = 0) OR x.layers IS NOT (SELECT "
    "sum(layers) / sum(n) FROM run_tally WHERE run_tally.run = x.run AND search = 0) OR x.n <> "
    "(SELECT coalesce(sum(n), 0) FROM run_tally WHERE run_tally.run = x.run AND search = 0) OR "
    "x.tokens <> (SELECT coalesce(sum(tokens), 0) FROM run_tally WHERE run_tally.run = x.run AND "
    "search = 0) OR x.base IS NOT (SELECT sum(correct) * 1.0 / sum(n) FROM run_tally WHERE "
    "run_tally.run = x.run AND search = 1) OR x.oracle IS NOT (SELECT sum(labelled) * 1.0 / sum(n) "
    "FROM run_tally WHERE run_tally.run = x.run AND search = 1)";

static const char all[] = "SELECT count(*) <> (SELECT count(*) FROM run) FROM run_summary";

void make_check(struct make *m)
{
    static const char *const laws[] = { all, jobs, times, results };
    struct err err = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
        int64_t wrong = 0;

        make_must(sqlite_number(m->db, laws[i], &wrong, &err), &err, "check");
        if (wrong == 0)
            continue;
        fprintf(stderr, "drover-make-store: check %zu: %lld rows of run_summary are wrong\n", i,
                (long long)wrong);
        exit(1);
    }
}
