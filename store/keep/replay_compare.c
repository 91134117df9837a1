/* SPDX-License-Identifier: Apache-2.0 */
/* replay_compare.c - what a job's committed result and one made again in a scratch store have in
 * common, and what not (keep.h). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/keep/replay_private.h"
#include "store/store_private.h"

enum { DIFFERENCES_MAX = 20 };

struct comparing {
    struct store *s, *scratch;
    struct replay_head here, there; /* s, scratch */
    uint64_t job_here, job_there;
    struct buf *out;
    uint64_t found;
};

static void tell(struct comparing *c, const char *format, ...) PRINTF_LIKE(2, 3);
static void tell(struct comparing *c, const char *format, ...)
{
    char line[400];
    va_list args;

    if (c->found++ >= DIFFERENCES_MAX)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_printf(c->out, "%s\n", line);
}

/* Two listings side by side, each ordered by what comes before its last column's value. */
static struct stmt *output_rows(struct store *s, uint64_t job)
{
    struct stmt *st = USE(s, JOB_OUTPUTS);

    stmt_u64(st, ":job", job);
    return st;
}

static int compare_outputs(struct comparing *c, struct err *err)
{
    struct stmt *a = output_rows(c->s, c->job_here), *b = output_rows(c->scratch, c->job_there);
    int x = stmt_step(a, err), y = stmt_step(b, err);

    while (x > 0 || y > 0) {
        const char *p = x > 0 ? stmt_col_text(a, 0) : NULL;
        const char *q = y > 0 ? stmt_col_text(b, 0) : NULL;
        int order = !p ? 1 : !q ? -1 : strcmp(p, q);
        struct digest d = { { 0 } }, e = { { 0 } };
        char hex[2][DIGEST_HEX];

        if (order <= 0)
            d = stmt_col_digest(a, 1);
        if (order >= 0)
            e = stmt_col_digest(b, 1);
        if (order < 0)
            tell(c, "output \"%s\": the replay has none", p);
        else if (order > 0)
            tell(c, "output \"%s\": only the replay has it", q);
        else if (!digest_equal(&d, &e))
            tell(c, "output \"%s\": committed %s, replay %s", p, digest_hex(&d, hex[0]),
                 digest_hex(&e, hex[1]));
        if (order <= 0)
            x = stmt_step(a, err);
        if (order >= 0)
            y = stmt_step(b, err);
    }
    stmt_reset(a);
    stmt_reset(b);
    return x < 0 ? x : y;
}

static struct stmt *example_rows(struct store *s, const char *kind, const struct replay_head *h)
{
    struct stmt *st =
        kind_is_search(kind) ? USE(s, REPLAY_DIGESTS_LABELS) : USE(s, REPLAY_DIGESTS_SCORES);

    stmt_u64(st, ":family", h->family);
    stmt_u64(st, ":range_begin", h->begin);
    stmt_u64(st, ":range_end", h->end);
    return st;
}

static int compare_examples(struct comparing *c, const char *kind, struct err *err)
{
    struct stmt *a, *b;
    int x, y;

    if (c->here.end <= c->here.begin)
        return 0;
    a = example_rows(c->s, kind, &c->here);
    b = example_rows(c->scratch, kind, &c->there);
    x = stmt_step(a, err);
    y = stmt_step(b, err);
    while (x > 0 && y > 0) {
        struct digest d = stmt_col_digest(a, 1), e = stmt_col_digest(b, 1);
        char hex[2][DIGEST_HEX];

        if (stmt_col(a, 0) != stmt_col(b, 0) || stmt_col(a, 2) != stmt_col(b, 2))
            tell(c, "example %lld: committed %016llx, replay %016llx is another example",
                 (long long)stmt_col(a, 0), (unsigned long long)stmt_col_u64(a, 2),
                 (unsigned long long)stmt_col_u64(b, 2));
        else if (!digest_equal(&d, &e))
            tell(c, "example %016llx (index %lld): committed %.16s, replay %.16s",
                 (unsigned long long)stmt_col_u64(a, 2), (long long)stmt_col(a, 0),
                 digest_hex(&d, hex[0]), digest_hex(&e, hex[1]));
        else if (strcmp(stmt_col_text(a, 3), stmt_col_text(b, 3)) != 0)
            tell(c,
                 "example %016llx (index %lld): the row was altered: it says %.300s, replay %.300s",
                 (unsigned long long)stmt_col_u64(a, 2), (long long)stmt_col(a, 0),
                 stmt_col_text(a, 3), stmt_col_text(b, 3));
        x = stmt_step(a, err);
        y = stmt_step(b, err);
    }
    if (x > 0 || y > 0)
        tell(c, "the number of examples differs");
    stmt_reset(a);
    stmt_reset(b);
    return x < 0 ? x : MIN(y, 0);
}

/* Points of the effective attempt, whatever their chunks. */
static const char points[] =
    "SELECT series.name, CASE WHEN chunk.steps IS NULL THEN chunk.first_step + point.key * "
    "chunk.stride ELSE json_extract(chunk.steps, '$[' || point.key || ']') END, CAST(point.value "
    "AS REAL) FROM series JOIN metric_chunk AS chunk ON chunk.series = series.id AND chunk.level = "
    "0 JOIN json_each(chunk.points) AS point WHERE series.attempt = :attempt ORDER BY 1, 2";

static int compare_points(struct comparing *c, struct stmt *a, struct stmt *b, struct err *err)
{
    int x = stmt_step(a, err), y = stmt_step(b, err);

    while (x > 0 && y > 0) {
        double v = stmt_col_real(a, 2), w = stmt_col_real(b, 2);
        bool same_name = strcmp(stmt_col_text(a, 0), stmt_col_text(b, 0)) == 0;

        if (!same_name || stmt_col(a, 1) != stmt_col(b, 1)) {
            tell(c, "metric \"%s\" at step %lld: the replay has \"%s\" at step %lld there",
                 stmt_col_text(a, 0), (long long)stmt_col(a, 1), stmt_col_text(b, 0),
                 (long long)stmt_col(b, 1));
            return 0; /* from here on everything is shifted */
        }
        if (stmt_is_null(a, 2) != stmt_is_null(b, 2) || memcmp(&v, &w, sizeof v) != 0)
            tell(c, "metric \"%s\" at step %lld: committed %.17g, replay %.17g",
                 stmt_col_text(a, 0), (long long)stmt_col(a, 1), v, w);
        x = stmt_step(a, err);
        y = stmt_step(b, err);
    }
    if (x > 0 || y > 0)
        tell(c, "the number of metric values differs");
    return x < 0 ? x : MIN(y, 0);
}

static int compare_metrics(struct comparing *c, struct err *err)
{
    struct stmt a = { 0 }, b = { 0 };
    int rc = stmt_prepare(&a, c->s->db, points, NULL, err);

    if (rc == 0)
        rc = stmt_prepare(&b, c->scratch->db, points, NULL, err);
    if (rc == 0) {
        stmt_u64(&a, ":attempt", c->here.attempt);
        stmt_u64(&b, ":attempt", c->there.attempt);
        rc = compare_points(c, &a, &b, err);
    }
    stmt_release(&a);
    stmt_release(&b);
    return rc;
}

static int environment_of(struct store *s, uint64_t attempt, struct buf *out, struct err *err)
{
    struct stmt *st = USE(s, ATTEMPT_ENVIRONMENT);
    int rc;

    stmt_u64(st, ":id", attempt);
    rc = stmt_step(st, err);
    if (rc > 0)
        buf_adds(out, stmt_col_text(st, 0));
    stmt_reset(st);
    return rc < 0 ? rc : 0;
}

/* The replay did not come to a result: why? */
static int tell_failure(struct comparing *c, struct err *err)
{
    struct stmt st = { 0 };
    int rc = stmt_prepare(&st, c->scratch->db,
                          "SELECT outcome, coalesce(text, '') FROM attempt WHERE job = :job ORDER "
                          "BY epoch DESC LIMIT 1",
                          NULL, err);

    if (rc == 0) {
        stmt_u64(&st, ":job", c->job_there);
        rc = stmt_step(&st, err);
    }
    if (rc > 0)
        tell(c, "the replay gave no result: %s %s", stmt_col_text(&st, 0), stmt_col_text(&st, 1));
    else if (rc == 0)
        tell(c, "the replay gave no result: the job is %s", c->there.state);
    stmt_release(&st);
    return rc < 0 ? rc : 0;
}

static int compare(struct comparing *c, struct replay_job *job, struct err *err)
{
    int rc;

    if (strcmp(c->there.state, "DONE") != 0)
        return tell_failure(c, err);
    job->ended = true;
    if (c->here.diverged != c->there.diverged)
        tell(c, "diverged: committed %s, replay %s", c->here.diverged ? "yes" : "no",
             c->there.diverged ? "yes" : "no");
    rc = compare_outputs(c, err);
    if (rc == 0)
        rc = compare_examples(c, job->kind, err);
    if (rc == 0)
        rc = compare_metrics(c, err);
    if (rc == 0)
        rc = environment_of(c->scratch, c->there.attempt, &job->here, err);
    return rc;
}

int replay_compare(struct store *s, struct store *scratch, struct replay_job *job, struct err *err)
{
    struct comparing c = {
        .s = s, .scratch = scratch, .job_here = job->job, .out = &job->differences
    };
    int rc = replay_head(s, job->job, NULL, &c.here, err);

    if (rc == 0)
        rc = store_job_find(scratch, &job->key, &c.job_there, err);
    if (rc == 0)
        rc = replay_head(scratch, c.job_there, NULL, &c.there, err);
    if (rc == 0)
        rc = environment_of(s, c.here.attempt, &job->committed, err);
    if (rc == 0)
        rc = compare(&c, job, err);
    if (c.found > DIFFERENCES_MAX)
        buf_printf(&job->differences, "... %llu differences in all\n", (unsigned long long)c.found);
    job->same = rc == 0 && c.found == 0;
    return rc;
}

int replay_record(struct store *s, const struct replay_job *job, struct err *err)
{
    struct stmt *st;
    int rc = store_begin(s, err);

    if (rc < 0)
        return rc;
    st = USE(s, REPLAY_PUT);
    stmt_u64(st, ":job", job->job);
    stmt_int(st, ":now", store_now());
    stmt_text(st, ":verdict", job->same ? "SAME" : "DIFFERENT");
    stmt_text(st, ":text", buf_str(&job->differences));
    stmt_text(st, ":environment", buf_str(&job->here));
    rc = stmt_run(st, err);
    if (rc < 0) {
        store_rollback(s);
        return rc;
    }
    return store_commit(s, err);
}
