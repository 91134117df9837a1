/* SPDX-License-Identifier: Apache-2.0 */
/* export_rows.c - rows as CSV (RFC 4180) or JSON lines, streamed (keep.h). */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/keep/keep_private.h"
#include "store/number.h"
#include "store/store_private.h"

const char *const export_what_names[] = { "runs", "scores", "labels", "metrics", NULL };

/* Of the live runs of :name. Columns whose name ends in "$" hold JSON. */
static const char *const rows_sql[] = {
    [EXPORT_SCORES] =
        "SELECT e.name AS experiment, run.id AS run, run.seed AS seed, f.step AS step, y.task AS "
        "task, y.level AS level, y.split AS split, s.idx AS idx, printf('%016x', x.number) AS "
        "example, x.source_id AS source_id, x.subset AS subset, s.correct AS correct, "
        "s.correct_norm AS correct_norm, s.answer AS answer, s.layers AS layers, s.tokens AS "
        "tokens, s.generated AS generated, s.truncated AS truncated, s.routing AS routing, "
        "s.logprob AS \"logprob$\", s.metrics AS \"metrics$\" FROM experiment AS e JOIN run ON "
        "run.experiment = e.id AND run.superseded = 0 JOIN run_family AS f ON f.run = run.id JOIN "
        "family AS y ON y.id = f.family JOIN score AS s ON s.family = f.family AND s.idx < "
        "f.examples JOIN example AS x ON x.id = s.example WHERE e.id = :experiment",
    [EXPORT_LABELS] =
        "SELECT r.* FROM routing AS r JOIN experiment AS e ON e.name = r.experiment WHERE e.id = "
        ":experiment",
    [EXPORT_METRICS] = "SELECT c.* FROM curriculum AS c JOIN experiment AS e ON e.name = "
                       "c.experiment WHERE e.id = :experiment",
    [EXPORT_RUNS] =
        "SELECT e.name AS experiment, v.number AS revision, run.id AS run, run.seed AS seed, "
        "s.jobs AS jobs, s.done AS done, s.failed AS failed, s.skipped AS skipped, s.cancelled AS "
        "cancelled, s.diverged AS diverged, s.seconds AS seconds, s.accuracy AS accuracy, s.base "
        "AS base, s.oracle AS oracle, s.n AS n, s.layers AS layers, s.tokens AS tokens, s.first_ms "
        "AS first_ms, s.last_ms AS last_ms FROM run_summary AS s JOIN run ON run.id = s.run AND "
        "run.superseded = 0 JOIN experiment AS e ON e.id = s.experiment JOIN revision AS v ON "
        "v.id = run.revision WHERE s.experiment = :experiment ORDER BY s.run",
};

/* What a run has besides, as columns of CSV: in the order of their names. */
#define SUMMARY_NAME                                                                               \
    "f.step || '.' || y.task || CASE WHEN y.level <> 0 THEN '.' || y.level ELSE '' END || '.' || " \
    "y.split || '.' || s.metric"
static const char param_names[] =
    "SELECT DISTINCT p.name FROM run JOIN param AS p ON p.run = run.id WHERE run.experiment = "
    ":experiment AND run.superseded = 0 ORDER BY 1";
static const char summary_names[] =
    "SELECT DISTINCT " SUMMARY_NAME " FROM run JOIN run_family AS f ON f.run = run.id JOIN family "
    "AS y ON y.id = f.family JOIN summary AS s ON s.family = f.family AND s.examples = f.examples "
    "WHERE run.experiment = :experiment AND run.superseded = 0 ORDER BY 1";
static const char run_params[] = "SELECT name, value FROM param WHERE run = :run ORDER BY name";
static const char run_summaries[] =
    "SELECT " SUMMARY_NAME ", s.value FROM run_family AS f JOIN family AS y ON y.id = f.family "
    "JOIN summary AS s ON s.family = f.family AND s.examples = f.examples WHERE f.run = :run "
    "ORDER BY 1";

struct writing {
    struct store *s;
    FILE *out;
    bool json;
    uint64_t experiment;
    struct names {
        char **name;
        size_t len;
    } params, summaries; /* of all runs: columns of CSV */
    struct stmt rows, of_params, of_summaries;
    struct buf line;
};

/* ---- values ---- */

static void add_csv(struct buf *b, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        buf_adds(b, text);
        return;
    }
    buf_addc(b, '"');
    for (; *text; text++) {
        if (*text == '"')
            buf_addc(b, '"');
        buf_addc(b, *text);
    }
    buf_addc(b, '"');
}

/* Text that need not be escaped is most of it. */
static void add_json(struct buf *b, const char *text)
{
    bool plain = true;

    for (const char *p = text; *p && plain; p++)
        plain = (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f && *p != '"' && *p != '\\';
    if (plain) {
        buf_addc(b, '"');
        buf_adds(b, text);
        buf_addc(b, '"');
    } else {
        struct json *v = json_new_text(text);
        char *quoted = json_dump(v, 0);

        buf_adds(b, quoted);
        free(quoted);
        json_free(v);
    }
}

static void add_value(struct writing *w, const struct stmt *st, int column, bool raw)
{
    char number[NUMBER_MAX];

    switch (stmt_type(st, column)) {
    case SQLITE_NULL:
        buf_adds(&w->line, w->json ? "null" : "");
        break;
    case SQLITE_INTEGER:
        buf_printf(&w->line, "%lld", (long long)stmt_col(st, column));
        break;
    case SQLITE_FLOAT:
        buf_add(&w->line, number, number_print(stmt_col_real(st, column), number));
        break;
    default:
        if (w->json && raw)
            buf_adds(&w->line, stmt_col_text(st, column));
        else if (w->json)
            add_json(&w->line, stmt_col_text(st, column));
        else
            add_csv(&w->line, stmt_col_text(st, column));
        break;
    }
}

/* ---- lines ---- */

static int put_line(struct writing *w, struct err *err)
{
    buf_adds(&w->line, w->json ? "\n" : "\r\n");
    if (fwrite(w->line.data, 1, w->line.len, w->out) != w->line.len)
        return err_errno(err, errno == EFBIG ? ENOSPC : errno, "write the export");
    buf_clear(&w->line);
    return 0;
}

/* "logprob$" is JSON and named without the mark. */
static bool column_name(const struct stmt *st, int column, char out[128])
{
    size_t n;

    snprintf(out, 128, "%s", stmt_column_name(st, column));
    n = strlen(out);
    if (n == 0 || out[n - 1] != '$')
        return false;
    out[n - 1] = '\0';
    return true;
}

static int put_head(struct writing *w, struct err *err)
{
    char name[128];

    if (w->json)
        return 0;
    for (int i = 0; i < stmt_columns(&w->rows); i++) {
        (void)column_name(&w->rows, i, name); /* JSON or not: text here */
        buf_adds(&w->line, i ? "," : "");
        add_csv(&w->line, name);
    }
    for (size_t i = 0; i < w->params.len; i++) {
        buf_addc(&w->line, ',');
        add_csv(&w->line, w->params.name[i]);
    }
    for (size_t i = 0; i < w->summaries.len; i++) {
        buf_addc(&w->line, ',');
        add_csv(&w->line, w->summaries.name[i]);
    }
    return put_line(w, err);
}

/* Rows (name, value) of ST, ordered by name, into the columns NAMES; or as an object named WHAT. */
static int put_pairs(struct writing *w, struct stmt *st, uint64_t run, const struct names *names,
                     const char *what, struct err *err)
{
    size_t at = 0;
    int rc;

    stmt_reset(st);
    stmt_u64(st, ":run", run);
    if (w->json)
        buf_printf(&w->line, ",\"%s\":{", what);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *name = stmt_col_text(st, 0);

        if (w->json) {
            buf_adds(&w->line, at++ ? "," : "");
            add_json(&w->line, name);
            buf_addc(&w->line, ':');
        }
        for (; !w->json && at < names->len && strcmp(names->name[at], name) < 0; at++)
            buf_addc(&w->line, ',');
        if (!w->json) {
            buf_addc(&w->line, ',');
            at++;
        }
        add_value(w, st, 1, false);
    }
    if (w->json)
        buf_addc(&w->line, '}');
    for (; !w->json && at < names->len; at++)
        buf_addc(&w->line, ',');
    return rc;
}

static int put_row(struct writing *w, bool runs, struct err *err)
{
    char name[128];
    int rc = 0;

    for (int i = 0; i < stmt_columns(&w->rows); i++) {
        bool raw = column_name(&w->rows, i, name);

        if (w->json)
            buf_printf(&w->line, "%s\"%s\":", i ? "," : "{", name);
        else
            buf_adds(&w->line, i ? "," : "");
        add_value(w, &w->rows, i, raw);
    }
    if (runs) {
        uint64_t run = stmt_col_u64(&w->rows, 2);

        rc = put_pairs(w, &w->of_params, run, &w->params, "params", err);
        if (rc == 0)
            rc = put_pairs(w, &w->of_summaries, run, &w->summaries, "summaries", err);
    }
    if (w->json)
        buf_addc(&w->line, '}');
    return rc == 0 ? put_line(w, err) : rc;
}

/* ---- all of them ---- */

static int list_names(struct writing *w, const char *sql, struct names *ret, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, w->s->db, sql, NULL, err);

    if (rc == 0)
        stmt_u64(&st, ":experiment", w->experiment);
    while (rc == 0 && (rc = stmt_step(&st, err)) > 0) {
        ret->name = mem_realloc(ret->name, ret->len + 1, sizeof *ret->name);
        ret->name[ret->len++] = mem_strdup(stmt_col_text(&st, 0));
        rc = 0;
    }
    stmt_release(&st);
    return rc;
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->len; i++)
        free(n->name[i]);
    free(n->name);
}

static int prepare(struct writing *w, enum export_what what, struct err *err)
{
    int rc = stmt_prepare(&w->rows, w->s->db, rows_sql[what], NULL, err);

    if (rc == 0)
        stmt_u64(&w->rows, ":experiment", w->experiment);
    if (rc < 0 || what != EXPORT_RUNS)
        return rc;
    rc = stmt_prepare(&w->of_params, w->s->db, run_params, NULL, err);
    if (rc == 0)
        rc = stmt_prepare(&w->of_summaries, w->s->db, run_summaries, NULL, err);
    if (rc == 0 && !w->json)
        rc = list_names(w, param_names, &w->params, err);
    if (rc == 0 && !w->json)
        rc = list_names(w, summary_names, &w->summaries, err);
    return rc;
}

int store_export_rows(struct store *s, uint64_t experiment, enum export_what what, bool json,
                      FILE *out, uint64_t *ret_rows, struct err *err)
{
    struct writing w = { .s = s, .out = out, .json = json, .experiment = experiment };
    int rc = prepare(&w, what, err);

    *ret_rows = 0;
    if (rc == 0)
        rc = put_head(&w, err);
    while (rc == 0 && (rc = stmt_step(&w.rows, err)) > 0) {
        rc = put_row(&w, what == EXPORT_RUNS, err);
        (*ret_rows)++;
    }
    if (rc == 0 && fflush(out) != 0)
        rc = err_errno(err, errno == EFBIG ? ENOSPC : errno, "write the export");
    stmt_release(&w.rows);
    stmt_release(&w.of_params);
    stmt_release(&w.of_summaries);
    free_names(&w.params);
    free_names(&w.summaries);
    buf_release(&w.line);
    return rc;
}
