/* SPDX-License-Identifier: Apache-2.0 */
#include "store/browse/overview.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/stats/pace.h"
#include "store/store_private.h"

enum {
    IDLE_MS = 60000, /* nothing went on for so long: what came before is another time */
    RATE_MS = 10000,
    MOMENT_MS = 5000,
    REVISIONS_MAX = 100,
    EVENT_TEXT_MAX = 500,
};

/* ---- rows ---- */

static char *dup_text(const struct stmt *st, int column)
{
    const char *s = stmt_col_text(st, column);

    return s ? mem_strdup(s) : NULL;
}

int browse_list_workers(struct store *s, size_t max, struct browse_workers *ret, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_WORKERS);
    int rc;

    stmt_int(st, ":max", (int64_t)max);
    ret->v = mem_calloc(max + 1, sizeof(*ret->v));
    ret->len = 0;
    while ((rc = stmt_step(st, err)) > 0 && ret->len < max)
        ret->v[ret->len++] = (struct browse_worker){
            .id = stmt_col_u64(st, 0),
            .name = dup_text(st, 1),
            .host = dup_text(st, 2),
            .pid = (uint32_t)stmt_col(st, 3),
            .version = dup_text(st, 4),
            .gone = dup_text(st, 5),
            .first_ms = stmt_col(st, 6),
            .last_ms = stmt_col(st, 7),
            .slots = (uint32_t)stmt_col(st, 8),
            .threads = (uint32_t)stmt_col(st, 9),
        };
    stmt_reset(st);
    return MIN(rc, 0);
}

void browse_workers_release(struct browse_workers *w)
{
    for (size_t i = 0; i < w->len; i++) {
        free(w->v[i].name);
        free(w->v[i].host);
        free(w->v[i].version);
        free(w->v[i].gone);
    }
    free(w->v);
    *w = (struct browse_workers){ 0 };
}

/* A number that may be NULL. */
static void put_number(struct jsonw *w, const char *key, const struct stmt *st, int column)
{
    if (stmt_is_null(st, column))
        jsonw_null(w, key);
    else
        jsonw_int(w, key, stmt_col(st, column));
}

int browse_put_events(struct store *s, size_t max, struct jsonw *w, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_EVENTS);
    int rc;

    stmt_int(st, ":max", (int64_t)max);
    jsonw_open_at(w, "events", '[');
    while ((rc = stmt_step(st, err)) > 0) {
        const char *text = stmt_col_text(st, 3);

        jsonw_open(w, '{');
        jsonw_int(w, "id", stmt_col(st, 0));
        jsonw_int(w, "at_ms", stmt_col(st, 1));
        jsonw_text(w, "kind", stmt_col_text(st, 2));
        jsonw_text_len(w, "text", text, strnlen(text, EVENT_TEXT_MAX));
        put_number(w, "job", st, 4);
        put_number(w, "attempt", st, 5);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    return rc;
}

static int64_t size_of(const char *path, const char *suffix)
{
    char name[STORE_PATH_MAX + 8];
    struct stat st;

    (void)snprintf(name, sizeof(name), "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

void browse_put_store(struct store *s, struct jsonw *w)
{
    const char *path = store_path(s);

    jsonw_open_at(w, "store", '{');
    jsonw_text(w, "path", path);
    jsonw_int(w, "schema", store_schema_version(s));
    jsonw_int(w, "bytes", size_of(path, ""));
    jsonw_int(w, "wal_bytes", size_of(path, "-wal"));
    jsonw_close(w, '}');
}

/* ---- rates ---- */

bool browse_goes_on(const struct ledger_pulse *p, uint64_t running, int64_t now_ms)
{
    return running > 0 || (p->last_ms && now_ms - p->last_ms < MOMENT_MS);
}

const char *browse_state(const struct ledger_experiment *e, uint64_t running, int64_t now_ms)
{
    const uint64_t open = e->n.state[LEDGER_WAITING] + e->n.state[LEDGER_READY];

    if (running || (open && !e->cancelled && browse_goes_on(&e->pulse, running, now_ms)))
        return "running";
    if (e->cancelled)
        return "cancelled";
    if (e->ready && !open)
        return e->n.state[LEDGER_FAILED] ? "failed" : "finished";
    return e->paused ? "paused" : "waiting";
}

double browse_rate(const struct ledger_pulse *p, int64_t now_ms)
{
    const int64_t want = MAX((int64_t)RATE_MS, (int64_t)p->len * p->bucket_ms / 10);
    int64_t from = now_ms;
    uint64_t done = 0;

    for (size_t i = p->len; i-- > 0 && from > now_ms - want;) {
        done += p->done[i];
        from = p->from_ms + (int64_t)i * p->bucket_ms;
    }
    return from < now_ms ? (double)done * 1000 / (double)(now_ms - from) : 0;
}

/* The first bucket after the last time that nothing went on for IDLE_MS. What runs now is in no
 * bucket yet: what lies behind the last one is no pause. */
static size_t begin_of_work(const struct ledger_pulse *p)
{
    int64_t idle = 0;

    for (size_t i = p->len; i-- > 0;) {
        idle = p->busy_ms[i] > 0 || p->done[i] ? 0 : idle + p->bucket_ms;
        if (idle >= IDLE_MS)
            return i + (size_t)(idle / p->bucket_ms);
    }
    return 0;
}

bool browse_eta(const struct ledger_pulse *p, uint64_t done, uint64_t left, int64_t now_ms,
                double *ret_low, double *ret_high)
{
    const size_t begin = begin_of_work(p);
    struct pace pace = { .started = false };
    uint64_t seen = 0;

    for (size_t i = begin; i < p->len; i++)
        seen += p->done[i];
    if (!p->len || !left || now_ms <= p->from_ms)
        return false;
    /* Tried again, some are done no more. */
    double units = done > seen ? (double)(done - seen) : 0;

    pace_add(&pace, (uint64_t)(p->from_ms + (int64_t)begin * p->bucket_ms), units, true);
    for (size_t i = begin; i < p->len; i++) {
        const int64_t end = p->from_ms + (int64_t)(i + 1) * p->bucket_ms;

        units += p->done[i];
        pace_add(&pace, (uint64_t)MIN(end, now_ms), units, true);
    }
    pace_add(&pace, (uint64_t)now_ms, units, true);
    return pace_left(&pace, units + (double)left, ret_low, ret_high);
}

/* ---- members ---- */

void browse_put_counts(const struct ledger_counts *n, uint64_t running, struct jsonw *w)
{
    const uint64_t ready = n->state[LEDGER_READY], runs = MIN(running, ready);

    jsonw_int(w, "jobs", (int64_t)n->jobs);
    jsonw_int(w, "done", (int64_t)n->state[LEDGER_DONE]);
    jsonw_int(w, "running", (int64_t)runs);
    jsonw_int(w, "ready", (int64_t)(ready - runs));
    jsonw_int(w, "waiting", (int64_t)n->state[LEDGER_WAITING]);
    jsonw_int(w, "failed", (int64_t)n->state[LEDGER_FAILED]);
    jsonw_int(w, "skipped", (int64_t)n->state[LEDGER_SKIPPED]);
    jsonw_int(w, "cancelled", (int64_t)n->state[LEDGER_CANCELLED]);
    jsonw_int(w, "diverged", (int64_t)n->diverged);
}

void browse_put_pace(const struct ledger_pulse *p, const struct ledger_counts *n, uint64_t running,
                     int64_t now_ms, struct jsonw *w)
{
    const uint64_t left = n->state[LEDGER_WAITING] + n->state[LEDGER_READY];
    double low, high;

    if (browse_goes_on(p, running, now_ms) &&
        browse_eta(p, n->state[LEDGER_DONE], left, now_ms, &low, &high)) {
        /* The two ends are those of a rate: its middle. */
        jsonw_real(w, "eta_s", low > 0 ? 2 / (1 / low + 1 / high) : 0);
        jsonw_real(w, "eta_low_s", low);
        jsonw_real(w, "eta_high_s", high);
    } else {
        jsonw_null(w, "eta_s");
    }
    jsonw_real(w, "per_s", browse_goes_on(p, running, now_ms) ? browse_rate(p, now_ms) : 0);
}

static void put_numbers(const char *key, const uint32_t *v, size_t len, struct jsonw *w)
{
    jsonw_open_at(w, key, '[');
    for (size_t i = 0; i < len; i++)
        jsonw_int(w, NULL, v[i]);
    jsonw_close(w, ']');
}

void browse_put_spark(const struct ledger_pulse *p, struct jsonw *w)
{
    jsonw_open_at(w, "spark", '{');
    jsonw_int(w, "from_ms", p->from_ms);
    jsonw_int(w, "bucket_ms", p->bucket_ms);
    put_numbers("done", p->done, p->len, w);
    put_numbers("failed", p->failed, p->len, w);
    jsonw_open_at(w, "busy", '['); /* attempts that ran at once, on average */
    for (size_t i = 0; i < p->len; i++)
        jsonw_real(w, NULL, round(100.0 * (double)p->busy_ms[i] / (double)p->bucket_ms) / 100);
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

void browse_put_outcomes(const uint64_t outcome[LEDGER_OUTCOMES], struct jsonw *w)
{
    jsonw_open_at(w, "failures", '[');
    for (unsigned i = LEDGER_FAIL; i < LEDGER_OUTCOMES; i++) {
        if (!outcome[i])
            continue;
        jsonw_open(w, '{');
        jsonw_text(w, "outcome", ledger_outcome_name(i));
        jsonw_int(w, "n", (int64_t)outcome[i]);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

void browse_put_experiment(const struct ledger_experiment *e, uint64_t running, int64_t now_ms,
                           struct jsonw *w)
{
    jsonw_int(w, "id", (int64_t)e->id);
    jsonw_text(w, "name", e->name);
    jsonw_int(w, "revision", (int64_t)e->number);
    jsonw_text(w, "state", browse_state(e, running, now_ms));
    jsonw_bool(w, "paused", e->paused);
    jsonw_bool(w, "cancelled_by_user", e->cancelled);
    jsonw_int(w, "priority", e->priority);
    jsonw_int(w, "runs", (int64_t)e->runs);
    jsonw_bool(w, "counted", e->ready); /* false: the jobs are being counted still */
    jsonw_real(w, "counted_share", e->counted);
    browse_put_counts(&e->n, running, w);
    jsonw_int(w, "submitted_ms", e->submitted_ms);
    if (e->pulse.last_ms)
        jsonw_int(w, "last_ms", e->pulse.last_ms);
    else
        jsonw_null(w, "last_ms");
    browse_put_pace(&e->pulse, &e->n, running, now_ms, w);
    browse_put_spark(&e->pulse, w);
    browse_put_outcomes(e->outcome, w);
}

/* ---- one experiment's rows ---- */

static int add_name(const struct store_experiment *e, void *arg)
{
    struct buf *text = arg;

    if (text->len < 200)
        buf_printf(text, "%s%llu (%s)", text->len ? ", " : "", (unsigned long long)e->id, e->name);
    return 0;
}

int browse_no_experiment(struct store *s, uint64_t id, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = store_list_experiments(s, add_name, &text, err);

    if (rc < 0)
        return rc;
    return err_set(err, ERR_NOT_FOUND, "there is no experiment %llu; there %s %s",
                   (unsigned long long)id, text.len ? "are" : "is",
                   text.len ? buf_str(&text) : "none yet");
}

int browse_put_revisions(struct store *s, uint64_t id, struct jsonw *w, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_EXPERIMENT);
    int rc;

    stmt_u64(st, ":experiment", id);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc < 0 ? rc : browse_no_experiment(s, id, err);
    jsonw_text(w, "recipe", stmt_col_text(st, 3));
    jsonw_text(w, "git", stmt_col_text(st, 4));
    stmt_reset(st);
    st = USE(s, BROWSE_REVISIONS);
    stmt_u64(st, ":experiment", id);
    stmt_int(st, ":max", REVISIONS_MAX);
    jsonw_open_at(w, "revisions", '[');
    while ((rc = stmt_step(st, err)) > 0) {
        jsonw_open(w, '{');
        jsonw_int(w, "number", stmt_col(st, 0));
        jsonw_int(w, "submitted_ms", stmt_col(st, 1));
        jsonw_text(w, "recipe", stmt_col_text(st, 2));
        jsonw_text(w, "git", stmt_col_text(st, 3));
        jsonw_text(w, "digest", stmt_col_text(st, 4));
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    return rc;
}

int browse_put_recipe(struct store *s, uint64_t id, uint64_t number, struct jsonw *w,
                      struct err *err)
{
    struct stmt *st = USE(s, BROWSE_EXPERIMENT);
    int rc;

    stmt_u64(st, ":experiment", id);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc < 0 ? rc : browse_no_experiment(s, id, err);
    const uint64_t latest = stmt_col_u64(st, 2);
    stmt_reset(st);
    st = USE(s, BROWSE_RECIPE);
    stmt_u64(st, ":experiment", id);
    stmt_u64(st, ":number", number ? number : latest);
    rc = stmt_step(st, err);
    if (rc == 0)
        return err_set(
            err, ERR_NOT_FOUND, "experiment %llu has no revision %llu; its revisions are 1..%llu",
            (unsigned long long)id, (unsigned long long)number, (unsigned long long)latest);
    if (rc < 0)
        return rc;
    jsonw_text(w, "text", stmt_col_text(st, 0));
    jsonw_text(w, "path", stmt_col_text(st, 1));
    jsonw_int(w, "revision", stmt_col(st, 2));
    stmt_reset(st);
    return 0;
}
