/* SPDX-License-Identifier: Apache-2.0 */
/* why.c - why a job, or an experiment's jobs, do not run: what the store knows, and what the
 * scheduler does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "coordinator/shell.h"

enum { READY_LOOKED_AT = 64 }; /* jobs of an experiment; each looks at the window once */

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
        else if (v.draining || v.slots == 0)
            c.draining++;
        else if (v.paused)
            c.paused++;
        else
            c.full += v.used >= v.slots;
    }
    return c;
}

static const char *worker_name(const struct server *s, uint64_t id)
{
    struct shell_worker *w = NULL;

    if (id)
        HASH_FIND(hh, s->workers, &id, sizeof(id), w);
    return w ? w->name : "?";
}

/* Names of the labels in MASK. */
static const char *label_names(const struct server *s, uint64_t mask, struct buf *out)
{
    for (unsigned i = 0; i < SCHED_LABELS; i++)
        if (mask >> i & 1 && s->labels[i])
            buf_printf(out, "%s%s", out->len ? ", " : "", s->labels[i]);
    return buf_str(out);
}

/* MS as people say it. */
static const char *time_text(uint64_t ms, char ret[32])
{
    const double s = (double)ms / 1000;
    if (s < 120)
        (void)snprintf(ret, 32, "%.0f s", s);
    else if (s < 120 * 60)
        (void)snprintf(ret, 32, "%.0f min", s / 60);
    else
        (void)snprintf(ret, 32, "%.1f h", s / 3600);
    return ret;
}

/* Those that could take it leave too soon. */
static void add_no_time(const struct sched_why *why, struct store_why *w)
{
    char takes[32], left[32];

    if (why->est_us / 1000 > why->best)
        store_why_add(w, "no_time",
                      "it takes about %s, and goes on nowhere else when it is cut off; of the "
                      "workers that could run it none stays for more than %s",
                      time_text(why->est_us / 1000, takes), time_text(why->best, left));
    else
        store_why_add(w, "no_time",
                      "of the workers that could run it none stays for more than %s, which is too "
                      "short to be sure that it ends there",
                      time_text(why->best, left));
}

/* No worker that is connected could ever take it. */
static void add_no_worker(const struct server *s, const struct sched_why *why,
                          const struct crowd *c, const char *class, struct store_why *w)
{
    struct buf labels CLEANUP(buf_release) = { 0 };

    if (why->rules & WHY_NO_CLASS && c->all == 0)
        store_why_add(w, "no_worker",
                      "no worker is connected; start one: drover worker --coordinator %s",
                      transport_endpoint(s->transport));
    else if (why->rules & WHY_NO_CLASS)
        store_why_add(w, "no_class",
                      "none of the %u connected workers offers its numeric class, %s", c->all,
                      class);
    else if (why->rules & WHY_NO_LABEL)
        store_why_add(
            w, "no_label",
            "none of the %u workers that offer %s has all that it requires: %s; start one "
            "with --label",
            c->offering, class, label_names(s, why->labels, &labels));
    else if (why->rules & WHY_NO_CORES)
        store_why_add(w, "no_cores", "it asks for %u cores; the largest worker has %llu",
                      why->cores, (unsigned long long)why->best);
    else if (why->rules & WHY_NO_MEMORY)
        store_why_add(w, "no_memory", "it asks for %llu MiB; the largest worker has %llu",
                      (unsigned long long)why->memory_mib, (unsigned long long)why->best);
    else if (why->rules & WHY_NO_TIME)
        add_no_time(why, w);
}

struct experiment_name {
    uint64_t id;
    char text[128];
};

static int find_name(const struct store_experiment *e, void *arg)
{
    struct experiment_name *n = arg;

    if (e->id != n->id)
        return 0;
    (void)snprintf(n->text, sizeof(n->text), "%s", e->name);
    return 1;
}

static void add_share(const struct server *s, const struct sched_why *why, struct store_why *w)
{
    struct experiment_name other = { why->other, "another experiment" };
    struct err err = { 0 };

    if (store_list_experiments(s->store, find_name, &other, &err) < 0)
        return; /* a question: the next transaction tells */
    store_why_add(w, "share",
                  "%s, of the same priority, goes first: it used %.1f s of core-time since both "
                  "wait, this one %.1f s",
                  other.text, (double)why->other_us / 1e6, (double)why->used_us / 1e6);
}

static void add_ready(const struct server *s, const struct sched_why *why, struct store_why *w)
{
    struct crowd c = look_at_workers(s, why->class);
    const char *class = s->classes[why->class] ? s->classes[why->class] : "?";
    uint64_t now_ms = clock_ms();

    if (why->rules & WHY_QUARANTINE)
        store_why_add(w, "quarantine",
                      "%u workers were lost while they ran it: it runs alone, on a worker that has "
                      "nothing else",
                      why->losses);
    if (why->rules & WHY_BACKOFF)
        store_why_add(w, "backoff", "after %u failure%s and %u loss%s it rests for another %.1f s",
                      why->tries, why->tries == 1 ? "" : "s", why->losses,
                      why->losses == 1 ? "" : "es",
                      (double)(why->until_ms - MIN(now_ms, why->until_ms)) / 1000);
    add_no_worker(s, why, &c, class, w);
    if (why->rules & WHY_NO_CREDIT)
        store_why_add(w, "no_slot",
                      "of %u workers that offer %s, %u are busy, %u drain, %u refused "
                      "work a moment ago, %u do not answer",
                      c.offering, class, c.full, c.draining, c.paused, c.quiet);
    if (why->rules & WHY_RESERVED)
        store_why_add(w, "reserved", "%s empties for it and takes nothing else",
                      worker_name(s, why->worker));
    if (why->rules & WHY_BEHIND)
        store_why_add(w, "behind", "%u ready jobs of higher priority or age come first",
                      why->ahead);
    if (why->rules & WHY_SHARE)
        add_share(s, why, w);
}

static void add_running(const struct server *s, const struct sched_why *why, struct store_why *w)
{
    const struct attempt *t = attempts_find(s->attempts, why->attempt);
    uint64_t now_ms = clock_ms(), begun_ms = t ? MIN(t->begun_ms, now_ms) : now_ms;
    const char *name = worker_name(s, why->worker);

    if (why->rules & WHY_QUARANTINE)
        store_why_add(w, "quarantine", "%u workers were lost while they ran it: it runs alone",
                      why->losses);
    if (why->rules & WHY_RUNNING && why->rules & WHY_WAITS)
        store_why_add(w, "waits_at_worker", "it waits at %s behind at most %u others: attempt %llu",
                      name, why->ahead, (unsigned long long)why->attempt);
    else if (why->rules & WHY_RUNNING)
        store_why_add(w, "running", "it runs at %s for %.0f s: attempt %llu, %llu of %llu done",
                      name, (double)(now_ms - begun_ms) / 1000, (unsigned long long)why->attempt,
                      (unsigned long long)(t ? t->done : 0),
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
    unsigned running, reattach, window, backoff, quarantine, all;
};

/* *RET_EXAMPLE: what keeps the first that no worker takes. */
static void count_rules(const struct server *s, const struct store_ids *jobs, struct tally *ret,
                        struct sched_why *ret_example)
{
    const unsigned workers = WHY_NO_CLASS | WHY_NO_CREDIT | WHY_NO_LABEL | WHY_NO_CORES |
                             WHY_NO_MEMORY | WHY_NO_TIME | WHY_SHARE;

    for (size_t i = 0; i < jobs->len; i++) {
        struct sched_why why = sched_why(s->sched, jobs->v[i]);

        ret->all++;
        ret->running += (why.rules & (WHY_RUNNING | WHY_CANCELLING)) != 0;
        ret->reattach += (why.rules & WHY_REATTACH) != 0;
        ret->window += (why.rules & WHY_NOT_HERE) != 0;
        ret->backoff += (why.rules & WHY_BACKOFF) != 0;
        ret->quarantine += (why.rules & WHY_QUARANTINE) != 0;
        if (why.rules & workers && !ret_example->rules)
            *ret_example = why;
    }
}

static void add_tally(const struct server *s, const struct tally *n, struct store_why *w)
{
    if (n->running)
        store_why_add(w, "running", "%u of the first %u ready jobs run", n->running, n->all);
    if (n->reattach)
        store_why_add(w, "reattach", "%u are kept for workers of before the coordinator's restart",
                      n->reattach);
    if (n->backoff)
        store_why_add(w, "backoff", "%u failed and rest before their next try", n->backoff);
    if (n->quarantine)
        store_why_add(w, "quarantine", "%u lost several workers and run alone", n->quarantine);
    if (n->window)
        store_why_add(w, "window", "%u wait until the scheduler's window of %u jobs has room",
                      n->window, sched_counts(s->sched).ready);
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
    add_tally(s, &n, w);
    example.rules &= (unsigned)~(WHY_BEHIND | WHY_BACKOFF | WHY_QUARANTINE | WHY_RESERVED);
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
