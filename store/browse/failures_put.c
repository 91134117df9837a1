/* SPDX-License-Identifier: Apache-2.0 */
/* failures_put.c - from the store: what the errors say, which runs they hit. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/browse/failures.h"
#include "store/store_private.h"

enum { RUNS_READ = 200 /* of a job */, TEXT_MAX = 4000 };

/* Failures whose texts are the same but for numbers. */
struct group {
    char *blurred, *text; /* as the first one says it */
    bool same;            /* all say it so */
    uint64_t picked;      /* jobs that were read */
    uint64_t job, attempt;
    struct store_ids runs; /* of them, sorted at the end */
    bool more_runs;        /* a job had more than were read */
};

struct groups {
    struct group *v;
    size_t len;
};

static void groups_release(struct groups *g)
{
    for (size_t i = 0; i < g->len; i++) {
        free(g->v[i].blurred);
        free(g->v[i].text);
        store_ids_release(&g->v[i].runs);
    }
    free(g->v);
}

static struct group *group_of(struct groups *g, const char *text, size_t len)
{
    struct buf blurred CLEANUP(buf_release) = { 0 };

    failures_blur(text, len, &blurred);
    for (size_t i = 0; i < g->len; i++) {
        if (strcmp(g->v[i].blurred, buf_str(&blurred)) != 0)
            continue;
        g->v[i].same =
            g->v[i].same && strlen(g->v[i].text) == len && memcmp(g->v[i].text, text, len) == 0;
        return &g->v[i];
    }
    g->v = mem_realloc(g->v, g->len + 1, sizeof(*g->v));
    g->v[g->len] = (struct group){ .same = true };
    g->v[g->len].text = mem_calloc(len + 1, 1);
    memcpy(g->v[g->len].text, text, len);
    g->v[g->len].blurred = buf_detach(&blurred);
    return &g->v[g->len++];
}

/* Text of ATTEMPT, else of JOB's last one, into TEXT; *RET_ATTEMPT: whose. */
static int read_text(struct store *s, const struct failures_pick *p, struct buf *text,
                     uint64_t *ret_attempt, struct err *err)
{
    struct stmt *st = p->attempt ? USE(s, BROWSE_ATTEMPT) : USE(s, BROWSE_ATTEMPT_LAST);
    int rc;

    if (p->attempt)
        stmt_u64(st, ":attempt", p->attempt);
    else
        stmt_u64(st, ":job", p->job);
    rc = stmt_step(st, err);
    buf_clear(text);
    *ret_attempt = 0;
    if (rc > 0) {
        const char *said = stmt_col_text(st, p->attempt ? 3 : 5);

        *ret_attempt = stmt_col_u64(st, 0);
        if (said)
            buf_add(text, said, strnlen(said, TEXT_MAX));
    }
    stmt_reset(st);
    return MIN(rc, 0);
}

static int read_runs(struct store *s, uint64_t job, struct group *g, struct err *err)
{
    int rc = 0;

    for (int live = 1; rc == 0 && live >= 0; live--) {
        struct stmt *st = USE(s, BROWSE_JOB_CLAIMS);
        size_t n = 0;

        stmt_u64(st, ":job", job);
        stmt_int(st, ":live", live);
        stmt_int(st, ":max", RUNS_READ);
        while ((rc = stmt_step(st, err)) > 0) {
            store_ids_add(&g->runs, stmt_col_u64(st, 0));
            g->more_runs = g->more_runs || ++n == RUNS_READ;
        }
    }
    return rc;
}

static int read_kind(struct store *s, const struct failures_kind *k, struct groups *g,
                     struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < k->picks; i++) {
        uint64_t attempt;

        rc = read_text(s, &k->pick[i], &text, &attempt, err);
        if (rc < 0)
            return rc;
        struct group *of = group_of(g, buf_str(&text), text.len);
        if (!of->picked++) {
            of->job = k->pick[i].job;
            of->attempt = attempt;
        }
        rc = read_runs(s, k->pick[i].job, of, err);
    }
    return rc;
}

/* ---- JSON ---- */

static int by_id(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void sort_runs(struct store_ids *ids)
{
    size_t n = 0;

    if (ids->len)
        qsort(ids->v, ids->len, sizeof(ids->v[0]), by_id);
    for (size_t i = 0; i < ids->len; i++)
        if (n == 0 || ids->v[n - 1] != ids->v[i])
            ids->v[n++] = ids->v[i];
    ids->len = n;
}

/* The log of the attempt, or another one's of its job: a worker that died sent none. */
static int put_log(struct store *s, uint64_t job, struct jsonw *w, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LOG_OF_JOB);
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc > 0) {
        size_t len;
        const char *text = stmt_col_text_len(st, 1, &len);
        const size_t skip = len > FAILURES_LOG_BYTES ? len - FAILURES_LOG_BYTES : 0;
        const char *line = skip ? memchr(text + skip, '\n', len - skip) : NULL;
        const char *from = line ? line + 1 : text + skip;

        jsonw_text_len(w, "log_tail", from, len - (size_t)(from - text));
    } else {
        jsonw_null(w, "log_tail");
    }
    stmt_reset(st);
    return MIN(rc, 0);
}

static int put_group(struct store *s, const struct failures_kind *k, struct group *g,
                     struct jsonw *w, struct err *err)
{
    const double scale = k->picks ? (double)k->jobs / (double)k->picks : 1;
    const bool sampled = k->jobs > k->picks;
    int rc;

    sort_runs(&g->runs);
    jsonw_open(w, '{');
    jsonw_text(w, "step", k->step);
    jsonw_text(w, "kind", k->kind);
    jsonw_text(w, "outcome", ledger_outcome_name(k->outcome));
    jsonw_text(w, "text", g->text);
    jsonw_text(w, "alike", g->same ? NULL : g->blurred); /* what their texts have in common */
    jsonw_text(w, "remedy", failures_remedy(k->outcome));
    jsonw_int(w, "jobs", sampled ? (int64_t)((double)g->picked * scale + 0.5) : (int64_t)g->picked);
    jsonw_bool(w, "estimated", sampled);
    jsonw_int(w, "runs",
              sampled ? (int64_t)((double)g->runs.len * scale + 0.5) : (int64_t)g->runs.len);
    jsonw_bool(w, "more_runs", g->more_runs);
    jsonw_open_at(w, "run_ids", '[');
    for (size_t i = 0; i < MIN(g->runs.len, (size_t)FAILURES_RUNS); i++)
        jsonw_int(w, NULL, (int64_t)g->runs.v[i]);
    jsonw_close(w, ']');
    jsonw_int(w, "first_ms", k->first_ms);
    jsonw_int(w, "last_ms", k->last_ms);
    jsonw_open_at(w, "sample", '{');
    jsonw_int(w, "job", (int64_t)g->job);
    if (g->runs.len)
        jsonw_int(w, "run", (int64_t)g->runs.v[0]);
    else
        jsonw_null(w, "run");
    jsonw_int(w, "attempt", (int64_t)g->attempt);
    rc = put_log(s, g->job, w, err);
    jsonw_close(w, '}');
    jsonw_close(w, '}');
    return rc;
}

static int by_picked(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    return (x->picked < y->picked) - (x->picked > y->picked);
}

static int put_groups(struct store *s, const struct failures *f, struct jsonw *w, struct err *err)
{
    size_t shown = 0;
    int rc = 0;

    jsonw_open_at(w, "groups", '[');
    for (size_t i = 0; rc == 0 && i < f->kinds && shown < FAILURES_GROUPS; i++) {
        struct groups g CLEANUP(groups_release) = { 0 };

        rc = read_kind(s, &f->kind[i], &g, err);
        if (rc == 0 && g.len)
            qsort(g.v, g.len, sizeof(*g.v), by_picked);
        for (size_t k = 0; rc == 0 && k < g.len && shown < FAILURES_GROUPS; k++, shown++)
            rc = put_group(s, &f->kind[i], &g.v[k], w, err);
    }
    jsonw_close(w, ']');
    return rc;
}

/* How often, and the causes of the newest. */
static int put_lost(struct store *s, const struct failures *f, struct jsonw *w, struct err *err)
{
    struct groups g CLEANUP(groups_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < f->losts; i++) {
        const struct failures_pick p = { .attempt = f->lost[i] };
        uint64_t attempt;

        rc = read_text(s, &p, &text, &attempt, err);
        if (rc == 0)
            group_of(&g, buf_str(&text), text.len)->picked++;
    }
    if (g.len)
        qsort(g.v, g.len, sizeof(*g.v), by_picked);
    jsonw_open_at(w, "lost_causes", '[');
    for (size_t i = 0; rc == 0 && i < MIN(g.len, 20u); i++) {
        jsonw_open(w, '{');
        jsonw_text(w, "text", g.v[i].text);
        jsonw_int(w, "n", (int64_t)g.v[i].picked);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
    jsonw_int(w, "lost_read", (int64_t)f->losts); /* the newest, whose causes these are */
    return rc;
}

static void put_outcomes(const struct failures *f, const char *key, bool lost, struct jsonw *w)
{
    jsonw_open_at(w, key, '[');
    for (unsigned i = LEDGER_OK; i < LEDGER_OUTCOMES; i++) {
        if (!f->outcome[i] || (lost && i != LEDGER_LOST && i != LEDGER_PREEMPTED))
            continue;
        jsonw_open(w, '{');
        jsonw_text(w, "outcome", ledger_outcome_name(i));
        jsonw_int(w, "n", (int64_t)f->outcome[i]);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

int failures_put(struct store *s, const struct failures *f, struct jsonw *w, struct err *err)
{
    int rc = put_groups(s, f, w, err);

    put_outcomes(f, "lost_attempts", true, w);
    put_outcomes(f, "attempts", false, w);
    jsonw_open_at(w, "jobs", '{');
    jsonw_int(w, "failed", (int64_t)f->failed);
    jsonw_int(w, "diverged", (int64_t)f->diverged);
    jsonw_int(w, "skipped", (int64_t)f->skipped);
    jsonw_int(w, "cancelled", (int64_t)f->cancelled);
    jsonw_close(w, '}');
    return rc ? rc : put_lost(s, f, w, err);
}
