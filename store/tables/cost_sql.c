/* SPDX-License-Identifier: Apache-2.0 */
/* cost_sql.c - cost to a target as plain SQL over the view curriculum (cost.h), for drover cell. */
#include "store/tables/cost.h"

#include <stdio.h>
#include <string.h>

#include "store/quote.h"

/* Every place at which a metric of the target was reported: m0, m1... are its numbers there. */
static void add_checks(const struct table_column *c, struct buf *out)
{
    buf_adds(out, ",\nchain AS (SELECT DISTINCT run, step FROM part),\n"
                  "checks AS (SELECT curriculum.run AS run, curriculum.step AS step, "
                  "curriculum.job AS job, at_step");
    for (size_t i = 0; i < c->targets; i++) {
        buf_adds(out, ",\n    max(CASE metric WHEN ");
        quote_sql(out, c->target[i].metric);
        buf_printf(out, " THEN value END) AS m%zu", i);
    }
    buf_adds(out, "\n  FROM chain JOIN curriculum ON curriculum.run = chain.run AND "
                  "curriculum.step = chain.step\n  WHERE metric IN (");
    for (size_t i = 0; i < c->targets; i++) {
        buf_adds(out, i ? ", " : "");
        quote_sql(out, c->target[i].metric);
    }
    buf_adds(out, ")\n  GROUP BY 1, 2, 3, 4)");
}

/* (SELECT m0 of the first check that has it) */
static void add_first(size_t i, struct buf *out)
{
    buf_printf(out,
               "(SELECT f.m%zu FROM checks AS f WHERE f.run = checks.run AND f.step = checks.step "
               "AND f.m%zu IS NOT NULL\n      ORDER BY f.job, f.at_step LIMIT 1)",
               i, i);
}

/* The first check that meets the target. */
static void add_hit(const struct table_column *c, struct buf *out)
{
    buf_adds(out, ",\nmet AS (SELECT run, step, job, at_step, row_number() OVER (PARTITION BY run, "
                  "step ORDER BY job, at_step) AS place\n  FROM checks WHERE at_step > 0");
    for (size_t i = 0; i < c->targets; i++) {
        CLEANUP(buf_release) struct buf bound = { 0 };
        CLEANUP(buf_release) struct buf first = { 0 };

        add_first(i, &first);
        amount_print(&c->target[i].bound, buf_str(&first), &bound);
        buf_printf(out, "\n    AND m%zu %s %s %c %g * max(1.0, abs(%s))", i,
                   c->target[i].most ? "<=" : ">=", buf_str(&bound), c->target[i].most ? '+' : '-',
                   COST_ROOM, buf_str(&bound));
    }
    buf_adds(out, "),\nhit AS (SELECT run, step, job, at_step FROM met WHERE place = 1)");
}

void cost_tables_sql(const struct table_column *c, struct buf *out)
{
    add_checks(c, out);
    add_hit(c, out);
    buf_adds(out, ",\nspent AS (SELECT ");
    if (strcmp(c->metric, COST_STEPS) == 0) {
        buf_adds(out, "checks.run AS run, checks.step AS step, coalesce(max(hit.at_step), "
                      "max(checks.at_step)) AS x\n  FROM checks LEFT JOIN hit ON hit.run = "
                      "checks.run AND hit.step = checks.step\n  GROUP BY 1, 2)");
        return;
    }
    buf_adds(out,
             "c.run AS run, c.step AS step, c.job AS job, max(c.value) AS x\n  FROM chain JOIN "
             "curriculum AS c ON c.run = chain.run AND c.step = chain.step\n"
             "  LEFT JOIN hit ON hit.run = chain.run AND hit.step = chain.step\n"
             "  WHERE c.metric = ");
    quote_sql(out, c->metric);
    buf_adds(out, " AND (hit.job IS NULL OR c.job < hit.job OR (c.job = hit.job AND c.at_step <= "
                  "hit.at_step))\n  GROUP BY 1, 2, 3)");
}

void cost_select_sql(const struct table_column *c, struct buf *out)
{
    buf_printf(out,
               "SELECT part.run, part.task, (SELECT %s(x) FROM spent\n    WHERE spent.run = "
               "part.run AND spent.step = part.step) AS x\n  FROM part",
               c->sum_stages ? "sum" : "max");
}
