/* SPDX-License-Identifier: Apache-2.0 */
/* api_jobs.c - /experiments/:id/jobs, /jobs/:id, /runs/:id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "dashboards/api_farm.h"
#include "store/browse/jobs.h"
#include "store/control.h"
#include "store/reports/reports.h"
#include "store/store.h"

enum {
    JOBS_USUAL = 100,
    JOBS_MAX = 500,
    RUN_JOBS = 500,    /* of a run, in its document */
    WHY_WAIT_MS = 300, /* for the coordinator's word */
};

/* ---- a page of jobs ---- */

struct job_page {
    struct browse_pick pick;
    bool running; /* only those that run now */
    size_t limit;
    uint64_t *job;
    double *seconds; /* that it has run; < 0: it does not */
    size_t len;
    uint64_t matched;
    bool more;
};

static void page_release(struct job_page *p)
{
    free(p->job);
    free(p->seconds);
}

static int read_state(struct job_page *p, const char *word, struct err *err)
{
    static const char *const words[] = { "waiting",   "ready",   "running",  "done", "failed",
                                         "cancelled", "skipped", "diverged", NULL };
    const char *near;

    if (!word || !*word)
        return 0;
    p->running = strcasecmp(word, "running") == 0;
    p->pick.state = ledger_state_of(word);
    if (strcasecmp(word, "diverged") == 0)
        p->pick.state = LEDGER_DONE | LEDGER_DIVERGED;
    if (p->running || p->pick.state)
        return 0;
    near = nearest_find(word, words);
    return err_set(err, ERR_INVALID,
                   "\"%.40s\" is no state%s%s%s; take waiting, ready, running, done, failed, "
                   "cancelled, skipped or diverged",
                   word, near ? ", did you mean \"" : "", near ? near : "", near ? "\"" : "");
}

static int read_step(struct job_page *p, const struct ledger_experiment *e, const char *name,
                     struct err *err)
{
    struct buf list CLEANUP(buf_release) = { 0 };

    p->pick.step = -1;
    if (!name || !*name)
        return 0;
    for (size_t i = 0; i < e->steps; i++) {
        if (strcmp(e->step[i].name, name) == 0)
            p->pick.step = (int)i;
        if (list.len < 200)
            buf_printf(&list, "%s%s", i ? ", " : "", e->step[i].name);
    }
    return p->pick.step >= 0
               ? 0
               : err_set(err, ERR_NOT_FOUND, "%s has no step \"%.60s\"; its steps are %s", e->name,
                         name, buf_str(&list));
}

static void pick_running(const struct farm *f, const struct ledger_experiment *e,
                         struct job_page *p)
{
    uint64_t skipped = 0;

    for (size_t i = 0; i < f->running.len; i++) {
        const uint64_t job = f->running.v[i].job;
        const int step = ledger_step_of(e, job);

        if (step < 0 || (p->pick.step >= 0 && step != p->pick.step))
            continue;
        p->matched++;
        if (job <= p->pick.after || p->len > p->limit)
            continue;
        if (skipped < p->pick.skip)
            skipped++;
        else
            p->job[p->len++] = job;
    }
}

static int pick(struct api_call *c, uint64_t id, struct job_page *p, struct err *err)
{
    struct farm f CLEANUP(farm_release) = { 0 };
    const struct ledger_experiment *e;
    int rc;

    p->job = mem_calloc(p->limit + 1, sizeof(*p->job));
    p->seconds = mem_calloc(p->limit + 1, sizeof(*p->seconds));
    farm_hold(&f, c);
    rc = farm_experiment(&f, c, id, &e, err);
    if (!rc)
        rc = read_step(p, e, request_text(c->request, "step"), err);
    if (rc)
        return rc;
    if (p->running)
        pick_running(&f, e, p);
    else
        p->len = browse_pick_jobs(f.v, e, &p->pick, p->job, p->limit + 1, &p->matched);
    p->more = p->len > p->limit;
    p->len = MIN(p->len, p->limit);
    for (size_t i = 0; i < p->len; i++) {
        const struct running_job *r = running_find(&f.running, p->job[i]);

        p->seconds[i] = r ? r->seconds : -1;
    }
    return 0;
}

static int read_page(struct api_call *c, struct job_page *p, uint64_t *ret_id, struct err *err)
{
    static const char *const names[] = { "step", "state", "after", "skip", "limit", NULL };
    int64_t limit = JOBS_USUAL, after = 0, skip = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, ret_id, err);
    if (!rc)
        rc = request_integer(c->request, "limit", JOBS_USUAL, 1, JOBS_MAX, &limit, err);
    if (!rc)
        rc = request_integer(c->request, "after", 0, 0, INT64_MAX, &after, err);
    if (!rc)
        rc = request_integer(c->request, "skip", 0, 0, INT64_MAX, &skip, err);
    if (!rc)
        rc = read_state(p, request_text(c->request, "state"), err);
    p->limit = (size_t)limit;
    p->pick.after = (uint64_t)after;
    p->pick.skip = (uint64_t)skip;
    return rc;
}

int api_jobs(struct api_call *c, struct err *err)
{
    struct job_page p CLEANUP(page_release) = { .limit = 0 };
    struct jsonw w = { .to = c->out };
    uint64_t id = 0;
    int rc = read_page(c, &p, &id, err);

    if (!rc)
        rc = pick(c, id, &p, err);
    if (rc)
        return rc;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_int(&w, "matched", (int64_t)p.matched);
    jsonw_open_at(&w, "jobs", '[');
    for (size_t i = 0; rc == 0 && i < p.len; i++)
        rc = browse_put_job(c->store, p.job[i], p.seconds[i], &w, err);
    jsonw_close(&w, ']');
    if (p.more)
        jsonw_int(&w, "next", (int64_t)p.job[p.len - 1]);
    else
        jsonw_null(&w, "next");
    jsonw_close(&w, '}');
    return rc;
}

/* ---- one job, one run ---- */

/* The report "show" on OF, its last bracket left away, into the answer. */
static int show(struct api_call *c, const char *of, uint64_t id, struct err *err)
{
    const struct report_limits limits = { .time_ms = c->time_ms, .bytes_max = API_BYTES_MAX };
    char arguments[96];
    int rc;

    (void)snprintf(arguments, sizeof(arguments), "{\"of\":\"%s %llu\",\"jobs\":%d}", of,
                   (unsigned long long)id, RUN_JOBS);
    rc = report_make(c->store, "show", arguments, &limits, c->out, err);
    while (rc == 0 && c->out->len && c->out->data[c->out->len - 1] != '}')
        c->out->len--;
    if (rc == 0 && c->out->len)
        c->out->data[--c->out->len] = '\0';
    return rc;
}

/* Member "running": {worker, seconds, done, total} or null; *RET: it runs. */
static bool put_running(struct api_call *c, uint64_t job, struct jsonw *w)
{
    struct farm f CLEANUP(farm_release) = { 0 };
    const struct running_job *r;

    farm_hold(&f, c);
    running_put_coordinator(f.live, w);
    r = running_find(&f.running, job);
    if (!r) {
        jsonw_null(w, "running");
        return false;
    }
    jsonw_open_at(w, "running", '{');
    jsonw_text(w, "worker", r->worker);
    jsonw_real(w, "seconds", r->seconds);
    jsonw_int(w, "done", (int64_t)r->done);
    jsonw_int(w, "total", (int64_t)r->total);
    jsonw_close(w, '}');
    return true;
}

/* What the store knows, and why that is not all. */
static int why_from_store(struct api_call *c, uint64_t job, const char *reason, struct buf *ret,
                          struct err *err)
{
    struct store_why w CLEANUP(store_why_release) = { 0 };
    int rc = store_why_job(c->store, job, &w, err);

    if (rc)
        return rc;
    store_why_add(&w, "no_coordinator", "%s", reason);
    store_why_json(&w, ret);
    return 0;
}

/* Member "why": why it does not run. */
static int put_why(struct api_call *c, uint64_t job, struct jsonw *w, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err asked = { 0 };
    int rc = live_why(c->live, job, WHY_WAIT_MS, &text, &asked);

    if (rc) {
        buf_clear(&text);
        rc = why_from_store(c, job, asked.text, &text, err);
    }
    if (rc)
        return rc;
    jsonw_raw(w, "why", buf_str(&text));
    return 0;
}

int api_job(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct jsonw w = { .to = c->out, .comma = true };
    char state[16] = "";
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (!rc)
        rc = browse_job_state(c->store, id, state, err);
    if (!rc)
        rc = show(c, "job", id, err);
    if (!rc)
        rc = browse_put_log(c->store, id, &w, err);
    if (rc)
        return rc;
    const bool open = strcmp(state, "READY") == 0 || strcmp(state, "WAITING") == 0;

    if (!put_running(c, id, &w) && open)
        rc = put_why(c, id, &w, err);
    else
        jsonw_null(&w, "why");
    jsonw_close(&w, '}');
    return rc;
}

int api_run(struct api_call *c, struct err *err)
{
    static const char *const names[] = { NULL };
    struct jsonw w = { .to = c->out, .comma = true };
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    if (!rc)
        rc = request_id(c->request, 1, &id, err);
    if (!rc)
        rc = show(c, "run", id, err);
    if (!rc)
        rc = browse_put_home(c->store, id, &w, err);
    if (!rc)
        buf_addc(c->out, '}');
    return rc;
}
