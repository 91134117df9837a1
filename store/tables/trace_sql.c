/* SPDX-License-Identifier: Apache-2.0 */
/* trace_sql.c - from a cell's families and runs to SQL (trace.h). */
#include "store/tables/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/task.h"
#include "store/quote.h"
#include "store/tables/agreement.h"
#include "store/tables/cost.h"

void trace_release(struct trace *t)
{
    buf_release(&t->value);
    buf_release(&t->rows);
    buf_release(&t->runs);
    buf_release(&t->jobs);
    buf_release(&t->attempts);
}

/* What one part of a cell is: (run, task of a group's mean, step, family, examples, subset,
 * metric). */
static bool part_again(const struct unit *u, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (digest_equal(&u->fact[i]->family, &u->fact[at]->family))
            return true;
    }
    return false;
}

/* Rows of a family's subset are its own; WHOLE or no subsets: all of them, '' then. */
static const char *subset_of(const struct making *m, const struct backing *s, const struct sums *x)
{
    return m->pivot.subsets && !s->whole && x->subset[0] ? x->subset : "";
}

static const char *metric_of(const struct table_column *c, const struct sums *x)
{
    return stat_plain(c->stat) == TABLE_METRIC && !x->search ? metric_name(c, x->task) : "";
}

static void add_parts(const struct making *m, const struct table_column *c, const struct backing *s,
                      struct buf *out)
{
    bool members = stat_needs_members(c->stat, s->fold), first = true;

    buf_adds(out, "WITH part(run, task, step, family, examples, subset, metric) AS (VALUES");
    for (size_t i = 0; i < s->units; i++) {
        const struct unit *u = &s->unit[i];

        for (size_t k = 0; k < u->facts; k++) {
            const struct sums *x = u->fact[k];

            /* A family's subsets in a total over whole families come once when it is a metric. */
            if (!x->number && s->whole && part_again(u, k))
                continue;
            if (members && x->n == 0 && !x->number)
                continue;
            if (x->number && x->n == 0)
                continue;
            if (x->number && c->take == TABLE_LAST && x != number_last(c, u))
                continue;
            buf_printf(out, "%s\n  (%" PRIu64 ", ", first ? "" : ",", m->pivot.run[u->run].id);
            first = false;
            quote_sql(out, strcmp(x->task, "mnli_mismatch") == 0 ? "mnli" : x->task);
            buf_adds(out, ", ");
            quote_sql(out, x->step);
            buf_printf(out, ", %" PRIu64 ", %" PRIu64 ", ", x->family_id, x->reads);
            quote_sql(out, subset_of(m, s, x));
            buf_adds(out, ", ");
            quote_sql(out, metric_of(c, x));
            buf_addc(out, ')');
        }
    }
    if (first)
        buf_adds(out, "\n  (NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    buf_adds(out, "\n)");
}

/* ---- one example's number ---- */

/* A task's first metric is what "right" means, unless it is of the whole set. */
static bool is_verdict(const char *task, const char *metric)
{
    const struct task_spec *spec = task_find(task);

    return spec && spec->metrics_len > 0 && spec->metric[0].whole_set == 0 &&
           strcmp(spec->metric[0].name, metric) == 0;
}

/* The SQL of METRIC for one row of score. */
static void add_metric(const char *task, const char *metric, bool subset, struct buf *out)
{
    bool acc = strcmp(metric, "acc") == 0, norm = strcmp(metric, "acc_norm") == 0;

    if (subset && (acc || is_verdict(task, metric)))
        buf_adds(out, "score.correct");
    else if (subset && norm)
        buf_adds(out, "score.correct_norm");
    else if (acc || norm)
        buf_printf(out, "coalesce(json_extract(score.metrics, '$.\"%s\"'), score.correct%s)",
                   metric, norm ? "_norm" : "");
    else
        buf_printf(out, "json_extract(score.metrics, '$.\"%s\"')", metric);
}

/* In the order of the table. */
static const char *of_thought(enum table_stat stat)
{
    static const char *const sql[] = {
        "json_extract(score.metrics, '$.\"response_tokens\"')",
        "json_extract(score.metrics, '$.\"think_tokens\"')",
        "json_extract(score.metrics, '$.\"untruncated_tokens\"')",
        "json_extract(score.metrics, '$.\"truncated\"')",
        "json_extract(score.metrics, '$.\"well_formed\"')",
    };

    return sql[stat - TABLE_RESPONSE_TOKENS];
}

static const char *simple_value(enum table_stat stat, bool search)
{
    switch (stat) {
    case TABLE_ACCURACY:
        return search ? "label.base_correct" : "score.correct";
    case TABLE_ACCURACY_NORM:
        return "score.correct_norm";
    case TABLE_ORACLE:
        return "label.has_label";
    case TABLE_PRESERVED:
        return "label.base_correct AND label.has_label";
    case TABLE_IMPROVED:
        return "NOT label.base_correct AND label.has_label";
    case TABLE_LAYERS:
        return search ? "CASE WHEN label.has_label THEN label.label_layers END" : "score.layers";
    case TABLE_LAYERS_ALL:
        return "label.label_layers";
    case TABLE_LAYERS_BASE:
        return "label.layers";
    case TABLE_TOKENS:
        return "score.tokens";
    case TABLE_GENERATED:
        return "score.generated";
    case TABLE_REPEATS:
        return search ? "label.repeats" : "score.repeats";
    case TABLE_SHORTER:
        return "CASE WHEN label.base_correct THEN label.has_label AND label.label_layers < "
               "label.layers END";
    case TABLE_RESCUED:
        return "CASE WHEN NOT label.base_correct THEN label.has_label END";
    case TABLE_EVALUATIONS:
        return "label.evaluations";
    case TABLE_ROWS:
        return "label.layer_rows";
    case TABLE_APPLICATIONS:
        return "score.layers * max(1, score.generated)";
    case TABLE_NON_EXECUTE:
        return "length(replace(score.routing, '1', '')) * 1.0 / length(score.routing)";
    case TABLE_EXACT_PATH:
        return "json_extract(score.metrics, '$.\"exact_path\"')";
    CASES_OF_THOUGHT:
        return of_thought(stat);
    case TABLE_TIME:
        return search ? "label.wall_us / 1000.0" : "score.wall_us / 1000.0";
    case TABLE_F1_SKIP: /* agreement.h */
    case TABLE_F1_EXECUTE:
    case TABLE_F1_REPEAT:
    case TABLE_MACRO_F1:
    case TABLE_N:
    case TABLE_SEEDS:
    case TABLE_ACCURACY_CI:
    case TABLE_ACCURACY_NORM_CI:
    case TABLE_ORACLE_CI:
    case TABLE_METRIC:
    case TABLE_METRIC_SE:
    case TABLE_TRAINING:
    case TABLE_COST:
    case TABLE_SECONDS:
    case TABLE_STATS_LEN:
        break;
    }
    return "1";
}

/* By metric: tasks of a cell may differ in theirs. */
static void add_metrics(const struct backing *s, const struct table_column *c, bool subset,
                        struct buf *out)
{
    const char *seen[64];
    size_t len = 0;

    buf_adds(out, "CASE part.metric");
    for (size_t i = 0; i < s->units; i++) {
        for (size_t k = 0; k < s->unit[i].facts; k++) {
            const struct sums *x = s->unit[i].fact[k];
            const char *metric = metric_of(c, x);
            bool known = len == ARRAY_LEN(seen);

            for (size_t j = 0; j < len && !known; j++)
                known = strcmp(seen[j], metric) == 0;
            if (known || metric[0] == '\0' || metric_of_whole_set(x->task, metric))
                continue;
            seen[len++] = metric;
            buf_adds(out, " WHEN ");
            quote_sql(out, metric);
            buf_adds(out, " THEN ");
            add_metric(x->task, metric, subset, out);
        }
    }
    buf_adds(out, len ? " END" : " WHEN '' THEN NULL END");
}

static bool any_whole_set(const struct backing *s, const struct table_column *c)
{
    for (size_t i = 0; i < s->units; i++) {
        for (size_t k = 0; k < s->unit[i].facts; k++) {
            const char *metric = metric_of(c, s->unit[i].fact[k]);

            if (metric[0] && metric_of_whole_set(s->unit[i].fact[k]->task, metric))
                return true;
        }
    }
    return false;
}

/* SELECT run, task, ..., value AS x: one row for each example (and one for each metric of a whole
 * set, which is no mean of examples). */
static void add_examples(const struct making *m, const struct table_column *c,
                         const struct backing *s, bool wide, struct buf *out)
{
    bool search = s->units > 0 && s->unit[0].search, subsets = m->pivot.subsets && !s->whole;
    const char *table = search ? "label" : "score";

    buf_adds(out, "SELECT part.run, part.task");
    if (wide) {
        buf_printf(out, ", part.step, family.level, family.split, %s.idx, ", table);
        buf_printf(out, "printf('%%016x', example.number) AS example, %s.attempt", table);
    }
    buf_adds(out, ", ");
    if (stat_plain(c->stat) == TABLE_METRIC)
        add_metrics(s, c, subsets, out);
    else if (stat_is_f1(c->stat))
        f1_row(c->stat, out);
    else
        buf_adds(out, simple_value(stat_plain(c->stat), search));
    buf_printf(out,
               " AS x\n  FROM part JOIN %s ON %s.family = part.family AND %s.idx < "
               "part.examples",
               table, table, table);
    if (wide || subsets)
        buf_printf(out, "\n  JOIN example ON example.id = %s.example", table);
    if (subsets)
        buf_adds(out, " AND (part.subset = '' OR example.subset = part.subset)");
    if (wide)
        buf_adds(out, "\n  JOIN family ON family.id = part.family");
    if (wide || !any_whole_set(s, c))
        return;
    buf_adds(out, "\n  UNION ALL SELECT part.run, part.task, summary.value FROM part JOIN summary "
                  "ON summary.family = part.family\n"
                  "  AND summary.examples = part.examples AND summary.metric = part.metric AND "
                  "part.metric IN (");
    {
        bool first = true;

        for (size_t i = 0; i < s->units; i++) {
            for (size_t k = 0; k < s->unit[i].facts; k++) {
                const struct sums *x = s->unit[i].fact[k];
                const char *metric = metric_of(c, x);

                if (!metric_of_whole_set(x->task, metric) || i > 0)
                    continue;
                buf_adds(out, first ? "" : ", ");
                quote_sql(out, metric);
                first = false;
            }
        }
    }
    buf_addc(out, ')');
}

/* ---- numbers of runs ---- */

static void add_number(const struct table_column *c, struct buf *out)
{
    const char *take = c->take == TABLE_LEAST ? "min" : c->take == TABLE_MOST ? "max" : "avg";

    if (c->stat == TABLE_SECONDS) {
        buf_adds(out,
                 "SELECT part.run, part.task, (SELECT coalesce(sum(attempt.wall_ms), 0) / 1000.0 "
                 "FROM run_job\n"
                 "    JOIN job ON job.id = run_job.job JOIN attempt ON attempt.id = job.attempt "
                 "WHERE run_job.run = part.run) AS x\n  FROM part");
        return;
    }
    if (c->stat == TABLE_COST) {
        cost_select_sql(c, out);
        return;
    }
    buf_printf(out,
               "SELECT part.run, part.task, (SELECT %s%s%s FROM curriculum\n"
               "    WHERE curriculum.run = part.run AND curriculum.step = part.step AND "
               "curriculum.metric = ",
               c->take == TABLE_LAST ? "" : take, c->take == TABLE_LAST ? "" : "(",
               c->take == TABLE_LAST ? "value" : "value)");
    quote_sql(out, c->metric);
    buf_printf(out, "%s) AS x\n  FROM part",
               c->take == TABLE_LAST ? "\n    ORDER BY job DESC, at_step DESC LIMIT 1" : "");
}

/* ---- all of it ---- */

/* From one value per seed, u(x), to the cell. */
static const char *aggregate_sql(const struct table_column *c)
{
    switch (c->aggregate) {
    case TABLE_SD:
        return "SELECT CASE WHEN count(*) > 1 THEN sqrt(sum((x - m) * (x - m)) / (count(*) - 1)) "
               "END FROM u, (SELECT avg(x) AS m FROM u)";
    case TABLE_SE:
        return "SELECT CASE WHEN count(*) > 1 THEN sqrt(sum((x - m) * (x - m)) / (count(*) - 1) / "
               "count(*)) END FROM u, (SELECT avg(x) AS m FROM u)";
    case TABLE_MEDIAN:
        return "SELECT avg(x) FROM (SELECT x FROM u ORDER BY x\n"
               "  LIMIT 2 - (SELECT count(*) FROM u) % 2 OFFSET (SELECT (count(*) - 1) / 2 FROM "
               "u))";
    case TABLE_MIN:
        return "SELECT min(x) FROM u";
    case TABLE_MAX:
        return "SELECT max(x) FROM u";
    case TABLE_SUM:
        return "SELECT sum(x) FROM u";
    case TABLE_MEAN:
    case TABLE_CI:
    case TABLE_COUNT:
    case TABLE_RUNS:
    case TABLE_AGGREGATES:
        break;
    }
    return "SELECT avg(x) FROM u";
}

/* From what several steps of a run say to one number. */
static const char *over_steps(const struct table_column *c)
{
    if (c->stat != TABLE_TRAINING)
        return "avg";
    return c->take == TABLE_LEAST ? "min" : c->take == TABLE_MOST ? "max" : "avg";
}

/* From e(run, task, x) to one value per seed, u(x). A metric that one of a seed's tasks lacks, the
 * seed lacks. */
static void add_seeds(const struct table_column *c, const struct backing *s, struct buf *out)
{
    if (s->fold == FOLD_MEAN && !stat_is_number(c->stat))
        buf_adds(out, ",\nt(run, x) AS (SELECT run, avg(x) FROM e GROUP BY run, task),\n"
                      "u(x) AS (SELECT avg(x) FROM t GROUP BY run HAVING count(*) = count(x))\n");
    else if (stat_plain(c->stat) == TABLE_METRIC)
        buf_adds(out, ",\nt(run, x, n) AS (SELECT run, sum(x), count(x) FROM e GROUP BY run, "
                      "task),\nu(x) AS (SELECT 1.0 * sum(x) / sum(n) FROM t GROUP BY run HAVING "
                      "min(n) > 0)\n");
    else
        buf_printf(out,
                   ",\nu(x) AS (SELECT x FROM (SELECT %s(x) AS x FROM e GROUP BY run) WHERE x "
                   "IS NOT NULL)\n",
                   over_steps(c));
}

static void add_value(const struct making *m, const struct table_column *c, const struct backing *s,
                      struct buf *out)
{
    bool count = c->stat == TABLE_N || c->aggregate == TABLE_COUNT,
         runs = c->stat == TABLE_SEEDS || c->aggregate == TABLE_RUNS;

    add_parts(m, c, s, out);
    if (stat_is_f1(c->stat) && !count && !runs) {
        buf_adds(out, ",\ne(run, task, class, tp, wrong) AS (\n  ");
        f1_examples(c->stat, out);
        buf_printf(out,
                   "\n),\nf(run, f1) AS (SELECT run, 2.0 * sum(tp) / (2.0 * sum(tp) + sum(wrong)) "
                   "FROM e GROUP BY run, class\n  HAVING sum(tp) + sum(wrong) > 0),\n"
                   "u(x) AS (SELECT avg(f1) FROM f GROUP BY run)\n%s;",
                   aggregate_sql(c));
        return;
    }
    if (c->stat == TABLE_COST)
        cost_tables_sql(c, out);
    buf_adds(out, ",\ne(run, task, x) AS (\n  ");
    if (stat_is_number(c->stat))
        add_number(c, out);
    else
        add_examples(m, c, s, false, out);
    buf_adds(out, "\n)");
    if (c->stat == TABLE_REPEATS) {
        buf_adds(out, "\nSELECT sum(x) FROM e;");
        return;
    }
    if (count && stat_is_number(c->stat)) { /* there are no examples */
        buf_clear(out);
        buf_adds(out, "SELECT 0;");
        return;
    }
    if (count || runs) {
        buf_printf(out, ",\nu(x) AS (SELECT count(*) FROM e GROUP BY run)\nSELECT %s FROM u;",
                   count ? "max(x)" : "count(*)");
        return;
    }
    add_seeds(c, s, out);
    buf_printf(out, "%s;", aggregate_sql(c));
}

static void add_rows(const struct making *m, const struct table_column *c, const struct backing *s,
                     struct buf *out)
{
    add_parts(m, c, s, out);
    if (c->stat == TABLE_COST)
        cost_tables_sql(c, out);
    buf_addc(out, '\n');
    if (stat_is_number(c->stat))
        add_number(c, out);
    else
        add_examples(m, c, s, true, out);
    buf_adds(out, "\nORDER BY 1");
    if (!stat_is_number(c->stat))
        buf_adds(out, ", 2, 4, 6");
}

static void add_runs(const struct backing *s, const struct making *m, struct buf *out)
{
    for (size_t i = 0; i < s->units; i++)
        buf_printf(out, "%s%" PRIu64, i ? ", " : "", m->pivot.run[s->unit[i].run].id);
    if (s->units == 0)
        buf_adds(out, "NULL");
}

void trace_make(const struct making *m, const struct table_column *c, const struct backing *s,
                int limit, struct trace *ret)
{
    CLEANUP(buf_release) struct buf runs = { 0 };
    bool numbers = stat_is_number(c->stat);

    add_value(m, c, s, &ret->value);
    add_rows(m, c, s, &ret->rows);
    add_runs(s, m, &runs);
    buf_printf(&ret->runs,
               "SELECT run.id AS run, experiment.name AS experiment, run.seed AS seed,\n"
               "  (SELECT json_group_object(name, value) FROM param WHERE param.run = run.id) AS "
               "params\n"
               "FROM run JOIN experiment ON experiment.id = run.experiment WHERE run.id IN (%s) "
               "ORDER BY run.id LIMIT %d",
               buf_str(&runs), limit);
    for (int attempts = 0; attempts < 2; attempts++) {
        struct buf *out = attempts ? &ret->attempts : &ret->jobs;

        add_parts(m, c, s, out);
        buf_adds(out,
                 ",\njobs(id) AS (SELECT DISTINCT job.id FROM part JOIN run_job ON run_job.run = "
                 "part.run JOIN job ON job.id = run_job.job");
        if (!numbers)
            buf_adds(out, "\n  JOIN job_family ON job_family.job = job.id AND job_family.family = "
                          "part.family\n  WHERE run_job.step = part.step)\n");
        else
            buf_adds(out, c->stat == TABLE_SECONDS ? ")\n" : " WHERE run_job.step = part.step)\n");
        if (attempts)
            buf_printf(
                out,
                "SELECT attempt.id AS attempt, attempt.job AS job, attempt.outcome AS outcome, "
                "attempt.id = job.attempt AS effective,\n  worker.name AS worker, worker.host AS "
                "host, attempt.started_ms AS started_ms, attempt.wall_ms AS wall_ms, "
                "coalesce(attempt.environment, worker.environment) AS environment\n"
                "FROM jobs JOIN attempt ON attempt.job = jobs.id JOIN job ON job.id = jobs.id\n"
                "LEFT JOIN worker ON worker.id = attempt.worker ORDER BY attempt.id LIMIT %d",
                limit);
        else
            buf_printf(
                out,
                "SELECT job.id AS job, lower(hex(job.key)) AS key, job.kind AS kind, job.step AS "
                "step, job.state AS state,\n  job.range_begin AS range_begin, job.range_end AS "
                "range_end, job.seed AS seed, job.attempt AS attempt\n"
                "FROM jobs JOIN job ON job.id = jobs.id ORDER BY job.id LIMIT %d",
                limit);
    }
}
