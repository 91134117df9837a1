/* SPDX-License-Identifier: Apache-2.0 */
#include "store/reports/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/quote.h"
#include "store/store_private.h"

/* A job that runs is READY in the file; its open attempt tells. */
#define STATE                                                                                      \
    "CASE WHEN s.failed > 0 THEN 'failed'"                                                         \
    " WHEN s.ready > 0 AND EXISTS (SELECT 1 FROM run_job JOIN attempt ON attempt.job = "           \
    "run_job.job"                                                                                  \
    " AND attempt.outcome = 'RUNNING' WHERE run_job.run = s.run AND run_job.live = 1)"             \
    " THEN 'running' WHEN s.ready > 0 THEN 'ready' WHEN s.waiting > 0 THEN 'waiting'"              \
    " WHEN s.cancelled > 0 THEN 'cancelled' WHEN s.skipped > 0 THEN 'skipped'"                     \
    " WHEN s.diverged > 0 THEN 'diverged' WHEN s.jobs = 0 THEN 'empty' ELSE 'done' END"

static const struct {
    const char *name, *sql, *kind;
    bool usual;
} known[] = {
    { "run", "s.run", "run", false },
    { "state", STATE, "state", true },
    { "done", "s.done", "state", true },
    { "jobs", "s.jobs", "state", true },
    { "waiting", "s.waiting", "state", false },
    { "ready", "s.ready", "state", false },
    { "failed", "s.failed", "state", false },
    { "skipped", "s.skipped", "state", false },
    { "cancelled", "s.cancelled", "state", false },
    { "diverged", "s.diverged", "state", false },
    { "seed", "run.seed", "run", true },
    { "accuracy", "s.accuracy", "result", true },
    { "base", "s.base", "result", true },
    { "oracle", "s.oracle", "result", true },
    { "layers", "s.layers", "result", true },
    { "n", "s.n", "result", true },
    { "tokens", "s.tokens", "result", false },
    { "seconds", "s.seconds", "cost", true },
    { "first_ms", "s.first_ms", "cost", false },
    { "last_ms", "s.last_ms", "cost", false },
    { "revision", "(SELECT number FROM revision WHERE revision.id = run.revision)", "run", true },
    { "superseded", "run.superseded", "run", false },
    { "digest", "lower(hex(run.digest))", "run", false },
};

enum { NAMES_MAX = 512 };

/* Names that could have been meant. */
struct names {
    char *name[NAMES_MAX + 1];
    size_t len;
};

static void names_release(struct names *n)
{
    for (size_t i = 0; i < n->len; i++)
        free(n->name[i]);
}

void columns_release(struct columns *c)
{
    for (size_t i = 0; i < c->len; i++) {
        free(c->one[i].name);
        free(c->one[i].sql);
    }
    buf_release(&c->joins);
}

/* Recipe text in VALUE as a value: numbers and texts as such, lists as they are written. */
static void value_sql(const char *value, bool compares, struct buf *out)
{
    const char *const yes = compares ? "1" : value, *const no = compares ? "0" : value;

    buf_printf(out,
               "CASE substr(%s, 1, 1) WHEN '\"' THEN CASE WHEN instr(%s, '\\') = 0 THEN "
               "substr(%s, 2, length(%s) - 2) WHEN json_valid(%s) THEN json_extract(%s, '$') "
               "ELSE %s END WHEN '[' THEN %s ",
               value, value, value, value, value, value, value, value);
    buf_printf(out, "WHEN 't' THEN %s WHEN 'f' THEN %s ELSE %s + 0 END", yes, no, value);
}

/* For showing: once per row that is shown. */
static void param_sql(const char *name, struct buf *out)
{
    buf_adds(out, "(SELECT ");
    value_sql("value", false, out);
    buf_adds(out, " FROM param WHERE param.run = s.run AND param.name = ");
    quote_sql(out, name);
    buf_addc(out, ')');
}

/* For choosing and sorting: of every run. */
static void joined_sql(struct columns *c, const char *name, struct buf *out)
{
    char alias[32];

    snprintf(alias, sizeof(alias), "p%zu", c->joins_len++);
    buf_printf(&c->joins, " LEFT JOIN param AS %s ON %s.run = s.run AND %s.name = ", alias, alias,
               alias);
    quote_sql(&c->joins, name);
    buf_addc(out, '(');
    snprintf(alias, sizeof(alias), "p%zu.value", c->joins_len - 1);
    value_sql(alias, true, out);
    buf_addc(out, ')');
}

static void metric_sql(const char *name, struct buf *out)
{
    buf_adds(out, "(SELECT series.last FROM run_job JOIN job ON job.id = run_job.job "
                  "JOIN series ON series.attempt = job.attempt AND series.name = ");
    quote_sql(out, name);
    buf_adds(out, " WHERE run_job.run = s.run ORDER BY job.id DESC LIMIT 1)");
}

static bool is_metric(const struct columns *c, const char *name)
{
    for (size_t i = 0; i < json_len(c->metrics); i++)
        if (strcmp(json_text(json_at(c->metrics, i)), name) == 0)
            return true;
    return false;
}

/* ---- parameters ---- */

/* Of the latest runs; with ALL of every run: that takes a second for a million of them. */
static int load_params(struct columns *c, bool all, struct names *n, struct err *err)
{
    struct stmt *st = all ? USE(c->s, REPORT_PARAM_NAMES) : USE(c->s, REPORT_PARAM_SOME);
    int rc;

    names_release(n);
    *n = (struct names){ .len = 0 };
    stmt_u64(st, ":experiment", c->experiment);
    while ((rc = stmt_step(st, err)) > 0)
        if (n->len < NAMES_MAX)
            n->name[n->len++] = mem_strdup(stmt_col_text(st, 0));
    return rc;
}

static bool has_name(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->len; i++)
        if (strcmp(n->name[i], name) == 0)
            return true;
    return false;
}

/* The only parameter whose last part is NAME, NULL: none or several. */
static const char *by_last_part(const struct names *n, const char *name)
{
    const char *found = NULL;

    for (size_t i = 0; i < n->len; i++) {
        const char *dot = strrchr(n->name[i], '.');
        if (!dot || strcmp(dot + 1, name) != 0)
            continue;
        if (found)
            return NULL;
        found = n->name[i];
    }
    return found;
}

static int not_there(const struct columns *c, struct names *n, const char *name, struct err *err)
{
    struct buf list CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < n->len; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", n->name[i]);
    for (size_t i = 0; i < ARRAY_LEN(known) && n->len < NAMES_MAX; i++)
        n->name[n->len++] = mem_strdup(known[i].name);
    for (size_t i = 0; i < json_len(c->metrics) && n->len < NAMES_MAX; i++)
        n->name[n->len++] = mem_strdup(json_text(json_at(c->metrics, i)));
    const char *near = nearest_find(name, (const char *const *)n->name);
    if (near)
        return err_set(err, ERR_NOT_FOUND, "no column or parameter \"%.60s\"; did you mean \"%s\"?",
                       name, near);
    return err_set(
        err, ERR_NOT_FOUND,
        "no column or parameter \"%.60s\"; the parameters are: %.200s. A number reported "
        "while training needs --metric %.60s",
        name, list.len ? buf_str(&list) : "none", name);
}

/* What parameter NAME means, NULL: none. It is valid as long as N. */
static int find_param(struct columns *c, const char *name, struct names *n, const char **ret,
                      struct err *err)
{
    int rc = 0;

    *ret = NULL;
    for (int all = 0; !rc && !*ret && all < 2; all++) {
        rc = load_params(c, all, n, err);
        *ret = has_name(n, name) ? name : by_last_part(n, name);
        if (!*ret && is_metric(c, name))
            break;
    }
    return rc;
}

/* The SQL of NAME in OUT, its full name in FULL. */
static int resolve(struct columns *c, const char *name, bool compares, struct buf *full,
                   struct buf *out, const char **ret_kind, struct err *err)
{
    struct names n CLEANUP(names_release) = { .len = 0 };
    const char *meant;

    buf_adds(full, name);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        *ret_kind = known[i].kind;
        buf_printf(out, compares ? "(%s)" : "%s", known[i].sql);
        return 0;
    }
    int rc = find_param(c, name, &n, &meant, err);
    if (rc)
        return rc;
    *ret_kind = "parameter";
    if (!meant && is_metric(c, name)) {
        *ret_kind = "metric";
        metric_sql(name, out);
        return 0;
    }
    if (!meant)
        return not_there(c, &n, name, err);
    if (compares)
        joined_sql(c, meant, out);
    else
        param_sql(meant, out);
    buf_clear(full);
    buf_adds(full, meant);
    return 0;
}

int columns_sql(void *arg, const char *name, struct buf *out, struct err *err)
{
    struct buf full CLEANUP(buf_release) = { 0 };
    const char *kind;

    return resolve(arg, name, true, &full, out, &kind, err);
}

int columns_add(struct columns *c, const char *name, struct err *err)
{
    struct buf sql CLEANUP(buf_release) = { 0 }, full CLEANUP(buf_release) = { 0 };
    const char *kind = NULL;
    int rc = resolve(c, name, false, &full, &sql, &kind, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < c->len; i++)
        if (strcmp(c->one[i].name, buf_str(&full)) == 0)
            return 0;
    if (c->len == COLUMNS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d columns", COLUMNS_MAX);
    c->one[c->len].name = buf_detach(&full);
    c->one[c->len].sql = buf_detach(&sql);
    c->one[c->len++].kind = kind;
    return 0;
}

static int collect_params(struct columns *c, const uint64_t *runs, size_t len, struct names *n,
                          struct err *err)
{
    for (size_t r = 0; r < len; r++) {
        struct stmt *st = USE(c->s, REPORT_RUN_PARAMS);
        int rc;

        stmt_u64(st, ":run", runs[r]);
        while ((rc = stmt_step(st, err)) > 0) {
            const char *name = stmt_col_text(st, 0);
            size_t at = 0;

            while (at < n->len && strcmp(n->name[at], name) != 0)
                at++;
            if (at == n->len && n->len < NAMES_MAX)
                n->name[n->len++] = mem_strdup(name);
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int columns_add_usual(struct columns *c, const uint64_t *runs, size_t len, struct err *err)
{
    struct names n CLEANUP(names_release) = { .len = 0 };
    int rc = collect_params(c, runs, len, &n, err);

    qsort(n.name, n.len, sizeof(*n.name), by_text);
    for (size_t i = 0; !rc && i < ARRAY_LEN(known); i++) {
        if (!known[i].usual)
            continue;
        if (strcmp(known[i].name, "seed") == 0)
            for (size_t p = 0; !rc && p < n.len; p++)
                rc = columns_add(c, n.name[p], err);
        rc = rc ? rc : columns_add(c, known[i].name, err);
    }
    return rc;
}
