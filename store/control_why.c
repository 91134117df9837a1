/* SPDX-License-Identifier: Apache-2.0 */
/* control_why.c - why a job, or an experiment's jobs, do not run: as far as the store knows
 * (control.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "store/control.h"
#include "store/read.h"
#include "store/store_private.h"

enum { NEEDS_SHOWN = 10, RULE_BYTES = 1024 };

void store_why_add(struct store_why *w, const char *rule, const char *format, ...)
{
    char text[RULE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    w->rules = mem_realloc(w->rules, w->len + 1, sizeof(*w->rules));
    w->rules[w->len++] = (struct store_rule){ rule, mem_strdup(text) };
}

void store_why_release(struct store_why *w)
{
    for (size_t i = 0; i < w->len; i++)
        free(w->rules[i].text);
    free(w->rules);
    *w = (struct store_why){ 0 };
}

void store_why_json(const struct store_why *w, struct buf *ret)
{
    struct jsonw j = { .to = ret };

    jsonw_open(&j, '{');
    jsonw_int(&j, "version", 1);
    if (w->job) {
        jsonw_int(&j, "job", (int64_t)w->job);
        jsonw_text(&j, "key", w->key);
        jsonw_text(&j, "step", w->name);
    } else {
        jsonw_text(&j, "experiment", w->name);
    }
    jsonw_text(&j, "state", w->state);
    jsonw_open_at(&j, "rules", '[');
    for (size_t i = 0; i < w->len; i++) {
        jsonw_open(&j, '{');
        jsonw_text(&j, "rule", w->rules[i].rule);
        jsonw_text(&j, "text", w->rules[i].text);
        jsonw_close(&j, '}');
    }
    jsonw_close(&j, ']');
    jsonw_close(&j, '}');
}

/* ---- a job ---- */

static int load_job(struct store *s, uint64_t job, struct store_why *w, bool *ret_wanted,
                    bool *ret_paused, struct err *err)
{
    struct stmt *st = USE(s, CONTROL_JOB);
    struct digest key;
    char hex[DIGEST_HEX];
    int rc;

    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no job j%llu", (unsigned long long)job);
    w->job = job;
    stmt_copy_text(st, 0, w->state, sizeof(w->state));
    *ret_paused = stmt_col(st, 2) != 0;
    key = stmt_col_digest(st, 4);
    (void)snprintf(w->key, sizeof(w->key), "%.16s", digest_hex(&key, hex));
    stmt_copy_text(st, 5, w->name, sizeof(w->name));
    *ret_wanted = stmt_col(st, 9) != 0;
    stmt_reset(st);
    return 0;
}

/* How the last attempt of JOB ended: "OOM: text"; "" when none has. */
static int last_end(struct store *s, uint64_t job, char *to, size_t size, uint64_t *ret_attempt,
                    struct err *err)
{
    struct stmt *st = USE(s, WHY_ATTEMPT);
    int rc;

    to[0] = '\0';
    *ret_attempt = 0;
    stmt_u64(st, ":job", job);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret_attempt = stmt_col_u64(st, 0);
    (void)snprintf(to, size, "%s%s%.600s", stmt_col_text(st, 1),
                   stmt_col_text(st, 2)[0] ? ": " : "", stmt_col_text(st, 2));
    stmt_reset(st);
    return 0;
}

/* Which experiments want it: paused ones are named when they hold it up, cancelled ones when nobody
 * is left. */
static int add_claims(struct store *s, struct store_why *w, bool wanted, bool paused,
                      struct err *err)
{
    struct stmt *st = USE(s, WHY_CLAIMS);
    bool cancelled = false;
    int rc;

    stmt_u64(st, ":job", w->job);
    while ((rc = stmt_step(st, err)) > 0) {
        const char *name = stmt_col_text(st, 0);

        if (paused && stmt_col(st, 1) && stmt_col(st, 3))
            store_why_add(w, "paused", "experiment %.200s is paused; go on with: drover resume %s",
                          name, name);
        if (!wanted && stmt_col(st, 2)) {
            store_why_add(w, "claim",
                          "experiment %.200s was cancelled; drover retry %s wants it "
                          "again",
                          name, name);
            cancelled = true;
        }
    }
    if (rc == 0 && !wanted && !cancelled)
        store_why_add(w, "claim",
                      "no run wants it any more: the runs that did were left out of a "
                      "later submission, or sorted out by halving");
    return rc;
}

/* What it needs and has not. */
static int add_needs(struct store *s, struct store_why *w, struct err *err)
{
    struct stmt *st = USE(s, WHY_NEEDS);
    size_t left_out = 0, shown = 0;
    int rc;

    stmt_u64(st, ":job", w->job);
    while ((rc = stmt_step(st, err)) > 0) {
        bool gate = strcmp(stmt_col_text(st, 2), "select") == 0 &&
                    strncmp(stmt_col_text(st, 1), "halving.", 8) == 0;
        unsigned long long need = stmt_col_u64(st, 0);

        if (shown == NEEDS_SHOWN) {
            left_out++;
            continue;
        }
        shown++;
        if (stmt_col(st, 4))
            store_why_add(w, "diverged", "job j%llu (step %.64s), which it needs, diverged", need,
                          stmt_col_text(st, 1));
        else if (gate)
            store_why_add(w, "gate", "job j%llu (%.64s), which decides who goes on, is %s", need,
                          stmt_col_text(st, 1), stmt_col_text(st, 3));
        else
            store_why_add(w, "needs", "job j%llu (step %.64s), which it needs, is %s", need,
                          stmt_col_text(st, 1), stmt_col_text(st, 3));
    }
    if (rc == 0 && left_out > 0)
        store_why_add(w, "needs", "and %zu more jobs that it needs are not done", left_out);
    return rc;
}

static int add_end(struct store *s, struct store_why *w, struct err *err)
{
    char text[700];
    uint64_t attempt;
    int rc = last_end(s, w->job, text, sizeof(text), &attempt, err);

    if (rc < 0)
        return rc;
    if (strcmp(w->state, "DONE") == 0 && attempt)
        store_why_add(w, "done", "its result is stored");
    else if (strcmp(w->state, "DONE") == 0)
        store_why_add(w, "done", "its examples were all there already");
    else if (strcmp(w->state, "FAILED") == 0)
        store_why_add(w, "failed", "attempt %llu ended %s; another try: drover retry j%llu",
                      (unsigned long long)attempt, text, (unsigned long long)w->job);
    else if (text[0] && strncmp(text, "DONE", 4) != 0)
        store_why_add(w, "last", "its last attempt, %llu, ended %s", (unsigned long long)attempt,
                      text);
    return 0;
}

int store_why_job(struct store *s, uint64_t job, struct store_why *ret, struct err *err)
{
    bool wanted = false, paused = false, open;
    int rc;

    *ret = (struct store_why){ 0 };
    rc = load_job(s, job, ret, &wanted, &paused, err);
    if (rc < 0)
        return rc;
    open = strcmp(ret->state, "DONE") != 0;
    if (open && strcmp(ret->state, "FAILED") != 0)
        rc = add_claims(s, ret, wanted, paused && wanted, err);
    if (rc == 0 && open && strcmp(ret->state, "READY") != 0)
        rc = add_needs(s, ret, err);
    if (rc == 0)
        rc = add_end(s, ret, err);
    if (rc < 0)
        store_why_release(ret);
    return rc;
}

/* ---- an experiment ---- */

static int load_experiment(struct store *s, uint64_t experiment, struct store_why *w,
                           struct err *err)
{
    struct stmt *st = USE(s, CONTROL_GET);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no experiment %llu", (unsigned long long)experiment);
    w->experiment = experiment;
    stmt_copy_text(st, 0, w->name, sizeof(w->name));
    if (stmt_col(st, 1))
        store_why_add(w, "paused", "it is paused; go on with: drover resume %s", w->name);
    if (stmt_col(st, 3))
        store_why_add(w, "cancelled", "it was cancelled; drover retry %s wants its jobs again",
                      w->name);
    stmt_reset(st);
    return 0;
}

/* A job of those that failed, for its text. */
static int add_failed(struct store *s, struct store_why *w, uint64_t jobs, uint64_t first,
                      struct err *err)
{
    char text[700];
    uint64_t attempt;
    int rc = last_end(s, first, text, sizeof(text), &attempt, err);

    if (rc == 0)
        store_why_add(w, "failed",
                      "%llu jobs failed; the first, job j%llu, ended %s; another try: "
                      "drover retry %s",
                      (unsigned long long)jobs, (unsigned long long)first, text, w->name);
    return rc;
}

struct state_count {
    char state[16];
    bool paused, live;
    uint64_t jobs, first;
};

static int add_state(struct store *s, struct store_why *w, const struct state_count *c,
                     struct err *err)
{
    unsigned long long jobs = c->jobs;

    if (strcmp(c->state, "FAILED") == 0 && c->live)
        return add_failed(s, w, c->jobs, c->first, err);
    if (strcmp(c->state, "SKIPPED") == 0 && c->live)
        store_why_add(w, "skipped",
                      "%llu jobs were skipped because what they need failed or "
                      "diverged; the first is job j%llu",
                      jobs, (unsigned long long)c->first);
    else if (strcmp(c->state, "SKIPPED") == 0)
        store_why_add(w, "halving", "%llu jobs were sorted out by halving", jobs);
    else if (strcmp(c->state, "READY") == 0 && c->live && !c->paused)
        store_why_add(w, "ready", "%llu jobs are ready or run; the first is job j%llu", jobs,
                      (unsigned long long)c->first);
    else if (strcmp(c->state, "WAITING") == 0 && c->live)
        store_why_add(w, "needs", "%llu jobs wait for others; the first is job j%llu", jobs,
                      (unsigned long long)c->first);
    return 0;
}

static int add_states(struct store *s, uint64_t experiment, struct store_why *w, struct err *err)
{
    enum { ROWS = 24 }; /* 6 states, paused or not, live or not */
    struct state_count c[ROWS];
    uint64_t open = 0, done = 0, live_done;
    struct stmt *st = USE(s, WHY_STATES);
    size_t n = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0 && n < ROWS) {
        stmt_copy_text(st, 0, c[n].state, sizeof(c[n].state));
        c[n].paused = stmt_col(st, 1) != 0;
        c[n].live = stmt_col(st, 2) != 0;
        c[n].jobs = stmt_col_u64(st, 3);
        c[n].first = stmt_col_u64(st, 4);
        live_done = strcmp(c[n].state, "DONE") == 0 ? c[n].jobs : 0;
        done += live_done;
        if (c[n].live && (strcmp(c[n].state, "READY") == 0 || strcmp(c[n].state, "WAITING") == 0))
            open += c[n].jobs;
        n++;
    }
    stmt_reset(st);
    for (size_t i = 0; i < n && rc >= 0; i++)
        rc = add_state(s, w, &c[i], err);
    (void)snprintf(w->state, sizeof(w->state), "%s", open ? "OPEN" : "OVER");
    if (rc >= 0 && !open)
        store_why_add(w, "over", "nothing is left to run; %llu jobs are done",
                      (unsigned long long)done);
    return MIN(rc, 0);
}

static int add_waited_for(struct store *s, uint64_t experiment, struct store_why *w,
                          struct err *err)
{
    struct stmt *st = USE(s, WHY_WAITS_FOR);
    int rc;

    stmt_u64(st, ":experiment", experiment);
    while ((rc = stmt_step(st, err)) > 0)
        store_why_add(w, "needs", "%llu of them wait for job j%llu (step %.64s), which is %s",
                      (unsigned long long)stmt_col_u64(st, 3),
                      (unsigned long long)stmt_col_u64(st, 0), stmt_col_text(st, 1),
                      stmt_col_text(st, 2));
    return rc;
}

int store_why_experiment(struct store *s, uint64_t experiment, struct store_why *ret,
                         struct err *err)
{
    int rc;

    *ret = (struct store_why){ 0 };
    rc = load_experiment(s, experiment, ret, err);
    if (rc == 0)
        rc = add_states(s, experiment, ret, err);
    if (rc == 0)
        rc = add_waited_for(s, experiment, ret, err);
    if (rc < 0)
        store_why_release(ret);
    return rc;
}
