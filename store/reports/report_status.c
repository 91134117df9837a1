/* SPDX-License-Identifier: Apache-2.0 */
/* report_status.c - how far experiments are, by what the file tells: {"experiments": [{"name",
 * "revision", "finished", "paused", "priority", "steps": [...], "failures": [...]}...], "more"}.
 * What runs now is the coordinator's knowledge. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = { { "experiment", ARG_TEXT,
                                            false }, /* "": all, the latest first */
                                          { "limit", ARG_INTEGER, false }, /* experiments; 0: 50 */
                                          { 0 } };

enum { LIMIT = 50, LIMIT_MAX = 10000, FAILURES_MAX = 100 };

struct found {
    uint64_t id;
    char *name;
    int64_t revision, priority, submitted_ms;
    bool cancelled, paused;
};

struct all {
    struct found *v;
    size_t len;
};

static void all_release(struct all *a)
{
    for (size_t i = 0; i < a->len; i++)
        free(a->v[i].name);
    free(a->v);
}

static int find(struct store *s, uint64_t only, int64_t max, struct all *a, struct err *err)
{
    struct stmt *st = USE(s, REPORT_EXPERIMENTS);
    int rc;

    stmt_u64(st, ":experiment", only);
    stmt_int(st, ":max", max);
    while ((rc = stmt_step(st, err)) > 0) {
        a->v = mem_realloc(a->v, a->len + 1, sizeof(*a->v));
        a->v[a->len++] = (struct found){
            .id = stmt_col_u64(st, 0),
            .name = mem_strdup(stmt_col_text(st, 1)),
            .revision = stmt_col(st, 2),
            .cancelled = stmt_col(st, 3) != 0,
            .paused = stmt_col(st, 4) != 0,
            .priority = stmt_col(st, 5),
            .submitted_ms = stmt_col(st, 6),
        };
    }
    return rc;
}

struct listing {
    struct report_call *c;
    size_t failures;
    bool open; /* a step has WAITING or READY jobs */
};

static int put_step(const struct store_step_status *st, void *arg)
{
    struct listing *l = arg;
    struct jsonw *w = &l->c->w;

    l->open = l->open || st->waiting || st->ready;
    jsonw_open(w, '{');
    jsonw_text(w, "step", st->step);
    jsonw_text(w, "kind", st->kind);
    jsonw_int(w, "jobs", st->jobs);
    jsonw_int(w, "done", st->done);
    jsonw_int(w, "failed", st->failed);
    jsonw_int(w, "cancelled", st->cancelled);
    jsonw_int(w, "skipped", st->skipped);
    jsonw_int(w, "diverged", st->diverged);
    jsonw_int(w, "waiting", st->waiting);
    jsonw_int(w, "ready", st->ready);
    jsonw_int(w, "units_done", (int64_t)st->units_done);
    jsonw_int(w, "units_total", (int64_t)st->units_total);
    jsonw_real(w, "seconds", st->seconds_spent);
    jsonw_close(w, '}');
    return 0;
}

static int put_failure(const char *text, void *arg)
{
    struct listing *l = arg;

    if (l->failures++ == FAILURES_MAX)
        return 1;
    jsonw_text(&l->c->w, NULL, text);
    return 0;
}

static int put_experiment(struct report_call *c, const struct found *f, struct err *err)
{
    struct listing l = { .c = c };
    struct jsonw *w = &c->w;
    int rc;

    jsonw_open(w, '{');
    jsonw_text(w, "name", f->name);
    jsonw_int(w, "revision", f->revision);
    jsonw_int(w, "submitted_ms", f->submitted_ms);
    jsonw_bool(w, "cancelled", f->cancelled);
    jsonw_bool(w, "paused", f->paused);
    jsonw_int(w, "priority", f->priority);
    jsonw_open_at(w, "steps", '[');
    rc = store_status(c->s, f->id, put_step, &l, err);
    jsonw_close(w, ']');
    jsonw_bool(w, "finished", !l.open);
    jsonw_open_at(w, "failures", '[');
    if (!rc)
        rc = store_failures(c->s, f->id, put_failure, &l, err);
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    return rc < 0 ? rc : report_fits(c, err);
}

static int make(struct report_call *c, struct err *err)
{
    struct all a CLEANUP(all_release) = { 0 };
    const int64_t limit = arg_integer(c, "limit", 0), max = limit ? limit : LIMIT;
    uint64_t only = 0;
    int rc = 0;

    if (limit < 0 || limit > LIMIT_MAX)
        return err_set(err, ERR_INVALID, "report status: limit is 1..%d", LIMIT_MAX);
    if (*arg_text(c, "experiment", ""))
        rc = report_experiment(c, "experiment", &only, err);
    rc = rc ? rc : find(c->s, only, max + 1, &a, err);
    jsonw_open_at(&c->w, "experiments", '[');
    for (size_t i = 0; !rc && i < a.len && (int64_t)i < max; i++)
        rc = put_experiment(c, &a.v[i], err);
    jsonw_close(&c->w, ']');
    jsonw_bool(&c->w, "more", (int64_t)a.len > max);
    return rc;
}

const struct report report_status = { "status", "How far experiments are, by what the file tells.",
                                      args, make };
