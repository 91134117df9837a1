/* SPDX-License-Identifier: Apache-2.0 */
/* import_merge.c - what becomes of rows that both stores have, and of those that only the other had
 * and that mean something else here (keep.h). Works on the maps of copy_select. */
#include "store/gate.h"
#include "store/keep/import_private.h"
#include "store/sqlite.h"
#include "store/summary.h"

/* Of the experiment in main. */
#define EXPERIMENT "(SELECT new FROM temp.map_experiment)"

/* Is the file's last revision newer than all that main had? */
static const char newer[] =
    "SELECT EXISTS (SELECT 1 FROM src.experiment AS s JOIN temp.map_revision AS m ON m.old = "
    "s.revision WHERE s.id = (SELECT old FROM temp.map_experiment) AND NOT m.known AND (SELECT "
    "number FROM main.revision WHERE id = m.new) > (SELECT coalesce(max(number), 0) FROM "
    "main.revision WHERE experiment = " EXPERIMENT
    " AND id NOT IN (SELECT new FROM temp.map_revision WHERE NOT known)))";

/* The file's points are now the experiment's; others that main has are superseded. */
static const char *const move_on[] = {
    "UPDATE main.experiment SET revision = (SELECT m.new FROM src.experiment AS s JOIN "
    "temp.map_revision AS m ON m.old = s.revision WHERE s.id = (SELECT old FROM "
    "temp.map_experiment)) WHERE id = " EXPERIMENT,
    "UPDATE main.run SET revision = v.new FROM temp.map_run AS o CROSS JOIN src.run AS s ON s.id = "
    "o.old JOIN temp.map_revision AS v ON v.old = s.revision WHERE o.known AND run.id = o.new",
};

/* A run is superseded when the experiment's revision does not have it; its claims are dead, as are
 * those of a cancelled experiment. */
static const char *const supersede[] = {
    "UPDATE main.run SET superseded = (revision <> (SELECT x.revision FROM main.experiment AS x "
    "WHERE x.id = run.experiment)) WHERE experiment = " EXPERIMENT
    " AND superseded <> (revision <> (SELECT x.revision FROM main.experiment AS x WHERE x.id = "
    "run.experiment))",
    "UPDATE main.run_job SET live = 0 WHERE live = 1 AND run IN (SELECT r.id FROM main.run AS r "
    "JOIN main.experiment AS x ON x.id = r.experiment WHERE x.id = " EXPERIMENT
    " AND (r.superseded OR x.cancelled))",
};

/* Jobs that had no result here and have one there. */
static const char *const finish[] = {
    "CREATE TEMP TABLE finished AS SELECT o.new AS job, a.new AS attempt, s.diverged AS diverged "
    "FROM temp.map_job AS o CROSS JOIN src.job AS s ON s.id = o.old AND s.state = 'DONE' JOIN "
    "main.job AS d ON d.id = o.new AND d.state <> 'DONE' LEFT JOIN temp.map_attempt AS a ON a.old "
    "= s.attempt WHERE o.known",
    "UPDATE main.job SET state = 'DONE', waiting = 0, diverged = f.diverged, attempt = f.attempt "
    "FROM temp.finished AS f WHERE job.id = f.job",
};

static const char *const settle_rows[] = {
    /* Bytes that came. */
    "UPDATE main.blob SET evicted = 0 WHERE evicted AND digest IN (SELECT digest FROM "
    "src.blob_bytes)",
    /* Later attempts have later epochs. */
    "UPDATE main.job SET epoch = x.last FROM (SELECT a.job AS job, max(a.epoch) AS last FROM "
    "temp.map_job AS o CROSS JOIN main.attempt AS a ON a.job = o.new WHERE o.known GROUP BY a.job) "
    "AS x WHERE job.id = x.job AND job.epoch < x.last",
    "UPDATE main.attempt SET outcome = 'LOST', ended_ms = started_ms, text = 'it ran when its "
    "experiment was exported' WHERE outcome = 'RUNNING' AND id IN (SELECT new FROM "
    "temp.map_attempt WHERE NOT known)",
};

/* Nobody here has asked for work: submitting the recipe does. */
static const char cancel[] =
    "UPDATE main.job SET state = 'CANCELLED' WHERE state IN ('WAITING', 'READY') AND id IN (SELECT "
    "new FROM temp.map_job WHERE NOT known)";

static int run_all(struct store *s, const char *const *sql, size_t len, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = sqlite_run(s->db, sql[i], err);
    return rc;
}

static int list_ids(struct store *s, const char *sql, struct store_ids *ret, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, s->db, sql, NULL, err);

    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        store_ids_add(ret, stmt_col_u64(&st, 0));
        if (stmt_columns(&st) > 1)
            store_ids_add(ret, stmt_col_u64(&st, 1));
        rc = 0;
    }
    stmt_release(&st);
    return rc;
}

/* Jobs of this store that waited for what is done now. */
static int settle_dependents(struct store *s, struct err *err)
{
    struct store_ids ids = { 0 };
    int rc = list_ids(s,
                      "SELECT DISTINCT n.job FROM temp.finished AS f CROSS JOIN main.job_need AS n "
                      "ON n.need = f.job JOIN main.job AS j ON j.id = n.job WHERE j.state = "
                      "'WAITING'",
                      &ids, err);

    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = gate_settle(s, ids.v[i], "WAITING", NULL, err);
    store_ids_release(&ids);
    return rc;
}

/* Families that both had may be complete now, and new runs may read what was here already. */
static int sum_up(struct store *s, struct err *err)
{
    struct store_ids ids = { 0 };
    int rc = list_ids(s, "SELECT new FROM temp.map_family WHERE known", &ids, err);

    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = summary_advance(s, ids.v[i], err);
    ids.len = 0;
    if (rc == 0)
        rc = list_ids(s,
                      "SELECT DISTINCT f.family, f.examples FROM temp.map_run AS o CROSS JOIN "
                      "main.run_family AS f ON f.run = o.new JOIN temp.map_family AS m ON m.new = "
                      "f.family AND m.known",
                      &ids, err);
    for (size_t i = 0; rc == 0 && i + 1 < ids.len; i += 2)
        rc = summary_want(s, ids.v[i], ids.v[i + 1], err);
    store_ids_release(&ids);
    return rc;
}

/* An experiment that was here already: whose points hold? */
static int settle_revision(struct store *s, struct err *err)
{
    int64_t known = 0, moves = 0;
    int rc = sqlite_number(s->db, "SELECT known FROM temp.map_experiment", &known, err);

    if (rc < 0 || !known)
        return rc;
    rc = sqlite_number(s->db, newer, &moves, err);
    if (rc == 0 && moves)
        rc = run_all(s, move_on, ARRAY_LEN(move_on), err);
    return rc == 0 ? run_all(s, supersede, ARRAY_LEN(supersede), err) : rc;
}

int import_merge(struct store *s, struct import_done *done, struct err *err)
{
    int64_t finished = 0, cancelled = 0;
    int rc = run_all(s, settle_rows, ARRAY_LEN(settle_rows), err);

    if (rc == 0)
        rc = sqlite_run(s->db, cancel, err);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT changes()", &cancelled, err);
    if (rc == 0)
        rc = run_all(s, finish, ARRAY_LEN(finish), err);
    if (rc == 0)
        rc = sqlite_number(s->db, "SELECT count(*) FROM temp.finished", &finished, err);
    if (rc == 0)
        rc = settle_dependents(s, err);
    if (rc == 0)
        rc = settle_revision(s, err);
    if (rc == 0)
        rc = sum_up(s, err);
    (void)!sqlite_run(s->db, "DROP TABLE IF EXISTS temp.finished", NULL); /* of this connection */
    done->results = (uint64_t)finished;
    done->cancelled = (uint64_t)cancelled;
    return rc;
}
