/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/jobs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/store_private.h"

size_t browse_pick_jobs(const struct ledger_view *v, const struct ledger_experiment *e,
                        const struct browse_pick *p, uint64_t *ret, size_t max,
                        uint64_t *ret_matched)
{
    const bool diverged = p->state & LEDGER_DIVERGED;
    uint64_t skipped = 0;
    size_t n = 0;

    *ret_matched = 0;
    for (uint64_t i = 0; i < e->span && e->base + i < v->jobs; i++) {
        const uint8_t state = v->state[e->base + i];

        if (!e->step_of[i] || (p->step >= 0 && e->step_of[i] - 1 != p->step))
            continue;
        if (diverged ? !(state & LEDGER_DIVERGED) : p->state && (state & LEDGER_STATE) != p->state)
            continue;
        (*ret_matched)++;
        if (e->base + i <= p->after || n == max)
            continue;
        if (skipped < p->skip)
            skipped++;
        else
            ret[n++] = e->base + i;
    }
    return n;
}

static int no_job(uint64_t job, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no job %llu", (unsigned long long)job);
}

int browse_job_state(struct store *s, uint64_t job, char ret[16], struct err *err)
{
    struct stmt *st = USE(s, BROWSE_JOB);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc < 0 ? rc : no_job(job, err);
    stmt_copy_text(st, 4, ret, 16);
    stmt_reset(st);
    return 0;
}

static void put_row(const struct stmt *st, struct jsonw *w)
{
    static const char *const numbers[] = { "priority", "tries", "losses", "retries" };

    jsonw_int(w, "id", stmt_col(st, 0));
    jsonw_text(w, "key", stmt_col_text(st, 1));
    jsonw_text(w, "kind", stmt_col_text(st, 2));
    jsonw_text(w, "step", stmt_col_text(st, 3));
    jsonw_text(w, "state", stmt_col_text(st, 4));
    jsonw_bool(w, "diverged", stmt_col(st, 5) != 0);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        jsonw_int(w, numbers[i], stmt_col(st, 6 + (int)i));
    jsonw_bool(w, "paused", stmt_col(st, 13) != 0);
    jsonw_int(w, "attempts", stmt_col(st, 15));
    if (stmt_col(st, 12) > stmt_col(st, 11)) {
        jsonw_int(w, "from", stmt_col(st, 11)); /* examples of its shard */
        jsonw_int(w, "to", stmt_col(st, 12) - 1);
    }
}

/* The last attempt, and how long it took or has run. */
static int put_last(struct store *s, uint64_t job, double running_s, struct jsonw *w,
                    struct err *err)
{
    struct stmt *st = USE(s, BROWSE_ATTEMPT_LAST);
    double seconds = running_s < 0 ? NAN : running_s;
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc > 0) {
        const char *text = stmt_col_text(st, 5);

        jsonw_int(w, "attempt", stmt_col(st, 0));
        jsonw_text(w, "outcome", stmt_col_text(st, 1));
        jsonw_text(w, "worker", stmt_col_text(st, 7));
        jsonw_text_len(w, "text", text ? text : "", text ? strnlen(text, BROWSE_TEXT_MAX) : 0);
        if (isnan(seconds) && !stmt_is_null(st, 4))
            seconds = (double)stmt_col(st, 4) / 1000;
        else if (isnan(seconds) && !stmt_is_null(st, 3))
            seconds = (double)(stmt_col(st, 3) - stmt_col(st, 2)) / 1000;
    } else {
        jsonw_null(w, "attempt");
        jsonw_text(w, "text", "");
    }
    jsonw_real(w, "seconds", seconds);
    stmt_reset(st);
    return MIN(rc, 0);
}

static int put_runs(struct store *s, uint64_t job, struct jsonw *w, struct err *err)
{
    char what[40] = "nobody wants it";
    size_t n = 0;
    int rc = 0;

    jsonw_open_at(w, "runs", '[');
    for (int live = 1; rc == 0 && live >= 0 && n <= BROWSE_RUNS; live--) {
        struct stmt *st = USE(s, BROWSE_JOB_CLAIMS);

        stmt_u64(st, ":job", job);
        stmt_int(st, ":live", live);
        stmt_int(st, ":max", (int64_t)(BROWSE_RUNS + 1 - n));
        while ((rc = stmt_step(st, err)) > 0) {
            if (n++ == 0)
                (void)snprintf(what, sizeof(what), "run %llu",
                               (unsigned long long)stmt_col_u64(st, 0));
            if (n <= BROWSE_RUNS)
                jsonw_int(w, NULL, stmt_col(st, 0));
        }
    }
    jsonw_close(w, ']');
    if (n > 1)
        (void)snprintf(what, sizeof(what), n > BROWSE_RUNS ? "%d runs and more" : "%d runs",
                       (int)MIN(n, (size_t)BROWSE_RUNS));
    jsonw_text(w, "what", what);
    return rc;
}

int browse_put_job(struct store *s, uint64_t job, double running_s, struct jsonw *w,
                   struct err *err)
{
    struct stmt *st = USE(s, BROWSE_JOB);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc < 0 ? rc : no_job(job, err);
    jsonw_open(w, '{');
    put_row(st, w);
    stmt_reset(st);
    jsonw_bool(w, "running", running_s >= 0);
    rc = put_last(s, job, running_s, w, err);
    if (rc == 0)
        rc = put_runs(s, job, w, err);
    jsonw_close(w, '}');
    return rc;
}

int browse_put_log(struct store *s, uint64_t job, struct jsonw *w, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LOG_OF_JOB);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc > 0) {
        size_t len;
        const char *text = stmt_col_text_len(st, 1, &len);
        const size_t skip = len > BROWSE_LOG_MAX ? len - BROWSE_LOG_MAX : 0;

        jsonw_open_at(w, "log", '{');
        jsonw_int(w, "attempt", stmt_col(st, 0));
        jsonw_int(w, "bytes", (int64_t)len);
        jsonw_text_len(w, "text", text + skip, len - skip);
        jsonw_close(w, '}');
    } else if (rc == 0) {
        jsonw_null(w, "log");
    }
    stmt_reset(st);
    return MIN(rc, 0);
}

int browse_put_home(struct store *s, uint64_t run, struct jsonw *w, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_RUN_HOME);
    int rc;

    stmt_u64(st, ":run", run);
    rc = stmt_step(st, err);
    if (rc > 0) {
        jsonw_open_at(w, "experiment", '{');
        jsonw_int(w, "id", stmt_col(st, 0));
        jsonw_text(w, "name", stmt_col_text(st, 1));
        jsonw_close(w, '}');
    } else if (rc == 0) {
        jsonw_null(w, "experiment");
    }
    stmt_reset(st);
    return MIN(rc, 0);
}

int browse_attempt_text(struct store *s, uint64_t attempt, struct buf *ret, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_ATTEMPT);
    int rc;

    stmt_u64(st, ":attempt", attempt);
    rc = stmt_step(st, err);
    buf_clear(ret);
    if (rc > 0) {
        const char *text = stmt_col_text(st, 3);

        if (text)
            buf_add(ret, text, strnlen(text, BROWSE_TEXT_MAX));
    }
    stmt_reset(st);
    return MIN(rc, 0);
}
