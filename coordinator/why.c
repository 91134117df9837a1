/* SPDX-License-Identifier: Apache-2.0 */
/* why.c - why a job, or an experiment's jobs, do not run: what the store knows, and what the
 * scheduler does. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "coordinator/shell.h"

enum { READY_LOOKED_AT = 256 }; /* jobs of an experiment; each looks at the window once */

/* How the workers that offer CLASS are; counted for a sentence. */
struct crowd {
    unsigned all, offering, full, draining, paused, quiet;
};

static struct crowd look_at_workers(const struct server *s, uint8_t class)
{
    struct crowd c = { 0 };

    for (const struct shell_worker *w = s->workers; w; w = w->hh.next) {
        struct sched_worker_view v;

        if (!sched_worker(s->sched, w->id, &v))
            continue;
        c.all++;
        if (!(v.classes >> class & 1))
            continue;
        c.offering++;
        if (v.quiet || v.peer == 0)
            c.quiet++;
        else if (v.credits == 0)
            c.draining++;
        else if (v.paused)
            c.paused++;
        else
            c.full += v.used >= v.credits;
    }
    return c;
}

static void add_ready(const struct server *s, const struct sched_why *why, struct store_why *w)
{
    struct crowd c = look_at_workers(s, why->class);
    const char *class = s->classes[why->class] ? s->classes[why->class] : "?";

    if (why->rules & WHY_NO_CLASS && c.all == 0)
        store_why_add(w, "no_worker",
                      "no worker is connected; start one: drover worker "
                      "--coordinator %s",
                      transport_endpoint(s->transport));
    else if (why->rules & WHY_NO_CLASS)
        store_why_add(w, "no_class",
                      "none of the %u connected workers offers its numeric class, "
                      "%s",
                      c.all, class);
    else if (why->rules & WHY_NO_CREDIT)
        store_why_add(w, "no_slot",
                      "of %u workers that offer %s, %u are busy, %u drain, %u refused "
                      "work a moment ago, %u do not answer",
                      c.offering, class, c.full, c.draining, c.paused, c.quiet);
    if (why->rules & WHY_BEHIND)
        store_why_add(w, "behind", "%u ready jobs of higher priority or age come first",
                      why->ahead);
}

static void add_running(const struct server *s, const struct sched_why *why, struct store_why *w)
{
    const struct attempt *t = attempts_by_core(s->attempts, why->attempt);
    uint64_t now_ms = clock_ms(), begun_ms = t ? MIN(t->begun_ms, now_ms) : now_ms;
    struct shell_worker *worker = NULL;
    const char *name;

    if (why->worker)
        HASH_FIND(hh, s->workers, &why->worker, sizeof(why->worker), worker);
    name = worker ? worker->name : "?";
    if (why->rules & WHY_RUNNING)
        store_why_add(w, "running", "it runs at %s for %.0f s: attempt %llu, %llu of %llu done",
                      name, (double)(now_ms - begun_ms) / 1000,
                      (unsigned long long)(t ? t->row : 0), (unsigned long long)(t ? t->done : 0),
                      (unsigned long long)(t ? t->total : 0));
    else if (why->rules & WHY_CANCELLING)
        store_why_add(w, "cancelling", "it was cancelled; %s was told to stop it", name);
    else if (why->rules & WHY_REATTACH)
        store_why_add(w, "reattach",
                      "for another %.0f s it is kept for the worker that ran it "
                      "before the coordinator was restarted",
                      (double)(why->until_ms - MIN(now_ms, why->until_ms)) / 1000);
}

/* Add what the scheduler knows of a READY job. */
static void add_rules(const struct server *s, struct store_why *w)
{
    struct sched_why why = sched_why(s->sched, w->job);

    if (why.rules & WHY_NOT_HERE) {
        for (size_t i = 0; i < w->len; i++)
            if (strcmp(w->rules[i].rule, "paused") == 0 || strcmp(w->rules[i].rule, "claim") == 0)
                return;
        store_why_add(w, "window",
                      "it is ready, but others of higher priority or age fill the "
                      "scheduler's window of %u jobs",
                      sched_counts(s->sched).ready);
    } else if (why.attempt) {
        add_running(s, &why, w);
    } else {
        add_ready(s, &why, w);
        if (why.rules == 0)
            store_why_add(w, "next", "nothing: it is the next to go to a worker");
    }
}

static int why_job(struct server *s, const char *text, struct store_why *w, struct err *err)
{
    uint64_t job;
    int rc = store_find_job_text(s->store, text, &job, err);

    if (rc == 0)
        rc = store_why_job(s->store, job, w, err);
    if (rc == 0 && strcmp(w->state, "READY") == 0)
        add_rules(s, w);
    return rc;
}

struct tally {
    unsigned running, reattach, window, no_class, no_credit, behind, all;
};

static void count_rules(const struct server *s, const struct store_ids *jobs, struct tally *ret,
                        struct sched_why *ret_example)
{
    for (size_t i = 0; i < jobs->len; i++) {
        struct sched_why why = sched_why(s->sched, jobs->v[i]);

        ret->all++;
        ret->running += (why.rules & (WHY_RUNNING | WHY_CANCELLING)) != 0;
        ret->reattach += (why.rules & WHY_REATTACH) != 0;
        ret->window += (why.rules & WHY_NOT_HERE) != 0;
        ret->no_class += (why.rules & WHY_NO_CLASS) != 0;
        ret->no_credit += (why.rules & WHY_NO_CREDIT) != 0;
        if (why.rules & (WHY_NO_CLASS | WHY_NO_CREDIT) && !ret_example->rules)
            *ret_example = why;
    }
}

static int why_experiment(struct server *s, const char *name, struct store_why *w, struct err *err)
{
    struct store_ids jobs CLEANUP(store_ids_release) = { 0 };
    struct tally n = { 0 };
    struct sched_why example = { 0 };
    uint64_t experiment;
    int rc = store_find_experiment(s->store, name, &experiment, err);

    if (rc == 0)
        rc = store_why_experiment(s->store, experiment, w, err);
    if (rc == 0)
        rc = store_list_ready_jobs(s->store, experiment, READY_LOOKED_AT, &jobs, err);
    if (rc < 0)
        return rc;
    count_rules(s, &jobs, &n, &example);
    if (n.running)
        store_why_add(w, "running", "%u of the first %u ready jobs run", n.running, n.all);
    if (n.reattach)
        store_why_add(w, "reattach", "%u are kept for workers of before the coordinator's restart",
                      n.reattach);
    if (n.window)
        store_why_add(w, "window", "%u wait until the scheduler's window of %u jobs has room",
                      n.window, sched_counts(s->sched).ready);
    example.rules &= (unsigned)~WHY_BEHIND;
    if (example.rules)
        add_ready(s, &example, w);
    return 0;
}

void shell_why(struct server *s, const Drover__Control *m, uint64_t request)
{
    struct store_why w CLEANUP(store_why_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    Drover__Controlled answer = DROVER__CONTROLLED__INIT;
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    shell_flush(s); /* tell of what is committed */
    if (s->failed)
        return;
    rc = m->job[0] ? why_job(s, m->job, &w, &err) : why_experiment(s, m->experiment, &w, &err);
    if (rc < 0) {
        shell_refuse(s, peer, request, rc, err.text);
        return;
    }
    store_why_json(&w, &text);
    answer.text = (char *)(uintptr_t)buf_str(&text);
    shell_send(s, peer, DROVER__ENVELOPE__BODY_CONTROLLED, &answer, request);
}
